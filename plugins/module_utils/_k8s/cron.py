# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a CronJob was last due: the schedules that the CronJob controller understands."""

from __future__ import annotations

import datetime
import re

_SHORT = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_NAMES: tuple[dict[str, int], ...] = (
    {},
    {},
    {},
    {
        name: number
        for number, name in enumerate(
            ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
        )
    },
    {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))},
)
_PART = re.compile(r"^(\*|\?|[a-z0-9]+)(?:-([a-z0-9]+))?(?:/([0-9]+))?$")
_DAYS_BACK = 366 * 5


def last_due(schedule: str, zone: str, now: float) -> float | None:
    """The latest time at or before `now` at which a schedule was due.

    :param schedule: five fields or a macro (``@daily``).
    :param zone: time zone name; empty for UTC, which is what the controller manager nearly always runs in.
    :param now: seconds since 1970.
    :returns: seconds since 1970; None where the schedule cannot be told (``@every``, a wrong one, an unknown zone).
    """
    fields = _SHORT.get(schedule.strip().lower(), schedule.strip().lower()).split()
    if len(fields) != 5:
        return None
    sets: list[set[int]] = []
    for text, (low, high), names in zip(fields, _RANGES, _NAMES):
        values = _values(text, low, high, names)
        if not values:
            return None
        sets.append(values)
    minutes, hours, days, months, weekdays = sets
    if 7 in weekdays:
        weekdays.add(0)
    place = _zone(zone)
    if place is None:
        return None
    any_day, any_weekday = fields[2][0] in "*?", fields[4][0] in "*?"
    day = datetime.datetime.fromtimestamp(now, place).date()
    for _back in range(_DAYS_BACK):
        if day.month in months and _day_fits(day, days, weekdays, any_day, any_weekday):
            for hour in sorted(hours, reverse=True):
                for minute in sorted(minutes, reverse=True):
                    due = datetime.datetime(day.year, day.month, day.day, hour, minute, tzinfo=place).timestamp()
                    if due <= now:
                        return due
        day -= datetime.timedelta(days=1)
    return None


def _day_fits(day: datetime.date, days: set[int], weekdays: set[int], any_day: bool, any_weekday: bool) -> bool:
    in_days, in_weekdays = day.day in days, day.isoweekday() % 7 in weekdays
    # Where both are restricted, cron takes either.
    return (in_days and in_weekdays) if any_day or any_weekday else (in_days or in_weekdays)


def _values(text: str, low: int, high: int, names: dict[str, int]) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.match(part)
        if match is None:
            return set()
        first, last, step = match.groups()
        if first in "*?":
            begin, end = low, high
        else:
            begin = _number(first, names)
            end = _number(last, names) if last else (high if step else begin)
        if begin < low or end > high or begin > end or step == "0":
            return set()
        found.update(range(begin, end + 1, int(step) if step else 1))
    return found


def _number(text: str, names: dict[str, int]) -> int:
    if text in names:
        return names[text]
    return int(text) if text.isdigit() and len(text) < 4 else -1


def _zone(name: str) -> datetime.tzinfo | None:
    if not name or name in ("UTC", "Etc/UTC"):
        return datetime.timezone.utc
    try:
        from zoneinfo import ZoneInfo

        return ZoneInfo(name)
    except (ImportError, KeyError, ValueError, OSError):
        return None

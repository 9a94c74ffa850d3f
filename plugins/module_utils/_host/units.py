# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd says of its units: services, timers, and how often it had to restart one of them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from .._core.errors import LookError
from .files import Clock, Files, run
from .unit_files import enabled_timers

Run = Callable[[Sequence[str], float], str]

_KINDS = ("*.service", "*.timer", "*.socket", "*.mount", "*.path", "*.automount", "*.swap")
_COMMON = ("Id", "LoadState", "ActiveState", "SubState", "Result", "UnitFileState", "ConditionResult")
_SERVICE = ("ExecMainStatus", "ExecMainCode", "NRestarts", "ExecMainStartTimestampMonotonic", "Type", "Restart")
_TIMER = (
    "Unit", "LastTriggerUSec", "NextElapseUSecRealtime", "TimersCalendar", "AccuracyUSec", "RandomizedDelayUSec",
    "ActiveEnterTimestamp",
)  # fmt: skip
_RESTARTED = "5eb03494b6584870a536b337290809b3"
"""systemd's id of the message "Scheduled restart job"."""
_MOST_TIMERS = 30
_CALENDAR = re.compile(r"OnCalendar=(.*?) ; next_elapse=")
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)")
_SPAN = re.compile(r"([\d.]+)\s*(us|ms|s|min|h|d|w|month|y)\b")
_SECONDS = {
    "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "month": 2629800.0,
    "y": 31557600.0,
}  # fmt: skip


def look(files: Files, clock: Clock, now: float, run: Run = run) -> dict[str, Any]:
    """All units that systemd has loaded, those that matter; restarts of the last hour; timers and when they were due.

    :param now: seconds since the epoch.
    :raises LookError: there is no systemd, or it does not answer.
    """
    wanted = ",".join(dict.fromkeys((*_COMMON, *_SERVICE, *_TIMER)))
    text = run(["systemctl", "show", "--all", "--no-pager", f"--property={wanted}", "--", *_KINDS], clock.left(8.0))
    units = [unit for unit in _blocks(text) if unit.get("Id") and unit.get("LoadState") not in ("masked", "not-found")]
    monotonic = time.clock_gettime(time.CLOCK_MONOTONIC)
    restarts, reason = _restarts(clock, run) if _suspect(units, monotonic) else ({}, "")
    services = [_service(unit, monotonic, restarts) for unit in units if not unit["Id"].endswith(".timer")]
    timers = [_timer(unit, now, clock, run) for unit in units if unit["Id"].endswith(".timer")][:_MOST_TIMERS]
    loaded = {unit["Id"] for unit in units}
    timers += [
        {"name": name, "enabled": True, "active": "inactive"} for name in enabled_timers(files) if name not in loaded
    ]
    return {"units": services, "timers": timers, "restarts_reason": reason}


def _blocks(text: str) -> list[dict[str, str]]:
    blocks: list[dict[str, str]] = []
    for block in text.split("\n\n"):
        unit: dict[str, str] = {}
        for line in block.splitlines():
            name, equals, value = line.partition("=")
            if not equals:
                continue
            # A timer has one line for each of its calendars.
            unit[name] = f"{unit[name]}\n{value}" if name in unit else value
        blocks.append(unit)
    return blocks


def _service(unit: Mapping[str, str], monotonic: float, restarts: Mapping[str, int]) -> dict[str, Any]:
    name = unit["Id"]
    row: dict[str, Any] = {
        "name": name,
        "active": unit.get("ActiveState", ""),
        "sub": unit.get("SubState", ""),
        "result": unit.get("Result", ""),
        "enabled": unit.get("UnitFileState", ""),
    }
    if name.endswith(".service"):
        row["exit"] = _number(unit.get("ExecMainStatus"))
        row["restarts"] = _number(unit.get("NRestarts"))
        row["restarts_hour"] = restarts.get(name)
        row["oneshot"] = unit.get("Type") == "oneshot"
        started = _number(unit.get("ExecMainStartTimestampMonotonic"))
        row["started_s"] = round(max(monotonic - started / 1e6, 0.0), 1) if started else None
    return row


def _suspect(units: Sequence[Mapping[str, str]], monotonic: float) -> bool:
    """Whether any service was restarted by systemd, so that the journal is worth a question."""
    del monotonic
    return any(_number(unit.get("NRestarts")) for unit in units)


def _restarts(clock: Clock, run: Run) -> tuple[dict[str, int], str]:
    """Restarts of the last hour by unit, from the journal."""
    try:
        text = run(
            ["journalctl", "--no-pager", "--quiet", "-o", "json", "--since=-1h", "--output-fields=UNIT",
             f"MESSAGE_ID={_RESTARTED}"],
            clock.left(5.0),
        )  # fmt: skip
    except LookError as error:
        return {}, error.text
    counted: dict[str, int] = {}
    for line in text.splitlines():
        try:
            unit = json.loads(line).get("UNIT")
        except (ValueError, AttributeError):
            continue
        if isinstance(unit, str):
            counted[unit] = counted.get(unit, 0) + 1
    return counted, ""


def _timer(unit: Mapping[str, str], now: float, clock: Clock, run: Run) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": unit["Id"],
        "unit": unit.get("Unit", ""),
        "active": unit.get("ActiveState", ""),
        "sub": unit.get("SubState", ""),
        "enabled": unit.get("UnitFileState") == "enabled",
        "condition": unit.get("ConditionResult", ""),
        "last": moment(unit.get("LastTriggerUSec")),
        "next": moment(unit.get("NextElapseUSecRealtime")),
    }
    calendars = _CALENDAR.findall(unit.get("TimersCalendar", ""))
    since = row["last"] or moment(unit.get("ActiveEnterTimestamp"))
    slack = (span(unit.get("AccuracyUSec")) or 0.0) + (span(unit.get("RandomizedDelayUSec")) or 0.0)
    # Where the next time lies ahead systemd has done its part. It has none as long as the last run has not ended.
    waits = row["sub"] == "waiting" and row["next"] is not None and row["next"] > now
    if calendars and since is not None and row["active"] == "active" and not waits:
        due = [_due(calendar, since, clock, run) for calendar in calendars]
        first = min((one for one in due if one is not None), default=None)
        if first is not None:
            row["due"] = first
            row["late_s"] = max(now - first - slack, 0.0)
    return row


def _due(calendar: str, since: float, clock: Clock, run: Run) -> float | None:
    """When a calendar expression is due for the first time after a moment; None where systemd cannot say."""
    base = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(since))
    try:
        text = run(["systemd-analyze", "calendar", f"--base-time={base}", "--", calendar], clock.left(2.0))
    except LookError:
        return None
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon and name.strip() in ("Next elapse", "(in UTC)"):
            found = moment(value)
            if found is not None and "UTC" in value:
                return found
    return None


def moment(text: str | None) -> float | None:
    """``Sun 2026-11-29 12:00:00 UTC`` -> seconds since the epoch; None for ``n/a`` and an empty text."""
    match = _TIME.search(text or "")
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(one) for one in match.groups())
    try:
        import calendar

        return float(calendar.timegm((year, month, day, hour, minute, second)))
    except (ValueError, OverflowError):
        return None


def span(text: str | None) -> float | None:
    """``1min 30s`` -> 90.0; None for ``infinity`` and what is no time."""
    found = _SPAN.findall(text or "")
    if not found:
        return 0.0 if (text or "").strip() == "0" else None
    try:
        return sum(float(number) * _SECONDS[unit] for number, unit in found)
    except ValueError:
        return None


def _number(text: str | None) -> int | None:
    value = (text or "").strip()
    return int(value) if value.isdigit() and len(value) < 20 else None

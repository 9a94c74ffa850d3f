# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a line of a log was written: the ways in which programs write a time, fast for the many lines of one minute."""

from __future__ import annotations

import calendar
import re
import time
from typing import Any

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}
_ISO = re.compile(
    r"\[?(\d{4})[-/](\d\d)[-/](\d\d)[T _](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?\d*"
    r"(?:\s?(Z|UTC|GMT|[+-]\d\d:?\d\d)\b|(?<=\d)(?![\d]))?\]?"
)
_SYSLOG = re.compile(
    r"(?:<\d{1,3}>)?(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\s+(\d{1,2})\s(\d\d):(\d\d):(\d\d)"
)
_APACHE = re.compile(r"\[\w{3} (\w{3})\s+(\d{1,2}) (\d\d):(\d\d):(\d\d)(?:\.\d+)? (\d{4})\]")
_ACCESS = re.compile(r"\[(\d\d)/(\w{3})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})\]")
_KLOG = re.compile(r"[IWEF](\d\d)(\d\d) (\d\d):(\d\d):(\d\d)\.\d{6}")
_MOST_KEPT = 4096


class Clock:
    """Reads times; keeps the last minutes that it has worked out.

    :param now: seconds since 1970; of a time without a year the nearest one that is not in the future is meant.
    """

    def __init__(self, now: float) -> None:
        self._now = now
        self._minutes: dict[tuple[str, ...], float] = {}
        self._zulu: dict[str, float] = {}

    def read(self, text: str) -> tuple[float | None, int]:
        """The time at the beginning of a text in seconds since 1970, and where it ends; (None, 0) without."""
        if text[10:11] == "T":
            # What most programs write, in UTC: only the minute is looked up.
            end = text.find("Z", 19, 31)
            base = self._zulu.get(text[:16]) if end > 0 else None
            if base is not None:
                try:
                    return base + float(text[17:end]), end + 1
                except ValueError:
                    pass
        match = _ISO.match(text)
        if match:
            found = self._iso(match)
            if match.group(8) == "Z" and text[16:17] == ":" and match.start(1) == 0:
                if len(self._zulu) >= _MOST_KEPT:
                    self._zulu.clear()
                year, month, day, hour, minute = match.groups()[:5]
                self._zulu[text[:16]] = self._minutes[(year, month, day, hour, minute, "Z")]
            return found, match.end()
        if text[:1] in "IWEF":
            match = _KLOG.match(text)
            if match:
                month, day, hour, minute, second = (int(one) for one in match.groups())
                return self._yearless(month, day, hour, minute, second), match.end()
        match = _SYSLOG.match(text)
        if match:
            day, hour, minute, second = (int(one) for one in match.groups()[1:])
            return self._yearless(_MONTHS[match.group(1)], day, hour, minute, second), match.end()
        if text[:1] == "[":
            match = _APACHE.match(text)
            if match and match.group(1) in _MONTHS:
                day, hour, minute, second, year = (int(one) for one in match.groups()[1:])
                return self._local(year, _MONTHS[match.group(1)], day, hour, minute, second), match.end()
        return None, 0

    def access(self, text: str) -> float | None:
        """The time of a line of a web server's access log, which has it in its middle."""
        match = _ACCESS.search(text, 0, 300)
        if match is None or match.group(2) not in _MONTHS:
            return None
        day, year = int(match.group(1)), int(match.group(3))
        hour, minute, second = (int(match.group(place)) for place in (4, 5, 6))
        return _utc(year, _MONTHS[match.group(2)], day, hour, minute, second) - _offset(match.group(7))

    def field(self, value: Any) -> float | None:
        """The time in a field of a JSON document: a text, or a number of s, ms, µs or ns since 1970."""
        if isinstance(value, str):
            if value[:4].isdigit() and value[4:5] == "-":
                return self.read(value)[0]
            try:
                value = float(value)
            except ValueError:
                return self.read(value)[0]
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        if not 0 < value < 1e20:
            return None
        number = float(value)
        while number > 1e11:
            number /= 1000.0
        return number if number > 1e8 else None

    def _iso(self, match: re.Match[str]) -> float:
        year, month, day, hour, minute, second, fraction, zone = match.groups()
        key = (year, month, day, hour, minute, zone or "")
        base = self._minutes.get(key)
        if base is None:
            if len(self._minutes) >= _MOST_KEPT:
                self._minutes.clear()
            numbers = (int(year), int(month), int(day), int(hour), int(minute), 0)
            offset = _offset(zone) if zone and zone[0] in "+-" else 0.0
            base = _utc(*numbers) - offset if zone else self._local(*numbers)
            self._minutes[key] = base
        return base + int(second) + (float("0." + fraction) if fraction else 0.0)

    def _yearless(self, month: int, day: int, hour: int, minute: int, second: int) -> float:
        year = time.gmtime(self._now).tm_year
        found = self._local(year, month, day, hour, minute, second)
        return found if found < self._now + 86400 else self._local(year - 1, month, day, hour, minute, second)

    def _local(self, year: int, month: int, day: int, hour: int, minute: int, second: int) -> float:
        """A time without a zone is that of the machine which wrote it: the one that we run on."""
        found = _utc(year, month, day, hour, minute, second)
        try:
            return found - (time.localtime(found).tm_gmtoff or 0)
        except (ValueError, OverflowError, OSError):
            return found


def _utc(year: int, month: int, day: int, hour: int, minute: int, second: int) -> float:
    if not 1 <= month <= 12:
        return 0.0
    return float(calendar.timegm((year, month, min(max(day, 1), 31), hour, minute, second, 0, 0, 0)))


def _offset(zone: str) -> float:
    digits = zone[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:4]) * 60
    return float(-seconds if zone[0] == "-" else seconds)

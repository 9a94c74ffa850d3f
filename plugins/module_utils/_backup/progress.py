# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far long work has come, in one line: bytes, rate, table, and when it will be done as the last run went. Pure."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from .retention import span
from .run_backup import human

BACKUP = "backup"
VERIFICATION = "verification"
RESTORE = "restore"
COPY = "copy"


def line(place: str, texts: Sequence[str], columns: int = 0) -> str:
    """The line of a place.

    :param columns: that a terminal has: what does not fit is cut, because a line that breaks cannot be rewritten.
    """
    text = "%s: %s" % (place, " · ".join(texts))
    return text if columns <= 0 or len(text) <= columns else text[: columns - 1] + "…"


def texts(
    listed: Mapping[str, Any],
    running: Mapping[str, float],
    what: str,
    level: int | None = None,
    now: float | None = None,
) -> list[str]:
    """One text for each system that is being worked at.

    :param listed: what backup_sets answered.
    :param running: system to the seconds for which it has been running.
    :param what: :data:`BACKUP`, :data:`VERIFICATION`, :data:`RESTORE` or :data:`COPY`; level: that a verification goes
        to.
    :param now: seconds since 1970, for the expected end.
    """
    now = time.time() if now is None else now
    if what == COPY:
        return _copying(listed, max(running.values(), default=0.0))
    systems = {str(one.get("name")): one for one in listed.get("systems") or () if isinstance(one, Mapping)}
    return [_text(name, seconds, systems.get(name, {}), what, level, now) for name, seconds in running.items()]


def _copying(listed: Mapping[str, Any], waited: float) -> list[str]:
    """Of sets that are copied to another place, one after the other, by one job."""
    systems = [one for one in listed.get("systems") or () if isinstance(one, Mapping) and _told(one, COPY)]
    return [_text(str(one.get("name")), waited, one, COPY, None, time.time()) for one in systems] or [
        "%s %s" % (COPY, _spent(waited))
    ]


def _text(name: str, seconds: float, system: Mapping[str, Any], what: str, level: int | None, now: float) -> str:
    told = _told(system, what)
    if what == BACKUP:
        # Where nothing is told, its server is asked, or what was written is read to its end.
        return "%s %s" % (name, _written(told) if told else _spent(seconds))
    if told and (told.get("expected_bytes") or told.get("expected_objects")):
        return "%s %s %s" % (name, what, _written(told))
    more = ", %s" % _written(told) if told else ""
    expected = _expected(system, what, level)
    if expected is None:
        return "%s %s %s%s" % (name, what, _spent(seconds), more)
    text = "%s %s %s of about %s" % (name, what, _spent(seconds), _spent(expected))
    if seconds < expected:
        return text + ", done about %s" % _clock(now + expected - seconds) + more
    return text + ", longer than the last time" + more


def _told(system: Mapping[str, Any], what: str) -> Mapping[str, Any] | None:
    """How far the one who does this says that he is."""
    for key in ("writing", "verifying"):
        now = system.get(key)
        if (
            isinstance(now, Mapping)
            and str(now.get("what")).partition(" ")[0] == what
            and (now.get("bytes") is not None or now.get("objects") is not None)
        ):
            return now
    return None


def _written(now: Mapping[str, Any]) -> str:
    """``120.4 MB of about 411.9 MB (29 %), 9.8 MB/s, at nexus.events, done about 06:38:22Z``."""
    objects = now.get("objects") is not None
    unit = "objects" if objects else "bytes"
    written, expected = _number(now.get(unit)) or 0, _number(now.get("expected_" + unit))
    words = ["%d" % written if objects else human(written)]
    if expected:
        about = "of %d objects" % expected if objects else "of about %s" % human(expected)
        words[0] += " %s (%d %%)" % (about, min(100 * written / expected, 100))
    if _number(now.get("rate")):
        words.append("%g/s" % now["rate"] if objects else "%s/s" % human(float(now["rate"])))
    if now.get("item"):
        words.append("at %s" % now["item"])
    if now.get("ends"):
        words.append("done about %s" % str(now["ends"])[11:])
    if _number(now.get("stalled_s")):
        words.append("nothing new for %s" % span(float(now["stalled_s"])))
    return ", ".join(words)


def _expected(system: Mapping[str, Any], what: str, level: int | None) -> float | None:
    """How long the same took the last time."""
    if what == COPY:
        return None
    if what == VERIFICATION:
        taken = system.get("verified_in")
        return _number(taken.get(str(level))) if isinstance(taken, Mapping) else None
    proven = system.get("proven")
    return _number(proven.get("restore_seconds")) if isinstance(proven, Mapping) else None


def _clock(seconds: float) -> str:
    return time.strftime("%H:%M:%SZ", time.gmtime(seconds))


def _spent(seconds: float) -> str:
    return "%d s" % seconds if seconds < 120 else "%d min %02d s" % divmod(int(seconds), 60)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sets of a system stay, and why; which go. Pure.

Rules thin out: the newest set of each of the last so many hours, days, weeks, months and years, in UTC. What the rules
give up still stays where it is needed as proof: a set that was proven, and whatever came after it. Only when a younger
set has been proven as well is an older one to spare.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._core.errors import OptionError
from .._core.threshold import nearest
from . import manifest, options

FUTURE_S = 300.0
LEVEL = 3
COUNTS = ("last", "hourly", "daily", "weekly", "monthly", "yearly")
_KEYS = (*COUNTS, "within")

_PERIODS: dict[str, Callable[[datetime.datetime], str]] = {
    "hourly": lambda when: when.strftime("%Y-%m-%d %H h"),
    "daily": lambda when: when.strftime("%Y-%m-%d"),
    "weekly": lambda when: "week %d of %d" % (when.isocalendar()[1], when.isocalendar()[0]),
    "monthly": lambda when: when.strftime("%Y-%m"),
    "yearly": lambda when: when.strftime("%Y"),
}


@dataclass(frozen=True)
class Rules:
    """How many stay of each kind, and how long all of them do.

    :ivar counts: of ``last``, ``hourly``, ``daily``, ``weekly``, ``monthly``, ``yearly``; within: seconds.
    """

    counts: Mapping[str, int]
    within: float = 0.0


@dataclass(frozen=True)
class Candidate:
    """A set, as far as it matters here.

    :ivar began: seconds since 1970; level: of its newest verification where that was good, else None; refuted: why the
        newest verification was not good, else None; needed: why it stays whatever the rules say (a lock, a link).
    """

    stamp: str
    began: float
    level: int | None = None
    refuted: str | None = None
    needed: tuple[str, ...] = ()


@dataclass
class Verdict:
    """What becomes of a set, and the reasons for it; ahead: it is from the future."""

    stamp: str
    stays: bool
    why: list[str] = field(default_factory=list)
    ahead: bool = False


def rules(given: Mapping[str, Any]) -> Rules:
    """The option ``keep``.

    :raises OptionError: an unknown key, a count that is none, or nothing that says what stays.
    """
    counts = {}
    for key, value in given.items():
        if key not in _KEYS:
            raise OptionError(f"keep: there is no {key!r}{nearest(key, _KEYS)}; it takes {', '.join(_KEYS)}")
        if key == "within":
            continue
        try:
            counts[key] = int(str(value))
        except ValueError:
            raise OptionError(f"keep: {key} is a number of sets, got {value!r}") from None
        if counts[key] < 0:
            raise OptionError(f"keep: {key} is a number of sets, got {value!r}")
    within = options.duration(given["within"]) if given.get("within") else 0.0
    if within is None:
        raise OptionError(f"keep: within is a time such as 48h, 7d or 2w, got {given['within']!r}")
    if not any(counts.values()) and not within:
        raise OptionError("keep: say what stays, such as {hourly: 24, daily: 7, weekly: 5, monthly: 12}")
    return Rules(counts, within)


def decide(sets: Iterable[Candidate], rule: Rules, now: float, level: int = LEVEL) -> list[Verdict]:
    """What becomes of the sets of one system, the newest first.

    :param level: of proof that is wanted of a set before what is older than it may go. Where no set has reached it, the
        highest level that one has reached takes its place; where none was ever verified, all stay.
    """
    newest_first = sorted(sets, key=lambda one: (one.began, one.stamp), reverse=True)
    verdicts = {one.stamp: Verdict(one.stamp, False) for one in newest_first}
    ahead = [one for one in newest_first if one.began > now + FUTURE_S]
    for one in ahead:
        verdicts[one.stamp].why.append("it is from the future: its name is %s ahead" % span(one.began - now))
    # A set from the future takes no place and proves nothing of those that are not.
    past = newest_first[len(ahead) :]
    for one in newest_first:
        verdicts[one.stamp].why.extend(one.needed)
    _protect(past, verdicts, level)
    count(past, verdicts, rule, now)
    for one in past:
        verdict = verdicts[one.stamp]
        verdict.stays = bool(verdict.why)
        if not verdict.stays:
            verdict.why.append(
                "no rule keeps it"
                if one.refuted is None
                else "its last verification failed, so that no rule counts it: %s" % one.refuted
            )
    for one in ahead:
        verdicts[one.stamp].stays = verdicts[one.stamp].ahead = True
    return [verdicts[one.stamp] for one in newest_first]


def _protect(sets: Sequence[Candidate], verdicts: Mapping[str, Verdict], level: int) -> None:
    """What is never taken: the newest, the newest of each level of proof, and all that is younger than the proof."""
    if not sets:
        return
    verdicts[sets[0].stamp].why.append("it is the newest")
    levels = [one.level for one in sets if one.level]
    if not levels:
        for one in sets:
            verdicts[one.stamp].why.append("no set of the system has been proven yet")
        return
    line = min(level, max(levels))
    for reached in range(line, max(levels) + 1):
        last = next((one for one in sets if one.level is not None and one.level >= reached), None)
        if last is not None:
            name = manifest.LEVELS[reached] if reached < len(manifest.LEVELS) else "?"
            why = "it is the newest that is proven to level %d (%s)" % (reached, name)
            verdicts[last.stamp].why.append(why)
    proven = next(one for one in sets if one.level is not None and one.level >= line)
    for one in sets:
        if one.began > proven.began:
            verdicts[one.stamp].why.append(
                "it is younger than the newest that is proven to level %d, %s" % (line, proven.stamp)
            )


def count(sets: Sequence[Candidate], verdicts: Mapping[str, Verdict], rule: Rules, now: float) -> None:
    """Add to the verdicts what the rules keep, the newest first. What a verification has refuted takes no place."""
    counted = [one for one in sets if one.refuted is None]
    for number, one in enumerate(counted[: rule.counts.get("last", 0)], 1):
        verdicts[one.stamp].why.append("last %d of %d" % (number, rule.counts["last"]))
    for name, period in _PERIODS.items():
        seen: dict[str, Candidate] = {}
        for one in counted:
            seen.setdefault(period(datetime.datetime.fromtimestamp(one.began, datetime.timezone.utc)), one)
        for number, (label, one) in enumerate(list(seen.items())[: rule.counts.get(name, 0)], 1):
            verdicts[one.stamp].why.append("%s %d of %d (%s)" % (name, number, rule.counts[name], label))
    for one in counted:
        if rule.within and now - one.began <= rule.within:
            verdicts[one.stamp].why.append("it is younger than %s" % span(rule.within))


def span(seconds: float) -> str:
    """``3 min``, ``5.2 h``, ``3.1 days``."""
    if math.isnan(seconds):
        return "?"
    if seconds < 5400:
        return "%d min" % max(round(seconds / 60), 1)
    if seconds < 172800:
        return "%.3g h" % (seconds / 3600)
    return "%.4g days" % (seconds / 86400)

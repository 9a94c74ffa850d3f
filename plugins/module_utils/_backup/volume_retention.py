# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which snapshots of a claim stay, and why; which go. Pure.

The rules are those of sets (:mod:`retention`). In place of a proof stands that a snapshot is ready to use: the newest
that is ready stays whatever they say, and so does what is younger than it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from . import retention

# Drivers that copy to another place call a snapshot ready hours after they have cut it.
SLOW_S = 24 * 3600.0


@dataclass(frozen=True)
class Taken:
    """A snapshot, as far as it matters here.

    :ivar name: of its namespace and its own; began: seconds since 1970; error: what its status says went wrong.
    :ivar needed: why it stays whatever the rules say.
    """

    name: str
    began: float
    ready: bool
    error: str = ""
    needed: tuple[str, ...] = ()


def decide(taken: Iterable[Taken], rule: retention.Rules, now: float) -> list[retention.Verdict]:
    """What becomes of the snapshots of one claim, the newest first. The name is the verdict's ``stamp``."""
    newest_first = sorted(taken, key=lambda one: (one.began, one.name), reverse=True)
    verdicts = {one.name: retention.Verdict(one.name, False, list(one.needed)) for one in newest_first}
    past: list[Taken] = []
    for one in newest_first:
        if one.began > now + retention.FUTURE_S:
            verdicts[one.name].ahead = True
            verdicts[one.name].why.append("it is from the future: its name is %s ahead" % _ahead(one, now))
        else:
            past.append(one)
    _protect(past, verdicts, now)
    # What is not ready, or from the future, takes the place of no other.
    retention.count([_candidate(one) for one in past if one.ready], verdicts, rule, now)
    for one in newest_first:
        verdict = verdicts[one.name]
        verdict.stays = bool(verdict.why)
        if not verdict.stays:
            verdict.why.append("no rule keeps it" if one.ready else f"a newer one is ready, and it {_unready(one)}")
    return [verdicts[one.name] for one in newest_first]


def _protect(past: Sequence[Taken], verdicts: dict[str, retention.Verdict], now: float) -> None:
    newest = next((one for one in past if one.ready), None)
    for one in past:
        why = verdicts[one.name].why
        if newest is None:
            why.append("no snapshot of the claim is ready")
        elif one is newest:
            why.append("it is the newest that is ready")
        elif one.began >= newest.began:
            why.append("it is younger than the newest that is ready")
        elif not one.ready and not one.error and now - one.began <= SLOW_S:
            why.append("its driver may still be at work on it")


def _candidate(one: Taken) -> retention.Candidate:
    return retention.Candidate(one.name, one.began)


def _ahead(one: Taken, now: float) -> str:
    return retention.span(one.began - now)


def _unready(one: Taken) -> str:
    return "has failed: %s" % one.error[:200] if one.error else "never became so"

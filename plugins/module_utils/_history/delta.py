# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changed between a run and what was known before it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._core.finding import CRITICAL, UNKNOWN, badness

NEW = "new"
WORSE = "worse"
UNCHANGED = "unchanged"
BETTER = "better"
CHANGES = (NEW, WORSE, UNCHANGED, BETTER)

OBSERVED = "run.observed"
"""The check that the report itself makes (`_report/model.py`); its objects are ``system/module``."""
COMMON = "run.common"
"""The cause that the report finds by what findings have in common (`_report/common.py`); it is no system's own."""

Key = tuple[str, str, bool]
"""What a look answers: system (for :data:`OBSERVED` system and module), check, and whether a recording was judged."""


EVERYWHERE = "*"


@dataclass(frozen=True)
class Past:
    """What an earlier run saw.

    :ivar seen: the questions that it answered.
    :ivar findings: by fingerprint; each with check, object, status, title, value, since and recorded_at.
    """

    id: str
    started: str
    seen: frozenset[Key]
    findings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Delta:
    """What changed.

    :ivar since: the newest run that anything of this one could be compared with.
    :ivar changes: fingerprint of each finding -> delta, since (when it was first seen), was (status and value before).
    :ivar resolved: findings of before that were looked for, and are gone.
    :ivar not_seen: findings of before that could not be looked for: they may be there still.
    """

    since: Past
    changes: dict[str, dict[str, Any]]
    resolved: list[dict[str, Any]]
    not_seen: list[dict[str, Any]]


def key_of(finding: Mapping[str, Any]) -> Key:
    """The question that a finding answers."""
    if finding["check"] == OBSERVED:
        return str(finding["object"]), OBSERVED, False
    if finding["check"] == COMMON:
        return EVERYWHERE, COMMON, bool(finding.get("recorded_at"))
    return str(finding["object"]).split("/", 1)[0], str(finding["check"]), bool(finding.get("recorded_at"))


def seen_of(report: Mapping[str, Any]) -> frozenset[Key]:
    """The questions that a run answered, from its report."""
    recorded = {(one["name"], one["module"]) for one in report["systems"] if one["mode"] == "recorded"}
    rows = {
        (str(row["system"]), str(row["check"]), (row["system"], row["module"]) in recorded)
        for row in report["coverage"]["rows"]
        if row["seen"]
    }
    looks = [("%s/%s" % (one["name"], one["module"]), str(one["mode"])) for one in report["systems"]]
    return frozenset(rows | asked_of(looks, bool(report["run"].get("limit"))))


def asked_of(looks: Iterable[tuple[str, str]], limited: bool) -> set[Key]:
    """The questions that the report itself answers: did an observation come, and is there a cause in common?

    :param looks: ``system/module`` and mode of each.
    :param limited: a run of some systems cannot say that there is no common cause; nor can one that missed a system.
    """
    found = list(looks)
    keys: set[Key] = {(name, OBSERVED, False) for name, _mode in found}
    if not limited and not any(mode == "unseen" for _name, mode in found):
        keys |= {(EVERYWHERE, COMMON, False), (EVERYWHERE, COMMON, True)}
    return keys


def past_of(report: Mapping[str, Any]) -> Past:
    """A report as something to compare with."""
    return Past(
        str(report["run"]["id"]),
        str(report["run"]["started"]),
        seen_of(report),
        {one["fingerprint"]: one for one in report["findings"]},
    )


def baseline(past: Iterable[Past]) -> dict[str, Mapping[str, Any]]:
    """What is known of before: for each question the findings of the newest run that answered it.

    A run that was limited to some systems, or could not see some, hides nothing of what an earlier one knew of others.

    :param past: newest first.
    """
    known: dict[str, Mapping[str, Any]] = {}
    closed: set[Key] = set()
    for run in past:
        for name, finding in run.findings.items():
            if name not in known and key_of(finding) not in closed:
                known[name] = finding
        closed |= run.seen
    return known


def compare(
    started: str, findings: Sequence[Mapping[str, Any]], seen: frozenset[Key], past: Sequence[Past]
) -> Delta | None:
    """Compare a run with what is known of before.

    :param started: when this run began.
    :param findings: of this run; seen: the questions that it answered.
    :param past: earlier runs, newest first.
    :returns: None where nothing of this run was ever looked at before: then nothing is new, or all is.
    """
    asked = seen | {key_of(one) for one in findings}
    asked = frozenset(key for key in asked if key[0] != EVERYWHERE)
    shared = [run for run in past if asked & (run.seen | {key_of(one) for one in run.findings.values()})]
    if not shared:
        return None
    known = baseline(shared)
    changes = {}
    for one in findings:
        before = known.get(one["fingerprint"])
        if before is not None and key_of(before) != key_of(one):
            # What a recording showed is no earlier state of a live system.
            before = None
        changes[one["fingerprint"]] = _change(one, before, started)
    here = set(changes)
    gone = [dict(one) for name, one in known.items() if name not in here]
    resolved = [one for one in gone if key_of(one) in seen]
    # What was only ever seen in the other way, live or recorded, is no news here.
    ways = {key[2] for key in asked if key[1] not in (OBSERVED, COMMON)}
    not_seen = [one for one in gone if key_of(one) not in seen and (key_of(one)[2] in ways or not ways)]
    return Delta(shared[0], changes, _sorted(resolved), _sorted(not_seen))


def _change(one: Mapping[str, Any], before: Mapping[str, Any] | None, started: str) -> dict[str, Any]:
    if before is None:
        return {"delta": NEW, "since": started, "was": None}
    return {
        "delta": _direction(str(before["status"]), str(one["status"])),
        "since": before.get("since") or started,
        "was": {"status": before["status"], "value": before.get("value")},
    }


def _direction(before: str, now: str) -> str:
    if before == CRITICAL and now == UNKNOWN:
        # Who lost sight of an outage has no better news.
        return UNCHANGED
    if badness(now) == badness(before):
        return UNCHANGED
    return WORSE if badness(now) > badness(before) else BETTER


def _sorted(findings: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Worst first, and what nothing explained before what followed from it."""
    return sorted(
        findings,
        key=lambda one: (-badness(one["status"]), bool(one.get("caused_by")), str(one["check"]), str(one["object"])),
    )

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the steps of a backup, a verification, a restore test or a restore came to, for the report of their run. Pure.

The morning asks how the backups are (checks.py); a run of these procedures does something, and these are its questions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._core.check import Check
from .._core.judge import Judge
from .._core.threshold import Thresholds
from .run_backup import human

_RUNBOOK = "operations:database-backups"
_TEST = "daily:backup-restoration-test-weekly"
_LIST = ("backup.list", "backup_verify.list", "restore_test.list", "restore.list")

CHECKS: tuple[Check, ...] = (
    Check(
        id="backup_run.set",
        question="Was a set made of every system, and read to its end?",
        runbook=_RUNBOOK,
        items=("backup.sets",),
        source="the answer of the engine's module for each system",
        remedy="ansible-playbook nexuscos.ops.backup -e nexuscos_backup_only={name} --limit {target}",
        rank=10,
    ),
    Check(
        id="backup_run.snapshot",
        question="Is a snapshot of every chosen volume of a cluster ready to use?",
        runbook="operations:application-state-backups",
        items=("backup.sets",),
        source="the answer of k8s_volume_snapshot for each entry of nexuscos_volume_snapshots",
        remedy="mend what the title says, then ansible-playbook nexuscos.ops.backup -e nexuscos_backup_only={name}",
        rank=12,
    ),
    Check(
        id="backup_run.proof",
        question="Is the set of every system proven to the level that was asked for?",
        runbook="daily:daily-backup-check",
        items=("backup_verify.integrity", "restore_test.verify"),
        source="the answer of backup_verify for each system",
        remedy="take it for damaged: make a new one now and prove that (nexuscos.ops.backup, then backup_verify)",
        rank=12,
    ),
    Check(
        id="backup_run.scratch",
        question="Was the set of every system restored into a server of its own?",
        runbook=_TEST,
        items=("restore_test.restore",),
        source="level 3 of backup_verify for each system that is to be restored",
        remedy="nexuscos.ops.backup_verify -e nexuscos_backup_only={name} -e nexuscos_backup_verify_level=3",
        rank=11,
    ),
    Check(
        id="backup_run.restore",
        question="Was the system restored?",
        runbook=_RUNBOOK,
        items=("restore.restored",),
        source="the answer of the engine's module",
        remedy="nothing is half done: mend what the title says, then run the same command again",
        rank=10,
    ),
    Check(
        id="backup_run.copy",
        question="Were the new sets copied to another place?",
        runbook="operations:application-state-backups",
        items=("backup.copies",),
        source="the answer of backup_offsite",
        remedy="the sets are whole, and in one place only: reach the repository (restic snapshots), then run it again",
        rank=20,
    ),
    Check(
        id="backup_run.prune",
        question="Were old sets thinned out?",
        runbook="daily:weekly-tasks",
        items=("backup.cleanup",),
        source="the answers of backup_prune for each system with `keep`, and of backup_offsite_prune",
        remedy="nexuscos.ops.backup --check -e nexuscos_backup_only={name} says what would go, and why",
        severity="warning",
        rank=30,
    ),
    Check(
        id="backup_run.usable",
        question="Can something of every system be restored, as far as is known?",
        runbook="daily:daily-backup-check",
        items=_LIST,
        source="sets whose newest proof is that they were read to their end, by backup_sets",
        remedy="make a set now, and look why there was none: docs/backup.md",
        rank=15,
    ),
)
BY_ID: dict[str, Check] = {check.id: check for check in CHECKS}

PROCEDURES: dict[str, tuple[str, ...]] = {
    "backup": (
        "backup_run.set",
        "backup_run.snapshot",
        "backup_run.prune",
        "backup_run.copy",
        "backup_run.usable",
    ),
    "backup_verify": ("backup_run.proof", "backup_run.usable"),
    "weekly_restore_test": ("backup_run.scratch", "backup_run.proof", "backup_run.usable"),
    "restore": ("backup_run.restore", "backup_run.usable"),
}
"""Procedure, by the name of its playbook, to the questions that it asks."""

_NEXT: tuple[tuple[str, str], ...] = (
    (r"holds the lock|is at work|by \S+ on \S+ since", "wait for who is at work: -e nexuscos_backup_lock_wait=600"),
    (r"\bfree, and\b|No space left", "make room: nexuscos.ops.backup --check says what retention would remove; df -h"),
    (
        r"(?i)password authentication|NOAUTH|WRONGPASS|authentication failed|invalid username-password",
        "the password in the vault (vault_nexuscos_backup_…) is not the server's: mend it, run it again for {name}",
    ),
    (r"(?i)permission denied", "the account lacks a right: docs/backup.md, Set it up, has what it needs"),
    (
        r"cannot be started|is it installed",
        "install the engine's programs on {target}, or say where they are (bin_dir)",
    ),
    (r"version mismatch|aborting because of server version", "install the client of the server's version on {target}"),
    (
        r"not done in time|no time|in time",
        "give it longer: -e nexuscos_backup_deadline=…, nexuscos_backup_verify_deadline",
    ),
    (
        r"(?i)refused|cannot be reached|unreachable|No route|could not connect|no such file.*socket|timed out",
        "the server does not answer: is it up, and reached from {target}? Then run it again for {name}",
    ),
    (
        r"holds no set",
        "there is nothing to look at: make a set now (nexuscos.ops.backup -e nexuscos_backup_only={name})",
    ),
)
_RESTORED = 3


def observe(procedure: str, place: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """What a run did at a place, as an observing module would return it.

    :param told: ``wanted`` (names of the systems), ``rows`` (of outcome.rows), ``listed`` (answer of backup_sets),
        ``pruned``, ``copied``, ``thinned`` (the copies) and ``snapshots`` (what these tasks registered), ``checked``
        (in check mode). What is None was not done.
    """
    rows = [_mapping(one) for one in _list(told.get("rows"))]
    pruned, copied, thinned, taken = (_mapping(told.get(key)) for key in ("pruned", "copied", "thinned", "snapshots"))
    done = {
        "backup_run.prune": _done(pruned) or _done(thinned),
        "backup_run.copy": _done(copied),
        "backup_run.snapshot": _done(taken),
        # A place may have volumes only, of which there are no sets.
        "backup_run.set": bool(_list(told.get("wanted"))),
        "backup_run.usable": bool(_list(told.get("wanted"))),
    }
    asked = [check for check in PROCEDURES[procedure] if done.get(check, True)]
    judge = Judge(BY_ID, Thresholds(BY_ID), place, only=asked)
    judge.facts["told"] = {}
    steps: dict[str, Callable[[], None]] = {
        "backup_run.set": lambda: _rows(judge, "backup_run.set", "no backup of %s was made", rows),
        "backup_run.snapshot": lambda: _snapshots(judge, taken),
        "backup_run.restore": lambda: _rows(judge, "backup_run.restore", "%s was not restored", rows),
        "backup_run.proof": lambda: _proofs(judge, rows),
        "backup_run.scratch": lambda: _scratch(judge, rows),
        "backup_run.prune": lambda: _pruned(judge, pruned, thinned),
        "backup_run.copy": lambda: _copied(judge, copied),
        "backup_run.usable": lambda: _usable(judge, told),
    }
    for check in asked:
        steps[check]()
    _facts(judge, rows, _mapping(told.get("listed")))
    return judge.result()


def _done(registered: Mapping[str, Any]) -> bool:
    return bool(registered) and not registered.get("skipped")


def _tell(judge: Judge, check: str, text: str) -> None:
    for item in judge.checks[check].items:
        judge.facts["told"][item] = text


def _rows(judge: Judge, check: str, words: str, rows: Sequence[Mapping[str, Any]]) -> None:
    judge.looked(check, 0)
    for row in rows:
        if row.get("good"):
            judge.looked(check)
        else:
            _failed(judge, check, words % row["system"], row)
    good = [row for row in rows if row.get("good")]
    _tell(judge, check, "%d of %d done%s" % (len(good), len(rows), _took(good)))


def _failed(judge: Judge, check: str, words: str, row: Mapping[str, Any], remedy: str | None = None) -> None:
    said = str(row.get("msg") or "no reason was told")
    judge.report(
        check,
        "%s/%s" % (judge.target, row["system"]),
        "%s: %s" % (words, said),
        evidence={
            key: row[key] for key in ("stamp", "bytes", "level", "wanted", "seconds") if row.get(key) is not None
        },
        remedy=next_step(said) or remedy,
    )


def next_step(said: str) -> str | None:
    """What to do about a message, where it is one that is known."""
    return next((step for pattern, step in _NEXT if re.search(pattern, said)), None)


def _took(rows: Sequence[Mapping[str, Any]]) -> str:
    size = sum(_number(row.get("bytes")) or 0 for row in rows)
    longest = max((_number(row.get("seconds")) or 0 for row in rows), default=0)
    words = [human(size)] if size else []
    if longest:
        words.append("the longest took %.4g s" % longest)
    return ", %s" % ", ".join(words) if words else ""


def _proofs(judge: Judge, rows: Sequence[Mapping[str, Any]]) -> None:
    check = "backup_run.proof"
    judge.looked(check, 0)
    held: dict[str, int] = {}
    for row in rows:
        if row.get("good"):
            judge.looked(check)
            if row.get("held") is not None:
                held[str(row["held_what"])] = held.get(str(row["held_what"]), 0) + int(row["held"])
        elif row.get("level") is None:
            # Nothing was found out about the set.
            judge.unknown(
                check,
                "%s/%s" % (judge.target, row["system"]),
                "the set of %s was not looked at: %s" % (row["system"], row.get("msg")),
                evidence={"said": row.get("msg")},
                remedy=next_step(str(row.get("msg"))),
            )
        else:
            words = "the set of %s is not what was saved (level %s of %s holds)"
            _failed(judge, check, words % (row["system"], row["level"], row.get("wanted", "?")), row)
    counted = ", ".join("%s %s" % (f"{count:,}", what) for what, count in sorted(held.items()))
    good = sum(1 for row in rows if row.get("good"))
    _tell(judge, check, "%d of %d proven%s" % (good, len(rows), ": %s are there" % counted if counted else ""))


def _scratch(judge: Judge, rows: Sequence[Mapping[str, Any]]) -> None:
    check = "backup_run.scratch"
    judge.looked(check, 0)
    # What no engine can restore is asked for a lower level, and is no part of this line.
    mine = [row for row in rows if row.get("wanted") is None or int(row["wanted"]) >= _RESTORED]
    restored: list[Mapping[str, Any]] = []
    for row in mine:
        level = row.get("level")
        if level is not None and level >= _RESTORED:
            restored.append(row)
            judge.looked(check)
        elif level is None:
            judge.unknown(
                check,
                "%s/%s" % (judge.target, row["system"]),
                "%s was not restored for a test: %s" % (row["system"], row.get("msg")),
                remedy=next_step(str(row.get("msg"))),
            )
        elif row.get("good"):
            judge.looked(check)
        else:
            _failed(judge, check, "%s cannot be restored" % row["system"], row)
    times = [_number(row.get("restore_seconds")) or 0 for row in restored]
    longest = ", the longest in %.4g s" % max(times) if times else ""
    _tell(judge, check, "%d of %d restored%s" % (len(restored), len(mine), longest))


def _pruned(judge: Judge, registered: Mapping[str, Any], thinned: Mapping[str, Any]) -> None:
    check = "backup_run.prune"
    judge.looked(check, 0)
    gone = 0
    for one in _results(registered):
        if one.get("failed") or one.get("unreachable"):
            name = str(one.get("item") or "sets")
            said = str(one.get("msg") or "no reason was told")
            judge.report(
                check,
                "%s/%s" % (judge.target, name),
                "old sets of %s were not thinned out: %s" % (name, said),
                remedy=next_step(said),
            )
        else:
            judge.looked(check)
            gone += len(_list(one.get("removed")))
    elsewhere, bad = 0, []
    for one in _results(thinned):
        if one.get("failed") or one.get("unreachable"):
            bad.append("%s: %s" % (one.get("item") or "another place", one.get("msg") or "no reason was told"))
        else:
            judge.looked(check)
            elsewhere += len(_list(one.get("removed")))
    if bad:
        title = "old copies were not thinned out in %s" % "; ".join(bad)
        judge.report(check, judge.target, title, remedy=next_step(title))
    _tell(judge, check, "%d removed%s" % (gone, ", %d copies elsewhere" % elsewhere if _results(thinned) else ""))


def _results(registered: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a task came to, by item where it is a loop, without what was skipped."""
    if not registered:
        return []
    found = [_mapping(one) for one in _list(registered["results"])] if "results" in registered else [dict(registered)]
    return [one for one in found if not one.get("skipped")]


def _snapshots(judge: Judge, registered: Mapping[str, Any]) -> None:
    """Beside the sets of the run, in the same line."""
    check = "backup_run.snapshot"
    judge.looked(check, 0)
    ready = total = 0
    for one in [_mapping(one) for one in _list(registered.get("results"))] or [dict(registered)]:
        name = str(one.get("item") or "volumes")
        rows = [_mapping(row) for row in _list(one.get("snapshots"))]
        good = sum(1 for row in rows if row.get("why") is None)
        total, ready = total + len(rows), ready + good
        judge.looked(check, good)
        if one.get("failed") or one.get("unreachable"):
            said = str(one.get("msg") or "no reason was told")
            judge.report(
                check,
                "%s/%s" % (judge.target, name),
                "not all snapshots of the volumes of %s are ready: %s" % (name, said),
                evidence={"failed": ["{namespace}/{pvc}".format(**row) for row in rows if row.get("why")][:10]},
            )
    before = judge.facts["told"].get(judge.checks[check].items[0])
    words = "%d of %d snapshots of volumes ready" % (ready, total)
    _tell(judge, check, "%s; %s" % (before, words) if before else words)


def _copied(judge: Judge, registered: Mapping[str, Any]) -> None:
    """To one other place, or to several: what failed for one says nothing of the others."""
    check = "backup_run.copy"
    judge.looked(check, 0)
    words, bad = [], []
    for one in _results(registered):
        where = str(one.get("repository") or one.get("item") or "another place")
        if one.get("failed") or one.get("unreachable"):
            said = str(one.get("msg") or "no reason was told")
            bad.append(said)
            words.append("not copied" if not one.get("item") else "not copied to %s" % where)
            continue
        sets = [_mapping(row) for row in _list(one.get("sets"))]
        for row in sets:
            if row.get("state") == "left out":
                judge.report(
                    check,
                    "%s/%s" % (judge.target, row.get("system")),
                    "the set of %s was not copied: %s" % (row.get("system"), row.get("why")),
                )
            else:
                judge.looked(check)
        there = [row for row in sets if row.get("state") != "left out"]
        words.append("%d of %d in %s" % (len(there), len(sets), where))
    if bad:
        judge.report(check, judge.target, "the new sets were not copied to another place: %s" % "; ".join(bad))
    _tell(judge, check, "; ".join(words))


def _usable(judge: Judge, told: Mapping[str, Any]) -> None:
    check = "backup_run.usable"
    listed = _mapping(told.get("listed"))
    judge.looked(check, 0)
    if "systems" not in listed:
        judge.unseen(check, "the sets were not listed: %s" % (listed.get("msg") or "the task did not run"))
        return
    systems = {str(_mapping(one).get("name")): _mapping(one) for one in _list(listed["systems"])}
    exposures = []
    for name in [str(one) for one in _list(told.get("wanted"))]:
        exposure = _number(_mapping(systems.get(name)).get("exposure_s"))
        if exposure is None:
            judge.report(
                check,
                "%s/%s" % (judge.target, name),
                "nothing of %s can be restored, as far as is known" % name,
                evidence={"sets": _mapping(systems.get(name)).get("sets", 0)},
            )
        else:
            exposures.append(exposure)
            judge.looked(check)
    lost = ", at most %s to lose" % _span(max(exposures)) if exposures else ""
    _tell(judge, check, "%d of %d can be restored%s" % (len(exposures), len(_list(told.get("wanted"))), lost))


def _facts(judge: Judge, rows: Sequence[Mapping[str, Any]], listed: Mapping[str, Any]) -> None:
    """The shape of backup_health's facts, so that both are told alike, and what this run did beside it."""
    newest: dict[str, dict[str, Any]] = {}
    for one in _list(listed.get("sets")):
        newest.setdefault(str(_mapping(one).get("system")), _mapping(one))
    found: dict[str, dict[str, Any]] = {}
    for one in (_mapping(entry) for entry in _list(listed.get("systems"))):
        name = str(one.get("name"))
        proven, last = _mapping(one.get("proven")), newest.get(name, {})
        found[name] = {
            "file": last.get("stamp"),
            "bytes": last.get("bytes"),
            "age_s": last.get("age_s"),
            "sets": one.get("sets"),
            "refuted": last.get("refuted"),
            "proven_level": proven.get("level"),
            "proven_age_s": proven.get("level_age_s"),
            "proven_set": proven.get("stamp"),
            "restore_seconds": proven.get("restore_seconds"),
            "exposure_s": one.get("exposure_s"),
            "archive_wal": _mapping(one.get("archive")).get("wal"),
            "archive_age_s": _mapping(one.get("archive")).get("age_s"),
            "archive_within_s": _mapping(one.get("archive")).get("within_s"),
            # The system itself, its sets here, and other places.
            "places": 1 + len(_list(one.get("here", ["here"]))) + len(_list(one.get("copies"))) if last else 1,
        }
    for row in rows:
        mine = found.setdefault(str(row["system"]), {})
        mine.update(
            outcome="ok" if row.get("good") else "failed",
            said=row.get("msg"),
            took_s=row.get("seconds"),
            level=row.get("level"),
            test_restore_s=row.get("restore_seconds"),
            held=row.get("held"),
            held_what=row.get("held_what"),
        )
    judge.facts.update(systems_total=len(rows), systems_done=sum(1 for row in rows if row.get("good")), backups=found)


def _span(seconds: float) -> str:
    if seconds < 5400:
        return "%d min" % max(round(seconds / 60), 1)
    return "%.3g h" % (seconds / 3600) if seconds < 172800 else "%.3g days" % (seconds / 86400)


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what was seen of the backups. Pure."""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .._core.judge import Judge
from . import evaluate_archive, evaluate_copies

_FUTURE_S = 300.0
_LEFTOVER_S = 3600.0
_OTHER_TIME_S = 12 * 3600.0
_TREND_LEAST = 2
_LATEST_S = 3600.0
_DAY_S = 86400.0
_LEVEL = 3
_RESTORED = ("pg_", "pgbackrest", "redis", "mongodb")
_LEVELS = ("exists", "checksums match", "read to the end", "restored", "invariants hold", "the application works")


def evaluate(observation: Mapping[str, Any], judge: Judge) -> None:
    """All checks.

    :param observation: what `collect.collect` returned, of a live look or of a recording.
    """
    now = _number(observation.get("now"))
    place = _mapping(observation.get("place"))
    _timer(observation, judge)
    error = _mapping(place.get("error"))
    if error or not place:
        _no_place(judge, place, error)
        return
    judge.looked("backup.place")
    systems = {str(name): _mapping(one) for name, one in _mapping(observation.get("systems")).items()}
    for name, system in systems.items():
        _system(judge, "%s/%s" % (judge.target, name), name, system, now)
    _latest(observation, judge, systems)
    _leftovers(observation, judge, now)
    _space(place, judge, systems)
    _facts(judge, systems, now)
    if not systems:
        judge.unseen_rest("no system is named (option systems): nobody knows what should be there")


def _no_place(judge: Judge, place: Mapping[str, Any], error: Mapping[str, Any]) -> None:
    said = str(error.get("text") or "nothing was recorded about it")
    if error.get("kind") == "missing":
        judge.report(
            "backup.place",
            judge.target,
            "the folder of the backups is not there: %s" % said,
            evidence={"path": place.get("path"), "error": said},
        )
    else:
        judge.unknown(
            "backup.place",
            judge.target,
            "the folder of the backups cannot be read: %s" % said,
            evidence={"path": place.get("path"), "error": said},
        )
    judge.unseen_rest("the folder of the backups was not seen: %s" % said)


def _system(judge: Judge, obj: str, name: str, system: Mapping[str, Any], now: float) -> None:
    sets = [_mapping(one) for one in _list(system.get("sets"))]
    every = _number(system.get("every")) or 86400.0
    if not sets:
        judge.report(
            "backup.exists",
            obj,
            "there is no backup of %s" % name,
            evidence={"looked_for": _list(system.get("paths")), "error": system.get("error")},
        )
        for check in (
            "age", "archive_age", "future", "size", "manifest", "checksum", "readable", "renamed", "set", "proof",
            "copies",
        ):  # fmt: skip
            judge.looked("backup." + check, 0)
        return
    judge.looked("backup.exists")
    newest = sets[0]
    when = _number(newest.get("when"))
    evidence: dict[str, Any] = {
        "file": newest.get("path"),
        "bytes": newest.get("bytes"),
        "from": _iso(when),
        "sets": system.get("count"),
    }
    _time(judge, obj, name, newest, every, now, evidence)
    _size(judge, obj, name, sets, evidence)
    _set(judge, obj, name, system, evidence)
    _proof(judge, obj, name, system, evidence)
    _proven(judge, obj, name, system, now)
    evaluate_archive.evaluate(judge, obj, name, system, now)
    evaluate_copies.evaluate(judge, obj, name, system, now)


def _time(
    judge: Judge, obj: str, name: str, newest: Mapping[str, Any], every: float, now: float, evidence: dict[str, Any]
) -> None:
    ahead = max(_number(newest.get("named")), _number(newest.get("modified"))) - now
    if ahead > _FUTURE_S:
        judge.report(
            "backup.future",
            obj,
            "the newest backup of %s is from the future, by %s" % (name, _span(ahead)),
            evidence={**evidence, "now": _iso(now), "modified": _iso(_number(newest.get("modified")))},
        )
        # How old it really is nobody knows: the clock, or the name, is wrong.
        judge.unknown(
            "backup.age", obj, "the age of the newest backup of %s is not known: it is from the future" % name
        )
        return
    judge.looked("backup.future")
    age = max(now - _number(newest.get("when")), 0.0)
    judge.value(
        "backup.age",
        obj,
        round(age / every, 2),
        "the newest backup of %s is %s old, and one is due every %s" % (name, _span(age), _span(every)),
        evidence=evidence,
    )


def _size(judge: Judge, obj: str, name: str, sets: Sequence[Mapping[str, Any]], evidence: dict[str, Any]) -> None:
    sizes = [_number(one.get("bytes")) for one in sets]
    before = [size for size in sizes[1:] if size > 0]
    judge.looked("backup.size", 0)
    if len(before) < _TREND_LEAST:
        return  # two earlier ones make a trend; fewer do not
    usual = statistics.median(before)
    share = round(100 * sizes[0] / usual, 1)
    judge.value(
        "backup.size",
        obj,
        share,
        "the newest backup of %s has %g %% of the usual size" % (name, share),
        evidence={**evidence, "usual_bytes": usual, "earlier": len(before)},
    )


def _proof(judge: Judge, obj: str, name: str, system: Mapping[str, Any], evidence: dict[str, Any]) -> None:
    proof = _mapping(system.get("proof"))
    told, summed = proof.get("told"), proof.get("sum")
    trouble = proof.get("trouble")
    if proof.get("verify") == "none" or (system.get("own") and _no_manifest(system)):
        for check in ("manifest", "checksum", "readable", "renamed"):
            judge.looked("backup." + check, 0)
        return
    if system.get("own"):
        judge.looked("backup.manifest")
    elif proof.get("folder"):
        judge.looked("backup.manifest", 0)  # the sums of a folder are those of its files, which its own reader keeps to
    elif told:
        judge.looked("backup.manifest")
    else:
        judge.report(
            "backup.manifest",
            obj,
            "no checksum was written with the newest backup of %s%s" % (name, ": %s" % trouble if trouble else ""),
            evidence=evidence,
        )
    if proof.get("sum_error"):
        judge.unknown("backup.checksum", obj, "%s was not summed: %s" % (name, proof["sum_error"]), evidence=evidence)
    elif _list(proof.get("changed")):
        changed = [_mapping(one) for one in _list(proof["changed"])]
        judge.report(
            "backup.checksum",
            obj,
            "the newest backup of %s is not what was written: %s" % (name, _names(one.get("path") for one in changed)),
            evidence={**evidence, "changed": changed[:5]},
        )
    elif told and summed and told != summed:
        judge.report(
            "backup.checksum",
            obj,
            "the newest backup of %s is not what was written: its checksum is another" % name,
            evidence={**evidence, "written": told, "now": summed, "told_in": proof.get("told_in")},
        )
    else:
        judge.looked("backup.checksum")
    _readable(judge, obj, name, proof, evidence)
    _renamed(judge, obj, name, system, proof, evidence)


def _no_manifest(system: Mapping[str, Any]) -> dict[str, Any]:
    return _mapping(_mapping(system.get("manifest")).get("error"))


def _set(judge: Judge, obj: str, name: str, system: Mapping[str, Any], evidence: dict[str, Any]) -> None:
    """The manifest beside what it describes. A set that nobody wrote a manifest of ours for is not asked."""
    told = _mapping(system.get("manifest"))
    if not told:
        judge.looked("backup.set", 0)
        return
    error = _mapping(told.get("error"))
    if error:
        title, shown = _not_described(name, error), {**evidence, "error": error.get("text")}
        if error.get("kind") == "version":
            judge.unknown("backup.set", obj, title, evidence=shown)
        else:
            judge.report("backup.set", obj, title, evidence=shown)
        return
    judge.looked("backup.set")
    for status, title, more in _differences(name, told):
        judge.report("backup.set", obj, title, status=status, evidence={**evidence, **more}, count=False)


def _not_described(name: str, error: Mapping[str, Any]) -> str:
    words = {
        "missing": "the newest set of %s has no manifest: nobody knows what belongs to it",
        "other": "the newest set of %s is another one by its manifest",
        "version": "the newest set of %s was made by a later version of this collection",
    }
    return words.get(str(error.get("kind")), "the manifest of the newest set of %s cannot be read") % name


def _differences(name: str, told: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Status, title and evidence of all that is another thing than the manifest says; the worst is kept."""
    database = _mapping(told.get("source")).get("database")
    before = _mapping(told.get("source_before")).get("database")
    inside = told.get("database_inside")
    if inside and database and inside != database:
        title = "the newest backup of %s is a dump of %s, and its manifest says %s" % (name, inside, database)
        yield "critical", title, {"manifest": database, "dump": inside}
    elif before and database and before != database:
        title = "the newest backup of %s is of another database than the one before it: %s, not %s"
        yield "critical", title % (name, database, before), {"manifest": database, "before": before}
    without = [str(one) for one in _list(told.get("without_rows"))]
    if without:
        title = "the newest backup of %s holds no rows of %s, which had some when it was made"
        yield "critical", title % (name, _names(without)), {"without_rows": without}
    missing = [str(one) for one in _list(told.get("missing"))]
    if missing:
        title = "files of the newest set of %s are missing: %s" % (name, _names(missing))
        yield "critical", title, {"missing": missing}
    links = [str(one) for one in _list(told.get("links"))]
    if links:
        title = "files of the newest set of %s are links to what lies elsewhere: %s"
        yield "critical", title % (name, _names(links)), {"links": links}
    sizes = [_mapping(one) for one in _list(told.get("sizes"))]
    if sizes:
        title = "files of the newest set of %s have another size than was written: %s"
        yield "critical", title % (name, _names(one.get("path") for one in sizes)), {"sizes": sizes[:5]}
    extra = [str(one) for one in _list(told.get("extra"))]
    if extra:
        title = "files lie in the newest set of %s that are none of its: %s" % (name, _names(extra))
        yield "warning", title, {"extra": extra}


def _proven(judge: Judge, obj: str, name: str, system: Mapping[str, Any], now: float) -> None:
    """How long ago a set of the system was proven, to the level that is asked for."""
    wanted = system.get("level")
    if not isinstance(wanted, int):
        if not _mapping(system.get("manifest")):
            judge.looked("backup.proof", 0)  # nothing is ever filed with sets of another layout
            return
        # What backup_verify cannot restore, it can read to its end.
        engine = _mapping(system["manifest"]).get("engine")
        wanted = _LEVEL if engine is None or str(engine).startswith(_RESTORED) else _LEVEL - 1
    level = _LEVELS[wanted] if 0 <= wanted < len(_LEVELS) else "?"
    known = sorted(
        (one for one in _filed(system) if one["at"] <= now + _FUTURE_S), key=lambda one: (one["at"], one["when"])
    )
    if known and not known[-1]["good"]:
        judge.report(
            "backup.proof",
            obj,
            "the last verification of a backup of %s failed: %s" % (name, known[-1]["why"] or "no reason is told"),
            status="critical",
            evidence=_shown(known[-1]),
            remedy="make a new backup now and verify it: ansible-playbook nexuscos.ops.backup_verify",
        )
        return
    good = [one for one in known if one["good"] and one["level"] >= wanted]
    if good:
        last = good[-1]
        days = max(now - last["at"], 0.0) / _DAY_S
        judge.value(
            "backup.proof",
            obj,
            round(days, 2),
            "a backup of %s was last proven to level %d (%s) %s ago"
            % (name, last["level"], _LEVELS[last["level"]], _span(now - last["at"])),
            evidence=_shown(last),
        )
    elif _looked_level(system) >= wanted:
        judge.looked("backup.proof")  # this look has just proven it
    elif not _mapping(system.get("manifest")):
        judge.unknown(
            "backup.proof",
            obj,
            "whether a backup of %s was ever proven to level %d (%s) is not known: nothing is filed with its sets"
            % (name, wanted, level),
        )
    else:
        best = max((one["level"] for one in known if one["good"]), default=None)
        judge.report(
            "backup.proof",
            obj,
            "no backup of %s has been proven to level %d (%s)%s"
            % (name, wanted, level, "" if best is None else "; the highest is %d (%s)" % (best, _LEVELS[best])),
            status="warning",
            evidence={"wanted": wanted, "highest": best, "verified_sets": len(known)},
        )


def _filed(system: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The newest verification of each set, with its time as a number."""
    found = []
    for one in (_mapping(entry) for entry in _list(system.get("proofs"))):
        at, level = _moment(one.get("at")), one.get("level")
        if at is not None and isinstance(level, int) and not isinstance(level, bool) and 0 <= level < len(_LEVELS):
            found.append({**one, "at": at, "when": _number(one.get("when")), "good": one.get("good") is True})
    return [{"why": None, "set": None, "restore_seconds": None, **one} for one in found]


def _shown(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "set": one["set"],
        "level": one["level"],
        "at": _iso(one["at"]),
        "restore_seconds": one["restore_seconds"],
        "why": one["why"],
    }


def _looked_level(system: Mapping[str, Any]) -> int:
    """What this look itself has proven of the newest set: -1 for one that is damaged, 0 to 2."""
    proof, told = _mapping(system.get("proof")), _mapping(system.get("manifest"))
    read = _mapping(proof.get("read")).get("status")
    summed = proof.get("told") and proof.get("sum")
    other = bool(summed) and proof["told"] != proof["sum"]
    if other or read == "bad" or _list(proof.get("changed")) or told.get("missing") or told.get("sizes"):
        return -1
    if told.get("without_rows"):
        return -1
    if told.get("error") or not proof:
        return 0
    if read == "ok" and proof.get("known", True) is True:
        return 2
    of_set = system.get("own") and proof.get("verify") in ("checksum", "read") and not proof.get("sum_error")
    return 1 if summed or of_set else 0


def _names(names: Iterable[object]) -> str:
    """Some names, and how many more there are."""
    known = [str(name) for name in names]
    return ", ".join(known[:3]) + (" and %d more" % (len(known) - 3) if known[3:] else "")


def _readable(judge: Judge, obj: str, name: str, proof: Mapping[str, Any], evidence: dict[str, Any]) -> None:
    read = _mapping(proof.get("read"))
    if proof.get("verify") != "read":
        judge.looked("backup.readable", 0)
    elif read.get("status") == "bad":
        judge.report(
            "backup.readable",
            obj,
            "the newest backup of %s cannot be restored: %s" % (name, read.get("why")),
            evidence={**evidence, "read_as": read.get("how")},
        )
    elif read.get("status") == "ok":
        judge.looked("backup.readable")
    else:
        why = read.get("why") or "nothing was recorded about it"
        judge.unknown(
            "backup.readable", obj, "the newest backup of %s was not read: %s" % (name, why), evidence=evidence
        )


def _renamed(
    judge: Judge, obj: str, name: str, system: Mapping[str, Any], proof: Mapping[str, Any], evidence: dict[str, Any]
) -> None:
    newest = _mapping(_list(system.get("sets"))[0])
    made = _moment(_mapping(proof.get("read")).get("made"))
    named = newest.get("named")
    if proof.get("same_as"):
        judge.report(
            "backup.renamed",
            obj,
            "the newest backup of %s is an earlier one under a new name: %s" % (name, proof["same_as"]),
            evidence={**evidence, "same_as": proof["same_as"]},
        )
    elif made is not None and isinstance(named, (int, float)) and abs(made - named) > _OTHER_TIME_S:
        judge.report(
            "backup.renamed",
            obj,
            "the newest backup of %s was made at another time than its name says: %s" % (name, _iso(made)),
            evidence={**evidence, "made": _iso(made)},
        )
    else:
        judge.looked("backup.renamed")


def _latest(observation: Mapping[str, Any], judge: Judge, systems: Mapping[str, Mapping[str, Any]]) -> None:
    latest = _mapping(observation.get("latest"))
    if not latest:
        judge.looked("backup.latest")
        return  # not every layout has it
    now = _number(observation.get("now"))
    if "links" in latest:
        links = {str(name): _mapping(link) for name, link in _mapping(latest["links"]).items()}
        # Somebody who is making the first set of a system moves its link in a moment.
        own = [name for name, system in systems.items() if system.get("own") and not system.get("busy")]
        for name in dict.fromkeys([*links, *own]):
            newest = _newest([systems.get(name, {})], now)
            _one_link(judge, "latest/%s" % name, links.get(name), newest)
    else:
        _one_link(judge, "latest", latest, _newest(systems.values(), now))


def _newest(systems: Iterable[Mapping[str, Any]], now: float) -> float:
    """When the newest of all sets was begun. A set from the future has a finding of its own."""
    moments = [_number(_mapping(one).get("when")) for system in systems for one in _list(system.get("sets"))]
    return max((moment for moment in moments if moment <= now + _FUTURE_S), default=0.0)


def _one_link(judge: Judge, name: str, link: Mapping[str, Any] | None, newest: float) -> None:
    judge.looked("backup.latest")
    obj = "%s/%s" % (judge.target, name)
    if link is None:
        if newest:
            judge.report(
                "backup.latest", obj, "there is no link %s, and there are sets" % name,
                evidence={"newest": _iso(newest)}, count=False,
            )  # fmt: skip
        return
    evidence, when = {"link": link.get("link"), "newest": _iso(newest)}, link.get("when")
    if not link.get("exists"):
        judge.report(
            "backup.latest",
            obj,
            "the link %s leads nowhere: %s" % (name, link.get("link")),
            status="critical",
            evidence=evidence,
            count=False,
        )
    elif link.get("trouble"):
        judge.report(
            "backup.latest",
            obj,
            "the link %s is wrong: %s" % (name, link["trouble"]),
            status="critical",
            evidence=evidence,
            count=False,
        )
    elif isinstance(when, (int, float)) and newest - when > _LATEST_S:
        judge.report(
            "backup.latest",
            obj,
            "the link %s leads to %s, and the newest set is %s younger"
            % (name, link.get("link"), _span(newest - when)),
            evidence=evidence,
            count=False,
        )


def _leftovers(observation: Mapping[str, Any], judge: Judge, now: float) -> None:
    judge.looked("backup.leftovers")
    old = [
        one
        for one in (_mapping(entry) for entry in _list(observation.get("leftovers")))
        if now - _number(one.get("modified")) > _LEFTOVER_S
    ]
    if old:
        judge.report(
            "backup.leftovers",
            "%s/leftovers" % judge.target,
            "%d half backup%s left behind, the first is %s"
            % (len(old), "s are" if old[1:] else " is", old[0].get("path")),
            value=float(len(old)),
            evidence={
                "files": [one.get("path") for one in old[:10]],
                "bytes": sum(_number(one.get("bytes")) for one in old),
            },
            count=False,
        )


def _space(place: Mapping[str, Any], judge: Judge, systems: Mapping[str, Mapping[str, Any]]) -> None:
    judge.looked("backup.space", 0)
    free = place.get("free")
    newest = sum(
        _number(_mapping(one).get("bytes")) for system in systems.values() for one in _list(system.get("sets"))[:1]
    )
    if not isinstance(free, (int, float)):
        judge.unseen("backup.space", "how much is free was not seen")
    elif newest > 0:
        fits = min(round(free / newest, 1), 1_000_000.0)
        judge.value(
            "backup.space",
            judge.target,
            fits,
            "there is room for %g more sets in %s" % (fits, place.get("path")),
            evidence={"free_bytes": free, "total_bytes": place.get("total"), "newest_bytes": newest},
        )


def _timer(observation: Mapping[str, Any], judge: Judge) -> None:
    seen = observation.get("timer")
    judge.looked("backup.timer", 0)
    if seen is None:
        return  # nobody named one
    seen = _mapping(seen)
    name = str(seen.get("name") or "the timer")
    obj = "%s/%s" % (judge.target, name)
    timer, service = _mapping(seen.get("timer")), _mapping(seen.get("service"))
    evidence = {"timer": timer, "service": service}
    if timer.get("error"):
        judge.unknown("backup.timer", obj, "%s was not seen: %s" % (name, timer["error"]), evidence=evidence)
    elif timer.get("LoadState") != "loaded":
        judge.report("backup.timer", obj, "there is no timer %s" % name, evidence=evidence)
    elif timer.get("ActiveState") != "active":
        judge.report("backup.timer", obj, "%s is not active: no backup will be made" % name, evidence=evidence)
    elif service.get("Result") not in (None, "", "success"):
        judge.report(
            "backup.timer",
            obj,
            "the last run of %s failed (%s)" % (service.get("name"), service.get("Result")),
            evidence=evidence,
        )
    else:
        judge.looked("backup.timer")


def _facts(judge: Judge, systems: Mapping[str, Mapping[str, Any]], now: float) -> None:
    rows = {}
    for name, system in systems.items():
        sets = _list(system.get("sets"))
        newest = _mapping(sets[0]) if sets else {}
        when = newest.get("when")
        rows[name] = {
            "file": newest.get("path"),
            "bytes": newest.get("bytes"),
            "age_s": round(max(now - _number(when), 0.0)) if newest else None,
            "sets": system.get("count") or 0,
            "read": _mapping(_mapping(system.get("proof")).get("read")).get("status"),
            **_proof_facts(system, newest, now),
            **evaluate_archive.facts(system, now),
            **evaluate_copies.facts(system, newest, now),
        }
    ages = [row["age_s"] for row in rows.values() if isinstance(row["age_s"], int)]
    exposed = [row["exposure_s"] for row in rows.values()]
    judge.facts.update(
        backups=rows,
        systems_total=len(rows),
        systems_backed_up=sum(1 for row in rows.values() if row["file"]),
        systems_readable=sum(1 for row in rows.values() if row["read"] == "ok"),
        systems_proven=sum(1 for row in rows.values() if (row["proven_level"] or 0) >= _LEVEL),
        oldest_newest_s=max(ages) if ages else None,
        # Where nothing of a system can be restored as far as is known, no number would be true.
        exposure_s=max(exposed) if exposed and None not in exposed else None,
    )


def _proof_facts(system: Mapping[str, Any], newest: Mapping[str, Any], now: float) -> dict[str, Any]:
    """The highest proof that holds, and how much would be lost if the system were lost now."""
    good = [one for one in _filed(system) if one["good"] and one["at"] <= now + _FUTURE_S]
    best = max(good, key=lambda one: (one["level"], one["at"]), default=None)
    usable = [(one["set"], one["when"]) for one in good if one["level"] >= 2 and one["when"] <= now + _FUTURE_S]
    looked = _looked_level(system)
    when = _number(newest.get("when"))
    if newest and looked < 0:
        usable = [known for known in usable if known[1] != when]  # what this look refutes was proven once
    elif newest and looked >= 1 and when <= now + _FUTURE_S:
        usable.append((newest.get("path"), when))
    # Where WAL is archived, it leads on from a set.
    archive = _mapping(system.get("archive"))
    reached = [evaluate_archive.safe_until(archive, name, moment, now) for name, moment in usable]
    safe = [at for at in reached if at is not None]
    return {
        "looked_level": max(looked, 0) if newest else None,
        "proven_level": best["level"] if best else None,
        "proven_age_s": round(max(now - best["at"], 0.0)) if best else None,
        "proven_set": best["set"] if best else None,
        "restore_seconds": best["restore_seconds"] if best else None,
        "exposure_s": round(max(now - max(safe), 0.0)) if safe else None,
    }


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0


def _moment(text: Any) -> float | None:
    try:
        return datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None


def _iso(moment: float) -> str | None:
    try:
        return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return None


def _span(seconds: float) -> str:
    """``3 min``, ``5.2 h``, ``3.1 days``."""
    if seconds < 5400:
        return "%d min" % max(round(seconds / 60), 1)
    if seconds < 172800:
        return "%.3g h" % (seconds / 3600)
    return "%.3g days" % (seconds / 86400)

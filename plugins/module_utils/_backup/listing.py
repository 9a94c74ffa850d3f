# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sets of a place as rows: how old, how large, how far proven, and who is writing one now."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import time
from collections.abc import Iterable, Sequence
from typing import Any

from .._core.errors import OptionError
from .._core.threshold import nearest
from . import at_work, evaluate_archive, layout, lock, manifest, pgbackrest_archive, retention, stream
from .manifest import Manifest, ManifestError
from .run_backup import human

_STALLED_S = 30.0
_PROGRESS_MOST = 1 << 16
_NO_NUMBER = 1 << 60
_TAKEN = "taken"
_ARCHIVE_S = 60.0
# Engines whose sets are lists of what is in a repository.
_LISTS = ("files", "pgbackrest")
# What postgres_restore makes of a live database before it replaces it: one set for one restore, no system.
_SAFETY = "-before-restore"


def look(place: str, wanted: Sequence[str] = (), newest: int = 0, now: float | None = None) -> dict[str, Any]:
    """All sets of a place, or of some systems.

    :param wanted: systems; none for all of which there is a set, a link, or somebody writing one.
    :param newest: sets of each system, 0 for all.
    :returns: ``systems`` and ``sets``, see the module backup_sets.
    :raises PlaceError: the folder cannot be listed.
    """
    now = time.time() if now is None else now
    by_system: dict[str, list[layout.Set]] = {layout.check_name(name): [] for name in wanted}
    for one in layout.finished(place):
        if not wanted or one.system in by_system:
            by_system.setdefault(one.system, []).append(one)
    if not wanted:
        for name in _others(place):
            by_system.setdefault(name, [])
    systems: list[dict[str, Any]] = []
    sets: list[dict[str, Any]] = []
    for name in sorted(by_system):
        leads = layout.latest(place, name)
        rows = [_row(one, now, leads) for one in by_system[name]]
        # Of file trees there is but a list here.
        here = [] if any(row["engine"] in _LISTS for row in rows) else ["here"]
        folders = [(one.stamp, one.path) for one in by_system[name]]
        archive = pgbackrest_archive.look(folders, time.monotonic() + _ARCHIVE_S)
        kept = _repositories(archive, folders[0][0], now) if archive else places(by_system[name], now)
        systems.append({**_system(place, name, rows, leads, now, archive), "copies": kept, "here": here})
        sets += [{key: row[key] for key in row if key != _TAKEN} for row in rows[: newest or None]]
    return {"systems": systems, "sets": sets}


def places(sets: Iterable[layout.Set], now: float) -> list[dict[str, Any]]:
    """Where sets of a system lie besides: each place with the newest set that it has and that nobody has refuted."""
    found: dict[str, dict[str, Any]] = {}
    for one in sets:
        try:
            told = manifest.read(one.path)
        except ManifestError:
            continue
        for copy in told.copies if not told.refuted else []:
            age = round(now - one.began)
            place = {"repository": copy.repository, "engine": copy.engine, "offsite": copy.offsite}
            found.setdefault(copy.repository, {**place, "newest": one.stamp, "age_s": age, "at": copy.at, "sets": 0})
            found[copy.repository]["sets"] += 1
    return sorted(found.values(), key=lambda place: str(place["repository"]))


def _repositories(archive: dict[str, Any], newest: str, now: float) -> list[dict[str, Any]]:
    """:func:`places` of a system whose data are in repositories of pgBackRest."""
    return [
        {
            "repository": one["repository"],
            "engine": "pgbackrest",
            "offsite": one["offsite"],
            "newest": str(one["set"]),
            "age_s": round(now - one["when"]),
            "at": iso(one["when"]),
            "sets": int(one["backups"] or 0),
        }
        for one in evaluate_archive.repositories(archive, newest, now)
    ]


def named(place: str, wanted: Iterable[str]) -> list[str]:
    """Those of the systems of a place that are asked for, or all.

    :raises OptionError: there is none of that name.
    """
    known = sorted({one.system for one in layout.finished(place)})
    for name in wanted:
        if layout.check_name(name) not in known:
            raise OptionError(f"systems: there is no set of {name!r} in {place}{nearest(name, known)}")
    return sorted(set(wanted)) or known


def writing(place: str, system: str, now: float) -> dict[str, Any] | None:
    """Who holds the lock of a system, and how far he is; None where nobody does."""
    who = lock.holder(place, system)
    if who is None:
        return None
    found = _who(place, system, who, now)
    folders = layout.leftovers(place, system)
    if folders and found["bytes"] is None and found["objects"] is None:
        found["stamp"] = os.path.basename(os.path.dirname(folders[-1]))
        told = _told(os.path.join(folders[-1], stream.PROGRESS))
        # Where the engine says nothing, the bytes in the folder do.
        found.update(_far(told, now) if told else {"bytes": layout.bytes_below(folders[-1])})
    return found


def verifying(place: str, system: str, now: float) -> dict[str, Any] | None:
    """The same of the lock that verifications, copies and restores of file trees hold."""
    held = system + lock.VERIFYING
    who = lock.holder(place, held)
    return None if who is None else _who(place, held, who, now)


def _who(place: str, held: str, who: dict[str, str], now: float) -> dict[str, Any]:
    found: dict[str, Any] = {
        **who,
        "stamp": None,
        "bytes": None,
        "expected_bytes": None,
        "objects": None,
        "expected_objects": None,
        "rate": None,
        "item": None,
        "seconds_left": None,
        "ends": None,
        "stalled_s": None,
    }
    told = _told(at_work.path(place, held))
    # What a killed one has left says nothing of whoever is at work now.
    return {**found, **_far(told, now)} if told and told["pid"] == who["pid"] else found


def table(listed: dict[str, Any]) -> list[str]:
    """The sets as lines that people read, and what is being done now below them."""
    rows = [("system", "set", "age", "size", "made in", "proof", "proven", "")]
    rows += [
        (
            one["system"],
            one["stamp"],
            retention.span(one["age_s"]) if one["age_s"] >= 0 else "future",
            human(one["bytes"]) if one["bytes"] is not None else "?",
            "%.4g s" % one["seconds"] if one["seconds"] is not None else "?",
            _proof_words(one),
            retention.span(one["level_age_s"]) + " ago" if one["level_age_s"] is not None else "",
            ", ".join(_marks(one)),
        )
        for one in listed["sets"]
    ]
    lines = columns(rows, right=(2, 3, 4)) if listed["sets"] else ["no set"]
    lines += _copies_table(listed["systems"])
    for system in listed["systems"]:
        if not system["name"].endswith(_SAFETY):
            lines.append(_exposure_words(system))
        if system["latest_trouble"]:
            lines.append(
                "%s: the link latest/%s is wrong: %s" % (system["name"], system["name"], system["latest_trouble"])
            )
        if system["writing"]:
            lines.append(_writing_words(system["name"], system["writing"]))
        if system["verifying"]:
            lines.append(_writing_words(system["name"], system["verifying"]))
    return lines


def columns(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Rows of texts, one beneath the other."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]


def _others(place: str) -> Iterable[str]:
    """Systems that somebody works at, or that a link is there for."""
    with contextlib.suppress(OSError):
        for name in os.listdir(place):
            system = name[len(".lock-") :]
            # A verification is of a set that is there.
            if name.startswith(".lock-") and lock.VERIFYING not in system and lock.holder(place, system):
                yield system
    with contextlib.suppress(OSError):
        yield from (name for name in os.listdir(os.path.join(place, layout.LATEST)) if not name.startswith("."))


def _row(one: layout.Set, now: float, leads: layout.Set | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "system": one.system,
        "stamp": one.stamp,
        "path": one.path,
        "age_s": round(now - one.began),
        "latest": leads is not None and leads.stamp == one.stamp,
        "trouble": None,
    }
    told: Manifest | None = None
    try:
        told = manifest.read(one.path)
    except ManifestError as error:
        row["trouble"] = str(error)
    row.update(
        bytes=told.bytes if told else None,
        seconds=told.seconds if told else None,
        engine=told.engine if told else None,
        format=told.format if told else None,
        server=told.server if told else None,
        source=told.source if told else None,
        encryption=told.encryption if told else None,
        files=len(told.files) if told else None,
        copies=[copy.repository for copy in told.copies] if told else [],
        **{_TAKEN: {str(one.wanted): one.seconds for one in told.proofs if one.good} if told else {}},
        **_proof(told, now),
    )
    return row


def _proof(told: Manifest | None, now: float) -> dict[str, Any]:
    bad = told.refuted if told else None
    last = bad or (told.proven if told else None)
    at = moment(last.at) if last else None
    restores = [proof.restore_seconds for proof in (told.proofs if told else []) if proof.restore_seconds is not None]
    return {
        "level": last.level if last and not bad else None,
        "level_at": last.at if last else None,
        "level_age_s": round(now - at) if at is not None else None,
        "refuted": bad.why or "no reason is told" if bad else None,
        "restore_seconds": restores[-1] if restores else None,
    }


def _system(
    place: str, name: str, rows: Sequence[dict[str, Any]], leads: layout.Set | None, now: float,
    archive: dict[str, Any] | None,
) -> dict[str, Any]:  # fmt: skip
    past = [row for row in rows if row["age_s"] >= -retention.FUTURE_S]
    levels = [row["level"] for row in past if row["level"]]
    best = next((row for row in past if levels and row["level"] == max(levels)), None)
    # What was not refuted by a later look, and was read to its end at least once, can be restored as far as is known.
    usable = next((row for row in past if (row["level"] or 0) >= 2), None)
    readable = [row for row in past if (row["level"] or 0) >= 2]
    safe = [evaluate_archive.safe_until(archive or {}, row["stamp"], now - row["age_s"], now) for row in readable]
    known = [at for at in safe if at is not None]
    link = os.path.join(place, layout.LATEST, name)
    return {
        "name": name,
        "sets": len(rows),
        "bytes": sum(row["bytes"] or 0 for row in rows),
        "newest": past[0]["stamp"] if past else None,
        "oldest": past[-1]["stamp"] if past else None,
        "latest": leads.stamp if leads else None,
        "latest_trouble": _latest_trouble(link, leads, usable),
        "proven": {key: best[key] for key in ("stamp", "level", "level_at", "level_age_s", "restore_seconds")}
        if best
        else None,
        "exposure_s": max(round(now - max(known)), 0) if known else None,
        "archive": _archive(archive, past, now) if archive else None,
        "verified_in": {level: took for row in reversed(rows) for level, took in row[_TAKEN].items()},
        "writing": writing(place, name, now),
        "verifying": verifying(place, name, now),
    }


def _archive(archive: dict[str, Any], past: Sequence[dict[str, Any]], now: float) -> dict[str, Any]:
    """How far the WAL leads that is archived, from the newest set."""
    newest = past[0]["stamp"] if past else None
    told = evaluate_archive.told(archive, newest, now)
    return {
        "stanza": archive["stanza"],
        "wal": told["archive_wal"],
        "age_s": told["archive_age_s"],
        "within_s": told["archive_within_s"],
        "trouble": archive["error"] or evaluate_archive.trouble(archive, newest, now),
    }


def _latest_trouble(link: str, leads: layout.Set | None, usable: dict[str, Any] | None) -> str | None:
    if leads is None:
        if os.path.lexists(link):
            return "it leads to no set"
        return "it is not there" if usable else None
    if usable and leads.began < layout.moment(usable["stamp"]):
        return "it leads to %s, and %s is younger" % (leads.stamp, usable["stamp"])
    return None


def _told(path: str) -> dict[str, Any] | None:
    """What a file of progress says, in numbers; None where it says nothing that can be understood."""
    try:
        with open(path, "rb") as handle:
            told = json.loads(handle.read(_PROGRESS_MOST))
        unit = "objects" if "objects" in told else "bytes"
        found = {
            "began": float(told["began"]),
            "at": float(told["at"]),
            "done": int(told[unit]),
            "expected": int(told["expected"]),
        }
        item, pid = str(told.get("item") or "") or None, str(told.get("pid"))
    except (OSError, ValueError, TypeError, KeyError, OverflowError, AttributeError):
        return None
    # What is no number, or none that time or a disk can have.
    sane = all(0 <= number < _NO_NUMBER for number in found.values())
    return {**found, "unit": unit, "item": item, "pid": pid} if sane else None


def _far(told: dict[str, Any], now: float) -> dict[str, Any]:
    done, expected, at = told["done"], told["expected"], told["at"]
    rate = done / (at - told["began"]) if at > told["began"] else 0.0
    left = max(expected - done, 0) / rate if rate > 0 and expected > 0 else None
    quiet = now - at
    return {
        told["unit"]: done,
        "expected_" + told["unit"]: expected or None,
        "rate": round(rate) if rate >= 10 else round(rate, 1),
        "item": told["item"],
        # Past the size of the last set nothing is known of the end.
        "seconds_left": round(max(left - quiet, 0.0), 1) if left and quiet < _STALLED_S else None,
        "ends": iso(at + left) if left and quiet < _STALLED_S else None,
        "stalled_s": round(quiet) if quiet >= _STALLED_S else None,
    }


def _copies_table(systems: Iterable[dict[str, Any]]) -> list[str]:
    """Three copies, one of them off-site: how far that is so. Nothing where nothing is copied."""
    rows = [("system", "copies", "besides the system itself", "off-site")]
    for system in systems:
        if system["name"].endswith(_SAFETY) or not system["sets"]:
            continue
        far = [place for place in system["copies"] if place["offsite"]]
        newest = min(far, key=lambda place: int(place["age_s"]), default=None)
        rows.append(
            (
                system["name"],
                str(1 + len(system["here"]) + len(system["copies"])),
                ", ".join([*system["here"], *(_place_words(place) for place in system["copies"])]),
                "%s, %s old" % (newest["newest"], retention.span(max(newest["age_s"], 0))) if newest else "none",
            )
        )
    # That data are in the one repository of pgBackRest is no copy of anything.
    copied = any(
        one["engine"] != "pgbackrest" or one["offsite"] or len(system["copies"]) > 1
        for system in systems
        for one in system["copies"]
    )
    return columns(rows, right=(1,)) if copied else []


def _place_words(place: dict[str, Any]) -> str:
    return "%s (%s, %d set%s)" % (place["repository"], place["engine"], place["sets"], "s" if place["sets"] > 1 else "")


def _marks(one: dict[str, Any]) -> list[str]:
    return (["latest"] if one["latest"] else []) + [f"copy in {place}" for place in one["copies"]]


def _proof_words(one: dict[str, Any]) -> str:
    if one["trouble"]:
        return "no manifest that can be read"
    if one["refuted"]:
        return "FAILED: %s" % one["refuted"]
    if one["level"] is None:
        return "none"
    name = manifest.LEVELS[one["level"]] if 0 <= one["level"] < len(manifest.LEVELS) else "?"
    more = ", in %.4g s" % one["restore_seconds"] if one["restore_seconds"] is not None else ""
    return "%d %s%s" % (one["level"], name, more)


def _exposure_words(system: dict[str, Any]) -> str:
    """What an operator has to be able to say: how much would be lost, and how long getting it back takes."""
    name, proven = system["name"], system["proven"]
    if system["exposure_s"] is None:
        return "%s: nothing that could be restored, as far as is known" % name
    words = "%s: %s would be lost now" % (name, retention.span(system["exposure_s"]))
    archive = system["archive"]
    if archive and archive["age_s"] is not None:
        words += ", at most: WAL was last archived %s ago" % retention.span(archive["age_s"])
        if archive["within_s"] is not None:
            words += ", and what is written is within %s" % retention.span(archive["within_s"])
    if archive and archive["trouble"]:
        words += " (the archive: %s)" % archive["trouble"]
    if proven and proven["restore_seconds"] is not None:
        words += "; %s restores in %.4g s" % (proven["stamp"], proven["restore_seconds"])
    return words


def _who_words(name: str, who: dict[str, Any]) -> str:
    return "%s: %s by %s on %s since %s" % (name, who["what"], who["user"], who["host"], who["since"])


def _writing_words(name: str, now: dict[str, Any]) -> str:
    words = _who_words(name, now)
    objects = now["objects"] is not None
    if objects or now["bytes"] is not None:
        words += ", %s" % ("%d" % now["objects"] if objects else human(now["bytes"]))
    if now["expected_bytes"]:
        words += " of about %s" % human(now["expected_bytes"])
    if now["expected_objects"]:
        words += " of %d" % now["expected_objects"]
    words += " objects" if objects else ""
    if now["rate"]:
        words += ", %s/s" % ("%g" % now["rate"] if objects else human(now["rate"]))
    if now["item"]:
        words += ", at %s" % now["item"]
    if now["ends"]:
        words += ", done about %s" % now["ends"]
    if now["stalled_s"]:
        words += ", nothing new for %s" % retention.span(now["stalled_s"])
    return words


def moment(text: object) -> float | None:
    """Seconds since 1970 of an ISO time; None where it is none."""
    try:
        found = datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
        return (found if found.tzinfo else found.replace(tzinfo=datetime.timezone.utc)).timestamp()
    except (ValueError, OverflowError):
        return None


def iso(seconds: float) -> str | None:
    """ISO time in UTC; None where there is no such year."""
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return None

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets that have a manifest of ours, beside what it says of them. Plain values, no judgement.

A folder that a pattern of an older layout leads to may have a ``manifest.json`` of somebody else's: that is read by
``sets.sums_beside`` and is none of the business here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._core.errors import OpsError
from . import manifest, pgdump, plain_file, rdb, rdb_keys, readers, sets
from .manifest import Manifest, ManifestError

_MOST_NAMES = 20
_MOST = 64 << 20
# Walking over all keys takes a second for some 30 MB.
_WALKED_MOST = 256 << 20
# Dumps of these tell when they were made, so that no two of them are the same, whatever is in the database.
_NEVER_THE_SAME = ("pg_custom", "pg_directory", "rdb")


def folder_of(path: str, own: bool) -> str | None:
    """The folder of the set that a file or folder belongs to; None where it has no manifest of ours.

    :param own: that the system is one of our layout, where a folder without a manifest is a finding.
    """
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    if own:
        return folder
    name = os.path.join(folder, manifest.NAME)
    try:
        with plain_file.opened(name) as stream:
            told = json.loads(stream.read(_MOST))
    except (OSError, ValueError, RecursionError):
        return None
    return folder if isinstance(told, dict) and {"version", "system", "stamp"} <= set(told) else None


def look(folder: str, earlier: Sequence[str] = ()) -> dict[str, Any]:
    """What a manifest says, and how the folder differs from that. No file is read.

    :param earlier: folders of the sets before it, the newest first.
    :returns: ``error`` with ``kind`` (missing, garbage, other, version) and ``text``, or null; and what is to compare.
    """
    found: dict[str, Any] = {
        "error": None,
        "missing": [],
        "extra": [],
        "sizes": [],
        "engine": None,
        "format": None,
        "encryption": None,
        "source": {},
        "source_before": {},
        "database_inside": None,
        "without_rows": [],
        "links": [],
        "restore_seconds": None,
    }
    try:
        told = manifest.read(folder)
    except ManifestError as error:
        found["error"] = {"kind": _kind(folder, str(error)), "text": str(error)}
        return found
    found.update(engine=told.engine, format=told.format, encryption=told.encryption, source=told.source)
    found.update(_differences(folder, told))
    found["database_inside"], found["without_rows"] = _inside(folder, told)
    for before in earlier:
        try:
            found["source_before"] = manifest.read(before).source
            break
        except ManifestError:
            continue
    return found


def proofs(folders: Iterable[tuple[str, float]], place: str) -> list[dict[str, Any]]:
    """The proofs that hold of each set, the newest of each level, or the verification that has refuted it.

    :param folders: of the sets, each with when it was begun.
    """
    found = []
    for folder, when in folders:
        try:
            told = manifest.read(folder)
        except ManifestError:
            continue
        restores = [one.restore_seconds for one in told.proofs if one.restore_seconds is not None]
        # Of each level the newest: a set may be read every day, and restored once.
        rows = {one.level: one for one in reversed(told.standing)}
        found += [
            {
                "set": os.path.relpath(folder, place),
                "when": when,
                "level": one.level,
                "wanted": one.wanted,
                "at": one.at,
                "good": one.good,
                "why": one.why,
                "restore_seconds": restores[-1] if restores else None,
            }
            for one in ([told.refuted] if told.refuted else rows.values())
        ]
    return found


def copies(folders: Iterable[tuple[str, float]], place: str) -> list[dict[str, Any]]:
    """Where sets lie besides, one entry each; of sets that nobody has refuted.

    :param folders: of the sets, each with when it was begun.
    """
    found = []
    for folder, when in folders:
        try:
            told = manifest.read(folder)
        except ManifestError:
            continue
        found += [
            {
                "set": os.path.relpath(folder, place),
                "when": when,
                "repository": one.repository,
                "offsite": one.offsite,
                "at": one.at,
            }
            for one in (told.copies if not told.refuted else [])
        ]
    return found


def read(folder: str, found: Mapping[str, Any], deadline: float, tools: bool) -> readers.Answer:
    """Read all files of a set to their last byte, by its format. The first that is bad is the answer."""
    # What nobody can look into is read as bytes.
    kind = str(found["format"]) if found["encryption"] == "none" else "any"
    answers = []
    told = manifest.read(folder)
    for path in _entries(folder, told):
        lost = plain_file.trouble(path)
        if lost:
            return {"status": "bad", "how": kind, "why": "%s: %s" % (os.path.basename(path), lost), "made": None}
        # Beside a dump there are other files, such as roles as text; what no reader knows is read as bytes.
        own = readers.format_of(path)
        answers.append(readers.read(path, own if kind != "any" and own in readers.FORMATS else "any", deadline, tools))
        if answers[-1]["status"] != "ok":
            why = "%s: %s" % (os.path.basename(path), answers[-1]["why"])
            return {**answers[-1], "why": why}
        other = _other_keys(path, told, deadline) if own == "rdb" and kind != "any" else None
        if other:
            return {**answers[-1], "status": "bad", "why": "%s: %s" % (os.path.basename(path), other)}
    if not answers:
        return {"status": "bad", "how": kind, "why": "there is no file in it", "made": None}
    made = next((one["made"] for one in answers if one["made"]), None)
    return {"status": "ok", "how": ", ".join(str(one["how"]) for one in answers), "why": None, "made": made}


def is_known(found: Mapping[str, Any]) -> bool:
    """Whether a reader knows what is inside: reading the bytes of an archive of pages or documents proves less."""
    return found["encryption"] == "none" and found["format"] in readers.FORMATS and found["format"] != "any"


def same_as(folder: str, earlier: Sequence[str]) -> str | None:
    """An earlier set whose largest file is this one's, byte by byte, where that cannot be by chance."""
    try:
        told = manifest.read(folder)
    except ManifestError:
        return None
    if told.format not in _NEVER_THE_SAME or not told.files:
        return None
    largest = max(told.files, key=lambda one: one.bytes)
    for before in earlier:
        try:
            if any(one.sha256 == largest.sha256 and one.bytes for one in manifest.read(before).files):
                return before
        except ManifestError:
            continue
    return None


def changed(folder: str, told: Manifest) -> str | None:
    """The first file of a set that is gone, or of another size; by a look, not by reading."""
    found = _differences(folder, told)
    return next(iter([*found["missing"], *(one["path"] for one in found["sizes"])]), None)


def _kind(folder: str, text: str) -> str:
    if not os.path.lexists(os.path.join(folder, manifest.NAME)):
        return "missing"
    if " is of another set: " in text:
        return "other"
    return "version" if "is not the one that is known here" in text else "garbage"


def _differences(folder: str, told: Manifest) -> dict[str, list[Any]]:
    wanted = {os.path.normpath(one.path): one.bytes for one in told.files}
    there = {}
    for inside, _folders, names in os.walk(folder):
        for name in names:
            path = os.path.join(inside, name)
            there[os.path.relpath(path, folder)] = path
    missing = sorted(set(wanted) - set(there))
    extra = sorted(name for name in set(there) - set(wanted) if name != manifest.NAME and not sets.is_half(name))
    links = sorted(name for name in set(wanted) & set(there) if os.path.islink(there[name]))
    sizes = []
    for name in sorted(set(wanted) & set(there)):
        try:
            size = os.path.getsize(there[name])
        except OSError:
            missing.append(name)  # a link that leads nowhere
            continue
        if size != wanted[name]:
            sizes.append({"path": name, "written": wanted[name], "now": size})
    return {
        "missing": missing[:_MOST_NAMES],
        "extra": extra[:_MOST_NAMES],
        "sizes": sizes[:_MOST_NAMES],
        "links": links[:_MOST_NAMES],
    }


def _inside(folder: str, told: Manifest) -> tuple[str | None, list[str]]:
    """The database that a dump of pg_dump itself says it is of, and tables of which it has no rows and should."""
    for name in (one.path for one in told.files):
        if not name.endswith((".dump", "toc.dat")):
            continue
        try:
            with plain_file.opened(os.path.join(folder, name)) as stream:
                found = pgdump.header(stream)
        except (OSError, pgdump.Damaged):
            continue
        return found.database or None, found.without_rows(told.invariants.get("tables") or {})[:_MOST_NAMES]
    return None, []


def _other_keys(path: str, told: Manifest, deadline: float) -> str | None:
    """Whether a snapshot of Redis holds other keys than were counted when it was made: it is of another server then."""
    wanted = told.invariants.get("databases")
    if not isinstance(wanted, Mapping) or os.path.getsize(path) > _WALKED_MOST:
        return None
    try:
        with plain_file.opened(path, 1 << 20) as opened:
            return rdb_keys.differs(rdb_keys.count(opened, deadline), wanted)
    except rdb.Damaged as error:
        return str(error)
    except OpsError:
        return None  # a later version than is known here, or no time: what has read it before has had its word


def _entries(folder: str, told: Manifest) -> list[str]:
    """Files of a set, and folders that are one dump. An empty file may be one of several, as of an empty collection.

    What lies there beside them is a finding of its own, and makes nothing of the set unreadable; so is what is gone.
    """
    names = sorted({os.path.normpath(one.path).split(os.sep)[0] for one in told.files})
    paths = [os.path.join(folder, name) for name in names]
    paths = [path for path in paths if os.path.lexists(path)]
    return [path for path in paths if os.path.isdir(path) or sets.size_of(path)] or paths

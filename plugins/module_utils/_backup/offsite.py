# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets in another place: copied there, and fetched from it again, by restic or by rclone."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .._core.argspec import ArgSpec
from .._core.errors import OpsError, OptionError
from . import at_work, layout, listing, lock, manifest, remote, stream
from .manifest import Copy, Manifest, ManifestError
from .rclone import Rclone
from .remote import Known, Repository
from .restic import Restic
from .run_backup import human

COPYING = "copy to another place"
_LEVEL = 2
# What files_backup makes: the list of a snapshot.
_FILES = "files"
_PGBACKREST = "pgbackrest"


def spec() -> ArgSpec:
    """The options of backup_offsite."""
    own = ArgSpec(
        {
            "state": {"type": "str", "choices": ["copied", "fetched"], "default": "copied"},
            "systems": {"type": "list", "elements": "str", "default": []},
            "newest": {"type": "int", "default": 1},
            "set": {"type": "str", "default": ""},
            "offsite": {"type": "bool"},
            "init": {"type": "bool", "default": True},
            "read_percent": {"type": "float", "default": 0.0},
        }
    )
    return remote.spec().merge(own)


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Copy sets, or fetch one; in check mode, say which.

    :raises OpsError: nothing, or not all, was done; what was copied before stays.
    """
    _check(params)
    repository = _repository(params)
    if params["state"] == "fetched":
        return _fetch(params, repository, check_mode)
    return _copy(params, repository, check_mode)


def _check(params: Mapping[str, Any]) -> None:
    if params["newest"] < 1:
        raise OptionError(f"newest: want 1 set or more of each system, got {params['newest']}")
    if not 0 <= params["read_percent"] <= 100:
        raise OptionError(f"read_percent: want 0 to 100, got {params['read_percent']:g}")
    remote.check(params)
    if params["set"] and not layout.is_stamp(params["set"]):
        raise OptionError(f"set: want a stamp such as 2026-11-29T060000Z, got {params['set']!r}")
    if params["state"] == "fetched" and len(params["systems"]) != 1:
        raise OptionError("systems: name the one system whose set is fetched")


def _repository(params: Mapping[str, Any]) -> Repository:
    until = time.monotonic() + params["deadline"]
    return Rclone(params, until) if params["engine"] == "rclone" else Restic(params, until)


def _copy(params: Mapping[str, Any], repository: Repository, check_mode: bool) -> dict[str, Any]:
    place = params["path"]
    there = repository.is_there()
    if not there and not params["init"]:
        raise OpsError(f"{repository.name} is no repository yet: init: true makes it")
    made = not there
    if made and not check_mode:
        repository.make()
    known = repository.sets() if there else {}
    rows: list[dict[str, Any]] = []
    failed: list[str] = []
    for name in listing.named(place, params["systems"]):
        for one in _chosen(place, name, params["set"], params["newest"], rows):
            row: dict[str, Any] = {"system": name, "stamp": one.stamp, "state": "there", "why": None}
            rows.append(row)
            try:
                if not _is_known(params, repository, one, known.get((name, one.stamp)), row, check_mode):
                    row["state"] = "would be copied" if check_mode else "copied"
                    row.update(_plan(one) if check_mode else _send(params, one, repository))
            except OpsError as error:
                row.update(state="failed", why=str(error))
                failed.append(f"{name} {one.stamp}: {error}")
        if there:
            rows += _gone(params, repository, name, known, rows, check_mode)
    changed = made or any(row["state"] in ("copied", "would be copied") for row in rows)
    if failed:
        raise OpsError("not copied to {}: {}".format(repository.name, "; ".join(failed)))
    checked = None
    if params["read_percent"] and not check_mode:
        # What was read is told by its share: both engines take another one each time.
        repository.prove(params["read_percent"])
        checked = params["read_percent"]
    return _told(repository, rows, made, checked, changed)


def _gone(
    params: Mapping[str, Any], repository: Repository, name: str, known: Mapping[tuple[str, str], Known],
    seen: Sequence[Mapping[str, Any]], check_mode: bool,
) -> list[dict[str, Any]]:  # fmt: skip
    """Sets whose copy is not there any more, such as those that were thinned out: it is noted no longer.

    :param known: what was there before this run; seen: rows of the sets that it was about.
    """
    mine = {row["stamp"] for row in seen if row["system"] == name}
    rows: list[dict[str, Any]] = []
    for one in layout.finished(params["path"], name):
        if (name, one.stamp) in known or one.stamp in mine:
            continue
        try:
            copy = _noted(manifest.read(one.path), repository)
        except ManifestError:
            continue
        if copy is None:
            continue
        rows.append({"system": name, "stamp": one.stamp, "state": "gone", "why": "its copy was removed there"})
        if not check_mode:
            with lock.held(params["path"], name + lock.VERIFYING, "note of a copy", params["lock_wait"]):
                _drop(one, repository)
    return rows


def _drop(one: layout.Set, repository: Repository) -> None:
    try:
        manifest.drop_copy(one.path, repository.name)
    except OSError as error:
        raise OpsError(f"{one.path}: the manifest could not be written: {error.strerror}") from error


def _chosen(place: str, name: str, stamp: str, newest: int, rows: list[dict[str, Any]]) -> list[layout.Set]:
    """The newest sets that are worth a copy; of those that are not, a row says why."""
    chosen: list[layout.Set] = []
    for one in layout.finished(place, name):
        if (stamp and one.stamp != stamp) or len(chosen) == newest:
            continue
        why = _unfit(one)
        elsewhere = None if why else _elsewhere(one)
        if elsewhere:
            rows.append({"system": name, "stamp": one.stamp, "state": "there", "why": f"its data lie in {elsewhere}"})
            break
        if why:
            rows.append({"system": name, "stamp": one.stamp, "state": "left out", "why": why})
        else:
            chosen.append(one)
    if stamp and not chosen and not any(row["stamp"] == stamp and row["system"] == name for row in rows):
        raise OptionError(f"set: there is no set {stamp} of {name} in {place}")
    return chosen


def _elsewhere(one: layout.Set) -> str | None:
    """Where the data of a set lie that is but a list of them: nothing of such a system is to be copied."""
    told = manifest.read(one.path)
    if told.engine == _PGBACKREST:
        return "repositories of pgBackRest, and another one of these (repo2) is their copy"
    return str(told.source.get("repository")) if told.engine == _FILES else None


def _unfit(one: layout.Set) -> str | None:
    try:
        told = manifest.read(one.path)
    except ManifestError as error:
        return str(error)
    if told.refuted:
        return f"its last verification failed: {told.refuted.why or 'no reason is told'}"
    if told.proven is None or told.proven.level < _LEVEL:
        return "it was never read to its end: verify it first"
    return None


def _plan(one: layout.Set) -> dict[str, Any]:
    return {"bytes": manifest.read(one.path).bytes}


def _is_known(
    params: Mapping[str, Any],
    repository: Repository,
    one: layout.Set,
    have: Known | None,
    row: dict[str, Any],
    check_mode: bool,
) -> bool:
    """Is the set there? One whose run was killed before it could note that is looked at, and noted."""
    if have is None:
        return False
    told = manifest.read(one.path)
    noted = [copy for copy in told.copies if (copy.repository, copy.snapshot) == (repository.name, have.id)]
    # What is said of the way there may have changed since.
    if not noted and not repository.holds(have, told):
        return False
    row["snapshot"] = have.id
    if not check_mode and (not noted or noted[-1].offsite != _is_elsewhere(params)):
        with lock.held(params["path"], one.system + lock.VERIFYING, "note of a copy", params["lock_wait"]):
            copy = noted[-1] if noted else Copy(repository.name, have.id, have.at, told.bytes, added=0, seconds=0.0)
            _note(params, one, copy)
    return True


def _send(params: Mapping[str, Any], one: layout.Set, repository: Repository) -> dict[str, Any]:
    """Copy one set, and note it in its manifest. Nobody removes it meanwhile; a backup need not wait."""
    before, held = _noted(manifest.read(one.path), repository), one.system + lock.VERIFYING
    with lock.held(params["path"], held, COPYING, params["lock_wait"]):
        now = _noted(manifest.read(one.path), repository)
        if now and now != before:
            return {"state": "there", "snapshot": now.snapshot}  # whoever had the lock before has sent it
        began = time.monotonic()
        with at_work.told(params["path"], held) as progress:
            sent = repository.send(one, progress)
        seconds = round(time.monotonic() - began, 3)
        _note(
            params, one, Copy(repository.name, sent.id, listing.iso(time.time()) or "", sent.bytes, sent.added, seconds)
        )
    return {"snapshot": sent.id, "bytes": sent.bytes, "added": sent.added, "seconds": seconds}


def _noted(told: Manifest, repository: Repository) -> Copy | None:
    return next((copy for copy in told.copies if copy.repository == repository.name), None)


def _note(params: Mapping[str, Any], one: layout.Set, copy: Copy) -> None:
    copy = dataclasses.replace(copy, engine=params["engine"], offsite=_is_elsewhere(params))
    try:
        manifest.add_copy(one.path, copy)
    except OSError as error:
        raise OpsError(f"{one.path} was copied, and its manifest could not be written: {error.strerror}") from error


def _is_elsewhere(params: Mapping[str, Any]) -> bool:
    if params["offsite"] is not None:
        return bool(params["offsite"])
    return remote.is_elsewhere(params["engine"], params["repository"])


def _fetch(params: Mapping[str, Any], repository: Repository, check_mode: bool) -> dict[str, Any]:
    """Bring a set back into the place, whole and as it was written, or not at all."""
    place, name = params["path"], layout.check_name(params["systems"][0])
    if not repository.is_there():
        raise OpsError(f"{repository.name} is no repository: is the address right, and is it mounted?")
    known = {stamp: one for (system, stamp), one in repository.sets().items() if system == name}
    if not known:
        raise OpsError(f"{repository.name} has no set of {name}")
    stamp = params["set"] or max(known)
    if stamp not in known:
        raise OptionError(f"set: {repository.name} has no set {stamp} of {name}; it has {', '.join(sorted(known))}")
    row: dict[str, Any] = {"system": name, "stamp": stamp, "state": "there", "why": None}
    row["snapshot"] = known[stamp].id
    if os.path.isfile(os.path.join(place, stamp, name, manifest.NAME)):
        return _told(repository, [row], False, None, False)
    row["state"] = "would be fetched" if check_mode else "fetched"
    if not check_mode:
        try:
            os.makedirs(place, mode=0o750, exist_ok=True)
        except OSError as error:
            raise layout.PlaceError(f"{error.filename or place}: {error.strerror}") from error
        with lock.held(place, name, "fetch from another place", params["lock_wait"]):
            for path in layout.leftovers(place, name):
                layout.remove(path)
            began = time.monotonic()
            with layout.writing(place, name, stamp) as folder:
                row["bytes"] = _unpack(repository, known[stamp], folder, os.path.join(place, stamp, name))
            row["seconds"] = round(time.monotonic() - began, 3)
            leads = layout.latest(place, name)
            if leads is None or leads.stamp < stamp:
                layout.point_latest(place, layout.Set(name, stamp, os.path.join(place, stamp, name)))
    return _told(repository, [row], False, None, True)


def _unpack(repository: Repository, known: Known, folder: str, final: str) -> int:
    """Bring a set into a folder and compare every file with the manifest. Returns the bytes."""
    repository.unpack(known, folder)
    try:
        with open(os.path.join(folder, manifest.NAME), "rb") as handle:
            told = manifest.parse(json.loads(handle.read()), os.path.join(final, manifest.NAME))
    except (OSError, ValueError) as error:
        raise OpsError(f"the copy has no manifest that can be read: {error}") from error
    for one in told.files:
        try:
            found = stream.sum_file(os.path.join(folder, one.path), folder)
        except OSError as error:
            raise OpsError(f"the copy lacks {one.path}: {error.strerror}") from error
        if (found.bytes, found.sha256) != (one.bytes, one.sha256):
            raise OpsError(f"the copy of {one.path} is not what was written: its checksum differs from the manifest's")
    return told.bytes


def _told(
    repository: Repository, rows: Sequence[Mapping[str, Any]], made: bool, checked: float | None, changed: bool
) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["state"]] = counts.get(row["state"], 0) + 1
    words = ", ".join(f"{count} {state}" for state, count in counts.items()) or "no set"
    msg = f"{repository.name}: {words}" + (f"; {checked:g} % of the repository read" if checked else "")
    table = [("system", "set", "", "size", "")]
    for row in rows:
        size = human(row["bytes"]) if row.get("bytes") is not None else ""
        table.append((row["system"], row["stamp"], row["state"], size, row["why"] or ""))
    return {
        "changed": changed,
        "repository": repository.name,
        "made": made,
        "sets": [dict(row) for row in rows],
        "read_percent": checked,
        "lines": listing.columns(table, right=(3,)),
        "msg": msg,
    }

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets in another place: copied to a repository of restic, which encrypts them, and fetched from it again.

A set is a snapshot with the tags ``system=…`` and ``stamp=…``. restic shows a snapshot only when all of it is there, so
a copy that was broken off is none, and the next one sends what is missing.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .._core.argspec import ArgSpec
from .._core.errors import OpsError, OptionError
from .._core.redact import redact_text
from . import layout, listing, lock, manifest, stream
from .manifest import Copy, ManifestError
from .run_backup import human

DEADLINE = 6 * 3600.0
HOST = "nexuscos-backups"
_ABSENT = ("unable to open config file", "Is there a repository at the following location", "does not exist")
_LEVEL = 2
_SHORT = 8


class Repository:
    """A repository, as the command restic knows it.

    :param params: ``repository``, ``password`` or ``password_file``, ``environment``, ``bin_dir``.
    :param until: on the clock of time.monotonic().
    """

    def __init__(self, params: Mapping[str, Any], until: float) -> None:
        self.name = redact_text(str(params["repository"]))
        self._until = until
        self._program = os.path.join(params["bin_dir"], "restic") if params["bin_dir"] else "restic"
        self._environment = {str(key): str(value) for key, value in (params["environment"] or {}).items()}
        self._environment["RESTIC_REPOSITORY"] = str(params["repository"])
        if params["password"]:
            self._environment["RESTIC_PASSWORD"] = str(params["password"])
        else:
            self._environment["RESTIC_PASSWORD_FILE"] = str(params["password_file"])

    def ask(self, *words: str) -> str:
        """What restic prints.

        :raises EngineError: it failed; its last words.
        """
        left = self._until - time.monotonic()
        if left <= 0:
            raise stream.EngineError("restic: there is no time left")
        return stream.run([self._program, *words], self._environment, left)

    def is_there(self) -> bool:
        """Is it a repository that this password opens?

        :raises EngineError: it cannot be told: no way to it, or another password.
        """
        try:
            self.ask("cat", "config", "--no-lock")
        except stream.EngineError as error:
            if any(words in str(error) for words in _ABSENT):
                return False
            raise
        return True

    def snapshots(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The newest snapshot of each set, by system and stamp.

        :raises EngineError: restic failed, or said something else than snapshots.
        """
        try:
            told = json.loads(self.ask("snapshots", "--json", "--no-lock", "--host", HOST) or "[]")
            found = {}
            for one in sorted(told or [], key=lambda one: str(one["time"])):
                tags = dict(tag.split("=", 1) for tag in one.get("tags") or [] if "=" in tag)
                if {"system", "stamp"} <= set(tags):
                    key = (tags["system"], tags["stamp"])
                    found[key] = {"id": str(one["id"])[:_SHORT], "path": str(one["paths"][0]), "at": str(one["time"])}
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise stream.EngineError(f"restic snapshots said what nobody understands: {error!r}") from error
        return found

    def send(self, one: layout.Set) -> dict[str, Any]:
        """Copy a set; returns restic's summary.

        :raises EngineError: it was not copied.
        """
        tags = [word for tag in ("nexuscos", f"system={one.system}", f"stamp={one.stamp}") for word in ("--tag", tag)]
        said = self.ask("backup", "--json", "--host", HOST, *tags, one.path)
        for line in reversed(said.splitlines()):
            try:
                told = json.loads(line)
            except ValueError:
                continue
            if isinstance(told, dict) and told.get("message_type") == "summary" and told.get("snapshot_id"):
                return told
        raise stream.EngineError("restic backup ended well and named no snapshot: it is not counted as a copy")


def spec() -> ArgSpec:
    """The options of backup_offsite."""
    return ArgSpec(
        {
            "state": {"type": "str", "choices": ["copied", "fetched"], "default": "copied"},
            "path": {"type": "path", "default": "/backups/nexus-cos"},
            "systems": {"type": "list", "elements": "str", "default": []},
            "newest": {"type": "int", "default": 1},
            "set": {"type": "str", "default": ""},
            "repository": {"type": "str", "required": True},
            "password": {"type": "str", "no_log": True},
            "password_file": {"type": "path", "no_log": False},
            "environment": {"type": "dict", "no_log": True},
            "init": {"type": "bool", "default": True},
            "read_percent": {"type": "float", "default": 0.0},
            "bin_dir": {"type": "path", "default": ""},
            "lock_wait": {"type": "float", "default": 0.0},
            "deadline": {"type": "float", "default": DEADLINE},
        },
        mutually_exclusive=[("password", "password_file")],
        required_one_of=[("password", "password_file")],
    )


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Copy sets, or fetch one; in check mode, say which.

    :raises OpsError: nothing, or not all, was done; what was copied before stays.
    """
    _check(params)
    repository = Repository(params, time.monotonic() + params["deadline"])
    if params["state"] == "fetched":
        return _fetch(params, repository, check_mode)
    return _copy(params, repository, check_mode)


def _check(params: Mapping[str, Any]) -> None:
    if params["newest"] < 1:
        raise OptionError(f"newest: want 1 set or more of each system, got {params['newest']}")
    if not 0 <= params["read_percent"] <= 100:
        raise OptionError(f"read_percent: want 0 to 100, got {params['read_percent']:g}")
    if params["deadline"] <= 0 or params["lock_wait"] < 0:
        raise OptionError("deadline: want more than 0 seconds; lock_wait: 0 or more")
    if params["set"] and not layout.is_stamp(params["set"]):
        raise OptionError(f"set: want a stamp such as 2026-11-29T060000Z, got {params['set']!r}")
    if params["state"] == "fetched" and len(params["systems"]) != 1:
        raise OptionError("systems: name the one system whose set is fetched")


def _copy(params: Mapping[str, Any], repository: Repository, check_mode: bool) -> dict[str, Any]:
    place = params["path"]
    there = repository.is_there()
    if not there and not params["init"]:
        raise OpsError(f"{repository.name} is no repository yet: init: true makes one, or run restic init")
    made = not there
    if made and not check_mode:
        repository.ask("init")
    known = repository.snapshots() if there else {}
    rows: list[dict[str, Any]] = []
    failed: list[str] = []
    for name in listing.named(place, params["systems"]):
        for one in _chosen(place, name, params["set"], params["newest"], rows):
            row: dict[str, Any] = {"system": name, "stamp": one.stamp, "state": "there", "why": None}
            rows.append(row)
            have = known.get((name, one.stamp))
            if have:
                row["snapshot"] = have["id"]
                if not check_mode:
                    _note(place, one, repository, have, params["lock_wait"])
                continue
            row["state"] = "would be copied" if check_mode else "copied"
            if check_mode:
                row["bytes"] = manifest.read(one.path).bytes
                continue
            try:
                row.update(_send(place, one, repository, params["lock_wait"]))
            except OpsError as error:
                row.update(state="failed", why=str(error))
                failed.append(f"{name} {one.stamp}: {error}")
    changed = made or any(row["state"] in ("copied", "would be copied") for row in rows)
    if failed:
        raise OpsError("not copied to {}: {}".format(repository.name, "; ".join(failed)))
    checked = None
    if params["read_percent"] and not check_mode:
        # What was read is told by its share: restic takes another one each time.
        repository.ask("check", f"--read-data-subset={params['read_percent']:g}%")
        checked = params["read_percent"]
    return _told(repository, rows, made, checked, changed)


def _chosen(place: str, name: str, stamp: str, newest: int, rows: list[dict[str, Any]]) -> list[layout.Set]:
    """The newest sets that are worth a copy; of those that are not, a row says why."""
    chosen: list[layout.Set] = []
    for one in layout.finished(place, name):
        if (stamp and one.stamp != stamp) or len(chosen) == newest:
            continue
        why = _unfit(one)
        if why:
            rows.append({"system": name, "stamp": one.stamp, "state": "left out", "why": why})
        else:
            chosen.append(one)
    if stamp and not chosen and not any(row["stamp"] == stamp and row["system"] == name for row in rows):
        raise OptionError(f"set: there is no set {stamp} of {name} in {place}")
    return chosen


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


def _send(place: str, one: layout.Set, repository: Repository, wait: float) -> dict[str, Any]:
    """Copy one set, and note it in its manifest. Nobody removes it meanwhile; a backup need not wait."""
    with lock.held(place, one.system + lock.VERIFYING, "copy to another place", wait):
        began = time.monotonic()
        told = repository.send(one)
        copy = Copy(
            repository=repository.name,
            snapshot=str(told["snapshot_id"])[:_SHORT],
            at=listing.iso(time.time()) or "",
            bytes=int(told.get("total_bytes_processed") or 0),
            added=int(told.get("data_added") or 0),
            seconds=round(time.monotonic() - began, 3),
        )
        try:
            manifest.add_copy(one.path, copy)
        except OSError as error:
            raise OpsError(f"it was copied, and its manifest could not be written: {error.strerror}") from error
    return {"snapshot": copy.snapshot, "bytes": copy.bytes, "added": copy.added, "seconds": copy.seconds}


def _note(place: str, one: layout.Set, repository: Repository, have: Mapping[str, Any], wait: float) -> None:
    """Note a copy whose run was killed before it could; one that is noted stays as it is."""
    told = manifest.read(one.path)
    if any((copy.repository, copy.snapshot) == (repository.name, have["id"]) for copy in told.copies):
        return
    with lock.held(place, one.system + lock.VERIFYING, "note of a copy in another place", wait):
        copy = Copy(repository.name, have["id"], have["at"], told.bytes, added=0, seconds=0.0)
        try:
            manifest.add_copy(one.path, copy)
        except OSError as error:
            raise OpsError(f"{one.path}: the manifest could not be written: {error.strerror}") from error


def _fetch(params: Mapping[str, Any], repository: Repository, check_mode: bool) -> dict[str, Any]:
    """Bring a set back into the place, whole and as it was written, or not at all."""
    place, name = params["path"], layout.check_name(params["systems"][0])
    if not repository.is_there():
        raise OpsError(f"{repository.name} is no repository: is the address right, and is it mounted?")
    known = {stamp: one for (system, stamp), one in repository.snapshots().items() if system == name}
    if not known:
        raise OpsError(f"{repository.name} has no set of {name}")
    stamp = params["set"] or max(known)
    if stamp not in known:
        raise OptionError(f"set: {repository.name} has no set {stamp} of {name}; it has {', '.join(sorted(known))}")
    row: dict[str, Any] = {"system": name, "stamp": stamp, "state": "there", "why": None}
    row["snapshot"] = known[stamp]["id"]
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


def _unpack(repository: Repository, snapshot: Mapping[str, Any], folder: str, final: str) -> int:
    """Restore a snapshot into a folder and compare every file with the manifest. Returns the bytes."""
    aside = os.path.join(folder, layout.WRITING + "restic")
    repository.ask("restore", snapshot["id"], "--target", aside)
    inside = os.path.join(aside, snapshot["path"].lstrip("/"))
    try:
        names = os.listdir(inside)
    except OSError as error:
        raise OpsError(f"the snapshot {snapshot['id']} does not hold {snapshot['path']}") from error
    for name in names:
        os.rename(os.path.join(inside, name), os.path.join(folder, name))
    shutil.rmtree(aside)
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

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""File trees, kept in a repository of restic. The set here is what is in the snapshot: its name, and the list of it.

The list is restic's own (``restic ls --json``), one entry a line, with path, type, size, mode, owner and time.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

from .._core.argspec import ArgSpec
from .._core.errors import OpsError, OptionError
from . import listing, plain_file, remote, run_backup, stream
from .files_access import access_options
from .manifest import Copy
from .restic import Restic
from .run_backup import Look, Written

ENGINE = "files"
FORMAT = "restic"
LIST = "tree.jsonl"
HOST = "nexuscos-files"
# A path has 4 KiB at most, and six letters for each of them where it is written in the longest way.
_LINE_MOST = 1 << 20


def spec() -> ArgSpec:
    """The options of files_backup."""
    own = ArgSpec(
        {
            "paths": {"type": "list", "elements": "path", "required": True},
            "exclude": {"type": "list", "elements": "str", "default": []},
            "one_file_system": {"type": "bool", "default": True},
            "repository": {"type": "str", "required": True},
            "init": {"type": "bool", "default": True},
            "bin_dir": {"type": "path", "default": ""},
            **access_options(),
        },
        mutually_exclusive=[("password", "password_file")],
        required_one_of=[("password", "password_file")],
    )
    return run_backup.backup_spec().merge(own)


def check_access(given: Mapping[str, Any]) -> None:
    """Refuse what can only be a mistake.

    :raises OptionError: what is.
    """
    remote.check_name(given["repository"])
    if not 0 < given["read_percent"] <= 100:
        raise OptionError(f"read_percent: want more than 0 and 100 at most, got {given['read_percent']:g}")


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Make a set, or say what would be made.

    :raises OpsError: no set was made.
    """
    check_access(params)
    if not params["paths"] or not all(os.path.isabs(path) for path in params["paths"]):
        raise OptionError("paths: want one absolute path at least")
    return run_backup.run(params, check_mode, FilesEngine(params))


class FilesEngine:
    """The engine of file trees, see :class:`run_backup.Engine`."""

    name = ENGINE

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        self._paths = sorted(os.path.normpath(path) for path in params["paths"])
        self._percent = float(params["read_percent"])

    def _restic(self, until: float) -> Restic:
        return Restic(self._params, until)

    def look(self, deadline: float) -> Look:
        """See that the trees are there, and that the repository answers."""
        gone = [path for path in self._paths if not os.path.lexists(path)]
        if gone:
            raise OpsError(f"there is no {', '.join(gone)}: is it mounted?")
        restic = self._restic(deadline)
        if not restic.is_there() and not self._params["init"]:
            raise OpsError(f"{restic.name} is no repository yet: init: true makes it")
        said = remote.ask([remote.program(self._params, "restic"), "version"], {}, deadline).output.split()
        source = {
            "paths": self._paths,
            "exclude": list(self._params["exclude"]),
            "one_file_system": self._params["one_file_system"],
            "repository": restic.name,
        }
        size = sum(_bytes_of(path, self._params["one_file_system"], deadline) for path in self._paths)
        # What is written here is a list; the data go elsewhere.
        return Look(server="restic " + (said[1] if len(said) > 1 else "?"), source=source, bytes=size)

    def write(self, folder: str, progress: stream.Progress, deadline: float) -> Written:
        """Make the snapshot, and write the list of what is in it."""
        restic = self._restic(deadline)
        if not restic.is_there():
            restic.make()
        system, stamp = self._params["system"], os.path.basename(os.path.dirname(folder))
        words = [word for pattern in self._params["exclude"] for word in ("--exclude", pattern)]
        words += ["--one-file-system"] if self._params["one_file_system"] else []
        progress.item, began = ", ".join(self._paths), time.monotonic()
        tags = ("nexuscos", f"system={system}", f"stamp={stamp}")
        told = restic.backup(self._paths, tags, HOST, progress, *words)
        # It tells a short name, which a later snapshot may have a part of.
        found = [str(one["id"]) for one in restic.snapshots(str(told["snapshot_id"]))]
        if len(found) != 1:
            raise OpsError(
                f"the snapshot {told['snapshot_id']} was made, and {restic.name} has {len(found)} of that name"
            )
        snapshot = found[0]
        path = os.path.join(folder, LIST)
        listed = restic.command("ls", "--json", "--no-lock", snapshot)
        file = stream.save(listed, path, folder, restic.environment, deadline=deadline)
        counted = count(path)
        if not counted["files"] + counted["folders"]:
            raise OpsError(f"the snapshot {snapshot} is empty")
        return Written(
            format=FORMAT,
            files=[file],
            options={key: self._params[key] for key in ("exclude", "one_file_system")},
            position={
                "snapshot": snapshot,
                "added": int(told.get("data_added") or 0),
                "new": int(told.get("files_new") or 0),
                "changed": int(told.get("files_changed") or 0),
            },
            invariants=counted,
            # The data lie there, and nothing but the list lies here.
            copies=[
                Copy(
                    repository=restic.name,
                    snapshot=snapshot[:8],
                    at=listing.iso(time.time()) or "",
                    bytes=counted["bytes"],
                    added=int(told.get("data_added") or 0),
                    seconds=round(time.monotonic() - began, 3),
                    offsite=remote.is_elsewhere("restic", self._params["repository"]),
                )
            ],
        )

    def verify(self, folder: str, written: Written, deadline: float) -> str:
        """Check that the snapshot is what was listed, check the repository, and read a share of it."""
        restic, snapshot = self._restic(deadline), written.position["snapshot"]
        if not any(one.get("id") == snapshot for one in restic.snapshots()):
            raise OpsError(f"the snapshot {snapshot} was made, and is not in {restic.name}")
        if count(os.path.join(folder, LIST)) != written.invariants:
            raise OpsError(f"{LIST} is not what was written")
        restic.prove(self._percent)
        return f"restic check, {self._percent:g} % of the repository read"


def entries(path: str) -> Iterator[dict[str, Any]]:
    """What stands in the list of a snapshot.

    :raises ValueError: it is no such list.
    """
    with plain_file.opened(path) as raw:
        while line := raw.readline(_LINE_MOST):
            if len(line) == _LINE_MOST:
                raise ValueError("a line in it does not end")
            try:
                told = json.loads(line.decode())
            except RecursionError as error:
                raise ValueError(error) from None
            if not isinstance(told, dict):
                raise ValueError(f"{line[:80]!r} is no entry")
            if told.get("struct_type") == "node":
                yield {**told, "path": str(told["path"]), "type": str(told["type"])}


def count(path: str) -> dict[str, int]:
    """Files, folders and others of a list, and the bytes of all files."""
    found = {"files": 0, "folders": 0, "others": 0, "bytes": 0}
    for one in entries(path):
        kind = {"file": "files", "dir": "folders"}.get(one["type"], "others")
        found[kind] += 1
        found["bytes"] += int(one.get("size") or 0) if kind == "files" else 0
    return found


def _bytes_of(path: str, one_file_system: bool, deadline: float) -> int:
    """Bytes of a tree, of what may be looked at. Where there is no time, of a part of it."""
    try:
        top = os.lstat(path)
    except OSError:
        return 0
    total = 0 if os.path.isdir(path) and not os.path.islink(path) else top.st_size
    for inside, folders, names in os.walk(path):
        if time.monotonic() > deadline:
            break
        total += sum(_size(os.path.join(inside, name)) for name in names)
        if one_file_system:
            folders[:] = [name for name in folders if _device(os.path.join(inside, name)) == top.st_dev]
    return total


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0


def _device(path: str) -> int | None:
    try:
        return os.lstat(path).st_dev
    except OSError:
        return None

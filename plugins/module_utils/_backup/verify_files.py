# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove sets of file trees: their snapshot is there, the repository reads, it restores, and all is as listed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .._core.errors import OpsError, OptionError
from . import files_dump, layout, remote, run_backup
from .manifest import Manifest
from .restic import Restic
from .verify import Job, Refuted

_NAMED = 5
_SCRATCH = "/var/tmp"  # noqa: S108
# What says that data are wrong or gone, rather than that they cannot be reached now.
_DAMAGED = re.compile(
    r"(?i)contains errors|ciphertext|does not match|unexpected eof|invalid data|invalid content|verif|checksum|"
    r"no such file|does(?: not|n't) exist|hash.*differ|id .*not found|config cannot be loaded"
)


class FilesEngine:
    """How they are proven."""

    most = 4

    def read(self, job: Job) -> dict[str, Any]:
        """Level 2: the snapshot lists what it listed, and a share of the repository reads."""
        restic, percent = _restic(job), float(_access(job)["read_percent"])
        snapshot = snapshot_of(job.known, restic)
        try:
            wanted, found = files_dump.count(job.path(files_dump.LIST)), _counted(restic, snapshot)
        except remote.Failed as error:
            raise judged(error) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Refuted(f"{files_dump.LIST} is no list of a snapshot: {error}") from error
        if wanted != found:
            raise Refuted(f"the snapshot {snapshot} has {words(found)}, and its list has {words(wanted)}")
        try:
            restic.prove(percent)
        except remote.Failed as error:
            raise judged(error) from error
        return {"snapshot": snapshot, "read_percent": percent, **found}

    @contextlib.contextmanager
    def restored(self, job: Job) -> Iterator[Tree]:
        """Level 3: into a folder of its own; restic compares each block with its name."""
        restic = _restic(job)
        snapshot = snapshot_of(job.known, restic)
        folder = _scratch(job)
        try:
            size = int(job.known.invariants.get("bytes") or 0)
            run_backup.check_room(os.path.dirname(folder), size, known=False)
            began = time.monotonic()
            try:
                restic.restore(snapshot, folder, "--verify")
            except remote.Failed as error:
                raise judged(error) from error
            yield Tree(folder, time.monotonic() - began, snapshot)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class Tree:
    """A restored tree."""

    def __init__(self, folder: str, seconds: float, snapshot: str) -> None:
        self._folder, self.seconds = folder, seconds
        self.details: dict[str, Any] = {"snapshot": snapshot}

    def invariants(self, job: Job) -> dict[str, Any]:
        """Level 4: every entry of the list is there, as it stands there, and nothing else."""
        counted, wrong = compare(self._folder, files_dump.entries(job.path(files_dump.LIST)), job.in_time)
        told = {key: job.known.invariants.get(key) for key in counted}
        if told != counted:
            wrong.append(f"the list has {words(counted)}, and the manifest says {words(told)}")
        if wrong:
            raise Refuted(named(wrong))
        return {**counted, "summary": f"{words(counted)} as they were"}

    def smoke(self, job: Job) -> dict[str, Any]:
        """There is no way."""
        raise OptionError(f"level: {job.one.system} is a file tree, and is proven to level 4")


ENGINES: dict[str, Any] = {files_dump.FORMAT: FilesEngine()}


def compare(
    folder: str, entries: Iterable[Mapping[str, Any]], in_time: Callable[[], None], above: Collection[str] = ()
) -> tuple[dict[str, int], list[str]]:
    """What was restored below a folder, against entries of the list: counts, and what is wrong.

    :param above: paths of folders that are there for the sake of what is below them.
    """
    wrong: list[str] = []
    known = {folder + path for path in above}
    counted = {"files": 0, "folders": 0, "others": 0, "bytes": 0}
    for one in entries:
        in_time()
        path = folder + one["path"]
        known.add(path)
        difference = _difference(path, one)
        if difference:
            wrong.append(f"{one['path']}: {difference}")
        kind = {"file": "files", "dir": "folders"}.get(one["type"], "others")
        counted[kind] += 1
        counted["bytes"] += int(one.get("size") or 0) if kind == "files" else 0
    for inside, folders, names in os.walk(folder):
        wrong += [
            f"{path[len(folder) :]} is not of the snapshot"
            for path in (os.path.join(inside, name) for name in [*folders, *names])
            if path not in known
        ]
    return counted, wrong


def named(wrong: Sequence[str]) -> str:
    """The first of what is wrong, and how much more there is."""
    return "; ".join(wrong[:_NAMED]) + (f"; and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else "")


def _access(job: Job) -> Mapping[str, Any]:
    if not job.restic:
        raise OptionError("restic: say how the repository is reached, as files_backup was told")
    return job.restic


def _restic(job: Job) -> Restic:
    given = {"password": None, "password_file": None, "environment": None, "options": None, **_access(job)}
    files_dump.check_access(given)
    if bool(given["password"]) == bool(given["password_file"]):
        raise OptionError("restic: exactly one of password and password_file is wanted")
    return Restic({**given, "bin_dir": job.bin_dir, "lock_wait": job.left()}, job.until)


def snapshot_of(known: Manifest, restic: Restic) -> str:
    """The name of the snapshot, which is in the repository.

    :raises Refuted: it is not.
    """
    wanted = str(known.position.get("snapshot") or "")
    if not re.fullmatch(r"[0-9a-f]{8,64}", wanted):
        raise Refuted(f"the manifest names no snapshot: {wanted!r}")
    if not restic.is_there():
        raise OpsError(f"{restic.name} is no repository: is the address right, and is it mounted?")
    if not any(str(one.get("id")).startswith(wanted) for one in restic.snapshots()):
        raise Refuted(f"the snapshot {wanted[:8]} is not in {restic.name} any more")
    return wanted


def _counted(restic: Restic, snapshot: str) -> dict[str, int]:
    found = {"files": 0, "folders": 0, "others": 0, "bytes": 0}
    for one in restic.nodes(snapshot):
        kind = {"file": "files", "dir": "folders"}.get(str(one.get("type")), "others")
        found[kind] += 1
        found["bytes"] += int(one.get("size") or 0) if kind == "files" else 0
    return found


def judged(error: remote.Failed) -> Exception:
    """Is it damage, or could it not be looked at?"""
    said = "\n".join((str(error), error.errors, error.output))
    return Refuted(str(error)) if _DAMAGED.search(said) and not remote.is_refused(said) else error


def _scratch(job: Job) -> str:
    """A folder of this set's own. What a killed run has left there goes first: the lock is held by the caller."""
    above = job.scratch_dir or _SCRATCH
    place = os.path.dirname(os.path.dirname(job.one.path))
    name = hashlib.sha256(os.path.realpath(place).encode()).hexdigest()[:8]
    folder = os.path.join(above, f"nexuscos-files-{name}-{job.one.system}")
    try:
        if os.path.lexists(folder):
            if not stat.S_ISDIR(os.lstat(folder).st_mode) or os.lstat(folder).st_uid != os.geteuid():
                raise OpsError(f"{folder} is there, and somebody else's")
            shutil.rmtree(folder)
        os.mkdir(folder, 0o700)
    except OSError as error:
        raise layout.PlaceError(f"{error.filename or folder}: {error.strerror}") from error
    return folder


def _difference(path: str, one: Mapping[str, Any]) -> str | None:
    """What is other than the list says: kind, size, rights, time; owner, where whoever restores may set it."""
    try:
        found = os.lstat(path)
    except OSError as error:
        return f"{error.strerror}"
    kinds = {"file": stat.S_ISREG, "dir": stat.S_ISDIR, "symlink": stat.S_ISLNK, "fifo": stat.S_ISFIFO}
    is_kind = kinds.get(one["type"])
    if is_kind is None:
        return None  # a device or a socket: that it is there is all that can be asked
    if not is_kind(found.st_mode):
        return f"it is no {one['type']}"
    if one["type"] == "file" and found.st_size != int(one.get("size") or 0):
        return f"it has {found.st_size} bytes, and had {one.get('size') or 0}"
    if one["type"] != "symlink" and stat.S_IMODE(found.st_mode) & 0o777 != int(one.get("mode") or 0) & 0o777:
        return f"its mode is {stat.S_IMODE(found.st_mode) & 0o777:o}"
    if os.geteuid() == 0 and (found.st_uid, found.st_gid) != (one.get("uid"), one.get("gid")):
        return f"it belongs to {found.st_uid}:{found.st_gid}"
    if one["type"] == "file" and abs(found.st_mtime - _moment(str(one.get("mtime")))) > 1:
        return "its time is another"
    return None


def _moment(text: str) -> float:
    """Seconds since 1970 of restic's times, which have nine digits after the point, or none."""
    import datetime

    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", text)
    if not match:
        return 0.0
    zone = "+00:00" if match.group(3) == "Z" else match.group(3)
    return datetime.datetime.fromisoformat(match.group(1) + zone).timestamp() + float(match.group(2) or 0)


def words(counted: Mapping[str, Any]) -> str:
    """Counts as people read them."""
    return f"{counted['files']} files and {counted['folders']} folders with {counted['bytes']} bytes"

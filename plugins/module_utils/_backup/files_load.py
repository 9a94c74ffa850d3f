# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore file trees beside what is there: into a folder that is new, whole and compared, or not at all."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Mapping
from typing import Any

from .._core.argspec import ArgSpec
from .._core.errors import OpsError, OptionError
from . import at_work, files_dump, layout, lock, manifest, remote, run_backup, stream, verify, verify_files
from .files_access import access_options
from .restic import Restic
from .run_backup import human

DEADLINE = 6 * 3600.0
_SPECIAL = re.compile(r"([*?\[\]\\])")


def spec() -> ArgSpec:
    """The options of files_restore."""
    access = {name: one for name, one in access_options().items() if name != "read_percent"}
    return ArgSpec(
        {
            "path": {"type": "path", "default": "/backups/nexus-cos"},
            "system": {"type": "str", "required": True},
            "set": {"type": "str", "default": ""},
            "target": {"type": "path", "required": True},
            "only": {"type": "list", "elements": "path", "default": []},
            "repository": {"type": "str", "required": True},
            "bin_dir": {"type": "path", "default": ""},
            "lock_wait": {"type": "float", "default": 0.0},
            "deadline": {"type": "float", "default": DEADLINE},
            **access,
        },
        mutually_exclusive=[("password", "password_file")],
        required_one_of=[("password", "password_file")],
    )


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Restore, or say what would be restored.

    :raises OpsError: nothing was restored.
    """
    target, until = _target(params), time.monotonic() + params["deadline"]
    one = verify.choose_good(params["path"], params["system"], params["set"])
    known = manifest.read(one.path)
    if known.engine != files_dump.ENGINE:
        raise OptionError(f"system: {one.system} is no file tree, its sets are of {known.engine}")
    if known.refuted:
        raise OpsError(f"{one.system} {one.stamp} was refuted: {known.refuted.why}; choose another set")
    only = [os.path.normpath(path) for path in params["only"]]
    chosen = _chosen(one, only)
    size = sum(int(entry.get("size") or 0) for entry in chosen if entry["type"] == "file")
    restic = Restic(params, until)
    try:
        snapshot = verify_files.snapshot_of(known, restic)
    except verify.Refuted as error:
        raise OpsError(str(error)) from error
    run_backup.check_room(os.path.dirname(target), size, known=False)
    took = next((proof.restore_seconds for proof in reversed(known.proofs) if proof.restore_seconds), None)
    told: dict[str, Any] = {
        "system": one.system, "stamp": one.stamp, "snapshot": snapshot, "target": target, "entries": len(chosen),
        "bytes": size, "expected_seconds": took, "seconds": None,
    }  # fmt: skip
    what = f"{len(chosen)} entries with {human(size)}"
    if check_mode:
        like = f"; all of it took {took:.1f} s for a test" if took else ""
        msg = f"{one.system} {one.stamp}: would restore {what} to {target}{like}"
        return {"changed": True, "restored": told, "msg": msg}
    held = one.system + lock.VERIFYING
    with lock.held(params["path"], held, f"restore to {target}", params["lock_wait"]):
        began = time.monotonic()
        with at_work.told(params["path"], held, size) as progress:
            _restore(restic, snapshot, target, only, chosen, until, progress)
        told["seconds"] = round(time.monotonic() - began, 3)
    how = f"each compared with the list, in {told['seconds']:.1f} s"
    return {"changed": True, "restored": told, "msg": f"{one.system} {one.stamp}: {what} are in {target}, {how}"}


def _chosen(one: layout.Set, only: list[str]) -> list[dict[str, Any]]:
    """The entries of the list that are asked for."""
    listed = os.path.join(one.path, files_dump.LIST)
    try:
        chosen = [entry for entry in files_dump.entries(listed) if not only or _below(entry["path"], only)]
    except (OSError, ValueError, KeyError) as error:
        raise OpsError(f"{listed} cannot be read: {error}") from error
    there = {entry["path"] for entry in chosen}
    gone = [path for path in only if path not in there]
    if gone:
        raise OptionError(f"only: {one.stamp} of {one.system} has no {', '.join(gone)}")
    return chosen


def _target(params: Mapping[str, Any]) -> str:
    remote.check_name(params["repository"])
    target = str(os.path.normpath(params["target"]))
    if params["deadline"] <= 0 or params["lock_wait"] < 0:
        raise OptionError("deadline: want more than 0 seconds; lock_wait: 0 or more")
    if not os.path.isabs(target) or not os.path.isdir(os.path.dirname(target)):
        raise OptionError(f"target: want a new folder in one that is there, got {target}")
    is_folder = os.path.isdir(target) and not os.path.islink(target)
    if os.path.lexists(target) and (not is_folder or os.listdir(target)):
        raise OptionError(f"target: {target} is not empty: files are restored beside what is there, never over it")
    return target


def _restore(
    restic: Restic, snapshot: str, target: str, only: list[str], chosen: list[dict[str, Any]], until: float,
    progress: stream.Progress,
) -> None:  # fmt: skip
    def in_time() -> None:
        progress.add(0)
        if time.monotonic() > until:
            raise OpsError("there was no time to compare what was restored: give it a longer deadline")

    aside = os.path.join(os.path.dirname(target), layout.WRITING + os.path.basename(target))
    words = [word for path in only for word in ("--include", _SPECIAL.sub(r"\\\1", path))]
    try:
        # What a killed run has left there is of the same name, and of no use.
        shutil.rmtree(aside, ignore_errors=True)
        os.mkdir(aside, 0o700)
        progress.item = "what restic writes"
        restic.restore(snapshot, aside, "--verify", *words, progress=progress)
        progress.item = "comparing with the list"
        above = {path for one in only for path in _above(one)}
        _counted, wrong = verify_files.compare(aside, chosen, in_time, above)
        if wrong:
            raise OpsError(f"what was restored is not what was backed up: {verify_files.named(wrong)}")
        os.rename(aside, target)
    except OSError as error:
        raise layout.PlaceError(f"{error.filename or aside}: {error.strerror}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _below(path: str, only: list[str]) -> bool:
    return any(path == one or path.startswith(one.rstrip("/") + "/") for one in only)


def _above(path: str) -> list[str]:
    """The folders that a path lies in."""
    found = []
    while path not in ("/", ""):
        path = os.path.dirname(path)
        found.append(path.rstrip("/"))
    return found

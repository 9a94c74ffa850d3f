# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One walk over the open files of all processes: deleted files that still take space, owners of sockets."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from .files import Clock, Files

_GONE = " (deleted)"
# Memory that looks like a file.
_NO_FILES = ("/memfd:", "/SYSV", "/dev/zero", "/[aio]", "/anon_hugepage", "/dev/shm/", "/dmabuf:", "/drm mm object")  # noqa: S108
_SHOWN = 5


def walk(files: Files, clock: Clock) -> dict[str, Any]:
    """Follow all open files.

    :returns: ``deleted``: device, bytes, path, pid, command; ``owners``: inode of a socket -> pid and command;
        ``whole``: whether all processes were seen, else ``reason``.
    """
    deleted: dict[tuple[int, int], dict[str, Any]] = {}
    owners: dict[str, dict[str, Any]] = {}
    refused = 0
    reason = ""
    pids = [name for name in files.names("/proc") if name.isdigit()]
    for pid in pids:
        if clock.left() <= 0:
            reason = "not all processes were seen in time"
            break
        folder = files.path(f"/proc/{pid}/fd")
        try:
            numbers = os.listdir(folder)
        except PermissionError:
            refused += 1
            continue
        except OSError:
            # It has ended.
            continue
        command, hidden = "", False
        for number in numbers:
            path = f"{folder}/{number}"
            try:
                link = os.readlink(path)
                if link.startswith("socket:["):
                    command = command or _command(files, pid)
                    owners.setdefault(link[8:-1], {"pid": int(pid), "command": command})
                elif link.endswith(_GONE) and link.startswith("/") and not link.startswith(_NO_FILES):
                    seen = os.stat(path)
                    if seen.st_nlink == 0 and (seen.st_dev, seen.st_ino) not in deleted:
                        command = command or _command(files, pid)
                        deleted[seen.st_dev, seen.st_ino] = {
                            "dev": seen.st_dev,
                            "bytes": seen.st_blocks * 512,
                            "path": link[: -len(_GONE)],
                            "pid": int(pid),
                            "command": command,
                        }
            except PermissionError:
                hidden = True
            except OSError:
                continue
        refused += hidden
    if refused and not reason:
        reason = (
            f"the open files of {refused} processes may not be read: it takes root, in a container with CAP_SYS_PTRACE"
        )
    return {"deleted": list(deleted.values()), "owners": owners, "whole": not reason, "reason": reason}


def _command(files: Files, pid: str) -> str:
    return (files.maybe(f"/proc/{pid}/comm") or "?").strip()


def by_mount(deleted: Sequence[Mapping[str, Any]], mounts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Bytes of deleted files by file system, with the largest of them."""
    found: dict[str, dict[str, Any]] = {}
    for one in deleted:
        mount = next((row for row in mounts if row.get("dev") == one["dev"]), None) or _holding(one["path"], mounts)
        if mount is None or not one["bytes"]:
            continue
        kept = found.setdefault(
            mount["mount"], {"mount": mount["mount"], "size": mount["size"], "bytes": 0, "files": []}
        )
        kept["bytes"] += one["bytes"]
        kept["files"].append({key: one[key] for key in ("path", "bytes", "pid", "command")})
    for kept in found.values():
        kept["count"] = len(kept["files"])
        kept["files"] = sorted(kept["files"], key=lambda one: (-one["bytes"], one["path"]))[:_SHOWN]
    return sorted(found.values(), key=lambda one: one["mount"])


def _holding(path: str, mounts: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    holding = [row for row in mounts if "size" in row and (path + "/").startswith(row["mount"].rstrip("/") + "/")]
    return max(holding, key=lambda row: len(row["mount"]), default=None)

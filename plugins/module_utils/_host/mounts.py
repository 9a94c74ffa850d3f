# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""File systems: which are mounted, how full they are, which are read-only without being meant to be."""

from __future__ import annotations

import os
import re
import threading
from typing import Any

from .files import Clock, Files

_PSEUDO = frozenset(
    (
        "autofs", "bdev", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "cpuset", "debugfs", "devpts",
        "devtmpfs", "efivarfs", "fuse.gvfsd-fuse", "fuse.lxcfs", "fuse.portal", "fusectl", "hugetlbfs", "mqueue",
        "nfsd", "nsfs", "proc", "pstore", "ramfs", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tracefs",
    )
)  # fmt: skip
_FULL_BY_NATURE = frozenset(("squashfs", "iso9660", "erofs", "udf", "cramfs", "romfs"))
_ON_A_DISK = frozenset(("ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "jfs", "reiserfs", "zfs", "tmpfs"))
_APART = re.compile(r"/(?:proc|sys|dev)(?:/|\Z)|/run/(?:credentials|user)/")
# What container engines mount for each of their containers is the same disk again.
_OF_ENGINES = re.compile(
    r"/(?:docker|containers|containerd|kubelet|crio)/.*/(?:overlay|overlay2|rootfs|merged|pods)(?:/|\Z)"
)
_ESCAPE = re.compile(r"\\([0-7]{3})")


def mounted(files: Files) -> list[dict[str, Any]]:
    """The mounts that hold something: mount point, type, device, options."""
    found: dict[str, dict[str, Any]] = {}
    for line in files.read("/proc/self/mountinfo").splitlines():
        before, separator, after = line.partition(" - ")
        left, right = before.split(" "), after.split(" ")
        if not separator or len(left) < 6 or len(right) < 3:
            continue
        point, kind = _plain(left[4]), right[0]
        if kind in _PSEUDO or kind in _FULL_BY_NATURE or kind.startswith("fuse.snapfuse"):
            continue
        if (_APART.match(point) and point != "/dev/shm") or _OF_ENGINES.search(point):  # noqa: S108
            continue
        # A later mount hides an earlier one at the same place.
        found[point] = {
            "mount": point,
            "type": kind,
            "device": _plain(right[1]),
            "id": left[2],
            "read_only": "ro" in right[2].split(","),
            "asked_read_only": "ro" in left[5].split(","),
            "whole": left[3] == "/",
        }
    return sorted(found.values(), key=lambda one: one["mount"])


def _once(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A file system that is mounted at several places once: where it is mounted as a whole, nearest to the root."""
    once: dict[str, dict[str, Any]] = {}
    for one in sorted(rows, key=lambda one: (not one["whole"], len(one["mount"]), one["mount"])):
        once.setdefault(one["id"], one)
    return sorted(once.values(), key=lambda one: one["mount"])


def _plain(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match.group(1), 8)), text)


def look(files: Files, clock: Clock, seconds: float = 3.0) -> list[dict[str, Any]]:
    """Sizes of all file systems, asked side by side: one that hangs (a server that is gone) costs only itself."""
    rows = mounted(files)
    table = _table(files)
    threads = []
    for row in rows:
        # Where the kernel gives up a file system after an error, that is read-only, and the mount still is not. Who
        # mounts it so makes both read-only; then only /etc/fstab may say that it was meant otherwise.
        asked = row.pop("asked_read_only") and table.get(row["mount"], True)
        row["meant_read_only"] = asked or table.get(row["mount"], False) or row["type"] not in _ON_A_DISK
        # Daemons, so that one that never comes back does not keep the module from ending.
        thread = threading.Thread(target=_size, args=(files, row), daemon=True)
        thread.start()
        threads.append(thread)
    wait = Clock(clock.left(seconds))
    for thread in threads:
        thread.join(wait.left())
    # Copies: a thread that comes late must not write into what is judged.
    return [_answered(row) for row in _once([dict(row) for row in rows if not row.get("skip")])]


def _answered(row: dict[str, Any]) -> dict[str, Any]:
    if "size" not in row and "error" not in row:
        row["error"] = "it does not answer"
    row.pop("skip", None)
    row.pop("whole", None)
    return row


def _size(files: Files, row: dict[str, Any]) -> None:
    path = files.path(row["mount"])
    try:
        if not os.path.isdir(path):
            # A single file, bound from elsewhere.
            row["skip"] = True
            return
        seen = os.statvfs(path)
        device = os.stat(path).st_dev
    except OSError as error:
        row["error"] = error.strerror or str(error)
        return
    if seen.f_blocks == 0:
        row["skip"] = True
        return
    row.update(
        dev=device,
        available=seen.f_bavail * seen.f_frsize,
        used=max(seen.f_blocks - seen.f_bfree, 0) * seen.f_frsize,
        inodes=seen.f_files,
        inodes_free=seen.f_ffree,
        size=seen.f_blocks * seen.f_frsize,
    )


def _table(files: Files) -> dict[str, bool]:
    """Mount points of /etc/fstab: whether they are to be read-only."""
    table = {}
    for line in (files.maybe("/etc/fstab") or "").splitlines():
        parts = line.split()
        if len(parts) >= 4 and not parts[0].startswith("#"):
            table[_plain(parts[1])] = "ro" in parts[3].split(",")
    return table

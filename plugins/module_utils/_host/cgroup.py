# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control group that the host itself is, where it is a container: what it uses and what it may use.

In a container /proc/stat, /proc/meminfo and /proc/pressure speak of the machine below. The group that process 1 is in
speaks of the host. Both versions of control groups are read, and mixed ones, where version 2 counts only pressure.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from .files import Files

_UNLIMITED = 1 << 60
"""Version 1 writes the largest multiple of a page for "no limit"."""

_MARKS = ("/run/.containerenv", "/.dockerenv", "/run/systemd/container")


def is_container(files: Files) -> bool:
    """Whether process 1 says that it runs in a container, or the usual marks of one are there."""
    if any(files.exists(mark) for mark in _MARKS):
        return True
    return any(one.startswith("container=") for one in (files.maybe("/proc/1/environ") or "").split("\0"))


@dataclass(frozen=True)
class Groups:
    """Folders of the host's own group by controller of version 1, and of version 2 under the name ``unified``."""

    folders: dict[str, str]

    @property
    def unified(self) -> str | None:
        return self.folders.get("unified")


def find(files: Files) -> Groups:
    """The folders of process 1's group, as far as this mount namespace shows them."""
    own: dict[str, str] = {}
    for line in (files.maybe("/proc/1/cgroup") or "").splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            for controller in parts[1].split(",") if parts[1] else ["unified"]:
                own[controller] = parts[2]
    folders: dict[str, str] = {}
    for line in (files.maybe("/proc/self/mountinfo") or "").splitlines():
        before, separator, after = line.partition(" - ")
        left, right = before.split(" "), after.split(" ")
        if not separator or len(left) < 6 or len(right) < 3 or right[0] not in ("cgroup", "cgroup2"):
            continue
        root, mountpoint = left[3], left[4]
        for name in ["unified"] if right[0] == "cgroup2" else right[2].split(","):
            if name not in own or name in folders:
                continue
            path = own[name]
            # systemd as process 1 moves itself one level down.
            if path.endswith("/init.scope"):
                path = path[: -len("/init.scope")] or "/"
            folder = _below(mountpoint, root, path)
            if files.exists(folder):
                folders[name] = folder
    return Groups(folders)


def _below(mountpoint: str, root: str, path: str) -> str:
    if root != "/" and (path == root or path.startswith(root + "/")):
        path = path[len(root) :]
    elif root != "/":
        # A namespace shows the group itself at the mount point.
        path = "/"
    return os.path.normpath(mountpoint + "/" + path)


def cpu_seconds(files: Files, groups: Groups) -> float | None:
    """CPU seconds that the host's group has used so far."""
    folder = groups.folders.get("cpuacct")
    if folder is not None:
        used = files.number(f"{folder}/cpuacct.usage")
        return used / 1e9 if used is not None else None
    if groups.unified is not None:
        used = table(files.maybe(f"{groups.unified}/cpu.stat")).get("usage_usec")
        return used / 1e6 if used is not None else None
    return None


def cpu_quota(files: Files, groups: Groups) -> float | None:
    """CPUs that the group may use at most, by its quota; None: no quota."""
    folder = groups.folders.get("cpu")
    if folder is not None:
        quota, period = files.number(f"{folder}/cpu.cfs_quota_us"), files.number(f"{folder}/cpu.cfs_period_us")
        return quota / period if quota and period and quota > 0 and period > 0 else None
    if groups.unified is not None:
        parts = (files.maybe(f"{groups.unified}/cpu.max") or "").split()
        if len(parts) == 2 and parts[0].isdigit() and parts[1].isdigit() and int(parts[1]) > 0:
            return int(parts[0]) / int(parts[1])
    return None


def memory(files: Files, groups: Groups) -> dict[str, Any] | None:
    """Bytes that the group uses (file cache that can be dropped does not count) and may use; None: no such group.

    Keys: used, limit (None: none), swap_used, swap_limit (None: none or not known).
    """
    folder = groups.folders.get("memory")
    if folder is not None:
        usage = files.number(f"{folder}/memory.usage_in_bytes")
        if usage is None:
            return None
        stat = table(files.maybe(f"{folder}/memory.stat"))
        cache = stat.get("total_inactive_file", 0) + stat.get("total_active_file", 0)
        limit = stat.get("hierarchical_memory_limit") or files.number(f"{folder}/memory.limit_in_bytes")
        both = stat.get("hierarchical_memsw_limit") or files.number(f"{folder}/memory.memsw.limit_in_bytes")
        finite = _finite(limit)
        all_of_it = _finite(both)
        return {
            "used": max(usage - cache, 0),
            "limit": finite,
            "swap_used": stat.get("total_swap", 0),
            "swap_limit": max(all_of_it - finite, 0) if all_of_it is not None and finite is not None else None,
        }
    if groups.unified is not None:
        usage = files.number(f"{groups.unified}/memory.current")
        if usage is None:
            return None
        stat = table(files.maybe(f"{groups.unified}/memory.stat"))
        cache = stat.get("inactive_file", 0) + stat.get("active_file", 0) + stat.get("slab_reclaimable", 0)
        return {
            "used": max(usage - cache, 0),
            "limit": _finite(files.number(f"{groups.unified}/memory.max")),
            "swap_used": files.number(f"{groups.unified}/memory.swap.current") or 0,
            "swap_limit": _finite(files.number(f"{groups.unified}/memory.swap.max")),
        }
    return None


def oom_kills(files: Files, groups: Groups) -> int | None:
    """Processes that the kernel killed in the group for want of memory, since it was made; None: not counted."""
    folder, name = groups.folders.get("memory"), "memory.oom_control"
    if folder is None:
        # Version 2 adds up by itself what happens below.
        if groups.unified is None:
            return None
        return table(files.maybe(f"{groups.unified}/memory.events")).get("oom_kill")
    killed, found = 0, False
    for place, _folders, names in os.walk(files.path(folder)):
        if name in names:
            try:
                with open(os.path.join(place, name), encoding="utf-8") as stream:
                    count = table(stream.read()).get("oom_kill")
            except OSError:
                continue
            if count is not None:
                killed, found = killed + count, True
    return killed if found else None


def pressure(files: Files, groups: Groups, kind: str) -> str | None:
    """Text of the group's own pressure file for ``cpu``, ``memory`` or ``io``; None: it has none."""
    if groups.unified is None:
        return None
    return files.maybe(f"{groups.unified}/{kind}.pressure")


def table(text: str | None) -> dict[str, int]:
    """``name number`` lines."""
    found = {}
    for line in (text or "").splitlines():
        parts = line.split()
        if len(parts) == 2 and parts[1].lstrip("-").isdigit():
            found[parts[0].rstrip(":")] = int(parts[1])
    return found


def _finite(value: int | None) -> int | None:
    return value if value is not None and 0 <= value < _UNLIMITED else None

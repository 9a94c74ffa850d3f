# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Control groups of the lab: every process of an instance is in one, so that none is missed at the end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
# hierarchies of cgroup v1 that account for the lab's processes; the others are left alone
V1_CONTROLLERS = ("cpu", "cpuacct", "memory", "pids", "freezer", "systemd")


def hierarchies(every: bool = False) -> list[Path]:
    """The mounted hierarchies: one on cgroup v2, some (or every one) on cgroup v1."""
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    seen: set[str] = set()
    result = []
    names = sorted(p.name for p in ROOT.iterdir() if p.is_dir()) if every else list(V1_CONTROLLERS)
    for name in names:
        path = ROOT / name
        real = os.path.realpath(str(path))
        if real in seen or not (path / "cgroup.procs").exists():
            continue
        seen.add(real)
        result.append(path)
    return result


def join(group: str, pid: int) -> None:
    """Put a process into a group (made when it is not there) of every accounting hierarchy."""
    for base in hierarchies():
        path = base / group
        try:
            path.mkdir(parents=True, exist_ok=True)
            (path / "cgroup.procs").write_text("%d\n" % pid)
        except OSError:  # a hierarchy that may not be written does not keep the process from starting
            continue


def pids(group: str) -> set[int]:
    """All processes of a group and of the groups below it, in any hierarchy."""
    found: set[int] = set()
    for base in hierarchies(every=True):
        top = base / group
        if not top.is_dir():
            continue
        for folder, _subfolders, _files in os.walk(str(top)):
            try:
                found.update(int(line) for line in Path(folder, "cgroup.procs").read_text().split())
            except (OSError, ValueError):
                continue
    return found


def kill(group: str, grace: float = 0.0) -> int:
    """End every process of a group: politely first when grace (seconds) is given. Returns how many there were."""
    targets = pids(group)
    if grace and targets:
        _signal(targets, signal.SIGTERM)
        deadline = time.monotonic() + grace
        while pids(group) and time.monotonic() < deadline:
            time.sleep(0.1)
    for _attempt in range(50):
        left = pids(group)
        if not left:
            break
        _signal(left, signal.SIGKILL)
        time.sleep(0.1)
    return len(targets)


def remove(group: str) -> None:
    """Remove an empty group with all below it from every hierarchy."""
    for base in hierarchies(every=True):
        top = base / group
        if top.is_dir():
            for folder, _subfolders, _files in os.walk(str(top), topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    continue


def _signal(targets: set[int], number: int) -> None:
    for pid in targets:
        try:
            os.kill(pid, number)
        except OSError:
            continue

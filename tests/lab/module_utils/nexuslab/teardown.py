# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""End an instance of the lab. Works from what is there on the machine (prefix, addresses, folders), so also after a
crash."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Callable

from . import cgroup, instance, network, plan, state
from .process import start_time

# what takes its time to end well; all else is killed, its data goes anyway or was written safely
GENTLE = ("SIGINT", "SIGTERM")


def down(
    checkout: Path, lab_dir: Path, number: int, keep: bool = False, say: Callable[[str], None] = print
) -> list[str]:
    """End everything of an instance. Returns what could not be removed (empty when all is gone)."""
    name = plan.prefix(number)
    run = plan.run_dir(number)
    if keep:
        say("stopping the servers gently, their data stays in %s" % lab_dir)
        _stop_gently(lab_dir)
    say("ending processes")
    _kill_all(name, lab_dir)
    say("removing mounts, namespaces, bridge, control groups")
    _unmount([str(lab_dir), str(run)])
    _remove_network(name, number)
    cgroup.remove(name)
    if not keep and lab_dir.is_dir():
        shutil.rmtree(str(lab_dir), ignore_errors=True)
    elif lab_dir.is_dir():
        for path in (lab_dir / "run").glob("*"):
            if path.is_file() or path.is_socket():
                path.unlink()
        state.update(lab_dir / "lab.json", {"components": None, "clusters": None})
        for path in (lab_dir / "faults").glob("*.json"):
            path.unlink()
    if run.is_dir() and not _mounts([str(run)]):
        shutil.rmtree(str(run), ignore_errors=True)
    instance.release(number)
    return leftovers(lab_dir, number, keep)


def leftovers(lab_dir: Path, number: int, keep: bool = False) -> list[str]:
    """What is still there of an instance: processes, namespaces, links, mounts, control groups, folders."""
    name = plan.prefix(number)
    found = ["process %d" % pid for pid in sorted(_processes(name, lab_dir))]
    found += ["namespace %s" % path.name for path in _namespaces(name, number)]
    found += ["link %s" % path.name for path in _links(name)]
    found += ["mount %s" % mount for mount in _mounts([str(lab_dir), str(plan.run_dir(number))])]
    found += ["control group %s" % (base / name) for base in cgroup.hierarchies(every=True) if (base / name).is_dir()]
    if not keep and lab_dir.exists():
        found.append("folder %s" % lab_dir)
    return found


def end_session(leader: int) -> None:
    """End a process and all of its session (the Ansible run that is bringing the lab up)."""
    members = [pid for pid in _all_pids() if _session(pid) == leader]
    for pid in [leader, *members]:
        _send(pid, signal.SIGTERM)
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline and any(start_time(pid) is not None for pid in members):
        time.sleep(0.1)
    for pid in members:
        _send(pid, signal.SIGKILL)


def _stop_gently(lab_dir: Path) -> None:
    asked = []
    for path in (lab_dir / "run").glob("*.json"):
        record = state.read(path)
        if record.get("pid") and record.get("start") == start_time(int(record["pid"])):
            asked.append((int(record["pid"]), record["start"]))
            _send(int(record["pid"]), getattr(signal, str(record.get("stop_signal") or "SIGTERM")))
            _send(int(record["pid"]), signal.SIGCONT)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(start_time(pid) == begun for pid, begun in asked):
        time.sleep(0.1)


def _kill_all(name: str, lab_dir: Path) -> None:
    for _attempt in range(5):  # a supervisor may have started something between the look and the kill
        cgroup.kill(name)
        targets = _processes(name, lab_dir)
        if not targets:
            return
        for pid in targets:
            _send(pid, signal.SIGKILL)
        time.sleep(0.3)


def _processes(name: str, lab_dir: Path) -> set[int]:
    """In the instance's control groups, in its network namespaces, or run from its folder (ssh masters)."""
    found = set(cgroup.pids(name))
    inodes = set()
    for path in Path("/run/netns").glob("%s-*" % name):
        try:
            inodes.add(path.stat().st_ino)
        except OSError:
            continue
    marks = [b"%s/" % str(lab_dir).encode(), b"%s/" % str(Path("/run/nexuscos-lab") / name).encode()]
    for pid in _all_pids():
        if pid == os.getpid() or start_time(pid) is None:
            continue
        try:
            if os.stat("/proc/%d/ns/net" % pid).st_ino in inodes:
                found.add(pid)
                continue
            command = Path("/proc/%d/cmdline" % pid).read_bytes()
        except OSError:
            continue
        title = command.split(b"\0")[0]
        if (title.startswith(b"ssh: ") and any(mark in title for mark in marks)) or any(
            title.startswith(mark) for mark in marks
        ):
            found.add(pid)
    return {pid for pid in found if start_time(pid) is not None}


def _all_pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, number)


def _mounts(folders: list[str]) -> list[str]:
    found = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        target = line.split(" ")[1].encode().decode("unicode_escape")
        if any(target == folder or target.startswith(folder + "/") for folder in folders):
            found.append(target)
    return found


def _unmount(folders: list[str]) -> None:
    for _attempt in range(3):
        mounts = _mounts(folders)
        if not mounts:
            return
        for mount in sorted(mounts, reverse=True):
            subprocess.run(["umount", "-l", mount], check=False, capture_output=True)


def _namespaces(name: str, number: int) -> list[Path]:
    """The machines' namespaces, and those of pods: CNI names them freely, but their addresses are of our plan."""
    base = Path("/run/netns")
    if not base.is_dir():
        return []
    nets = tuple("%s." % plan.net(number, k) for k in range(1, 8))
    found = sorted(base.glob("%s-*" % name))
    for path in base.glob("cni-*"):
        addresses = network.run("ip", "-n", path.name, "-o", "-4", "address", "show", check=False).split()
        if any(address.startswith(nets) for address in addresses):
            found.append(path)
    return found


def _links(name: str) -> list[Path]:
    return [p for p in Path("/sys/class/net").iterdir() if p.name == name or p.name.startswith("%s-" % name)]


def _remove_network(name: str, number: int) -> None:
    for path in _namespaces(name, number):
        network.remove_machine(path.name)
    for link in _links(name):
        if link.name != name:
            network.run("ip", "link", "delete", link.name, check=False)
    network.remove_bridge(name)

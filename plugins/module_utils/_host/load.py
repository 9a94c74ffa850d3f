# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CPU, load, memory, swap and pressure: of the machine, or of the container that the host is."""

from __future__ import annotations

import os
import time
from typing import Any, Callable

from .._core.errors import LookError
from . import cgroup
from .files import Clock, Files

_SAMPLE = 0.3
_MORE = 2.0
_HIGH = 0.6
_TICKS = 5


def cpus(files: Files, groups: cgroup.Groups) -> dict[str, Any]:
    """How many CPUs the host has, and how many of them its group may use."""
    try:
        count = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        count = os.cpu_count() or 1
    quota = cgroup.cpu_quota(files, groups)
    return {"count": count, "quota": quota, "usable": min(quota, count) if quota else count}


def cpu(
    files: Files,
    groups: cgroup.Groups,
    container: bool,
    usable: float,
    clock: Clock,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Share of the usable CPUs that was busy, over a moment; over a longer one where it is high at first.

    In a container the group's own use counts. On a machine, work of low priority (nice) counts as idle: it makes way.
    """
    counted = cgroup.cpu_seconds(files, groups) is not None and (container or cgroup.cpu_quota(files, groups))

    def sample() -> tuple[float, float, dict[str, float]]:
        if counted:
            return cgroup.cpu_seconds(files, groups) or 0.0, time.monotonic() * usable, {}
        return _stat(files)

    waited = 0.0
    result: dict[str, Any] = {}
    for seconds in (_SAMPLE, _MORE):
        seconds = clock.left(seconds)
        first = sample()
        sleep(seconds)
        last = sample()
        waited += seconds
        whole = last[1] - first[1]
        busy = min(max((last[0] - first[0]) / whole, 0.0), 1.0) if whole > 0 else 0.0
        kinds = {key: round((last[2][key] - first[2][key]) / whole * 100, 1) for key in first[2]} if whole > 0 else {}
        result = {"percent": round(busy * 100, 1), "seconds": seconds, "by": kinds}
        if busy < _HIGH:
            break
    result["of"] = "container" if counted else "machine"
    return result


def _stat(files: Files) -> tuple[float, float, dict[str, float]]:
    for line in files.read("/proc/stat").splitlines():
        parts = line.split()
        if parts and parts[0] == "cpu" and len(parts) >= 5:
            # user and nice hold the guests' time already
            names = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
            values = {name: float(value) for name, value in zip(names, parts[1:9])}
            whole = sum(values.values())
            busy = whole - values["idle"] - values.get("iowait", 0.0) - values["nice"]
            return busy, whole, {key: values[key] for key in names if key in values and key != "idle"}
    raise LookError("garbage", "/proc/stat has no line for the CPUs")


def tasks(files: Files, rounds: int, clock: Clock, sleep: Callable[[float], None] = time.sleep) -> dict[str, Any]:
    """The host's processes by state, counted a few times: what a container has in place of a load average."""
    running: list[int] = []
    zombies = total = 0
    me = str(os.getpid())
    for round_ in range(rounds):
        if round_:
            sleep(clock.left(0.02))
        states: list[str] = []
        for name in files.names("/proc"):
            if not name.isdigit() or name == me:
                continue
            stat = files.maybe(f"/proc/{name}/stat")
            if stat is not None:
                states.append(stat.rpartition(")")[2].strip()[:1])
        running.append(sum(1 for state in states if state in ("R", "D")))
        zombies, total = states.count("Z"), len(states)
        if total > 2000:
            break
    return {"running": sum(running) / len(running), "zombies": zombies, "total": total}


def load(files: Files, container: bool, clock: Clock, sleep: Callable[[float], None] = time.sleep) -> dict[str, Any]:
    """The load of five minutes; in a container the tasks of its own that run or wait."""
    seen = tasks(files, _TICKS if container else 1, clock, sleep)
    average = [float(one) for one in files.read("/proc/loadavg").split()[:3]]
    return {"average": average, "of": "container" if container else "machine", **seen}


def memory(files: Files, groups: cgroup.Groups, container: bool) -> dict[str, Any]:
    """Bytes used and there, of memory and swap."""
    machine = {}
    for line in files.read("/proc/meminfo").splitlines():
        name, _colon, rest = line.partition(":")
        parts = rest.split()
        if parts and parts[0].isdigit():
            machine[name] = int(parts[0]) * 1024
    if "MemTotal" not in machine:
        raise LookError("garbage", "/proc/meminfo does not say how much memory there is")
    total = machine["MemTotal"]
    available = machine.get("MemAvailable", machine.get("MemFree", 0) + machine.get("Cached", 0))
    swap_total, swap_free = machine.get("SwapTotal", 0), machine.get("SwapFree", 0)
    own = cgroup.memory(files, groups)
    limited = own is not None and own["limit"] is not None and own["limit"] < total
    if own is None or not (container or limited):
        return {
            "of": "machine",
            "total": total,
            "used": max(total - available, 0),
            "swap_total": swap_total,
            "swap_used": max(swap_total - swap_free, 0),
        }
    limit = own["swap_limit"]
    return {
        "of": "container",
        "total": min(own["limit"], total) if own["limit"] is not None else total,
        "used": own["used"],
        "swap_total": min(limit, swap_total) if limit is not None else swap_total,
        "swap_used": own["swap_used"],
    }


def pressure(files: Files, groups: cgroup.Groups, container: bool) -> dict[str, Any]:
    """Pressure stall information, kind by kind: some and full, each with the share of 10, 60 and 300 seconds.

    :returns: ``{of, cpu: {some: {avg60: …}, full: …}, memory, io}``; where the kind is not counted, its reason instead.
    """
    found: dict[str, Any] = {"of": "container" if container else "machine"}
    for kind in ("cpu", "memory", "io"):
        try:
            text = cgroup.pressure(files, groups, kind) if container else files.read(f"/proc/pressure/{kind}")
        except FileNotFoundError:
            found[kind] = {"reason": "the kernel counts no pressure (boot it with psi=1)"}
            continue
        except OSError as error:
            found[kind] = {"reason": f"/proc/pressure/{kind}: {error.strerror or error}"}
            continue
        if text is None:
            found[kind] = {
                "reason": "the host is a container that cannot see its own pressure, only that of its machine"
            }
            continue
        found[kind] = _averages(text)
    return found


def _averages(text: str) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for line in text.splitlines():
        parts = line.split()
        values = {}
        for part in parts[1:]:
            name, _equals, value = part.partition("=")
            try:
                values[name] = float(value)
            except ValueError:
                continue
        if parts:
            rows[parts[0]] = values
    return rows

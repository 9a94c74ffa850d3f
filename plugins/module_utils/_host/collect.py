# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look at a host, by the host's own Python: plain values, never a verdict."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from typing import Any, Callable

from .._core.errors import LookError
from . import cgroup, clocks, docker, folders, kernel, load, mounts, processes, sockets, units
from .files import Clock, Files

Observation = dict[str, Any]

_FULL = 0.8
"""Of file systems that are fuller than this the largest folders are looked for without being asked."""


class _Beside:
    """Something that mostly waits, done beside the rest. What does not come in time is said to be late."""

    def __init__(self, look: Callable[[], Any]) -> None:
        self._answer: dict[str, Any] | None = None
        self._look = look
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._answer = section(self._look)

    def answer(self, clock: Clock) -> dict[str, Any]:
        self._thread.join(clock.left())
        return self._answer or {"data": None, "error": {"kind": "timeout", "text": "it did not answer in time"}}


def section(look: Callable[[], Any]) -> dict[str, Any]:
    """One part of the look: what it saw, or why it could not. A broken part must not cost the others."""
    try:
        return {"data": look(), "error": None}
    except LookError as error:
        return {"data": None, "error": {"kind": error.kind, "text": error.text}}
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        return {"data": None, "error": {"kind": "denied", "text": f"{name}{error.strerror or error}"}}
    except Exception as error:  # noqa: BLE001
        # A kernel may write anything into /proc; the report must come all the same.
        return {"data": None, "error": {"kind": "garbage", "text": f"{type(error).__name__}: {error}"}}


def collect(params: Mapping[str, Any], files: Files | None = None) -> Observation:
    """Look at everything.

    :param params: the module's options.
    :param files: where the host's files are; a test's are below a folder.
    """
    files = files or Files()
    clock = Clock(params["deadline"])
    began, now = time.monotonic(), time.time()
    container = cgroup.is_container(files)
    groups = cgroup.find(files)
    uptime = _uptime(files)
    beside = {
        "clock": _Beside(lambda: clocks.look(params["time_servers"], container, uptime, clock)),
        "docker": _Beside(lambda: docker.look(params["docker_socket"], clock)),
        "mounts": _Beside(lambda: mounts.look(files, clock)),
    }
    cpus = load.cpus(files, groups)
    seen: Observation = {
        "host": {
            "name": os.uname().nodename,
            "kernel": os.uname().release,
            "container": container,
            "uptime_s": uptime,
            "now": now,
            "cpus": cpus,
        },
        # First, before this look itself keeps the host busy.
        "cpu": section(lambda: load.cpu(files, groups, container, cpus["usable"], clock)),
        "pressure": section(lambda: load.pressure(files, groups, container)),
        "memory": section(lambda: load.memory(files, groups, container)),
        "load": section(lambda: load.load(files, container, clock)),
        "units": section(lambda: units.look(files, clock, now)),
        "kernel": section(lambda: kernel.look(files, container, params["kernel_log_hours"], clock, now)),
        "oom": section(lambda: kernel.counters(files, groups, container)),
        "reboot": section(lambda: kernel.reboot(files, container)),
    }
    seen["mounts"] = beside["mounts"].answer(clock)
    rows = seen["mounts"]["data"] or []
    walked = section(lambda: processes.walk(files, clock))
    seen["listening"] = section(lambda: sockets.look(files, (walked["data"] or {}).get("owners") or {}))
    seen["deleted"] = {"data": None, "error": walked["error"]}
    if walked["data"]:
        found = processes.by_mount(walked["data"]["deleted"], rows)
        seen["deleted"]["data"] = {"mounts": found, "reason": walked["data"]["reason"]}
    roots = list(dict.fromkeys([*params["folders"], *_full(rows)]))
    budget = clock.left(params["folders_budget"])
    seen["folders"] = section(lambda: folders.largest(files, roots, budget))
    for name in ("clock", "docker"):
        seen[name] = beside[name].answer(clock)
    seen["host"]["took_ms"] = round((time.monotonic() - began) * 1000, 1)
    return seen


def _uptime(files: Files) -> float | None:
    """Seconds since process 1 was started: since the boot, or since the container was."""
    try:
        machine = float(files.read("/proc/uptime").split()[0])
        started = int(files.read("/proc/1/stat").rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        return round(max(machine - started, 0.0), 1)
    except (OSError, ValueError, IndexError):
        return None


def _full(rows: list[dict[str, Any]]) -> list[str]:
    full = []
    for row in rows:
        room = row.get("used", 0) + row.get("available", 0)
        if room and row["used"] / room > _FULL:
            full.append(row["mount"])
    return full

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's log: processes killed for want of memory, and disks that fail; and whether a reboot is due."""

from __future__ import annotations

import calendar
import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from typing import Any

from .._core.errors import LookError
from . import cgroup
from .files import Clock, Files
from .files import run as run_program
from .units import Run

_LOGS = ("/var/log/kern.log", "/var/log/messages")
_TAIL = 8 * 1024 * 1024
_SHOWN = 5

_OOM = re.compile(r"(?:Out of memory|Memory cgroup out of memory): Kill(?:ed)? process (\d+) \(([^)]*)\)")
_DISK = tuple(
    re.compile(pattern)
    for pattern in (
        r"I/O error,? (?:on )?dev(?:ice)? (?P<device>[\w./\-]+)",
        r"critical (?:medium|target|nexus) error, dev (?P<device>\w+)",
        r"EXT[234]-fs error \(device (?P<device>[\w.\-]+)\)",
        r"EXT[234]-fs \((?P<device>[\w.\-]+)\): Remounting filesystem read-only",
        r"XFS \((?P<device>[\w.\-]+)\): .*(?:[Cc]orruption|metadata I/O error|log I/O error|Shutting down)",
        r"BTRFS (?:error|critical) \(device (?P<device>[\w.\-]+)",
        r"(?P<device>nvme\d+(?:n\d+)?): (?:I/O .*timeout|controller is down|Device not ready)",
        r"(?P<device>ata\d+(?:\.\d+)?): (?:failed command|exception Emask)",
        r"md/raid\w*: ?(?P<device>md\w+): Disk failure",
    )
)
# Drives whose medium may be missing or scratched.
_NO_DISK = re.compile(r"(?:fd|sr)\d+\Z")
# 2026-11-29T08:12:42.123456+00:00 host kernel: … or Nov 29 08:12:42 host kernel: …
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,]\d+)?(Z|[+\-]\d\d:?\d\d)?")
_BSD = re.compile(r"([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) ")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def look(
    files: Files, container: bool, hours: float, clock: Clock, now: float, run: Run = run_program
) -> dict[str, Any]:
    """Kernel messages of the last `hours` that tell of kills and of failing disks.

    :returns: ``source`` (None: no log can be seen, with ``reason``), ``oom`` and ``disk``: what was found.
    """
    source, lines, reason = _lines(files, container, hours, clock, now, run)
    return {"source": source, "reason": reason, "hours": hours, **judge_lines(lines, now - hours * 3600)}


def _lines(
    files: Files, container: bool, hours: float, clock: Clock, now: float, run: Run
) -> tuple[str | None, Iterable[tuple[float | None, str]], str]:
    reasons = []
    try:
        text = run(
            ["journalctl", "-k", "--no-pager", "--quiet", "-o", "json", f"--since=-{max(hours, 0.01) * 3600:.0f}s",
             "--output-fields=MESSAGE"],
            clock.left(8.0),
        )  # fmt: skip
        # A container's journal has no kernel messages; on a machine none in a day is possible.
        if text.strip() or not container:
            return "journal", list(_of_journal(text)), ""
        reasons.append("the journal has none of the kernel's messages")
    except LookError as error:
        reasons.append(error.text)
    for name in _LOGS:
        if files.exists(name):
            try:
                return name, list(_of_file(_tail(files.path(name)), now)), ""
            except OSError as error:
                reasons.append(f"{name}: {error.strerror or error}")
    if container:
        return None, [], "in a container the kernel's log is that of the machine; " + "; ".join(reasons)
    try:
        text = run(["dmesg", "--kernel", "--ctime"], clock.left(5.0))
        return "dmesg", [(None, line) for line in text.splitlines()], ""
    except LookError as error:
        reasons.append(error.text)
    return None, [], "; ".join(reasons)


def _of_journal(text: str) -> Iterator[tuple[float | None, str]]:
    for line in text.splitlines():
        try:
            entry = json.loads(line)
            message = entry.get("MESSAGE")
            stamp = int(entry.get("__REALTIME_TIMESTAMP", 0)) / 1e6
        except (ValueError, AttributeError, TypeError):
            continue
        if isinstance(message, list):
            # journald writes what is no UTF-8 as numbers.
            message = bytes(one for one in message if isinstance(one, int) and 0 <= one < 256).decode(
                "utf-8", "replace"
            )
        if isinstance(message, str):
            yield stamp or None, message


def _tail(path: str) -> str:
    with open(path, "rb") as stream:
        stream.seek(max(os.fstat(stream.fileno()).st_size - _TAIL, 0))
        return stream.read(_TAIL).decode("utf-8", "replace")


def _of_file(text: str, now: float) -> Iterator[tuple[float | None, str]]:
    for line in text.splitlines():
        if " kernel: " in line or line.startswith("kernel: "):
            head, _mark, message = line.partition("kernel: ")
            yield stamp(head, now), message


def stamp(head: str, now: float) -> float | None:
    """The time at the head of a line of syslog, with a year or without; None where there is none."""
    match = _ISO.search(head)
    try:
        if match is not None:
            year, month, day, hour, minute, second = (int(one) for one in match.groups()[:6])
            seconds = float(calendar.timegm((year, month, day, hour, minute, second)))
            zone = match.group(7)
            if zone and zone != "Z":
                digits = zone[1:].replace(":", "")
                offset = int(digits[:2]) * 3600 + int(digits[2:]) * 60
                return seconds - offset if zone[0] == "+" else seconds + offset
            return seconds if zone else time.mktime((year, month, day, hour, minute, second, 0, 0, -1))
        match = _BSD.search(head)
        if match is None or match.group(1) not in _MONTHS:
            return None
        month = _MONTHS.index(match.group(1)) + 1
        day, hour, minute, second = (int(one) for one in match.groups()[1:])
        year = time.localtime(now).tm_year
        found = time.mktime((year, month, day, hour, minute, second, 0, 0, -1))
        # A line of December, read in January, is of last year.
        return found if found < now + 86400 else time.mktime((year - 1, month, day, hour, minute, second, 0, 0, -1))
    except (ValueError, OverflowError):
        return None


def judge_lines(lines: Iterable[tuple[float | None, str]], since: float) -> dict[str, Any]:
    """Kills and disk errors among the messages not older than `since`; what has no time counts."""
    kills: dict[str, dict[str, Any]] = {}
    disks: dict[str, dict[str, Any]] = {}
    for at, message in lines:
        if at is not None and at < since:
            continue
        found = _OOM.search(message)
        if found is not None:
            _add(kills, found.group(2), at, message)
            continue
        device = _device(message)
        if device is not None:
            _add(disks, device, at, message)
    return {"oom": list(kills.values()), "disk": list(disks.values())}


def _device(message: str) -> str | None:
    for pattern in _DISK:
        match = pattern.search(message)
        if match is not None:
            device = str(match.group("device")).rstrip("/").rsplit("/", 1)[-1]
            return None if _NO_DISK.match(device) else device
    return None


def _add(found: dict[str, dict[str, Any]], name: str, at: float | None, message: str) -> None:
    kept = found.setdefault(name, {"name": name, "count": 0, "last": None, "lines": []})
    kept["count"] += 1
    if at is not None and (kept["last"] is None or at > kept["last"]):
        kept["last"] = at
    kept["lines"] = [*kept["lines"], message[:300]][-_SHOWN:]


def counters(files: Files, groups: cgroup.Groups, container: bool) -> dict[str, Any]:
    """Kills that the kernel counted by itself: in the container's group, or on the machine since it was started."""
    if container:
        return {"of": "container", "kills": cgroup.oom_kills(files, groups)}
    return {"of": "machine", "kills": cgroup.table(files.maybe("/proc/vmstat")).get("oom_kill")}


def reboot(files: Files, container: bool) -> dict[str, Any]:
    """Whether the distribution wants a reboot, or a newer kernel than the running one is installed."""
    for mark in ("/run/reboot-required", "/var/run/reboot-required"):
        if files.exists(mark):
            packages = sorted(set((files.maybe(f"{mark}.pkgs") or "").split()))
            try:
                since: float | None = os.stat(files.path(mark)).st_mtime
            except OSError:
                since = None
            return {"needed": True, "why": mark, "packages": packages[:20], "since": since}
    if container:
        return {"needed": False}
    running = os.uname().release
    installed = [name for name in files.names("/lib/modules") if files.exists(f"/lib/modules/{name}/modules.dep")]
    newer = [name for name in installed if _flavour(name) == _flavour(running) and _version(name) > _version(running)]
    if newer and running in installed:
        return {
            "needed": True,
            "why": "kernel",
            "running": running,
            "installed": max(newer, key=_version),
            "since": None,
        }
    return {"needed": False, "running": running}


def _version(release: str) -> list[int]:
    return [int(one) for one in re.findall(r"\d+", release)]


def _flavour(release: str) -> str:
    """``6.1.0-21-cloud-amd64`` -> ``cloud-amd64``: another flavour is not a newer kernel."""
    return re.sub(r"^[\d.\-+~]+", "", release)

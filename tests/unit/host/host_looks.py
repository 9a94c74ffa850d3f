# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A healthy look at a host, to be bent; hosts made of files."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from ansible_collections.nexuscos.ops.plugins.module_utils import _catalogue
from ansible_collections.nexuscos.ops.plugins.module_utils._core.check import index
from ansible_collections.nexuscos.ops.plugins.module_utils._core.judge import Judge
from ansible_collections.nexuscos.ops.plugins.module_utils._core.threshold import Thresholds
from ansible_collections.nexuscos.ops.plugins.module_utils._host import checks, evaluate
from ansible_collections.nexuscos.ops.plugins.module_utils._host.files import Files

GIB = 1024**3
NOW = 1_795_900_000.0
AT = "2026-11-28T21:06:40Z"

HEALTHY: dict[str, Any] = {
    "at": AT,
    "history": [],
    "history_asked": False,
    "host": {
        "name": "host1", "kernel": "6.1.0-21-amd64", "container": False, "uptime_s": 86400.0, "now": NOW,
        "took_ms": 512.0, "cpus": {"count": 4, "quota": None, "usable": 4},
    },
    "cpu": {"percent": 12.5, "seconds": 0.3, "by": {"user": 8.0, "nice": 40.0}, "of": "machine"},
    "pressure": {
        "of": "machine",
        "cpu": {"some": {"avg10": 1.0, "avg60": 2.0, "avg300": 1.5}},
        "memory": {"some": {"avg60": 0.0}, "full": {"avg60": 0.0}},
        "io": {"some": {"avg60": 0.5}, "full": {"avg60": 0.2}},
    },
    "memory": {"of": "machine", "total": 8 * GIB, "used": 3 * GIB, "swap_total": 2 * GIB, "swap_used": GIB // 8},
    "load": {"average": [0.5, 0.6, 0.7], "of": "machine", "running": 1.0, "zombies": 0, "total": 120},
    "units": {
        "units": [
            {"name": "ssh.service", "active": "active", "sub": "running", "result": "success", "enabled": "enabled",
             "exit": 0, "restarts": 0, "restarts_hour": None, "oneshot": False, "started_s": 86000.0},
            {"name": "nexus-cos-backup.service", "active": "inactive", "sub": "dead", "result": "success",
             "enabled": "static", "exit": 0, "restarts": 0, "restarts_hour": None, "oneshot": True, "started_s": 900.0},
            {"name": "dbus.socket", "active": "active", "sub": "running", "result": "success", "enabled": "static"},
        ],
        "timers": [
            {"name": "nexus-cos-backup.timer", "unit": "nexus-cos-backup.service", "active": "active",
             "sub": "waiting", "enabled": True, "condition": "yes", "last": NOW - 900, "next": NOW + 9000,
             "due": NOW + 9000, "late_s": 0.0},
        ],
        "restarts_reason": "",
    },
    "kernel": {"source": "journal", "reason": "", "hours": 24.0, "oom": [], "disk": []},
    "oom": {"of": "machine", "kills": 0},
    "reboot": {"needed": False, "running": "6.1.0-21-amd64"},
    "mounts": [
        {"mount": "/", "type": "ext4", "device": "/dev/vda1", "id": "254:1", "read_only": False,
         "meant_read_only": False, "dev": 65025, "available": 60 * GIB, "used": 40 * GIB, "size": 100 * GIB,
         "inodes": 1000, "inodes_free": 900},
        {"mount": "/var", "type": "xfs", "device": "/dev/vda2", "id": "254:2", "read_only": False,
         "meant_read_only": False, "dev": 65026, "available": 50 * GIB, "used": 50 * GIB, "size": 100 * GIB,
         "inodes": 0, "inodes_free": 0},
    ],
    "deleted": {"mounts": [], "reason": ""},
    "listening": {
        "sockets": [
            {"protocol": "tcp", "address": "0.0.0.0", "port": 22, "pid": 700, "command": "sshd"},
            {"protocol": "tcp", "address": "127.0.0.1", "port": 6379, "pid": 800, "command": "redis-server"},
            {"protocol": "udp", "address": "0.0.0.0", "port": 40123, "pid": 900, "command": "chronyd"},
        ],
        "dynamic": [32768, 60999],
    },
    "clock": {"container": False, "uptime_s": 86400.0, "servers": [],
              "kernel": {"synchronised": True, "maximum_error_s": 0.01}},
    "docker": None,
    "folders": [],
}  # fmt: skip

_PLAIN = ("at", "history", "history_asked", "host")


def observation() -> dict[str, Any]:
    """A healthy look, with each part in its section, as the collector hands it over."""
    parts = copy.deepcopy(HEALTHY)
    return {name: part if name in _PLAIN else {"data": part, "error": None} for name, part in parts.items()}


class Look:
    """A look that can be bent, and judged."""

    def __init__(self) -> None:
        self.observation = observation()
        self.result: dict[str, Any] = {}

    def __getitem__(self, part: str) -> Any:
        section = self.observation[part]
        return section if part in _PLAIN else section["data"]

    def fail(self, part: str, text: str = "no") -> None:
        self.observation[part] = {"data": None, "error": {"kind": "denied", "text": text}}

    def judge(self, thresholds: dict[str, Any] | None = None, **options: Any) -> Look:
        judge = Judge(
            index(checks.CHECKS), Thresholds.parse(thresholds, _catalogue.BY_ID), "host1", options.pop("checks", None)
        )
        evaluate.evaluate(self.observation, judge, evaluate.expectation(options))
        self.result = judge.result()
        return self

    @property
    def found(self) -> list[tuple[str, str, str]]:
        """Check, object and status of all findings."""
        return sorted((one["check"], one["object"], one["status"]) for one in self.result["findings"])

    def finding(self, check: str) -> dict[str, Any]:
        found = [one for one in self.result["findings"] if one["check"] == check]
        assert len(found) == 1, self.result["findings"]
        return found[0]  # type: ignore[no-any-return]

    def row(self, check: str) -> dict[str, Any]:
        return next(row for row in self.result["coverage"] if row["check"] == check)  # type: ignore[no-any-return]


def host(root: Path, texts: dict[str, str]) -> Files:
    """A host whose files are below a folder."""
    for name, text in texts.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Files(str(root))


def unit_file(root: Path, name: str, place: str = "lib/systemd/system", text: str = "[Timer]\n") -> None:
    """A unit file of systemd below `root`."""
    (root / place).mkdir(parents=True, exist_ok=True)
    (root / place / name).write_text(text, encoding="utf-8")


def enable(root: Path, name: str, folder: str = "timers.target.wants") -> None:
    """The link that ``systemctl enable`` makes."""
    wants = root / "etc/systemd/system" / folder
    wants.mkdir(parents=True, exist_ok=True)
    (wants / name).symlink_to(f"/lib/systemd/system/{name}")

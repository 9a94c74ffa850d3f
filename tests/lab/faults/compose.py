#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What faults do to the lab's Compose project that takes more than a line of shell.

usage: compose.py add FAULT JSON | remove FAULT | stop | start

add and remove change what stands in the project's file: Compose itself merges compose.override.yml over compose.yml.
Several faults add to it at a time, so each keeps its part in a file of its own, and the override is put together from
all of them. stop and start are for the engine, under the record by which the lab knows its process.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "module_utils"))

from nexuslab.process import Daemon


def merge(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Nested dictionaries are merged, all else is replaced."""
    result = dict(base)
    for key, value in more.items():
        known = result.get(key)
        result[key] = merge(known, value) if isinstance(value, dict) and isinstance(known, dict) else value
    return result


def override(folder: Path, fault: str, text: str | None) -> None:
    """Change one part, write the whole."""
    parts = folder / "override.d"
    parts.mkdir(exist_ok=True)
    with (parts / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        part = parts / f"{fault}.json"
        if text is None:
            part.unlink(missing_ok=True)
        else:
            part.write_text(json.dumps(json.loads(text)), encoding="utf-8")
        whole: dict[str, Any] = {}
        for path in sorted(parts.glob("*.json")):
            whole = merge(whole, json.loads(path.read_text(encoding="utf-8")))
        target = folder / "compose.override.yml"
        if whole:
            target.write_text(json.dumps(whole, indent=1), encoding="utf-8")
        else:
            target.unlink(missing_ok=True)


def engine(lab: Path, wanted: str) -> None:
    """Stop or start dockerd alone; the containers live on, as live-restore wants it."""
    kept, current = lab / "run" / "docker1.stopped", lab / "run" / "docker1.json"
    source = current if current.exists() else kept
    record = json.loads(source.read_text(encoding="utf-8"))
    socket = json.loads((lab / "lab.json").read_text(encoding="utf-8"))["compose"]["socket"]
    spec = {
        "name": "docker1",
        "argv": record["argv"],
        "netns": record["netns"],
        "cgroup": "docker1/dockerd",
        "config": [str(lab / "etc/docker1/daemon.json")],
        "ready": {"command": ["/usr/bin/docker", "--host", f"unix://{socket}", "version"]},
    }
    daemon = Daemon(lab, record["cgroup"].split("/", 1)[0], spec)
    if wanted == "stop":
        kept.write_text(json.dumps(record), encoding="utf-8")
        daemon.ensure_stopped()
        return
    if daemon.running() is None:
        daemon.ensure_started(restart=True)
    kept.unlink(missing_ok=True)


def main() -> None:
    """Read the arguments, do it."""
    lab = Path(os.environ["LAB"]).resolve()
    if sys.argv[1] in ("stop", "start"):
        engine(lab, sys.argv[1])
        return
    folder = Path(json.loads((lab / "lab.json").read_text(encoding="utf-8"))["compose"]["src"])
    override(folder, sys.argv[2], sys.argv[3] if sys.argv[1] == "add" else None)


if __name__ == "__main__":
    main()

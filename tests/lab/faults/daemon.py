#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop a PostgreSQL server of the lab and start it again, under the record by which the lab knows its process.

usage: daemon.py LAB PREFIX stop|start NAME
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "module_utils"))

from nexuslab.process import Daemon


def main() -> int:
    """Stop keeps the record beside the faults; start uses it. Both are fine when there is nothing to do."""
    lab, prefix, wanted, name = Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3], sys.argv[4]
    kept = lab / "run" / f"{name}.stopped"
    current = lab / "run" / f"{name}.json"
    source = current if current.exists() else kept
    record = json.loads(source.read_text(encoding="utf-8"))
    daemon = Daemon(lab, prefix, {**record, "user": "postgres", "cgroup": name})
    if wanted == "stop":
        kept.write_text(json.dumps(record), encoding="utf-8")
        daemon.ensure_stopped()
        return 0
    if daemon.running() is None:
        address = json.loads((lab / "lab.json").read_text(encoding="utf-8"))["machines"][name]["address"]
        ready = Path(record["argv"][0]).with_name("pg_isready")
        daemon.spec["ready"] = {"command": [str(ready), "-q", "-h", address]}
        daemon.ensure_started(restart=True)
        # The lab compares digests to see whether its configuration changed. It did not.
        started = json.loads(current.read_text(encoding="utf-8"))
        current.write_text(json.dumps({**started, "digest": record["digest"]}), encoding="utf-8")
    kept.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

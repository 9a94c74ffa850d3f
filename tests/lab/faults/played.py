#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of the systems that the lab plays: stop one and start it again, under the record by which the lab knows it.

usage: played.py LAB PREFIX stop|start NAME HOST:PORT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "module_utils"))

from nexuslab.process import Daemon


def main() -> int:
    """Stop keeps the record beside the faults; start uses it. Both are fine when there is nothing to do."""
    lab, prefix, wanted, name, address = Path(sys.argv[1]).resolve(), *sys.argv[2:]
    current, kept = lab / "run" / f"{name}.json", lab / "run" / f"{name}.stopped"
    source = current if current.exists() else kept
    record = json.loads(source.read_text(encoding="utf-8"))
    secrets = json.loads((lab / "secrets.json").read_text(encoding="utf-8"))
    env = {"GRAFANA_TOKEN": secrets["grafana"], "ELASTICSEARCH_KEY": secrets["elasticsearch"]}
    daemon = Daemon(lab, prefix, {**record, "cgroup": name, "env": env, "ready": {"tcp": address}})
    if wanted == "stop":
        kept.write_text(json.dumps(record), encoding="utf-8")
        daemon.ensure_stopped()
        return 0
    if daemon.running() is None:
        daemon.ensure_started(restart=True)
        # The lab compares digests to see whether its configuration changed. It did not.
        started = json.loads(current.read_text(encoding="utf-8"))
        current.write_text(json.dumps({**started, "digest": record["digest"]}), encoding="utf-8")
    kept.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

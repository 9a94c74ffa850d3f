#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record a look at a system of the lab, dated back.

usage: earlier.py HOST FILE HOURS; the name of the file is that of the module
"""

from __future__ import annotations

import datetime
import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    """The role makes the recording, as the morning does; only its date is changed."""
    host, target, hours = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    with tempfile.TemporaryDirectory(prefix="nexuscos-earlier-") as folder:
        variables = {"nexuscos_record_dir": folder, "nexuscos_report_dir": folder, "nexuscos_fail_on": "never"}
        playbook = str(Path(sys.executable).with_name("ansible-playbook"))
        command = [playbook, "-i", "inventories/lab", "nexuscos.ops.daily_morning"]
        subprocess.run([*command, "--limit", host, "-e", json.dumps(variables)], check=True)
        recording = json.loads(gzip.decompress((Path(folder) / host / target.name).read_bytes()))
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=hours)
    recording["recorded_at"] = then.strftime("%Y-%m-%dT%H:%M:%SZ")
    target.write_bytes(gzip.compress(json.dumps(recording).encode("utf-8")))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line of the lab: what `make lab`, `lab-status`, `lab-wait`, `lab-env` and `lab-down` run. Ansible does the
work."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "module_utils"))

from nexuslab import command  # noqa: E402


def main() -> int:
    """Read the arguments, call the command."""
    parser = argparse.ArgumentParser(prog="lab.py", description=__doc__)
    parser.add_argument("command", choices=["up", "prepare", "status", "env", "wait", "down"])
    parser.add_argument("--nowait", action="store_true", help="up: return when all but Kubernetes is up")
    parser.add_argument(
        "--only", default="", help="up: these components alone (comma separated); what runs already stays"
    )
    parser.add_argument("--keep", action="store_true", help="down: keep the data, the logs and the passwords")
    parser.add_argument("--json", action="store_true", help="status: lab.json with what was found out now")
    arguments = parser.parse_args()
    checkout = HERE.parents[1]
    lab_dir = Path(os.environ.get("NEXUSCOS_LAB_DIR") or checkout / ".lab").resolve()
    lab = command.Lab(checkout, lab_dir)
    try:
        return int(getattr(lab, arguments.command)(arguments))
    except command.LabError as error:
        print("lab: %s" % error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\nThe lab goes on in the background: `make lab-wait` follows it again, `make lab-down` ends it.",
            file=sys.stderr,
        )
        return 130


if __name__ == "__main__":
    sys.exit(main())

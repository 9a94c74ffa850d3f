#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory of the lab's own playbooks: its components as local hosts, and what they need to know as the variable
`lab`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "module_utils"))

import yaml  # noqa: E402
from nexuslab import instance, plan, state  # noqa: E402

CHECKOUT = HERE.parents[2]
COMPONENTS = [
    "network",
    "packages",
    "postgresql",
    "analytics",
    "redis",
    "mongodb",
    "monitoring",
    "dashboards",
    "edge",
    "hosts",
    "backups",
    "compose",
    "kubernetes",
]


def main() -> None:
    """Print the inventory as Ansible wants it."""
    lab_dir = Path(os.environ.get("NEXUSCOS_LAB_DIR") or CHECKOUT / ".lab")
    number = instance.current(lab_dir)
    if number is None:
        sys.exit("the lab has no instance yet: run `make lab`")
    catalogue = yaml.safe_load((CHECKOUT / "inventories/lab/group_vars/all/catalogue.yml").read_text())
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "lab": plan.describe(CHECKOUT, lab_dir, number, catalogue["nexuscos_services"]),
        "lab_secrets": state.read(lab_dir / "secrets.json"),
        "nexuscos_services": catalogue["nexuscos_services"],
    }
    print(
        json.dumps(
            {
                "components": {"hosts": COMPONENTS},
                "all": {"children": ["components"], "vars": variables},
                "_meta": {"hostvars": {}},
            }
        )
    )


if __name__ == "__main__":
    main()

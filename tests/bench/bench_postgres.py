# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All of postgres_health as a playbook over the lab's primary, against psql asking one question and an empty task."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import measure

LIMIT_SECONDS = 1.6
ROLE = "nexus_monitor"


def login(lab: Path) -> dict[str, Any]:
    """How the lab's primary is reached, as options of the module."""
    state = json.loads((lab / "lab.json").read_text(encoding="utf-8"))
    secrets = json.loads((lab / "secrets.json").read_text(encoding="utf-8"))
    return {
        "login_host": state["machines"]["db1"]["address"],
        "login_user": ROLE,
        "login_password": secrets["postgres"]["monitor"],
        "login_db": "nexusdb",
        "ca_cert": state["ca"],
    }


def main() -> None:
    """Measure and print."""
    given = login(Path(os.environ.get("NEXUSCOS_LAB_DIR") or measure.ROOT / ".lab"))
    options = {"target": "db1", "expected_standbys": ["db2", "db3"], **given}
    module = {"nexuscos.ops.postgres_health": options, "register": "look"}
    seen = "look.coverage | rejectattr('seen') | list | length == 0 and look.coverage | length >= 41"
    checked = {"ansible.builtin.assert": {"that": [seen]}}
    psql = ["psql", "-X", "-At", "-c", "SELECT version()"]
    env = {
        "PATH": "/usr/bin:/bin",
        "PGHOST": given["login_host"],
        "PGUSER": ROLE,
        "PGPASSWORD": given["login_password"],
        "PGDATABASE": given["login_db"],
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": given["ca_cert"],
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # The bench is about a look that sees everything: one that was refused would be quick for nothing.
        measure.process(measure.playbook([module, checked], folder, "checked"))
        whole = measure.playbook([module], folder, "module")
        empty = measure.playbook([{"ansible.builtin.ping": {}}], folder, "empty")
        taken = measure.in_turn(
            {
                "postgres_health": lambda: measure.process(whole)[0],
                "psql, one question": lambda: measure.process(psql, env)[0],
                "one empty task": lambda: measure.process(empty)[0],
            }
        )
    against = {what: measure.median(values) for what, values in taken.items() if what != "postgres_health"}
    measure.emit(
        "postgres",
        "all 41 checks of a primary with two standbys; whole playbook",
        taken["postgres_health"],
        "s",
        against,
        LIMIT_SECONDS,
    )


if __name__ == "__main__":
    main()

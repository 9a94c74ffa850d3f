# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say how far a component of the lab is, and wait for others; runs in the controller, so that it costs next to
nothing."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

# in the controller, Ansible does not put a playbook's module_utils on the path
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "module_utils"))
from nexuslab import state


class ActionModule(ActionBase):
    """Options: name (default the host), state, detail, extra (merged into lab.json), requires (components), timeout
    (s)."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _VALID_ARGS = frozenset(("name", "state", "detail", "extra", "requires", "timeout"))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Wait for what is required, then write this component's state."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        path = Path(variables["lab"]["dir"]) / "lab.json"
        run_id = os.environ.get("NEXUSCOS_LAB_RUN", "")
        name = self._task.args.get("name") or variables["inventory_hostname"]
        self._wait(
            path, run_id, list(self._task.args.get("requires") or []), float(self._task.args.get("timeout") or 900)
        )
        wanted = self._task.args.get("state")
        if wanted:
            change = dict(self._task.args.get("extra") or {})
            part = {"state": wanted, "detail": str(self._task.args.get("detail") or ""), "run": run_id}
            change["components"] = {name: part}
            state.update(path, change)
        result["changed"] = False
        return result

    @staticmethod
    def _wait(path: Path, run_id: str, requires: list[str], timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while True:
            components = state.read(path).get("components", {})
            current = {name: components.get(name, {}) for name in requires}
            here = {name: part for name, part in current.items() if part.get("run", "") == run_id}
            for name, part in here.items():
                if part.get("state") == "failed":
                    raise AnsibleActionFail("%s is needed first, and failed: %s" % (name, part.get("detail", "")))
            late = sorted(name for name in requires if here.get(name, {}).get("state") != "up")
            if not late:
                return
            if time.monotonic() > deadline:
                raise AnsibleActionFail("waited %.0f s for %s" % (timeout, ", ".join(late)))
            time.sleep(0.25)

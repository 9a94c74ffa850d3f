# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Begin a run: note when, and refuse early what would otherwise be noticed at the end."""

from __future__ import annotations

import os
import secrets
import time
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.nexuscos.ops.plugins.module_utils._checklists import PROCEDURES
from ansible_collections.nexuscos.ops.plugins.module_utils._core.observe import now_iso
from ansible_collections.nexuscos.ops.plugins.module_utils._report import journal
from ansible_collections.nexuscos.ops.plugins.module_utils._report.model import FAIL_ON
from ansible_collections.nexuscos.ops.plugins.module_utils._report.store import stamp
from ansible_collections.nexuscos.ops.plugins.plugin_utils import warm

# Before the first fork of the run that comes now.
warm.templates()


class ActionModule(ActionBase):
    """See plugins/modules/run_start.py for the documentation."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, given = self.validate_argument_spec(
            argument_spec={
                "procedure": {"type": "str", "required": True, "choices": sorted(PROCEDURES)},
                "fail_on": {"type": "str", "choices": list(FAIL_ON), "default": "critical"},
                "dir": {"type": "str", "default": ""},
            }
        )
        started = now_iso()
        run = {
            "procedure": given["procedure"],
            "id": "%s-%s-%s" % (given["procedure"], stamp(started), secrets.token_hex(2)),
            "started": started,
            # One clock for all processes of a machine, and never set back: good for the difference at the end.
            "clock": time.monotonic(),
        }
        run["journal"] = ""
        if given["dir"] and not self._task.check_mode:
            # This is a worker; the process of the whole run is the one that has started it.
            run["journal"] = journal.begin(given["dir"], run, os.getppid())
        return {**result, "changed": False, "run": run}

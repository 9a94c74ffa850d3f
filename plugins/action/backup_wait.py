# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for backups that go on in the background of a host, and show how far they are."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import progress
from ansible_collections.nexuscos.ops.plugins.plugin_utils.long_work import LongWork


class ActionModule(LongWork):
    """See plugins/modules/backup_wait.py for the documentation."""

    WHAT = progress.BACKUP

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Wait for the jobs."""
        result: dict[str, Any] = ActionBase.run(self, tmp, task_vars)
        _validation, given = self.validate_argument_spec(
            argument_spec={
                "jobs": {"type": "list", "elements": "dict", "required": True},
                "path": {"type": "path", "default": "/backups/nexus-cos"},
                "deadline": {"type": "float", "default": 18000.0},
            }
        )
        jobs = {str(job.get("item")): job for job in given["jobs"] if job.get("ansible_job_id")}
        done = self.wait(jobs, given["path"], given["deadline"], self.WHAT, None, task_vars or {})
        results = [{**done.get(name, {"started": True, "finished": False}), "item": {"item": name}} for name in jobs]
        late = [name for name in jobs if name not in done]
        bad = [name for name in jobs if done.get(name, {}).get("failed")]
        words = ["%d of %d done" % (len(jobs) - len(late) - len(bad), len(jobs))]
        words += ["failed: %s" % ", ".join(bad)] if bad else []
        words += ["not done in time: %s" % ", ".join(late)] if late else []
        return {
            **result,
            "changed": any(one.get("changed") for one in done.values()),
            "results": results,
            "late": late,
            "bad": bad,
            "msg": "; ".join(words),
        }

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress of `make lab`: one line a step, and the step in lab.json, so that `make lab-status` can tell."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "module_utils"))
from nexuslab import state

DOCUMENTATION = """
name: lab_progress
type: stdout
short_description: one line a step of the lab's components
description:
  - Writes each step of each component with its time, and failures with their message.
"""
# what a component says itself by the action lab_component is worth a line of its own
QUIET = {
    "lab_component",
    *("include_role", "import_role", "include_tasks", "import_tasks", "set_fact"),
    *(
        "ansible.builtin.%s" % name
        for name in ("include_role", "import_role", "include_tasks", "import_tasks", "set_fact")
    ),
}


class CallbackModule(CallbackBase):
    """Prints steps as they begin, per component; the strategy is free, so they interleave."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "lab_progress"

    def __init__(self) -> None:
        super().__init__()
        lab_dir = os.environ.get("NEXUSCOS_LAB_DIR") or Path(__file__).resolve().parents[3] / ".lab"
        self._path = Path(lab_dir) / "lab.json"
        self._run = os.environ.get("NEXUSCOS_LAB_RUN", "")

    def _line(self, component: str, text: str) -> None:
        print("%s  %-11s %s" % (time.strftime("%H:%M:%S", time.gmtime()), component, text), flush=True)

    def _component(self, name: str, part: dict[str, str]) -> None:
        state.update(self._path, {"components": {name: dict(part, run=self._run)}}, sync=False)

    def v2_playbook_on_start(self, _playbook: Any) -> None:
        self._started = time.monotonic()
        self._up: set[str] = set()

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        if task.action in QUIET:
            return
        name = task.get_name().rpartition(" : ")[2]
        if host.get_name() in self._up:  # whatever comes after it, mostly skipped
            return
        self._line(host.get_name(), name)
        self._component(host.get_name(), {"state": "starting", "detail": name})

    def v2_runner_on_ok(self, result: Any) -> None:
        task = result.task if hasattr(result, "task") else result._task
        host = result.host if hasattr(result, "host") else result._host
        if task.action == "lab_component" and task.args.get("state") == "up":
            self._up.add(host.get_name())
            self._line(host.get_name(), "up after %.0f s" % (time.monotonic() - self._started))

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if ignore_errors:
            return
        task = result.task if hasattr(result, "task") else result._task
        host = result.host if hasattr(result, "host") else result._host
        data = result.result if hasattr(result, "result") else result._result
        parts = [str(data.get("msg") or "failed")]
        items = [item for item in data.get("results") or [] if isinstance(item, dict) and item.get("failed")]
        parts += [str(item.get("msg") or item.get("stderr") or "") for item in items]
        parts += [str(data[key]) for key in ("stderr", "stdout") if data.get(key)]
        text = "\n".join(part.strip() for part in parts if part.strip())
        self._line(host.get_name(), "FAILED  %s: %s" % (task.get_name().rpartition(" : ")[2], text))
        self._component(host.get_name(), {"state": "failed", "detail": text[:600]})

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self.v2_runner_on_failed(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        failed = sorted(set(stats.failures) | set(stats.dark))
        seconds = time.monotonic() - self._started
        self._line("lab", "%s after %.0f s" % ("failed: %s" % ", ".join(failed) if failed else "done", seconds))

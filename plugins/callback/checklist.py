# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Standard output of a procedure: a checklist that fills while the run goes."""

from __future__ import annotations

DOCUMENTATION = r"""
name: checklist
type: stdout
short_description: A checklist that fills while a procedure runs
version_added: 0.1.0
author: Nexus COS operations (@nexuscos)
description:
  - Shows the items of a procedure of this collection, such as C(nexuscos.ops.daily_morning), while its systems are
    looked at. On a terminal the lines are redrawn in place. In a log there is one line for each system that is done,
    without escape sequences.
  - Errors of tasks are shown in full, with what to do about them.
  - The report itself is printed by M(nexuscos.ops.run_report), below any callback, so that a log of AWX has it, too.
  - For playbooks that are no procedure, and with C(-vv) and more, it is P(ansible.builtin.default#callback).
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - Set as C(stdout_callback) in the configuration.
"""

import os
import sys
import time
from typing import Any

from ansible.plugins.callback.default import CallbackModule as DefaultCallback
from ansible.utils.color import ANSIBLE_COLOR, stringc

from ansible_collections.nexuscos.ops.plugins.module_utils._catalogue import BY_ID
from ansible_collections.nexuscos.ops.plugins.module_utils._checklists import LOOKING, title_of
from ansible_collections.nexuscos.ops.plugins.module_utils._report.looks import CAPABILITIES, GROUPS, OPTIONS, kind_of
from ansible_collections.nexuscos.ops.plugins.module_utils._report.progress import Progress
from ansible_collections.nexuscos.ops.plugins.module_utils._report.terminal import plain
from ansible_collections.nexuscos.ops.plugins.module_utils._report.text import clean, plural

_OBSERVERS = {"nexuscos.ops.%s" % one.module: one.module for one in CAPABILITIES}
_START = "nexuscos.ops.run_start"
_REPORT = "nexuscos.ops.run_report"
_VERDICTS = ("ansible.builtin.assert", "ansible.builtin.fail")
_VALIDATE = "ansible.builtin.validate_argument_spec"


class CallbackModule(DefaultCallback):
    """See DOCUMENTATION."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "nexuscos.ops.checklist"

    def __init__(self) -> None:
        super().__init__()
        self._procedure = ""
        self._whole = False
        self._told = False
        self._progress: Progress | None = None
        self._drawn = 0
        self._began: dict[tuple[str, str], float] = {}
        self._redraw = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    # What a run begins and ends with

    def v2_playbook_on_start(self, playbook: Any) -> None:
        name = os.path.splitext(os.path.basename(str(getattr(playbook, "_file_name", ""))))[0]
        if name in LOOKING and self._display.verbosity < 2:
            self._procedure, self._whole = name, True
        super().v2_playbook_on_start(playbook)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._play = play
        if not self._procedure:
            super().v2_playbook_on_play_start(play)
        elif self._progress is None:
            self._begin(play)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._erase()
        if not self._whole or self._display.verbosity:
            super().v2_playbook_on_stats(stats)

    def _begin(self, play: Any) -> None:
        systems, engines = _systems(play)
        if not systems:
            return
        self._progress = Progress(LOOKING[self._procedure], BY_ID, systems, engines)
        title = title_of(self._procedure)
        self._display.display("%s: looking at %s" % (title, plural(len(systems), "system")))
        self._draw()

    # What tasks say

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        if not self._procedure and task.action == _START and self._display.verbosity < 2:
            # A playbook of the user's own that imports a procedure.
            self._procedure = str(task.args.get("procedure") or "")
            if self._procedure in LOOKING:
                self._begin(self._play)
            else:
                self._procedure = ""
        if not self._procedure:
            super().v2_playbook_on_task_start(task, is_conditional)
        elif task.action == _REPORT:
            # Its report has the same lines with more to say.
            self._erase()
            self._progress = None

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        if not self._procedure:
            super().v2_runner_on_start(host, task)
        elif task.action in _OBSERVERS:
            self._began[(host.get_name(), task.action)] = time.monotonic()

    def v2_runner_on_ok(self, result: Any) -> None:
        task, host, data = _parts(result)
        if not self._procedure:
            super().v2_runner_on_ok(result)
            return
        self._warn(data)
        if task.action in _OBSERVERS:
            self._finished(host, task.action, data)
        elif task.action == _REPORT:
            self._told = True
        elif task.action in _VERDICTS and self._told:
            self._end()

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        task, host, data = _parts(result)
        if not self._procedure:
            super().v2_runner_on_failed(result, ignore_errors)
            return
        if (task.action == _REPORT and "fails" in data) or (task.action in _VERDICTS and self._told):
            self._display.display("failed: %s" % clean(str(data.get("msg"))), color="red")
            self._end()
        elif task.action in _OBSERVERS or (task.action == _VALIDATE and self._progress is not None):
            self._warn(data)
            # Ansible takes `failed` out of what callbacks get to see.
            self._finished(host, task.action, {**data, "failed": True})
        else:
            self._erase()
            super().v2_runner_on_failed(result, ignore_errors)
            self._draw()

    def v2_runner_on_unreachable(self, result: Any) -> None:
        task, host, data = _parts(result)
        if self._procedure and task.action in _OBSERVERS:
            self._finished(host, task.action, {**data, "unreachable": True})
        else:
            self._erase()
            super().v2_runner_on_unreachable(result)
            self._draw()

    def v2_runner_on_skipped(self, result: Any) -> None:
        if not self._procedure:
            super().v2_runner_on_skipped(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        if not self._procedure:
            super().v2_runner_item_on_ok(result)

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        if not self._procedure:
            super().v2_runner_item_on_skipped(result)

    def v2_playbook_on_include(self, included_file: Any) -> None:
        if not self._procedure:
            super().v2_playbook_on_include(included_file)

    # What is drawn

    def _finished(self, host: str, action: str, data: dict[str, Any]) -> None:
        if self._progress is None:
            return
        modules = (
            [_OBSERVERS[action]]
            if action in _OBSERVERS
            else [one for name, one in self._progress.waiting if name == host]
        )
        began = self._began.get((host, action))
        took = time.monotonic() - began if began is not None else None
        self._erase()
        for module in modules or [next(iter(_OBSERVERS.values()))]:
            look, line = self._progress.finished(host, module, data, took)
            if not self._redraw or look.error is not None:
                self._display.display("  %s" % line, color="purple" if look.error is not None else None)
            if look.error is not None:
                for text in look.error[1].split("\n"):
                    self._display.display("      %s" % text, color="red")
                self._display.display("      %s" % _what_to_do(host, data))
        self._draw()

    def _end(self) -> None:
        self._progress = None
        self._told = False
        if not self._whole:
            self._procedure = ""

    def _draw(self) -> None:
        if self._progress is None or not self._redraw:
            return
        columns = max(int(self._display.columns), 40)
        lines = self._progress.lines(_paint if ANSIBLE_COLOR else plain, columns)
        self._display.display("\n".join(lines), screen_only=True)
        self._drawn = len(lines)

    def _erase(self) -> None:
        if self._drawn:
            self._display.display("\x1b[%dF\x1b[J" % self._drawn, screen_only=True, newline=False)
            self._drawn = 0

    def _warn(self, data: dict[str, Any]) -> None:
        if data.get("warnings") or data.get("deprecations"):
            self._erase()
            self._handle_warnings(data)
            self._draw()


def _paint(text: str, colour: str) -> str:
    return str(stringc(text, colour))


def _what_to_do(host: str, data: dict[str, Any]) -> str:
    if kind_of(data) == OPTIONS:
        return (
            "what to do: mend this in the inventory (variables of %s), then run it again; until then the job fails"
            % host
        )
    return "what to do: run it again with --limit '%s' -vvv; its items are unknown in this run" % host


def _parts(result: Any) -> tuple[Any, str, dict[str, Any]]:
    """Task, host name and return values of a result, by the names of old and new ansible-core."""
    task = getattr(result, "task", None) or result._task  # noqa: SLF001
    host = getattr(result, "host", None) or result._host  # noqa: SLF001
    data = getattr(result, "result", None)
    return task, host.get_name(), data if data is not None else result._result  # noqa: SLF001


def _systems(play: Any) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The hosts of a play with their groups and database engines."""
    manager = play.get_variable_manager()
    systems: dict[str, list[str]] = {}
    engines: dict[str, str] = {}
    for host in manager._inventory.get_hosts(play.hosts):  # noqa: SLF001
        name = host.get_name()
        groups = [group.get_name() for group in host.get_groups()]
        if not set(GROUPS) & set(groups):
            continue
        systems[name] = groups
        if "databases" in groups:
            engine = manager.get_vars(play=play, host=host).get("nexuscos_database_engine", "postgres")
            engines[name] = str(engine)
    return systems, engines

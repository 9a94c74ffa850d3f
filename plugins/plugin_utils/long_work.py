# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that work for minutes or hours: they run in the background of their host, and are asked how far they are.

The answer is a line that is rewritten on a terminal, and one now and then in a log. It comes from backup_sets, over the
same connection, so that it works for hosts near and far alike. That it cannot be had is nobody's failure.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import progress
from ansible_collections.nexuscos.ops.plugins.module_utils._core.observe import now_iso
from ansible_collections.nexuscos.ops.plugins.module_utils._report import journal

FIRST_S, LOG_EVERY_S = 10.0, 60.0
_REDRAW_S = 2.0
_POLL_LEAST, _POLL_MOST = 0.5, 3.0
_LOST_MOST = 10
_GRACE_S = 90
_TERMINALS = ("/dev/pts/", "/dev/tty", "/dev/console")


class LongWork(ActionBase):
    """Base of the actions that wait for modules of backups.

    :cvar MODULE: the module of the same name, which does the work; WHAT: see `progress`.
    :cvar NOTED: whether what came of it is noted in the journal of the run, as that of a system.
    """

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = True
    MODULE = ""
    WHAT = progress.RESTORE
    NOTED = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module and wait for it."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        name, args = "nexuscos.ops.%s" % self.MODULE, dict(self._task.args)
        if self._task.check_mode or self._task.async_val:
            # A plan is made at once; who runs it in the background by himself waits by himself.
            waits = self._task.async_val
            return {**result, **self._execute_module(name, module_args=args, task_vars=task_vars, wrap_async=waits)}
        limit = int(_number(args.get("deadline")) or 6 * 3600) + _GRACE_S
        self._task.async_val = limit
        try:
            begun = self._execute_module(name, module_args=args, task_vars=task_vars, wrap_async=True)
        finally:
            self._task.async_val = 0
        if "ansible_job_id" not in begun:
            return {**result, **begun}
        system = str(args.get("system") or args.get("database") or self.MODULE)
        told = self.wait({system: begun}, str(args.get("path") or "/backups/nexus-cos"), limit, self.WHAT,
                         _level(args.get("level")), task_vars)  # fmt: skip
        answer = told.get(system) or {"failed": True, "msg": "it was not done in time"}
        for key in ("started", "finished", "ansible_job_id", "results_file", "stdout", "stderr", "stdout_lines",
                    "stderr_lines"):  # fmt: skip
            answer.pop(key, None)
        return {**result, **answer}

    def wait(
        self, jobs: Mapping[str, Mapping[str, Any]], path: str, limit: float, what: str, level: int | None,
        task_vars: Mapping[str, Any],
    ) -> dict[str, dict[str, Any]]:  # fmt: skip
        """Wait until all jobs are done, and show how far they are.

        :param jobs: system to what the task that began it returned; path: folder of the sets; limit: seconds.
        :returns: what came of each that was done in time.
        """
        began, lost = time.monotonic(), 0
        place = str(task_vars.get("inventory_hostname") or "place")
        kept = _journal(task_vars) if self.NOTED else ""
        journal.note(kept, place, now_iso(), list(jobs))
        done: dict[str, dict[str, Any]] = {}
        show = Show(self._display.display, place, self._columns())
        try:
            while len(done) < len(jobs):
                clock = time.monotonic()
                for system, job in jobs.items():
                    if system in done:
                        continue
                    try:
                        answer = self._ask(job, "status", task_vars)
                        lost = 0
                    except AnsibleConnectionFailure:
                        # The work goes on without us: a connection that comes back finds it.
                        lost += 1
                        if lost > _LOST_MOST:
                            raise
                        break
                    if answer.get("finished") or answer.get("failed"):
                        done[system] = answer
                        journal.note(kept, place, now_iso(), None, **{system: answer})
                        self._forget(job, task_vars)
                waited = time.monotonic() - began
                if len(done) == len(jobs) or waited > limit:
                    break
                if show.due(waited):
                    open_jobs = [system for system in jobs if system not in done]
                    show.tell(waited, self._far(open_jobs, path, waited, what, level, task_vars))
                # Asking costs the host something: on a slow one it is asked less often.
                time.sleep(min(max(time.monotonic() - clock, _POLL_LEAST), _POLL_MOST))
        finally:
            show.end()
        return done

    def _ask(self, job: Mapping[str, Any], mode: str, task_vars: Mapping[str, Any]) -> dict[str, Any]:
        args = {"jid": job["ansible_job_id"], "mode": mode}
        if job.get("results_file"):
            args["_async_dir"] = os.path.dirname(str(job["results_file"]))
        found: dict[str, Any] = self._execute_module(
            "ansible.legacy.async_status", module_args=args, task_vars=task_vars, wrap_async=False
        )
        return found

    def _forget(self, job: Mapping[str, Any], task_vars: Mapping[str, Any]) -> None:
        try:
            self._ask(job, "cleanup", task_vars)
        except AnsibleError:
            return  # a file of some bytes stays behind

    def _far(
        self, systems: Sequence[str], path: str, waited: float, what: str, level: int | None,
        task_vars: Mapping[str, Any],
    ) -> list[str]:  # fmt: skip
        """How far they are; never what work fails for."""
        listed: Mapping[str, Any] = {}
        try:
            listed = self._execute_module(
                "nexuscos.ops.backup_sets",
                module_args={"path": path, "systems": self._asked_about(list(systems)), "newest": 1},
                task_vars=task_vars, wrap_async=False,
            )  # fmt: skip
        except AnsibleError:
            listed = {}
        running = dict.fromkeys(systems, waited)
        try:
            return progress.texts(listed, running, what, level)
        except (TypeError, ValueError, AttributeError, OverflowError):
            return progress.texts({}, running, what, level)

    def _asked_about(self, running: list[str]) -> list[str]:
        """The systems that are asked about."""
        return running

    def _columns(self) -> int:
        """Columns of the terminal that Ansible writes to; 0 for a log. A worker has no terminal of its own."""
        try:
            leads = os.readlink("/proc/%d/fd/1" % os.getppid())
        except OSError:
            return 0
        if not leads.startswith(_TERMINALS) or os.environ.get("TERM", "dumb") == "dumb":
            return 0
        return int(self._display.columns)


class Show:
    """What is told while it goes.

    :param display: ansible's ``display``; columns: of the terminal, 0 for a log.
    """

    def __init__(self, display: Callable[..., Any], place: str, columns: int) -> None:
        self._display, self._place, self._columns = display, place, columns
        self._next = _REDRAW_S if columns else FIRST_S
        self._drawn = False

    def due(self, waited: float) -> bool:
        """Whether there is to be a line now, so many seconds after the beginning."""
        return waited >= self._next

    def tell(self, waited: float, texts: Sequence[str]) -> None:
        """Show it: in place of the line before, or below it."""
        self._next = waited + (_REDRAW_S if self._columns else LOG_EVERY_S)
        text = progress.line(self._place, texts, self._columns)
        if self._columns:
            self._display("\r\x1b[K" + text, screen_only=True, newline=False)
            self._drawn = True
        else:
            self._display(text)

    def end(self) -> None:
        """Take the line away: what follows stands in its place."""
        if self._drawn:
            self._display("\r\x1b[K", screen_only=True, newline=False)
            self._drawn = False


def _journal(task_vars: Mapping[str, Any]) -> str:
    """The journal of the run, where the playbook has begun one."""
    run = task_vars.get("nexuscos_run")
    about = run.get("run") if isinstance(run, Mapping) else None
    return str(about.get("journal") or "") if isinstance(about, Mapping) else ""


def _level(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None else None


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell a run that is kept in the history, or compare two."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.color import ANSIBLE_COLOR, stringc

from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._history.delta import past_of
from ansible_collections.nexuscos.ops.plugins.module_utils._history.place import HistoryError, default_url, shown
from ansible_collections.nexuscos.ops.plugins.module_utils._history.store import History, exists, open_history
from ansible_collections.nexuscos.ops.plugins.module_utils._report import delta_view, html, markdown, store, terminal
from ansible_collections.nexuscos.ops.plugins.module_utils._report.text import clean, duration, number, pad, when

_TEMPLATE = Path(__file__).parents[2] / "roles" / "report" / "templates" / "report.html.j2"
_LISTED = 20


class ActionModule(ActionBase):
    """See plugins/modules/run_render.py for the documentation."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, given = self.validate_argument_spec(
            argument_spec={
                "run": {"type": "str", "default": "latest"},
                "compare_with": {"type": "str", "default": ""},
                "procedure": {"type": "str", "default": "daily_morning"},
                "platform": {"type": "str", "default": "platform"},
                "dest": {"type": "str", "default": ""},
                "dir": {"type": "str", "default": "reports"},
                "history_url": {"type": "str", "default": "", "no_log": True},
            }
        )
        try:
            return {**result, **self._render(given)}
        except (OptionError, HistoryError, store.StoreError) as error:
            return {**result, "failed": True, "msg": str(error)}

    def _render(self, given: Mapping[str, Any]) -> dict[str, Any]:
        url = given["history_url"].strip() or default_url(given["dir"])
        if not exists(url):
            raise OptionError("there is no history at %s yet: run a procedure first" % shown(url))
        history = open_history(url, write=False)
        runs = history.runs(given["procedure"], given["platform"], _LISTED)
        if given["run"] == "list":
            self._say(lambda _paint: "\n".join(_table(runs)))
            return {"changed": False, "runs": runs, "report": None, "path": None, "msg": "%d runs" % len(runs)}
        report = _one(history, runs, given["run"], given)
        other = None
        if given["compare_with"]:
            told = report["run"]
            earlier = history.runs(told["procedure"], told["platform"], 1, told["started"])
            other = _one(history, earlier, given["compare_with"], given)
            _compare(report, other)
        _trends(history, report)
        path = ""
        if given["dest"] and not self._task.check_mode:
            path = _write(report, os.path.abspath(os.path.expanduser(given["dest"])))
        columns = min(self._display.columns, 120) if sys.stdout.isatty() else terminal.COLUMNS
        verbose = self._display.verbosity > 0
        page = os.path.join(path, "report.html") if path else ""
        self._say(lambda paint: terminal.render(report, paint, columns, verbose, page))
        return {
            "changed": bool(given["dest"]),
            "runs": runs,
            "report": report,
            "path": path or None,
            "msg": "run %s%s" % (report["run"]["id"], " against %s" % other["run"]["id"] if other else ""),
        }

    def _say(self, text: Any) -> None:
        """Print it through Ansible's display, so that it comes out the same below every callback."""
        if ANSIBLE_COLOR:
            self._display.display("\n%s\n" % text(_paint), screen_only=True)
            self._display.display("\n%s\n" % text(terminal.plain), log_only=True)
        else:
            self._display.display("\n%s\n" % text(terminal.plain))


def _paint(text: str, colour: str) -> str:
    return str(stringc(text, colour))


def _one(history: History, runs: Sequence[Mapping[str, Any]], name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The report of a run by its id, how that begins or ends, or ``latest`` and ``previous``."""
    if name in ("latest", "previous"):
        if not runs:
            raise OptionError(
                "the history %s has no %s run of %s on %s"
                % (history.url, "such" if name == "latest" else "earlier", given["procedure"], given["platform"])
            )
        found = [str(runs[0]["id"])]
    else:
        every = [str(run["id"]) for run in history.runs(limit=10000)]
        found = [one for one in every if one == name] or [one for one in every if name in one]
    if len(found) != 1:
        near = found or [str(run["id"]) for run in runs]
        raise OptionError(
            "%s runs of the history %s are called %r: %s"
            % ("several" if found else "no", history.url, name, ", ".join(near[:6]) or "there is none at all")
        )
    report = history.report(found[0])
    if report is None:
        raise OptionError("the run %s has just been removed from the history" % found[0])
    report["run"]["id"] = found[0]
    return delta_view.complete(report)


def _compare(report: dict[str, Any], other: Mapping[str, Any]) -> None:
    """Tell a run as if the other had been the last one before it."""
    marks = {one["fingerprint"]: one["acknowledged"] for one in report["findings"]}
    ended = report["history"]["ended"]
    for one in report["findings"]:
        one.update(delta=None, since=None, was=None, flapping=None)
    report["delta"] = None
    delta_view.apply(report, [past_of(other)], [], str(report["run"]["started"]))
    for one in report["findings"]:
        one["acknowledged"] = marks[one["fingerprint"]]
    report["history"]["ended"] = ended


def _trends(history: History, report: dict[str, Any]) -> None:
    run = report["run"]
    past = history.recent(run["procedure"], run["platform"], delta_view.POINTS - 1, run["started"])
    delta_view.trends(report, past, history.series([one.id for one in past]))


def _write(report: Mapping[str, Any], folder: str) -> str:
    files = {
        "report.json": json.dumps(report, indent=1, ensure_ascii=False) + "\n",
        "report.md": markdown.render(report),
        "report.html": html.render(report, _TEMPLATE.read_text(encoding="utf-8")),
    }
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise OptionError("dest: cannot make %s: %s" % (folder, error.strerror or error)) from error
    for name, text in files.items():
        store.replace(os.path.join(folder, name), text)
    return folder


def _table(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    if not runs:
        return ["The history has no such run."]
    lines = []
    for run in runs:
        counts = ", ".join(
            "%s %s" % (number(run[word]), word) for word in ("critical", "unknown", "warning") if run[word]
        )
        limit = " (only %s)" % clean(str(run["limited_to"])) if run["limited_to"] else ""
        lines.append(
            "%s  %s  %s  %s%s"
            % (
                when(run["started"]),
                pad(run["worst"], 9),
                pad(duration(run["seconds"]), 12),
                counts or "nothing",
                limit,
            )
        )
        lines.append("    %s" % clean(str(run["id"])))
    return lines

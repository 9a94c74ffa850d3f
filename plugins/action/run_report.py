# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""End a run: gather what every system said, tell it, write the report, and decide whether the job fails."""

from __future__ import annotations

import getpass
import json
import os
import platform
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version
from ansible.utils.color import ANSIBLE_COLOR, stringc

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import outcome, steps
from ansible_collections.nexuscos.ops.plugins.module_utils._catalogue import BY_ID
from ansible_collections.nexuscos.ops.plugins.module_utils._checklists import DOING, PROCEDURES, title_of
from ansible_collections.nexuscos.ops.plugins.module_utils._core.observe import now_iso
from ansible_collections.nexuscos.ops.plugins.module_utils._history.keep import Keeper
from ansible_collections.nexuscos.ops.plugins.module_utils._report import (
    changes,
    handoff,
    html,
    journal,
    junit,
    markdown,
    prometheus,
    store,
    terminal,
)
from ansible_collections.nexuscos.ops.plugins.module_utils._report import (
    day as day_facts,
)
from ansible_collections.nexuscos.ops.plugins.module_utils._report.looks import (
    GROUPS,
    MISSING,
    OPTIONS,
    STEPS,
    WITHOUT_MODULE,
    Look,
    capabilities_of,
    read_result,
)
from ansible_collections.nexuscos.ops.plugins.module_utils._report.model import FAIL_ON, build, verdict
from ansible_collections.nexuscos.ops.plugins.module_utils._report.text import moment_of
from ansible_collections.nexuscos.ops.plugins.module_utils._version import VERSION

_EVENING = "daily_end_of_day"
_TEMPLATE = Path(__file__).parents[2] / "roles" / "report" / "templates" / "report.html.j2"


class ActionModule(ActionBase):
    """See plugins/modules/run_report.py for the documentation."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _validation, given = self.validate_argument_spec(
            argument_spec={
                "procedure": {"type": "str", "required": True, "choices": sorted(PROCEDURES)},
                "run": {"type": "dict", "default": {}},
                "fail_on": {"type": "str", "choices": list(FAIL_ON), "default": "critical"},
                "dir": {"type": "str", "default": "reports"},
                "keep": {"type": "int", "default": 0},
                "textfile": {"type": "str", "default": ""},
                "history_url": {"type": "str", "default": "", "no_log": True},
                "history_keep_runs": {"type": "int", "default": 400},
                "history_keep_days": {"type": "int", "default": 400},
                "tell": {"type": "str", "choices": ["all", "changes"], "default": "all"},
                "maintenance": {"type": "list", "elements": "raw", "default": []},
                "handoff_note": {"type": "str", "default": ""},
                "platform": {"type": "str", "default": ""},
                "services": {"type": "dict", "default": {}},
                "systems": {"type": "dict", "default": {}},
            }
        )
        doing = given["procedure"] in DOING
        if doing:
            looks, left_out, no_module = _gather_steps(given["procedure"], task_vars)
        else:
            looks, left_out, no_module = _gather(task_vars)
        report = build(
            _run(given, bool(self._task.check_mode)),
            PROCEDURES[given["procedure"]],
            steps.BY_ID if doing else BY_ID,
            looks,
            services=_plain(given["services"]),
            systems=_plain(given["systems"]),
            left_out=left_out,
            no_module=no_module,
        )
        history = Keeper(given["history_url"], given["dir"], not self._task.check_mode)
        if not self._task.check_mode:
            for one in [one for name in DOING for one in journal.left(given["dir"], name)]:
                self._interrupted(one, given, history)
        history.consult(report, now_iso())
        day = _day(report, history, given) if given["procedure"] == _EVENING else None
        history.record(report, given["history_keep_runs"], given["history_keep_days"], now_iso())
        folder, problem = "", ""
        if not self._task.check_mode:
            folder, problem = _write(report, given, day)
            self._textfile(report, given["textfile"])
            journal.end(str(_plain(given["run"]).get("journal") or ""))
        self._tell(report, folder, given["tell"] == "changes")
        failed, reason = verdict(report, given["fail_on"])
        if problem:
            failed, reason = True, problem
        cover = report["coverage"]
        facts = {
            "procedure": given["procedure"],
            "worst": report["summary"]["worst"],
            "critical": report["summary"]["critical"],
            "warning": report["summary"]["warning"],
            "unknown": report["summary"]["unknown"],
            "seen_percent": cover["share"],
            "acknowledged": sum(1 for one in report["findings"] if one["acknowledged"]),
            "new": report["delta"]["new"] if report["delta"] else None,
            "resolved": len(report["delta"]["resolved"]) if report["delta"] else None,
            "run": report["run"]["id"],
            "report": folder,
        }
        return {
            **result,
            "changed": False,
            "failed": failed,
            "fails": failed,
            "msg": reason
            or "%s: worst is %s, %s" % (given["procedure"], report["summary"]["worst"], terminal.seen(cover)),
            "path": folder or None,
            "summary": report["summary"],
            "checklist": [
                {key: item[key] for key in ("id", "state", "status", "headline")} for item in report["items"]
            ],
            "coverage": {key: cover[key] for key in ("seen", "expected", "share", "items_covered", "items_total")},
            "delta": report["delta"],
            "history": report["history"],
            # Shown by AWX as artifacts of the job, and handed on to the next node of a workflow.
            "ansible_stats": {
                "data": {"nexuscos_%s" % given["procedure"]: facts},
                "aggregate": True,
                "per_host": False,
            },
        }

    def _interrupted(self, one: Mapping[str, Any], given: Mapping[str, Any], history: Keeper) -> None:
        """Make the report that a run could not make any more."""
        run = {**given, "procedure": str(one["run"]["procedure"]), "run": one["run"]}
        report = build(_run(run, False, one["ended"]), PROCEDURES[run["procedure"]], steps.BY_ID, _begun(one))
        history.consult(report, now_iso())
        history.record(report, given["history_keep_runs"], given["history_keep_days"], now_iso())
        _folder, problem = _write(report, run, None)
        began = str(one["run"].get("started"))
        self._display.warning(
            "the run of %s of %s did not end: it was interrupted or killed. %s"
            % (run["procedure"], began, problem or "What it did is in the history now, as %s." % report["run"]["id"])
        )

    def _textfile(self, report: Mapping[str, Any], path: str) -> None:
        """The numbers where the node exporter's textfile collector finds them. It never fails a run."""
        if not path:
            return
        try:
            store.replace(os.path.abspath(os.path.expanduser(path)), prometheus.render(report))
        except store.StoreError as error:
            self._display.warning(str(error))

    def _tell(self, report: Mapping[str, Any], folder: str, only_changes: bool) -> None:
        """Print the report. It goes through Ansible's display, so that it comes out the same below every callback."""
        verbose = self._display.verbosity > 0
        path = os.path.join(_short(folder), "report.html") if folder else ""
        columns = min(self._display.columns, 120) if sys.stdout.isatty() else terminal.COLUMNS

        def text(paint: terminal.Paint) -> str:
            if only_changes:
                return changes.render(report, paint, columns)
            return "\n%s\n" % terminal.render(report, paint, columns, verbose, path)

        if ANSIBLE_COLOR:
            self._display.display(text(_paint), screen_only=True)
            self._display.display(text(terminal.plain), log_only=True)
        else:
            self._display.display(text(terminal.plain))


def _paint(text: str, colour: str) -> str:
    return str(stringc(text, colour))


def _day(report: dict[str, Any], history: Keeper, given: Mapping[str, Any]) -> dict[str, Any]:
    """Gather the day that ends, and let the lines of its checklist tell it."""
    run = report["run"]
    reports = history.since(str(run["platform"]), str(run["started"])[:10])
    found = day_facts.gather(reports, report, _plain(given["maintenance"]), time.time(), given["handoff_note"])
    told = day_facts.headlines(found)
    for item in report["items"]:
        item["headline"] = told.get(item["id"], item["headline"])
    return found


def _write(report: Mapping[str, Any], given: Mapping[str, Any], day: dict[str, Any] | None) -> tuple[str, str]:
    files = {
        "report.json": json.dumps(report, indent=1, ensure_ascii=False) + "\n",
        "report.md": markdown.render(report),
        "report.html": html.render(report, _TEMPLATE.read_text(encoding="utf-8")),
        "report.junit.xml": junit.render(report),
        "report.prom": prometheus.render(report),
    }
    if day is not None:
        files["handoff.md"] = handoff.render(report, day)
    folder = os.path.abspath(os.path.expanduser(given["dir"]))
    try:
        store.write(folder, given["procedure"], store.stamp(report["run"]["started"]), files, given["keep"])
    except store.StoreError as error:
        return "", str(error)
    return os.path.join(folder, given["procedure"], "latest"), ""


def _gather(task_vars: Mapping[str, Any]) -> tuple[list[Look], list[str], dict[str, str]]:
    """One look for every system and module that this run had to look at; what was left out; what nothing looks at."""
    hostvars, groups = task_vars["hostvars"], task_vars["groups"]
    members = {name: list(groups.get(name, ())) for name in GROUPS}
    hosts = list(dict.fromkeys(host for name in GROUPS for host in members[name]))
    in_play = set(task_vars.get("ansible_play_hosts_all") or ())
    looks: list[Look] = []
    no_module: dict[str, str] = {}
    if not context.CLIARGS.get("subset"):
        for group in WITHOUT_MODULE:
            no_module.update({str(host): "no module looks at %s yet" % group for host in groups.get(group, ())})
    for host in hosts:
        if host not in in_play:
            continue
        variables, raw = hostvars[host], hostvars.raw_get(host)
        own = [name for name in GROUPS if host in members[name]]
        found, missing = capabilities_of(own, _variable(variables, "nexuscos_database_engine"))
        if missing:
            no_module[str(host)] = "; ".join(missing)
        for capability in found:
            look = Look(name=str(host), capability=capability)
            _describe(look, variables, in_cluster="clusters" in own)
            observation, trouble = raw.get(capability.variable), raw.get("__nexuscos_failed")
            read_result(look, _plain(trouble if observation is None and trouble is not None else observation))
            unrecorded = _plain(raw.get("nexuscos_not_recorded") or {})
            if capability.module in unrecorded:
                look.error = (MISSING, "not in the bundle: %s" % unrecorded[capability.module])
            looks.append(look)
    return looks, [str(host) for host in hosts if host not in in_play], no_module


def _gather_steps(procedure: str, task_vars: Mapping[str, Any]) -> tuple[list[Look], list[str], dict[str, str]]:
    """What a procedure of backups did: one look for every place of this run that has any of its systems."""
    hostvars = task_vars["hostvars"]
    places = [str(one) for one in task_vars["groups"].get("backups", ())]
    in_play = {str(one) for one in task_vars.get("ansible_play_hosts_all") or ()}
    looks = []
    for place in places:
        raw = hostvars.raw_get(place)
        wanted = [str(one) for one in _plain(raw.get("__nexuscos_backup_here") or [])]
        taken = _plain(raw.get("__nexuscos_snapshots_taken"))
        if place not in in_play or not (wanted or taken):
            continue
        look = Look(name=place, capability=STEPS)
        told = {
            "wanted": wanted,
            "rows": _rows(procedure, place, wanted, raw),
            "listed": _plain(raw.get("__nexuscos_backup_listed")),
            "pruned": _plain(raw.get("__backup_prune_done")),
            "copied": _plain(raw.get("__nexuscos_backup_copied")),
            "thinned": _plain(raw.get("__backup_prune_offsite_done")),
            "snapshots": taken,
        }
        read_result(look, steps.observe(procedure, place, told))
        looks.append(look)
    # Who restores one system at one place has left out nothing.
    left_out = [] if procedure == "restore" else [place for place in places if place not in in_play]
    return looks, left_out, {}


def _begun(one: Mapping[str, Any]) -> list[Look]:
    """What a run had done when it was interrupted."""
    procedure = str(one["run"]["procedure"])
    looks = []
    for place, about in one["places"].items():
        done, words = about["done"], "the run was interrupted before this was done"
        answers = [{"item": name, **done.get(name, {"failed": True, "msg": words})} for name in about["wanted"]]
        rows = outcome.rows(answers, about["wanted"], (), place)
        look = Look(name=place, capability=STEPS)
        told = {"wanted": about["wanted"], "rows": rows, "listed": {"msg": "the run was interrupted"}}
        read_result(look, steps.observe(procedure, place, told))
        looks.append(look)
    return looks


def _rows(procedure: str, place: str, wanted: list[str], raw: Mapping[str, Any]) -> Any:
    """A row for each system, also where the run did not come to it."""
    if procedure == "restore":
        done = _plain(raw.get("__restore_done")) or {"failed": True}
        failed = raw.get("__nexuscos_backup_failed")
        if failed:
            done = {**done, "failed": True, "msg": str(done.get("msg") or failed)}
        # What was restored is told as a set is, by whatever name the engine's module has it.
        done["set"] = done.get("set") or done.get("source") or {}
        return outcome.rows([{**done, "item": name} for name in wanted], wanted, (), place)
    rows = _plain(raw.get("backup_rows" if procedure == "backup" else "backup_verify_rows"))
    if rows is not None:
        return rows
    why = str(raw.get("__nexuscos_backup_failed") or "nothing came of the place")
    return outcome.rows([{"item": name, "failed": True, "msg": why} for name in wanted], wanted, (), place)


def _describe(look: Look, variables: Any, in_cluster: bool) -> None:
    """What the inventory says about a system. A variable that cannot be templated is a wrong option."""
    names = (
        "nexuscos_system",
        "nexuscos_cluster",
        "nexuscos_depends_on",
        "nexuscos_expected_standbys",
        "nexuscos_endpoints",
    )
    values: dict[str, Any] = {}
    for name in names:
        try:
            values[name] = _plain(_variable(variables, name))
        # Templating raises what it likes, and the report must come all the same.
        except Exception as error:  # noqa: BLE001
            look.error = (OPTIONS, "%s: %s" % (name, error))
    group = look.capability.group
    if values.get("nexuscos_system") and group != "clusters":
        look.component = str(values["nexuscos_system"])
    look.location = (
        look.name if in_cluster else str(values["nexuscos_cluster"]) if values.get("nexuscos_cluster") else None
    )
    if isinstance(values.get("nexuscos_depends_on"), list):
        look.needs = tuple(str(one) for one in values["nexuscos_depends_on"])
    if group == "databases" and isinstance(values.get("nexuscos_expected_standbys"), list):
        look.standbys = tuple(str(one) for one in values["nexuscos_expected_standbys"])
    if group == "endpoints" and isinstance(values.get("nexuscos_endpoints"), list):
        look.services = {
            str(one.get("name")): str(one["service"])
            for one in values["nexuscos_endpoints"]
            if isinstance(one, dict) and one.get("service")
        }


def _variable(variables: Any, name: str) -> Any:
    # Not get(): older versions of Ansible hand out variables as something that is no full mapping.
    return variables[name] if name in variables else None  # noqa: SIM401


def _plain(value: Any) -> Any:
    """Plain Python values, without Ansible's wrappers and tags."""
    return json.loads(json.dumps(value, default=str))


def _run(given: Mapping[str, Any], check_mode: bool, ended: str = "") -> dict[str, Any]:
    """About the run; ``ended`` where that is not now."""
    past, ended = bool(ended), ended or now_iso()
    began = _plain(given["run"])
    started = str(began.get("started") or ended)
    procedure = given["procedure"]
    return {
        "procedure": procedure,
        "title": title_of(procedure),
        "id": str(began.get("id") or "%s-%s" % (procedure, store.stamp(started))),
        "platform": given["platform"] or "platform",
        "started": started,
        "ended": ended,
        "duration_seconds": _between(started, ended)
        if past
        else round(max(time.monotonic() - float(began.get("clock") or time.monotonic()), 0.0), 1),
        "inventory": [_short(str(one)) for one in context.CLIARGS.get("inventory") or ()],
        "limit": str(context.CLIARGS.get("subset") or "") or None,
        "check_mode": check_mode,
        "fail_on": given["fail_on"],
        "user": _user(),
        "controller": platform.node(),
        "versions": {"collection": VERSION, "ansible": ansible_version, "python": platform.python_version()},
    }


def _between(started: str, ended: str) -> float:
    """Seconds, by the clock of a run that is over."""
    began, over = moment_of(started), moment_of(ended)
    return round(max(over - began, 0.0), 1) if began is not None and over is not None else 0.0


def _short(path: str) -> str:
    """A path as the operator would type it: from here on, where that is shorter."""
    if not os.path.isabs(path):
        return path
    near = os.path.relpath(path)
    return path if near.startswith("..") else near


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        # A container may run as a number that has no name.
        return str(os.getuid())

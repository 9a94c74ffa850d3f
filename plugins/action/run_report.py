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

from ansible_collections.nexuscos.ops.plugins.module_utils._catalogue import BY_ID
from ansible_collections.nexuscos.ops.plugins.module_utils._checklists import PROCEDURES
from ansible_collections.nexuscos.ops.plugins.module_utils._core.observe import now_iso
from ansible_collections.nexuscos.ops.plugins.module_utils._report import html, markdown, store, terminal
from ansible_collections.nexuscos.ops.plugins.module_utils._report.looks import (
    GROUPS,
    OPTIONS,
    WITHOUT_MODULE,
    Look,
    capabilities_of,
    read_result,
)
from ansible_collections.nexuscos.ops.plugins.module_utils._report.model import FAIL_ON, build, verdict
from ansible_collections.nexuscos.ops.plugins.module_utils._version import VERSION

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
                "platform": {"type": "str", "default": ""},
                "services": {"type": "dict", "default": {}},
                "systems": {"type": "dict", "default": {}},
            }
        )
        looks, left_out, no_module = _gather(task_vars)
        report = build(
            _run(given, bool(self._task.check_mode)),
            PROCEDURES[given["procedure"]],
            BY_ID,
            looks,
            services=_plain(given["services"]),
            systems=_plain(given["systems"]),
            left_out=left_out,
            no_module=no_module,
        )
        folder, problem = "", ""
        if not self._task.check_mode:
            folder, problem = _write(report, given)
        self._tell(report, folder)
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
            # Shown by AWX as artifacts of the job, and handed on to the next node of a workflow.
            "ansible_stats": {
                "data": {"nexuscos_%s" % given["procedure"]: facts},
                "aggregate": True,
                "per_host": False,
            },
        }

    def _tell(self, report: Mapping[str, Any], folder: str) -> None:
        """Print the report. It goes through Ansible's display, so that it comes out the same below every callback."""
        verbose = self._display.verbosity > 0
        path = os.path.join(_short(folder), "report.html") if folder else ""
        columns = min(self._display.columns, 120) if sys.stdout.isatty() else terminal.COLUMNS
        text = terminal.render(report, terminal.plain, columns, verbose, path)
        if ANSIBLE_COLOR:
            self._display.display("\n%s\n" % terminal.render(report, _paint, columns, verbose, path), screen_only=True)
            self._display.display("\n%s\n" % text, log_only=True)
        else:
            self._display.display("\n%s\n" % text)


def _paint(text: str, colour: str) -> str:
    return str(stringc(text, colour))


def _write(report: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[str, str]:
    files = {
        "report.json": json.dumps(report, indent=1, ensure_ascii=False) + "\n",
        "report.md": markdown.render(report),
        "report.html": html.render(report, _TEMPLATE.read_text(encoding="utf-8")),
    }
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
            _describe(look, variables)
            observation, trouble = raw.get(capability.variable), raw.get("__nexuscos_failed")
            read_result(look, _plain(trouble if observation is None and trouble is not None else observation))
            looks.append(look)
    return looks, [str(host) for host in hosts if host not in in_play], no_module


def _describe(look: Look, variables: Any) -> None:
    """What the inventory says about a system. A variable that cannot be templated is a wrong option."""
    names = ("nexuscos_system", "nexuscos_cluster", "nexuscos_expected_standbys", "nexuscos_endpoints")
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
        look.name
        if group == "clusters"
        else str(values["nexuscos_cluster"])
        if values.get("nexuscos_cluster")
        else None
    )
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


def _run(given: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    ended = now_iso()
    began = _plain(given["run"])
    started = str(began.get("started") or ended)
    procedure = given["procedure"]
    return {
        "procedure": procedure,
        "title": procedure.rsplit("_", 1)[-1],
        "id": str(began.get("id") or "%s-%s" % (procedure, store.stamp(started))),
        "platform": given["platform"] or "platform",
        "started": started,
        "ended": ended,
        "duration_seconds": round(max(time.monotonic() - float(began.get("clock") or time.monotonic()), 0.0), 1),
        "inventory": [_short(str(one)) for one in context.CLIARGS.get("inventory") or ()],
        "limit": str(context.CLIARGS.get("subset") or "") or None,
        "check_mode": check_mode,
        "fail_on": given["fail_on"],
        "user": _user(),
        "controller": platform.node(),
        "versions": {"collection": VERSION, "ansible": ansible_version, "python": platform.python_version()},
    }


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

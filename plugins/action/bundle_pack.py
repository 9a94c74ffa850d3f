# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the recordings of a run into one file, with what it takes to judge them anywhere."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._core.observe import now_iso
from ansible_collections.nexuscos.ops.plugins.module_utils._core.threshold import merge
from ansible_collections.nexuscos.ops.plugins.module_utils._report import bundle
from ansible_collections.nexuscos.ops.plugins.module_utils._report.looks import (
    GROUPS,
    Look,
    capabilities_of,
    read_result,
)
from ansible_collections.nexuscos.ops.plugins.module_utils._version import VERSION

# Variables that no role reads and a report does.
_VARIABLES = {"nexuscos_system", "nexuscos_cluster", "nexuscos_depends_on"}
# Replicas are recognized by the address that they are known by.
_WANTED = {"nexuscos_redis_host", "nexuscos_redis_port"}
# How a system is reached, and as whom; where files go; and what is handled for itself.
_LEFT_OUT = re.compile(
    "passw|secret|token|api_key|credential|_user(name)?$|_host$|_port$|_url$|_ca$|_key$|_cert$|kube|connect_to|socket"
    "|become|run_on|_dir$|_command$|_src$|^nexuscos_(report|history|schedule|handoff|maintenance|fail_on|endpoints|services|systems"
    "|platform|thresholds)"
)
_ROLES = Path(__file__).parents[2] / "roles"
_THRESHOLDS = (
    "nexuscos_thresholds",
    "nexuscos_thresholds_group",
    "nexuscos_thresholds_host",
    "nexuscos_thresholds_run",
)


class ActionModule(ActionBase):
    """See plugins/modules/bundle_pack.py for the documentation."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, given = self.validate_argument_spec(
            argument_spec={
                "recordings": {"type": "str", "required": True},
                "dest": {"type": "str", "required": True},
                "platform": {"type": "str", "default": "platform"},
                "services": {"type": "dict", "default": {}},
                "systems": {"type": "dict", "default": {}},
            }
        )
        folder = os.path.abspath(os.path.expanduser(given["recordings"]))
        dest = os.path.abspath(os.path.expanduser(given["dest"]))
        common = {
            "nexuscos_platform": given["platform"],
            "nexuscos_services": _plain(given["services"]),
            "nexuscos_systems": _plain(given["systems"]),
            "collection": VERSION,
        }
        try:
            contents = bundle.manifest(folder, _systems(task_vars or {}), common, now_iso())
            if not contents["recordings"] and not self._task.check_mode:
                raise OptionError("recordings: there are none in %s" % folder)
            if not self._task.check_mode:
                bundle.write(dest, bundle.pack(folder, contents))
        except OptionError as error:
            return {**result, "failed": True, "msg": str(error)}
        return {
            **result,
            "changed": True,
            "msg": "%d recordings of %d systems in %s" % (len(contents["recordings"]), len(contents["systems"]), dest),
            "dest": dest,
            "recordings": contents["recordings"],
            "missing": contents["missing"],
        }


def _systems(task_vars: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every system of the inventory that is looked at, as little of it as a report needs."""
    hostvars, groups = task_vars["hostvars"], task_vars["groups"]
    names = _carried()
    systems = []
    for host in dict.fromkeys(host for group in GROUPS for host in groups.get(group, ())):
        variables, raw = hostvars[host], hostvars.raw_get(host)
        own = [group for group in GROUPS if host in groups.get(group, ())]
        capabilities, _missing = capabilities_of(own, _variable(variables, "nexuscos_database_engine"))
        errors = {}
        for capability in capabilities:
            look = Look(str(host), capability)
            observation, trouble = raw.get(capability.variable), raw.get("__nexuscos_failed")
            read_result(look, _plain(trouble if observation is None and trouble is not None else observation))
            if look.error is not None:
                errors[capability.module] = "%s: %s" % look.error
        kept = {name: _variable(variables, name) for name in names}
        kept["nexuscos_endpoints"] = _endpoints(variables)
        kept["nexuscos_thresholds"] = _thresholds(variables)
        systems.append(
            {
                "name": str(host),
                "groups": own,
                "modules": [capability.module for capability in capabilities],
                "variables": {name: value for name, value in kept.items() if value},
                "errors": errors,
            }
        )
    return systems


def _carried() -> list[str]:
    """What the roles read and judge by. What else an inventory holds is nobody's business."""
    names = set(_VARIABLES)
    for path in _ROLES.glob("*/defaults/main.yml"):
        names |= set(re.findall(r"nexuscos_\w+", path.read_text(encoding="utf-8")))
    return sorted(name for name in names if name in _WANTED or not _LEFT_OUT.search(name))


def _endpoints(variables: Any) -> list[dict[str, str]]:
    """Which service an endpoint belongs to; not where it is."""
    given = _variable(variables, "nexuscos_endpoints")
    if not isinstance(given, list):
        return []
    return [
        {"name": str(one.get("name")), "service": str(one["service"])}
        for one in given
        if isinstance(one, dict) and one.get("service")
    ]


def _thresholds(variables: Any) -> dict[str, Any]:
    layers = [_variable(variables, name) for name in _THRESHOLDS]
    try:
        return dict(merge([layer for layer in layers if isinstance(layer, dict)]))
    except OptionError:
        # The run has said so already.
        return {}


def _variable(variables: Any, name: str) -> Any:
    try:
        return _plain(variables[name]) if name in variables else None
    # Templating raises what it likes, and the rest of the bundle is worth having.
    except Exception:  # noqa: BLE001
        return None


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))

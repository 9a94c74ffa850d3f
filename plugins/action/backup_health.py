# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of backup_health: it judges what the half on the host saw."""

from __future__ import annotations

from typing import Any

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import collect, evaluate, options
from ansible_collections.nexuscos.ops.plugins.module_utils._backup.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._core.argspec import ArgSpec
from ansible_collections.nexuscos.ops.plugins.module_utils._core.judge import Judge
from ansible_collections.nexuscos.ops.plugins.module_utils._core.recording import Recording
from ansible_collections.nexuscos.ops.plugins.plugin_utils.remote_look import RemoteLook


class ActionModule(RemoteLook):
    """See plugins/modules/backup_health.py for the documentation."""

    NAME = options.NAME
    CHECKS = CHECKS

    def spec(self) -> ArgSpec:
        return options.spec()

    def check(self, given: dict[str, Any]) -> None:
        options.check(given)

    def look(self, params: dict[str, Any]) -> dict[str, Any] | None:
        return collect.collect(params)

    def judge(
        self, observation: dict[str, Any], judge: Judge, given: dict[str, Any], earlier: Recording | None
    ) -> None:
        del given, earlier
        evaluate.evaluate(observation, judge)

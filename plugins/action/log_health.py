# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of log_health: the host counts, and what it counted is judged here."""

from __future__ import annotations

from typing import Any

from ansible_collections.nexuscos.ops.plugins.module_utils._core.argspec import ArgSpec
from ansible_collections.nexuscos.ops.plugins.module_utils._core.judge import Judge
from ansible_collections.nexuscos.ops.plugins.module_utils._core.recording import Recording
from ansible_collections.nexuscos.ops.plugins.module_utils._logs import checks, collect, evaluate, options
from ansible_collections.nexuscos.ops.plugins.plugin_utils.remote_look import RemoteLook


class ActionModule(RemoteLook):
    """Sends the module to the host and judges what it counted."""

    NAME = options.NAME
    CHECKS = checks.CHECKS

    def spec(self) -> ArgSpec:
        return options.spec()

    def look(self, params: dict[str, Any]) -> dict[str, Any] | None:
        return collect.collect(params)

    def judge(
        self, observation: dict[str, Any], judge: Judge, given: dict[str, Any], earlier: Recording | None
    ) -> None:
        options.check(given)
        before = evaluate.Earlier(
            bool(given.get("previous")),
            earlier.observation if earlier else None,
            earlier.recorded_at if earlier else None,
        )
        evaluate.evaluate(observation, judge, before, int(given["min_events"]))

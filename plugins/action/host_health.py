# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of host_health: it judges what the half on the host saw."""

from __future__ import annotations

from typing import Any

from ansible_collections.nexuscos.ops.plugins.module_utils._core.argspec import ArgSpec
from ansible_collections.nexuscos.ops.plugins.module_utils._core.judge import Judge
from ansible_collections.nexuscos.ops.plugins.module_utils._core.observe import now_iso
from ansible_collections.nexuscos.ops.plugins.module_utils._core.recording import Recording
from ansible_collections.nexuscos.ops.plugins.module_utils._host import disks, evaluate, options
from ansible_collections.nexuscos.ops.plugins.module_utils._host.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.plugin_utils.remote_look import RemoteLook


class ActionModule(RemoteLook):
    """See plugins/modules/host_health.py for the documentation."""

    NAME = options.NAME
    CHECKS = CHECKS

    def spec(self) -> ArgSpec:
        return options.spec()

    def check(self, given: dict[str, Any]) -> None:
        options.check(given)

    def judge(
        self, observation: dict[str, Any], judge: Judge, given: dict[str, Any], earlier: Recording | None
    ) -> None:
        del earlier
        evaluate.evaluate(observation, judge, evaluate.expectation(given))

    def complete(self, observation: dict[str, Any], given: dict[str, Any], earlier: Recording | None) -> dict[str, Any]:
        """What earlier looks saw becomes a part of this one, so that a recording can be judged without them."""
        history = disks.past(earlier.observation, earlier.recorded_at) if earlier else []
        return {**observation, "at": now_iso(), "history": history, "history_asked": bool(given["previous"])}

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A recorded look at the lab's player, to be bent."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from ansible_collections.nexuscos.ops.plugins.module_utils._catalogue import BY_ID
from ansible_collections.nexuscos.ops.plugins.module_utils._core.check import index
from ansible_collections.nexuscos.ops.plugins.module_utils._core.judge import Judge
from ansible_collections.nexuscos.ops.plugins.module_utils._core.threshold import Thresholds
from ansible_collections.nexuscos.ops.plugins.module_utils._grafana.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._grafana.evaluate import Expect, evaluate

RECORDING = Path(__file__).parent / "recordings" / "grafana.json"
_TAKEN = json.loads(RECORDING.read_text("utf-8"))["observation"]


class Look:
    """A recorded look; changed through its observation, judged as often as one likes."""

    def __init__(self) -> None:
        self.observation: dict[str, Any] = copy.deepcopy(_TAKEN)
        self.result: dict[str, Any] = {}

    def judge(self, expect: Expect | None = None) -> dict[str, tuple[str, str]]:
        """Status and title of each finding, by check and, where it is not Grafana itself, the object."""
        judge = Judge(index(CHECKS), Thresholds.parse({}, BY_ID), "grafana")
        evaluate(self.observation, judge, expect or Expect(("Platform overview", "databases"), ("Prometheus",)))
        self.result = judge.result()
        return {
            one["check"].split(".", 1)[1] + (" " + one["object"].split("/", 1)[1] if "/" in one["object"] else ""): (
                one["status"],
                one["title"],
            )
            for one in self.result["findings"]
        }

    def fail(self, name: str, kind: str, status: int | None = None, text: str = "so it is", data: Any = None) -> None:
        self.observation[name] = {
            "status": status, "error": {"kind": kind, "text": text}, "ms": 1.0, "data": data,
        }  # fmt: skip

    def finding(self, check: str) -> dict[str, Any]:
        return next(one for one in self.result["findings"] if one["check"] == "grafana." + check)

    def row(self, check: str) -> dict[str, Any]:
        return next(row for row in self.result["coverage"] if row["check"] == "grafana." + check)

    def unseen(self) -> set[str]:
        return {row["check"].split(".", 1)[1] for row in self.result["coverage"] if not row["seen"]}

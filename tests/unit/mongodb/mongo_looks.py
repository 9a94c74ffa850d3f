# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded looks to be bent: mongo-rs is the played primary of three, mongo1 another program with the same protocol."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from ansible_collections.nexuscos.ops.plugins.module_utils._catalogue import BY_ID
from ansible_collections.nexuscos.ops.plugins.module_utils._core.check import index
from ansible_collections.nexuscos.ops.plugins.module_utils._core.judge import Judge
from ansible_collections.nexuscos.ops.plugins.module_utils._core.threshold import Thresholds
from ansible_collections.nexuscos.ops.plugins.module_utils._mongodb.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._mongodb.evaluate import Expect, evaluate

RECORDINGS = Path(__file__).parent / "recordings"
NAMES = ("mongo-rs", "mongo1")
_TAKEN = {name: json.loads((RECORDINGS / f"{name}.json").read_text("utf-8"))["observation"] for name in NAMES}
GIB = float(1 << 30)


class Look:
    """A recorded look; changed through its attributes, judged as often as one likes."""

    def __init__(self, name: str = "mongo-rs") -> None:
        self.name = name
        self.observation: dict[str, Any] = copy.deepcopy(_TAKEN[name])
        self.result: dict[str, Any] = {}

    def data(self, command: str) -> Any:
        return self.observation["answers"][command]["data"]

    def member(self, number: int) -> dict[str, Any]:
        return self.data("set")["members"][number]  # type: ignore[no-any-return]

    def refuse(self, command: str, code: int = 13) -> None:
        self.observation["answers"][command] = {"data": None, "error": {"text": "not authorized", "code": code}}

    def judge(self, expect: Expect | None = None, **thresholds: Any) -> dict[str, tuple[str, str]]:
        """Status and title of each finding, by check without ``mongodb.`` and, where it is no server, the object."""
        given = {f"mongodb.{name}": value for name, value in thresholds.items()}
        judge = Judge(index(CHECKS), Thresholds.parse(given, BY_ID), self.name)
        evaluate(self.observation, judge, expect or Expect())
        self.result = judge.result()
        return {
            one["check"].split(".", 1)[1] + (" " + one["object"].split("/", 1)[1] if "/" in one["object"] else ""): (
                one["status"],
                one["title"],
            )
            for one in self.result["findings"]
        }

    def row(self, check: str) -> dict[str, Any]:
        return next(row for row in self.result["coverage"] if row["check"] == f"mongodb.{check}")

    def unseen(self) -> set[str]:
        return {row["check"].split(".", 1)[1] for row in self.result["coverage"] if not row["seen"]}

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded looks at real servers, bent as a test wants them, and judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.nexuscos.ops.plugins.module_utils import _catalogue
from ansible_collections.nexuscos.ops.plugins.module_utils._core.check import index
from ansible_collections.nexuscos.ops.plugins.module_utils._core.finding import fingerprint
from ansible_collections.nexuscos.ops.plugins.module_utils._core.judge import Judge
from ansible_collections.nexuscos.ops.plugins.module_utils._core.threshold import Thresholds
from ansible_collections.nexuscos.ops.plugins.module_utils._redis.case import Expect, Place
from ansible_collections.nexuscos.ops.plugins.module_utils._redis.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._redis.evaluate import evaluate

RECORDINGS = Path(__file__).parent / "recordings"
NAMES = ("primary", "replica", "cluster")
MIB = 1024 * 1024
REPLICA = Place("redis2", "198.18.0.32", 6379)


class Look:
    """One recorded look; ``info(...)`` and ``observation`` may be changed before it is judged."""

    def __init__(self, name: str = "primary") -> None:
        self.name = name
        self.observation: dict[str, Any] = json.loads((RECORDINGS / f"{name}.json").read_text("utf-8"))["observation"]
        self.result: dict[str, Any] = {}

    def info(self, **values: Any) -> Look:
        """Change what INFO says."""
        self.observation["info"].update(values)
        return self

    def without(self, *keys: str) -> Look:
        """Take something out of INFO."""
        for key in keys:
            del self.observation["info"][key]
        return self

    def judge(
        self,
        thresholds: dict[str, Any] | None = None,
        checks: list[str] | None = None,
        target: str = "redis1",
        **expect: Any,
    ) -> Look:
        """Judge it; by default with the replica and the Sentinels that the recorded server has."""
        if self.name == "primary":
            expect = {"replicas": (REPLICA,), "sentinels": True, **expect}
        judge = Judge(index(CHECKS), Thresholds.parse(thresholds, _catalogue.BY_ID), target, checks)
        evaluate(self.observation, judge, Expect(**expect))
        self.result = judge.result()
        # What is not plain JSON cannot be returned by a module; NaN and infinity are none.
        json.dumps(self.result, allow_nan=False)
        return self

    @property
    def found(self) -> dict[tuple[str, str], str]:
        """Status by check (without ``redis.``) and object (without the target)."""
        return {
            (one["check"].split(".", 1)[1], one["object"].partition("/")[2]): one["status"]
            for one in self.result["findings"]
        }

    def finding(self, check: str) -> dict[str, Any]:
        found = [one for one in self.result["findings"] if one["check"] == "redis." + check]
        assert len(found) == 1, found
        return dict(found[0])

    @property
    def unseen(self) -> dict[str, str]:
        """Reason by check that was not seen."""
        rows = self.result["coverage"]
        return {row["check"].split(".", 1)[1]: row["reason"] for row in rows if not row["seen"]}


def mark(check: str, obj: str) -> str:
    """Fingerprint of a finding."""
    return fingerprint("redis." + check, obj)

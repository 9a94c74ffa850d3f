"""Judge an observation as the module does."""

from __future__ import annotations

from typing import Any

from ansible_collections.nexuscos.ops.plugins.module_utils._core.check import index
from ansible_collections.nexuscos.ops.plugins.module_utils._core.judge import Judge
from ansible_collections.nexuscos.ops.plugins.module_utils._core.threshold import Thresholds
from ansible_collections.nexuscos.ops.plugins.module_utils._http.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._http.evaluate import evaluate

BY_ID = index(CHECKS)


def judge_observation(
    observation: dict[str, Any], thresholds: dict[str, Any] | None = None, ok: bool = False
) -> dict[str, Any]:
    """The module's return values for an observation."""
    judge = Judge(BY_ID, Thresholds.parse(thresholds, BY_ID), "lab")
    evaluate(observation, judge)
    return judge.result(ok)

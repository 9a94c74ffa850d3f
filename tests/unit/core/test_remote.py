# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that look on the host and are judged on the controller."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nexuscos.ops.plugins.module_utils._core import recording, remote
from ansible_collections.nexuscos.ops.plugins.module_utils._core.check import Check
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._core.judge import Judge

CHECKS = (Check("some.question", "Is it?", "daily:x", (), "source", "mend it", unit="%", target=1, alert=2),)
EVERY = {one.id: one for one in CHECKS}


def params(**given: Any) -> dict[str, Any]:
    return {"target": "host1", "deadline": 5.0, "thresholds": {}, "checks": [], "record_to": None, **given}


def evaluate(observation: dict[str, Any], judge: Judge) -> None:
    judge.value("some.question", "host1", observation["value"], "so much")


def run(answer: dict[str, Any], complete: Any = None, **given: Any) -> dict[str, Any]:
    return remote.judge_here("some_health", params(**given), CHECKS, EVERY, lambda: answer, evaluate, complete)


def test_what_the_host_saw_is_judged_and_recorded_here(tmp_path: Path) -> None:
    path = tmp_path / "host1.json"
    seen = remote.hand_over({"value": 3, "password": "hunter2"})
    live = run(seen, lambda observation: {**observation, "more": 1}, record_to=str(path))
    assert [one["status"] for one in live["findings"]] == ["critical"]
    assert remote.KEY not in live
    assert json.loads(path.read_text("utf-8"))["observation"] == {"value": 3, "more": 1, "password": "[redacted]"}
    assert "hunter2" not in json.dumps(seen)

    def nobody() -> dict[str, Any]:
        raise AssertionError("a replay contacts nobody")

    given = params(replay_from=str(path))
    again = remote.judge_here("some_health", given, CHECKS, EVERY, nobody, evaluate)
    assert [{**one, "recorded_at": None} for one in again["findings"]] == live["findings"]


@pytest.mark.parametrize(
    "answer",
    [
        {"failed": True, "msg": "no"},
        {"unreachable": True, "msg": "no route"},
        {},
        {"observation": "x"},
        {"failed": True, "observation": {"value": 1}},
    ],
)
def test_what_is_no_observation_is_said_to_be_none(answer: dict[str, Any]) -> None:
    with pytest.raises(remote.NotSeen) as caught:
        run(answer)
    assert caught.value.answer == answer


def test_a_wrong_threshold_costs_no_connection() -> None:
    def nobody() -> dict[str, Any]:
        raise AssertionError("contacted")

    with pytest.raises(OptionError, match=r"some\.question"):
        remote.judge_here("some_health", params(thresholds={"some.qestion": {}}), CHECKS, EVERY, nobody, evaluate)


def test_the_host_gets_only_its_own_options() -> None:
    given = {"target": "host1", "deadline": 5, "record_to": "x", "replay_from": "y", "previous": "z", "thresholds": {}}
    assert remote.for_host(given) == {"target": "host1", "deadline": 5}


def test_the_earlier_look(tmp_path: Path) -> None:
    path = tmp_path / "host1.json.gz"
    assert remote.earlier(str(path), "some_health") is None
    assert remote.earlier(None, "some_health") is None
    recording.write(str(path), recording.Recording("some_health", "host1", "2026-11-22T06:00:00Z", {"value": 1}))
    found = remote.earlier(str(path), "some_health")
    assert found is not None
    assert found.observation == {"value": 1}
    with pytest.raises(OptionError, match="recorded by"):
        remote.earlier(str(path), "other_health")

"""The one way an observing module runs."""

from __future__ import annotations

import pytest

from ansible_collections.nexuscos.ops.plugins.module_utils._core.check import Check, index
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._core.observe import now_iso, observe

OWN = (Check("db.lag", "?", "r:h", (), "s", "r", "s", 5, 30),)
EVERY = index([*OWN, Check("web.up", "?", "r:h", (), "s", "r")])


def evaluate(observation, judge):
    judge.value("db.lag", judge.target, observation["lag"], f"lags {observation['lag']} s")
    judge.facts = {"lag": observation["lag"]}


def run(collect=lambda: {"lag": 12}, **params):
    given = {
        "target": "db1",
        "thresholds": {},
        "checks": [],
        "deadline": 5.0,
        "include_ok": False,
        "record_to": None,
        "replay_from": None,
    }
    return observe("db_health", {**given, **params}, OWN, EVERY, collect, evaluate)


def never():
    raise AssertionError("the system was looked at")


def test_live():
    result = run()
    assert set(result) == {"findings", "summary", "coverage", "facts", "recorded_at"}
    assert result["findings"][0]["title"] == "lags 12 s"
    assert result["recorded_at"] is None
    assert result["facts"] == {"lag": 12}


def test_recorded_and_replayed(tmp_path):
    path = str(tmp_path / "db1.json")
    live = run(record_to=path)
    again = run(never, replay_from=path)
    assert again["recorded_at"] == again["findings"][0]["recorded_at"]
    assert again["recorded_at"] <= now_iso()
    for result in (live, again):
        result.pop("recorded_at")
        result["findings"][0].pop("recorded_at")
    assert live == again


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"deadline": 0}, "deadline: want more than 0"),
        ({"deadline": -1.0}, "deadline: want more than 0"),
        ({"thresholds": {"db.leg": {}}}, "did you mean 'db.lag'"),
        ({"checks": ["web.up"]}, "nothing is called 'web.up'"),
        ({"replay_from": "/no/such/file"}, "cannot read"),
    ],
)
def test_options_are_judged_before_anything_is_looked_at(params, says):
    with pytest.raises(OptionError, match=says):
        run(never, **params)


def test_thresholds_of_other_systems_are_fine():
    assert run(thresholds={"web.up": {"enabled": False}, "db.lag": {"target": 20}})["findings"] == []

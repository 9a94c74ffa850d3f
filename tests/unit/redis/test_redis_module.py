# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module around the look: options, recordings, rates, documentation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from redis_looks import RECORDINGS

from ansible_collections.nexuscos.ops.plugins.doc_fragments import observe
from ansible_collections.nexuscos.ops.plugins.doc_fragments import redis as fragment
from ansible_collections.nexuscos.ops.plugins.module_utils._core import recording
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._redis import collect
from ansible_collections.nexuscos.ops.plugins.modules import redis_health

SECRET = "correct horse battery staple"
REPLICAS = [{"name": "redis2", "host": "198.18.0.32", "port": 6379}]
GONE = {"name": "gone", "host": None, "port": 6379}
SENTINELS = [{"name": "mon1", "host": "198.18.0.51", "port": 26379}]


def params(**given: Any) -> dict[str, Any]:
    """All options with their defaults, as AnsibleModule hands them over."""
    options = {name: option.get("default") for name, option in redis_health.spec().options.items()}
    return {**options, "target": "redis1", **given}


def recorded(name: str = "primary") -> dict[str, Any]:
    return json.loads((RECORDINGS / f"{name}.json").read_text("utf-8"))  # type: ignore[no-any-return]


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The look answers with the recorded primary; the list has the options that it was made with."""
    asked: list[Any] = []

    def look(_library: Any, options: Any) -> dict[str, Any]:
        asked.append(options)
        return dict(recorded()["observation"])

    monkeypatch.setattr(collect, "collect", look)
    return asked


def test_documentation_and_options_are_the_same() -> None:
    documented: dict[str, Any] = {}
    for text in (
        observe.ModuleDocFragment.DOCUMENTATION,
        fragment.ModuleDocFragment.DOCUMENTATION,
        redis_health.DOCUMENTATION,
    ):
        for name, option in yaml.safe_load(text)["options"].items():
            documented.setdefault(name, {}).update(option)
    options = redis_health.spec().options
    assert set(documented) == set(options)
    for name, option in options.items():
        for key in ("type", "default", "choices", "elements", "required"):
            assert documented[name].get(key) == option.get(key), (name, key)
        for inner, suboption in option.get("options", {}).items():
            for key in ("type", "default", "required"):
                assert documented[name]["suboptions"][inner].get(key) == suboption.get(key), (name, inner, key)
    assert options["login_password"]["no_log"] is True
    assert options["sentinel_password"]["no_log"] is True


def test_examples_use_options_that_exist() -> None:
    known = set(redis_health.spec().options)
    for task in yaml.safe_load(redis_health.EXAMPLES):
        assert set(task["nexuscos.ops.redis_health"]) <= known


def test_every_return_key_is_documented(live: list[Any]) -> None:
    documented = yaml.safe_load(redis_health.RETURN)
    result = redis_health.run(params(login_host="198.18.0.31", expected_replicas=[*REPLICAS, GONE]))
    assert set(documented) == set(result)
    assert set(documented["summary"]["contains"]) == set(result["summary"])
    assert set(documented["coverage"]["contains"]) == set(result["coverage"][0])
    assert set(documented["findings"]["contains"]) == set(result["findings"][0])
    assert set(result["facts"]) <= set(documented["facts"]["contains"])
    assert live[0].replicas[1].host == "gone"


def test_a_recording_is_judged_as_the_look_was(live: list[Any], tmp_path: Path) -> None:
    path = str(tmp_path / "redis1.json.gz")
    given = {"expected_replicas": [*REPLICAS, GONE], "sentinels": SENTINELS}
    alive = redis_health.run(params(login_host="198.18.0.31", record_to=path, **given))
    again = redis_health.run(params(replay_from=path, **given))
    assert [{**one, "recorded_at": None} for one in again["findings"]] == alive["findings"]
    assert again["coverage"] == alive["coverage"]
    assert again["findings"][0]["recorded_at"]
    assert len(live) == 1


def test_passwords_are_nowhere(live: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "redis1.json"
    result = redis_health.run(
        params(
            login_host="198.18.0.31",
            login_password=SECRET,
            sentinels=SENTINELS,
            sentinel_password=SECRET + "2",
            record_to=str(path),
        )
    )
    assert SECRET not in path.read_text("utf-8")
    assert SECRET not in json.dumps(result)
    assert live[0].address.password == SECRET
    name, sentinel = live[0].sentinels[0]
    assert (name, sentinel.host, sentinel.port, sentinel.password) == ("mon1", "198.18.0.51", 26379, SECRET + "2")


def test_only_wanted_checks_are_asked_for(live: list[Any]) -> None:
    redis_health.run(params(login_host="198.18.0.31", checks=["redis.replication_*", "redis.memory"]))
    assert live[0].wanted == ("replication_link", "replication_lag", "replication_lag_bytes", "memory")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"checks": ["redis.memry"]}, "did you mean 'redis.memory'"),
        ({"thresholds": {"redis.client": {"alert": 1}}}, "did you mean 'redis.clients'"),
        ({"deadline": 0.0}, "deadline"),
        ({"login_port": 70_000}, "login_port"),
        ({"connect_timeout": 0.0}, "connect_timeout"),
        ({"key_budget": -1}, "key_budget"),
        ({"key_seconds": 0.0}, "key_seconds"),
        ({"sentinels": [{"name": "a", "host": None, "port": 0}]}, "sentinels: a: port"),
        ({"expected_replicas": [*REPLICAS, *REPLICAS]}, "redis2 is there twice"),
    ],
)
def test_wrong_options_fail_with_words(given: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        redis_health.run(params(login_host="198.51.100.1", **given))


def earlier(path: Path, when: str, **info: Any) -> str:
    data = recorded()["observation"]
    data["info"].update(info)
    recording.write(str(path), recording.Recording("redis_health", "redis1", when, data))
    return str(path)


def test_rates_between_two_recordings(tmp_path: Path) -> None:
    before = earlier(tmp_path / "before.json", "2026-11-22T04:00:00Z", evicted_keys=1000)
    now = earlier(tmp_path / "now.json", "2026-11-22T06:00:00Z", evicted_keys=1500, uptime_in_seconds=10**6)
    result = redis_health.run(params(replay_from=now, previous=before))
    assert [(one["check"], one["status"], one["value"]) for one in result["findings"]] == [
        ("redis.evictions", "warning", 250.0)
    ]
    assert redis_health.run(params(replay_from=now))["findings"] == []
    assert redis_health.run(params(replay_from=now, previous=str(tmp_path / "none.json")))["findings"] == []


@pytest.mark.parametrize("when", ["2026-11-22T06:00:00Z", "long ago"])
def test_an_earlier_look_that_tells_no_time_is_none(tmp_path: Path, when: str) -> None:
    before = earlier(tmp_path / "before.json", when, evicted_keys=0)
    now = earlier(tmp_path / "now.json", "2026-11-22T06:00:00Z", evicted_keys=5000, uptime_in_seconds=10**6)
    assert redis_health.run(params(replay_from=now, previous=before))["findings"] == []

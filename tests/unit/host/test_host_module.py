# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both halves of the module: options, documentation, the look itself, the action plugin, recordings."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from host_looks import HEALTHY, Look, host, observation

from ansible_collections.nexuscos.ops.plugins.action.host_health import ActionModule
from ansible_collections.nexuscos.ops.plugins.doc_fragments import observe
from ansible_collections.nexuscos.ops.plugins.module_utils._core import recording, remote
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._host import collect, load, options
from ansible_collections.nexuscos.ops.plugins.modules import host_health


def params(**given: Any) -> dict[str, Any]:
    """All options with their defaults, as AnsibleModule hands them over."""
    return {**{name: one.get("default") for name, one in options.spec().options.items()}, "target": "host1", **given}


class Host:
    """The action plugin, with a host behind it that has seen this; or failed like that."""

    def __init__(self, seen: dict[str, Any] | None = None, answer: dict[str, Any] | None = None) -> None:
        self.answer = remote.hand_over(seen or observation()) if answer is None else answer
        self.asked: list[dict[str, Any]] = []

    def run(self, **arguments: Any) -> dict[str, Any]:
        task = mock.MagicMock()
        task.args, task.async_val, task.check_mode, task.diff = {"target": "host1", **arguments}, 0, False, False
        plugin = ActionModule(
            task, mock.MagicMock(), mock.MagicMock(), mock.MagicMock(), mock.MagicMock(), mock.MagicMock()
        )
        # what loads plugins sets this
        plugin._load_name = "nexuscos.ops.host_health"

        def execute(**given: Any) -> dict[str, Any]:
            self.asked.append(given)
            return self.answer

        with mock.patch.object(plugin, "_execute_module", execute):
            return plugin.run(task_vars={})


def test_documentation_and_options_are_the_same() -> None:
    documented: dict[str, Any] = {}
    for text in (observe.ModuleDocFragment.DOCUMENTATION, host_health.DOCUMENTATION):
        for name, option in yaml.safe_load(text)["options"].items():
            documented.setdefault(name, {}).update(option)
    own = options.spec().options
    assert set(documented) == set(own)
    for name, option in own.items():
        for key in ("type", "default", "elements", "required"):
            assert documented[name].get(key) == option.get(key), name


def test_what_comes_back_is_documented() -> None:
    documented = yaml.safe_load(host_health.RETURN)
    look = Look()
    look.observation["docker"]["data"] = {"bytes": 5, "reclaimable": 1}
    look.observation["folders"]["data"] = [{"root": "/", "complete": True, "largest": []}]
    look["clock"]["servers"] = [{"server": "t", "offset_s": 50.0}]
    result = Host(look.observation).run()
    assert set(documented) == set(result) - {"changed"}
    assert set(documented["findings"]["contains"]) == set(result["findings"][0])
    assert set(documented["summary"]["contains"]) == set(result["summary"])
    assert set(documented["coverage"]["contains"]) == set(result["coverage"][0])
    assert set(documented["facts"]["contains"]) == set(result["facts"])


def test_the_host_is_asked_once_and_gets_only_what_is_its_own(tmp_path: Path) -> None:
    one = Host()
    result = one.run(
        units=["ssh"],
        thresholds={"host.cpu": {"target": 5}},
        record_to=str(tmp_path / "a.json"),
        previous=str(tmp_path / "none.json"),
        include_ok=True,
    )
    (asked,) = one.asked
    assert asked["module_name"] == "nexuscos.ops.host_health"
    assert asked["module_args"] == {"target": "host1", "units": ["ssh"]}
    assert result["findings"][0]["check"] == "host.cpu"
    assert any(finding["status"] == "ok" for finding in result["findings"])


def test_a_recording_is_judged_as_the_look_was_and_nobody_is_asked(tmp_path: Path) -> None:
    look = Look()
    look["memory"]["used"] = 10**12
    path = str(tmp_path / "host1.json.gz")
    live = Host(look.observation).run(record_to=path)
    again = Host()
    replayed = again.run(replay_from=path)
    assert [{**one, "recorded_at": None} for one in replayed["findings"]] == live["findings"]
    assert replayed["coverage"] == live["coverage"]
    assert replayed["recorded_at"]
    assert again.asked == []


def test_the_earlier_look_becomes_a_part_of_this_one(tmp_path: Path) -> None:
    before, now = str(tmp_path / "before.json"), str(tmp_path / "now.json")
    earlier = observation()
    earlier["mounts"]["data"][1]["used"] -= 10**9
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 9 * 86400))
    recording.write(before, recording.Recording("host_health", "host1", at, earlier))
    Host().run(previous=before, record_to=now)
    kept = recording.read(now, "host_health").observation
    assert [point["at"] for point in kept["history"]] == [at]
    assert kept["history_asked"] is True
    row = next(row for row in Host().run(replay_from=now)["coverage"] if row["check"] == "host.filesystem_forecast")
    assert row["seen"]


def test_the_first_look_has_no_earlier_one(tmp_path: Path) -> None:
    result = Host().run(previous=str(tmp_path / "none.json"))
    row = next(row for row in result["coverage"] if row["check"] == "host.filesystem_forecast")
    assert "no earlier look" in row["reason"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"checks": ["host.cpus"]}, "did you mean 'host.cpu'"),
        ({"thresholds": {"host.memori": {"alert": 1}}}, "did you mean 'host.memory'"),
        ({"deadline": 0.0}, "deadline"),
        ({"listening": ["ssh"]}, "listening"),
        ({"time_servers": ["x:y"]}, "time_servers"),
        ({"folders": ["var"]}, "absolute"),
        ({"folders_budget": -1.0}, "folders_budget"),
        ({"kernel_log_hours": 0.0}, "kernel_log_hours"),
        ({"replay_from": "/no/such/file.json"}, "replay_from"),
    ],
)
def test_wrong_options_fail_with_words_before_the_host_is_asked(given: dict[str, Any], words: str) -> None:
    one = Host()
    result = one.run(**given)
    assert result["failed"]
    assert words in result["msg"]
    assert one.asked == []


def test_an_option_that_is_none_is_refused() -> None:
    with pytest.raises(AnsibleActionFail, match="Unsupported"):
        Host().run(unit=["x"])


@pytest.mark.parametrize(
    "answer", [{"failed": True, "msg": "no python", "module_stderr": "x"}, {"unreachable": True, "msg": "no route"}]
)
def test_what_the_host_could_not_do_is_handed_on(answer: dict[str, Any]) -> None:
    result = Host(answer=answer).run()
    assert all(result[key] == value for key, value in answer.items())
    assert result["failed"]


def test_the_module_refuses_on_the_host_as_well() -> None:
    with pytest.raises(OptionError, match="listening"):
        options.check(params(listening=["x"]))


def test_a_look_at_a_host_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_SAMPLE", 0.0)
    files = host(tmp_path, {"/proc/meminfo": "MemTotal: 8 kB\n", "/proc/uptime": "99.5 1\n", "/proc/1/stat": "1 (a) S"})
    seen = collect.collect(params(docker_socket=str(tmp_path / "none"), deadline=30.0), files)
    assert json.loads(json.dumps(seen)) == seen
    assert set(HEALTHY) - {"at", "history", "history_asked"} == set(seen)
    assert seen["cpu"]["error"]["kind"] == "denied"
    assert seen["memory"]["data"]["total"] == 8192
    look = Look()
    look.observation = seen
    look.judge()
    assert all(row["seen"] or row["reason"] for row in look.result["coverage"])


def test_what_breaks_costs_only_its_part() -> None:
    def broken() -> None:
        raise RuntimeError("a line that nobody has seen before")

    assert collect.section(broken)["error"] == {
        "kind": "garbage", "text": "RuntimeError: a line that nobody has seen before"
    }  # fmt: skip

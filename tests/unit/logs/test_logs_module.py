# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module and its half on the controller: options, documentation, recordings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.nexuscos.ops.plugins.action import log_health as action
from ansible_collections.nexuscos.ops.plugins.doc_fragments import observe
from ansible_collections.nexuscos.ops.plugins.module_utils._catalogue import BY_ID
from ansible_collections.nexuscos.ops.plugins.module_utils._core import remote
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._logs import checks, collect, options
from ansible_collections.nexuscos.ops.plugins.modules import log_health


def params(**given: Any) -> dict[str, Any]:
    found = {name: option.get("default") for name, option in options.spec().options.items()}
    return {**found, "target": "host1", **given}


def run(given: dict[str, Any]) -> dict[str, Any]:
    """Both halves, as the action plugin puts them together."""
    plugin = action.ActionModule.__new__(action.ActionModule)
    earlier = remote.earlier(given.get("previous"), options.NAME)
    return remote.judge_here(
        options.NAME,
        given,
        checks.CHECKS,
        BY_ID,
        lambda: remote.hand_over(collect.collect(given)),
        lambda observation, judge: plugin.judge(observation, judge, given, earlier),
    )


@pytest.fixture
def logs(tmp_path: Path) -> list[dict[str, Any]]:
    (tmp_path / "app.log").write_text("ERROR order 12 lost, token=abcdef123456\n" * 50)
    return [{"files": [str(tmp_path / "*.log")]}]


def documented(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text)["options"]
    return found


def same(written: dict[str, Any], option: dict[str, Any], where: str) -> None:
    for key in ("type", "default", "choices", "elements", "required"):
        assert written.get(key) == option.get(key), (where, key)
    assert set(written.get("suboptions") or {}) == set(option.get("options") or {}), where
    for name, inner in (option.get("options") or {}).items():
        same(written["suboptions"][name], inner, f"{where}.{name}")


def test_documentation_and_options_are_the_same() -> None:
    merged: dict[str, Any] = {}
    for text in (observe.ModuleDocFragment.DOCUMENTATION, log_health.DOCUMENTATION):
        for name, option in documented(text).items():
            merged.setdefault(name, {}).update(option)
    spec = options.spec().options
    assert set(merged) == set(spec)
    for name, option in spec.items():
        same(merged[name], option, name)
    assert spec["sources"]["options"]["pods"]["options"]["token"]["no_log"] is True


def test_examples_use_options_that_exist() -> None:
    known = set(options.spec().options)
    for task in yaml.safe_load(log_health.EXAMPLES):
        assert set(task["nexuscos.ops.log_health"]) <= known


def test_every_return_key_is_documented(logs: list[dict[str, Any]]) -> None:
    written = yaml.safe_load(log_health.RETURN)
    result = run(params(sources=logs))
    assert set(written) == set(result)
    for key in ("summary", "facts"):
        assert set(written[key]["contains"]) == set(result[key])
    assert set(written["coverage"]["contains"]) == set(result["coverage"][0])
    result = run(params(sources=logs, thresholds={"logs.errors": {"target": 0, "alert": 1}}))
    assert set(written["findings"]["contains"]) == set(result["findings"][0])


def test_a_recording_is_judged_as_the_look_was(logs: list[dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "host1.json"
    lines = {"logs.errors": {"target": 0, "alert": 1}}
    alive = run(params(sources=logs, thresholds=lines, record_to=str(path)))
    again = run(params(replay_from=str(path), thresholds=lines))
    assert [one["status"] for one in alive["findings"]] == ["critical"]
    assert [{**one, "recorded_at": None} for one in again["findings"]] == alive["findings"]
    assert again["coverage"] == alive["coverage"]
    assert "abcdef123456" not in path.read_text("utf-8") + json.dumps(alive)


def test_an_earlier_recording_tells_what_is_new(logs: list[dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "earlier.json.gz"
    run(params(sources=logs, record_to=str(path)))
    assert run(params(sources=logs, previous=str(path)))["findings"] == []
    with open(tmp_path / "app.log", "a", encoding="utf-8") as out:
        out.write("ERROR invoice 7 has no customer\n" * 5)
    found = run(params(sources=logs, previous=str(path)))["findings"]
    assert [(one["check"], one["object"]) for one in found] == [("logs.new_template", "host1/app.log")]
    row = next(
        one
        for one in run(params(sources=logs, previous=str(tmp_path / "none")))["coverage"]
        if one["check"] == "logs.rising"
    )
    assert "no earlier look" in row["reason"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"since": "yesterday"}, "since"),
        ({"since": "0"}, "since"),
        ({"since": "9000d"}, "since"),
        ({"max_events": 0}, "max_events"),
        ({"pod_kb": -1}, "pod_kb"),
        ({"sources": [{"files": []}]}, "files"),
    ],
)
def test_wrong_options_fail_with_words(given: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        options.check(params(**given))


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("30s", 30), ("15m", 900), ("1.5h", 5400), ("2d", 172800)])
def test_lengths_of_windows(text: str, seconds: float) -> None:
    assert options.span(text) == seconds

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module around the look: options, recordings, documentation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_projects import SECRET, answers, compose
from fake_engine import serving

from ansible_collections.nexuscos.ops.plugins.doc_fragments import observe
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.modules import compose_health


def params(**given: Any) -> dict[str, Any]:
    """All options with their defaults, as AnsibleModule hands them over."""
    options = {name: option.get("default") for name, option in compose_health.spec().options.items()}
    return {**options, "target": "docker1", "project": "shop", **given}


def test_documentation_and_options_are_the_same() -> None:
    documented: dict[str, Any] = {}
    for text in (observe.ModuleDocFragment.DOCUMENTATION, compose_health.DOCUMENTATION):
        for name, option in yaml.safe_load(text)["options"].items():
            documented.setdefault(name, {}).update(option)
    options = compose_health.spec().options
    assert set(documented) == set(options)
    for name, option in options.items():
        for key in ("type", "default", "choices", "elements", "required"):
            assert documented[name].get(key) == option.get(key), (name, key)


def test_examples_use_options_that_exist() -> None:
    known = set(compose_health.spec().options)
    for task in yaml.safe_load(compose_health.EXAMPLES):
        assert set(task["nexuscos.ops.compose_health"]) <= known


def test_every_return_key_is_documented_and_no_secret_is_returned(tmp_path: Path) -> None:
    documented = yaml.safe_load(compose_health.RETURN)
    path = tmp_path / "docker1.json"
    with serving(answers()) as fake:
        given = params(docker_host=fake.url, project_src=str(tmp_path), compose_command=compose(tmp_path))
        result = compose_health.run({**given, "record_to": str(path), "include_ok": True})
    assert set(documented) == set(result)
    assert set(documented["summary"]["contains"]) == set(result["summary"])
    assert set(documented["coverage"]["contains"]) == set(result["coverage"][0])
    assert set(documented["findings"]["contains"]) == set(result["findings"][0])
    assert set(result["facts"]) == set(documented["facts"]["contains"])
    assert SECRET not in json.dumps(result) + path.read_text("utf-8")


def test_a_recording_is_judged_as_the_look_was(tmp_path: Path) -> None:
    path = str(tmp_path / "docker1.json.gz")
    with serving(answers()) as fake:
        alive = compose_health.run(params(docker_host=fake.url, record_to=path))
    again = compose_health.run(params(replay_from=path, project=None))
    assert alive["findings"]
    assert [{**one, "recorded_at": None} for one in again["findings"]] == alive["findings"]
    assert again["coverage"] == alive["coverage"]
    assert again["facts"] == alive["facts"]
    assert again["recorded_at"]


def test_lines_and_jobs_go_to_the_judge(tmp_path: Path) -> None:
    with serving(answers()) as fake:
        off = {"compose.exited": {"enabled": False}}
        result = compose_health.run(params(docker_host=fake.url, thresholds=off, jobs=["api"]))
        assert "compose.exited" not in {one["check"] for one in result["findings"]}
        result = compose_health.run(params(docker_host=fake.url, checks=["compose.ex*"]))
        assert [row["check"] for row in result["coverage"]] == ["compose.exited"]
        assert not any("log" in line for line in [*result["findings"][0]["evidence"].get("last_lines", [])][1:])
        result = compose_health.run(params(docker_host=fake.url, log_lines=0))
        assert all("last_lines" not in one["evidence"] for one in result["findings"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"checks": ["compose.services"]}, "did you mean 'compose.service'"),
        ({"thresholds": {"compose.logsize": {"alert": 1}}}, "did you mean 'compose.log_size'"),
        ({"deadline": 0.0}, "deadline"),
        ({"timeout": 0.0}, "timeout"),
        ({"log_lines": 101}, "log_lines"),
        ({"compose_command": []}, "compose_command"),
        ({"docker_host": "ssh://media1"}, "docker_host"),
        ({"docker_host": "tcp://media1", "ca_path": "/does/not/exist"}, "ca_path"),
    ],
)
def test_wrong_options_fail_with_words(given: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        compose_health.run(params(**{"docker_host": "unix:///does/not/exist.sock", **given}))


def test_an_engine_that_is_not_there_is_data(tmp_path: Path) -> None:
    result = compose_health.run(params(docker_host=f"unix://{tmp_path}/none.sock"))
    assert [(one["check"], one["status"]) for one in result["findings"]] == [("compose.engine", "critical")]

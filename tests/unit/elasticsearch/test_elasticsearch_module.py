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
from elastic_looks import RECORDING, Look

from ansible_collections.nexuscos.ops.plugins.doc_fragments import observe, web
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._elasticsearch import collect
from ansible_collections.nexuscos.ops.plugins.modules import elasticsearch_health

SECRET = "correct horse battery staple"
OWN: dict[str, Any] = {
    "indices": [{"name": "nginx", "pattern": "logs-nginx-*", "timestamp": "@timestamp", "data_view": None}]
}


def params(**given: Any) -> dict[str, Any]:
    options = {name: option.get("default") for name, option in elasticsearch_health.spec().options.items()}
    return {**options, "target": "elasticsearch", **OWN, **given}


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    asked: list[Any] = []

    def look(client: Any, *_rest: Any) -> dict[str, Any]:
        asked.append(client)
        taken = Look()
        taken.observation["indices"]["nginx"]["data"]["time"] -= 2000
        return taken.observation

    monkeypatch.setattr(collect, "collect", look)
    return asked


def test_documentation_and_options_are_the_same() -> None:
    documented: dict[str, Any] = {}
    for text in (
        observe.ModuleDocFragment.DOCUMENTATION,
        web.ModuleDocFragment.DOCUMENTATION,
        elasticsearch_health.DOCUMENTATION,
    ):
        for name, option in yaml.safe_load(text)["options"].items():
            documented.setdefault(name, {}).update(option)
    options = elasticsearch_health.spec().options
    assert set(documented) == set(options)
    for name, option in options.items():
        for key in ("type", "default", "choices", "elements", "required"):
            assert documented[name].get(key) == option.get(key), (name, key)
        assert set(documented[name].get("suboptions", {})) == set(option.get("options", {}))
    assert options["api_key"]["no_log"] is True


def test_examples_use_options_that_exist() -> None:
    known = set(elasticsearch_health.spec().options)
    for task in yaml.safe_load(elasticsearch_health.EXAMPLES):
        assert set(task["nexuscos.ops.elasticsearch_health"]) <= known


def test_every_return_key_is_documented(live: list[Any]) -> None:
    documented = yaml.safe_load(elasticsearch_health.RETURN)
    result = elasticsearch_health.run(params(url="http://198.18.0.52"))
    assert set(documented) == set(result)
    assert set(documented["summary"]["contains"]) == set(result["summary"])
    assert set(documented["coverage"]["contains"]) == set(result["coverage"][0])
    assert set(documented["findings"]["contains"]) == set(result["findings"][0])
    assert set(result["facts"]) == set(documented["facts"]["contains"])


def test_a_recording_is_judged_as_the_look_was(live: list[Any], tmp_path: Path) -> None:
    path = str(tmp_path / "look.json.gz")
    alive = elasticsearch_health.run(params(url="http://198.18.0.52", record_to=path))
    again = elasticsearch_health.run(params(replay_from=path))
    assert [one["check"] for one in alive["findings"]] == ["elasticsearch.ingestion"]
    assert [{**one, "recorded_at": None} for one in again["findings"]] == alive["findings"]
    assert (again["coverage"], again["facts"]) == (alive["coverage"], alive["facts"])
    assert again["findings"][0]["recorded_at"]
    assert len(live) == 1


def test_the_recording_of_the_lab_is_silent() -> None:
    result = elasticsearch_health.run(params(replay_from=str(RECORDING)))
    assert (result["findings"], result["summary"]["worst"]) == ([], "ok")


def test_the_secret_is_nowhere(live: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "look.json"
    result = elasticsearch_health.run(params(url="http://198.18.0.52", api_key=SECRET, record_to=str(path)))
    assert SECRET not in path.read_text("utf-8")
    assert SECRET not in json.dumps(result)
    assert SECRET in live[0].endpoint.secret_headers["Authorization"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"url": "ftp://x"}, "url"),
        ({"ca_path": "/nowhere", "url": "https://198.51.100.1"}, "ca_path"),
        ({"deadline": 0.0}, "deadline"),
        ({"link_hours": 0.0}, "link_hours"),
        ({"link_hours": 1e9}, "link_hours"),
        ({"checks": ["elasticsearch.ingest"]}, "did you mean 'elasticsearch.ingestion'"),
        ({"kibana_url": "nowhere"}, "kibana_url: url"),
        ({"indices": [{"name": "a/b"}]}, "without '/'"),
        ({"indices": [{"name": "a"}, {"name": "a"}]}, "a name of its own"),
        ({"indices": [{"name": "a", "pattern": "x y"}]}, "blanks"),
    ],
)
def test_wrong_options_fail_with_words(given: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        elasticsearch_health.run(params(**{"url": "http://198.51.100.1", **given}))

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
from mongo_looks import RECORDINGS, Look

from ansible_collections.nexuscos.ops.plugins.doc_fragments import mongodb, observe
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._mongodb import collect
from ansible_collections.nexuscos.ops.plugins.modules import mongodb_health

SECRET = "correct horse battery staple"


def params(**given: Any) -> dict[str, Any]:
    options = {name: option.get("default") for name, option in mongodb_health.spec().options.items()}
    return {**options, "target": "mongo-rs", **given}


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    asked: list[Any] = []

    def look(_library: Any, options: Any) -> dict[str, Any]:
        asked.append(options)
        taken = Look()
        taken.member(1)["optimeDate"] -= 45
        return taken.observation

    monkeypatch.setattr(collect, "collect", look)
    return asked


def test_documentation_and_options_are_the_same() -> None:
    documented: dict[str, Any] = {}
    for text in (
        observe.ModuleDocFragment.DOCUMENTATION,
        mongodb.ModuleDocFragment.DOCUMENTATION,
        mongodb_health.DOCUMENTATION,
    ):
        for name, option in yaml.safe_load(text)["options"].items():
            documented.setdefault(name, {}).update(option)
    options = mongodb_health.spec().options
    assert set(documented) == set(options)
    for name, option in options.items():
        for key in ("type", "default", "choices", "elements", "required"):
            assert documented[name].get(key) == option.get(key), (name, key)
    assert options["login_password"]["no_log"] is True


def test_examples_use_options_that_exist() -> None:
    known = set(mongodb_health.spec().options)
    for task in yaml.safe_load(mongodb_health.EXAMPLES):
        assert set(task["nexuscos.ops.mongodb_health"]) <= known


def test_every_return_key_is_documented(live: list[Any]) -> None:
    documented = yaml.safe_load(mongodb_health.RETURN)
    result = mongodb_health.run(params(login_host="198.18.0.42"))
    assert set(documented) == set(result)
    assert set(documented["summary"]["contains"]) == set(result["summary"])
    assert set(documented["coverage"]["contains"]) == set(result["coverage"][0])
    assert set(documented["findings"]["contains"]) == set(result["findings"][0])
    assert set(result["facts"]) <= set(documented["facts"]["contains"])


def test_a_recording_is_judged_as_the_look_was(live: list[Any], tmp_path: Path) -> None:
    path = str(tmp_path / "mongo-rs.json.gz")
    alive = mongodb_health.run(params(login_host="198.18.0.42", record_to=path))
    again = mongodb_health.run(params(replay_from=path))
    assert [one["check"] for one in alive["findings"]] == ["mongodb.replication_lag"]
    assert [{**one, "recorded_at": None} for one in again["findings"]] == alive["findings"]
    assert (again["coverage"], again["facts"]) == (alive["coverage"], alive["facts"])
    assert again["findings"][0]["recorded_at"]
    assert len(live) == 1


@pytest.mark.parametrize("name", ["mongo-rs", "mongo1"])
def test_the_recordings_are_silent(name: str) -> None:
    result = mongodb_health.run(params(target=name, replay_from=str(RECORDINGS / f"{name}.json")))
    assert (result["findings"], result["summary"]["worst"]) == ([], "ok")


def test_the_password_is_nowhere(live: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "mongo-rs.json"
    result = mongodb_health.run(
        params(login_host="198.18.0.42", login_user="monitor", login_password=SECRET, record_to=str(path))
    )
    assert SECRET not in path.read_text("utf-8")
    assert SECRET not in json.dumps(result)
    assert live[0].password == SECRET


@pytest.mark.parametrize(
    ("given", "tls"),
    [
        ({}, {}),
        ({"tls": True}, {"tls": True}),
        ({"ca_cert": "/ca"}, {"tls": True, "tlsCAFile": "/ca"}),
        ({"tls": True, "validate_certs": False}, {"tls": True, "tlsAllowInvalidCertificates": True}),
        ({"client_cert": "/me"}, {"tls": True, "tlsCertificateKeyFile": "/me"}),
    ],
)
def test_tls(given: dict[str, Any], tls: dict[str, Any], live: list[Any]) -> None:
    mongodb_health.run(params(login_host="198.18.0.42", **given))
    assert live[0].tls == tls


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"login_host": None}, "login_host"),
        ({"checks": ["mongodb.sizes"]}, "did you mean 'mongodb.size'"),
        ({"thresholds": {"mongodb.quue": {"alert": 1}}}, "did you mean 'mongodb.queue'"),
        ({"deadline": 0.0}, "deadline"),
        ({"login_port": 70_000}, "login_port"),
        ({"connect_timeout": 0.0}, "connect_timeout"),
        ({"login_password": "x"}, "login_user"),
        ({"tls": False, "ca_cert": "/ca"}, "tls: true"),
    ],
)
def test_wrong_options_fail_with_words(given: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        mongodb_health.run(params(**{"login_host": "198.51.100.1", **given}))

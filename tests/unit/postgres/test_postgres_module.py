# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module around the look: options, recordings, growth, documentation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pg_looks import RECORDINGS

from ansible_collections.nexuscos.ops.plugins.doc_fragments import observe, postgres
from ansible_collections.nexuscos.ops.plugins.module_utils._core import recording
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._postgres import collect
from ansible_collections.nexuscos.ops.plugins.modules import postgres_health

SECRET = "correct horse battery staple"


def params(**given: Any) -> dict[str, Any]:
    """All options with their defaults, as AnsibleModule hands them over."""
    options = {name: option.get("default") for name, option in postgres_health.spec().options.items()}
    return {**options, "target": "db1", **given}


def recorded(name: str = "primary-15") -> dict[str, Any]:
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
        postgres.ModuleDocFragment.DOCUMENTATION,
        postgres_health.DOCUMENTATION,
    ):
        for name, option in yaml.safe_load(text)["options"].items():
            documented.setdefault(name, {}).update(option)
    options = postgres_health.spec().options
    assert set(documented) == set(options)
    for name, option in options.items():
        for key in ("type", "default", "choices", "elements", "required"):
            assert documented[name].get(key) == option.get(key), (name, key)
    assert options["login_password"]["no_log"] is True


def test_examples_use_options_that_exist() -> None:
    known = set(postgres_health.spec().options)
    for task in yaml.safe_load(postgres_health.EXAMPLES):
        assert set(task["nexuscos.ops.postgres_health"]) <= known


def test_every_return_key_is_documented(live: list[Any]) -> None:
    documented = yaml.safe_load(postgres_health.RETURN)
    result = postgres_health.run(params(login_host="198.18.0.21", expected_standbys=["db2", "gone"]))
    assert set(documented) == set(result)
    assert set(documented["summary"]["contains"]) == set(result["summary"])
    assert set(documented["coverage"]["contains"]) == set(result["coverage"][0])
    assert set(documented["findings"]["contains"]) == set(result["findings"][0])
    assert set(result["facts"]) <= set(documented["facts"]["contains"])


def test_a_recording_is_judged_as_the_look_was(live: list[Any], tmp_path: Path) -> None:
    path = str(tmp_path / "db1.json.gz")
    alive = postgres_health.run(params(login_host="198.18.0.21", expected_standbys=["db2", "gone"], record_to=path))
    again = postgres_health.run(params(replay_from=path, expected_standbys=["db2", "gone"]))
    assert [{**one, "recorded_at": None} for one in again["findings"]] == alive["findings"]
    assert again["coverage"] == alive["coverage"]
    assert again["findings"][0]["recorded_at"]
    assert len(live) == 1


def test_the_password_is_nowhere(live: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "db1.json"
    result = postgres_health.run(params(login_host="198.18.0.21", login_password=SECRET, record_to=str(path)))
    assert SECRET not in path.read_text("utf-8")
    assert SECRET not in json.dumps(result)
    assert live[0].password == SECRET


def test_a_certificate_authority_means_that_the_server_is_verified(live: list[Any]) -> None:
    for given, mode in (
        ({}, "prefer"),
        ({"ca_cert": "/ca"}, "verify-full"),
        ({"ca_cert": "/ca", "ssl_mode": "verify-ca"}, "verify-ca"),
    ):
        postgres_health.run(params(login_host="198.18.0.21", **given))
        assert live[-1].tls["sslmode"] == mode


def test_only_wanted_checks_are_asked_for(live: list[Any]) -> None:
    postgres_health.run(params(login_host="198.18.0.21", checks=["postgres.replication_*", "postgres.size"]))
    assert live[0].wanted == ("replication_lag", "replication_lag_bytes", "size")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"checks": ["postgres.sizes"]}, "did you mean 'postgres.size'"),
        ({"thresholds": {"postgres.conections": {"alert": 1}}}, "did you mean 'postgres.connections'"),
        ({"deadline": 0.0}, "deadline"),
        ({"login_port": 70_000}, "login_port"),
        ({"connect_timeout": 0}, "connect_timeout"),
    ],
)
def test_wrong_options_fail_with_words(given: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        postgres_health.run(params(login_host="198.51.100.1", **given))


def earlier(path: Path, when: str, factor: float) -> str:
    data = recorded()["observation"]
    for row in data["queries"]["sizes"]["rows"]:
        row["bytes"] *= factor
    recording.write(str(path), recording.Recording("postgres_health", "db1", when, data))
    return str(path)


def test_growth_between_two_recordings(tmp_path: Path) -> None:
    path = earlier(tmp_path / "before.json", "2026-11-20T06:00:00Z", 0.5)
    now = tmp_path / "now.json"
    recording.write(
        str(now), recording.Recording("postgres_health", "db1", "2026-11-22T06:00:00Z", recorded()["observation"])
    )
    result = postgres_health.run(params(replay_from=str(now), previous=path, expected_standbys=["db2", "db3"]))
    # twice as large in two days
    assert [(one["check"], one["status"], one["value"]) for one in result["findings"]] == [
        ("postgres.growth", "critical", 50.0)
    ]


@pytest.mark.parametrize("when", ["2026-11-22T05:59:00Z", "long ago"])
def test_growth_that_cannot_be_told_is_unknown(tmp_path: Path, when: str) -> None:
    path = earlier(tmp_path / "before.json", when, 0.5)
    now = tmp_path / "now.json"
    recording.write(
        str(now), recording.Recording("postgres_health", "db1", "2026-11-22T06:00:00Z", recorded()["observation"])
    )
    result = postgres_health.run(params(replay_from=str(now), previous=path, expected_standbys=["db2", "db3"]))
    row = next(row for row in result["coverage"] if row["check"] == "postgres.growth")
    assert (row["seen"], row["status"]) == (False, "unknown")


def test_the_first_look_has_nothing_to_compare_with(tmp_path: Path, live: list[Any]) -> None:
    result = postgres_health.run(params(login_host="198.18.0.21", previous=str(tmp_path / "none.json")))
    row = next(row for row in result["coverage"] if row["check"] == "postgres.growth")
    assert "no earlier look" in row["reason"]

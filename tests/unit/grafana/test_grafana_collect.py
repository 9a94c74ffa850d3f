# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look at the lab's player of Grafana, and at servers that are none."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grafana_looks import Look
from play_grafana import Grafana
from played_http import Server as Played

sys.path.insert(0, str(Path(__file__).parents[1] / "http"))

from misbehaving import Server

from ansible_collections.nexuscos.ops.plugins.module_utils._core.web import Web
from ansible_collections.nexuscos.ops.plugins.module_utils._grafana.collect import collect
from ansible_collections.nexuscos.ops.plugins.module_utils._grafana.evaluate import Expect

TOKEN = "glsa_correct-horse"


@pytest.fixture
def prometheus() -> Iterator[str]:
    with Server(lambda connection: connection.answer(b'{"status": "success"}')) as server:
        yield server.url("")


@pytest.fixture
def played(tmp_path: Path, prometheus: str) -> Iterator[str]:
    with Played(("127.0.0.1", 0), Grafana(tmp_path, prometheus, prometheus, TOKEN, "key").route) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield "http://{}:{}".format(*server.server_address[:2])
        server.shutdown()
        thread.join()


def look(url: str, token: str = TOKEN, ignore: tuple[str, ...] = ()) -> dict[str, Any]:
    client = Web({"url": url, "token": token, "timeout": 20.0}, 60.0)
    return collect(client, ["Platform overview", "databases"], ignore, {"url": url, "hours": 12.0})


def judged(observation: dict[str, Any], expect: Expect | None = None) -> dict[str, tuple[str, str]]:
    taken = Look()
    taken.observation = json.loads(json.dumps(observation))
    return taken.judge(expect)


def fault(folder: Path, *changes: list[Any]) -> None:
    (folder / "fault.json").write_text(json.dumps(changes))


def test_a_grafana_is_seen_whole(played: str) -> None:
    observation = look(played)
    assert judged(observation) == {}
    assert observation["opened"]["platform"]["data"] == {"panels": 3, "sources": ["prometheus"]}
    assert TOKEN not in json.dumps(observation)


def test_a_refused_token(played: str) -> None:
    assert list(judged(look(played, "another"))) == ["access"]


def test_a_lost_database(played: str, tmp_path: Path) -> None:
    fault(tmp_path, ["health", "database", "failing"])
    assert list(judged(look(played))) == ["database"]


def test_a_data_source_that_does_not_answer(played: str, tmp_path: Path) -> None:
    fault(tmp_path, ["datasources", "1.url", "http://127.0.0.1:9"])
    found = judged(look(played))
    assert found["datasource Logs"][0] == "critical"
    assert "refused" in found["datasource Logs"][1]
    assert judged(look(played, ignore=("Logs",)), Expect(ignore=("Logs",))) == {}


def test_a_deleted_dashboard(played: str, tmp_path: Path) -> None:
    fault(tmp_path, ["search", "0", None])
    assert list(judged(look(played))) == ["dashboard Platform overview"]


def test_variables_are_no_data_sources(played: str, tmp_path: Path) -> None:
    changes = [
        ["dashboard platform", "dashboard.panels.1.datasource", {"uid": "${source}"}],
        ["dashboard platform", "dashboard.panels.1.targets", [{"datasource": {"uid": "-- Mixed --"}}, 5]],
    ]
    fault(tmp_path, *changes)
    assert judged(look(played)) == {}


def test_a_dead_grafana_is_asked_once() -> None:
    with Server(lambda _connection: None) as server:
        observation = look(server.url(""))
        assert len(server.connections) == 1
    assert list(judged(observation)) == ["reachable"]


@pytest.mark.parametrize("body", [b"[]", b"{}", b"5", b'{"database": 5}', b"<html>"])
def test_odd_answers(body: bytes) -> None:
    with Server(lambda connection: connection.answer(body)) as server:
        assert list(judged(look(server.url("")))) == ["reachable"]

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look at the lab's players of Elasticsearch and Kibana, and at servers that are none."""

from __future__ import annotations

import datetime
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from elastic_looks import Look
from play_elasticsearch import Elasticsearch, Kibana
from played_http import Server as Played

sys.path.insert(0, str(Path(__file__).parents[1] / "http"))

from misbehaving import Server

from ansible_collections.nexuscos.ops.plugins.module_utils._core.web import Web
from ansible_collections.nexuscos.ops.plugins.module_utils._elasticsearch.collect import Index, collect

KEY = "Y29ycmVjdCBob3JzZQ=="


@contextmanager
def serving(route: Any) -> Iterator[str]:
    with Played(("127.0.0.1", 0), route) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield "http://{}:{}".format(*server.server_address[:2])
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def cluster(tmp_path: Path) -> Elasticsearch:
    return Elasticsearch(tmp_path, KEY)


@pytest.fixture
def played(cluster: Elasticsearch) -> Iterator[str]:
    with serving(cluster.route) as url:
        yield url


def keep(cluster: Elasticsearch, seconds: float, index: str = "logs-nginx-default") -> None:
    moment = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds)
    cluster.keep(index, {"@timestamp": moment.isoformat()})


def look(url: str, kibana: str | None = None, key: str = KEY) -> dict[str, Any]:
    headers = {"Authorization": f"ApiKey {key}"}
    client = Web({"url": url, "timeout": 20.0}, 60.0, headers)
    other = Web({"url": kibana, "timeout": 20.0}, 60.0, headers) if kibana else None
    return collect(client, other, [Index("nginx", "logs-nginx-*")], {"url": kibana or "", "hours": 12.0})


def judged(observation: dict[str, Any]) -> dict[str, tuple[str, str]]:
    taken = Look()
    taken.observation = json.loads(json.dumps(observation))
    return taken.judge()


def test_a_cluster_and_its_kibana_are_seen_whole(played: str, cluster: Elasticsearch, tmp_path: Path) -> None:
    keep(cluster, 2)
    with serving(Kibana(tmp_path, played).route) as kibana:
        observation = look(played, kibana)
    assert judged(observation) == {}
    assert observation["indices"]["nginx"]["data"]["index"] == "logs-nginx-default"
    assert KEY not in json.dumps(observation)


def test_the_newest_document_counts_and_none_from_the_future(played: str, cluster: Elasticsearch) -> None:
    for seconds in (5000, 1320, 3000, -3600):
        keep(cluster, seconds)
    assert judged(look(played)) == {
        "ingestion nginx": ("critical", "the newest document of logs-nginx-* is 22 min old")
    }


def test_an_index_that_is_not_there(played: str, cluster: Elasticsearch) -> None:
    keep(cluster, 2, "logs-other")
    assert judged(look(played)) == {"ingestion nginx": ("critical", "no index matches logs-nginx-*")}


def test_a_refused_key(played: str, cluster: Elasticsearch) -> None:
    keep(cluster, 2)
    assert list(judged(look(played, key="another"))) == ["access"]


def test_a_blocked_index(played: str, cluster: Elasticsearch, tmp_path: Path) -> None:
    keep(cluster, 2)
    setting = {"settings": {"index.blocks.read_only_allow_delete": "true"}}
    (tmp_path / "fault.json").write_text(json.dumps([["blocks", "logs-nginx-default", setting]]))
    assert list(judged(look(played))) == ["read_only"]
    assert cluster.keep("logs-nginx-default", {"@timestamp": "2026-11-22T06:00:00Z"})[0] == 403


def test_a_kibana_without_its_cluster(tmp_path: Path) -> None:
    with Server(lambda _connection: None) as server:
        gone = server.url("")
    with serving(Kibana(tmp_path, gone).route) as kibana:
        observation = look(gone, kibana)
    assert judged(observation)["kibana kibana"][0] == "critical"
    assert "elasticsearch" in observation["kibana"]["data"]["bad"]


def test_kibana_7_names_its_state_differently() -> None:
    state = {"overall": {"state": "yellow", "title": "Yellow"}, "statuses": []}
    body = json.dumps({"version": {"number": "7.17.9"}, "status": state}).encode()
    with Server(lambda connection: connection.answer(body)) as server:
        observation = look(server.url(""), server.url(""))
    assert observation["kibana"]["data"]["level"] == "yellow"


@pytest.mark.parametrize("body", [b"[]", b"{}", b"5", b'{"version": 5, "status": {"overall": 5}}', b"<html>"])
def test_odd_answers(body: bytes) -> None:
    with Server(lambda connection: connection.answer(body)) as server:
        found = judged(look(server.url(""), server.url("")))
    assert {name: one[0] for name, one in found.items()} == {"reachable": "critical", "kibana kibana": "critical"}


def test_what_is_asked_of_an_index(played: str) -> None:
    with Server(lambda connection: connection.answer(b'{"cluster_name": "x"}')) as server:
        look(server.url(""))
        asked = [one for one in server.connections if b"_search" in one.request]
    head, _blank, body = asked[0].request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /logs-nginx-*/_search?ignore_unavailable=true&allow_no_indices=true HTTP/1.1")
    assert json.loads(body) == {
        "size": 1,
        "track_total_hits": False,
        "_source": False,
        "query": {"range": {"@timestamp": {"lte": "now"}}},
        "sort": [{"@timestamp": {"order": "desc", "unmapped_type": "date"}}],
        "docvalue_fields": [{"field": "@timestamp", "format": "epoch_millis"}],
    }

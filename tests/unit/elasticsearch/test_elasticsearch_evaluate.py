# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging a recorded look at an Elasticsearch."""

from __future__ import annotations

from typing import Any

import pytest
from elastic_looks import Look

from ansible_collections.nexuscos.ops.plugins.module_utils._core import web
from ansible_collections.nexuscos.ops.plugins.module_utils._core.finding import fingerprint
from ansible_collections.nexuscos.ops.plugins.module_utils._elasticsearch.checks import CHECKS


def test_a_healthy_look_is_silent_and_all_is_seen() -> None:
    look = Look()
    assert look.judge() == {}
    assert look.unseen() == set()
    assert look.result["facts"]["cluster"] == "platform-logs"
    assert look.result["facts"]["newest_document_s"] < 60


@pytest.mark.parametrize(
    ("kind", "http", "check", "status"),
    [
        (web.REFUSED, None, "reachable", "critical"),
        (web.SILENT, None, "reachable", "critical"),
        (web.TIMEOUT, None, "reachable", "unknown"),
        (web.DNS, None, "reachable", "unknown"),
        (web.GARBAGE, 200, "reachable", "critical"),
        (web.STATUS, 502, "reachable", "critical"),
        (web.STATUS, 404, "reachable", "critical"),
        (web.DENIED, 401, "access", "unknown"),
        (web.TLS, None, "access", "unknown"),
    ],
)
def test_a_cluster_that_cannot_be_looked_at_is_one_finding(
    kind: str, http: int | None, check: str, status: str
) -> None:
    look = Look()
    look.fail("root", kind, http)
    assert {name: one[0] for name, one in look.judge().items()} == {check: status}
    seen = {"reachable", "kibana"} | ({"access"} if check == "access" else set())
    assert look.unseen() == {one.id.split(".", 1)[1] for one in CHECKS} - seen


def test_another_server_in_its_place() -> None:
    look = Look()
    look.observation["root"]["data"] = {"name": "x"}
    assert "is not what answers there" in look.judge()["reachable"][1]


def test_refused_answers_are_told_once() -> None:
    look = Look()
    look.fail("nodes", web.DENIED, 403, "status 403 Forbidden: not authorized")
    look.observation["indices"]["nginx"]["error"] = {"kind": web.DENIED, "text": "status 403"}
    found = {name: one[0] for name, one in look.judge().items()}
    assert found == {"access": "unknown", "ingestion nginx": "unknown"}
    assert look.unseen() == {"disk", "heap", "rejections"}


@pytest.mark.parametrize(("colour", "status"), [("green", None), ("yellow", "warning"), ("red", "critical")])
def test_colours(colour: str, status: str | None) -> None:
    look = Look()
    look.observation["health"]["data"].update(status=colour, unassigned_shards=2)
    assert look.judge().get("cluster", (None,))[0] == status


def test_no_master() -> None:
    look = Look()
    look.fail("health", web.STATUS, 503, "status 503: master_not_discovered_exception")
    assert look.judge()["cluster"][0] == "critical"


def test_a_colour_that_nobody_knows_is_not_seen() -> None:
    look = Look()
    look.observation["health"]["data"]["status"] = "mauve"
    look.judge()
    assert look.unseen() == {"cluster"}


@pytest.mark.parametrize(
    ("change", "check", "status"),
    [
        ({"free_bytes": 214748364800 * 0.12}, "disk es-1", "warning"),
        ({"free_bytes": 214748364800 * 0.04}, "disk es-1", "critical"),
        ({"heap_percent": 90}, "heap es-1", "warning"),
        ({"heap_percent": 99}, "heap es-1", "critical"),
        ({"rejected": 9600}, "rejections es-1", "warning"),
        ({"rejected": 5000, "uptime_ms": 60_000}, "rejections es-1", "critical"),
    ],
)
def test_nodes(change: dict[str, Any], check: str, status: str) -> None:
    look = Look()
    look.observation["nodes"]["data"][0].update(change)
    assert {name: one[0] for name, one in look.judge().items()} == {check: status}


# --- ingestion


@pytest.mark.parametrize(("seconds", "status"), [(60, None), (600, "warning"), (1320, "critical"), (-50, None)])
def test_the_age_of_the_newest_document(seconds: float, status: str | None) -> None:
    look = Look()
    look.observation["indices"]["nginx"]["data"]["time"] = look.observation["now"] - seconds
    found = look.judge()
    assert found.get("ingestion nginx", (None,))[0] == status
    if status == "critical":
        assert found["ingestion nginx"][1] == "the newest document of logs-nginx-* is 22 min old"


def test_a_pattern_may_be_slower_by_nature() -> None:
    look = Look()
    look.observation["indices"]["nginx"]["data"]["time"] -= 1320
    line = {"overrides": [{"match": "elasticsearch/nginx", "target": 3600, "alert": 7200}]}
    assert look.judge(ingestion=line) == {}


def test_nothing_in_it() -> None:
    look = Look()
    data = look.observation["indices"]["nginx"]["data"]
    data.update(time=None, index=None)
    assert look.judge()["ingestion nginx"] == ("critical", "no document is in logs-nginx-*")
    data.update(shards=0)
    assert look.judge()["ingestion nginx"] == ("critical", "no index matches logs-nginx-*")
    data.update(shards=2, failed=2)
    assert look.judge()["ingestion nginx"][0] == "unknown"


def test_a_search_that_failed_is_not_known() -> None:
    look = Look()
    look.observation["indices"]["nginx"].update(data=None, error={"kind": web.TIMEOUT, "text": "late"})
    assert look.judge() == {"ingestion nginx": ("unknown", "the newest document of logs-nginx-* is not known: late")}


def test_a_read_only_index_explains_why_nothing_comes() -> None:
    look = Look()
    look.observation["blocks"]["data"] = {"count": 1, "names": ["logs-nginx-default"]}
    look.observation["indices"]["nginx"]["data"]["time"] -= 2000
    assert {name: one[0] for name, one in look.judge().items()} == {
        "read_only": "critical",
        "ingestion nginx": "critical",
    }
    assert look.finding("ingestion")["caused_by"] == fingerprint("elasticsearch.read_only", "elasticsearch")


def test_a_read_only_index_of_somebody_else_does_not() -> None:
    look = Look()
    look.observation["blocks"]["data"] = {"count": 1, "names": ["audit"]}
    look.observation["indices"]["nginx"]["data"]["time"] -= 2000
    look.judge()
    assert look.finding("ingestion")["caused_by"] is None


def test_a_red_cluster_explains_it_too() -> None:
    look = Look()
    look.observation["health"]["data"]["status"] = "red"
    look.observation["indices"]["nginx"]["data"]["time"] -= 2000
    look.judge()
    assert look.finding("ingestion")["caused_by"] == fingerprint("elasticsearch.cluster", "elasticsearch")


def test_links_open_the_time_that_was_asked_about() -> None:
    look = Look()
    look.observation["now"] = 1_795_942_800
    look.observation["indices"]["nginx"]["data"]["time"] = 1_795_940_000
    look.judge()
    evidence = look.finding("ingestion")["evidence"]
    assert evidence["link"] == (
        "https://logs.nexuscos.example.com/app/discover#/"
        "?_g=(time:(from:'2026-11-28T21:00:00Z',to:'2026-11-29T09:00:00Z'))"
        "&_a=(index:'logs-nginx-*',query:(language:kuery,query:''),sort:!(!('@timestamp',desc)))"
    )
    assert evidence["newest"] == "2026-11-29T08:13:20Z"


def test_without_kibana_there_is_no_link() -> None:
    look = Look()
    look.observation["links"]["url"] = ""
    look.observation["kibana_url"] = None
    look.observation["indices"]["nginx"]["data"]["time"] -= 2000
    look.judge()
    assert look.finding("ingestion")["evidence"]["link"] is None
    assert look.row("kibana") == {
        "check": "elasticsearch.kibana", "objects": 0, "status": "ok", "seen": True, "reason": None,
    }  # fmt: skip


# --- Kibana


@pytest.mark.parametrize(
    ("level", "status"),
    [
        ("degraded", "warning"),
        ("unavailable", "critical"),
        ("critical", "critical"),
        ("yellow", "warning"),
        ("green", None),
    ],
)
def test_levels_of_kibana(level: str, status: str | None) -> None:
    look = Look()
    look.observation["kibana"]["data"].update(level=level, summary="1 service")
    assert look.judge().get("kibana kibana", (None,))[0] == status


@pytest.mark.parametrize(
    ("kind", "http", "status"),
    [
        (web.REFUSED, None, "critical"),
        (web.TIMEOUT, None, "unknown"),
        (web.DENIED, 401, "unknown"),
        (web.TLS, None, "unknown"),
        (web.STATUS, 503, "critical"),
        (web.STATUS, 404, "critical"),
    ],
)
def test_a_kibana_that_does_not_answer(kind: str, http: int | None, status: str) -> None:
    look = Look()
    look.fail("kibana", kind, http)
    assert {name: one[0] for name, one in look.judge().items()} == {"kibana kibana": status}


def test_a_kibana_that_has_lost_its_cluster_is_explained_by_it() -> None:
    look = Look()
    look.fail("root", web.REFUSED)
    bad = {"elasticsearch": "critical: gone"}
    look.fail("kibana", web.STATUS, 503, data={"level": "critical", "summary": "elasticsearch", "bad": bad})
    assert {name: one[0] for name, one in look.judge().items()} == {
        "reachable": "critical",
        "kibana kibana": "critical",
    }
    assert look.finding("kibana")["caused_by"] == fingerprint("elasticsearch.reachable", "elasticsearch")

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging a recorded look at a Grafana."""

from __future__ import annotations

from typing import Any

import pytest
from grafana_looks import Look

from ansible_collections.nexuscos.ops.plugins.module_utils._core import web
from ansible_collections.nexuscos.ops.plugins.module_utils._grafana.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._grafana.evaluate import Expect


def test_a_healthy_look_is_silent_and_all_is_seen() -> None:
    look = Look()
    assert look.judge() == {}
    assert look.unseen() == set()
    assert look.result["facts"] == {"version": "11.2.0", "datasources": 2, "dashboards": 3, "datasources_unknown": 0}


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
        (web.TLS, None, "access", "unknown"),
    ],
)
def test_a_grafana_that_cannot_be_looked_at_is_one_finding(
    kind: str, http: int | None, check: str, status: str
) -> None:
    look = Look()
    look.fail("health", kind, http)
    assert {name: one[0] for name, one in look.judge().items()} == {check: status}
    seen = {"reachable"} if check == "reachable" else {"reachable", "access"}
    assert look.unseen() == {one.id.split(".", 1)[1] for one in CHECKS} - seen


def test_another_server_in_its_place() -> None:
    look = Look()
    look.observation["health"]["data"] = {"status": "ok"}
    assert "is not what answers there" in look.judge()["reachable"][1]


def test_a_lost_database() -> None:
    look = Look()
    look.fail("health", web.STATUS, 503, data={"database": "failing", "version": "11.2.0"})
    assert look.judge() == {"database": ("critical", "Grafana does not reach its database (failing)")}


def test_a_refused_token() -> None:
    look = Look()
    for name in ("datasources", "dashboards"):
        look.fail(name, web.DENIED, 401, "status 401 Unauthorized: Invalid API key")
    found = look.judge()
    assert {name: one[0] for name, one in found.items()} == {"access": "unknown"}
    assert look.unseen() == {"datasource", "dashboard"}
    assert look.row("database")["seen"]


def test_a_token_without_the_right_to_data_sources() -> None:
    look = Look()
    look.fail("datasources", web.DENIED, 403, "status 403 Forbidden")
    assert list(look.judge()) == ["access"]
    assert look.unseen() == {"datasource"}


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (
            {"status": 400, "error": {"kind": "status", "text": "t"}, "data": {"status": "ERROR", "message": "m"}},
            "critical",
        ),
        ({"status": 500, "error": {"kind": "status", "text": "t"}, "data": None}, "critical"),
        ({"status": 200, "error": None, "data": {"status": "ERROR"}}, "critical"),
        ({"status": 200, "error": None, "data": {"status": "OK"}}, None),
        ({"status": 404, "error": {"kind": "status", "text": "plugin not found"}, "data": {"message": "x"}}, None),
        ({"status": None, "error": {"kind": "timeout", "text": "late"}, "data": None}, "unknown"),
        ({"status": 403, "error": {"kind": "denied", "text": "no"}, "data": None}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_data_sources(answer: dict[str, Any], status: str | None) -> None:
    look = Look()
    look.observation["source_health"]["elasticsearch"] = answer
    found = look.judge()
    assert found.get("datasource Logs", (None,))[0] == status


def test_an_ignored_data_source() -> None:
    look = Look()
    look.observation["source_health"]["elasticsearch"] = {}
    assert look.judge(Expect(ignore=("Lo*",))) == {}


def test_a_data_source_that_is_missing() -> None:
    found = Look().judge(Expect(datasources=("Prometheus", "elasticsearch", "Loki")))
    assert found == {"datasource Loki": ("critical", "the data source Loki does not exist")}


def test_a_dashboard_that_is_missing() -> None:
    look = Look()
    assert look.judge(Expect(("Databases", "Capacity"))) == {
        "dashboard Capacity": ("warning", "the dashboard Capacity does not exist")
    }
    assert look.finding("dashboard")["evidence"]["link"].startswith(
        "https://monitoring.nexuscos.example.com/dashboards?orgId=1&query=Capacity&from="
    )


def test_a_dashboard_that_does_not_open() -> None:
    look = Look()
    look.observation["opened"]["databases"] = {"status": 500, "error": {"kind": "status", "text": "status 500"}}
    assert look.judge()["dashboard databases"] == ("warning", "the dashboard databases does not open: status 500")
    look.observation["opened"]["databases"] = {"status": None, "error": {"kind": "timeout", "text": "late"}}
    assert look.judge()["dashboard databases"][0] == "unknown"


def test_a_dashboard_that_asks_what_is_not_there() -> None:
    look = Look()
    look.observation["opened"]["platform"]["data"]["sources"] = ["mimir", "prometheus"]
    assert look.judge()["dashboard Platform overview"] == (
        "warning",
        "the dashboard Platform overview asks data sources that do not exist: mimir",
    )


def test_links_open_the_time_that_was_asked_about() -> None:
    look = Look()
    look.observation["now"] = 1_795_942_800
    look.observation["opened"]["databases"] = {"status": 500, "error": {"kind": "status", "text": "x"}}
    look.observation["source_health"]["prometheus"] = {"status": 500, "error": {"kind": "status", "text": "x"}}
    look.judge()
    base = "https://monitoring.nexuscos.example.com"
    assert look.finding("dashboard")["evidence"]["link"] == (
        f"{base}/d/databases/databases?orgId=1&from=1795899600000&to=1795942800000"
    )
    evidence = look.finding("datasource")["evidence"]
    assert evidence["link"].startswith(f"{base}/explore?orgId=1&schemaVersion=1&panes=")
    assert "1795899600000" in evidence["link"]
    assert evidence["settings"] == f"{base}/connections/datasources/edit/prometheus"


def test_a_grafana_under_a_path_has_it_once_in_its_links() -> None:
    look = Look()
    look.observation["links"]["url"] = "https://ops.example.com/grafana/"
    look.observation["dashboards"]["data"][1]["url"] = "/grafana/d/databases/databases"
    look.observation["opened"]["databases"] = {"status": 500, "error": {"kind": "status", "text": "x"}}
    look.judge()
    link = look.finding("dashboard")["evidence"]["link"]
    assert link.startswith("https://ops.example.com/grafana/d/databases/databases?orgId=1&from=")


@pytest.mark.parametrize("url", ["@evil.example.com/", ".evil.example.com", "", "https://evil.example.com/d/x"])
def test_a_link_stays_on_its_host(url: str) -> None:
    look = Look()
    look.observation["dashboards"]["data"][1]["url"] = url
    look.observation["opened"]["databases"] = {"status": 500, "error": {"kind": "status", "text": "x"}}
    look.judge()
    link = look.finding("dashboard")["evidence"]["link"]
    assert link.startswith("https://monitoring.nexuscos.example.com/d/databases?orgId=1&from=")

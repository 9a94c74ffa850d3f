# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is judged, what is not there, and what must not be taken for good."""

from __future__ import annotations

import json
from typing import Any

import pytest
from metrics_looks import NOW, Look, by, counts, failed, series

from ansible_collections.nexuscos.ops.plugins.module_utils._metrics import checks

SERVICE_CHECKS = ("error_rate", "latency", "service_up")


def test_a_healthy_look_is_silent_and_every_check_was_seen() -> None:
    look = Look().judge()
    assert look.found == set()
    assert all(row["seen"] for row in look.result["coverage"])
    facts = look.result["facts"]
    assert (facts["targets_up"], facts["targets_total"], facts["fed_s"]) == (8, 8, 3.2)
    assert (facts["objectives_kept"], facts["objectives_total"]) == (7, 7)
    assert facts["uptime_s"] > 9 * 86400


@pytest.mark.parametrize(
    ("kind", "check", "status"),
    [
        ("refused", "reachable", "critical"),
        ("silent", "reachable", "critical"),
        ("timeout", "reachable", "unknown"),
        ("dns", "reachable", "unknown"),
        ("tls", "reachable", "unknown"),
        ("denied", "access", "unknown"),
    ],
)
def test_a_prometheus_that_does_not_answer_is_one_finding(kind: str, check: str, status: str) -> None:
    look = Look()
    look.observation["error"] = {"kind": kind, "text": "it says so"}
    look.judge()
    assert look.found == {(check, "", status)}
    assert not look.row("error_rate")["seen"]
    assert look.row("reachable")["seen"]


@pytest.mark.parametrize(
    ("objective", "name", "value", "status"),
    [
        ("error_rate", "auth-service", 0.1, None),
        ("error_rate", "auth-service", 0.5, "warning"),
        ("error_rate", "auth-service", 3.2, "critical"),
        ("latency", "auth-service", 200, None),
        ("latency", "auth-service", 201, "warning"),
        ("latency", "auth-service", 900, "critical"),
        ("cpu", "host1", 80, "warning"),
        ("memory", "host1", 95, "critical"),
        ("connections", "db1", 85, "warning"),
    ],
)
def test_the_lines_of_the_runbook(objective: str, name: str, value: float, status: str | None) -> None:
    look = Look()
    for one in look.observation["objectives"][objective]["value"]["series"]:
        one["value"] = str(value) if name in one["labels"].values() else one["value"]
    look.judge()
    assert look.found == ({(objective, name, status)} if status else set())


def test_a_finding_states_its_window_its_traffic_and_its_service() -> None:
    look = Look()
    look.observation["objectives"]["error_rate"]["value"] = by("service", ("auth-service", "3.2"))
    one = look.judge().finding("error_rate")
    assert one["title"] == "auth-service answers 3.2 % of its requests with an error (over 5m, 500 requests)"
    assert (one["value"], one["unit"], one["target"], one["alert"]) == (3.2, "%", 0.1, 1)
    assert one["evidence"]["service"] == "auth-service"
    assert "$window" not in one["evidence"]["query"]
    assert "[5m]" in one["evidence"]["query"]


def test_no_data_is_unknown() -> None:
    look = Look()
    look.observation["objectives"]["error_rate"]["value"] = series()
    look.observation["objectives"]["latency"]["value"] = failed("timeout", "no answer")
    del look.observation["objectives"]["cpu"]
    look.judge()
    assert look.found == {
        ("error_rate", "error_rate", "unknown"),
        ("latency", "latency", "unknown"),
        ("cpu", "cpu", "unknown"),
    }
    assert "no data" in look.finding("error_rate")["title"]


@pytest.mark.parametrize(
    ("no_traffic", "found"), [("ok", set()), ("unknown", {("error_rate", "auth-service", "unknown")})]
)
def test_nothing_divided_by_nothing_is_no_traffic(no_traffic: str, found: set[Any]) -> None:
    look = Look(no_traffic=no_traffic)
    look.observation["objectives"]["error_rate"]["value"] = by(
        "service", ("auth-service", "NaN"), ("billing-service", 0)
    )
    look.observation["objectives"]["error_rate"]["traffic"] = by(
        "service", ("auth-service", 0), ("billing-service", 99)
    )
    look.judge()
    assert look.found == found
    if found:
        assert "no traffic over 5m" in look.finding("error_rate")["title"]


def test_a_few_requests_are_no_rate() -> None:
    look = Look()
    look.observation["objectives"]["error_rate"]["value"] = by("service", ("auth-service", 50))
    look.observation["objectives"]["error_rate"]["traffic"] = by("service", ("auth-service", 2))
    assert look.judge().found == set()
    assert look.result["facts"]["without_traffic"] == 1


def test_infinity_is_critical_and_no_number() -> None:
    look = Look()
    look.observation["objectives"]["latency"]["value"] = by("service", ("auth-service", "+Inf"))
    one = look.judge().finding("latency")
    assert (one["status"], one["value"]) == ("critical", None)
    assert "+Inf" in one["title"]
    json.dumps(look.result, allow_nan=False)


def test_old_samples_are_unknown_and_their_number_is_not_judged() -> None:
    look = Look()
    look.observation["objectives"]["error_rate"]["value"] = by("service", ("auth-service", 50), ("billing-service", 0))
    look.observation["objectives"]["error_rate"]["fresh"] = by("service", ("auth-service", 200), ("billing-service", 3))
    look.judge()
    assert look.found == {("stale", "auth-service", "unknown")}
    assert look.finding("stale")["value"] == 200


def test_samples_too_old_for_the_window_are_told_although_the_query_drops_them() -> None:
    look = Look()
    look.observation["objectives"]["error_rate"]["value"] = by("service", ("billing-service", 0))
    look.observation["objectives"]["error_rate"]["fresh"] = by("service", ("auth-service", 290), ("billing-service", 3))
    assert look.judge().found == {("stale", "auth-service", "unknown")}


def test_what_is_left_in_the_window_of_a_series_that_ended_is_not_judged() -> None:
    look = Look()
    for one in look.observation["objectives"]["cpu"].values():
        one["series"] = []
    look.observation["objectives"]["cpu"]["value"] = by("host", ("host1", 99), ("host2", 10))
    look.observation["objectives"]["cpu"]["fresh"] = by("host", ("host2", 3))
    assert look.judge().found == {("stale", "host1", "unknown")}
    # The instances of a service that is up may just be new.
    look = Look()
    look.observation["objectives"]["error_rate"]["value"] = by("service", ("auth-service", 99))
    look.observation["objectives"]["error_rate"]["fresh"] = series()
    assert look.judge().found == set()


def test_a_prometheus_that_nobody_feeds_knows_nothing_about_now() -> None:
    look = Look()
    look.observation["fed"] = series()
    look.judge()
    assert look.found == {("stale", "", "unknown")}
    assert all(not look.row(check)["seen"] for check in SERVICE_CHECKS)
    look = Look()
    look.observation["fed"] = by("job", ("node", 250), ("nexus-cos-services", 240))
    assert look.judge().found == {("stale", "", "unknown")}
    look = Look()
    look.observation["fed"] = by("job", ("node", 250), ("nexus-cos-services", 4))
    assert look.judge().found == {("stale", "node", "unknown")}


def test_a_dead_service_is_one_finding() -> None:
    look = Look()
    look.observation["targets"]["services"]["auth-service"] = counts(0, 3, 0, "dial tcp: connect: connection refused")
    look.observation["objectives"]["error_rate"]["value"] = by("service", ("auth-service", 99), ("billing-service", 0))
    look.judge()
    assert look.found == {("service_up", "auth-service", "critical")}
    assert look.finding("service_up")["title"].endswith("(connection refused)")
    assert look.finding("service_up")["evidence"]["service"] == "auth-service"


def test_services_with_some_or_without_any_instance() -> None:
    look = Look()
    look.observation["targets"]["services"] = {"auth-service": counts(2, 1, 0, "context deadline exceeded")}
    look.judge()
    assert look.found == {("service_up", "auth-service", "warning"), ("service_up", "billing-service", "critical")}


def test_targets_by_job() -> None:
    look = Look()
    look.observation["targets"]["jobs"] = {
        "node": counts(1, 1, 0, "refused", host="host2"),
        "redis": counts(0, 2, 0, "a", "b"),
    }
    look.judge()
    assert look.found == {
        ("target_down", "node", "warning"),
        ("target_down", "redis", "critical"),
        ("target_down", "nexus-cos-services", "critical"),
    }
    assert [one["title"] for one in look.result["findings"] if one["object"] == "mon1/node"] == [
        "1 of 2 targets of node is down: host2 (refused)"
    ]


def test_a_prometheus_that_has_just_started_has_not_found_all_targets_yet() -> None:
    look = Look()
    look.observation["runtime"]["data"]["startTime"] = "2026-11-29T08:13:15Z"
    look.observation["targets"] = {"error": None, "jobs": {}, "services": {}}
    look.judge()
    assert look.found == set()
    assert not look.row("target_down")["seen"]
    assert not look.row("service_up")["seen"]


def test_rules_that_fail_or_are_late() -> None:
    look = Look()
    rules = look.observation["rules"]
    rules["failing"] = [
        {"name": "High/Load", "type": "alerting", "group": "g", "file": "f", "query": "q", "error": "many-to-many"},
        {"name": "job:up", "type": "recording", "group": "g", "file": "f", "query": "q", "error": "e"},
    ]
    rules["groups"].append(
        {"name": "late", "file": "f", "interval": 15.0, "last": "2026-11-29T08:00:00+00:00", "rules": 1}
    )
    rules["groups"].append({"name": "new", "file": "f", "interval": 15.0, "last": "0001-01-01T00:00:00Z", "rules": 1})
    look.judge()
    assert look.found == {
        ("rules", "g/High_Load", "critical"),
        ("rules", "g/job:up", "warning"),
        ("rules", "late", "warning"),
    }


def test_configuration_and_storage() -> None:
    look = Look()
    look.observation["runtime"]["data"].update(reloadConfigSuccess=False, corruptionCount=1)
    look.observation["storage"] = by("what", ("compactions_failed", 2.5), ("wal_corruptions", 0))
    look.judge()
    assert look.found == {("config", "", "warning"), ("storage", "", "warning")}
    assert "1 corruption repaired" in look.finding("storage")["title"]
    look.observation["storage"] = by("what", ("wal_writes_failed", 2.5))
    assert ("storage", "", "critical") in look.judge().found


def test_an_answer_that_prometheus_calls_incomplete_is_unknown() -> None:
    look = Look()
    look.observation["objectives"]["error_rate"]["value"]["warnings"] = ["a store was not reached"]
    look.judge()
    assert look.found == {("error_rate", "error_rate", "unknown")}


def test_objectives_of_the_inventory() -> None:
    look = Look(
        {"name": "queue", "target": 100, "alert": 1000, "unit": "messages", "labels": ["vhost", "queue"]},
        {"name": "hits", "target": 90, "alert": 70, "direction": "below", "unit": "%"},
        {"name": "free", "alert": 5, "direction": "below"},
    )
    answers = look.observation["objectives"]
    answers["queue"] = {"value": series(({"vhost": "/", "queue": "a"}, 5000), ({"vhost": "v", "queue": "b"}, 99))}
    answers["hits"] = {"value": series(({"service": "auth-service", "__name__": "x"}, 80), ({"service": "b"}, "NaN"))}
    answers["free"] = {"value": series(({}, 7))}
    look.judge()
    assert look.found == {
        ("objective", "queue/_/a", "critical"),
        ("floor", "hits/service=auth-service", "warning"),
        ("floor", "hits/service=b", "unknown"),
    }
    queue = look.finding("objective")
    assert (queue["target"], queue["alert"]) == (100, 1000)
    assert "5,000 messages" in queue["title"]
    floors = {one["object"]: one for one in look.result["findings"] if one["check"] == checks.FLOOR}
    assert floors["mon1/hits/service=auth-service"]["evidence"]["service"] == "auth-service"


def test_thresholds_of_the_inventory_win_over_an_objectives_own_lines() -> None:
    look = Look({"name": "queue[1]", "target": 100, "alert": 1000, "labels": ["queue"]})
    look.observation["objectives"]["queue[1]"] = {"value": series(({"queue": "a"}, 500), ({"queue": "b"}, 500))}
    over = {"metrics.objective": {"overrides": [{"match": "mon1/*/b", "target": 600, "alert": 700}]}}
    assert look.judge(over).found == {("objective", "queue[1]/a", "warning")}


def test_one_number_for_all_with_traffic() -> None:
    look = Look({"name": "ratio", "target": 1, "traffic": "t", "min_traffic": 10, "no_traffic": "ok"})
    answers = look.observation["objectives"]
    answers["ratio"] = {"value": series(({}, 50)), "traffic": series(({}, 3))}
    assert look.judge().found == set()
    answers["ratio"] = {"value": series(({}, 50)), "traffic": series(({}, 30))}
    assert look.judge().found == {("objective", "ratio", "warning")}


def test_the_time_of_the_server_counts() -> None:
    look = Look()
    look.observation["now"] = series(({}, NOW + 86400))
    assert look.judge().found == {("rules", "g", "warning")}

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What fires, what came and went, what is silenced, and whether an alert would arrive."""

from __future__ import annotations

import json
from typing import Any

import pytest
from alerts_looks import DAY, NOW, Look, alert, fired, silence

from ansible_collections.nexuscos.ops.plugins.module_utils._alerts.evaluate import stamp
from ansible_collections.nexuscos.ops.plugins.module_utils._alerts.history import bridge, intervals, union
from ansible_collections.nexuscos.ops.plugins.module_utils._alerts.silences import covers_everything, matches, words


def test_a_healthy_look_is_silent_and_every_check_was_seen() -> None:
    look = Look().judge()
    assert look.found == set()
    assert all(row["seen"] for row in look.result["coverage"])
    facts = look.result["facts"]
    assert (facts["alerts_firing"], facts["alerts_came_and_went"], facts["alerts_flapping"]) == (0, 0, 0)
    assert look.told == {"alerts": [], "resolved": [], "silences": []}


@pytest.mark.parametrize(
    ("kind", "check", "status"),
    [
        ("refused", "reachable", "critical"),
        ("silent", "reachable", "critical"),
        ("timeout", "reachable", "unknown"),
        ("denied", "access", "unknown"),
    ],
)
def test_an_alertmanager_that_does_not_answer_is_one_finding(kind: str, check: str, status: str) -> None:
    look = Look()
    look.observation["error"] = {"kind": kind, "text": "it says so"}
    look.judge()
    assert look.found == {(check, "", status)}
    assert not look.row("silence")["seen"]
    # What Prometheus knows is still known.
    assert look.row("flapping")["seen"]


def test_without_alertmanager_prometheus_tells_what_fires() -> None:
    look = Look()
    look.observation["error"] = {"kind": "refused", "text": "refused"}
    look.observation["prometheus"]["rules"]["firing"] = [
        {"labels": {"alertname": "Down", "severity": "page"}, "annotations": {}, "active": stamp(NOW - 60)}
    ]
    assert look.judge().found == {("reachable", "", "critical"), ("firing", "Down", "critical")}


def test_firing_alerts_by_cause_and_severity() -> None:
    look = Look()
    look.alerts.extend(
        [
            *(
                alert("ServiceDown", 300 + pod, severity="critical", service="auth-service", pod=str(pod))
                for pod in range(3)
            ),
            alert("HighLatency", severity="warning", service="auth-service"),
            alert("DiskLow", severity="", host="host1/a"),
            alert("Note", severity="info"),
            alert("Odd", severity="sev9"),
        ]
    )
    look.judge()
    assert look.found == {
        ("firing", "ServiceDown/auth-service", "critical"),
        ("firing", "HighLatency/auth-service", "warning"),
        ("firing", "DiskLow/host1_a", "warning"),
        ("firing", "Odd", "warning"),
    }
    down = next(one for one in look.result["findings"] if one["status"] == "critical")
    assert down["title"] == "ServiceDown for auth-service fires since 08:08 UTC (3 alerts): ServiceDown says so"
    assert (down["value"], down["evidence"]["service"]) == (3, "auth-service")
    assert look.result["facts"]["alerts_firing"] == 4
    assert [one["status"] for one in look.told["alerts"]] == ["critical", "warning", "warning", "warning", "ok"]


def test_the_runbook_of_an_alert_is_the_next_step() -> None:
    look = Look()
    look.alerts.append(alert("A", annotations={"runbook_url": "https://runbooks.nexuscos.example.com/A"}))
    assert look.judge().finding("firing")["remedy"] == "https://runbooks.nexuscos.example.com/A"


def test_silenced_and_inhibited_alerts_are_listed_and_are_no_findings() -> None:
    look = Look()
    look.alerts.extend(
        [
            alert("Held", severity="critical", silenced_by=["id-1"]),
            alert("Under", severity="critical", inhibited_by=["abc"]),
        ]
    )
    look.observation["silences"]["silences"] = [silence(1, "alertname=Held", 3 * DAY)]
    look.judge()
    assert look.found == set()
    assert {one["alertname"]: one["state"] for one in look.told["alerts"]} == {"Held": "silenced", "Under": "inhibited"}
    facts = look.result["facts"]
    assert (facts["alerts_firing"], facts["silenced"], facts["inhibited"], facts["silences"]) == (0, 1, 1, 1)
    (told,) = look.told["silences"]
    assert (told["author"], told["alerts"], told["matchers"]) == ("jane", ["Held"], "alertname=Held")
    assert "hunter2" not in json.dumps([look.told, look.result])


@pytest.mark.parametrize(
    ("made", "status", "says"),
    [
        (silence(1, "alertname=~.*", 3600), "critical", "jane silences every alert until"),
        (silence(1, "alertname!=,severity=~.+", 3600), "critical", "every alert"),
        (silence(1, "alertname=Held", 90 * DAY), "warning", "jane silences alertname=Held for another 90 days"),
        (silence(1, "alertname=Held", 1500), "warning", "ends in 25 min, and Held still fires"),
        (silence(1, "alertname=Held", 90 * DAY, "expired"), None, ""),
        (silence(1, "alertname=Held,severity=~.*", DAY), None, ""),
        (silence(1, "alertname=Held", 1500, "pending"), None, ""),
    ],
)
def test_silences(made: dict[str, Any], status: str | None, says: str) -> None:
    look = Look()
    look.alerts.append(alert("Held", severity="none", silenced_by=["id-1"]))
    look.observation["silences"]["silences"] = [made]
    look.judge()
    assert [one["status"] for one in look.result["findings"]] == ([status] if status else [])
    if status:
        assert says in look.finding("silence")["title"]
        assert look.finding("silence")["evidence"]["author"] == "jane"


def test_an_alert_whose_silence_has_ended_says_so() -> None:
    look = Look()
    look.alerts.append(alert("Held", severity="critical", service="a"))
    look.observation["silences"]["silences"] = [silence(1, "alertname=~He.*,service!=b", -1200, "expired")]
    one = look.judge().finding("firing")
    assert "the silence of jane has ended" in one["title"]
    assert one["evidence"]["silence_ended"][0]["author"] == "jane"


@pytest.mark.parametrize(
    ("matchers", "labels", "hit"),
    [
        ("a=b", {"a": "b"}, True),
        ("a=b", {}, False),
        ("a!=b", {}, True),
        ("a=~b|c", {"a": "c"}, True),
        ("a=~b", {"a": "bb"}, False),
        ("a!~b.*", {"a": "bb"}, False),
        ("a=~(", {"a": "("}, False),
        ("a=", {}, True),
    ],
)
def test_matchers(matchers: str, labels: dict[str, str], hit: bool) -> None:
    made = silence(1, matchers, 60)
    assert matches(made, labels) is hit
    assert words(made) == matchers
    assert not covers_everything(made)


def test_flapping_is_counted_by_cause_and_only_within_its_window() -> None:
    look = Look()
    source = look.observation["prometheus"]
    spans = ((3500, 3300), (2900, 2800), (2000, 1900), (1000, 900))
    source["recent"]["series"] += [
        fired(15, *spans, alertname="HighLatency", service="a", pod="1", severity="warning"),
        # The same firings of another pod count once.
        fired(15, *spans, alertname="HighLatency", service="a", pod="2", severity="warning"),
        fired(15, *spans[:3], alertname="HighLatency", service="b", severity="warning"),
        # Evaluated each second, so that pauses of four seconds are pauses.
        fired(1, *((at, at - 3) for at in range(60, 6, -8)), alertname="Fast", severity="none"),
    ]
    look.judge()
    assert look.found == {("flapping", "HighLatency/a", "warning"), ("flapping", "Fast", "warning")}
    values = {one["object"]: one["value"] for one in look.result["findings"]}
    assert values == {"mon1/HighLatency/a": 4, "mon1/Fast": 7}
    facts = look.result["facts"]
    assert (facts["alerts_came_and_went"], facts["alerts_flapping"]) == (3, 2)
    told = {one["object"]: one for one in look.told["resolved"]}
    assert (told["mon1/HighLatency/b"]["times"], told["mon1/HighLatency/b"]["flapping"]) == (3, False)
    assert told["mon1/HighLatency/a"]["service"] == "a"
    assert look.judge({"alerts.flapping": {"target": 7}}).found == set()


def test_what_came_and_went_overnight() -> None:
    look = Look()
    source = look.observation["prometheus"]
    # Twice in the night; the second one lasted into the window, and is one firing.
    source["past"]["series"] = [fired(83, (40000, 38000), (6000, 3601), alertname="HighLatency", service="a")]
    source["recent"]["series"].append(fired(15, (3600, 3000), alertname="HighLatency", service="a"))
    # Began in the night and still fires.
    source["past"]["series"].append(fired(83, (9000, 3601), alertname="ServiceDown", service="b"))
    source["recent"]["series"].append(fired(15, (3600, 0), alertname="ServiceDown", service="b"))
    look.alerts.append(alert("ServiceDown", 9000, severity="critical", service="b"))
    look.judge()
    assert look.found == {("firing", "ServiceDown/b", "critical")}
    (told,) = look.told["resolved"]
    assert (told["object"], told["times"], told["firing"]) == ("mon1/HighLatency/a", 2, False)
    assert told["last"] == stamp(NOW - 3000)


def test_a_restart_of_prometheus_is_no_end_of_an_alert() -> None:
    look = Look()
    source = look.observation["prometheus"]
    source["started"] = stamp(NOW - 1000)
    source["recent"]["series"].append(fired(15, (1500, 1030), (980, 0), alertname="HighLatency", service="a"))
    look.alerts.append(alert("HighLatency", 1500, severity="none", service="a"))
    look.judge({"alerts.flapping": {"target": 1}})
    assert look.found == set()
    assert look.told["resolved"] == []


def test_without_prometheus_nobody_asks_about_the_past() -> None:
    look = Look()
    look.observation["prometheus"] = None
    look.judge()
    assert look.found == set()
    assert look.row("flapping")["seen"]
    assert look.result["facts"]["alerts_came_and_went"] is None


@pytest.mark.parametrize(
    ("kind", "status"), [("refused", "critical"), ("silent", "critical"), ("timeout", "unknown"), ("denied", "unknown")]
)
def test_without_a_prometheus_that_runs_no_alert_comes(kind: str, status: str) -> None:
    look = Look()
    look.observation["prometheus"] = {"url": "u", "place": "p:9090", "error": {"kind": kind, "text": "so"}}
    look.judge()
    assert look.found == {("pipeline", "", status)}
    assert not look.row("flapping")["seen"]


def test_the_way_from_prometheus_to_alertmanager() -> None:
    look = Look()
    source = look.observation["prometheus"]
    source["managers"]["active"] = []
    assert look.judge().found == {("pipeline", "", "critical")}
    source["loaded"] = stamp(NOW - 10)
    assert look.judge().found == set()
    assert not look.row("pipeline")["seen"]

    look = Look()
    firing = look.observation["prometheus"]["rules"]["firing"]
    firing.append({"labels": {"alertname": "Lost"}, "active": stamp(NOW - 400)})
    firing.append({"labels": {"alertname": "New"}, "active": stamp(NOW - 40)})
    firing.append({"labels": {"alertname": "Watchdog"}, "active": stamp(NOW - 4000)})
    assert look.judge().found == {("pipeline", "", "critical")}
    assert look.finding("pipeline")["evidence"]["alerts"] == ["Lost"]

    look = Look()
    look.observation["prometheus"]["errors"]["series"] = [{"labels": {}, "value": "4.2"}]
    assert look.judge().found == {("pipeline", "", "warning")}

    look = Look()
    look.observation["asked"]["expected_peers"] = 3
    assert look.judge().found == {("pipeline", "cluster", "warning")}


def test_the_dead_mans_switch() -> None:
    look = Look()
    look.alerts.clear()
    assert look.judge().found == {("watchdog", "Watchdog", "critical")}
    look.alerts.append(alert("Watchdog", silenced_by=["id-1"]))
    assert look.judge().found == {("watchdog", "Watchdog", "warning")}
    look.alerts.clear()
    look.observation["status"]["started"] = stamp(NOW - 60)
    assert look.judge().found == set()
    assert not look.row("watchdog")["seen"]
    look.observation["asked"]["watchdog"] = ""
    assert look.judge().found == set()
    assert look.row("watchdog")["seen"]


@pytest.mark.parametrize(
    ("failing", "status"), [("0", None), ("2", "warning"), ("39.7", "critical"), ("80", "critical")]
)
def test_notifications_of_the_last_minutes(failing: str, status: str | None) -> None:
    look = Look()
    look.observation["prometheus"]["failed"]["series"][0]["value"] = failing
    look.judge()
    assert look.found == ({("notification", "webhook", status)} if status else set())
    if status:
        assert "over 15m" in look.finding("notification")["title"]


def test_notifications_and_configuration_by_alertmanagers_own_page() -> None:
    look = Look()
    look.observation["prometheus"]["sent"]["series"] = []
    look.observation["metrics"].update(reloaded=0.0, failed={"webhook": 300.0, "email": 1.0})
    look.observation["metrics"]["sent"] = {"webhook": 900.0, "email": 100.0}
    look.judge()
    assert look.found == {("notification", "webhook", "warning"), ("config", "", "warning")}
    assert "since Alertmanager was started" in look.finding("notification")["title"]
    look.observation["metrics"] = {"error": {"kind": "status", "text": "404"}}
    look.judge()
    assert not look.row("config")["seen"]
    assert not look.row("notification")["seen"]


def test_spans() -> None:
    assert intervals([1, 16, 31, 100, 115, "x", None], 15) == [(1.0, 31.0), (100.0, 115.0)]
    assert union([(5, 9), (1, 3), (2, 4), (9.5, 10)], 1) == [(1, 4), (5, 10)] or union([(5, 9), (1, 3)], 0) == [
        (1, 3),
        (5, 9),
    ]
    assert bridge([(1, 5), (9, 12), (20, 22)], [7], 5) == [(1, 12), (20, 22)]

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as data: items, coverage, causes on the real dependency map, verdict, schema."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from fake import ROOT, SERVICES, dead_primary, finding, look, report, workload

from ansible_collections.nexuscos.ops.plugins.module_utils._catalogue import BY_ID
from ansible_collections.nexuscos.ops.plugins.module_utils._report.model import verdict
from ansible_collections.nexuscos.ops.plugins.module_utils._report.places import OUTAGES, SYMPTOMS, matches

SCHEMA = json.loads((ROOT / "docs/schemas/report-1.schema.json").read_text(encoding="utf-8"))


def item(made: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in made["items"] if one["id"] == "morning." + name)


def causes(made: dict[str, Any]) -> dict[str, str]:
    """Object -> object of the cause."""
    known = {one["fingerprint"]: one["object"] for one in made["findings"]}
    return {one["object"]: known[one["caused_by"]] for one in made["findings"] if one["caused_by"]}


REPORTS = {
    "nothing": report,
    "healthy": lambda: report(look("us-east-1", "clusters"), look("db1", "databases"), look("public", "endpoints")),
    "dead primary": dead_primary,
    "not seen": lambda: report(
        look("db1", "databases", error=("crashed", "boom")), left_out=["us-east-1"], no_module={"x": "y"}
    ),
}


@pytest.mark.parametrize("name", REPORTS)
def test_reports_keep_to_the_published_schema(name: str) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    assert [one.message for one in validator.iter_errors(json.loads(json.dumps(REPORTS[name]())))] == []


def test_the_eight_items_of_the_runbook_in_its_order() -> None:
    runbook = (ROOT / "docs/runbooks/daily-operations-runbook.md").read_text(encoding="utf-8")
    morning = runbook.split("### Morning", 1)[1].split("###", 1)[0]
    assert [one["title"] for one in report()["items"]] == [
        line[6:] for line in morning.splitlines() if line.startswith("- [ ] ")
    ]


def test_an_item_without_a_check_is_not_covered_and_never_ok() -> None:
    made = report(look("us-east-1", "clusters"), look("db1", "databases"), look("public", "endpoints"))
    for one in made["items"]:
        if not any(one["id"] in check.items for check in BY_ID.values()):
            assert (one["status"], one["state"]) == ("not covered", "skipped")
            assert one["id"] in [entry["item"] for entry in made["coverage"]["not_covered"]]
    assert made["coverage"]["items_covered"] + len(made["coverage"]["not_covered"]) == 8


def test_an_item_whose_systems_are_not_in_the_inventory_is_not_covered() -> None:
    made = report(look("public", "endpoints"))
    assert item(made, "replication")["status"] == "not covered"
    assert made["coverage"]["share"] == 100
    assert item(made, "replication")["id"] in [one["item"] for one in made["coverage"]["not_covered"]]


def test_a_healthy_morning_is_ok_where_it_was_seen() -> None:
    made = report(look("us-east-1", "clusters"), look("db1", "databases"), look("public", "endpoints"))
    assert made["summary"]["worst"] == "ok"
    assert {item(made, name)["status"] for name in ("services", "replication", "utilization")} == {"ok"}
    assert item(made, "services")["proof"]
    assert verdict(made, "warning") == (False, "")


def test_a_dead_system_makes_its_own_items_unknown_and_no_others() -> None:
    made = report(look("db1", "databases", error=("timeout", "no answer")), look("public", "endpoints"))
    assert item(made, "replication")["status"] == "unknown"
    assert item(made, "replication")["state"] == "failed"
    assert item(made, "services")["status"] == "ok"
    assert [(one["check"], one["status"], one["object"]) for one in made["findings"]] == [
        ("run.observed", "unknown", "db1/postgres_health")
    ]
    unseen = made["coverage"]["unseen"]
    assert len(unseen) == 1
    assert unseen[0]["checks"] == [one.id for one in BY_ID.values() if one.system == "postgres"]


def test_the_share_is_rounded_down_so_that_100_means_all() -> None:
    east = look("us-east-1", "clusters")
    many = [look("db%d" % one, "databases") for one in range(60)]
    east.coverage[3].update(seen=False, reason="refused")
    made = report(east, *many)
    assert 99 < made["coverage"]["share"] < 100


def test_a_dead_primary_explains_its_dependants_in_the_cluster_and_on_their_endpoints() -> None:
    found = causes(dead_primary())
    assert found["us-east-1/nexus-business/Deployment/billing-service"] == "db1"
    assert found["us-east-1/nexus-business/Deployment/invoice-gen"] == "db1"  # the circle
    assert found["us-east-1/nexus-auth/Deployment/auth-service"] == "db1"  # over user-auth
    assert found["services-us-east-1/ledger-mgr"] == "db1"
    assert found["db2"] == "db1"  # its receiver
    assert "us-east-1/nexus-ai/Deployment/kei-ai" not in found
    assert "analytics1/analytics/public.ix_0" not in found


def test_the_dead_primary_leads_the_report_and_its_symptoms_follow_it() -> None:
    made = dead_primary()
    assert made["findings"][0]["object"] == "db1"
    explained = made["causes"][0]["explains"]
    assert [one["fingerprint"] for one in made["findings"][1 : len(explained) + 1]] == explained
    assert len(made["findings"]) == len({one["fingerprint"] for one in made["findings"]})


@pytest.mark.parametrize(
    "check", ["postgres.unused_index", "postgres.bloat", "postgres.xid_age", "postgres.replication_lag"]
)
def test_a_database_that_still_serves_explains_nothing(check: str) -> None:
    made = report(
        look("us-east-1", "clusters", workload("ledger-mgr")),
        look("db1", "databases", finding(check, "db1"), component="postgresql"),
    )
    assert causes(made) == {}


def test_a_dead_standby_explains_its_absence_on_the_primary_and_no_service() -> None:
    made = report(
        look("us-east-1", "clusters", workload("ledger-mgr")),
        look(
            "db1", "databases", finding("postgres.standby", "db1/db2"), component="postgresql", standbys=("db2", "db3")
        ),
        look("db2", "databases", finding("postgres.reachable", "db2"), component="postgresql"),
    )
    assert causes(made) == {"db1/db2": "db2"}


def test_a_standby_that_says_so_itself_is_one() -> None:
    made = report(
        look("us-east-1", "clusters", workload("ledger-mgr")),
        look(
            "db2", "databases", finding("postgres.reachable", "db2"), component="postgresql", facts={"role": "standby"}
        ),
    )
    assert causes(made) == {}


def test_a_dead_prometheus_explains_the_dashboards_and_the_alerts_that_live_on_it() -> None:
    dead = finding("metrics.reachable", "mon1")
    source, pipeline = finding("grafana.datasource", "grafana/Prometheus"), finding("alerts.pipeline", "mon1")
    made = report(
        look("mon1", "metrics", dead, component="prometheus"),
        look("mon1", "alerts", pipeline, component="prometheus"),
        look("grafana", "dashboards", source, component="grafana", needs=("prometheus",)),
    )
    assert causes(made) == {"mon1": "mon1", "grafana/Prometheus": "mon1"}
    assert made["causes"][0]["fingerprint"] == dead["fingerprint"]


def test_another_clusters_dead_service_explains_nothing_here() -> None:
    made = report(
        look("us-east-1", "clusters", workload("auth-service")),
        look("us-west-2", "clusters", workload("user-auth", "k8s.image_pull", "us-west-2")),
    )
    assert causes(made) == {}


def test_a_service_of_the_same_name_in_another_namespace_is_another_one() -> None:
    made = report(
        look(
            "us-east-1",
            "clusters",
            workload("auth-service"),
            finding("k8s.image_pull", "us-east-1/nexus-lab/Deployment/user-auth"),
        )
    )
    assert causes(made) == {}


def test_companions_belong_to_the_longest_name_that_fits() -> None:
    made = report(
        look(
            "us-east-1",
            "clusters",
            finding("k8s.service_port", "us-east-1/nexus-auth/Service/auth-service-v2-headless"),
        )
    )
    red = [one["name"] for one in made["services"] if one["findings"]]
    assert red == ["auth-service-v2"]


def test_outages_and_symptoms_name_checks_that_exist() -> None:
    for pattern in OUTAGES + SYMPTOMS:
        assert any(matches(check, [pattern]) for check in BY_ID), pattern


def test_every_service_of_the_catalogue_is_on_the_map() -> None:
    assert len([one for one in report()["services"] if one["kind"] == "service"]) == len(SERVICES) == 43


@pytest.mark.parametrize(
    ("statuses", "failing"),
    [
        ([], []),
        (["warning"], ["warning"]),
        (["unknown"], ["unknown", "warning"]),
        (["critical"], ["unknown", "warning", "critical"]),
        (["warning", "unknown"], ["unknown", "warning"]),
    ],
)
def test_the_policy_decides_what_fails_the_job(statuses: list[str], failing: list[str]) -> None:
    findings = [
        finding("k8s.rollout", "us-east-1/x/Deployment/%d" % place, status) for place, status in enumerate(statuses)
    ]
    made = report(look("us-east-1", "clusters", *findings))
    assert [policy for policy in ("never", "unknown", "warning", "critical") if verdict(made, policy)[0]] == failing


def test_a_wrong_option_fails_the_job_whatever_the_policy_says() -> None:
    made = report(look("db1", "databases", error=("options", "thresholds: no check is called 'x'")))
    failed, reason = verdict(made, "never")
    assert failed
    assert "db1: thresholds: no check is called 'x'" in reason


def test_what_was_not_seen_fails_the_job_where_unknown_does() -> None:
    east = look("us-east-1", "clusters")
    east.coverage[3].update(seen=False, reason="refused", status="unknown")
    assert verdict(report(east), "unknown") == (True, "1 check not seen (nexuscos_fail_on: unknown)")
    assert verdict(report(east), "critical") == (False, "")


def test_what_was_recorded_is_named_apart_from_what_is_live() -> None:
    made = report(
        look("us-east-1", "clusters", facts={"pods_ready": 3, "pods_total": 4}),
        look("us-west-2", "clusters", facts={"pods_ready": 5, "pods_total": 5}, recorded_at="2026-11-20T10:00:00Z"),
    )
    assert item(made, "services")["headline"] == "3 of 4 pods ready; recorded: 5 of 5 pods ready"
    assert {one["name"]: one["mode"] for one in made["systems"]} == {"us-east-1": "live", "us-west-2": "recorded"}

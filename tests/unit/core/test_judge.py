"""The judge: findings, counts and coverage from what evaluators say."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._core.check import Check, index
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._core.finding import STATUSES, fingerprint
from ansible_collections.nexuscos.ops.plugins.module_utils._core.judge import Judge, fill
from ansible_collections.nexuscos.ops.plugins.module_utils._core.threshold import Thresholds

CONTRACT = (
    "check",
    "object",
    "status",
    "title",
    "value",
    "unit",
    "target",
    "alert",
    "evidence",
    "remedy",
    "runbook",
    "fingerprint",
    "caused_by",
    "recorded_at",
)
CHECKS = index(
    [
        Check(
            "db.lag",
            "How far behind?",
            "daily:database-health",
            ("morning.replication",),
            "view",
            "look at {name}",
            "s",
            5,
            30,
        ),
        Check("db.up", "Up?", "operations:service-down", ("morning.services",), "socket", "start {target}"),
        Check(
            "db.bloat",
            "Bloated?",
            "daily:database-health",
            (),
            "estimate",
            "repack {object}",
            "%",
            20,
            50,
            severity="warning",
        ),
    ]
)


def judge(only=(), thresholds=None, **more):
    return Judge(CHECKS, Thresholds.parse(thresholds, CHECKS), "db1", only, **more)


def test_a_finding_has_every_key_of_the_contract_in_its_order():
    look = judge(recorded_at="2026-11-22T06:00:00Z")
    look.value("db.lag", "db1/standby", 12, "standby lags 12 s", {"lsn": "0/1"})
    found = look.result()["findings"][0]
    assert tuple(found) == CONTRACT
    assert found == {
        "check": "db.lag",
        "object": "db1/standby",
        "status": "warning",
        "title": "standby lags 12 s",
        "value": 12,
        "unit": "s",
        "target": 5,
        "alert": 30,
        "evidence": {"lsn": "0/1"},
        "remedy": "look at standby",
        "runbook": "daily:database-health",
        "fingerprint": fingerprint("db.lag", "db1/standby"),
        "caused_by": None,
        "recorded_at": "2026-11-22T06:00:00Z",
    }


@pytest.mark.parametrize(
    ("value", "ceiling", "status"),
    [(3, None, "ok"), (6, None, "warning"), (31, None, "critical"), (31, "warning", "warning"), (3, "warning", "ok")],
)
def test_values(value, ceiling, status):
    assert judge().value("db.lag", "db1", value, "t", ceiling=ceiling) == status


def test_a_value_that_is_no_number_is_an_unknown_finding():
    look = judge()
    assert look.value("db.lag", "db1", math.nan, "t") == "unknown"
    found = look.result()["findings"][0]
    assert (found["status"], found["value"]) == ("unknown", None), "NaN is no JSON"


def test_the_severity_of_the_check_is_the_default_of_a_report():
    look = judge()
    assert look.report("db.up", "db1", "down") == "critical"
    assert look.report("db.bloat", "db1/t", "bloated") == "warning"
    assert look.report("db.bloat", "db1/u", "bloated", "critical") == "critical"


def test_worst_first_then_by_check_and_object():
    look = judge()
    look.value("db.lag", "db1/b", 6, "t")
    look.unknown("db.up", "db1/x", "t")
    look.value("db.lag", "db1/a", 6, "t")
    look.value("db.lag", "db1/c", 60, "t")
    found = [(one["status"], one["object"]) for one in look.result()["findings"]]
    assert found == [("critical", "db1/c"), ("unknown", "db1/x"), ("warning", "db1/a"), ("warning", "db1/b")]


def test_summary_and_coverage():
    look = judge()
    look.looked("db.up", 3)
    look.report("db.up", "db1", "down", count=False)
    look.value("db.lag", "db1", 1, "t")
    look.unseen("db.bloat", "may not read it")
    look.unseen("db.bloat", "a second reason")
    result = look.result()
    assert result["summary"] == {"ok": 3, "warning": 0, "critical": 1, "unknown": 0, "total": 4, "worst": "critical"}
    assert result["coverage"] == [
        {"check": "db.lag", "objects": 1, "status": "ok", "seen": True, "reason": None},
        {"check": "db.up", "objects": 3, "status": "critical", "seen": True, "reason": None},
        {"check": "db.bloat", "objects": 0, "status": "unknown", "seen": False, "reason": "may not read it"},
    ]


def test_what_nobody_came_to_is_unknown_and_not_ok():
    result = judge().result()
    assert result["summary"]["worst"] == "unknown"
    assert not any(row["seen"] for row in result["coverage"])


def test_zero_objects_that_were_looked_at_are_ok():
    look = judge(["db.up"])
    look.looked("db.up", 0)
    assert look.result()["summary"] == {"ok": 0, "warning": 0, "critical": 0, "unknown": 0, "total": 0, "worst": "ok"}


def test_the_rest_is_unseen_with_one_reason():
    look = judge()
    look.looked("db.up")
    look.unseen_rest("the server is gone")
    rows = {row["check"]: row for row in look.result()["coverage"]}
    assert (rows["db.up"]["seen"], rows["db.lag"]["reason"], rows["db.bloat"]["reason"]) == (
        True,
        "the server is gone",
        "the server is gone",
    )


def test_only_what_was_asked_for():
    look = judge(["db.l*"])
    look.report("db.up", "db1", "down")
    look.value("db.lag", "db1", 99, "lags")
    result = look.result()
    assert [one["check"] for one in result["findings"]] == ["db.lag"]
    assert [row["check"] for row in result["coverage"]] == ["db.lag"]
    assert look.active("db.lag")
    assert not look.active("db.up")


def test_a_glob_without_a_check_is_an_error():
    with pytest.raises(OptionError, match=r"nothing is called 'db\.lags'; did you mean 'db\.lag'\?"):
        judge(["db.lags"])


def test_an_unregistered_check_is_a_programming_error():
    with pytest.raises(KeyError):
        judge().looked("db.typo")


def test_a_disabled_check_files_nothing_but_is_seen():
    look = judge(
        thresholds={"db.up": {"enabled": False}, "db.lag": {"overrides": [{"match": "*/b", "enabled": False}]}}
    )
    assert look.report("db.up", "db1", "down") == "ok"
    assert look.value("db.lag", "db1/b", 99, "t") == "ok"
    assert look.value("db.lag", "db1/a", 99, "t") == "critical"
    result = look.result()
    assert [one["object"] for one in result["findings"]] == ["db1/a"]
    assert next(row for row in result["coverage"] if row["check"] == "db.up")["seen"]


def test_of_two_findings_for_one_object_the_worse_stays():
    look = judge()
    look.value("db.lag", "db1", 6, "first")
    look.value("db.lag", "db1", 60, "second")
    look.value("db.lag", "db1", 7, "third")
    assert [one["title"] for one in look.result()["findings"]] == ["second"]


def test_secrets_are_redacted_everywhere():
    look = judge()
    text = "postgres://nexus:hunter2@db1/nexusdb"
    look.report("db.up", "db1", text, evidence={"dsn": text, "deep": [{"password": "hunter2"}]}, remedy=f"psql {text}")
    assert "hunter2" not in str(look.result())


def test_long_evidence_is_cut():
    look = judge()
    look.report("db.up", "db1", "t", evidence={"log": "x" * 10_000})
    shown = look.result()["findings"][0]["evidence"]["log"]
    assert len(shown) < 2100
    assert shown.endswith("(10000 characters in all)")


def test_include_ok_lists_what_is_healthy_last():
    look = judge()
    look.value("db.lag", "db1/good", 1, "t")
    look.value("db.lag", "db1/bad", 60, "t")
    assert [one["status"] for one in look.result(include_ok=True)["findings"]] == ["critical", "ok"]
    assert [one["status"] for one in look.result()["findings"]] == ["critical"]


@given(
    st.lists(st.tuples(st.sampled_from(sorted(CHECKS)), st.sampled_from("abcdef"), st.floats(-10, 100)), max_size=40)
)
def test_every_object_is_counted_once_whatever_was_said(said):
    look = judge()
    first = {}
    for check, name, value in said:
        if (check, name) not in first:
            first[(check, name)] = look.value(check, f"db1/{name}", value, "t")
    result = look.result()
    assert result["summary"]["total"] == len(first)
    for status in STATUSES:
        assert result["summary"][status] == list(first.values()).count(status)
    assert len({one["fingerprint"] for one in result["findings"]}) == len(result["findings"])


@pytest.mark.parametrize(
    ("remedy", "obj", "text"),
    [
        (
            "kubectl -n {namespace} get {kind}/{name}",
            "east/nexus-ai/Deployment/kei-ai",
            "kubectl -n nexus-ai get deployment/kei-ai",
        ),
        ("kubectl get {kind}/{name}{namespace}", "east/Node/east-a", "kubectl get node/east-a"),
        ("psql {database}", "db1/nexusdb/public.users", "psql nexusdb"),
        ("look at {object} of {target}", "db1", "look at db1 of db1"),
        ("awk '{print $1}' {other}", "db1", "awk '{print $1}' {other}"),
    ],
)
def test_fill(remedy, obj, text):
    assert fill(remedy, obj, obj.split("/", maxsplit=1)[0]) == text

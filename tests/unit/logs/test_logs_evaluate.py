# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging counts: healthy, warning, critical, not seen; new and rising; observations with anything anywhere."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._core.check import index
from ansible_collections.nexuscos.ops.plugins.module_utils._core.finding import STATUSES
from ansible_collections.nexuscos.ops.plugins.module_utils._core.judge import Judge
from ansible_collections.nexuscos.ops.plugins.module_utils._core.threshold import Thresholds
from ansible_collections.nexuscos.ops.plugins.module_utils._logs.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._logs.evaluate import Earlier, evaluate

BY_ID = index(CHECKS)
AUTH = "nexus-auth/Deployment/auth-service"


def template(text: str, count: int, fatal: int = 0) -> dict[str, Any]:
    return {
        "id": "0123456789ab", "template": text, "count": count, "fatal": fatal, "first": "2026-11-29T08:00:00Z",
        "last": "2026-11-29T09:00:00Z", "sample": text.replace("<n>", "12"), "trace": ["at x"], "places": ["a", "b"],
    }  # fmt: skip


def owner(*templates: dict[str, Any], kind: str = "pods", **more: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "service": "auth-service",
        "events": sum(one["count"] for one in templates),
        "fatal": sum(one["fatal"] for one in templates),
        "templates": list(templates),
        "templates_total": len(templates),
        "templates_full": False,
        **more,
    }


def source(**more: Any) -> dict[str, Any]:
    return {"items": 3, "bytes": 1000, "missed": 0, "errors": [], "cut": [], "cuts": 0, **more}


def observed(*templates: dict[str, Any], hours: float = 10, **more: Any) -> dict[str, Any]:
    return {
        "window": ["2026-11-28T23:00:00Z", "2026-11-29T09:00:00Z"],
        "seconds": hours * 3600,
        "sources": {"pods": source()},
        "owners": {AUTH: owner(*templates)},
        **more,
    }


def judged(observation: dict[str, Any], earlier: Earlier | None = None, **thresholds: Any) -> dict[str, Any]:
    judge = Judge(BY_ID, Thresholds.parse(thresholds, BY_ID), "east")
    evaluate(observation, judge, earlier)
    return judge.result()


def said(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one["check"], one["object"], one["status"]) for one in result["findings"]]


def row(result: dict[str, Any], check: str) -> dict[str, Any]:
    return next(one for one in result["coverage"] if one["check"] == check)


def test_quiet_logs_are_healthy() -> None:
    result = judged(observed())
    assert said(result) == []
    assert all(one["seen"] for one in result["coverage"])
    assert result["facts"]["log_owners_quiet"] == result["facts"]["log_owners"] == 1


@pytest.mark.parametrize(("count", "status"), [(200, None), (201, "warning"), (2000, "warning"), (2001, "critical")])
def test_errors_are_judged_by_the_hour(count: int, status: str | None) -> None:
    result = judged(observed(template("user <n> not found", count)))
    assert said(result) == ([("logs.errors", f"east/{AUTH}", status)] if status else [])


def test_a_finding_says_what_it_is_about() -> None:
    finding = judged(observed(template("user <n> not found", 9000), template("other", 1000)))["findings"][0]
    assert finding["title"] == "auth-service logs 10000 errors in 10 h, 90 % of one kind: user <n> not found"
    assert finding["evidence"]["service"] == "auth-service"
    assert [one["count"] for one in finding["evidence"]["templates"]] == [9000, 1000]
    assert finding["evidence"]["trace"] == ["at x"]


def test_fatal_events_are_told_one_by_one() -> None:
    result = judged(observed(template("panic: x", 1, fatal=1)))
    assert said(result) == [("logs.fatal", f"east/{AUTH}", "warning")]
    assert said(judged(observed(template("panic: x", 11, fatal=11)))) == [("logs.fatal", f"east/{AUTH}", "critical")]


def test_what_was_not_read_and_what_was_cut() -> None:
    seen = observed()
    seen["sources"]["pods"] = source(
        missed=2, errors=[{"kind": "denied", "text": "no right"}], cut=["too long"], cuts=3
    )
    result = judged(seen)
    assert said(result) == [("logs.source", "east/pods", "unknown"), ("logs.bounded", "east/pods", "warning")]
    assert result["findings"][1]["title"] == "not all of pods was looked at: too long (+2)"
    seen["owners"][AUTH]["templates_full"] = True
    assert ("logs.bounded", f"east/{AUTH}", "warning") in said(judged(seen))


def test_where_nothing_could_be_read_nothing_is_healthy() -> None:
    bad = source(items=0, missed=1, errors=[{"kind": "refused", "text": "it refuses connections"}])
    result = judged(observed(owners={}, sources={"pods": bad}))
    assert said(result) == [("logs.source", "east/pods", "unknown")]
    assert not row(result, "logs.errors")["seen"]
    assert "refuses" in row(result, "logs.errors")["reason"]


def test_without_an_earlier_look_nothing_is_new() -> None:
    for earlier, seen in ((None, True), (Earlier(asked=True), False)):
        result = judged(observed(template("x <n>", 50)), earlier)
        assert said(result) == []
        assert row(result, "logs.new_template")["seen"] is seen
        assert row(result, "logs.rising")["seen"] is seen


def before(*templates: dict[str, Any], **more: Any) -> Earlier:
    return Earlier(True, observed(*templates, **more), "2026-11-28T09:00:00Z")


def test_new_and_rising_kinds_of_errors() -> None:
    now = observed(template("user <n> not found", 60), template("order <n> lost", 4), template("seldom <n>", 2))
    result = judged(now, before(template("user <n> not found", 10)))
    assert said(result) == [
        ("logs.new_template", f"east/{AUTH}", "warning"),
        ("logs.rising", f"east/{AUTH}", "warning"),
    ]
    assert result["findings"][0]["value"] == 1
    assert result["findings"][0]["evidence"]["since"] == "2026-11-28T09:00:00Z"
    assert result["findings"][1]["value"] == 6
    assert result["facts"]["log_new_templates"] == 1


def test_rates_are_compared_not_counts() -> None:
    now = observed(template("user <n> not found", 60), hours=1)
    assert said(judged(now, before(template("user <n> not found", 600), hours=10))) == [
        ("logs.errors", f"east/{AUTH}", "warning")
    ]


def test_what_was_wild_yesterday_is_not_new_today() -> None:
    now = observed(template("user alice not found here", 5))
    assert said(judged(now, before(template("user <*> not found here", 5)))) == []


def test_what_an_earlier_look_did_not_see_is_not_new() -> None:
    now = observed(template("user <n> not found", 60))
    assert said(judged(now, before(sources={"pods": source(missed=1)}))) == []
    assert said(judged(now, before(sources={"files": source()}))) == []
    assert said(judged(now, before(owners={AUTH: owner(template("x", 1), templates_total=41)}))) == []
    # A whole and quiet look before: all of it is new.
    assert said(judged(now, before(owners={}))) == [("logs.new_template", f"east/{AUTH}", "warning")]


ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, 0, -1, 1.5, 10**400, float("inf"), float("nan"), True, "", "x", "%s", "{object}", "\0", [], [None], {}]
)


def bend(data: Any, path: list[int], odd: Any) -> Any:
    """Put something odd somewhere into a structure."""
    if not path or not isinstance(data, (dict, list)) or not data:
        return odd
    keys: list[Any] = list(data) if isinstance(data, dict) else list(range(len(data)))
    key = keys[path[0] % len(keys)]
    data[key] = bend(data[key], path[1:], odd)
    return data


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=20), min_size=1, max_size=7), ODD, st.booleans())
def test_any_observation_can_be_judged(path: list[int], odd: Any, earlier: bool) -> None:
    good = observed(template("user <n> not found", 60, 2), template("order <n> lost", 4))
    bent = bend(copy.deepcopy(good), path, odd)
    if not isinstance(bent, dict):
        bent = {"owners": bent}
    result = judged(good if earlier else bent, Earlier(True, bent if earlier else good, "x"))
    assert {one["status"] for one in result["coverage"]} <= set(STATUSES)
    assert len(result["coverage"]) == len(CHECKS)

"""Evaluation is pure: made-up observations in, findings out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import BY_ID, judge_observation

from ansible_collections.nexuscos.ops.plugins.module_utils._http import evaluate as judged
from ansible_collections.nexuscos.ops.plugins.module_utils._http.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._http.failure import PHASES

FAILURES = [(phase, kind) for phase, kinds in PHASES.items() for kind in kinds]


def sample(ms=10.0, status=200, error=None, **more):
    return {
        "ms": ms,
        "phases": {"dns": 0.1, "connect": 1.0, "first_byte": ms - 2, "body": 0.1},
        "address": "192.0.2.1:80",
        "status": status,
        "error": error,
        "wrong": [],
        **more,
    }


def endpoint(*samples, name="a", **more):
    return {
        "name": name,
        "url": "http://192.0.2.1/health",
        "method": "GET",
        "service": None,
        "status": [[200, 299]],
        "timeout": 5.0,
        "samples": 3,
        "follow_redirects": "same_host",
        "connect_to": None,
        "tls": False,
        "content": False,
        "samples_taken": list(samples),
        "finished": True,
        **more,
    }


def judge(*endpoints, **more):
    return judge_observation({"deadline": 30, "endpoints": list(endpoints)}, **more)


@pytest.mark.parametrize(("phase", "kind"), FAILURES)
def test_every_failure_has_a_sentence_and_a_next_step(phase, kind):
    error = {"phase": phase, "kind": kind, "text": "what was seen", "more": {}}
    result = judge(endpoint(sample(status=None, error=error), tls=True))
    assert len(result["findings"]) == 1
    found = result["findings"][0]
    assert found["status"] == "critical"
    assert found["title"].startswith("a ")
    assert found["remedy"]
    assert "{" not in found["remedy"] + found["title"]
    assert (found["evidence"]["phase"], found["evidence"]["kind"]) == (phase, kind)


def test_sentences_and_remedies_name_only_what_there_is():
    assert set(judged._SENTENCES) == set(FAILURES)
    assert set(judged._REMEDIES) <= set(FAILURES)


@given(st.lists(st.floats(0, 10_000), min_size=1, max_size=200), st.floats(1, 100))
def test_a_percentile_is_one_of_the_values_and_has_its_share_below(values, percent):
    value = judged.percentile(values, percent)
    assert value in values
    assert sum(one <= value for one in values) >= percent / 100 * len(values)
    assert judged.percentile(values, 100) == max(values)


def test_the_95th_of_twenty_forgives_one():
    assert judged.percentile([1.0] * 19 + [900.0], 95) == 1.0
    assert judged.percentile([1.0] * 18 + [900.0], 95) == 900.0


@given(st.lists(st.tuples(st.floats(3, 3000), st.sampled_from([200, 204, 404, 503, None])), min_size=1, max_size=30))
def test_an_endpoint_has_one_finding_of_failure_at_most(samples):
    refused = {"phase": "connect", "kind": "refused", "text": "refused", "more": {}}
    taken = [sample(ms, status, refused if status is None else None) for ms, status in samples]
    result = judge(endpoint(*taken))
    checks = [found["check"] for found in result["findings"]]
    good = [status for _ms, status in samples if status in (200, 204)]
    if not good:
        assert len(checks) == 1
        assert set(checks) <= {"endpoint.reachable", "endpoint.status"}
    else:
        assert set(checks) <= {"endpoint.steady", "endpoint.latency"}
        assert ("endpoint.steady" in checks) == (len(good) < len(samples))
    assert result["facts"]["endpoints_ok"] == (not checks)
    assert result["summary"]["total"] == sum(row["objects"] for row in result["coverage"])


@pytest.mark.parametrize(
    ("service", "says"), [("auth-service", "grep auth-service"), (None, "curl -v http://192.0.2.1/health")]
)
def test_the_next_step_knows_the_service(service, says):
    found = judge(endpoint(sample(status=500), service=service, name="auth-service"))["findings"][0]
    assert says in found["remedy"]


def test_wanted_statuses_are_named():
    found = judge(endpoint(sample(), status=[[301, 301], [400, 499]]))["findings"][0]
    assert found["title"] == "a answers 200, want 301, 400-499"


def test_include_ok_lists_what_is_healthy():
    result = judge(endpoint(sample()), ok=True)
    assert {found["check"]: found["status"] for found in result["findings"]} == {
        "endpoint.status": "ok",
        "endpoint.steady": "ok",
        "endpoint.latency": "ok",
    }


def test_a_disabled_check_is_silent():
    thresholds = {"endpoint.latency": {"enabled": False}}
    assert judge(endpoint(sample(ms=900.0)), thresholds=thresholds)["findings"] == []


def test_checks_are_well_formed():
    for check in CHECKS:
        assert check.question.endswith("?")
        assert check.system == "endpoint"
        assert {"morning.services", "morning.dashboard"} == set(check.items)
    assert BY_ID["endpoint.latency"].target == 200
    assert BY_ID["endpoint.latency"].alert == 500

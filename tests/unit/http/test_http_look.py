"""Many endpoints at once: samples, deadlines, secrets, and what a recording keeps."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest
from judging import judge_observation
from misbehaving import MODES, Server, hang

from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._core.redact import redact
from ansible_collections.nexuscos.ops.plugins.module_utils._http import collect


def statuses(*codes: int):
    """An answer that gives one status after the other, and the last one for ever."""
    left = list(codes)
    lock = threading.Lock()

    def answer(it):
        with lock:
            code = left.pop(0) if len(left) > 1 else left[0]
        it.answer(b"", f"{code} Some")

    return answer


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """All samples are taken, however busy the machine is."""
    monkeypatch.setattr(collect, "SAMPLING_SECONDS", 30)


def test_each_sample_has_a_connection_of_its_own(ask):
    with Server(MODES["ok"]) as server:
        result = ask({"url": server.url()}, samples=4)
        assert len(server.connections) == 4
        assert {connection.headers["connection"] for connection in server.connections} == {"close"}
    assert result["facts"] == {
        "endpoints_ok": 1,
        "endpoints_total": 1,
        "requests": 4,
        "slowest": {"name": "a", "p95_ms": result["facts"]["slowest"]["p95_ms"]},
    }


def test_one_dead_endpoint_costs_the_others_nothing(ask):
    with Server(MODES["ok"]) as good, Server(hang) as silent:
        began = time.monotonic()
        result = ask(*({"url": good.url()} for _ in range(20)), {"url": silent.url()}, timeout=3, samples=3)
        took = time.monotonic() - began
    assert [found["object"] for found in result["findings"]] == ["lab/u"]
    assert took < 15, "the server hangs for 20 s"
    assert result["facts"]["endpoints_ok"] == 20


def test_more_endpoints_than_threads(ask, monkeypatch):
    monkeypatch.setattr(collect, "MOST_THREADS", 3)
    monkeypatch.setattr(collect, "GENTLE", 2)
    with Server(MODES["ok"]) as good:
        assert ask(*({"url": good.url()} for _ in range(20)))["facts"]["endpoints_ok"] == 20


def test_hanging_endpoints_hold_nobody_up(ask):
    with Server(MODES["ok"]) as good, Server(hang) as silent:
        began = time.monotonic()
        dead = [{"url": silent.url(), "timeout": 2} for _ in range(collect.GENTLE * 2)]
        result = ask(*dead, {"url": good.url()})
        assert time.monotonic() - began < 15, "one after the other they would take longer"
    sample = result["observation"]["endpoints"][-1]["samples_taken"][0]
    assert sample["status"] == 200
    assert result["facts"]["endpoints_ok"] == 1


def test_what_the_deadline_cuts_off_is_unknown_not_critical(ask):
    with Server(MODES["ok"]) as good, Server(hang) as silent:
        began = time.monotonic()
        result = ask({"url": silent.url()}, {"url": good.url()}, timeout=30, deadline=3)
        assert time.monotonic() - began < 15, "the server hangs for 20 s"
    assert [(found["check"], found["object"], found["status"]) for found in result["findings"]] == [
        ("endpoint.reachable", "lab/a", "unknown")
    ]
    assert result["findings"][0]["title"] == "a gave no answer before the deadline of 3 s for all endpoints"
    assert result["facts"]["endpoints_ok"] == 1


def test_what_was_not_begun_is_unknown(ask, monkeypatch):
    monkeypatch.setattr(collect, "MOST_THREADS", 1)
    monkeypatch.setattr(collect, "GENTLE", 1)
    with Server(hang) as silent:
        result = ask({"url": silent.url()}, {"url": silent.url()}, timeout=30, deadline=0.4)
    assert [found["status"] for found in result["findings"]] == ["unknown", "unknown"]
    assert result["findings"][1]["title"] == "b was not reached before the deadline of 0.4 s for all endpoints"
    rows = {row["check"]: row for row in result["coverage"]}
    assert not rows["endpoint.status"]["seen"]
    assert rows["endpoint.status"]["reason"] == "no endpoint came as far as this"
    assert rows["endpoint.tls"]["seen"], "no endpoint has TLS, so none of it is unseen"
    assert result["summary"]["worst"] == "unknown"


def test_a_dead_target_is_one_finding_and_the_rest_is_not_seen(ask):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = ask({"url": f"http://127.0.0.1:{port}/"})
    assert [(found["check"], found["status"]) for found in result["findings"]] == [("endpoint.reachable", "critical")]
    assert {row["check"] for row in result["coverage"] if not row["seen"]} == {
        "endpoint.answer",
        "endpoint.redirect",
        "endpoint.status",
        "endpoint.steady",
        "endpoint.latency",
    }


def test_a_part_that_fails(one):
    with Server(statuses(200, 503, 200, 200)) as server:
        found = one({"url": server.url()}, samples=4)
    assert (found["check"], found["status"], found["value"], found["unit"]) == (
        "endpoint.steady",
        "warning",
        25.0,
        "% of requests",
    )
    assert found["title"] == "a failed 1 of 4 requests: a answers 503"
    with Server(statuses(503, 503, 200)) as server:
        assert one({"url": server.url()}, samples=3)["status"] == "critical"


def test_different_failures_are_reported_by_the_most_frequent(one):
    def answer(it):
        if it.number % 3:
            it.answer(b"", "500 Broken")

    with Server(answer) as server:
        found = one({"url": server.url()}, samples=3)
    assert found["check"] == "endpoint.status"
    assert found["evidence"]["also"] == ["a hangs up without an answer"]


def slow(seconds: float, first: int = 10**9):
    """An answer that takes its time, for the first so many connections."""

    def answer(it):
        if it.number < first:
            time.sleep(seconds)
        it.answer()

    return answer


def test_latency_between_target_and_alert(one, monkeypatch):
    monkeypatch.setattr(collect, "SAMPLING_SECONDS", 0.1)
    with Server(slow(0.25)) as server:
        found = one({"url": server.url()}, samples=2, thresholds={"endpoint.latency": {"alert": 60_000}})
    assert (found["check"], found["status"], found["unit"]) == ("endpoint.latency", "warning", "ms")
    assert (found["target"], found["alert"]) == (200, 60_000)
    assert found["value"] >= 250
    assert "most of it waiting for the first byte" in found["title"]
    assert found["evidence"]["note"] == "of fewer than 20 samples the 95th percentile is the slowest"


def test_latency_past_the_alert(one, monkeypatch):
    monkeypatch.setattr(collect, "SAMPLING_SECONDS", 0.1)
    with Server(slow(0.6)) as server:
        found = one({"url": server.url()}, samples=2, thresholds={})
    assert (found["status"], found["target"], found["alert"]) == ("critical", 200, 500)


def test_thresholds_of_one_endpoint(ask):
    thresholds = {"endpoint.latency": {"target": 1, "overrides": [{"match": "*/a", "target": 60_000, "alert": 60_000}]}}
    with Server(slow(0.1)) as server:
        result = ask({"url": server.url()}, {"url": server.url()}, thresholds=thresholds)
    assert [found["object"] for found in result["findings"]] == ["lab/b"]


def test_a_slow_endpoint_is_not_asked_again_and_again(ask, monkeypatch):
    monkeypatch.setattr(collect, "SAMPLING_SECONDS", 1)
    with Server(slow(0.6)) as server:
        ask({"url": server.url()}, samples=10)
        assert len(server.connections) <= 2


def test_one_stray_slow_answer_is_confirmed_and_forgiven(ask):
    with Server(slow(1.2, first=1)) as server:
        result = ask(
            {"url": server.url()}, samples=3, thresholds={"endpoint.latency": {"target": 1000, "alert": 60_000}}
        )
        assert len(server.connections) == collect.CONFIRM_SAMPLES
    assert result["findings"] == []


def test_no_own_secret_comes_back(ask, one):
    def echo(it):
        it.answer(it.request, "403 Forbidden", f"Server: {it.headers['x-key']}")

    with Server(echo) as server:
        endpoint = {"url": server.url(), "token": "plain-token-value", "secret_headers": {"X-Key": "plain-key-value"}}
        found = one(endpoint)
        everything = json.dumps(ask(endpoint))
    assert found["check"] == "endpoint.status"
    assert "plain-token-value" not in everything
    assert "plain-key-value" not in everything
    assert "[redacted]" in found["evidence"]["excerpt"]


def test_foreign_secrets_in_a_body_are_redacted(one):
    with Server(lambda it: it.answer(b'{"error": "login failed", "password": "hunter2"}', "500 Error")) as server:
        found = one({"url": server.url()})
    assert "login failed" in found["evidence"]["excerpt"]
    assert "hunter2" not in json.dumps(found)


@pytest.mark.parametrize("mode", sorted(set(MODES) - {"hang", "stall"}))
def test_a_recording_is_judged_like_the_live_look(ask, mode):
    with Server(MODES[mode]) as server:
        result = ask({"url": server.url("/x"), "json": [{"path": "status", "equals": "healthy"}]}, samples=2)
    recorded = json.loads(json.dumps(redact(result["observation"])))
    again = judge_observation(recorded)
    assert again["findings"] == result["findings"]
    assert again["coverage"] == result["coverage"]


def test_a_bug_is_loud(ask, monkeypatch):
    def broken(*_args):
        raise KeyError("bug")

    monkeypatch.setattr(collect, "_sample", broken)
    with pytest.raises(KeyError, match="bug"):
        ask({"url": "http://127.0.0.1:1/"})


def test_a_file_that_holds_no_authority_is_an_error(ask, tmp_path):
    (tmp_path / "ca.pem").write_text("nothing", encoding="utf-8")
    with pytest.raises(OptionError, match="holds no certificate"):
        ask({"url": "https://127.0.0.1:1/", "ca_path": str(tmp_path / "ca.pem")})


def test_the_request_that_is_sent(ask):
    with Server(MODES["ok"]) as server:
        endpoint = {
            "url": server.url("/a?b=c"),
            "method": "post",
            "body": "{}",
            "headers": {"Content-Type": "application/json", "Host": "other.example.com"},
        }
        ask(endpoint)
        request = server.connections[0]
    assert request.request.startswith(b"POST /a?b=c HTTP/1.1\r\n")
    assert request.request.endswith(b"\r\n\r\n{}")
    assert request.headers["host"] == "other.example.com"
    assert request.headers["content-length"] == "2"
    assert request.headers["user-agent"] == "nexuscos-ops-endpoint-health"

"""The module as a program: options in, one JSON document out."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from misbehaving import MODES, Server

PATIENT = {"endpoint.latency": {"enabled": False}}
MODULE = "ansible_collections.nexuscos.ops.plugins.modules.endpoint_health"


@pytest.fixture
def run(tmp_path):
    """Run the module with options; returns what it printed."""

    def start(**options):
        arguments = tmp_path / "arguments.json"
        arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {"target": "lab", **options}}), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", MODULE, str(arguments)], capture_output=True, text=True, check=False
        )
        assert done.stdout.strip(), done.stderr
        return json.loads(done.stdout.strip().splitlines()[-1])

    return start


def test_live_recorded_and_replayed(run, tmp_path):
    recording = str(tmp_path / "bundle" / "lab.json.gz")
    with Server(MODES["ok"]) as good, Server(MODES["garbage"]) as bad:
        endpoints = [{"name": "good", "url": good.url(), "token": "hush-hush"}, {"name": "bad", "url": bad.url()}]
        live = run(endpoints=endpoints, record_to=recording, samples=2, thresholds=PATIENT)
    assert not live.get("failed"), live
    assert live["changed"] is False
    assert live["recorded_at"] is None
    assert [found["object"] for found in live["findings"]] == ["lab/bad"]
    assert live["summary"]["critical"] == 1
    again = run(replay_from=recording, thresholds=PATIENT)
    assert again["recorded_at"]
    for found in again["findings"]:
        assert found.pop("recorded_at") == again["recorded_at"]
    for found in live["findings"]:
        found.pop("recorded_at")
    assert again["findings"] == live["findings"]
    assert again["facts"] == live["facts"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "endpoints, replay_from"),
        ({"endpoints": []}, "the list is empty"),
        ({"endpoints": [{"name": "a", "url": "nowhere"}]}, "endpoints: a: url: want http://"),
        (
            {"endpoints": [{"name": "a", "url": "http://127.0.0.1:1/"}], "checks": ["endpoint.tsl"]},
            "did you mean 'endpoint.tls'",
        ),
        (
            {"endpoints": [{"name": "a", "url": "http://127.0.0.1:1/"}], "thresholds": {"endpoint.latencies": {}}},
            "did you mean 'endpoint.latency'",
        ),
        ({"endpoints": [{"name": "a", "url": "http://127.0.0.1:1/"}], "deadline": 0}, "deadline"),
        ({"endpoints": [{"name": "a", "url": "http://127.0.0.1:1/", "follow_redirects": "some"}]}, "follow_redirects"),
    ],
)
def test_wrong_options_fail_with_a_reason(run, options, says):
    result = run(**options)
    assert result["failed"]
    assert says in result["msg"]

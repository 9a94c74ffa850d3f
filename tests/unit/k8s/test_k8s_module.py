# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as a process: what it takes, what it returns, what it records and replays."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from documents import container, deployment, died, pod, waiting
from fake_api import FakeApi

RUN = """
import json, sys
from ansible.module_utils import basic
basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": json.loads(sys.argv[1])}).encode()
basic._ANSIBLE_PROFILE = "legacy"
from ansible_collections.nexuscos.ops.plugins.modules import k8s_health
k8s_health.main()
"""


def run(**options):
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps({"target": "east", **options})],
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(done.stdout)


@pytest.fixture
def api():
    looping = container(waiting("CrashLoopBackOff"), died(1), 5)
    objects = {"deployments.apps": [deployment()], "pods": [pod("web-1", [looping])]}
    with FakeApi(objects) as server:
        server.logs["shop/web-1/app"] = "postgres://nexus:hunter2@db1/nexusdb refused"
        yield server


def test_unhealthy_is_data(api):
    """No failure, nothing changed, every documented value there."""
    result = run(host=api.url, checks=["k8s.crash_loop"], _ansible_check_mode=True)
    assert not result.get("failed")
    assert result["changed"] is False
    assert {"findings", "summary", "coverage", "facts", "recorded_at"} <= set(result)
    assert [one["check"] for one in result["findings"]] == ["k8s.crash_loop"]
    assert result["summary"]["worst"] == "critical"
    assert "hunter2" not in json.dumps(result)


def test_recording_is_judged_to_the_same_findings(api, tmp_path):
    """Without the server, and without the secret."""
    path = tmp_path / "east.json.gz"
    live = run(host=api.url, record_to=str(path))
    again = run(replay_from=str(path))
    assert again["recorded_at"]
    strip = [{**one, "recorded_at": None} for one in again["findings"]]
    assert strip == live["findings"]
    assert again["coverage"] == live["coverage"]


def test_dead_cluster_is_data_too():
    """One critical finding."""
    result = run(host="http://127.0.0.1:1", deadline=2)
    assert not result.get("failed")
    assert [one["check"] for one in result["findings"]] == ["k8s.api"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"host": "x"}, "want a URL"),
        ({"host": "http://127.0.0.1:1", "checks": ["k8s.crashloop"]}, "k8s.crash_loop"),
        ({"host": "http://127.0.0.1:1", "thresholds": {"k8s.quotas": {}}}, "k8s.quota"),
        ({"host": "http://127.0.0.1:1", "deadline": 0}, "deadline"),
        ({"replay_from": "/no/such/file"}, "/no/such/file"),
    ],
)
def test_wrong_options_fail(options, said):
    """And say what is wrong, with the nearest name."""
    result = run(**options)
    assert result["failed"]
    assert said in result["msg"]

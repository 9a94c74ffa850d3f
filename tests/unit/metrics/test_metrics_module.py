# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module around the look: options, a played Prometheus, recordings, documentation."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.nexuscos.ops.plugins.doc_fragments import observe, web
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.modules import metrics_health

NOW = 1_795_940_000.0
SECRET = "correct horse battery staple"


def vector(*rows: tuple[dict[str, str], object]) -> dict[str, Any]:
    return {
        "resultType": "vector",
        "result": [{"metric": labels, "value": [NOW, str(value)]} for labels, value in rows],
    }


class Prometheus:
    """Answers as Prometheus does; `answers` holds what comes by path, or by query."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.status = 200
        self.broken: dict[str, tuple[int, dict[str, Any]]] = {}
        self.answers: dict[str, Any] = {
            "/api/v1/status/runtimeinfo": {
                "startTime": "2026-11-29T06:00:00Z",
                "reloadConfigSuccess": True,
                "corruptionCount": 0,
            },
            "/api/v1/status/buildinfo": {"version": "2.42.0"},
            "/api/v1/rules": {"groups": []},
            "/api/v1/targets": {
                "activeTargets": [
                    {
                        "labels": {"job": "nexus-cos-services", "service": "auth-service", "instance": "a:1"},
                        "health": "up",
                    },
                    {
                        "labels": {"job": "node", "instance": "b:1", "host": "host2"},
                        "health": "down",
                        "lastError": "refused",
                        "scrapeUrl": "http://b:1/metrics",
                    },
                ]
            },
            "time()": {"resultType": "scalar", "result": [NOW, str(NOW)]},
            "timestamp(up)": vector(({"job": "node"}, 4)),
            'status=~"5.."': vector(({"service": "auth-service"}, 3.2)),
            "increase(http_requests_total": vector(({"service": "auth-service"}, 500)),
            "timestamp(http_requests_total)": vector(({"service": "auth-service"}, 3)),
        }

    def reply(self, path: str, query: str) -> tuple[int, dict[str, Any]]:
        self.asked.append((path, query))
        if self.status != 200:
            return self.status, {"status": "error"}
        for part, answer in self.broken.items():
            if part in query:
                return answer
        found = self.answers.get(path)
        if found is None:
            fits = [key for key in self.answers if key in query and not key.startswith("/")]
            found = self.answers[max(fits, key=len)] if fits else vector()
        return 200, {"status": "success", "data": found}


@pytest.fixture
def played() -> Iterator[tuple[Prometheus, str]]:
    prometheus = Prometheus()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urllib.parse.urlsplit(self.path)
            query = dict(urllib.parse.parse_qsl(parts.query)).get("query", "")
            prometheus.headers.append(dict(self.headers))
            status, answer = prometheus.reply(parts.path, query)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield prometheus, "http://127.0.0.1:%d" % server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def params(**given: Any) -> dict[str, Any]:
    """All options with their defaults, as AnsibleModule hands them over."""
    options = {name: option.get("default") for name, option in metrics_health.spec().options.items()}
    own = metrics_health.spec().options["objectives"]["options"]
    given["objectives"] = [
        {name: option.get("default") for name, option in own.items()} | one for one in given.get("objectives", ())
    ]
    return {**options, "target": "mon1", **given}


def test_documentation_and_options_are_the_same() -> None:
    documented: dict[str, Any] = {}
    for text in (
        observe.ModuleDocFragment.DOCUMENTATION,
        web.ModuleDocFragment.DOCUMENTATION,
        metrics_health.DOCUMENTATION,
    ):
        for name, option in yaml.safe_load(text)["options"].items():
            documented.setdefault(name, {}).update(option)
    options = metrics_health.spec().options
    assert set(documented) == set(options)
    for given, told in (
        (options, documented),
        (options["objectives"]["options"], documented["objectives"]["suboptions"]),
    ):
        assert set(given) == set(told)
        for name, option in given.items():
            for key in ("type", "default", "choices", "elements", "required"):
                assert (told[name].get(key) or None) == (option.get(key) or None), (name, key)


def test_examples_use_options_that_exist() -> None:
    known = set(metrics_health.spec().options)
    for task in yaml.safe_load(metrics_health.EXAMPLES):
        assert set(task["nexuscos.ops.metrics_health"]) <= known


def test_a_look_at_a_played_prometheus(played: tuple[Prometheus, str]) -> None:
    prometheus, url = played
    result = metrics_health.run(params(url=url, standard=["error_rate"], token=SECRET))
    found = {(one["check"], one["object"], one["status"]) for one in result["findings"]}
    assert found == {
        ("metrics.error_rate", "mon1/auth-service", "critical"),
        ("metrics.target_down", "mon1/node", "critical"),
    }
    assert all(headers["Authorization"] == "Bearer " + SECRET for headers in prometheus.headers)
    assert SECRET not in json.dumps(result)
    assert len(prometheus.asked) == 10
    documented = yaml.safe_load(metrics_health.RETURN)
    assert set(documented) == set(result)
    assert set(documented["facts"]["contains"]) == set(result["facts"])
    assert set(documented["findings"]["contains"]) == set(result["findings"][0])


def test_a_recording_is_judged_as_the_look_was(played: tuple[Prometheus, str], tmp_path: Path) -> None:
    prometheus, url = played
    path = str(tmp_path / "mon1.json.gz")
    own = {"name": "queue", "query": "increase(http_requests_total[$window])", "labels": ["service"], "target": 5.0}
    alive = metrics_health.run(params(url=url, standard=["error_rate"], objectives=[own], record_to=path))
    asked = len(prometheus.asked)
    again = metrics_health.run(params(replay_from=path))
    assert len(prometheus.asked) == asked
    assert [{**one, "recorded_at": None} for one in again["findings"]] == alive["findings"]
    assert "metrics.objective" in [one["check"] for one in again["findings"]]
    assert (again["coverage"], again["facts"]) == (alive["coverage"], alive["facts"])


def test_a_query_that_cannot_be_read_is_the_users_mistake(played: tuple[Prometheus, str]) -> None:
    prometheus, url = played
    prometheus.broken["up ==="] = (400, {"status": "error", "errorType": "bad_data", "error": "1:4: parse error"})
    own = {"name": "queue", "query": "up ===", "target": 5.0}
    with pytest.raises(OptionError, match="objectives: queue: query: 1:4: parse error"):
        metrics_health.run(params(url=url, objectives=[own]))
    prometheus.answers["rate(x"] = {"resultType": "matrix", "result": []}
    with pytest.raises(OptionError, match="gives a matrix"):
        metrics_health.run(params(url=url, objectives=[{**own, "query": "rate(x"}]))


def test_a_query_that_fails_on_the_data_is_unknown(played: tuple[Prometheus, str]) -> None:
    prometheus, url = played
    prometheus.broken["a * b"] = (422, {"status": "error", "errorType": "execution", "error": "many-to-many"})
    prometheus.broken["c * d"] = (503, {"status": "error", "errorType": "timeout", "error": "query timed out"})
    own = [{"name": "x", "query": "a * b", "target": 5.0}, {"name": "y", "query": "c * d", "target": 5.0}]
    result = metrics_health.run(params(url=url, standard=[], objectives=own))
    titles = [one["title"] for one in result["findings"] if one["status"] == "unknown"]
    assert ["many-to-many" in titles[0], "timed out" in titles[1]] == [True, True]


def test_a_prometheus_that_refuses_us(played: tuple[Prometheus, str]) -> None:
    prometheus, url = played
    prometheus.status = 401
    result = metrics_health.run(params(url=url))
    assert [(one["check"], one["status"]) for one in result["findings"]] == [("metrics.access", "unknown")]


def test_nothing_listens() -> None:
    result = metrics_health.run(params(url="http://127.0.0.1:1"))
    assert [(one["check"], one["status"]) for one in result["findings"]] == [("metrics.reachable", "critical")]


OWN = {"name": "queue", "query": "up", "target": 5.0}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"window": "5 minutes"}, "window: want a duration"),
        ({"window": "0s"}, "window: want a duration"),
        ({"standard": ["error_rat"]}, "did you mean 'error_rate'"),
        ({"service_label": "a-b"}, "service_label"),
        ({"objectives": [OWN, OWN]}, "queue: the name is taken"),
        ({"objectives": [{**OWN, "name": "a/b"}]}, "has a slash"),
        ({"objectives": [{**OWN, "query": " "}]}, "query is empty"),
        ({"objectives": [{"name": "q", "query": "up"}]}, "want target, alert or both"),
        ({"objectives": [{**OWN, "alert": 1.0}]}, "wrong way round"),
        ({"objectives": [{**OWN, "alert": 9.0, "direction": "below"}]}, "wrong way round"),
        ({"objectives": [{**OWN, "labels": ["a b"]}]}, "cannot be the name of a label"),
        ({"checks": ["metrics.latenc"]}, "did you mean 'metrics.latency'"),
        ({"url": "http://198.51.100.1:9090/?a=b"}, "without a query"),
    ],
)
def test_wrong_options_fail_with_words(given: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        metrics_health.run(params(**{"url": "http://127.0.0.1:1", **given}))

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module around the look: options, played servers, recordings, documentation."""

from __future__ import annotations

import http.server
import json
import threading
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.nexuscos.ops.plugins.doc_fragments import observe, web
from ansible_collections.nexuscos.ops.plugins.module_utils._alerts.evaluate import stamp
from ansible_collections.nexuscos.ops.plugins.module_utils._alerts.options import moment_of
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.modules import alerts_info

SECRET = "correct horse battery staple"
BEGAN = time.time()
PAGE = """# HELP alertmanager_config_last_reload_successful Whether the last reload was successful.
# TYPE alertmanager_config_last_reload_successful gauge
alertmanager_config_last_reload_successful 1
alertmanager_notification_requests_total{integration="webhook"} 20
alertmanager_notification_requests_failed_total{integration="webhook"} 2
alertmanager_notifications_failed_total{integration="webhook",reason="other"} 1
go_goroutines 5
"""


def played_answers() -> dict[str, Any]:
    alert = {
        "labels": {"alertname": "HighErrorRate", "service": "auth-service", "severity": "critical"},
        "annotations": {"summary": "auth-service fails, password=hunter2", "other": "x"},
        "startsAt": stamp(BEGAN - 600),
        "endsAt": stamp(BEGAN + 600),
        "updatedAt": stamp(BEGAN),
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
        "generatorURL": "http://prometheus/graph",
    }
    silence = {
        "id": "id-1",
        "status": {"state": "expired"},
        "createdBy": "jane",
        "comment": "c",
        "startsAt": stamp(BEGAN - 9000),
        "endsAt": stamp(BEGAN - 900),
        "matchers": [{"name": "service", "value": "auth-service", "isRegex": False, "isEqual": True}],
    }
    old = {**silence, "id": "id-0", "endsAt": stamp(BEGAN - 3 * 86400)}
    samples = [[BEGAN - 3000 + 15 * step, "1"] for step in range(20)]
    series = {"metric": {"alertname": "HighLatency", "service": "a", "severity": "warning"}, "values": samples}
    return {
        "/api/v2/status": {
            "cluster": {"status": "ready", "peers": [{"name": "a"}, {"name": "b"}]},
            "config": {"original": "smtp_auth_password: %s" % SECRET},
            "versionInfo": {"version": "0.25.0"},
            "uptime": stamp(BEGAN - 86400),
        },
        "/api/v2/alerts": [alert],
        "/api/v2/silences": [silence, old],
        "/metrics": PAGE,
        "/api/v1/status/runtimeinfo": {"startTime": stamp(BEGAN - 86400)},
        "/api/v1/alertmanagers": {
            "activeAlertmanagers": [{"url": "http://a/api/v2/alerts"}],
            "droppedAlertmanagers": [],
        },
        "/api/v1/rules": {
            "groups": [
                {"name": "g", "interval": 15, "rules": [{"name": "HighLatency", "type": "alerting", "alerts": []}]}
            ]
        },
        "/api/v1/query": {"resultType": "vector", "result": []},
        "ALERTS{": {"resultType": "matrix", "result": [series]},
        "/api/v1/query_range": {"resultType": "matrix", "result": []},
    }


class Played:
    """Alertmanager and Prometheus at one address."""

    def __init__(self) -> None:
        self.answers = played_answers()
        self.asked: list[str] = []
        self.url = ""


@pytest.fixture
def played() -> Iterator[Played]:
    both = Played()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urllib.parse.urlsplit(self.path)
            query = dict(urllib.parse.parse_qsl(parts.query)).get("query", "")
            both.asked.append(parts.path)
            path = "ALERTS{" if parts.path == "/api/v1/query" and query.startswith("ALERTS{") else parts.path
            answer = both.answers[path]
            if parts.path.startswith("/api/v1/"):
                answer = {"status": "success", "data": answer}
            body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain" if isinstance(answer, str) else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    both.url = "http://127.0.0.1:%d" % server.server_address[1]
    yield both
    server.shutdown()
    server.server_close()
    thread.join()


def params(**given: Any) -> dict[str, Any]:
    """All options with their defaults, as AnsibleModule hands them over."""
    options = {name: option.get("default") for name, option in alerts_info.spec().options.items()}
    return {**options, "target": "mon1", **given}


def test_documentation_and_options_are_the_same() -> None:
    documented: dict[str, Any] = {}
    for text in (
        observe.ModuleDocFragment.DOCUMENTATION,
        web.ModuleDocFragment.DOCUMENTATION,
        alerts_info.DOCUMENTATION,
    ):
        for name, option in yaml.safe_load(text)["options"].items():
            documented.setdefault(name, {}).update(option)
    options = alerts_info.spec().options
    assert set(documented) == set(options)
    for name, option in options.items():
        for key in ("type", "default", "choices", "elements", "required"):
            assert (documented[name].get(key) or None) == (option.get(key) or None), (name, key)
    assert all(options[name]["no_log"] for name in ("password", "token", "prometheus_password", "prometheus_token"))


def test_examples_use_options_that_exist() -> None:
    known = set(alerts_info.spec().options)
    for task in yaml.safe_load(alerts_info.EXAMPLES):
        assert set(task["nexuscos.ops.alerts_info"]) <= known


def test_a_look_at_played_servers(played: Played, tmp_path: Path) -> None:
    path = tmp_path / "mon1.json"
    result = alerts_info.run(
        params(url=played.url, prometheus_url=played.url, prometheus_token=SECRET, record_to=str(path), since="2d")
    )
    assert [(one["check"], one["object"], one["status"]) for one in result["findings"]] == [
        ("alerts.firing", "mon1/HighErrorRate/auth-service", "critical")
    ]
    assert "the silence of jane has ended" in result["findings"][0]["title"]
    assert [one["object"] for one in result["resolved"]] == ["mon1/HighLatency/a"]
    assert [one["id"] for one in result["silences"]] == ["id-1"]
    facts = result["facts"]
    assert (facts["alerts_firing"], facts["alerts_came_and_went"], facts["peers"]) == (1, 1, 2)
    assert SECRET not in path.read_text("utf-8") + json.dumps(result)
    assert "hunter2" not in path.read_text("utf-8") + json.dumps(result)

    documented = yaml.safe_load(alerts_info.RETURN)
    assert set(documented) == set(result)
    for name in ("alerts", "resolved", "silences", "findings"):
        assert set(documented[name]["contains"]) == set(result[name][0]), name
    assert set(documented["facts"]["contains"]) == set(facts)

    asked = len(played.asked)
    assert asked == 12
    again = alerts_info.run(params(replay_from=str(path)))
    assert len(played.asked) == asked
    assert [{**one, "recorded_at": None} for one in again["findings"]] == result["findings"]
    for name in ("coverage", "facts", "alerts", "resolved", "silences"):
        assert again[name] == result[name]


def test_alertmanager_alone(played: Played) -> None:
    result = alerts_info.run(params(url=played.url))
    assert [one["check"] for one in result["findings"]] == ["alerts.firing"]
    assert result["facts"]["alerts_came_and_went"] is None
    assert not [path for path in played.asked if path.startswith("/api/v1/")]


def test_nothing_listens() -> None:
    result = alerts_info.run(params(url="http://127.0.0.1:1", prometheus_url="http://127.0.0.1:1"))
    assert [(one["check"], one["status"]) for one in result["findings"]] == [("alerts.reachable", "critical")]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"since": "yesterday"}, "since: want a duration"),
        ({"since": "2999-01-01"}, "not in the past"),
        ({"flapping_window": "1 h"}, "flapping_window"),
        ({"expiring": ""}, "expiring"),
        ({"group_by": ["a-b"]}, "group_by"),
        ({"severities": {"sev1": "red"}}, "severities: sev1"),
        ({"expected_peers": -1}, "expected_peers"),
        ({"checks": ["alerts.flaping"]}, "did you mean 'alerts.flapping'"),
    ],
)
def test_wrong_options_fail_with_words(given: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        alerts_info.run(params(**{"url": "http://127.0.0.1:1", **given}))


def test_since_when() -> None:
    assert moment_of("90m", 10_000.0) == 4600.0
    assert moment_of("1970-01-01T01:00:00Z", 10_000.0) == 3600.0
    assert moment_of("1970-01-01T01:00:00", 10_000.0) == 3600.0
    assert moment_of("1970-01-01T01:00:00+01:00", 10_000.0) == 0.0

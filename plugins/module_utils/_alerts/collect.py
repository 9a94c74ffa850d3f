# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at an Alertmanager, and at the Prometheus that sends to it. Returns plain values and judges nothing."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._core import web
from .._core.web import Answer, Request, Web
from .._metrics import prometheus

_MOST_ALERTS = 5000
_MOST_SILENCES = 1000
_MOST_POINTS = 1000
_NOT_REACHED = (*web.DEAD, *web.AWAY, web.TLS, web.DENIED, web.GARBAGE, web.LARGE, web.OTHER)
_KEPT_ANNOTATIONS = ("summary", "description", "message", "runbook_url", "runbook", "dashboard_url")
_COUNTER = re.compile(r"(alertmanager_[a-z_]+)(?:\{([^}]*)\})?\s+([0-9.eE+-]+|NaN|[+-]Inf)(?:\s+\d+)?\s*\Z")
_INTEGRATION = re.compile(r'integration="((?:[^"\\]|\\.)*)"')
_COUNTERS = {
    "alertmanager_notification_requests_failed_total": "failed",
    "alertmanager_notification_requests_total": "sent",
    "alertmanager_notifications_failed_total": "failed_notifications",
    "alertmanager_notifications_total": "notifications",
}


@dataclass(frozen=True)
class Options:
    """What to ask, and where.

    :ivar connection: of Alertmanager; prometheus: of Prometheus, None where nobody asks it.
    :ivar since: seconds since the epoch from which on what came and went is told.
    :ivar window_s: seconds in which flapping is counted; notification_window: over which failed notifications are.
    """

    connection: Mapping[str, Any]
    prometheus: Mapping[str, Any] | None
    deadline: float
    since: float
    now: float
    window_s: float
    notification_window: str
    group_by: tuple[str, ...]
    severities: Mapping[str, str]
    watchdog: str = ""
    expected_peers: int = 0
    expiring_s: float = 7200.0

    def asked(self) -> dict[str, Any]:
        """What an evaluator must know of this, as the observation keeps it."""
        return {
            "group_by": list(self.group_by),
            "severities": dict(self.severities),
            "watchdog": self.watchdog,
            "expected_peers": self.expected_peers,
            "expiring_s": self.expiring_s,
            "window_s": self.window_s,
            "notification_window": self.notification_window,
            "prometheus": self.prometheus is not None,
        }


def collect(options: Options) -> dict[str, Any]:
    """Ask both, side by side. Never raises for what they answer.

    :raises OptionError: options of a connection that make no sense.
    """
    began = time.monotonic()
    manager = Web(options.connection, options.deadline)
    source = Web(options.prometheus, options.deadline) if options.prometheus is not None else None
    seen: dict[str, Any] = {
        "url": manager.base,
        "place": manager.place,
        "now": options.now,
        "since": options.since,
        "asked": options.asked(),
        "error": None,
        "prometheus": None,
    }
    history: dict[str, Any] = {}

    def ask_source() -> None:
        if source is not None:
            history.update(_prometheus(source, options))

    thread = threading.Thread(target=ask_source, daemon=True)
    thread.start()
    _alertmanager(manager, seen, options)
    thread.join(manager.remaining() + 0.3)
    if source is not None:
        late = {"url": source.base, "place": source.place, "error": {"kind": web.TIMEOUT, "text": "no answer in time"}}
        seen["prometheus"] = dict(history) if history and not thread.is_alive() else late
    seen["took_ms"] = round((time.monotonic() - began) * 1000, 1)
    return seen


def _alertmanager(client: Web, seen: dict[str, Any], options: Options) -> None:
    status = client.get("/api/v2/status")
    if status.kind in _NOT_REACHED:
        seen["error"] = status.error
        return
    alerts, silences, metrics = client.many(
        [Request("/api/v2/alerts"), Request("/api/v2/silences"), Request("/metrics", raw=True)]
    )
    seen["status"] = _status(status)
    seen["alerts"] = _alerts(alerts)
    seen["silences"] = _silences(silences, options)
    seen["metrics"] = {"error": metrics.error, **_counters(metrics.text if metrics.ok else "")}


def _status(answer: Answer) -> dict[str, Any]:
    """Version and cluster; the configuration, which holds credentials, is left where it is."""
    data = answer.data if isinstance(answer.data, Mapping) else {}
    cluster = prometheus.mapping(data, "cluster")
    return {
        "error": answer.error,
        "version": prometheus.text(prometheus.mapping(data, "versionInfo"), "version"),
        "started": prometheus.text(data, "uptime"),
        "cluster": prometheus.text(cluster, "status"),
        "peers": len(prometheus.rows(cluster, "peers")),
    }


def _alerts(answer: Answer) -> dict[str, Any]:
    found = answer.data if isinstance(answer.data, list) else []
    failed = answer.error
    if failed is None and not isinstance(answer.data, list):
        failed = {"kind": web.GARBAGE, "text": "the answer is no list of alerts"}
    alerts = []
    for one in [row for row in found if isinstance(row, Mapping)][:_MOST_ALERTS]:
        status = prometheus.mapping(one, "status")
        alerts.append(
            {
                "labels": prometheus.labels_of(one),
                "annotations": _annotations(one),
                "state": prometheus.text(status, "state"),
                "silenced_by": prometheus.texts(status, "silencedBy"),
                "inhibited_by": prometheus.texts(status, "inhibitedBy"),
                "starts": prometheus.text(one, "startsAt"),
                "updated": prometheus.text(one, "updatedAt"),
                "url": prometheus.text(one, "generatorURL")[:2000],
            }
        )
    return {"error": failed, "alerts": alerts, "cut": max(len(found) - _MOST_ALERTS, 0)}


def _annotations(one: Mapping[str, Any]) -> dict[str, str]:
    annotations = prometheus.mapping(one, "annotations")
    return {name: str(annotations[name])[:500] for name in _KEPT_ANNOTATIONS if isinstance(annotations.get(name), str)}


def _silences(answer: Answer, options: Options) -> dict[str, Any]:
    """Silences that are in force or to come, and those that ended since the time that is looked back to."""
    found = answer.data if isinstance(answer.data, list) else []
    failed = answer.error
    if failed is None and not isinstance(answer.data, list):
        failed = {"kind": web.GARBAGE, "text": "the answer is no list of silences"}
    silences = []
    for one in [row for row in found if isinstance(row, Mapping)]:
        state = prometheus.text(prometheus.mapping(one, "status"), "state")
        ends = prometheus.moment(prometheus.text(one, "endsAt"))
        if state == "expired" and (ends is None or ends < options.since):
            continue
        silences.append(
            {
                "id": prometheus.text(one, "id"),
                "state": state,
                "createdBy": prometheus.text(one, "createdBy")[:200],
                "comment": prometheus.text(one, "comment")[:500],
                "startsAt": prometheus.text(one, "startsAt"),
                "endsAt": prometheus.text(one, "endsAt"),
                "matchers": [
                    {key: matcher.get(key) for key in ("name", "value", "isRegex", "isEqual")}
                    for matcher in prometheus.rows(one, "matchers")
                ],
            }
        )
    return {"error": failed, "silences": silences[:_MOST_SILENCES]}


def _counters(page: str) -> dict[str, Any]:
    """What the page of Alertmanager's own metrics says of notifications and of its configuration."""
    found: dict[str, Any] = {name: {} for name in _COUNTERS.values()}
    found["reloaded"] = None
    for line in page.splitlines():
        match = _COUNTER.match(line)
        value = prometheus.finite(match.group(3)) if match else None
        if match is None or value is None:
            continue
        name, labels = match.group(1), match.group(2) or ""
        if name == "alertmanager_config_last_reload_successful":
            found["reloaded"] = value
        elif name in _COUNTERS:
            integration = _INTEGRATION.search(labels)
            counted = found[_COUNTERS[name]]
            key = integration.group(1) if integration else ""
            # Newer versions count by reason, too.
            counted[key] = counted.get(key, 0.0) + value
    return found


def _prometheus(client: Web, options: Options) -> dict[str, Any]:
    seen: dict[str, Any] = {"url": client.base, "place": client.place, "error": None}
    runtime = client.get("/api/v1/status/runtimeinfo")
    if runtime.kind in _NOT_REACHED:
        seen["error"] = runtime.error
        return seen
    limit = float((options.prometheus or {}).get("timeout") or 5.0)
    window = max(int(options.window_s), 1)
    edge = options.now - window
    span = max(edge - options.since, 0.0)
    step = max(math.ceil(span / _MOST_POINTS), 15)
    labels = ", ".join(["alertname", "severity", *options.group_by])
    requests = [
        Request("/api/v1/alertmanagers"),
        Request("/api/v1/rules", {"type": "alert"}),
        prometheus.query('ALERTS{alertstate="firing"}[%ds]' % window, limit),
        prometheus.query(_failed_query("failed_", options.notification_window), limit),
        prometheus.query(_failed_query("", options.notification_window), limit),
        prometheus.query("sum(increase(prometheus_notifications_errors_total[2m]))", limit),
    ]
    if span > 0:
        requests.append(
            Request(
                "/api/v1/query_range",
                {
                    "query": 'max by (%s) (ALERTS{alertstate="firing"})' % labels,
                    "start": "%.3f" % options.since,
                    "end": "%.3f" % edge,
                    "step": step,
                },
            )
        )
    answers = client.many(requests)
    managers, rules, recent, failed, sent, errors = answers[:6]
    data = prometheus.data(runtime)
    seen["started"] = prometheus.text(data, "startTime")
    seen["loaded"] = prometheus.text(data, "lastConfigTime")
    seen["managers"] = {
        "error": prometheus.error(managers),
        "active": [
            prometheus.text(one, "url") for one in prometheus.rows(prometheus.data(managers), "activeAlertmanagers")
        ],
        "dropped": len(prometheus.rows(prometheus.data(managers), "droppedAlertmanagers")),
    }
    seen["rules"] = _rules(rules)
    seen["recent"] = prometheus.matrix(recent)
    seen["past"] = prometheus.matrix(answers[6]) if span > 0 else {"error": None, "cut": 0, "series": []}
    seen["past_step"] = step
    seen["failed"], seen["sent"] = prometheus.vector(failed), prometheus.vector(sent)
    seen["errors"] = prometheus.vector(errors)
    return seen


def _failed_query(which: str, window: str) -> str:
    return "sum by (integration) (increase(alertmanager_notification_requests_%stotal[%s]))" % (which, window)


def _rules(answer: Answer) -> dict[str, Any]:
    """How often each alert is evaluated, and what fires."""
    steps: dict[str, float] = {}
    firing: list[dict[str, Any]] = []
    for group in prometheus.rows(prometheus.data(answer), "groups"):
        interval = prometheus.finite(group.get("interval")) or 0.0
        for rule in prometheus.rows(group, "rules"):
            name = prometheus.text(rule, "name")
            steps[name] = max(steps.get(name, 0.0), interval)
            for alert in prometheus.rows(rule, "alerts"):
                if prometheus.text(alert, "state") == "firing" and len(firing) < _MOST_ALERTS:
                    firing.append(
                        {
                            "labels": prometheus.labels_of(alert),
                            "annotations": _annotations(alert),
                            "active": prometheus.text(alert, "activeAt"),
                        }
                    )
    return {"error": prometheus.error(answer), "steps": steps, "firing": firing}

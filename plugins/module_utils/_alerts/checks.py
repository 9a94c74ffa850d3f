# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registered checks of alerts: what fires, what flaps, what is held back, and whether an alert would arrive."""

from __future__ import annotations

from .._core.check import Check

_LINE = "daily:morning-start-of-business-day"
_ALERTS = ("morning.alerts",)
_DASHBOARD = ("morning.dashboard",)

REACHABLE = "alerts.reachable"
ACCESS = "alerts.access"
CONFIG = "alerts.config"
PIPELINE = "alerts.pipeline"
WATCHDOG = "alerts.watchdog"
NOTIFICATION = "alerts.notification"
FIRING = "alerts.firing"
FLAPPING = "alerts.flapping"
SILENCE = "alerts.silence"

CHECKS: tuple[Check, ...] = (
    Check(
        id=REACHABLE,
        question="Does Alertmanager answer?",
        runbook=_LINE,
        items=_DASHBOARD,
        source="GET /api/v2/status",
        remedy="on the monitoring host: systemctl status 'prometheus-alertmanager*'; journalctl -u '*alertmanager*'",
        rank=10,
    ),
    Check(
        id=ACCESS,
        question="May we ask Alertmanager?",
        runbook=_LINE,
        items=_DASHBOARD,
        source="HTTP status 401 or 403 of its API",
        remedy="check token, or username and password, against its web configuration or the proxy before it",
        severity="unknown",
        rank=11,
    ),
    Check(
        id=CONFIG,
        question="Does Alertmanager run with the configuration that it was last given?",
        runbook=_LINE,
        items=_DASHBOARD,
        source="alertmanager_config_last_reload_successful of its /metrics",
        remedy="amtool check-config /etc/alertmanager/alertmanager.yml; mend it, then curl -X POST <url>/-/reload",
        severity="warning",
        rank=20,
    ),
    Check(
        id=PIPELINE,
        question="Does what fires in Prometheus arrive at Alertmanager, and does Prometheus run at all?",
        runbook=_LINE,
        items=_DASHBOARD,
        source="Prometheus: /api/v1/alertmanagers, /api/v1/rules, failed notifications; Alertmanager: alerts, peers",
        remedy="look at alerting: in prometheus.yml, and at the log of Prometheus for notifier errors",
        rank=15,
    ),
    Check(
        id=WATCHDOG,
        question="Is the alert that always fires there, the dead man's switch?",
        runbook=_LINE,
        items=_DASHBOARD,
        source="the option watchdog against /api/v2/alerts",
        remedy="without it no other would arrive either: is its rule loaded, does Prometheus evaluate and send?",
        rank=18,
    ),
    Check(
        id=NOTIFICATION,
        question="Do notifications reach their receivers?",
        runbook=_LINE,
        items=_DASHBOARD,
        source="alertmanager_notification_requests_failed_total over …_requests_total, by integration",
        remedy="journalctl -u '*alertmanager*' | grep -i notify; then the address and credentials of the receiver",
        unit="% of requests",
        target=0,
        alert=50,
        rank=22,
    ),
    Check(
        id=FIRING,
        question="Does an alert fire that nobody has silenced?",
        runbook=_LINE,
        items=_ALERTS,
        source="/api/v2/alerts, by cause: name of the alert and what it is about; status by its label severity",
        remedy="amtool alert query alertname={name} --alertmanager.url=<url>; its generator URL shows the expression",
        unit="alerts",
        severity="warning",
        rank=70,
    ),
    Check(
        id=FLAPPING,
        question="Does an alert come and go again and again?",
        runbook=_LINE,
        items=_ALERTS,
        source="ALERTS in Prometheus: how many times a cause fired within the window",
        remedy="lengthen its `for`, average over a longer window, or add keep_firing_for; then look for what swings",
        unit="times",
        # A deployment may well fire twice in an hour.
        target=3,
        severity="warning",
        rank=72,
    ),
    Check(
        id=SILENCE,
        question="Does a silence hide too much, or for too long, or end while what it hides still fires?",
        runbook=_LINE,
        items=_ALERTS,
        source="/api/v2/silences: matchers, createdBy, comment, endsAt",
        remedy="ask who made it; amtool silence expire <id>, or amtool silence update <id> --duration=…",
        unit="d",
        # Who is away longer than two weeks mends the rule instead.
        target=14,
        severity="warning",
        rank=74,
    ),
)

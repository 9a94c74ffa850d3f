# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registered checks of metrics: is Prometheus well and fed, and what do its numbers say about the platform."""

from __future__ import annotations

from .._core.check import BELOW, Check

_KEY = "daily:key-metrics-to-watch"
_DASHBOARD = ("morning.dashboard",)
_SERVICES = ("morning.services",)
_UTILIZATION = ("morning.utilization",)

REACHABLE = "metrics.reachable"
ACCESS = "metrics.access"
CONFIG = "metrics.config"
STORAGE = "metrics.storage"
RULES = "metrics.rules"
TARGET_DOWN = "metrics.target_down"
STALE = "metrics.stale"
SERVICE_UP = "metrics.service_up"
ERROR_RATE = "metrics.error_rate"
LATENCY = "metrics.latency"
CPU = "metrics.cpu"
MEMORY = "metrics.memory"
CONNECTIONS = "metrics.connections"
OBJECTIVE = "metrics.objective"
FLOOR = "metrics.floor"

CHECKS: tuple[Check, ...] = (
    Check(
        id=REACHABLE,
        question="Does Prometheus answer?",
        runbook="daily:accessing-dashboards",
        items=_DASHBOARD,
        source="GET /api/v1/status/runtimeinfo",
        remedy="on the monitoring host: systemctl status prometheus; journalctl -u prometheus --since -1h",
        rank=10,
    ),
    Check(
        id=ACCESS,
        question="May we ask Prometheus?",
        runbook="daily:accessing-dashboards",
        items=_DASHBOARD,
        source="HTTP status 401 or 403 of its API",
        remedy="check token, or username and password, against the web configuration or the proxy before Prometheus",
        severity="unknown",
        rank=11,
    ),
    Check(
        id=CONFIG,
        question="Does Prometheus run with the configuration that it was last given?",
        runbook="daily:accessing-dashboards",
        items=_DASHBOARD,
        source="/api/v1/status/runtimeinfo: reloadConfigSuccess, lastConfigTime",
        remedy="promtool check config /etc/prometheus/prometheus.yml; mend it, then curl -X POST <url>/-/reload",
        severity="warning",
        rank=20,
    ),
    Check(
        id=STORAGE,
        question="Can Prometheus keep what it scrapes: no corruption, no failed compaction or checkpoint?",
        runbook="daily:accessing-dashboards",
        items=_DASHBOARD,
        source="/api/v1/status/runtimeinfo: corruptionCount; prometheus_tsdb_*_failed_total of the last hour",
        remedy="journalctl -u prometheus | grep -iE 'corrupt|compact|no space'; df -h on its data folder",
        severity="warning",
        rank=20,
    ),
    Check(
        id=RULES,
        question="Are all alerting and recording rules evaluated?",
        runbook="daily:accessing-dashboards",
        items=_DASHBOARD,
        source="/api/v1/rules: health, lastError, lastEvaluation against the interval of the group",
        remedy="promtool query instant <url> '<expr>' shows the error; correct it, then promtool check rules <file>",
        rank=25,
    ),
    Check(
        id=TARGET_DOWN,
        question="Does Prometheus reach every target of its jobs, and are the expected jobs there?",
        runbook="daily:accessing-dashboards",
        items=_DASHBOARD,
        source="/api/v1/targets: health, lastError, by job",
        remedy="curl the address of the target from the monitoring host; <url>/targets?search={name} has the errors",
        rank=30,
    ),
    Check(
        id=STALE,
        question="Are the newest samples new, so that what the numbers say is about now?",
        runbook="daily:accessing-dashboards",
        items=_DASHBOARD,
        source="time() - timestamp(…) of the newest sample: up by job, and the series of an objective by object",
        remedy="compare the clocks (timedatectl) of the exporter and of the monitoring host; is the exporter stuck?",
        unit="s",
        # Four scrapes of 15 s and some; Prometheus itself forgets a series after five minutes.
        target=120,
        severity="unknown",
        rank=35,
    ),
    Check(
        id=SERVICE_UP,
        question="Does every service have instances that answer Prometheus?",
        runbook="operations:service-down",
        items=_SERVICES,
        source='up{job="nexus-cos-services"} by service',
        remedy="kubectl get pods -A -o wide | grep {name}; then the log of the one that is silent",
        rank=55,
    ),
    Check(
        id=ERROR_RATE,
        question="Is the share of requests that a service answers with an error within its target?",
        runbook="operations:high-error-rate",
        items=_SERVICES,
        source="http_requests_total: rate of status 5xx over rate of all, by service, over the stated window",
        remedy="kubectl get pods -A | grep {name}; then its log (kubectl logs … --since=10m), and what it depends on",
        unit="%",
        target=0.1,
        alert=1,
        rank=60,
    ),
    Check(
        id=LATENCY,
        question="Is the 95th percentile of a service's response time within its target?",
        runbook="operations:high-latency",
        items=_SERVICES,
        source="histogram_quantile(0.95, rate(http_request_duration_seconds_bucket)) by service, over the window",
        remedy="kubectl top pods -A | grep {name}; then its database queries and the services it calls",
        unit="ms",
        target=200,
        alert=500,
        rank=62,
    ),
    Check(
        id=CPU,
        question="Is the CPU usage of a host within its target?",
        runbook=_KEY,
        items=_UTILIZATION,
        source="node_cpu_seconds_total: share that is not idle, iowait or nice, over the stated window",
        remedy="on {name}: top -b -n 1 | head -20",
        unit="%",
        target=70,
        alert=85,
        rank=45,
    ),
    Check(
        id=MEMORY,
        question="Is the memory usage of a host within its target?",
        runbook=_KEY,
        items=_UTILIZATION,
        source="1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes",
        remedy="on {name}: ps -eo pid,rss,comm --sort=-rss | head",
        unit="%",
        target=80,
        alert=90,
        rank=45,
    ),
    Check(
        id=CONNECTIONS,
        question="How much of a database server's connections is taken?",
        runbook=_KEY,
        items=_UTILIZATION,
        source="pg_stat_activity_count over pg_settings_max_connections",
        remedy=(
            'psql -c "SELECT usename, application_name, state, count(*) FROM pg_stat_activity GROUP BY 1,2,3 ORDER '
            'BY 4 DESC"'
        ),
        unit="%",
        target=80,
        alert=90,
        rank=45,
    ),
    Check(
        id=OBJECTIVE,
        question="Are the objectives of the inventory kept, where large values are bad?",
        runbook=_KEY,
        items=_DASHBOARD,
        source="the objective's own PromQL, over its window",
        remedy="open the graph of the evidence and see since when; then the object that it names",
        rank=65,
    ),
    Check(
        id=FLOOR,
        question="Are the objectives of the inventory kept, where small values are bad?",
        runbook=_KEY,
        items=_DASHBOARD,
        source="the objective's own PromQL, over its window",
        remedy="open the graph of the evidence and see since when; then the object that it names",
        direction=BELOW,
        rank=65,
    ),
)

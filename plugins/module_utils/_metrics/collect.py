# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a Prometheus: one probe, then everything side by side. Returns plain values and judges nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._core import web
from .._core.errors import OptionError
from .._core.web import Answer, Request, Web
from . import prometheus
from .objectives import Objective

_MOST_FAILING = 200
_MOST_ERRORS = 5
_STORAGE = (
    "compactions_failed",
    "checkpoint_creations_failed",
    "checkpoint_deletions_failed",
    "head_truncations_failed",
    "reloads_failures",
    "wal_corruptions",
    "wal_truncations_failed",
    "wal_writes_failed",
)
_NOT_REACHED = (*web.DEAD, *web.AWAY, web.TLS, web.DENIED, web.GARBAGE, web.LARGE, web.OTHER)


@dataclass(frozen=True)
class Options:
    """What to ask, and where.

    :ivar connection: options of `web_spec` by their names.
    :ivar service_jobs: jobs whose targets are instances of services; services: those that must have one.
    """

    connection: Mapping[str, Any]
    deadline: float
    objectives: tuple[Objective, ...]
    expected_jobs: tuple[str, ...] = ()
    service_jobs: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    service_label: str = "service"
    headers: Mapping[str, str] = field(default_factory=dict)

    def asked(self) -> dict[str, Any]:
        """What an evaluator must know of this, as the observation keeps it."""
        return {
            "objectives": [one.to_dict() for one in self.objectives],
            "expected_jobs": list(self.expected_jobs),
            "service_jobs": list(self.service_jobs),
            "services": list(self.services),
            "service_label": self.service_label,
        }


def collect(options: Options) -> dict[str, Any]:
    """Ask Prometheus. Never raises for what it answers, except for a query of the user that it cannot read.

    :raises OptionError: such a query, or options of the connection that make no sense.
    """
    began = time.monotonic()
    client = Web(options.connection, options.deadline)
    seen: dict[str, Any] = {"url": client.base, "place": client.place, "asked": options.asked(), "error": None}
    runtime = client.get("/api/v1/status/runtimeinfo")
    if runtime.kind in _NOT_REACHED:
        seen["error"] = runtime.error
        seen["took_ms"] = _since(began)
        return seen
    limit = float(options.connection.get("timeout") or 5.0)
    names: list[tuple[str, str]] = []
    requests = [
        Request("/api/v1/status/buildinfo"),
        Request("/api/v1/targets", {"state": "active"}),
        Request("/api/v1/rules"),
        prometheus.query("time()", limit),
        prometheus.query(fed_query(), limit),
        prometheus.query(storage_query(), limit),
    ]
    fixed = len(requests)
    for objective in options.objectives:
        for part, expression in objective.queries().items():
            names.append((objective.name, part))
            requests.append(prometheus.query(expression, limit))
    answers = client.many(requests)
    build, targets, rules, now, fed, storage = answers[:fixed]
    seen["runtime"] = _part(runtime)
    seen["build"] = _part(build)
    seen["targets"] = _targets(targets, options)
    seen["rules"] = _rules(rules)
    seen["now"] = prometheus.vector(now)
    seen["fed"] = prometheus.vector(fed)
    seen["storage"] = prometheus.vector(storage)
    seen["objectives"] = _objectives(options.objectives, names, answers[fixed:])
    seen["took_ms"] = _since(began)
    return seen


def fed_query() -> str:
    """How many seconds ago the newest scrape of each job was."""
    return "time() - max by (job) (timestamp(up))"


def storage_query() -> str:
    """What failed in the storage during the last hour, by what it was.

    A rate over several metrics at once would make series that differ in nothing, which Prometheus refuses.
    """
    return " or ".join(
        'label_replace(sum(increase(prometheus_tsdb_%s_total[1h])), "what", "%s", "", "")' % (name, name)
        for name in _STORAGE
    )


def _objectives(
    objectives: Sequence[Objective], names: Sequence[tuple[str, str]], answers: Sequence[Answer]
) -> dict[str, dict[str, Any]]:
    own = {one.name for one in objectives if not one.standard}
    found: dict[str, dict[str, Any]] = {one.name: {} for one in objectives}
    for (name, part), answer in zip(names, answers):
        seen = prometheus.vector(answer)
        failed = seen["error"]
        if failed is not None and failed["kind"] == prometheus.BAD_QUERY and name in own:
            what = {"value": "query", "fresh": "fresh", "traffic": "traffic"}[part]
            raise OptionError(f"objectives: {name}: {what}: {failed['text']}")
        found[name][part] = seen
    return found


def _part(answer: Answer) -> dict[str, Any]:
    found = prometheus.data(answer)
    return {"error": prometheus.error(answer), "data": found if isinstance(found, Mapping) else {}}


def _targets(answer: Answer, options: Options) -> dict[str, Any]:
    """Targets counted by job and by service, with the errors of those that are down."""
    jobs: dict[str, dict[str, Any]] = {}
    services: dict[str, dict[str, Any]] = {}
    found = prometheus.data(answer)
    for target in prometheus.rows(found, "activeTargets"):
        labels = prometheus.labels_of(target)
        job = labels.get("job") or prometheus.text(target, "scrapePool")
        service = labels.get(options.service_label, "")
        places = [jobs.setdefault(job, _count())]
        if job in options.service_jobs and service:
            places.append(services.setdefault(service, _count()))
        health = prometheus.text(target, "health")
        for place in places:
            place[health if health in ("up", "down") else "unknown"] += 1
            if health == "down" and len(place["errors"]) < _MOST_ERRORS:
                place["errors"].append(
                    {
                        "instance": labels.get("instance", ""),
                        "labels": {key: value for key, value in labels.items() if key not in ("job", "instance")},
                        "error": prometheus.text(target, "lastError")[:300],
                        "url": prometheus.text(target, "scrapeUrl")[:300],
                    }
                )
    return {"error": prometheus.error(answer), "jobs": jobs, "services": services}


def _count() -> dict[str, Any]:
    return {"up": 0, "down": 0, "unknown": 0, "errors": []}


def _rules(answer: Answer) -> dict[str, Any]:
    """Rule groups with when they were evaluated, and the rules that fail."""
    groups: list[dict[str, Any]] = []
    failing: list[dict[str, Any]] = []
    total = 0
    for group in prometheus.rows(prometheus.data(answer), "groups"):
        rules = prometheus.rows(group, "rules")
        total += len(rules)
        groups.append(
            {
                "name": prometheus.text(group, "name"),
                "file": prometheus.text(group, "file"),
                "interval": prometheus.finite(group.get("interval")),
                "last": prometheus.text(group, "lastEvaluation"),
                "rules": len(rules),
            }
        )
        for rule in rules:
            if prometheus.text(rule, "health") == "err" and len(failing) < _MOST_FAILING:
                failing.append(
                    {
                        "name": prometheus.text(rule, "name"),
                        "type": prometheus.text(rule, "type"),
                        "group": prometheus.text(group, "name"),
                        "file": prometheus.text(group, "file"),
                        "query": prometheus.text(rule, "query")[:500],
                        "error": prometheus.text(rule, "lastError")[:500],
                    }
                )
    return {"error": prometheus.error(answer), "groups": groups, "failing": failing, "total": total}


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)

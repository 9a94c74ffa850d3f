# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at a healthy Prometheus, to be bent; and how it is judged."""

from __future__ import annotations

from typing import Any

from ansible_collections.nexuscos.ops.plugins.module_utils._catalogue import BY_ID
from ansible_collections.nexuscos.ops.plugins.module_utils._core.check import index
from ansible_collections.nexuscos.ops.plugins.module_utils._core.judge import Judge
from ansible_collections.nexuscos.ops.plugins.module_utils._core.threshold import Thresholds
from ansible_collections.nexuscos.ops.plugins.module_utils._metrics import objectives
from ansible_collections.nexuscos.ops.plugins.module_utils._metrics.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._metrics.evaluate import evaluate

NOW = 1_795_940_000.0


def series(*rows: tuple[dict[str, str], object]) -> dict[str, Any]:
    """An answer to an instant query."""
    return {
        "error": None,
        "warnings": [],
        "cut": 0,
        "series": [{"labels": labels, "at": NOW, "value": str(value)} for labels, value in rows],
    }


def failed(kind: str, text: str) -> dict[str, Any]:
    """An answer that is none."""
    return {"error": {"kind": kind, "text": text}, "warnings": [], "cut": 0, "series": []}


def by(label: str, *rows: tuple[str, object]) -> dict[str, Any]:
    """An answer with one label."""
    return series(*(({label: name}, value) for name, value in rows))


def counts(up: int, down: int = 0, unknown: int = 0, *errors: str, **labels: str) -> dict[str, Any]:
    """Targets of a job or a service."""
    found = [{"instance": "198.51.100.7:80", "labels": labels, "error": error, "url": ""} for error in errors]
    return {"up": up, "down": down, "unknown": unknown, "errors": found}


class Look:
    """One observation and what became of it."""

    def __init__(self, *own: dict[str, Any], **standard: Any) -> None:
        wanted = objectives.standard(
            objectives.STANDARD, "5m", "service", "host", 10.0, standard.get("no_traffic", "ok")
        )
        extra = objectives.parse([{"query": "q", **one} for one in own], "5m", "service")
        services = ("auth-service", "billing-service")
        self.observation: dict[str, Any] = {
            "url": "http://198.51.100.51:9090",
            "place": "198.51.100.51:9090",
            "error": None,
            "took_ms": 12.0,
            "asked": {
                "objectives": [one.to_dict() for one in (*wanted, *extra)],
                "expected_jobs": ["node", "nexus-cos-services"],
                "service_jobs": ["nexus-cos-services"],
                "services": list(services),
                "service_label": "service",
            },
            "runtime": {
                "error": None,
                "data": {
                    "startTime": "2026-11-20T06:00:00.123456789Z",
                    "reloadConfigSuccess": True,
                    "lastConfigTime": "2026-11-20T06:00:00Z",
                    "corruptionCount": 0,
                },
            },
            "build": {"error": None, "data": {"version": "2.42.0"}},
            "now": series(({}, NOW)),
            "fed": by("job", ("node", 3.2), ("nexus-cos-services", 12.0)),
            "storage": by("what", ("compactions_failed", 0), ("wal_corruptions", 0)),
            "rules": {
                "error": None,
                "total": 9,
                "failing": [],
                "groups": [
                    {"name": "g", "file": "r.yml", "interval": 15.0, "last": "2026-11-29T08:13:10.5Z", "rules": 9}
                ],
            },
            "targets": {
                "error": None,
                "jobs": {"node": counts(2), "nexus-cos-services": counts(6)},
                "services": {name: counts(3) for name in services},
            },
            "objectives": {
                "error_rate": {
                    "value": by("service", *((name, 0) for name in services)),
                    "traffic": by("service", *((name, 500) for name in services)),
                    "fresh": by("service", *((name, 4) for name in services)),
                },
                "latency": {
                    "value": by("service", *((name, 20.5) for name in services)),
                    "traffic": by("service", *((name, 500) for name in services)),
                    "fresh": by("service", *((name, 4) for name in services)),
                },
                "cpu": {"value": by("host", ("host1", 30)), "fresh": by("host", ("host1", 4))},
                "memory": {"value": by("host", ("host1", 30)), "fresh": by("host", ("host1", 4))},
                "connections": {"value": by("host", ("db1", 30)), "fresh": by("host", ("db1", 4))},
            },
        }
        self.result: dict[str, Any] = {}

    def judge(self, thresholds: Any = None) -> Look:
        """Evaluate what is there now."""
        judge = Judge(index(CHECKS), Thresholds.parse(thresholds, BY_ID), "mon1")
        evaluate(self.observation, judge)
        self.result = judge.result()
        return self

    @property
    def found(self) -> set[tuple[str, str, str]]:
        """Findings as (check without its system, object without the target, status)."""
        return {
            (one["check"].split(".", 1)[1], one["object"].partition("/")[2], one["status"])
            for one in self.result["findings"]
        }

    def finding(self, check: str) -> dict[str, Any]:
        """The only finding of a check."""
        (one,) = [one for one in self.result["findings"] if one["check"] == "metrics." + check]
        return dict(one)

    def row(self, check: str) -> dict[str, Any]:
        """The coverage of a check."""
        return next(dict(row) for row in self.result["coverage"] if row["check"] == "metrics." + check)

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at a healthy Alertmanager and its Prometheus, to be bent; and how it is judged."""

from __future__ import annotations

from typing import Any

from ansible_collections.nexuscos.ops.plugins.module_utils._alerts.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._alerts.evaluate import evaluate, stamp
from ansible_collections.nexuscos.ops.plugins.module_utils._alerts.options import GROUP_BY, SEVERITIES
from ansible_collections.nexuscos.ops.plugins.module_utils._catalogue import BY_ID
from ansible_collections.nexuscos.ops.plugins.module_utils._core.check import index
from ansible_collections.nexuscos.ops.plugins.module_utils._core.judge import Judge
from ansible_collections.nexuscos.ops.plugins.module_utils._core.threshold import Thresholds

NOW = 1_795_940_000.0
DAY = 86400.0


def alert(name: str, age: float = 600, **more: Any) -> dict[str, Any]:
    """An alert at Alertmanager; labels are what is not a key of its own."""
    own = {key: more.pop(key) for key in ("silenced_by", "inhibited_by", "annotations") if key in more}
    return {
        "labels": {"alertname": name, **more},
        "annotations": {"summary": f"{name} says so"},
        "state": "active",
        "silenced_by": [],
        "inhibited_by": [],
        "starts": stamp(NOW - age),
        "updated": stamp(NOW - 10),
        "url": "http://198.51.100.51:9090/graph?g0.expr=up",
        **own,
    }


def silence(
    number: int, matchers: str, ends: float, state: str = "active", author: str = "jane@nexuscos.example.com"
) -> Any:
    """A silence; matchers as amtool writes them, with a comma between."""
    found = []
    for one in matchers.split(","):
        sign = next(sign for sign in ("=~", "!~", "!=", "=") if sign in one)
        name, value = one.split(sign, 1)
        found.append({"name": name, "value": value, "isRegex": "~" in sign, "isEqual": not sign.startswith("!")})
    return {
        "id": "id-%d" % number,
        "state": state,
        "createdBy": author,
        "comment": "maintenance, ticket 4711, password=hunter2",
        "startsAt": stamp(NOW - DAY),
        "endsAt": stamp(NOW + ends),
        "matchers": found,
    }


def fired(step: float, *spans: tuple[float, float], **labels: str) -> dict[str, Any]:
    """Samples of ALERTS, as seconds before now."""
    times: list[float] = []
    for first, last in spans:
        at = first
        while at >= last:
            times.append(NOW - at)
            at -= step
    return {"labels": labels, "times": sorted(times)}


class Look:
    """One observation and what became of it."""

    def __init__(self) -> None:
        self.observation: dict[str, Any] = {
            "url": "http://198.51.100.51:9093",
            "place": "198.51.100.51:9093",
            "now": NOW,
            "since": NOW - DAY,
            "error": None,
            "took_ms": 12.0,
            "asked": {
                "group_by": list(GROUP_BY),
                "severities": dict(SEVERITIES),
                "watchdog": "Watchdog",
                "expected_peers": 0,
                "expiring_s": 7200.0,
                "window_s": 3600.0,
                "notification_window": "15m",
                "prometheus": True,
            },
            "status": {"version": "0.25.0", "cluster": "ready", "peers": 2, "error": None},
            "alerts": {"error": None, "cut": 0, "alerts": [alert("Watchdog", severity="none")]},
            "silences": {"error": None, "silences": []},
            "metrics": {"error": None, "failed": {"webhook": 3.0}, "sent": {"webhook": 900.0}, "reloaded": 1.0},
            "prometheus": {
                "url": "http://198.51.100.51:9090",
                "place": "198.51.100.51:9090",
                "error": None,
                "started": stamp(NOW - 5 * DAY),
                "managers": {"error": None, "active": ["http://198.51.100.51:9093/api/v2/alerts"], "dropped": 0},
                "rules": {"error": None, "steps": {"Watchdog": 15.0, "HighLatency": 15.0, "Fast": 1.0}, "firing": []},
                "recent": {"error": None, "cut": 0, "series": [fired(15, (3600, 0), alertname="Watchdog")]},
                "past": {"error": None, "cut": 0, "series": []},
                "past_step": 83,
                "failed": {"error": None, "series": [{"labels": {"integration": "webhook"}, "value": "0"}]},
                "sent": {"error": None, "series": [{"labels": {"integration": "webhook"}, "value": "40"}]},
                "errors": {"error": None, "series": [{"labels": {}, "value": "0"}]},
            },
        }
        self.result: dict[str, Any] = {}
        self.told: dict[str, Any] = {}

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """What Alertmanager has."""
        return self.observation["alerts"]["alerts"]  # type: ignore[no-any-return]

    def judge(self, thresholds: Any = None) -> Look:
        """Evaluate what is there now."""
        judge = Judge(index(CHECKS), Thresholds.parse(thresholds, BY_ID), "mon1")
        evaluate(self.observation, judge, self.told)
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
        (one,) = [one for one in self.result["findings"] if one["check"] == "alerts." + check]
        return dict(one)

    def row(self, check: str) -> dict[str, Any]:
        """The coverage of a check."""
        return next(dict(row) for row in self.result["coverage"] if row["check"] == "alerts." + check)

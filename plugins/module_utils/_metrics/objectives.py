# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objectives: a PromQL expression that gives one number an object, and the line that this number must keep.

The standard ones are the runbook's "Key Metrics to Watch", from the metric names that the platform exports. In every
expression ``$window`` stands for the window, so that what was measured can be said with the time that it was
measured over. All counters go through rate() or increase(), which take a restarted process for a counter that began
again at 0, and not for a step backwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .._core.errors import OptionError
from .._core.threshold import is_nan, nearest
from . import checks
from .prometheus import duration

STANDARD: tuple[str, ...] = ("error_rate", "latency", "cpu", "memory", "connections")
"""Names of the built-in objectives."""

NO_TRAFFIC = ("ok", "unknown")
DIRECTIONS = ("above", "below")


@dataclass(frozen=True)
class Objective:
    """One question to Prometheus.

    :ivar name: in objects of findings, and in errors.
    :ivar check: id of the check that its numbers are judged by.
    :ivar query: PromQL, one number an object; ``$window`` is replaced.
    :ivar labels: labels whose values name the object; none: all that a series has.
    :ivar service_label: label that names the service of the catalogue, empty where there is none.
    :ivar traffic: PromQL of how much happened in the window, by the same labels; empty: it is not asked.
    :ivar min_traffic: below it the number is that of a few requests, and is not judged.
    :ivar no_traffic: status of an object with nothing to measure (0/0).
    :ivar fresh: selector of the series that the query is made of, to know how old their newest samples are.
    :ivar standard: whether it is built in.
    """

    name: str
    check: str
    query: str
    unit: str
    window: str
    labels: tuple[str, ...] = ()
    service_label: str = ""
    target: float | None = None
    alert: float | None = None
    traffic: str = ""
    min_traffic: float = 0.0
    no_traffic: str = "unknown"
    fresh: str = ""
    standard: bool = False

    def expression(self, query: str) -> str:
        """A query with its window in place."""
        return query.replace("$window", self.window)

    def queries(self) -> dict[str, str]:
        """What is asked, by what it answers: ``value``, and ``traffic`` and ``fresh`` where they are wanted."""
        asked = {"value": self.expression(self.query)}
        if self.traffic:
            asked["traffic"] = self.expression(self.traffic)
        if self.fresh:
            by = " by (%s)" % ", ".join(self.labels) if self.labels else ""
            asked["fresh"] = "time() - max%s (timestamp(%s))" % (by, self.expression(self.fresh))
        return asked

    def to_dict(self) -> dict[str, Any]:
        """As an observation keeps it."""
        return {**asdict(self), "labels": list(self.labels)}


def standard(
    names: Sequence[str], window: str, service_label: str, host_label: str, min_traffic: float, no_traffic: str
) -> list[Objective]:
    """The built-in objectives of these names.

    The denominator of the error rate also carries its numerator (``or 0 * …``): a service that never failed has no
    series with a status 5xx at all, and a division would silently drop it.
    """
    every = "sum by (%s) (rate(http_requests_total[$window]))" % service_label
    failed = 'sum by (%s) (rate(http_requests_total{status=~"5.."}[$window]))' % service_label
    connections = "sum by (%s) (pg_stat_activity_count)" % host_label
    allowed = "max by (%s) (pg_settings_max_connections)" % host_label
    by_service: dict[str, Any] = {
        "labels": (service_label,),
        "service_label": service_label,
        "min_traffic": min_traffic,
        "no_traffic": no_traffic,
        "window": window,
        "standard": True,
    }
    by_host: dict[str, Any] = {"labels": (host_label,), "window": window, "standard": True}
    found = {
        "error_rate": Objective(
            name="error_rate",
            check=checks.ERROR_RATE,
            query="100 * (%s or 0 * %s) / %s" % (failed, every, every),
            traffic="sum by (%s) (increase(http_requests_total[$window]))" % service_label,
            fresh="http_requests_total",
            unit="%",
            **by_service,
        ),
        "latency": Objective(
            name="latency",
            check=checks.LATENCY,
            query=(
                "1000 * histogram_quantile(0.95, sum by (%s, le) (rate(http_request_duration_seconds_bucket[$window])))"
                % service_label
            ),
            traffic='sum by (%s) (increase(http_request_duration_seconds_bucket{le="+Inf"}[$window]))' % service_label,
            fresh='http_request_duration_seconds_bucket{le="+Inf"}',
            unit="ms",
            **by_service,
        ),
        "cpu": Objective(
            name="cpu",
            check=checks.CPU,
            query=(
                '100 * (1 - sum by (%s) (rate(node_cpu_seconds_total{mode=~"idle|iowait|nice"}[$window]))'
                " / sum by (%s) (rate(node_cpu_seconds_total[$window])))" % (host_label, host_label)
            ),
            fresh='node_cpu_seconds_total{mode="idle"}',
            unit="%",
            **by_host,
        ),
        "memory": Objective(
            name="memory",
            check=checks.MEMORY,
            query=(
                "100 * (1 - sum by (%s) (node_memory_MemAvailable_bytes) / sum by (%s) (node_memory_MemTotal_bytes))"
                % (host_label, host_label)
            ),
            fresh="node_memory_MemTotal_bytes",
            unit="%",
            **by_host,
        ),
        "connections": Objective(
            name="connections",
            check=checks.CONNECTIONS,
            query="100 * %s / %s" % (connections, allowed),
            fresh="pg_settings_max_connections",
            unit="%",
            **by_host,
        ),
    }
    return [found[name] for name in STANDARD if name in names]


def parse(given: Sequence[Mapping[str, Any]], window: str, service_label: str) -> list[Objective]:
    """The inventory's own objectives.

    :raises OptionError: a name twice or with a slash, no line at all, lines the wrong way round, a window that is none.
    """
    found: list[Objective] = []
    for entry in given:
        name = str(entry["name"])
        where = f"objectives: {name}"
        if not name or "/" in name:
            raise OptionError(f"objectives: {name!r} cannot be a name: it is empty or has a slash")
        if name in STANDARD or name in [one.name for one in found]:
            raise OptionError(f"{where}: the name is taken; want each once, and none of {', '.join(STANDARD)}")
        if not str(entry["query"]).strip():
            raise OptionError(f"{where}: query is empty")
        own = str(entry.get("window") or window)
        duration(own, f"{where}: window")
        target, alert = entry.get("target"), entry.get("alert")
        below = entry.get("direction") == "below"
        _lines(where, target, alert, below)
        found.append(
            Objective(
                name=name,
                check=checks.FLOOR if below else checks.OBJECTIVE,
                query=str(entry["query"]),
                unit=str(entry.get("unit") or ""),
                window=own,
                labels=tuple(str(one) for one in entry.get("labels") or ()),
                service_label=str(entry.get("service_label") or service_label),
                target=target,
                alert=alert,
                traffic=str(entry.get("traffic") or ""),
                min_traffic=float(entry.get("min_traffic") or 0.0),
                no_traffic=str(entry.get("no_traffic") or "unknown"),
                fresh=str(entry.get("fresh") or ""),
            )
        )
    return found


def chosen(names: Sequence[str]) -> list[str]:
    """The names of built-in objectives that were asked for.

    :raises OptionError: one does not exist.
    """
    for name in names:
        if name not in STANDARD:
            raise OptionError(f"standard: no objective is called {name!r}{nearest(name, STANDARD)}")
    return list(names)


def _lines(where: str, target: Any, alert: Any, below: bool) -> None:
    if target is None and alert is None:
        raise OptionError(f"{where}: want target, alert or both; without a line there is nothing to keep")
    if is_nan(target) or is_nan(alert):
        raise OptionError(f"{where}: target and alert are numbers")
    if target is None or alert is None:
        return
    if (target < alert) if below else (target > alert):
        raise OptionError(
            f"{where}: target {target:g} and alert {alert:g} are the wrong way round "
            f"({'small' if below else 'large'} values are bad)"
        )

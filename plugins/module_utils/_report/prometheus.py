# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's numbers in Prometheus' text format, for the textfile collector of the node exporter. Pure.

Labels are few and bounded (procedure, item, system, status): a label a finding would be a new series a day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .text import moment_of

STATUSES = ("ok", "warning", "unknown", "critical")


def render(report: Mapping[str, Any]) -> str:
    """The whole file; every metric carries the procedure and the platform."""
    run = report["run"]
    common = {"procedure": run["procedure"], "platform": run["platform"]}
    cover = report["coverage"]
    lines: list[str] = []

    def metric(name: str, words: str, samples: Iterable[tuple[Mapping[str, Any], float]]) -> None:
        lines.append("# HELP nexuscos_%s %s" % (name, words))
        lines.append("# TYPE nexuscos_%s gauge" % name)
        for labels, value in samples:
            shown = ",".join('%s="%s"' % (key, _escaped(text)) for key, text in {**common, **labels}.items())
            lines.append("nexuscos_%s{%s} %s" % (name, shown, repr(float(value))))

    metric(
        "run_findings",
        "Findings of the last run by status.",
        (({"status": status}, report["summary"][status]) for status in STATUSES if status != "ok"),
    )
    metric(
        "run_findings_acknowledged",
        "Findings of the last run that somebody has acknowledged.",
        [({}, sum(1 for one in report["findings"] if one.get("acknowledged")))],
    )
    metric("run_objects_ok", "Objects that were looked at and are well.", [({}, report["summary"]["ok"])])
    metric(
        "run_item_status",
        "1 for the status that an item of the checklist has, 0 for the others.",
        (
            ({"item": item["id"], "status": status}, item["status"] == status)
            for item in report["items"]
            for status in (*STATUSES, "not covered", "manual")
        ),
    )
    metric(
        "run_system_findings",
        "Findings of the last run by system and status.",
        (
            ({"system": system["name"], "module": system["module"], "status": status}, system["counts"].get(status, 0))
            for system in report["systems"]
            for status in STATUSES
            if status != "ok"
        ),
    )
    metric(
        "run_system_seen",
        "1 where a system was looked at live, 0 where it was not seen or judged from a recording.",
        (
            ({"system": system["name"], "module": system["module"]}, system["mode"] == "live")
            for system in report["systems"]
        ),
    )
    metric(
        "run_coverage_ratio",
        "Share of the checks on systems that were answered.",
        [({}, cover["seen"] / cover["expected"] if cover["expected"] else 0.0)],
    )
    metric("run_duration_seconds", "How long the run took.", [({}, run["duration_seconds"])])
    metric("run_end_timestamp_seconds", "When the run ended.", [({}, moment_of(run["ended"]) or 0.0)])
    return "\n".join(lines) + "\n"


def _escaped(text: Any) -> str:
    return str(text).replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')

#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/checks.md from the registered checks: `make docs`. With --check only say whether it is current."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "checks.md"

# In the order of the catalogue; a system that is missing here fails the page.
SYSTEMS = {
    "k8s": ("Kubernetes", "k8s_health"),
    "postgres": ("PostgreSQL", "postgres_health"),
    "redis": ("Redis", "redis_health"),
    "mongodb": ("MongoDB", "mongodb_health"),
    "endpoint": ("Endpoints", "endpoint_health"),
    "certificate": ("Certificates", "certificate_health"),
    "host": ("Hosts", "host_health"),
    "compose": ("Compose", "compose_health"),
    "metrics": ("Metrics", "metrics_health"),
    "alerts": ("Alerts", "alerts_info"),
    "grafana": ("Grafana", "grafana_health"),
    "elasticsearch": ("Elasticsearch", "elasticsearch_health"),
    "logs": ("Logs", "log_health"),
    "backup": ("Backups", "backup_health"),
}

RUNBOOKS = {"daily": "daily-operations-runbook.md", "operations": "operations-runbook.md"}

HEAD = """# Checks

<!-- Made by `make docs` from plugins/module_utils/_*/checks.py. Change it there. -->

Every question that the collection can answer. A check looks at objects and answers with findings; how a finding reads
is told in [Reading the report](reading-the-report.md), how thresholds are changed in [Thresholds](thresholds.md), and
how each check is tripped on purpose in [Faults](faults.md).

**ok up to target, warning between, critical past alert.** Where small values are bad, the other way round. *Worst* is
the worst status that a finding of the check can have; a system that cannot be asked makes a check unknown, never ok.
The smaller the *rank*, the nearer is a finding to a cause: see [Causes](reading-the-report.md#causes).
"""


def number(value: float | None) -> str:
    """A threshold as people write it."""
    if value is None:
        return "–"
    if value >= 1_000_000 and value % 1 == 0:
        for size, unit in ((1 << 30, "Gi"), (1 << 20, "Mi"), (10**9, " G"), (10**6, " M")):
            if value % size == 0:
                return "%d%s" % (value // size, unit)
    return "%g" % value


def page() -> str:
    """The whole page."""
    sys.path.insert(0, str(next((ROOT / ".venv" / "lib").glob("python3*")) / "site-packages"))
    from ansible_collections.nexuscos.ops.plugins.module_utils._catalogue import CHECKS
    from ansible_collections.nexuscos.ops.plugins.module_utils._checklists import PROCEDURES

    unknown = {check.system for check in CHECKS} - set(SYSTEMS)
    if unknown:
        raise SystemExit("generate_checks_doc: say in SYSTEMS how these are called: %s" % ", ".join(sorted(unknown)))
    titles = {item.id: item.short for items in PROCEDURES.values() for item in items}
    lines = [HEAD, "| System | Module | Checks |", "|---|---|---:|"]
    for system, (name, module) in SYSTEMS.items():
        count = sum(1 for check in CHECKS if check.system == system)
        lines.append("| [%s](#%s) | `nexuscos.ops.%s` | %d |" % (name, name.lower(), module, count))
    lines.append("")
    for system, (name, module) in SYSTEMS.items():
        own = [check for check in CHECKS if check.system == system]
        lines += ["## %s" % name, "", "Asked by `nexuscos.ops.%s`." % module, ""]
        for check in own:
            lines += [*entry(check, titles), ""]
    return "\n".join(lines).rstrip() + "\n"


def entry(check, titles: dict[str, str]) -> Iterator[str]:  # type: ignore[no-untyped-def]
    """One check."""
    yield "### %s" % check.id
    yield ""
    yield check.question
    yield ""
    if check.unit:
        direction = ", small values are bad" if check.direction == "below" else ""
        yield "- thresholds: target %s, alert %s (%s%s)" % (
            number(check.target),
            number(check.alert),
            check.unit,
            direction,
        )
        worst = "critical" if check.alert is not None else "warning"
    else:
        worst = check.severity
    yield "- worst: %s; rank %d" % (worst, check.rank)
    yield "- source: %s" % check.source
    yield "- next step: `%s`" % check.remedy.replace("`", "'")
    document, heading = check.runbook.split(":", 1)
    yield "- runbook: [%s](runbooks/%s#%s)" % (check.runbook, RUNBOOKS[document], heading)
    yield "- items: %s" % ", ".join("%s (%s)" % (titles.get(item, item), item) for item in check.items)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if the page is not current")
    given = parser.parse_args()
    wanted = page()
    current = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    if given.check:
        if wanted != current:
            print("docs/checks.md is not current: make docs", file=sys.stderr)
        return int(wanted != current)
    if wanted != current:
        PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

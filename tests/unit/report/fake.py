# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observations as modules return them, without the modules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ansible_collections.nexuscos.ops.plugins.module_utils._catalogue import BY_ID
from ansible_collections.nexuscos.ops.plugins.module_utils._checklists import MORNING
from ansible_collections.nexuscos.ops.plugins.module_utils._core.finding import Finding, fingerprint, worst
from ansible_collections.nexuscos.ops.plugins.module_utils._report.looks import CAPABILITIES, Look
from ansible_collections.nexuscos.ops.plugins.module_utils._report.model import build

ROOT = Path(__file__).resolve().parents[3]
CATALOGUE = yaml.safe_load((ROOT / "inventories/example/group_vars/all/catalogue.yml").read_text(encoding="utf-8"))
SERVICES, SYSTEMS = CATALOGUE["nexuscos_services"], CATALOGUE["nexuscos_systems"]

RUN = {
    "procedure": "daily_morning",
    "title": "morning",
    "id": "daily_morning-2026-11-22T06-00-00Z-00ff",
    "platform": "Nexus COS",
    "started": "2026-11-22T06:00:00Z",
    "ended": "2026-11-22T06:00:41Z",
    "duration_seconds": 41.0,
    "inventory": ["inventories/example"],
    "limit": None,
    "check_mode": False,
    "fail_on": "critical",
    "user": "ops",
    "controller": "bastion",
    "versions": {"collection": "0.1.0", "ansible": "2.21.5", "python": "3.13.0"},
}


def finding(check: str, obj: str, status: str = "critical", title: str = "", **more: Any) -> dict[str, Any]:
    """A finding with all keys of the contract."""
    return Finding(
        check, obj, status, title or "%s of %s" % (check, obj), fingerprint=fingerprint(check, obj), **more
    ).to_dict()


def look(name: str, group: str, *findings: dict[str, Any], **more: Any) -> Look:
    """A look at a system of which everything was seen."""
    capability = next(one for one in CAPABILITIES if one.group == group)
    rows = []
    for check in BY_ID.values():
        if check.system == capability.system:
            statuses = [one["status"] for one in findings if one["check"] == check.id]
            rows.append(
                {
                    "check": check.id,
                    "objects": 1 + len(statuses),
                    "status": worst(statuses),
                    "seen": True,
                    "reason": None,
                }
            )
    made = Look(name, capability, list(findings), {"ok": len(rows)}, rows)
    for key, value in more.items():
        setattr(made, key, value)
    if group == "clusters" and made.location is None:
        made.location = name
    return made


def report(*looks: Look, **more: Any) -> dict[str, Any]:
    """The report of a morning."""
    return build({**RUN, **more.pop("run", {})}, MORNING, BY_ID, looks, SERVICES, SYSTEMS, **more)


def workload(
    name: str, check: str = "k8s.readiness", cluster: str = "us-east-1", status: str = "critical", **more: Any
) -> dict[str, Any]:
    """A finding about a service's Deployment."""
    return finding(check, "%s/%s/Deployment/%s" % (cluster, SERVICES[name]["namespace"], name), status, **more)


def dead_primary() -> dict[str, Any]:
    """A morning after the primary died: its dependants are red in one cluster and on their endpoints."""
    down = [name for name, one in SERVICES.items() if "postgresql" in one["depends_on"]]
    behind = ["auth-service", "session-mgr", "token-mgr", "billing-service", "invoice-gen"]
    pods = [
        workload(
            name,
            title="%s is not ready: 3 of 3 pods fail GET /health/ready" % name,
            evidence={
                "message": "postgresql: connection refused",
                "pods": ["%s-7d9f-%d" % (name, one) for one in range(3)],
            },
            remedy="kubectl -n %s logs deployment/%s --tail=50" % (SERVICES[name]["namespace"], name),
        )
        for name in dict.fromkeys([*down, *behind])
    ]
    pods.append(workload("kei-ai", "k8s.hpa_maximum", status="warning", title="kei-ai wants 9 replicas and may have 6"))
    urls = [
        finding(
            "endpoint.status",
            "services-us-east-1/%s" % name,
            title="%s answers 503" % name,
            evidence={"body": '{"status":"red"}'},
        )
        for name in down
    ]
    primary = finding(
        "postgres.reachable",
        "db1",
        title="PostgreSQL at db1:5432 refuses connections",
        evidence={"error": 'connection to server at "198.18.0.21", port 5432 failed: Connection refused'},
        remedy="look at the server: systemctl status postgresql@15-main, then its log",
    )
    return report(
        look("us-east-1", "clusters", *pods, facts={"pods_ready": 61, "pods_total": 113}),
        look("us-west-2", "clusters", recorded_at="2026-11-20T10:00:00Z", facts={"pods_ready": 12, "pods_total": 12}),
        look("db1", "databases", primary, component="postgresql", standbys=("db2", "db3")),
        look("db2", "databases", finding("postgres.receiver", "db2", "warning"), component="postgresql"),
        look(
            "db3",
            "databases",
            component="postgresql",
            error=("unreachable", "ssh: connect to host bastion port 22: No route to host"),
        ),
        look(
            "analytics1",
            "databases",
            *(
                finding("postgres.unused_index", "analytics1/analytics/public.ix_%d" % one, "warning")
                for one in range(7)
            ),
            component="analytics",
        ),
        look(
            "services-us-east-1",
            "endpoints",
            *urls,
            location="us-east-1",
            facts={"endpoints_ok": 29, "endpoints_total": 43},
        ),
    )

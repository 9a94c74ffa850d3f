# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where findings belong on the dependency map, and which of them may explain or be explained."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._core.causes import Mark
from .._core.check import Check
from .looks import Look

OUTAGES: tuple[str, ...] = (
    "endpoint.reachable",
    "endpoint.tls",
    "endpoint.answer",
    "endpoint.status",
    "endpoint.content",
    "endpoint.steady",
    "k8s.container_start",
    "k8s.crash_loop",
    "k8s.failed_mount",
    "k8s.image_pull",
    "k8s.init_stuck",
    "k8s.liveness",
    "k8s.missing_config",
    "k8s.oom_killed",
    "k8s.readiness",
    "k8s.replica_failure",
    "k8s.service_endpoints",
    "k8s.service_port",
    "k8s.unschedulable",
    "postgres.connections",
    "postgres.reachable",
)
"""Checks whose critical finding takes a component away from those that need it.

Not here: what is bad for the component alone (bloat, a stuck rollout beside healthy old pods, an unused index).
"""

SYMPTOMS: tuple[str, ...] = (
    "endpoint.*",
    "k8s.crash_loop",
    "k8s.init_stuck",
    "k8s.liveness",
    "k8s.readiness",
    "k8s.rollout",
    "k8s.service_endpoints",
    "k8s.statefulset_wedged",
    "postgres.receiver",
    "postgres.replication_lag",
    "postgres.replication_lag_bytes",
    "postgres.slot",
    "postgres.slot_retention",
    "postgres.standby",
    "postgres.standby_reply",
)
"""Checks that may be asking about the effect of something else that is broken.

Not here: what nobody else can cause (an image that cannot be pulled, a Secret that is missing, no room on any node).
"""

_OUTSIDE = 100
# Objects that belong to a service although they carry more than its name: auth-service-hpa, auth-service-tls.
_COMPANIONS = {
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "Service",
    "Ingress",
    "ConfigMap",
    "Secret",
    "PersistentVolumeClaim",
}


def matches(check: str, patterns: Iterable[str]) -> bool:
    """Is a check named by one of some ids or globs?"""
    return any(fnmatch.fnmatchcase(check, pattern) for pattern in patterns)


class Map:
    """The dependency map of the inventory, with the systems that were looked at."""

    def __init__(self, looks: Sequence[Look], services: Mapping[str, Any], checks: Mapping[str, Check]) -> None:
        self.checks = checks
        self.looks = {look.name: look for look in looks}
        self.standbys = _standbys(looks)
        self.namespaces = {
            str(name): str(one.get("namespace") or "") for name, one in services.items() if isinstance(one, Mapping)
        }
        self.depends_on: dict[str, list[str]] = {}
        for name, one in services.items():
            needs = one.get("depends_on") if isinstance(one, Mapping) else None
            self.depends_on[str(name)] = [str(need) for need in needs] if isinstance(needs, (list, tuple)) else []
        for name in self.standbys:
            component = self.looks[name].component
            if component:
                self.depends_on["%s/%s" % (component, name)] = [component]

    def mark(self, finding: Mapping[str, Any]) -> Mark:
        """What cause-finding needs to know about a finding."""
        check = str(finding["check"])
        registered = self.checks.get(check)
        component, location, anywhere = self._place(finding)
        rank = registered.rank if registered else 50
        return Mark(
            fingerprint=str(finding["fingerprint"]),
            component=component,
            status=str(finding["status"]),
            # What is seen from outside is further from a cause than what the system says about itself.
            rank=rank + _OUTSIDE if check.startswith("endpoint.") else rank,
            outage=matches(check, OUTAGES),
            symptom=matches(check, SYMPTOMS),
            location=location,
            anywhere=anywhere,
            caused_by=finding.get("caused_by"),
            order="%s %s %s" % (component or "", check, finding["object"]),
        )

    def service(self, finding: Mapping[str, Any]) -> str | None:
        """The service or system of the catalogue that a finding is about."""
        component = self._place(finding)[0]
        return component.split("/", 1)[0] if component else None

    def _place(self, finding: Mapping[str, Any]) -> tuple[str | None, str | None, bool]:
        parts = str(finding["object"]).split("/")
        look = self.looks.get(parts[0])
        system = str(finding["check"]).split(".", 1)[0]
        if system == "k8s":
            return self._workload(parts), parts[0], False
        if system == "endpoint":
            name = parts[1] if len(parts) > 1 else ""
            evidence = finding.get("evidence")
            told = evidence.get("service") if isinstance(evidence, Mapping) else None
            known = (look.services.get(name) if look else None) or str(told or name)
            return (known if known in self.namespaces else None), (look.location if look else None), False
        if look is None or not look.component:
            return None, None, True
        # A standby that is absent on the primary belongs to the standby.
        instance = parts[-1] if parts[-1] in self.standbys else parts[0]
        return ("%s/%s" % (look.component, instance) if instance in self.standbys else look.component), None, True

    def _workload(self, parts: Sequence[str]) -> str | None:
        if len(parts) != 4:
            return None
        _target, namespace, kind, name = parts
        if self.namespaces.get(name) == namespace:
            return name
        if kind not in _COMPANIONS:
            return None
        found = [one for one, where in self.namespaces.items() if where == namespace and name.startswith(one + "-")]
        return max(found, key=len) if found else None


def _standbys(looks: Sequence[Look]) -> set[str]:
    """Servers that nothing but readers miss: named by a primary, or saying so themselves."""
    expected = {name for look in looks for name in look.standbys}
    found = set()
    for look in looks:
        if look.capability.group == "databases" and not look.standbys:
            role = str(look.facts.get("role") or "")
            if look.name in expected or role == "standby":
                found.add(look.name)
    return found

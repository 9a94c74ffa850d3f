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
    "certificate.chain",
    "certificate.expiry",
    "certificate.hostname",
    "certificate.not_yet_valid",
    "certificate.trust",
    "compose.exited",
    "compose.health",
    "compose.oom_killed",
    "compose.restarts",
    "compose.service",
    "endpoint.answer",
    "endpoint.content",
    "endpoint.reachable",
    "endpoint.status",
    "endpoint.steady",
    "endpoint.tls",
    "host.filesystem",
    "host.inodes",
    "host.read_only",
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
    "metrics.reachable",
    "mongodb.primary",
    "mongodb.reachable",
    "postgres.connections",
    "postgres.reachable",
    "redis.clients",
    "redis.cluster_slots",
    "redis.reachable",
    "redis.role",
)
"""Checks whose critical finding takes a component away from those that need it.

Not here: what is bad for the component alone (bloat, a stuck rollout beside healthy old pods, an unused index).
"""

SYMPTOMS: tuple[str, ...] = (
    "alerts.firing",
    "alerts.flapping",
    "alerts.pipeline",
    "certificate.reachable",
    "compose.exited",
    "compose.health",
    "compose.restarts",
    "endpoint.*",
    "grafana.datasource",
    "k8s.crash_loop",
    "k8s.init_stuck",
    "k8s.liveness",
    "k8s.readiness",
    "k8s.rollout",
    "k8s.service_endpoints",
    "k8s.statefulset_wedged",
    "logs.errors",
    "logs.new_template",
    "logs.rising",
    "metrics.error_rate",
    "metrics.floor",
    "metrics.latency",
    "metrics.objective",
    "metrics.service_up",
    "mongodb.member",
    "mongodb.primary",
    "mongodb.replication_lag",
    "postgres.reachable",
    "postgres.receiver",
    "postgres.replication_lag",
    "postgres.replication_lag_bytes",
    "postgres.slot",
    "postgres.slot_retention",
    "postgres.standby",
    "postgres.standby_reply",
    "redis.reachable",
    "redis.replicas",
    "redis.replication_lag",
    "redis.replication_lag_bytes",
    "redis.replication_link",
    "redis.sentinel",
    "redis.sentinel_primary",
    "redis.sentinel_quorum",
)
"""Checks that may be asking about the effect of something else that is broken.

Not here: what nobody else can cause (an image that cannot be pulled, a Secret that is missing, no room on any node).
"""

HOST = "host/%s"
"""Name of a host on the dependency map."""

_OUTSIDE = 100
_SEEN_FROM_OUTSIDE = ("certificate.", "endpoint.", "metrics.", "alerts.", "logs.")
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

    def __init__(
        self,
        looks: Sequence[Look],
        services: Mapping[str, Any],
        checks: Mapping[str, Check],
        systems: Mapping[str, Any] | None = None,
    ) -> None:
        self.checks = checks
        self.looks = {(look.name, look.capability.system): look for look in looks}
        self.standbys = _standbys(looks)
        self.namespaces = {
            str(name): str(one.get("namespace") or "") for name, one in services.items() if isinstance(one, Mapping)
        }
        self.depends_on: dict[str, list[str]] = {}
        for name, one in services.items():
            needs = one.get("depends_on") if isinstance(one, Mapping) else None
            self.depends_on[str(name)] = [str(need) for need in needs] if isinstance(needs, (list, tuple)) else []
            if _forwards_to_all(one):
                self.depends_on[str(name)] += [other for other in self.namespaces if other != str(name)]
        self._add_systems(looks, systems)
        for name in self.standbys:
            look = self.looks.get((name, "postgres")) or self.looks.get((name, "redis"))
            component = look.component if look else None
            if component:
                self.depends_on["%s/%s" % (component, name)] = [component]

    def _add_systems(self, looks: Sequence[Look], systems: Mapping[str, Any] | None) -> None:
        """What systems need: by the catalogue, and by what the inventory says about the single ones."""
        for name, one in (systems or {}).items():
            needs = one.get("depends_on") if isinstance(one, Mapping) else None
            if isinstance(needs, (list, tuple)):
                self.depends_on.setdefault(str(name), []).extend(str(need) for need in needs)
        for look in looks:
            own = self._component(look)
            if own is not None:
                known = self.depends_on.setdefault(own, [])
                known.extend(need for need in look.needs if need != own and need not in known)

    @staticmethod
    def _component(look: Look) -> str | None:
        """The node of the map that a looked-at system is: what the inventory calls it, or its host."""
        return HOST % look.name if look.capability.group == "hosts" else look.component

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
            rank=rank + _OUTSIDE if check.startswith(_SEEN_FROM_OUTSIDE) else rank,
            outage=matches(check, OUTAGES) and not _still_valid(finding),
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
        system = str(finding["check"]).split(".", 1)[0]
        look = self.looks.get((parts[0], system))
        if system == "k8s":
            return self._workload(parts), parts[0], False
        if system == "endpoint":
            name = parts[1] if len(parts) > 1 else ""
            evidence = finding.get("evidence")
            told = evidence.get("service") if isinstance(evidence, Mapping) else None
            known = (look.services.get(name) if look else None) or str(told or name)
            return (known if known in self.namespaces else None), (look.location if look else None), False
        told = finding.get("evidence")
        service = str(told.get("service") or "") if isinstance(told, Mapping) else ""
        if service in self.namespaces:
            return service, (look.location if look else None), False
        if look is not None and look.capability.group == "hosts":
            return HOST % look.name, None, True
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


def _still_valid(finding: Mapping[str, Any]) -> bool:
    """A certificate that is about to expire takes nothing away yet, however critical that is."""
    value = finding.get("value")
    return finding["check"] == "certificate.expiry" and isinstance(value, (int, float)) and value > 0


def _forwards_to_all(service: Any) -> bool:
    """A gateway, which needs every service: the catalogue says so with ``external: [all services]``."""
    external = service.get("external") if isinstance(service, Mapping) else None
    return isinstance(external, (list, tuple)) and any(str(one).lower() == "all services" for one in external)


def _standbys(looks: Sequence[Look]) -> set[str]:
    """Servers that nothing but readers miss: named by a primary, or saying so themselves."""
    expected = {name for look in looks for name in look.standbys}
    found = set()
    for look in looks:
        if look.capability.system in ("postgres", "redis") and not look.standbys:
            role = str(look.facts.get("role") or "")
            if look.name in expected or role in ("standby", "replica"):
                found.add(look.name)
    return found

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What deserves a second look: the few pods, namespaces and Secrets that are asked about after the lists are read."""

from __future__ import annotations

from typing import Any

from .read import Doc, count, dig, docs, flag, mapping, text

MOST_NAMESPACES = 12
MOST_LOGS = 20
MOST_OWNERS = 20

LogTarget = tuple[str, str, str, bool]
"""Namespace, pod, container, and whether the container before the present one is meant."""


def pods_in_detail(observation: Doc) -> list[tuple[Doc, Doc]]:
    """Every pod that was not plainly healthy, with its shape."""
    shapes = docs(observation, "shapes")
    found = []
    for pod in docs(observation, "lists", "pods"):
        shape = pod.get("shape")
        if isinstance(pod.get("detail"), dict) and isinstance(shape, int) and 0 <= shape < len(shapes):
            found.append((pod, shapes[shape]))
    return found


def event_namespaces(observation: Doc) -> list[str]:
    """Namespaces whose warnings can explain something, the most troubled first."""
    troubled: dict[str, int] = {}

    def note(namespace: str) -> None:
        if namespace:
            troubled[namespace] = troubled.get(namespace, 0) + 1

    for pod, shape in pods_in_detail(observation):
        if not pod.get("ready") or _restarted(pod):
            note(text(shape, "namespace"))
    for kind, wanted, there in (
        ("statefulsets.apps", ("spec", "replicas"), ("status", "replicas")),
        ("daemonsets.apps", ("status", "desiredNumberScheduled"), ("status", "currentNumberScheduled")),
        ("deployments.apps", ("spec", "replicas"), ("status", "replicas")),
    ):
        for doc in docs(observation, "lists", kind):
            if count(doc, *there) < count(doc, *wanted):
                note(text(doc, "metadata", "namespace"))
    for doc in docs(observation, "lists", "jobs.batch"):
        if not docs(doc, "status", "conditions"):
            note(text(doc, "metadata", "namespace"))
    for doc in docs(observation, "lists", "persistentvolumeclaims"):
        if text(doc, "status", "phase") != "Bound":
            note(text(doc, "metadata", "namespace"))
    return sorted(troubled, key=lambda name: (-troubled[name], name))[:MOST_NAMESPACES]


def log_targets(observation: Doc) -> list[LogTarget]:
    """Containers whose log may explain something: one an owner, a bounded number in all, the worst off first."""
    found: dict[tuple[str, ...], tuple[int, LogTarget]] = {}
    for pod, shape in pods_in_detail(observation):
        owner = (text(shape, "namespace"), *[str(part) for part in shape.get("owner") or [pod.get("name")]])
        for key in ("initContainerStatuses", "containerStatuses"):
            for status in docs(pod, "detail", "status", key):
                urgency, previous = _log_of(status, key == "initContainerStatuses")
                if urgency and (owner not in found or urgency < found[owner][0]):
                    found[owner] = (urgency, (owner[0], str(pod.get("name")), text(status, "name"), previous))
    return [target for _urgency, target in sorted(found.values(), key=lambda pair: pair[0])][:MOST_LOGS]


def _log_of(status: Doc, init: bool) -> tuple[int, bool]:
    """How urgent a container's log is (1 most, 0 not at all), and whether it is that of its last life."""
    now = mapping(status, "state", "terminated")
    before = mapping(status, "lastState", "terminated")
    if now and dig(now, "exitCode") != 0:
        return 1, False
    if before and mapping(status, "state", "waiting"):
        return 1, True
    if before and not flag(status, "ready"):
        return 2, True
    if init and mapping(status, "state", "running"):
        return 3, False
    if before and (text(before, "reason") == "OOMKilled" or count(status, "restartCount") > 1):
        return 4, True
    return 0, False


def unresolved_owners(observation: Doc) -> list[tuple[str, str]]:
    """ReplicaSets of troubled pods whose name does not tell their Deployment: namespace and name."""
    known = {
        (text(doc, "metadata", "namespace"), text(doc, "metadata", "name"))
        for doc in docs(observation, "lists", "deployments.apps")
    }
    found: dict[tuple[str, str], None] = {}
    for _pod, shape in pods_in_detail(observation):
        owner = shape.get("owner")
        if isinstance(owner, list) and len(owner) == 2 and owner[0] == "ReplicaSet":
            namespace = text(shape, "namespace")
            if (namespace, deployment_of(str(owner[1]), shape)) not in known:
                found[(namespace, str(owner[1]))] = None
    return list(found)[:MOST_OWNERS]


def deployment_of(replicaset: str, shape: Any) -> str:
    """The Deployment of a ReplicaSet by its name: the Deployment's name, a dash, the pods' template hash."""
    ending = "-" + text(shape, "labels", "pod-template-hash")
    return replicaset[: -len(ending)] if len(ending) > 1 and replicaset.endswith(ending) else ""


def tls_namespaces(observation: Doc) -> list[str]:
    """Namespaces with an Ingress that names a TLS Secret."""
    found = {
        text(doc, "metadata", "namespace")
        for doc in docs(observation, "lists", "ingresses.networking.k8s.io")
        if any(text(tls, "secretName") for tls in docs(doc, "spec", "tls"))
    }
    return sorted(name for name in found if name)


def _restarted(pod: Doc) -> bool:
    return any(
        count(status, "restartCount")
        for key in ("initContainerStatuses", "containerStatuses")
        for status in docs(pod, "detail", "status", key)
    )

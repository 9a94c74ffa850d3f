# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods: one finding for each owner and reason, with its pods as evidence."""

from __future__ import annotations

from typing import Any

from .look import Look, Pod
from .pod_troubles import Trouble, troubles
from .read import dig, docs, text

CHECKS = (
    "k8s.image_pull",
    "k8s.missing_config",
    "k8s.failed_mount",
    "k8s.unschedulable",
    "k8s.container_start",
    "k8s.oom_killed",
    "k8s.liveness",
    "k8s.crash_loop",
    "k8s.init_stuck",
    "k8s.readiness",
    "k8s.evicted",
    "k8s.pod_failed",
    "k8s.terminating",
)
_NUMBERS = ("k8s.liveness", "k8s.crash_loop", "k8s.init_stuck", "k8s.terminating")
_HARD = ("k8s.crash_loop", "k8s.liveness", "k8s.oom_killed")
_HISTORY = ("k8s.evicted", "k8s.pod_failed")
_MOST_PODS = 5


def evaluate(look: Look) -> None:
    """All checks of single pods."""
    for check in CHECKS:
        look.judge.looked(check, len(look.pods))
    found: dict[tuple[str, str], list[tuple[Pod, Trouble]]] = {}
    for pod in look.pods:
        for one in troubles(look, pod):
            found.setdefault((pod.obj, one.check), []).append((pod, one))
    for obj, check in list(found):
        # Pods of the same owner that crash now and then, and are unready in between, are one symptom.
        if check == "k8s.readiness" and any((obj, hard) in found for hard in _HARD):
            del found[(obj, check)]
    silent = _services_without_endpoints(look)
    for (obj, check), group in found.items():
        _report(look, obj, check, group, silent)
    live = [pod for pod in look.pods if pod.live]
    look.judge.facts["pods_ready"] = sum(1 for pod in live if pod.ready)
    look.judge.facts["pods_total"] = len(live)


def _report(look: Look, obj: str, check: str, group: list[tuple[Pod, Trouble]], silent: dict[str, list[str]]) -> None:
    # The worst pod speaks for all: the one with the highest number, of equals the first by name.
    group.sort(key=lambda pair: (-(pair[1].value or 0.0), pair[0].name))
    pod, trouble = group[0]
    siblings = [one for one in look.by_owner.get(obj, []) if one.live]
    ready = sum(1 for one in siblings if one.ready)
    evidence: dict[str, Any] = {
        "pods": [one.name for one, _trouble in group[:_MOST_PODS]],
        "affected": len(group),
    }
    if siblings:
        evidence["ready"] = "%d of %d" % (ready, len(siblings))
    evidence.update(_made_of(look, pod, trouble))
    evidence.update(trouble.evidence)
    _logs(look, group, evidence)
    if silent.get(obj) and check not in _HISTORY:
        evidence["services_without_endpoints"] = silent[obj]
    title = f"{pod.owner[1]} {trouble.what}"
    if len(group) > 1:
        title += " (%d pods)" % len(group)
    causes = [look.obj("Node", pod.node or "-")]
    causes += [
        look.obj("PersistentVolumeClaim", claim, pod.namespace)
        for claim in dig(pod.shape, "claims") or []
        if isinstance(claim, str)
    ]
    registered = look.judge.checks[check]
    # A node that is merely busy or cordoned is no evident cause of what one of its pods does.
    caused_by = look.cause(*causes, above=min(registered.rank, 8)) or look.cause(*causes[1:], above=registered.rank)
    if check in _NUMBERS:
        look.value(check, obj, trouble.value or 0.0, title, evidence=evidence, caused_by=caused_by, counted=True)
        return
    status = registered.severity
    if check not in _HISTORY and (ready or (check == "k8s.oom_killed" and not trouble.recent)):
        status = "warning"  # others of the same owner still serve
    look.report(check, obj, title, status=status, evidence=evidence, caused_by=caused_by, count=False)


def _made_of(look: Look, pod: Pod, trouble: Trouble) -> dict[str, Any]:
    """What the owner may have in common with others that are ill: its image, how many use it, and a recent rollout."""
    wanted = text(trouble.evidence, "container")
    containers = [one for key in ("containers", "init") for one in docs(pod.shape, key)]
    image = next((text(one, "image") for one in containers if not wanted or text(one, "name") == wanted), "")
    found: dict[str, Any] = {}
    if image:
        found.update(image=image, image_users=look.users_of(image))
    generation = look.generation(pod.obj)
    created = text(pod.detail, "metadata", "creationTimestamp")
    if created and generation > 1:
        found["rollout"] = {"at": created, "generation": generation}
    return found


def _logs(look: Look, group: list[tuple[Pod, Trouble]], evidence: dict[str, Any]) -> None:
    """Add the last lines of the container that died, of whichever pod of the group they were read."""
    wanted = [trouble.container for _pod, trouble in group if trouble.container]
    for place in wanted:
        lines = dig(look.observation, "logs", place)
        if isinstance(lines, list):
            evidence["last_lines"] = [str(line) for line in lines] or "the container wrote nothing"
            return
    for place in wanted:
        lost = text(look.observation, "logs_errors", place, "text")
        if lost:
            evidence["last_lines"] = f"unknown: {lost}"
            return
    if wanted:
        evidence["last_lines"] = "unknown: not asked for"


def _services_without_endpoints(look: Look) -> dict[str, list[str]]:
    """For each owner the Services without a ready endpoint: named with what ails the owner, not reported again."""
    if not look.seen("endpointslices.discovery.k8s.io"):
        return {}
    ready: dict[tuple[str, str], int] = {}
    for one in look.list("endpointslices.discovery.k8s.io"):
        key = (text(one, "namespace"), text(one, "service"))
        number = one.get("ready")
        ready[key] = ready.get(key, 0) + (number if isinstance(number, int) else 0)
    found: dict[str, list[str]] = {}
    for service in look.list("services"):
        name, namespace = text(service, "metadata", "name"), text(service, "metadata", "namespace")
        selector = dig(service, "spec", "selector")
        if not isinstance(selector, dict) or ready.get((namespace, name)):
            continue
        pods = look.select(namespace, {str(key): str(value) for key, value in selector.items()})
        for pod in () if any(pod.ready for pod in pods) else pods:
            if name not in found.setdefault(pod.obj, []):
                found[pod.obj].append(name)
    return found

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge an observation of a cluster: every question, what it needs to have seen, from causes to symptoms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

from .._core.finding import fingerprint
from .._core.judge import Judge
from . import autoscaling, control_plane, disruption, nodes, pods, services, storage, usage, workloads
from .kinds import BY_NAME
from .look import Look
from .read import Doc, condition, count, dig, mapping, text, texts

_DEAD = ("refused", "timeout", "garbage", "unavailable", "busy")
_DAY = 86400.0
_MOST_ROLLOUTS = 50
_METRICS = ("nodes.metrics.k8s.io", "pods.metrics.k8s.io")
_SLICES = "endpointslices.discovery.k8s.io"
_WEBHOOKS = (
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
    "mutatingwebhookconfigurations.admissionregistration.k8s.io",
)


@dataclass(frozen=True)
class Question:
    """An evaluator.

    :ivar ask: reads a look and reports.
    :ivar checks: the checks that it answers.
    :ivar needs: the kinds without which it has no answer.
    """

    ask: Callable[[Look], None]
    checks: tuple[str, ...]
    needs: tuple[str, ...]


QUESTIONS: tuple[Question, ...] = (
    Question(nodes.ready, ("k8s.node_ready",), ("nodes",)),
    Question(nodes.pressure, ("k8s.node_pressure",), ("nodes",)),
    Question(nodes.cordoned, ("k8s.node_cordoned",), ("nodes",)),
    Question(usage.nodes, ("k8s.node_cpu", "k8s.node_memory"), ("nodes", "nodes.metrics.k8s.io")),
    Question(control_plane.quotas, ("k8s.quota",), ("resourcequotas",)),
    Question(storage.lost, ("k8s.pvc_lost",), ("persistentvolumeclaims",)),
    Question(storage.pending, ("k8s.pvc_pending",), ("persistentvolumeclaims", "pods")),
    Question(pods.evaluate, pods.CHECKS, ("pods",)),
    Question(services.ports, ("k8s.service_port",), ("services", "pods")),
    Question(control_plane.apiservices, ("k8s.apiservice",), ("apiservices.apiregistration.k8s.io",)),
    Question(control_plane.webhooks, ("k8s.webhook",), (*_WEBHOOKS, "services", _SLICES)),
    Question(workloads.deployments, (), ("deployments.apps",)),
    Question(
        workloads.replica_failure,
        ("k8s.replica_failure",),
        ("deployments.apps", "statefulsets.apps", "daemonsets.apps", "jobs.batch"),
    ),
    Question(workloads.rollout, ("k8s.rollout",), ("deployments.apps",)),
    Question(workloads.paused, ("k8s.rollout_paused",), ("deployments.apps",)),
    Question(workloads.wedged, ("k8s.statefulset_wedged",), ("statefulsets.apps", "pods")),
    Question(workloads.jobs, ("k8s.job_failed",), ("jobs.batch",)),
    Question(workloads.cron_missed, ("k8s.cronjob_missed",), ("cronjobs.batch",)),
    Question(workloads.cron_suspended, ("k8s.cronjob_suspended",), ("cronjobs.batch",)),
    Question(
        services.endpoints,
        ("k8s.service_endpoints",),
        ("services", _SLICES, "pods", "deployments.apps", "statefulsets.apps", "daemonsets.apps"),
    ),
    Question(services.ingress_backend, ("k8s.ingress_backend",), ("ingresses.networking.k8s.io", "services")),
    Question(services.ingress_tls, ("k8s.ingress_tls",), ("ingresses.networking.k8s.io",)),
    Question(control_plane.namespaces, ("k8s.namespace_terminating",), ("namespaces",)),
    Question(
        autoscaling.evaluate,
        ("k8s.hpa_metrics", "k8s.hpa_target", "k8s.hpa_maximum", "k8s.hpa_disabled"),
        ("horizontalpodautoscalers.autoscaling",),
    ),
    Question(disruption.blocks, ("k8s.pdb_blocks",), ("poddisruptionbudgets.policy",)),
    Question(disruption.overlap, ("k8s.pdb_overlap",), ("poddisruptionbudgets.policy", "pods")),
    Question(
        disruption.unmatched,
        ("k8s.pdb_unmatched",),
        ("poddisruptionbudgets.policy", "pods", "deployments.apps", "statefulsets.apps", "daemonsets.apps"),
    ),
    Question(
        usage.workloads,
        ("k8s.cpu_usage", "k8s.memory_usage"),
        ("pods", "pods.metrics.k8s.io", "horizontalpodautoscalers.autoscaling"),
    ),
)


def evaluate(observation: Doc, judge: Judge) -> None:
    """Judge what was seen of a cluster.

    :param observation: as :func:`collect.collect` returns it.
    """
    if not _answers(observation, judge):
        judge.unseen_rest("the API server could not be asked (see k8s.api)")
        return
    look = Look(observation, judge)
    _facts(look)
    _access(look)
    for question in QUESTIONS:
        blind = [kind for kind in question.needs if not look.seen(kind)]
        if blind:
            for check in question.checks:
                judge.unseen(check, _blindness(observation, blind[0]))
            continue
        for check in question.checks:
            judge.looked(check, 0)
        question.ask(look)
    _events(look)


def _answers(observation: Doc, judge: Judge) -> bool:
    """k8s.api; False where nothing else can be judged."""
    judge.looked("k8s.api", 0)
    server = text(observation, "server")
    error = mapping(observation, "api")
    if error:
        kind = text(error, "kind")
        evidence = {"server": server, "error": text(error, "text"), "kind": kind}
        if kind in _DEAD:
            judge.report(
                "k8s.api",
                judge.target,
                "the API server of %s does not answer: %s" % (judge.target, text(error, "text")),
                evidence=evidence,
            )
        else:
            judge.unknown(
                "k8s.api",
                judge.target,
                "%s cannot be looked at: %s" % (judge.target, text(error, "text")),
                evidence,
                remedy="check address, authority and credentials: kubectl --context {target} auth whoami",
            )
        return False
    errors = mapping(observation, "errors")
    if errors and not mapping(observation, "lists"):
        first = mapping(errors, sorted(errors)[0])
        evidence = {"server": server, "error": text(first, "text")}
        if all(text(mapping(errors, name), "kind") == "denied" for name in errors):
            judge.unknown(
                "k8s.api",
                judge.target,
                "%s shows nothing to these credentials: %s" % (judge.target, text(first, "text")),
                evidence,
            )
        else:
            judge.report(
                "k8s.api",
                judge.target,
                "the API server of %s answers no list: %s" % (judge.target, text(first, "text")),
                evidence=evidence,
            )
        return False
    failing = texts(observation, "failing")
    if failing:
        title = f"the API server of {judge.target} calls itself not ready: {failing[0]}"
        judge.report("k8s.api", judge.target, title, evidence={"server": server, "failing": failing})
    else:
        judge.looked("k8s.api")
    return True


def _access(look: Look) -> None:
    """k8s.access and k8s.metrics_api"""
    look.judge.looked("k8s.metrics_api")
    look.judge.looked("k8s.access", len(BY_NAME))
    errors = mapping(look.observation, "errors")
    for name in sorted(errors):
        kind, why = text(errors, name, "kind"), text(errors, name, "text")
        if name in _METRICS and kind != "denied":
            continue
        verb = "may not be listed" if kind == "denied" else "is not served" if kind == "missing" else "cannot be listed"
        look.report(
            "k8s.access",
            look.obj("APIResource", name),
            f"{name} {verb}: {why}",
            evidence={
                "error": why,
                "kind": kind,
                "unseen": sorted(
                    check for question in QUESTIONS if name in question.needs for check in question.checks
                ),
            },
            caused_by=_served_by(look, name),
            count=False,
        )
    broken = [name for name in _METRICS if name in errors and text(errors, name, "kind") != "denied"]
    if broken:
        why = text(errors, broken[0], "text")
        service = look.obj("APIService", "v1beta1.metrics.k8s.io")
        control_plane_down = any(
            look.of(one, "APIService") == service and _unavailable(one)
            for one in look.list("apiservices.apiregistration.k8s.io")
        )
        look.report(
            "k8s.metrics_api",
            look.target,
            f"the use of CPU and memory is not known: {why}",
            evidence={"error": why},
            caused_by=fingerprint("k8s.apiservice", service) if control_plane_down else None,
            count=False,
        )


def _served_by(look: Look, name: str) -> str | None:
    """The unavailable APIService that serves a kind, where that is why it cannot be listed."""
    kind = BY_NAME.get(name)
    parts = kind.path.strip("/").split("/") if kind else []
    if len(parts) != 3:
        return None
    service = look.obj("APIService", f"{parts[2]}.{parts[1]}")
    down = any(
        look.of(one, "APIService") == service and _unavailable(one)
        for one in look.list("apiservices.apiregistration.k8s.io")
    )
    return fingerprint("k8s.apiservice", service) if down else None


def _unavailable(one: Doc) -> bool:
    return text(condition(one, "Available"), "status") != "True" and bool(dig(one, "spec", "service"))


def _blindness(observation: Doc, kind: str) -> str:
    why = text(observation, "errors", kind, "text")
    return "%s could not be listed: %s" % (kind, why or "not recorded")


def _events(look: Look) -> None:
    """What only events can tell is not seen where they may not be read and something waits for an explanation."""
    lost: dict[str, Any] = mapping(look.observation, "events_errors")
    if lost:
        namespace = sorted(lost)[0]
        look.judge.unseen(
            "k8s.failed_mount",
            "events of namespace %s could not be read: %s" % (namespace, text(lost, namespace, "text")),
        )


def _facts(look: Look) -> None:
    facts = look.judge.facts
    facts["version"] = text(look.observation, "version", "gitVersion") or None
    all_nodes = look.list("nodes")
    facts["nodes"] = len(all_nodes) if look.seen("nodes") else None
    facts["nodes_ready"] = (
        sum(1 for one in all_nodes if text(condition(one, "Ready"), "status") == "True") if look.seen("nodes") else None
    )
    facts["rollouts"] = _rollouts(look)
    facts["server"] = text(look.observation, "server")


def _rollouts(look: Look) -> list[dict[str, Any]]:
    """Deployments that got a new version in the last day, the latest first: what changed, for the evening's review."""
    found = []
    for doc in look.list("deployments.apps"):
        when = text(condition(doc, "Progressing"), "lastUpdateTime")
        # The first generation is the making of the Deployment itself.
        if count(doc, "metadata", "generation") > 1 and when and look.age(when) < _DAY:
            found.append({"object": look.of(doc, "Deployment"), "at": when})
    return sorted(found, key=lambda one: str(one["at"]), reverse=True)[:_MOST_ROLLOUTS]

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes: ready, under pressure, forgotten in maintenance."""

from __future__ import annotations

from .look import Look
from .read import Doc, condition, docs, flag, labels, moment, span, text

_PRESSURE = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
# What an autoscaler is about to delete is cordoned on purpose, and not for long.
_LEAVING = ("ToBeDeletedByClusterAutoscaler", "DeletionCandidateOfClusterAutoscaler", "karpenter.sh/disrupted")


def ready(look: Look) -> None:
    """k8s.node_ready"""
    for node in look.list("nodes"):
        obj = look.of(node, "Node")
        state = condition(node, "Ready")
        look.judge.looked("k8s.node_ready")
        if text(state, "status") == "True":
            continue
        if not state and look.age(text(node, "metadata", "creationTimestamp")) < 60:
            continue  # it has only just registered
        since = span(look.age(text(state, "lastTransitionTime")))
        why = "its kubelet has not been heard of" if text(state, "status") == "Unknown" else text(state, "message")
        pods = [pod for pod in look.pods if pod.node == text(node, "metadata", "name") and pod.phase != "Succeeded"]
        look.report(
            "k8s.node_ready",
            obj,
            "node %s is not ready since %s: %s"
            % (text(node, "metadata", "name"), since, why or "no condition says why"),
            evidence={
                "status": text(state, "status") or "no Ready condition",
                "reason": text(state, "reason"),
                "message": text(state, "message"),
                "since": text(state, "lastTransitionTime"),
                "pods": len(pods),
                "zone": labels(node, "metadata", "labels").get("topology.kubernetes.io/zone"),
                "nodes_in_zone": _in_zone(look, node),
                "kubelet": text(node, "status", "nodeInfo", "kubeletVersion"),
            },
            count=False,
        )


def _in_zone(look: Look, node: Doc) -> int:
    zone = labels(node, "metadata", "labels").get("topology.kubernetes.io/zone")
    return sum(
        1
        for one in look.list("nodes")
        if zone and labels(one, "metadata", "labels").get("topology.kubernetes.io/zone") == zone
    )


def pressure(look: Look) -> None:
    """k8s.node_pressure"""
    for node in look.list("nodes"):
        obj = look.of(node, "Node")
        look.judge.looked("k8s.node_pressure")
        found = [condition(node, kind) for kind in _PRESSURE]
        found = [one for one in found if text(one, "status") == "True"]
        if not found:
            continue
        kinds = [text(one, "type") for one in found]
        look.report(
            "k8s.node_pressure",
            obj,
            "node %s has %s since %s"
            % (
                text(node, "metadata", "name"),
                " and ".join(kinds),
                span(look.age(text(found[0], "lastTransitionTime"))),
            ),
            evidence={text(one, "type"): text(one, "message") or text(one, "reason") for one in found},
            count=False,
        )


def cordoned(look: Look) -> None:
    """k8s.node_cordoned"""
    for node in look.list("nodes"):
        look.judge.looked("k8s.node_cordoned")
        if not flag(node, "spec", "unschedulable"):
            continue
        taints = docs(node, "spec", "taints")
        if any(text(taint, "key") in _LEAVING for taint in taints):
            continue
        obj = look.of(node, "Node")
        name = text(node, "metadata", "name")
        since = [text(one, "timeAdded") for one in taints if text(one, "key") == "node.kubernetes.io/unschedulable"]
        since = [one for one in since if moment(one) is not None]
        if not since:
            look.report(
                "k8s.node_cordoned",
                obj,
                f"node {name} is cordoned, since when is not recorded",
                status="warning",
                count=False,
            )
            continue
        seconds = look.age(since[0])
        look.value(
            "k8s.node_cordoned",
            obj,
            round(seconds / 3600, 2),
            f"node {name} is cordoned since {span(seconds)}",
            evidence={"since": since[0], "pods": sum(1 for pod in look.pods if pod.node == name and pod.live)},
            counted=True,
        )

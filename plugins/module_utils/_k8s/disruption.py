# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disruption budgets: those that block every drain, overlap, or protect nothing."""

from __future__ import annotations

from .look import Look, fits
from .read import condition, count, dig, docs, labels, text, whole

_GRACE = 60


def blocks(look: Look) -> None:
    """k8s.pdb_blocks"""
    for one in look.list("poddisruptionbudgets.policy"):
        look.judge.looked("k8s.pdb_blocks")
        expected, healthy = count(one, "status", "expectedPods"), count(one, "status", "currentHealthy")
        name = text(one, "metadata", "name")
        failed = condition(one, "DisruptionAllowed")
        if text(failed, "reason") == "SyncFailed" and look.age(text(failed, "lastTransitionTime")) > _GRACE:
            title = "disruption budget %s cannot be computed, and forbids every disruption: %s" % (
                name,
                text(failed, "message")[:200],
            )
            look.report(
                "k8s.pdb_blocks",
                look.of(one, "PodDisruptionBudget"),
                title,
                evidence={"message": text(failed, "message")},
                count=False,
            )
            continue
        if (whole(one, "status", "observedGeneration") or 0) < (whole(one, "metadata", "generation") or 0):
            continue  # the controller has not read the last change yet
        # With one replica every budget is all or nothing, and its owner knows. With fewer healthy pods than expected
        # the budget does its work, and the pods are judged by themselves.
        if count(one, "status", "disruptionsAllowed") or expected <= 1 or healthy < expected:
            continue
        rule = {
            key: dig(one, "spec", key)
            for key in ("minAvailable", "maxUnavailable")
            if dig(one, "spec", key) is not None
        }
        words = ", ".join("%s %s" % pair for pair in rule.items())
        look.report(
            "k8s.pdb_blocks",
            look.of(one, "PodDisruptionBudget"),
            "disruption budget %s allows no disruption though all %d pods are healthy (%s)" % (name, expected, words),
            evidence={**rule, "pods": expected, "healthy": healthy},
            count=False,
        )


def overlap(look: Look) -> None:
    """k8s.pdb_overlap"""
    budgets: dict[int, list[str]] = {}
    by_namespace = {}
    for one in look.list("poddisruptionbudgets.policy"):
        look.judge.looked("k8s.pdb_overlap")
        name, namespace = text(one, "metadata", "name"), text(one, "metadata", "namespace")
        for pod in look.match(namespace, dig(one, "spec", "selector")):
            if pod.live:
                budgets.setdefault(id(pod), []).append(name)
                by_namespace[id(pod)] = pod
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for key, names in budgets.items():
        if len(names) > 1:
            pod = by_namespace[key]
            groups.setdefault((pod.namespace, tuple(sorted(names))), []).append(pod.name)
    for (namespace, together), pods in sorted(groups.items()):
        look.report(
            "k8s.pdb_overlap",
            look.obj("PodDisruptionBudget", together[0], namespace),
            "disruption budgets %s cover the same %d pods: none of these can be evicted"
            % (" and ".join(together), len(pods)),
            evidence={"budgets": list(together), "pods": sorted(pods)[:5]},
            count=False,
        )


def unmatched(look: Look) -> None:
    """k8s.pdb_unmatched"""
    for one in look.list("poddisruptionbudgets.policy"):
        look.judge.looked("k8s.pdb_unmatched")
        namespace, name = text(one, "metadata", "namespace"), text(one, "metadata", "name")
        selector = dig(one, "spec", "selector")
        if look.match(namespace, selector) or look.age(text(one, "metadata", "creationTimestamp")) < _GRACE:
            continue
        wanted, expressions = labels(selector, "matchLabels"), docs(selector, "matchExpressions")
        # A workload that is scaled to 0 has no pods, but will have some again.
        templates = [
            labels(doc, "spec", "template", "metadata", "labels")
            for plural in ("deployments.apps", "statefulsets.apps", "daemonsets.apps")
            for doc in look.list(plural)
            if text(doc, "metadata", "namespace") == namespace
        ]
        if any(wanted.items() <= given.items() and fits(given, expressions) for given in templates):
            continue
        look.report(
            "k8s.pdb_unmatched",
            look.obj("PodDisruptionBudget", name, namespace),
            f"disruption budget {name} matches no pod and no workload",
            evidence={"selector": selector},
            count=False,
        )

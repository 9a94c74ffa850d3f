# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Autoscalers: metrics, targets, limits."""

from __future__ import annotations

from typing import Any

from .look import Look
from .read import Doc, condition, count, dig, docs, mapping, span, text, whole

_GRACE = 60


def autoscaled(look: Look) -> set[str]:
    """The workloads that have an autoscaler."""
    return {_target(look, one) for one in look.list("horizontalpodautoscalers.autoscaling")}


def _target(look: Look, one: Doc) -> str:
    ref = mapping(one, "spec", "scaleTargetRef")
    return look.obj(text(ref, "kind"), text(ref, "name"), text(one, "metadata", "namespace"))


def evaluate(look: Look) -> None:
    """k8s.hpa_metrics, k8s.hpa_target, k8s.hpa_maximum, k8s.hpa_disabled: at most one of them for an autoscaler."""
    checks = ("k8s.hpa_metrics", "k8s.hpa_target", "k8s.hpa_maximum", "k8s.hpa_disabled")
    for one in look.list("horizontalpodautoscalers.autoscaling"):
        for check in checks:
            look.judge.looked(check)
        obj = look.of(one, "HorizontalPodAutoscaler")
        name, target = text(one, "metadata", "name"), _target(look, one)
        able, active = condition(one, "AbleToScale"), condition(one, "ScalingActive")
        limited = condition(one, "ScalingLimited")
        if text(able, "status") == "False" and text(able, "reason") in ("FailedGetScale", "FailedUpdateScale"):
            title = "autoscaler %s does not find %s" % (name, "/".join(target.rsplit("/", 2)[1:]))
            look.report(
                "k8s.hpa_target", obj, title, evidence={"message": text(able, "message"), "target": target}, count=False
            )
        elif text(active, "reason") == "ScalingDisabled":
            title = "autoscaler %s is switched off: %s has 0 replicas" % (
                name,
                text(one, "spec", "scaleTargetRef", "name"),
            )
            look.report("k8s.hpa_disabled", obj, title, evidence={"target": target}, count=False)
        elif text(active, "status") == "False":
            since = look.age(text(active, "lastTransitionTime"))
            if since < _GRACE:
                continue
            look.report(
                "k8s.hpa_metrics",
                obj,
                "autoscaler %s has no metrics since %s: %s"
                % (name, span(since), text(active, "message")[:200] or text(active, "reason")),
                evidence={"reason": text(active, "reason"), "message": text(active, "message"), "target": target},
                # Pods that do not run have no metrics either.
                caused_by=look.cause(look.obj("APIService", "v1beta1.metrics.k8s.io"), look.target)
                or look.cause(target),
                count=False,
            )
        elif text(limited, "status") == "True" and text(limited, "reason") == "TooManyReplicas":
            _at_maximum(look, one, obj, name, target, limited)


def _at_maximum(look: Look, one: Doc, obj: str, name: str, target: str, limited: Doc) -> None:
    most, now = count(one, "spec", "maxReplicas"), count(one, "status", "currentReplicas")
    if now < most:
        return  # it is still on its way there
    current = _current(one)
    over = ["%s at %s of %s" % entry for entry in current]
    look.report(
        "k8s.hpa_maximum",
        obj,
        "autoscaler %s has all its %d replicas and wants more%s" % (name, most, ": " + over[0] if over else ""),
        evidence={
            "target": target,
            "replicas": now,
            "max_replicas": most,
            "metrics": over,
            "since": text(limited, "lastTransitionTime"),
            "message": text(limited, "message"),
        },
        caused_by=look.cause(target, above=look.judge.checks["k8s.hpa_maximum"].rank),
        count=False,
    )


def _current(one: Doc) -> list[tuple[str, str, str]]:
    """Name, present value and target of each metric that has both."""
    found: list[tuple[str, str, str]] = []
    wanted = docs(one, "spec", "metrics")
    for place, metric in enumerate(docs(one, "status", "currentMetrics")):
        kind = {
            "Resource": "resource",
            "ContainerResource": "containerResource",
            "Pods": "pods",
            "Object": "object",
            "External": "external",
        }.get(text(metric, "type"), "")
        now = mapping(metric, kind, "current")
        goal = mapping(wanted[place], kind, "target") if place < len(wanted) else {}
        name = text(metric, kind, "name") or text(metric, kind, "metric", "name")
        if whole(now, "averageUtilization") is not None:
            found.append(
                (name, "%s %%" % (now["averageUtilization"],), "%s %%" % (_plain(dig(goal, "averageUtilization")),))
            )
        elif now:
            value = next((now[key] for key in ("averageValue", "value") if isinstance(now.get(key), str)), "?")
            found.append((name, value, _plain(dig(goal, "averageValue") or dig(goal, "value"))))
    return found


def _plain(value: Any) -> str:
    return str(value) if isinstance(value, (str, int)) else "?"

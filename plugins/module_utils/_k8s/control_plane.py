# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's own machinery: API server, admission webhooks, aggregated APIs, quotas, namespaces."""

from __future__ import annotations

from .look import Look
from .read import condition, dig, docs, mapping, moment, quantity, span, text, texts, whole

_FAILED_CALL = 'failed calling webhook "%s"'


def quotas(look: Look) -> None:
    """k8s.quota"""
    for one in look.list("resourcequotas"):
        shares: list[tuple[float, str]] = []
        used, hard = mapping(one, "status", "used"), mapping(one, "status", "hard")
        for resource, limit in hard.items():
            most, now = quantity(limit), quantity(used.get(resource))
            if most and now is not None and most > 0:
                shares.append((now / most * 100, str(resource)))
        if not shares:
            look.judge.looked("k8s.quota")
            continue
        share, resource = max(shares)
        name = text(one, "metadata", "name")
        look.value(
            "k8s.quota",
            look.of(one, "ResourceQuota"),
            round(share, 1),
            f"quota {name} has {share:.3g} % of {resource} used ({used.get(resource)} of {hard.get(resource)})",
            evidence={
                key: f"{used.get(key)} of {hard.get(key)}"
                for percent, key in sorted(shares, reverse=True)
                if percent > 50
            },
        )


def namespaces(look: Look) -> None:
    """k8s.namespace_terminating"""
    for one in look.list("namespaces"):
        since = moment(dig(one, "metadata", "deletionTimestamp"))
        if since is None:
            look.judge.looked("k8s.namespace_terminating")
            continue
        name = text(one, "metadata", "name")
        reasons = [
            text(state, "message")
            for state in docs(one, "status", "conditions")
            if state.get("status") == "True" and text(state, "message")
        ]
        seconds = max(look.now - since, 0.0)
        look.value(
            "k8s.namespace_terminating",
            look.obj("Namespace", name),
            round(seconds),
            "namespace %s is terminating since %s: %s"
            % (name, span(seconds), (reasons[-1] if reasons else "no condition says why")[:200]),
            evidence={"conditions": reasons, "finalizers": texts(one, "spec", "finalizers")},
            caused_by=_discovery(look, reasons),
        )


def _discovery(look: Look, reasons: list[str]) -> str | None:
    """An aggregated API that does not answer keeps every namespace from ending: nobody knows what is left in it."""
    if not any("iscovery" in reason for reason in reasons):
        return None
    broken = [look.of(one, "APIService") for one in look.list("apiservices.apiregistration.k8s.io")]
    return look.cause(*broken)


def apiservices(look: Look) -> None:
    """k8s.apiservice"""
    for one in look.list("apiservices.apiregistration.k8s.io"):
        look.judge.looked("k8s.apiservice")
        state = condition(one, "Available")
        if text(state, "status") == "True" or not dig(one, "spec", "service"):
            continue
        since = look.age(text(state, "lastTransitionTime") or text(one, "metadata", "creationTimestamp"))
        if since < 15:
            continue
        name = text(one, "metadata", "name")
        namespace, service = text(one, "spec", "service", "namespace"), text(one, "spec", "service", "name")
        look.report(
            "k8s.apiservice",
            look.of(one, "APIService"),
            "API %s is not available since %s: %s"
            % (name, span(since), text(state, "message") or text(state, "reason") or "no condition says why"),
            evidence={"reason": text(state, "reason"), "service": f"{namespace}/{service}"},
            caused_by=_behind(look, namespace, service),
            count=False,
        )


def webhooks(look: Look) -> None:
    """k8s.webhook"""
    ready: dict[tuple[str, str], int] = {}
    for slice_ in look.list("endpointslices.discovery.k8s.io"):
        key = (text(slice_, "namespace"), text(slice_, "service"))
        ready[key] = ready.get(key, 0) + (whole(slice_, "ready") or 0)
    there = {(text(one, "metadata", "namespace"), text(one, "metadata", "name")) for one in look.list("services")}
    refused = [
        text(event, "message")
        for event in docs(look.observation, "events")
        if "failed calling webhook" in text(event, "message")
    ]
    refused += [
        text(state, "message")
        for one in look.list("deployments.apps")
        for state in docs(one, "status", "conditions")
        if state.get("type") == "ReplicaFailure" and state.get("status") == "True"
    ]
    for kind in ("Validating", "Mutating"):
        for one in look.list(f"{kind.lower()}webhookconfigurations.admissionregistration.k8s.io"):
            obj = look.of(one, kind + "WebhookConfiguration")
            failing: list[tuple[str, str, str, str]] = []
            for hook in docs(one, "webhooks"):
                look.judge.looked("k8s.webhook")
                name = text(hook, "name")
                if text(hook, "failurePolicy") == "Ignore":
                    continue
                namespace, service = (
                    text(hook, "clientConfig", "service", "namespace"),
                    text(hook, "clientConfig", "service", "name"),
                )
                said = next((message for message in refused if _FAILED_CALL % name in message), "")
                if service and (namespace, service) not in there:
                    failing.append((name, f"there is no service {namespace}/{service}", namespace, service))
                elif service and not ready.get((namespace, service)):
                    failing.append((name, f"service {namespace}/{service} has no ready endpoint", namespace, service))
                elif said:
                    failing.append((name, said, namespace, service))
            if not failing:
                continue
            name, why, namespace, service = failing[0]
            look.report(
                "k8s.webhook",
                obj,
                f"webhook {name} fails, and what it must approve is refused: {why[:200]}",
                evidence={"failing": [f"{hook}: {text_[:200]}" for hook, text_, _namespace, _service in failing[:5]]},
                caused_by=_behind(look, namespace, service),
                count=False,
            )
            for entry in failing:
                look.alias("webhook:" + entry[0], obj)


def _behind(look: Look, namespace: str, service: str) -> str | None:
    """The finding about whatever stands behind a Service."""
    selector = next(
        (
            mapping(one, "spec", "selector")
            for one in look.list("services")
            if text(one, "metadata", "name") == service and text(one, "metadata", "namespace") == namespace
        ),
        {},
    )
    pods = look.select(namespace, {str(key): str(value) for key, value in selector.items()})
    return look.cause(*sorted({pod.obj for pod in pods}), look.obj("Service", service, namespace))

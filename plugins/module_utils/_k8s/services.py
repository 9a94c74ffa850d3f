# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services and Ingresses: whether what they point at is there."""

from __future__ import annotations

from typing import Any

from .look import Look, Pod, wanted_replicas
from .read import Doc, dig, docs, flag, labels, mapping, text, whole

_Key = tuple[str, str]


def _ready(look: Look) -> dict[_Key, int]:
    found: dict[_Key, int] = {}
    for one in look.list("endpointslices.discovery.k8s.io"):
        key = (text(one, "namespace"), text(one, "service"))
        found[key] = found.get(key, 0) + (whole(one, "ready") or 0)
    return found


def _selecting(look: Look) -> list[tuple[Doc, str, str, dict[str, str]]]:
    """Services that select pods: with namespace, name and selector."""
    found = []
    for one in look.list("services"):
        selector = labels(one, "spec", "selector")
        if selector and text(one, "spec", "type") != "ExternalName" and not dig(one, "metadata", "deletionTimestamp"):
            found.append((one, text(one, "metadata", "namespace"), text(one, "metadata", "name"), selector))
    return found


def ports(look: Look) -> None:
    """k8s.service_port"""
    for one, namespace, name, selector in _selecting(look):
        look.judge.looked("k8s.service_port")
        pods = [pod for pod in look.select(namespace, selector) if pod.live]
        if not pods:
            continue
        for port in docs(one, "spec", "ports"):
            wanted = port.get("targetPort", port.get("port"))
            declared = _declared(pods)
            if _has(declared, wanted):
                continue
            named = isinstance(wanted, str) and not wanted.isdigit()
            if not named and not declared:
                continue  # containers need not declare their ports, and a number finds them all the same
            look.report(
                "k8s.service_port",
                look.obj("Service", name, namespace),
                "service %s sends port %s to %s, which no container of %s %s"
                % (name, port.get("port"), wanted, pods[0].owner[1], "has" if named else "declares"),
                # Only a name cannot be found in any case: a number may be listened on undeclared.
                status="critical" if named else "warning",
                evidence={
                    "target_port": wanted,
                    "declared": sorted(f"{number} {label}" if label else str(number) for label, number in declared)[:8],
                    "owner": pods[0].obj,
                },
                count=False,
            )
            break


def _declared(pods: list[Pod]) -> set[tuple[str, int]]:
    found: set[tuple[str, int]] = set()
    for shape in {id(pod.shape): pod.shape for pod in pods}.values():
        for key in ("containers", "init"):
            for container in docs(shape, key):
                if key == "init" and not flag(container, "sidecar"):
                    continue
                for entry in container.get("ports") or ():
                    if (
                        isinstance(entry, list)
                        and len(entry) == 2
                        and isinstance(entry[0], str)
                        and isinstance(entry[1], int)
                    ):
                        found.add((entry[0], entry[1]))
    return found


def _has(declared: set[tuple[str, int]], wanted: Any) -> bool:
    if isinstance(wanted, str) and wanted.isdigit():
        wanted = int(wanted)
    return any(wanted in pair and wanted != "" for pair in declared)


def endpoints(look: Look) -> None:
    """k8s.service_endpoints"""
    ready = _ready(look)
    for one, namespace, name, selector in _selecting(look):
        look.judge.looked("k8s.service_endpoints")
        obj = look.obj("Service", name, namespace)
        if (
            ready.get((namespace, name))
            or flag(one, "spec", "publishNotReadyAddresses")
            or look.told(obj, "k8s.service_port")
        ):
            continue
        pods = [pod for pod in look.select(namespace, selector) if pod.live]
        if pods:
            # Ready ones: the slice is a moment behind. Others are judged as pods, with this Service in the evidence, or
            # are within the time that their probes give them.
            continue
        stopped = [
            doc
            for doc in _templates(look, namespace)
            if selector.items() <= labels(doc, "spec", "template", "metadata", "labels").items()
        ]
        if stopped and all(not wanted_replicas(doc) for doc in stopped):
            names = [text(doc, "metadata", "name") for doc in stopped]
            title = "service %s has nothing behind it: %s is scaled to 0" % (name, ", ".join(names[:3]))
            look.report(
                "k8s.service_endpoints",
                obj,
                title,
                status="warning",
                evidence={"selector": selector, "scaled_to_0": names[:5]},
                count=False,
            )
            continue
        causes = [
            look.obj(kind, text(doc, "metadata", "name"), namespace)
            for doc in stopped
            for kind in ("Deployment", "StatefulSet")
        ]
        if any(look.told(cause, "k8s.replica_failure") for cause in causes):
            continue
        title = "service %s has no endpoint: no pod carries %s" % (
            name,
            ",".join("%s=%s" % pair for pair in sorted(selector.items())),
        )
        if stopped:
            title = "service %s has no endpoint: %s has no pod" % (name, text(stopped[0], "metadata", "name"))
        look.report(
            "k8s.service_endpoints",
            obj,
            title,
            evidence={"selector": selector},
            caused_by=look.cause(*causes),
            count=False,
        )


def _templates(look: Look, namespace: str) -> list[Doc]:
    return [
        doc
        for plural in ("deployments.apps", "statefulsets.apps", "daemonsets.apps")
        for doc in look.list(plural)
        if text(doc, "metadata", "namespace") == namespace
    ]


def ingress_backend(look: Look) -> None:
    """k8s.ingress_backend"""
    services = {
        (text(one, "metadata", "namespace"), text(one, "metadata", "name")): one for one in look.list("services")
    }
    for one in look.list("ingresses.networking.k8s.io"):
        look.judge.looked("k8s.ingress_backend")
        namespace, name = text(one, "metadata", "namespace"), text(one, "metadata", "name")
        wrong: list[str] = []
        for where, backend in _backends(one):
            service = services.get((namespace, text(backend, "name")))
            if service is None:
                wrong.append("%s: there is no service %s" % (where, text(backend, "name")))
                continue
            wanted = mapping(backend, "port")
            offered = docs(service, "spec", "ports")
            if wanted and not any(
                (wanted.get("number") is not None and port.get("port") == wanted.get("number"))
                or (text(wanted, "name") and port.get("name") == wanted.get("name"))
                for port in offered
            ):
                port = wanted.get("number") or wanted.get("name")
                wrong.append("%s: service %s has no port %s" % (where, text(backend, "name"), port))
        if wrong:
            look.report(
                "k8s.ingress_backend",
                look.obj("Ingress", name, namespace),
                f"ingress {name} leads nowhere: {wrong[0]}",
                evidence={"wrong": wrong[:8], "class": text(one, "spec", "ingressClassName") or None},
                count=False,
            )


def _backends(one: Doc) -> list[tuple[str, Doc]]:
    found = []
    default = mapping(one, "spec", "defaultBackend", "service")
    if text(default, "name"):
        found.append(("default backend", default))
    for rule in docs(one, "spec", "rules"):
        for path in docs(rule, "http", "paths"):
            service = mapping(path, "backend", "service")
            if text(service, "name"):
                found.append(((text(rule, "host") or "*") + (text(path, "path") or "/"), service))
    return found


def ingress_tls(look: Look) -> None:
    """k8s.ingress_tls"""
    for one in look.list("ingresses.networking.k8s.io"):
        namespace, name = text(one, "metadata", "namespace"), text(one, "metadata", "name")
        wanted = sorted({text(tls, "secretName") for tls in docs(one, "spec", "tls")} - {""})
        known = dig(look.observation, "secrets", namespace)
        if wanted and not isinstance(known, list):
            why = text(look.observation, "secrets_errors", namespace, "text") or "not asked for"
            look.judge.unseen("k8s.ingress_tls", f"Secrets of namespace {namespace} cannot be listed: {why}")
            continue
        look.judge.looked("k8s.ingress_tls")
        missing = [secret for secret in wanted if secret not in (known or ())]
        if missing:
            hosts = [
                str(host)
                for tls in docs(one, "spec", "tls")
                if text(tls, "secretName") in missing
                for host in tls.get("hosts") or ()
            ]
            look.report(
                "k8s.ingress_tls",
                look.obj("Ingress", name, namespace),
                "ingress %s has no certificate for %s: Secret %s is missing"
                % (name, ", ".join(hosts[:3]) or "its hosts", missing[0]),
                evidence={"missing": missing[:5], "hosts": hosts[:8]},
                count=False,
            )

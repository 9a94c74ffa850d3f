# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""API documents as tests need them, short to write; and the way from such documents to findings, without a server."""

from __future__ import annotations

import copy
import datetime
from typing import Any

from ansible_collections.nexuscos.ops.plugins.module_utils._core.check import index
from ansible_collections.nexuscos.ops.plugins.module_utils._core.judge import Judge
from ansible_collections.nexuscos.ops.plugins.module_utils._core.threshold import Thresholds
from ansible_collections.nexuscos.ops.plugins.module_utils._k8s import prune
from ansible_collections.nexuscos.ops.plugins.module_utils._k8s.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._k8s.evaluate import evaluate
from ansible_collections.nexuscos.ops.plugins.module_utils._k8s.kinds import BY_NAME, KINDS
from ansible_collections.nexuscos.ops.plugins.module_utils._k8s.pod_reducer import PodReducer

BY_ID = index(CHECKS)
NOW = datetime.datetime(2026, 11, 22, 6, 0, 0, tzinfo=datetime.timezone.utc)
NS = "shop"
KIND = {
    "Deployment": "deployments.apps",
    "StatefulSet": "statefulsets.apps",
    "DaemonSet": "daemonsets.apps",
    "Job": "jobs.batch",
    "CronJob": "cronjobs.batch",
    "Pod": "pods",
    "Node": "nodes",
    "Service": "services",
    "EndpointSlice": "endpointslices.discovery.k8s.io",
    "Ingress": "ingresses.networking.k8s.io",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "StorageClass": "storageclasses.storage.k8s.io",
    "ResourceQuota": "resourcequotas",
    "Namespace": "namespaces",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers.autoscaling",
    "PodDisruptionBudget": "poddisruptionbudgets.policy",
    "APIService": "apiservices.apiregistration.k8s.io",
    "ValidatingWebhookConfiguration": "validatingwebhookconfigurations.admissionregistration.k8s.io",
    "MutatingWebhookConfiguration": "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "NodeMetrics": "nodes.metrics.k8s.io",
    "PodMetrics": "pods.metrics.k8s.io",
}


def ago(seconds: float) -> str:
    """A time of the API, so many seconds before the look."""
    return (NOW - datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def thing(kind: str, name: str, namespace: str | None = NS, age: float = 86400, **parts: Any) -> dict[str, Any]:
    """An API document; `parts` are its top-level keys, `meta` more of its metadata."""
    metadata: dict[str, Any] = {"name": name, "creationTimestamp": ago(age), "generation": 1}
    if namespace:
        metadata["namespace"] = namespace
    metadata.update(parts.pop("meta", {}))
    return {"kind": kind, "metadata": metadata, **parts}


def condition(kind: str, status: str, since: float = 3600, **more: Any) -> dict[str, Any]:
    """A condition."""
    return {"type": kind, "status": status, "lastTransitionTime": ago(since), **more}


def running(since: float = 3600) -> dict[str, Any]:
    """The state of a container that runs."""
    return {"running": {"startedAt": ago(since)}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    """The state of a container that waits."""
    return {"waiting": {"reason": reason, "message": message}}


def died(code: int, since: float = 30, reason: str = "Error", ran: float = 2) -> dict[str, Any]:
    """The state of a container that ended."""
    ended = {"exitCode": code, "reason": reason, "startedAt": ago(since + ran), "finishedAt": ago(since)}
    return {"terminated": ended}


def container(
    state: dict[str, Any], last: dict[str, Any] | None = None, restarts: int = 0, name: str = "app", ready: bool = False
) -> dict[str, Any]:
    """The status of a container."""
    return {
        "name": name,
        "image": "registry.example.com/web:1",
        "ready": ready,
        "started": ready,
        "restartCount": restarts,
        "state": state,
        "lastState": last or {},
    }


def pod(
    name: str,
    statuses: list[dict[str, Any]] | None = None,
    owner: tuple[str, str] | None = ("ReplicaSet", "web-5d9c"),
    phase: str = "Running",
    ready: bool | None = None,
    age: float = 3600,
    node: str = "n1",
    **parts: Any,
) -> dict[str, Any]:
    """A pod; healthy unless the statuses say otherwise."""
    statuses = [container(running(age), ready=True)] if statuses is None else statuses
    ready = all(one["ready"] for one in statuses) and phase == "Running" if ready is None else ready
    meta: dict[str, Any] = {"labels": {"app": "web", "pod-template-hash": "5d9c"}}
    if owner:
        meta["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "controller": True}]
    meta.update(parts.pop("meta", {}))
    spec: dict[str, Any] = {
        "nodeName": node,
        "restartPolicy": "Always",
        "containers": [
            {
                "name": "app",
                "image": "registry.example.com/web:1",
                "ports": [{"name": "http", "containerPort": 8080}],
                "resources": {
                    "requests": {"cpu": "100m", "memory": "64Mi"},
                    "limits": {"cpu": "200m", "memory": "128Mi"},
                },
                "readinessProbe": {"periodSeconds": 5, "failureThreshold": 3},
            }
        ],
    }
    spec.update(parts.pop("spec", {}))
    status = {
        "phase": phase,
        "startTime": ago(age),
        "conditions": [
            condition("PodScheduled", "True", age),
            condition("Ready", "True" if ready else "False", min(age, 600)),
            condition("ContainersReady", "True" if ready else "False", min(age, 600)),
        ],
        "containerStatuses": statuses,
    }
    status.update(parts.pop("status", {}))
    return thing("Pod", name, age=age, meta=meta, spec=spec, status=status, **parts)


def deployment(name: str = "web", replicas: int = 1, **parts: Any) -> dict[str, Any]:
    """A Deployment at rest."""
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "app"}]}},
        **parts.pop("spec", {}),
    }
    status = {
        "observedGeneration": 1,
        "replicas": replicas,
        "updatedReplicas": replicas,
        "readyReplicas": replicas,
        "availableReplicas": replicas,
        "conditions": [condition("Progressing", "True", reason="NewReplicaSetAvailable")],
        **parts.pop("status", {}),
    }
    return thing("Deployment", name, spec=spec, status=status, **parts)


def service(name: str = "web", ports: list[dict[str, Any]] | None = None, **spec: Any) -> dict[str, Any]:
    """A Service in front of the pods of `web`."""
    ports = ports or [{"port": 80, "targetPort": "http"}]
    return thing("Service", name, spec={"selector": {"app": "web"}, "ports": ports, **spec})


def slices(name: str, ready: int) -> dict[str, Any]:
    """The EndpointSlice of a Service."""
    entries = [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}} for _number in range(ready)]
    labels = {"kubernetes.io/service-name": name}
    return thing("EndpointSlice", name + "-x", meta={"labels": labels}, endpoints=entries, ports=[{"port": 8080}])


def node(name: str = "n1", ready: str = "True", since: float = 3600, **parts: Any) -> dict[str, Any]:
    """A node."""
    status = {
        "conditions": [condition("Ready", ready, since, message="kubelet stopped posting node status")],
        "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
        **parts.pop("status", {}),
    }
    return thing("Node", name, None, status=status, **parts)


def event(kind: str, name: str, reason: str, message: str, since: float = 20, field: str = "") -> dict[str, Any]:
    """A warning about an object of the namespace."""
    about = {"kind": kind, "namespace": NS, "name": name, "fieldPath": field}
    return {"involvedObject": about, "reason": reason, "message": message, "lastTimestamp": ago(since), "count": 3}


def observation(*things: dict[str, Any], events: tuple[dict[str, Any], ...] = (), **more: Any) -> dict[str, Any]:
    """What the collector would have seen of a cluster with these objects."""
    reducer = PodReducer()
    lists: dict[str, list[Any]] = {kind.name: [] for kind in KINDS}
    for one in things:
        name = KIND[one["kind"]]
        doc = copy.deepcopy(one)
        kept = reducer(doc) if name == "pods" else BY_NAME[name].keep(doc)
        if kept is not None:
            lists[name].append(kept)
    seen = {
        "server": "https://203.0.113.10:6443",
        "now": ago(0),
        "version": {"gitVersion": "v1.36.3"},
        "api": None,
        "failing": [],
        "lists": lists,
        "shapes": reducer.shapes,
        "errors": {},
        "events": [prune.event(one) for one in events],
        "logs": {},
        "logs_errors": {},
    }
    seen.update(more)
    for kind in seen["errors"]:
        seen["lists"].pop(kind, None)
    return seen


def judged(seen: dict[str, Any], thresholds: dict[str, Any] | None = None, ok: bool = False) -> dict[str, Any]:
    """The module's return values for an observation."""
    judge = Judge(BY_ID, Thresholds.parse(thresholds, BY_ID), "east")
    evaluate(seen, judge)
    return judge.result(ok)


def findings(*things: dict[str, Any], **more: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """Findings about a cluster with these objects, by check and object (without the target's name)."""
    thresholds = more.pop("thresholds", None)
    result = judged(observation(*things, **more), thresholds)
    return {(one["check"], one["object"].removeprefix("east/")): one for one in result["findings"]}

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cut API documents down to what the evaluators read, in the API's own field names, so that recordings read alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Union

from .read import Doc

Shape = Union[bool, "Mapping[str, Any]", "list[Any]"]
"""True: the value as it is. A mapping: these keys of a mapping. A list with one shape: that shape of every entry."""

_REF = {"kind": True, "name": True, "controller": True}
META = {
    "name": True,
    "namespace": True,
    "generation": True,
    "creationTimestamp": True,
    "deletionTimestamp": True,
    "finalizers": True,
    "ownerReferences": [_REF],
}
CONDITION = {
    "type": True,
    "status": True,
    "reason": True,
    "message": True,
    "lastTransitionTime": True,
    "lastUpdateTime": True,
}
_CONDITIONS = {"conditions": [CONDITION]}
_TEMPLATE = {"template": {"metadata": {"labels": True}, "spec": {"containers": [{"name": True}]}}}
_SERVICE_BACKEND = {"service": {"name": True, "port": True}}

NODE: Shape = {
    "metadata": {**META, "labels": True},
    "spec": {"unschedulable": True, "taints": True},
    "status": {
        **_CONDITIONS,
        "allocatable": {"cpu": True, "memory": True, "pods": True},
        "nodeInfo": {"kubeletVersion": True},
    },
}
NAMESPACE: Shape = {"metadata": META, "spec": {"finalizers": True}, "status": {"phase": True, **_CONDITIONS}}
DEPLOYMENT: Shape = {
    "metadata": META,
    "spec": {"replicas": True, "paused": True, "progressDeadlineSeconds": True, "selector": True, **_TEMPLATE},
    "status": {
        "observedGeneration": True,
        "replicas": True,
        "updatedReplicas": True,
        "readyReplicas": True,
        "availableReplicas": True,
        "unavailableReplicas": True,
        **_CONDITIONS,
    },
}
STATEFULSET: Shape = {
    "metadata": META,
    "spec": {
        "replicas": True,
        "selector": True,
        "podManagementPolicy": True,
        "serviceName": True,
        "updateStrategy": {"type": True, "rollingUpdate": {"partition": True}},
        **_TEMPLATE,
    },
    "status": {
        "observedGeneration": True,
        "replicas": True,
        "readyReplicas": True,
        "updatedReplicas": True,
        "currentRevision": True,
        "updateRevision": True,
    },
}
DAEMONSET: Shape = {
    "metadata": META,
    "spec": {"selector": True, **_TEMPLATE},
    "status": {
        "observedGeneration": True,
        "desiredNumberScheduled": True,
        "currentNumberScheduled": True,
        "numberReady": True,
        "numberUnavailable": True,
    },
}
JOB: Shape = {
    "metadata": META,
    "spec": {
        "backoffLimit": True,
        "activeDeadlineSeconds": True,
        "suspend": True,
        "parallelism": True,
        "completions": True,
    },
    "status": {
        "startTime": True,
        "completionTime": True,
        "active": True,
        "succeeded": True,
        "failed": True,
        **_CONDITIONS,
    },
}
CRONJOB: Shape = {
    "metadata": META,
    "spec": {
        "schedule": True,
        "timeZone": True,
        "suspend": True,
        "concurrencyPolicy": True,
        "startingDeadlineSeconds": True,
    },
    "status": {"lastScheduleTime": True, "lastSuccessfulTime": True, "active": [{"name": True}]},
}
HPA: Shape = {
    "metadata": META,
    "spec": {"scaleTargetRef": True, "minReplicas": True, "maxReplicas": True, "metrics": True},
    "status": {"currentReplicas": True, "desiredReplicas": True, "currentMetrics": True, **_CONDITIONS},
}
PDB: Shape = {
    "metadata": META,
    "spec": {"selector": True, "minAvailable": True, "maxUnavailable": True},
    "status": {
        "observedGeneration": True,
        "disruptionsAllowed": True,
        "currentHealthy": True,
        "desiredHealthy": True,
        "expectedPods": True,
        **_CONDITIONS,
    },
}
PVC: Shape = {
    "metadata": META,
    "spec": {"storageClassName": True, "volumeName": True, "resources": {"requests": True}},
    "status": {"phase": True, **_CONDITIONS},
}
STORAGECLASS: Shape = {"metadata": {"name": True}, "provisioner": True, "volumeBindingMode": True}
SERVICE: Shape = {
    "metadata": META,
    "spec": {
        "type": True,
        "selector": True,
        "ports": [{"name": True, "port": True, "targetPort": True, "protocol": True}],
        "publishNotReadyAddresses": True,
    },
}
INGRESS: Shape = {
    "metadata": META,
    "spec": {
        "ingressClassName": True,
        "defaultBackend": _SERVICE_BACKEND,
        "tls": [{"secretName": True, "hosts": True}],
        "rules": [{"host": True, "http": {"paths": [{"path": True, "backend": _SERVICE_BACKEND}]}}],
    },
}
QUOTA: Shape = {"metadata": META, "status": {"hard": True, "used": True}}
WEBHOOKS: Shape = {
    "metadata": META,
    "webhooks": [
        {
            "name": True,
            "failurePolicy": True,
            "clientConfig": {"url": True, "service": {"namespace": True, "name": True, "port": True}},
        }
    ],
}
APISERVICE: Shape = {
    "metadata": META,
    "spec": {"service": {"namespace": True, "name": True}, "group": True, "version": True},
    "status": _CONDITIONS,
}
SECRET: Shape = {"metadata": {"name": True, "namespace": True}}


def prune(doc: Any, shape: Shape) -> Any:
    """The part of a document that a shape names; what has another type than the shape says is left out."""
    if shape is True:
        return doc
    if isinstance(shape, list):
        if not isinstance(doc, list):
            return []
        return [prune(one, shape[0]) for one in doc if isinstance(one, dict)]
    kept: dict[str, Any] = {}
    if not isinstance(doc, dict) or not isinstance(shape, Mapping):
        return kept
    for key, inner in shape.items():
        value = doc.get(key)
        if value is None or value == "" or value == [] or value == {}:
            continue
        if inner is True:
            kept[key] = value
        elif isinstance(inner, list):
            if isinstance(value, list):
                kept[key] = prune(value, inner)
        elif isinstance(value, dict):
            kept[key] = prune(value, inner)
    return kept


def endpoints(doc: Doc) -> Any:
    """An EndpointSlice as its Service, its port names and how many of its endpoints are ready."""
    meta = doc.get("metadata")
    name = meta.get("labels", {}) if isinstance(meta, dict) else {}
    service = name.get("kubernetes.io/service-name") if isinstance(name, dict) else None
    if not isinstance(service, str) or not isinstance(meta, dict):
        return None
    ready = 0
    entries = doc.get("endpoints")
    for entry in entries if isinstance(entries, list) else ():
        conditions = entry.get("conditions") if isinstance(entry, dict) else None
        # A missing condition is to be read as ready (API reference of EndpointConditions).
        if not isinstance(conditions, dict) or conditions.get("ready") is not False:
            ready += 1
    ports = doc.get("ports")
    return {
        "namespace": meta.get("namespace"),
        "service": service,
        "ready": ready,
        "total": len(entries) if isinstance(entries, list) else 0,
        "ports": len(ports) if isinstance(ports, list) else 0,
    }


def node_usage(doc: Doc) -> Any:
    """Usage of a node from metrics.k8s.io."""
    return prune(doc, {"metadata": {"name": True}, "usage": {"cpu": True, "memory": True}})


def pod_usage(doc: Doc) -> Any:
    """Usage of a pod from metrics.k8s.io."""
    return prune(
        doc,
        {
            "metadata": {"name": True, "namespace": True},
            "containers": [{"name": True, "usage": {"cpu": True, "memory": True}}],
        },
    )


def event(doc: Doc) -> Any:
    """A core/v1 Event, whichever of its two ways of counting it uses."""
    about = doc.get("involvedObject")
    series = doc.get("series")
    series = series if isinstance(series, dict) else {}
    if not isinstance(about, dict):
        return None
    message = doc.get("message")
    times = [doc.get("lastTimestamp"), series.get("lastObservedTime"), doc.get("eventTime"), doc.get("firstTimestamp")]
    return {
        "kind": about.get("kind"),
        "namespace": about.get("namespace"),
        "name": about.get("name"),
        "field": about.get("fieldPath"),
        "reason": doc.get("reason"),
        "message": message[:600] if isinstance(message, str) else "",
        "count": doc.get("count") or series.get("count") or 1,
        "last": next((one for one in times if isinstance(one, str)), None),
    }

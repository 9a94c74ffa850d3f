# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods, cut down: most are healthy, and of those only what other checks ask of them is kept, once a template."""

from __future__ import annotations

import json
from typing import Any

from .prune import CONDITION, META, prune
from .read import Doc, count, docs, flag, labels, mapping, quantity, text

_STATE = {
    "waiting": {"reason": True, "message": True},
    "running": {"startedAt": True},
    "terminated": {
        "exitCode": True,
        "signal": True,
        "reason": True,
        "message": True,
        "startedAt": True,
        "finishedAt": True,
    },
}
_CONTAINER = {
    "name": True,
    "ready": True,
    "started": True,
    "restartCount": True,
    "image": True,
    "state": _STATE,
    "lastState": _STATE,
}
_DETAIL = {
    "metadata": {**META, "deletionGracePeriodSeconds": True},
    "status": {
        "phase": True,
        "reason": True,
        "message": True,
        "startTime": True,
        "conditions": [CONDITION],
        "containerStatuses": [_CONTAINER],
        "initContainerStatuses": [_CONTAINER],
    },
}


class PodReducer:
    """Reduces pods; keeps each distinct template (owner, labels, containers) once in ``shapes``."""

    def __init__(self) -> None:
        self.shapes: list[Doc] = []
        self._known: dict[str, int] = {}

    def __call__(self, doc: Doc) -> Doc | None:
        meta = doc.get("metadata")
        status = doc.get("status")
        if not isinstance(meta, dict) or not isinstance(meta.get("name"), str):
            return None
        phase = text(status, "phase")
        kept: dict[str, Any] = {
            "name": meta["name"],
            "shape": self._shape(meta, doc.get("spec")),
            "node": text(doc, "spec", "nodeName"),
            "phase": phase,
        }
        if _ready(status):
            kept["ready"] = True
        if not _plain(meta, status, phase):
            kept["detail"] = prune(doc, _DETAIL)
        return kept

    def _shape(self, meta: Doc, spec: Any) -> int:
        shape = {
            "namespace": text(meta, "namespace"),
            "owner": _owner(meta),
            "labels": labels(meta, "labels"),
            "restart": text(spec, "restartPolicy"),
            "scheduler": text(spec, "schedulerName"),
            "claims": [
                text(volume, "persistentVolumeClaim", "claimName")
                for volume in docs(spec, "volumes")
                if "persistentVolumeClaim" in volume
            ],
            "gates": [text(gate, "conditionType") for gate in docs(spec, "readinessGates")],
            "containers": [_container(one) for one in docs(spec, "containers")],
            "init": [_container(one) for one in docs(spec, "initContainers")],
        }
        key = json.dumps(shape)
        index = self._known.get(key)
        if index is None:
            index = self._known[key] = len(self.shapes)
            self.shapes.append(shape)
        return index


def _owner(meta: Doc) -> list[str]:
    refs = docs(meta, "ownerReferences")
    for ref in refs:
        if ref.get("controller") is True:
            return [text(ref, "kind"), text(ref, "name")]
    return [text(refs[0], "kind"), text(refs[0], "name")] if refs else []


def _container(doc: Doc) -> Doc:
    return {
        "name": text(doc, "name"),
        "image": text(doc, "image"),
        "sidecar": text(doc, "restartPolicy") == "Always",
        "ports": [[text(one, "name"), count(one, "containerPort")] for one in docs(doc, "ports")],
        "cpu": [quantity(mapping(doc, "resources", part).get("cpu")) for part in ("requests", "limits")],
        "memory": [quantity(mapping(doc, "resources", part).get("memory")) for part in ("requests", "limits")],
        "startup": _allowance(doc, "startupProbe"),
        "readiness": _allowance(doc, "readinessProbe"),
    }


def _allowance(doc: Doc, probe: str) -> int:
    """Seconds until a probe that never succeeds counts as failed."""
    given = mapping(doc, probe)
    if not given:
        return 0
    return count(given, "initialDelaySeconds") + (count(given, "periodSeconds") or 10) * (
        count(given, "failureThreshold") or 3
    )


def _ready(status: Any) -> bool:
    for one in docs(status, "conditions"):
        if one.get("type") == "Ready":
            return one.get("status") == "True"
    return False


def _plain(meta: Doc, status: Any, phase: str) -> bool:
    """Whether nothing about a pod needs a closer look."""
    if meta.get("deletionTimestamp") is not None:
        return False
    if phase == "Succeeded":
        return True
    if phase != "Running" or not _ready(status):
        return False
    for key in ("containerStatuses", "initContainerStatuses"):
        for one in docs(status, key):
            if count(one, "restartCount"):
                return False
            if key == "containerStatuses" and not (flag(one, "ready") and "running" in mapping(one, "state")):
                return False
    return True

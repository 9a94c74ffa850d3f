# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of Kubernetes as values: what of them is kept, what is left out and why, and their order. Pure."""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any

from .._core.errors import OpsError
from .._k8s.read import Doc, docs, flag, labels, mapping, text

SECRET = "v1/Secret"  # noqa: S105 a kind
NAMESPACE = "v1/Namespace"
DEFINITION = "CustomResourceDefinition"
# What the server writes into every object, and what its controllers write again by themselves.
_METADATA = (
    "managedFields", "uid", "resourceVersion", "generation", "creationTimestamp", "selfLink", "deletionTimestamp",
    "deletionGracePeriodSeconds", "ownerReferences", "finalizers", "generateName",
)  # fmt: skip
_ANNOTATIONS = (
    "kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision",
    "pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller",
    "volume.kubernetes.io/selected-node", "volume.kubernetes.io/storage-provisioner",
    "volume.beta.kubernetes.io/storage-provisioner",
)  # fmt: skip
_JOB_LABELS = ("controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name")
# Credentials that are of use with the uid, or at the time, that they were made for only.
_TOKENS = ("kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token")
_HELM = "helm.sh/release.v1"
# What others refer to comes first, what acts on others comes last.
_ORDER = (
    "Namespace", "CustomResourceDefinition", "PriorityClass", "StorageClass", "VolumeSnapshotClass", "ServiceAccount",
    "Secret", "ConfigMap", "LimitRange", "ResourceQuota", "NetworkPolicy", "PersistentVolume", "PersistentVolumeClaim",
    "ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding", "Service",
)  # fmt: skip
_LAST = (
    "DaemonSet", "Pod", "ReplicaSet", "Deployment", "StatefulSet", "Job", "CronJob", "PodDisruptionBudget",
    "HorizontalPodAutoscaler", "Ingress", "APIService", "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
)  # fmt: skip
OWNED, TOKEN, HELM, GOING, ROOT_CA, OTHER = (
    "owned by a controller", "token of an account", "release of helm", "being deleted", "copy of the cluster's CA",
    "in a namespace that is left out",
)  # fmt: skip


def title(doc: Mapping[str, Any]) -> str:
    """``nexus-auth/ConfigMap/settings``, ``Namespace/nexus-auth``."""
    namespace = text(doc, "metadata", "namespace")
    return (namespace + "/" if namespace else "") + text(doc, "kind") + "/" + text(doc, "metadata", "name")


def kind(doc: Mapping[str, Any]) -> str:
    """``apps/v1/Deployment``."""
    return text(doc, "apiVersion") + "/" + text(doc, "kind")


def left_out(doc: Mapping[str, Any], owned: bool, helm_releases: bool) -> str | None:
    """Why an object is no part of a set, or None."""
    if text(doc, "metadata", "deletionTimestamp"):
        return GOING
    if kind(doc) == SECRET:
        if text(doc, "type") in _TOKENS:
            return TOKEN
        if text(doc, "type") == _HELM and not helm_releases:
            return HELM
    if kind(doc) == "v1/ConfigMap" and text(doc, "metadata", "name") == "kube-root-ca.crt":
        return ROOT_CA
    if not owned and any(flag(one, "controller") for one in docs(doc, "metadata", "ownerReferences")):
        return OWNED
    return None


def owners(doc: Mapping[str, Any]) -> list[str]:
    """``ReplicaSet/web-5d4f``, of each owner."""
    return [text(one, "kind") + "/" + text(one, "name") for one in docs(doc, "metadata", "ownerReferences")]


def clean(doc: Mapping[str, Any]) -> Doc:
    """An object without what the server and its controllers write: what somebody once asked for."""
    kept = {key: copy.deepcopy(value) for key, value in doc.items() if key != "status"}
    metadata = {key: value for key, value in mapping(kept, "metadata").items() if key not in _METADATA}
    notes = {key: value for key, value in mapping(metadata, "annotations").items() if key not in _ANNOTATIONS}
    metadata.pop("annotations", None)
    if notes:
        metadata["annotations"] = notes
    kept["metadata"] = metadata
    own = _OWN.get(text(doc, "kind"))
    if own and text(doc, "apiVersion") in own[0]:
        own[1](kept)
    return kept


def _service(doc: Doc) -> None:
    spec = mapping(doc, "spec")
    # An address is given by the cluster; none is asked for by name.
    if spec.get("clusterIP") != "None":
        for key in ("clusterIP", "clusterIPs"):
            spec.pop(key, None)
    spec.pop("healthCheckNodePort", None)


def _claim(doc: Doc) -> None:
    mapping(doc, "spec").pop("volumeName", None)


def _namespace(doc: Doc) -> None:
    doc.pop("spec", None)
    names = mapping(doc, "metadata", "labels")
    names.pop("kubernetes.io/metadata.name", None)
    if not names:
        mapping(doc, "metadata").pop("labels", None)


def _job(doc: Doc) -> None:
    spec = mapping(doc, "spec")
    if flag(spec, "manualSelector"):
        return
    spec.pop("selector", None)
    for place in (mapping(doc, "metadata"), mapping(spec, "template", "metadata")):
        names = mapping(place, "labels")
        for key in _JOB_LABELS:
            names.pop(key, None)
        if not names:
            place.pop("labels", None)


def _account(doc: Doc) -> None:
    doc.pop("secrets", None)


def _pod(doc: Doc) -> None:
    mapping(doc, "spec").pop("nodeName", None)


_OWN: dict[str, Any] = {
    "Service": (("v1",), _service),
    "PersistentVolumeClaim": (("v1",), _claim),
    "Namespace": (("v1",), _namespace),
    "Job": (("batch/v1",), _job),
    "ServiceAccount": (("v1",), _account),
    "Pod": (("v1",), _pod),
}


def rank(doc: Mapping[str, Any]) -> tuple[int, str, str, str]:
    """Sorts objects into the order in which they go back."""
    name = text(doc, "kind")
    place = _ORDER.index(name) if name in _ORDER else len(_ORDER)
    if name in _LAST:
        place = len(_ORDER) + 1 + _LAST.index(name)
    return place, name, text(doc, "metadata", "namespace"), text(doc, "metadata", "name")


def chosen(doc: Mapping[str, Any], namespaces: Sequence[str], without: Sequence[str], kinds: Sequence[str],
           names: Sequence[str]) -> bool:  # fmt: skip
    """Whether an object is among those that are asked for; empty lists ask for all.

    A namespace itself is of its own namespace. Kinds are ``v1/ConfigMap`` or ``ConfigMap``, names may be globs.
    """
    name, namespace = text(doc, "metadata", "name"), text(doc, "metadata", "namespace")
    if kind(doc) == NAMESPACE:
        namespace = name
    if namespaces and not any(fnmatch.fnmatchcase(namespace, one) for one in namespaces):
        return False
    if any(fnmatch.fnmatchcase(namespace, one) for one in without):
        return False
    if kinds and not {kind(doc), text(doc, "kind")} & set(kinds):
        return False
    return not names or any(fnmatch.fnmatchcase(name, one) for one in names)


def check(doc: Any, most: int) -> str | None:
    """What a document lacks to be an object, or None.

    :param most: values that it may have; more of them than it has bytes is a document that refers to itself.
    """
    if not isinstance(doc, dict):
        return f"is no object but {type(doc).__name__}"
    for path in (("apiVersion",), ("kind",), ("metadata", "name")):
        if not text(doc, *path):
            return "has no " + ".".join(path)
    todo: list[Any] = [doc]
    while todo:
        value = todo.pop()
        most -= 1
        if most < 0:
            return "has more in it than its file has bytes: it refers to itself"
        if isinstance(value, dict):
            if not all(isinstance(key, str) for key in value):
                return "has a key that is no text"
            todo += value.values()
        elif isinstance(value, list):
            todo += value
        elif not isinstance(value, (str, int, float, bool, type(None))):
            return f"has a value that is no JSON: {type(value).__name__}"
    return None


def difference(wanted: Any, found: Any, path: str = "") -> list[str]:
    """Paths under which two values differ, as far as the first says anything: what it leaves out may be anything."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        told: list[str] = []
        for key, value in wanted.items():
            inside = f"{path}.{key}" if path else key
            if key not in found:
                # The API leaves out what is empty.
                told += [] if value in (None, "", [], {}, False, 0) else [inside]
            else:
                told += difference(value, found[key], inside)
        return told
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return [
            one for place, value in enumerate(wanted) for one in difference(value, found[place], f"{path}[{place}]")
        ]
    return [] if wanted == found else [path]


def more_than(wanted: Any, found: Any, path: str = "") -> list[str]:
    """Paths that the second has and the first has not."""
    if not isinstance(wanted, dict) or not isinstance(found, dict):
        return []
    told: list[str] = []
    for key, value in found.items():
        inside = f"{path}.{key}" if path else key
        told += more_than(wanted[key], value, inside) if key in wanted else [inside]
    return told


def masked(before: Doc | None, after: Doc | None) -> tuple[Doc | None, Doc | None]:
    """Both without the values of a Secret; which of them change can be seen."""
    shown = [copy.deepcopy(one) for one in (before, after)]
    if not any(one and kind(one) == SECRET for one in shown):
        return shown[0], shown[1]
    for key in ("data", "stringData"):
        values = [mapping(one, key) for one in (before, after)]
        for one, other, words, doc in ((0, 1, "before", shown[0]), (1, 0, "after", shown[1])):
            if doc is None or key not in doc:
                continue
            doc[key] = {
                name: "[hidden]" if name in values[other] and values[other][name] == value else f"[hidden, {words}]"
                for name, value in values[one].items()
            }
    return shown[0], shown[1]


def manifest_namespace(doc: Mapping[str, Any], namespaced: bool) -> str:
    """The namespace of an object, as its kind wants it.

    :raises OpsError: it has none, or one too many.
    """
    namespace = text(doc, "metadata", "namespace")
    if bool(namespace) != namespaced:
        raise OpsError(
            f"{title(doc)} {'has no namespace' if namespaced else 'is in a namespace, and its kind in none'}"
        )
    return namespace


def name_labels(doc: Mapping[str, Any]) -> dict[str, str]:
    """Labels of an object."""
    return labels(doc, "metadata", "labels")

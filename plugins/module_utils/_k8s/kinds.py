# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds that are read: where they are served and what is kept of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

from . import prune
from .read import Doc

Keep = Callable[[Doc], Any]


@dataclass(frozen=True)
class Kind:
    """One list call.

    :ivar name: the resource as ``kubectl get`` knows it, with its group: ``deployments.apps``.
    :ivar path: the API group's path, ``/apis/apps/v1``.
    :ivar namespaced: whether it can be asked for in one namespace.
    :ivar keep: reduces one object; None where the collector has a reducer of its own (pods).
    """

    name: str
    path: str
    namespaced: bool
    keep: Keep

    @property
    def plural(self) -> str:
        """``deployments`` of ``deployments.apps``."""
        return self.name.split(".", 1)[0]

    def url(self, namespace: str = "") -> str:
        """Path of the list, of the whole cluster or of one namespace."""
        inner = f"/namespaces/{namespace}" if namespace else ""
        return f"{self.path}{inner}/{self.plural}"


def _keep(shape: prune.Shape) -> Keep:
    return lambda doc: prune.prune(doc, shape)


KINDS: tuple[Kind, ...] = (
    # The largest first: they are fetched side by side, and the longest must not begin last.
    Kind("pods", "/api/v1", True, lambda doc: doc),
    Kind("pods.metrics.k8s.io", "/apis/metrics.k8s.io/v1beta1", True, prune.pod_usage),
    Kind("endpointslices.discovery.k8s.io", "/apis/discovery.k8s.io/v1", True, prune.endpoints),
    Kind("deployments.apps", "/apis/apps/v1", True, _keep(prune.DEPLOYMENT)),
    Kind("services", "/api/v1", True, _keep(prune.SERVICE)),
    Kind("jobs.batch", "/apis/batch/v1", True, _keep(prune.JOB)),
    Kind("nodes", "/api/v1", False, _keep(prune.NODE)),
    Kind("namespaces", "/api/v1", False, _keep(prune.NAMESPACE)),
    Kind("statefulsets.apps", "/apis/apps/v1", True, _keep(prune.STATEFULSET)),
    Kind("daemonsets.apps", "/apis/apps/v1", True, _keep(prune.DAEMONSET)),
    Kind("cronjobs.batch", "/apis/batch/v1", True, _keep(prune.CRONJOB)),
    Kind("horizontalpodautoscalers.autoscaling", "/apis/autoscaling/v2", True, _keep(prune.HPA)),
    Kind("poddisruptionbudgets.policy", "/apis/policy/v1", True, _keep(prune.PDB)),
    Kind("persistentvolumeclaims", "/api/v1", True, _keep(prune.PVC)),
    Kind("storageclasses.storage.k8s.io", "/apis/storage.k8s.io/v1", False, _keep(prune.STORAGECLASS)),
    Kind("ingresses.networking.k8s.io", "/apis/networking.k8s.io/v1", True, _keep(prune.INGRESS)),
    Kind("resourcequotas", "/api/v1", True, _keep(prune.QUOTA)),
    Kind(
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
        "/apis/admissionregistration.k8s.io/v1",
        False,
        _keep(prune.WEBHOOKS),
    ),
    Kind(
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "/apis/admissionregistration.k8s.io/v1",
        False,
        _keep(prune.WEBHOOKS),
    ),
    Kind("apiservices.apiregistration.k8s.io", "/apis/apiregistration.k8s.io/v1", False, _keep(prune.APISERVICE)),
    Kind("nodes.metrics.k8s.io", "/apis/metrics.k8s.io/v1beta1", False, prune.node_usage),
)
BY_NAME: dict[str, Kind] = {kind.name: kind for kind in KINDS}

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volume claims."""

from __future__ import annotations

from .look import Look, Pod
from .read import dig, mapping, span, text

_GRACE = 60


def pending(look: Look) -> None:
    """k8s.pvc_pending"""
    classes = {text(one, "metadata", "name"): one for one in look.list("storageclasses.storage.k8s.io")}
    users: dict[tuple[str, str], list[Pod]] = {}
    for pod in look.pods:
        for claim in pod.shape.get("claims") or ():
            if isinstance(claim, str) and pod.live:
                users.setdefault((pod.namespace, claim), []).append(pod)
    for claim in look.list("persistentvolumeclaims"):
        look.judge.looked("k8s.pvc_pending")
        if text(claim, "status", "phase") != "Pending" or dig(claim, "metadata", "deletionTimestamp"):
            continue
        age = look.age(text(claim, "metadata", "creationTimestamp"))
        if age < _GRACE:
            continue
        name, namespace = text(claim, "metadata", "name"), text(claim, "metadata", "namespace")
        wanted = text(claim, "spec", "storageClassName")
        waiting = users.get((namespace, name), [])
        known = classes.get(wanted)
        if known is not None and text(known, "volumeBindingMode") == "WaitForFirstConsumer" and not waiting:
            continue  # the volume is made when the first pod wants it
        events = look.events("PersistentVolumeClaim", namespace, name)
        why = text(events[0], "message") if events else ""
        if (
            wanted
            and known is None
            and look.seen("storageclasses.storage.k8s.io")
            and not text(claim, "spec", "volumeName")
        ):
            why = why or f"there is no StorageClass {wanted}"
        look.report(
            "k8s.pvc_pending",
            look.of(claim, "PersistentVolumeClaim"),
            "volume claim %s waits for its volume since %s: %s" % (name, span(age), why or "no event says why"),
            status="critical" if waiting else "warning",
            evidence={
                "storage_class": wanted or None,
                "wanted": mapping(claim, "spec", "resources", "requests").get("storage"),
                "event": why or None,
                "pods_waiting": [pod.name for pod in waiting[:5]],
            },
            count=False,
        )


def lost(look: Look) -> None:
    """k8s.pvc_lost"""
    for claim in look.list("persistentvolumeclaims"):
        look.judge.looked("k8s.pvc_lost")
        if text(claim, "status", "phase") != "Lost":
            continue
        volume = text(claim, "spec", "volumeName")
        look.report(
            "k8s.pvc_lost",
            look.of(claim, "PersistentVolumeClaim"),
            "volume claim %s has lost its volume %s" % (text(claim, "metadata", "name"), volume or "(unnamed)"),
            evidence={"volume": volume, "storage_class": text(claim, "spec", "storageClassName") or None},
            count=False,
        )

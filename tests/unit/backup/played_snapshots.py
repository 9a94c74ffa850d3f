# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server with a snapshot controller and a driver that are played: what they do is told for each claim."""

from __future__ import annotations

import copy
import datetime
from typing import Any

from played_kubernetes import CORE, Doc, Played

GROUP = "snapshot.storage.k8s.io/v1"
KINDS = {
    "volumesnapshots": "VolumeSnapshot",
    "volumesnapshotclasses": "VolumeSnapshotClass",
    "volumesnapshotcontents": "VolumeSnapshotContent",
}
DRIVER = "played.csi.example.com"
DEFAULT = "snapshot.storage.kubernetes.io/is-default-class"
SPACE = "nexus-databases"


class PlayedSnapshots(Played):
    """What becomes of snapshots is told by claim.

    :ivar does: ``ready``, ``hang``, ``cut`` (taken, never ready), ``gone``, ``ignored`` (nobody looks at it), ``stray``
        (another one's content), ``nohandle``, ``error`` for ever, ``conflict`` (an error that goes), ``sticks`` (an
        error, and it cannot be deleted).
    :ivar lose_answer: the next answer to a request that makes one; trouble: lists that fail once one is made.
    """

    def __init__(self) -> None:
        super().__init__()
        self.page = 100
        more = {"persistentvolumeclaims": "PersistentVolumeClaim", "persistentvolumes": "PersistentVolume"}
        self.groups = {**self.groups, "v1": {**CORE, **more}, GROUP: dict(KINDS)}
        self.does: dict[str, str] = {}
        self.looks: dict[str, int] = {}
        self.uids = 0
        self.refused_posts: dict[str, tuple[int, str]] = {}
        self.lose_answer = False
        self.trouble = 0
        self.add_class("fast", default=True)

    # -- what there is

    def add_class(self, name: str, driver: str = DRIVER, default: bool = False) -> None:
        about = {"annotations": {DEFAULT: "true"}} if default else {"annotations": {}}
        self.add(GROUP, "VolumeSnapshotClass", "", name, metadata=about, driver=driver, deletionPolicy="Delete")

    def add_claim(self, name: str, namespace: str = SPACE, phase: str = "Bound", **more: Any) -> Doc:
        driver = more.pop("driver", DRIVER)
        source = more.pop("source", {"csi": {"driver": driver, "volumeHandle": name}})
        labels = more.pop("labels", {})
        volume = f"pv-{len(self.objects)}-{namespace}-{name}"[:250]
        if phase == "Bound":
            self.add("v1", "PersistentVolume", "", volume, spec={"capacity": {"storage": "1Gi"}, **source})
        spec = {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "volumeMode": "Filesystem",
            "storageClassName": "quick", **({"volumeName": volume} if phase == "Bound" else {}), **more.pop("spec", {}),
        }  # fmt: skip
        about = {"uid": f"uid-{name}", "labels": labels, **more.pop("metadata", {})}
        doc = self.add("v1", "PersistentVolumeClaim", namespace, name, metadata=about, spec=spec)
        doc["status"] = {"phase": phase}
        return doc

    def add_snapshot(
        self, claim: str, stamp: str, system: str = "volumes", ready: bool = True, namespace: str = SPACE, **more: Any
    ) -> str:
        """One of an earlier run."""
        name = more.pop("name", f"{claim}-{system}-{stamp.lower()}")
        self.uids += 1
        uid = f"s-{self.uids}"
        notes = {"nexuscos-ops/claim-uid": more.pop("claim_uid", f"uid-{claim}"), **more.pop("annotations", {})}
        doc = self.add(
            GROUP, "VolumeSnapshot", namespace, name,
            metadata={"uid": uid, "annotations": notes,
                      "labels": {"nexuscos-ops/system": system, "nexuscos-ops/stamp": stamp},
                      **more.pop("metadata", {})},
            spec={"source": {"persistentVolumeClaimName": claim}, "volumeSnapshotClassName": "fast"},
        )  # fmt: skip
        doc["status"] = {}
        if ready:
            self._finish(doc)
        doc["status"].update(more.pop("status", {}))
        return name

    def snapshots(self, namespace: str = SPACE) -> list[str]:
        """Their names."""
        base = f"/apis/{GROUP}/namespaces/{namespace}/volumesnapshots/"
        return sorted(path[len(base) :] for path in self.objects if path.startswith(base))

    def snapshot(self, name: str, namespace: str = SPACE) -> Doc:
        return self.objects[f"/apis/{GROUP}/namespaces/{namespace}/volumesnapshots/{name}"]

    # -- what the server does

    def get(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        if "/volumesnapshots" in path:
            if self.trouble and self._begun():
                self.trouble -= 1
                return 500, {"message": "etcd has no leader"}
            self._work()
        return super().get(path, query)

    def create(self, path: str, query: dict[str, str], given: Doc) -> tuple[int, Any]:
        claim = given["spec"].get("source", {}).get("persistentVolumeClaimName", given["metadata"]["name"])
        if claim in self.refused_posts:
            status, message = self.refused_posts[claim]
            return status, {"message": message}
        full = path + "/" + given["metadata"]["name"]
        if full in self.objects:
            return 409, {"message": f"{full} already exists", "reason": "AlreadyExists"}
        doc = copy.deepcopy(given)
        self.uids += 1
        doc["metadata"].update(
            uid=f"n-{self.uids}",
            creationTimestamp=datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
        if "dryRun" not in query:
            self.objects[full] = doc
            if self.lose_answer:
                self.lose_answer = False
                return 503, {"message": "try again"}
        return 201, doc

    def delete(self, path: str, options: Doc) -> tuple[int, Any]:
        doc = self.objects.get(path)
        if doc is None:
            return 404, {"message": "not found"}
        wanted = options.get("preconditions", {}).get("uid", doc["metadata"]["uid"])
        if wanted != doc["metadata"]["uid"]:
            return 409, {"message": "the UID in the precondition does not match"}
        if self.does.get(doc.get("spec", {}).get("source", {}).get("persistentVolumeClaimName", "")) == "sticks":
            doc["metadata"]["deletionTimestamp"] = "2026-11-29T00:00:00Z"
            return 200, doc
        del self.objects[path]
        return 200, {}

    def _begun(self) -> bool:
        return any(
            "uid" in doc["metadata"] and doc["metadata"]["uid"].startswith("n-") for doc in self.objects.values()
        )

    def _work(self) -> None:
        """Each look of a client is a moment of the controller's."""
        for path, doc in list(self.objects.items()):
            if doc.get("kind") != "VolumeSnapshot" or doc.get("status", {}).get("readyToUse"):
                continue
            looks = self.looks[path] = self.looks.get(path, 0) + 1
            does = self.does.get(doc["spec"]["source"]["persistentVolumeClaimName"], "ready")
            if looks < 2 or does == "ignored":
                continue
            if does in ("error", "sticks"):
                doc["status"] = {"readyToUse": False, "error": {"message": "the array is full: password=hunter2"}}
            elif does == "conflict" and looks < 4:
                doc["status"] = {"error": {"message": "the object has been modified; please try again"}}
            elif does == "gone":
                del self.objects[path]
            elif does in ("hang", "cut"):
                self._finish(doc, ready=False, handle="snap-1" if does == "cut" else None)
            else:
                handle = None if does == "nohandle" else "snap-" + doc["metadata"]["uid"]
                self._finish(doc, handle=handle, other=does == "stray")

    def _finish(self, doc: Doc, ready: bool = True, handle: str | None = "snap-0", other: bool = False) -> None:
        uid = doc["metadata"]["uid"]
        content = f"snapcontent-{uid}"
        ref = {"uid": "another" if other else uid, "namespace": doc["metadata"]["namespace"], "name": "x"}
        self.add(
            GROUP, "VolumeSnapshotContent", "", content,
            spec={"driver": DRIVER, "deletionPolicy": "Delete", "volumeSnapshotRef": ref},
        )["status"] = {"snapshotHandle": handle} if handle else {}  # fmt: skip
        doc["status"] = {
            "boundVolumeSnapshotContentName": content, "readyToUse": ready, "restoreSize": "1Gi",
            "creationTime": "2026-11-29T06:00:01Z",
        }  # fmt: skip

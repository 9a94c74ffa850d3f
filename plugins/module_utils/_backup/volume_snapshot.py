# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a snapshot of a claim says of itself, and of whose run it is; how this collection marks its own."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from typing import Any

from .._core.errors import LookError, OptionError
from .._core.redact import redact_text
from .._k8s.read import Doc, dig, flag, mapping, moment, quantity, text, texts
from . import layout, volume_claims
from .k8s_api import Api, ApiError, check_name
from .volume_claims import Claim

SYSTEM, STAMP = "nexuscos-ops/system", "nexuscos-ops/stamp"
MANAGED_BY = "app.kubernetes.io/managed-by"
CLAIM_UID, CLAIM_SHAPE, UNTIL = "nexuscos-ops/claim-uid", "nexuscos-ops/claim", "nexuscos-ops/until"
_SYSTEM = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_MOST_NAME = 253


def check_system(name: str) -> str:
    """The name of a system, which becomes a label and a part of names.

    :raises OptionError: it cannot be one.
    """
    if not _SYSTEM.fullmatch(name):
        raise OptionError(f"system: want up to 63 small letters, digits and '-', got {name!r}")
    return name


def name_of(claim: str, system: str, stamp: str) -> str:
    """``data-postgres-0-volumes-2026-11-29t060000z``; a claim with a very long name is told by a sum."""
    tail = f"-{system}-{stamp.lower()}"
    if len(claim) + len(tail) > _MOST_NAME:
        total = hashlib.sha256(claim.encode()).hexdigest()[:12]
        claim = claim[: _MOST_NAME - len(tail) - 13].rstrip("-.") + "-" + total
    return claim + tail


def wanted(claim: Claim, system: str, stamp: str, until: float, params: dict[str, Any]) -> Doc:
    """The object that is to be made.

    :param until: seconds since 1970 after which nobody waits for it any more.
    """
    spec = mapping(claim.doc, "spec")
    shape = {
        "storageClassName": text(spec, "storageClassName"),
        "accessModes": texts(spec, "accessModes"),
        "volumeMode": text(spec, "volumeMode") or "Filesystem",
        "storage": text(claim.doc, "status", "capacity", "storage") or text(spec, "resources", "requests", "storage"),
    }
    return {
        "apiVersion": volume_claims.API,
        "kind": volume_claims.SNAPSHOT.kind,
        "metadata": {
            "name": name_of(claim.name, system, stamp),
            "namespace": claim.namespace,
            "labels": {**params["labels"], MANAGED_BY: "nexuscos-ops", SYSTEM: system, STAMP: stamp},
            "annotations": {
                **params["annotations"],
                CLAIM_UID: claim.uid,
                CLAIM_SHAPE: json.dumps(shape, sort_keys=True),
                UNTIL: _iso(until),
            },
        },
        "spec": {
            "volumeSnapshotClassName": claim.snapshot_class,
            "source": {"persistentVolumeClaimName": claim.name},
        },
    }


class Snapshot:
    """One that is there, read without trust."""

    def __init__(self, doc: Doc) -> None:
        self.doc = doc
        self.namespace = check_name(text(doc, "metadata", "namespace"), "the namespace of a snapshot", namespace=True)
        self.name = check_name(text(doc, "metadata", "name"), "a snapshot")
        self.uid = text(doc, "metadata", "uid")
        self.claim = text(doc, "spec", "source", "persistentVolumeClaimName")
        self.snapshot_class = text(doc, "spec", "volumeSnapshotClassName")
        self.system = text(doc, "metadata", "labels", SYSTEM)
        self.stamp = text(doc, "metadata", "labels", STAMP)
        self.claim_uid = text(doc, "metadata", "annotations", CLAIM_UID)
        self.content = text(doc, "status", "boundVolumeSnapshotContentName")
        self.ready = flag(doc, "status", "readyToUse") and bool(self.content)
        self.going = dig(doc, "metadata", "deletionTimestamp") is not None
        self.created = text(doc, "status", "creationTime") or None
        self.size = text(doc, "status", "restoreSize")

    @property
    def title(self) -> str:
        """Namespace and name."""
        return f"{self.namespace}/{self.name}"

    @property
    def restore_size(self) -> int | None:
        """Bytes that a claim made from it needs at least; the driver may not say."""
        size = quantity(self.size)
        return int(size) if size is not None and size > 0 else None

    @property
    def error(self) -> str:
        """What its status says went wrong; empty where nothing did, or where it is ready all the same."""
        if self.ready or not mapping(self.doc, "status", "error"):
            return ""
        said = redact_text(" ".join(text(self.doc, "status", "error", "message").split())[:500])
        return said or "no reason is told"

    @property
    def began(self) -> float | None:
        """Seconds since 1970: of its run, else of its own."""
        if layout.is_stamp(self.stamp):
            return layout.moment(self.stamp)
        return moment(self.created) or moment(text(self.doc, "metadata", "creationTimestamp"))

    def left(self, now: float) -> bool:
        """Has whoever made it stopped waiting for it?"""
        until = moment(text(self.doc, "metadata", "annotations", UNTIL))
        return not self.ready and until is not None and until < now


def content_of(api: Api, one: Snapshot) -> tuple[dict[str, Any], str]:
    """What the content of a snapshot says (handle, driver, policy), and what is wrong with it.

    Contents belong to the whole cluster: who may not read them learns of the snapshot alone.
    """
    told: dict[str, Any] = {"handle": None, "driver": None, "policy": None}
    if not one.content:
        return told, ""
    try:
        doc = api.one(volume_claims.CONTENT, "", check_name(one.content, "a snapshot's content"))
    except ApiError as error:
        if error.status != 403:
            raise
        return told, ""
    if doc is None:
        return told, f"its content {one.content} is not there"
    told = {
        "handle": text(doc, "status", "snapshotHandle") or text(doc, "spec", "source", "snapshotHandle") or None,
        "driver": text(doc, "spec", "driver") or None,
        "policy": text(doc, "spec", "deletionPolicy") or None,
    }
    theirs = mapping(doc, "spec", "volumeSnapshotRef")
    if text(theirs, "uid") and text(theirs, "uid") != one.uid:
        return told, "its content %s belongs to another snapshot, %s/%s" % (
            one.content, text(theirs, "namespace"), text(theirs, "name"),
        )  # fmt: skip
    if one.ready and told["handle"] is None:
        return told, f"its content {one.content} has no handle, so that no driver knows of it"
    return told, ""


def waits_for(api: Api, one: Snapshot) -> str:
    """Who has not done his part, for one that is not ready in time."""
    if not mapping(one.doc, "status"):
        return "nobody has looked at it: does the snapshot controller run? kubectl get deploy -A | grep snapshot"
    if not one.content:
        return "the snapshot controller has made no content for it: see its log, and kubectl describe volumesnapshot"
    try:
        told, wrong = content_of(api, one)
    except (ApiError, LookError):
        told, wrong = {}, ""
    driver = told.get("driver") or "the driver"
    if wrong:
        return wrong
    if not told.get("handle"):
        return f"{driver} has not answered yet: see the log of its csi-snapshotter, kubectl describe vsc {one.content}"
    return f"{driver} has cut it ({told['handle']}), and does not call it ready yet: give it a longer deadline"


def _iso(when: float) -> str:
    return datetime.datetime.fromtimestamp(when, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

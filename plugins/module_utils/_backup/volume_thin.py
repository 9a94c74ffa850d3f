# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thin out the snapshots of claims that have a new one, the oldest first, and say of each other one why it stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._k8s.read import Doc, text
from . import retention, volume_claims, volume_retention
from .k8s_api import Api, ApiError
from .volume_claims import SNAPSHOT, refused
from .volume_snapshot import Snapshot, wanted
from .volume_told import Job

Row = dict[str, Any]


class Thinning:
    """One run's.

    :param known: the snapshots of the system that were there, without what the run has removed; now: since 1970.
    :ivar rows: what became of each, also where it is broken off.
    """

    def __init__(
        self, api: Api, known: Sequence[Snapshot], rule: retention.Rules, now: float, check_mode: bool
    ) -> None:
        self._api, self._known, self._rule, self._now, self._check_mode = api, list(known), rule, now, check_mode
        self._used: dict[str, dict[str, str]] = {}
        self.rows: list[Row] = []

    def of(self, job: Job, system: str, stamp: str) -> None:
        """The snapshots of one claim. Those of another claim that had the name before are thinned out by themselves."""
        claim = job.claim
        mine = [one for one in self._known if job.seen is None or one.title != job.seen.title]
        mine += [job.seen] if job.seen is not None else []
        if self._check_mode and job.seen is None:
            # As it will be when it is time to remove others.
            doc = wanted(claim, system, stamp, 0.0, {"labels": {}, "annotations": {}})
            mine.append(Snapshot({**doc, "status": {"readyToUse": True, "boundVolumeSnapshotContentName": "to-be"}}))
        groups: dict[str, list[Snapshot]] = {}
        for one in mine:
            if (one.namespace, one.claim) == (claim.namespace, claim.name) and not one.going:
                groups.setdefault(one.claim_uid, []).append(one)
        for uid, group in sorted(groups.items()):
            self._group(job, group, ["of an earlier claim of that name"] if uid != claim.uid else [])

    def _group(self, job: Job, group: Sequence[Snapshot], also: Sequence[str]) -> None:
        by_name = {one.name: one for one in group}
        taken = [self._taken(one) for one in group]
        rows: list[Row] = []
        try:
            for verdict in reversed(volume_retention.decide(taken, self._rule, self._now)):
                one = by_name[verdict.stamp]
                if not verdict.stays and not self._check_mode:
                    delete(self._api, one.namespace, one.name, one.uid)
                rows.append(
                    {
                        "namespace": one.namespace,
                        "pvc": job.claim.name,
                        "name": one.name,
                        "stamp": one.stamp,
                        "ready": one.ready,
                        "stays": verdict.stays,
                        "why": [*verdict.why, *also],
                    }
                )
        finally:
            self.rows += rows[::-1]

    def _taken(self, one: Snapshot) -> volume_retention.Taken:
        needed = []
        user = self._users(one.namespace).get(one.name)
        if user:
            needed.append(f"the claim {user} is being made from it")
        if one.began is None:
            needed.append("nobody can say of when it is")
        began = self._now if one.began is None else one.began
        return volume_retention.Taken(one.name, began, one.ready, one.error, tuple(needed))

    def _users(self, namespace: str) -> dict[str, str]:
        """Snapshots of a namespace from which a claim is being made at this moment, with its name."""
        if namespace not in self._used:
            try:
                listed = [doc for doc, _about in self._api.pages(volume_claims.CLAIM, namespace) if doc]
            except ApiError as error:
                raise refused(error, f"list persistentvolumeclaims in {namespace}") from None
            self._used[namespace] = {
                text(doc, "spec", key, "name"): text(doc, "metadata", "name")
                for doc in listed
                for key in ("dataSource", "dataSourceRef")
                if text(doc, "spec", key, "kind") == SNAPSHOT.kind and text(doc, "status", "phase") != "Bound"
            }
        return self._used[namespace]


def delete(api: Api, namespace: str, name: str, uid: str) -> None:
    """Delete a snapshot; another one that has taken its name since is left alone.

    :raises OpsError: it may not, or cannot be.
    """
    body: Doc = {"kind": "DeleteOptions", "apiVersion": "v1"}
    if uid:
        body["preconditions"] = {"uid": uid}
    try:
        api.ask("DELETE", SNAPSHOT.url(namespace, name), body)
    except ApiError as error:
        if error.status not in (404, 409):
            raise refused(error, f"delete volumesnapshots in {namespace}") from None

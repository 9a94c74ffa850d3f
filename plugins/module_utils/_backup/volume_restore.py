# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make new volume claims from snapshots, beside the claims that these were taken of: never over one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._core.errors import OpsError, OptionError
from .._k8s.read import Doc, dig, mapping, quantity, text, texts
from . import layout, volume_claims
from .k8s_api import Api, ApiError, check_name
from .volume_claims import CLAIM, SNAPSHOT, refused
from .volume_snapshot import CLAIM_SHAPE, MANAGED_BY, SYSTEM, Snapshot, check_system
from .volume_snapshots import ours

_GROUP = volume_claims.API.partition("/")[0]


def run(
    params: Mapping[str, Any], check_mode: bool, connect: Callable[[Mapping[str, Any], float], Api] = Api
) -> dict[str, Any]:
    """Make a claim of each chosen snapshot, or say what would be made. All are tried before the first is made.

    :raises OpsError: nothing was made, or the text says what was.
    """
    system, suffix, stamp = check_system(str(params["system"])), str(params["suffix"]), str(params["stamp"])
    if not suffix:
        raise OptionError("suffix: want one, such as -restored: a claim is never restored over itself")
    if stamp and not layout.is_stamp(stamp):
        raise OptionError(f"stamp: want a time in UTC such as 2026-11-29T060000Z, got {stamp!r}")
    if params["label_selector"]:
        raise OptionError("label_selector: claims to restore are named by claims or namespaces")
    if not params["claims"] and not params["namespaces"]:
        raise OptionError("claims: say which, by claims or namespaces")
    api = connect(params, time.monotonic() + float(params["deadline"]))
    volume_claims.served(api)
    plan = [(one, _claim(api, one, system, suffix)) for one in _chosen(api, params, system, stamp)]
    rows = [_row(api, one, doc) for one, doc in plan]
    missing = [(one, doc, row) for (one, doc), row in zip(plan, rows) if not row["there"]]
    for _one, doc, _told in missing:
        _post(api, doc, dry_run=True)
    if not check_mode:
        for _one, doc, row in missing:
            try:
                row["phase"] = text(_post(api, doc), "status", "phase") or "Pending"
            except OpsError as error:
                done = [one["namespace"] + "/" + one["name"] for one in rows if one["made"]]
                raise OpsError(f"{error}; made before: {', '.join(done) or 'none'}") from None
            row["made"] = True
    names = [f"{one['namespace']}/{one['name']}" for one in rows]
    before = [name for name, one in zip(names, rows) if one["there"]]
    would = "would make" if check_mode else "made"
    return {
        "changed": bool(missing),
        "claims": rows,
        "lines": [f"{name}  from {one['snapshot']}, {one['storage']}" for name, one in zip(names, rows)],
        "msg": f"{system}: {would} {len(missing)} claims from snapshots; {len(before)} are there already",
        "diff": {"before": "".join(f"{one}\n" for one in before), "after": "".join(f"{one}\n" for one in names)},
    }


def _chosen(api: Api, params: Mapping[str, Any], system: str, stamp: str) -> list[Snapshot]:
    """The newest that is ready of each claim, or that of a stamp."""
    named = volume_claims.names(params) if params["claims"] else []
    namespaces = sorted({namespace for namespace, _name in named} or set(params["namespaces"]))
    found: dict[tuple[str, str], Snapshot] = {}
    for one in sorted(ours(api, system, namespaces), key=lambda one: (one.began or 0.0, one.name)):
        key = (one.namespace, one.claim)
        if (named and key not in named) or (stamp and one.stamp != stamp) or one.going:
            continue
        if one.ready:
            found[key] = one
        elif stamp:
            raise OpsError(f"{one.title} is not ready to use: {one.error or 'its driver has not finished'}")
    of = f" of {stamp}" if stamp else " that is ready"
    absent = [f"{namespace}/{name}" for namespace, name in named if (namespace, name) not in found]
    if absent or not found:
        where = ", ".join(absent or namespaces)
        raise OptionError(f"{system} has no snapshot{of} of {where}: kubectl get vs -A -l {SYSTEM}={system}")
    return [found[key] for key in sorted(found)]


def _claim(api: Api, one: Snapshot, system: str, suffix: str) -> Doc:
    """The claim as its shape was when the snapshot was taken; it may be larger, not smaller, than what is in it."""
    shape = _shape(api, one)
    asked = [size for size in (one.size, text(shape, "storage")) if quantity(size)]
    if not asked:
        raise OpsError(f"{one.title} does not say how large its volume was, and its claim is gone: make it by hand")
    name = check_name(one.claim + suffix, "suffix: the new claim", namespace=True)
    spec: Doc = {
        "accessModes": texts(shape, "accessModes") or ["ReadWriteOnce"],
        "volumeMode": text(shape, "volumeMode") or "Filesystem",
        "resources": {"requests": {"storage": max(asked, key=lambda size: quantity(size) or 0.0)}},
        "dataSource": {"apiGroup": _GROUP, "kind": SNAPSHOT.kind, "name": one.name},
    }
    if text(shape, "storageClassName"):
        spec["storageClassName"] = text(shape, "storageClassName")
    labels = {MANAGED_BY: "nexuscos-ops", SYSTEM: system}
    about = {"name": name, "namespace": one.namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": CLAIM.kind, "metadata": about, "spec": spec}


def _shape(api: Api, one: Snapshot) -> Doc:
    """What was noted with the snapshot; else what the claim itself says, where it is still there."""
    try:
        noted = json.loads(text(one.doc, "metadata", "annotations", CLAIM_SHAPE))
    except (ValueError, RecursionError):
        noted = None
    if isinstance(noted, dict) and texts(noted, "accessModes"):
        return noted
    live = api.one(CLAIM, one.namespace, check_name(one.claim, "the claim of a snapshot")) or {}
    spec = mapping(live, "spec")
    return {**spec, "storage": text(spec, "resources", "requests", "storage")}


def _row(api: Api, one: Snapshot, doc: Doc) -> dict[str, Any]:
    """What would become of it.

    :raises OptionError: another claim has the name.
    """
    name = text(doc, "metadata", "name")
    live = api.one(CLAIM, one.namespace, name)
    if live is not None and not _is_from(live, one.name):
        raise OptionError(
            f"suffix: there is a claim {one.namespace}/{name} already that is not made from {one.name}, and a claim "
            "is never restored over another: choose another suffix. Nothing was made"
        )
    return {
        "namespace": one.namespace,
        "name": name,
        "pvc": one.claim,
        "snapshot": one.name,
        "stamp": one.stamp,
        "storage": text(doc, "spec", "resources", "requests", "storage"),
        "storage_class": text(doc, "spec", "storageClassName") or None,
        "there": live is not None,
        "made": False,
        "phase": text(live, "status", "phase") or None,
    }


def _is_from(live: Doc, name: str) -> bool:
    sources: Sequence[Any] = (dig(live, "spec", "dataSource"), dig(live, "spec", "dataSourceRef"))
    return any(text(one, "kind") == SNAPSHOT.kind and text(one, "name") == name for one in sources)


def _post(api: Api, doc: Doc, dry_run: bool = False) -> Doc:
    namespace = text(doc, "metadata", "namespace")
    path = CLAIM.url(namespace) + "?fieldValidation=Strict" + ("&dryRun=All" if dry_run else "")
    try:
        return api.ask("POST", path, doc)
    except ApiError as error:
        raise refused(error, f"create persistentvolumeclaims in {namespace}") from None

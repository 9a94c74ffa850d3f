# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore a set of Kubernetes objects: choose, compare, ask whether it may be, apply."""

from __future__ import annotations

import fnmatch
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .._core.errors import LookError, OpsError, OptionError
from .._k8s.read import Doc, text
from . import at_work, k8s_files, k8s_load, k8s_objects, k8s_vault, layout, lock, manifest, stream, verify
from .k8s_api import Api, ApiError

DEADLINE = 3600.0


def run(params: Mapping[str, Any], check_mode: bool, diff: bool = False) -> dict[str, Any]:
    """Restore a set, or say what would become of each object.

    :raises OpsError: it was refused, and nothing was changed; or the text says what was.
    """
    for name, least in (("deadline", 0.001), ("lock_wait", 0.0)):
        if params[name] < least:
            raise OptionError(f"{name}: want more seconds, got {params[name]:g}")
    clock = time.monotonic()
    one = verify.choose_good(params["path"], params["system"], params["set"])
    known = manifest.read(one.path)
    if known.format != k8s_files.FORMAT:
        raise OptionError(f"{one.path} is a set of {known.engine} in the format {known.format}, none of Kubernetes")
    api = Api(params, clock + params["deadline"])
    loader = k8s_load.Loader(api, params["force"])
    if check_mode:
        steps = _steps(params, one, known, loader, clock)
        return _told(params, one, known, api, steps, diff, None)
    who = f"restore into {api.place}"
    wait = min(params["lock_wait"], params["deadline"])
    with (
        lock.held(params["path"], one.system, who, wait),
        at_work.told(params["path"], one.system, objects=True) as loader.progress,
    ):
        steps = _steps(params, one, known, loader, clock)
        _refuse(params, api, steps)
        loader.apply(steps)
    return _told(params, one, known, api, steps, diff, time.monotonic() - clock)


def _steps(
    params: Mapping[str, Any], one: layout.Set, known: manifest.Manifest, loader: k8s_load.Loader, clock: float
) -> list[k8s_load.Step]:
    given = _objects(params, one, known, clock + params["deadline"])
    try:
        return loader.plan(given)
    except (ApiError, LookError) as error:
        raise OpsError(f"{one.system}: what is there cannot be compared: {error}. Nothing was changed") from None


def _objects(params: Mapping[str, Any], one: layout.Set, known: manifest.Manifest, until: float) -> list[Doc]:
    """What is chosen of the set. A file is read only after its sum was compared."""
    names = _files(params, known)
    for file in known.files:
        if file.path in names and stream.sum_file(os.path.join(one.path, file.path), one.path) != file:
            raise OpsError(f"{one.path}/{file.path}: its sum is not that of the manifest. Nothing was changed")
    secret = k8s_vault.password(params)
    sealed = [name for name in names if name.endswith(k8s_files.SEALED)]
    if sealed and secret is None:
        raise OptionError(
            f"{len(sealed)} of the chosen files are Secrets in an ansible-vault: set vault_password, "
            "vault_password_file or vault_id, or choose kinds without Secret"
        )
    with k8s_vault.Vault(secret or "", None, until) as vault:
        found = [doc for _name, doc in k8s_files.objects(one.path, names, vault)]
    # A namespace that was chosen by its name has to be there before what is in it.
    chosen = [doc for doc in found if _is_chosen(doc, params)]
    needed = {text(doc, "metadata", "namespace") for doc in chosen} - {""}
    if params["kinds"] or params["names"]:
        chosen += [
            doc
            for doc in found
            if k8s_objects.kind(doc) == k8s_objects.NAMESPACE
            and text(doc, "metadata", "name") in needed
            and doc not in chosen
        ]
    if not chosen:
        total = sum(_counts(known).values())
        raise OptionError(f"nothing is chosen: {one.path} has {total} objects, of {_places(known)}")
    return chosen


def _files(params: Mapping[str, Any], known: manifest.Manifest) -> list[str]:
    """The files in which what is chosen can be. Of Secrets that are not wanted, none is decrypted."""
    names = []
    for file in known.files:
        place, name = os.path.split(file.path)
        wanted = not params["namespaces"] or any(fnmatch.fnmatchcase(place, one) for one in params["namespaces"])
        if any(fnmatch.fnmatchcase(place, one) for one in params["exclude_namespaces"]):
            continue
        secrets = not params["kinds"] or {"Secret", k8s_objects.SECRET} & set(params["kinds"])
        if name.endswith(k8s_files.SEALED) and not secrets:
            continue
        if wanted or place == k8s_files.CLUSTER:
            names.append(file.path)
    return names


def _is_chosen(doc: Doc, params: Mapping[str, Any]) -> bool:
    return k8s_objects.chosen(doc, params["namespaces"], params["exclude_namespaces"], params["kinds"], params["names"])


def _refuse(params: Mapping[str, Any], api: Api, steps: Sequence[k8s_load.Step]) -> None:
    """Before anything is changed.

    :raises OpsError: something stands against it.
    """
    refused = k8s_load.refusals(steps)
    if refused:
        raise OpsError(f"{api.place} does not take all of it, and nothing was changed: {refused}")
    against = k8s_load.conflicts(steps)
    if against and not params["force"]:
        raise k8s_load.Conflicts(
            f"fields that others look after would be changed, and nothing was: {against}. With force: true they are "
            "taken over"
        )
    unconfirmed = _unconfirmed(params, api, steps)
    if unconfirmed:
        raise OptionError(
            f"{_number(steps, k8s_load.CHANGE)} live objects at {unconfirmed} would be changed: name it in confirm "
            f"({unconfirmed}); with check mode and diff, see how"
        )


def _unconfirmed(params: Mapping[str, Any], api: Api, steps: Sequence[k8s_load.Step]) -> str:
    return api.place if _number(steps, k8s_load.CHANGE) and params["confirm"] != api.place else ""


def _told(
    params: Mapping[str, Any], one: layout.Set, known: manifest.Manifest, api: Api, steps: Sequence[k8s_load.Step],
    diff: bool, seconds: float | None,
) -> dict[str, Any]:  # fmt: skip
    counts = {action: _number(steps, action) for action in (k8s_load.CREATE, k8s_load.CHANGE, k8s_load.SAME)}
    proven = known.proven
    told: dict[str, Any] = {
        "changed": counts[k8s_load.CREATE] + counts[k8s_load.CHANGE] > 0,
        "set": {
            "system": one.system,
            "stamp": one.stamp,
            "path": one.path,
            "bytes": known.bytes,
            "level": proven.level if proven else 0,
        },
        "objects": [
            {
                "object": step.title,
                "action": step.action,
                "tried": step.tried,
                "keeps": step.more,
                "taken_over": [f"{manager} {path}" for manager, path in step.conflicts],
            }
            for step in steps
            if step.action != k8s_load.SAME or step.more
        ],
        "counts": counts,
    }
    if diff:
        told["diff"] = k8s_load.diffs(steps, lambda doc: k8s_files.dump(doc).decode("utf-8"))
    words = f"{counts[k8s_load.CREATE]} created, {counts[k8s_load.CHANGE]} changed"
    if seconds is None:
        against = {
            "unconfirmed": _unconfirmed(params, api, steps),
            "conflicts": k8s_load.conflicts(steps),
            "refused": k8s_load.refusals(steps),
        }
        msg = f"{one.system}: of {len(steps)} objects of {one.stamp} would be {words} at {api.place}"
        if against["refused"]:
            msg += f"; it would be refused: {against['refused']}"
        elif against["conflicts"] and not params["force"]:
            msg += f"; it would be refused without force: {against['conflicts']}"
        elif against["unconfirmed"]:
            msg += f"; it would be refused until confirm names {against['unconfirmed']}"
        return {**told, "plan": against, "msg": msg}
    kept = f", {counts[k8s_load.SAME]} were as they are" if counts[k8s_load.SAME] else ""
    msg = f"{one.system}: of {len(steps)} objects of {one.stamp} {words} at {api.place}{kept}"
    return {**told, "seconds": round(seconds, 3), "msg": msg}


def _number(steps: Sequence[k8s_load.Step], action: str) -> int:
    return sum(1 for step in steps if step.action == action)


def _counts(known: manifest.Manifest) -> dict[str, int]:
    found = known.invariants.get("objects", {})
    return {place: sum(kinds.values()) for place, kinds in found.items() if isinstance(kinds, dict)}


def _places(known: manifest.Manifest) -> str:
    names = [name for name in sorted(_counts(known)) if name != k8s_files.CLUSTER]
    return ", ".join(names[:10]) + (" …" if len(names) > 10 else "")

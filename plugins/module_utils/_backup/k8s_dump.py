# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a Kubernetes cluster: listed page by page, cleaned, and written as YAML; Secrets into a vault."""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Mapping
from typing import Any

from .._core.errors import LookError, OpsError, OptionError
from .._k8s.read import Doc, count, mapping, text
from . import k8s_files, k8s_objects, k8s_vault, run_backup, stream
from .k8s_api import Api, ApiError, Resource, check_name, kinds
from .manifest import Manifest

NAME = "kubernetes"
KINDS = ("v1/ConfigMap", "v1/Secret")
_MOST_OWNERS = 1000
_NAMESPACE = Resource("v1", "Namespace", "namespaces", False)


class Engine:
    """See :class:`run_backup.Engine`.

    :param params: of the module k8s_backup.
    """

    name = NAME

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        self._wanted = kinds(list(params["kinds"]))
        if not self._wanted:
            raise OptionError("kinds: name one at least, such as v1/ConfigMap")
        for one in params["namespaces"]:
            check_name(one, "namespaces: a namespace", namespace=True)
        self._secret = k8s_vault.password(params)
        self._opened: k8s_vault.Vault | None = None
        if ("v1", "Secret") in self._wanted and self._secret is None:
            raise OptionError(
                "kinds: Secrets are written into an ansible-vault only, and no password of one is given: set "
                "vault_password, vault_password_file or vault_id, or leave v1/Secret out of kinds"
            )

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_error: object) -> None:
        """End the vault."""
        if self._opened is not None:
            self._opened.close()

    def look(self, deadline: float) -> run_backup.Look:
        """Are the kinds served, may they be listed, and about how many are there?"""
        api = Api(self._params, deadline)
        self._are_there(api)
        found: dict[str, int] = {}
        for what in self._resources(api):
            for namespace in self._places(what):
                pages = list(self._list(api, what, namespace, most=1))
                here = sum(1 + count(about, "remainingItemCount") for doc, about in pages[:1] if doc)
                found[what.title] = found.get(what.title, 0) + here
        if self._secret is not None and ("v1", "Secret") in self._wanted:
            # That there is no ansible-core is said before anything is written.
            self._vault(deadline).encrypt(b"")
        source: dict[str, Any] = {
            "host": api.place,
            "context": self._params["context"] or "",
            "namespaces": list(self._params["namespaces"]),
            "exclude_namespaces": list(self._params["exclude_namespaces"]),
            "label_selector": self._params["label_selector"],
            "kinds": [f"{version}/{kind}" for version, kind in self._wanted],
            "objects": found,
        }
        return run_backup.Look(api.version(), source)

    def write(self, folder: str, progress: stream.Progress, deadline: float) -> run_backup.Written:
        """List, clean, write."""
        api = Api(self._params, deadline)
        left: dict[str, int] = {}
        owners: dict[str, list[str]] = {}
        versions: dict[str, str] = {}
        inconsistent: list[str] = []
        needed: set[str] = set(self._params["namespaces"])
        writer = k8s_files.Writer(folder, progress, self._vault(deadline))
        for what in self._resources(api):
            for namespace in self._places(what):
                place = f"{what.title} {namespace}".strip()
                progress.item = place
                for doc, about in self._list(api, what, namespace):
                    versions[place] = text(about, "resourceVersion")
                    if about["inconsistent"] and place not in inconsistent:
                        inconsistent.append(place)
                    if doc:
                        self._take(what, doc, writer, left, owners, needed)
                    _in_time(deadline)
        if ("v1", "Namespace") not in self._wanted:
            self._namespaces(api, needed, writer, left)
        files = writer.done()
        if not files:
            raise OpsError(
                f"there is nothing to back up at {api.place}: no object of {', '.join(self._titles())} is chosen"
                + (f" ({_sum(left)} were left out: {_reasons(left)})" if left else "")
            )
        options: dict[str, Any] = {
            "label_selector": self._params["label_selector"],
            "owned": self._params["owned"],
            "helm_releases": self._params["helm_releases"],
            "left_out": dict(sorted(left.items())),
        }
        if owners:
            options["owners"] = dict(sorted(owners.items())[:_MOST_OWNERS])
        if inconsistent:
            options["inconsistent"] = inconsistent
        if self._params["vault_id"]:
            options["vault_id"] = self._params["vault_id"]
        sealed = any(one.path.endswith(k8s_files.SEALED) for one in files)
        return run_backup.Written(
            format=k8s_files.FORMAT,
            files=files,
            options=options,
            position={"resource_versions": versions},
            invariants={"objects": writer.counts},
            encryption=k8s_files.VAULT if sealed else "none",
        )

    def verify(self, folder: str, written: run_backup.Written, deadline: float) -> str:
        """Read it back from the disk, decrypt the Secrets, and count."""
        known = Manifest(
            system="", stamp="", engine=NAME, format=written.format, source={}, server="", began="", ended="",
            seconds=0.0, files=written.files, invariants=written.invariants,
        )  # fmt: skip
        return k8s_files.read(folder, known, self._vault(deadline) if written.encryption != "none" else None)

    # -- parts

    def _vault(self, deadline: float) -> k8s_vault.Vault:
        if self._opened is None:
            self._opened = k8s_vault.Vault(self._secret or "", self._params["vault_id"], deadline)
        return self._opened

    def _titles(self) -> list[str]:
        return [f"{version}/{kind}" for version, kind in self._wanted]

    def _resources(self, api: Api) -> list[Resource]:
        found = []
        for version, kind in self._wanted:
            what = api.resource(version, kind)
            if what is None:
                like = [one for one in api.like(kind) if one != f"{version}/{kind}"]
                hint = f": it serves {', '.join(like)}" if like else ""
                raise OptionError(f"kinds: {api.place} serves no {version}/{kind}{hint}")
            if what.verbs and "list" not in what.verbs:
                raise OptionError(f"kinds: {version}/{kind} is nothing that can be listed")
            found.append(what)
        return found

    def _are_there(self, api: Api) -> None:
        """A namespace that is not there has no objects, and a backup of it would be no backup."""
        for name in self._params["namespaces"]:
            try:
                if api.one(_NAMESPACE, "", name) is None:
                    raise OptionError(f"namespaces: {api.place} has no namespace {name}")
            except ApiError as error:
                if error.status != 403:
                    raise

    def _places(self, what: Resource) -> list[str]:
        """What is asked for: each namespace by itself, or all at once."""
        return list(self._params["namespaces"]) or [""] if what.namespaced else [""]

    def _list(self, api: Api, what: Resource, namespace: str, most: int = 0) -> Any:
        try:
            yield from api.pages(what, namespace, self._params["label_selector"] or "", most)
        except (ApiError, LookError) as error:
            where = f" of {namespace}" if namespace else ""
            raise OpsError(f"{api.place}: {what.title}{where} cannot be listed: {error}") from None

    def _take(
        self, what: Resource, doc: Doc, writer: k8s_files.Writer, left: dict[str, int], owners: dict[str, list[str]],
        needed: set[str],
    ) -> None:  # fmt: skip
        namespace = text(doc, "metadata", "namespace")
        name = text(doc, "metadata", "name")
        own = name if what.title == k8s_objects.NAMESPACE else namespace
        if own and any(fnmatch.fnmatchcase(own, one) for one in self._params["exclude_namespaces"]):
            _count(left, k8s_objects.OTHER)
            return
        if what.title == k8s_objects.NAMESPACE and self._params["namespaces"] and own not in self._params["namespaces"]:
            return
        why = k8s_objects.left_out(doc, self._params["owned"], self._params["helm_releases"])
        if why:
            _count(left, why)
            return
        k8s_objects.manifest_namespace(doc, what.namespaced)
        if namespace:
            needed.add(namespace)
        noted = k8s_objects.owners(doc)
        if noted:
            owners[k8s_objects.title(doc)] = noted
        writer.add(what, k8s_objects.clean(doc))

    def _namespaces(self, api: Api, needed: set[str], writer: k8s_files.Writer, left: dict[str, int]) -> None:
        """The namespaces of what was taken, so that a restore can make them with their labels."""
        for name in sorted(needed):
            check_name(name, "a namespace", namespace=True)
            try:
                doc = api.one(_NAMESPACE, "", name)
            except ApiError as error:
                if error.status != 403:
                    raise
                # Who may read in a namespace only has no right to the namespace itself, which is no reason to fail.
                _count(left, "namespaces that may not be read")
                continue
            if doc is not None and not text(doc, "metadata", "deletionTimestamp"):
                kept = {"apiVersion": "v1", "kind": "Namespace", "metadata": mapping(doc, "metadata")}
                writer.add(_NAMESPACE, k8s_objects.clean(kept))


def _count(left: dict[str, int], why: str) -> None:
    left[why] = left.get(why, 0) + 1


def _sum(left: Mapping[str, int]) -> int:
    return sum(left.values())


def _reasons(left: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {why}" for why, number in sorted(left.items()))


def _in_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise stream.EngineError("the objects were not read in time")

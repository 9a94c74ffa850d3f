# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove sets of Kubernetes objects: read to the end, then restored into scratch namespaces of an API server.

ConfigMaps and Secrets are really made there and read back. All other objects are sent as a dry run: the API server
checks, defaults and admits them as it would in earnest, and neither starts a pod nor asks for a volume.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any

from .._core.errors import OpsError, OptionError
from .._k8s.read import Doc, docs, mapping, moment, text
from . import k8s_files, k8s_load, k8s_objects, k8s_vault, scratch_postgres
from .k8s_api import Api, ApiError, Resource
from .verify import Job, Refuted

PREFIX = "nexuscos-verify-"
LABELS = {"app.kubernetes.io/managed-by": "nexuscos-ops", "nexuscos-ops/purpose": "verify"}
_MADE = ("v1/ConfigMap", "v1/Secret")
_NAMESPACE = Resource("v1", "Namespace", "namespaces", False)
_OLD_S = 6 * 3600.0
_NAMED = 5
_GONE_WITHIN = 120.0
_ASK_EVERY = 0.5


class Engine:
    """Sets of YAML, some of it in ansible-vault."""

    most = 4
    decrypts = True

    def read(self, job: Job) -> dict[str, Any]:
        """Every document is an object, as many as the manifest says, and Secrets can be decrypted."""
        with _vault(job) as vault:
            try:
                how = k8s_files.read(job.one.path, job.known, vault)
            except k8s_vault.WrongPassword as error:
                # A wrong password says nothing about the set, and the sums tell whether its files are whole.
                raise OpsError(f"{error}: is that the password of this set?") from None
            except k8s_files.Damaged as error:
                raise Refuted(str(error)) from None
        if job.known.encryption != "none" and vault is None:
            job.odd.append("its Secrets were not decrypted: vault_password, vault_password_file or vault_id is missing")
        return {"read": how, "decrypted": vault is not None and job.known.encryption != "none"}

    @contextlib.contextmanager
    def restored(self, job: Job) -> Iterator[Restored]:
        """Into namespaces that are made for it, and go afterwards."""
        if not job.kubernetes:
            raise OptionError("level: 3 wants kubernetes, the API server where scratch namespaces may be made")
        given = _given(job)
        api = Api({"namespaces": [], "exclude_namespaces": [], **job.kubernetes}, job.until)
        restored = Restored(api, given)
        with scratch_postgres.ends_cleanly("the scratch namespaces have been removed"):
            try:
                sweep(api)
                restored.restore(job)
                yield restored
            finally:
                restored.remove()


class Restored:
    """What came of it. See :class:`verify.Restored`."""

    def __init__(self, api: Api, given: list[Doc]) -> None:
        self._api, self._given = api, given
        self._scratch: dict[str, str] = {}
        self._results: list[tuple[Doc, Doc]] = []
        self.seconds, self.details = 0.0, {}  # type: float, dict[str, Any]

    def restore(self, job: Job) -> None:
        """Apply every object. Raises Refuted where one is not taken."""
        clock = time.monotonic()
        run = PREFIX + secrets.token_hex(4)
        counts = {"made": 0, "dry_run": 0}
        untried: list[str] = []
        defined = {
            (text(one, "spec", "group"), text(one, "spec", "names", "kind"))
            for one in self._given
            if text(one, "kind") == k8s_objects.DEFINITION
        }
        for doc in sorted(self._given, key=k8s_objects.rank):
            job.in_time()
            what = self._api.resource(text(doc, "apiVersion"), text(doc, "kind"))
            if what is None:
                group = text(doc, "apiVersion").partition("/")[0]
                if (group, text(doc, "kind")) in defined:
                    untried.append(k8s_objects.title(doc))
                    continue
                raise Refuted(f"{k8s_objects.title(doc)}: {self._api.place} serves no {k8s_objects.kind(doc)}")
            namespace = k8s_objects.manifest_namespace(doc, what.namespaced)
            really = k8s_objects.kind(doc) in _MADE
            wanted = self._moved(doc, namespace, run)
            try:
                found = self._api.apply(
                    what, text(wanted, "metadata", "namespace"), wanted, force=True, dry_run=not really
                )
            except ApiError as error:
                if error.status in (401, 403):
                    raise OpsError(f"{k8s_objects.title(doc)}: {k8s_load.said(doc, error)}") from None
                raise Refuted(f"{k8s_objects.title(doc)} cannot be restored: {k8s_load.said(doc, error)}") from None
            counts["made" if really else "dry_run"] += 1
            self._results.append((wanted, found))
        if untried:
            job.odd.append(
                f"{len(untried)} objects were not tried, their kinds are defined by the set only: "
                + ", ".join(untried[:_NAMED])
            )
        self.seconds = time.monotonic() - clock
        self.details = {"server": self._api.version(), **counts, "untried": len(untried)}

    def invariants(self, job: Job) -> dict[str, Any]:
        """What the API server has made of each object differs from it in nothing."""
        wrong: list[str] = []
        for wanted, found in self._results:
            job.in_time()
            if k8s_objects.kind(wanted) in _MADE:
                what = self._api.resource(text(wanted, "apiVersion"), text(wanted, "kind"))
                live = None
                if what is not None:
                    live = self._api.one(what, text(wanted, "metadata", "namespace"), text(wanted, "metadata", "name"))
                if live is None:
                    raise OpsError(f"{k8s_objects.title(wanted)} was made, and is gone: who removes it?")
                found = live
            paths = k8s_objects.difference(wanted, k8s_objects.clean(found))
            if paths:
                wrong.append(f"{k8s_objects.title(wanted)}: {', '.join(paths[:_NAMED])}")
        if wrong:
            more = f"; and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
            raise Refuted("restored they are others than saved: " + "; ".join(wrong[:_NAMED]) + more)
        return {"compared": len(self._results), "summary": f"{len(self._results)} objects are what they were"}

    def smoke(self, job: Job) -> dict[str, Any]:
        """There is none: queries of an application are SQL."""
        raise OpsError(f"sets of {job.known.engine} are proven to level {Engine.most}")

    def remove(self) -> None:
        """Take the scratch namespaces away, and wait until they are gone."""
        names = list(self._scratch.values())
        # The deadline of the verification does not hold for what has to be cleaned up.
        self._api.extend(_GONE_WITHIN)
        for name in names:
            self._api.remove(_NAMESPACE, "", name)
        until = time.monotonic() + _GONE_WITHIN
        for name in names:
            while self._api.one(_NAMESPACE, "", name) is not None:
                if time.monotonic() > until:
                    raise OpsError(f"the scratch namespace {name} was deleted, and does not go: see its status")
                time.sleep(_ASK_EVERY)
        self._scratch.clear()

    def _moved(self, doc: Doc, namespace: str, run: str) -> Doc:
        """An object as it goes into its scratch namespace."""
        if not namespace:
            return doc
        if namespace not in self._scratch:
            name = f"{run}-{len(self._scratch)}"
            # Noted before it is made: whatever interrupts it finds the name.
            self._scratch[namespace] = name
            labels = {**_admission(self._given, namespace), **LABELS}
            made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
            self._api.apply(_NAMESPACE, "", made)
        metadata = {**mapping(doc, "metadata"), "namespace": self._scratch[namespace]}
        moved = {**doc, "metadata": metadata}
        if k8s_objects.kind(doc) == "v1/Service":
            # The live one has these ports of the nodes, and a port can be had once.
            ports = [{key: one[key] for key in one if key != "nodePort"} for one in docs(doc, "spec", "ports")]
            moved["spec"] = {**mapping(doc, "spec"), **({"ports": ports} if ports else {})}
        return moved


def sweep(api: Api) -> None:
    """Remove scratch namespaces that a verification which was killed has left. Younger ones may be at work."""
    labels = ",".join(f"{key}={value}" for key, value in sorted(LABELS.items()))
    for doc, _about in api.pages(_NAMESPACE, "", labels):
        name = text(doc, "metadata", "name")
        made = moment(text(doc, "metadata", "creationTimestamp"))
        if name.startswith(PREFIX) and made is not None and time.time() - made > _OLD_S:
            api.remove(_NAMESPACE, "", name)


def _admission(given: list[Doc], namespace: str) -> Mapping[str, str]:
    """How strict the namespace is with pods: the scratch one has to be as strict."""
    for doc in given:
        if k8s_objects.kind(doc) == k8s_objects.NAMESPACE and text(doc, "metadata", "name") == namespace:
            names = k8s_objects.name_labels(doc)
            return {key: value for key, value in names.items() if key.startswith("pod-security.kubernetes.io/")}
    return {}


def _given(job: Job) -> list[Doc]:
    """All objects of the set."""
    with _vault(job) as vault:
        if job.known.encryption != "none" and vault is None:
            raise OptionError("level: 3 of a set with Secrets wants its vault password")
        try:
            names = [one.path for one in job.known.files]
            return [doc for _name, doc in k8s_files.objects(job.one.path, names, vault)]
        except k8s_files.Damaged as error:
            raise Refuted(str(error)) from None


@contextlib.contextmanager
def _vault(job: Job) -> Iterator[k8s_vault.Vault | None]:
    if job.vault_password is None:
        yield None
        return
    with k8s_vault.Vault(job.vault_password, None, job.until) as vault:
        yield vault


ENGINES = {k8s_files.FORMAT: Engine()}

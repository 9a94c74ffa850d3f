# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which volume claims a snapshot is taken of, by which driver, and by which class of snapshots; who cannot, and why."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._core.errors import OpsError, OptionError
from .._core.threshold import nearest
from .._k8s.read import Doc, dig, labels, listing, mapping, text
from .k8s_api import Api, ApiError, Resource, check_name

API = "snapshot.storage.k8s.io/v1"
SNAPSHOT = Resource(API, "VolumeSnapshot", "volumesnapshots", True)
CLASS = Resource(API, "VolumeSnapshotClass", "volumesnapshotclasses", False)
CONTENT = Resource(API, "VolumeSnapshotContent", "volumesnapshotcontents", False)
CLAIM = Resource("v1", "PersistentVolumeClaim", "persistentvolumeclaims", True)
_VOLUME = Resource("v1", "PersistentVolume", "persistentvolumes", False)
_NAMESPACE = Resource("v1", "Namespace", "namespaces", False)
_DEFAULT = "snapshot.storage.kubernetes.io/is-default-class"
# The control plane notes there who makes the volume; it is to be read without rights beyond the namespace.
_PROVISIONERS = ("volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner")
_NO_SOURCES = ("accessModes", "capacity", "claimRef", "nodeAffinity", "mountOptions")


class Unable(OpsError):
    """No snapshot can be taken of a claim; the text says why, and what to do."""


@dataclass(frozen=True)
class Claim:
    """A bound claim.

    :ivar uid: tells it from another one of the same name before or after; driver: empty where nobody says.
    """

    namespace: str
    name: str
    uid: str
    doc: Doc
    driver: str = ""
    snapshot_class: str = ""

    @property
    def title(self) -> str:
        """``nexus-databases/data-postgres-0``."""
        return f"{self.namespace}/{self.name}"


def served(api: Api) -> None:
    """Does the cluster know snapshots at all?

    :raises OpsError: it does not; the text says what is missing.
    """
    if api.resource(SNAPSHOT.api_version, SNAPSHOT.kind) is not None:
        return
    others = api.like(SNAPSHOT.kind)
    if others:
        raise OpsError(
            f"{api.place} serves {', '.join(others)} only, want {SNAPSHOT.title}: install the definitions of "
            "external-snapshotter 4.0 or newer"
        )
    raise OpsError(
        f"{api.place} serves no {SNAPSHOT.title}: install the three definitions (CRDs) and the snapshot controller of "
        "external-snapshotter, which come once for a cluster and with no driver"
    )


def choose(api: Api, params: Mapping[str, Any]) -> tuple[list[Claim], list[dict[str, str]]]:
    """The claims, each with driver and class, and those that were left out with the reason.

    :raises OptionError: nothing is chosen, or not what can be had; all that is wrong is in the text.
    """
    docs, skipped, problems = _named(api, params) if params["claims"] else _listed(api, params)
    classes = Classes(api, str(params["snapshot_class"]))
    found: list[Claim] = []
    for doc in docs:
        where, name = text(doc, "metadata", "namespace"), text(doc, "metadata", "name")
        try:
            driver = _driver(api, doc)
            found.append(Claim(where, name, text(doc, "metadata", "uid"), doc, driver, classes.of(driver)))
        except Unable as error:
            if params["skip_unable"]:
                skipped.append({"namespace": where, "pvc": name, "why": str(error)})
            else:
                problems.append(f"{where}/{name}: {error}")
    if problems:
        raise OptionError("no snapshot was made: " + "; ".join(dict.fromkeys(problems)))
    if not found:
        left = "; ".join("%(namespace)s/%(pvc)s: %(why)s" % one for one in skipped[:10])
        raise OptionError(
            f"{api.place} has no bound volume claim that is chosen, so that there is nothing to take a snapshot of"
            + (f" (left out: {left})" if left else "")
        )
    return sorted(found, key=lambda one: one.title), skipped


def names(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Namespace and name of each entry of the option ``claims``.

    :raises OptionError: one that is none.
    """
    found = []
    for given in params["claims"]:
        namespace, slash, name = given.partition("/")
        if not slash:
            if len(params["namespaces"]) != 1:
                raise OptionError(
                    f"claims: {given} wants its namespace, as namespace/{given}, or one namespace in namespaces"
                )
            namespace, name = params["namespaces"][0], given
        check_name(namespace, f"claims: the namespace of {given}", namespace=True)
        pair = (namespace, check_name(name, "claims: a claim"))
        if pair not in found:
            found.append(pair)
    return found


def _named(api: Api, params: Mapping[str, Any]) -> tuple[list[Doc], list[dict[str, str]], list[str]]:
    """What was asked for by name has to be there."""
    docs, problems = [], []
    for namespace, name in names(params):
        doc = _may(lambda: api.one(CLAIM, namespace, name), "get persistentvolumeclaims in %s" % namespace)  # noqa: B023
        why = "there is no such volume claim" if doc is None else _unbound(doc)
        if doc is None or why:
            problems.append(f"{namespace}/{name}: {why}")
        else:
            docs.append(doc)
    return docs, [], problems


def _listed(api: Api, params: Mapping[str, Any]) -> tuple[list[Doc], list[dict[str, str]], list[str]]:
    """All that is bound in the namespaces, or has the labels. What is not bound holds no data yet."""
    docs: list[Doc] = []
    skipped: list[dict[str, str]] = []
    problems: list[str] = []
    for namespace in list(dict.fromkeys(params["namespaces"])) or [""]:
        if namespace:
            check_name(namespace, "namespaces: a namespace", namespace=True)
        where = f"in {namespace}" if namespace else "in the cluster"
        selector = str(params["label_selector"])
        here = _may(
            lambda: [doc for doc, _about in api.pages(CLAIM, namespace, selector) if doc],  # noqa: B023
            f"list persistentvolumeclaims {where}",
        )
        if not here and namespace and _is_missing(api, namespace):
            problems.append(f"{api.place} has no namespace {namespace}")
        for doc in here:
            place = check_name(text(doc, "metadata", "namespace"), "the namespace of a claim", namespace=True)
            name = check_name(text(doc, "metadata", "name"), "a claim")
            if any(fnmatch.fnmatchcase(place, one) for one in params["exclude_namespaces"]):
                continue
            why = _unbound(doc)
            if why:
                skipped.append({"namespace": place, "pvc": name, "why": why})
            else:
                docs.append(doc)
    return docs, skipped, problems


def _unbound(doc: Doc) -> str:
    """Why there is nothing that a snapshot could be taken of; empty where there is."""
    phase = text(doc, "status", "phase")
    if dig(doc, "metadata", "deletionTimestamp"):
        return "it is being deleted"
    if phase == "Lost":
        return "its volume is lost: there is nothing left to take a snapshot of"
    if phase != "Bound" or not text(doc, "spec", "volumeName"):
        return f"it is {phase or 'of no phase'}, and has no volume yet: kubectl describe pvc says what it waits for"
    return ""


def _driver(api: Api, doc: Doc) -> str:
    """The CSI driver that has the volume; empty where that is not to be known."""
    name = check_name(text(doc, "spec", "volumeName"), "a volume")
    try:
        volume = api.one(_VOLUME, "", name)
    except ApiError as error:
        if error.status != 403:
            raise
        about = labels(doc, "metadata", "annotations")
        return next((about[key] for key in _PROVISIONERS if about.get(key)), "")
    if volume is None:
        raise Unable(f"its volume {name} is not there")
    driver = text(volume, "spec", "csi", "driver")
    if not driver:
        kind = next((key for key in mapping(volume, "spec") if _is_source(volume, key)), "of an unknown kind")
        raise Unable(f"its volume {name} ({kind}) is none of a CSI driver, and only those can take snapshots")
    return driver


def _is_source(volume: Doc, key: str) -> bool:
    return isinstance(dig(volume, "spec", key), dict) and key not in _NO_SOURCES


class Classes:
    """The classes of snapshots of a cluster, asked for when the first is wanted.

    :param wanted: the option ``snapshot_class``; empty for the default of each driver.
    """

    def __init__(self, api: Api, wanted: str) -> None:
        self._api, self._wanted = api, wanted
        self._all: dict[str, Doc] | None = None

    def of(self, driver: str) -> str:
        """The class for a volume of a driver.

        :raises Unable: there is none for this driver; OptionError: that which was named is not there.
        """
        known = self._known()
        if known is None:
            # Who may not list them has named one, and the controller says what is wrong with it.
            return self._wanted
        if self._wanted:
            return self._named(known, driver)
        mine = [name for name, one in known.items() if not driver or text(one, "driver") == driver]
        default = [name for name in mine if labels(known[name], "metadata", "annotations").get(_DEFAULT) == "true"]
        if len(default) == 1:
            return default[0]
        of_driver = f"of the driver {driver}" if driver else "in the cluster"
        if len(default) > 1:
            raise Unable(
                f"there are {len(default)} default classes of snapshots {of_driver} ({listing(default)}): leave one "
                f"with the annotation {_DEFAULT}, or name one in snapshot_class"
            )
        if mine:
            raise Unable(
                f"none of the classes of snapshots {of_driver} is the default ({listing(mine)}): name one in "
                f"snapshot_class, or annotate it with {_DEFAULT}=true"
            )
        raise Unable(
            f"there is no class of snapshots (VolumeSnapshotClass) {of_driver}: either the driver cannot take any, or "
            "nobody has made a class for it"
        )

    def _named(self, known: Mapping[str, Doc], driver: str) -> str:
        if self._wanted not in known:
            raise OptionError(
                f"snapshot_class: {self._api.place} has no class {self._wanted}{nearest(self._wanted, list(known))}; "
                f"it has {listing(sorted(known), 5) or 'none'}"
            )
        theirs = text(known[self._wanted], "driver")
        if driver and theirs != driver:
            raise Unable(f"its driver is {driver}, and the class {self._wanted} is of {theirs or 'no driver'}")
        return self._wanted

    def _known(self) -> dict[str, Doc] | None:
        if self._all is None:
            try:
                self._all = {text(doc, "metadata", "name"): doc for doc, _about in self._api.pages(CLASS) if doc}
            except ApiError as error:
                if error.status == 403 and self._wanted:
                    return None
                raise refused(error, "list volumesnapshotclasses (or name one in snapshot_class)") from None
        return self._all


def refused(error: ApiError, what: str) -> OpsError:
    """A refusal with what to do about it."""
    if error.status in (401, 403):
        return OpsError(f"the account may not {what}: {error}")
    return OpsError(f"cannot {what}: {error}")


def _may(ask: Any, what: str) -> Any:
    try:
        return ask()
    except ApiError as error:
        raise refused(error, what) from None


def _is_missing(api: Api, namespace: str) -> bool:
    try:
        return api.one(_NAMESPACE, "", namespace) is None
    except ApiError as error:
        if error.status != 403:
            raise
        return False


def spread(claims: Sequence[Claim]) -> list[str]:
    """The namespaces of claims."""
    return sorted({one.namespace for one in claims})

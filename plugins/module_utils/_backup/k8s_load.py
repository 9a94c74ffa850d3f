# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give objects back to a cluster by server-side apply: first all of them as a dry run, and only then in earnest.

The API server itself says what would become of each object, with its defaults, its admission and its conflicts. A
restore that somebody else's fields stand in the way of is refused before anything has changed. Nothing is deleted.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._core.errors import LookError, OpsError
from .._k8s.read import Doc, mapping, text
from . import k8s_objects, stream
from .k8s_api import Api, ApiError, Resource

CREATE, CHANGE, SAME = "create", "change", "unchanged"
_NAMED = 5
_SERVED_WITHIN = 60.0
_ASK_EVERY = 0.25


class Conflicts(OpsError):
    """Somebody else looks after fields that would change; the text names them."""


@dataclass
class Step:
    """One object.

    :ivar doc: as the set has it; what: None where its kind is not served yet; before, after: cleaned, or None.
    :ivar tried: whether the server has answered for it. Not where its namespace or kind is still to come.
    :ivar conflicts: ``(manager, field)``; more: fields that the live object has, and goes on having.
    """

    doc: Doc
    what: Resource | None
    action: str
    before: Doc | None = None
    after: Doc | None = None
    tried: bool = True
    conflicts: list[tuple[str, str]] = field(default_factory=list)
    more: list[str] = field(default_factory=list)
    refused: str | None = None

    @property
    def title(self) -> str:
        """For people."""
        return k8s_objects.title(self.doc)


class Loader:
    """Plans, and applies what was planned.

    :param force: take over fields that others look after.
    :ivar progress: is told of every object that is compared or applied, where it is set.
    """

    progress: stream.Progress | None = None

    def __init__(self, api: Api, force: bool = False) -> None:
        self._api, self._force = api, force

    def _tell(self, what: str, doc: Doc) -> None:
        if self.progress:
            self.progress.item = f"{what} {k8s_objects.title(doc)}"
            self.progress.add(1)

    def plan(self, given: Iterable[Doc]) -> list[Step]:
        """What would become of each object, in the order in which they are applied. Changes nothing."""
        ordered = sorted(given, key=k8s_objects.rank)
        coming = {text(one, "metadata", "name") for one in ordered if k8s_objects.kind(one) == k8s_objects.NAMESPACE}
        defined = {_defines(one) for one in ordered if text(one, "kind") == k8s_objects.DEFINITION}
        steps: list[Step] = []
        made: set[str] = set()
        if self.progress:
            # Each is compared, and then applied, as far as is known by now.
            self.progress.expect(2 * len(ordered))
        for doc in ordered:
            self._tell("comparing", doc)
            step = self._step(doc, coming, made, defined)
            if k8s_objects.kind(doc) == k8s_objects.NAMESPACE and step.action == CREATE:
                made.add(text(doc, "metadata", "name"))
            steps.append(step)
        return steps

    def _step(self, doc: Doc, coming: set[str], made: set[str], defined: set[tuple[str, str]]) -> Step:
        what = self._api.resource(text(doc, "apiVersion"), text(doc, "kind"))
        if what is None:
            group = text(doc, "apiVersion").partition("/")[0]
            if (group, text(doc, "kind")) in defined:
                return Step(doc, None, CREATE, after=doc, tried=False)
            return Step(doc, None, CREATE, after=doc, refused=f"{self._api.place} serves no {k8s_objects.kind(doc)}")
        namespace = k8s_objects.manifest_namespace(doc, what.namespaced)
        if namespace in made:
            return Step(doc, what, CREATE, after=doc, tried=False)
        live = self._api.one(what, namespace, text(doc, "metadata", "name"))
        before = k8s_objects.clean(live) if live else None
        step = Step(doc, what, CHANGE if before else CREATE, before=before, after=doc)
        if live and text(live, "metadata", "deletionTimestamp"):
            step.refused = "it is being deleted: wait until it is gone"
            return step
        try:
            step.after = k8s_objects.clean(self._api.apply(what, namespace, doc, self._force, dry_run=True))
        except ApiError as error:
            if error.conflicts:
                step.conflicts = error.conflicts
                self._were_it_forced(step, what, namespace)
            elif error.status == 404 and namespace and namespace not in coming:
                step.refused = f"there is no namespace {namespace}, and the set or the choice has none of that name"
            else:
                step.refused = said(doc, error)
            return step
        if before is not None and before == step.after:
            step.action = SAME
        step.more = k8s_objects.more_than(doc, step.after) if before is not None else []
        return step

    def _were_it_forced(self, step: Step, what: Resource, namespace: str) -> None:
        """What would come of it then: the diff shows what stands against it."""
        try:
            step.after = k8s_objects.clean(self._api.apply(what, namespace, step.doc, True, dry_run=True))
        except ApiError as error:
            step.refused = said(step.doc, error)
            return
        step.more = k8s_objects.more_than(step.doc, step.after)

    def apply(self, steps: Sequence[Step]) -> list[Step]:
        """Apply what would change, in order; what was applied.

        :raises Conflicts: somebody else has taken fields since.
        :raises OpsError: one was refused; the text says what was done before.
        """
        done: list[Step] = []
        if self.progress:
            self.progress.expect(len(steps) + sum(1 for step in steps if step.action != SAME))
        for step in steps:
            if step.action == SAME:
                continue
            self._tell("applying", step.doc)
            try:
                self._apply(step)
            except (ApiError, LookError) as error:
                words = said(step.doc, error) if isinstance(error, ApiError) else str(error)
                left = sum(1 for one in steps if one.action != SAME) - len(done)
                raise OpsError(
                    f"{step.title} was refused: {words}. Before it {len(done)} objects were applied, {left} were not: "
                    "run it again when the cause is gone, it goes on where it was"
                ) from None
            done.append(step)
        return done

    def _apply(self, step: Step) -> None:
        if step.what is None:
            step.what = self._wait_for(text(step.doc, "apiVersion"), text(step.doc, "kind"))
        namespace = k8s_objects.manifest_namespace(step.doc, step.what.namespaced)
        until = time.monotonic() + min(_SERVED_WITHIN, max(self._api.left(), 0.0))
        while True:
            try:
                step.after = k8s_objects.clean(self._api.apply(step.what, namespace, step.doc, self._force))
                return
            except ApiError as error:
                # A kind that was defined a moment ago is not served by every part of the API server yet.
                if error.status != 404 or step.tried or time.monotonic() > until:
                    raise
            time.sleep(_ASK_EVERY)

    def _wait_for(self, api_version: str, kind: str) -> Resource:
        until = time.monotonic() + min(_SERVED_WITHIN, max(self._api.left(), 0.0))
        while True:
            self._api.forget()
            found = self._api.resource(api_version, kind)
            if found is not None:
                return found
            if time.monotonic() > until:
                raise LookError("timeout", f"{api_version}/{kind} is defined, and is not served")
            time.sleep(_ASK_EVERY)


def conflicts(steps: Sequence[Step]) -> str:
    """Who stands in the way of what; empty where nobody does."""
    told = []
    for step in steps:
        by: dict[str, list[str]] = {}
        for manager, path in step.conflicts:
            by.setdefault(manager, []).append(path)
        told += [f"{step.title}: {manager} looks after {', '.join(paths)}" for manager, paths in sorted(by.items())]
    return _some(told)


def refusals(steps: Sequence[Step]) -> str:
    """What the API server does not take; empty where it takes all."""
    return _some([f"{step.title}: {step.refused}" for step in steps if step.refused])


def diffs(steps: Sequence[Step], write: Any) -> list[dict[str, str]]:
    """For ``--diff``: each object that changes, before and after, without the values of Secrets."""
    told = []
    for step in steps:
        if step.action == SAME:
            continue
        before, after = k8s_objects.masked(step.before, step.after)
        told.append(
            {
                "before_header": step.title,
                "after_header": step.title + ("" if step.tried else " (not tried: what it needs is still to be made)"),
                "before": write(before) if before else "",
                "after": write(after) if after else "",
            }
        )
    return told


def said(doc: Doc, error: ApiError) -> str:
    """The server's words, which for a Secret may repeat what is in it."""
    if k8s_objects.kind(doc) == k8s_objects.SECRET:
        where = f" ({', '.join(error.fields)})" if error.fields else ""
        return f"HTTP {error.status} {error.reason}{where}"
    return str(error)


def _defines(doc: Doc) -> tuple[str, str]:
    spec = mapping(doc, "spec")
    return text(spec, "group"), text(spec, "names", "kind")


def _some(told: list[str]) -> str:
    more = f"; and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
    return "; ".join(told[:_NAMED]) + more

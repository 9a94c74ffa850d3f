# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An observation of a cluster, ready for questions, and the findings so far, so that later ones can name causes."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .._core.finding import OK, fingerprint
from .._core.judge import Judge
from .read import Doc, count, dig, docs, flag, labels, mapping, moment, text, texts
from .suspects import deployment_of

_CAUSE_WORDS = re.compile(r'exceeded quota: ([^,\s]+)|failed calling webhook "([^"]+)"')


class Pod:
    """One pod: what was kept of it, with the template that it shares with others."""

    __slots__ = ("detail", "name", "namespace", "node", "obj", "owner", "phase", "ready", "shape")

    def __init__(self, doc: Doc, shape: Doc, owner: tuple[str, str], obj: str) -> None:
        self.name = text(doc, "name")
        self.namespace = text(shape, "namespace")
        self.node = text(doc, "node")
        self.phase = text(doc, "phase")
        self.ready = flag(doc, "ready")
        self.shape = shape
        self.owner = owner
        self.obj = obj
        self.detail = mapping(doc, "detail")

    @property
    def plain(self) -> bool:
        """Whether nothing about it needed a closer look when it was read."""
        return not self.detail

    @property
    def deleting(self) -> bool:
        """Whether somebody has asked for its end."""
        return dig(self.detail, "metadata", "deletionTimestamp") is not None

    @property
    def live(self) -> bool:
        """Whether it should be serving: neither finished nor on its way out."""
        return self.phase not in ("Succeeded", "Failed") and not self.deleting

    def containers(self) -> Iterator[tuple[bool, Doc, Doc]]:
        """Whether it is an init container, its status and its spec; in the order in which they start."""
        for init, key, specs in ((True, "initContainerStatuses", "init"), (False, "containerStatuses", "containers")):
            spec = {text(one, "name"): one for one in docs(self.shape, specs)}
            for status in docs(self.detail, "status", key):
                yield init, status, spec.get(text(status, "name"), {})

    def condition(self, kind: str) -> Doc:
        """A condition of its status; empty where there is none."""
        return next((one for one in docs(self.detail, "status", "conditions") if one.get("type") == kind), {})


class Look:
    """The observation of one cluster, and the judge.

    :ivar now: the cluster's clock at the time of the look, seconds since 1970.
    """

    def __init__(self, observation: Doc, judge: Judge) -> None:
        self.observation = observation
        self.judge = judge
        self.target = judge.target
        self.now = moment(observation.get("now")) or 0.0
        self._told: dict[str, list[tuple[int, str, str]]] = {}
        self._events: dict[tuple[str, str, str], list[Doc]] = {}
        for event in docs(observation, "events"):
            key = (text(event, "kind"), text(event, "namespace"), text(event, "name"))
            self._events.setdefault(key, []).append(event)
        self._cronjobs = {
            (text(job, "metadata", "namespace"), text(job, "metadata", "name")): text(ref, "name")
            for job in self.list("jobs.batch")
            for ref in docs(job, "metadata", "ownerReferences")
            if ref.get("kind") == "CronJob"
        }
        self._owners: dict[int, tuple[str, str]] = {}
        self._images: dict[str, set[str]] | None = None
        self._generations: dict[str, int] | None = None
        self.pods: list[Pod] = []
        self.by_shape: dict[int, list[Pod]] = {}
        self.by_owner: dict[str, list[Pod]] = {}
        self.shapes = docs(observation, "shapes")
        for doc in self.list("pods"):
            index = doc.get("shape")
            if not isinstance(index, int) or not 0 <= index < len(self.shapes):
                continue
            shape = self.shapes[index]
            owner = self._owners.get(index)
            if owner is None:
                owner = self._owners[index] = self._owner(shape)
            kind, name = owner if owner[0] else ("Pod", text(doc, "name"))
            pod = Pod(doc, shape, (kind, name), self.obj(kind, name, text(shape, "namespace")))
            self.pods.append(pod)
            self.by_shape.setdefault(index, []).append(pod)
            self.by_owner.setdefault(pod.obj, []).append(pod)
        self._index: dict[str, dict[tuple[str, str], set[int]]] = {}
        self._all: dict[str, set[int]] = {}
        for index in self.by_shape:
            shape = self.shapes[index]
            namespace = text(shape, "namespace")
            self._all.setdefault(namespace, set()).add(index)
            for pair in labels(shape, "labels").items():
                self._index.setdefault(namespace, {}).setdefault(pair, set()).add(index)

    def list(self, kind: str) -> builtins.list[Doc]:
        """The objects of a kind that were seen; none where the kind could not be listed."""
        return docs(self.observation, "lists", kind)

    def seen(self, kind: str) -> bool:
        """Whether a kind was listed to its end."""
        return isinstance(dig(self.observation, "lists", kind), list)

    def obj(self, kind: str, name: str, namespace: str = "") -> str:
        """The name of an object in findings."""
        return "/".join(part for part in (self.target, namespace, kind, name) if part)

    def of(self, doc: Doc, kind: str) -> str:
        """The name in findings of an API document of a kind."""
        return self.obj(kind, text(doc, "metadata", "name"), text(doc, "metadata", "namespace"))

    def age(self, when: Any) -> float:
        """Seconds since a time of the API; 0 where it is none or lies ahead."""
        seconds = moment(when)
        return max(self.now - seconds, 0.0) if seconds is not None else 0.0

    def events(self, kind: str, namespace: str, name: str, *reasons: str) -> builtins.list[Doc]:
        """Warnings about an object, the latest first."""
        found = [
            event
            for event in self._events.get((kind, namespace, name), [])
            if not reasons or event.get("reason") in reasons
        ]
        return sorted(found, key=lambda event: moment(event.get("last")) or 0.0, reverse=True)

    def select(self, namespace: str, wanted: Mapping[str, str]) -> builtins.list[Pod]:
        """The pods of a namespace that carry all these labels; none for an empty selector, as Services have it."""
        if not wanted:
            return []
        index = self._index.get(namespace, {})
        groups = [index.get(pair, set()) for pair in wanted.items()]
        return self._pods_of(set.intersection(*groups))

    def match(self, namespace: str, selector: Any) -> builtins.list[Pod]:
        """The pods that a label selector (``matchLabels``, ``matchExpressions``) selects; an empty one selects all."""
        matched = labels(selector, "matchLabels")
        index = self._index.get(namespace, {})
        found = set(self._all.get(namespace, set()))
        for pair in matched.items():
            found &= index.get(pair, set())
        expressions = docs(selector, "matchExpressions")
        if expressions:
            found = {one for one in found if fits(labels(self.shapes[one], "labels"), expressions)}
        return self._pods_of(found)

    def users_of(self, image: str) -> int:
        """How many owners have live pods that run an image."""
        if self._images is None:
            self._images = {}
            for index, pods in self.by_shape.items():
                for key in ("containers", "init"):
                    for one in docs(self.shapes[index], key):
                        users = self._images.setdefault(text(one, "image"), set())
                        users.update(pod.obj for pod in pods if pod.live)
        return len(self._images.get(image, ()))

    def generation(self, obj: str) -> int:
        """How often the specification of a workload was written; 0 where it was not listed."""
        if self._generations is None:
            kinds = {
                "deployments.apps": "Deployment",
                "statefulsets.apps": "StatefulSet",
                "daemonsets.apps": "DaemonSet",
            }
            self._generations = {
                self.of(doc, kind): count(doc, "metadata", "generation")
                for name, kind in kinds.items()
                for doc in self.list(name)
            }
        return self._generations.get(obj, 0)

    def report(self, check: str, obj: str, title: str, **more: Any) -> str:
        """File a finding and remember it as a possible cause of later ones."""
        return self._remember(check, obj, self.judge.report(check, obj, title, **more))

    def value(self, check: str, obj: str, value: float, title: str, counted: bool = False, **more: Any) -> str:
        """Judge a number and remember a finding as a possible cause of later ones.

        :param counted: this object has already been counted as looked at.
        """
        if counted:
            self.judge.looked(check, -1)
        return self._remember(check, obj, self.judge.value(check, obj, value, title, **more))

    def cause(self, *objects: str, above: int = 1000) -> str | None:
        """The fingerprint of the finding nearest to a cause among those of some objects; None where they have none.

        :param above: only findings of a lower rank than this.
        """
        found = [one for obj in objects for one in self._told.get(obj, ()) if one[0] < above]
        return min(found)[2] if found else None

    def told(self, obj: str, *checks: str) -> bool:
        """Whether an object has a finding (of one of these checks) already."""
        return any(not checks or check in checks for _rank, check, _print in self._told.get(obj, ()))

    def cause_in(self, message: str, namespace: str) -> str | None:
        """The finding about the quota or the webhook that a controller's message names."""
        for quota, webhook in _CAUSE_WORDS.findall(message):
            found = (
                self.cause(self.obj("ResourceQuota", quota, namespace)) if quota else self.cause("webhook:" + webhook)
            )
            if found:
                return found
        return None

    def alias(self, name: str, obj: str) -> None:
        """Make the findings of an object findable under another name, too."""
        if obj in self._told:
            self._told.setdefault(name, []).extend(self._told[obj])

    def _remember(self, check: str, obj: str, status: str) -> str:
        if status != OK and self.judge.active(check):
            rank = self.judge.checks[check].rank
            self._told.setdefault(obj, []).append((rank, check, fingerprint(check, obj)))
        return status

    def _pods_of(self, shapes: Iterable[int]) -> builtins.list[Pod]:
        return [pod for index in sorted(shapes) for pod in self.by_shape.get(index, [])]

    def _owner(self, shape: Doc) -> tuple[str, str]:
        """The object that people know, of what controls a pod: the Deployment of a ReplicaSet, the CronJob of a Job."""
        parts = texts(shape, "owner")
        if len(parts) != 2 or parts[0] == "Node":
            return ("", "")
        kind, name = parts
        namespace = text(shape, "namespace")
        if kind == "ReplicaSet":
            known = texts(self.observation, "owners", f"{namespace}/{name}")
            if len(known) == 2:
                return (known[0], known[1])
            deployment = deployment_of(name, shape)
            return ("Deployment", deployment) if deployment else (kind, name)
        if kind == "Job" and (namespace, name) in self._cronjobs:
            return ("CronJob", self._cronjobs[(namespace, name)])
        return (kind, name)


def fits(given: Mapping[str, str], expressions: Iterable[Doc]) -> bool:
    """Whether labels meet the ``matchExpressions`` of a selector."""
    for one in expressions:
        key, operator, values = text(one, "key"), text(one, "operator"), texts(one, "values")
        there = key in given
        if operator == "In" and given.get(key) not in values:
            return False
        if operator == "NotIn" and there and given[key] in values:
            return False
        if operator == "Exists" and not there:
            return False
        if operator == "DoesNotExist" and there:
            return False
    return True


def wanted_replicas(doc: Doc) -> int:
    """``spec.replicas``, 1 where it is left out."""
    return count(doc, "spec", "replicas") if "replicas" in mapping(doc, "spec") else 1

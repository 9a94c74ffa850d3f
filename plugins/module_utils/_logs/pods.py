# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs of pods: one list call, then the logs of all containers side by side over a bounded number of connections."""

from __future__ import annotations

import fnmatch
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from .._core.errors import LookError
from .._k8s.access import find
from .._k8s.client import Client
from .._k8s.read import Doc, count, docs, labels, mapping, moment, text
from .book import Book, Owner
from .look import Look
from .scan import scan_bytes

_CONNECTIONS = 8
_GONE = "unable to retrieve container logs for"
_LABELS = ("app.kubernetes.io/name", "app", "k8s-app", "app.kubernetes.io/instance")
# The container has not begun, or is gone since the list was made: there is no log, and nothing is missed.
_NOT_BEGUN = (
    "is waiting to start",
    "ContainerCreating",
    "PodInitializing",
    "not found",
    "previous terminated container",
    # of an evicted pod, whose container is removed
    "is terminated",
)


@dataclass(frozen=True)
class Bounds:
    """How much is read of one container."""

    lines: int
    bytes: int


@dataclass(frozen=True)
class _Log:
    owner: str
    service: str
    namespace: str
    pod: str
    container: str
    previous: bool


def look_at_pods(given: Mapping[str, Any], book: Book, look: Look, until: float, bounds: Bounds) -> None:
    """Count the errors in the logs of a cluster's pods.

    :param given: the options of the source: those of a connection, `namespaces`, `exclude_namespaces`, `previous`.
    :raises OptionError: a wrong kubeconfig, a missing library.
    """
    client = Client(find(given), until - 0.2, _CONNECTIONS)
    excluded = [str(name) for name in given.get("exclude_namespaces") or []]
    try:
        logs: list[_Log] = []
        for namespace in given.get("namespaces") or [""]:
            where = "/namespaces/" + quote(str(namespace), safe="") if namespace else ""
            path = f"/api/v1{where}/pods"
            for found in client.each(path, lambda doc: _logs_of(doc, book.start, given.get("previous") is not False)):
                logs += [one for one in found if not any(fnmatch.fnmatchcase(one.namespace, each) for each in excluded)]
    except LookError as error:
        look.failed(error.kind, error.text)
        return
    for one in logs:
        book.owner(one.owner, "pods", one.service)
    look.took(0, len({(one.namespace, one.pod) for one in logs}))
    _read_all(client, logs, book, look, until, bounds)


def _logs_of(doc: Doc, start: float, previous: bool) -> list[_Log]:
    """The logs that a pod has within the window."""
    namespace, pod = text(doc, "metadata", "namespace"), text(doc, "metadata", "name")
    if not namespace or not pod:
        return []
    kind, name = _owner(doc)
    known = labels(doc, "metadata", "labels")
    service = next((known[key] for key in _LABELS if known.get(key)), name)
    found = []
    for status in docs(doc, "status", "initContainerStatuses") + docs(doc, "status", "containerStatuses"):
        container = text(status, "name")
        state = mapping(status, "state")
        ended = moment(text(state, "terminated", "finishedAt"))
        log = _Log("/".join((namespace, kind, name)), service, namespace, pod, container, False)
        if "waiting" not in state and not (ended is not None and ended < start):
            found.append(log)
        last = mapping(status, "lastState", "terminated")
        ended = moment(text(last, "finishedAt"))
        if previous and count(status, "restartCount") and last and (ended is None or ended >= start):
            found.append(_Log(log.owner, service, namespace, pod, container, True))
    return found


def _owner(doc: Doc) -> tuple[str, str]:
    """Kind and name of what a pod belongs to: Deployments instead of their ReplicaSets, CronJobs instead of Jobs."""
    pod = text(doc, "metadata", "name")
    for reference in docs(doc, "metadata", "ownerReferences"):
        if reference.get("controller") is not True:
            continue
        kind, name = text(reference, "kind"), text(reference, "name")
        template = labels(doc, "metadata", "labels").get("pod-template-hash", "")
        if kind == "ReplicaSet" and template and name.endswith("-" + template):
            return "Deployment", name[: -len(template) - 1]
        front, _dash, number = name.rpartition("-")
        if kind == "Job" and front and number.isdigit() and len(number) >= 8:
            return "CronJob", front
        if kind and name:
            return kind, name
    return "Pod", pod


def _read_all(client: Client, logs: Sequence[_Log], book: Book, look: Look, until: float, bounds: Bounds) -> None:
    waiting: queue.SimpleQueue[_Log] = queue.SimpleQueue()
    for one in logs:
        waiting.put(one)
    left = {"logs": len(logs)}
    lock = threading.Lock()

    def work() -> None:
        while True:
            try:
                one = waiting.get_nowait()
            except queue.Empty:
                return
            if book.full:
                look.bounded(f"more than {book.most_events} errors: what came after them was not counted")
                return
            try:
                _read(client, one, book, look, bounds)
            except LookError as error:
                _missed(one, error, look)
            except Exception as error:  # noqa: BLE001  # a thread must not end silently with logs unread
                look.failed("other", f"{one.namespace}/{one.pod}: {type(error).__name__}: {error}")
            with lock:
                left["logs"] -= 1

    # The threads are daemons: one that hangs in a system call holds up nobody.
    threads = [threading.Thread(target=work, daemon=True) for _number in range(min(_CONNECTIONS, len(logs)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0.0))
    with lock:
        missing = left["logs"]
    if missing and not book.full:
        look.failed("timeout", "%d of %d logs were not read before the deadline" % (missing, len(logs)))


def _missed(one: _Log, error: LookError, look: Look) -> None:
    if error.kind == "missing" or any(words in error.text for words in _NOT_BEGUN):
        return
    # What was not read because the deadline was over is told once, by the one who waits.
    if error.kind != "timeout":
        look.failed(error.kind, f"{one.namespace}/{one.pod}/{one.container}: {error.text}")
    else:
        look.failed(error.kind, f"{one.namespace}/{one.pod}/{one.container}: no complete log in time")


def _read(client: Client, one: _Log, book: Book, look: Look, bounds: Bounds) -> None:
    query = {
        "container": one.container,
        "sinceSeconds": str(max(int(book.end - book.start), 1)),
        "tailLines": str(bounds.lines),
        "limitBytes": str(bounds.bytes),
    }
    if one.previous:
        query["previous"] = "true"
    where = "/api/v1/namespaces/{}/pods/{}".format(quote(one.namespace, safe=""), quote(one.pod, safe=""))
    path = f"{where}/log?{urlencode(query)}"
    log = client.tail(path, bounds.bytes)
    if log.startswith(_GONE):
        # The kubelet answers 200 with this text where it has removed the container: that is no line of its log.
        return
    cut = log.rfind("\n" + _GONE)
    if cut >= 0 and "\n" not in log[cut + 1 :].rstrip("\n"):
        log = log[: cut + 1]
    raw = log.encode("utf-8", "replace")
    look.took(len(raw))
    where = f"{one.namespace}/{one.pod}" + (" (previous)" if one.previous else "")
    if len(raw) >= bounds.bytes:
        look.bounded(f"{where}: more than {bounds.bytes >> 10} KiB of log")
    elif raw.count(b"\n") >= bounds.lines:
        look.bounded(f"{where}: more than {bounds.lines} lines of log")
    owner: Owner = book.owner(one.owner, "pods", one.service)
    scan_bytes(raw, lambda event: book.line(owner, event, where))

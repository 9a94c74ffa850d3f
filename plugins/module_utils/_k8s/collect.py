# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a cluster: one list call a kind, side by side, then a second look at the few objects in trouble."""

from __future__ import annotations

import datetime
import fnmatch
import queue
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Callable
from urllib.parse import quote

from .._core.errors import LookError
from . import prune, suspects
from .access import find
from .client import Client
from .kinds import KINDS, Kind
from .pod_reducer import PodReducer
from .read import Doc, docs, text

_WORKERS = 4
_MOST_EVENTS = 2000
# What is still missing when this is left of the deadline is not waited for: judging takes a moment, too.
_RESERVE = 0.2
_GONE = "unable to retrieve container logs for"

Task = tuple[str, Callable[[], Any]]


def collect(params: Mapping[str, Any]) -> Doc:
    """Look at the cluster that the options name.

    :param params: the options of the module.
    :returns: plain JSON values: ``now`` (the API server's clock), ``server``, ``version``, ``api`` (why nothing could
        be seen, or None), ``failing`` (parts that are not ready), ``lists`` (reduced objects by kind), ``shapes`` (the
        templates of the pods), ``errors`` (kinds that could not be listed), ``events``, ``logs``, ``owners``,
        ``secrets`` (names by namespace).
    :raises OptionError: an option or a kubeconfig is wrong, a library is missing.
    """
    until = time.monotonic() + float(params["deadline"]) - _RESERVE
    access = find(params)
    client = Client(access, until, _WORKERS)
    observation: Doc = {"server": access.host, "now": _iso(time.time()), "api": None, "failing": []}
    first: dict[str, Any] = {}
    errors: dict[str, LookError] = {}
    _side_by_side([("version", lambda: client.get("/version")), ("ready", client.failing)], client, first, errors)
    if "version" in errors:
        observation["api"] = _plain(errors["version"])
        return observation
    observation["version"], clock = first["version"]
    if clock:
        observation["now"] = _iso(clock)
    observation["failing"] = first.get("ready", [])
    _lists(client, params, observation)
    _second_look(client, int(params.get("log_lines") or 0), observation)
    return observation


def _lists(client: Client, params: Mapping[str, Any], observation: Doc) -> None:
    namespaces = [str(name) for name in params.get("namespaces") or []]
    excluded = [str(name) for name in params.get("exclude_namespaces") or []]
    reducer = PodReducer()

    def wanted(doc: Doc) -> bool:
        namespace = text(doc, "metadata", "namespace")
        return not (namespace and any(fnmatch.fnmatchcase(namespace, pattern) for pattern in excluded))

    def read(kind: Kind) -> list[Any]:
        reduce = reducer if kind.name == "pods" else kind.keep
        keep = (lambda doc: reduce(doc) if wanted(doc) else None) if excluded else reduce
        kept: list[Any] = []
        for namespace in namespaces if namespaces and kind.namespaced else [""]:
            kept.extend(client.each(kind.url(namespace), keep))
        return kept

    lists: dict[str, Any] = {}
    errors: dict[str, LookError] = {}
    _side_by_side([(kind.name, partial(read, kind)) for kind in KINDS], client, lists, errors)
    observation["lists"] = lists
    observation["shapes"] = reducer.shapes
    observation["errors"] = {name: _plain(error) for name, error in errors.items()}
    observation["chosen"] = {"namespaces": namespaces, "exclude": excluded}


def _second_look(client: Client, log_lines: int, observation: Doc) -> None:
    tasks: list[Task] = [
        ("events/" + namespace, partial(_events, client, namespace))
        for namespace in suspects.event_namespaces(observation)
    ]
    if log_lines > 0:
        for target in suspects.log_targets(observation):
            tasks += [("logs/" + "/".join(target[:3]), partial(_log, client, target, log_lines))]
    for namespace, name in suspects.unresolved_owners(observation):
        tasks += [(f"owners/{namespace}/{name}", partial(_owner, client, namespace, name))]
    for namespace in suspects.tls_namespaces(observation):
        tasks += [("secrets/" + namespace, partial(_secrets, client, namespace))]
    found: dict[str, Any] = {}
    errors: dict[str, LookError] = {}
    _side_by_side(tasks, client, found, errors)
    for part in ("events", "logs", "owners", "secrets"):
        ours = {key.split("/", 1)[1]: value for key, value in found.items() if key.startswith(part + "/")}
        lost = {key.split("/", 1)[1]: _plain(value) for key, value in errors.items() if key.startswith(part + "/")}
        observation[part] = [event for one in ours.values() for event in one] if part == "events" else ours
        observation[part + "_errors"] = lost


def _events(client: Client, namespace: str) -> list[Any]:
    path = "/api/v1/namespaces/%s/events" % (quote(namespace, safe=""),)
    return client.each(path, prune.event, selector="type!=Normal", most=_MOST_EVENTS)


def _log(client: Client, target: suspects.LogTarget, lines: int) -> list[str]:
    namespace, pod, container, previous = target
    path = "/api/v1/namespaces/%s/pods/%s/log?container=%s&tailLines=%d&limitBytes=16384%s" % (
        quote(namespace, safe=""),
        quote(pod, safe=""),
        quote(container, safe=""),
        lines,
        "&previous=true" if previous else "",
    )
    tail = client.tail(path)
    if tail.startswith(_GONE) or "\n" + _GONE in tail:
        # The kubelet answers 200 with this text where it has removed the container: that is no line of its log.
        raise LookError("missing", "the kubelet has already removed the log")
    return [line[:500] for line in tail.splitlines() if line.strip()][-lines:]


def _owner(client: Client, namespace: str, name: str) -> list[str]:
    path = "/apis/apps/v1/namespaces/%s/replicasets/%s" % (quote(namespace, safe=""), quote(name, safe=""))
    doc, _clock = client.get(path)
    refs = [ref for ref in docs(doc, "metadata", "ownerReferences") if ref.get("controller") is True]
    return [text(refs[0], "kind"), text(refs[0], "name")] if refs else []


def _secrets(client: Client, namespace: str) -> list[Any]:
    # Metadata only: values neither travel nor are kept.
    path = "/api/v1/namespaces/%s/secrets" % (quote(namespace, safe=""),)
    return client.each(path, lambda doc: text(doc, "metadata", "name") or None, metadata=True)


def _side_by_side(tasks: list[Task], client: Client, found: dict[str, Any], errors: dict[str, LookError]) -> None:
    """Run tasks in a few threads until the deadline; what has not come back by then is an error, and is left behind.

    The threads are daemons, so that one that hangs in a system call (a resolver, a socket that drips) holds up nobody.
    """
    waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
    for task in tasks:
        waiting.put(task)
    done: queue.SimpleQueue[tuple[str, Any, LookError | None]] = queue.SimpleQueue()

    def work() -> None:
        while True:
            try:
                name, run = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((name, run(), None))
            except LookError as error:
                done.put((name, None, error))
            except Exception as error:  # noqa: BLE001  # a thread must answer, or it is waited for
                done.put((name, None, LookError("other", f"{type(error).__name__}: {error}")))

    for _number in range(min(_WORKERS, len(tasks))):
        threading.Thread(target=work, daemon=True).start()
    missing = {name for name, _run in tasks}
    while missing:
        try:
            name, value, error = done.get(timeout=max(client.left(), 0.001) + 0.05)
        except queue.Empty:
            break
        missing.discard(name)
        if error is None:
            found[name] = value
        else:
            errors[name] = error
    for name in missing:
        errors[name] = LookError("timeout", "no complete answer before the deadline")


def _plain(error: LookError) -> dict[str, str]:
    return {"kind": error.kind, "text": error.text}


def _iso(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

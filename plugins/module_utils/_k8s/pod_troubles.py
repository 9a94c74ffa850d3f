# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with one pod: the most telling reason for each container, from its status and the events about it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from .look import Look, Pod
from .read import Doc, count, docs, flag, mapping, moment, size, span, text, texts, whole

HOUR = 3600.0
DAY = 86400.0
_SCHEDULE_GRACE = 30
_CREATE_GRACE = 45
_CREATE_LIMIT = 300
_READY_GRACE = 20

# What kubelet and runtime call a process that could not even be executed.
_NEVER_STARTED = ("StartError", "ContainerCannotRun")
_PULL_REASONS = (
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
)
# In this order: a registry's refusal often also says that something was not found.
_PULL_CAUSES: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    (
        "rate limit",
        "the registry's rate limit is reached",
        re.compile(r"(?i)toomanyrequests|too many requests|\b429\b|rate.?limit"),
    ),
    (
        "authentication",
        "the registry refuses the credentials",
        re.compile(
            r"(?i)unauthorized|authentication required|no basic auth|access denied|denied:|forbidden|\b40[13]\b"
        ),
    ),
    (
        "not found",
        "there is no such image",
        re.compile(r"(?i)not found|manifest unknown|name unknown|does not exist|\b404\b"),
    ),
    (
        "unreachable",
        "the registry cannot be reached",
        re.compile(
            r"(?i)no such host|refused|timeout|deadline exceeded|no route|unreachable|x509|handshake|EOF|dial tcp"
        ),
    ),
)
_MISSING = (
    re.compile(r'(?i)\b(?P<kind>configmap|secret)s? "(?P<name>[^"]+)" not found'),
    re.compile(r"couldn't find key (?P<key>\S+) in (?P<kind>ConfigMap|Secret) (?P<name>\S+)"),
    re.compile(r"references non-existent (?P<kind>config|secret) key: (?P<key>\S+)"),
)
# What each layer of the runtime puts before the reason.
_LAYERS = re.compile(r"^(?:failed to create [^:]{1,40}: |OCI runtime create failed: |runc create failed: )+")
_PROBE = re.compile(r"^(Liveness|Startup) probe (failed|errored)")
_READINESS = re.compile(r"^Readiness probe (failed|errored)")


@dataclass
class Trouble:
    """One reason why a pod is not well.

    :ivar check: the check that it answers.
    :ivar what: the end of the title, after the owner's name.
    :ivar value: number of the check's unit, where it has one.
    :ivar evidence: facts about this pod.
    :ivar container: ``namespace/pod/container`` whose log explains it.
    :ivar recent: False for what has happened but does not go on.
    """

    check: str
    what: str
    value: float | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    container: str = ""
    recent: bool = True


def troubles(look: Look, pod: Pod) -> list[Trouble]:
    """Everything that is wrong with a pod, one entry a reason; nothing for what is normal in a pod's life."""
    if pod.plain:
        return []
    if pod.deleting:
        return _deleting(look, pod)
    if pod.phase == "Failed":
        return _failed(look, pod)
    if pod.phase == "Succeeded":
        return []
    if not pod.node:
        return _unscheduled(look, pod)
    found: list[Trouble] = []
    for init, status, spec in pod.containers():
        one = _container(look, pod, init and not flag(spec, "sidecar"), status)
        if one is not None:
            found.append(one)
    if not any(one.recent for one in found):
        found += _creating(look, pod) or _unready(look, pod)
    return found


def _deleting(look: Look, pod: Pod) -> list[Trouble]:
    # The deletionTimestamp already holds the grace period: it is the time by which the pod should have gone.
    late = look.age(text(pod.detail, "metadata", "deletionTimestamp"))
    finalizers = texts(pod.detail, "metadata", "finalizers")
    if not late:
        return []
    held = (
        "held by the finalizer %s" % (", ".join(finalizers),)
        if finalizers
        else "without a finalizer: its node does not confirm the end"
    )
    return [
        Trouble(
            "k8s.terminating",
            f"should have been gone {span(late)} ago, {held}",
            round(late),
            {"finalizers": finalizers, "node": pod.node},
        )
    ]


def _failed(look: Look, pod: Pod) -> list[Trouble]:
    ends = [text(state, "finishedAt") for state in _ends(pod)] or [text(pod.detail, "status", "startTime")]
    if min(look.age(when) for when in ends) > DAY:
        return []
    reason = text(pod.detail, "status", "reason")
    message = text(pod.detail, "status", "message")
    if reason in ("Evicted", "Preempting"):
        return [
            Trouble(
                "k8s.evicted",
                "has been evicted: %s" % (message or reason),
                None,
                {"message": message, "node": pod.node},
            )
        ]
    if pod.owner[0] in ("Job", "CronJob"):
        return []  # k8s.job_failed judges the Job: a failed attempt within its backoff limit is normal
    if reason in ("Terminated", "NodeShutdown", "Shutdown", "NodeAffinity", "Terminating"):
        return []  # a node was shut down in order; the controller has made another pod
    codes = [whole(state, "exitCode") for state in _ends(pod)]
    codes = [code for code in codes if code]
    what = "has failed (%s)" % (
        ", ".join(part for part in (f"exit {codes[0]}" if codes else "", reason, message) if part) or "no reason given"
    )
    first = next(
        (text(status, "name") for _init, status, _spec in pod.containers() if mapping(status, "state", "terminated")),
        "",
    )
    return [Trouble("k8s.pod_failed", what, None, {"node": pod.node}, f"{pod.namespace}/{pod.name}/{first}")]


def _ends(pod: Pod) -> list[Doc]:
    ends = [mapping(status, "state", "terminated") for _init, status, _spec in pod.containers()]
    return [one for one in ends if one]


def _unscheduled(look: Look, pod: Pod) -> list[Trouble]:
    scheduled = pod.condition("PodScheduled")
    if text(scheduled, "reason") == "SchedulingGated":
        return []
    if not scheduled:
        age = look.age(text(pod.detail, "metadata", "creationTimestamp"))
        if age < 2 * _SCHEDULE_GRACE:
            return []
        name = text(pod.shape, "scheduler") or "default-scheduler"
        return [
            Trouble(
                "k8s.unschedulable",
                f"waits for a node since {span(age)}, and the scheduler {name} has not looked at it",
                None,
                {"scheduler": name},
            )
        ]
    age = look.age(text(scheduled, "lastTransitionTime"))
    if text(scheduled, "status") == "True" or age < _SCHEDULE_GRACE:
        return []
    message = text(scheduled, "message")
    return [
        Trouble(
            "k8s.unschedulable",
            f"finds no node since {span(age)}: {message}",
            None,
            {"scheduler": message, "since": text(scheduled, "lastTransitionTime")},
        )
    ]


def _container(look: Look, pod: Pod, init: bool, status: Doc) -> Trouble | None:
    name = text(status, "name")
    waiting = mapping(status, "state", "waiting")
    reason = text(waiting, "reason")
    message = text(waiting, "message")
    evidence: dict[str, Any] = {"container": name}
    which = f"init container {name}" if init else f"container {name}"
    if reason in _PULL_REASONS:
        return _pull(look, pod, status, evidence)
    if reason == "CreateContainerConfigError":
        missing = _missing(message)
        if missing:
            return Trouble(
                "k8s.missing_config", f"cannot start {which}: {missing}", None, {**evidence, "message": message}
            )
        return Trouble(
            "k8s.container_start",
            f"cannot configure {which}: {message or reason}",
            None,
            {**evidence, "message": message},
        )
    if reason in (
        "CreateContainerError",
        "RunContainerError",
        "StartError",
        "ContainerCannotRun",
        "PostStartHookError",
        "PreStartHookError",
    ):
        return Trouble(
            "k8s.container_start",
            f"cannot start {which}: {_LAYERS.sub('', message) or reason}",
            None,
            {**evidence, "reason": reason, "message": message},
        )
    return _died(look, pod, init, status, evidence)


def _pull(look: Look, pod: Pod, status: Doc, evidence: dict[str, Any]) -> Trouble:
    name, image = text(status, "name"), text(status, "image")
    reason = text(status, "state", "waiting", "reason")
    said = text(status, "state", "waiting", "message")
    # While the kubelet backs off, its status may only name the image: the event has the registry's answer.
    events = [
        text(event, "message") for event in look.events("Pod", pod.namespace, pod.name, "Failed") if _about(event, name)
    ]
    full = " ".join([said, *events])
    cause, plain = "other", "reason unknown"
    if reason == "InvalidImageName":
        cause, plain = "invalid name", "the image's name is invalid"
    elif reason == "ErrImageNeverPull":
        cause, plain = "never pulled", "it is not on the node, and imagePullPolicy is Never"
    else:
        # The image's own name may hold any of the words that tell causes apart.
        searched = full.replace(image, "") if image else full
        for known, words, pattern in _PULL_CAUSES:
            if pattern.search(searched):
                cause, plain = known, words
                break
    return Trouble(
        "k8s.image_pull",
        "cannot pull %s: %s" % (image or "an image", plain),
        None,
        {**evidence, "image": image, "cause": cause, "message": said or (events[0] if events else reason)},
    )


def _died(look: Look, pod: Pod, init: bool, status: Doc, evidence: dict[str, Any]) -> Trouble | None:
    """Crashes, OOM kills and probes that kill; None for a container that lives, or has recovered."""
    name = text(status, "name")
    restarts = count(status, "restartCount")
    now = mapping(status, "state", "terminated")
    before = mapping(status, "lastState", "terminated")
    running = mapping(status, "state", "running")
    backoff = text(status, "state", "waiting", "reason") == "CrashLoopBackOff"
    last = now if now and whole(now, "exitCode") != 0 else before
    if not last and not backoff:
        return None
    since = look.age(text(last, "finishedAt"))
    code = whole(last, "exitCode")
    evidence = {
        **evidence,
        "restarts": restarts,
        "exit_code": code,
        "reason": text(last, "reason"),
        "finished": text(last, "finishedAt"),
    }
    where = f"{pod.namespace}/{pod.name}/{name}"
    if text(last, "reason") in _NEVER_STARTED and (backoff or now):
        message = text(last, "message")
        said = {**evidence, "message": message}
        return Trouble(
            "k8s.container_start",
            f"cannot start container {name}: {_LAYERS.sub('', message) or last['reason']}",
            None,
            said,
        )
    looping = backoff or bool(now and restarts) or _flaps(look, before, running, restarts)
    if text(last, "reason") == "OOMKilled":
        if since > DAY:
            return None
        limit = _memory_limit(pod, name)
        fresh = looping or since < HOUR
        what = "was OOM-killed %s ago at its limit of %s (container %s, %d restarts)" % (
            span(since),
            limit or "none: the node ran out",
            name,
            restarts,
        )
        return Trouble("k8s.oom_killed", what, float(restarts), {**evidence, "limit": limit}, where, recent=fresh)
    if pod.owner[0] in ("Job", "CronJob") and not backoff:
        return None
    if pod.owner[0] in ("Job", "CronJob") and text(pod.shape, "restart") != "Always":
        return None  # retries within the backoff limit; k8s.job_failed has the last word
    if not looping:
        return None
    probe = _killed_by_probe(look, pod, name, last)
    if probe:
        return Trouble(
            "k8s.liveness",
            "is killed by its %s probe (container %s, %d restarts): %s"
            % (probe.split(" ", 1)[0].lower(), name, restarts, probe),
            float(restarts),
            {**evidence, "probe": probe},
            where,
        )
    kind = "init container" if init else "container"
    ended = "exit 0: it ends instead of serving" if code == 0 else f"exit {code}{_signal(code)}"
    title = "is crash-looping (%s %s, %s, %d restarts)" % (kind, name, ended, restarts)
    return Trouble("k8s.crash_loop", title, float(restarts), evidence, where)


def _flaps(look: Look, before: Doc, running: Doc, restarts: int) -> bool:
    """Whether a container that runs just now has died often, and not yet run for longer than it used to."""
    started, ended = moment(text(before, "startedAt")), moment(text(before, "finishedAt"))
    if not running or restarts < 2 or started is None or ended is None or whole(before, "exitCode") is None:
        return False
    if text(before, "reason") == "Unknown":
        return False  # the node or its runtime was started again
    return look.age(text(running, "startedAt")) < max(60.0, min(2 * (ended - started), 1800.0))


def _killed_by_probe(look: Look, pod: Pod, container: str, last: Doc) -> str:
    """What a liveness or startup probe said shortly before a container ended; empty where none said anything."""
    ended = moment(text(last, "finishedAt")) or 0.0
    for event in look.events("Pod", pod.namespace, pod.name, "Unhealthy"):
        message = text(event, "message")
        # The container has had its grace period between the last failure and its end.
        if _PROBE.match(message) and _about(event, container) and (moment(text(event, "last")) or 0.0) > ended - 75:
            return message
    return ""


def _about(event: Doc, container: str) -> bool:
    """Whether an event about a pod is about a container of it, or about none in particular."""
    path = text(event, "field")
    return not path or f"{{{container}}}" in path


def _creating(look: Look, pod: Pod) -> list[Trouble]:
    """Containers that are not even created: volumes, sandbox, or an init container that takes its time."""
    waits = [
        (status, text(status, "state", "waiting", "reason"))
        for _init, status, _spec in pod.containers()
        if mapping(status, "state", "waiting")
    ]
    busy = next(
        (
            status
            for init, status, spec in pod.containers()
            if init and not flag(spec, "sidecar") and mapping(status, "state", "running")
        ),
        None,
    )
    if busy is not None:
        age = look.age(text(busy, "state", "running", "startedAt"))
        what = "waits for its init container %s since %s" % (text(busy, "name"), span(age))
        where = "%s/%s/%s" % (pod.namespace, pod.name, text(busy, "name"))
        return [Trouble("k8s.init_stuck", what, round(age), {"container": text(busy, "name")}, where)]
    untouched = pod.phase == "Pending" and not any(True for _one in pod.containers())
    if not untouched and not any(reason in ("ContainerCreating", "PodInitializing") for _status, reason in waits):
        return []
    if look.told(look.obj("Node", pod.node), "k8s.node_ready"):
        what = f"waits for its containers on node {pod.node}, which is not ready"
        return [Trouble("k8s.container_start", what, None, {"node": pod.node})]
    age = look.age(text(pod.condition("PodScheduled"), "lastTransitionTime")) or look.age(
        text(pod.detail, "metadata", "creationTimestamp")
    )
    if age < _CREATE_GRACE:
        return []
    for event in look.events("Pod", pod.namespace, pod.name, "FailedMount", "FailedAttachVolume", "FailedMapVolume"):
        message = text(event, "message")
        missing = _missing(message)
        if missing:
            return [Trouble("k8s.missing_config", f"cannot mount a volume: {missing}", None, {"message": message})]
        return [
            Trouble(
                "k8s.failed_mount",
                f"cannot mount a volume since {span(age)}: {message}",
                None,
                {"message": message, "node": pod.node},
            )
        ]
    for event in look.events(
        "Pod", pod.namespace, pod.name, "FailedCreatePodSandBox", "FailedCreatePodContainer", "NetworkNotReady"
    ):
        message = text(event, "message")
        return [
            Trouble(
                "k8s.container_start",
                f"cannot make its sandbox since {span(age)}: {message}",
                None,
                {"message": message, "node": pod.node},
            )
        ]
    if age < _CREATE_LIMIT:
        return []
    return [
        Trouble(
            "k8s.container_start",
            f"waits for its containers since {span(age)}, and no event says why",
            None,
            {"node": pod.node},
        )
    ]


def _unready(look: Look, pod: Pod) -> list[Trouble]:
    ready = pod.condition("Ready")
    if pod.phase != "Running" or text(ready, "status") == "True" or pod.owner[0] in ("Job", "CronJob"):
        return []
    if look.told(look.obj("Node", pod.node), "k8s.node_ready"):
        return [Trouble("k8s.readiness", f"has pods on node {pod.node}, which is not ready", None, {"node": pod.node})]
    since = look.age(text(ready, "lastTransitionTime"))
    for _init, status, spec in pod.containers():
        running = mapping(status, "state", "running")
        if flag(status, "ready") or not running:
            continue
        allowed = count(spec, "readiness") + (count(spec, "startup") if not flag(status, "started") else 0)
        if min(look.age(text(running, "startedAt")), since) < allowed + _READY_GRACE:
            continue
        name = text(status, "name")
        events = [
            text(event, "message")
            for event in look.events("Pod", pod.namespace, pod.name, "Unhealthy")
            if _about(event, name) and _READINESS.match(text(event, "message"))
        ]
        what = "is not ready since %s (container %s): %s" % (
            span(since),
            name,
            events[0] if events else "no event says why",
        )
        return [Trouble("k8s.readiness", what, None, {"container": name, "probe": events[0] if events else None}, "")]
    gates = [gate for gate in texts(pod.shape, "gates") if text(pod.condition(gate), "status") != "True"]
    if gates and text(pod.condition("ContainersReady"), "status") == "True" and since > 60 + _READY_GRACE:
        return [
            Trouble(
                "k8s.readiness",
                f"is not ready since {span(since)}: its readiness gate {gates[0]} is not open",
                None,
                {"gates": gates},
            )
        ]
    return []


def _missing(message: str) -> str:
    """Which ConfigMap, Secret or key a message says is missing; empty where it says no such thing."""
    for pattern in _MISSING:
        match = pattern.search(message)
        if match is None:
            continue
        parts = match.groupdict()
        kind = "Secret" if parts["kind"].lower().startswith("secret") else "ConfigMap"
        name = (parts.get("name") or "").rsplit("/", 1)[-1].rstrip(".,")
        if parts.get("key"):
            return (
                "the key %s is missing in %s %s" % (parts["key"], kind, name)
                if name
                else "a %s has no key %s" % (kind, parts["key"])
            )
        return f"{kind} {name} is missing"
    return ""


def _memory_limit(pod: Pod, container: str) -> str:
    for key in ("containers", "init"):
        for spec in docs(pod.shape, key):
            if text(spec, "name") == container:
                values = spec.get("memory")
                limit = values[1] if isinstance(values, list) and len(values) == 2 else None
                return size(float(limit)) if isinstance(limit, (int, float)) else ""
    return ""


def _signal(code: int | None) -> str:
    names = {134: " SIGABRT", 137: " SIGKILL", 139: " SIGSEGV", 143: " SIGTERM"}
    return names.get(code or 0, "")

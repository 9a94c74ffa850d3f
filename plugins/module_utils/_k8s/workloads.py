# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workloads: Deployments, StatefulSets, DaemonSets, Jobs and CronJobs as their controllers see them."""

from __future__ import annotations

from typing import Any

from .cron import last_due
from .look import Look, wanted_replicas
from .pods import CHECKS as POD_CHECKS
from .read import Doc, condition, count, dig, docs, flag, moment, span, text, whole

_DAY = 86400.0
_PAUSE_GRACE = 30
_DUE_GRACE = 90
_POD_TROUBLE = tuple(check for check in POD_CHECKS if check not in ("k8s.evicted", "k8s.pod_failed"))


def deployments(look: Look) -> None:
    """Headline numbers."""
    wanting = [one for one in look.list("deployments.apps") if wanted_replicas(one)]
    look.judge.facts["deployments"] = len(look.list("deployments.apps"))
    look.judge.facts["deployments_available"] = sum(
        1 for one in wanting if count(one, "status", "availableReplicas") >= wanted_replicas(one)
    )
    look.judge.facts["deployments_wanted"] = len(wanting)


def replica_failure(look: Look) -> None:
    """k8s.replica_failure"""
    for one in look.list("deployments.apps"):
        look.judge.looked("k8s.replica_failure")
        failure = condition(one, "ReplicaFailure")
        if text(failure, "status") == "True":
            _cannot_create(look, one, "Deployment", text(failure, "message"), text(failure, "reason"))
    for kind, plural, wanted, there in (
        ("StatefulSet", "statefulsets.apps", ("spec", "replicas"), ("status", "replicas")),
        ("DaemonSet", "daemonsets.apps", ("status", "desiredNumberScheduled"), ("status", "currentNumberScheduled")),
        ("Job", "jobs.batch", ("spec", "parallelism"), ("status", "active")),
    ):
        for one in look.list(plural):
            look.judge.looked("k8s.replica_failure")
            if dig(one, "metadata", "deletionTimestamp") or (kind == "Job" and docs(one, "status", "conditions")):
                continue
            if count(one, *there) >= count(one, *wanted):
                continue
            events = look.events(
                kind,
                text(one, "metadata", "namespace"),
                text(one, "metadata", "name"),
                "FailedCreate",
                "FailedDaemonPod",
            )
            if events and look.age(text(events[0], "last")) < 1800:
                _cannot_create(look, one, kind, text(events[0], "message"), text(events[0], "reason"))


def _cannot_create(look: Look, one: Doc, kind: str, message: str, reason: str) -> None:
    name, namespace = text(one, "metadata", "name"), text(one, "metadata", "namespace")
    if kind == "StatefulSet":
        wanted, there = wanted_replicas(one), count(one, "status", "replicas")
    elif kind == "DaemonSet":
        wanted, there = count(one, "status", "desiredNumberScheduled"), count(one, "status", "currentNumberScheduled")
    elif kind == "Job":
        wanted, there = count(one, "spec", "parallelism"), count(one, "status", "active")
    else:
        wanted, there = wanted_replicas(one), count(one, "status", "replicas")
    look.report(
        "k8s.replica_failure",
        look.obj(kind, name, namespace),
        "%s cannot create its pods (%d of %d): %s" % (name, there, wanted, _short(message) or reason),
        evidence={"reason": reason, "message": message, "wanted": wanted, "created": there},
        caused_by=look.cause_in(message, namespace),
        count=False,
    )


def rollout(look: Look) -> None:
    """k8s.rollout"""
    for one in look.list("deployments.apps"):
        look.judge.looked("k8s.rollout")
        progressing = condition(one, "Progressing")
        if text(progressing, "reason") != "ProgressDeadlineExceeded" or flag(one, "spec", "paused"):
            continue
        obj = look.of(one, "Deployment")
        wanted, ready = wanted_replicas(one), count(one, "status", "readyReplicas")
        updated = count(one, "status", "updatedReplicas")
        look.report(
            "k8s.rollout",
            obj,
            "the rollout of %s has not ended within %d s: %d of %d replicas updated, %d unavailable"
            % (
                text(one, "metadata", "name"),
                whole(one, "spec", "progressDeadlineSeconds") or 600,
                updated,
                wanted,
                count(one, "status", "unavailableReplicas"),
            ),
            evidence={
                "message": text(progressing, "message"),
                "since": text(progressing, "lastUpdateTime") or text(progressing, "lastTransitionTime"),
                "wanted": wanted,
                "updated": updated,
                "ready": ready,
            },
            caused_by=look.cause(obj, above=look.judge.checks["k8s.rollout"].rank),
            count=False,
        )


def paused(look: Look) -> None:
    """k8s.rollout_paused"""
    for one in look.list("deployments.apps"):
        look.judge.looked("k8s.rollout_paused")
        if not flag(one, "spec", "paused"):
            continue
        wanted, updated = wanted_replicas(one), count(one, "status", "updatedReplicas")
        state = condition(one, "Progressing")
        since = look.age(text(state, "lastUpdateTime") or text(state, "lastTransitionTime"))
        if state and since < _PAUSE_GRACE:
            continue
        name = text(one, "metadata", "name")
        half = (
            "half way, %d of %d replicas updated" % (updated, wanted)
            if updated < wanted
            else "changes to it have no effect"
        )
        look.report(
            "k8s.rollout_paused",
            look.of(one, "Deployment"),
            f"the rollout of {name} is paused since {span(since)}: {half}",
            evidence={"wanted": wanted, "updated": updated, "since": text(state, "lastUpdateTime")},
            count=False,
        )


def wedged(look: Look) -> None:
    """k8s.statefulset_wedged"""
    for one in look.list("statefulsets.apps"):
        look.judge.looked("k8s.statefulset_wedged")
        obj = look.of(one, "StatefulSet")
        if not look.told(obj, *_POD_TROUBLE):
            continue  # pods that are merely starting hold up nothing for long
        wanted, there = wanted_replicas(one), count(one, "status", "replicas")
        waiting = wanted - there
        ordered = text(one, "spec", "podManagementPolicy") != "Parallel"
        updating = text(one, "status", "currentRevision") != text(one, "status", "updateRevision")
        rolling = text(one, "spec", "updateStrategy", "type") in ("", "RollingUpdate")
        updated = count(one, "status", "updatedReplicas")
        if ordered and waiting > 0:
            what = "%d of %d pods are not even created" % (waiting, wanted)
        elif updating and rolling and updated < wanted:
            what = "its update stands at %d of %d pods" % (updated, wanted)
        else:
            continue
        broken = sorted(pod.name for pod in look.by_owner.get(obj, []) if pod.live and not pod.ready)
        look.report(
            "k8s.statefulset_wedged",
            obj,
            "%s is held up by %s: %s" % (text(one, "metadata", "name"), ", ".join(broken[:3]) or "a broken pod", what),
            evidence={"broken": broken[:5], "wanted": wanted, "created": there, "updated": updated},
            caused_by=look.cause(obj, above=look.judge.checks["k8s.statefulset_wedged"].rank),
            count=False,
        )


def jobs(look: Look) -> None:
    """k8s.job_failed"""
    latest: dict[tuple[str, str], float] = {}
    cron = {}
    for one in look.list("jobs.batch"):
        ref = next((ref for ref in docs(one, "metadata", "ownerReferences") if ref.get("kind") == "CronJob"), None)
        key = (text(one, "metadata", "namespace"), text(one, "metadata", "name"))
        if ref is not None:
            cron[key] = text(ref, "name")
            done = moment(text(one, "status", "completionTime"))
            if done is not None:
                owner = (key[0], cron[key])
                latest[owner] = max(latest.get(owner, 0.0), done)
    failed: dict[str, list[tuple[float, Doc, Doc]]] = {}
    for one in look.list("jobs.batch"):
        look.judge.looked("k8s.job_failed")
        state = condition(one, "Failed")
        if text(state, "status") != "True":
            continue
        when = moment(text(state, "lastTransitionTime")) or look.now
        namespace, name = text(one, "metadata", "namespace"), text(one, "metadata", "name")
        parent = cron.get((namespace, name), "")
        # A CronJob that has succeeded since then has recovered by itself.
        if look.now - when > _DAY or (parent and latest.get((namespace, parent), 0.0) > when):
            continue
        obj = look.obj("CronJob", parent, namespace) if parent else look.obj("Job", name, namespace)
        failed.setdefault(obj, []).append((when, one, state))
    for obj, group in failed.items():
        group.sort(key=lambda entry: entry[0], reverse=True)
        when, one, state = group[0]
        name = text(one, "metadata", "name")
        evidence: dict[str, Any] = {
            "job": name,
            "reason": text(state, "reason"),
            "message": text(state, "message"),
            "attempts": count(one, "status", "failed"),
            "failed_jobs": len(group),
        }
        pod = next((pod for pod in look.by_owner.get(obj, []) if pod.phase == "Failed"), None)
        if pod is not None:
            for place, lines in sorted((dig(look.observation, "logs") or {}).items()):
                if isinstance(lines, list) and place.startswith(f"{pod.namespace}/{pod.name}/"):
                    evidence["last_lines"] = [str(line) for line in lines]
        look.report(
            "k8s.job_failed",
            obj,
            "job %s has given up %s ago after %d failed attempts (%s)"
            % (
                name,
                span(max(look.now - when, 0.0)),
                count(one, "status", "failed"),
                text(state, "reason") or "no reason given",
            ),
            evidence=evidence,
            caused_by=look.cause(obj, above=look.judge.checks["k8s.job_failed"].rank),
            count=False,
        )


def cron_missed(look: Look) -> None:
    """k8s.cronjob_missed"""
    for one in look.list("cronjobs.batch"):
        look.judge.looked("k8s.cronjob_missed")
        if flag(one, "spec", "suspend") or dig(one, "metadata", "deletionTimestamp"):
            continue
        name, schedule = text(one, "metadata", "name"), text(one, "spec", "schedule")
        obj = look.of(one, "CronJob")
        due = last_due(schedule, text(one, "spec", "timeZone"), look.now - _DUE_GRACE)
        if due is None:
            continue
        ran = text(one, "status", "lastScheduleTime")
        base = moment(ran) or moment(text(one, "metadata", "creationTimestamp"))
        if base is None or due <= base:
            continue
        active = [text(job, "name") for job in docs(one, "status", "active")]
        if active and text(one, "spec", "concurrencyPolicy") == "Forbid":
            why = f"its run before, {active[0]}, has not ended, and concurrencyPolicy is Forbid"
        elif whole(one, "spec", "startingDeadlineSeconds") is not None:
            why = "it may start at most %d s late" % (whole(one, "spec", "startingDeadlineSeconds") or 0)
        else:
            why = "no event says why"
        events = look.events("CronJob", text(one, "metadata", "namespace"), name)
        look.report(
            "k8s.cronjob_missed",
            obj,
            f"{name} was due {span(look.now - due)} ago and has not run: {why}",
            evidence={
                "schedule": schedule,
                "last_run": ran or None,
                "active": active[:3],
                "event": text(events[0], "message") if events else None,
            },
            caused_by=look.cause(obj, above=look.judge.checks["k8s.cronjob_missed"].rank),
            count=False,
        )


def cron_suspended(look: Look) -> None:
    """k8s.cronjob_suspended"""
    for one in look.list("cronjobs.batch"):
        look.judge.looked("k8s.cronjob_suspended")
        if flag(one, "spec", "suspend"):
            ran = text(one, "status", "lastScheduleTime")
            look.report(
                "k8s.cronjob_suspended",
                look.of(one, "CronJob"),
                "%s is suspended, %s"
                % (
                    text(one, "metadata", "name"),
                    f"its last run was {span(look.age(ran))} ago" if ran else "it has never run",
                ),
                evidence={"schedule": text(one, "spec", "schedule"), "last_run": ran or None},
                count=False,
            )


def _short(message: str, most: int = 200) -> str:
    return message if len(message) <= most else message[:most] + "…"

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments, StatefulSets, DaemonSets, Jobs and CronJobs."""

from __future__ import annotations

import pytest
from documents import NS, ago, condition, container, deployment, event, findings, pod, running, thing, waiting

WEB = "shop/Deployment/web"
QUOTA_SAID = 'pods "web-x" is forbidden: exceeded quota: few, requested: pods=1, used: pods=3, limited: pods=3'
HOOK_SAID = 'Internal error occurred: failed calling webhook "check.example.com": failed to call webhook: no endpoints'


def refused(message: str):
    state = condition("ReplicaFailure", "True", reason="FailedCreate", message=message)
    return deployment(replicas=3, status={"replicas": 0, "readyReplicas": 0, "conditions": [state]})


def test_replica_failure_by_quota_points_at_the_quota():
    """The quota is the cause."""
    quota = thing("ResourceQuota", "few", status={"hard": {"pods": "3"}, "used": {"pods": "3"}})
    found = findings(refused(QUOTA_SAID), quota)
    assert set(found) == {("k8s.replica_failure", WEB), ("k8s.quota", "shop/ResourceQuota/few")}
    cause = found[("k8s.quota", "shop/ResourceQuota/few")]["fingerprint"]
    assert found[("k8s.replica_failure", WEB)]["caused_by"] == cause


def test_replica_failure_by_webhook_points_at_the_webhook():
    """The webhook is the cause."""
    hook = thing(
        "ValidatingWebhookConfiguration",
        "checks",
        None,
        webhooks=[
            {
                "name": "check.example.com",
                "failurePolicy": "Fail",
                "clientConfig": {"service": {"namespace": NS, "name": "gone"}},
            }
        ],
    )
    found = findings(refused(HOOK_SAID), hook)
    webhook = ("k8s.webhook", "ValidatingWebhookConfiguration/checks")
    assert set(found) == {("k8s.replica_failure", WEB), webhook}
    assert found[("k8s.replica_failure", WEB)]["caused_by"] == found[webhook]["fingerprint"]


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "Job"])
def test_others_have_only_events(kind):
    """StatefulSets, DaemonSets and Jobs have no condition for it."""
    spec = {"replicas": 2, "parallelism": 2, "selector": {"matchLabels": {"app": "web"}}}
    one = thing(kind, "web", spec=spec, status={"replicas": 0, "desiredNumberScheduled": 2})
    said = (event(kind, "web", "FailedCreate", QUOTA_SAID),)
    assert list(findings(one, events=said)) == [("k8s.replica_failure", f"shop/{kind}/web")]
    assert not findings(one)


def late(**more):
    state = condition("Progressing", "False", reason="ProgressDeadlineExceeded", message="has timed out progressing")
    return deployment(replicas=2, status={"updatedReplicas": 1, "readyReplicas": 1, "conditions": [state]}, **more)


def test_rollout_past_its_deadline():
    """By itself, or explained by a pod."""
    assert list(findings(late())) == [("k8s.rollout", WEB)]
    found = findings(late(), pod("web-1", [container(waiting("ErrImagePull", "not found"))], phase="Pending"))
    assert set(found) == {("k8s.rollout", WEB), ("k8s.image_pull", WEB)}
    assert found[("k8s.rollout", WEB)]["caused_by"] == found[("k8s.image_pull", WEB)]["fingerprint"]


def test_rollout_within_its_deadline_is_normal():
    """New pods start while old ones serve."""
    state = condition("Progressing", "True", 20, reason="ReplicaSetUpdated")
    moving = deployment(replicas=2, status={"updatedReplicas": 1, "readyReplicas": 2, "conditions": [state]})
    assert not findings(moving, pod("web-1", [container(running(5))], age=5), pod("web-2"), pod("web-3"))


def test_paused_rollout():
    """Half way, or simply paused."""
    one = deployment(replicas=3, spec={"paused": True}, status={"updatedReplicas": 1})
    found = findings(one)
    assert list(found) == [("k8s.rollout_paused", WEB)]
    assert "1 of 3 replicas updated" in found[("k8s.rollout_paused", WEB)]["title"]


def stateful(**how):
    status = {"replicas": 1, "readyReplicas": 0, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "a"}
    status.update(how)
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "updateStrategy": {"type": "RollingUpdate"}}
    return thing("StatefulSet", "db", spec=spec, status=status)


def test_statefulset_held_up_by_its_first_pod():
    """Two more pods wait for it."""
    broken = pod("db-0", [container(waiting("ErrImagePull", "not found"))], ("StatefulSet", "db"), "Pending")
    found = findings(stateful(), broken)
    assert set(found) == {("k8s.image_pull", "shop/StatefulSet/db"), ("k8s.statefulset_wedged", "shop/StatefulSet/db")}
    wedged = found[("k8s.statefulset_wedged", "shop/StatefulSet/db")]
    assert wedged["caused_by"] == found[("k8s.image_pull", "shop/StatefulSet/db")]["fingerprint"]
    assert "db-0" in wedged["title"]


def test_statefulset_wedged_in_an_update():
    """All pods exist, the update stands."""
    broken = pod("db-2", [container(waiting("ErrImagePull", "not found"))], ("StatefulSet", "db"), "Pending")
    found = findings(stateful(replicas=3, updateRevision="b"), broken)
    assert "its update stands at 1 of 3" in found[("k8s.statefulset_wedged", "shop/StatefulSet/db")]["title"]


def test_statefulset_that_starts_is_normal():
    """One after the other is how it starts."""
    assert not findings(stateful(), pod("db-0", [container(running(5))], ("StatefulSet", "db"), age=8))


def job(name: str, since: float, failed: bool, cronjob: str = ""):
    state = (
        condition("Failed", "True", since, reason="BackoffLimitExceeded") if failed else condition("Complete", "True")
    )
    status = {"conditions": [state], "failed": 3 if failed else 0}
    if not failed:
        status["completionTime"] = ago(since)
    refs = {"ownerReferences": [{"kind": "CronJob", "name": cronjob}]} if cronjob else {}
    return thing("Job", name, meta=refs, spec={"backoffLimit": 2}, status=status)


def test_failed_jobs():
    """A Job by itself; a CronJob for its Jobs, unless a later one went well."""
    assert list(findings(job("once", 600, True))) == [("k8s.job_failed", "shop/Job/once")]
    assert list(findings(job("nightly-1", 600, True, "nightly"))) == [("k8s.job_failed", "shop/CronJob/nightly")]
    assert not findings(job("nightly-1", 600, True, "nightly"), job("nightly-2", 60, False, "nightly"))
    assert findings(job("nightly-1", 600, True, "nightly"), job("nightly-0", 4000, False, "nightly"))
    assert not findings(job("once", 90000, True))
    assert not findings(job("once", 600, False))


def test_retries_of_a_job_within_its_backoff_limit_are_normal():
    """Its pods crash, and are tried again."""
    from documents import died

    again = thing("Job", "once", spec={"backoffLimit": 6, "parallelism": 1}, status={"active": 1, "failed": 1})
    looping = container(waiting("CrashLoopBackOff"), died(1), 2)
    tries = pod("once-a", [looping], ("Job", "once"), spec={"restartPolicy": "OnFailure"})
    assert not findings(again, tries)
    assert not findings(again, pod("once-b", [container(died(1))], ("Job", "once"), phase="Failed"))


def cron(schedule: str = "0 * * * *", ran: float | None = 3600, **spec):
    status = {"lastScheduleTime": ago(ran)} if ran is not None else {}
    return thing("CronJob", "hourly", spec={"schedule": schedule, **spec}, status=status)


@pytest.mark.parametrize(
    ("one", "missed"),
    [
        (cron(ran=10 * 3600), True),
        (cron("0 5 * * *", ran=25 * 3600), True),
        (cron(ran=3600), False),  # due at this very moment: it may take a moment
        (cron("*/5 * * * *", ran=300), False),
        (cron("*/5 * * * *", ran=900), True),
        (cron("not a schedule", ran=90000), False),
        (cron("0 3 * * *", ran=None), True),
        (cron("0 0 31 12 *", ran=None), False),
        (cron("0 1 * * *", ran=6 * 3600, timeZone="America/New_York"), False),
    ],
)
def test_missed_cronjobs(one, missed):
    """By the schedule, the last run and the clock of the cluster."""
    assert list(findings(one)) == ([("k8s.cronjob_missed", "shop/CronJob/hourly")] if missed else [])


def test_missed_because_the_last_run_goes_on():
    """concurrencyPolicy Forbid."""
    one = cron(ran=10 * 3600, concurrencyPolicy="Forbid")
    one["status"]["active"] = [{"name": "hourly-123"}]
    assert "hourly-123, has not ended" in findings(one)[("k8s.cronjob_missed", "shop/CronJob/hourly")]["title"]


def test_suspended_cronjob_is_not_missed():
    """One finding, not two."""
    assert list(findings(cron(ran=90000, suspend=True))) == [("k8s.cronjob_suspended", "shop/CronJob/hourly")]

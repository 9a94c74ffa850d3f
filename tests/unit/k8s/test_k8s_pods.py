# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods: what is wrong, told apart, once an owner; and what is normal in a pod's life, in silence."""

from __future__ import annotations

import pytest
from documents import ago, condition, container, deployment, died, event, findings, node, pod, running, service, waiting

WEB = "shop/Deployment/web"
LOOP = waiting("CrashLoopBackOff", "back-off 40s restarting failed container")


def crash(code: int = 1, restarts: int = 5, **how):
    return container(LOOP, died(code, **how), restarts)


def test_crash_loop_names_owner_code_and_lines():
    """Two pods of a Deployment are one finding, with the exit code and the last lines of one of them."""
    found = findings(
        deployment(replicas=2),
        pod("web-1", [crash(restarts=5)]),
        pod("web-2", [crash(restarts=9)]),
        logs={"shop/web-2/app": ["cannot open /etc/web", "password=hunter2"]},
    )
    assert list(found) == [("k8s.crash_loop", WEB)]
    one = found[("k8s.crash_loop", WEB)]
    assert (one["status"], one["value"]) == ("critical", 9)
    assert "exit 1" in one["title"]
    assert "(2 pods)" in one["title"]
    assert one["evidence"]["pods"] == ["web-2", "web-1"]
    assert one["evidence"]["last_lines"] == ["cannot open /etc/web", "password=[redacted]"]
    assert one["evidence"]["ready"] == "0 of 2"


def test_removed_log_is_unknown_evidence():
    """Where the kubelet has removed the container before the look, the lines are unknown, and said to be."""
    lost = {"shop/web-1/app": {"kind": "missing", "text": "the kubelet has already removed the log"}}
    found = findings(deployment(), pod("web-1", [crash()]), logs_errors=lost)
    assert found[("k8s.crash_loop", WEB)]["evidence"]["last_lines"].startswith("unknown: the kubelet")


def test_first_crash_is_not_a_loop():
    """A container that died once, an hour ago, and runs since then."""
    assert not findings(deployment(), pod("web-1", [container(running(), died(1, 3600), 1, ready=True)]))


def test_recovered_loop_is_silent_and_flapping_is_not():
    """It has run far longer than before: recovered. It has only just come back, as often before: it still flaps."""
    recovered = container(running(400), died(1, 401, ran=3), 12, ready=True)
    flapping = container(running(5), died(1, 6, ran=3), 12, ready=True)
    assert not findings(deployment(), pod("web-1", [recovered]))
    assert list(findings(deployment(), pod("web-1", [flapping]))) == [("k8s.crash_loop", WEB)]


def test_reboot_of_a_node_is_no_loop():
    """After a reboot all containers have died with reason Unknown."""
    assert not findings(pod("web-1", [container(running(20), died(255, 25, "Unknown", ran=1), 3, ready=True)]))


def test_exit_0_is_named_for_what_it_is():
    """A container that ends well, where it should serve."""
    found = findings(deployment(), pod("web-1", [crash(0, reason="Completed")]))
    assert "ends instead of serving" in found[("k8s.crash_loop", WEB)]["title"]


def test_oom_kill_has_its_limit_and_is_no_crash_loop_too():
    """One symptom, one finding."""
    found = findings(deployment(), pod("web-1", [crash(137, reason="OOMKilled")]))
    assert list(found) == [("k8s.oom_killed", WEB)]
    assert found[("k8s.oom_killed", WEB)]["evidence"]["limit"] == "128 MiB"
    assert "128 MiB" in found[("k8s.oom_killed", WEB)]["title"]


@pytest.mark.parametrize(("since", "status"), [(600, "warning"), (7200, "warning"), (100000, None)])
def test_oom_kill_of_the_night(since, status):
    """A kill of the night is worth a line in the morning, one of yesterday is not."""
    found = findings(
        pod("web-1", [container(running(since), died(137, since, "OOMKilled"), 1)], owner=None, ready=True)
    )
    assert [one["status"] for one in found.values()] == ([status] if status else [])


PULLS = [
    ("rate limit", "429 Too Many Requests - toomanyrequests: You have reached your pull rate limit"),
    ("authentication", "failed to authorize: 401 Unauthorized"),
    ("authentication", "pull access denied, repository does not exist or may require authorization"),
    ("not found", 'failed to resolve reference "registry.example.com/web:1": not found'),
    ("unreachable", "dial tcp: lookup registry.example.com: no such host"),
    ("other", "something else"),
]


@pytest.mark.parametrize(("cause", "message"), PULLS)
@pytest.mark.parametrize("by_event", [False, True])
def test_image_pull_causes(cause, message, by_event):
    """Told apart by what the registry said, whether the status or only an event has it."""
    said = 'Back-off pulling image "registry.example.com/web:1"' if by_event else message
    warnings = (event("Pod", "web-1", "Failed", message, field="spec.containers{app}"),) if by_event else ()
    state = container(waiting("ImagePullBackOff", said))
    found = findings(deployment(), pod("web-1", [state], phase="Pending"), events=warnings)
    assert list(found) == [("k8s.image_pull", WEB)]
    assert found[("k8s.image_pull", WEB)]["evidence"]["cause"] == cause


def test_words_in_the_image_name_are_no_cause():
    """An image called not-found-429 is not thereby missing."""
    state = {**container(waiting("ErrImagePull", "dial tcp: x: no such host")), "image": "example.com/404-unauthorized"}
    found = findings(pod("web-1", [state], phase="Pending"))
    assert found[("k8s.image_pull", WEB)]["evidence"]["cause"] == "unreachable"


MISSING = [
    ('configmap "web-config" not found', "ConfigMap web-config is missing"),
    ('secret "web-keys" not found', "Secret web-keys is missing"),
    ("couldn't find key url in ConfigMap shop/web-config", "the key url is missing in ConfigMap web-config"),
    ("couldn't find key url in Secret shop/web-keys", "the key url is missing in Secret web-keys"),
]


@pytest.mark.parametrize(("message", "said"), MISSING)
def test_missing_config(message, said):
    """Known from the kubelet, so no right on Secrets is needed."""
    found = findings(pod("web-1", [container(waiting("CreateContainerConfigError", message))], phase="Pending"))
    assert said in found[("k8s.missing_config", WEB)]["title"]


def test_missing_config_of_a_volume_is_told_by_an_event():
    """The pod itself only says ContainerCreating."""
    said = 'MountVolume.SetUp failed for volume "config" : configmap "web-config" not found'
    stuck = pod("web-1", [container(waiting("ContainerCreating"))], phase="Pending")
    found = findings(stuck, events=(event("Pod", "web-1", "FailedMount", said),))
    assert list(found) == [("k8s.missing_config", WEB)]


def test_failed_mount_and_sandbox():
    """Other reasons of a pod whose containers are not created."""
    stuck = pod("web-1", [container(waiting("ContainerCreating"))], phase="Pending")
    mount = findings(stuck, events=(event("Pod", "web-1", "FailedMount", "hostPath type check failed"),))
    assert list(mount) == [("k8s.failed_mount", WEB)]
    sandbox = findings(stuck, events=(event("Pod", "web-1", "FailedCreatePodSandBox", "no IP addresses"),))
    assert list(sandbox) == [("k8s.container_start", WEB)]
    assert list(findings(stuck)) == [("k8s.container_start", WEB)]


def test_a_young_pod_may_create_its_containers():
    """Pulling and mounting take time."""
    assert not findings(pod("web-1", [container(waiting("ContainerCreating"))], phase="Pending", age=20))


def test_container_that_cannot_start():
    """A command that does not exist."""
    state = container(waiting("RunContainerError", 'exec: "serve": executable file not found in $PATH'))
    assert list(findings(pod("web-1", [state]))) == [("k8s.container_start", WEB)]


@pytest.mark.parametrize(("since", "status"), [(100, None), (400, "warning"), (4000, "critical")])
def test_init_container_that_takes_long(since, status):
    """Judged by the time that it runs."""
    spec = {"initContainers": [{"name": "wait-for-db"}]}
    status_of = {"initContainerStatuses": [container(running(since), name="wait-for-db")]}
    late = pod("web-1", [container(waiting("PodInitializing"))], phase="Pending", spec=spec, status=status_of)
    found = findings(late)
    assert [(key[0], one["status"]) for key, one in found.items()] == ([("k8s.init_stuck", status)] if status else [])


def test_init_container_that_crashes():
    """A crash loop, said to be of an init container."""
    status_of = {"initContainerStatuses": [container(LOOP, died(3), 4, name="migrate")]}
    broken = pod("web-1", [container(waiting("PodInitializing"))], phase="Pending", status=status_of)
    found = findings(broken)
    assert list(found) == [("k8s.crash_loop", WEB)]
    assert "init container migrate" in found[("k8s.crash_loop", WEB)]["title"]


def test_liveness_is_not_a_crash_loop():
    """The kubelet kills it: the exit code alone would not tell."""
    said = "Liveness probe failed: HTTP probe failed with statuscode: 503"
    warnings = (event("Pod", "web-1", "Unhealthy", said, field="spec.containers{app}"),)
    found = findings(deployment(), pod("web-1", [crash(137)]), events=warnings)
    assert list(found) == [("k8s.liveness", WEB)]
    assert found[("k8s.liveness", WEB)]["evidence"]["probe"] == said


def test_one_restart_by_a_probe_is_history():
    """It was killed once, in a moment of load, and runs since then, though a probe has failed now and then."""
    warnings = (event("Pod", "web-1", "Unhealthy", "Liveness probe failed: timeout", 5),)
    assert not findings(pod("web-1", [container(running(300), died(137, 310), 1, ready=True)]), events=warnings)


def test_a_crash_long_after_a_probe_failed_is_a_crash():
    """The probe said so minutes before the last end."""
    warnings = (event("Pod", "web-1", "Unhealthy", "Liveness probe failed: timeout", 700),)
    assert list(findings(pod("web-1", [crash(2)]), events=warnings)) == [("k8s.crash_loop", WEB)]


def test_readiness_has_the_probe_and_the_share():
    """Others of the same Deployment are ready: a warning."""
    said = "Readiness probe failed: HTTP probe failed with statuscode: 503"
    late = pod("web-1", [container(running())])
    found = findings(deployment(replicas=2), late, pod("web-2"), events=(event("Pod", "web-1", "Unhealthy", said),))
    assert list(found) == [("k8s.readiness", WEB)]
    assert found[("k8s.readiness", WEB)]["status"] == "warning"
    assert found[("k8s.readiness", WEB)]["evidence"]["probe"] == said
    assert findings(deployment(), late)[("k8s.readiness", WEB)]["status"] == "critical"


def test_a_starting_pod_has_the_time_that_its_probes_give_it():
    """Five minutes for the start are five minutes of silence."""
    spec = {
        "containers": [
            {
                "name": "app",
                "startupProbe": {"periodSeconds": 10, "failureThreshold": 30},
                "readinessProbe": {"periodSeconds": 5},
            }
        ]
    }
    assert not findings(pod("web-1", [container(running(290))], spec=spec, age=300))
    assert findings(pod("web-1", [container(running(400))], spec=spec, age=400))


def test_readiness_gate():
    """All containers are ready, the pod is not."""
    gated = pod(
        "web-1",
        ready=False,
        spec={"readinessGates": [{"conditionType": "example.com/in-load-balancer"}]},
        status={"conditions": [condition("Ready", "False", 600), condition("ContainersReady", "True", 600)]},
    )
    assert "example.com/in-load-balancer" in findings(gated)[("k8s.readiness", WEB)]["title"]


def unscheduled(since: float, **more):
    said = "0/3 nodes are available: 3 Insufficient cpu."
    state = condition("PodScheduled", "False", since, reason="Unschedulable", message=said, **more)
    return pod("web-1", [], phase="Pending", node="", age=since, status={"conditions": [state]})


def test_unschedulable_has_the_schedulers_reason():
    """After a moment: an autoscaler may just be adding a node."""
    found = findings(deployment(), unscheduled(120))
    assert "3 Insufficient cpu" in found[("k8s.unschedulable", WEB)]["title"]
    assert not findings(deployment(), unscheduled(10))


def test_gated_and_forgotten_pods():
    """A scheduling gate is on purpose; a scheduler that does not exist is not."""
    gate = condition("PodScheduled", "False", 9000, reason="SchedulingGated")
    assert not findings(pod("web-1", [], phase="Pending", node="", status={"conditions": [gate]}))
    nobody = pod("web-1", [], phase="Pending", node="", spec={"schedulerName": "nobody"}, status={"conditions": []})
    assert "nobody" in findings(nobody)[("k8s.unschedulable", WEB)]["title"]


def test_evicted():
    """A warning for a day; the remains of last week are no news."""
    how = {"reason": "Evicted", "message": "The node was low on resource: memory.", "conditions": []}
    found = findings(deployment(), pod("web-0", [], phase="Failed", status=how), pod("web-1"))
    assert [(key, one["status"]) for key, one in found.items()] == [(("k8s.evicted", WEB), "warning")]
    assert not findings(pod("web-0", [], phase="Failed", age=400000, status=how))


def test_bare_pod_that_failed():
    """Nobody starts it again."""
    done = container(died(2, 600), name="app")
    found = findings(pod("once", [done], owner=None, phase="Failed"))
    assert list(found) == [("k8s.pod_failed", "shop/Pod/once")]
    assert not findings(pod("once", [container(died(0, 600, "Completed"))], owner=None, phase="Succeeded"))


@pytest.mark.parametrize(("late", "status"), [(-20, None), (30, None), (120, "warning"), (7200, "critical")])
def test_stuck_terminating(late, status):
    """The deletionTimestamp is the time by which it should have gone."""
    meta = {"deletionTimestamp": ago(late), "finalizers": ["example.com/hold"]}
    found = findings(pod("web-1", [container(died(0, 10))], meta=meta))
    assert [(key[0], one["status"]) for key, one in found.items()] == ([("k8s.terminating", status)] if status else [])
    if status:
        assert "example.com/hold" in found[("k8s.terminating", WEB)]["title"]


def test_a_dead_node_explains_its_pods():
    """Pods of a node that is not ready point at it."""
    lost = pod("web-1", [container(running(), ready=True)], ready=False)
    found = findings(deployment(), node("n1", "Unknown"), lost)
    assert set(found) == {("k8s.node_ready", "Node/n1"), ("k8s.readiness", WEB)}
    assert found[("k8s.readiness", WEB)]["caused_by"] == found[("k8s.node_ready", "Node/n1")]["fingerprint"]


def test_services_without_endpoints_are_evidence_of_their_pods():
    """A crash-looping Deployment is not also a Service without endpoints."""
    found = findings(deployment(), pod("web-1", [crash()]), service())
    assert list(found) == [("k8s.crash_loop", WEB)]
    assert found[("k8s.crash_loop", WEB)]["evidence"]["services_without_endpoints"] == ["web"]


def test_owners():
    """A ReplicaSet's Deployment by the template hash, any other owner by what was looked up, a Job's CronJob."""
    rollout = pod("web-1", [crash()], owner=("ReplicaSet", "other-77aa"))
    assert list(findings(rollout)) == [("k8s.crash_loop", "shop/ReplicaSet/other-77aa")]
    found = findings(rollout, owners={"shop/other-77aa": ["Rollout", "web"]})
    assert list(found) == [("k8s.crash_loop", "shop/Rollout/web")]
    static = pod("etcd-n1", [crash()], owner=("Node", "n1"))
    assert list(findings(static)) == [("k8s.crash_loop", "shop/Pod/etcd-n1")]


def test_healthy_cluster_is_silent_and_counted():
    """Nothing to say, and everything looked at."""
    from documents import judged, observation

    result = judged(observation(deployment(replicas=2), pod("web-1"), pod("web-2"), node()))
    assert result["findings"] == []
    assert result["facts"]["pods_ready"] == result["facts"]["pods_total"] == 2
    assert all(row["seen"] for row in result["coverage"])
    assert result["summary"]["worst"] == "ok"

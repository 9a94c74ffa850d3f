# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is around the pods: nodes, storage, Services, autoscalers, budgets, the cluster's own machinery, usage."""

from __future__ import annotations

import pytest
from documents import (
    NS,
    ago,
    condition,
    container,
    deployment,
    event,
    findings,
    judged,
    node,
    observation,
    pod,
    service,
    slices,
    thing,
    waiting,
)


def keys(*things, **more):
    """Check and status of what is found."""
    return sorted((check, one["status"]) for (check, _obj), one in findings(*things, **more).items())


# nodes


def test_nodes():
    """Not ready, heard of or not; ready."""
    assert keys(node(ready="Unknown")) == [("k8s.node_ready", "critical")]
    assert keys(node(ready="False")) == [("k8s.node_ready", "critical")]
    assert keys(node()) == []
    assert keys(thing("Node", "new", None, age=20, status={})) == []


@pytest.mark.parametrize("kind", ["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"])
def test_pressure(kind):
    """Each of the four."""
    status = {"conditions": [condition("Ready", "True"), condition(kind, "True", message="kubelet has little of it")]}
    assert keys(node(status=status)) == [("k8s.node_pressure", "critical")]


def test_cordon():
    """Forgotten after hours, no news in the first ones; unknown age is worth a warning."""

    def cordoned(*taints):
        return node(spec={"unschedulable": True, "taints": list(taints)})

    def taint(hours):
        return {"key": "node.kubernetes.io/unschedulable", "timeAdded": ago(hours * 3600)}

    assert keys(cordoned(taint(1))) == []
    assert keys(cordoned(taint(30))) == [("k8s.node_cordoned", "warning")]
    assert keys(cordoned()) == [("k8s.node_cordoned", "warning")]
    assert keys(cordoned(taint(30), {"key": "ToBeDeletedByClusterAutoscaler"})) == []


# storage


def claim(phase="Pending", storage_class="fast", **more):
    spec = {"storageClassName": storage_class, "resources": {"requests": {"storage": "1Gi"}}}
    return thing("PersistentVolumeClaim", "data", spec=spec, status={"phase": phase}, **more)


def storage_class(mode="Immediate"):
    return thing("StorageClass", "fast", None, provisioner="example.com/disk", volumeBindingMode=mode)


def test_pending_claims():
    """With a pod that waits, without; a class that does not exist; one that waits for its first pod on purpose."""
    user = pod("web-1", spec={"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]})
    assert keys(claim(), storage_class()) == [("k8s.pvc_pending", "warning")]
    assert keys(claim(), storage_class(), user) == [("k8s.pvc_pending", "critical")]
    assert keys(claim(), storage_class("WaitForFirstConsumer")) == []
    assert keys(claim(), storage_class("WaitForFirstConsumer"), user) == [("k8s.pvc_pending", "critical")]
    assert keys(claim(age=10), storage_class()) == []
    assert keys(claim("Bound"), storage_class()) == []
    found = findings(claim(storage_class="none"))
    assert "there is no StorageClass none" in found[("k8s.pvc_pending", "shop/PersistentVolumeClaim/data")]["title"]


def test_a_pending_claim_explains_its_pod():
    """Nothing to schedule without the volume."""
    said = "pod has unbound immediate PersistentVolumeClaims"
    state = condition("PodScheduled", "False", 300, reason="Unschedulable", message=said)
    volumes = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
    stuck = pod("web-1", [], phase="Pending", node="", spec={"volumes": volumes}, status={"conditions": [state]})
    found = findings(claim(), storage_class(), stuck)
    pending = found[("k8s.pvc_pending", "shop/PersistentVolumeClaim/data")]
    assert found[("k8s.unschedulable", "shop/Deployment/web")]["caused_by"] == pending["fingerprint"]


def test_lost_claim():
    """Its volume is gone."""
    assert keys(claim("Lost")) == [("k8s.pvc_lost", "critical")]


# services


def test_service_endpoints():
    """With an endpoint; with none because nothing carries the label, is scaled to 0, or needs none."""
    assert keys(deployment(), pod("web-1"), service(), slices("web", 1)) == []
    assert keys(service(), slices("web", 0)) == [("k8s.service_endpoints", "critical")]
    assert keys(service(), deployment(replicas=0)) == [("k8s.service_endpoints", "warning")]
    assert keys(service(type="ExternalName")) == []
    assert keys(service(selector={})) == []
    assert keys(service(publishNotReadyAddresses=True)) == []


def test_service_port():
    """A name that no container has is fatal, a number that none declares may work, no declaration says nothing."""
    web = [deployment(), pod("web-1")]
    named, numbered = [{"port": 80, "targetPort": "metrics"}], [{"port": 80, "targetPort": 9090}]
    assert keys(*web, service(ports=named), slices("web", 0)) == [("k8s.service_port", "critical")]
    assert keys(*web, service(ports=numbered), slices("web", 1)) == [("k8s.service_port", "warning")]
    assert keys(*web, service(ports=[{"port": 8080}]), slices("web", 1)) == []
    silent = pod("web-1", spec={"containers": [{"name": "app"}]})
    assert keys(deployment(), silent, service(ports=numbered), slices("web", 1)) == []


def ingress(service_name="web", port=None, secret=""):
    port = {"number": 80} if port is None else port
    rule = {
        "host": "shop.example.com",
        "http": {"paths": [{"path": "/", "backend": {"service": {"name": service_name, "port": port}}}]},
    }
    tls = [{"secretName": secret, "hosts": ["shop.example.com"]}] if secret else []
    return thing("Ingress", "shop", spec={"rules": [rule], "tls": tls})


def test_ingress_backend():
    """A Service or a port that is not there."""
    behind = [deployment(), pod("web-1"), service(), slices("web", 1)]
    assert keys(*behind, ingress()) == []
    assert keys(*behind, ingress("gone")) == [("k8s.ingress_backend", "critical")]
    assert keys(*behind, ingress(port={"number": 81})) == [("k8s.ingress_backend", "critical")]
    assert keys(*behind, ingress(port={"name": "http"})) == [("k8s.ingress_backend", "critical")]


def test_ingress_tls():
    """There, missing, or not to be told."""
    behind = [deployment(), pod("web-1"), service(), slices("web", 1), ingress(secret="shop-tls")]
    assert keys(*behind, secrets={NS: ["shop-tls"]}) == []
    assert keys(*behind, secrets={NS: []}) == [("k8s.ingress_tls", "critical")]
    refused = {NS: {"kind": "denied", "text": "HTTP 403: secrets is forbidden"}}
    result = judged(observation(*behind, secrets={}, secrets_errors=refused))
    row = next(row for row in result["coverage"] if row["check"] == "k8s.ingress_tls")
    assert not row["seen"]
    assert "secrets is forbidden" in row["reason"]
    assert result["findings"] == []


# autoscaling


def hpa(*conditions, replicas=2, most=4, current=2):
    return thing(
        "HorizontalPodAutoscaler",
        "web",
        spec={
            "scaleTargetRef": {"kind": "Deployment", "name": "web"},
            "minReplicas": replicas,
            "maxReplicas": most,
            "metrics": [
                {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 70}}},
            ],
        },
        status={
            "currentReplicas": current,
            "currentMetrics": [
                {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 140}}},
            ],
            "conditions": list(conditions),
        },
    )


def test_autoscalers():
    """Each kind of trouble, and at most one finding for an autoscaler."""
    able, active = condition("AbleToScale", "True"), condition("ScalingActive", "True")
    limited = condition("ScalingLimited", "True", reason="TooManyReplicas")
    blind = condition("ScalingActive", "False", reason="FailedGetResourceMetric", message="no metrics returned")
    off = condition("ScalingActive", "False", reason="ScalingDisabled")
    lost = condition("AbleToScale", "False", reason="FailedGetScale", message='deployments.apps "web" not found')
    assert keys(hpa(able, active)) == []
    assert keys(hpa(able, blind)) == [("k8s.hpa_metrics", "warning")]
    assert keys(hpa(able, condition("ScalingActive", "False", 20, reason="FailedGetResourceMetric"))) == []
    assert keys(hpa(able, off)) == [("k8s.hpa_disabled", "warning")]
    assert keys(hpa(lost)) == [("k8s.hpa_target", "warning")]
    assert keys(hpa(able, active, limited)) == []
    found = findings(hpa(able, active, limited, current=4))
    assert "cpu at 140 % of 70 %" in found[("k8s.hpa_maximum", "shop/HorizontalPodAutoscaler/web")]["title"]


# disruption


def pdb(name="web", selector=None, age=86400, **status):
    status = {"observedGeneration": 1, "expectedPods": 3, "currentHealthy": 3, "disruptionsAllowed": 1, **status}
    spec = {"selector": selector or {"matchLabels": {"app": "web"}}, "minAvailable": "100%"}
    return thing("PodDisruptionBudget", name, age=age, spec=spec, status=status)


def test_budgets():
    """Blocking for no reason, for a reason, for one replica; overlapping; protecting nothing."""
    pods = [deployment(replicas=2), pod("web-1"), pod("web-2")]
    assert keys(*pods, pdb()) == []
    assert keys(*pods, pdb(disruptionsAllowed=0)) == [("k8s.pdb_blocks", "warning")]
    assert keys(*pods, pdb(disruptionsAllowed=0, currentHealthy=2)) == []
    assert keys(*pods, pdb(disruptionsAllowed=0, expectedPods=1, currentHealthy=1)) == []
    assert keys(*pods, pdb(disruptionsAllowed=0, observedGeneration=0)) == []
    found = findings(*pods, pdb("a"), pdb("b"))
    assert list(found) == [("k8s.pdb_overlap", "shop/PodDisruptionBudget/a")]
    assert keys(pdb()) == [("k8s.pdb_unmatched", "warning")]
    assert keys(pdb(), deployment(replicas=0)) == []
    expression = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}
    assert keys(*pods, pdb(selector=expression)) == []
    assert keys(*pods, pdb(selector={"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]})) == [
        ("k8s.pdb_unmatched", "warning")
    ]


# the cluster's own machinery


def webhook(policy="Fail", kind="ValidatingWebhookConfiguration", url=""):
    where = {"url": url} if url else {"service": {"namespace": NS, "name": "hooks"}}
    hook = {"name": "check.example.com", "failurePolicy": policy, "clientConfig": where}
    return thing(kind, "checks", None, webhooks=[hook])


def test_webhooks():
    """No Service, no endpoint, a Service that answers, one that may fail, a URL that only events tell of."""
    hooks = service("hooks", selector={"app": "hooks"})
    said = 'Error creating: Internal error occurred: failed calling webhook "check.example.com": timeout'
    assert keys(webhook()) == [("k8s.webhook", "critical")]
    assert keys(webhook(kind="MutatingWebhookConfiguration")) == [("k8s.webhook", "critical")]
    assert keys(webhook("Ignore")) == []
    assert keys(webhook(), service("hooks", selector={}), slices("hooks", 1)) == []
    assert ("k8s.webhook", "critical") in keys(webhook(), hooks, slices("hooks", 0))
    assert keys(webhook(url="https://hooks.example.com")) == []
    told = (event("ReplicaSet", "web-5d9c", "FailedCreate", said),)
    assert keys(webhook(url="https://hooks.example.com"), events=told) == [("k8s.webhook", "critical")]


def test_a_crashing_backend_explains_its_webhook():
    """The pods behind the webhook are nearer to the cause."""
    broken = pod("web-1", [container(waiting("ErrImagePull", "not found"))], phase="Pending")
    found = findings(webhook(), service("hooks"), deployment(), broken)
    hook = found[("k8s.webhook", "ValidatingWebhookConfiguration/checks")]
    assert hook["caused_by"] == found[("k8s.image_pull", "shop/Deployment/web")]["fingerprint"]


def apiservice(status="False", since=600):
    state = condition("Available", status, since, reason="FailedDiscoveryCheck", message="no route to host")
    spec = {"service": {"namespace": NS, "name": "metrics"}, "group": "metrics.k8s.io", "version": "v1beta1"}
    return thing("APIService", "v1beta1.metrics.k8s.io", None, spec=spec, status={"conditions": [state]})


def test_apiservice_and_what_hangs_on_it():
    """The metrics API is not available: usage is unknown because of that, and autoscalers are blind because of that."""
    gone = {"kind": "unavailable", "text": "HTTP 503: service unavailable"}
    blind = condition("ScalingActive", "False", reason="FailedGetResourceMetric", message="unable to get metrics")
    found = findings(
        apiservice(),
        hpa(condition("AbleToScale", "True"), blind),
        errors={"nodes.metrics.k8s.io": gone, "pods.metrics.k8s.io": gone},
    )
    cause = found.pop(("k8s.apiservice", "APIService/v1beta1.metrics.k8s.io"))
    assert {key[0] for key in found} == {"k8s.metrics_api", "k8s.hpa_metrics"}
    assert {one["caused_by"] for one in found.values()} == {cause["fingerprint"]}
    assert keys(apiservice("True")) == []
    assert keys(apiservice(since=5)) == []


def test_missing_metrics_api_is_unknown():
    """Not installed: unknown, never fine."""
    gone = {"kind": "missing", "text": "HTTP 404: the server could not find the requested resource"}
    result = judged(observation(errors={"nodes.metrics.k8s.io": gone, "pods.metrics.k8s.io": gone}))
    assert [(one["check"], one["status"]) for one in result["findings"]] == [("k8s.metrics_api", "unknown")]
    unseen = {row["check"] for row in result["coverage"] if not row["seen"]}
    assert unseen == {"k8s.node_cpu", "k8s.node_memory", "k8s.cpu_usage", "k8s.memory_usage"}


@pytest.mark.parametrize(("used", "status"), [("8", None), ("9", "warning"), ("10", "warning")])
def test_quota(used, status):
    """90 % is worth a warning."""
    quota = thing(
        "ResourceQuota", "few", status={"hard": {"pods": "10", "cpu": "4"}, "used": {"pods": used, "cpu": "1"}}
    )
    assert keys(quota) == ([("k8s.quota", status)] if status else [])


def test_namespace_terminating():
    """With what is left in it; the first minutes are normal."""
    left = condition("NamespaceFinalizersRemaining", "True", message="widgets.example.com has 1 resource instances")
    old = thing("Namespace", "gone", None, meta={"deletionTimestamp": ago(900)}, status={"conditions": [left]})
    found = findings(old)
    assert "widgets.example.com" in found[("k8s.namespace_terminating", "Namespace/gone")]["title"]
    assert keys(thing("Namespace", "gone", None, meta={"deletionTimestamp": ago(20)}, status={})) == []


# usage


def measured(cpu="10m", memory="16Mi"):
    return thing("PodMetrics", "web-1", containers=[{"name": "app", "usage": {"cpu": cpu, "memory": memory}}])


def test_usage_of_limits():
    """CPU 70 and 85 %, memory 80 and 90 % of the limit (200m, 128Mi)."""
    web = [deployment(), pod("web-1")]
    assert keys(*web, measured()) == []
    assert keys(*web, measured(cpu="150m")) == [("k8s.cpu_usage", "warning")]
    assert keys(*web, measured(cpu="190m")) == [("k8s.cpu_usage", "critical")]
    assert keys(*web, measured(memory="110Mi")) == [("k8s.memory_usage", "warning")]
    assert keys(*web, measured(memory="120Mi")) == [("k8s.memory_usage", "critical")]


def test_cpu_of_an_autoscaled_workload_is_the_autoscalers_business():
    """Its line is the autoscaler's target, so only memory is judged here."""
    scaled = hpa(condition("AbleToScale", "True"), condition("ScalingActive", "True"))
    assert keys(deployment(), pod("web-1"), scaled, measured(cpu="199m", memory="120Mi")) == [
        ("k8s.memory_usage", "critical")
    ]


def test_without_a_limit_it_is_at_most_a_warning():
    """Of twice the request."""
    spec = {"containers": [{"name": "app", "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}]}
    assert keys(deployment(), pod("web-1", spec=spec), measured(cpu="5")) == [("k8s.cpu_usage", "warning")]
    assert keys(deployment(), pod("web-1", spec=spec), measured(cpu="120m")) == []


def test_nodes_usage():
    """Of what is allocatable (4 cores, 8Gi)."""

    def usage(cpu="1", memory="1Gi"):
        return thing("NodeMetrics", "n1", None, usage={"cpu": cpu, "memory": memory})

    assert keys(node(), usage()) == []
    assert keys(node(), usage("3")) == [("k8s.node_cpu", "warning")]
    assert keys(node(), usage("3900m", "7800Mi")) == [("k8s.node_cpu", "critical"), ("k8s.node_memory", "critical")]
    facts = judged(observation(node(), usage()))["facts"]
    assert (facts["cpu_percent"], facts["memory_percent"]) == (25.0, 12.5)


# the API server


def test_refused_kinds_are_unknown_one_by_one():
    """And the checks that need them are not seen."""
    refused = {"kind": "denied", "text": "HTTP 403: is forbidden"}
    result = judged(observation(errors={"poddisruptionbudgets.policy": refused}))
    found = {(one["check"], one["object"], one["status"]) for one in result["findings"]}
    assert found == {("k8s.access", "east/APIResource/poddisruptionbudgets.policy", "unknown")}
    unseen = {row["check"] for row in result["coverage"] if not row["seen"]}
    assert unseen == {"k8s.pdb_blocks", "k8s.pdb_overlap", "k8s.pdb_unmatched"}


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("refused", "critical"),
        ("timeout", "critical"),
        ("garbage", "critical"),
        ("unavailable", "critical"),
        ("denied", "unknown"),
        ("tls", "unknown"),
        ("dns", "unknown"),
    ],
)
def test_no_api_is_one_finding(kind, status):
    """Dead is critical, our own credentials and names are unknown; nothing else was seen, and nothing else is said."""
    result = judged({"server": "https://x", "now": ago(0), "api": {"kind": kind, "text": "no"}})
    assert [(one["check"], one["object"], one["status"]) for one in result["findings"]] == [("k8s.api", "east", status)]
    assert all(not row["seen"] for row in result["coverage"] if row["check"] != "k8s.api")


def test_nothing_may_be_listed():
    """The server answers, but knows these credentials for nothing."""
    from ansible_collections.nexuscos.ops.plugins.module_utils._k8s.kinds import KINDS

    refused = {kind.name: {"kind": "denied", "text": "HTTP 403: system:anonymous"} for kind in KINDS}
    result = judged(observation(errors=refused))
    assert [(one["check"], one["status"]) for one in result["findings"]] == [("k8s.api", "unknown")]


def test_not_ready_api_server_is_judged_all_the_same():
    """It says that etcd fails, and still lists."""
    result = judged(observation(node(ready="False"), failing=["etcd failed: reason withheld"]))
    assert {one["check"] for one in result["findings"]} == {"k8s.api", "k8s.node_ready"}

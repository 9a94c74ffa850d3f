# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look itself, against an API server that pages, refuses, breaks off, hangs and sends nonsense."""

from __future__ import annotations

import json
import socket
import time

import pytest
from documents import KIND, NS, container, deployment, died, event, judged, pod, thing, waiting
from fake_api import FakeApi

from ansible_collections.nexuscos.ops.plugins.module_utils._k8s.collect import collect
from ansible_collections.nexuscos.ops.plugins.module_utils._k8s.kinds import KINDS


@pytest.fixture
def api(monkeypatch, tmp_path):
    """A server, and no kubeconfig of the machine's own."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with FakeApi() as server:
        yield server


def look(server, **more):
    return collect({"host": server.url, "deadline": 5.0, "log_lines": 5, **more})


def fill(server, *things):
    for one in things:
        server.objects.setdefault(KIND[one["kind"]], []).append(one)


def crashing(name="web-1"):
    return pod(name, [container(waiting("CrashLoopBackOff"), died(1), 5)])


@pytest.mark.parametrize("page", [0, 1, 500])
def test_every_kind_in_one_answer_or_in_pages(api, page):
    """The same is seen either way, with one list call a kind, and the first with resourceVersion=0."""
    api.page = page
    fill(api, *(pod(f"web-{number}") for number in range(5)), deployment(replicas=5))
    seen = look(api)
    assert [one["name"] for one in seen["lists"]["pods"]] == [f"web-{number}" for number in range(5)]
    assert len(seen["shapes"]) == 1
    assert seen["errors"] == {}
    assert set(seen["lists"]) == {kind.name for kind in KINDS}
    asked = [line for line in api.requests if line.startswith("/api/v1/pods")]
    assert asked[0] == "/api/v1/pods?limit=500&resourceVersion=0"
    assert len(asked) == (5 if page == 1 else 1)
    assert all("resourceVersion" not in line for line in asked[1:])
    assert judged(seen)["findings"] == []


def test_expired_token_begins_again(api):
    """410 Gone half way: once more from the start, and nothing twice."""
    api.page = 2
    api.expire_once = True
    fill(api, *(pod(f"web-{number}") for number in range(6)))
    assert len(look(api)["lists"]["pods"]) == 6


def test_refused_missing_and_broken_kinds(api):
    """Each by itself; the others are seen."""
    fill(api, deployment())
    api.refuse["poddisruptionbudgets.policy"] = (403, "poddisruptionbudgets.policy is forbidden")
    api.refuse["horizontalpodautoscalers.autoscaling"] = (404, "the server could not find the requested resource")
    api.refuse["nodes"] = (503, "service unavailable")
    api.raw["/api/v1/services"] = b"<html>proxy error</html>"
    api.raw["/apis/batch/v1/jobs"] = b'{"kind":"JobList","items":[{"metadata":{"name":"a"'
    seen = look(api)
    assert {name: one["kind"] for name, one in seen["errors"].items()} == {
        "poddisruptionbudgets.policy": "denied",
        "horizontalpodautoscalers.autoscaling": "missing",
        "nodes": "unavailable",
        "services": "garbage",
        "jobs.batch": "garbage",
    }
    assert "is forbidden" in seen["errors"]["poddisruptionbudgets.policy"]["text"]
    assert len(seen["lists"]["deployments.apps"]) == 1


def test_a_slow_kind_costs_only_itself(api):
    """One kind hangs: it is not seen, the look ends at its deadline, the others are there."""
    fill(api, deployment())
    api.delay["/apis/policy/v1/poddisruptionbudgets"] = 20
    began = time.monotonic()
    seen = look(api, deadline=4.0)
    assert time.monotonic() - began < 15
    assert list(seen["errors"]) == ["poddisruptionbudgets.policy"]
    assert seen["errors"]["poddisruptionbudgets.policy"]["kind"] == "timeout"
    assert len(seen["lists"]["deployments.apps"]) == 1


def test_second_look_is_for_the_troubled_only(api):
    """A healthy cluster is asked for no events and no logs; a crash loop for both, once an owner."""
    fill(api, deployment(), pod("web-0"))
    look(api)
    assert not [line for line in api.requests if "/events" in line or "/log" in line]
    fill(api, crashing("web-1"), crashing("web-2"))
    api.logs[f"{NS}/web-1/app"] = "one\n\ntwo\npassword=hunter2\n"
    api.events = [event("Pod", "web-1", "BackOff", "Back-off restarting failed container")]
    seen = look(api)
    assert seen["logs"] == {f"{NS}/web-1/app": ["one", "two", "password=hunter2"]}
    assert [one["reason"] for one in seen["events"]] == ["BackOff"]
    asked = [line for line in api.requests if "/log" in line]
    assert len(asked) == 1
    assert "previous=true" in asked[0]
    assert not look(api, log_lines=0)["logs"]


def test_log_that_is_gone(api):
    """The kubelet answers 200 with words that are no log; or refuses."""
    fill(api, deployment(), crashing())
    api.logs[f"{NS}/web-1/app"] = "unable to retrieve container logs for containerd://0a1b"
    seen = look(api)
    assert seen["logs"] == {}
    assert "removed" in seen["logs_errors"][f"{NS}/web-1/app"]["text"]
    api.logs.clear()
    assert "not found" in look(api)["logs_errors"][f"{NS}/web-1/app"]["text"]


def test_owner_is_looked_up_where_its_name_does_not_tell(api):
    """A ReplicaSet of something that is no Deployment."""
    fill(api, crashing())
    api.documents[f"/apis/apps/v1/namespaces/{NS}/replicasets/web-5d9c"] = {
        "metadata": {"ownerReferences": [{"kind": "Rollout", "name": "web", "controller": True}]}
    }
    seen = look(api)
    assert seen["owners"] == {f"{NS}/web-5d9c": ["Rollout", "web"]}
    assert judged(seen)["findings"][0]["object"] == f"east/{NS}/Rollout/web"


def test_secrets_are_asked_for_names_only_where_an_ingress_needs_them(api):
    """And by namespace."""
    fill(api, thing("Ingress", "shop", spec={"tls": [{"secretName": "shop-tls"}]}))
    api.documents[f"/api/v1/namespaces/{NS}/secrets"] = {
        "kind": "PartialObjectMetadataList",
        "metadata": {},
        "items": [{"metadata": {"name": "shop-tls"}}],
    }
    assert look(api)["secrets"] == {NS: ["shop-tls"]}


def test_namespaces(api):
    """Each by itself, what is left out by a glob, and cluster-wide kinds all the same."""
    fill(api, deployment(), deployment("other", meta={"namespace": "nexus-lab"}), thing("Node", "n1", None))
    seen = look(api, namespaces=[NS])
    assert [one["metadata"]["name"] for one in seen["lists"]["deployments.apps"]] == ["web"]
    assert len(seen["lists"]["nodes"]) == 1
    assert f"/apis/apps/v1/namespaces/{NS}/deployments?limit=500&resourceVersion=0" in api.requests
    seen = look(api, exclude_namespaces=["nexus-*"])
    assert [one["metadata"]["name"] for one in seen["lists"]["deployments.apps"]] == ["web"]


def test_not_ready(api):
    """The parts that the API server calls broken."""
    api.answer = lambda target, known=api.answer: (
        (500, b"[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed")
        if target.startswith("/readyz")
        else known(target)
    )
    assert look(api)["failing"] == ["etcd failed: reason withheld"]


def test_wrong_credentials(api):
    """401 at the first question: nothing else is asked."""
    api.refuse["/version"] = (401, "Unauthorized")
    seen = look(api)
    assert seen["api"]["kind"] == "denied"
    assert not [line for line in api.requests if "pods" in line]


def test_dead_server():
    """Nothing listens; something listens and says nothing; something that speaks no HTTP."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        host = "http://127.0.0.1:%d" % listener.getsockname()[1]
        assert collect({"host": host, "deadline": 10.0})["api"]["kind"] == "refused"
        listener.listen()
        began = time.monotonic()
        assert collect({"host": host, "deadline": 1.0})["api"]["kind"] == "timeout"
        assert time.monotonic() - began < 15


def test_unresolvable_name():
    """Our own trouble, not the cluster's."""
    assert collect({"host": "http://no-such-host.invalid:6443", "deadline": 3.0})["api"]["kind"] in ("dns", "timeout")


def test_plain_http_behind_https(api):
    """TLS is spoken to a server that does not."""
    seen = collect({"host": api.url.replace("http:", "https:"), "deadline": 3.0})
    assert seen["api"]["kind"] == "tls"


def test_observation_is_json(api):
    """What is recorded can be written and read again without a difference."""
    fill(api, deployment(), crashing())
    seen = look(api)
    assert json.loads(json.dumps(seen)) == seen

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's clusters are what they say: nodes, services, metrics, registry, and services that feel a dead database.
Asked with kubectl and curl. Wants a lab that is up, with clusters of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAB = Path(os.environ.get("NEXUSCOS_LAB_DIR") or ROOT / ".lab")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nexuscos-lab"
TOKEN_FAULT = "nexus-lab-kubernetes-test"  # namespace of this test's own objects
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

pytestmark = pytest.mark.skipif(
    bool(os.environ.get("NEXUSCOS_LAB_KUBECONFIG")), reason="a given cluster has not what the lab's own have"
)


@pytest.fixture(scope="module")
def lab() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((LAB / "lab.json").read_text())
    assert found["clusters"]["us-east-1"]["ready"], "the lab's clusters are not up: make lab"
    return found


def program() -> str:
    """kubectl of the virtual environment, else that which the lab fetched."""
    return (
        shutil.which("kubectl", path=str(ROOT / ".venv/bin"))
        or next(map(str, sorted(CACHE.glob("tools/kubectl-*/**/kubectl"))), "")
        or "kubectl"
    )


def kubectl(*arguments: str, context: str = "us-east-1", check: bool = True, stdin: str | None = None) -> str:
    command = [program(), "--kubeconfig", str(LAB / "kubeconfig"), "--context", context, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, input=stdin)
    if check:
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def items(*arguments: str, context: str = "us-east-1") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(kubectl("get", *arguments, "-o", "json", context=context))["items"]
    return found


def until(true: Callable[[], Any], seconds: float, what: str) -> Any:
    """Wait until something holds; answers it."""
    end = time.monotonic() + seconds
    while True:
        answer = true()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(1)


def health(lab: dict[str, Any], service: str, path: str = "/health") -> tuple[int, dict[str, Any]]:
    entry = lab["services"][service]
    url = f"http://{entry['address']['us-east-1']}:{entry['port']}{path}"
    try:
        with OPENER.open(url, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except OSError:
        return 0, {}


def conditions(item: dict[str, Any]) -> dict[str, str]:
    return {condition["type"]: condition["status"] for condition in item["status"].get("conditions", [])}


def test_nodes_of_three_zones_are_ready(lab: dict[str, Any]) -> None:
    nodes = items("nodes")
    zones = {node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in nodes}
    assert zones == {"us-east-1a", "us-east-1b", "us-east-1c"}
    real = [node for node in nodes if node["metadata"]["labels"].get("type") != "kwok"]
    assert {node["metadata"]["name"] for node in real} == {"east-a", "east-b"}
    assert all(node["status"]["nodeInfo"]["containerRuntimeVersion"].startswith("containerd://") for node in real)
    for node in nodes + items("nodes", context="us-west-2"):
        seen = conditions(node)
        assert seen.pop("Ready") == "True"
        assert set(seen.values()) == {"False"}, f"{node['metadata']['name']}: {seen}"


def test_all_services_are_available_where_they_belong(lab: dict[str, Any]) -> None:
    deployments = {
        item["metadata"]["name"]: item
        for item in items("deployments", "-A")
        if item["metadata"]["namespace"] != "nexus-lab"
    }
    assert set(lab["services"]) <= set(deployments)
    for name, entry in lab["services"].items():
        found = deployments[name]
        assert found["metadata"]["namespace"] == entry["namespace"]
        assert found["status"].get("availableReplicas") == found["spec"]["replicas"], name
    placed = {pod["spec"]["nodeName"] for pod in items("pods", "-A")}
    assert placed == {"east-a", "east-b"}, "no pod is placed on a node that kwok plays"


def test_healthy_is_healthy(lab: dict[str, Any]) -> None:
    codes = {name: health(lab, name)[0] for name in lab["services"]}
    assert {name: code for name, code in codes.items() if code != 200} == {}
    for context in ("us-east-1", "us-west-2"):
        for pod in items("pods", "-A", "-l", "app.kubernetes.io/managed-by=nexuscos-lab", context=context):
            # A job may have tried more than once; whether it is complete is asked below.
            tried = any(owner["kind"] == "Job" for owner in pod["metadata"].get("ownerReferences", []))
            assert tried or pod["status"]["phase"] == "Running", pod["metadata"]["name"]
        for budget in items("pdb", "-A", context=context):
            assert budget["status"]["disruptionsAllowed"] > 0, budget["metadata"]["name"]
        for scaler in items("hpa", "-A", context=context):
            seen = conditions(scaler)
            assert seen["ScalingActive"] == "True", scaler["metadata"]["name"]
            assert scaler["status"]["currentReplicas"] < scaler["spec"]["maxReplicas"]
    assert [claim["status"]["phase"] for claim in items("pvc", "-A")] == ["Bound"]
    assert all(
        conditions(job).get("Complete") == "True" for job in items("jobs", "-A") if not job["status"].get("active")
    )


def test_metrics_for_nodes_and_pods(lab: dict[str, Any]) -> None:
    assert len(kubectl("top", "nodes", "--no-headers").splitlines()) == 4
    assert len(kubectl("top", "pods", "-A", "--no-headers").splitlines()) > 100
    assert len(kubectl("top", "nodes", "--no-headers", context="us-west-2").splitlines()) == 1


def test_the_viewer_may_look_and_not_touch(lab: dict[str, Any]) -> None:
    assert "auth-service" in kubectl("get", "deployments", "-A", context="us-east-1-viewer")
    denied = kubectl(
        "-n", "nexus-auth", "delete", "deployment", "auth-service", context="us-east-1-viewer", check=False
    )
    assert "forbidden" in denied.lower()
    denied = kubectl("get", "secrets", "-n", "nexus-auth", "-o", "yaml", context="us-east-1-viewer", check=False)
    assert "LAB_TOKEN" not in denied


def test_a_cut_database_turns_its_dependants_red_and_healing_turns_them_green(lab: dict[str, Any]) -> None:
    link = lab["machines"]["db1"]["netns"]  # the machine's cable has the name of its namespace
    assert health(lab, "ledger-mgr")[0] == 200
    subprocess.run(["ip", "link", "set", link, "down"], check=True)
    try:

        def red() -> dict[str, Any] | None:
            code, body = health(lab, "ledger-mgr")
            return body if code == 503 else None

        body = until(red, 180, "/health of ledger-mgr is 503")
        assert body["checks"]["postgresql"]["status"] == "down"
        # a service without a database of its own feels it by the service that it needs
        body = until(
            lambda: health(lab, "invoice-gen")[0] == 503 and health(lab, "invoice-gen")[1], 180, "invoice-gen too"
        )
        assert body["checks"]["ledger-mgr"]["status"] == "down"
        assert health(lab, "kei-ai")[0] == 200, "a service that has nothing to do with it stays green"
    finally:
        subprocess.run(["ip", "link", "set", link, "up"], check=True)
    until(lambda: {health(lab, name)[0] for name in lab["services"]} == {200}, 240, "all are green again")


@pytest.fixture
def namespace() -> Iterator[str]:
    kubectl("create", "namespace", TOKEN_FAULT)
    try:
        yield TOKEN_FAULT
    finally:
        kubectl("delete", "namespace", TOKEN_FAULT, "--wait=true", "--timeout=200s")


def image() -> str:
    found: str = items("deployments", "-n", "nexus-auth")[0]["spec"]["template"]["spec"]["containers"][0]["image"]
    assert "@sha256:" in found
    return found


def pod(name: str, picture: str, **env: str) -> str:
    values = {"SERVICE_NAME": name, "SERVICE_PORT": "3900", "LAB_TOKEN": "a", **env}
    container = {
        "name": "main",
        "image": picture,
        "env": [{"name": key, "value": value} for key, value in values.items()],
    }
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"dnsPolicy": "Default", "terminationGracePeriodSeconds": 1, "containers": [container]},
    }
    return json.dumps(manifest)


def test_exec_crash_and_the_previous_log(lab: dict[str, Any], namespace: str) -> None:
    kubectl("-n", namespace, "apply", "-f", "-", stdin=pod("crasher", image()))
    kubectl("-n", namespace, "wait", "--for=condition=Ready", "pod/crasher", "--timeout=200s")
    answer = kubectl("-n", namespace, "exec", "crasher", "--", "/service", "request", "/health")
    assert json.loads(answer)["status"] == "healthy"
    kubectl("-n", namespace, "exec", "crasher", "--", "/service", "request", "-d", '{"exit_code": 7}', "/lab/crash")

    def restarted() -> dict[str, Any] | None:
        status = json.loads(kubectl("-n", namespace, "get", "pod", "crasher", "-o", "json"))["status"][
            "containerStatuses"
        ][0]
        return status if status["restartCount"] else None

    status = until(restarted, 180, "the container was started again")
    assert status["lastState"]["terminated"]["exitCode"] == 7
    assert "ends on an order of the lab" in kubectl("-n", namespace, "logs", "crasher", "--previous")


def test_what_the_registry_does_not_have_or_not_give_cannot_be_pulled(lab: dict[str, Any], namespace: str) -> None:
    absent = image().split("@")[0].replace("/service", "/absent") + ":1"
    private = "private.nexuscos.lab:5001/nexus-cos/service:2.4.0"
    kubectl("-n", namespace, "apply", "-f", "-", stdin=pod("absent", absent))
    kubectl("-n", namespace, "apply", "-f", "-", stdin=pod("private", private))
    for name, words in (("absent", "not found"), ("private", "401 Unauthorized")):

        def waits(name: str = name, words: str = words) -> bool:
            status = json.loads(kubectl("-n", namespace, "get", "pod", name, "-o", "json"))["status"]
            events = kubectl("-n", namespace, "get", "events", "--field-selector", f"involvedObject.name={name}")
            reasons = [one["state"].get("waiting", {}).get("reason") for one in status.get("containerStatuses", [])]
            return reasons in (["ErrImagePull"], ["ImagePullBackOff"]) and words in events

        until(waits, 180, f"{name} cannot be pulled: {words}")

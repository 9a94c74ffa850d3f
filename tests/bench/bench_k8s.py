"""2,000 pods of 17 MB and 10,000 pods: k8s_health against the kubernetes library, typed and raw."""

from __future__ import annotations

import gzip
import http.server
import json
import subprocess
import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit

import measure

PAGE = 500
REPLICAS = 4
NAMESPACES = ("nexus-auth", "nexus-content", "nexus-business", "nexus-ai", "nexus-platform")

MODULE = """
import json, sys
from ansible.module_utils import basic
basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": json.loads(sys.argv[1])}).encode()
basic._ANSIBLE_PROFILE = "legacy"
from ansible_collections.nexuscos.ops.plugins.modules import k8s_health
k8s_health.main()
"""
TYPED = """
import sys
from kubernetes import client
settings = client.Configuration()
settings.host = sys.argv[1]
api = client.CoreV1Api(client.ApiClient(settings))
token, pods = None, []
while True:
    page = api.list_pod_for_all_namespaces(limit=500, **({"_continue": token} if token else {}))
    pods += page.items
    token = page.metadata._continue
    if not token:
        break
assert len(pods) == int(sys.argv[2])
"""
RAW = """
import json, sys
from kubernetes import client
settings = client.Configuration()
settings.host = sys.argv[1]
pool = client.ApiClient(settings).rest_client.pool_manager
token, pods = "", []
while True:
    url = sys.argv[1] + "/api/v1/pods?limit=500" + ("&continue=" + token if token else "")
    page = json.loads(pool.request("GET", url).data)
    pods += page["items"]
    token = page["metadata"].get("continue")
    if not token:
        break
assert len(pods) == int(sys.argv[2])
"""


def fields(manager: str, names: int) -> dict[str, Any]:
    """An entry of managedFields: half of what an API server sends is these."""
    inner = {f"f:field-{number}": {".": {}, "f:name": {}, "f:value": {}} for number in range(names)}
    return {
        "manager": manager,
        "operation": "Update",
        "apiVersion": "v1",
        "time": "2026-11-22T06:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {'k:{"name":"app"}': inner}},
    }


def pod(number: int) -> dict[str, Any]:
    """A healthy pod of about 8.5 kB, as one of four of a Deployment."""
    service = f"service-{number // REPLICAS:04d}"
    name, digest = f"{service}-7d9f8c6b5-{number:05d}", "7d9f8c6b5"
    since = "2026-11-20T06:00:00Z"
    container = {
        "name": "app",
        "image": f"registry.example.com/{service}@sha256:" + "0123456789abcdef" * 4,
        "ports": [{"name": "http", "containerPort": 3000, "protocol": "TCP"}],
        "env": [{"name": f"SETTING_{index}", "value": f"value of setting {index}"} for index in range(24)],
        "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "2Gi"}},
        "livenessProbe": {"httpGet": {"path": "/health/live", "port": "http"}, "periodSeconds": 10},
        "readinessProbe": {"httpGet": {"path": "/health/ready", "port": "http"}, "periodSeconds": 5},
        "volumeMounts": [{"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}],
    }
    conditions = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    return {
        "metadata": {
            "name": name,
            "generateName": f"{service}-{digest}-",
            "namespace": NAMESPACES[number // REPLICAS % len(NAMESPACES)],
            "uid": f"00000000-0000-4000-8000-{number:012d}",
            "resourceVersion": str(100000 + number),
            "creationTimestamp": since,
            "labels": {"app": service, "pod-template-hash": digest, "app.kubernetes.io/part-of": "nexus-cos"},
            "annotations": {"checksum/config": "0123456789abcdef" * 4},
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": f"{service}-{digest}",
                    "uid": f"00000000-0000-4000-9000-{number // REPLICAS:012d}",
                    "controller": True,
                }
            ],
            "managedFields": [fields("kube-controller-manager", 54), fields("kubelet", 40)],
        },
        "spec": {
            "containers": [container],
            "nodeName": f"node-{number % 40}",
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
            "volumes": [{"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}],
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}],
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": kind, "status": "True", "lastTransitionTime": since} for kind in conditions],
            "hostIP": "203.0.113.7",
            "podIP": "198.51.100.7",
            "startTime": since,
            "containerStatuses": [
                {
                    "name": "app",
                    "ready": True,
                    "started": True,
                    "restartCount": 0,
                    "image": container["image"],
                    "imageID": container["image"],
                    "containerID": "containerd://" + "0123456789abcdef" * 4,
                    "state": {"running": {"startedAt": since}},
                    "lastState": {},
                }
            ],
            "qosClass": "Burstable",
        },
    }


def serve(number: int, whole: bool) -> None:
    """An API server with so many pods and nothing else. With `whole` it ignores the limit, as a cache does."""
    step = number if whole else PAGE
    pages: dict[str, tuple[bytes, bytes]] = {}
    total = 0
    for begin in range(0, number, step):
        meta = (
            {"resourceVersion": "7", "continue": str(begin + step)}
            if begin + step < number
            else {"resourceVersion": "7"}
        )
        items = [pod(one) for one in range(begin, min(begin + step, number))]
        body = json.dumps(
            {"kind": "PodList", "apiVersion": "v1", "metadata": meta, "items": items}, separators=(",", ":")
        ).encode()
        total += len(body)
        pages[str(begin)] = (body, gzip.compress(body, 1))
    empty = json.dumps({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": []}).encode()
    version = json.dumps({"gitVersion": "v1.36.3"}).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            self.send_response(200)
            packed = False
            if parts.path == "/api/v1/pods":
                packed = "gzip" in self.headers.get("Accept-Encoding", "")
                body = pages[parse_qs(parts.query).get("continue", ["0"])[0]][packed]
            else:
                body = version if parts.path == "/version" else empty
            if packed:
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_address[1], total, flush=True)
    server.serve_forever()


class Server:
    """The API server as a process of its own, so that it does not share an interpreter with what is measured."""

    def __init__(self, number: int, whole: bool = False) -> None:
        argv = [sys.executable, __file__, "serve", str(number), "whole" if whole else "pages"]
        self.number = number
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        port, size = self.process.stdout.readline().split()
        self.url, self.megabytes = f"http://127.0.0.1:{port}", int(size) / 1e6

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.terminate()
        self.process.wait()

    def module(self) -> list[str]:
        """The command that runs the module as Ansible's wrapper does, in one process."""
        options = json.dumps({"target": "bench", "host": self.url, "deadline": 60.0})
        return [sys.executable, "-c", MODULE, options]


def alternate(commands: dict[str, list[str]], repeats: int = measure.REPEATS) -> dict[str, list[tuple[float, float]]]:
    """Seconds and MB of each command, in turns; the first round is thrown away."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for turn in range(repeats + 1):
        for name, argv in commands.items():
            one = measure.process(argv)
            if turn:
                taken[name].append(one)
    return taken


def main() -> None:
    """Measure and print."""
    raw, typed, whole = "raw JSON by the kubernetes library", "typed client", "in one answer, as from a watch cache"
    with Server(2000) as few, Server(10000) as many, Server(10000, whole=True) as at_once:
        arguments = [few.url, str(few.number)]
        taken = alternate(
            {
                "few": few.module(),
                "many": many.module(),
                whole: at_once.module(),
                raw: [sys.executable, "-c", RAW, *arguments],
                typed: [sys.executable, "-c", TYPED, *arguments],
            },
            min(measure.REPEATS, 3),
        )
        words = "{:,} pods, {:.3g} MB in pages of 500; the whole module process"

    def seconds(name: str) -> list[float]:
        return [one[0] for one in taken[name]]

    def megabytes(name: str) -> list[float]:
        return [one[1] for one in taken[name]]

    for get, unit, name, limit in ((seconds, "s", "", 1.2), (megabytes, "MB", ", memory", 130.0)):
        against = {other: measure.median(get(other)) for other in (raw, typed)}
        what = words.format(few.number, few.megabytes)
        measure.emit("k8s 2,000 pods" + name, what, get("few"), unit, against, limit)
    what = words.format(many.number, many.megabytes)
    for get, unit, name, bound, limit in (
        (seconds, "s", "", "; at most five times that of 2,000", 5 * measure.median(seconds("few"))),
        (megabytes, "MB", ", memory", "; at most 20 MB above that of 2,000", measure.median(megabytes("few")) + 20),
    ):
        against = {"2,000 pods": measure.median(get("few")), whole: measure.median(get(whole))}
        measure.emit("k8s 10,000 pods" + name, what + bound, get("many"), unit, against, limit)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]), sys.argv[3] == "whole")
    else:
        main()

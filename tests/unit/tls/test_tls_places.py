"""Files, kubeconfigs and Secrets: what is read of them, what is not, and what is said where nothing can be read."""

from __future__ import annotations

import base64
import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tls_world import Made, World, judged, private_pem, said

from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._tls import places
from ansible_collections.nexuscos.ops.plugins.module_utils._tls.places import Unread


def encoded(*parts: bytes) -> str:
    return base64.b64encode(b"".join(parts)).decode()


def secret(name: str, made: Made, *more: Made) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "type": "kubernetes.io/tls",
        "data": {"tls.crt": encoded(made.pem, *(one.pem for one in more)), "tls.key": encoded(private_pem(made.key))},
    }


class Cluster:
    """An API server that has some Secrets of the namespace apps."""

    def __init__(self, folder: Path) -> None:
        self.secrets: list[dict[str, Any]] = []
        self.denied: set[str] = set()
        self.asked: list[str] = []
        cluster = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                cluster.asked.append(self.path)
                status, document = cluster.answer(urlsplit(self.path).path)
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_words: object) -> None:
                """Says nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.kubeconfig = str(folder / "kubeconfig")
        Path(self.kubeconfig).write_text(
            yaml.safe_dump(
                {
                    "current-context": "c",
                    "contexts": [{"name": "c", "context": {"cluster": "c"}}],
                    "clusters": [
                        {"name": "c", "cluster": {"server": f"http://127.0.0.1:{self._server.server_address[1]}"}}
                    ],
                }
            ),
            encoding="utf-8",
        )

    def answer(self, path: str) -> tuple[int, dict[str, Any]]:
        base = "/api/v1/namespaces/apps/secrets"
        if path in self.denied:
            return 403, {"kind": "Status", "message": "secrets is forbidden: User cannot get resource"}
        if path == base:
            return 200, {"kind": "SecretList", "metadata": {}, "items": self.secrets}
        for one in self.secrets:
            if path == f"{base}/{one['metadata']['name']}":
                return 200, one
        return 404, {"kind": "Status", "message": "not found"}

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(20)
        self._server.server_close()

    def open(self) -> None:
        self._thread.start()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    made.open()
    yield made
    made.close()


# Files


def test_a_file_with_its_chain(world: World) -> None:
    path = world.write("full.pem", world.leaf.pem, world.between.pem, private_pem(world.leaf.key))
    result = world.judge({"file": path, "server_name": "localhost"})
    assert result["findings"] == []
    rows = {row["check"]: row["objects"] for row in result["coverage"]}
    assert (rows["certificate.file"], rows["certificate.trust"], rows["certificate.hostname"]) == (1, 1, 1)


def test_a_file_is_held_against_an_authority_only_where_one_is_named(world: World) -> None:
    path = world.write("own.pem", world.make("own", names=["a"]).pem)
    assert world.judge({"file": path}, ca_path=None)["findings"] == []
    assert said(world.judge({"file": path})) == [("trust", "a", "critical")]
    assert world.judge({"file": path, "trust": False})["findings"] == []


def test_a_file_of_authorities_is_judged_one_by_one(world: World) -> None:
    old = world.make("Old root", ca=True, days=(-900, -3))
    path = world.write("bundle.pem", world.root.pem, old.pem, world.stranger.pem)
    result = world.judge({"file": path})
    assert said(result) == [("expiry", "a", "critical")]
    assert result["findings"][0]["title"].startswith("CN=Old root in a expired 3 days ago")


def test_files_that_cannot_be_read(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    garbage = world.write("garbage.pem", b"-----BEGIN CERTIFICATE-----\nMIIB")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    result = world.judge({"file": "/nowhere/x.pem"}, {"file": garbage}, {"file": str(tmp_path)}, {"file": str(pipe)})
    assert said(result) == [
        ("file", "a", "critical"),
        ("file", "b", "unknown"),
        ("file", "c", "unknown"),
        ("file", "d", "unknown"),
    ]
    assert result["findings"][0]["title"] == "a: the file is gone"
    rows = {row["check"]: row for row in result["coverage"]}
    assert rows["certificate.expiry"]["seen"] is False
    assert rows["certificate.reachable"] == {
        "check": "certificate.reachable", "objects": 0, "status": "ok", "seen": True, "reason": None,
    }  # fmt: skip

    def denied(*_words: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", denied)
    with pytest.raises(Unread, match="may not be read"):
        places.file(garbage)


def test_a_file_that_is_too_large(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_LARGEST", 100)
    with pytest.raises(Unread, match="larger than"):
        places.file(world.ca)


# Kubeconfigs


def kubeconfig(world: World, path: Path) -> dict[str, Any]:
    user = world.make("admin", world.root, days=(-390, 5))
    data = {
        "users": [
            {"name": "admin", "user": {"client-certificate-data": encoded(user.pem),
                                       "client-key-data": encoded(private_pem(user.key))}},
            {"name": "token", "user": {"token": "a-secret-token"}},
            {"name": "beside", "user": {"client-certificate": "beside.pem"}},
            {"name": "broken", "user": {"client-certificate-data": "%%"}},
        ],
        "clusters": [
            {"name": "east", "cluster": {"certificate-authority-data": encoded(world.root.pem)}},
            {"name": "open", "cluster": {"insecure-skip-tls-verify": True}},
        ],
    }  # fmt: skip
    (path.parent / "beside.pem").write_bytes(world.leaf.pem)
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return data


def test_a_kubeconfig(world: World, tmp_path: Path) -> None:
    path = tmp_path / "config"
    data = kubeconfig(world, path)
    observation = world.look({"kubeconfig": str(path)})
    result = judged(observation)
    assert said(result) == [("expiry", "a/users/admin", "critical"), ("file", "a/users/broken", "unknown")]
    names = {row["name"] for row in result["facts"]["certificates"]}
    assert names == {"a/users/admin", "a/users/beside", "a/clusters/east"}
    kept = json.dumps(observation)
    assert data["users"][0]["user"]["client-key-data"] not in kept
    assert "a-secret-token" not in kept


@pytest.mark.parametrize("text", ["{", "[]", "a: b: c", "\0", "users: 5\nclusters: [1, {}]", "users: [{user: 5}]"])
def test_what_is_no_kubeconfig(world: World, tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text, encoding="utf-8")
    for _part, found in _parts(str(path)):
        assert isinstance(found, Unread)


@given(text=st.text(max_size=60))
def test_any_text_as_a_kubeconfig(world: World, text: str) -> None:
    path = world.write("any-config", text.encode("utf-8", "surrogatepass"))
    for _part, found in _parts(path):
        assert found


def _parts(path: str) -> Any:
    try:
        return places.kubeconfig(path)
    except Unread:
        return []


# Secrets


def test_the_certificate_of_a_secret_and_never_its_key(world: World, cluster: Cluster) -> None:
    cluster.secrets = [secret("api", world.leaf, world.between)]
    source = {"secret": {"namespace": "apps", "name": "api", "kubeconfig": cluster.kubeconfig}}
    observation = world.look(source)
    assert judged(observation)["findings"] == []
    assert cluster.asked == ["/api/v1/namespaces/apps/secrets/api"]
    kept = json.dumps(observation)
    assert "PRIVATE" not in kept
    assert cluster.secrets[0]["data"]["tls.key"] not in kept


def test_all_secrets_of_a_namespace(world: World, cluster: Cluster) -> None:
    late = world.make("late", world.root, names=["late"], days=(-390, 6))
    cluster.secrets = [
        secret("late", late),
        secret("good", world.leaf, world.between),
        {"metadata": {"name": "empty"}, "type": "kubernetes.io/tls", "data": {}},
        {"metadata": {"name": "other"}, "type": "Opaque", "data": {"password": "eA=="}},
    ]
    result = world.judge({"secret": {"namespace": "apps"}}, kubeconfig=cluster.kubeconfig)
    assert said(result) == [("expiry", "a/late", "critical"), ("file", "a/empty", "unknown")]
    assert (result["facts"]["certificates_ok"], result["facts"]["certificates_total"]) == (1, 3)
    assert "fieldSelector=type" in cluster.asked[0]


def test_secrets_that_cannot_be_read(world: World, cluster: Cluster) -> None:
    cluster.denied = {"/api/v1/namespaces/apps/secrets/hidden"}
    own = {"kubeconfig": cluster.kubeconfig}
    result = world.judge(
        {"secret": {"namespace": "apps", "name": "gone", **own}},
        {"secret": {"namespace": "apps", "name": "hidden", **own}},
    )
    assert said(result) == [("file", "a", "critical"), ("file", "b", "unknown")]
    assert "nexuscos-ops-tls-secrets.yml" in result["findings"][1]["remedy"]


def test_a_cluster_that_does_not_answer(world: World, tmp_path: Path) -> None:
    made = Cluster(tmp_path)
    made._server.server_close()
    result = world.judge({"secret": {"namespace": "apps", "name": "api", "kubeconfig": made.kubeconfig}})
    assert said(result) == [("file", "a", "unknown")]


def test_a_kubeconfig_to_log_in_with_must_be_there(world: World) -> None:
    with pytest.raises(OptionError, match="no file /nowhere"):
        world.look({"secret": {"namespace": "apps", "kubeconfig": "/nowhere"}})


# What is served against what should be


def test_served_and_kept_are_the_same(world: World, cluster: Cluster) -> None:
    cluster.secrets = [secret("api", world.leaf)]
    own = {"namespace": "apps", "name": "api", "kubeconfig": cluster.kubeconfig}
    file = world.write("kept.pem", world.leaf.pem)
    with world.server(world.leaf, world.between) as server:
        result = world.judge({"at": server, "secret": own}, {"at": server, "file": file})
    assert result["findings"] == []
    rows = {row["check"]: row["objects"] for row in result["coverage"]}
    assert (rows["certificate.drift"], rows["certificate.file"]) == (2, 0)


def test_renewed_and_not_loaded(world: World, cluster: Cluster) -> None:
    newer = world.make("leaf", world.between, names=["127.0.0.1"], days=(-0.5, 397))
    cluster.secrets = [secret("api", newer)]
    own = {"namespace": "apps", "name": "api", "kubeconfig": cluster.kubeconfig}
    with world.server(world.leaf, world.between) as server:
        result = world.judge({"at": server, "secret": own})
    assert said(result) == [("drift", "a", "warning")]
    found = result["findings"][0]
    assert found["title"].endswith("which is newer: it was renewed and not loaded")
    assert found["evidence"]["kept"]["sha256"] == newer.read.sha256
    assert found["evidence"]["fingerprint_sha256"] == world.leaf.read.sha256


def test_what_cannot_be_compared_is_unknown(world: World, cluster: Cluster) -> None:
    own = {"namespace": "apps", "name": "gone", "kubeconfig": cluster.kubeconfig}
    with world.server(world.leaf, world.between) as server:
        result = world.judge({"at": server, "secret": own}, {"at": server, "file": "/nowhere"})
    assert said(result) == [("drift", "a", "unknown"), ("drift", "b", "unknown")]

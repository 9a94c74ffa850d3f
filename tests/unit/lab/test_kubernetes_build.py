# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the lab comes by its Kubernetes: given folder, cache, release, build; without any of them being real."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import json
import os
import re
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

LAB = Path(__file__).resolve().parents[2] / "lab"


def load(name: str, path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


build = load("lab_kubernetes_build", LAB / "kubernetes" / "build.py")
image = load("lab_image", LAB / "library" / "lab_image.py")


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("NEXUSCOS_LAB_KUBERNETES_BIN", raising=False)
    (tmp_path / "cache").mkdir()


def programs(folder: Path, names: tuple[str, ...]) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def release() -> Iterator[tuple[str, dict[str, bytes]]]:
    """A host with an official release; the test may change what it serves."""
    files: dict[str, bytes] = {}
    base = "/v%s/bin/linux/%s/" % (build.VERSION, build.architecture())
    for name in build.RELEASED:
        if name != "etcd":
            files[base + name] = name.encode()
            files[base + name + ".sha256"] = hashlib.sha256(name.encode()).hexdigest().encode()
    archive, name = io.BytesIO(), "etcd-v%s-linux-%s" % (build.ETCD_VERSION, build.architecture())
    with tarfile.open(fileobj=archive, mode="w:gz") as out:
        info = tarfile.TarInfo(name + "/etcd")
        info.size = 4
        out.addfile(info, io.BytesIO(b"etcd"))
    place = "/v%s/" % build.ETCD_VERSION
    files["%s%s.tar.gz" % (place, name)] = archive.getvalue()
    files[place + "SHA256SUMS"] = b"%s  %s.tar.gz\n" % (
        hashlib.sha256(archive.getvalue()).hexdigest().encode(),
        name.encode(),
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = files.get(self.path)
            self.send_response(404 if body is None else 200)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_words: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield "http://127.0.0.1:%d" % server.server_port, files
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_release_is_verified_and_taken(release: tuple[str, dict[str, bytes]], tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    assert build.download(target, build.Progress(tmp_path, None), release[0], release[0])
    assert {path.name for path in target.iterdir()} == set(build.RELEASED)
    assert (target / "etcd").read_bytes() == b"etcd"
    assert os.access(target / "kubelet", os.X_OK)


def test_a_release_with_a_wrong_checksum_is_an_error(release: tuple[str, dict[str, bytes]], tmp_path: Path) -> None:
    host, files = release
    files[next(path for path in files if path.endswith("/kubelet"))] = b"another"
    with pytest.raises(build.BuildError, match="kubelet does not have the checksum"):
        build.download(tmp_path, build.Progress(tmp_path, None), host, host)


def test_a_host_that_does_not_answer_leads_to_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    def fake(target: Path, *_rest: Any, addons_only: bool = False) -> None:
        built.append(addons_only)
        for name in build.RELEASED + build.ADDONS:
            (target / name).write_text("")
            (target / name).chmod(0o755)

    monkeypatch.setattr(build, "build_node", fake)
    monkeypatch.setattr(build, "RELEASE_HOST", "http://127.0.0.1:9")
    progress = build.Progress(tmp_path, None)
    place = build.programs(tmp_path, progress)
    assert built == [False]
    assert build.programs(tmp_path, progress) == place, "the second time it comes from the cache"
    assert built == [False]
    assert not progress.path.exists(), "nothing is being built any more"


def test_a_given_folder_is_used_and_only_what_no_release_has_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = programs(tmp_path / "whole", build.RELEASED + build.ADDONS)
    monkeypatch.setenv("NEXUSCOS_LAB_KUBERNETES_BIN", str(whole))
    assert build.programs(tmp_path, build.Progress(tmp_path, None)) == whole

    def fake(target: Path, *_rest: Any, addons_only: bool = False) -> None:
        assert addons_only
        for name in build.ADDONS:
            (target / name).write_text("")
            (target / name).chmod(0o755)

    monkeypatch.setattr(build, "build_node", fake)
    monkeypatch.setenv("NEXUSCOS_LAB_KUBERNETES_BIN", str(programs(tmp_path / "release", build.RELEASED)))
    place = build.programs(tmp_path, build.Progress(tmp_path, None))
    assert os.readlink(place / "kubelet") == str(tmp_path / "release" / "kubelet")

    monkeypatch.setenv("NEXUSCOS_LAB_KUBERNETES_BIN", str(programs(tmp_path / "half", build.RELEASED[:2])))
    with pytest.raises(build.BuildError, match="lacks kube-scheduler, kubelet, kube-proxy, etcd"):
        build.programs(tmp_path, build.Progress(tmp_path, None))


def test_progress_is_told_to_the_cache_and_to_the_lab(tmp_path: Path) -> None:
    (tmp_path / "lab.json").write_text("{}")
    progress = build.Progress(tmp_path, tmp_path)
    progress.say("compiling Kubernetes 1.36.3", 1420, 2841)
    told = json.loads(progress.path.read_text())
    assert told["detail"].startswith("compiling Kubernetes 1.36.3: 1420 of about 2841 packages, about ")
    part = json.loads((tmp_path / "lab.json").read_text())["components"]["kubernetes"]
    assert part["state"] == "building"
    assert part["detail"] == told["detail"]


def test_the_cache_key_follows_sources_and_not_tests(tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text("package main\n")
    first = build.digest(tmp_path, "1")
    (tmp_path / "main_test.go").write_text("package main\n")
    assert build.digest(tmp_path, "1") == first
    assert build.digest(tmp_path, "2") != first
    (tmp_path / "go.sum").write_text("x\n")
    assert build.digest(tmp_path, "1") != first


def test_a_go_that_is_too_old_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "bin" / "go"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho go1.21.0\n")
    old.chmod(0o755)
    monkeypatch.setattr(build.shutil, "which", lambda _name: str(old))
    monkeypatch.setattr(build.os.path, "exists", lambda path: str(path) == str(old))
    wheel = tmp_path / "wheel" / "go" / "bin" / "go"
    monkeypatch.setattr(build, "wheel", lambda *_words: wheel)
    assert build.go(tmp_path)[0] == str(wheel)
    old.write_text("#!/bin/sh\necho go1.27.0\n")
    assert build.go(tmp_path)[0] == str(old)


def test_an_image_depends_on_nothing_but_its_program(tmp_path: Path) -> None:
    program = tmp_path / "service"
    program.write_bytes(b"program")
    wanted = {"program": str(program), "user": "65532:65532"}
    blobs, manifest = image.make(wanted)
    os.utime(program, (1, 1))
    assert image.make(wanted) == (blobs, manifest)
    described = json.loads(manifest)
    assert {described["config"]["digest"], described["layers"][0]["digest"]} == set(blobs)
    config = json.loads(blobs[described["config"]["digest"]])
    assert config["config"]["Entrypoint"] == ["/service"]
    with tarfile.open(fileobj=io.BytesIO(blobs[described["layers"][0]["digest"]])) as archive:
        assert archive.getnames() == ["service"]


def test_an_image_can_be_of_a_layer_that_was_made_before(tmp_path: Path) -> None:
    layer = tmp_path / "layer.tar.gz"
    with tarfile.open(layer, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("bin"))
    start = {"entrypoint": ["/run"], "environment": {"PATH": "/bin"}, "user": "999:999"}
    blobs, manifest = image.make({"program": None, "layer": str(layer), **start})
    described = json.loads(manifest)
    assert blobs[described["layers"][0]["digest"]] == layer.read_bytes()
    config = json.loads(blobs[described["config"]["digest"]])
    assert config["config"] == {"Entrypoint": ["/run"], "Env": ["PATH=/bin"], "User": "999:999"}
    inside = hashlib.sha256(gzip.decompress(layer.read_bytes())).hexdigest()
    assert config["rootfs"]["diff_ids"] == ["sha256:" + inside]


def test_the_snapshot_controller_takes_the_modules_of_the_cluster() -> None:
    """Then most of it is compiled already, and it is of the release that it works with."""
    node, snapshots = (
        dict(re.findall(r"^\t(\S+) (v\S+)", (LAB / folder / "go.mod").read_text(encoding="utf-8"), re.MULTILINE))
        for folder in ("kubernetes/node", "snapshots")
    )
    common = node.keys() & snapshots.keys()
    assert "k8s.io/client-go" in common
    assert {name: snapshots[name] for name in common} == {name: node[name] for name in common}

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots on the lab's cluster: the real definitions and snapshot controller, and a CSI driver that is played.

A CSI driver cannot be had here. What its sidecars do to the objects is done in its place, by volumes that are there
already (external-provisioner) and by :class:`Driver` (csi-snapshotter): the objects and their states are real, the copy
of data is not. It shares no code with the plugins.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kubernetes

ROOT = Path(__file__).resolve().parents[2]
LAB = Path(os.environ.get("NEXUSCOS_LAB_DIR") or ROOT / ".lab")
CONTEXT, BARE = "us-east-1", "us-west-2"
DRIVER = "played.csi.nexuscos.test"
MARK = "nexuscos-test=volume-snapshots"
GROUP, VERSION = "snapshot.storage.k8s.io", "v1"
DEFAULT = "snapshot.storage.kubernetes.io/is-default-class"
_AT_WORK = "snapshot.storage.kubernetes.io/volumesnapshot-being-created"
_GUARD = "snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection"
KINDS = ("volumesnapshots", "volumesnapshotcontents", "volumesnapshotclasses")

Doc = dict[str, Any]


def facts() -> Doc:
    """What runs in the lab."""
    found: Doc = json.loads((LAB / "lab.json").read_text(encoding="utf-8"))
    assert found["clusters"][CONTEXT]["ready"], "the lab's clusters are not up: make lab"
    return found


def kubectl(*arguments: str, data: str | None = None, check: bool = True, context: str = CONTEXT) -> str:
    """What kubectl says to the cluster's administrator."""
    beside = ROOT / ".venv" / "bin" / "kubectl"
    program = str(beside) if beside.exists() else shutil.which("kubectl") or "kubectl"
    command = [program, "--kubeconfig", str(LAB / "kubeconfig"), "--context", context, *arguments]
    done = subprocess.run(command, input=data, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 or not check, f"kubectl {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    return done.stdout + ("" if check else done.stderr)


def listed(kind: str, *arguments: str) -> list[Doc]:
    """Objects, as kubectl sees them."""
    found: list[Doc] = json.loads(kubectl("get", kind, "-o", "json", *arguments))["items"]
    return found


def until(true: Callable[[], Any], what: str, seconds: float = 240) -> Any:
    """Wait until something holds; answers it."""
    end = time.monotonic() + seconds
    while True:
        answer = true()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.2)


class Driver:
    """What csi-snapshotter does with the contents of its driver, by what is told for the volume.

    :ivar does: handle of a volume to ``ready`` (where nothing is said), ``fail`` or ``hang``.
    :ivar trouble: what it could not do, for the one who reads the log.
    """

    def __init__(self, kubeconfig: str) -> None:
        client = kubernetes.config.new_client_from_config(kubeconfig)
        self._api = kubernetes.client.CustomObjectsApi(client)
        self.does: dict[str, str] = {}
        self.trouble: list[str] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Driver:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(0.2):
            try:
                contents = self._api.list_cluster_custom_object(GROUP, VERSION, "volumesnapshotcontents")["items"]
                for one in contents:
                    if one["spec"]["driver"] == DRIVER:
                        self._serve(one)
            except kubernetes.client.ApiException as error:
                # Two who write at once is nothing: the next round sees what has become of it.
                if error.status not in (404, 409):
                    self.trouble.append(f"{error.status} {error.reason}: {error.body}")
            except OSError as error:
                self.trouble.append(str(error))

    def _serve(self, one: Doc) -> None:
        volume = one["spec"]["source"].get("volumeHandle", "")
        does = self.does.get(volume, "ready")
        notes = one["metadata"].get("annotations") or {}
        status = one.get("status") or {}
        if one["metadata"].get("deletionTimestamp"):
            # As in earnest: a driver that is at work is waited for before its content goes.
            if does != "hang":
                self._note(one, {_AT_WORK: None}, [])
        elif status.get("readyToUse") or status.get("error"):
            # What has failed is not tried again, so that what becomes of it depends on nobody's haste.
            return
        elif does == "hang":
            if _AT_WORK not in notes:
                self._note(one, {_AT_WORK: "yes"}, [_GUARD])
        elif does == "fail":
            said = {"message": "the array is full", "time": "2026-11-29T06:00:00Z"}
            self._write(one, {"error": said, "readyToUse": False})
        else:
            self._note(one, {_AT_WORK: None}, [_GUARD])
            self._write(
                one,
                {
                    "snapshotHandle": f"played-{one['metadata']['uid']}",
                    "creationTime": time.time_ns(),
                    "restoreSize": 2**30,
                    "readyToUse": True,
                },
            )

    def _note(self, one: Doc, notes: dict[str, Any], guards: list[str]) -> None:
        others = [name for name in one["metadata"].get("finalizers") or [] if name != _GUARD]
        body = {"metadata": {"annotations": notes, "finalizers": [*others, *guards]}}
        self._patch("patch_cluster_custom_object", one, body)

    def _write(self, one: Doc, status: Doc) -> None:
        self._patch("patch_cluster_custom_object_status", one, {"status": status})

    def _patch(self, call: str, one: Doc, body: Doc) -> None:
        name = one["metadata"]["name"]
        getattr(self._api, call)(
            GROUP, VERSION, "volumesnapshotcontents", name, body, _content_type="application/merge-patch+json"
        )


class Cluster:
    """The cluster with snapshots.

    :ivar log: of the snapshot controller; kubeconfig: of this cluster alone.
    """

    def __init__(self, driver: Driver, log: Path, kubeconfig: str) -> None:
        self.driver, self.log, self.kubeconfig = driver, log, kubeconfig


def _programs() -> Path:
    found = importlib.util.spec_from_file_location("snapshots_build", ROOT / "tests" / "lab" / "snapshots" / "build.py")
    assert found is not None
    assert found.loader is not None
    build = importlib.util.module_from_spec(found)
    found.loader.exec_module(build)
    place: Path = build.folder()
    return place


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """Definitions, controller and driver, as long as the block runs. What an earlier one left goes first."""
    facts()
    programs = _programs()
    with tempfile.TemporaryDirectory(prefix="nexuscos-snapshots-") as folder:
        kubeconfig = Path(folder, "kubeconfig")
        kubeconfig.write_text(kubectl("config", "view", "--minify", "--flatten"), encoding="utf-8")
        kubeconfig.chmod(0o600)
        foreign = _definitions(programs)
        log = Path(folder, "snapshot-controller.log")
        argv = [
            str(programs / "snapshot-controller"), "--kubeconfig", str(kubeconfig), "--leader-election=false",
            "--retry-interval-start=200ms", "--retry-interval-max=2s", "--v=4",
        ]  # fmt: skip
        with open(log, "wb") as stream:
            controller = subprocess.Popen(argv, stdout=stream, stderr=stream)
        try:
            with Driver(str(kubeconfig)) as driver:
                _take_away()
                kubectl("apply", "-f", "-", data=_class("played", default=True))
                try:
                    yield Cluster(driver, log, str(kubeconfig))
                finally:
                    driver.does.clear()
                    _take_away()
        finally:
            controller.terminate()
            controller.wait()
            if not foreign:
                names = [f"crd/{kind}.{GROUP}" for kind in KINDS]
                kubectl("delete", *names, "--ignore-not-found", "--timeout=60s")


def _definitions(programs: Path) -> bool:
    """Put them in. True where the cluster had its own, which stay."""
    there = kubectl("get", f"crd/volumesnapshots.{GROUP}", "--show-labels", "--ignore-not-found")
    if there and MARK not in there:
        return True
    for kind in KINDS:
        kubectl("apply", "--server-side", "-f", str(programs / f"{kind}.yaml"))
        kubectl("label", "--overwrite", f"crd/{kind}.{GROUP}", MARK)
    for kind in KINDS:
        kubectl("wait", "--for=condition=Established", "--timeout=60s", f"crd/{kind}.{GROUP}")
    return False


def _take_away() -> None:
    """Everything that is marked, and what was made of it."""
    marked = [one["metadata"]["name"] for one in listed("namespaces", "-l", MARK)]
    for name in marked:
        kubectl("-n", name, "delete", "volumesnapshots", "--all", "--wait=false", check=False)
    for name in marked:
        until(lambda: not listed("volumesnapshots", "-n", name), f"snapshots of {name} are gone")  # noqa: B023
        kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")
    for name in marked:
        until(lambda: "NotFound" in kubectl("get", "namespace", name, check=False), f"{name} is gone")  # noqa: B023
    kubectl("delete", "volumesnapshotclasses", "-l", MARK, "--ignore-not-found")
    kubectl("delete", "pv", "-l", MARK, "--ignore-not-found", "--timeout=60s")


def _class(name: str, default: bool = False, driver: str = DRIVER, policy: str = "Delete") -> str:
    key, _equals, value = MARK.partition("=")
    about: Doc = {"name": name, "labels": {key: value}, "annotations": {DEFAULT: "true"} if default else {}}
    return json.dumps(
        {
            "apiVersion": f"{GROUP}/{VERSION}", "kind": "VolumeSnapshotClass", "metadata": about,
            "driver": driver, "deletionPolicy": policy,
        }
    )  # fmt: skip


@contextlib.contextmanager
def snapshot_class(name: str, **more: Any) -> Iterator[str]:
    """A further class, as long as the block runs."""
    kubectl("apply", "-f", "-", data=_class(name, **more))
    try:
        yield name
    finally:
        kubectl("delete", "volumesnapshotclass", name, "--ignore-not-found")


class Space:
    """A namespace of a test's own, with claims that are bound to volumes of the played driver."""

    def __init__(self, name: str, cluster: Cluster) -> None:
        self.name, self._cluster = name, cluster

    def claim(self, name: str, does: str = "ready", bound: bool = True, csi: bool = True) -> None:
        """A claim; the control plane itself binds it."""
        key, _equals, value = MARK.partition("=")
        volume = f"{self.name}-{name}"
        self._cluster.driver.does[volume] = does
        size = {"storage": "1Gi"}
        modes = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
        claim: Doc = {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": self.name},
            "spec": {**modes, "resources": {"requests": size}, "volumeName": volume},
        }  # fmt: skip
        source: Doc = {"csi": {"driver": DRIVER, "volumeHandle": volume}} if csi else {"hostPath": {"path": "/nowhere"}}
        pv: Doc = {
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume, "labels": {key: value}},
            "spec": {**modes, "capacity": size, "persistentVolumeReclaimPolicy": "Retain", **source,
                     "claimRef": {"namespace": self.name, "name": name}},
        }  # fmt: skip
        for doc in ([pv] if bound else []) + [claim]:
            kubectl("apply", "-f", "-", data=json.dumps(doc))
        if bound:
            until(lambda: self.got("pvc", name)["status"].get("phase") == "Bound", f"{name} is bound")

    def does(self, name: str, what: str) -> None:
        """What the driver does from now on with the volume of a claim."""
        self._cluster.driver.does[f"{self.name}-{name}"] = what

    def got(self, kind: str, name: str) -> Doc:
        """An object, as kubectl sees it."""
        found: Doc = json.loads(kubectl("-n", self.name, "get", kind, name, "-o", "json"))
        return found

    def snapshots(self) -> dict[str, Doc]:
        """All snapshots that are there, as kubectl sees them."""
        return {one["metadata"]["name"]: one for one in listed("volumesnapshots", "-n", self.name)}


@contextlib.contextmanager
def space(cluster: Cluster) -> Iterator[Space]:
    """A namespace, which goes afterwards with all that was made in it."""
    name = f"nexuscos-test-{secrets.token_hex(4)}"
    kubectl("create", "namespace", name)
    kubectl("label", "namespace", name, MARK)
    try:
        yield Space(name, cluster)
    finally:
        for handle in list(cluster.driver.does):
            if handle.startswith(name):
                cluster.driver.does[handle] = "ready"
        # That all of it is gone is waited for once, at the end.
        kubectl("delete", "namespace", name, "--wait=false")

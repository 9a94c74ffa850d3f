#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have the snapshot controller of Kubernetes and the definitions of its kinds, and print the folder that holds both.

The program is built from its Go module once, and kept in the cache; the definitions are those of the module of its
client, whose hash go.sum names. NEXUSCOS_LAB_SNAPSHOTS_BIN names a folder that has them already.

go.mod names the versions that the lab's Kubernetes is built of, so that seconds are enough where that was built here:
Go compiles again only what it has not compiled yet.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = "github.com/kubernetes-csi/external-snapshotter/v8/cmd/snapshot-controller"
CLIENT = "github.com/kubernetes-csi/external-snapshotter/client/v8"
KINDS = ("volumesnapshotclasses", "volumesnapshotcontents", "volumesnapshots")

_FOUND = importlib.util.spec_from_file_location("kubernetes_build", HERE.parent / "kubernetes" / "build.py")
if _FOUND is None or _FOUND.loader is None:
    raise ImportError("kubernetes/build.py is gone")
go_build = importlib.util.module_from_spec(_FOUND)
sys.modules[_FOUND.name] = go_build
_FOUND.loader.exec_module(go_build)


def folder() -> Path:
    """The folder: snapshot-controller, and a YAML file for each kind."""
    given = os.environ.get("NEXUSCOS_LAB_SNAPSHOTS_BIN")
    if given:
        return Path(given).resolve()
    cache = go_build.plan.cache_dir()
    cache.mkdir(parents=True, exist_ok=True)
    place: Path = cache / ("snapshots-" + go_build.digest(HERE, go_build.architecture()))
    with open(cache / "snapshots-build.lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if place.is_dir():
            return place
        with tempfile.TemporaryDirectory(dir=cache, prefix=".snapshots-") as aside:
            fresh = Path(aside, "fresh")
            fresh.mkdir()
            program = str(fresh / "snapshot-controller")
            go_build.run_go(HERE, ["-ldflags", "-s -w", "-o", program, PACKAGE], cache, lambda _line: None)
            source = _client(cache)
            for kind in KINDS:
                shutil.copyfile(source / f"snapshot.storage.k8s.io_{kind}.yaml", fresh / f"{kind}.yaml")
            os.rename(fresh, place)
    return place


def _client(cache: Path) -> Path:
    """Where Go has unpacked the definitions."""
    binary, env = go_build.go(cache)
    command = [binary, "list", "-m", "-f", "{{.Dir}}", CLIENT]
    done = subprocess.run(command, cwd=HERE, env=env, capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout.strip():
        raise go_build.BuildError("%s is not there: %s" % (CLIENT, done.stderr.strip()[-300:]))
    return Path(done.stdout.strip(), "config", "crd")


if __name__ == "__main__":
    print(folder())

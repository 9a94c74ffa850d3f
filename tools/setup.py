#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the development environment: `make setup`.

Needs a Python with pip or venv, and nothing else: no root, no Galaxy, no Git host. Everything comes
from the configured Python package index, pinned by hash in requirements/*.txt.

A finished environment carries a stamp with the hash of all that went into it. Without the right stamp it
is made anew under another name and moved into place, so an interrupted run leaves nothing half made.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "setup"
REQUIREMENTS = ROOT / "requirements"
NAMESPACE, NAME = "nexuscos", "ops"

# Collections that playbooks, roles, the lab or the tests really use.
COLLECTIONS = ("ansible.posix", "kubernetes.core")

# The newest first, but 3.13 before 3.14: every wheel we pin exists for it.
NEWEST_FIRST = ((3, 13), (3, 12), (3, 14), (3, 11))
OLDEST_FIRST = ((3, 11), (3, 12), (3, 13))

# Count up when this script makes an environment differently, so that existing ones are made anew.
LAYOUT = "2"

# The interpreter itself, where it is asked for inside a virtual environment.
PROBE = "import sys; print('%d.%d' % sys.version_info[:2], getattr(sys, '_base_executable', None) or sys.executable)"


class SetupError(Exception):
    """A reason, for people, why the environment cannot be made."""


def say(text: str) -> None:
    print(f"setup: {text}", flush=True)


def candidates() -> Iterable[str]:
    """Places where an interpreter may be. A name on PATH may be a pyenv shim that only fails (127)."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    if pyenv.is_dir():
        yield from (str(path) for path in sorted(pyenv.glob("3.*/bin/python"), reverse=True))
    for minor in (14, 13, 12, 11):
        for folder in (*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin", "/usr/local/bin"):
            path = Path(folder) / f"python3.{minor}"
            if folder and path.is_file():
                yield str(path)
    yield sys.executable


def interpreters() -> dict[tuple[int, int], list[str]]:
    """All interpreters that really run, by version."""
    found: dict[tuple[int, int], list[str]] = {}
    for path in dict.fromkeys(candidates()):
        try:
            answer = subprocess.run([path, "-c", PROBE], capture_output=True, text=True, timeout=30, check=True)
        except (OSError, subprocess.SubprocessError):
            continue
        version, executable = answer.stdout.strip().split(" ", 1)
        major, minor = (int(part) for part in version.split("."))
        paths = found.setdefault((major, minor), [])
        if executable not in paths:
            paths.append(executable)
    return found


def choose(order: tuple[tuple[int, int], ...], wanted: str | None) -> str:
    found = interpreters()
    if wanted:
        version = tuple(int(part) for part in wanted.split(".")[:2])
        order = ((version[0], version[1]),)
    for entry in order:
        if entry in found:
            return found[entry][0]
    names = ", ".join(f"{major}.{minor}" for major, minor in order)
    have = ", ".join(f"{major}.{minor}" for major, minor in sorted(found)) or "none"
    raise SetupError(
        f"needs Python {names}; found: {have}. On Debian or Ubuntu: apt-get install python3 python3-venv python3-pip"
    )


def run(argv: list[str], env: dict[str, str] | None = None) -> None:
    result = subprocess.run(argv, stdin=subprocess.DEVNULL, env=env, check=False)
    if result.returncode:
        raise SetupError(f"status {result.returncode} from: {' '.join(argv)}")


def quiet(argv: list[str]) -> bool:
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def pip_of(python: str) -> list[str]:
    """A pip to fetch uv with: the interpreter's own, that of a private venv, or that of any other interpreter."""
    if quiet([python, "-m", "pip", "--version"]):
        return [python, "-m", "pip"]
    private = CACHE / "pip"
    if quiet([python, "-m", "venv", "--clear", str(private)]):
        return [str(private / "bin" / "python"), "-m", "pip"]
    for paths in interpreters().values():
        for path in paths:
            if quiet([path, "-m", "pip", "--version"]):
                return [path, "-m", "pip"]
    raise SetupError(
        f"{python} has neither pip nor ensurepip. On Debian or Ubuntu: apt-get install python3-pip (or python3-venv)"
    )


def bootstrap_uv(pip: list[str]) -> Path:
    """uv in a private folder: it installs the tool set in seconds where pip takes a minute."""
    pins = REQUIREMENTS / "bootstrap.txt"
    place = CACHE / f"uv-{digest([pins])[:12]}"
    binary = place / "bin" / "uv"
    if not binary.exists():
        fresh = place.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        run([*pip, "install", "-q", "--root-user-action=ignore", "--require-hashes", "--no-deps",
             "--only-binary", ":all:", "--target", str(fresh), "-r", str(pins)])  # fmt: skip
        shutil.rmtree(place, ignore_errors=True)
        fresh.rename(place)
    return binary


def fetch_collections(pip: list[str], wanted: tuple[str, ...] = COLLECTIONS) -> list[Path]:
    """The wanted collections out of the `ansible` wheel (Galaxy is not needed, and 95 % of the wheel is not kept)."""
    pins = REQUIREMENTS / "collections.txt"
    place = CACHE / f"collections-{digest([pins], *wanted)[:12]}"
    if not place.is_dir():
        say(f"fetching {', '.join(wanted)} out of the ansible wheel (50 MB, once)")
        wheels = CACHE / "wheels"
        shutil.rmtree(wheels, ignore_errors=True)
        run([*pip, "download", "-q", "--require-hashes", "--no-deps", "--only-binary", ":all:",
             "--python-version", "3.13", "--dest", str(wheels), "-r", str(pins)])  # fmt: skip
        fresh = place.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        prefixes = tuple(f"ansible_collections/{name.replace('.', '/')}/" for name in wanted)
        with zipfile.ZipFile(next(wheels.glob("*.whl"))) as wheel:
            wheel.extractall(fresh, [name for name in wheel.namelist() if name.startswith(prefixes)])
        shutil.rmtree(wheels)
        shutil.rmtree(place, ignore_errors=True)
        fresh.rename(place)
    return [place / "ansible_collections" / name.replace(".", "/") for name in wanted]


def digest(files: Iterable[Path], *texts: str) -> str:
    """A hash over the content of files and over texts."""
    total = hashlib.sha256()
    for file in files:
        total.update(hashlib.sha256(file.read_bytes()).digest())
    for text in texts:
        total.update(hashlib.sha256(text.encode()).digest())
    return total.hexdigest()


def link_collections(environment: Path, sources: list[Path]) -> None:
    """Put the collections, and this checkout as one of them, where every Ansible tool looks."""
    site = next((environment / "lib").glob("python3.*/site-packages"))
    for source in sources:
        target = site / "ansible_collections" / source.parent.name / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target, symlinks=True)
    link_checkout(site)


def link_checkout(place: Path) -> None:
    """Make this checkout importable as ansible_collections.nexuscos.ops from a folder."""
    link = place / "ansible_collections" / NAMESPACE / NAME
    link.parent.mkdir(parents=True, exist_ok=True)
    if not (link.is_symlink() and link.resolve() == ROOT):
        link.unlink(missing_ok=True)
        link.symlink_to(ROOT)


def relocate(environment: Path, final: Path) -> None:
    """Scripts of an environment name its interpreter by path: write that of the place where it will be."""
    for script in (environment / "bin").iterdir():
        if script.is_symlink() or not script.is_file():
            continue
        content = script.read_bytes()
        if b"\0" not in content[:1024] and str(environment).encode() in content:
            script.write_bytes(content.replace(str(environment).encode(), str(final).encode()))


def make(environment: Path, pins: list[Path], order: tuple[tuple[int, int], ...], wanted: str | None) -> None:
    stamp = environment / ".stamp"
    wanted_stamp = digest([*pins, REQUIREMENTS / "collections.txt"], *COLLECTIONS, LAYOUT, str(ROOT), wanted or "")
    if stamp.is_file() and stamp.read_text() == wanted_stamp and quiet([str(environment / "bin/python"), "-c", ""]):
        say(f"{environment.name} is up to date")
        return
    started = time.monotonic()
    python = choose(order, wanted)
    say(f"{environment.name} from {python} (20 s to 2 min, by the speed of the network)")
    pip = pip_of(python)
    uv = bootstrap_uv(pip)
    sources = fetch_collections(pip)
    fresh = environment.with_name(environment.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    env = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")}
    run([str(uv), "venv", "-q", "--no-config", "--python", python, str(fresh)], env=env)
    say(f"installing {' and '.join(pin.name for pin in pins)}, checked against their hashes")
    # Compiled once here, not by each of the thousands of short Python processes that Ansible starts.
    install = [str(uv), "pip", "install", "-q", "--no-config", "--require-hashes", "--compile-bytecode"]
    run(
        [*install, "--python", str(fresh / "bin/python"), *(part for pin in pins for part in ("-r", str(pin)))], env=env
    )
    link_collections(fresh, sources)
    relocate(fresh, environment)
    (fresh / stamp.name).write_text(wanted_stamp)
    # Whoever works in the old environment at this moment sees it gone for no longer than two renames take.
    old = environment.with_name(environment.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if environment.exists():
        environment.rename(old)
    fresh.rename(environment)
    shutil.rmtree(old, ignore_errors=True)
    version = subprocess.run(
        [str(environment / "bin/ansible"), "--version"], capture_output=True, text=True, check=False
    ).stdout.splitlines()
    say(f"{environment.name} is ready: {version[0] if version else '?'} in {time.monotonic() - started:.0f} s")


def pin(package: str | None) -> None:
    """Resolve requirements/*.in into pinned *.txt with hashes; one package, or all of them, to the newest."""
    uv = bootstrap_uv(pip_of(choose(NEWEST_FIRST, None)))
    flags = ["--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate", "--universal", "--no-config"]
    upgrade = ["--upgrade-package", package] if package else ["--upgrade"]
    # In this order: what the lab adds must fit what the development environment has.
    for name in ("bootstrap", "runtime", "dev", "oldest", "collections", "lab", "lab-postgresql", "lab-compose"):
        source = REQUIREMENTS / f"{name}.in"
        if not source.exists():
            continue
        extra = {
            "collections": ["--no-deps", "--python-version", "3.13"],
            # Only the binaries of these wheels are used: they are unpacked, not installed.
            "lab-postgresql": ["--no-deps", "--python-version", "3.12"],
            "lab-compose": ["--no-deps"],
            "lab": ["--constraint", str(REQUIREMENTS / "dev.txt")],
        }.get(name, [])
        python = [] if "--python-version" in extra else ["--python-version", "3.11"]
        run([str(uv), "-q", "pip", "compile", *flags, *upgrade, *python, *extra,
             str(source), "-o", str(source.with_suffix(".txt"))])  # fmt: skip
        say(f"requirements/{name}.txt")


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the development environment of this collection.")
    parser.add_argument("--oldest", action="store_true", help="the oldest supported ansible-core, in .venv-oldest")
    parser.add_argument("--python", metavar="X.Y", help="use this version of Python")
    parser.add_argument("--pins", action="store_true", help="renew requirements/*.txt instead")
    parser.add_argument("--package", help="with --pins: renew this one only")
    arguments = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another setup is running, waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        # mypy wants no site-packages on its path: the same names once more, for it alone.
        link_checkout(ROOT / ".ansible" / "typing")
        try:
            if arguments.pins:
                pin(arguments.package)
            elif arguments.oldest:
                make(ROOT / ".venv-oldest", [REQUIREMENTS / "oldest.txt"], OLDEST_FIRST, arguments.python)
            else:
                lab = REQUIREMENTS / "lab.txt"
                pins = [REQUIREMENTS / "dev.txt", *([lab] if lab.exists() else [])]
                make(ROOT / ".venv", pins, NEWEST_FIRST, arguments.python)
        except SetupError as error:
            say(f"failed: {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

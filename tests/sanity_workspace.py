# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run `ansible-test sanity` on this checkout, wherever it was cloned to.

ansible-test wants to stand in …/ansible_collections/nexuscos/ops and resolves symlinks, so the files that git knows are
mirrored into .ansible/ws. The mirror is a git repository of its own: without one ansible-test finds no file, says
"All targets skipped" and reports success, which is refused here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import setup  # noqa: E402

COLLECTIONS = ROOT / ".ansible" / "ws" / "ansible_collections"
MIRROR = COLLECTIONS / "nexuscos" / "ops"

# What is not published is held by ruff, mypy, yamllint and ansible-lint. The mirror has what the tarball has,
# and what ansible-test itself reads.
LEFT_OUT = ("tests/", "tools/", ".ci/", "extensions/molecule/", "inventories/demo/", "inventories/lab/")
KEPT = ("tests/config.yml", "tests/sanity/")

# ansible-test fetches get-pip.py from a host that closed networks do not reach; ensurepip does the same offline.
GET_PIP = "import ensurepip\n\nensurepip.bootstrap(default_pip=True)\n"
GET_PIP_NAMES = ("get_pip_24_2.py", "get_pip_25_2.py")

# tests/config.yml, python_requires
OLDEST_TARGET = (3, 9)


def known_files() -> list[str]:
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    names = [name for name in listing.split("\0") if name and (ROOT / name).is_file()]
    return [name for name in names if name.startswith(KEPT) or not name.startswith(LEFT_OUT)]


def mirror(environment: Path) -> None:
    """Make the mirror equal to the checkout; unchanged files keep their time, so ansible-test's caches stay warm."""
    MIRROR.mkdir(parents=True, exist_ok=True)
    names = set(known_files())
    if not names:
        raise SystemExit("sanity: git lists no file of this checkout")
    for path in MIRROR.rglob("*"):
        relative = path.relative_to(MIRROR)
        if relative.parts[0] != ".git" and not path.is_dir() and relative.as_posix() not in names:
            path.unlink()
    for name in names:
        source, target = ROOT / name, MIRROR / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != source.read_bytes():
            shutil.copy2(source, target)
    if not (MIRROR / ".git").is_dir():
        subprocess.run(["git", "init", "-q", "-b", "main"], cwd=MIRROR, check=True)
    subprocess.run(["git", "add", "-A"], cwd=MIRROR, check=True)
    for namespace in next((environment / "lib").glob("python3.*/site-packages/ansible_collections")).iterdir():
        link = COLLECTIONS / namespace.name
        if namespace.name == "nexuscos":
            continue
        if link.is_symlink():
            link.unlink()
        link.symlink_to(namespace)


def ansible_test(environment: Path, version: str, path: list[Path], arguments: list[str]) -> int:
    """Run ansible-test sanity in the mirror and pass its output on; a run that looked at nothing is a failure."""
    process = subprocess.Popen(
        [
            str(environment / "bin" / "ansible-test"),
            "sanity",
            "--local",
            "--python",
            version,
            "--color",
            "no",
            *arguments,
        ],
        cwd=MIRROR,
        env={**os.environ, "PATH": os.pathsep.join((*map(str, path), os.environ.get("PATH", "")))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    nothing = False
    for line in process.stdout:
        sys.stdout.write(line)
        nothing = nothing or "All targets skipped" in line
    status = process.wait()
    if nothing:
        print("sanity: ansible-test looked at no file, and calls that a success")
        return 1
    return status


def version_of(environment: Path) -> tuple[int, int]:
    answer = subprocess.run(
        [str(environment / "bin" / "python"), "-c", "import sys; print(*sys.version_info[:2])"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    return int(answer[0]), int(answer[1])


def main() -> int:
    environment = ROOT / (sys.argv[1] if len(sys.argv) > 1 else ".venv")
    arguments = sys.argv[2:]
    mirror(environment)
    cache = Path.home() / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for name in GET_PIP_NAMES:
        if not (cache / name).exists():
            (cache / name).write_text(GET_PIP)
    own = version_of(environment)
    # shellcheck and its like come from .venv.
    path = [environment / "bin", ROOT / ".venv" / "bin"]
    status = ansible_test(environment, "{}.{}".format(*own), path, arguments)
    # Modules may run on older interpreters than ansible-core does: import them on the oldest that this machine has.
    older = {version: paths for version, paths in setup.interpreters().items() if OLDEST_TARGET <= version < own}
    if not status and older and not arguments and environment.name == ".venv-oldest":
        version = min(older)
        path.insert(1, Path(older[version][0]).parent)
        status = ansible_test(environment, "{}.{}".format(*version), path, ["--test", "compile", "--test", "import"])
    return status


if __name__ == "__main__":
    sys.exit(main())

# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people download works alone: the tarball in an empty place, with nothing of this checkout beside it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
BUNDLE = ROOT / "tests" / "lab" / "bundle"
PLUGIN_TYPES = (
    "module",
    "callback",
    "filter",
    "lookup",
    "test",
    "inventory",
    "vars",
    "connection",
    "become",
    "cache",
    "strategy",
)


def environment(home: Path) -> dict[str, str]:
    """As on a machine that has ansible-core and this collection, and never saw the checkout."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "NEXUSCOS_"))}
    return kept | {
        "HOME": str(home),
        "PATH": os.pathsep.join((str(BIN), os.environ["PATH"])),
        "ANSIBLE_CONFIG": str(home / "empty.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(home / "collections"),
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }


def run(argv: list[str], home: Path, **more: str) -> str:
    done = subprocess.run(
        [str(BIN / argv[0]), *argv[1:]],
        cwd=home, env=environment(home) | more, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, f"{argv[0]} ended with {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def tracked() -> set[str]:
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    return set(listing.split("\0"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty place with the collection installed from its tarball."""
    home = tmp_path_factory.mktemp("home")
    (home / "empty.cfg").write_text("")
    run(["ansible-galaxy", "collection", "build", "--output-path", str(home / "dist"), str(ROOT)], home)
    tarball = str(next((home / "dist").glob("nexuscos-ops-*.tar.gz")))
    run(["ansible-galaxy", "collection", "install", "--offline", "-p", str(home / "collections"), tarball], home)
    return home


@pytest.fixture(scope="module")
def installed(home: Path) -> Path:
    return home / "collections" / "ansible_collections" / "nexuscos" / "ops"


def test_the_tarball_holds_what_git_knows_and_nothing_of_the_workshop(home: Path) -> None:
    with tarfile.open(next((home / "dist").glob("*.tar.gz"))) as tarball:
        files = {member.name: member.size for member in tarball if member.isfile()}
    known = tracked() | {"MANIFEST.json", "FILES.json"}
    assert sorted(name for name in files if name not in known) == []
    workshop = (".", "tests/", "tools/", "requirements/", "reports/", "inventories/lab", "inventories/demo", "Makefile")
    assert sorted(name for name in files if name.startswith(workshop)) == []
    assert sum(files.values()) < 5_000_000
    wanted = {
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "meta/runtime.yml",
        "meta/execution-environment.yml",
        "playbooks/daily_morning.yml",
    }
    assert wanted - set(files) == set()


def test_every_plugin_documents_itself(home: Path, installed: Path) -> None:
    """All plugin files are found by ansible-doc, with documentation, from the installed place."""
    found: dict[str, list[str]] = {}
    for kind in PLUGIN_TYPES:
        names = json.loads(run(["ansible-doc", "--json", "-t", kind, "-l", "nexuscos.ops"], home))
        if not names:
            continue
        pages: dict[str, Any] = json.loads(run(["ansible-doc", "--json", "-t", kind, *names], home))
        for name, page in pages.items():
            assert page["doc"]["short_description"], name
            assert Path(page["doc"]["filename"]).is_relative_to(installed), name
        found[kind] = sorted(names)
    files = {path.stem for path in (installed / "plugins" / "modules").glob("[!_]*.py")}
    assert {name.rsplit(".", 1)[1] for name in found["module"]} == files
    assert {"nexuscos.ops.k8s_health", "nexuscos.ops.postgres_health", "nexuscos.ops.endpoint_health"} <= set(
        found["module"]
    )
    assert "nexuscos.ops.checklist" in found["callback"]


def test_every_role_documents_itself(home: Path, installed: Path) -> None:
    roles = sorted(path.name for path in (installed / "roles").iterdir() if path.is_dir())
    pages = json.loads(run(["ansible-doc", "--json", "-t", "role", "-l", "nexuscos.ops"], home))
    assert sorted(name.rsplit(".", 1)[1] for name in pages) == roles


def test_published_files_read_nothing_outside_their_folders(installed: Path) -> None:
    """Public content works with all but meta, plugins, roles and playbooks deleted."""
    places = ("tests/", "extensions/", "inventories/", "docs/", ".lab")
    quoted = [f"{mark}{dots}{place}" for mark in "\"'" for dots in ("../", "../../", "../../../") for place in places]
    for folder in ("plugins", "roles", "playbooks"):
        for path in (installed / folder).rglob("*"):
            if path.suffix in (".py", ".yml", ".j2"):
                text = path.read_text(encoding="utf-8")
                assert [one for one in quoted if one in text] == [], path


def test_the_morning_is_played_from_the_bundle(home: Path, installed: Path) -> None:
    """With only what must be enough: meta, plugins, roles and playbooks."""
    for path in installed.iterdir():
        if path.is_dir() and path.name not in ("meta", "plugins", "roles", "playbooks"):
            shutil.rmtree(path)
    inventory = home / "inventory"
    shutil.copytree(ROOT / "inventories" / "demo", inventory)
    variables = {
        "nexuscos_replay_dir": str(BUNDLE),
        "nexuscos_report_dir": str(home / "reports"),
        "nexuscos_fail_on": "never",
    }
    run(["ansible-playbook", "-i", str(inventory), "nexuscos.ops.daily_morning", "-e", json.dumps(variables)], home)
    latest = home / "reports" / "daily_morning" / "latest"
    report = json.loads((latest / "report.json").read_text(encoding="utf-8"))
    assert len(report["items"]) == 8
    assert report["coverage"]["rows"]
    assert (latest / "report.md").stat().st_size > 500
    page = (latest / "report.html").read_text(encoding="utf-8")
    assert "recorded" in page.lower()


def test_an_execution_environment_can_be_made_of_it(home: Path, tmp_path: Path) -> None:
    definition = yaml.safe_load((ROOT / "execution-environment.yml").read_text(encoding="utf-8"))
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"]
    assert definition["dependencies"]["galaxy"]["collections"][0]["source"] == f"nexuscos-ops-{version}.tar.gz"
    for path in (ROOT / "execution-environment.yml", next((home / "dist").glob("*.tar.gz"))):
        shutil.copy(path, tmp_path)
    shutil.copytree(ROOT / "meta", tmp_path / "meta")
    run(
        [
            "ansible-builder",
            "create",
            "-f",
            str(tmp_path / "execution-environment.yml"),
            "-c",
            str(tmp_path / "context"),
        ],
        home,
    )
    assert "nexuscos-ops" in (tmp_path / "context" / "_build" / "requirements.yml").read_text(encoding="utf-8")
    seen = run(["ansible-builder", "introspect", "--sanitize", str(home / "collections")], home)
    assert "kubernetes" in seen
    assert "psycopg" in seen

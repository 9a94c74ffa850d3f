# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second lab beside the one of the other tests: it comes up, again, after a crash, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMPONENTS = "postgresql,redis,edge,hosts,compose"
CGROUPS = Path("/sys/fs/cgroup")


class Second:
    """A lab with a state folder of its own, and what it is on the machine."""

    def __init__(self, folder: Path) -> None:
        self.dir = folder

    def call(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "tests/lab/lab.py"), *arguments]
        env = dict(os.environ, NEXUSCOS_LAB_DIR=str(self.dir))
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600, check=False)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def up(self) -> float:
        started = time.monotonic()
        self.call("up", "--only", COMPONENTS)
        return time.monotonic() - started

    @property
    def prefix(self) -> str:
        return f"nx{(self.dir / 'instance').read_text().strip()}"

    def daemons(self) -> dict[str, tuple[int, int]]:
        records = [json.loads(path.read_text()) for path in (self.dir / "run").glob("*.json")]
        return {record["name"]: (record["pid"], record["start"]) for record in records if "cgroup" in record}


def traces(prefix: str, folder: Path) -> dict[str, list[str]]:
    """What the machine itself shows of a lab; nothing here reads the lab's own records."""

    def run(*command: str) -> list[str]:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    marks = (f"{prefix}-", f"/{prefix}/", str(folder))
    mounts = [row for row in Path("/proc/self/mounts").read_text().splitlines() if any(mark in row for mark in marks)]
    namespaces = [row for row in run("ip", "netns", "list") if row.startswith(f"{prefix}-")]
    links = [row for row in run("ip", "-o", "link") if f" {prefix}:" in row or f" {prefix}-" in row]
    routes = [row for row in run("ip", "route") if f"dev {prefix} " in row + " "]
    processes = []
    for entry in Path("/proc").iterdir():
        try:
            groups = (entry / "cgroup").read_text() if entry.name.isdigit() else ""
            words = (entry / "cmdline").read_bytes().decode(errors="replace") if groups else ""
            # What has ended and only waits for its parent to take note (a zombie) runs no more.
            ended = groups and (entry / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
        except OSError:
            continue
        if ended:
            continue
        if f":/{prefix}/" in groups or f"/run/nexuscos-lab/{prefix}/" in words:
            processes.append(f"{entry.name} {words}")
    groups = [str(path) for path in (*CGROUPS.glob(prefix), *CGROUPS.glob(f"*/{prefix}"))]
    rules = [row for row in run("iptables-save") if f"{prefix}-lab" in row]
    folders = [str(path) for path in (folder, Path("/run/nexuscos-lab") / prefix) if path.exists()]
    return {
        "mounts": mounts, "namespaces": namespaces, "links": links, "routes": routes, "processes": processes,
        "cgroups": groups, "rules": rules, "folders": folders,
    }  # fmt: skip


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Second]:
    lab = Second(tmp_path_factory.mktemp("second") / "lab")
    try:
        lab.up()
        yield lab
    finally:
        lab.call("down", check=False)


def test_a_second_lab_has_names_and_addresses_of_its_own(second: Second) -> None:
    other: dict[str, Any] = json.loads((ROOT / ".lab/lab.json").read_text())
    mine: dict[str, Any] = json.loads((second.dir / "lab.json").read_text())
    assert mine["prefix"] != other["prefix"]
    assert not {m["address"] for m in mine["machines"].values()} & {m["address"] for m in other["machines"].values()}
    seen = traces(second.prefix, second.dir)
    for kind in ("mounts", "namespaces", "links", "routes", "processes", "cgroups", "folders"):
        assert seen[kind], f"the test would not see {kind}"


def test_up_again_leaves_what_runs_alone(second: Second) -> None:
    before = second.daemons()
    second.up()
    assert second.daemons() == before


def test_up_mends_what_was_killed_stopped_or_taken_away(second: Second) -> None:
    before = second.daemons()
    os.kill(before["redis2"][0], signal.SIGKILL)
    os.kill(before["edge1"][0], signal.SIGSTOP)
    for pid in {int(row.split()[0]) for row in traces(second.prefix, second.dir)["processes"] if "config_file" in row}:
        os.kill(pid, signal.SIGKILL)  # PostgreSQL, without a word
    subprocess.run(["ip", "netns", "delete", f"{second.prefix}-db3"], check=True)
    second.up()
    after = second.daemons()
    assert {"db1", "db2", "db3", "redis2"} <= {name for name, process in after.items() if process != before[name]}
    shown = json.loads(second.call("status", "--json").stdout)
    assert all(daemon["alive"] for daemon in shown["daemons"].values())
    assert {part["state"] for part in shown["components"].values()} == {"up"}


def test_down_keeps_the_data_when_asked(second: Second) -> None:
    secret = (second.dir / "secrets.json").read_text()
    second.call("down", "--keep")
    assert not {key: rows for key, rows in traces(second.prefix, second.dir).items() if rows and key != "folders"}
    assert (second.dir / "data/db1/PG_VERSION").exists()
    second.up()
    assert (second.dir / "secrets.json").read_text() == secret


def test_down_leaves_nothing_even_without_the_state_folder(second: Second) -> None:
    prefix = second.prefix
    hidden = second.dir.with_name("hidden")
    second.dir.rename(hidden)
    try:
        second.call("down")
        assert not {key: rows for key, rows in traces(prefix, second.dir).items() if rows}
        assert not list(Path("/run/nexuscos-lab").glob(f"{prefix}*"))
    finally:
        subprocess.run(["rm", "-rf", str(hidden)], check=True)
    assert "no lab" in second.call("down").stdout

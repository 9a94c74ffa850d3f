# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""compose_health as a task, on the lab's Compose project: what it says against what docker says. Wants the lab up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LAB = Path(os.environ.get("NEXUSCOS_LAB_DIR") or ROOT / ".lab")
FACTS: dict[str, Any] = json.loads((LAB / "lab.json").read_text()) if (LAB / "lab.json").exists() else {}
COMPOSE: dict[str, str] = FACTS.get("compose", {})
PREFIX = FACTS.get("prefix", "")


def docker(*arguments: str) -> str:
    command = ["/usr/bin/docker", "--host", f"unix://{COMPOSE['socket']}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def play(folder: Path, *flags: str, **options: Any) -> tuple[dict[str, Any], str]:
    """Run the module as a task of a playbook; returns its result and all that was printed."""
    kept = folder / "result.json"
    given = {
        "target": "docker1",
        "project": COMPOSE["project"],
        "docker_host": f"unix://{COMPOSE['socket']}",
        "project_src": COMPOSE["src"],
        "compose_command": [COMPOSE["cli"]],
        **options,
    }
    tasks = [
        {"nexuscos.ops.compose_health": given, "register": "seen"},
        {
            "ansible.builtin.copy": {"content": "{{ seen | to_json }}", "dest": str(kept), "mode": "0600"},
            "check_mode": False,
        },
    ]
    book = folder / "book.yml"
    plays = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}]
    book.write_text(yaml.safe_dump(plays), encoding="utf-8")
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", str(book), *flags]
    command += ["-e", f"ansible_python_interpreter={sys.executable}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return result, done.stdout


def test_it_counts_what_docker_counts(tmp_path: Path) -> None:
    label = f"label=com.docker.compose.project={COMPOSE['project']}"
    names = docker("ps", "--all", "--filter", label, "--format", "{{.Names}} {{.State}}").split("\n")
    containers = dict(line.split() for line in names if line)
    result, _printed = play(tmp_path, "--check", "--diff")
    assert result["changed"] is False
    assert result["findings"] == []
    assert all(row["seen"] for row in result["coverage"])
    facts = result["facts"]
    assert facts["containers"] == len(containers) == 6
    jobs = [name for name, state in containers.items() if state == "exited"]
    assert facts["replicas_running"] == facts["replicas_wanted"] == len(containers)
    assert jobs == [f"{COMPOSE['project']}-migrate-1"]
    assert facts["engine_version"] == docker("version", "--format", "{{.Server.Version}}").strip()


def test_a_recording_says_the_same_without_the_engine(tmp_path: Path) -> None:
    path = str(tmp_path / "docker1.json.gz")
    alive, _printed = play(tmp_path, record_to=path, include_ok=True)
    again, _printed = play(
        tmp_path, replay_from=path, include_ok=True, docker_host="unix:///does/not/exist.sock", compose_command=["none"]
    )
    assert again["recorded_at"]
    assert [{**one, "recorded_at": None} for one in again["findings"]] == alive["findings"]
    assert again["coverage"] == alive["coverage"]


def test_an_engine_that_is_not_there_is_a_finding_and_not_a_failure(tmp_path: Path) -> None:
    result, _printed = play(tmp_path, docker_host=f"unix://{tmp_path}/none.sock")
    assert [(one["check"], one["status"]) for one in result["findings"]] == [("compose.engine", "critical")]
    assert result["failed"] is False


@pytest.mark.parametrize("since", [0.0, 3600.0])
def test_the_logs_of_a_container_are_those_that_docker_shows(since: float) -> None:
    from ansible_collections.nexuscos.ops.plugins.module_utils._compose.client import Engine, address

    name = f"{COMPOSE['project']}-cache-1"
    moment = time.time() - since if since else 0.0
    engine = Engine(address(COMPOSE["socket"]), time.monotonic() + 30.0)
    engine.version()
    ours = [line.text for line in engine.logs(name, since=moment or None, until=time.time())]
    engine.close()
    command = ["/usr/bin/docker", "--host", f"unix://{COMPOSE['socket']}", "logs", name]
    command += ["--since", "%.9f" % moment] if since else []
    theirs = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ours == theirs.stdout.splitlines()[: len(ours)]
    assert since or ours


def test_the_engine_is_the_labs_own() -> None:
    """It runs in its machine's namespace and in the lab's control groups, and adds no rule to the machine."""
    info = json.loads(docker("info", "--format", "{{json .}}"))
    assert info["DockerRootDir"].startswith(f"/run/nexuscos-lab/{PREFIX}/")
    pids = docker("inspect", "--format", "{{.State.Pid}}", f"{COMPOSE['project']}-cache-1").split()
    assert f":/{PREFIX}/docker1/containers/" in Path(f"/proc/{pids[0]}/cgroup").read_text()
    inside = ["nsenter", f"--net=/run/netns/{FACTS['machines']['docker1']['netns']}", "ip", "-o", "link"]
    assert "docker0" in subprocess.run(inside, capture_output=True, text=True, check=True).stdout

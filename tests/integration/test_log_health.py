# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""log_health as a task, against what grep, kubectl and journalctl say. Wants the lab up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LAB = Path(os.environ.get("NEXUSCOS_LAB_DIR") or ROOT / ".lab")
Play = Callable[..., dict[str, Any]]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Run the module as a task on a host of the lab's inventory; returns its result."""

    def run(host: str, become: bool = False, delegate: bool = False, **options: Any) -> dict[str, Any]:
        kept = tmp_path / "result.json"
        task = {"nexuscos.ops.log_health": {"target": host, **options}, "register": "seen", "become": become}
        if delegate:
            task["delegate_to"] = "localhost"
        copy = {
            "ansible.builtin.copy": {"content": "{{ seen | to_json }}", "dest": str(kept), "mode": "0600"},
            "check_mode": False,
            "become": False,
            "delegate_to": "localhost",
        }
        book = tmp_path / "book.yml"
        book.write_text(
            yaml.safe_dump([{"hosts": host, "gather_facts": False, "tasks": [task, copy]}]), encoding="utf-8"
        )
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "inventories/lab", str(book)]
        done = subprocess.run([*command, "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        result: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return result

    return run


def on_host(host: str, script: str) -> str:
    """What a script prints that root runs on a host of the lab."""
    command = ["ssh", "-F", str(LAB / "ssh_config"), host, "sudo", "sh", "-s"]
    return subprocess.run(command, input=script, capture_output=True, text=True, check=True).stdout


def test_files_of_a_host_are_counted_by_what_they_say(play: Play, tmp_path: Path) -> None:
    folder = "/run/nexuscos-test-logs"
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    try:
        on_host(
            "host2",
            f"""set -e
mkdir -p {folder}
for i in $(seq 300); do
  echo "{now} ERROR payment $i of user $((i * 7919)) failed, password=topsecret$i"
done > {folder}/app.log
for i in $(seq 40); do echo "{now} ERROR cannot reach 10.0.0.$i"; done | gzip > {folder}/app.log.1.gz
echo "{now} INFO done, 0 errors" >> {folder}/app.log
""",
        )
        grepped = on_host("host2", f"zcat -f {folder}/app.log* | grep ERROR | cut -d' ' -f2- | sort | uniq -c | wc -l")
        recorded = tmp_path / "host2.json"
        result = play("host2", become=True, sources=[{"files": [f"{folder}/*.log"]}], record_to=str(recorded))
    finally:
        on_host("host2", f"rm -rf {folder}")
    assert int(grepped) == 340
    assert (result["facts"]["log_events"], result["facts"]["log_templates"]) == (340, 2)
    assert "topsecret" not in recorded.read_text() + json.dumps(result)
    replayed = play("host2", replay_from=str(recorded))
    assert replayed["coverage"] == result["coverage"]
    assert replayed["recorded_at"]


def test_the_journal_of_a_host_is_read(play: Play) -> None:
    marker = f"nexuscos-test-{os.getpid()}"
    on_host("host2", f"for i in 1 2 3; do echo '<3>order {marker} '$i' is lost' | systemd-cat -t {marker}; done")
    result = play(
        "host2",
        become=True,
        since="5m",
        sources=[{"journal": {}}],
        include_ok=True,
        thresholds={"logs.errors": {"target": 0, "alert": 100000}},
    )
    told = json.dumps(result["findings"])
    assert f"order {marker}" in told or "is lost" in told
    assert result["facts"]["log_events"] >= 3


def test_pods_have_the_errors_that_kubectl_shows(play: Play) -> None:
    facts = json.loads((LAB / "lab.json").read_text())["clusters"]["us-west-2"]
    kubectl = ["kubectl", "--kubeconfig", facts["kubeconfig"], "--context", facts["context"], "-n", "nexus-auth"]
    names = subprocess.run([*kubectl, "get", "pods", "-o", "name"], capture_output=True, text=True, check=True).stdout
    errors = sum(
        '"level":"ERROR"' in line
        for name in names.split()
        for line in subprocess.run(
            [*kubectl, "logs", "--since=1h", name], capture_output=True, text=True, check=False
        ).stdout.splitlines()
    )
    source = {"kubeconfig": facts["kubeconfig"], "context": facts["context"], "namespaces": ["nexus-auth"]}
    result = play("logs-us-west-2", delegate=True, since="1h", sources=[{"pods": source}])
    assert result["facts"]["log_owners"] >= 1
    # Pods go on working between the two looks.
    assert abs(result["facts"]["log_events"] - errors) <= max(20, errors // 5)
    assert all(row["seen"] for row in result["coverage"])


def test_wrong_options_are_refused_before_anything_is_looked_at(play: Play) -> None:
    with pytest.raises(AssertionError, match="mutually exclusive"):
        play("host2", sources=[{"files": ["/x"], "journal": {}, "pods": {}}])
    with pytest.raises(AssertionError, match="since: want a time"):
        play("host2", sources=[{"files": ["/x"]}], since="yesterday")

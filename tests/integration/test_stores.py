# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mongodb_health, grafana_health and elasticsearch_health as tasks, on what the lab has and plays. Wants the lab up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymongo
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LAB = Path(os.environ.get("NEXUSCOS_LAB_DIR") or ROOT / ".lab")
FACTS: dict[str, Any] = json.loads((LAB / "lab.json").read_text()) if (LAB / "lab.json").exists() else {}
SECRETS: dict[str, Any] = json.loads((LAB / "secrets.json").read_text()) if FACTS else {}
Play = Callable[..., tuple[dict[str, Any], str]]


def address(machine: str) -> str:
    return str(FACTS["machines"][machine]["address"])


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Run a module as a task of a playbook; returns its result and all that was printed."""

    def run(module: str, *flags: str, **options: Any) -> tuple[dict[str, Any], str]:
        kept = tmp_path / "result.json"
        # No test fails because the machine is busy.
        patient = {"connect_timeout": 30} if module == "mongodb_health" else {"timeout": 30}
        task = {f"nexuscos.ops.{module}": {"target": "lab", "deadline": 60, **patient, **options}, "register": "seen"}
        copy = {
            "ansible.builtin.copy": {"content": "{{ seen | to_json }}", "dest": str(kept), "mode": "0600"},
            "check_mode": False,
            "no_log": True,
        }
        book = tmp_path / "book.yml"
        plays = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task, copy]}]
        book.write_text(yaml.safe_dump(plays), encoding="utf-8")
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", str(book), *flags]
        command += ["-e", f"ansible_python_interpreter={sys.executable}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        result: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return result, done.stdout + done.stderr

    return run


def test_mongodb_is_as_its_own_library_sees_it(play: Play) -> None:
    if os.environ.get("NEXUSCOS_LAB_MONGODB_URI"):
        return  # another server stands in for mongo1
    result, _printed = play("mongodb_health", login_host=address("mongo1"))
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(address("mongo1"), serverSelectionTimeoutMS=5000)
    with client:
        status = client.admin.command("serverStatus")
    assert (result["facts"]["version"], result["facts"]["process"]) == (status["version"], status["process"])
    assert result["facts"]["connections_usable"] > status["connections"]["available"]
    assert result["summary"]["worst"] == "ok"
    assert result["changed"] is False


def test_the_played_replica_set_in_check_mode(play: Play) -> None:
    options = {"login_host": address("mongo-rs"), "login_port": 27018, "replica_set": "rs0"}
    live, _printed = play("mongodb_health", **options)
    dry, _printed = play("mongodb_health", "--check", "--diff", **options)
    assert (live["facts"]["role"], live["facts"]["members_healthy"]) == ("primary", 3)
    assert (live["summary"], live["coverage"]) == (dry["summary"], dry["coverage"])


def test_grafana_and_its_secret(play: Play, tmp_path: Path) -> None:
    kept = tmp_path / "grafana.json"
    options = {"token": SECRETS["grafana"], "dashboards": ["Platform overview", "gone"]}
    result, printed = play(
        "grafana_health", "-vvvv", url=f"http://{address('mon2')}:3000", record_to=str(kept), **options
    )
    assert [one["object"] for one in result["findings"]] == ["lab/gone"]
    for text in (json.dumps(result), printed, kept.read_text(encoding="utf-8")):
        assert SECRETS["grafana"] not in text
    again, _printed = play("grafana_health", replay_from=str(kept), dashboards=options["dashboards"])
    assert [one["fingerprint"] for one in again["findings"]] == [one["fingerprint"] for one in result["findings"]]


def test_grafana_through_the_edge(play: Play) -> None:
    name = "monitoring.nexuscos.example.com"
    result, _printed = play(
        "grafana_health", url=f"https://{name}", connect_to=address("edge1"), ca_path=FACTS["ca"],
        token=SECRETS["grafana"],
    )  # fmt: skip
    assert result["findings"] == []
    result, _printed = play(
        "grafana_health", url=f"https://{name}", connect_to=address("edge1"), token=SECRETS["grafana"],
        ca_path="/etc/ssl/certs/ca-certificates.crt",
    )  # fmt: skip
    assert [(one["check"], one["status"]) for one in result["findings"]] == [("grafana.access", "unknown")]


def test_documents_come_in_and_the_key_is_printed_nowhere(play: Play) -> None:
    result, printed = play(
        "elasticsearch_health", "-vvvv", url=f"http://{address('mon2')}:9200", api_key=SECRETS["elasticsearch"],
        indices=[{"name": "nginx", "pattern": "logs-nginx-*"}], kibana_url=f"http://{address('mon2')}:5601",
    )  # fmt: skip
    assert result["findings"] == []
    assert result["facts"]["newest_document_s"] < 300
    assert all(row["seen"] for row in result["coverage"])
    assert SECRETS["elasticsearch"] not in json.dumps(result) + printed

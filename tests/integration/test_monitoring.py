# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""metrics_health and alerts_info on the lab's servers: what they say against promtool and amtool. Wants the lab up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LAB = Path(os.environ.get("NEXUSCOS_LAB_DIR") or ROOT / ".lab")
FACTS: dict[str, Any] = json.loads((LAB / "lab.json").read_text()) if (LAB / "lab.json").exists() else {}
MON = FACTS.get("machines", {}).get("mon1", {}).get("address", "")
PROMETHEUS, ALERTMANAGER = f"http://{MON}:9090", f"http://{MON}:9093"
NAME = "IntegrationTestAlert"


def tasks(folder: Path, *wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """Run modules as the tasks of one playbook; what each of them returned, failed or not."""
    book, kept = folder / "book.yml", folder / "results.json"
    names = ["seen%d" % place for place in range(len(wanted))]
    steps: list[dict[str, Any]] = [
        {**task, "register": name, "ignore_errors": True} for name, task in zip(names, wanted, strict=True)
    ]
    content = "{{ [%s] | to_json }}" % ", ".join(names)
    steps.append({"ansible.builtin.copy": {"content": content, "dest": str(kept), "mode": "0600"}})
    play = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": steps}]
    book.write_text(yaml.safe_dump(play), encoding="utf-8")
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", str(book)]
    command += ["-e", f"ansible_python_interpreter={sys.executable}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found: list[dict[str, Any]] = json.loads(kept.read_text(encoding="utf-8"))
    return found


def metrics(**options: Any) -> dict[str, Any]:
    given = {"target": "mon1", "url": PROMETHEUS, "window": "1m", "host_label": "host", **options}
    return {"nexuscos.ops.metrics_health": given}


def alerts(**options: Any) -> dict[str, Any]:
    given = {"target": "mon1", "url": ALERTMANAGER, "prometheus_url": PROMETHEUS, "watchdog": "Watchdog", **options}
    return {"nexuscos.ops.alerts_info": given}


def promtool(expression: str) -> list[str]:
    """The series that promtool gets for an expression, one a line."""
    command = ["promtool", "query", "instant", PROMETHEUS, expression]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240).stdout
    return [line for line in out.splitlines() if line.strip()]


def amtool(*arguments: str) -> str:
    command = ["amtool", f"--alertmanager.url={ALERTMANAGER}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=240).stdout


def test_objectives_against_promtool(tmp_path: Path) -> None:
    own = [
        # Errors of nobody: the right side alone has the labels, and 0/0 stays for whom nothing happened.
        {
            "name": "never-failed",
            "query": "100 * (nowhere_total or 0 * up{job='node'}) / up{job='node'}",
            "labels": ["host"],
            "target": 1,
        },
        {"name": "plain", "query": "100 * nowhere_total / up{job='node'}", "labels": ["host"], "target": 1},
        {"name": "nothing", "query": "0 * up{job='node'} / (0 * up{job='node'})", "labels": ["host"], "target": 1},
        {"name": "endless", "query": "up{job='node'} / (0 * up{job='node'})", "labels": ["host"], "target": 1},
        {"name": "twice", "query": "up{job='node'} * on (job) up{job='node'}", "labels": ["host"], "target": 1},
        {"name": "scalar", "query": "scalar(vector(7))", "target": 5, "unit": "pieces"},
    ]
    right, bad = tasks(
        tmp_path,
        metrics(standard=["memory", "connections"], objectives=own, include_ok=True),
        metrics(standard=[], objectives=[{"name": "typo", "query": "up{job=", "target": 1}]),
    )
    objects = {one["object"]: one for one in right["findings"] if one["check"] == "metrics.objective"}
    hosts = len(promtool("up{job='node'}"))
    assert hosts == 3
    assert sorted(objects) == [
        *("mon1/endless/host%d" % number for number in (1, 2, 3)),
        *("mon1/never-failed/host%d" % number for number in (1, 2, 3)),
        *("mon1/nothing/host%d" % number for number in (1, 2, 3)),
        "mon1/plain",
        "mon1/scalar",
        "mon1/twice",
    ]
    assert promtool("100 * nowhere_total / up{job='node'}") == []
    statuses = {name: one["status"] for name, one in objects.items()}
    assert statuses["mon1/never-failed/host1"] == "ok"
    assert (statuses["mon1/plain"], statuses["mon1/nothing/host1"]) == ("unknown", "unknown")
    assert (statuses["mon1/endless/host1"], statuses["mon1/scalar"]) == ("critical", "warning")
    assert "many-to-many" in objects["mon1/twice"]["title"] or "found duplicate" in objects["mon1/twice"]["title"]
    for check, expression in (
        ("metrics.memory", "node_memory_MemTotal_bytes"),
        ("metrics.connections", "pg_settings_max_connections"),
    ):
        row = next(row for row in right["coverage"] if row["check"] == check)
        assert row["objects"] == len(promtool(expression)), check
    assert bad["failed"]
    assert "objectives: typo: query: " in bad["msg"]


@pytest.fixture
def silenced() -> Iterator[str]:
    """A firing alert that somebody has silenced, both made by amtool; the id of the silence."""
    amtool("alert", "add", NAME, "severity=critical", "service=integration-test", "--annotation=summary=played")
    made = amtool(
        "silence", "add", f"alertname={NAME}", "--author=tester", "--comment=a test", "--duration=72h"
    ).strip()
    yield made
    amtool("silence", "expire", made)
    amtool("alert", "add", NAME, "severity=critical", "service=integration-test", "--end=2026-01-01T00:00:00Z")


def test_alerts_against_amtool(tmp_path: Path, silenced: str) -> None:
    (quiet,) = tasks(tmp_path, alerts())
    assert not [one for one in quiet["findings"] if "integration-test" in one["object"]]
    told = next(one for one in quiet["alerts"] if one["alertname"] == NAME)
    assert (told["state"], told["service"], told["silenced_by"]) == ("silenced", "integration-test", [silenced])
    hidden = next(one for one in quiet["silences"] if one["id"] == silenced)
    assert (hidden["author"], hidden["comment"], hidden["alerts"]) == ("tester", "a test", [NAME])
    known = json.loads(amtool("silence", "query", f"alertname={NAME}", "--output=json"))
    assert [one["id"] for one in known] == [silenced]
    assert known[0]["endsAt"][:16] == hidden["ends"][:16]

    amtool("silence", "expire", silenced)
    (loud,) = tasks(tmp_path, alerts(since="1h"))
    (one,) = [one for one in loud["findings"] if one["object"] == f"mon1/{NAME}/integration-test"]
    assert (one["check"], one["status"], one["evidence"]["service"]) == (
        "alerts.firing",
        "critical",
        "integration-test",
    )
    assert "the silence of tester has ended" in one["title"]
    assert NAME in amtool("alert", "query", f"alertname={NAME}")

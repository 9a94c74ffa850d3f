"""The morning on the lab: modules that a run starts, and its time against the runbook's commands in plain loops."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import measure

QUERIES = (
    "SELECT version()",
    "SELECT pg_size_pretty(pg_database_size('nexusdb'))",
    "SELECT pid, now() - query_start, query FROM pg_stat_activity WHERE state = 'active'",
)
REPEATS = 3


def lab_environment() -> dict[str, str]:
    """What `make -s lab-env` gives to any tool."""
    script = 'lines=$(make -s lab-env) && eval "$lines" && env -0'
    done = subprocess.run(["bash", "-c", script], cwd=measure.ROOT, capture_output=True, check=True)
    return dict(line.split("=", 1) for line in done.stdout.decode().split("\0") if "=" in line)


def inventory() -> dict[str, Any]:
    """The lab's inventory, resolved."""
    command = [str(measure.BIN / "ansible-inventory"), "-i", "inventories/lab", "--list"]
    done = subprocess.run(command, cwd=measure.ROOT, capture_output=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def plain(folder: Path, lab: dict[str, Any]) -> list[str]:
    """The runbook's morning as it stands there: kubectl, curl and psql in loops."""
    services = lab["services"].values()
    namespaces = sorted({service["namespace"] for service in services})
    contexts = sorted(lab["clusters"])
    urls = [f"http://{one['address']['us-east-1']}:{one['port']}/health" for one in services]
    edge = lab["machines"]["edge1"]["address"]
    names = [f"{prefix}{lab['domain']}" for prefix in ("", "api.", "status.", "prometheus.")]
    databases = [lab["machines"][name]["address"] for name in ("db1", "db2", "db3")]

    def command(argv: list[str], loop: list[Any] | None = None) -> dict[str, Any]:
        task: dict[str, Any] = {"ansible.builtin.command": {"argv": argv}, "changed_when": False}
        return task | ({"loop": loop} if loop else {})

    curl = ["curl", "--silent", "--output", "/dev/null", "--cacert", lab["ca"]]
    tasks = [
        command(
            ["kubectl", "--context", "{{ item.0 }}", "get", "pods", "-n", "{{ item.1 }}"],
            [[context, namespace] for context in contexts for namespace in namespaces],
        ),
        command(["kubectl", "--context", "{{ item }}", "get", "nodes"], contexts),
        {"ansible.builtin.uri": {"url": "{{ item }}"}, "loop": urls},
        command([*curl, "--connect-to", f"::{edge}:", "https://{{ item }}/"], names),
        command(
            ["psql", "-h", "{{ item.0 }}", "-c", "{{ item.1 }}"],
            [[address, query] for address in databases for query in QUERIES],
        ),
    ]
    return measure.playbook(tasks, folder, "plain")


def main() -> None:
    """Measure and print."""
    try:
        folder = Path(os.environ.get("NEXUSCOS_LAB_DIR") or measure.ROOT / ".lab")
        lab = json.loads((folder / "lab.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise SystemExit("this bench wants the lab: make lab") from error
    if not all(cluster["ready"] for cluster in lab["clusters"].values()):
        raise SystemExit("this bench wants the lab's clusters: make lab-wait")
    environment = os.environ | lab_environment()
    # psql verifies names in certificates; the loop goes by address.
    environment["PGSSLMODE"] = "require"
    groups = inventory()
    systems = sum(len(groups[group]["hosts"]) for group in ("clusters", "databases", "endpoints"))
    os.chdir(measure.ROOT)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = {"nexuscos_report_dir": str(folder / "reports"), "nexuscos_fail_on": "never"}
        morning = [str(measure.BIN / "ansible-playbook"), "-i", "inventories/lab", "nexuscos.ops.daily_morning"]
        morning += ["-e", json.dumps(settings)]

        # Every module starts an interpreter: one that counts tells how many there were.
        counter, count = folder / "python", folder / "count"
        counter.write_text(f'#!/bin/sh\necho >> {count}\nexec {sys.executable} "$@"\n', encoding="utf-8")
        counter.chmod(0o755)
        measure.process([*morning, "-e", f"ansible_python_interpreter={counter}"], environment)
        started = len(count.read_text(encoding="utf-8").splitlines())
        what = f"modules that a morning starts, {systems} systems with {len(lab['services'])} services"
        measure.emit("morning tasks", what, [started], "modules", {"systems": systems}, systems + 10)

        taken = measure.in_turn({"daily_morning": lambda: measure.process(morning, environment)[0]}, REPEATS)
        # Once is enough for what takes several times as long.
        base = measure.process(plain(folder, lab), environment)[0]
    what = (
        f"the morning of the lab, {systems} systems; against kubectl, uri, curl and psql in loops, which judge nothing"
    )
    measure.emit("morning", what, taken["daily_morning"], "s", {"plain loops": base}, None)


if __name__ == "__main__":
    main()

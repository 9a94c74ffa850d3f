# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make lab-status` and `make lab-env` print: from the state files, and from what really runs now."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from . import state
from .process import start_time


def observe(lab_dir: Path) -> dict[str, Any]:
    """lab.json with what was found out now: daemons that died make their component `failed`."""
    lab = state.read(lab_dir / "lab.json")
    daemons: dict[str, dict[str, Any]] = {}
    for path in sorted((lab_dir / "run").glob("*.json")):
        record = state.read(path)
        if record.get("cgroup") and record.get("pid"):
            alive = record.get("start") == start_time(int(record["pid"]))
            daemons[record["name"]] = {
                "pid": record["pid"],
                "alive": alive,
                "netns": record.get("netns"),
                "log": record.get("log"),
            }
    lab["daemons"] = daemons
    faults = []
    for path in sorted((lab_dir / "faults").glob("*.json")):
        fault = state.read(path)
        faults.append(
            {"name": fault.get("name") or path.stem, "since": fault.get("applied_at") or fault.get("since") or ""}
        )
    lab["faults"] = faults
    return lab


def show(lab_dir: Path, coming_up: bool, as_json: bool = False) -> None:
    """Print a table of components, machines and logins; or the same as JSON."""
    lab = observe(lab_dir)
    if as_json:
        json.dump(lab, sys.stdout, indent=1, sort_keys=True)
        print()
        return
    print("\n".join(table(lab, lab_dir, coming_up)))


def table(lab: dict[str, Any], lab_dir: Path, coming_up: bool) -> list[str]:
    """The lines of the table."""
    lines = [
        "lab %s · %s%s" % (lab.get("prefix"), lab_dir, " · coming up: `make lab-wait` follows" if coming_up else "")
    ]
    known = [(fault["name"], fault["since"]) for fault in lab["faults"]]
    lines += ["FAULT     %s, applied %s: `make heal` takes it away" % fault for fault in known]
    dead = [name for name, found in lab["daemons"].items() if not found["alive"]]
    if dead and not coming_up:
        lines.append("DEAD      %s: `make lab` starts what is dead again" % ", ".join(dead))
    lines.append("")
    lines.append("%-12s %-9s %s" % ("COMPONENT", "STATE", "DETAIL"))
    for name, part in lab.get("components", {}).items():
        detail = str(part.get("detail") or "").splitlines() or [""]
        lines.append("%-12s %-9s %s" % (name, part.get("state"), detail[0][:140]))
    lines.append("")
    lines.append("%-9s %-15s %-47s %s" % ("MACHINE", "ADDRESS", "WHAT", "DAEMONS"))
    for name, machine in sorted(lab.get("machines", {}).items(), key=lambda item: _address_key(item[1]["address"])):
        here = [
            daemon if found["alive"] else "%s DEAD" % daemon
            for daemon, found in lab["daemons"].items()
            if found["netns"] == machine["netns"]
        ]
        lines.append(
            "%-9s %-15s %-47s %s" % (name, machine["address"], machine.get("what", ""), ", ".join(here) or "-")
        )
    for name, cluster in lab.get("clusters", {}).items():
        if isinstance(cluster, dict):
            ready = "ready" if cluster.get("ready") else "not ready"
            lines.append(
                "cluster %s %s (%s): kubectl --context %s get pods -A" % (name, cluster.get("server"), ready, name)
            )
    prefix = lab.get("prefix")
    lines += [
        "",
        'log in    eval "$(make -s lab-env)"   then: kubectl, psql, redis-cli -u $REDIS_URL, amtool, curl',
        "          ssh -F %s host1   (host2, host3)" % (lab_dir / "ssh_config"),
        "          nsenter --net=/run/netns/%s-db1 bash   (any machine's network)" % prefix,
        "logs      %s" % (lab_dir / "log"),
    ]
    return lines


def _address_key(address: str) -> list[int]:
    return [int(part) for part in address.split(".")]


def environment(checkout: Path, lab_dir: Path) -> list[str]:
    """Export lines for a shell."""
    lab = state.read(lab_dir / "lab.json")
    secrets = state.read(lab_dir / "secrets.json")
    address = {name: machine["address"] for name, machine in lab["machines"].items()}
    clusters = lab.get("clusters") or {}
    kubeconfig = next((c["kubeconfig"] for c in clusters.values() if c.get("kubeconfig")), str(lab_dir / "kubeconfig"))
    mongodb = lab.get("mongodb_uri") or "mongodb://%s:27017/nexus" % address["mongo1"]
    values = {
        "NEXUSCOS_LAB_DIR": str(lab_dir),
        "NEXUSCOS_LAB_CA": lab["ca"],
        "KUBECONFIG": kubeconfig,
        "PGHOST": address["db1"],
        "PGPORT": "5432",
        "PGUSER": "nexus",
        "PGPASSWORD": secrets["postgres"]["nexus"],
        "PGDATABASE": "nexusdb",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": lab["ca"],
        "REDIS_URL": "redis://:%s@%s:6379/0" % (secrets["redis"], address["redis1"]),
        "MONGODB_URI": mongodb,
        "PROMETHEUS_URL": "http://%s:9090" % address["mon1"],
        "ALERTMANAGER_URL": "http://%s:9093" % address["mon1"],
    }
    if lab.get("compose"):
        values["DOCKER_HOST"] = "unix://%s" % lab["compose"]["socket"]
    lines = ["export %s=%s" % (name, shlex.quote(value)) for name, value in values.items()]
    from .plan import cache_dir

    folders = [str(checkout / ".venv" / "bin"), str(cache_dir() / "bin")]
    lines.append('export PATH=%s:"$PATH"' % ":".join(shlex.quote(folder) for folder in folders))
    return lines

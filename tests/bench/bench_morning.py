"""The morning of the lab: against the same looks by other collections, and against one empty task a system."""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import measure
import yaml

from ansible_collections.nexuscos.ops.plugins.module_utils._k8s import kinds
from ansible_collections.nexuscos.ops.plugins.module_utils._postgres import queries

TOOLS = str(measure.ROOT / "tools")
PEERS = (
    "ansible.posix",
    "community.crypto",
    "community.docker",
    "community.general",
    "community.library_inventory_filtering_v1",
    "community.mongodb",
    "community.postgresql",
    "kubernetes.core",
)
GROUPS = "clusters databases endpoints certificates hosts compose_projects metrics alerts dashboards"
GROUPS += " log_stores logs backups"
REPEATS = 3
VERSION = 150000


def kinds_asked() -> list[dict[str, str]]:
    """Kind and version of everything that a look at a cluster lists, as k8s_info wants them."""
    named = {"pods": "Pod", "endpointslices": "EndpointSlice", "services": "Service", "jobs": "Job", "nodes": "Node"}
    special = {
        "horizontalpodautoscalers": "HorizontalPodAutoscaler",
        "poddisruptionbudgets": "PodDisruptionBudget",
        "persistentvolumeclaims": "PersistentVolumeClaim",
        "storageclasses": "StorageClass",
        "ingresses": "Ingress",
        "resourcequotas": "ResourceQuota",
        "apiservices": "APIService",
        "namespaces": "Namespace",
        "statefulsets": "StatefulSet",
        "daemonsets": "DaemonSet",
        "cronjobs": "CronJob",
        "deployments": "Deployment",
        "validatingwebhookconfigurations": "ValidatingWebhookConfiguration",
        "mutatingwebhookconfigurations": "MutatingWebhookConfiguration",
    }
    found = []
    for one in kinds.KINDS:
        plural = one.name.split(".")[0]
        if "metrics.k8s.io" in one.name:
            kind = {"pods": "PodMetrics", "nodes": "NodeMetrics"}[plural]
        else:
            kind = {**named, **special}[plural]
        version = one.path.removeprefix("/apis/").removeprefix("/api/")
        found.append({"kind": kind, "version": version})
    return found


def questions() -> list[dict[str, str]]:
    """What a look asks a PostgreSQL server of the lab's version."""
    asked = queries.select((*queries.ON_SERVER, *queries.IN_DATABASE), VERSION, in_recovery=False)
    return [{"name": one.name, "sql": one.sql.replace("%%", "%")} for one in asked]


def empty(folder: Path) -> list[str]:
    """One empty task for each system, side by side: where Ansible logs in there, else on the controller."""
    path = folder / "empty.yml"
    where = "{{ inventory_hostname if 'hosts' in group_names else 'localhost' }}"
    task = {"ansible.builtin.ping": {}, "delegate_to": where, "become": False}
    play: dict[str, Any] = {"hosts": GROUPS.replace(" ", ":"), "gather_facts": False, "tasks": [task]}
    play["strategy"] = "ansible.builtin.host_pinned"
    path.write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
    return [str(measure.BIN / "ansible-playbook"), "-i", "inventories/lab", str(path)]


def answers(log: str) -> tuple[int, int]:
    """How many questions of a playbook were answered, and how many not: what fails early is fast for a bad reason."""
    words = Counter(re.findall(r"\| (ok|changed|failed|fatal): \[", log))
    return words["ok"] + words["changed"], words["failed"] + words["fatal"]


def main() -> None:
    """Measure and print."""
    try:
        folder = Path(os.environ.get("NEXUSCOS_LAB_DIR") or measure.ROOT / ".lab")
        lab = json.loads((folder / "lab.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise SystemExit("this bench wants the lab: make lab") from error
    if not all(cluster["ready"] for cluster in lab["clusters"].values()):
        raise SystemExit("this bench wants the lab's clusters: make lab-wait")
    os.chdir(measure.ROOT)
    sys.path[:0] = [TOOLS]
    setup = importlib.import_module("setup")
    peers = setup.fetch_collections(setup.pip_of(sys.executable), PEERS)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        settings = {"nexuscos_report_dir": str(scratch / "reports"), "nexuscos_fail_on": "never"}
        morning = [str(measure.BIN / "ansible-playbook"), "-i", "inventories/lab", "nexuscos.ops.daily_morning"]
        morning += ["-e", json.dumps(settings)]
        taken = measure.in_turn(
            {
                "morning": lambda: measure.process(morning)[0],
                "empty": lambda: measure.process(empty(scratch))[0],
            },
            REPEATS,
        )
        # Once is enough for what takes many times as long.
        places = f"{peers[0].parents[2]}{os.pathsep}{measure.ROOT / '.ansible/collections'}"
        environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": places, "ANSIBLE_STDOUT_CALLBACK": "default"}
        other = [str(measure.BIN / "ansible-playbook"), "-i", "inventories/lab", "tests/bench/peers_morning.yml"]
        asked = {"bench_kinds": kinds_asked(), "bench_queries": questions()}
        log = scratch / "peers.log"
        environment["ANSIBLE_LOG_PATH"] = str(log)
        base = measure.process([*other, "-e", json.dumps(asked)], environment)[0]
        answered, refused = answers(log.read_text(encoding="utf-8", errors="replace"))
    floor = measure.median(taken["empty"])
    what = f"the morning of the lab, {len(lab['services'])} services"
    measure.emit(
        "morning", f"{what}; limit: twice the floor", taken["morning"], "s",
        {"one empty task a system": floor}, 2 * floor,
    )  # fmt: skip
    against = "the same looks by kubernetes.core, community.postgresql, general, crypto, docker, and uri"
    against += f" ({answered} of {answered + refused} questions answered)"
    measure.emit(
        "morning, against peers", f"{what}; limit: a fifteenth", taken["morning"], "s", {against: base}, base / 15
    )


if __name__ == "__main__":
    main()

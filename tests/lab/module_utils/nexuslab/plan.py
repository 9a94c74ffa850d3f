# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, addresses and places of one instance of the lab: pure values, no I/O but reading small files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

# machine -> (last octet in net(0), what it is)
MACHINES: dict[str, Any] = {
    "cp-east": (11, "control plane of us-east-1"),
    "cp-west": (12, "control plane of us-west-2"),
    "east-a": (13, "node of us-east-1"),
    "east-b": (14, "node of us-east-1"),
    "west-a": (15, "node of us-west-2"),
    "db1": (21, "PostgreSQL 15, primary"),
    "db2": (22, "PostgreSQL 15, standby"),
    "db3": (23, "PostgreSQL 15, standby"),
    "db4": (24, "PostgreSQL 16, stand-alone"),
    "redis1": (31, "Redis primary, Sentinel"),
    "redis2": (32, "Redis replica, Sentinel"),
    "mongo1": (41, "MongoDB-protocol server"),
    "mongo-rs": (42, "MongoDB replica set, played"),
    "mon1": (51, "Prometheus, Alertmanager, exporters, Sentinel"),
    "mon2": (52, "Grafana, Elasticsearch and Kibana, played"),
    "edge1": (61, "nginx with TLS"),
    "host1": (71, "systemd host"),
    "host2": (72, "systemd host"),
    "host3": (73, "systemd host"),
    "registry": (81, "image registry"),
    "docker1": (82, "Docker engine with a Compose project"),
}
# which machine owns which net(k): pods of a node, services of a cluster
OWNED_NETS: dict[int, str] = {1: "east-a", 2: "east-b", 3: "west-a", 8: "east-a", 9: "west-a"}
SERVICE_NETS: dict[str, int] = {"us-east-1": 8, "us-west-2": 9}
CLUSTERS: dict[str, dict[str, Any]] = {
    "us-east-1": {"machine": "cp-east", "nodes": ["east-a", "east-b"], "service_net": 8},
    "us-west-2": {"machine": "cp-west", "nodes": ["west-a"], "service_net": 9},
}
MAX_INSTANCES = 16
DOMAIN = "nexuscos.example.com"


def net(instance: int, k: int) -> str:
    """First three octets of net(k) of an instance: net(0, 1) is 198.18.1."""
    if not 0 <= instance < MAX_INSTANCES or not 0 <= k < 32:
        raise ValueError("no net(%s) of instance %s in the address plan" % (k, instance))
    number = 32 * instance + k
    return "198.%d.%d" % (18 + number // 256, number % 256)


def prefix(instance: int) -> str:
    """What the name of every bridge, namespace and cgroup of an instance begins with."""
    return "nx%d" % instance


def machines(instance: int) -> dict[str, dict[str, Any]]:
    """All machines of an instance: address, network namespace, routes (to, via) and a description."""
    name = prefix(instance)
    base = net(instance, 0)
    result: dict[str, dict[str, Any]] = {}
    for machine, (octet, what) in MACHINES.items():
        routes = [
            {"to": "%s.0/24" % net(instance, k), "via": "%s.%d" % (base, MACHINES[owner][0])}
            for k, owner in OWNED_NETS.items()
            if owner != machine
        ]
        result[machine] = {
            "address": "%s.%d" % (base, octet),
            "netns": "%s-%s" % (name, machine),
            "routes": routes,
            "what": what,
        }
    return result


def services(instance: int, catalogue: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Where each service of the catalogue answers: namespace, port, ClusterIP by cluster."""
    return {
        name: {
            "namespace": service["namespace"],
            "port": service["port"],
            "address": {cluster: "%s.%d" % (net(instance, k), 10 + index) for cluster, k in SERVICE_NETS.items()},
        }
        for index, (name, service) in enumerate(catalogue.items())
    }


def cache_dir(environ: dict[str, str] | None = None) -> Path:
    """Where built binaries and prepared data survive a clean checkout."""
    env = os.environ if environ is None else environ
    base = env.get("XDG_CACHE_HOME") or os.path.join(env.get("HOME") or "/tmp", ".cache")
    return Path(base) / "nexuscos-lab"


def run_dir(instance: int) -> Path:
    """A short way to the state folder that every user of the machine may walk: the folder is mounted here too."""
    return Path("/run/nexuscos-lab") / prefix(instance)


def describe(checkout: Path, lab_dir: Path, instance: int, catalogue: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Everything a role of the lab needs to know, as one dictionary (the inventory variable `lab`)."""
    nets: list[str] = [net(instance, k) for k in range(32)]
    return {
        "instance": instance,
        "prefix": prefix(instance),
        "dir": str(lab_dir),
        "run": str(run_dir(instance)),
        "cache": str(cache_dir()),
        "checkout": str(checkout),
        "gateway": "%s.1" % nets[0],
        "net": nets,
        "domain": DOMAIN,
        "machines": machines(instance),
        "clusters": {
            name: dict(cluster, context=name, server="https://%s.%d:6443" % (nets[0], MACHINES[cluster["machine"]][0]))
            for name, cluster in CLUSTERS.items()
        },
        "services": services(instance, catalogue),
    }

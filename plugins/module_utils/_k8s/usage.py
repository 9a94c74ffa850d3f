# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Usage from metrics.k8s.io against allocatable, limits and requests."""

from __future__ import annotations

from typing import Any

from .autoscaling import autoscaled
from .look import Look, Pod
from .read import Doc, docs, mapping, quantity, size, text


def nodes(look: Look) -> None:
    """k8s.node_cpu, k8s.node_memory"""
    room = {text(one, "metadata", "name"): mapping(one, "status", "allocatable") for one in look.list("nodes")}
    total: dict[str, list[float]] = {"cpu": [0.0, 0.0], "memory": [0.0, 0.0]}
    for one in look.list("nodes.metrics.k8s.io"):
        name = text(one, "metadata", "name")
        for resource, check in (("cpu", "k8s.node_cpu"), ("memory", "k8s.node_memory")):
            used, most = quantity(mapping(one, "usage").get(resource)), quantity(room.get(name, {}).get(resource))
            if used is None or not most or most <= 0:
                continue
            total[resource][0] += used
            total[resource][1] += most
            share = used / most * 100
            look.value(
                check,
                look.obj("Node", name),
                round(share, 1),
                "node %s uses %.3g %% of its %s (%s of %s)"
                % (
                    name,
                    share,
                    resource if resource == "memory" else "CPU",
                    _amount(resource, used),
                    _amount(resource, most),
                ),
                evidence={"used": _amount(resource, used), "allocatable": _amount(resource, most)},
            )
    for check in ("k8s.node_cpu", "k8s.node_memory"):
        look.judge.looked(check, 0)
    for resource, (used, most) in total.items():
        look.judge.facts[f"{resource}_percent"] = round(used / most * 100, 1) if most else None


def workloads(look: Look) -> None:
    """k8s.cpu_usage, k8s.memory_usage"""
    scaled = autoscaled(look)
    pods = {(pod.namespace, pod.name): pod for pod in look.pods if pod.live}
    worst: dict[tuple[str, str], tuple[float, Pod, dict[str, Any], bool]] = {}
    owners: dict[str, set[str]] = {"k8s.cpu_usage": set(), "k8s.memory_usage": set()}
    for one in look.list("pods.metrics.k8s.io"):
        pod = pods.get((text(one, "metadata", "namespace"), text(one, "metadata", "name")))
        if pod is None:
            continue
        specs = {text(spec, "name"): spec for key in ("containers", "init") for spec in docs(pod.shape, key)}
        for container in docs(one, "containers"):
            spec = specs.get(text(container, "name"))
            if spec is None:
                continue
            for resource, check in (("cpu", "k8s.cpu_usage"), ("memory", "k8s.memory_usage")):
                measured = _measure(spec, container, resource)
                if measured is None:
                    continue
                owners[check].add(pod.obj)
                if resource == "cpu" and pod.obj in scaled:
                    continue  # CPU is what its autoscaler steers by: k8s.hpa_maximum says when that no longer works
                share, evidence, by_limit = measured
                evidence = {"pod": pod.name, "container": text(container, "name"), **evidence}
                known = worst.get((pod.obj, check))
                # A limit that is near counts for more than a request that is passed.
                if known is None or (by_limit, share) > (known[3], known[0]):
                    worst[(pod.obj, check)] = (share, pod, evidence, by_limit)
    for check, seen in owners.items():
        look.judge.looked(check, len(seen - {obj for obj, known in worst if known == check}))
    for (obj, check), (share, pod, evidence, by_limit) in worst.items():
        what = "CPU" if check == "k8s.cpu_usage" else "memory"
        look.value(
            check,
            obj,
            round(share, 1),
            "%s uses %.3g %% of its %s %s (%s of %s, container %s)"
            % (
                pod.owner[1],
                share,
                what,
                "limit" if by_limit else "request",
                evidence["used"],
                evidence["of"],
                evidence["container"],
            ),
            evidence=evidence,
            ceiling=None if by_limit else "warning",
        )


def _measure(spec: Doc, container: Doc, resource: str) -> tuple[float, dict[str, Any], bool] | None:
    """Share in percent, evidence, and whether it is of the limit; None where there is nothing to compare with.

    A request is the scheduler's measure, and using more of it is no fault in itself. So without a limit the share is
    that of twice the request.
    """
    used = quantity(mapping(container, "usage").get(resource))
    values = spec.get(resource)
    if used is None or not isinstance(values, list) or len(values) != 2:
        return None
    request, limit = (value if isinstance(value, (int, float)) and value > 0 else None for value in values)
    if limit:
        return used / limit * 100, {"used": _amount(resource, used), "of": _amount(resource, limit)}, True
    if request:
        return (
            used / request * 50,
            {"used": _amount(resource, used), "of": f"twice the request of {_amount(resource, request)}"},
            False,
        )
    return None


def _amount(resource: str, value: float) -> str:
    return size(value) if resource == "memory" else "%d m" % round(value * 1000)

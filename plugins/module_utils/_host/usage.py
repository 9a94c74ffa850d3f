# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CPU, load, memory, swap, pressure."""

from __future__ import annotations

from typing import Any

from . import words
from .case import Case

_PRESSURE = {
    "cpu": ("some", "tasks waited for a CPU"),
    "memory": ("full", "all tasks waited for memory"),
    "io": ("full", "all tasks waited for a disk"),
}


def _cpus(amount: float) -> str:
    """A quota may be a part of one."""
    return f"{amount:.3g} CPU{'' if amount == 1 else 's'}"


def judge_cpu(case: Case) -> None:
    """How busy the CPUs are that the host may use."""
    seen = case.part("cpu", "host.cpu")
    if seen is None:
        return
    percent = words.number(seen, "percent")
    if percent is None:
        case.judge.unseen("host.cpu", "the look has no share of the CPUs")
        return
    cpus = words.mapping(case.host.get("cpus"))
    usable = words.amount(cpus, "usable")
    case.judge.facts["cpu_percent"] = percent
    evidence: dict[str, Any] = {"seconds": words.amount(seen, "seconds"), "cpus": usable, "of": words.text(seen, "of")}
    if words.mapping(seen.get("by")):
        evidence["by"] = dict(seen["by"])
    if words.number(cpus, "quota"):
        evidence["quota"] = words.amount(cpus, "quota")
    case.judge.value(
        "host.cpu",
        case.target,
        percent,
        "{} uses {:g} % of {}{}".format(
            case.target, percent, _cpus(usable), ", its quota" if "quota" in evidence else ""
        ),
        evidence,
    )


def judge_load(case: Case) -> None:
    """Tasks that run or wait, for each CPU."""
    seen = case.part("load", "host.load")
    if seen is None:
        return
    cpus = max(words.amount(words.mapping(case.host.get("cpus")), "usable"), 0.01)
    average = seen.get("average") if isinstance(seen, dict) else None
    container = words.text(seen, "of") == "container"
    if container:
        value = words.number(seen, "running")
    else:
        five = average[1] if isinstance(average, (list, tuple)) and len(average) == 3 else None
        value = words.number({"load": five}, "load")
    if value is None:
        case.judge.unseen("host.load", "the look has no load")
        return
    each = round(max(value, 0.0) / cpus, 2)
    case.judge.facts["load_per_cpu"] = each
    what = "tasks run or wait at a time" if container else "tasks ran or waited over five minutes"
    evidence: dict[str, Any] = {
        "tasks": words.amount(seen, "total"),
        "running": words.amount(seen, "running"),
        "zombies": words.amount(seen, "zombies"),
        "cpus": round(cpus, 2),
    }
    if not container:
        evidence["load"] = average
    case.judge.value("host.load", case.target, each, f"{value:.1f} {what} on {words.count(cpus, 'CPU')}", evidence)


def judge_memory(case: Case) -> None:
    """Memory and swap."""
    seen = case.part("memory", "host.memory", "host.swap")
    if seen is None:
        return
    total, used = words.amount(seen, "total"), words.number(seen, "used")
    if not total or used is None:
        case.judge.unseen("host.memory", "the look has no size of the memory")
        case.judge.unseen("host.swap", "the look has no size of the memory")
        return
    percent = round(max(used, 0.0) / total * 100, 1)
    case.judge.facts["memory_percent"] = percent
    evidence = {"used": used, "total": total, "of": words.text(seen, "of")}
    title = f"{case.target} uses {percent:g} % of its memory ({words.size(used)} of {words.size(total)})"
    case.judge.value("host.memory", case.target, percent, title, evidence)
    swap_total, swap_used = words.amount(seen, "swap_total"), words.amount(seen, "swap_used")
    if not swap_total:
        # A host without swap has none to run out of.
        case.judge.looked("host.swap")
        return
    percent = round(min(swap_used / swap_total, 1.0) * 100, 1)
    title = f"{case.target} uses {percent:g} % of its swap ({words.size(swap_used)} of {words.size(swap_total)})"
    case.judge.value("host.swap", case.target, percent, title, {"used": swap_used, "total": swap_total})


def judge_pressure(case: Case) -> None:
    """What share of the last minute was lost with waiting."""
    seen = case.part("pressure", *(f"host.pressure_{kind}" for kind in _PRESSURE))
    if seen is None:
        return
    for kind, (which, words_) in _PRESSURE.items():
        check = f"host.pressure_{kind}"
        rows = words.mapping(words.mapping(seen).get(kind))
        value = words.number(rows.get(which), "avg60")
        if value is None:
            case.judge.unseen(
                check, words.text(rows, "reason") or f"the kernel does not count {which} pressure of {kind}"
            )
            continue
        evidence = {name: dict(rows[name]) for name in ("some", "full") if isinstance(rows.get(name), dict)}
        case.judge.value(
            check, case.target, value, f"for {value:g} % of the last minute {words_} on {case.target}", evidence
        )

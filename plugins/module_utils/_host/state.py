# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clock, reboot, and what the kernel's log tells."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .._core.finding import OK
from . import words
from .case import Case

_SETTLING = 900.0
"""So long after the start the clock may still be on its way."""


def judge_clock(case: Case) -> None:
    """The clock against time servers, and what the kernel says of it."""
    check = "host.clock"
    seen = case.part("clock", check)
    if seen is None:
        return
    servers = words.rows(seen, "servers")
    offsets = [value for value in (words.number(row, "offset_s") for row in servers) if value is not None]
    evidence: dict[str, Any] = {"servers": [dict(row) for row in servers[:8]]}
    kernel = words.mapping(words.mapping(seen).get("kernel"))
    if offsets:
        # The middle one: a server that is wrong itself does not decide.
        off = sorted(offsets, key=lambda one: (abs(one), one))[(len(offsets) - 1) // 2]
        case.judge.facts["clock_offset_s"] = off
        direction = "ahead of" if off > 0 else "behind"
        title = f"the clock of {case.target} is {_seconds(off)} {direction} that of its time servers"
        if case.judge.value(check, case.target, round(abs(off), 3), title, evidence) != OK:
            return
    elif servers:
        asked = ", ".join(words.text(row, "server") or "?" for row in servers)
        errors = sorted({words.text(row, "error") or "no answer" for row in servers})
        case.judge.unseen(check, f"no time server told the time ({asked}): {'; '.join(errors)}")
    if words.flag(kernel, "synchronised") or words.flag(seen, "container"):
        if not servers:
            case.judge.looked(check, 0 if words.flag(seen, "container") else 1)
    elif kernel.get("synchronised") is False and words.amount(seen, "uptime_s") > _SETTLING:
        title = f"nothing keeps the clock of {case.target} right: the kernel says that it is not synchronised"
        evidence["maximum_error_s"] = words.number(kernel, "maximum_error_s")
        case.judge.report(check, case.target, title, evidence=evidence, count=not offsets)
    elif kernel.get("synchronised") is False:
        case.judge.looked(check, 0 if offsets else 1)
    elif not servers:
        case.judge.unseen(check, words.text(kernel, "reason") or "the kernel does not say whether its clock is right")


def _seconds(value: float) -> str:
    value = abs(value)
    return words.age(value) if value >= 10 else f"{value:.3g} s"


def judge_reboot(case: Case) -> None:
    """Is a reboot due."""
    seen = case.part("reboot", "host.reboot_needed")
    if seen is None:
        return
    if not words.flag(seen, "needed"):
        case.judge.looked("host.reboot_needed")
        return
    packages = words.texts(seen, "packages")
    evidence = {key: seen[key] for key in ("why", "packages", "running", "installed", "since") if key in seen}
    if words.text(seen, "why") == "kernel":
        title = "{} runs kernel {}, and {} is installed".format(
            case.target, words.text(seen, "running"), words.text(seen, "installed")
        )
    else:
        title = f"{case.target} wants a reboot" + (f" for {', '.join(packages[:5])}" if packages else "")
        since, now = words.number(seen, "since"), case.now
        if since is not None and now is not None and now > since:
            title += f", since {words.age(now - since)}"
    case.judge.report("host.reboot_needed", case.target, title, evidence=evidence)


def judge_kernel(case: Case) -> None:
    """Kills for want of memory, and disks that fail."""
    seen = case.part("kernel", "host.disk_errors")
    log = words.mapping(seen)
    source = words.text(log, "source")
    hours = words.amount(log, "hours")
    within = f"within {words.age(hours * 3600)}"
    _kills(case, log if source else {}, within)
    if seen is None:
        return
    if not source:
        case.judge.unseen("host.disk_errors", words.text(log, "reason") or "the kernel's log cannot be seen")
        return
    disks = words.rows(log, "disk")
    case.judge.looked("host.disk_errors", 0 if disks else 1)
    for row in disks:
        name, count = words.text(row, "name") or "a disk", words.amount(row, "count")
        title = f"the kernel reports {words.count(count, 'error')} of {name} {within}"
        case.judge.value("host.disk_errors", f"{case.target}/{name}", count, title, _lines(row, source))


def _lines(row: Mapping[str, Any], source: str) -> dict[str, Any]:
    return {"source": source, "last": words.number(row, "last"), "lines": words.texts(row, "lines")[-5:]}


def _kills(case: Case, log: Mapping[str, Any], within: str) -> None:
    check = "host.oom_kills"
    found = words.rows(log, "oom")
    counter = words.mapping(words.mapping(case.observation.get("oom")).get("data"))
    counted = words.number(counter, "kills")
    of_container = words.text(counter, "of") == "container"
    if not log and counted is None:
        case.judge.unseen(check, "neither the kernel's log nor its counters can be seen")
        return
    if found and not of_container:
        total = sum(words.amount(row, "count") for row in found)
        names = ", ".join(words.text(row, "name") or "?" for row in found[:3])
        named = [{"name": words.text(row, "name"), **_lines(row, "kernel log")} for row in found[:5]]
        title = f"the kernel killed {words.count(total, 'process', 'processes')} for want of memory {within}: {names}"
        case.judge.value(check, case.target, total, title, {"by_process": named})
        return
    if counted is None or (log and not of_container):
        # The log was read, and has nothing of it.
        case.judge.looked(check)
        return
    before, since = _before(case)
    new = max(counted - before, 0.0) if counted >= before else counted
    names = ", ".join(words.text(row, "name") or "?" for row in found[:3])
    title = f"the kernel killed {words.count(new, 'process', 'processes')} of {case.target} for want of memory {since}"
    evidence: dict[str, Any] = {"counted": counted, "before": before}
    if found:
        evidence["by_process"] = [{"name": words.text(row, "name"), **_lines(row, "kernel log")} for row in found[:5]]
        title += f": {names}"
    case.judge.value(check, case.target, new, title, evidence)


def _before(case: Case) -> tuple[float, str]:
    """What the counter said at the last look; it begins anew when the host starts."""
    points = words.rows(case.observation, "history")
    uptime = words.number(case.host, "uptime_s")
    if points and case.now is not None and uptime is not None and math.isfinite(uptime):
        last = points[-1]
        then, kills = words.number(last, "now"), words.number(last, "oom_kills")
        # Later than this start: the counter has gone on since.
        if then is not None and kills is not None and then > case.now - uptime:
            return kills, "since the last look"
    return 0.0, "since it was started"

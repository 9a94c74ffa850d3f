# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units, restarts, timers, and what listens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import sockets, words
from .case import Case, matches

_LATELY = 600.0
"""Seconds: what was started longer ago is not in a loop any more."""


def judge_units(case: Case) -> None:
    """Units that must be active, units that failed, services that systemd starts again and again."""
    seen = case.part("units", "host.unit", "host.unit_failed", "host.restart_loop", "host.timer_missed")
    if seen is None:
        return
    units = [row for row in words.rows(seen, "units") if words.text(row, "name")]
    judged = [row for row in units if not matches(row["name"], case.expect.ignore_units)]
    _wanted(case, units, words.rows(seen, "timers"))
    required = [row for row in judged if matches(row["name"], case.expect.units)]
    failed = [row for row in judged if words.text(row, "active") == "failed"]
    others = [row for row in failed if row not in required]
    case.judge.looked("host.unit_failed", len(judged) - len(others))
    for row in others:
        case.judge.report(
            "host.unit_failed",
            f"{case.target}/{row['name']}",
            f"{row['name']} has failed{_why(row)}",
            evidence=_unit(row),
        )
    case.judge.facts["units_failed"] = len(failed)
    _restarts(case, judged, words.text(seen, "restarts_reason"))
    _timers(case, words.rows(seen, "timers"))


def _wanted(case: Case, units: list[Mapping[str, Any]], timers: list[Mapping[str, Any]]) -> None:
    case.judge.looked("host.unit", 0)
    every = [*units, *timers]
    for pattern in case.expect.units:
        found = [row for row in every if matches(words.text(row, "name"), (pattern,))]
        if not found:
            name = pattern if "." in pattern or "*" in pattern else f"{pattern}.service"
            case.judge.report("host.unit", f"{case.target}/{name}", f"{name} must run and is not loaded")
        for row in found:
            name, active = words.text(row, "name"), words.text(row, "active")
            # A job that runs now and then is fine when it has not failed.
            if active in ("active", "reloading", "activating") or (words.flag(row, "oneshot") and active == "inactive"):
                case.judge.looked("host.unit")
                continue
            title = f"{name} must run and is {active or 'in no known state'}{_why(row)}"
            case.judge.report("host.unit", f"{case.target}/{name}", title, evidence=_unit(row))


def _why(row: Mapping[str, Any]) -> str:
    result, code = words.text(row, "result"), words.number(row, "exit")
    if not result or result == "success":
        return ""
    return f" ({result}, exit {code:.0f})" if code else f" ({result})"


def _unit(row: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {key: words.text(row, key) for key in ("active", "sub", "result", "enabled")}
    for key in ("exit", "restarts", "restarts_hour"):
        value = words.number(row, key)
        if value is not None:
            kept[key] = value
    return kept


def _restarts(case: Case, units: list[Mapping[str, Any]], reason: str) -> None:
    check = "host.restart_loop"
    case.judge.looked(check, 0)
    for row in units:
        if not words.text(row, "name").endswith(".service"):
            continue
        restarts = words.amount(row, "restarts")
        started = words.number(row, "started_s")
        # What was restarted long ago and has run since is no loop.
        waiting = words.text(row, "sub") == "auto-restart"
        if not restarts or not (waiting or (started is not None and started < _LATELY)):
            case.judge.looked(check)
            continue
        counted = words.number(row, "restarts_hour")
        # Without the journal the counter has to do; it does not say since when.
        hourly = counted if counted is not None else restarts
        title = f"systemd has restarted {row['name']} {words.count(hourly, 'time')} within an hour{_why(row)}"
        evidence = {**_unit(row), "started_s": started}
        if reason:
            evidence["counted"] = f"since it was started by hand: {reason}"
        case.judge.value(check, f"{case.target}/{row['name']}", hourly, title, evidence)


def _timers(case: Case, timers: list[Mapping[str, Any]]) -> None:
    check = "host.timer_missed"
    case.judge.looked(check, 0)
    for row in timers:
        name, active = words.text(row, "name"), words.text(row, "active")
        if not name or matches(name, case.expect.ignore_units):
            continue
        obj = f"{case.target}/{name}"
        if words.flag(row, "enabled") and active != "active" and words.text(row, "condition") != "no":
            title = f"{name} is enabled, but {active or 'not active'}: it will not run before the next boot"
            remedy = f"on {case.target}: systemctl start {name}"
            case.judge.report(check, obj, title, evidence=_timer(row), remedy=remedy)
            continue
        late = words.number(row, "late_s")
        if late is None or active != "active":
            case.judge.looked(check)
            continue
        title = f"{name} should have run {words.age(max(late, 0.0))} ago"
        if words.text(row, "sub") == "running":
            title += f"; its last run of {words.text(row, 'unit') or 'the unit'} has not ended"
        case.judge.value(check, obj, round(max(late, 0.0) / 60.0, 1), title, _timer(row))


def _timer(row: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {key: words.text(row, key) for key in ("unit", "active", "sub")}
    for key in ("last", "due", "next"):
        value = words.number(row, key)
        if value is not None:
            kept[key] = value
    return kept


def judge_listening(case: Case) -> None:
    """Sockets against the list of the inventory; without a list nobody asked."""
    checks = ("host.listening", "host.listening_unexpected")
    seen = case.part("listening", *checks)
    if seen is None:
        return
    rows = [row for row in words.rows(seen, "sockets") if words.text(row, "protocol") and words.number(row, "port")]
    case.judge.facts["listening"] = len(rows)
    if not case.expect.listening:
        for check in checks:
            case.judge.looked(check, 0)
        return
    for expected in case.expect.listening:
        if any(expected.covers(row) for row in rows) or expected.first != expected.last:
            # A range says what may be there.
            case.judge.looked("host.listening")
            continue
        where = f"port {expected.first}/{expected.protocol}" + (f" of {expected.address}" if expected.address else "")
        obj = f"{case.target}/{expected.first}/{expected.protocol}"
        remedy = f"on {case.target}: ss -{'t' if expected.protocol == 'tcp' else 'u'}lpn; systemctl --failed"
        case.judge.report("host.listening", obj, f"nothing listens on {where}", remedy=remedy)
    dynamic = seen.get("dynamic") if isinstance(seen, Mapping) else None
    case.judge.looked("host.listening_unexpected", 0)
    allowed = (*case.expect.listening, *case.expect.ignore_listening)
    by_port: dict[tuple[int, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        port, protocol = int(words.amount(row, "port")), words.text(row, "protocol")
        # Clients of UDP (name resolution, time) hold ports that the kernel gave them.
        if sockets.is_loopback(row.get("address")) or (protocol == "udp" and _given(port, dynamic)):
            continue
        if any(one.covers({**row, "port": port}) for one in allowed):
            case.judge.looked("host.listening_unexpected")
        else:
            by_port.setdefault((port, protocol), []).append(row)
    for (port, protocol), found in by_port.items():
        commands = sorted({words.text(row, "command") for row in found} - {""})
        who = ", ".join(commands) or "an unknown process"
        case.judge.report(
            "host.listening_unexpected",
            f"{case.target}/{port}/{protocol}",
            f"{who} listens on port {port}/{protocol}, which nobody expects",
            evidence={"sockets": [_socket(row) for row in found[:5]]},
        )


def _given(port: int, bounds: Any) -> bool:
    if not isinstance(bounds, (list, tuple)) or len(bounds) != 2:
        return False
    first, last = words.number({"port": bounds[0]}, "port"), words.number({"port": bounds[1]}, "port")
    return first is not None and last is not None and first <= port <= last


def _socket(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("protocol", "address", "port", "pid", "command") if key in row}

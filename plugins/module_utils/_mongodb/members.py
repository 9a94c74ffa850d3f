# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The replica set as one of its members sees it: primary, members, elections, lag, oplog. Pure.

The primary answers for all members, the others for themselves: asked one by one, they would all tell the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._core.finding import CRITICAL, WARNING, fingerprint
from .._postgres import words
from .._postgres.case import flag, number, text

if TYPE_CHECKING:
    from .evaluate import Case

_GOOD = ("PRIMARY", "SECONDARY", "ARBITER")
_SOON = ("STARTUP", "STARTUP2", "RECOVERING", "ROLLBACK")
"""States that a member passes through: it serves nobody, and may be on its way."""
_CHECKS = ("primary", "member", "election", "replication_lag", "oplog_window")

Member = Mapping[str, Any]


def judge_set(case: Case) -> None:
    """Judge the replica set; a server that is in none, and need not be, has none."""
    name = text(case.hello, "setName")
    wanted = case.expect.replica_set
    if wanted and name != wanted:
        title = (
            f"{case.target} is in the replica set {name}, not in {wanted}"
            if name
            else f"{case.target} is in no replica set; it belongs to {wanted}"
        )
        case.judge.report("mongodb.replica_set", case.target, title, evidence={"wanted": wanted, "found": name or None})
    else:
        case.judge.looked("mongodb.replica_set", 1 if wanted or name else 0)
    if not name:
        case.missing(_CHECKS, "hello", applies=False)
        return
    status = case.data("set")
    members = [one for one in _list(status, "members") if isinstance(one, Mapping) and text(one, "name")]
    if not members:
        case.missing(_CHECKS[:-1], "set")
        _oplog(case)
        return
    own = next((one for one in members if flag(one, "self")), None)
    primaries = [one for one in members if text(one, "stateStr") == "PRIMARY" and number(one, "health") != 0]
    _primary(case, members, primaries)
    is_primary = own is not None and any(one is own for one in primaries)
    _members(case, members if is_primary or not primaries else [own] if own else [])
    _election(case, primaries)
    _lag(case, members if is_primary else [own] if own else [], primaries)
    _oplog(case)
    healthy = sum(text(one, "stateStr") in _GOOD and number(one, "health") != 0 for one in members)
    case.judge.facts.update(members_healthy=healthy, members=len(members))


def _list(row: Any, key: str) -> list[Any]:
    value = row.get(key) if isinstance(row, Mapping) else None
    return value if isinstance(value, list) else []


def _primary(case: Case, members: list[Member], primaries: list[Member]) -> None:
    if primaries:
        case.judge.looked("mongodb.primary")
        return
    name = text(case.hello, "setName")
    states = {text(one, "name"): text(one, "stateStr") for one in members}
    case.judge.report(
        "mongodb.primary",
        case.target,
        f"the replica set {name} has no primary: nothing can be written",
        CRITICAL,
        evidence={"set": name, "members": states},
    )


def _members(case: Case, members: list[Member]) -> None:
    case.judge.looked("mongodb.member", 0)
    for one in members:
        state, name = text(one, "stateStr"), text(one, "name")
        if state in _GOOD and number(one, "health") != 0:
            case.judge.looked("mongodb.member")
            continue
        status = WARNING if state in _SOON and number(one, "health") != 0 else CRITICAL
        said = text(one, "lastHeartbeatMessage") or text(one, "infoMessage")
        shown = "cannot be reached" if number(one, "health") == 0 else f"is {state or 'in no known state'}"
        case.judge.report(
            "mongodb.member",
            f"{case.target}/{name}",
            f"member {name} of {text(case.hello, 'setName')} {shown}{': ' if said else ''}{said}",
            status,
            evidence={"state": state, "health": number(one, "health"), "message": said or None,
                      "last_heartbeat": number(one, "lastHeartbeat")},
        )  # fmt: skip


def _election(case: Case, primaries: list[Member]) -> None:
    now = _now(case)
    for one in primaries:
        elected = number(one, "electionDate")
        if elected is None or now is None:
            case.judge.unseen("mongodb.election", "the server does not say when its primary was elected")
            return
    if not primaries or now is None:
        # That there is no primary is a finding of its own.
        case.judge.looked("mongodb.election", 0)
        return
    elected, name = max((number(one, "electionDate") or 0.0, text(one, "name")) for one in primaries)
    seconds = round(max(now - elected, 0.0))
    case.judge.value(
        "mongodb.election",
        case.target,
        seconds,
        f"{name} has been primary for {words.age(seconds)}",
        {"primary": name, "elected_at": elected, "term": number(case.data("set"), "term")},
    )


def _lag(case: Case, members: list[Member], primaries: list[Member]) -> None:
    times = [number(one, "optimeDate") for one in primaries]
    known = [one for one in times if one is not None]
    if not primaries:
        case.judge.looked("mongodb.replication_lag", 0)
        return
    if not known:
        case.judge.unseen("mongodb.replication_lag", "the primary does not say how far it is")
        return
    case.judge.looked("mongodb.replication_lag", 0)
    delays = {
        text(one, "host"): number(one, "secondaryDelaySecs") or number(one, "slaveDelay") or 0.0
        for one in _list(case.data("config"), "members")
    }
    for one in members:
        reached, name = number(one, "optimeDate"), text(one, "name")
        state = text(one, "stateStr")
        if state in ("PRIMARY", "ARBITER") or number(one, "health") == 0 or reached is None:
            continue
        delay = max(delays.get(name, 0.0), 0.0)
        lag = round(max(max(known) - reached - delay, 0.0), 1)
        own = flag(one, "self")
        obj = case.target if own else f"{case.target}/{name}"
        meant = f" (beyond its delay of {words.age(delay)})" if delay else ""
        cause = fingerprint("mongodb.member", f"{case.target}/{name}") if state not in _GOOD else None
        case.judge.value(
            "mongodb.replication_lag",
            obj,
            lag,
            f"{name} is {words.age(lag)} behind the primary{meant}",
            {"member": name, "state": state, "reads_from": text(one, "syncSourceHost") or None,
             "primary": text(primaries[0], "name"), "delay_s": delay or None},
            caused_by=cause,
        )  # fmt: skip


def _oplog(case: Case) -> None:
    if flag(case.hello, "arbiterOnly"):
        case.judge.looked("mongodb.oplog_window", 0)
        return
    row = case.data("oplog")
    first, last = number(row, "first"), number(row, "last")
    if first is None or last is None:
        case.missing(("oplog_window",), "oplog")
        return
    seconds = max(last - first, 0.0)
    size, limit = number(row, "size"), number(row, "maxSize")
    said = f"the oplog holds the writes of {words.age(seconds)}"
    if size and limit and 0 < size < 0.9 * limit:
        # Not full yet: nothing was overwritten, and it would hold more. What counts is what it will hold.
        seconds = seconds * limit / size
        said = f"the oplog is {words.percent(size, limit):g} % full, and would hold the writes of {words.age(seconds)}"
    case.judge.value(
        "mongodb.oplog_window",
        case.target,
        round(min(seconds / 3600, 1e9), 1),
        said,
        {"first": first, "last": last, "bytes": size, "limit": limit},
    )


def _now(case: Case) -> float | None:
    """The server's own clock, with which it stamps elections."""
    for row, key in ((case.data("set"), "date"), (case.status, "localTime"), (case.hello, "localTime")):
        found = number(row, key)
        if found is not None:
            return found
    return None

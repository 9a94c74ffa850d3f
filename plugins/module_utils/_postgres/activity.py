# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions: idle in a transaction, running for long, waiting for one another."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

from . import words
from .case import Case, Row, amount, number, text

_SHOWN = 5


def judge_sessions(case: Case) -> None:
    """Idle in transaction and long queries, one finding a database, with its sessions as evidence."""
    rows = case.rows("sessions")
    if rows is None:
        return
    _hidden(case)
    judged = [row for row in rows if not _ignored(case, row)]
    idle = [row for row in judged if text(row, "state").startswith("idle in transaction")]
    active = [row for row in judged if not text(row, "state").startswith("idle")]
    _oldest(case, "idle_in_transaction", idle, "state_s", "has been idle in a transaction for")
    _oldest(case, "long_query", active, "query_s", "has been running a statement for")


def _oldest(case: Case, check: str, rows: list[Row], key: str, does: str) -> None:
    case.looked(check, 0 if rows else 1)
    by_database: dict[str, list[Row]] = {}
    for row in rows:
        by_database.setdefault(text(row, "database"), []).append(row)
    for database, sessions in by_database.items():
        sessions.sort(key=lambda row: -amount(row, key))
        first = sessions[0]
        seconds = amount(first, key)
        act = "pg_terminate_backend" if check == "idle_in_transaction" else "pg_cancel_backend"
        case.value(
            check,
            case.name(database),
            round(seconds, 1),
            f"{who(first)} {does} {words.age(seconds)}",
            {"sessions": [session(row) for row in sessions[:_SHOWN]], "count": len(sessions)},
            case.psql("SELECT %s(%d)" % (act, amount(first, "pid"))),
        )


def _ignored(case: Case, row: Row) -> bool:
    return any(fnmatch.fnmatchcase(text(row, "application"), pattern) for pattern in case.expect.ignore_applications)


def _hidden(case: Case) -> None:
    hidden = amount(case.row("connections") or {}, "hidden")
    if hidden:
        for check in ("idle_in_transaction", "long_query", "blocked", "xmin_horizon"):
            case.unseen(
                check,
                "{} of other roles cannot be seen: GRANT pg_monitor TO the login role".format(
                    words.count(hidden, "session")
                ),
            )


def judge_blocking(case: Case) -> None:
    """The tree of who waits for whom: one finding a database, named after the session at the root."""
    rows = case.rows("blocking")
    if rows is None:
        return
    sessions = {int(amount(row, "involved")): row for row in rows}
    blockers = {pid: _pids(row.get("blocked_by")) for pid, row in sessions.items()}
    waiting = {pid for pid, found in blockers.items() if found}
    trees: dict[int, list[int]] = {}
    for pid in waiting:
        trees.setdefault(_root(pid, blockers), []).append(pid)
    case.looked("blocked", 0 if trees else 1)
    found = [(max(_waited(sessions[pid]) for pid in pids), root, pids) for root, pids in trees.items()]
    # One finding an object: the judge keeps the first of the worst, so the longest wait goes first.
    for seconds, root, pids in sorted(found, key=lambda one: (-one[0], one[1])):
        _tree(case, sessions, root, sorted(pids, key=lambda pid: (-_waited(sessions[pid]), pid)), seconds)


def _tree(case: Case, sessions: Mapping[int, Row], root: int, pids: list[int], seconds: float) -> None:
    row = sessions.get(root, {})
    obj = case.name(text(row, "database") or text(sessions[pids[0]], "database"))
    title = "{} for {}, the longest for {}".format(
        "{} blocks {}".format("a prepared transaction" if root == 0 else who(row), words.count(len(pids), "session")),
        text(sessions[pids[0]], "wants") or "a lock",
        words.age(seconds),
    )
    waiting = [
        {**session(sessions[pid]), "waited_s": round(_waited(sessions[pid]), 1), "wants": text(sessions[pid], "wants")}
        for pid in pids
    ]
    cause = case.cause(("prepared_transactions", obj)) if root == 0 else None
    if text(row, "state").startswith("idle in transaction"):
        cause = case.cause(("idle_in_transaction", obj))
    elif root != 0:
        cause = case.cause(("long_query", obj))
    remedy = case.psql("SELECT gid, owner, prepared FROM pg_prepared_xacts ORDER BY prepared") if root == 0 else None
    case.value(
        "blocked",
        obj,
        round(seconds, 1),
        title,
        {"root": session(row) if row else None, "waiting": waiting[: 2 * _SHOWN], "count": len(pids)},
        remedy or case.psql("SELECT pg_terminate_backend(%d)" % root),
        caused_by=cause,
    )


def _waited(row: Row) -> float:
    # waitstart is empty for the instant in which a wait begins.
    waited = number(row, "waited_s")
    return max(waited, 0.0) if waited is not None else 0.0


def _root(pid: int, blockers: Mapping[int, list[int]]) -> int:
    """Follow the first blocker of each. In a circle (a deadlock not broken yet) the lowest pid stands for it."""
    seen: set[int] = set()
    while blockers.get(pid):
        if pid in seen:
            return min(seen)
        seen.add(pid)
        pid = blockers[pid][0]
    return pid


def _pids(value: Any) -> list[int]:
    return (
        sorted({one for one in value if isinstance(one, int) and not isinstance(one, bool)})
        if isinstance(value, (list, tuple))
        else []
    )


def who(row: Row) -> str:
    """A session in words: ``pid 4711 (nexus, billing-service from 198.18.0.13)``."""
    parts = [text(row, "role"), text(row, "application")]
    words_ = ", ".join(part for part in parts if part) or "unknown"
    client = text(row, "client")
    return "pid %d (%s%s)" % (
        amount(row, "pid") or amount(row, "involved"),
        words_,
        f" from {client}" if client else "",
    )


def session(row: Row) -> dict[str, Any]:
    """A session as evidence."""
    kept: dict[str, Any] = {
        key: text(row, key)
        for key in ("role", "application", "client", "state", "wait_type", "wait", "query")
        if text(row, key)
    }
    for key in ("transaction_s", "query_s", "state_s"):
        seconds: float | None = number(row, key)
        if seconds is not None:
            kept[key] = round(max(seconds, 0.0), 1)
    return {"pid": int(amount(row, "pid") or amount(row, "involved")), **kept}

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replication, seen from the server that sends and from the standby that receives."""

from __future__ import annotations

from typing import Any

from .._core.finding import CRITICAL, WARNING
from . import words
from .case import Case, Row, amount, flag, identifier, number, text

_PASSING = ("pg_basebackup", "pg_receivewal", "pg_recvlogical")
_SENDER_TIMEOUT = 60.0
_JUST_NOW = 300.0
_YOUNG_WORKER = 60.0
_IN_FLIGHT = 64 * 1024.0
"""Bytes that may be on their way at any moment. Where no commit was ever replayed there is no time to judge them by,
and the snapshots that an idle primary sends are no commits."""


def judge_standbys(case: Case) -> None:
    """Who is connected, who is missing, and how far behind."""
    rows = case.rows("standbys")
    if rows is None:
        return
    if any(number(row, "pid") is not None and not text(row, "state") for row in rows):
        for check in ("standby", "standby_reply", "replication_lag", "replication_lag_bytes"):
            case.unseen(
                check, "the state of other roles' connections cannot be seen: GRANT pg_monitor TO the login role"
            )
        return
    connected = _connected(rows)
    # Each of these is asked of every standby; with none connected the answer is that there is none.
    for check in ("standby", "standby_reply", "replication_lag", "replication_lag_bytes"):
        case.looked(check, 0)
    slots = {text(row, "name"): row for row in case.rows("slots") or ()}
    for name in case.expect.standbys:
        if name not in connected:
            _missing(case, name, slots.get(name))
    lags: list[float] = []
    for name, row in connected.items():
        _state(case, name, row)
        lags.append(_behind(case, name, row))
    streaming = [name for name, row in connected.items() if text(row, "state") == "streaming"]
    expected = case.expect.standbys
    case.judge.facts["standbys"] = (
        "%d of %d" % (len([name for name in expected if name in streaming]), len(expected))
        if expected
        else len(streaming)
    )
    if lags:
        case.judge.facts["replication_lag_s"] = max(lags)


def _connected(rows: list[Row]) -> dict[str, Row]:
    """Standbys by name. Backups that stream while they run come and go; of one name the streaming connection counts."""
    found: dict[str, Row] = {}
    for row in rows:
        name = text(row, "name") or text(row, "client") or "pid %d" % amount(row, "pid")
        if text(row, "state") == "backup" or name in _PASSING:
            continue
        if name not in found or text(row, "state") == "streaming":
            found[name] = row
    return found


def _missing(case: Case, name: str, slot: Row | None) -> None:
    evidence: dict[str, Any] = {"expected": list(case.expect.standbys)}
    if slot is not None:
        evidence["slot"] = {
            "active": flag(slot, "active"),
            "wal_status": text(slot, "wal_status"),
            "retained": words.size(amount(slot, "retained_bytes")),
        }
    if case.in_recovery:
        evidence["note"] = "this server is a standby itself: was there a failover?"
    case.report(
        "standby",
        case.name(name),
        f"standby {name} is not connected to {case.target}",
        CRITICAL,
        evidence=evidence,
    )


def _state(case: Case, name: str, row: Row) -> None:
    state = text(row, "state")
    if state == "streaming":
        case.looked("standby")
        return
    title = f"standby {name} is connected to {case.target}, not streaming: {state}"
    case.report("standby", case.name(name), title, WARNING, evidence=_shown(row))


def _behind(case: Case, name: str, row: Row) -> float:
    """Judge silence, time and bytes; returns the lag in seconds.

    replay_lag is measured on WAL that was replayed. It goes empty on an idle standby (which is not behind), and stands
    still when nothing comes back (which is far behind). So: nothing outstanding and a fresh answer is 0; and a standby
    that has not answered for longer than the primary waits before it asks is behind by that time at least.
    """
    obj = case.name(name)
    silent = number(row, "reply_s")
    if silent is not None:
        silent = max(silent, 0.0)
        title = f"standby {name} last answered {words.age(silent)} ago"
        case.value("standby_reply", obj, round(silent, 1), title, _shown(row))
    outstanding = number(row, "unreplayed_bytes")
    if outstanding is None:
        outstanding = number(row, "unflushed_bytes")
    outstanding = max(outstanding or 0.0, amount(row, "unsent_bytes"))
    lag = amount(row, "replay_lag_s") if outstanding > 0 else 0.0
    # It asks after half of wal_sender_timeout; where that is long or off, a standby speaks by itself every ten seconds.
    patience = min(case.measure("wal_sender_timeout") or _SENDER_TIMEOUT, _SENDER_TIMEOUT) / 2
    if silent is not None and silent > patience:
        lag = max(lag, silent)
    lag = round(lag, 2)
    cause = case.cause(("standby_reply", obj))
    case.value("replication_lag", obj, lag, f"standby {name} is {words.age(lag)} behind", _shown(row), caused_by=cause)
    title = f"standby {name} has still to take {words.size(outstanding)} of WAL"
    cause = case.cause(("standby_reply", obj), ("standby", obj), ("replication_lag", obj))
    case.value("replication_lag_bytes", obj, outstanding, title, _shown(row), caused_by=cause)
    return lag


def _shown(row: Row) -> dict[str, Any]:
    keys = ("state", "sync_state", "client", "slot")
    numbers = (
        "unsent_bytes",
        "unflushed_bytes",
        "unreplayed_bytes",
        "write_lag_s",
        "flush_lag_s",
        "replay_lag_s",
        "reply_s",
        "connected_s",
    )
    return {
        **{key: text(row, key) for key in keys if text(row, key)},
        **{key: round(value, 3) for key, value in ((key, number(row, key)) for key in numbers) if value is not None},
    }


def judge_recovery(case: Case) -> None:
    """A standby: receiver, replay, how far behind."""
    row = case.row("recovery")
    if row is None:
        return
    paused = _paused(case, row)
    silent = _receiver(case, row)
    waiting, replayed = amount(row, "unreplayed_bytes"), number(row, "replayed_s")
    # On an idle standby the last commit may be hours old when one more record comes in: ask twice before that is lag.
    again = case.row("replay") or row
    if amount(again, "unreplayed_bytes") == 0:
        waiting = 0.0
    elif number(again, "replayed_s") is not None:
        replayed = min(replayed, amount(again, "replayed_s")) if replayed is not None else number(again, "replayed_s")
    lag, title = 0.0, "standby {} replays what was committed {} ago"
    archive = silent == 0 and not text(row, "status")
    if waiting > 0 or silent is None or archive:
        # Without a receiver nobody knows what there is to replay: the last replayed commit is all that is known.
        lag = max(replayed or 0.0, 0.0)
        if replayed is None and (waiting >= _IN_FLIGHT or paused or silent is None or archive):
            lag, title = case.uptime, "standby {} has replayed no commit since it started {} ago"
    elif silent > _SENDER_TIMEOUT / 2:
        lag = silent
    lag = round(lag, 2)
    case.judge.facts["replication_lag_s"] = lag
    case.value(
        "replication_lag",
        case.target,
        lag,
        title.format(case.target, words.age(lag)),
        {"unreplayed_bytes": waiting, "last_commit_replayed_s": replayed, "replay": paused or "running"},
        # Fed by the archive alone, the standby of an idle primary looks like one that is behind.
        ceiling=WARNING if archive else None,
        caused_by=case.cause(("replay_paused", case.target), ("receiver", case.target)),
    )


def _paused(case: Case, row: Row) -> str:
    state = text(row, "pause_state") or ("paused" if flag(row, "paused") else "not paused")
    if state == "not paused":
        case.looked("replay_paused")
        return ""
    evidence = {"state": state, "unreplayed_bytes": amount(row, "unreplayed_bytes")}
    title = "replay is paused on standby {}, {} of WAL wait".format(
        case.target,
        words.size(amount(row, "unreplayed_bytes")),
    )
    case.report(
        "replay_paused", case.target, title, evidence=evidence, remedy=case.psql("SELECT pg_wal_replay_resume()")
    )
    return state


def _receiver(case: Case, row: Row) -> float | None:
    """Judge the receiver.

    :returns: seconds since its last message, None where it is missing, 0 where none is meant to be.
    """
    status, evidence = (
        text(row, "status"),
        {"status": text(row, "status") or "none", "sender": text(row, "sender"), "slot": text(row, "slot")},
    )
    if not status:
        if number(row, "pid") is not None:
            case.unseen("receiver", "the receiver's state cannot be seen: GRANT pg_monitor TO the login role")
            return 0.0
        if row.get("streams") is False and row.get("restores") is True:
            case.looked("receiver")
            return 0.0
        case.report(
            "receiver",
            case.target,
            f"standby {case.target} receives nothing: no WAL receiver runs",
            CRITICAL,
            evidence=evidence,
        )
        return None
    silent = amount(row, "message_s")
    if status != "streaming":
        case.report(
            "receiver",
            case.target,
            f"the WAL receiver of standby {case.target} is {status}",
            WARNING,
            evidence=evidence,
        )
        return silent
    title = f"standby {case.target} last heard from its primary {words.age(silent)} ago"
    case.value("receiver", case.target, round(silent, 1), title, {**evidence, "message_s": round(silent, 1)})
    return silent


def judge_conflicts(case: Case) -> None:
    """Queries cancelled on a standby because replay could not wait for them."""
    for row in case.rows("conflicts") or ():
        kinds = {
            key: amount(row, key) for key in ("tablespace", "lock", "snapshot", "bufferpin", "deadlock", "logical_slot")
        }
        rate = round(sum(kinds.values()) / max(case.statistics_age(row) / 3600.0, 1.0), 2)
        title = "replay cancels {} in {}".format(
            words.count(rate, "query an hour", "queries an hour"),
            text(row, "database"),
        )
        case.value(
            "recovery_conflicts",
            case.name(text(row, "database")),
            rate,
            title,
            {"cancelled": {key: value for key, value in kinds.items() if value}},
        )


def judge_slots(case: Case) -> None:
    """Slots that nobody uses, that lost their WAL, or that keep much of it."""
    rows = case.rows("slots")
    if rows is None:
        return
    case.looked("slot", 0)
    case.looked("slot_retention", 0)
    for row in rows:
        # A slot that ends with its session, or one kept in step with the primary's, is nobody's to forget.
        if flag(row, "temporary") or flag(row, "synced"):
            case.looked("slot")
            continue
        obj = case.name(text(row, "name"))
        status, title = _slot(row)
        evidence = {
            key: row.get(key)
            for key in ("kind", "database", "active", "wal_status", "invalidated")
            if row.get(key) is not None
        }
        evidence.update(retained_bytes=amount(row, "retained_bytes"), safe_bytes=number(row, "safe_bytes"))
        cause = case.cause(("standby", obj))
        if status:
            case.report("slot", obj, title, status, evidence=evidence, caused_by=cause)
        else:
            case.looked("slot")
        if number(row, "retained_bytes") is not None:
            title = "slot {} keeps {} of WAL".format(text(row, "name"), words.size(amount(row, "retained_bytes")))
            cause = cause or case.cause(("slot", obj), ("standby_reply", obj), ("replication_lag_bytes", obj))
            case.value("slot_retention", obj, amount(row, "retained_bytes"), title, evidence, caused_by=cause)


def _slot(row: Row) -> tuple[str, str]:
    name = text(row, "name")
    if text(row, "wal_status") == "lost" or text(row, "invalidated") or flag(row, "conflicting"):
        return CRITICAL, "slot {} is invalid ({}): its consumer must be built anew".format(
            name,
            text(row, "invalidated") or "its WAL is gone",
        )
    if text(row, "wal_status") == "unreserved":
        return CRITICAL, f"slot {name} loses its WAL at the next checkpoint"
    if row.get("active") is not False:
        return "", ""
    # Only 17 and newer say since when: a consumer that restarts is away for a moment.
    unused = number(row, "inactive_s")
    if unused is not None and unused < _JUST_NOW:
        return "", ""
    since = f" for {words.age(unused)}" if unused is not None else ""
    return WARNING, "slot {} is not used{} and keeps {} of WAL".format(
        name,
        since,
        words.size(amount(row, "retained_bytes")),
    )


def judge_subscriptions(case: Case) -> None:
    """Logical subscriptions: judged by what works now, not by errors that were counted once."""
    rows = case.rows("subscriptions")
    if rows is None:
        return
    case.looked("subscription", 0)
    for row in rows:
        name, obj = text(row, "name"), case.name(text(row, "name"))
        errors = amount(row, "apply_errors") + amount(row, "sync_errors")
        evidence = {
            "database": text(row, "database"),
            "apply_errors": number(row, "apply_errors"),
            "sync_errors": number(row, "sync_errors"),
            "last_message_s": number(row, "message_s"),
        }
        worker = number(row, "worker_s")
        if row.get("enabled") is False:
            by_error = flag(row, "disable_on_error") and errors > 0
            title = "subscription {} is disabled{}".format(name, " by an error" if by_error else "")
            case.report(
                "subscription",
                obj,
                title,
                CRITICAL if by_error else WARNING,
                evidence=evidence,
                remedy=_enable(case, row),
            )
        elif number(row, "pid") is None:
            case.report(
                "subscription",
                obj,
                f"subscription {name} has no worker: it ends as often as it starts",
                evidence=evidence,
                remedy=_log(case),
            )
        elif errors > 0 and worker is not None and worker < _YOUNG_WORKER:
            title = "subscription {} fails again and again ({})".format(name, words.count(errors, "error"))
            case.report("subscription", obj, title, evidence=evidence, remedy=_log(case))
        else:
            case.looked("subscription")


def _enable(case: Case, row: Row) -> str:
    return case.psql("ALTER SUBSCRIPTION {} ENABLE".format(identifier(text(row, "name"))), text(row, "database"))


def _log(case: Case) -> str:
    return (
        f"grep -A3 'logical replication' in the server log of {case.target}: it names the row that fails; "
        "mend it, or ALTER SUBSCRIPTION … SKIP"
    )

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge an observation of a MongoDB server. Pure: plain values in, findings out; an odd answer is no answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._core.finding import CRITICAL, OK, UNKNOWN, fingerprint
from .._core.judge import Judge
from .._postgres import words
from .._postgres.case import amount, flag, number, text
from . import collect
from .members import judge_set

_GIB = 1024.0**3
_DEAD = {
    collect.REFUSED: "refuses connections",
    collect.SILENT: "takes connections and does not answer",
    collect.GARBAGE: "answers, and not as MongoDB does",
}
_AWAY = {
    collect.TIMEOUT: "does not answer at all (time-out, or no route)",
    collect.DNS: "cannot be found: its name is not in the DNS",
}
_SERVERS = ("mongod", "mongos")


@dataclass(frozen=True)
class Expect:
    """What the inventory says about a server.

    :ivar replica_set: name of the replica set that it belongs to; empty: it may be in any or none.
    :ivar ignore: patterns of application names whose operations may take as long as they like.
    """

    replica_set: str = ""
    ignore: tuple[str, ...] = ()


class Case:
    """One look at one server, read without trust."""

    def __init__(self, observation: Mapping[str, Any], judge: Judge, expect: Expect) -> None:
        self.observation, self.judge, self.expect = observation, judge, expect
        self.target = judge.target
        self.hello = self.data("hello") or {}
        self.status = self.data("status")

    @property
    def server(self) -> Mapping[str, Any]:
        """Where it is."""
        return _mapping(self.observation.get("server"))

    @property
    def place(self) -> str:
        """Host and port, for people."""
        return "{}:{}".format(text(self.server, "host") or "?", self.server.get("port") or "?")

    @property
    def process(self) -> str:
        """Name of the program, where it says so."""
        return text(self.status, "process").rsplit("/", 1)[-1].replace(".exe", "")

    @property
    def foreign(self) -> bool:
        """Whether another program speaks MongoDB's protocol here: it has no WiredTiger that could be full."""
        return bool(self.process) and self.process not in _SERVERS

    @property
    def router(self) -> bool:
        """Whether it is a mongos, which keeps no data."""
        return self.process == "mongos" or text(self.hello, "msg") == "isdbgrid"

    def answer(self, name: str) -> Mapping[str, Any]:
        """Data and error of a command."""
        return _mapping(_mapping(self.observation.get("answers")).get(name))

    def data(self, name: str) -> Mapping[str, Any] | None:
        """What a command answered; None where it did not."""
        found = self.answer(name).get("data")
        return found if isinstance(found, Mapping) else None

    def why(self, name: str) -> str:
        """Why a command has no answer, and what to do about it."""
        error = _mapping(self.answer(name).get("error"))
        said = text(error, "text") or "the server did not answer this"
        if number(error, "code") == collect.NOT_AUTHORIZED:
            return f"not allowed ({said}): grant the role clusterMonitor"
        return said

    def missing(self, checks: Sequence[str], name: str, applies: bool = True) -> None:
        """These checks have no answer: not seen, or nothing to look at where they do not apply to this server."""
        for check in checks:
            if applies:
                self.judge.unseen(f"mongodb.{check}", self.why(name))
            else:
                self.judge.looked(f"mongodb.{check}", 0)


def evaluate(observation: Mapping[str, Any], judge: Judge, expect: Expect) -> None:
    """Judge a server."""
    case = Case(_mapping(observation), judge, expect)
    reason = _reach(case)
    if reason is not None:
        judge.unseen_rest(reason)
        return
    _facts(case)
    judge_set(case)
    _connections(case)
    _queue(case)
    _cache(case)
    _operations(case)
    _sizes(case)
    judge.unseen_rest("the server did not answer this")


def _reach(case: Case) -> str | None:
    """File what kept us out.

    :returns: why nothing else was seen; None where the look took place.
    """
    judge = case.judge
    error = case.observation.get("error")
    if not error and case.answer("hello"):
        judge.looked("mongodb.reachable")
        denied = number(_mapping(case.answer("status").get("error")), "code") == collect.NOT_AUTHORIZED
        if denied:
            login = text(case.server, "login")
            who = f"the user {login} may not look" if login else "one has to log in, and no login_user is given"
            judge.report(
                "mongodb.access", case.target, f"MongoDB at {case.place}: {who}", UNKNOWN,
                evidence={"address": case.place, "error": case.why("status")},
            )  # fmt: skip
        else:
            judge.looked("mongodb.access")
        return None
    reason, said = text(error, "reason"), text(error, "text") or "no reason given"
    evidence = {"address": case.place, "error": said, "reason": reason}
    if reason in _DEAD:
        judge.report(
            "mongodb.reachable", case.target, f"MongoDB at {case.place} {_DEAD[reason]}", CRITICAL, evidence=evidence
        )
    elif reason in (collect.LOGIN, collect.TLS):
        judge.looked("mongodb.reachable")
        way = "refuses our user or password" if reason == collect.LOGIN else "and we do not agree on TLS"
        judge.report(
            "mongodb.access", case.target, f"MongoDB at {case.place} {way}", UNKNOWN, evidence=evidence,
            remedy="check tls and ca_cert against the server's certificate" if reason == collect.TLS else None,
        )  # fmt: skip
    else:
        way = _AWAY.get(reason, f"could not be looked at: {said}")
        host = text(case.server, "host") or case.target
        judge.report(
            "mongodb.reachable", case.target, f"MongoDB at {case.place} {way}", UNKNOWN, evidence=evidence,
            remedy=f"ping {host}; from a machine beside it: mongosh --host {host} --eval 'db.hello()'",
        )  # fmt: skip
    return f"no look at the server: {said}"


def _facts(case: Case) -> None:
    role = "standalone"
    if case.router:
        role = "router"
    elif text(case.hello, "setName"):
        role = "other"
        if flag(case.hello, "isWritablePrimary") or flag(case.hello, "ismaster"):
            role = "primary"
        elif flag(case.hello, "secondary"):
            role = "secondary"
        elif flag(case.hello, "arbiterOnly"):
            role = "arbiter"
    case.judge.facts.update(
        role=role,
        replica_set=text(case.hello, "setName") or None,
        version=text(case.status, "version") or None,
        process=case.process or None,
    )


def _connections(case: Case) -> None:
    row = _mapping(_mapping(case.status).get("connections"))
    used, free = number(row, "current"), number(row, "available")
    if used is None or free is None or used < 0 or free < 0 or used + free <= 0:
        case.missing(("connections",), "status")
        return
    usable = used + free
    case.judge.facts.update(connections_used=int(used), connections_usable=int(usable))
    share = words.percent(used, usable)
    case.judge.value(
        "mongodb.connections",
        case.target,
        share,
        f"{used:,.0f} of {usable:,.0f} connections are taken ({share:g} %)",
        {"current": used, "available": free, "active": number(row, "active"), "rejected": number(row, "rejected")},
    )


def _queue(case: Case) -> None:
    row = _mapping(_mapping(_mapping(case.status).get("globalLock")).get("currentQueue"))
    readers, writers = number(row, "readers"), number(row, "writers")
    if readers is None or writers is None:
        case.missing(("queue",), "status", applies=not (case.foreign or case.router))
        return
    waiting = max(readers, 0.0) + max(writers, 0.0)
    case.judge.value(
        "mongodb.queue",
        case.target,
        waiting,
        "{} ({:,.0f} to read, {:,.0f} to write)".format(
            words.count(waiting, "operation waits", "operations wait"), readers, writers
        ),
        {"readers": readers, "writers": writers},
    )


def _cache(case: Case) -> None:
    row = _mapping(_mapping(case.status).get("cache"))
    limit = number(row, "maximum bytes configured")
    used, dirty = number(row, "bytes currently in the cache"), number(row, "tracked dirty bytes in the cache")
    applies = not (case.foreign or case.router)
    if not limit or limit <= 0:
        case.missing(("cache_used", "cache_dirty"), "status", applies=applies)
        return
    for check, held, what in (("cache_used", used, "is used"), ("cache_dirty", dirty, "waits to be written")):
        if held is None:
            case.missing((check,), "status", applies=applies)
            continue
        share = words.percent(max(held, 0.0), limit)
        cause = None
        if check == "cache_used" and dirty is not None:
            cause = _dirty_cause(case, words.percent(max(dirty, 0.0), limit))
        case.judge.value(
            f"mongodb.{check}",
            case.target,
            share,
            f"{share:g} % of WiredTiger's cache of {words.size(limit)} {what}",
            {"bytes": held, "limit": limit},
            caused_by=cause,
        )


def _dirty_cause(case: Case, share: float) -> str | None:
    """A cache that cannot be written out fills up."""
    line = case.judge.thresholds.get("mongodb.cache_dirty", case.target)
    if not line.enabled or line.status(share) == OK or not case.judge.active("mongodb.cache_dirty"):
        return None
    return fingerprint("mongodb.cache_dirty", case.target)


def _operations(case: Case) -> None:
    found = case.data("operations")
    rows = found.get("running") if found is not None else None
    if not isinstance(rows, list):
        case.missing(("long_operation",), "operations", applies=not case.foreign or found is None)
        return
    asked = [row for row in rows if isinstance(row, Mapping) and _is_work(row, case.expect.ignore)]
    worst = max(asked, key=lambda row: amount(row, "secs_running"), default=None)
    if worst is None:
        case.judge.looked("mongodb.long_operation")
        return
    seconds = amount(worst, "secs_running")
    where = text(worst, "ns") or "no collection"
    case.judge.value(
        "mongodb.long_operation",
        case.target,
        seconds,
        "{} on {} runs for {}".format(text(worst, "command") or text(worst, "op") or "an operation", where,
                                      words.age(seconds)),
        {"operations": [{key: value for key, value in row.items() if value is not None} for row in asked[:5]]},
    )  # fmt: skip


def _is_work(row: Mapping[str, Any], ignore: Sequence[str]) -> bool:
    """Whether somebody waits for the end of an operation: not a replica that reads the oplog, nor a waiting cursor."""
    import fnmatch

    if row.get("awaits") or not (text(row, "client") or text(row, "desc").startswith("conn")):
        return False
    if text(row, "command") in ("hello", "isMaster", "ismaster") or text(row, "ns").startswith("local.oplog"):
        return False
    return not any(fnmatch.fnmatchcase(text(row, "appName"), pattern) for pattern in ignore)


def _sizes(case: Case) -> None:
    names = case.answer("databases").get("data")
    sizes = {str(name): _mapping(one) for name, one in _mapping(case.observation.get("databases")).items()}
    read = {name: _mapping(one.get("data")) for name, one in sizes.items() if isinstance(one.get("data"), Mapping)}
    checks = ("size", "index_size", "filesystem")
    if not isinstance(names, list):
        case.missing(checks, "databases")
        return
    failed = sorted(set(map(str, names)) - set(read))
    if failed:
        error = _mapping(sizes.get(failed[0], {}).get("error"))
        said = text(error, "text") or "not read"
        # A sum without some of its parts is too small: it says nothing about a limit.
        for check in checks:
            case.judge.unseen(f"mongodb.{check}", "sizes of {} not read: {}".format(", ".join(failed[:5]), said))
        return
    total = sum(amount(one, "storageSize") + amount(one, "indexSize") for one in read.values())
    indexes = sum(amount(one, "indexSize") for one in read.values())
    case.judge.facts.update(databases=len(read), size_bytes=int(total), index_bytes=int(indexes))
    largest = sorted(read.items(), key=lambda pair: -amount(pair[1], "storageSize") - amount(pair[1], "indexSize"))[:5]
    shown = [
        {"database": name, **{key: number(one, key) for key in ("dataSize", "storageSize", "indexSize", "objects")}}
        for name, one in largest
    ]
    case.judge.value(
        "mongodb.size",
        case.target,
        round(total / _GIB, 3),
        f"data and indexes take {words.size(total)} in {words.count(len(read), 'database')}",
        {"bytes": total, "largest": shown},
    )
    _index_size(case, indexes, shown)
    _filesystem(case, read)


def _index_size(case: Case, indexes: float, shown: list[dict[str, Any]]) -> None:
    limit = number(_mapping(_mapping(case.status).get("cache")), "maximum bytes configured")
    if not limit or limit <= 0:
        case.missing(("index_size",), "status", applies=not (case.foreign or case.router))
        return
    share = words.percent(indexes, limit)
    case.judge.value(
        "mongodb.index_size",
        case.target,
        share,
        f"the indexes take {words.size(indexes)}, {share:g} % of WiredTiger's cache of {words.size(limit)}",
        {"index_bytes": indexes, "cache_bytes": limit, "largest": shown},
    )


def _filesystem(case: Case, read: Mapping[str, Mapping[str, Any]]) -> None:
    found = []
    for name, one in read.items():
        used, whole = number(one, "fsUsedSize"), number(one, "fsTotalSize")
        if used is not None and whole is not None and whole > 0:
            found.append((words.percent(max(used, 0.0), whole), used, whole, name))
    if not found:
        # mongos has no disk of its own; a server without databases has said nothing about its disk.
        case.missing(("filesystem",), "databases", applies=bool(read) and not (case.router or case.foreign))
        return
    share, used, whole, name = max(found)
    case.judge.value(
        "mongodb.filesystem",
        case.target,
        share,
        f"the file system of the data is {share:g} % full, {words.size(max(whole - used, 0.0))} are left",
        {"used": used, "size": whole, "database": name},
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look itself: one connection to one server, commands that only read, one hard deadline."""

from __future__ import annotations

import copy
import datetime
import math
import re
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Callable

APPLICATION = "nexuscos-ops"

REFUSED = "refused"
SILENT = "silent"
TIMEOUT = "timeout"
DNS = "dns"
TLS = "tls"
LOGIN = "login"
GARBAGE = "garbage"
OTHER = "other"

DEAD = (REFUSED, SILENT, GARBAGE)
"""The machine was reached, and the server does not serve: nobody else gets in either."""
AWAY = (TIMEOUT, DNS)
"""Nothing was reached: a dead machine and a cut link look the same from here."""

NOT_AUTHORIZED = 13
_LOGIN_CODES = (11, 18, 8000)
_NONSENSE = ("response id", "message length", "opcode", "bson", "unknown")
_MOST_DATABASES = 200
_MOST_OPERATIONS = 20
_SLACK = 0.3

_STATUS = ("version", "process", "uptime", "connections", "globalLock", "queues", "localTime", "storageEngine")
_CACHE = ("bytes currently in the cache", "tracked dirty bytes in the cache", "maximum bytes configured")
_HELLO = (
    "setName", "isWritablePrimary", "ismaster", "secondary", "arbiterOnly", "hidden", "primary", "me", "hosts", "msg",
    "maxWireVersion", "localTime",
)  # fmt: skip
_MEMBER = (
    "name", "health", "state", "stateStr", "uptime", "optimeDate", "lastHeartbeatMessage", "infoMessage", "self",
    "electionDate", "syncSourceHost", "lastHeartbeat",
)  # fmt: skip
_SIZES = ("collections", "objects", "dataSize", "storageSize", "indexes", "indexSize", "fsUsedSize", "fsTotalSize")
_OPERATION = ("opid", "op", "ns", "secs_running", "desc", "client", "appName", "waitingForLock", "planSummary")


@dataclass(frozen=True)
class Options:
    """How to reach a server.

    :ivar slow_s: operations that run for less are not asked for.
    :ivar deadline: seconds for everything.
    """

    host: str
    port: int
    user: str | None = None
    password: str | None = None
    database: str = "admin"
    mechanism: str | None = None
    tls: Mapping[str, Any] = field(default_factory=dict)
    connect_timeout: float = 5.0
    deadline: float = 15.0
    slow_s: int = 10


def collect(pymongo: Any, options: Options) -> dict[str, Any]:
    """Look at a server, in a thread of its own: name resolution may wait in ways that no setting bounds.

    :param pymongo: the library, version 4.6 or newer.
    :returns: plain JSON values: ``error`` (None, or why there was no look), ``server``, ``answers`` (data or error
        by command) and ``databases`` (the same by database).
    """
    look = _Look(pymongo, options)
    thread = threading.Thread(target=look.run, name="mongodb-look", daemon=True)
    thread.start()
    thread.join(options.deadline + _SLACK)
    return look.result()


class _Look:
    def __init__(self, pymongo: Any, options: Options) -> None:
        self.pymongo = pymongo
        self.options = options
        self.end = time.monotonic() + options.deadline
        self.lock = threading.Lock()
        self.crash: BaseException | None = None
        self.seen: dict[str, Any] = {
            "error": _entry(TIMEOUT, f"nothing was answered within {options.deadline:g} s"),
            "server": {"host": options.host, "port": options.port, "login": options.user},
            "answers": {},
            "databases": {},
        }

    def run(self) -> None:
        """The thread: everything that may wait."""
        try:
            self._look()
        except BaseException as error:  # noqa: BLE001 - carried over to the caller's thread
            self.crash = error

    def result(self) -> dict[str, Any]:
        """What was seen by now."""
        if self.crash is not None:
            raise self.crash
        with self.lock:
            return copy.deepcopy(self.seen)

    def remaining(self) -> float:
        return self.end - time.monotonic()

    def _look(self) -> None:
        began = time.monotonic()
        error = self._knock()
        if error is not None:
            self._keep("error", error)
            return
        # From here on the machine is known to answer; a server that says no more than that hangs.
        self._keep("error", _entry(SILENT, "it takes connections and does not answer"))
        try:
            client = self._client()
        except (self.pymongo.errors.PyMongoError, OSError, ValueError) as failed:
            # The certificate files of the options are read here.
            self._keep("error", _entry(TLS, _one_line(failed)))
            return
        try:
            self._ask(client, began)
        finally:
            client.close()

    def _knock(self) -> dict[str, str] | None:
        """A plain TCP connection: the library would try again and again, and call everything a time-out."""
        options = self.options
        try:
            addresses = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            return _entry(DNS, f"{options.host}: {getattr(error, 'strerror', None) or error}")
        last = _entry(TIMEOUT, "no address answered")
        for place, (family, kind, protocol, _name, address) in enumerate(addresses):
            wait = min(options.connect_timeout, self.remaining() - _SLACK) / (len(addresses) - place)
            if wait <= 0:
                break
            try:
                with socket.socket(family, kind, protocol) as line:
                    line.settimeout(wait)
                    line.connect(address)
                    return None
            except (socket.timeout, TimeoutError):
                last = _entry(TIMEOUT, "no connection within %.1f s" % wait)
            except ConnectionError as error:
                last = _entry(REFUSED, error.strerror or str(error))
            except OSError as error:
                last = _entry(TIMEOUT, error.strerror or str(error))
        return last

    def _client(self) -> Any:
        options = self.options
        wait = int(1000 * max(0.2, self.remaining() - _SLACK))
        login: dict[str, Any] = {}
        if options.user:
            login = {"username": options.user, "password": options.password or "", "authSource": options.database}
            if options.mechanism:
                login["authMechanism"] = options.mechanism
        return self.pymongo.MongoClient(
            host=options.host,
            port=options.port,
            appname=APPLICATION,
            directConnection=True,
            # The machine has just taken a connection: a server that is not found within this time hangs.
            serverSelectionTimeoutMS=min(wait, int(1000 * options.connect_timeout)),
            connectTimeoutMS=min(wait, int(1000 * options.connect_timeout)),
            socketTimeoutMS=wait,
            retryReads=False,
            heartbeatFrequencyMS=60_000,
            **login,
            **options.tls,
        )

    def _ask(self, client: Any, began: float) -> None:
        errors = self.pymongo.errors
        admin = client.get_database("admin")
        try:
            hello = _plain(_some(admin.command("hello"), _HELLO))
            admin.command("ping")
        except errors.OperationFailure as error:
            # Nobody needs a right for these two: what is refused is the login.
            if self.options.user or error.code in _LOGIN_CODES:
                self._keep("error", _entry(LOGIN, _said(error)))
                return
            # "hello" came with MongoDB 5.0, and what speaks the protocol knows "ping" at least.
            hello = {}
        except (errors.PyMongoError, OSError) as error:
            self._keep("error", _why(error))
            return
        with self.lock:
            self.seen["error"] = None
            self.seen["server"]["connect_ms"] = round((time.monotonic() - began) * 1000, 1)
            self.seen["answers"]["hello"] = {"data": hello, "error": None}
        self._answer("status", lambda: _status(admin.command("serverStatus", **self._within())))
        if isinstance(hello, dict) and hello.get("setName"):
            self._answer("set", lambda: _set(admin.command("replSetGetStatus", **self._within())))
            self._answer("config", lambda: _config(admin.command("replSetGetConfig", **self._within())))
            if not hello.get("arbiterOnly"):
                self._answer("oplog", lambda: self._oplog(client))
        self._answer("operations", lambda: self._operations(admin))
        self._databases(client)
        with self.lock:
            self.seen["server"]["took_ms"] = round((time.monotonic() - began) * 1000, 1)

    def _within(self) -> dict[str, int]:
        return {"maxTimeMS": max(100, int(1000 * (self.remaining() - _SLACK)))}

    def _answer(self, name: str, ask: Callable[[], Any]) -> None:
        with self.lock:
            self.seen["answers"][name] = _failed("not answered before the deadline")
        if self.remaining() < _SLACK:
            return
        answer = self._try(ask)
        with self.lock:
            self.seen["answers"][name] = answer

    def _try(self, ask: Callable[[], Any]) -> dict[str, Any]:
        try:
            return {"data": _plain(ask()), "error": None}
        except self.pymongo.errors.OperationFailure as error:
            return _failed(_said(error), error.code)
        except (self.pymongo.errors.PyMongoError, OSError) as error:
            return _failed(_one_line(error))

    def _oplog(self, client: Any) -> dict[str, Any]:
        entries = client.get_database("local").get_collection("oplog.rs")
        found: dict[str, Any] = {}
        for name, order in (("first", 1), ("last", -1)):
            cursor = entries.find({}, {"ts": 1}, limit=1, sort=[("$natural", order)], **_max_time(self._within()))
            for entry in cursor:
                found[name] = getattr(entry.get("ts"), "time", None)
        if self.remaining() > _SLACK:
            stats = self._try(lambda: client.get_database("local").command("collStats", "oplog.rs", **self._within()))
            found.update(_some(stats["data"], ("size", "maxSize")))
        return found

    def _operations(self, admin: Any) -> dict[str, Any]:
        slow = {"active": True, "secs_running": {"$gte": self.options.slow_s}}
        answer = admin.command("currentOp", **slow, **self._within())
        rows = answer.get("inprog")
        if not isinstance(rows, list):
            return {}
        return {"running": sorted(map(_operation, rows), key=_seconds, reverse=True)[:_MOST_OPERATIONS]}

    def _databases(self, client: Any) -> None:
        names = self._try(lambda: _names(client.get_database("admin").command("listDatabases", nameOnly=True)))
        with self.lock:
            self.seen["answers"]["databases"] = names
        for name in (names["data"] or [])[:_MOST_DATABASES]:
            if self.remaining() < _SLACK:
                answer = _failed("not asked before the deadline")
            else:
                answer = self._try(lambda name=name: self._sizes(client, name))  # type: ignore[misc]
            with self.lock:
                self.seen["databases"][name] = answer

    def _sizes(self, client: Any, name: str) -> dict[str, Any]:
        return _some(client.get_database(name).command("dbStats", **self._within()), _SIZES)

    def _keep(self, key: str, value: Any) -> None:
        with self.lock:
            self.seen[key] = value


def _entry(reason: str, text: str) -> dict[str, str]:
    return {"reason": reason, "text": " ".join(text.split())[:500]}


def _failed(text: str, code: int | None = None) -> dict[str, Any]:
    return {"data": None, "error": {"text": " ".join(text.split())[:300], "code": code}}


def _why(error: BaseException) -> dict[str, str]:
    """Sort an error of the library: the TCP connection had been possible a moment before."""
    text = _one_line(error)
    low = text.lower()
    if "ssl" in low or "certificate" in low or "tls" in low:
        return _entry(TLS, text)
    if "refused" in low:
        return _entry(REFUSED, text)
    if "timed out" in low or "no servers found" in low or "closed" in low or "reset" in low or "eof" in low:
        return _entry(SILENT, text)
    return _entry(GARBAGE if any(word in low for word in _NONSENSE) else OTHER, text)


def _said(error: Any) -> str:
    details = error.details if isinstance(error.details, Mapping) else {}
    return str(details.get("errmsg") or error)


def _one_line(error: object) -> str:
    return " ".join(re.split(r",? \(?(?:Timeout:|configured timeouts:)", str(error), maxsplit=1)[0].split())


def _some(document: Any, keys: Iterable[str]) -> dict[str, Any]:
    return {key: document[key] for key in keys if key in document} if isinstance(document, Mapping) else {}


def _max_time(within: Mapping[str, int]) -> dict[str, int]:
    return {"max_time_ms": within["maxTimeMS"]}


def _status(document: Mapping[str, Any]) -> dict[str, Any]:
    found = _some(document, _STATUS)
    engine = document.get("wiredTiger")
    if isinstance(engine, Mapping):
        found["cache"] = _some(engine.get("cache"), _CACHE)
    return found


def _set(document: Mapping[str, Any]) -> dict[str, Any]:
    members = document.get("members")
    found = _some(document, ("set", "date", "myState", "term"))
    found["members"] = [_some(one, _MEMBER) for one in members] if isinstance(members, list) else []
    return found


def _config(document: Mapping[str, Any]) -> dict[str, Any]:
    config = document.get("config")
    members = config.get("members") if isinstance(config, Mapping) else None
    keys = ("host", "priority", "votes", "hidden", "arbiterOnly", "secondaryDelaySecs", "slaveDelay")
    return {"members": [_some(one, keys) for one in members] if isinstance(members, list) else []}


def _names(document: Mapping[str, Any]) -> list[str]:
    rows = document.get("databases")
    return [str(one["name"]) for one in rows if isinstance(one, Mapping) and "name" in one] if rows else []


def _operation(row: Any) -> dict[str, Any]:
    """Without the values in it: a command may hold names, passwords, anything that people typed."""
    found = _some(row, _OPERATION)
    command = row.get("command") if isinstance(row, Mapping) else None
    if isinstance(command, Mapping):
        found["command"] = next(iter(command), "")
        found["awaits"] = bool(command.get("awaitData") or command.get("maxAwaitTimeMS"))
    cursor = row.get("cursor") if isinstance(row, Mapping) else None
    if isinstance(cursor, Mapping) and (cursor.get("awaitData") or cursor.get("tailable")):
        found["awaits"] = True
    return found


def _seconds(row: Mapping[str, Any]) -> float:
    value = row.get("secs_running")
    return float(value) if isinstance(value, (int, float)) else 0.0


def _plain(value: Any) -> Any:
    """JSON of BSON: times are seconds since 1970."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=value.tzinfo or datetime.timezone.utc).timestamp()
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return str(value)

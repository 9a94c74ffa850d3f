# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look itself: one connection, read-only transactions, statements in pipelines, one hard deadline."""

from __future__ import annotations

import copy
import decimal
import fnmatch
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from . import failure, queries
from .probe import probe
from .queries import Query

APPLICATION = "nexuscos-ops"

_LITERAL = re.compile(r"\$([A-Za-z_]*)\$.*?(?:\$\1\$|\Z)|'(?:[^']|'')*(?:'|\Z)", re.S)
_LOCK_TIMEOUT = 0.5
_SLACK = 0.3

Answers = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Options:
    """How to reach a server, and what is asked of it.

    :ivar wanted: ids of checks without ``postgres.``; statements that feed none of them are not sent.
    :ivar databases: names or globs of the databases whose own catalogues are read; empty for the login database.
    :ivar deadline: seconds for everything.
    """

    host: str
    port: int
    user: str | None
    password: str | None
    database: str
    wanted: tuple[str, ...]
    databases: tuple[str, ...] = ()
    deadline: float = 15.0
    connect_timeout: int = 5
    tls: dict[str, str | None] = field(default_factory=dict)


def collect(psycopg: Any, options: Options) -> dict[str, Any]:
    """Look at a server.

    The look runs in a thread of its own: name resolution and libpq may wait in ways that no setting bounds, and the
    deadline holds all the same. What had been seen by then is kept.

    :param psycopg: the library, version 3.2 or newer.
    :returns: plain JSON values: ``error`` (None, or why there was no look), ``server``, ``queries`` (rows or error by
        name) and ``databases`` (the same by database).
    """
    # A statement that is refused inside a pipeline makes the library warn; that is no news here, nor for stderr.
    logging.getLogger("psycopg").addHandler(logging.NullHandler())
    look = _Look(psycopg, options)
    thread = threading.Thread(target=look.run, name="postgres-look", daemon=True)
    thread.start()
    thread.join(options.deadline)
    if thread.is_alive():
        look.give_up()
        thread.join(_SLACK)
    return look.result()


class _Look:
    def __init__(self, psycopg: Any, options: Options) -> None:
        self.psycopg = psycopg
        self.options = options
        self.end = time.monotonic() + options.deadline
        self.lock = threading.Lock()
        self.connection: Any = None
        self.crash: BaseException | None = None
        self.over = False
        self.seen: dict[str, Any] = {
            "error": failure.entry(failure.TIMEOUT, f"nothing was answered within {options.deadline:g} s"),
            "server": {"host": options.host, "port": options.port, "database": options.database, "login": options.user},
            "queries": {},
            "databases": {},
        }

    def run(self) -> None:
        """The thread: everything that may wait."""
        try:
            self._server()
        except BaseException as error:  # noqa: BLE001 - carried over to the caller's thread
            self.crash = error

    def give_up(self) -> None:
        """Past the deadline: cut the connection, so that the thread ends and the server is not kept busy."""
        with self.lock:
            self.over = True
            connection = self.connection
        if connection is not None:
            try:
                with socket.socket(fileno=os.dup(connection.fileno())) as line:
                    line.shutdown(socket.SHUT_RDWR)
            except (OSError, self.psycopg.Error):
                return

    def result(self) -> dict[str, Any]:
        """What was seen."""
        if self.crash is not None:
            raise self.crash
        with self.lock:
            self.over = True
            return copy.deepcopy(self.seen)

    def remaining(self) -> float:
        return self.end - time.monotonic()

    def _server(self) -> None:
        began = time.monotonic()
        try:
            connection = self._connect(self.options.database)
        except self.psycopg.Error as error:
            self._keep("error", failure.classify(str(error), self._ask))
            return
        with connection:
            version = connection.info.server_version
            self.seen["server"].update(version_num=version, connect_ms=round((time.monotonic() - began) * 1000, 1))
            if version < queries.OLDEST:
                self._keep(
                    "error", failure.entry(failure.VERSION, "PostgreSQL %d is older than 13" % (version // 10000))
                )
                return
            text = f"logged in, and nothing was answered within {self.options.deadline:g} s"
            self._keep("error", failure.entry(failure.OTHER, text))
            self._ask_server(connection, version)
        self._further()
        with self.lock:
            self.seen["server"]["took_ms"] = round((time.monotonic() - began) * 1000, 1)

    def _ask_server(self, connection: Any, version: int) -> None:
        # Servers of version 14 and newer say so while one logs in; a pooler may not pass it on.
        said = connection.info.parameter_status("in_hot_standby")
        in_recovery = said == "on" if said else self._recovers(connection)
        if in_recovery is None:
            return
        asked = self._wanted(queries.select(queries.ON_SERVER, version, in_recovery))
        own = self._wanted(queries.select(queries.IN_DATABASE, version, in_recovery))
        here = own if self._matches(self.options.database) else []
        late = [query for query in asked if query.late]
        answers = self._run(connection, [queries.SERVER, *(query for query in asked if not query.late)])
        server = answers.pop(queries.SERVER.name)
        if server["error"]:
            self._keep("error", failure.entry(failure.OTHER, server["error"]["text"]))
            return
        database: dict[str, Any] = {"error": None, "queries": _unanswered(here)}
        with self.lock:
            if self.over:
                return
            self.seen["server"].update(server["rows"][0])
            self.seen["error"] = None
            self.seen["queries"] = {**answers, **_unanswered(late)}
            if here:
                self.seen["databases"][self.options.database] = database
        answers = self._run(connection, [*here, *late])
        with self.lock:
            if not self.over:
                database["queries"].update({query.name: answers[query.name] for query in here})
                self.seen["queries"].update({query.name: answers[query.name] for query in late})

    def _recovers(self, connection: Any) -> bool | None:
        try:
            return bool(connection.execute("SELECT pg_is_in_recovery() AS answer").fetchone()["answer"])
        except self.psycopg.Error as error:
            self._keep("error", failure.entry(failure.CLOSED, str(error)))
            return None

    def _further(self) -> None:
        """One short connection for each further database that was asked for."""
        rows = self.seen["queries"].get("databases", {}).get("rows") or []
        server = self.seen["server"]
        if self.seen["error"] or server.get("in_recovery"):
            return
        names = [row["database"] for row in rows if row.get("open") and not row.get("template")]
        asked = self._wanted(queries.select(queries.IN_DATABASE, server["version_num"], False))
        for name in names:
            if name != self.options.database and self._matches(name) and asked:
                self._keep_database(name, self._database(name, asked))
        for name in self.options.databases:
            if not any(sign in name for sign in "*?[") and rows and name not in names:
                self._keep_database(
                    name, {"error": failure.entry(failure.DATABASE, "there is no such database"), "queries": {}}
                )

    def _database(self, name: str, asked: Sequence[Query]) -> dict[str, Any]:
        if self.remaining() < _SLACK:
            return {"error": failure.entry(failure.TIMEOUT, "not reached before the deadline"), "queries": {}}
        try:
            with self._connect(name) as connection:
                return {"error": None, "queries": self._run(connection, asked)}
        except self.psycopg.Error as error:
            return {"error": failure.classify(str(error), self._ask), "queries": {}}

    def _connect(self, database: str) -> Any:
        options = self.options
        given = {
            "host": options.host,
            "port": options.port,
            "user": options.user,
            "password": options.password,
            "dbname": database,
            "application_name": APPLICATION,
            "client_encoding": "utf8",
            "connect_timeout": max(1, int(min(options.connect_timeout, self.remaining() - 1))),
            "tcp_user_timeout": int(options.deadline * 1000),
            # A Kerberos library that looks for its own servers first can take longer than everything else.
            "gssencmode": "disable",
            **options.tls,
        }
        connection = self.psycopg.connect(
            autocommit=True,
            # Named statements do not survive a pooler.
            prepare_threshold=None,
            row_factory=self.psycopg.rows.dict_row,
            **{key: value for key, value in given.items() if value is not None},
        )
        with self.lock:
            self.connection = connection
        return connection

    def _ask(self) -> Any:
        timeout = max(0.3, min(1.0, self.remaining() / 3))
        return probe(
            self.options.host, self.options.port, self.options.user or "postgres", self.options.database, timeout
        )

    def _run(self, connection: Any, asked: Sequence[Query]) -> Answers:
        """Send statements together; after one that fails, the rest again. No failure takes another's answer."""
        answers: Answers = {}
        rest = list(asked)
        pipeline = self.psycopg.Pipeline.is_supported()
        while rest:
            if self.remaining() < _SLACK or self.over:
                return {**answers, **{query.name: _failed("not asked before the deadline") for query in rest}}
            done, error = self._round(connection, rest if pipeline else rest[:1])
            answers.update(done)
            rest = [query for query in rest if query.name not in done]
            if error is None:
                continue
            if connection.closed or connection.broken:
                text = f"the connection was lost: {_one_line(error)}"
                return {**answers, **{query.name: _failed(text, error.sqlstate) for query in rest}}
            connection.rollback()
            if rest:
                answers[rest[0].name] = _failed(_one_line(error), error.sqlstate)
                rest = rest[1:]
        return answers

    def _round(self, connection: Any, asked: Sequence[Query]) -> tuple[Answers, Any]:
        """One read-only transaction. Returns what was answered, and the error that ended it."""
        cursors: list[tuple[Query, Any]] = []
        error: Any = None
        settings = "SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true)"
        limits = ["%dms" % (1000 * seconds) for seconds in (max(0.2, self.remaining() / 2), _LOCK_TIMEOUT)]
        try:
            if len(asked) == 1:
                connection.execute("BEGIN READ ONLY")
                connection.execute(settings, limits)
                cursors.append((asked[0], connection.execute(asked[0].sql)))
                connection.execute("COMMIT")
            else:
                with connection.pipeline():
                    connection.execute("BEGIN READ ONLY")
                    connection.execute(settings, limits)
                    for query in asked:
                        cursor = connection.cursor()
                        cursors.append((query, cursor))
                        cursor.execute(query.sql)
                    connection.execute("COMMIT")
        except self.psycopg.Error as failed:
            error = failed
        done: Answers = {}
        for query, cursor in cursors:
            if cursor.pgresult is None:
                break
            try:
                done[query.name] = {"rows": [_plain_row(row) for row in cursor.fetchall()], "error": None}
            except (self.psycopg.Error, UnicodeError) as failed:
                done[query.name] = _failed(_one_line(failed))
        return done, error

    def _wanted(self, asked: Sequence[Query]) -> list[Query]:
        wanted = set(self.options.wanted)
        return [query for query in asked if not query.feeds or wanted & set(query.feeds)]

    def _matches(self, database: str) -> bool:
        patterns = self.options.databases or (self.options.database,)
        return any(fnmatch.fnmatchcase(database, pattern) for pattern in patterns)

    def _keep(self, key: str, value: Any) -> None:
        with self.lock:
            if not self.over:
                self.seen[key] = value

    def _keep_database(self, name: str, value: dict[str, Any]) -> None:
        with self.lock:
            if not self.over:
                self.seen["databases"][name] = value


def statement(text: str) -> str:
    """A statement without the values in it: literals may hold names, passwords, anything that people typed."""
    return _LITERAL.sub("'…'", text)


def _failed(text: str, sqlstate: str | None = None) -> dict[str, Any]:
    return {"rows": None, "error": {"text": text, "sqlstate": sqlstate}}


def _unanswered(asked: Sequence[Query]) -> Answers:
    return {query.name: _failed("not answered before the deadline") for query in asked}


def _one_line(error: object) -> str:
    return " ".join(str(error).split("\n", 1)[0].split())


def _plain_row(row: dict[str, Any]) -> dict[str, Any]:
    plain = {key: _plain(value) for key, value in row.items()}
    if isinstance(plain.get("query"), str):
        plain["query"] = statement(plain["query"])
    return plain


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)

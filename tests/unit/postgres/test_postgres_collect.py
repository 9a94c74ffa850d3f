# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look against a scripted library: pipelines in which a statement fails, connections that break, deadlines."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.nexuscos.ops.plugins.module_utils._postgres import collect, queries
from ansible_collections.nexuscos.ops.plugins.module_utils._postgres.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._postgres.collect import Options, statement

EVERY = tuple(check.id.split(".", 1)[1] for check in CHECKS)
SERVER = {"version_num": 150000, "version": "15.0", "in_recovery": False, "database": "nexusdb", "role": "monitor"}


class Error(Exception):
    sqlstate: str | None = None

    def __init__(self, text: str, sqlstate: str | None = None) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


class Script:
    """A library and a server: what each statement answers, by its name; and what was asked, round by round."""

    def __init__(self, version: int = 150000, standby: str | None = "off", pipeline: bool = True) -> None:
        self.version, self.standby, self.pipeline = version, standby, pipeline
        self.answers: dict[str, Any] = {"server": [SERVER]}
        self.rounds: list[list[str]] = []
        self.databases: list[str] = []
        self.arguments: dict[str, Any] = {}
        self.connecting: Callable[[], None] = lambda: None
        self.names = {query.sql: query.name for query in (queries.SERVER, *queries.ON_SERVER, *queries.IN_DATABASE)}

    @property
    def library(self) -> Any:
        return SimpleNamespace(
            Error=Error,
            connect=self.connect,
            rows=SimpleNamespace(dict_row=None),
            Pipeline=SimpleNamespace(is_supported=lambda: self.pipeline),
        )

    def connect(self, **arguments: Any) -> Connection:
        self.arguments = arguments
        self.connecting()
        self.databases.append(arguments["dbname"])
        return Connection(self)

    def look(self, **options: Any) -> dict[str, Any]:
        given = {"host": "198.51.100.1", "port": 5432, "user": "monitor", "password": "x", "database": "nexusdb"}
        return collect.collect(self.library, Options(**{**given, "wanted": EVERY, "deadline": 5.0, **options}))


class Connection:
    closed = broken = False

    def __init__(self, script: Script) -> None:
        self.script = script
        self.info = SimpleNamespace(server_version=script.version, parameter_status=lambda _name: script.standby)
        self.aborted: Error | None = None

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_error: object) -> None:
        self.closed = True

    def pipeline(self) -> Connection:
        return Inside(self)  # type: ignore[return-value]

    def cursor(self) -> Cursor:
        return Cursor(self)

    def execute(self, sql: str, _values: Any = None) -> Cursor:
        if sql.startswith("BEGIN"):
            assert sql == "BEGIN READ ONLY"
            self.script.rounds.append([])
        return Cursor(self).execute(sql)

    def rollback(self) -> None:
        self.aborted = None

    def fileno(self) -> int:
        raise Error("gone")


class Inside:
    """A pipeline: the first error ends it, what comes after is not answered."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_error: object) -> None:
        if self.connection.aborted:
            raise self.connection.aborted


class Cursor:
    pgresult: Any = None

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.rows: list[dict[str, Any]] = []

    def execute(self, sql: str) -> Cursor:
        script = self.connection.script
        name = script.names.get(sql)
        if self.connection.aborted:
            return self
        if sql.startswith("SELECT pg_is_in_recovery()"):
            self.rows = [{"answer": True}]
            return self
        if name is None:
            return self
        script.rounds[-1].append(name)
        answer = script.answers.get(name, [])
        if callable(answer):
            answer = answer(self.connection)
        if isinstance(answer, Error):
            self.connection.aborted = answer
            if not script.pipeline:
                raise answer
            return self
        self.rows, self.pgresult = answer, object()
        return self

    def fetchall(self) -> list[dict[str, Any]]:
        return self.rows

    def fetchone(self) -> dict[str, Any]:
        return self.rows[0]


def test_everything_is_asked_in_two_rounds_over_one_connection() -> None:
    script = Script()
    seen = script.look()
    assert seen["error"] is None
    assert len(script.rounds) == 2
    assert script.databases == ["nexusdb"]
    assert script.arguments["application_name"] == "nexuscos-ops"
    assert script.arguments["autocommit"] is True
    assert set(seen["databases"]) == {"nexusdb"}
    assert seen["server"]["version"] == "15.0"


def test_a_statement_that_is_refused_costs_only_itself() -> None:
    script = Script()
    script.answers["ready"] = Error("permission denied for function pg_ls_archive_statusdir", "42501")
    script.answers["hba"] = Error("permission denied for view pg_hba_file_rules\nLINE 1", "42501")
    script.answers["sizes"] = [{"database": "nexusdb", "bytes": Decimal(5)}]
    seen = script.look()
    assert len(script.rounds) == 4
    assert seen["queries"]["ready"]["error"]["sqlstate"] == "42501"
    assert seen["queries"]["hba"]["error"]["text"] == "permission denied for view pg_hba_file_rules"
    assert seen["queries"]["sizes"] == {"rows": [{"database": "nexusdb", "bytes": 5.0}], "error": None}
    assert seen["queries"]["settings"]["rows"] == []


def test_without_pipelines_one_statement_at_a_time_says_the_same() -> None:
    script = Script(pipeline=False)
    script.answers["hba"] = Error("permission denied", "42501")
    seen = script.look()
    assert all(len(one) <= 1 for one in script.rounds)
    assert seen["queries"]["hba"]["error"]["text"] == "permission denied"
    assert seen["queries"]["sizes"]["rows"] == []


def test_a_connection_that_breaks_keeps_what_was_said_before() -> None:
    script = Script()

    def broken(connection: Connection) -> Error:
        connection.closed = True
        return Error("terminating connection due to administrator command", "57P01")

    script.answers["standbys"] = broken
    seen = script.look()
    assert seen["error"] is None
    assert seen["queries"]["settings"]["rows"] == []
    for name in ("standbys", "slots", "sizes"):
        assert "the connection was lost: terminating" in seen["queries"][name]["error"]["text"]


def test_a_standby_says_so_itself_or_is_asked() -> None:
    for script in (Script(standby="on"), Script(version=130000, standby=None)):
        script.answers["server"] = [{**SERVER, "in_recovery": True}]
        seen = script.look(databases=("*",))
        assert "recovery" in seen["queries"]
        assert "archiver" not in seen["queries"]
        assert len(script.databases) == 1


def test_only_what_feeds_a_wanted_check_is_sent() -> None:
    script = Script()
    script.look(wanted=("size",))
    assert script.rounds == [["server", "clients"], ["sizes"]]


def test_further_databases_get_one_short_connection_each() -> None:
    script = Script()
    names = ("nexusdb", "reports", "postgres", "template1", "closed")
    script.answers["databases"] = [
        {"database": name, "open": name != "closed", "template": name == "template1"} for name in names
    ]
    seen = script.look(databases=("nexusdb", "rep*", "gone"))
    assert script.databases == ["nexusdb", "reports"]
    assert set(seen["databases"]) == {"nexusdb", "reports", "gone"}
    assert "no such database" in seen["databases"]["gone"]["error"]["text"]
    seen = Script().look(databases=("reports",))
    assert "nexusdb" not in seen["databases"]


def test_a_further_database_that_refuses_is_told_apart() -> None:
    script = Script()
    script.answers["databases"] = [{"database": "reports", "open": True, "template": False}]

    def connecting() -> None:
        if script.databases:
            raise Error('FATAL:  permission denied for database "reports"')

    script.connecting = connecting
    seen = script.look(databases=("*",))
    assert seen["error"] is None
    assert seen["databases"]["reports"]["error"]["reason"] == "database"


def test_an_old_server_is_not_looked_at() -> None:
    seen = Script(version=120000).look()
    assert seen["error"]["reason"] == "version"
    assert seen["queries"] == {}


def test_a_connection_that_fails_is_classified() -> None:
    script = Script()

    def refuse() -> None:
        raise Error('FATAL:  password authentication failed for user "monitor"')

    script.connecting = refuse
    assert script.look()["error"]["reason"] == "password"


def test_the_deadline_holds_whatever_the_library_does() -> None:
    script, release = Script(), threading.Event()
    script.connecting = lambda: bool(release.wait(30)) and None
    began = time.monotonic()
    seen = script.look(deadline=0.3)
    release.set()
    assert time.monotonic() - began < 20
    assert seen["error"]["reason"] == "timeout"


@pytest.mark.parametrize("name", ["slots", "sizes", "tables"])
def test_a_server_that_stops_answering_half_way_is_left_and_known_to_be_so(name: str) -> None:
    script, release = Script(), threading.Event()

    def wait(_connection: Connection) -> Error:
        release.wait(30)
        return Error("server closed the connection unexpectedly")

    script.answers[name] = wait
    seen = script.look(deadline=2.0)
    release.set()
    if name == "slots":
        assert "logged in, and nothing was answered" in seen["error"]["text"]
        return
    # the first round is kept
    assert seen["error"] is None
    assert seen["queries"]["slots"]["rows"] == []
    assert "deadline" in seen["queries"]["sizes"]["error"]["text"]
    assert "deadline" in seen["databases"]["nexusdb"]["queries"]["tables"]["error"]["text"]


def test_an_error_of_ours_is_not_hidden() -> None:
    script = Script()
    script.connecting = lambda: 1 / 0  # type: ignore[assignment,return-value]
    with pytest.raises(ZeroDivisionError):
        script.look()


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT * FROM users WHERE email = 'jane@example.com'", "SELECT * FROM users WHERE email = '…'"),
        ("INSERT INTO t VALUES ('it''s', 'x')", "INSERT INTO t VALUES ('…', '…')"),
        ("ALTER ROLE x PASSWORD 'cut of", "ALTER ROLE x PASSWORD '…'"),
        ("DO $body$ secret $body$; SELECT 1", "DO '…'; SELECT 1"),
        ("SELECT $$ never ended", "SELECT '…'"),
        ("SELECT $1, a FROM b", "SELECT $1, a FROM b"),
    ],
)
def test_statements_are_shown_without_their_values(sql: str, said: str) -> None:
    assert statement(sql) == said

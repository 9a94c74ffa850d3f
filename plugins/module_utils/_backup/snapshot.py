# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One moment of a database, held by a psql: pg_dump reads it, and what a restore must show again is counted in it.

Rows are counted by the server while pg_dump reads: both see the same snapshot, so that nothing waits for the other.
Sequences are no part of any snapshot. They are read before the dump begins, so that a restored one is never behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .._core.errors import OptionError
from . import stream
from .postgres_tools import Login, explained

ROWS = "rows"
NONE = "none"
_MARK = "--8<-- nexuscos --8<--"
_LOOK_EVERY = 0.5
_TAKE = 1 << 16

# What pg_dump does for itself as well: nothing cuts the session off while it holds the snapshot, nobody's functions
# stand in the way of the server's own, and a policy on rows is an error and not a smaller number. When psql is killed,
# the server need not count to the end.
_BEGIN = """
SET client_encoding = 'UTF8';
SET search_path = pg_catalog;
SELECT count(set_config(name, '0', false)) FROM pg_settings WHERE name IN ('statement_timeout', 'lock_timeout',
 'transaction_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout');
SELECT count(set_config(name, '10s', false)) FROM pg_settings WHERE name = 'client_connection_check_interval';
SET row_security = off;
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
"""
_WHERE = """
SELECT json_build_object(
 'snapshot', pg_export_snapshot(),
 'at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
 'standby', pg_is_in_recovery(),
 'lsn', CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END);
"""
# What pg_dump leaves out: the server's own schemas, and what belongs to an extension.
_OWN = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
_NO_MEMBER = (
    "NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = '{of}'::regclass AND d.objid = {oid} AND d.deptype = 'e')"
)
_OF_CLASS = _NO_MEMBER.format(of="pg_class", oid="c.oid")
_SEQUENCES = f"""
SELECT coalesce(json_object_agg(quote_ident(n.nspname) || '.' || quote_ident(c.relname),
  CASE WHEN has_sequence_privilege(c.oid, 'SELECT') THEN pg_sequence_last_value(c.oid) END), '{{}}')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND {_OWN} AND {_OF_CLASS} AND (c.relpersistence = 'p' OR NOT pg_is_in_recovery());
"""  # noqa: S608
# Constraints of partitions and the "not null" ones of PostgreSQL 18 come and go with the version; the others stay.
_COUNTS = f"""
WITH n AS MATERIALIZED (SELECT oid, nspname FROM pg_namespace n WHERE {_OWN}),
c AS MATERIALIZED (SELECT c.oid, c.relkind, c.relispartition FROM pg_class c JOIN n ON n.oid = c.relnamespace
 WHERE {_OF_CLASS})
SELECT json_build_object(
 'schemas', (SELECT count(*) FROM n WHERE {_NO_MEMBER.format(of="pg_namespace", oid="n.oid")}),
 'views', (SELECT count(*) FROM c WHERE relkind IN ('v', 'm')),
 'constraints', (SELECT count(*) FROM pg_constraint k JOIN n ON n.oid = k.connamespace
  WHERE k.contype IN ('c', 'f', 'p', 'u', 'x') AND k.conparentid = 0
  AND (k.conrelid = 0 OR k.conrelid IN (SELECT oid FROM c))),
 'indexes', (SELECT count(*) FROM pg_index i JOIN c ON c.oid = i.indrelid
  WHERE (i.indisvalid OR c.relkind = 'p') AND i.indisready),
 'triggers', (SELECT count(*) FROM pg_trigger t JOIN c ON c.oid = t.tgrelid
  WHERE NOT t.tgisinternal AND t.tgparentid = 0),
 'functions', (SELECT count(*) FROM pg_proc p JOIN n ON n.oid = p.pronamespace
  WHERE {_NO_MEMBER.format(of="pg_proc", oid="p.oid")}),
 'large_objects', (SELECT count(*) FROM pg_largeobject_metadata));
"""  # noqa: S608
_EXTENSIONS = "SELECT coalesce(json_agg(extname ORDER BY extname), '[]') FROM pg_extension;"
_TABLES = f"""SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND {_OWN} AND {_OF_CLASS} AND (c.relpersistence = 'p'
     OR c.relpersistence = 'u' AND NOT pg_is_in_recovery())
    ORDER BY 1"""  # noqa: S608
_HOLD = f"""
DO $nexuscos$
DECLARE
  one record;
BEGIN
  FOR one IN {_TABLES}
  LOOP
    EXECUTE 'LOCK TABLE ONLY ' || one.name || ' IN ACCESS SHARE MODE';
  END LOOP;
END
$nexuscos$;
"""
_ROWS = f"""
DO $nexuscos$
DECLARE
  one record; counted bigint; names text[] := '{{}}'; counts text[] := '{{}}';
BEGIN
  FOR one IN {_TABLES}
  LOOP
    EXECUTE 'SELECT count(*) FROM ONLY ' || one.name INTO counted;
    names := array_append(names, one.name);
    counts := array_append(counts, counted::text);
  END LOOP;
  PERFORM set_config('nexuscos.answer', coalesce(json_object(names, counts)::text, '{{}}'), true);
END
$nexuscos$;
SELECT current_setting('nexuscos.answer');
"""  # noqa: S608


class Snapshot:
    """A transaction that stays open until :meth:`close`.

    :ivar name: for ``pg_dump --snapshot``; position: ``lsn``, ``at`` and ``standby``, as of the snapshot.
    :raises EngineError: no connection, or an error of the server.
    """

    def __init__(self, login: Login, psql: str, until: float) -> None:
        self._until = until
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._taken = b""
        self._counting = False
        self.name = ""
        argv = [psql, "-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1"]
        # Looks at the server's sessions leave pg_dump its long transaction; this is a part of it.
        environment = {**login.environment(), "PGAPPNAME": "pg_dump"}
        try:
            self._process = stream.start(login.command(argv), environment, self._errors, talk=True)
        except BaseException:
            self._errors.close()
            raise
        try:
            self._send(login.first_input().decode() + _BEGIN)
            told = json.loads(self._answer(_WHERE).splitlines()[-1])
        except BaseException:
            self.close()
            raise
        self.name = told.pop("snapshot")
        self.position: dict[str, Any] = told

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the snapshot."""
        stream.stop(self._process)
        self._errors.close()

    def hold(self) -> None:
        """Keep all tables as they are, for pg_dump and the count: a TRUNCATE between them would empty one of both."""
        self._answer(_HOLD)

    def structure(self) -> dict[str, Any]:
        """``sequences`` with their last values, ``counts`` of objects, ``extensions``."""
        return {
            "sequences": json.loads(self._answer(_SEQUENCES)),
            "counts": json.loads(self._answer(_COUNTS)),
            "extensions": json.loads(self._answer(_EXTENSIONS)),
        }

    def value(self, name: str, query: str) -> Any:
        """The one value that a query answers.

        :raises OptionError: it is no query that answers one value.
        """
        tag = "$q$"
        while tag in query:
            tag = tag[:-1] + "q$"
        # The query stands in quotes until the server runs it: nothing in it is taken for a command of psql.
        body = (
            f"DECLARE answer json; BEGIN EXECUTE 'SELECT pg_catalog.json_agg(pg_catalog.row_to_json(q)) FROM (' || "  # noqa: S608
            f"{tag}{query.strip().rstrip(';')}\n{tag} || ') AS q' INTO answer; "
            "PERFORM pg_catalog.set_config('nexuscos.answer', coalesce(answer::text, '[]'), true); END"
        )
        outer = "$o$"
        while outer in body:
            outer = outer[:-1] + "o$"
        sql = (
            "RESET search_path;\n"
            f"DO {outer}{body}{outer};\nSET search_path = pg_catalog;\nSELECT current_setting('nexuscos.answer');\n"
        )
        try:
            rows = json.loads(self._answer(sql))
        except stream.EngineError as error:
            raise OptionError(f"queries: {name}: {error}") from None
        if len(rows) != 1 or len(rows[0]) != 1:
            columns = len(rows[0]) if rows else 0
            raise OptionError(
                f"queries: {name}: want one row with one value, got {len(rows)} rows"
                + (f" of {columns} values" if rows else "")
            )
        return next(iter(rows[0].values()))

    def count(self) -> None:
        """Let the server begin to count the rows of all tables; :meth:`counted` has them."""
        self._send(_ROWS + f"\\echo {_MARK}\n")
        self._counting = True

    def counted(self) -> dict[str, int]:
        """Rows by table, ``{public.orders: 4711}``."""
        self._counting = False
        return {name: int(count) for name, count in json.loads(self._take()).items()}

    def check(self) -> None:
        """See that the snapshot is still held: without it a dump cannot go on, or is of no use.

        :raises EngineError: psql has ended; the text says why.
        """
        if self._process.poll() is not None:
            raise self._gone()

    def _send(self, text: str) -> None:
        if self._process.stdin is None:
            raise AssertionError("self._process.stdin is None")
        try:
            self._process.stdin.write(text.encode())
            self._process.stdin.flush()
        except OSError:
            raise self._gone() from None

    def _answer(self, sql: str) -> str:
        self._send(f"{sql}\\echo {_MARK}\n")
        return self._take()

    def _take(self) -> str:
        """What psql prints up to the mark."""
        mark = (_MARK + "\n").encode()
        if self._process.stdout is None:
            raise AssertionError("self._process.stdout is None")
        source = self._process.stdout.fileno()
        while mark not in self._taken:
            if select.select([source], [], [], _LOOK_EVERY)[0]:
                piece = os.read(source, _TAKE)
                if not piece:
                    raise self._gone()
                self._taken += piece
            elif time.monotonic() > self._until:
                raise stream.EngineError("psql was not done in time")
        answer, self._taken = self._taken.split(mark, 1)
        return answer.decode(errors="replace").strip()

    def _gone(self) -> stream.EngineError:
        """psql has ended before it was told to."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        self._errors.seek(0)
        lines = self._errors.read(_TAKE).decode(errors="replace").splitlines()
        status = self._process.poll() or 0
        if not status and not lines:
            if not self.name:
                return stream.EngineError(
                    "psql got no input: command_prefix must pass standard input on (kubectl exec -i)"
                )
            return stream.EngineError("psql ended early and well: the stream to it has broken off")
        return explained(stream.EngineError(stream.said("psql", status, lines)))


def queries(given: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The user's queries by name.

    :raises OptionError: two have one name, or one is empty.
    """
    found: dict[str, str] = {}
    for one in given:
        if one["name"] in found:
            raise OptionError(f"queries: {one['name']} stands there twice")
        if not one["query"].strip().rstrip(";"):
            raise OptionError(f"queries: {one['name']} is empty")
        found[one["name"]] = one["query"]
    return found

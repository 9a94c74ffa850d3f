# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove sets of PostgreSQL: dumps are restored into a scratch server, copies of a server are started as one."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import shutil
import tarfile
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .._core.errors import OpsError, OptionError
from . import pgdump, plain_file, postgres_base, postgres_load, psql, readers, scratch_postgres, sql_text, stream
from .postgres_load import GLOBALS, Bad, Dump
from .postgres_tools import Login, WrongTool, left
from .run_backup import human
from .snapshot import Snapshot
from .verify import Engine, Job, Refuted, check_made

_NAMED = 3
# Restored, a database takes a few times what its packed dump does; the source's own size is better where it is known.
_UNPACKED = 4
_BATCH = 200
_WALKED = 1 << 20

_OWNED_SEQUENCES = """
SELECT format('%I.%I', n.nspname, s.relname), format('%I.%I', tn.nspname, t.relname), quote_ident(a.attname),
  q.seqincrement > 0
FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_namespace n ON n.oid = s.relnamespace
JOIN pg_sequence q ON q.seqrelid = s.oid JOIN pg_class t ON t.oid = d.refobjid
JOIN pg_namespace tn ON tn.oid = t.relnamespace
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
  AND NOT q.seqcycle AND t.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' ORDER BY 1
"""
_NOT_VALIDATED = """
SELECT format('%I.%I', n.nspname, t.relname), quote_ident(k.conname)
FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE NOT k.convalidated ORDER BY 1, 2
"""
_INVALID_INDEXES = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT (i.indisvalid AND i.indisready) AND c.relkind = 'i' AND n.nspname !~ '^pg_toast' ORDER BY 1
"""
DATABASES = "SELECT datname FROM pg_database WHERE datallowconn AND datname <> 'template1' ORDER BY 1"


class DumpEngine:
    """Sets by pg_dump."""

    most = 5

    def read(self, job: Job) -> dict[str, Any]:
        """By pg_restore to nowhere, and a directory by our own reader as well: pg_restore passes over a cut file."""
        dump = dump_of(job)
        told = {os.path.basename(dump.path): read_dump(job, dump)}
        if dump.roles:
            answer = readers.read(dump.roles, "sql", job.until, tools=False)
            _sound(answer, GLOBALS)
            told[GLOBALS] = answer["how"]
        return {"read": told}

    @contextlib.contextmanager
    def restored(self, job: Job) -> Iterator[RestoredDump]:
        """Roles first, then the dump; the first error ends it."""
        dump = dump_of(job)
        version = dump.major or psql.major(job.known.server)
        check_room(job.scratch_dir, int(job.known.source.get("bytes") or 0) or job.known.bytes * _UNPACKED)
        with scratch_postgres.started(job.bin_dir, version, job.scratch_dir) as server:
            clock = time.monotonic()
            try:
                database, details = load(server, dump, job)
            except Bad as error:
                raise Refuted(f"it cannot be restored: {error}") from None
            yield RestoredDump(server, database, time.monotonic() - clock, details)


class RestoredDump:
    """A database in a scratch server. See :class:`verify.Restored`."""

    def __init__(self, server: psql.Server, database: str, seconds: float, details: dict[str, Any]) -> None:
        self._server, self._database = server, database
        self.seconds, self.details = seconds, details

    def invariants(self, job: Job) -> dict[str, Any]:
        """See :func:`invariants`."""
        return invariants(
            self._server, self._database, job.known.invariants, job.until, job.accept, job.odd, validate=True
        )

    def smoke(self, job: Job) -> dict[str, Any]:
        """The queries of the application."""
        return {"asked": ask(self._server, self._database, job.smoke, job.until)}


class BaseEngine:
    """Copies of a whole server, by pg_basebackup."""

    most = 5

    def read(self, job: Job) -> dict[str, Any]:
        """Against the server's own manifest, and its WAL by pg_waldump."""
        major = psql.major(job.known.server) or 0
        try:
            how = postgres_base.read_base(job.path(postgres_base.FOLDER), major, job.until, _bin_of(job, major))
        except postgres_base.Broken as error:
            raise Refuted(str(error)) from None
        return {"read": {postgres_base.FOLDER: how}}

    @contextlib.contextmanager
    def restored(self, job: Job) -> Iterator[RestoredServer]:
        """Unpack the copy, let it recover, and wait until it takes connections."""
        major = psql.major(job.known.server)
        check_room(job.scratch_dir, max(int(job.known.source.get("bytes") or 0), job.known.bytes))
        with scratch_postgres.workspace(job.bin_dir, major, exact=True, parent=job.scratch_dir) as scratch:
            clock = time.monotonic()
            try:
                unpack(job.path(postgres_base.FOLDER), scratch, job)
            except (tarfile.TarError, EOFError, zlib.error) as error:
                raise Refuted(f"it cannot be unpacked: {error}") from None
            except OSError as error:
                raise OpsError(f"{error.filename or scratch.folder}: {error.strerror or error}") from error
            settings = {"max_prepared_transactions": 100}
            try:
                with contextlib.ExitStack() as stack:
                    server = stack.enter_context(scratch.running(settings, seconds=job.left()))
                    seconds = time.monotonic() - clock
                    if not knows_us(server, job.left()):
                        stack.close()
                        user = scratch.superuser(settings, job.left())
                        server = stack.enter_context(scratch.running(settings, user, job.left()))
                    yield RestoredServer(server, seconds, {"server": str(scratch.version)})
            except scratch_postgres.NotStarted as error:
                job.in_time()
                raise Refuted(f"the copy does not start: {error}") from None


class RestoredServer:
    """A copy of a server that takes connections. See :class:`verify.Restored`."""

    def __init__(self, server: psql.Server, seconds: float, details: dict[str, Any]) -> None:
        self._server, self.seconds, self.details = server, seconds, details

    def invariants(self, job: Job) -> dict[str, Any]:
        """All databases are there, and every table and index of them is whole, as pg_amcheck reads them."""
        there = [row[0] for row in self._server.ask(DATABASES, seconds=job.left())]
        missing = sorted(set(job.known.invariants.get("databases") or []) - set(there) - {"template1"})
        if missing:
            raise Refuted(f"databases are missing: {_some(missing)}")
        told: dict[str, Any] = {"databases": {}, "summary": f"{len(there)} databases"}
        for name in there:
            told["databases"][name] = invariants(self._server, name, {}, job.until, job.accept, job.odd, validate=False)
        rows = sum(one["rows"] for one in told["databases"].values())
        tables = sum(one["tables"] for one in told["databases"].values())
        told["summary"] = f"{len(there)} databases, {tables} tables, {rows:,} rows"
        told["amcheck"] = self._amcheck(job)
        return told

    def smoke(self, job: Job) -> dict[str, Any]:
        """The queries of the application, in the database that they name, or that the set was made from."""
        database = str(job.known.source.get("database") or "postgres")
        return {"asked": ask(self._server, database, job.smoke, job.until)}

    def _amcheck(self, job: Job) -> str:
        command = [
            self._server.tool("pg_amcheck"),
            "--all",
            "--install-missing",
            "--no-password",
            "--jobs",
            str(job.jobs),
        ]
        if not os.access(command[0], os.X_OK):
            job.odd.append("pg_amcheck is not there: tables and indexes were counted, and not read for damage")
            return "not there"
        try:
            stream.run(command, self._server.environment, job.left())
        except stream.EngineError as error:
            job.in_time()
            if "extension control file" in str(error) or "is not available" in str(error):
                job.odd.append(
                    "the extension amcheck is not there: tables and indexes were counted, not read for damage"
                )
                return "not there"
            raise Refuted(f"tables or indexes are damaged: {error}") from None
        return "tables and indexes are whole"


def dump_of(job: Job) -> Dump:
    """The dump in a set, whose head says what the manifest says.

    :raises Refuted: it is of another database, or of another day.
    """
    names = [file.path for file in job.known.files]
    inside = next((os.path.dirname(name) for name in names if os.path.basename(name) == "toc.dat"), None)
    main = inside or next((name for name in names if name != GLOBALS), None)
    if main is None:
        raise Refuted("its manifest names no dump")
    roles = job.path(GLOBALS) if GLOBALS in names else None
    try:
        if not os.path.isdir(job.path(main)) and os.path.getsize(job.path(main)) == 0:
            raise Refuted(f"{main} is empty")
        dump = postgres_load.describe(job.path(main), job.known.format, roles)
    except Bad as error:
        raise Refuted(str(error)) from None
    except OSError as error:
        raise Refuted(f"{main}: {error.strerror}") from None
    wanted = job.known.source.get("database")
    if wanted and dump.database and dump.database != wanted:
        raise Refuted(f"{main} is a dump of {dump.database}, and the manifest is of {wanted}: it is another database's")
    if dump.format != "sql":
        check_made(job.known, _made(dump))
    return dump


def read_dump(job: Job, dump: Dump) -> str:
    """Level 2 of a dump."""
    name = os.path.basename(dump.path)
    if dump.format == "sql":
        try:
            text = postgres_load.check_sql(dump.path, job.until)
        except Bad as error:
            raise Refuted(str(error)) from None
        why = text.only_structure() or (sql_text.CONVERTED if text.converted else None)
        if why:
            raise Refuted(f"{name}: {why}")
        _compare_text(name, text, job.known.invariants.get("tables") or {})
        return "its last line is that of a whole dump"
    how = []
    with ThreadPoolExecutor(1) as pool:
        # pg_restore reads the blocks that it knows of, and passes over what lies behind them.
        walked = pool.submit(_walk, job, dump)
        how += _by_engine(job, dump)
        walked.result()
    if not how or dump.format == "pg_directory":
        how.append(_sound(readers.read(dump.path, dump.format, job.until, tools=False), name))
    return ", ".join(how)


def _by_engine(job: Job, dump: Dump) -> list[str]:
    """What has read a dump to its end: pg_restore, where one is here that can."""
    with contextlib.suppress(WrongTool):
        wanted = dump.major or psql.major(job.known.server) or 0
        program = Login(bin_dir=_bin_of(job, wanted)).fitting("pg_restore", wanted, job.until, newer=True)
        try:
            stream.work(
                [program, "--file", os.devnull, dump.path], os.path.dirname(dump.path), {"LC_ALL": "C"}, None, job.until
            )
        except stream.EngineError as error:
            failure = postgres_load.judged(error, job.until)
            if isinstance(failure, Bad):
                raise Refuted(f"{os.path.basename(dump.path)}: {failure}") from None
            # Out of memory, for one, is also what garbage leads to where a length should stand.
            answer = readers.read(dump.path, dump.format, job.until, tools=False)
            if answer["status"] == "bad":
                raise Refuted(f"{os.path.basename(dump.path)}: {answer['why']}") from None
            raise failure from None
        return ["pg_restore"]
    return []


def _walk(job: Job, dump: Dump) -> None:
    """What a dump itself tells, beside what the manifest does, and where the last of its blocks ends.

    :raises Refuted: it holds less than was saved, or more than a dump.
    """
    name = os.path.basename(dump.path)
    try:
        if dump.format == "pg_directory":
            with plain_file.opened(os.path.join(dump.path, "toc.dat")) as file:
                found = pgdump.header(file)
        else:
            with plain_file.opened(dump.path, _WALKED) as file:
                found = pgdump.walk(readers.timed(file, job.until), unpack=False)
    except pgdump.Unknown:
        return
    except pgdump.Damaged as error:
        raise Refuted(f"{name}: {error}") from None
    except readers.OutOfTime:
        raise OpsError("there was no time to finish the verification: give it a longer deadline") from None
    major, told = psql.major(found.server), psql.major(job.known.server)
    if major and told and major != told:
        raise Refuted(f"{name} is of a server of version {major}, and the manifest says {told}: it is another's")
    why = found.only_structure()
    without = found.without_rows(job.known.invariants.get("tables") or {})
    if without and not why:
        why = f"it holds no rows of {_some(without)}, which had some when the set was made"
    if why:
        raise Refuted(f"{name}: {why}")


def _compare_text(name: str, text: sql_text.Text, wanted: Mapping[str, int]) -> None:
    """Rows of a plain dump beside those of the manifest. A dump by INSERT tells none."""
    there = {sql_text.names(table): rows for table, rows in text.rows.items()}
    wrong = [
        f"{there.get(sql_text.names(table), 0):,} rows of {table} are there, want {rows:,}"
        for table, rows in sorted(wanted.items())
        if there and there.get(sql_text.names(table), 0) != rows
    ]
    if wrong:
        raise Refuted(f"{name}: {_some(wrong, '; ')}")


def load(server: psql.Server, dump: Dump, job: Job) -> tuple[str, dict[str, Any]]:
    """Restore a dump into an empty server; the name of the database, and what was done.

    :raises Bad: the dump cannot be restored.
    """
    database = dump.database or str(job.known.source.get("database") or job.one.system)
    details: dict[str, Any] = {"server": server.answer("SHOW server_version"), "roles": 0}
    if database in ("postgres", "template0", "template1"):
        database = "restored_" + database
    arguments: list[str] = ["--no-tablespaces", "--no-subscriptions"]
    if dump.roles:
        details["roles"] = len(postgres_load.load_roles(server, dump.roles, job.until))
    else:
        # Who owned what stands in the dump, and the roles do not: nobody can own it here.
        arguments += ["--no-owner", "--no-privileges"]
        details["owners"] = "not restored: the set has no roles"
    later = postgres_load.create(server, dump, database, job.until, job.odd)
    if dump.format == "sql":
        postgres_load.load_sql(server, dump, database, job.until)
    else:
        postgres_load.load_archive(server, dump, database, job.jobs, job.until, arguments)
    job.odd += postgres_load.set_up(server, later, bool(dump.roles), job.until)
    return database, details


def invariants(
    server: psql.Server,
    database: str,
    wanted: Mapping[str, Any],
    until: float,
    accept: Sequence[str] = (),
    odd: list[str] | None = None,
    validate: bool = False,
    only: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Level 4: what a restored database must show.

    Rows of each table, values of sequences, and numbers of objects are those of the manifest, as of the moment of the
    dump; no index is invalid, no sequence will give out a number that is taken; the manifest's queries answer the same.

    :param accept: names or globs of sequences, constraints and indexes whose trouble is known.
    :param odd: gets what is to be known and refutes nothing.
    :param validate: try constraints that were never validated (NOT VALID); only where the database is nobody's.
    :param only: names of tables, where no others were restored.
    :raises Refuted: one of them is not so; named.
    """
    odd = [] if odd is None else odd
    login = server.of(database)
    with Snapshot(login, server.tool("psql"), until) as moment:
        found = moment.structure()
        moment.count()
        counted = moment.counted()
    _compare_rows(wanted.get("tables") or {}, counted, only, odd)
    if only is None:
        _compare_objects(wanted, found, odd)
        for name, one in (wanted.get("queries") or {}).items():
            value = _value(server, database, str(name), str(one["query"]), until)
            if value != one["value"]:
                raise Refuted(f"query {name} answers {value!r}, and answered {one['value']!r} when the set was made")
    _sequences(server, database, until, accept)
    invalid = [row[0] for row in server.ask(_INVALID_INDEXES, database, left(until)) if not _accepted(row[0], accept)]
    if invalid:
        raise Refuted(f"indexes are invalid: {_some(invalid)}")
    pending = [
        (table, name)
        for table, name in server.ask(_NOT_VALIDATED, database, left(until))
        if not _accepted(f"{table}.{name}", accept) and not _accepted(name, accept)
    ]
    for table, name in pending:
        if not validate:
            odd.append(f"constraint {name} of {table} was never validated, at the source neither")
            continue
        try:
            server.ask(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}", database, left(until))
        except stream.EngineError as error:
            why = postgres_load.without_rows(str(error))
            raise Refuted(f"constraint {name} of {table} does not hold: {why}") from None
    rows = sum(counted.values())
    return {
        "tables": len(counted),
        "rows": rows,
        "compared": len(wanted.get("tables") or {}),
        "sequences": len(found["sequences"]),
        "queries": len(wanted.get("queries") or {}) if only is None else 0,
        "summary": f"{len(counted)} tables, {rows:,} rows",
    }


def ask(server: psql.Server, database: str, queries: Sequence[Mapping[str, Any]], until: float) -> int:
    """Level 5: each query answers what it should; how many were asked.

    :raises Refuted: one does not.
    """
    for number, one in enumerate(queries, 1):
        name = str(one.get("name") or f"smoke {number}")
        value = _value(server, str(one.get("database") or database), name, str(one["query"]), until)
        if not same(value, one["answer"]):
            raise Refuted(f"{name} answers {value!r}, want {one['answer']!r}")
    return len(queries)


def same(value: Any, answer: Any) -> bool:
    """Is that the answer? Playbooks write numbers and truth as texts, too."""
    if isinstance(value, bool) or isinstance(answer, bool):
        return str(value).lower() == str(answer).lower()
    return bool(value == answer) or str("" if value is None else value) == str("" if answer is None else answer)


def unpack(folder: str, scratch: scratch_postgres.Scratch, job: Job) -> None:
    """Lay a copy of a server out as a scratch server's data.

    Nothing in it may lead out of the scratch folder: tablespaces lie beside the data, and what the server would do for
    the original (archive, stream, recover to a point) is taken out.
    """
    spaces = os.path.join(scratch.folder, "t")
    os.makedirs(scratch.data, mode=0o700)
    os.makedirs(spaces, mode=0o700)
    if os.path.exists(os.path.join(folder, "PG_VERSION")):
        shutil.copytree(folder, scratch.data, dirs_exist_ok=True)
    else:
        for name in sorted(os.listdir(folder)):
            stem = name.split(".tar", 1)[0]
            if ".tar" not in name:
                continue
            place = {"base": scratch.data, "pg_wal": os.path.join(scratch.data, "pg_wal")}.get(stem)
            if place is None:
                place = os.path.join(spaces, stem)
            os.makedirs(place, mode=0o700, exist_ok=True)
            _extract(os.path.join(folder, name), place, job)
    for name in ("standby.signal", "recovery.signal", "postmaster.pid", "postgresql.auto.conf"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(scratch.data, name))
    with open(os.path.join(scratch.data, "postgresql.auto.conf"), "w", encoding="utf-8"):
        pass
    _lead_tablespaces(scratch.data, spaces)
    os.chmod(scratch.data, 0o700)
    scratch.give(scratch.data)
    scratch.give(spaces)


def check_room(scratch_dir: str, wanted: int) -> None:
    """Refuse early what would fill a disk.

    :raises OpsError: there is less room.
    """
    folder = scratch_dir or scratch_postgres.FOLDER
    try:
        found = os.statvfs(folder)
    except OSError as error:
        raise OpsError(f"scratch_dir: {folder}: {error.strerror}") from error
    free = found.f_bavail * found.f_frsize
    if free < wanted:
        raise OpsError(
            f"scratch_dir: {folder} has {human(free)} free, and a restore takes about {human(wanted)}: "
            "name another folder"
        )


def _extract(archive: str, place: str, job: Job) -> None:
    """Files and folders of an archive. A link in it would lead elsewhere (to the live tablespaces), and is left."""
    with postgres_base.archive_of(archive) as opened:
        for member in opened:
            job.in_time()
            path = os.path.normpath(os.path.join(place, member.name))
            if path != place and not path.startswith(place + os.sep):
                raise Refuted(f"{os.path.basename(archive)}: {member.name!r} leads out of it")
            if member.isdir():
                os.makedirs(path, mode=0o700, exist_ok=True)
            elif member.isfile():
                os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
                content = opened.extractfile(member)
                if content is None:
                    raise AssertionError("content is None")
                with open(path, "wb") as out:
                    shutil.copyfileobj(content, out, 1 << 20)


def _lead_tablespaces(data: str, spaces: str) -> None:
    """Tablespaces of a copy are found below the scratch folder, and nowhere else."""
    links, map_file = os.path.join(data, "pg_tblspc"), os.path.join(data, "tablespace_map")
    names = set(os.listdir(spaces))
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(links):
            path = os.path.join(links, name)
            if os.path.islink(path):
                os.unlink(path)
    os.makedirs(links, mode=0o700, exist_ok=True)
    if os.path.exists(map_file):
        with open(map_file, encoding="utf-8", errors="surrogateescape") as file:
            listed = {line.split(" ", 1)[0] for line in file.read().splitlines() if line}
        missing = sorted(listed - names)
        if missing:
            raise Refuted(f"tablespaces are missing: {_some(missing)}")
        with open(map_file, "w", encoding="utf-8") as file:
            file.writelines(f"{name} {os.path.join(spaces, name)}\n" for name in sorted(names))
    for name in names:
        os.symlink(os.path.join(spaces, name), os.path.join(links, name))


def _compare_rows(wanted: Mapping[str, Any], counted: Mapping[str, int], only: Any, odd: list[str]) -> None:
    names = set(wanted) if only is None else set(wanted) & set(only)
    missing = sorted(names - set(counted))
    if missing:
        raise Refuted(f"tables are missing: {_some(missing)}")
    wrong = [
        f"{name} has {counted[name]:,} rows, want {int(wanted[name]):,}"
        for name in sorted(names)
        if counted[name] != wanted[name]
    ]
    if wrong:
        raise Refuted(_some(wrong, "; "))
    more = sorted(set(counted) - set(wanted)) if wanted and only is None else []
    if more:
        odd.append(f"tables are there that the manifest does not know: {_some(more)}")


def _compare_objects(wanted: Mapping[str, Any], found: Mapping[str, Any], odd: list[str]) -> None:
    for what, count in (wanted.get("counts") or {}).items():
        there = found["counts"].get(what)
        name = str(what).replace("_", " ")
        if there is not None and there < count:
            raise Refuted(f"{there} {name} are there, want {count}")
        if there is not None and there > count:
            odd.append(f"{there} {name} are there, {count} were at the source")
    missing = sorted(set(wanted.get("extensions") or []) - set(found["extensions"]))
    if missing:
        raise Refuted(f"extensions are missing: {_some(missing)}")
    sequences = wanted.get("sequences") or {}
    gone = sorted(set(sequences) - set(found["sequences"]))
    if gone:
        raise Refuted(f"sequences are missing: {_some(gone)}")
    # They were read before the dump began: what the dump has is the same or further on.
    unset = [name for name in sorted(sequences) if sequences[name] is not None and found["sequences"][name] is None]
    if unset:
        raise Refuted(f"sequences begin anew: {_some(unset)}")


def _sequences(server: psql.Server, database: str, until: float, accept: Sequence[str]) -> None:
    owned = [row for row in server.ask(_OWNED_SEQUENCES, database, left(until)) if not _accepted(row[0], accept)]
    behind = []
    for start in range(0, len(owned), _BATCH):
        sql = " UNION ALL ".join(
            f"SELECT {psql.literal(name)}, ({'max' if up == 't' else 'min'}({column}))::numeric, "  # noqa: S608
            f"(SELECT CASE WHEN is_called THEN last_value END FROM {name})::numeric, {psql.literal(up)} FROM {table}"
            for name, table, column, up in owned[start : start + _BATCH]
        )
        for name, largest, last, up in server.ask(sql, database, left(until)):
            if largest and (not last or (int(last) - int(largest)) * (1 if up == "t" else -1) < 0):
                behind.append(f"{name} gives out {last or 'its first number'}, and {largest} is taken")
    if behind:
        raise Refuted(f"sequences are behind: {_some(behind, '; ')}. Where that is so at the source, accept names them")


def _value(server: psql.Server, database: str, name: str, query: str, until: float) -> Any:
    with Snapshot(server.of(database), server.tool("psql"), until) as moment:
        try:
            return moment.value(name, query)
        except OptionError as error:
            raise Refuted(str(error)) from None


def knows_us(server: psql.Server, seconds: float) -> bool:
    """Whether the role that we log in as is there: the first role of a server is not always postgres."""
    try:
        server.answer("SELECT 1", seconds=seconds)
    except stream.EngineError as error:
        if 'role "postgres" does not exist' in str(error):
            return False
        raise
    return True


def _made(dump: Dump) -> str | None:
    path = os.path.join(dump.path, "toc.dat") if dump.format == "pg_directory" else dump.path
    with contextlib.suppress(OSError, pgdump.Damaged), open(path, "rb") as file:
        return pgdump.header(file).made
    return None


def _bin_of(job: Job, version: int) -> str:
    """The folder of the programs, where `bin_dir` is one that holds those of several versions."""
    if not job.bin_dir:
        return ""
    there = [folder for folder in psql.folders(job.bin_dir) if os.path.exists(os.path.join(folder, "pg_restore"))]
    return next(
        (one for one in there if psql.installed(one, "pg_restore") == version), there[0] if there else job.bin_dir
    )


def _sound(answer: readers.Answer, name: str) -> str:
    if answer["status"] == "bad":
        raise Refuted(f"{name}: {answer['why']}")
    if answer["status"] != "ok":
        raise OpsError(f"{name}: {answer['why']}")
    return str(answer["how"])


def _accepted(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _some(names: Sequence[str], between: str = ", ") -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return between.join(names[:_NAMED]) + more


ENGINES: dict[str, Engine] = {
    "pg_custom": DumpEngine(),
    "pg_directory": DumpEngine(),
    "sql": DumpEngine(),
    "pg_base_tar": BaseEngine(),
    "pg_base_plain": BaseEngine(),
}

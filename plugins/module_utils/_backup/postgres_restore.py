# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore a dump into a database of a server, beside what is there; then let it take the name.

What is restored lies in ``<database>_restoring_<stamp>`` until it has been proven. Only then names change, both in one
transaction: a process that is killed, a server that crashes, a client that does not let go leave the live database as
it was. It stays as ``<database>_before_<stamp>``, and the way back is the same change of names.
"""

from __future__ import annotations

import contextlib
import fnmatch
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from typing import Any

from .._core.argspec import ArgSpec
from .._core.errors import OpsError, OptionError
from .._core.threshold import nearest
from . import (
    layout,
    lock,
    manifest,
    postgres_dump,
    postgres_load,
    psql,
    run_backup,
    scratch_postgres,
    sets,
    stream,
    verify,
    verify_postgres,
)
from .manifest import Manifest, Proof
from .postgres_load import Bad, Dump
from .postgres_tools import left, postgres_spec
from .run_backup import human
from .verify import Job, Refuted

DEADLINE = 4 * 3600.0
RESTORING, BEFORE, UNDONE = "restoring", "before", "undone"
_LONGEST_NAME = 63
_MARK = "nexuscos: being restored, begun "
_ASK_EVERY = 0.2
_UNPACKED = 4
_UNPROVEN = "this set was never restored for proof: it is proven in its copy before it gets the name"
_HERE = ("", "localhost", "127.0.0.1", "::1")
# Values of these are lists of names, which are stored as they are written.
_LISTS = (
    "search_path", "temp_tablespaces", "local_preload_libraries", "session_preload_libraries",
    "shared_preload_libraries", "unix_socket_directories",
)  # fmt: skip
_LIVE = """
SELECT json_build_object(
 'oid', d.oid, 'bytes', pg_database_size(d.oid), 'owner', pg_get_userbyid(d.datdba),
 'encoding', pg_encoding_to_char(d.encoding), 'row', to_jsonb(d), 'comment', shobj_description(d.oid, 'pg_database'),
 'tablespace', (SELECT spcname FROM pg_tablespace t WHERE t.oid = d.dattablespace),
 'settings', (SELECT coalesce(json_agg(json_build_array(CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole) END,
   s.setconfig)), '[]') FROM pg_db_role_setting s WHERE s.setdatabase = d.oid),
 'rights', (SELECT coalesce(json_agg(json_build_array(CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END,
   a.privilege_type, a.is_grantable)), '[]') FROM aclexplode(d.datacl) a),
 'prepared', (SELECT count(*) FROM pg_prepared_xacts x WHERE x.database = d.datname),
 'slots', (SELECT coalesce(json_agg(r.slot_name ORDER BY r.slot_name), '[]') FROM pg_replication_slots r
   WHERE r.database = d.datname),
 'connections', (SELECT coalesce(json_agg(json_build_object('user', usename, 'application', application_name,
   'client', coalesce(host(client_addr), 'socket'), 'count', n) ORDER BY n DESC, usename), '[]')
   FROM (SELECT usename, application_name, client_addr, count(*) AS n FROM pg_stat_activity
     WHERE datname = d.datname AND pid <> pg_backend_pid() AND backend_type IN ('client backend', 'walsender')
     GROUP BY 1, 2, 3) a))
FROM pg_database d WHERE d.datname ="""


@dataclass(frozen=True)
class Source:
    """What is restored.

    :ivar dump: the file or folder; bytes: of it; needed: that it takes when it is restored, about.
    :ivar one, known: the set that it is of, and its manifest; None of a file by itself.
    """

    dump: Dump
    bytes: int
    needed: int
    one: layout.Set | None = None
    known: Manifest | None = None


def spec() -> ArgSpec:
    """The options of postgres_restore."""
    own = ArgSpec(
        {
            "state": {"type": "str", "choices": ["restored", "undone"], "default": "restored"},
            "database": {"type": "str", "required": True},
            "confirm": {"type": "str", "default": ""},
            "path": {"type": "path", "default": "/backups/nexus-cos"},
            "system": {"type": "str", "default": ""},
            "set": {"type": "str", "default": ""},
            "file": {"type": "path", "default": ""},
            "from_database": {"type": "str", "default": ""},
            "tables": {"type": "list", "elements": "str", "default": []},
            "safety_backup": {"type": "bool", "default": True},
            "roles": {"type": "str", "choices": ["missing", "none"], "default": "missing"},
            "owners": {"type": "bool", "default": True},
            "accept": {"type": "list", "elements": "str", "default": []},
            "jobs": {"type": "int", "default": 2},
            "drain": {"type": "float", "default": 30.0},
            "lock_wait": {"type": "float", "default": 0.0},
            "deadline": {"type": "float", "default": DEADLINE},
        },
        mutually_exclusive=[("file", "set")],
    )
    return postgres_spec().merge(own)


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Restore, or take a restore back; in check mode, say what that would do.

    :raises OpsError: it was not done, and the live database is as it was.
    """
    _check(params)
    until = time.monotonic() + params["deadline"]
    if params["state"] == "undone":
        return _undo(params, check_mode, _server(params, until), until)
    source = _source(params, until)
    server = _server(params, until)
    live = look(server, params["database"], until)
    _fits(params, source, live, check_mode)
    plan = _plan(params, server, source, live, until)
    if check_mode:
        return {"changed": True, "plan": plan, "msg": _would(params, plan), "warnings": plan["warnings"]}
    done = "what was restored so far has been removed, the live database is as it was"
    with scratch_postgres.ends_cleanly(done), _locked(params, source, live is not None):
        return _restore(params, server, source, plan, until)


def look(server: psql.Server, database: str, until: float) -> dict[str, Any] | None:
    """What a database is, who uses it, and what belongs to its name and not to its data; None where there is none."""
    text = server.answer(f"{_LIVE} {psql.literal(database)}", seconds=left(until))
    found: dict[str, Any] | None = json.loads(text) if text else None
    return found


def named(database: str, word: str, stamp: str) -> str:
    """``nexusdb_before_20261129t060000z``; a long name loses its end, so that the stamp stays."""
    suffix = f"_{word}_{re.sub('[^0-9TZ]', '', stamp).lower()}"
    return database.encode()[: _LONGEST_NAME - len(suffix)].decode(errors="ignore") + suffix


def of_name(names: Sequence[str], database: str, word: str) -> list[str]:
    """Those databases that were named so (:func:`named`), the newest first."""
    sample = named(database, word, "20000101T000000Z")
    start = re.escape(sample[: -len("20000101t000000z")])
    return sorted((name for name in names if re.fullmatch(start + r"\d{8}t\d{6}z", name)), reverse=True)


def like(live: Mapping[str, Any], database: str) -> list[str]:
    """Statements that make a database like another one: the first makes it, the others set what belongs to its name."""
    name, row = psql.ident(database), live["row"]
    how = [f"OWNER {psql.ident(live['owner'])}", "TEMPLATE template0", f"ENCODING {psql.literal(live['encoding'])}"]
    how += [f"LC_COLLATE {psql.literal(row['datcollate'])}", f"LC_CTYPE {psql.literal(row['datctype'])}"]
    provider = row.get("datlocprovider", "c")
    locale = row.get("datlocale") or row.get("daticulocale")
    if provider == "i":
        how += ["LOCALE_PROVIDER icu", f"ICU_LOCALE {psql.literal(locale)}"]
        how += [f"ICU_RULES {psql.literal(row['daticurules'])}"] if row.get("daticurules") else []
    elif provider == "b":
        how += ["LOCALE_PROVIDER builtin", f"BUILTIN_LOCALE {psql.literal(locale)}"]
    if live["tablespace"] != "pg_default":
        how.append(f"TABLESPACE {psql.ident(live['tablespace'])}")
    made = [f"CREATE DATABASE {name} WITH {' '.join(how)}"]
    made.append(f"ALTER DATABASE {name} CONNECTION LIMIT {int(row['datconnlimit'])}")
    for role, settings in live["settings"]:
        who = f"ALTER ROLE {psql.ident(role)} IN DATABASE {name}" if role else f"ALTER DATABASE {name}"
        for one in settings:
            key, value = one.split("=", 1)
            parts = ".".join(psql.ident(part) for part in key.split("."))
            made.append(f"{who} SET {parts} TO {value if key in _LISTS and value else psql.literal(value)}")
    if row.get("datacl") is not None:
        made.append(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
        for role, right, grantable in live["rights"]:
            to = psql.ident(role) if role else "PUBLIC"
            made.append(f"GRANT {right} ON DATABASE {name} TO {to}{' WITH GRANT OPTION' if grantable else ''}")
    return made


def selected(listing: str, patterns: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Of the table of contents of an archive (``pg_restore -l``), what brings the rows of some tables and no others.

    All definitions stay: the rows' types, defaults and keys are among them, and an empty table costs nothing.

    :returns: lines for ``pg_restore -L``; lines of keys from chosen tables to others, which may not hold without the
        others' rows; names of the tables.
    :raises OptionError: a pattern matches no table.
    """
    lines, keys, names, known = [], [], [], []
    for line in listing.splitlines():
        data = re.match(r"\d+; \d+ \d+ TABLE DATA (\S+) (.+) \S+$", line)
        if data:
            known.append(f"{data.group(1)}.{data.group(2)}")
    for pattern in patterns:
        found = [name for name in known if fnmatch.fnmatchcase(name, pattern)]
        if not found:
            raise OptionError(f"tables: there is no table {pattern!r} in the dump{nearest(pattern, known)}")
        names += [name for name in found if name not in names]
    for line in listing.splitlines():
        data = re.match(r"\d+; \d+ \d+ TABLE DATA (\S+) (.+) \S+$", line)
        key = re.match(r"\d+; \d+ \d+ FK CONSTRAINT (\S+) (.+) \S+$", line)
        if data and f"{data.group(1)}.{data.group(2)}" not in names:
            continue
        if key and any(f"{key.group(1)}.{key.group(2)}".startswith(name + " ") for name in names):
            keys.append(line)
            continue
        if re.match(r"\d+; \d+ \d+ (BLOBS|BLOB|BLOB METADATA|BLOB COMMENTS) ", line):
            continue
        lines.append(line)
    return lines, keys, names


def _check(params: Mapping[str, Any]) -> None:
    database = params["database"]
    if not database or len(database.encode()) > _LONGEST_NAME or any(one in database for one in "\0\n"):
        raise OptionError(f"database: want a name of 1 to {_LONGEST_NAME} bytes, got {database!r}")
    if database in ("postgres", "template0", "template1"):
        raise OptionError(f"database: {database} belongs to the server, and is not restored into")
    if params["confirm"] and params["confirm"] != database:
        raise OptionError(f"confirm: it names {params['confirm']!r}, and database is {database!r}")
    if params["deadline"] <= 0 or params["drain"] <= 0:
        raise OptionError("deadline and drain: want more than 0 seconds")
    if params["lock_wait"] < 0:
        raise OptionError(f"lock_wait: want 0 seconds or more, got {params['lock_wait']:g}")
    if params["jobs"] < 1:
        raise OptionError(f"jobs: want 1 or more, got {params['jobs']}")
    if params["state"] == "restored" and not params["file"] and not params["system"]:
        raise OptionError("say what to restore: system (its newest set, or the one that set names), or file")


def _server(params: Mapping[str, Any], until: float) -> psql.Server:
    """The server, by a database that is not the one whose name changes."""
    other = params["login_db"] if params["login_db"] != params["database"] else None
    return psql.server({**params, "login_db": other or "postgres"}, until)


def _source(params: Mapping[str, Any], until: float) -> Source:
    """Find what is restored, and see that it is what its manifest says.

    :raises OpsError: it is not there, or not whole.
    """
    try:
        if params["file"]:
            dump = postgres_load.describe(params["file"])
            size = _size(params["file"])
            return Source(dump, size, size * _UNPACKED)
        one = verify.choose(params["path"], params["system"], params["set"])
        known = manifest.read(one.path)
        if known.format not in postgres_load.FORMATS:
            raise OptionError(
                f"{one.path} is of {known.engine} in the format {known.format}: dumps of pg_dump are restored by this "
                "module; a copy of a whole server is laid out in an empty data folder with the server stopped"
            )
        if known.encryption != "none":
            raise OptionError(f"{one.path} is encrypted with {known.encryption}: decrypt it first")
        job = _job(params, one, known, until)
        verify.exists(job, ())
        dump = verify_postgres.dump_of(job)
    except (Bad, Refuted) as error:
        raise OpsError(f"{params['file'] or params['system']}: nothing was restored: {error}") from None
    needed = int(known.source.get("bytes") or 0) or known.bytes * _UNPACKED
    return Source(dump, known.bytes, needed, one, known)


def _job(params: Mapping[str, Any], one: layout.Set, known: Manifest, until: float) -> Job:
    return Job(
        one=one, known=known, wanted=4, until=until, accept=params["accept"], jobs=params["jobs"],
        bin_dir=params["bin_dir"] or "",
    )  # fmt: skip


def _fits(params: Mapping[str, Any], source: Source, live: Mapping[str, Any] | None, check_mode: bool) -> None:
    """Refuse what can only be a mistake. Check mode says what would be needed instead of failing for want of confirm.

    :raises OptionError: what, and what to do.
    """
    database, inside = params["database"], source.dump.database
    if params["tables"]:
        if source.dump.format == "sql":
            raise OptionError("tables: plain SQL is restored whole; take a dump in custom or directory format")
        if live is not None:
            raise OptionError(f"tables: they go into a new database, and {database} exists: give another name")
    if live is None:
        return
    if not params["confirm"] and not check_mode:
        count = sum(one["count"] for one in live["connections"])
        raise OptionError(
            f"database: {database} exists, with {human(live['bytes'])} and {count} connections. Give another name, or "
            f"confirm: {database} to replace it; it stays under another name then. Check mode says what would happen"
        )
    if inside and inside != database and params["from_database"] != inside:
        raise OptionError(
            f"the dump is of {inside}, and would replace {database}: from_database: {inside} says that this is meant"
        )
    if live["prepared"]:
        raise OptionError(
            f"{database} has {live['prepared']} prepared transactions, which hold it: COMMIT PREPARED or ROLLBACK "
            "PREPARED them first; pg_prepared_xacts has their names"
        )


def _plan(
    params: Mapping[str, Any], server: psql.Server, source: Source, live: Mapping[str, Any] | None, until: float
) -> dict[str, Any]:
    free, proven = _free(params, server, until), source.known.proven if source.known else None
    restores = [
        proof.restore_seconds
        for proof in (source.known.proofs if source.known else [])
        if proof.restore_seconds is not None
    ]
    stamp = layout.stamp()
    warnings = []
    if source.known and source.known.proofs and not source.known.proofs[-1].good:
        warnings.append(f"the newest verification has refuted this set: {source.known.proofs[-1].why}")
    elif source.known and (proven is None or proven.level < 3):
        warnings.append(_UNPROVEN)
    if live and live["slots"]:
        warnings.append(f"logical slots stay with the old database: {', '.join(live['slots'])}")
    if live and not params["safety_backup"]:
        warnings.append("no safety backup is made: the old database under its other name is the only way back")
    plan: dict[str, Any] = {
        "source": {
            "path": source.dump.path,
            "system": source.one.system if source.one else None,
            "stamp": source.one.stamp if source.one else None,
            "format": source.dump.format,
            "bytes": source.bytes,
            "database": source.dump.database,
            "major": source.dump.major,
            "level": proven.level if proven else None,
            "proven_at": proven.at if proven else None,
        },
        "database": params["database"],
        "exists": live is not None,
        "confirmed": bool(params["confirm"]) or live is None,
        "replaces_bytes": live["bytes"] if live else None,
        "connections": live["connections"] if live else [],
        "keeps_as": named(params["database"], BEFORE, stamp) if live else None,
        "safety_backup": f"{_system(params)}-before-restore" if live and params["safety_backup"] else None,
        "needed_bytes": source.needed,
        "free_bytes": free,
        "expected_seconds": restores[-1] if restores else None,
        "warnings": warnings,
    }
    if free is not None and free < source.needed:
        raise OpsError(
            f"the server's disk has {human(free)} free, and the restore takes about {human(source.needed)} beside what "
            "is there: make room first"
        )
    return plan


def _would(params: Mapping[str, Any], plan: Mapping[str, Any]) -> str:
    what = f"{human(plan['source']['bytes'])} of {plan['source']['stamp'] or plan['source']['path']}"
    took = f"; it took {plan['expected_seconds']:.1f} s the last time" if plan["expected_seconds"] is not None else ""
    if not plan["exists"]:
        return f"would restore {what} into a new database {plan['database']}{took}"
    count = sum(one["count"] for one in plan["connections"])
    safe = f"after a safety backup as {plan['safety_backup']}, " if plan["safety_backup"] else ""
    needs = "" if plan["confirmed"] else f"; it wants confirm: {params['database']}"
    return (
        f"would restore {what} over {plan['database']} ({human(plan['replaces_bytes'])}): {safe}{count} connections "
        f"would be ended, and the old database stays as {plan['keeps_as']}{took}{needs}"
    )


@contextlib.contextmanager
def _locked(params: Mapping[str, Any], source: Source, over_live: bool) -> Iterator[None]:
    """Hold the system's lock: no backup is made of a database that is being replaced, no set is removed meanwhile."""
    place = params["path"]
    if source.one is None and not over_live:
        yield  # the server itself lets only one have a new name
        return
    try:
        os.makedirs(place, mode=0o750, exist_ok=True)
    except OSError as error:
        raise OpsError(f"{place}: {error.strerror}") from error
    wait = min(params["lock_wait"], params["deadline"])
    with lock.held(place, _system(params), f"restore into {params['database']}", wait):
        yield


def _restore(
    params: Mapping[str, Any], server: psql.Server, source: Source, plan: Mapping[str, Any], until: float
) -> dict[str, Any]:
    began, database = time.monotonic(), params["database"]
    odd = [text for text in plan["warnings"] if text != _UNPROVEN]
    _sound(params, source, until)
    # Whoever had the lock before may have made or replaced it.
    live = look(server, database, until)
    _fits(params, source, live, False)
    safety = _safety(params, server, until) if live and params["safety_backup"] else None
    _remove_leftovers(server, database, until)
    stamp = layout.stamp()
    aside, before = named(database, RESTORING, stamp), named(database, BEFORE, stamp) if live else None
    told: dict[str, Any] = {"roles": [], "left_out": []}
    try:
        clock = time.monotonic()
        _fill(params, server, source, live, aside, until, told, odd)
        seconds = time.monotonic() - clock
        proof = _prove(params, server, source, live, aside, until, told, odd)
        server.ask("ANALYZE", aside, left(until))
        server.ask(_comment(aside, live["comment"] if live else None), seconds=left(until))
        ended = switch(server, database, aside, before, min(until, time.monotonic() + params["drain"]))
    except BaseException as error:
        removed = _drop(server, aside)
        if before and _is_there(server, before):
            raise OpsError(f"{error}: names had changed already. {before} is the old {database}") from None
        if isinstance(error, (Bad, Refuted)):
            # Not filed with the set: what this server lacks is not the set's fault. A scratch server tells.
            raise OpsError(_failed(database, live, str(error))) from None
        if isinstance(error, OpsError):
            rest = "" if removed else f". {aside} could not be removed; the next restore does that"
            raise OpsError(_failed(database, live, str(error)) + rest) from None
        raise
    if not params["tables"]:
        odd += _file(source, params, True, None, seconds, time.monotonic() - began)
    return _told(params, source, proof, told, safety, before, ended, seconds, began, odd)


def _told(
    params: Mapping[str, Any], source: Source, proof: Mapping[str, Any], told: Mapping[str, Any],
    safety: Mapping[str, Any] | None, before: str | None, ended: int, seconds: float, began: float, odd: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    database = params["database"]
    what = source.one.stamp if source.one else os.path.basename(source.dump.path)
    msg = f"{database}: restored from {what} in {seconds:.1f} s; {proof['summary']}"
    if source.known and proof["compared"]:
        msg += f", {proof['compared']} as in the manifest"
    if before:
        msg += f". {ended} connections were ended; the old database is {before}, state: undone takes it back"
    return {
        "changed": True,
        "database": database,
        "source": {
            "path": source.dump.path,
            "system": source.one.system if source.one else None,
            "stamp": source.one.stamp if source.one else None,
            "format": source.dump.format,
            "bytes": source.bytes,
        },
        "before": before,
        "safety_backup": safety,
        "connections_ended": ended,
        "roles": told["roles"],
        "left_out": told["left_out"],
        "tables": proof["tables"],
        "rows": proof["rows"],
        "compared": proof["compared"],
        "restore_seconds": round(seconds, 3),
        "seconds": round(time.monotonic() - began, 3),
        "msg": msg,
        "warnings": list(odd),
    }


def _sound(params: Mapping[str, Any], source: Source, until: float) -> None:
    """Before anything is touched: the files are those of the manifest, and plain SQL is whole and nothing but SQL."""
    try:
        if source.one and source.known:
            verify.sums(_job(params, source.one, source.known, until))
        if source.dump.format == "sql":
            postgres_load.check_sql(source.dump.path, until)
    except (Bad, Refuted) as error:
        _file(source, params, False, str(error), None, 0.0)
        raise OpsError(f"nothing was restored: {error}") from None


def _safety(params: Mapping[str, Any], server: psql.Server, until: float) -> dict[str, Any]:
    """A set of the database as it is now.

    :raises OpsError: it could not be made; then nothing is restored over it.
    """
    login = server.of(params["database"])
    system = f"{_system(params)}-before-restore"
    given = {
        "path": params["path"], "system": system, "stamp": None, "lock_wait": params["lock_wait"],
        "deadline": left(until),
    }  # fmt: skip
    try:
        made = run_backup.run(given, False, postgres_dump.DumpEngine(system, login, postgres_dump.Options()))
    except OpsError as error:
        raise OpsError(f"nothing was restored, because the safety backup failed: {error}") from None
    found: dict[str, Any] = made["set"]
    return found


def _fill(
    params: Mapping[str, Any], server: psql.Server, source: Source, live: Mapping[str, Any] | None, aside: str,
    until: float, told: dict[str, Any], odd: list[str],
) -> None:  # fmt: skip
    dump = source.dump
    if dump.roles and params["roles"] == "missing" and params["owners"]:
        told["roles"] = postgres_load.load_roles(server, dump.roles, until)
    if live:
        first, *later = like(live, aside)
        server.ask(first, seconds=left(until))
    else:
        later = postgres_load.create(server, dump, aside, until, odd)
    server.ask(_comment(aside, _MARK + layout.stamp()), seconds=left(until))
    arguments = [] if params["owners"] else ["--no-owner", "--no-privileges"]
    if dump.format == "sql":
        postgres_load.load_sql(server, dump, aside, until)
    elif params["tables"]:
        _fill_tables(params, server, dump, aside, until, arguments, told)
    else:
        postgres_load.load_archive(server, dump, aside, params["jobs"], until, arguments)
    refused = postgres_load.set_up(server, later, params["owners"] or live is not None, until)
    if live and refused:
        raise OpsError(f"it cannot be made what {params['database']} is: {refused[0]}")
    odd += refused


def _fill_tables(
    params: Mapping[str, Any], server: psql.Server, dump: Dump, aside: str, until: float, arguments: Sequence[str],
    told: dict[str, Any],
) -> None:  # fmt: skip
    program = server.tool("pg_restore", dump.major or 0)
    listing = stream.run([program, "-l", dump.path], {"LC_ALL": "C"}, left(until))
    lines, keys, told["tables"] = selected(listing, params["tables"])
    with tempfile.TemporaryDirectory(prefix="nexuscos-") as folder:
        chosen = os.path.join(folder, "list")
        for each in (lines, *([key] for key in keys)):
            with open(chosen, "w", encoding="utf-8") as file:
                file.write("\n".join(each) + "\n")
            more = [*arguments, "-L", chosen]
            try:
                postgres_load.load_archive(server, dump, aside, params["jobs"], until, more)
            except Bad as error:
                if each is lines:
                    raise
                # A key to a table whose rows were not asked for.
                told["left_out"].append({"what": each[0].split(" ", 3)[3], "why": str(error)})


def _prove(
    params: Mapping[str, Any], server: psql.Server, source: Source, live: Mapping[str, Any] | None, aside: str,
    until: float, told: Mapping[str, Any], odd: list[str],
) -> dict[str, Any]:  # fmt: skip
    wanted: Mapping[str, Any] = source.known.invariants if source.known else {}
    only = None
    if params["tables"]:
        only = [name for name in wanted.get("tables") or {} if _plain(name) in told["tables"]]
    proof = verify_postgres.invariants(server, aside, wanted, until, params["accept"], odd, only=only)
    if live and not proof["tables"]:
        raise Refuted("there is no table in it")
    if only is not None:
        proof["compared"] = len(only)
    return proof


def switch(server: psql.Server, database: str, aside: str, before: str | None, until: float) -> int:
    """Let a database take a name, and the one that has it another; how many connections were ended for that.

    Both in one transaction. The server keeps new connections waiting from the moment that it begins; those that are
    there are ended meanwhile, and again, until it is through. Nothing has to be taken back when it is not: the names
    are as they were, and everybody is let in.

    :param before: the name for the one that has it; None where there is none.
    :raises OpsError: somebody does not let go.
    """
    names = [(aside, database)] if before is None else [(database, before), (aside, database)]
    batch = "".join(f"ALTER DATABASE {psql.ident(old)} RENAME TO {psql.ident(new)};\n" for old, new in names)
    sql = f"SET lock_timeout = '5s';\nBEGIN;\n{batch}COMMIT;\n"
    held = ", ".join(psql.literal(old) for old, _new in names)
    end = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "  # noqa: S608
        f"WHERE datname IN ({held}) AND pid <> pg_backend_pid()"
    )
    ended, trouble = 0, ""
    with ThreadPoolExecutor(1) as pool:
        while True:
            renaming: Future[list[list[str]]] = pool.submit(server.ask, sql, None, max(left(until), 15.0))
            while not _done(renaming):
                try:
                    ended += int(server.answer(end, seconds=10) or 0)
                except stream.EngineError as error:
                    trouble = str(error)
            failure = renaming.exception()
            if failure is None:
                return ended
            if not isinstance(failure, stream.EngineError) or not re.search(
                r"being accessed by other users|lock timeout", str(failure)
            ):
                raise failure
            if time.monotonic() > until:
                raise OpsError(f"somebody does not let go of {database}: {trouble or failure}")


def _done(future: Future[Any]) -> bool:
    try:
        future.exception(timeout=_ASK_EVERY)
    except NotYet:
        return False
    return True


def _undo(params: Mapping[str, Any], check_mode: bool, server: psql.Server, until: float) -> dict[str, Any]:
    """Give the name back to the database that had it before the last restore."""
    database = params["database"]
    names = [row[0] for row in server.ask("SELECT datname FROM pg_database", seconds=left(until))]
    kept = of_name(names, database, BEFORE)
    live = look(server, database, until)
    if not kept:
        return {
            "changed": False, "database": database, "before": None, "undone": None, "connections_ended": 0,
            "warnings": [], "msg": f"{database}: there is no {named(database, BEFORE, '')}…, nothing to take back",
        }  # fmt: skip
    aside = named(database, UNDONE, layout.stamp()) if live else None
    count = sum(one["count"] for one in live["connections"]) if live else 0
    result: dict[str, Any] = {"changed": True, "database": database, "before": kept[0], "undone": aside, "warnings": []}
    if check_mode:
        needs = "" if params["confirm"] else f"; it wants confirm: {database}"
        words = f"would end {count} connections, give the name {database} to {kept[0]}, and keep what has it as {aside}"
        return {**result, "connections_ended": count, "msg": words + needs}
    if not params["confirm"]:
        raise OptionError(f"confirm: {database} is wanted: {kept[0]} would take its name, and {count} connections end")
    if live and live["prepared"]:
        raise OptionError(f"{database} has {live['prepared']} prepared transactions, which hold it: end them first")
    with scratch_postgres.ends_cleanly("the names are as they were, or all of them have changed"), _undo_lock(params):
        ended = switch(server, database, kept[0], aside, min(until, time.monotonic() + params["drain"]))
    words = f"{database} is again what it was before the restore; what was restored stays as {aside}"
    return {**result, "connections_ended": ended, "msg": words}


@contextlib.contextmanager
def _undo_lock(params: Mapping[str, Any]) -> Iterator[None]:
    if not os.path.isdir(params["path"]):
        yield
        return
    with lock.held(
        params["path"], _system(params), f"taking back the restore of {params['database']}", params["lock_wait"]
    ):
        yield


def _remove_leftovers(server: psql.Server, database: str, until: float) -> None:
    """Databases that killed restores have left. One that is being filled has connections, and stays."""
    rows = server.ask("SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database", seconds=left(until))
    ours = {row[0] for row in rows if row[1].startswith(_MARK)}
    for name in of_name(sorted(ours), database, RESTORING):
        with contextlib.suppress(stream.EngineError):
            server.ask(f"DROP DATABASE {psql.ident(name)}", seconds=left(until))


def _drop(server: psql.Server, name: str) -> bool:
    with contextlib.suppress(OpsError):
        server.ask(f"DROP DATABASE IF EXISTS {psql.ident(name)} WITH (FORCE)", seconds=60)
        return True
    return False


def _is_there(server: psql.Server, name: str) -> bool:
    with contextlib.suppress(OpsError):
        return look(server, name, time.monotonic() + 30) is not None
    return False


def _failed(database: str, live: Mapping[str, Any] | None, why: str) -> str:
    hint = ". backup_verify tells whether it is the set" if "rows, want" in why else ""
    if re.search(r'role "[^"]*" does not exist', why):
        hint = ". Make the roles first, or set owners: false"
    rest = f"{database} is as it was" if live else "nothing of it stays"
    return f"not restored, {rest}: {why}{hint}"


def _file(
    source: Source, params: Mapping[str, Any], good: bool, why: str | None, seconds: float | None, took: float
) -> list[str]:
    """What a restore shows of a set is a proof of it, one way or the other."""
    if source.one is None or source.known is None:
        return []
    level = (4 if source.known.invariants else 3) if good else 1
    proof = Proof(
        level=level, wanted=level if good else 4, at=verify.now(), seconds=round(took, 3), good=good, why=why,
        restore_seconds=round(seconds, 3) if seconds is not None else None,
        details={"restored_into": params["database"], "host": params["login_host"]},
    )  # fmt: skip
    try:
        manifest.add_proof(source.one.path, proof)
    except (OSError, manifest.ManifestError) as error:
        return [f"the proof could not be filed with the set: {error}"]
    return []


def _comment(database: str, text: str | None) -> str:
    return f"COMMENT ON DATABASE {psql.ident(database)} IS {'NULL' if text is None else psql.literal(text)}"


def _free(params: Mapping[str, Any], server: psql.Server, until: float) -> int | None:
    """What is left on the server's disk, where that is this machine's and may be asked."""
    host = params["login_host"] or ""
    if host not in _HERE and not host.startswith("/"):
        return None
    with contextlib.suppress(stream.EngineError, OSError):
        found = os.statvfs(server.answer("SHOW data_directory", seconds=left(until)))
        return found.f_bavail * found.f_frsize
    return None


def _system(params: Mapping[str, Any]) -> str:
    return layout.check_name(params["system"] or params["database"])


def _plain(name: str) -> str:
    """``billing."Odd name"`` without the quotes."""
    return ".".join(
        part[1:-1].replace('""', '"') if part.startswith('"') else part
        for part in re.findall(r'"(?:[^"]|"")*"|[^."]+', name)
    )


def _size(path: str) -> int:
    with contextlib.suppress(OSError):
        return sets.size_of(path)
    return 0

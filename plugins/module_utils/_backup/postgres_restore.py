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
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .._core.argspec import ArgSpec
from .._core.errors import OpsError, OptionError
from . import (
    layout,
    lock,
    manifest,
    pgbackrest_restore,
    postgres_dump,
    postgres_load,
    psql,
    run_backup,
    scratch_postgres,
    sql_text,
    stream,
    verify,
    verify_postgres,
)
from .manifest import Proof
from .postgres_load import Bad, Dump
from .postgres_names import BEFORE, LONGEST, RESTORING, like, look, named, of_name, plain, selected
from .postgres_plan import UNPROVEN, Source, find, fits, job_of, plan_of, would
from .postgres_switch import switch, system_of, undo
from .postgres_tools import left, postgres_spec
from .verify import Refuted

DEADLINE = 4 * 3600.0
_MARK = "nexuscos: being restored, begun "


def spec() -> ArgSpec:
    """The options of postgres_restore."""
    own = ArgSpec(
        {
            "state": {"type": "str", "choices": ["restored", "undone"], "default": "restored"},
            "database": {"type": "str", "default": ""},
            "point_in_time": {"type": "str", "default": ""},
            "data_dir": {"type": "path", "default": ""},
            "scratch_dir": {"type": "path", "default": ""},
            "queries": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "query": {"type": "str", "required": True},
                    "database": {"type": "str", "default": ""},
                },
            },
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
        required_one_of=[("database", "point_in_time")],
    )
    return postgres_spec().merge(own)


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Restore, or take a restore back; in check mode, say what that would do.

    :raises OpsError: it was not done, and the live database is as it was.
    """
    if params["point_in_time"]:
        return pgbackrest_restore.run(params, check_mode)
    _check(params)
    until = time.monotonic() + params["deadline"]
    if params["state"] == "undone":
        return undo(params, check_mode, _server(params, until), until)
    source = find(params, until)
    server = _server(params, until)
    live = look(server, params["database"], until)
    fits(params, source, live, check_mode)
    plan = plan_of(params, server, source, live, until)
    if check_mode:
        return {"changed": True, "plan": plan, "msg": would(params, plan), "warnings": plan["warnings"]}
    done = "what was restored so far has been removed, the live database is as it was"
    with scratch_postgres.ends_cleanly(done), _locked(params, source, live is not None):
        return _restore(params, server, source, plan, until)


def _check(params: Mapping[str, Any]) -> None:
    database = params["database"]
    for name in ("data_dir", "scratch_dir", "queries"):
        if params[name]:
            raise OptionError(f"{name}: it is for a moment that is restored: say which by point_in_time")
    if not database or len(database.encode()) > LONGEST or any(one in database for one in "\0\n"):
        raise OptionError(f"database: want a name of 1 to {LONGEST} bytes, got {database!r}")
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
    with lock.held(place, system_of(params), f"restore into {params['database']}", wait):
        yield


def _restore(
    params: Mapping[str, Any], server: psql.Server, source: Source, plan: Mapping[str, Any], until: float
) -> dict[str, Any]:
    began, database = time.monotonic(), params["database"]
    odd = [text for text in plan["warnings"] if text != UNPROVEN]
    odd += _sound(params, source, until)
    # Whoever had the lock before may have made or replaced it.
    live = look(server, database, until)
    fits(params, source, live, False)
    safety = _safety(params, server, until) if live and params["safety_backup"] else None
    _remove_leftovers(server, database, until)
    stamp = layout.stamp()
    aside, before = named(database, RESTORING, stamp), named(database, BEFORE, stamp) if live else None
    told: dict[str, Any] = {"roles": [], "left_out": []}
    try:
        clock = time.monotonic()
        _fill(params, server, source, live, aside, until, told, odd)
        seconds = time.monotonic() - clock
        proof = _prove_and_analyze(params, server, source, live, aside, until, told, odd)
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


def _sound(params: Mapping[str, Any], source: Source, until: float) -> list[str]:
    """Before anything is touched: the files are those of the manifest, and plain SQL is whole and nothing but SQL.

    :returns: what has to be known of the dump, and is no reason to refuse what somebody wants restored.
    """
    found: list[str | None] = []
    try:
        if source.one and source.known:
            verify.sums(job_of(params, source.one, source.known, until))
        if source.dump.format == "sql":
            text = postgres_load.check_sql(source.dump.path, until)
            found = [text.only_structure(), sql_text.CONVERTED if text.converted else None]
        else:
            found = [postgres_load.only_structure(source.dump)]
    except (Bad, Refuted) as error:
        _file(source, params, False, str(error), None, 0.0)
        raise OpsError(f"nothing was restored: {error}") from None
    return [f"{os.path.basename(source.dump.path)}: {one}" for one in found if one]


def _safety(params: Mapping[str, Any], server: psql.Server, until: float) -> dict[str, Any]:
    """A set of the database as it is now.

    :raises OpsError: it could not be made; then nothing is restored over it.
    """
    login = server.of(params["database"])
    system = f"{system_of(params)}-before-restore"
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


def _prove_and_analyze(
    params: Mapping[str, Any], server: psql.Server, source: Source, live: Mapping[str, Any] | None, aside: str,
    until: float, told: Mapping[str, Any], odd: list[str],
) -> dict[str, Any]:  # fmt: skip
    """Both read all tables, each in a session of its own: side by side they take half the time."""
    with ThreadPoolExecutor(1) as pool:
        analyzed = pool.submit(server.ask, "ANALYZE", aside, left(until))
        try:
            proof = _prove(params, server, source, live, aside, until, told, odd)
        except BaseException:
            _drop(server, aside)  # which ends the other session, too
            raise
        analyzed.result()
    return proof


def _prove(
    params: Mapping[str, Any], server: psql.Server, source: Source, live: Mapping[str, Any] | None, aside: str,
    until: float, told: Mapping[str, Any], odd: list[str],
) -> dict[str, Any]:  # fmt: skip
    wanted: Mapping[str, Any] = source.known.invariants if source.known else {}
    only = None
    if params["tables"]:
        only = [name for name in wanted.get("tables") or {} if plain(name) in told["tables"]]
    proof = verify_postgres.invariants(server, aside, wanted, until, params["accept"], odd, only=only)
    if live and not proof["tables"]:
        raise Refuted("there is no table in it")
    if only is not None:
        proof["compared"] = len(only)
    return proof


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

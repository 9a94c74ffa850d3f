# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restore of a dump would do: what is restored, what it replaces, whether it fits and whether it may."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._core.errors import OpsError, OptionError
from . import layout, manifest, postgres_load, psql, sets, stream, verify, verify_postgres
from .manifest import Manifest
from .postgres_load import Bad, Dump
from .postgres_names import BEFORE, named
from .postgres_switch import system_of
from .postgres_tools import left
from .run_backup import human
from .verify import Job, Refuted

UNPROVEN = "this set was never restored for proof: it is proven in its copy before it gets the name"
_UNPACKED = 4
_HERE = ("", "localhost", "127.0.0.1", "::1")


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


def find(params: Mapping[str, Any], until: float) -> Source:
    """Find what is restored, and see that it is what its manifest says.

    :raises OpsError: it is not there, or not whole.
    """
    try:
        if params["file"]:
            dump = postgres_load.describe(params["file"])
            size = _size(params["file"])
            return Source(dump, size, size * _UNPACKED)
        one = verify.choose_good(params["path"], params["system"], params["set"])
        known = manifest.read(one.path)
        if known.format not in postgres_load.FORMATS:
            raise OptionError(
                f"{one.path} is of {known.engine} in the format {known.format}: dumps of pg_dump are restored into a "
                "database; from a set of pgBackRest, point_in_time restores a whole server; a copy by pg_basebackup is "
                "laid out in an empty data folder by hand"
            )
        if known.encryption != "none":
            raise OptionError(f"{one.path} is encrypted with {known.encryption}: decrypt it first")
        job = job_of(params, one, known, until)
        verify.exists(job, ())
        dump = verify_postgres.dump_of(job)
    except (Bad, Refuted) as error:
        raise OpsError(f"{params['file'] or params['system']}: nothing was restored: {error}") from None
    needed = int(known.source.get("bytes") or 0) or known.bytes * _UNPACKED
    return Source(dump, known.bytes, needed, one, known)


def job_of(params: Mapping[str, Any], one: layout.Set, known: Manifest, until: float) -> Job:
    """A set as the verification knows it."""
    return Job(
        one=one, known=known, wanted=4, until=until, accept=params["accept"], jobs=params["jobs"],
        bin_dir=params["bin_dir"] or "",
    )  # fmt: skip


def fits(params: Mapping[str, Any], source: Source, live: Mapping[str, Any] | None, check_mode: bool) -> None:
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


def plan_of(
    params: Mapping[str, Any], server: psql.Server, source: Source, live: Mapping[str, Any] | None, until: float
) -> dict[str, Any]:
    """What would be done, as the module returns it in check mode.

    :raises OpsError: there is no room for it.
    """
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
        warnings.append(UNPROVEN)
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
        "safety_backup": f"{system_of(params)}-before-restore" if live and params["safety_backup"] else None,
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


def would(params: Mapping[str, Any], plan: Mapping[str, Any]) -> str:
    """The plan in a sentence."""
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


def _free(params: Mapping[str, Any], server: psql.Server, until: float) -> int | None:
    """What is left on the server's disk, where that is this machine's and may be asked."""
    host = params["login_host"] or ""
    if host not in _HERE and not host.startswith("/"):
        return None
    with contextlib.suppress(stream.EngineError, OSError):
        found = os.statvfs(server.answer("SHOW data_directory", seconds=left(until)))
        return found.f_bavail * found.f_frsize
    return None


def _size(path: str) -> int:
    with contextlib.suppress(OSError):
        return sets.size_of(path)
    return 0

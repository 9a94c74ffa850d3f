# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let a database take the name of another one, and give it back: both names change in one transaction."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import Any

from .._core.errors import OpsError, OptionError
from . import layout, lock, psql, scratch_postgres, stream
from .postgres_names import BEFORE, UNDONE, look, named, of_name
from .postgres_tools import left

_ASK_EVERY = 0.2


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


def undo(params: Mapping[str, Any], check_mode: bool, server: psql.Server, until: float) -> dict[str, Any]:
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


def system_of(params: Mapping[str, Any]) -> str:
    """The system whose lock is held, and whose safety backup is made."""
    return layout.check_name(params["system"] or params["database"])


def _done(future: Future[Any]) -> bool:
    try:
        future.exception(timeout=_ASK_EVERY)
    except NotYet:
        return False
    return True


@contextlib.contextmanager
def _undo_lock(params: Mapping[str, Any]) -> Iterator[None]:
    if not os.path.isdir(params["path"]):
        yield
        return
    with lock.held(
        params["path"], system_of(params), f"taking back the restore of {params['database']}", params["lock_wait"]
    ):
        yield

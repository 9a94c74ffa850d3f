# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far archived WAL leads from each set of pgBackRest, and what the server says of its archiver. No judgement."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from .._core.errors import OpsError
from . import manifest, pgbackrest, pgbackrest_backup, pgbackrest_config, pgbackrest_wal, stream
from .manifest import Manifest, ManifestError
from .pgbackrest import Backup, Info, Where
from .postgres_tools import left

_ASK_S = 10.0
_COLUMNS = (
    "mode", "timeout_s", "standby", "archived_wal", "archived_at", "written_at", "failed_wal", "failed_at",
    "waiting", "waiting_since",
)  # fmt: skip
# When a file of WAL was written to its end is older than when it came into the archive, where the archiver was behind.
_SQL = """
SELECT current_setting('archive_mode'), timeout.setting, pg_is_in_recovery(),
  told.last_archived_wal, extract(epoch FROM told.last_archived_time),
  (SELECT extract(epoch FROM modification) FROM pg_ls_waldir() WHERE name = told.last_archived_wal),
  told.last_failed_wal, extract(epoch FROM told.last_failed_time), ready.count, ready.since
FROM pg_stat_archiver AS told, (SELECT setting FROM pg_settings WHERE name = 'archive_timeout') AS timeout,
  (SELECT count(*), extract(epoch FROM min(modification)) AS since FROM pg_ls_archive_statusdir()
    WHERE name LIKE '%.ready') AS ready
"""


def look(folders: Iterable[tuple[str, str]], until: float) -> dict[str, Any] | None:
    """What the archive has for sets of one system; None where none of them is of pgBackRest.

    :param folders: of the sets, the newest first, each by a name of the caller's own.
    :returns: ``error``; ``sets``, by name: the last WAL file that leads on from it without a gap, and when it came
        there; ``repositories``; ``server``.
    """
    known = [(name, told) for name, folder in folders if (told := _told(folder))]
    if not known:
        return None
    options = known[0][1].options
    found: dict[str, Any] = {
        "stanza": options.get("stanza"),
        "repo": options.get("repo"),
        "error": None,
        "sets": {},
        "repositories": [],
        "server": None,
    }
    try:
        where = pgbackrest_backup.where_of(options)
        own = pgbackrest_config.read(where.stanza, where.config)
        # Before the archive, so that what it has archived is in there.
        found["server"] = _server(where, own, until)
        archives: dict[int, dict[str, float]] = {}
        for number, have in pgbackrest.everywhere(where, until).items():
            there = replace(where, repo=number)
            if isinstance(have, Info):
                archives[number] = pgbackrest.archived(there, have.archive, until) if have.backups else {}
            found["repositories"].append(_repository(number, have, archives.get(number, {}), own))
            if number == where.repo and isinstance(have, Info):
                found["sets"] = {name: _set(one, have, archives[number], options) for name, one in known}
        if where.repo not in archives:
            raise OpsError(_why(found["repositories"], where.repo))
    except OpsError as error:
        found["error"] = str(error)
    return found


def _told(folder: str) -> Manifest | None:
    try:
        told = manifest.read(folder)
    except ManifestError:
        return None
    return told if told.format == pgbackrest_backup.FORMAT else None


def _set(one: Manifest, info: Info, archive: Mapping[str, float], options: Mapping[str, Any]) -> dict[str, Any] | None:
    """Of a set of the same stanza; None of one that is of another."""
    if any(one.options.get(key) != options.get(key) for key in ("stanza", "config", "repo")):
        return None
    label = str(one.position.get("label"))
    made = next((backup for backup in info.backups if backup.label == label), None)
    if made is None or info.identifier != one.position.get("system_identifier"):
        return {"label": label, "gone": True}
    return {"label": label, "gone": False, **_reach(made, archive)}


def _reach(made: Backup, archive: Mapping[str, float]) -> dict[str, Any]:
    way = pgbackrest_wal.reach(made.wal_start, archive, pgbackrest_backup.wal_size(made))
    return {
        "wal": way.last,
        # Even a backup whose first file is lost was a copy of that moment, as far as its own WAL is there.
        "at": way.at or None,
        "missing": list(way.missing),
        "beyond": way.beyond,
    }


def _repository(number: int, info: Info | str, archive: Mapping[str, float], own: Mapping[str, str]) -> dict[str, Any]:
    name, away = pgbackrest_config.place(own, number)
    row: dict[str, Any] = {
        "repo": number,
        "name": f"pgBackRest repo{number} {name}",
        "offsite": away,
        "error": info if isinstance(info, str) else None,
        "backups": 0,
        "newest": None,
        "wal": None,
        "when": None,
    }
    good = [one for one in info.backups if not one.error] if isinstance(info, Info) else []
    if good:
        way = _reach(good[-1], archive)
        when = max(float(good[-1].stop), float(way["at"] or 0.0))
        row.update(backups=len(good), newest=good[-1].label, wal=way["wal"], when=when)
    return row


def _why(repositories: Iterable[Mapping[str, Any]], number: int) -> str:
    told = [str(one["error"]) for one in repositories if one["repo"] == number and one["error"]]
    return told[0] if told else f"repository {number} has no such stanza any more"


def _server(where: Where, own: Mapping[str, str], until: float) -> dict[str, Any]:
    """What the server says, asked as pgBackRest asks it. Nobody is asked for a password."""
    way, why = pgbackrest_config.server(own)
    if why:
        return {"error": why}
    command = [*where.as_account(), shutil.which("psql") or "psql", "-XqAtw", "-F", "\x1f", "-v", "ON_ERROR_STOP=1"]
    environment = {**where.environment(), **way, "PGCONNECT_TIMEOUT": "5", "PGAPPNAME": "nexuscos"}
    try:
        until = min(until, time.monotonic() + _ASK_S)
        row = stream.run([*command, "-f", "-"], environment, left(until), _SQL.encode()).strip("\n").split("\x1f")
    except OpsError as error:
        return {"error": str(error).replace("setpriv failed", "psql failed")}
    if len(row) != len(_COLUMNS):
        return {"error": "psql says what nobody understands: %r" % row[:3]}
    told: dict[str, Any] = dict(zip(_COLUMNS, row))
    for name in ("timeout_s", "archived_at", "written_at", "failed_at", "waiting", "waiting_since"):
        told[name] = float(told[name]) if re.fullmatch(r"\d+(\.\d+)?", told[name]) else None
    told.update(standby=told["standby"] == "t", error=None)
    for name in ("archived_wal", "failed_wal"):
        told[name] = told[name] or None
    return told

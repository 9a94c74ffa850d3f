# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole server by pgBackRest: full, differential and incremental backups beside an archive of the WAL.

The data are in pgBackRest's repository, which looks after them itself: how many stay is its configuration's business.
A set of ours refers to one backup in there. It holds pgBackRest's own word on the backup and a copy of its list of
files, and is gone when the backup is.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import time
from collections.abc import Mapping
from typing import Any

from .._core.errors import OpsError, OptionError
from . import layout, lock, manifest, options, pgbackrest, pgbackrest_wal, run_backup, stream
from .manifest import Manifest
from .pgbackrest import Backup, Info, Missing, Where
from .run_backup import Look, Written, human

FORMAT = "pgbackrest"
TYPES = ("full", "diff", "incr")
TOLD, LISTED = "pgbackrest.json", "backup.manifest"
_ASK_EVERY = 5.0
_TRY_EVERY = 2.0
_NOT_OURS = ("login_db", "format", "compress", "max_rate", "queries", "pod", "command_prefix")


class PgBackRestEngine:
    """pgBackRest. See :class:`run_backup.Engine`."""

    name = "pgbackrest"

    def __init__(
        self, where: Where, kind: str = "incr", jobs: int = 1, archive_timeout: float = 60.0, wait: float = 0.0,
        full_every: float = 0.0,
    ) -> None:  # fmt: skip
        self._where, self._kind, self._jobs, self._timeout, self._wait = where, kind, jobs, archive_timeout, wait
        self._full_every = full_every
        self._info: Info | None = None
        self._version = ""

    def look(self, deadline: float) -> Look:
        """What the repository has. The server itself is asked by pgBackRest, before the backup begins."""
        self._version = pgbackrest.version(self._where, deadline)
        found = self._info = pgbackrest.info(self._where, deadline)
        if is_due(found, self._full_every, time.time()):
            self._kind = "full"
        last = found.backups[-1] if found.backups else None
        size = last.size if last else 0
        source = {
            "stanza": self._where.stanza,
            "repo": self._where.repo,
            "type": self._kind,
            "system_identifier": found.identifier,
            "bytes": size,
            "last_backup": last.label if last else None,
            "last_wal": found.wal_max,
        }
        return Look(found.version, source, size)

    def write(self, folder: str, progress: stream.Progress, deadline: float) -> Written:
        """Prove that the archive works, let pgBackRest make a backup, and keep what it says of it."""
        progress.item = "check of the archive"
        progress.at(0)
        pgbackrest.check(self._where, self._timeout, deadline)
        progress.item = f"{self._kind} backup of {self._where.stanza}"
        label, warnings = self._back_up(progress, deadline)
        found = self._info = pgbackrest.info(self._where, deadline)
        made = found.of(label)
        if made.error:
            warnings.append("pgBackRest has found damaged pages in the server's files: look at its log now")
        place = f"backup/{self._where.stanza}/{label}/{LISTED}"
        listed = pgbackrest.fetch(self._where, place, os.path.join(folder, LISTED), folder, deadline)
        with open(os.path.join(folder, LISTED), encoding="utf-8", errors="surrogateescape") as file:
            databases = pgbackrest_wal.databases(file.read())
        told = os.path.join(folder, TOLD)
        with open(os.open(told, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "w", encoding="utf-8") as file:
            json.dump(dict(found.raw[label]), file, indent=1, sort_keys=True)
        chosen = {
            **self._where.told(),
            "pgbackrest": self._version,
            "asked": self._kind,
            "type": made.type,
            "jobs": self._jobs,
            "warnings": warnings,
        }
        invariants = {"databases": [name for name in databases if name != "template0"]}
        return Written(FORMAT, [stream.sum_file(told, folder), listed], chosen, position(made, found), invariants)

    def verify(self, folder: str, written: Written, deadline: float) -> str:  # noqa: ARG002
        """All that a restore of it reads, to the last byte."""
        if self._info is None:
            raise AssertionError("self._info is None")
        made = self._info.of(str(written.position["label"]))
        found = pgbackrest.verify(self._where, self._jobs, deadline)
        why = damage(made, found, pgbackrest.archived(self._where, self._info.archive, deadline))
        if why:
            raise OpsError(f"backup {made.label} was made, and is not whole: {why}")
        return f"pgbackrest verify: {found.files[made.label]} files, {found.wal} WAL files"

    def _back_up(self, progress: stream.Progress, deadline: float) -> tuple[str, list[str]]:
        asked, until = 0.0, time.monotonic() + self._wait

        def watch() -> None:
            nonlocal asked
            if time.monotonic() - asked >= _ASK_EVERY:
                asked = time.monotonic()
                progress.at(_done(self._where))

        while True:
            try:
                return pgbackrest.back_up(self._where, self._kind, self._jobs, self._timeout, deadline, watch)
            except lock.Busy:
                if time.monotonic() >= until:
                    raise
                time.sleep(_TRY_EVERY)


def engine(params: Mapping[str, Any]) -> PgBackRestEngine:
    """The engine that a module's options ask for.

    :raises OptionError: options that do not go together.
    """
    for name in _NOT_OURS:
        if params.get(name):
            raise OptionError(f"{name}: pgBackRest is told such things by its own configuration")
    if not params["stanza"]:
        raise OptionError("stanza: name the stanza of pgBackRest that is backed up")
    if params["jobs"] < 1:
        raise OptionError(f"jobs: want 1 or more, got {params['jobs']}")
    if not 0.1 <= params["archive_timeout"] <= 86400:
        raise OptionError(f"archive_timeout: want 0.1 to 86400 seconds, got {params['archive_timeout']:g}")
    every = options.duration(params["full_every"]) if params["full_every"] else 0.0
    if every is None:
        raise OptionError(f"full_every: want a time such as 7d or 36h, got {params['full_every']!r}")
    where = where_of(
        {
            "stanza": params["stanza"],
            "config": params["pgbackrest_config"],
            "repo": params["pgbackrest_repo"],
            "account": params["pgbackrest_account"],
        },
        params["login_password"],
    )
    return PgBackRestEngine(
        where, params["backup_type"], params["jobs"], params["archive_timeout"], params["lock_wait"], every
    )


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Make a set, or say what would be made; and take away those whose backup pgBackRest has expired.

    :returns: what the module returns, with ``expired``: stamps of the sets that went.
    """
    own = engine(params)
    result = run_backup.run(params, check_mode, own)
    if check_mode:
        return {**result, "expired": [], "warnings": []}
    made = manifest.read(result["set"]["path"])
    expired = forget(params["path"], params["system"], made) if result["changed"] else []
    if result["changed"]:
        result["msg"] = _told(params["system"], made, expired)
    return {**result, "expired": expired, "warnings": list(made.options.get("warnings") or [])}


def where_of(told: Mapping[str, Any], password: str | None = None) -> Where:
    """The way to a repository, of options or of what a manifest keeps."""
    where = Where(
        stanza=str(told.get("stanza") or ""),
        config=str(told.get("config") or ""),
        repo=int(told.get("repo") or 1),
        account=str(told.get("account") or pgbackrest.ACCOUNT),
        password=password,
    )
    where.check()
    return where


def is_due(found: Info, every: float, now: float) -> bool:
    """Whether a full backup is due: what builds on one keeps it, so that nothing would ever expire.

    :param every: seconds; 0 for never.
    """
    full = [one.stop for one in found.backups if one.type == "full" and not one.error]
    return bool(every and full) and now - max(full) >= every


def position(made: Backup, found: Info) -> dict[str, Any]:
    """Where the server was, and which backup in the repository it is."""
    return {
        "label": made.label,
        "type": made.type,
        "prior": made.prior,
        "needs": list(made.needs),
        "lsn": made.lsn_stop,
        "start_lsn": made.lsn_start,
        "wal_start": made.wal_start,
        "wal_stop": made.wal_stop,
        "timeline": int(made.wal_start[:8] or "0", 16),
        "began": _iso(made.start),
        "ended": _iso(made.stop),
        "system_identifier": found.identifier,
        "archive": found.archive,
        "bytes": made.size,
        "repository_bytes": made.repo_size,
        "added_bytes": made.delta,
    }


def damage(made: Backup, found: pgbackrest.Verified, archive: Mapping[str, float]) -> str | None:
    """What ``pgbackrest verify`` says against a backup; None where it is whole.

    :param archive: names of the WAL files that are there. It does not miss one that is not.
    """
    for label in [made.label, *made.needs]:
        status = found.status.get(label)
        if status != "valid":
            named = [path for path in found.bad if path.startswith(label + "/")] or list(found.bad)
            more = f": {', '.join(named[:3])}{' …' if named[3:] else ''}" if named else ""
            return f"backup {label} is {status or 'not there'} in the repository{more}"
    needed = pgbackrest_wal.between(made.wal_start, made.wal_stop, wal_size(made))
    for name in needed:
        state = "missing" if name not in archive else "damaged" if name in found.bad_wal else None
        if state:
            return f"WAL file {name} of the archive is {state}, and without it the copy is not one moment"
    return None


def wal_size(made: Backup) -> int:
    """Bytes of a WAL file of the server."""
    return pgbackrest_wal.size_of(made.wal_start, made.lsn_start)


def forget(place: str, system: str, made: Manifest) -> list[str]:
    """Take away the sets whose backup is not in the repository any more: they refer to nothing.

    Only such that are of the same stanza of the same server as one that was made just now, so that no change of the
    configuration makes all of them look expired. What somebody verifies at the moment stays until the next time.
    """
    gone = []
    with contextlib.suppress(lock.Busy, Missing):
        what = "removal of sets that have expired"
        with lock.held(place, system, what), lock.held(place, system + lock.VERIFYING, what):
            found = pgbackrest.info(where_of(made.options), time.monotonic() + 60)
            found.of(made.position["label"])
            for one in layout.finished(place, system):
                with contextlib.suppress(manifest.ManifestError):
                    told = manifest.read(one.path)
                    ours = (told.format, told.options.get("stanza"), told.options.get("repo"))
                    same = told.position.get("system_identifier") == found.identifier
                    if ours != (FORMAT, made.options["stanza"], made.options["repo"]) or not same:
                        continue
                    if told.position.get("label") not in found.raw:
                        layout.remove(one.path)
                        gone.append(one.stamp)
    return gone


def _told(system: str, made: Manifest, expired: list[str]) -> str:
    at = made.position
    msg = (
        f"{system}: {at['type']} backup {at['label']} of {human(at['bytes'])}, {human(at['added_bytes'])} new in the "
        f"repository, in {made.seconds:.1f} s to {made.stamp}, read to the end"
    )
    return msg + (f"; {len(expired)} sets whose backup has expired were removed" if expired else "")


def _done(where: Where) -> int:
    """How many bytes of the server are copied, where this version of pgBackRest tells."""
    with contextlib.suppress(OpsError, ValueError, KeyError, IndexError, TypeError):
        told = json.loads(stream.run(where.argv("info", "--output=json"), where.environment(), 10))
        return int(told[0]["status"]["lock"]["backup"]["size-cplt"])
    return 0


def _iso(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

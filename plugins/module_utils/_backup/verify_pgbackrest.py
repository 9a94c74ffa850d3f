# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove sets of pgBackRest: its repository is read to the end, and a backup of it is started as a scratch server."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from typing import Any

from .._core.errors import OpsError
from . import pgbackrest, pgbackrest_backup, pgbackrest_wal, psql, scratch_postgres, stream, verify_postgres
from .pgbackrest import Where
from .pgbackrest_backup import FORMAT, LISTED
from .postgres_tools import left
from .verify import Engine, Job, Refuted
from .verify_postgres import RestoredServer

AUTO = "postgresql.auto.conf"
# A copy that is started as the original was would refuse fewer of these than it had.
SETTINGS: dict[str, Any] = {"max_prepared_transactions": 100, "hot_standby": "off"}
# Errors of pgBackRest that speak against what is in the repository, and not against this host: a sum that is another,
# a format that is none, a file that is not there.
_DAMAGED = {26, 28, 29, 55, 83, 84}


class RepositoryEngine:
    """Backups in a repository of pgBackRest."""

    most = 5

    def read(self, job: Job) -> dict[str, Any]:
        """By ``pgbackrest verify``; and the list of files is still the one that the set has a copy of."""
        where = pgbackrest_backup.where_of(job.known.options)
        label = str(job.known.position["label"])
        try:
            found = pgbackrest.info(where, job.until)
            made = found.of(label)
            if found.identifier != job.known.position.get("system_identifier"):
                raise Refuted(f"stanza {where.stanza} is of another server than the set")
            self._listed(job, where, label)
            verified = pgbackrest.verify(where, job.jobs, job.until)
            archive = pgbackrest.archived(where, str(job.known.position["archive"]), job.until)
        except pgbackrest.Missing as error:
            raise Refuted(str(error)) from None
        why = pgbackrest_backup.damage(made, verified, archive)
        if why:
            raise Refuted(why)
        way = pgbackrest_wal.reach(made.wal_start, archive, pgbackrest_backup.wal_size(made))
        beyond = sorted(name for name in verified.bad_wal if name > made.wal_stop)
        lost = (beyond or list(way.missing))[:1]
        if lost:
            state = "damaged" if beyond else "missing"
            job.odd.append(
                f"WAL file {lost[0]} of the archive is {state}: no moment behind it can be restored from here"
            )
        return {"read": {label: f"{verified.files[label]} files", "archive": f"{verified.wal} WAL files"}}

    @contextlib.contextmanager
    def restored(self, job: Job) -> Iterator[RestoredServer]:
        """By ``pgbackrest restore``, recovered to the moment at which the backup ended."""
        where = pgbackrest_backup.where_of(job.known.options)
        major = psql.major(job.known.server)
        verify_postgres.check_room(job.scratch_dir, int(job.known.position.get("bytes") or 0))
        with scratch_postgres.workspace(job.bin_dir, major, exact=True, parent=job.scratch_dir) as scratch:
            clock = time.monotonic()
            label = str(job.known.position["label"])
            try:
                lay_out(where, scratch, label, job.jobs, job.until, os.path.join(scratch.folder, "t"))
            except OpsError as error:
                job.in_time()
                if pgbackrest.code(error) in _DAMAGED:
                    raise Refuted(f"it cannot be restored: {error}") from None
                raise
            settings = {**SETTINGS, "recovery_target": "immediate", **recovery(where, scratch.data)}
            try:
                with started(scratch, settings, job.until) as server:
                    yield RestoredServer(server, time.monotonic() - clock, {"server": str(scratch.version)})
            except scratch_postgres.NotStarted as error:
                job.in_time()
                raise Refuted(f"the copy does not start: {error}") from None

    def _listed(self, job: Job, where: Where, label: str) -> None:
        try:
            text = pgbackrest.read_file(where, f"backup/{where.stanza}/{label}/{LISTED}", job.until)
        except OpsError as error:
            if pgbackrest.code(error) in _DAMAGED:
                raise Refuted(f"the list of files of {label} cannot be read from the repository: {error}") from None
            raise
        digest = hashlib.sha256(text.encode()).hexdigest()
        wanted = next((file.sha256 for file in job.known.files if file.path == LISTED), None)
        if digest != wanted:
            raise Refuted(f"the list of files of {label} in the repository is not the one that was made with the set")


@contextlib.contextmanager
def started(scratch: scratch_postgres.Scratch, settings: Mapping[str, Any], until: float) -> Iterator[psql.Server]:
    """The copy as a server that has recovered.

    :raises NotStarted: it gave up.
    """
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(scratch.running(settings, seconds=left(until)))
        if not verify_postgres.knows_us(server, left(until)):
            stack.close()
            user = scratch.superuser({}, left(until))
            # It has recovered: what it was to recover to is nothing any more.
            again = {name: value for name, value in settings.items() if not name.startswith("recovery_")}
            server = stack.enter_context(scratch.running(again, user, left(until)))
        yield server


def lay_out(where: Where, scratch: scratch_postgres.Scratch, label: str, jobs: int, until: float, spaces: str) -> None:
    """Restore a backup as the data of a scratch server, tablespaces beside them.

    The settings that the original's administrators made (:data:`AUTO`) are laid aside, in the scratch folder: what
    counts are the caller's own. Nothing of the copy archives, streams or listens.

    :param spaces: folder for the tablespaces; those of the live server are never touched.
    :raises OpsError: it was not restored.
    """
    for folder in (scratch.data, spaces):
        os.makedirs(folder, mode=0o700)
        if os.geteuid() == 0:
            person = where.person()
            os.chown(folder, person.pw_uid, person.pw_gid)
    options = [f"--set={label}", f"--pg1-path={scratch.data}", "--reset-pg1-host", "--type=default"]
    options += ["--archive-mode=off", f"--tablespace-map-all={spaces}", f"--process-max={jobs}"]
    with pgbackrest.explained():
        stream.work(where.argv("restore", *options), scratch.data, where.environment(), None, until)
    auto = os.path.join(scratch.data, AUTO)
    shutil.copyfile(auto, os.path.join(scratch.folder, AUTO))
    with open(auto, "w", encoding="utf-8"):
        pass
    scratch.give(scratch.data)
    scratch.give(spaces)


def recovery(where: Where, data: str) -> dict[str, Any]:
    """Settings of a server that recovers from the repository, to the target that the caller names."""
    words = where.words("archive-get", f"--pg1-path={data}", "--reset-pg1-host", "--log-level-console=off")
    command = " ".join(f"'{word}'" if " " in word else word for word in words).replace("%", "%%")
    return {"restore_command": f'{command} %f "%p"', "recovery_target_action": "promote"}


ENGINES: dict[str, Engine] = {FORMAT: RepositoryEngine()}

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history: runs with their reports, items, findings and values, and what was acknowledged."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._core.deps import MissingLibrary
from .._core.redact import redact_text
from . import pack
from .acks import REPLACED, Acknowledgement
from .delta import Past
from .migrations import CURRENT, LOCK, migrate, version_of
from .place import HistoryError, engine, path_of, shown
from .tables import define

if TYPE_CHECKING:
    import sqlalchemy as sa

RECENT = 20
"""Earlier runs that a run is compared with, newest first, until everything that it looked at has been found in one."""


def open_history(url: str, write: bool = True) -> History:
    """Open a history, and bring it to the present tables.

    :param write: False writes nothing: no file, no table, no migration.
    :raises HistoryError: it cannot be opened.
    """
    try:
        history = History(engine(url, write), shown(url))
    except MissingLibrary as error:
        raise HistoryError(str(error)) from error
    history.prepare(write)
    return history


def exists(url: str) -> bool:
    """False where the file of an SQLite history was never made; a PostgreSQL server has to be asked."""
    path = path_of(url)
    return path is None or os.path.exists(path)


class History:
    """One history. Every method opens a connection of its own and closes it."""

    def __init__(self, made: sa.Engine, url: str) -> None:
        import sqlalchemy as sa

        self._sa: Any = sa
        self._engine = made
        self._tables = define()
        self.url = url

    def prepare(self, write: bool) -> None:
        """Migrate where that is needed.

        :raises HistoryError: the tables are of a later version, or of an earlier one and may not be changed.
        """
        with self._read() as connection:
            version = version_of(connection)
        if version > CURRENT:
            raise HistoryError(
                "the history %s was written by a later version of nexuscos.ops (tables %d, this one knows %d)"
                % (self.url, version, CURRENT)
            )
        if version == CURRENT:
            return
        if not write:
            raise HistoryError(
                "the history %s has the tables of an earlier version (%d, now %d): the next run that writes brings "
                "them here" % (self.url, version, CURRENT)
            )
        with self._write() as connection:
            migrate(connection)

    # Runs

    def record(self, report: Mapping[str, Any]) -> str:
        """Keep a run. All of it or nothing.

        :returns: the id of the run: that of the report, with a number where another run has it already.
        """
        sa, tables = self._sa, self._tables
        wanted = pack.text(report["run"]["id"])
        with self._write() as connection:
            name, number = wanted, 1
            while connection.execute(sa.select(tables.runs.c.id).where(tables.runs.c.id == name)).first():
                number += 1
                name = "%s-%d" % (wanted, number)
            connection.execute(tables.runs.insert(), pack.run_row(report, name))
            looks = [{**one, "checks_seen": json.dumps(one["checks_seen"])} for one in pack.looks_of(report)]
            for table, rows in (
                (tables.items, pack.item_rows(report)),
                (tables.looks, looks),
                (tables.findings, pack.finding_rows(report)),
                (tables.values, pack.value_rows(report)),
            ):
                if rows:
                    connection.execute(table.insert(), [{**row, "run_id": name} for row in rows])
        return name

    def runs(self, procedure: str = "", platform: str = "", limit: int = 20, before: str = "") -> list[dict[str, Any]]:
        """The newest runs, without their reports.

        :param before: only those that began before that time.
        """
        sa, runs = self._sa, self._tables.runs
        columns = [column for column in runs.c if column.name != "report"]
        query = sa.select(*columns).order_by(runs.c.started.desc(), runs.c.ended.desc(), runs.c.id.desc()).limit(limit)
        if procedure:
            query = query.where(runs.c.procedure == procedure)
        if platform:
            query = query.where(runs.c.platform == platform)
        if before:
            query = query.where(runs.c.started < before)
        with self._read() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def report(self, name: str) -> dict[str, Any] | None:
        """The report of a run; None where the history has no such run."""
        sa, runs = self._sa, self._tables.runs
        with self._read() as connection:
            packed = connection.execute(sa.select(runs.c.report).where(runs.c.id == name)).scalar()
        return pack.unpack(packed) if packed is not None else None

    def recent(self, procedure: str, platform: str, limit: int = RECENT, before: str = "") -> list[Past]:
        """The newest runs of a procedure on a platform, to compare with; newest first."""
        sa, tables = self._sa, self._tables
        runs = self.runs(procedure, platform, limit, before)
        names = [run["id"] for run in runs]
        looks: dict[str, list[Mapping[str, Any]]] = {name: [] for name in names}
        findings: dict[str, dict[str, Mapping[str, Any]]] = {name: {} for name in names}
        with self._read() as connection:
            # Most systems of a kind answer the same checks in every run.
            texts: dict[str, list[str]] = {}
            for row in connection.execute(sa.select(tables.looks).where(tables.looks.c.run_id.in_(names))).mappings():
                text = row["checks_seen"]
                if text not in texts:
                    texts[text] = json.loads(text)
                looks[row["run_id"]].append({**row, "checks_seen": texts[text]})
            query = sa.select(tables.findings).where(tables.findings.c.run_id.in_(names))
            for row in connection.execute(query).mappings():
                found = dict(row)
                found["check"] = found.pop("check_id")
                findings[row["run_id"]][row["fingerprint"]] = found
        return [pack.past(run, looks[run["id"]], findings[run["id"]]) for run in runs]

    def series(self, names: Sequence[str]) -> dict[str, dict[str, dict[str, float]]]:
        """The numbers of some runs: system -> key -> run -> value."""
        sa, values = self._sa, self._tables.values
        found: dict[str, dict[str, dict[str, float]]] = {}
        with self._read() as connection:
            query = sa.select(values.c.run_id, values.c.system, values.c.key, values.c.value)
            for run, system, key, value in connection.execute(query.where(values.c.run_id.in_(list(names)))):
                found.setdefault(system, {}).setdefault(key, {})[run] = value
        return found

    def prune(self, procedure: str, platform: str, keep_runs: int, keep_days: int, now: str) -> int:
        """Remove what is beyond a count or an age; 0 keeps all. The newest run of all always stays.

        :returns: how many runs were removed.
        """
        sa, tables = self._sa, self._tables
        runs = tables.runs
        of_this = (runs.c.procedure == procedure) & (runs.c.platform == platform)
        order = (runs.c.started.desc(), runs.c.ended.desc(), runs.c.id.desc())
        with self._write() as connection:
            every = connection.execute(sa.select(runs.c.id, runs.c.started).where(of_this).order_by(*order)).all()
            oldest = _days_before(now, keep_days) if keep_days > 0 else ""
            gone = [
                row.id
                for place, row in enumerate(every)
                if place > 0 and ((keep_runs > 0 and place >= keep_runs) or row.started < oldest)
            ]
            # In portions, because databases take only so many parameters.
            for at in range(0, len(gone), 500):
                part = gone[at : at + 500]
                for table in (tables.items, tables.looks, tables.findings, tables.values):
                    connection.execute(table.delete().where(table.c.run_id.in_(part)))
                connection.execute(runs.delete().where(runs.c.id.in_(part)))
            if oldest:
                ended = tables.acknowledgements
                connection.execute(ended.delete().where((ended.c.platform == platform) & (ended.c.ended < oldest)))
        return len(gone)

    # Acknowledgements

    def acknowledgements(self, platform: str, ended: bool = False) -> list[Acknowledgement]:
        """What is acknowledged, oldest first.

        :param ended: also what has ended.
        """
        sa, table = self._sa, self._tables.acknowledgements
        query = sa.select(table).where(table.c.platform == platform).order_by(table.c.id)
        if not ended:
            query = query.where(table.c.ended.is_(None))
        with self._read() as connection:
            return [_acknowledgement(row) for row in connection.execute(query).mappings()]

    def acknowledge(self, one: Acknowledgement) -> Acknowledgement:
        """Keep an acknowledgement; one that holds for the same finding is replaced by it."""
        table = self._tables.acknowledgements
        row = {
            "platform": pack.text(one.platform),
            "fingerprint": one.fingerprint,
            "check_id": pack.text(one.check),
            "object": pack.text(one.object),
            "author": pack.text(one.by),
            "reason": pack.text(one.reason),
            "status": one.status,
            "created": one.created,
            "until": one.until,
            "given": pack.text(one.given),
        }
        with self._write() as connection:
            connection.execute(
                table.update()
                .where(
                    (table.c.platform == row["platform"])
                    & (table.c.fingerprint == one.fingerprint)
                    & table.c.ended.is_(None)
                )
                .values(ended=one.created, ended_why=REPLACED)
            )
            made = connection.execute(table.insert(), row)
            number = int(made.inserted_primary_key[0]) if made.inserted_primary_key else 0
        return Acknowledgement(**{**one.__dict__, "id": number})

    def end(self, ended: Sequence[tuple[Acknowledgement, str]], now: str) -> None:
        """Note that acknowledgements have ended, and why."""
        table = self._tables.acknowledgements
        if not ended:
            return
        with self._write() as connection:
            for one, why in ended:
                connection.execute(
                    table.update()
                    .where((table.c.id == one.id) & table.c.ended.is_(None))
                    .values(ended=now, ended_why=why)
                )

    def known(self, platform: str, limit: int = RECENT) -> list[dict[str, Any]]:
        """The findings of the newest runs of a platform, each as it was last seen; the newest first."""
        sa, findings = self._sa, self._tables.findings
        names = [run["id"] for run in self.runs(platform=platform, limit=limit)]
        place = {name: number for number, name in enumerate(names)}
        found: dict[str, dict[str, Any]] = {}
        with self._read() as connection:
            rows = connection.execute(sa.select(findings).where(findings.c.run_id.in_(names))).mappings().all()
        for row in sorted(rows, key=lambda row: (place[row["run_id"]], row["check_id"], row["object"])):
            one = dict(row)
            one["check"] = one.pop("check_id")
            found.setdefault(one["fingerprint"], one)
        return list(found.values())

    # How

    @contextlib.contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        with self._told("read"), self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        with self._told("written"), self._engine.connect() as connection:
            connection = connection.execution_options(nexuscos_write=True)
            with connection.begin():
                if connection.dialect.name == "postgresql":
                    # One writer at a time, as in a file: two runs of one name, or two that remove the same, would meet.
                    connection.execute(self._sa.text("SELECT pg_advisory_xact_lock(%d)" % LOCK))
                yield connection

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except self._sa.exc.SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            first = next(iter(str(cause).strip().split("\n")), "") or type(cause).__name__
            raise HistoryError("the history %s cannot be %s: %s" % (self.url, what, redact_text(first))) from error
        except OSError as error:
            raise HistoryError("the history %s cannot be %s: %s" % (self.url, what, error.strerror or error)) from error


def _acknowledgement(row: Any) -> Acknowledgement:
    return Acknowledgement(
        id=row["id"],
        platform=row["platform"],
        fingerprint=row["fingerprint"],
        check=row["check_id"],
        object=row["object"],
        by=row["author"],
        reason=row["reason"],
        status=row["status"],
        created=row["created"],
        until=row["until"],
        given=row["given"],
        ended=row["ended"],
        ended_why=row["ended_why"],
    )


def _days_before(now: str, days: int) -> str:
    at = datetime.datetime.fromisoformat(now.replace("Z", "+00:00"))
    return (at - datetime.timedelta(days=min(days, 300000))).strftime("%Y-%m-%dT%H:%M:%SZ")

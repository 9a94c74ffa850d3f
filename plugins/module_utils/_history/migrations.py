# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbered steps that bring a history of any age to the present tables. Each runs once and whole, or not at all.

A step defines what it makes by itself and never reads `tables.py`, because that goes on changing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._core.observe import now_iso
from .delta import key_of, seen_of
from .pack import looks_of, unpack

if TYPE_CHECKING:
    import sqlalchemy as sa

LOCK = 0x6E657875
"""Number of PostgreSQL's advisory lock that one run holds while it writes."""


def version_of(connection: sa.Connection) -> int:
    """Version of the tables in a database; 0 where there are none."""
    import sqlalchemy as sa

    if not sa.inspect(connection).has_table("nexuscos_schema_version"):
        return 0
    return int(connection.execute(sa.text("SELECT max(version) FROM nexuscos_schema_version")).scalar() or 0)


def migrate(connection: sa.Connection, up_to: int | None = None) -> int:
    """Apply what is missing, within the transaction of the caller, which must be the only one that writes.

    :param up_to: stop after that step; for tests.
    :returns: the version that the tables have then.
    """
    import sqlalchemy as sa

    # Another run may have done it while this one waited.
    version = version_of(connection)
    for number, step in enumerate(STEPS[: up_to if up_to is not None else len(STEPS)], 1):
        if number > version:
            step(connection)
            connection.execute(
                sa.text("INSERT INTO nexuscos_schema_version (version, applied) VALUES (:version, :applied)"),
                {"version": number, "applied": now_iso()},
            )
            version = number
    return version


def _step_1(connection: sa.Connection) -> None:
    """Runs with their reports, items, findings, values, acknowledgements."""
    import sqlalchemy as sa

    metadata = sa.MetaData()

    def table(name: str, *columns: Any) -> None:
        sa.Table(name, metadata, *columns)

    def text(name: str, **more: Any) -> sa.Column[str]:
        return sa.Column(name, sa.Text, **{"nullable": False, **more})

    def number(name: str, **more: Any) -> sa.Column[int]:
        return sa.Column(name, sa.Integer, **{"nullable": False, **more})

    table("nexuscos_schema_version", number("version", primary_key=True, autoincrement=False), text("applied"))
    table(
        "nexuscos_runs",
        text("id", primary_key=True),
        *(text(name) for name in ("procedure", "platform", "started", "ended")),
        sa.Column("seconds", sa.Double, nullable=False),
        text("limited_to", nullable=True),
        *(text(name) for name in ("run_by", "controller", "version", "worst")),
        *(number(name) for name in ("ok", "warning", "unknown", "critical")),
        sa.Column("seen_percent", sa.Double),
        sa.Column("report", sa.LargeBinary, nullable=False),
        sa.Index("nexuscos_runs_by_time", "procedure", "platform", "started"),
    )
    table(
        "nexuscos_items",
        text("run_id", primary_key=True),
        number("place", primary_key=True, autoincrement=False),
        *(text(name) for name in ("item", "state", "status", "headline")),
    )
    table(
        "nexuscos_findings",
        text("run_id", primary_key=True),
        text("fingerprint", primary_key=True),
        *(text(name) for name in ("check_id", "object", "status", "title")),
        sa.Column("value", sa.Double),
        *(text(name, nullable=True) for name in ("unit", "caused_by", "recorded_at")),
        sa.Index("nexuscos_findings_by_fingerprint", "fingerprint"),
    )
    table(
        "nexuscos_values",
        text("run_id", primary_key=True),
        text("system", primary_key=True),
        text("key", primary_key=True),
        sa.Column("value", sa.Double, nullable=False),
    )
    table(
        "nexuscos_acknowledgements",
        number("id", primary_key=True),
        *(text(name) for name in ("platform", "fingerprint", "check_id", "object", "author", "reason", "status")),
        *(text(name) for name in ("created", "until", "given")),
        *(text(name, nullable=True) for name in ("ended", "ended_why")),
        sa.Index("nexuscos_acknowledgements_by_platform", "platform", "ended"),
    )
    metadata.create_all(connection, checkfirst=False)


def _step_2(connection: sa.Connection) -> None:
    """What each run looked at, and since when each finding is known, told from the reports that are kept."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    looks = sa.Table(
        "nexuscos_looks",
        metadata,
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("run_id", "system", "module")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("mode", "checks_seen")),
    )
    metadata.create_all(connection, checkfirst=False)
    for name in ("since", "delta"):
        connection.execute(sa.text("ALTER TABLE nexuscos_findings ADD COLUMN %s TEXT" % name))
    runs = connection.execute(
        sa.text("SELECT id, procedure, platform, started FROM nexuscos_runs ORDER BY started, ended, id")
    ).all()
    first: dict[tuple[str, str], dict[str, tuple[Any, str]]] = {}
    for run in runs:
        packed = connection.execute(sa.text("SELECT report FROM nexuscos_runs WHERE id = :id"), {"id": run.id}).scalar()
        report = unpack(packed)
        made = [{**one, "checks_seen": json.dumps(one["checks_seen"]), "run_id": run.id} for one in looks_of(report)]
        if made:
            connection.execute(looks.insert(), made)
        seen = seen_of(report)
        here = {one["fingerprint"]: key_of(one) for one in report["findings"]}
        known = first.setdefault((run.procedure, run.platform), {})
        for name in [name for name, (key, _since) in known.items() if name not in here and key in seen]:
            del known[name]
        for name, key in here.items():
            known.setdefault(name, (key, run.started))
            connection.execute(
                sa.text("UPDATE nexuscos_findings SET since = :since WHERE run_id = :id AND fingerprint = :name"),
                {"since": known[name][1], "id": run.id, "name": name},
            )


STEPS: tuple[Callable[[Any], None], ...] = (_step_1, _step_2)
CURRENT = len(STEPS)

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of the history as they are now. `migrations.py` brings an older database here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa


@dataclass(frozen=True)
class Tables:
    """All tables; times are ISO 8601 in UTC, as everywhere in the collection."""

    metadata: sa.MetaData
    runs: sa.Table
    items: sa.Table
    looks: sa.Table
    findings: sa.Table
    values: sa.Table
    acknowledgements: sa.Table
    schema_version: sa.Table


def define() -> Tables:
    """Make the definitions. Late, because the library is only needed where a history is kept."""
    import sqlalchemy as sa

    metadata = sa.MetaData()

    def run_id() -> sa.Column[str]:
        return sa.Column("run_id", sa.Text, primary_key=True)

    return Tables(
        metadata=metadata,
        runs=sa.Table(
            "nexuscos_runs",
            metadata,
            sa.Column("id", sa.Text, primary_key=True),
            sa.Column("procedure", sa.Text, nullable=False),
            sa.Column("platform", sa.Text, nullable=False),
            sa.Column("started", sa.Text, nullable=False),
            sa.Column("ended", sa.Text, nullable=False),
            sa.Column("seconds", sa.Double, nullable=False),
            sa.Column("limited_to", sa.Text),
            sa.Column("run_by", sa.Text, nullable=False),
            sa.Column("controller", sa.Text, nullable=False),
            sa.Column("version", sa.Text, nullable=False),
            sa.Column("worst", sa.Text, nullable=False),
            sa.Column("ok", sa.Integer, nullable=False),
            sa.Column("warning", sa.Integer, nullable=False),
            sa.Column("unknown", sa.Integer, nullable=False),
            sa.Column("critical", sa.Integer, nullable=False),
            sa.Column("seen_percent", sa.Double),
            sa.Column("report", sa.LargeBinary, nullable=False),
            sa.Index("nexuscos_runs_by_time", "procedure", "platform", "started"),
        ),
        items=sa.Table(
            "nexuscos_items",
            metadata,
            run_id(),
            sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("item", sa.Text, nullable=False),
            sa.Column("state", sa.Text, nullable=False),
            sa.Column("status", sa.Text, nullable=False),
            sa.Column("headline", sa.Text, nullable=False),
        ),
        looks=sa.Table(
            "nexuscos_looks",
            metadata,
            run_id(),
            sa.Column("system", sa.Text, primary_key=True),
            sa.Column("module", sa.Text, primary_key=True),
            sa.Column("mode", sa.Text, nullable=False),
            sa.Column("checks_seen", sa.Text, nullable=False),
        ),
        findings=sa.Table(
            "nexuscos_findings",
            metadata,
            run_id(),
            sa.Column("fingerprint", sa.Text, primary_key=True),
            sa.Column("check_id", sa.Text, nullable=False),
            sa.Column("object", sa.Text, nullable=False),
            sa.Column("status", sa.Text, nullable=False),
            sa.Column("title", sa.Text, nullable=False),
            sa.Column("value", sa.Double),
            sa.Column("unit", sa.Text),
            sa.Column("caused_by", sa.Text),
            sa.Column("recorded_at", sa.Text),
            sa.Column("since", sa.Text),
            sa.Column("delta", sa.Text),
            sa.Index("nexuscos_findings_by_fingerprint", "fingerprint"),
        ),
        values=sa.Table(
            "nexuscos_values",
            metadata,
            run_id(),
            sa.Column("system", sa.Text, primary_key=True),
            sa.Column("key", sa.Text, primary_key=True),
            sa.Column("value", sa.Double, nullable=False),
        ),
        acknowledgements=sa.Table(
            "nexuscos_acknowledgements",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("platform", sa.Text, nullable=False),
            sa.Column("fingerprint", sa.Text, nullable=False),
            sa.Column("check_id", sa.Text, nullable=False),
            sa.Column("object", sa.Text, nullable=False),
            sa.Column("author", sa.Text, nullable=False),
            sa.Column("reason", sa.Text, nullable=False),
            sa.Column("status", sa.Text, nullable=False),
            sa.Column("created", sa.Text, nullable=False),
            sa.Column("until", sa.Text, nullable=False),
            sa.Column("given", sa.Text, nullable=False),
            sa.Column("ended", sa.Text),
            sa.Column("ended_why", sa.Text),
            sa.Index("nexuscos_acknowledgements_by_platform", "platform", "ended"),
        ),
        schema_version=sa.Table(
            "nexuscos_schema_version",
            metadata,
            sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("applied", sa.Text, nullable=False),
        ),
    )

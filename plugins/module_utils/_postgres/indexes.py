# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Indexes that are broken, idle or there twice; sequences that run out."""

from __future__ import annotations

from . import words
from .case import Case, Row, amount, flag, identifier, number, text, texts

_DAY = 86400.0
_TYPES: dict[str, float] = {"smallint": 2.0**15 - 1, "integer": 2.0**31 - 1, "bigint": 2.0**63 - 1}


def judge_indexes(case: Case) -> None:
    """Invalid, unused and duplicate indexes of each database that was read."""
    for _database, rows in case.each("counts"):
        indexes = int(amount(rows[0], "indexes")) if rows else 0
        for check in ("invalid_index", "unused_index", "duplicate_index"):
            case.looked(check, indexes)
    for check, name, judge in (
        ("invalid_index", "invalid", _invalid),
        ("unused_index", "unused", _unused),
        ("duplicate_index", "duplicates", _duplicate),
    ):
        for database, rows in case.each(name):
            case.looked(check, 0)
            for row in rows:
                judge(case, database, row)


def _invalid(case: Case, database: str, row: Row) -> None:
    name = _name(row)
    what = "is not built to its end: it costs every write%s" % (
        ", and the rows that are there may not be unique" if flag(row, "is_unique") else " and serves no query"
    )
    leftover = name.endswith(("_ccnew", "_ccold"))
    case.looked("invalid_index", -1)
    case.report(
        "invalid_index",
        case.name(database, name),
        f"index {name} in {database} {what}",
        evidence={"table": text(row, "table_name"), "unique": flag(row, "is_unique"), "bytes": _bytes(case, row)},
        remedy=case.psql(
            ("DROP INDEX CONCURRENTLY %s" if leftover else "REINDEX INDEX CONCURRENTLY %s") % _sql(row), database
        ),
    )


def _unused(case: Case, database: str, row: Row) -> None:
    """Never used since statistics began, or (16 and newer) for as long as it says. It may be younger than that."""
    last = number(row, "last_used_s")
    if last is None and amount(row, "scans") > 0:
        return
    seconds = last if last is not None else _window(case, database)
    if seconds is None:
        return
    name, standbys = _name(row), len(case.rows("standbys") or ())
    since = (
        f"was last used {words.age(seconds)} ago"
        if last is not None
        else f"was not used in the {words.age(seconds)} that statistics cover"
    )
    note = "; {} may use it".format(words.count(standbys, "standby", "standbys")) if standbys else ""
    case.looked("unused_index", -1)
    case.value(
        "unused_index",
        case.name(database, name),
        round(max(seconds, 0.0) / _DAY, 4),
        f"index {name} in {database} ({words.size(_bytes(case, row))}) {since}{note}",
        {"table": text(row, "table_name"), "bytes": _bytes(case, row), "standbys": standbys},
        case.psql(f"DROP INDEX CONCURRENTLY {_sql(row)}", database),
    )


def _window(case: Case, database: str) -> float | None:
    for row in case.rows("databases") or ():
        if text(row, "database") == database:
            return case.statistics_age(row)
    return number(case.server, "statistics_s")


def _duplicate(case: Case, database: str, row: Row) -> None:
    names = texts(row, "names")
    constraints, pages = row.get("constraints"), row.get("pages")
    for place, name in enumerate(names[1:], 1):
        full = "{}.{}".format(text(row, "schema"), name)
        is_constraint = (
            isinstance(constraints, (list, tuple)) and len(constraints) > place and constraints[place] is True
        )
        size = (
            amount({"pages": pages[place]}, "pages") if isinstance(pages, (list, tuple)) and len(pages) > place else 0.0
        )
        drop = (
            "ALTER TABLE {} DROP CONSTRAINT {}".format(
                identifier(text(row, "schema"), text(row, "table_name")), identifier(name)
            )
            if is_constraint
            else "DROP INDEX CONCURRENTLY {}".format(identifier(text(row, "schema"), name))
        )
        case.looked("duplicate_index", -1)
        case.report(
            "duplicate_index",
            case.name(database, full),
            f"index {full} in {database} does the same as {names[0]}",
            evidence={
                "table": text(row, "table_name"),
                "same_as": names[0],
                "bytes": size * (case.measure("block_size") or 8192.0),
            },
            remedy=case.psql(drop, database),
        )


def judge_sequences(case: Case) -> None:
    """How far sequences are, against their own end and that of the column that they feed."""
    hidden: dict[str, float] = {}
    for database, rows in case.each("counts"):
        row = rows[0] if rows else {}
        hidden[database] = amount(row, "hidden_sequences")
        case.looked("sequence", int(max(amount(row, "sequences") - hidden[database], 0)))
    for database, rows in case.each("sequences"):
        case.looked("sequence", 0)
        for row in rows:
            _sequence(case, database, row)
    for database, count in hidden.items():
        if count:
            case.unseen(
                "sequence",
                "{} in {} cannot be read: GRANT SELECT ON ALL SEQUENCES IN SCHEMA … TO the login role".format(
                    words.count(count, "sequence"), database
                ),
            )


def _sequence(case: Case, database: str, row: Row) -> None:
    last, step = number(row, "last"), number(row, "step")
    lowest, highest = number(row, "lowest"), number(row, "highest")
    if last is None or not step or lowest is None or highest is None:
        return
    kind = text(row, "column_type")
    if kind in _TYPES:
        highest, lowest = min(highest, _TYPES[kind]), max(lowest, -_TYPES[kind] - 1)
    used, whole = (last - lowest, highest - lowest) if step > 0 else (highest - last, highest - lowest)
    share = words.percent(max(used, 0.0), whole)
    name = _name(row)
    column = ".".join(part for part in (text(row, "table_name"), text(row, "column_name")) if part)
    case.looked("sequence", -1)
    case.value(
        "sequence",
        case.name(database, name),
        share,
        "sequence {} in {} has used {:g} % of its range{}".format(
            name, database, share, f" ({column} is {kind})" if kind in _TYPES else ""
        ),
        {"last": last, "end": highest if step > 0 else lowest, "column": column, "type": kind or text(row, "type")},
    )


def _name(row: Row) -> str:
    return "{}.{}".format(text(row, "schema"), text(row, "name"))


def _sql(row: Row) -> str:
    return identifier(text(row, "schema"), text(row, "name"))


def _bytes(case: Case, row: Row) -> float:
    return amount(row, "pages") * (case.measure("block_size") or 8192.0)

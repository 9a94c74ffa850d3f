# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Vacuum and analyze: on at all, coming in time, and what they left behind."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .._core.finding import WARNING
from . import words
from .case import Case, Row, amount, flag, identifier, number, text, texts

_OFF = ("off", "false", "no", "0")
_MANY = 10_000
_NAPTIME = 60.0
_PAGE_HEADER = 24
_TUPLE_HEADER = 23
_LINE_POINTER = 4
_ALIGN = 8
_MIN_WASTE = 8 * 1024.0**2


def judge_autovacuum(case: Case) -> None:
    """Autovacuum switched off, for the server or for a table of some size."""
    if case.rows("settings") is not None and case.setting("autovacuum"):
        off = [name for name in ("autovacuum", "track_counts") if case.setting(name) == "off"]
        case.looked("autovacuum", 0 if off else 1)
        if off:
            title = "autovacuum does not work: {} off".format(" and ".join(f"{name} is" for name in off))
            case.report("autovacuum", case.target, title, evidence={"settings": dict.fromkeys(off, "off")})
    for database, rows in case.each("tables"):
        for row in rows:
            if _disabled(row) and max(amount(row, "live"), amount(row, "rows")) + amount(row, "dead") >= _MANY:
                obj, relation = _object(case, database, row), _relation(row)
                case.report(
                    "autovacuum",
                    obj,
                    f"autovacuum is switched off for {relation} in {database}",
                    WARNING,
                    evidence={
                        "options": texts(row, "options"),
                        "live_rows": amount(row, "live"),
                        "dead_rows": amount(row, "dead"),
                    },
                    remedy=case.psql(f"ALTER TABLE {_sql(row)} RESET (autovacuum_enabled)", database),
                )


def judge_tables(case: Case) -> None:
    """Dead rows, tables that autovacuum should have come to, statistics that no longer fit."""
    counts = {database: amount(rows[0], "tables") for database, rows in case.each("counts") if rows}
    for database, rows in case.each("tables"):
        tables = int(counts.get(database, len(rows)))
        for check in ("dead_tuples", "vacuum_lag", "stale_statistics"):
            case.looked(check, 1 if check == "vacuum_lag" else max(tables - len(rows), 0))
        for row in rows:
            _dead(case, database, row)
            _stale(case, database, row)
        _lag(case, database, rows)


def _dead(case: Case, database: str, row: Row) -> None:
    dead, live = amount(row, "dead"), amount(row, "live")
    if dead < _MANY:
        case.looked("dead_tuples")
        return
    obj, relation = _object(case, database, row), _relation(row)
    share = words.percent(dead, dead + live)
    case.value(
        "dead_tuples",
        obj,
        share,
        f"{share:g} % of {relation} in {database} is dead rows",
        {
            "dead_rows": dead,
            "live_rows": live,
            "vacuumed": _ago(row, "vacuumed_s"),
            "vacuuming_now": flag(row, "vacuuming"),
        },
        case.psql(f"VACUUM (ANALYZE, VERBOSE) {_sql(row)}", database),
        # A table with autovacuum off explains itself, a server with it off explains all, an old snapshot the rest.
        caused_by=case.cause(("autovacuum", obj), ("autovacuum", case.target)) or case.any_cause(("xmin_horizon",)),
    )


def _stale(case: Case, database: str, row: Row) -> None:
    changed, live = amount(row, "modified"), max(amount(row, "live"), 1.0)
    if changed < _MANY or not _overdue(case, row, "analyzed_s"):
        case.looked("stale_statistics")
        return
    obj, relation = _object(case, database, row), _relation(row)
    share = words.percent(changed, live)
    case.value(
        "stale_statistics",
        obj,
        share,
        "{} changed in {} of {} since its last ANALYZE ({:g} %)".format(
            words.count(changed, "row"), relation, database, share
        ),
        {"changed_rows": changed, "live_rows": amount(row, "live"), "analyzed": _ago(row, "analyzed_s")},
        case.psql(f"ANALYZE {_sql(row)}", database),
        caused_by=case.cause(("autovacuum", obj), ("autovacuum", case.target)),
    )


def _lag(case: Case, database: str, rows: list[Row]) -> None:
    """One finding a database: where autovacuum does not keep up, it is late for many tables at once."""
    late: list[dict[str, Any]] = []
    sql = {_relation(row): _sql(row) for row in rows}
    for row in rows:
        if _disabled(row) or not _overdue(case, row, "vacuumed_s"):
            continue
        factor = max(_times(case, row, "dead"), _times(case, row, "inserted"))
        if factor > 1:
            late.append(
                {
                    "table": _relation(row),
                    "times": round(factor, 2),
                    "vacuuming_now": flag(row, "vacuuming"),
                    "vacuumed": _ago(row, "vacuumed_s"),
                }
            )
    if not late:
        return
    late.sort(key=lambda one: (-float(one["times"]), str(one["table"])))
    first = late[0]
    case.looked("vacuum_lag", -1)
    case.value(
        "vacuum_lag",
        case.name(database),
        first["times"],
        "autovacuum is late for {} in {}; {} is {:g} times past its trigger".format(
            words.count(len(late), "table"), database, first["table"], first["times"]
        ),
        {"tables": late[:10], "count": len(late), "workers": case.setting("autovacuum_max_workers")},
        case.psql("VACUUM (ANALYZE) {}".format(sql[str(first["table"])]), database),
        ceiling=WARNING if first["vacuuming_now"] else None,
        caused_by=case.cause(("autovacuum", case.target)) or case.any_cause(("xmin_horizon",)),
    )


def _times(case: Case, row: Row, kind: str) -> float:
    """How many times past the point at which autovacuum comes for this table."""
    rows = amount(row, kind)
    if rows < _MANY:
        return 0.0
    names = ("autovacuum_vacuum_threshold", "autovacuum_vacuum_scale_factor")
    if kind == "inserted":
        names = ("autovacuum_vacuum_insert_threshold", "autovacuum_vacuum_insert_scale_factor")
    options = _options(row)
    base, share = (options.get(name, case.measure(name)) for name in names)
    if base is None or share is None or base < 0:
        return 0.0
    trigger = base + share * max(amount(row, "rows"), amount(row, "live"))
    # From 18 on a table never waits for more than this many dead rows.
    most = options.get("autovacuum_vacuum_max_threshold", case.measure("autovacuum_vacuum_max_threshold"))
    if kind == "dead" and most is not None and most >= 0:
        trigger = min(trigger, most)
    return rows / max(trigger, 1.0)


def _overdue(case: Case, row: Row, key: str) -> bool:
    """Whether autovacuum has had two of its rounds to come by since it was last here (or since the server started)."""
    passed = number(row, key)
    return (case.uptime if passed is None else passed) > 2 * (case.measure("autovacuum_naptime") or _NAPTIME)


def judge_bloat(case: Case) -> None:
    """An estimate from average widths. Alignment inside rows is not known, so it never becomes critical."""
    block = case.measure("block_size") or 8192.0
    for database, rows in case.each("bloat"):
        case.looked("bloat", 1)
        for row in rows:
            pages, needed = amount(row, "pages"), _pages(row, block)
            if needed is None or pages <= 0:
                continue
            wasted = max(pages - needed, 0.0)
            share = words.percent(wasted, pages)
            if wasted * block < _MIN_WASTE:
                case.looked("bloat")
                continue
            relation = _relation(row)
            case.value(
                "bloat",
                _object(case, database, row),
                share,
                f"about {share:g} % of {relation} in {database} is wasted: "
                f"{words.size(wasted * block)} of {words.size(pages * block)} (estimate)",
                {
                    "estimate": True,
                    "bytes": pages * block,
                    "wasted_bytes": round(wasted * block),
                    "rows": amount(row, "rows"),
                },
                case.psql(f"VACUUM (FULL, ANALYZE) {_sql(row)}", database),
                ceiling=WARNING,
                caused_by=case.cause(("dead_tuples", _object(case, database, row))),
            )


def _pages(row: Row, block: float) -> float | None:
    """Pages that the rows of a table need; None where no statistics tell how wide its columns are."""
    width, columns = number(row, "width"), amount(row, "columns")
    if width is None or width <= 0 or amount(row, "known_columns") < columns:
        return None
    header = _TUPLE_HEADER + (math.ceil(columns / 8) if flag(row, "nulls") else 0)
    each = _aligned(header) + _aligned(width) + _LINE_POINTER
    fill = _options(row).get("fillfactor", 100.0)
    fill = fill if 10 <= fill <= 100 else 100.0
    usable = max((block - _PAGE_HEADER) * fill / 100.0, 1.0)
    # Rows do not span pages: a page holds a whole number of them.
    return amount(row, "rows") / max(usable // each, 1.0)


def _aligned(length: float) -> float:
    return math.ceil(length / _ALIGN) * float(_ALIGN)


def _options(row: Row) -> dict[str, float]:
    """Storage options of a table that are numbers."""
    found: dict[str, float] = {}
    for option in texts(row, "options"):
        name, _equals, value = option.partition("=")
        try:
            parsed = float(value)
        except ValueError:
            continue
        if math.isfinite(parsed):
            found[name] = parsed
    return found


def _disabled(row: Mapping[str, Any]) -> bool:
    return any(
        option.partition("=")[0] == "autovacuum_enabled" and option.partition("=")[2] in _OFF
        for option in texts(row, "options")
    )


def _object(case: Case, database: str, row: Row) -> str:
    return case.name(database, _relation(row))


def _relation(row: Row) -> str:
    return "{}.{}".format(text(row, "schema"), text(row, "name"))


def _sql(row: Row) -> str:
    return identifier(text(row, "schema"), text(row, "name"))


def _ago(row: Row, key: str) -> str:
    seconds = number(row, key)
    return "never" if seconds is None else f"{words.age(max(seconds, 0.0))} ago"

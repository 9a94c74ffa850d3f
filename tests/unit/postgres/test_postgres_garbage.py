# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluators never raise: recordings with anything anywhere, and rows that no server would send."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pg_looks import NAMES, Look

from ansible_collections.nexuscos.ops.plugins.module_utils._core.finding import STATUSES
from ansible_collections.nexuscos.ops.plugins.module_utils._postgres.queries import IN_DATABASE, ON_SERVER

NUMBERS = (0, -1, 1.5, 10**400, -(10**30), 2**63, float("inf"), float("-inf"), float("nan"), True, False)
TEXTS = (
    "",
    "x",
    "1e999",
    "nan",
    "off",
    "on",
    "streaming",
    "lost",
    "idle in transaction",
    "%s",
    "{object}",
    "'; --",
    "\0",
)
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, *NUMBERS, *TEXTS, [], [None], {}, {"a": 1}, [[]], [{}], ["x"], [1, "1"]]
)

# Rows that make every evaluator work, to be bent.
SESSION = {
    "pid": 5, "involved": 5, "blocked_by": [6, 7], "waited_s": 70.0, "wants": "a lock", "role": "r",
    "database": "nexusdb",
    "application": "a", "client": "c", "kind": "client backend", "state": "idle in transaction", "query": "SELECT 1",
    "transaction_s": 9e3, "query_s": 9e3, "state_s": 9e3, "xid_age": 9e7, "xmin_age": 9e7,
}  # fmt: skip
RELATION = {
    "schema": "s",
    "name": "t",
    "table_name": "t",
    "pages": 9e5,
    "rows": 1e5,
    "options": ["fillfactor=70", "autovacuum_enabled=off"],
}
RICH: dict[str, list[dict[str, Any]]] = {
    "roles": [{"role": "r", "allowed": 3, "used": 3}],
    "sessions": [SESSION, {**SESSION, "state": "active"}],
    "blocking": [SESSION, {**SESSION, "involved": 6, "blocked_by": [5]},
                 {**SESSION, "involved": 7, "blocked_by": None}],
    "prepared": [{"gid": "g", "role": "r", "database": "d", "prepared_s": 9e3, "xmin_age": 9e7}],
    "horizon": [SESSION, {**SESSION, "kind": "walsender"}],
    "slots": [{"name": "s", "active": False, "wal_status": "reserved", "retained_bytes": 9e12,
               "xmin_age": 9e7, "inactive_s": 9e9}],
    "subscriptions": [{"name": "s", "database": "d", "enabled": True, "pid": 5, "worker_s": 1.0, "apply_errors": 5.0}],
    "tables": [{**RELATION, "live": 1e5, "dead": 9e5, "modified": 9e5, "inserted": 9e5,
                "vacuumed_s": None, "analyzed_s": None}],
    "bloat": [{**RELATION, "known_columns": 2, "columns": 2, "width": 10.0, "nulls": True}],
    "invalid": [{**RELATION, "is_unique": True}],
    "unused": [{**RELATION, "scans": 0.0, "last_used_s": 9e9}],
    "duplicates": [{**RELATION, "names": ["a", "b"], "constraints": [True, False], "pages": [1, 2]}],
    "sequences": [{**RELATION, "last": 5.0, "step": 1.0, "lowest": 1.0, "highest": 6.0, "column_type": "integer"}],
    "hba": [{"line": 1, "error": "e", "file": "f"}],
    "conflicts": [{"database": "d", "lock": 9e9, "statistics_s": 60.0}],
}  # fmt: skip


def rich(name: str) -> Look:
    look = Look(name)
    look.observation["server"]["connect_ms"] = 1.0
    for place in (look.observation["queries"], *(one["queries"] for one in look.observation["databases"].values())):
        for statement, rows in RICH.items():
            if statement in place:
                place[statement]["rows"] = copy.deepcopy(rows)
    return look


def leaves(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of everything in a structure, the structure's own branches included."""
    found = [path] if path else []
    if isinstance(data, dict):
        for key, value in data.items():
            found += leaves(value, (*path, key))
    elif isinstance(data, list):
        for place, value in enumerate(data):
            found += leaves(value, (*path, place))
    return found


PATHS = {name: leaves(rich(name).observation) for name in NAMES}


def put(data: Any, path: tuple[Any, ...], value: Any) -> None:
    """Replace what is at a path; a path that an earlier change took away is left alone."""
    for step in path[:-1]:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(data, dict) or (isinstance(data, list) and isinstance(path[-1], int) and path[-1] < len(data)):
        data[path[-1]] = value


def check(look: Look) -> None:
    """Judged without an exception, to a result that is JSON and keeps the contract."""
    look.judge(growth=True, sizes={"nexusdb": 1e8, "x": float("nan")}, sizes_s=9e4, ignore_applications=("x*",))
    for one in look.result["findings"]:
        assert one["status"] in STATUSES
        assert one["title"]
        assert one["remedy"]
        assert len(one["fingerprint"]) == 64
    assert all(row["seen"] or row["reason"] for row in look.result["coverage"])


@pytest.mark.parametrize("name", NAMES)
def test_the_rich_look_itself_has_findings(name: str) -> None:
    look = rich(name)
    check(look)
    assert len(look.result["findings"]) >= (2 if name.startswith("standby") else 15)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=120)
@given(data=st.data())
def test_anything_anywhere(name: str, data: st.DataObject) -> None:
    look = rich(name)
    for _ in range(data.draw(st.integers(1, 6))):
        put(look.observation, data.draw(st.sampled_from(PATHS[name])), data.draw(ODD))
    check(look)


@settings(max_examples=60)
@given(data=st.data())
def test_rows_that_no_server_would_send(data: st.DataObject) -> None:
    look = Look(data.draw(st.sampled_from(NAMES)))
    cells = st.dictionaries(st.sampled_from([*SESSION, *RELATION, "name", "dead", "bytes", "setting", "status"]), ODD)
    rows = st.one_of(ODD, st.lists(st.one_of(cells, ODD), max_size=3))
    for query in ON_SERVER + IN_DATABASE:
        answer = data.draw(st.one_of(st.none(), st.just("x"), rows.map(lambda rows: {"rows": rows, "error": None})))
        if answer is not None:
            put(look.observation, ("queries", query.name), answer)
            put(look.observation, ("databases", look.database, "queries", query.name), answer)
    check(look)


@settings(max_examples=60)
@given(observation=st.dictionaries(st.sampled_from(["error", "server", "queries", "databases"]), ODD))
def test_no_recording_at_all(observation: dict[str, Any]) -> None:
    look = Look()
    look.observation = observation
    check(look)

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluators never raise: recordings with anything anywhere, and rows that no server would send."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis_looks import NAMES, Look

from ansible_collections.nexuscos.ops.plugins.module_utils._core.finding import STATUSES
from ansible_collections.nexuscos.ops.plugins.module_utils._redis.parse import kind, masked, parse_clients, parse_info

NUMBERS = (0, -1, 1.5, 10**400, -(10**30), 2**63, float("inf"), float("-inf"), float("nan"), True, False)
TEXTS = ("", "x", "1e999", "nan", "err", "ok", "up", "down", "master", "slave", "s_down", "%s", "{object}", "a=b,c=d")
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, *NUMBERS, *TEXTS, [], [None], {}, {"a": 1}, [[]], [{}], ["x"], [1, "1"]]
)


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


def rich(name: str) -> Look:
    """A look with something wrong nearly everywhere, so that every evaluator works."""
    look = Look(name)
    now = int(look.observation["info"]["server_time_usec"] / 1e6)
    look.info(
        used_memory=9 * 10**9, used_memory_rss=3 * 10**10, maxmemory=10**10, evicted_keys=10**9, connected_clients=9999,
        rejected_connections=10**6, keyspace_misses=10**6, rdb_last_bgsave_status="err", rdb_last_save_time=1,
        rdb_changes_since_last_save=10**6, aof_last_write_status="err", db0="keys=10,expires=0", cluster_enabled=1,
        slave1="ip=1.2.3.4,port=1,state=online,offset=1,lag=99",
    )  # fmt: skip
    look.observation["cluster"] = {"error": None, "cluster_slots_ok": 5, "cluster_slots_assigned": 5}
    entry = {"at": now, "micros": 10**7, "command": "KEYS", "arguments": 1, "client": "c", "client_name": ""}
    look.observation["slowlog"] = {"error": None, "entries": [entry]}
    look.observation["latency"] = {"error": None, "events": [{"event": "fork", "at": now, "latest_ms": 1}]}
    look.observation["clients"] = {"error": None, "rows": [{"id": "1", "omem": 10**10, "addr": "a"}]}
    look.observation["pings"] = {"error": None, "ms": [500.0, 600.0]}
    look.observation["keys"] = {
        "error": "",
        "databases": [{"db": 0, "keys": 10, "looked_at": 10}],
        "largest": [{"db": 0, "key": "k", "bytes": 10**9, "ttl_s": -1}],
        "kinds": [{"db": 0, "kind": "k:*", "keys": 100, "without_ttl": 10, "bytes": 1}],
    }
    return look


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
    look.judge(sentinels=True, role="primary", earlier={"evicted_keys": float("nan"), "run_id": 1}, earlier_s=60.0)
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
    assert len(look.result["findings"]) >= (10 if name == "replica" else 14)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_anything_anywhere(name: str, data: st.DataObject) -> None:
    look = rich(name)
    for _ in range(data.draw(st.integers(1, 6))):
        put(look.observation, data.draw(st.sampled_from(PATHS[name])), data.draw(ODD))
    check(look)


KEYS = ("error", "server", "info", "config", "pings", "slowlog", "latency", "clients", "cluster", "keys", "sentinels")


@settings(max_examples=60, deadline=None)
@given(observation=st.dictionaries(st.sampled_from(KEYS), ODD))
def test_no_recording_at_all(observation: dict[str, Any]) -> None:
    look = Look()
    look.observation = observation
    check(look)


@settings(max_examples=60, deadline=None)
@given(raw=st.text(alphabet=st.characters(codec="utf-8"), max_size=80))
def test_no_text_breaks_the_parsers(raw: str) -> None:
    parse_info(raw)
    parse_clients(raw)
    assert len(kind(raw)) <= 210
    assert len(masked(raw)) <= 200

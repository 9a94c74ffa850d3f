# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The evaluator never raises, whatever is in a recording."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mongo_looks import NAMES, Look

from ansible_collections.nexuscos.ops.plugins.module_utils._core.finding import STATUSES
from ansible_collections.nexuscos.ops.plugins.module_utils._mongodb.evaluate import Expect

NUMBERS = (0, -1, 1.5, 10**400, -(10**30), 2**63, float("inf"), float("nan"), True, False)
TEXTS = ("", "x", "PRIMARY", "SECONDARY", "%s", "{object}", "\0", "\ud800", "conn1", "mongos")
ODD: st.SearchStrategy[Any] = st.sampled_from([None, *NUMBERS, *TEXTS, [], [None], {}, {"a": 1}, [[]], [{}], ["x"]])


def rich(name: str) -> Look:
    look = Look(name)
    look.observation["answers"]["operations"] = {
        "data": {"running": [{"client": "c", "ns": "a.b", "command": "find", "secs_running": 9e3, "appName": "x"}]},
        "error": None,
    }
    return look


def leaves(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
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
    for step in path[:-1]:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(data, dict) or (isinstance(data, list) and isinstance(path[-1], int) and path[-1] < len(data)):
        data[path[-1]] = value


def check(look: Look) -> None:
    look.judge(Expect("rs0", ("y*",)), size={"target": 1, "alert": 2})
    for one in look.result["findings"]:
        assert one["status"] in STATUSES
        assert one["title"]
        assert one["remedy"]
    assert all(row["seen"] or row["reason"] for row in look.result["coverage"])
    json.dumps(look.result)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_anything_anywhere(name: str, data: st.DataObject) -> None:
    look = rich(name)
    for _ in range(data.draw(st.integers(1, 6))):
        put(look.observation, data.draw(st.sampled_from(PATHS[name])), data.draw(ODD))
    check(look)


@pytest.mark.parametrize("observation", [{}, {"error": None}, {"error": 5}, {"answers": []}, {"databases": 1}])
def test_odd_observations(observation: dict[str, Any]) -> None:
    look = Look()
    look.observation = observation
    check(look)

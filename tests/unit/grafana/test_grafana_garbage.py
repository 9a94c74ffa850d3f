# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The evaluator never raises, whatever is in a recording."""

from __future__ import annotations

import json
from typing import Any

import pytest
from grafana_looks import Look
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._core.finding import STATUSES
from ansible_collections.nexuscos.ops.plugins.module_utils._grafana.evaluate import Expect

NUMBERS = (0, -1, 1.5, 10**400, -(10**30), 2**63, float("inf"), float("nan"), True, False, 503)
TEXTS = ("", "x", "ok", "denied", "timeout", "status", "%s", "{object}", "\0", "\ud800", "a/b", "'!(")
ODD: st.SearchStrategy[Any] = st.sampled_from([None, *NUMBERS, *TEXTS, [], [None], {}, {"a": 1}, [[]], [{}], ["x"]])


def leaves(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(data, dict):
        for key, value in data.items():
            found += leaves(value, (*path, key))
    elif isinstance(data, list):
        for place, value in enumerate(data):
            found += leaves(value, (*path, place))
    return found


def rich() -> Look:
    look = Look()
    look.observation["source_health"]["prometheus"] = {
        "status": 400, "error": {"kind": "status", "text": "x"}, "data": {"status": "ERROR", "message": "m"},
    }  # fmt: skip
    return look


PATHS = leaves(rich().observation)


def put(data: Any, path: tuple[Any, ...], value: Any) -> None:
    for step in path[:-1]:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(data, dict) or (isinstance(data, list) and isinstance(path[-1], int) and path[-1] < len(data)):
        data[path[-1]] = value


def check(look: Look) -> None:
    look.judge(Expect(("Platform overview", "gone"), ("Prometheus", "gone"), ("x*",)))
    for one in look.result["findings"]:
        assert one["status"] in STATUSES
        assert one["title"]
        assert one["remedy"]
    assert all(row["seen"] or row["reason"] for row in look.result["coverage"])
    json.dumps(look.result)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_anything_anywhere(data: st.DataObject) -> None:
    look = rich()
    for _ in range(data.draw(st.integers(1, 6))):
        put(look.observation, data.draw(st.sampled_from(PATHS)), data.draw(ODD))
    check(look)


@pytest.mark.parametrize("observation", [{}, {"error": None}, {"health": 5}, {"root": [], "now": "x"}])
def test_odd_observations(observation: dict[str, Any]) -> None:
    look = Look()
    look.observation = observation
    check(look)

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluators never raise, whatever a recording holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics_looks import Look

from ansible_collections.nexuscos.ops.plugins.module_utils._core.finding import STATUSES

ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, 0, -1, 1.5, 10**400, float("inf"), float("nan"), True, False, "", "x", "NaN", "1e999", "{object}", "\0",
     "2026-11-29T08:00:00Z", "9999-12-31T23:59:59-14:00", [], [None], {}, {"a": 1}, [[]], [{}], ["x"], [1, "1"]]
)  # fmt: skip


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


def put(data: Any, path: tuple[Any, ...], value: Any) -> None:
    """Replace what is at a path; a path that an earlier change took away is left alone."""
    for step in path[:-1]:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(data, dict) or (isinstance(data, list) and isinstance(path[-1], int) and path[-1] < len(data)):
        data[path[-1]] = value


def rich() -> Look:
    look = Look(
        {"name": "queue", "target": 1, "alert": 2}, {"name": "hits", "target": 2, "alert": 1, "direction": "below"}
    )
    look.observation["objectives"]["queue"] = look.observation["objectives"]["error_rate"]
    look.observation["rules"]["failing"] = [{"name": "n", "type": "alerting", "group": "g", "error": "e"}]
    look.observation["targets"]["jobs"]["node"] = {
        "up": 1,
        "down": 1,
        "errors": [{"labels": {"host": "h"}, "error": "e"}],
    }
    return look


PATHS = leaves(rich().observation)


def check(look: Look) -> None:
    look.judge()
    json.dumps(look.result, allow_nan=False)
    for one in look.result["findings"]:
        assert one["status"] in STATUSES
        assert one["title"]
        assert one["remedy"]
    assert all(row["seen"] or row["reason"] for row in look.result["coverage"])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_anything_anywhere(data: st.DataObject) -> None:
    look = rich()
    for _ in range(data.draw(st.integers(1, 6))):
        put(look.observation, data.draw(st.sampled_from(PATHS)), data.draw(ODD))
    check(look)


@pytest.mark.parametrize("observation", [{}, {"error": 5}, {"asked": [], "fed": {}}, {"targets": {"jobs": {"a": 1}}}])
def test_no_recording_at_all(observation: dict[str, Any]) -> None:
    look = Look()
    look.observation = observation
    check(look)

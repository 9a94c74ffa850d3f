# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluators never raise, whatever a recording holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from alerts_looks import NOW, Look, alert, fired, silence
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._alerts.evaluate import stamp
from ansible_collections.nexuscos.ops.plugins.module_utils._core.finding import STATUSES

ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, 0, -1, 1.5, 10**400, 1e300, float("inf"), float("nan"), True, False, "", "x", "NaN", "1e999", "{object}",
     "\0", "(", "2026-11-29T08:00:00Z", "9999-12-31T23:59:59-14:00", [], [None], {}, {"a": 1}, [[]], [{}], ["x"], [1]]
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
    look = Look()
    look.alerts.extend([alert("A", severity="critical", service="a"), alert("B", silenced_by=["id-1"], host="h")])
    look.observation["silences"]["silences"] = [
        silence(1, "alertname=~B|C", 600),
        silence(2, "alertname=A", -600, "expired"),
        silence(3, "alertname=Z", 9e6),
    ]
    source = look.observation["prometheus"]
    source["rules"]["firing"] = [{"labels": {"alertname": "Lost"}, "annotations": {}, "active": stamp(NOW - 900)}]
    # Few samples, so that a path is as likely to lead to a label as to one of them.
    source["recent"]["series"] = [fired(600, (1800, 600), alertname="A", service="a")]
    source["past"]["series"] = [fired(900, (9000, 7200), alertname="A", service="a")]
    source["failed"]["series"][0]["value"] = "5"
    return look


PATHS = leaves(rich().observation)


def check(look: Look) -> None:
    look.judge()
    json.dumps([look.result, look.told], allow_nan=False)
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


@pytest.mark.parametrize(
    "observation", [{}, {"error": 5}, {"asked": [], "alerts": {}}, {"prometheus": {"recent": [1]}}]
)
def test_no_recording_at_all(observation: dict[str, Any]) -> None:
    look = Look()
    look.observation = observation
    check(look)

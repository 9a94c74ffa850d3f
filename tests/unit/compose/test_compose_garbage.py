# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The evaluator never raises: recordings with anything anywhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from compose_projects import Project
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._core.finding import STATUSES

ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        None, 0, -1, 1.5, 10**400, float("inf"), float("nan"), True, False, "", "x", "%s", "{object}", "\0", "exited",
        "running", "2026-11-29T08:00:00Z", "9999-99-99T99:99:99Z", [], [None], {}, {"a": 1}, [[]], [{}], ["x"], [5],
    ]
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


PATHS = {name: leaves(Project(name).observation) for name in ("healthy", "ill")}


def put(data: Any, path: tuple[Any, ...], value: Any) -> None:
    """Replace what is at a path; a path that an earlier change took away is left alone."""
    for step in path[:-1]:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(data, dict) or (isinstance(data, list) and isinstance(path[-1], int) and path[-1] < len(data)):
        data[path[-1]] = value


def check(project: Project) -> None:
    """Judged without an exception, to a result that is JSON and keeps the contract."""
    result = project.judge()
    json.dumps(result["facts"])
    for one in result["findings"]:
        json.dumps(one["evidence"], allow_nan=False)
        assert one["status"] in STATUSES
        assert one["title"]
        assert one["remedy"]
    assert all(row["seen"] or row["reason"] for row in result["coverage"])


@pytest.mark.parametrize("name", PATHS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_anything_anywhere(name: str, data: st.DataObject) -> None:
    project = Project(name)
    for _ in range(data.draw(st.integers(1, 6))):
        put(project.observation, data.draw(st.sampled_from(PATHS[name])), data.draw(ODD))
    check(project)


@settings(max_examples=25, deadline=None)
@given(
    observation=st.dictionaries(st.sampled_from(["project", "engine", "file", "containers", "images", "volumes"]), ODD)
)
def test_no_recording_at_all(observation: dict[str, Any]) -> None:
    project = Project()
    project.observation = observation
    check(project)

"""The evaluator never raises: recordings with anything anywhere."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tls_world import World, judged

from ansible_collections.nexuscos.ops.plugins.module_utils._core.finding import STATUSES

NUMBERS = (0, -1, 1.5, 10**400, 2**63, float("inf"), float("-inf"), float("nan"), True, False)
TEXTS = (
    "",
    "x",
    "nan",
    "%s",
    "%t",
    "{object}",
    "'; --",
    "\0",
    "2026-13-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "endpoint",
)
ODD: st.SearchStrategy[Any] = st.sampled_from([None, *NUMBERS, *TEXTS, [], [None], {}, {"a": 1}, [[]], [{}], ["x"]])


@pytest.fixture(scope="session")
def rich(world: World) -> dict[str, Any]:
    """An observation that makes every question work."""
    late = world.make("late", world.between, names=["x"], days=(-360, 3))
    with world.server(world.leaf, world.between) as good, world.server(late, world.stranger) as bad:
        port = bad.port
        found = world.look(
            {"at": good, "file": late.file},
            {"at": bad, "service": "auth-service"},
            {"file": world.ca},
            {"file": world.write("two.pem", world.between.pem, world.leaf.pem)},
            {"file": "/nowhere"},
            {"host": "127.0.0.1", "port": port, "starttls": "smtp", "timeout": 0.05},
        )
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


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


def check(observation: dict[str, Any]) -> None:
    """Judged without an exception, to a result that keeps the contract."""
    result = judged(observation)
    for one in result["findings"]:
        assert one["status"] in STATUSES
        assert one["title"]
        assert one["remedy"]
        assert len(one["fingerprint"]) == 64
    assert all(row["seen"] or row["reason"] for row in result["coverage"])
    json.dumps(result)


def test_the_rich_look_itself_has_findings(rich: dict[str, Any]) -> None:
    check(rich)
    checks = {one["check"] for one in judged(rich)["findings"]}
    assert len(checks) >= 6, checks


@given(data=st.data())
def test_anything_anywhere(rich: dict[str, Any], data: st.DataObject) -> None:
    observation = copy.deepcopy(rich)
    paths = leaves(rich)
    for _ in range(data.draw(st.integers(1, 6))):
        put(observation, data.draw(st.sampled_from(paths)), data.draw(ODD))
    check(observation)


@given(observation=st.dictionaries(st.sampled_from(["looked_at", "deadline", "sources", "x"]), ODD))
def test_no_recording_at_all(observation: dict[str, Any]) -> None:
    check(observation)

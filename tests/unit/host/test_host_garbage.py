# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluators never raise: recordings with anything anywhere."""

from __future__ import annotations

import json
from typing import Any

from host_looks import GIB, NOW, Look
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._core.finding import STATUSES
from ansible_collections.nexuscos.ops.plugins.module_utils._host import disks

ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, 0, -1, 1.5, 10**400, -(10**30), 2**63, float("inf"), float("-inf"), float("nan"), True, False, "", "x", "/",
     "%s", "{object}", "'; --", "\0", "failed", "auto-restart", "n/a", [], [None], {}, {"a": 1}, [[]], [{}], ["x"]]
)  # fmt: skip


def rich() -> Look:
    """A look with something for every evaluator."""
    look = Look()
    look.observation["history"] = [
        {"at": "2026-11-27T21:06:40Z", "filesystems": {"/": GIB, "/var": GIB}, "oom_kills": 1, "now": NOW - 90000},
        {"at": "2026-11-26T21:06:40Z", "filesystems": {"/var": GIB // 2}, "oom_kills": 1, "now": NOW - 180000},
    ]
    look.observation["history_asked"] = True
    look["cpu"]["percent"] = 99.0
    look["memory"].update(used=8 * GIB, swap_used=2 * GIB)
    look["mounts"][0].update(used=99 * GIB, inodes_free=1, read_only=True)
    look["units"]["units"][0].update(active="failed", restarts=9, restarts_hour=9, started_s=5.0)
    look["units"]["timers"][0].update(late_s=9e9)
    look["deleted"]["mounts"] = [
        {
            "mount": "/",
            "size": GIB,
            "bytes": GIB,
            "count": 1,
            "files": [{"path": "/x", "bytes": 5, "pid": 1, "command": "c"}],
        }
    ]
    look.observation["docker"]["data"] = {
        "root": "/", "bytes": 99 * GIB, "reclaimable": 98 * GIB, "kinds": {}, "largest_unused": [{"name": "x"}],
    }  # fmt: skip
    look.observation["folders"]["data"] = [{"root": "/", "complete": False, "largest": [{"folder": "/x", "bytes": 5}]}]
    look["clock"]["servers"] = [{"server": "t", "offset_s": 99.0}, {"server": "u", "error": "no"}]
    look["reboot"].update(needed=True, why="/run/reboot-required", packages=["p"], since=NOW - 5)
    look["kernel"].update(
        oom=[{"name": "x", "count": 5, "last": NOW, "lines": ["l"]}],
        disk=[{"name": "sda", "count": 5, "last": NOW, "lines": ["l"]}],
    )
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


PATHS = leaves(rich().observation)


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
    """Judged without an exception, to a result that keeps the contract."""
    look.judge(units=["ssh", "gone"], listening=["22", "53/udp"], time_servers=["t"])
    for one in look.result["findings"]:
        assert one["status"] in STATUSES
        assert one["title"]
        assert one["remedy"]
        assert len(one["fingerprint"]) == 64
    assert all(row["seen"] or row["reason"] for row in look.result["coverage"])
    disks.past(look.observation, "2026-11-22T06:00:00Z")
    json.dumps(look.result["summary"], allow_nan=False)


def test_the_rich_look_itself_has_findings() -> None:
    look = rich()
    check(look)
    assert len(look.result["findings"]) >= 15


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_anything_anywhere(data: st.DataObject) -> None:
    look = rich()
    for _ in range(data.draw(st.integers(1, 6))):
        put(look.observation, data.draw(st.sampled_from(PATHS)), data.draw(ODD))
    check(look)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_each_part_may_be_anything(data: st.DataObject) -> None:
    look = rich()
    for part in list(look.observation):
        if data.draw(st.booleans()):
            look.observation[part] = data.draw(st.one_of(ODD, ODD.map(lambda value: {"data": value, "error": None})))
    check(look)


@settings(max_examples=30, deadline=None)
@given(observation=st.dictionaries(st.sampled_from(["host", "cpu", "units", "mounts", "x"]), ODD))
def test_no_recording_at_all(observation: dict[str, Any]) -> None:
    look = Look()
    look.observation = observation
    check(look)

# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run over several systems tells of each of them what came of it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.nexuscos.ops.plugins.filter.backup_expected import backup_expected
from ansible_collections.nexuscos.ops.plugins.filter.backup_rows import backup_rows
from ansible_collections.nexuscos.ops.plugins.filter.backup_table import backup_table

SET = {"system": "nexusdb", "stamp": "2026-11-29T060000Z", "bytes": 51_300_000, "seconds": 1.2}
GOOD = {"item": "nexusdb", "set": SET, "level": 2, "msg": "nexusdb: 51.3 MB in 1.2 s"}
PROVEN = {
    "name": "nexusdb",
    "exposure_s": 60,
    "proven": {"stamp": "x", "level": 4, "level_at": "", "level_age_s": 108_000, "restore_seconds": 252.0},
}


def test_a_row_has_what_was_made_and_what_is_proven() -> None:
    (row,) = backup_rows([GOOD], ["nexusdb"], [PROVEN])
    assert row["good"]
    assert (row["bytes"], row["seconds"], row["level"]) == (51_300_000, 1.2, 2)
    assert backup_table([row]) == [
        "system   set                    size   took  level  last proof                                 outcome",
        "nexusdb  2026-11-29T060000Z  51.3 MB  1.2 s      2  4 invariants, 30 h ago, restores in 252 s  ok",
    ]


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"item": "redis", "failed": True, "msg": "redis refuses\n the password"}, "redis refuses the password"),
        ({"item": "redis", "unreachable": True, "msg": "no route"}, "no route"),
        ({"item": "redis", "good": False, "why": "cut", "msg": "level 1 of 2"}, "cut"),
        ({"item": {"item": "redis", "ansible_job_id": "j"}, "failed": True, "msg": "full"}, "full"),
        ({"item": {"item": "redis"}, "started": True, "finished": False}, "not done in time"),
        ({"item": "redis", "failed": True}, "no reason was told"),
        ({"item": "other"}, "it was not begun"),
    ],
)
def test_what_failed_says_why_and_the_others_are_told_all_the_same(result: dict[str, Any], words: str) -> None:
    rows = backup_rows([result, GOOD], ["redis", "nexusdb"])
    assert [(one["system"], one["good"]) for one in rows] == [("redis", False), ("nexusdb", True)]
    assert words in rows[0]["msg"]
    lines = backup_table(rows)
    assert "FAILED: " in lines[1]
    assert words in lines[1]
    assert lines[2].endswith(" ok")


def test_check_mode_has_a_plan_and_no_set() -> None:
    lines = backup_table(backup_rows([{"item": "redis", "plan": {}, "msg": "redis: would back up"}], ["redis"]))
    assert lines[1].endswith("redis: would back up")


def test_a_verification_tells_its_own_time() -> None:
    proof = {**GOOD, "seconds": 300.0, "level": 4, "good": True, "restore_seconds": 252.0}
    (row,) = backup_rows([proof], ["nexusdb"])
    assert (row["seconds"], row["restore_seconds"], row["level"]) == (300.0, 252.0, 4)


def test_several_places_have_a_column() -> None:
    rows = [*backup_rows([GOOD], ["nexusdb"], place="b1"), *backup_rows([], ["redis"], place="b2")]
    lines = backup_table(rows)
    assert lines[0].startswith("place  system")
    assert lines[2].startswith("b2     redis")


def test_no_system_is_told() -> None:
    assert backup_table(backup_rows([], [])) == ["no system"]


@pytest.mark.parametrize("wrong", ["text", {"a": 1}, 3])
def test_what_is_no_list_is_refused(wrong: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="is a list"):
        backup_rows(wrong, [])
    with pytest.raises(AnsibleFilterError, match="want the rows"):
        backup_table(wrong)
    with pytest.raises(AnsibleFilterError, match="want the rows"):
        backup_table([{"a": 1}])


def test_what_is_backed_up_is_judged_without_its_password() -> None:
    systems = [
        {"name": "nexusdb", "engine": "postgres", "every": "6h", "level": 4, "login_password": "geheim", "keep": {}},
        {"name": "redis", "engine": "redis"},
        {"name": "volumes", "engine": "redis"},
    ]
    judged = [{"name": "volumes", "paths": "20*/volumes/*.tar.gz"}]
    assert backup_expected(systems, judged) == [
        judged[0],
        {"name": "nexusdb", "every": "6h", "level": 4},
        {"name": "redis"},
    ]
    with pytest.raises(AnsibleFilterError, match="list of mappings"):
        backup_expected({"name": "nexusdb"})


def test_where_there_is_another_place_copies_are_wanted() -> None:
    far = {"repository": "sftp:backup@far:/sets", "password": "geheim"}
    systems: list[dict[str, Any]] = [{"name": "redis"}, {"name": "volumes", "copies": 2, "offsite": False}]
    assert backup_expected(systems, [], far) == [{"copies": 3, "offsite": True, "name": "redis"}, systems[1]]
    for place, away in (
        ({"repository": "/mnt/disk"}, False),
        ({"repository": "/mnt/nfs", "offsite": True}, True),
        ({"engine": "rclone", "repository": "far:sets"}, True),
        ({"engine": "rclone", "repository": ":local:/sets"}, False),
    ):
        assert backup_expected(systems[:1], [], place) == [{"copies": 3, "offsite": away, "name": "redis"}]
    both = backup_expected(systems[:1], [], [far, {"repository": "/mnt/disk"}])
    assert both == [{"copies": 4, "offsite": True, "name": "redis"}]
    assert backup_expected(systems[:1], [], {}) == [{"name": "redis"}]
    with pytest.raises(AnsibleFilterError, match="repository"):
        backup_expected(systems, [], "sftp:far:/sets")

# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets are removed from a real folder: only those, and never in the way of anybody else."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from set_maker import DAY, HOUR, lead, make_set, proof, run_of

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import layout, lock, prune
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError

NOW = time.time()


def pruned(place: Path, check_mode: bool = False, **more: Any) -> dict[str, Any]:
    params = {"path": str(place), "systems": [], "keep": {"last": 2}, "level": 3, "lock_wait": 0.0, **more}
    return prune.run(params, check_mode, NOW)


def filled(place: Path, system: str = "redis", days: int = 6) -> list[Path]:
    return [make_set(place, system, NOW - HOUR - DAY * day, [proof(2, NOW - DAY * day)]) for day in range(days)]


def tree(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*") if not path.name.startswith(".lock-"))


def why(result: dict[str, Any], folder: Path) -> str:
    sets = {one["path"]: one for system in result["systems"] for one in system["sets"]}
    return "; ".join(sets[str(folder)]["why"])


def test_old_sets_go_and_the_folders_that_are_empty_then(tmp_path: Path) -> None:
    folders = filled(tmp_path)
    other = make_set(tmp_path, "nexusdb", NOW - HOUR - DAY * 5, [proof(2, NOW)])
    result = pruned(tmp_path)
    assert result["changed"]
    assert [folder.exists() for folder in folders] == [True, True, False, False, False, False]
    assert sorted(result["removed"]) == sorted(str(folder) for folder in folders[2:])
    assert other.exists(), "the last set of another system, in a folder that a set was taken from"
    assert not folders[3].parent.exists()
    assert result["msg"].startswith("removed 4 sets")
    assert result["bytes"] == 4 * len(b"data of redis")
    again = pruned(tmp_path)
    assert not again["changed"]
    assert again["removed"] == []


def test_check_mode_tells_the_same_and_touches_nothing(tmp_path: Path) -> None:
    folders = filled(tmp_path)
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    plan = pruned(tmp_path, check_mode=True)
    assert plan["changed"]
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before
    assert plan["msg"].startswith("would remove 4 sets")
    assert why(plan, folders[1]) == "last 2 of 2"
    assert any("would go" in line and "no rule keeps it" in line for line in plan["lines"])
    assert plan["removed"] == pruned(tmp_path)["removed"]


def test_the_diff_has_the_sets_before_and_after(tmp_path: Path) -> None:
    folders = filled(tmp_path, days=3)
    diff = pruned(tmp_path, check_mode=True)["diff"]
    assert diff["before"].splitlines() == sorted(f"{one.parent.name}/redis" for one in folders)
    assert diff["after"].splitlines() == sorted(f"{one.parent.name}/redis" for one in folders[:2])


def test_the_set_that_latest_leads_to_stays(tmp_path: Path) -> None:
    folders = filled(tmp_path)
    lead(tmp_path, folders[4])
    result = pruned(tmp_path)
    assert folders[4].exists()
    assert why(result, folders[4]) == "latest leads to it"


def test_the_last_restored_set_and_what_is_younger_stay(tmp_path: Path) -> None:
    folders = filled(tmp_path)
    restored = make_set(tmp_path, "redis", NOW - HOUR * 80, [proof(2, NOW), proof(4, NOW)])
    pruned(tmp_path)
    assert restored.exists()
    assert [folder.exists() for folder in folders] == [True, True, True, True, False, False]


@pytest.mark.parametrize("locked", ["redis", "redis" + lock.VERIFYING])
def test_nothing_of_a_system_goes_while_somebody_is_at_work_on_it(tmp_path: Path, locked: str) -> None:
    folders = filled(tmp_path)
    others = filled(tmp_path, "nexusdb")
    half = folders[0].parent / ".writing-redis"
    half.mkdir()
    with lock.held(str(tmp_path), locked, "restore into scratch"):
        plan = pruned(tmp_path, check_mode=True)
        result = pruned(tmp_path)
    for one in (plan, result):
        assert one["busy"] == ["redis"]
        assert "in use: " in why(one, folders[5])
        assert "restore into scratch" in why(one, folders[5])
        assert "in use, so nothing of them goes: redis" in one["msg"]
    assert all(folder.exists() for folder in folders)
    assert half.exists(), "what another one is writing"
    assert not others[5].exists()


def test_half_sets_of_runs_that_were_killed_go(tmp_path: Path) -> None:
    filled(tmp_path, days=1)
    half = tmp_path / run_of(NOW - DAY) / ".writing-redis"
    half.mkdir(parents=True)
    (half / "dump.rdb").write_bytes(b"half")
    assert pruned(tmp_path, check_mode=True)["systems"][0]["leftovers"] == [str(half)]
    assert half.exists()
    assert pruned(tmp_path)["changed"]
    assert not half.parent.exists()
    assert not pruned(tmp_path)["changed"]


def test_a_removal_that_broke_off_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = filled(tmp_path)

    def stop(_path: str, **_more: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(layout.shutil, "rmtree", stop)
        with pytest.raises(KeyboardInterrupt):
            pruned(tmp_path)
    assert not folders[5].exists(), "no half set under a good name"
    assert (folders[5].parent / ".writing-redis").exists()
    assert len(layout.finished(str(tmp_path), "redis")) == 5
    pruned(tmp_path)
    assert not folders[5].parent.exists()
    assert len(layout.finished(str(tmp_path), "redis")) == 2


def test_a_set_whose_manifest_cannot_be_read_stays_and_takes_no_place(tmp_path: Path) -> None:
    folders = filled(tmp_path)
    (folders[1] / "manifest.json").write_bytes(b'{"version": 2}')
    result = pruned(tmp_path)
    assert [folder.exists() for folder in folders] == [True, True, True, False, False, False]
    assert "version 2 is not the one that is known here" in why(result, folders[1])


def test_a_set_from_the_future_stays(tmp_path: Path) -> None:
    folders = filled(tmp_path, days=4)
    ahead = make_set(tmp_path, "redis", NOW + DAY, [proof(5, NOW)])
    result = pruned(tmp_path)
    assert ahead.exists()
    assert "from the future" in why(result, ahead)
    assert result["future"] == [f"{ahead.parent.name}/redis"]
    assert f"never removed: {ahead.parent.name}/redis" in result["msg"]
    assert [folder.exists() for folder in folders] == [True, True, False, False]


def test_strange_things_in_the_place_are_left_alone(tmp_path: Path) -> None:
    filled(tmp_path)
    for name in ("2020-01-01T000000Z/redis/dump.rdb", "lost+found/x", "2020-13-01T000000Z/redis/manifest.json", "x"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"{}")
    pruned(tmp_path)
    assert (tmp_path / "2020-01-01T000000Z/redis/dump.rdb").exists()
    assert (tmp_path / "2020-13-01T000000Z/redis/manifest.json").exists()
    assert (tmp_path / "lost+found/x").exists()


def test_what_cannot_be_removed_is_told_and_the_newer_sets_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = filled(tmp_path)

    def refuse(source: str, _target: str) -> None:
        raise PermissionError(13, "Permission denied", source)

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(layout.PlaceError, match="cannot be removed: Permission denied"):
        pruned(tmp_path)
    assert all(folder.exists() for folder in folders)


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"keep": {}}, "say what stays"),
        ({"systems": ["nexusbd"]}, "there is no set of"),
        ({"lock_wait": -1.0}, "lock_wait"),
    ],
)
def test_options_that_can_only_be_a_mistake(tmp_path: Path, more: dict[str, Any], complaint: str) -> None:
    filled(tmp_path)
    before = tree(tmp_path)
    with pytest.raises(OptionError, match=complaint):
        pruned(tmp_path, **more)
    assert tree(tmp_path) == before

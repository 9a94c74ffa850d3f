# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A set is there whole or not at all, and ``latest`` leads to nothing else."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import layout
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError

RUN = "2026-11-29T060000Z"


def make(place: Path, run: str = RUN, system: str = "nexusdb") -> layout.Set:
    with layout.writing(str(place), system, run) as folder:
        Path(folder, "x.dump").write_bytes(b"x")
        Path(folder, "manifest.json").write_text("{}")
    return layout.Set(system, run, str(place / run / system))


@given(st.datetimes(min_value=datetime.datetime(1971, 1, 1), timezones=st.just(datetime.timezone.utc)))  # noqa: DTZ001
def test_a_stamp_is_the_time_that_it_tells(when: datetime.datetime) -> None:
    name = layout.stamp(when)
    assert layout.is_stamp(name)
    assert layout.moment(name) == int(when.replace(microsecond=0).timestamp())


def test_a_stamp_is_in_utc() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=-9))
    assert layout.stamp(datetime.datetime(2026, 11, 28, 21, 0, 0, tzinfo=zone)) == RUN


@pytest.mark.parametrize(
    "name", ["", "latest", "2026-11-29", "2026-13-29T060000Z", "2026-02-30T060000Z", RUN + "x", "x" + RUN, RUN + "\n"]
)
def test_what_is_no_time_is_no_stamp(name: str) -> None:
    assert not layout.is_stamp(name)


@given(st.text())
def test_no_text_makes_a_stamp_of_nothing(name: str) -> None:
    if layout.is_stamp(name):
        layout.moment(name)


@pytest.mark.parametrize("name", ["", ".", "..", ".x", "a/b", "a b", "latest", "-x", "a\n", "ä", "a" * 101])
def test_a_name_that_cannot_be_a_folder_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match="system: want"):
        layout.check_name(name)


@pytest.mark.parametrize("name", ["nexusdb", "db1.example.com", "a_b-c", "1"])
def test_a_name_of_a_system_is_taken(name: str) -> None:
    assert layout.check_name(name) == name


def test_a_set_is_there_when_it_is_whole(tmp_path: Path) -> None:
    with layout.writing(str(tmp_path), "nexusdb", RUN) as folder:
        Path(folder, "manifest.json").write_text("{}")
        assert layout.finished(str(tmp_path)) == []
    assert layout.finished(str(tmp_path)) == [layout.Set("nexusdb", RUN, str(tmp_path / RUN / "nexusdb"))]
    assert layout.finished(str(tmp_path))[0].began == 1795932000.0


@pytest.mark.parametrize("error", [RuntimeError("engine"), KeyboardInterrupt(), SystemExit(1)])
def test_a_set_that_fails_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), layout.writing(str(tmp_path), "nexusdb", RUN) as folder:  # noqa: PT012
        Path(folder, "inside").mkdir()
        Path(folder, "inside", "x").write_bytes(b"x" * 1000)
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_with_its_folder(tmp_path: Path) -> None:
    with (
        pytest.raises(layout.PlaceError, match=r"x\.dump: No space left on device"),
        layout.writing(str(tmp_path), "nexusdb", RUN) as folder,
    ):
        raise OSError(28, "No space left on device", os.path.join(folder, "x.dump"))
    assert list(tmp_path.iterdir()) == []


def test_the_sets_of_other_systems_of_the_run_stay(tmp_path: Path) -> None:
    other = make(tmp_path, system="redis")
    with pytest.raises(RuntimeError), layout.writing(str(tmp_path), "nexusdb", RUN):
        raise RuntimeError
    assert layout.finished(str(tmp_path)) == [other]


def test_a_set_is_never_written_over(tmp_path: Path) -> None:
    one = make(tmp_path)
    before = os.stat(one.path).st_ino
    with pytest.raises(layout.PlaceError, match="never written over"), layout.writing(str(tmp_path), "nexusdb", RUN):
        pass
    assert os.stat(one.path).st_ino == before


def test_a_place_that_is_a_file_is_told(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.write_text("x")
    with pytest.raises(layout.PlaceError, match="Not a directory"), layout.writing(str(place), "nexusdb", RUN):
        pass
    with pytest.raises(layout.PlaceError, match="Not a directory"):
        layout.finished(str(place))


def test_killed_in_the_middle_leaves_what_is_no_set(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from ansible_collections.nexuscos.ops.plugins.module_utils._backup import layout\n"
        f"with layout.writing({str(tmp_path)!r}, 'nexusdb', {RUN!r}) as folder:\n"
        "    open(os.path.join(folder, 'manifest.json'), 'w').write('{}')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -9
    assert layout.finished(str(tmp_path)) == []
    left = layout.leftovers(str(tmp_path), "nexusdb")
    assert left == [str(tmp_path / RUN / ".writing-nexusdb")]
    assert layout.leftovers(str(tmp_path), "nexus") == []
    layout.remove(left[0])
    assert list(tmp_path.iterdir()) == []


def test_the_newest_set_stands_first_and_strangers_are_none(tmp_path: Path) -> None:
    old, new = make(tmp_path, "2026-11-28T060000Z"), make(tmp_path)
    (tmp_path / RUN / "nomanifest").mkdir()
    (tmp_path / RUN / "file").write_text("x")
    (tmp_path / RUN / ".hidden").mkdir()
    (tmp_path / RUN / ".hidden" / "manifest.json").write_text("{}")
    (tmp_path / "2026-11-30").mkdir()
    (tmp_path / "2026-11-30T060000Z").write_text("no folder")
    assert layout.finished(str(tmp_path)) == [new, old]
    assert layout.finished(str(tmp_path), "redis") == []


def test_latest_moves_in_one_step(tmp_path: Path) -> None:
    old, new = make(tmp_path, "2026-11-28T060000Z"), make(tmp_path)
    layout.point_latest(str(tmp_path), old)
    assert layout.latest(str(tmp_path), "nexusdb") == old
    layout.point_latest(str(tmp_path), new)
    assert layout.latest(str(tmp_path), "nexusdb") == new
    assert os.listdir(tmp_path / "latest") == ["nexusdb"]
    assert (tmp_path / "latest" / "nexusdb" / "x.dump").read_bytes() == b"x"


def test_a_move_that_was_cut_off_is_made_again(tmp_path: Path) -> None:
    one = make(tmp_path)
    (tmp_path / "latest").mkdir()
    (tmp_path / "latest" / ".writing-nexusdb").symlink_to("nowhere")
    layout.point_latest(str(tmp_path), one)
    assert os.listdir(tmp_path / "latest") == ["nexusdb"]


def test_the_link_of_the_layout_before_makes_room(tmp_path: Path) -> None:
    one = make(tmp_path)
    (tmp_path / "latest").symlink_to(RUN)
    layout.point_latest(str(tmp_path), one)
    assert not (tmp_path / "latest").is_symlink()
    assert layout.latest(str(tmp_path), "nexusdb") == one
    assert sorted(os.listdir(tmp_path / RUN)) == ["nexusdb"]


@pytest.mark.parametrize(
    "target",
    ["../2026-11-28T060000Z/nexusdb", f"../{RUN}/redis", "/etc", "..", f"../{RUN}", f"../../{RUN}/nexusdb", "x"],
)
def test_a_link_that_leads_elsewhere_is_no_latest(tmp_path: Path, target: str) -> None:
    make(tmp_path)
    make(tmp_path, system="redis")
    (tmp_path / "latest").mkdir()
    (tmp_path / "latest" / "nexusdb").symlink_to(target)
    assert layout.latest(str(tmp_path), "nexusdb") is None


def test_no_link_is_no_latest(tmp_path: Path) -> None:
    assert layout.latest(str(tmp_path), "nexusdb") is None
    (tmp_path / "latest" / "nexusdb").mkdir(parents=True)
    assert layout.latest(str(tmp_path), "nexusdb") is None


def test_a_link_that_cannot_be_moved_says_that_the_set_is_whole(tmp_path: Path) -> None:
    one = make(tmp_path)
    (tmp_path / "latest").write_text("in the way")
    with pytest.raises(layout.PlaceError, match="The set is whole"):
        layout.point_latest(str(tmp_path), one)


def test_a_set_that_is_removed_goes_with_its_run(tmp_path: Path) -> None:
    one, other = make(tmp_path), make(tmp_path, system="redis")
    layout.remove(one.path)
    assert layout.finished(str(tmp_path)) == [other]
    layout.remove(other.path)
    assert list(tmp_path.iterdir()) == []


def test_a_removal_that_broke_off_is_finished(tmp_path: Path) -> None:
    one = make(tmp_path)
    aside = tmp_path / RUN / ".writing-nexusdb"
    aside.mkdir()
    (aside / "old").write_text("x")
    layout.remove(one.path)
    assert list(tmp_path.iterdir()) == []

# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every backup module does around its engine: nothing half, one at a time, and ``latest`` only what was read."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import layout, lock, manifest, run_backup, stream
from ansible_collections.nexuscos.ops.plugins.module_utils._backup.run_backup import Look, NoRoom, Written
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OpsError, OptionError

RUN = "2026-11-29T060000Z"
EARLIER = "2026-11-28T060000Z"


def nothing(*_given: Any) -> None:
    """At this point nothing happens."""


class Engine:
    """Writes one file."""

    def __init__(self, name: str = "pg_dump", **at: Callable[..., Any]) -> None:
        self.name = name
        self.at = at
        self.done: list[str] = []
        self.size = 1000
        self.estimate = 0

    def look(self, deadline: float) -> Look:  # noqa: ARG002
        self.done.append("look")
        self.at.get("look", nothing)()
        return Look("15.18", {"host": "db1"}, 5_000_000, self.estimate)

    def write(self, folder: str, progress: stream.Progress, deadline: float) -> Written:  # noqa: ARG002
        self.done.append("write")
        path = Path(folder, "nexusdb.dump")
        path.write_bytes(b"x" * self.size)
        progress.add(self.size)
        self.at.get("write", nothing)(folder)
        return Written("pg_custom", [stream.sum_file(str(path), folder)], invariants={"tables": {"public.a": 1}})

    def verify(self, folder: str, written: Written, deadline: float) -> str:  # noqa: ARG002
        self.done.append("verify")
        self.at.get("verify", nothing)(folder)
        return "pg_restore"


def run(place: Path, engine: Engine, check_mode: bool = False, **more: Any) -> dict[str, Any]:
    given = {"system": "nexusdb", "path": str(place), "stamp": None, "lock_wait": 0.0, "deadline": 60.0, **more}
    return run_backup.run(given, check_mode, engine)


def tree(place: Path) -> set[str]:
    """All that is there, but for the files of locks."""
    found = {str(path.relative_to(place)) for path in place.rglob("*")}
    return {path for path in found if not path.startswith(".lock-")}


def fail(error: BaseException) -> Callable[..., None]:
    def raising(*_given: Any) -> None:
        raise error

    return raising


def test_a_set_is_made_and_read_and_only_then_the_latest(tmp_path: Path) -> None:
    place = tmp_path / "backups" / "nexus-cos"

    def while_it_is_read(folder: str) -> None:
        assert layout.finished(str(place)) == []
        assert layout.latest(str(place), "nexusdb") is None
        assert not os.path.exists(os.path.join(folder, stream.PROGRESS))

    engine = Engine(verify=while_it_is_read)
    told = run(place, engine, stamp=RUN)
    assert engine.done == ["look", "write", "verify"]
    assert told["changed"]
    assert told["level"] == 2
    assert told["msg"] == f"nexusdb: 1.0 kB in 0.0 s to {RUN}, read to the end"
    assert told["set"] | {"seconds": 0} == {
        "system": "nexusdb", "stamp": RUN, "path": str(place / RUN / "nexusdb"), "bytes": 1000, "seconds": 0,
        "engine": "pg_dump", "format": "pg_custom", "files": 1,
    }  # fmt: skip
    assert tree(place) == {
        RUN, f"{RUN}/nexusdb", f"{RUN}/nexusdb/manifest.json", f"{RUN}/nexusdb/nexusdb.dump",
        "latest", "latest/nexusdb",
    }  # fmt: skip
    one = layout.latest(str(place), "nexusdb")
    assert one is not None
    made = manifest.read(one.path)
    assert made.proven is not None
    assert (made.proven.level, made.proven.details) == (2, {"how": "pg_restore"})
    assert made.source == {"host": "db1"}
    assert made.invariants == {"tables": {"public.a": 1}}
    assert oct(place.stat().st_mode & 0o777) == oct(0o750)


@pytest.mark.parametrize("when", ["look", "write", "verify"])
@pytest.mark.parametrize(
    "error", [OpsError("server gone"), OSError(28, "No space left on device"), ZeroDivisionError()]
)
def test_a_failure_leaves_all_as_it_was(tmp_path: Path, when: str, error: Exception) -> None:
    run(tmp_path, Engine(), stamp=EARLIER)
    before, latest = tree(tmp_path), os.readlink(tmp_path / "latest" / "nexusdb")
    with pytest.raises((OpsError, type(error))):
        run(tmp_path, Engine(**{when: fail(error)}), stamp=RUN)
    assert tree(tmp_path) == before
    assert os.readlink(tmp_path / "latest" / "nexusdb") == latest
    assert lock.holder(str(tmp_path), "nexusdb") is None


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match=r"nexusdb\.dump: No space left on device"):
        run(tmp_path, Engine(write=fail(OSError(28, "No space left on device", "nexusdb.dump"))))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("when", ["write", "verify"])
def test_a_signal_leaves_nothing_half(tmp_path: Path, when: str, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(OpsError, match=f"ended by {number.name}: what was half written has been removed"):
        run(tmp_path, Engine(**{when: lambda *_given: signal.raise_signal(number)}))
    assert tree(tmp_path) == set()
    assert signal.getsignal(number) is before


def test_what_a_killed_run_left_goes(tmp_path: Path) -> None:
    left = tmp_path / EARLIER / ".writing-nexusdb"
    left.mkdir(parents=True)
    (left / "nexusdb.dump").write_bytes(b"x" * 10)
    stranger = tmp_path / EARLIER / ".writing-redis"
    stranger.mkdir()
    assert run(tmp_path, Engine(), check_mode=True)["plan"]["leftovers"] == [str(left)]
    assert left.exists()
    run(tmp_path, Engine(), stamp=RUN)
    assert not left.exists()
    assert stranger.exists()


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    place = tmp_path / "place"
    engine = Engine()
    told = run(place, engine, check_mode=True, stamp=RUN)
    assert list(tmp_path.iterdir()) == []
    assert engine.done == ["look"]
    assert told["changed"]
    assert "set" not in told
    assert told["plan"] | {"free_bytes": 0} == {
        "system": "nexusdb", "stamp": RUN, "path": str(place), "engine": "pg_dump", "server": "15.18",
        "source": {"host": "db1"}, "source_bytes": 5_000_000, "expected_bytes": 0, "expected_seconds": None,
        "free_bytes": 0, "leftovers": [],
    }  # fmt: skip
    assert told["msg"].startswith(f"nexusdb: would back up 5.0 MB of version 15.18 to {place}, where ")


def test_check_mode_knows_the_last_set_of_the_same_engine(tmp_path: Path) -> None:
    run(tmp_path, Engine(), stamp=EARLIER)
    other = Engine("pg_basebackup")
    other.size = 5000
    run(tmp_path, other, stamp=RUN)
    told = run(tmp_path, Engine(), check_mode=True)
    assert told["plan"]["expected_bytes"] == 1000
    assert told["plan"]["expected_seconds"] >= 0
    assert "the last set took 1.0 kB" in told["msg"]


def test_check_mode_says_what_would_be_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lock.held(str(tmp_path), "nexusdb", "restore"):
        with pytest.raises(lock.Busy, match=r"restore by .* is at work"):
            run(tmp_path, Engine(), check_mode=True)
        assert run(tmp_path, Engine(), check_mode=True, lock_wait=10.0)["changed"]
    monkeypatch.setattr(run_backup, "free_bytes", lambda _place: 10)
    with pytest.raises(NoRoom, match="10 B free, and not even a manifest fits"):
        run(tmp_path, Engine(), check_mode=True)


def test_too_little_room_is_refused_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Engine()
    first.size = 3_000_000
    run(tmp_path, first, stamp=EARLIER)
    before = tree(tmp_path)
    monkeypatch.setattr(run_backup, "free_bytes", lambda _place: 2_999_999)
    engine = Engine()
    with pytest.raises(NoRoom, match=r"has 3\.0 MB free, and the last set took 3\.0 MB: make room"):
        run(tmp_path, engine)
    assert engine.done == ["look"]
    assert tree(tmp_path) == before
    engine.name, engine.estimate = "pg_basebackup", 4_000_000
    with pytest.raises(NoRoom, match=r"a set takes about 4\.0 MB"):
        run(tmp_path, engine)


def test_leftovers_count_as_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Engine()
    first.size = 3_000_000
    run(tmp_path, first, stamp=EARLIER)
    left = tmp_path / RUN / ".writing-nexusdb"
    left.mkdir(parents=True)
    (left / "x").write_bytes(b"x" * 2_000_000)
    monkeypatch.setattr(run_backup, "free_bytes", lambda _place: 2_000_000 + 2_000_000 * (not left.exists()))
    assert run(tmp_path, Engine(), check_mode=True)["changed"]
    assert run(tmp_path, Engine())["changed"]


def test_a_run_that_is_made_again_makes_nothing(tmp_path: Path) -> None:
    first = run(tmp_path, Engine(), stamp=RUN)
    engine = Engine()
    for check_mode in (True, False):
        again = run(tmp_path, engine, check_mode, stamp=RUN)
        assert not again["changed"]
        assert again["set"] == first["set"]
        assert again["level"] == 2
        assert again["msg"] == f"nexusdb: {RUN} is there already, 1.0 kB"
    assert engine.done == []


def test_a_run_that_was_cut_off_before_the_link_is_finished(tmp_path: Path) -> None:
    run(tmp_path, Engine(), stamp=RUN)
    (tmp_path / "latest" / "nexusdb").unlink()
    assert run(tmp_path, Engine(), True, stamp=RUN)["changed"]
    assert layout.latest(str(tmp_path), "nexusdb") is None
    assert run(tmp_path, Engine(), stamp=RUN)["changed"]
    assert layout.latest(str(tmp_path), "nexusdb") is not None
    assert not run(tmp_path, Engine(), stamp=RUN)["changed"]


def test_an_older_stamp_does_not_take_the_link_back(tmp_path: Path) -> None:
    run(tmp_path, Engine(), stamp=RUN)
    run(tmp_path, Engine(), stamp=EARLIER)
    one = layout.latest(str(tmp_path), "nexusdb")
    assert one is not None
    assert one.stamp == RUN
    assert not run(tmp_path, Engine(), stamp=EARLIER)["changed"]


def test_two_runs_in_one_second_are_two_sets(tmp_path: Path) -> None:
    for _time in range(3):
        run(tmp_path, Engine())
    assert len(layout.finished(str(tmp_path))) == 3


def test_a_last_set_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    run(tmp_path, Engine(), stamp=EARLIER)
    broken = tmp_path / RUN / "nexusdb"
    broken.mkdir(parents=True)
    (broken / "manifest.json").write_text("{")
    last = run_backup.last_set(str(tmp_path), "nexusdb")
    assert last is not None
    assert last.stamp == EARLIER
    assert run_backup.last_set(str(tmp_path), "nexusdb", "redis") is None
    assert run_backup.last_set(str(tmp_path / "no"), "nexusdb") is None


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"system": "a/b"}, "system: want"),
        ({"stamp": "2026-11-29"}, "stamp: want a time in UTC"),
        ({"stamp": "../../etc"}, "stamp: want a time in UTC"),
        ({"deadline": 0.0}, "deadline: want more than 0"),
        ({"lock_wait": -1.0}, "lock_wait: want 0"),
    ],
)
def test_options_that_can_only_be_a_mistake_are_refused(tmp_path: Path, given: dict[str, Any], text: str) -> None:
    engine = Engine()
    with pytest.raises(OptionError, match=text):
        run(tmp_path, engine, **given)
    assert engine.done == []
    assert tree(tmp_path) == set()


def test_a_place_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(layout.PlaceError, match="file"):
        run(tmp_path / "file" / "place", Engine())
    with pytest.raises(OpsError, match="file"):
        run(tmp_path / "file", Engine())


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (51_300_123, "51.3 MB"), (3e15, "3000.0 TB")],
)
def test_bytes_are_told_as_people_write_them(count: float, text: str) -> None:
    assert run_backup.human(count) == text

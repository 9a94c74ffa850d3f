# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgres_restore to a moment, from a real repository of pgBackRest; what came of it is asked by psql."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pgbackrest_repo import Archive, archive, started
from running import children, is_gone, said, wait_for
from scratch import DATABASE, module, start_module

NOW = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
MOMENTS = "SELECT string_agg(n::text, ',' ORDER BY n) FROM public.moments"
LONG_AGO = "2020-01-01T00:00:00Z"


@dataclass
class Story:
    """What happened to a server: two backups, a row each before, between and after, and then the table was dropped.

    :ivar between: time between the second row and the third; dropped: position before the table went.
    """

    of: Archive
    place: Path
    sets: list[dict[str, Any]]
    between: str
    dropped: str

    def restore(self, moment: str, check_mode: bool = False, **more: Any) -> dict[str, Any]:
        return module("postgres_restore", self.options(moment, **more), check_mode)

    def options(self, moment: str, **more: Any) -> dict[str, Any]:
        return {"system": "db1", "path": str(self.place), "point_in_time": moment, **more}

    def asked(self, moment: str, **more: Any) -> dict[str, Any]:
        """What a scratch server at a moment has in the table."""
        queries = [{"name": "moments", "query": MOMENTS, "database": DATABASE}]
        answer = self.restore(moment, queries=queries, **more)
        assert not answer.get("failed"), answer
        return answer


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    place = tmp_path_factory.mktemp("story") / "backups"
    with archive() as found:
        sql = found.server.psql

        def add(number: int) -> None:
            sql(f"INSERT INTO public.moments VALUES ({number})")

        def back_up() -> dict[str, Any]:
            answer = module("postgres_backup", found.options(place))
            assert not answer.get("failed"), answer
            told = json.loads(found.run("info", "--output=json").stdout)[0]["backup"][-1]
            # It tells whole seconds: what comes next is not in the one in which the backup ended.
            wait_for(lambda: time.time() > told["timestamp"]["stop"] + 2, "the second after the backup")
            return answer["set"]

        sql("CREATE TABLE public.moments (n int)")
        add(1)
        sets = [back_up()]
        add(2)
        between = sql(NOW)
        add(3)
        sets.append(back_up())
        add(4)
        sql("SELECT pg_create_restore_point('before the drop')")
        dropped = sql("SELECT pg_current_wal_insert_lsn()")
        sql("DROP TABLE public.moments")
        last = sql("SELECT pg_walfile_name(pg_switch_wal())")
        wait_for(lambda: last in [path.name[:24] for path in found.wal()], "the last WAL file in the archive")
        yield Story(found, place, sets, between, dropped)


@pytest.fixture
def room() -> Iterator[Path]:
    """A folder that the server's account reaches."""
    folder = Path(tempfile.mkdtemp(prefix="nx-at-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_the_plan_says_what_can_be_reached(story: Story) -> None:
    before = sorted(str(path) for path in story.place.rglob("*"))
    answer = story.restore(story.between, check_mode=True)
    plan = answer["plan"]
    assert plan["source"]["stamp"] == story.sets[0]["stamp"]
    assert plan["source"]["label"] == plan["earliest"]["label"] == story.of.labels()[0]
    assert plan["target"] == {"kind": "time", "value": story.between}
    assert plan["wal"]["missing"] == []
    assert plan["wal"]["last"] == story.of.wal()[-1].name[:24]
    assert plan["earliest"]["at"] <= story.between <= plan["latest"]["at"]
    assert plan["needed_bytes"] > 0
    assert story.sets[0]["stamp"] in answer["msg"]
    assert sorted(str(path) for path in story.place.rglob("*")) == before
    newest = story.restore("latest", check_mode=True)["plan"]
    assert newest["source"]["label"] == story.of.labels()[-1]


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (LONG_AGO, "the earliest is"),
        ("2999-01-01T00:00:00Z", "the latest is"),
        ("0/100", "the earliest is"),
        ("F/0", "pg_switch_wal()"),
        ("2026-11-29T14:05:00", "of no zone"),
        ("14:05", "want a time such as"),
    ],
)
def test_a_moment_out_of_reach_is_refused_and_the_reach_is_told(story: Story, moment: str, words: str) -> None:
    for check_mode in (True, False):
        answer = story.restore(moment, check_mode)
        assert answer["failed"]
        assert words in answer["msg"]
        assert moment in answer["msg"]


def test_a_data_folder_is_what_the_server_was_between_two_rows(story: Story, room: Path) -> None:
    data = room / "at"
    answer = story.restore(story.between, data_dir=str(data), jobs=2)
    assert not answer.get("failed"), answer
    told = answer["recovered"]
    assert told["last_transaction_at"] <= story.between
    assert told["said"].startswith("recovery stopping before commit")
    assert told["databases"][DATABASE]["rows"] == 3605 + 2
    assert told["start"].endswith("start")
    assert [path.name for path in room.iterdir()] == ["at"]
    assert not (data / "recovery.signal").exists()
    assert "archive_mode = 'off'" in (data / "postgresql.auto.conf").read_text()
    wal = [path.name for path in story.of.wal()]
    beside = Path(tempfile.mkdtemp(prefix="nx-beside-", dir="/var/tmp"))
    try:
        with started(data, beside) as copy:
            assert copy.psql(MOMENTS) == "1,2"
            assert copy.psql("SELECT count(*) FROM billing.orders") == "3000"
            assert copy.psql("SELECT pg_is_in_recovery()") == "f"
            copy.psql("INSERT INTO public.moments VALUES (99)")
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    assert [path.name for path in story.of.wal()] == wal
    proof = json.loads(Path(story.sets[0]["path"], "manifest.json").read_text())["proofs"][-1]
    assert (proof["level"], proof["good"]) == (3, True)
    again = story.restore(story.between, data_dir=str(data))
    assert "is not empty" in again["msg"]


def test_a_position_and_a_restore_point_end_before_the_table_went(story: Story, room: Path) -> None:
    by_position = story.asked(story.dropped, scratch_dir=str(room))
    assert by_position["recovered"]["answers"]["moments"] == "1,2,3,4"
    by_name = story.asked("before the drop", scratch_dir=str(room))
    assert by_name["recovered"]["answers"]["moments"] == "1,2,3,4"
    assert by_name["source"]["label"] == story.of.labels()[-1]
    assert list(room.iterdir()) == []


def test_all_that_is_archived_has_no_table_any_more(story: Story) -> None:
    answer = story.asked("latest", set=story.sets[0]["stamp"])
    assert answer["recovered"]["answers"]["moments"] is None
    assert any("moments" in str(text) for text in answer["warnings"])
    assert answer["source"]["stamp"] == story.sets[0]["stamp"]
    assert answer["recovered"]["said"] is None


def test_a_restore_point_that_nobody_made_is_named(story: Story) -> None:
    answer = story.restore("no such point")
    assert answer["failed"]
    assert "there is no restore point no such point in the WAL" in answer["msg"]


def test_a_gap_in_the_wal_ends_what_can_be_reached(story: Story, tmp_path: Path) -> None:
    backups = json.loads(story.of.run("info", "--output=json").stdout)[0]["backup"]
    stop = backups[0]["archive"]["stop"]
    lost = next(path for path in story.of.wal() if path.name[:24] > stop)
    aside = tmp_path / "lost"
    shutil.move(lost, aside)
    try:
        refused = story.restore("latest", check_mode=True, set=story.sets[0]["stamp"])
        assert refused["plan"]["wal"]["missing"][0] == lost.name[:24]
        assert refused["plan"]["wal"]["last"] == stop
        late = story.restore("F/0", check_mode=True, set=story.sets[0]["stamp"])
        assert f"WAL file {lost.name[:24]} is missing" in late["msg"]
    finally:
        shutil.move(aside, lost)
        if os.geteuid() == 0:
            shutil.chown(lost, "postgres", "postgres")


def test_killed_it_leaves_nothing_under_a_good_name_and_the_next_one_is_whole(
    story: Story, room: Path, tmp_path: Path
) -> None:
    data = room / "at"
    process = start_module("postgres_restore", story.options(story.between, data_dir=str(data)), tmp_path)
    aside = room / ".writing-at"
    wait_for(lambda: aside.is_dir() and children(process.pid), "the restore", process)
    begun = children(process.pid)
    process.kill()
    said(process)
    for pid in begun:
        wait_for(lambda pid=pid: is_gone(pid), "the end of what it has started")
    assert not data.exists()
    answer = story.restore(story.between, data_dir=str(data))
    assert not answer.get("failed"), answer
    assert [path.name for path in room.iterdir()] == ["at"]
    assert (data / "PG_VERSION").read_text().strip()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"confirm": "nexusdb", "database": "nexusdb"}, "beside the live server"),
        ({"data_dir": "relative"}, "absolute path"),
        ({"system": "other"}, "holds no set of other"),
        ({"set": LONG_AGO.replace(":", "")}, "holds no set"),
        ({"database": "never"}, "there was no database never"),
    ],
)
def test_what_can_only_be_a_mistake_is_refused(story: Story, more: dict[str, Any], words: str) -> None:
    answer = story.restore(story.between, **more)
    assert answer["failed"]
    assert words in answer["msg"]


def test_a_dump_is_not_restored_to_a_moment(story: Story) -> None:
    answer = module("postgres_restore", {"system": "db1", "path": str(story.place), "database": "new"})
    assert answer["failed"]
    assert "point_in_time restores a whole server" in answer["msg"]

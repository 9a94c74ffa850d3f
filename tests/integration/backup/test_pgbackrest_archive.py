# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is lost of a real server that archives into a real repository of pgBackRest, while its archive breaks."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pgbackrest_repo import Archive, archive
from running import wait_for
from scratch import ROOT, module

sys.path.insert(0, str(ROOT / "tests" / "unit" / "backup"))

from backups import judged, named

HOURS = 2 * 3600


@pytest.fixture
def own() -> Iterator[Archive]:
    with archive(data=False) as found:
        # The account of the repository logs in without a password, as it does where Debian has made the server.
        rules = Path(found.server.data, "pg_hba.conf")
        rules.write_text("local postgres postgres trust\n" + rules.read_text(encoding="utf-8"), encoding="utf-8")
        found.server.psql("SELECT pg_reload_conf()", "postgres")
        yield found


@pytest.fixture
def place(own: Archive, tmp_path: Path) -> Path:
    """With one set, and a WAL file behind it."""
    answer = module("postgres_backup", own.options(tmp_path / "place"))
    assert not answer.get("failed"), answer
    archived(own)
    return tmp_path / "place"


def switched(own: Archive) -> str:
    """Write something, and let the server go on with the next file; the name of the WAL file."""
    own.server.psql("SELECT pg_logical_emit_message(true, 'test', 'written')", "postgres")
    return own.server.psql("SELECT pg_walfile_name(pg_switch_wal())", "postgres")


def archived(own: Archive) -> str:
    """The same, and it is archived."""
    last = switched(own)
    wait_for(lambda: last in [path.name[:24] for path in own.wal()], "the WAL file in the archive")
    told = "SELECT last_archived_wal FROM pg_stat_archiver"
    wait_for(lambda: own.server.psql(told, "postgres") == last, "the server's word on it")
    return last


def settings(own: Archive, **given: str) -> None:
    for name, value in given.items():
        own.server.psql(f"ALTER SYSTEM SET {name} = '{value}'", "postgres")
    own.server.psql("SELECT pg_reload_conf()", "postgres")
    for name, value in given.items():
        wait_for(lambda name=name, value=value: own.server.psql(f"SHOW {name}", "postgres") == value, name)


def look(place: Path, **system: Any) -> dict[str, Any]:
    given = {"target": "b", "path": str(place), "systems": [{"name": "db1", "every": "6h", "level": 2, **system}]}
    answer = module("backup_health", given)
    assert not answer.get("failed"), answer
    return judged(answer["observation"])


def said(told: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["status"], one["title"]) for one in told["findings"] if one["check"] == "backup.archive_age"]


def listed(place: Path) -> dict[str, Any]:
    answer = module("backup_sets", {"path": str(place)})
    (system,) = answer["systems"]
    return {**system, "words": next(line for line in answer["lines"] if line.startswith("db1: "))}


def test_an_idle_server_loses_nothing_that_it_would_have_archived(own: Archive, place: Path) -> None:
    last = archived(own)
    told = look(place)
    assert named(told) == set()
    assert told["facts"]["backups"]["db1"]["archive_wal"] == last

    # As if nothing had been written for two hours: in the archive, and on the server.
    then = time.time() - HOURS
    for path in [*own.wal(), *Path(own.server.data, "pg_wal").glob("0*")]:
        os.utime(path, (then, then))
    (path,) = place.glob("20*Z/db1")
    older = path.parent.with_name(time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime(then - HOURS)))
    path.parent.rename(older)
    text = (older / "db1/manifest.json").read_text(encoding="utf-8")
    (older / "db1/manifest.json").write_text(text.replace(path.parent.name, older.name), encoding="utf-8")
    settings(own, archive_timeout="1min")
    told = look(place)
    assert said(told) == []
    facts = told["facts"]["backups"]["db1"]
    assert facts["archive_age_s"] >= HOURS
    assert (facts["archive_within_s"], facts["exposure_s"]) == (60, 60)
    assert listed(place)["exposure_s"] == 60
    assert "and what is written is within 1 min" in listed(place)["words"]

    # One that archives full files only may have written anything since.
    settings(own, archive_timeout="0")
    told = look(place)
    assert [status for status, _title in said(told)] == ["critical"]
    assert "or it is idle" in said(told)[0][1]
    assert HOURS <= told["facts"]["backups"]["db1"]["exposure_s"] < 2 * HOURS
    assert listed(place)["archive"]["within_s"] is None


def test_an_archiver_that_fails_is_told_at_once_and_goes_on(own: Archive, place: Path) -> None:
    own.push("exit 1")
    failed = switched(own)
    wait_for(
        lambda: own.server.psql("SELECT failed_count > 0 FROM pg_stat_archiver", "postgres") == "t", "a failure"
    )  # fmt: skip
    ((status, title),) = said(look(place))
    assert status == "warning"
    assert title.endswith(f": the archiver of the server fails at {failed}")
    assert listed(place)["archive"]["trouble"] == f"the archiver of the server fails at {failed}"
    own.push()
    archived(own)
    assert said(look(place)) == []


def test_an_archiver_that_archives_elsewhere_is_found(own: Archive, place: Path) -> None:
    own.push("exit 0")
    lost = switched(own)
    told = "SELECT last_archived_wal FROM pg_stat_archiver"
    wait_for(lambda: own.server.psql(told, "postgres") == lost, "the server's word on it")
    ((status, title),) = said(look(place))
    assert status == "warning"
    assert f"has archived {lost}, and that is not in the repository" in title
    own.push()
    archived(own)
    assert [status for status, _title in said(look(place))] == ["critical"]


def test_a_file_that_is_missing_ends_what_can_be_restored(own: Archive, place: Path) -> None:
    missing, last = archived(own), archived(own)
    (path,) = (one for one in own.wal() if one.name.startswith(missing))
    path.rename(path.with_name("gone"))
    told = look(place)
    assert said(told) == [
        ("critical", f"WAL of db1 is missing in the archive, and nothing behind it can be restored: {missing}")
    ]
    assert told["facts"]["backups"]["db1"]["archive_wal"] < missing
    path.with_name("gone").rename(path)
    told = look(place)
    assert (said(told), told["facts"]["backups"]["db1"]["archive_wal"]) == ([], last)


def test_who_cannot_be_asked_is_unknown_and_a_server_that_is_away_is_said(own: Archive, place: Path) -> None:
    own.server.stop()
    told = look(place)
    assert said(told) == []
    assert told["facts"]["backups"]["db1"]["archive_within_s"] is None
    own.config.rename(own.config.with_name("away"))
    ((status, title),) = said(look(place))
    assert (status, title.startswith("the archive of db1 was not seen: ")) == ("unknown", True)
    # Then all that is known is the set.
    assert look(place)["facts"]["backups"]["db1"]["exposure_s"] is not None
    own.config.with_name("away").rename(own.config)
    own.run("stop")
    own.run("stanza-delete", "--force")
    ((status, title),) = said(look(place))
    assert (status, "stanza-create" in title) == ("unknown", True)


def test_a_backup_that_has_expired_is_found(own: Archive, place: Path) -> None:
    (label,) = own.labels()
    for _number in range(2):
        own.run("backup", "--type=full", "--repo=1")
    assert label not in own.labels()
    ((status, title),) = said(look(place))
    assert status == "critical"
    assert label in title
    assert listed(place)["exposure_s"] is None


def test_another_repository_is_another_copy(own: Archive, place: Path) -> None:
    def copies() -> dict[str, Any]:
        told = look(place, copies=3)
        found: dict[str, Any] = told["facts"]["backups"]["db1"]
        return {**found, "findings": [one["title"] for one in told["findings"] if one["check"] == "backup.copies"]}

    assert (copies()["places"], copies()["findings"]) == (2, ["there are 2 copies of db1, and 3 are wanted"])
    assert "besides the system itself" not in "".join(module("backup_sets", {"path": str(place)})["lines"])
    far = own.folder / "far"
    far.mkdir()
    os.chown(far, own.repository.stat().st_uid, own.repository.stat().st_gid)
    text = own.config.read_text(encoding="utf-8")
    own.config.write_text(text.replace("[main]", f"repo2-path={far}\nrepo2-retention-full=1\n[main]"), encoding="utf-8")
    own.run("stanza-create")
    # It has WAL, and nothing that it leads on from.
    archived(own)
    assert copies()["places"] == 2
    own.run("--repo=2", "--type=full", "backup")
    found = copies()
    assert (found["places"], found["findings"]) == (3, [])
    assert found["copies"] == [f"pgBackRest repo1 {own.repository}", f"pgBackRest repo2 {far}"]
    system = listed(place)
    assert (system["here"], [one["engine"] for one in system["copies"]]) == ([], ["pgbackrest", "pgbackrest"])
    (line,) = (line for line in module("backup_sets", {"path": str(place)})["lines"] if "repo2" in line)
    assert line.split()[:2] == ["db1", "3"]
    # A folder of this host is not elsewhere.
    told = look(place, copies=3, offsite=True)
    assert [one["title"] for one in told["findings"] if one["check"] == "backup.copies"] == [
        "no set of db1 is off-site"
    ]

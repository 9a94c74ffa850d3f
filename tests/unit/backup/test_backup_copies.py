# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many copies there are, where, and how old the one off-site is: in the list, and as a check."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from backups import judged, look
from set_maker import HOUR, iso, make_set, proof, run_of

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import listing, manifest, options
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError

FAR, NEAR = "sftp:backup@far:/sets", "/mnt/disk"


def copy(repository: str, at: float, offsite: bool) -> manifest.Copy:
    return manifest.Copy(repository, "1a2b3c4d", iso(at), 100, 10, 1.0, offsite=offsite)


def put(place: Path, hours: float, *places: tuple[str, bool], **more: Any) -> Path:
    at = time.time() - hours * HOUR
    copies = [copy(repository, at, offsite) for repository, offsite in places]
    return make_set(place, "redis", at, more.pop("proofs", [proof(4, at)]), copies=copies, **more)


def found(place: Path, thresholds: Any = None, **system: Any) -> list[tuple[str, str]]:
    """Status and title of what the check says."""
    told = judged(look(place, {"name": "redis", "every": "6h", "verify": "checksum", **system}), thresholds)
    return [(one["status"], one["title"]) for one in told["findings"] if one["check"] == "backup.copies"]


def test_nobody_asks_where_nothing_is_copied_and_nothing_is_wanted(tmp_path: Path) -> None:
    put(tmp_path, 1)
    assert found(tmp_path) == []
    put(tmp_path, 2, (NEAR, False))
    assert found(tmp_path) == []


def test_a_young_copy_off_site(tmp_path: Path) -> None:
    put(tmp_path, 1)
    put(tmp_path, 7, (FAR, True))
    assert found(tmp_path) == []
    assert found(tmp_path, copies=3, offsite=True) == []
    told = judged(look(tmp_path, {"name": "redis", "every": "6h"}))
    (facts,) = told["facts"]["backups"].values()
    assert (facts["copies"], facts["places"]) == ([], 3)
    assert 7 * HOUR <= facts["offsite_age_s"] < 7 * HOUR + 300


def test_an_old_copy_off_site_is_found_even_where_nobody_asked(tmp_path: Path) -> None:
    put(tmp_path, 1, (NEAR, False))
    put(tmp_path, 13, (FAR, True))
    ((status, title),) = found(tmp_path)
    assert status == "warning"
    assert title == "the newest set of redis that is off-site is 13 h old, and one is made every 6 h"
    assert found(tmp_path, {"backup.copies": {"target": 3, "alert": 6}}) == []
    put(tmp_path, 2, (FAR, True))
    assert found(tmp_path) == []


def test_a_very_old_copy_is_critical(tmp_path: Path) -> None:
    put(tmp_path, 1)
    put(tmp_path, 30, (FAR, True))
    assert [status for status, _title in found(tmp_path)] == ["critical"]


def test_none_off_site(tmp_path: Path) -> None:
    put(tmp_path, 1, (NEAR, False))
    assert found(tmp_path, offsite=True) == [("critical", "no set of redis is off-site")]
    assert found(tmp_path, copies=3) == []


def test_fewer_than_wanted(tmp_path: Path) -> None:
    put(tmp_path, 1)
    assert found(tmp_path, copies=3) == [("warning", "there are 2 copies of redis, and 3 are wanted")]
    put(tmp_path, 2, (FAR, True))
    assert found(tmp_path, copies=3) == []
    assert found(tmp_path, copies=4) == [("warning", "there are 3 copies of redis, and 4 are wanted")]


def test_of_file_trees_there_is_but_a_list_here(tmp_path: Path) -> None:
    put(tmp_path, 1, (FAR, True), engine="files", format="restic")
    assert found(tmp_path, copies=2, offsite=True) == []
    assert found(tmp_path, copies=3) == [("warning", "there are 2 copies of redis, and 3 are wanted")]
    lines = listing.table(listing.look(str(tmp_path)))
    (line,) = (line for line in lines if line.startswith("redis") and "(restic, 1 set)" in line)
    assert line.split()[:3] == ["redis", "2", FAR]


def of_pgbackrest(*repositories: dict[str, Any], server: Any = None, **more: Any) -> dict[str, Any]:
    """What is seen of a system of pgBackRest, an hour after its set."""
    now, path = 2e9, "2033-05-18T023320Z/db1"
    wal = {"label": "F", "gone": False, "wal": "0" * 24, "at": now - HOUR, "missing": [], "beyond": None}
    system = {
        "every": 6 * HOUR, "own": True, "level": 2, "count": 1, "copies": 3, "offsite": True,
        "sets": [{"path": path, "bytes": 9, "when": now - HOUR, "named": now - HOUR, "modified": now - HOUR}],
        "manifest": {"engine": "pgbackrest", "error": None}, "proof": {"verify": "none"}, "proofs": [],
        # An older version has sent the list of files somewhere.
        "kept": [{"set": path, "when": now - HOUR, "repository": FAR, "offsite": True, "at": iso(now)}],
        "archive": {"error": None, "sets": {path: wal}, "server": server, "repositories": list(repositories)}, **more,
    }  # fmt: skip
    return {"now": now, "place": {"path": "/b", "free": 1 << 40}, "systems": {"db1": system}, "latest": None}


def repository(number: int, hours: float | None, offsite: bool = False, error: str | None = None) -> dict[str, Any]:
    when = None if hours is None else 2e9 - hours * HOUR
    return {
        "repo": number, "name": f"pgBackRest repo{number} /x", "offsite": offsite, "error": error, "backups": 1,
        "newest": "F", "wal": "0" * 24, "when": when,
    }  # fmt: skip


def told_of(observation: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["status"], one["title"]) for one in judged(observation)["findings"] if "copies" in one["check"]]


def test_of_pgbackrest_the_repositories_count_and_no_copy_of_the_list() -> None:
    one, far = repository(1, 1), repository(2, 2, offsite=True)
    assert told_of(of_pgbackrest(one, far)) == []
    facts = judged(of_pgbackrest(one, far))["facts"]["backups"]["db1"]
    assert (facts["places"], facts["copies"]) == (3, ["pgBackRest repo1 /x", "pgBackRest repo2 /x"])
    assert told_of(of_pgbackrest(one)) == [("critical", "no set of db1 is off-site")]
    assert told_of(of_pgbackrest(one, offsite=False)) == [("warning", "there are 2 copies of db1, and 3 are wanted")]
    # One that nobody has backed up to holds nothing but WAL.
    assert told_of(of_pgbackrest(one, repository(2, None, offsite=True))) == [("critical", "no set of db1 is off-site")]


def test_the_wal_in_the_repository_off_site_says_how_old_it_is() -> None:
    late = of_pgbackrest(repository(1, 1), repository(2, 30, offsite=True))
    assert told_of(late) == [
        ("critical", "the newest set of db1 that is off-site is 30 h old, and one is made every 6 h")
    ]
    # A server that is idle, and says so, loses nothing by it.
    server = {"error": None, "mode": "on", "timeout_s": 300.0, "standby": False, "archived_wal": "0" * 24}
    assert told_of(of_pgbackrest(repository(1, 30), repository(2, 30, offsite=True), server=server)) == []


def test_a_repository_that_was_not_seen_is_unknown() -> None:
    away = repository(2, None, offsite=True, error="S3 is away")
    assert told_of(of_pgbackrest(repository(1, 1), away)) == [
        ("unknown", "how many copies of db1 there are is not known: S3 is away")
    ]
    assert told_of(of_pgbackrest(repository(1, 1), repository(3, 1, offsite=True), away)) == []


def test_what_was_refuted_is_no_copy(tmp_path: Path) -> None:
    at = time.time() - HOUR
    put(tmp_path, 1, (FAR, True), proofs=[proof(4, at), proof(1, at, good=False, why="flipped bytes")])
    assert [title for _status, title in found(tmp_path, offsite=True)] == ["no set of redis is off-site"]


def test_the_list_has_a_table_of_the_places(tmp_path: Path) -> None:
    now = time.time()
    newer, older = put(tmp_path, 1, (NEAR, False)), put(tmp_path, 8, (NEAR, False), (FAR, True))
    make_set(tmp_path, "mongodb", now - HOUR, [proof(2, now)])
    make_set(tmp_path, "redis-before-restore", now - HOUR, [proof(2, now)])
    listed = listing.look(str(tmp_path), now=now)
    (system,) = (one for one in listed["systems"] if one["name"] == "redis")
    assert [(one["repository"], one["offsite"], one["newest"], one["sets"]) for one in system["copies"]] == [
        (NEAR, False, newer.parent.name, 2), (FAR, True, older.parent.name, 1),
    ]  # fmt: skip
    lines = listing.table(listed)
    start = next(number for number, line in enumerate(lines) if line.startswith("system   copies"))
    assert lines[start + 1].split() == ["mongodb", "2", "here", "none"]
    assert "4  here, /mnt/disk (restic, 2 sets), sftp:backup@far:/sets (restic, 1 set)" in lines[start + 2]
    assert lines[start + 2].endswith("%s, 8 h old" % run_of(now - 8 * HOUR))
    assert not lines[start + 3].startswith("redis-before-restore  ")


def test_nothing_is_told_of_copies_where_there_is_none(tmp_path: Path) -> None:
    put(tmp_path, 1)
    assert not [line for line in listing.table(listing.look(str(tmp_path))) if "off-site" in line]


@pytest.mark.parametrize("given", [{"copies": "many"}, {"copies": -1}, {"offsite": "far"}, {"copys": 3}])
def test_wrong_options(given: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="redis"):
        options.systems({"systems": [{"name": "redis", **given}]})

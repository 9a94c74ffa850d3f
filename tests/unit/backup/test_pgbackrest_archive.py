# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much would be lost of a server whose WAL is archived: by the archive, by the server's word, by both."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from backups import judged, named
from set_maker import make_set, run_of

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import (
    collect,
    evaluate_archive,
    pgbackrest_archive,
    pgbackrest_config,
)
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OpsError

NOW = 1_795_950_000.0
WAL, LATER = "000000010000000000000007", "000000010000000000000008"
SET = "2026-11-29T060000Z/db1"
CHECK = "backup.archive_age"


def server(**more: Any) -> dict[str, Any]:
    """A server whose archiver works, and which wrote last two hours ago."""
    return {
        "error": None, "mode": "on", "timeout_s": 300.0, "standby": False, "archived_wal": WAL,
        "archived_at": NOW - 7200, "written_at": NOW - 7200, "failed_wal": None, "failed_at": None, "waiting": 0.0,
        "waiting_since": None, **more,
    }  # fmt: skip


def archive(asked: Any = None, **one: Any) -> dict[str, Any]:
    known = {"label": "x", "gone": False, "wal": WAL, "at": NOW - 7200, "missing": [], "beyond": None, **one}
    return {"stanza": "main", "repo": 1, "error": None, "sets": {SET: known}, "repositories": [], "server": asked}


def seen(found: dict[str, Any], age: float = 20_000.0) -> dict[str, Any]:
    """An observation of a system whose newest set is so old."""
    when = NOW - age
    system = {
        "every": 21600, "paths": [], "own": True, "level": 2, "count": 1, "copies": 0, "offsite": False, "kept": [],
        "sets": [{"path": SET, "bytes": 9, "when": when, "named": when, "modified": when}],
        "manifest": {"engine": "pgbackrest", "format": "pgbackrest", "error": None},
        "proof": {"verify": "read", "changed": [], "read": {"status": "ok"}, "known": False},
        "proofs": [{"set": SET, "when": when, "level": 2, "at": "2026-11-29T01:00:00Z", "good": True}],
        "archive": found,
    }  # fmt: skip
    return {"now": NOW, "place": {"path": "/b", "free": 1 << 40}, "systems": {"db1": system}, "latest": None}


def said(found: dict[str, Any], thresholds: Any = None) -> list[tuple[str, str]]:
    told = judged(seen(found), thresholds)
    return [(one["status"], one["title"]) for one in told["findings"] if one["check"] == CHECK]


def lost(found: dict[str, Any], age: float = 20_000.0) -> Any:
    return judged(seen(found, age))["facts"]["backups"]["db1"]["exposure_s"]


def test_the_archive_and_not_the_set_says_what_would_be_lost() -> None:
    assert lost(archive({"error": "away"}, at=NOW - 240)) == 240
    assert said(archive({"error": "away"}, at=NOW - 240)) == []
    # A set that is younger than the archive leads to its own moment.
    assert lost(archive({"error": "away"}), age=600) == 600
    assert lost(archive({"error": "away"}, wal=None, at=None)) == 20_000


def test_an_idle_server_loses_no_more_than_it_archives_within() -> None:
    found = archive(server())
    assert (lost(found), said(found)) == (300, [])
    told = judged(seen(found))["facts"]["backups"]["db1"]
    assert (told["archive_wal"], told["archive_age_s"], told["archive_within_s"]) == (WAL, 7200, 300)
    # One that never switches by itself may have written anything.
    assert lost(archive(server(timeout_s=0.0))) == 7200
    assert said(archive(server(timeout_s=0.0)))[0][0] == "critical"


def test_who_is_not_asked_may_be_idle_and_the_title_says_so() -> None:
    ((status, title),) = said(archive({"error": "the server is on db1"}))
    assert status == "critical"
    assert title == (
        "what db1 has written for 2 h is not in the archive, or it is idle: the server was not asked, because the "
        "server is on db1"
    )
    assert said(archive({"error": "the server is on db1"}), {CHECK: {"target": 200, "alert": 400}}) == []


def test_wal_that_came_late_is_as_old_as_it_was_written() -> None:
    assert lost(archive(server(timeout_s=0.0, written_at=NOW - 9000), at=NOW - 60)) == 9000
    assert lost(archive(server(timeout_s=0.0, written_at=None), at=NOW - 60)) == 60


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"mode": "off"}, "archive_mode of the server is off"),
        ({"failed_wal": LATER, "failed_at": NOW - 60}, f"the archiver of the server fails at {LATER}"),
        ({"waiting": 3.0, "waiting_since": NOW - 900}, "3 files of WAL wait to be archived, the first for 15 min"),
        ({"archived_wal": LATER}, f"the server says that it has archived {LATER}, and that is not in the repository"),
    ],
)
def test_an_archiver_that_fails_is_told_before_it_is_late(asked: dict[str, Any], words: str) -> None:
    ((status, title),) = said(archive(server(**{"written_at": NOW - 120, **asked}), at=NOW - 120))
    assert (status, words in title) == ("warning", True)
    late = archive(server(**asked))
    assert (lost(late), said(late)[0][0]) == (7200, "critical")


def test_a_failure_that_is_over_and_a_file_on_its_way_are_none() -> None:
    assert said(archive(server(failed_wal=WAL, failed_at=NOW - 9000))) == []
    assert lost(archive(server(waiting=1.0, waiting_since=NOW - 30))) == 330
    assert said(archive(server(standby=True), at=NOW - 60)) == []


def test_a_gap_ends_what_can_be_restored() -> None:
    found = archive(server(archived_wal="000000010000000000000009"), missing=[LATER], beyond="000000010000000000000009")
    assert said(found) == [
        ("critical", f"WAL of db1 is missing in the archive, and nothing behind it can be restored: {LATER}")
    ]
    assert lost(found) == 7200


def test_a_backup_that_has_expired_is_no_set_any_more() -> None:
    found = archive(server())
    found["sets"][SET] = {"label": "20261129-173045F", "gone": True}
    ((status, title),) = said(found)
    assert (status, "20261129-173045F is not in the repository" in title) == ("critical", True)
    assert lost(found) is None


def test_what_was_not_seen_is_unknown_and_what_is_not_archived_is_not_asked() -> None:
    assert said({**archive(), "error": "no pgbackrest here", "sets": {}}) == [
        ("unknown", "the archive of db1 was not seen: no pgbackrest here")
    ]
    told = judged(seen({}))
    assert not {one for one in named(told) if one[0] == "archive_age"}
    assert told["facts"]["backups"]["db1"]["archive_wal"] is None
    (row,) = (row for row in told["coverage"] if row["check"] == CHECK)
    assert (row["objects"], row["seen"]) == (0, True)


def test_sets_of_other_engines_are_not_looked_for_in_an_archive(tmp_path: Path) -> None:
    make_set(tmp_path, "redis", time.time() - 60)
    assert collect.collect(
        {"path": str(tmp_path), "systems": [{"name": "redis"}], "timer": "", "tools": False, "deadline": 30.0}
    )["systems"]["redis"]["archive"] is None  # fmt: skip


def test_a_repository_that_cannot_be_asked_is_an_error_and_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_words: Any) -> Any:
        raise OpsError("it is broken")

    monkeypatch.setattr(pgbackrest_archive.pgbackrest, "everywhere", broken)
    monkeypatch.setattr(pgbackrest_archive.pgbackrest_backup, "where_of", lambda *_words: pgbackrest_archive.Where("m"))
    options = {"stanza": "m", "config": str(tmp_path / "none"), "repo": 1, "account": "postgres"}
    path = make_set(tmp_path, "db1", NOW, engine="pgbackrest", format="pgbackrest", options=options)
    told = pgbackrest_archive.look([(run_of(NOW), str(path))], time.monotonic() + 10)
    assert told is not None
    assert (told["error"], told["sets"]) == ("it is broken", {})
    assert "does not say where the server is" in told["server"]["error"]


def test_the_configuration_says_where_server_and_repositories_are(tmp_path: Path) -> None:
    config = tmp_path / "pgbackrest.conf"
    config.write_text(
        "# of the platform\n[global]\nrepo1-path=/backups/pg\nrepo2-type=s3\nrepo2-s3-bucket=far\nrepo2-path=/nexus\n"
        "repo3-host=far.example.com\nrepo4-cipher-pass=a=b%c\nstart-fast=y\n[main]\npg1-path=/pg\npg1-port=5433\n"
        "[other]\npg1-path=/other\npg1-host=db9\n",
        encoding="utf-8",
    )
    told = pgbackrest_config.read("main", str(config))
    assert pgbackrest_config.server(told) == ({"PGPORT": "5433", "PGDATABASE": "postgres"}, None)
    assert [pgbackrest_config.place(told, number) for number in (1, 2, 3)] == [
        ("/backups/pg", False), ("s3:far/nexus", True), ("far.example.com:/var/lib/pgbackrest", True),
    ]  # fmt: skip
    assert pgbackrest_config.server(pgbackrest_config.read("other", str(config)))[1] == "the server is on db9"
    assert pgbackrest_config.read("main", str(tmp_path / "none")) == {}


def test_the_title_is_judged_by_the_inventory() -> None:
    found = archive({"error": "away"}, at=NOW - 1800)
    assert [status for status, _title in said(found)] == ["warning"]
    assert said(found, {CHECK: {"target": 45, "alert": 90}}) == []
    assert evaluate_archive.safe_until(found, "another", NOW - 5, NOW) == NOW - 5

# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pgBackRest says, and what is made of it: which WAL leads where, which backup begins, what is damaged."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import (
    pgbackrest,
    pgbackrest_backup,
    pgbackrest_plan,
    pgbackrest_wal,
    stream,
)
from ansible_collections.nexuscos.ops.plugins.module_utils._backup.pgbackrest import Missing, Where
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OpsError, OptionError

MB = 1 << 20
FULL, DIFF = "20261129-173045F", "20261129-173045F_20261129-173053D"
# As version 2.45 says it.
INFO: list[dict[str, Any]] = [
    {
        "archive": [
            {"database": {"id": 1, "repo-key": 1}, "id": "15-1", "max": "000000010000000000000006", "min": "x"},
            {"database": {"id": 1, "repo-key": 2}, "id": "15-1", "max": "000000010000000000000001", "min": "x"},
        ],
        "backup": [
            {
                "archive": {"start": "000000010000000000000003", "stop": "000000010000000000000004"},
                "database": {"id": 1, "repo-key": 1},
                "error": False,
                "info": {"delta": 31749943, "repository": {"delta": 4329566, "size": 4329566}, "size": 31749943},
                "label": FULL,
                "lsn": {"start": "0/3000028", "stop": "0/4000050"},
                "prior": None,
                "reference": None,
                "timestamp": {"start": 1795973445, "stop": 1795973452},
                "type": "full",
            },
            {
                "archive": {"start": "000000010000000000000005", "stop": "000000010000000000000006"},
                "database": {"id": 1, "repo-key": 1},
                "error": False,
                "info": {"delta": 8457, "repository": {"delta": 429}, "size": 31749942},
                "label": DIFF,
                "lsn": {"start": "0/5000028", "stop": "0/6000050"},
                "prior": FULL,
                "reference": [FULL],
                "timestamp": {"start": 1795973453, "stop": 1795973455},
                "type": "diff",
            },
        ],
        "db": [
            {"id": 1, "repo-key": 1, "system-id": 7713647181553663966, "version": "15"},
            {"id": 1, "repo-key": 2, "system-id": 7713647181553663966, "version": "15"},
        ],
        "name": "main",
        "repo": [
            {"key": 1, "status": {"code": 0, "message": "ok"}},
            {"key": 2, "status": {"code": 2, "message": "no valid backups"}},
        ],
        "status": {"code": 0, "lock": {"backup": {"held": False}}, "message": "ok"},
    }
]
VERIFIED = f"""INFO: verify command begin 2.45: --stanza=main
INFO: invalid checksum '{FULL}/pg_data/base/1/1255.gz'
INFO: invalid result 15-1/0000000100000000/000000010000000000000006-{"a" * 40}.gz: [29] raised from local-2 protocol
      [FormatError] on retry after 0ms
INFO: stanza: main
      status: error
        archiveId: 15-1, total WAL checked: 6, total valid WAL: 5
          missing: 0, checksum invalid: 0, size invalid: 0, other: 1
        backup: {FULL}, status: invalid, total files checked: 1293, total valid files: 1292
          missing: 0, checksum invalid: 1, size invalid: 0, other: 0
        backup: {DIFF}, status: valid, total files checked: 1293, total valid files: 1293
INFO: verify command end: completed successfully (15161ms)"""


def wal(*numbers: int, timeline: int = 1) -> dict[str, float]:
    return {f"{timeline:08X}{0:08X}{number:08X}": 1000.0 + number for number in numbers}


def info() -> pgbackrest.Info:
    return pgbackrest.parse_info(INFO, Where("main"))


def test_info_is_understood() -> None:
    found = info()
    assert (found.version, found.identifier, found.archive) == ("15", "7713647181553663966", "15-1")
    assert [one.label for one in found.backups] == [FULL, DIFF]
    assert found.of(DIFF).needs == (FULL,)
    assert found.of(DIFF).repo_size == 429
    assert pgbackrest_backup.wal_size(found.of(FULL)) == 16 * MB
    with pytest.raises(Missing, match="has no backup 20200101-000000F"):
        found.of("20200101-000000F")
    other = pgbackrest.parse_info(INFO, Where("main", repo=2))
    assert other.backups == ()
    assert other.wal_max == "000000010000000000000001"


@pytest.mark.parametrize(("code", "words"), [(1, "missing stanza path"), (3, "missing stanza data")])
def test_a_stanza_that_is_not_there_is_told_with_the_command_that_makes_it(code: int, words: str) -> None:
    told = copy.deepcopy(INFO)
    told[0]["repo"] = [{"key": 1, "status": {"code": code, "message": words}}]
    with pytest.raises(Missing, match=rf"{words}.*--config=/c --stanza=main stanza-create"):
        pgbackrest.parse_info(told, Where("main", config="/c"))
    with pytest.raises(Missing, match="no stanza of that name"):
        pgbackrest.parse_info([], Where("main"))


@pytest.mark.parametrize("told", [[{"name": "main"}], [None], {"a": 1}, "text", [{**INFO[0], "backup": [{}]}]])
def test_what_is_no_info_is_an_error_that_says_so(told: Any) -> None:
    with pytest.raises(OpsError, match="what nobody understands"):
        pgbackrest.parse_info(told, Where("main"))


def test_verify_names_what_is_damaged() -> None:
    found = pgbackrest.parse_verify(VERIFIED.splitlines())
    assert found.status == {FULL: "invalid", DIFF: "valid"}
    assert found.bad == (f"{FULL}/pg_data/base/1/1255.gz",)
    assert found.bad_wal == ("000000010000000000000006",)
    assert (found.wal, found.files[DIFF]) == (6, 1293)
    archive = wal(3, 4, 5, 6)
    why = pgbackrest_backup.damage(info().of(FULL), found, archive)
    assert why == f"backup {FULL} is invalid in the repository: {FULL}/pg_data/base/1/1255.gz"
    # A backup is no better than those that it builds on.
    assert FULL in str(pgbackrest_backup.damage(info().of(DIFF), found, archive))


def test_the_wal_of_a_backup_has_to_be_there_and_whole() -> None:
    lines = VERIFIED.replace("status: invalid", "status: valid").splitlines()
    found = pgbackrest.parse_verify(lines)
    assert pgbackrest_backup.damage(info().of(FULL), found, wal(3, 4)) is None
    assert "000000010000000000000004 of the archive is missing" in str(
        pgbackrest_backup.damage(info().of(FULL), found, wal(3, 5))
    )
    assert "000000010000000000000006 of the archive is damaged" in str(
        pgbackrest_backup.damage(info().of(DIFF), found, wal(3, 4, 5, 6))
    )


@pytest.mark.parametrize("size", [MB, 16 * MB, 64 * MB, 1 << 30])
def test_the_size_of_wal_files_is_told_by_a_name_and_a_position(size: int) -> None:
    at = 7 * (1 << 32) + 3 * size + 40
    name = f"00000001{at // (1 << 32):08X}{at % (1 << 32) // size:08X}"
    assert pgbackrest_wal.size_of(name, pgbackrest_wal.lsn(at)) == size


def test_an_archive_leads_up_to_its_first_gap() -> None:
    first = "000000010000000000000003"
    whole = pgbackrest_wal.reach(first, wal(1, 3, 4, 5), 16 * MB)
    assert (whole.last, whole.missing, whole.beyond) == ("000000010000000000000005", (), None)
    assert (whole.at, whole.end) == (1005.0, 6 * 16 * MB)
    gap = pgbackrest_wal.reach(first, wal(3, 4, 7, 8), 16 * MB)
    assert gap.last == "000000010000000000000004"
    assert gap.missing == ("000000010000000000000005", "000000010000000000000006")
    assert gap.beyond == "000000010000000000000008"
    nothing = pgbackrest_wal.reach(first, wal(4), 16 * MB)
    assert nothing.last is None
    assert nothing.missing == (first,)
    assert pgbackrest_wal.reach(first, {}, 16 * MB).last is None


def test_a_timeline_goes_on_where_the_one_before_it_ended() -> None:
    first = "000000020000000000000003"
    archive = {**wal(3, 4, 9, timeline=1), **wal(3, 4, timeline=2), **wal(4, 5, timeline=3)}
    found = pgbackrest_wal.reach(first, archive, 16 * MB)
    assert found.last == "000000030000000000000005"
    assert found.missing == ()


@given(st.sets(st.integers(0, 600), min_size=1))
def test_what_is_reached_is_there_without_a_gap(numbers: set[int]) -> None:
    size = 16 * MB
    names = {f"00000001{number // 256:08X}{number % 256:08X}": float(number) for number in numbers}
    first = min(names)
    found = pgbackrest_wal.reach(first, names, size)
    assert found.last is not None
    led = pgbackrest_wal.between(first, found.last, size)
    assert set(led) <= set(names)
    assert set(found.missing).isdisjoint(names)
    assert bool(found.missing) == (max(numbers) - min(numbers) + 1 > len(numbers))


def test_names_in_the_list_of_files_are_read_whatever_they_are() -> None:
    text = '[backup:target]\npg_data={"path":"/d","type":"path"}\npg_tblspc/16400={"tablespace-id":"16400"}\n\n'
    text += '[db]\na={"db-id":5}\nodd = "name"={"db-id":6}\n\n[target:file]\nx={"size":1}\n'
    assert pgbackrest_wal.databases(text) == ["a", 'odd = "name"']
    assert pgbackrest_wal.tablespaces(text) == ["16400"]


@pytest.mark.parametrize(
    ("text", "kind", "settings"),
    [
        ("latest", "latest", {}),
        ("2026-11-29T14:05:00Z", "time", {"recovery_target_time": "2026-11-29 14:05:00.000000+00"}),
        ("2026-11-29 15:05:00.25+01:00", "time", {"recovery_target_time": "2026-11-29 14:05:00.250000+00"}),
        (" 0/3ab ", "lsn", {"recovery_target_lsn": "0/3AB"}),
        ("before the drop", "name", {"recovery_target_name": "before the drop"}),
    ],
)
def test_a_moment_is_a_time_a_position_or_a_name(text: str, kind: str, settings: dict[str, str]) -> None:
    found = pgbackrest_plan.target_of(text)
    assert found.kind == kind
    assert found.settings() == settings


@pytest.mark.parametrize("text", ["", " ", "2026-11-29T14:05:00", "14:05", "2026-13-01T00:00:00Z", "x" * 64, "a\nb"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="point_in_time"):
        pgbackrest_plan.target_of(text)


def test_a_full_backup_is_due_when_the_newest_is_old() -> None:
    stop = info().of(FULL).stop
    assert not pgbackrest_backup.is_due(info(), 3600, stop + 3599)
    assert pgbackrest_backup.is_due(info(), 3600, stop + 3600)
    assert not pgbackrest_backup.is_due(info(), 0, stop + 1e9)
    assert not pgbackrest_backup.is_due(pgbackrest.parse_info(INFO, Where("main", repo=2)), 3600, stop + 1e9)


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("ERROR: [068]: archive_command 'true' must contain pgbackrest", "archive-push %p"),
        ("ERROR: [087]: archive_mode must be enabled", "archive_mode of the server has to be on"),
        ("ERROR: [082]: WAL segment 01 was not archived", "pg_stat_archiver"),
        ("ERROR: [056]: unable to find primary cluster", "pg1-path"),
        ("ERROR: [041]: unable to write '/proc/none/x': No space left on device", "free: make room there"),
        ("ERROR: [028]: version '14' do not match stanza", "stanza-upgrade"),
    ],
)
def test_an_error_comes_with_what_to_do(said: str, hint: str) -> None:
    with pytest.raises(stream.EngineError, match="pgbackrest failed") as error, pgbackrest.explained():
        raise stream.EngineError(f"setpriv failed with status 1: {said}")
    assert said in str(error.value)
    assert hint in str(error.value)
    assert pgbackrest.code(error.value) == int(said[8:11])


def test_who_holds_a_lock_is_told_as_far_as_it_is_known(tmp_path: Path) -> None:
    path = tmp_path / "main-backup.lock"
    path.write_text(json.dumps({"execId": "1-a", "pid": os.getpid()}), encoding="utf-8")
    assert f"(process {os.getpid()})" in pgbackrest.holder(str(path))
    path.write_text("{", encoding="utf-8")
    assert "another process of pgBackRest" in pgbackrest.holder(str(path))


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (Where("../main"), "stanza"),
        (Where(""), "stanza"),
        (Where("main", repo=0), "pgbackrest_repo"),
        (Where("main", repo=257), "pgbackrest_repo"),
    ],
)
def test_a_way_that_cannot_be_is_refused(where: Where, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        where.check()

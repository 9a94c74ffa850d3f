# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real sets of a real server are proven, real damage is found, and nothing of the scratch server stays."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import scratch
from running import answer_of, is_gone, wait_for
from scratch import DATABASE, GATE, Source

STAMP = "2026-01-02T030405Z"
KINDS = ("custom", "directory", "tar", "plain")
SMOKE = [{"query": "SELECT count(*) FROM billing.users", "answer": "200"}]


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    with scratch.postgres() as server:
        scratch.fill(server)
        yield server


@pytest.fixture(scope="module")
def sets(source: Source, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A set of each kind, made once."""
    place = tmp_path_factory.mktemp("sets")
    made = {}
    for kind in KINDS:
        engine = "pg_dump" if kind in ("custom", "directory") else "pg_basebackup"
        answer = scratch.module(
            "postgres_backup",
            {
                "system": kind,
                "path": str(place),
                "engine": engine,
                "format": kind,
                "login_db": DATABASE,
                **source.login,
            },
        )
        assert "set" in answer, answer
        made[kind] = Path(answer["set"]["path"])
    return made


@pytest.fixture
def room() -> Iterator[Path]:
    """A folder for scratch servers that is empty before and after."""
    folder = Path(tempfile.mkdtemp(prefix="nx-room-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
        assert list(folder.iterdir()) == []
        assert servers_in(folder) == []
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def copied(sets: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a set, in a place of its own."""

    def copy(kind: str) -> Path:
        folder = tmp_path / sets[kind].parent.name / kind
        shutil.copytree(sets[kind], folder)
        return folder

    return copy


def servers_in(folder: Path) -> list[int]:
    """Processes that work in a folder."""
    found = []
    for number in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{number}/cwd").startswith(str(folder)):
                found.append(int(number))
    return found


def verify(folder: Path, room: Path, level: int = 5, **more: Any) -> dict[str, Any]:
    smoke = SMOKE if level == 5 else []
    return scratch.module("backup_verify", arguments(folder, room, level, smoke=smoke, **more))


def arguments(folder: Path, room: Path, level: int, **more: Any) -> dict[str, Any]:
    return {
        "system": folder.name, "path": str(folder.parent.parent), "level": level, "scratch_dir": str(room), **more,
    }  # fmt: skip


def manifest(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return told


def change(folder: Path, **more: Any) -> None:
    (folder / "manifest.json").write_text(json.dumps({**manifest(folder), **more}), encoding="utf-8")


def seal(folder: Path) -> None:
    """Make the sums those of the damage, so that the readers have to find it."""
    files = []
    for one in manifest(folder)["files"]:
        data = (folder / one["path"]).read_bytes()
        files.append({"path": one["path"], "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    change(folder, files=files)


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_set_is_proven_to_the_last_level(copied: Callable[[str], Path], room: Path, kind: str) -> None:
    folder = copied(kind)
    answer = verify(folder, room)
    assert answer.get("good"), answer
    assert (answer["level"], answer["wanted"], answer["filed"]) == (5, 5, True)
    assert "6 tables, 3,605 rows" in answer["msg"]
    proof = manifest(folder)["proofs"][-1]
    assert (proof["level"], proof["good"], proof["restore_seconds"]) == (5, True, answer["restore_seconds"])


def test_check_mode_only_tells(copied: Callable[[str], Path], room: Path) -> None:
    folder = copied("custom")
    before = (folder / "manifest.json").read_bytes()
    plan = scratch.module("backup_verify", arguments(folder, room, 4), check_mode=True)["plan"]
    assert plan["bytes"] == sum(one["bytes"] for one in manifest(folder)["files"])
    assert (folder / "manifest.json").read_bytes() == before


def cut(folder: Path) -> None:
    path = folder / "custom.dump"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    listed = subprocess.run([str(scratch.BIN / "pg_restore"), "-l", str(path)], capture_output=True, check=False)
    assert listed.returncode == 0, "the runbook's check sees nothing"


def flip(folder: Path) -> None:
    data = bytearray((folder / "custom.dump").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 8] = bytes(byte ^ 0xFF for byte in data[middle : middle + 8])
    (folder / "custom.dump").write_bytes(bytes(data))


def empty(folder: Path) -> None:
    (folder / "custom.dump").write_bytes(b"")


def exchanged(folder: Path) -> None:
    """A table's file of a directory is another one's: sums and readers are content, rows are not."""
    files = sorted((folder / "directory.dir").glob("*.dat.gz"), key=lambda path: path.stat().st_size)
    shutil.copy(files[0], files[-1])


def half_a_table(folder: Path) -> None:
    largest = max((folder / "directory.dir").glob("*.dat.gz"), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[: largest.stat().st_size // 2])


def no_wal(folder: Path) -> None:
    (folder / "base" / "pg_wal.tar").write_bytes((folder / "base" / "pg_wal.tar").read_bytes()[:20_000])


@pytest.mark.parametrize(
    ("kind", "damage", "level"),
    [
        ("custom", cut, 2), ("custom", flip, 2), ("custom", empty, 2), ("directory", half_a_table, 2),
        ("directory", exchanged, 3), ("tar", no_wal, 2),
    ],
)  # fmt: skip
def test_damage_is_found(
    copied: Callable[[str], Path], room: Path, kind: str, damage: Callable[[Path], None], level: int
) -> None:
    folder = copied(kind)
    damage(folder)
    answer = verify(folder, room, 4)
    assert answer["failed"], "a refuted set fails the task"
    assert not answer["good"]
    assert answer["levels"][-1]["level"] == 1
    seal(folder)
    answer = verify(folder, room, 4, fail=False)
    assert not answer.get("failed"), "unless that is not asked for"
    assert (answer["good"], answer["levels"][-1]["level"]) == (False, level), answer["msg"]
    assert manifest(folder)["proofs"][-1]["why"] == answer["why"]


def test_the_dump_of_another_database_and_of_another_day(
    copied: Callable[[str], Path], room: Path, source: Source, tmp_path: Path
) -> None:
    folder = copied("custom")
    other = tmp_path / "other"
    source.run("pg_dump", "-Fc", "-f", str(other), "postgres")
    shutil.copy(other, folder / "custom.dump")
    seal(folder)
    assert "dump of postgres, and the manifest is of nexusdb" in verify(folder, room, 4)["why"]
    folder = shutil.copytree(copied("directory"), tmp_path / STAMP / "directory")
    change(folder, stamp=STAMP, began="2026-01-02T03:04:05Z", ended="2026-01-02T03:04:07Z")
    assert "the file of another day" in verify(folder, room, 4, set=STAMP)["why"]


def test_rows_that_are_missing_are_found(copied: Callable[[str], Path], room: Path) -> None:
    folder = copied("custom")
    wanted = manifest(folder)["invariants"]
    wanted["tables"]["billing.orders"] += 1
    change(folder, invariants=wanted)
    answer = verify(folder, room, 4)
    assert (answer["level"], answer["why"]) == (3, "billing.orders has 3,000 rows, want 3,001")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("tables", {"billing.lost": 1}, "holds no rows of billing.lost, which had some"),
        ("tables", {"billing.lost": 0}, "tables are missing: billing.lost"),
        ("counts", {"triggers": 1}, "0 triggers are there, want 1"),
        ("extensions", ["hstore"], "extensions are missing: hstore"),
        ("queries", {"n": {"query": "SELECT count(*) FROM billing.users", "value": 7}}, "query n answers 200"),
    ],
)
def test_other_invariants_that_do_not_hold(
    copied: Callable[[str], Path], room: Path, key: str, value: Any, words: str
) -> None:
    folder = copied("custom")
    change(folder, invariants={key: value})
    assert words in verify(folder, room, 4)["why"]


def test_a_wrong_answer_to_the_application(copied: Callable[[str], Path], room: Path) -> None:
    folder = copied("tar")
    wrong = [*SMOKE, {"name": "prices", "query": "SELECT min(cents) FROM billing.orders", "answer": 5}]
    answer = scratch.module("backup_verify", arguments(folder, room, 5, smoke=wrong))
    assert (answer["level"], answer["why"]) == (4, "prices answers 0, want 5")
    wrong = [{"query": "SELECT count(*) FROM billing.no_such", "answer": 5}]
    assert "no_such" in scratch.module("backup_verify", arguments(folder, room, 5, smoke=wrong))["why"]


def test_what_is_wrong_at_the_source_is_found_and_may_be_accepted(source: Source, room: Path, tmp_path: Path) -> None:
    source.psql("CREATE DATABASE odd", "postgres")
    source.psql(
        "CREATE TABLE t (id serial PRIMARY KEY, n integer); INSERT INTO t VALUES (7, -1);"
        "ALTER TABLE t ADD CONSTRAINT above CHECK (n > 0) NOT VALID;"
        "CREATE TABLE r (id integer PRIMARY KEY, n integer CHECK (n > 0));",
        "odd",
    )  # fmt: skip
    given = {"system": "odd", "path": str(tmp_path), "login_db": "odd", **source.login}
    folder = Path(scratch.module("postgres_backup", given)["set"]["path"])
    assert "public.t_id_seq gives out its first number, and 7 is taken" in verify(folder, room, 4)["why"]
    assert "constraint above of public.t does not hold" in verify(folder, room, 4, accept=["public.t_id_seq"])["why"]
    assert verify(folder, room, 4, accept=["public.t_id_seq", "public.t.above"])["good"]


def test_a_dump_without_roles_is_restored_without_owners(copied: Callable[[str], Path], room: Path) -> None:
    folder = copied("custom")
    (folder / "globals.sql").unlink()
    change(folder, files=[one for one in manifest(folder)["files"] if one["path"] != "globals.sql"])
    answer = verify(folder, room, 4)
    assert answer["good"], answer
    assert answer["levels"][3]["details"]["owners"] == "not restored: the set has no roles"


def test_a_copy_does_nothing_of_what_the_original_does(room: Path, tmp_path: Path) -> None:
    """It neither archives nor preloads, and its tablespaces are not the live ones."""
    with scratch.postgres() as server:
        space, archived = server.folder / "space", server.folder / "archived"
        for path in (space, archived):
            path.mkdir()
            if scratch.ACCOUNT:
                shutil.chown(path, scratch.ACCOUNT)
        server.psql(f"CREATE TABLESPACE fast LOCATION '{space}'", "postgres")
        server.psql("CREATE TABLE t TABLESPACE fast AS SELECT generate_series(1, 900) AS n", "postgres")
        for name, value in {
            "archive_command": f"touch {archived}/%f", "archive_mode": "on", "recovery_target_timeline": "latest",
            "restore_command": f"touch {archived}/%f; false", "shared_preload_libraries": "no_such_library",
        }.items():  # fmt: skip
            server.psql(f"ALTER SYSTEM SET {name} = '{value}'", "postgres")
        given = {"system": "all", "path": str(tmp_path), "engine": "pg_basebackup", **server.login}
        folder = Path(scratch.module("postgres_backup", given)["set"]["path"])
        server.psql("DELETE FROM t", "postgres")
        before = {path: path.stat().st_mtime_ns for path in space.rglob("*")}
        smoke = [{"query": "SELECT count(*) FROM t", "answer": 900}]
        answer = scratch.module("backup_verify", arguments(folder, room, 5, smoke=smoke))
        assert answer["good"], answer
        assert {path: path.stat().st_mtime_ns for path in space.rglob("*")} == before
        assert list(archived.iterdir()) == []
        assert server.psql("SELECT count(*) FROM t", "postgres") == "0"


def test_a_copy_whose_first_role_is_not_postgres(room: Path, tmp_path: Path) -> None:
    with scratch.postgres() as server:
        server.psql("CREATE ROLE helper SUPERUSER LOGIN PASSWORD 'x'", "postgres")
        renamed = {"PGUSER": "helper", "PGPASSWORD": "x"}
        rename = ["-Xqc", 'ALTER ROLE postgres RENAME TO "the boss"', "postgres"]
        subprocess.run([str(scratch.BIN / "psql"), *rename], env={**server.environment, **renamed}, check=True)
        given = {**server.login, "login_user": "helper", "login_password": "x"}
        given |= {"system": "all", "path": str(tmp_path), "engine": "pg_basebackup", "format": "plain"}
        folder = Path(scratch.module("postgres_backup", given)["set"]["path"])
    smoke = [{"query": "SELECT current_user::text", "answer": "the boss", "database": "postgres"}]
    answer = scratch.module("backup_verify", arguments(folder, room, 5, smoke=smoke))
    assert answer.get("good"), answer


@pytest.fixture(scope="module")
def large_set(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set whose restore stands still, at an index, as long as the gate is shut."""
    source.psql("CREATE DATABASE large", "postgres")
    source.psql(
        "CREATE TABLE t AS SELECT n, md5(n::text) AS a, md5((n + 1)::text) AS b FROM generate_series(1, 100000) n;"
        "CREATE INDEX ON t (a, b);" + GATE.replace("{file}", str(source.gate)),
        "large",
    )
    place = tmp_path_factory.mktemp("large")
    given = {"system": "large", "path": str(place), "login_db": "large", "compress": 1, **source.login}
    return Path(scratch.module("postgres_backup", given)["set"]["path"])


@pytest.fixture
def large(source: Source, large_set: Path) -> Iterator[Path]:
    """That set, and the gate is shut."""
    with source.shut_gate():
        yield large_set


def until_it_restores(room: Path, process: subprocess.Popen[str]) -> int:
    """The process of the scratch server, once something is restored there."""

    def server() -> int | None:
        for folder in room.glob("*/data/postmaster.pid"):
            with contextlib.suppress(OSError, IndexError, ValueError):
                number = int(folder.read_text().splitlines()[0])
                if any(path.stat().st_size > 5_000_000 for path in (folder.parent / "base").glob("*/*")):
                    return number
        return None

    return wait_for(server, "something is restored", process) or 0


def test_it_is_killed_and_the_next_one_cleans_up(source: Source, large: Path, room: Path, tmp_path: Path) -> None:
    before = manifest(large)
    process = scratch.start_module("backup_verify", arguments(large, room, 4), tmp_path)
    server = until_it_restores(room, process)
    second = scratch.module("backup_verify", arguments(large, room, 1))
    assert "large@verify: verification by" in second["msg"]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    wait_for(lambda: is_gone(server), "the kernel has told the server")
    assert list(room.iterdir())
    assert manifest(large) == before
    source.gate.unlink()
    assert scratch.module("backup_verify", arguments(large, room, 4))["good"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_is_asked_to_end(large: Path, room: Path, tmp_path: Path, number: signal.Signals) -> None:
    before = manifest(large)
    process = scratch.start_module("backup_verify", arguments(large, room, 4), tmp_path)
    until_it_restores(room, process)
    process.send_signal(number)
    answer = answer_of(process)
    assert answer["failed"]
    assert number.name in answer["msg"]
    assert manifest(large) == before


def test_the_scratch_server_is_killed_which_says_nothing_about_the_set(large: Path, room: Path, tmp_path: Path) -> None:
    before = manifest(large)
    process = scratch.start_module("backup_verify", arguments(large, room, 4), tmp_path)
    os.kill(until_it_restores(room, process), signal.SIGKILL)
    answer = answer_of(process)
    assert answer["failed"]
    assert "good" not in answer, answer["msg"]
    assert manifest(large) == before


def test_a_full_disk_says_nothing_about_the_set(copied: Callable[[str], Path]) -> None:
    folder = copied("custom")
    room = Path(tempfile.mkdtemp(prefix="nx-full-", dir="/var/tmp"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=755", "none", str(room)], check=True)
    try:
        answer = verify(folder, room, 4)
        assert "free, and a restore takes about" in answer["msg"]
        change(folder, source={**manifest(folder)["source"], "bytes": 1})
        before = manifest(folder)
        answer = verify(folder, room, 4)
        assert answer["failed"]
        assert "good" not in answer, answer["msg"]
        assert manifest(folder) == before
        assert list(room.iterdir()) == []
    finally:
        subprocess.run(["umount", "-l", str(room)], check=True)
        room.rmdir()

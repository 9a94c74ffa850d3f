# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgres_backup by pgBackRest against a real server and repository, looked at with pgbackrest, while things break."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pgbackrest_repo import STANZA, Archive, archive, as_account, flip
from running import answer_of, children, is_gone, said, stopped, wait_for, watched
from scratch import DATABASE, PASSWORD, module, start_module


@pytest.fixture(scope="module")
def kept() -> Iterator[Archive]:
    """One that no test damages."""
    with archive() as found:
        yield found


@pytest.fixture
def own() -> Iterator[Archive]:
    """One of the test's own."""
    with archive(data=False) as found:
        yield found


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def back_up(of: Archive, place: Path, check_mode: bool = False, **more: Any) -> dict[str, Any]:
    return module("postgres_backup", of.options(place, **more), check_mode)


def manifest(answer: dict[str, Any]) -> dict[str, Any]:
    assert not answer.get("failed"), answer
    found: dict[str, Any] = json.loads(Path(answer["set"]["path"], "manifest.json").read_text())
    return found


def verify(place: Path, level: int = 2, **more: Any) -> dict[str, Any]:
    return module("backup_verify", {"path": str(place), "system": "db1", "level": level, **more})


def state(place: Path) -> set[str]:
    return {str(path.relative_to(place)) for path in place.rglob("*") if not path.name.startswith(".lock-")}


def test_a_full_backup_and_what_has_changed_since(kept: Archive, place: Path) -> None:
    before = kept.labels()
    plan = back_up(kept, place, check_mode=True, backup_type="full")
    assert plan["changed"]
    assert plan["plan"]["source"]["stanza"] == STANZA
    assert not place.exists()
    assert kept.labels() == before

    full = back_up(kept, place, backup_type="full", jobs=2)
    incr = back_up(kept, place)
    diff = back_up(kept, place, backup_type="diff")
    told = [manifest(one) for one in (full, incr, diff)]
    labels = [one["position"]["label"] for one in told]
    assert kept.labels()[-3:] == labels
    assert [one["position"]["type"] for one in told] == ["full", "incr", "diff"]
    assert [one["position"]["prior"] for one in told] == [None, labels[0], labels[0]]
    assert [one["level"] for one in (full, incr, diff)] == [2, 2, 2]
    assert labels[1] in incr["msg"]
    for one, answer in zip(told, (full, incr, diff)):
        listing = "".join(f"{file['sha256']}  {file['path']}\n" for file in one["files"])
        command = ["sha256sum", "--check", "--strict", "--quiet"]
        subprocess.run(command, input=listing, text=True, cwd=answer["set"]["path"], check=True)
        assert one["invariants"]["databases"] == [DATABASE, "postgres", "template1"]
        assert one["position"]["wal_start"] <= one["position"]["wal_stop"]
        assert PASSWORD not in json.dumps(one) + json.dumps(answer)
    identifier = kept.server.psql("SELECT system_identifier FROM pg_control_system()")
    assert told[0]["source"]["system_identifier"] == identifier
    assert os.path.realpath(place / "latest" / "db1") == diff["set"]["path"]

    again = back_up(kept, place, stamp=diff["set"]["stamp"])
    assert not again["changed"]
    assert again["set"]["path"] == diff["set"]["path"]
    assert kept.labels()[-3:] == labels


def test_a_set_is_proven_in_a_server_of_its_own(kept: Archive, place: Path) -> None:
    manifest(back_up(kept, place))
    smoke = [{"query": "SELECT count(*) FROM billing.users", "answer": 200, "database": DATABASE}]
    answer = verify(place, level=5, smoke=smoke)
    assert answer["good"], answer
    levels = {one["name"]: one["details"] for one in answer["levels"]}
    assert levels["invariants"]["databases"][DATABASE]["rows"] == 3605
    assert levels["invariants"]["amcheck"] == "tables and indexes are whole"
    wrong = verify(place, level=5, smoke=[{**smoke[0], "answer": 201}])
    assert not wrong["good"]
    assert wrong["level"] == 4


def test_what_is_not_there_is_named(kept: Archive, place: Path) -> None:
    no_stanza = back_up(kept, place, stanza="other")
    assert no_stanza["failed"]
    assert "stanza other is not in repository 1" in no_stanza["msg"]
    assert "stanza-create" in no_stanza["msg"]
    no_config = back_up(kept, place, pgbackrest_config=str(kept.folder / "none.conf"))
    assert "none.conf" in no_config["msg"]
    no_account = back_up(kept, place, pgbackrest_account="nobody of that name")
    assert "nobody of that name" in no_account["msg"]
    odd = back_up(kept, place, format="tar")
    assert "format: pgBackRest is told such things by its own configuration" in odd["msg"]
    wrong = back_up(kept, place, login_password="wrong")
    assert "password authentication failed" in wrong["msg"]
    assert state(place) <= {name for name in state(place) if not name.endswith("manifest.json")}


def test_no_backup_is_made_where_wal_is_not_archived(own: Archive, place: Path) -> None:
    good = manifest(back_up(own, place))
    before, labels = state(place), own.labels()
    own.push("exit 1")
    answer = back_up(own, place, archive_timeout=2)
    assert answer["failed"]
    assert "the WAL archive does not work" in answer["msg"]
    assert "archive_command" in answer["msg"]
    assert own.labels() == labels
    assert state(place) == before
    own.push()
    assert manifest(back_up(own, place))["position"]["prior"] == good["position"]["label"]


@pytest.mark.parametrize("what", ["data", "wal", "list", "gone"])
def test_a_repository_that_was_damaged_is_found(own: Archive, place: Path, what: str) -> None:
    told = manifest(back_up(own, place))
    label, begin = told["position"]["label"], told["position"]["wal_start"]
    backup = own.repository / "backup" / STANZA / label
    wal = next(path for path in own.wal() if path.name.startswith(begin))
    if what == "data":
        largest = max(backup.rglob("bundle/*"), key=lambda path: path.stat().st_size)
        flip(largest, largest.stat().st_size // 2)
    elif what == "wal":
        wal.unlink()
    elif what == "list":
        manifests = [backup / "backup.manifest", backup / "backup.manifest.copy"]
        for path in manifests:
            path.write_text(path.read_text().replace('"size":8192', '"size":8193', 1))
    else:
        subprocess.run(["rm", "-r", str(backup)], check=True)
    answer = verify(place)
    assert answer.get("good") is False, answer
    wanted = {"data": label, "wal": begin, "list": label, "gone": label}[what]
    assert wanted in answer["why"]
    assert json.loads((place / "latest/db1/manifest.json").read_text())["proofs"][-1]["good"] is False


def test_killed_in_the_middle_it_leaves_no_set_and_the_next_one_is_whole(
    own: Archive, place: Path, tmp_path: Path
) -> None:
    first = manifest(back_up(own, place))
    before = state(place)
    with own.shut():
        process = start_module("postgres_backup", own.options(place, backup_type="full", archive_timeout=200), tmp_path)
        pid = wait_for(lambda: working(process.pid), "a backup by pgBackRest", process)
        process.kill()
        said(process)
        wait_for(lambda: is_gone(pid), "the end of pgBackRest")
    assert {name for name in state(place) if ".writing-" not in name and "/db1" in name} == {
        name for name in before if "/db1" in name
    }
    answer = back_up(own, place)
    assert manifest(answer)["position"]["prior"] == first["position"]["label"]
    assert not [name for name in state(place) if ".writing-" in name]


def working(under: int) -> int:
    """The process of pgBackRest that a module has begun a backup by."""
    for pid in children(under, "pgbackrest"):
        with contextlib.suppress(OSError):
            if b"backup" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                return pid
    return 0


def test_two_at_once_the_second_is_told_who_is_at_work(own: Archive, place: Path, tmp_path: Path) -> None:
    command = ["pgbackrest", f"--config={own.config}", f"--stanza={STANZA}", "backup", "--type=full"]
    command.append("--archive-timeout=200")
    environment = {**os.environ, "PGPASSWORD": PASSWORD, "LC_ALL": "C"}
    lock = own.folder / "lock" / f"{STANZA}-backup.lock"
    with contextlib.ExitStack() as still:
        with own.shut():
            other = watched(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, **as_account()))
            wait_for(lambda: lock.exists() and lock.read_text(), "the lock of pgBackRest", other)
            still.enter_context(stopped(other.pid))
        answer = back_up(own, place)
        assert answer["failed"]
        assert f"full backup of pgBackRest by {as_account().get('user') or os.environ.get('USER')}" in answer["msg"]
        assert f"(process {other.pid})" in answer["msg"]
        assert str(lock) in answer["msg"]
        waiting = start_module("postgres_backup", own.options(place, lock_wait=200), tmp_path)
        # It has tried once, and waits.
        wait_for(lambda: list(place.glob("*/.writing-db1")), "the second backup", waiting)
    assert other.wait(200) == 0
    told = manifest(answer_of(waiting))
    assert told["position"]["prior"] == own.labels()[0]


def test_sets_whose_backup_has_expired_are_taken_away(own: Archive, place: Path) -> None:
    full = [back_up(own, place, backup_type="full") for _each in range(2)]
    assert [one["expired"] for one in full] == [[], []]
    third = back_up(own, place, backup_type="full")
    assert third["expired"] == [full[0]["set"]["stamp"]]
    assert len(own.labels()) == 2
    assert not Path(full[0]["set"]["path"]).exists()
    assert Path(full[1]["set"]["path"]).exists()


def test_a_full_repository_is_named(place: Path) -> None:
    with archive(data=False, room="60m") as own:
        # What cannot be packed: the WAL of it goes into the repository, and the backup does not fit any more.
        own.server.psql("CREATE EXTENSION pgcrypto", "postgres")
        own.server.psql(
            "CREATE TABLE noise AS SELECT gen_random_bytes(1024) AS b FROM generate_series(1, 16000)", "postgres"
        )
        own.run("check")
        free = os.statvfs(own.repository)
        rest = free.f_bavail * free.f_frsize - (8 << 20)
        (own.repository / "filling").write_bytes(bytes(max(rest, 0)))
        answer = back_up(own, place)
        assert answer["failed"]
        assert "unable to write" in answer["msg"]
        assert f"{own.repository}" in answer["msg"]
        assert "free: make room there" in answer["msg"]
        assert own.labels() == []
        (own.repository / "filling").unlink()
        assert manifest(back_up(own, place))["position"]["type"] == "full"


def test_ended_by_a_signal_nothing_is_left(own: Archive, place: Path, tmp_path: Path) -> None:
    with own.shut():
        process = start_module("postgres_backup", own.options(place, archive_timeout=200), tmp_path)
        pid = wait_for(lambda: working(process.pid), "a backup by pgBackRest", process)
        process.send_signal(signal.SIGTERM)
        answer = answer_of(process)
    assert "ended by SIGTERM" in answer["msg"]
    assert is_gone(pid)
    assert not list(place.glob("*/*"))

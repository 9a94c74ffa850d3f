# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""redis_restore into servers that run, looked at with redis-cli, while things break."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis_server import Redis, redis
from running import LIMIT, Narrow, answer_of, children, is_gone, stopped, wait_for
from scratch import module, start_module


@pytest.fixture(scope="module")
def source() -> Iterator[Redis]:
    with redis() as server:
        server.fill(500)
        # Keys and values of any bytes.
        for data in (b"\x00\xff\r\n", b"$5\r\n", "früh".encode()):
            server.cli("-x", "SET", data.decode("latin-1").encode("unicode_escape").decode(), data=data)
        yield server


@pytest.fixture(scope="module")
def place(source: Redis, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backups")
    answer = module("redis_backup", {"system": "redis", "path": str(folder), **source.login})
    assert not answer.get("failed"), answer
    return folder


@pytest.fixture
def target() -> Iterator[Redis]:
    with redis() as server:
        yield server


def options(server: Redis, place: Path, **more: Any) -> dict[str, Any]:
    return {"system": "redis", "path": str(place), **server.login, **more}


def restore(server: Redis, place: Path, check_mode: bool = False, **more: Any) -> dict[str, Any]:
    return module("redis_restore", options(server, place, **more), check_mode)


def name(server: Redis) -> str:
    return f"127.0.0.1:{server.port}"


def digest(server: Redis) -> str:
    """Of every key, value and whether it expires, in all databases, as the server itself reckons it."""
    assert server.cli("EXISTS", "fleeting") == "0"
    return server.cli("DEBUG", "DIGEST")


def test_every_key_comes_back_byte_by_byte(source: Redis, target: Redis, place: Path) -> None:
    answer = restore(target, place, functions=True)
    assert not answer.get("failed"), answer
    assert digest(target) == digest(source)
    assert sorted(target.keyspace()) == ["0", "3", "9"]
    assert target.cli("XINFO", "GROUPS", "x1") == source.cli("XINFO", "GROUPS", "x1")
    assert 86000 < int(target.cli("TTL", "later")) <= 86400
    assert "mylib" in target.cli("FUNCTION", "LIST")
    assert answer["undo"] == []


def test_what_is_there_is_replaced_only_when_confirmed_and_can_be_had_back(target: Redis, place: Path) -> None:
    target.cli("SET", "mine", "1")
    target.cli("-n", "5", "SET", "other", "1")
    plan = restore(target, place, check_mode=True)
    assert plan["plan"]["unconfirmed"] == name(target)
    assert [row["replaces"] for row in plan["plan"]["databases"]] == [1, 0, 0]
    refused = restore(target, place)
    assert f"name it in confirm ({name(target)})" in refused["msg"]
    assert target.keyspace() == {"0": 1, "5": 1}
    answer = restore(target, place, confirm=name(target), databases=[0])
    assert not answer.get("failed"), answer
    assert target.cli("EXISTS", "mine") == "0"
    assert int(target.cli("DBSIZE")) == answer["restored"][0]["key_count"]
    assert target.cli("-n", "5", "GET", "other") == "1"
    target.cli(*answer["undo"][0].split())
    assert target.cli("GET", "mine") == "1"
    assert target.cli("DBSIZE") == "1"


def test_without_keep_old_the_other_database_is_empty(target: Redis, place: Path) -> None:
    target.cli("SET", "mine", "1")
    answer = restore(target, place, confirm=name(target), keep_old=False)
    assert not answer.get("failed"), answer
    assert sorted(target.keyspace()) == ["0", "3", "9"]


def test_a_server_in_which_it_would_evict_is_refused(target: Redis, place: Path) -> None:
    target.cli("CONFIG", "SET", "maxmemory", "2mb")
    assert "would be evicted" in restore(target, place)["msg"]
    assert target.keyspace() == {}


def test_a_server_without_empty_databases_is_refused(target: Redis, place: Path) -> None:
    for number in range(14):
        target.cli("-n", str(number), "SET", "a", "1")
    assert "empty databases" in restore(target, place, confirm=name(target))["msg"]


def test_a_replica_is_refused(source: Redis, target: Redis, place: Path) -> None:
    target.cli("REPLICAOF", "127.0.0.1", str(source.port))
    assert "is a replica" in restore(target, place)["msg"]


def test_a_damaged_snapshot_replaces_nothing(source: Redis, target: Redis, tmp_path: Path) -> None:
    place = tmp_path / "backups"
    answer = module("redis_backup", {"system": "redis", "path": str(place), **source.login})
    path = Path(answer["set"]["path"], "dump.rdb")
    data = path.read_bytes()
    target.cli("SET", "mine", "1")
    for bent in (data[: len(data) // 2], data[:-4] + b"\0\0\0\0", b""):
        path.write_bytes(bent)
        assert restore(target, place, confirm=name(target))["failed"]
        assert target.keyspace() == {"0": 1}


@contextlib.contextmanager
def half_way(target: Redis, place: Path, folder: Path, **more: Any) -> Iterator[tuple[subprocess.Popen[str], Narrow]]:
    """A restore of which only the first part has come through."""
    with Narrow(target.port, up=1_000_000) as way:
        address = {"login_port": way.port, "confirm": f"127.0.0.1:{way.port}"}
        process = start_module("redis_restore", options(target, place, **{**address, **more}), folder)
        wait_for(way.held.is_set, "it is in the middle", process)
        wait_for(lambda: sum(target.keyspace().values()) >= 20, "keys have come", process)
        yield process, way


@pytest.mark.parametrize("who", ["server", "module"])
def test_whoever_is_killed_in_the_middle_what_is_there_stays(tmp_path: Path, who: str) -> None:
    place = tmp_path / "backups"
    with redis() as source, redis(appendonly="yes", appendfsync="always") as target:
        source.noise(1000, 4000)
        made = module("redis_backup", {"system": "redis", "path": str(place), **source.login})
        assert not made.get("failed"), made
        target.cli("SET", "mine", "1")
        assert target.process
        with half_way(target, place, tmp_path) as (process, _way):
            helpers = children(process.pid)
            (process if who == "module" else target.process).send_signal(signal.SIGKILL)
            out, _errors = process.communicate(timeout=LIMIT)
        for pid in helpers:
            wait_for(lambda pid=pid: is_gone(pid), "nobody sends any more")  # type: ignore[misc]
        if who == "server":
            assert json.loads(out)["failed"]
            target.process.wait(LIMIT)
            target.start()
        assert target.cli("GET", "mine") == "1"
        assert target.cli("DBSIZE") == "1"
        answer = restore(target, place, confirm=name(target), keep_old=False)
        assert not answer.get("failed"), answer
        assert target.keyspace() == {"0": 1000}


def test_a_server_that_hangs_is_given_up(tmp_path: Path) -> None:
    place = tmp_path / "backups"
    with redis() as source, redis() as target:
        source.noise(1000, 4000)
        module("redis_backup", {"system": "redis", "path": str(place), **source.login})
        with half_way(target, place, tmp_path, deadline=20.0) as (process, way):
            assert target.process
            with stopped(target.process.pid):
                way.widen()
                assert "not done in time" in answer_of(process)["msg"]


def test_by_a_socket_and_as_a_user_with_the_rights_that_the_notes_list(target: Redis, place: Path) -> None:
    rights = "+info +select +get +set +del +flushdb +restore +dbsize +swapdb +multi +exec +echo +config|get ~*"
    target.cli("ACL", "SETUSER", "restorer", "on", ">geheim", *rights.split())
    given = {"login_unix_socket": target.socket, "login_user": "restorer", "login_password": "geheim"}
    answer = module("redis_restore", {"system": "redis", "path": str(place), **given})
    assert not answer.get("failed"), answer
    assert sorted(target.keyspace()) == ["0", "3", "9"]

# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""redis_backup against real servers, looked at with redis-check-rdb, redis-cli and sha256sum, while things break."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis_server import PASSWORD, Redis, redis
from running import LIMIT, answer_of, children, free_port, is_gone, stopped, wait_for
from scratch import module, start_module


@pytest.fixture(scope="module")
def source() -> Iterator[Redis]:
    with redis() as server:
        server.fill()
        yield server


@pytest.fixture
def slow() -> Iterator[Redis]:
    """A server that takes its time to save, when it is held up."""
    with redis() as server:
        server.noise(1500, 4000)
        yield server


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def hold_up(server: Redis, microseconds: int = 60_000) -> None:
    """Let saves that begin from now on take so long for each key: a minute and a half for all."""
    server.cli("CONFIG", "SET", "rdb-key-save-delay", str(microseconds))


def options(source: Redis, place: Path, **more: Any) -> dict[str, Any]:
    return {"system": "redis", "path": str(place), **source.login, **more}


def back_up(source: Redis, place: Path, check_mode: bool = False, **more: Any) -> dict[str, Any]:
    return module("redis_backup", options(source, place, **more), check_mode)


def prove(place: Path, level: int = 4, **more: Any) -> dict[str, Any]:
    return module("backup_verify", {"system": "redis", "path": str(place), "level": level, **more})


def made(answer: dict[str, Any]) -> dict[str, Any]:
    assert not answer.get("failed"), answer
    found: dict[str, Any] = json.loads(Path(answer["set"]["path"], "manifest.json").read_text())
    return found


def state(place: Path) -> tuple[set[str], str]:
    names = {str(path.relative_to(place)) for path in place.rglob("*") if not path.name.startswith(".lock-")}
    return names, os.readlink(place / "latest" / "redis")


def progress(place: Path) -> list[Path]:
    """The file that is being written, once there is something in it."""
    found = []
    for path in place.rglob(".writing-redis/dump.rdb"):
        with contextlib.suppress(FileNotFoundError):
            found += [path] if path.stat().st_size else []
    return found


@pytest.mark.parametrize("diskless", ["yes", "no"])
@pytest.mark.parametrize("method", ["stream", "bgsave"])
def test_a_snapshot_has_every_key_and_is_proven(source: Redis, place: Path, method: str, diskless: str) -> None:
    source.cli("CONFIG", "SET", "repl-diskless-sync", diskless)
    answer = back_up(source, place, method=method)
    told = made(answer)
    path = Path(answer["set"]["path"], "dump.rdb")
    said = subprocess.run(["redis-check-rdb", str(path)], capture_output=True, text=True, check=True).stdout
    counted = {number: one["keys"] for number, one in told["invariants"]["databases"].items()}
    assert "Checksum OK" in said
    assert f"{sum(counted.values())} keys read" in said
    assert counted == {"0": counted["0"], "3": 1, "9": 2}
    assert counted["0"] >= source.keyspace()["0"]
    assert set(told["invariants"]["databases"]["0"]["types"]) == {"string", "list", "set", "zset", "hash", "stream"}
    digest = subprocess.run(["sha256sum", str(path)], capture_output=True, text=True, check=True).stdout.split()[0]
    assert told["files"] == [{"path": "dump.rdb", "bytes": path.stat().st_size, "sha256": digest}]
    assert told["position"]["replication_id"] == source.cli("INFO", "replication").split("master_replid:")[1][:40]
    assert told["server"] in source.cli("INFO", "server")
    assert state(place)[1] == f"../{answer['set']['stamp']}/redis"
    proof = prove(place)
    assert (proof["level"], proof["good"]) == (4, True), proof
    assert f"{sum(counted.values())} keys of 3 databases" in proof["msg"]


def test_what_was_saved_is_what_another_server_loads(source: Redis, place: Path) -> None:
    answer = back_up(source, place)
    with redis() as other:
        other.stop()
        Path(other.folder, "dump.rdb").write_bytes(Path(answer["set"]["path"], "dump.rdb").read_bytes())
        other.start()
        assert {k: v for k, v in other.keyspace().items() if k != "0"} == {"3": 1, "9": 2}
        for words in (["HGETALL", "h30"], ["ZRANGE", "z40", "0", "-1", "WITHSCORES"], ["XINFO", "GROUPS", "x1"]):
            assert other.cli(*words) == source.cli(*words)
        assert "mylib" in other.cli("FUNCTION", "LIST")


def test_keys_whose_time_is_over_refute_nothing(place: Path) -> None:
    with redis() as server:
        # They stay until they are saved, however long that takes.
        server.cli("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        server.cli(data=b"".join(b"SET k%d v PX 100\n" % n for n in range(100)))
        server.cli("SET", "stays", "1")
        told = made(back_up(server, place))
        server.cli("DEBUG", "SET-ACTIVE-EXPIRE", "1")
        assert told["invariants"]["databases"]["0"] == {"keys": 101, "expires": 100, "types": {"string": 101}}
        wait_for(lambda: server.keyspace() == {"0": 1}, "the keys expire")
    proof = prove(place)
    assert proof["good"], proof
    assert proof["levels"][4]["details"]["time_is_over"] == 100


def test_the_rights_that_the_notes_list_are_enough(source: Redis, place: Path) -> None:
    for name, rights in (
        ("streams", "+info +sync +psync +replconf"),
        ("saves", "+info +bgsave +lastsave +time +config|get"),
    ):
        source.cli("ACL", "SETUSER", name, "on", ">geheim", *rights.split())
    login = {"login_password": "geheim"}
    made(back_up(source, place, login_user="streams", **login))
    made(back_up(source, place, login_user="saves", method="bgsave", **login))
    refused = back_up(source, place, login_user="streams", method="bgsave", **login)
    assert "NOPERM" in refused["msg"]
    refused = back_up(source, place, login_user="saves", **login)
    assert "NOPERM" in refused["msg"]


def test_by_tls(place: Path, tmp_path: Path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(cert), "-days",
         "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    port = free_port()
    with redis(
        tls_port=str(port), tls_cert_file=str(cert), tls_key_file=str(key), tls_ca_cert_file=str(cert),
        tls_auth_clients="no",
    ) as server:  # fmt: skip
        server.fill(100)
        made(back_up(server, place, login_port=port, tls=True, ca_cert=str(cert)))
        assert "failed" in back_up(server, place, login_port=port, tls=True, ca_cert="/etc/ssl/certs/none.pem")


def test_a_replica_tells_whose_it_is(source: Redis, place: Path) -> None:
    with redis() as replica:
        replica.cli("REPLICAOF", "127.0.0.1", str(source.port))
        wait_for(lambda: "master_link_status:up" in replica.cli("INFO", "replication"), "the replica follows")
        told = made(back_up(replica, place))
        assert told["source"]["role"] == "replica"
        assert told["source"]["primary"]["port"] == source.port
        assert told["position"]["replication_id"] in source.cli("INFO", "replication")
        replica.cli("REPLICAOF", "127.0.0.1", str(free_port()))
        assert "without a link" in back_up(replica, place)["msg"]
        made(back_up(replica, place, method="bgsave"))


def test_check_mode_writes_nothing(source: Redis, place: Path) -> None:
    saved = source.cli("LASTSAVE")
    answer = back_up(source, place, check_mode=True, method="bgsave")
    assert answer["changed"]
    assert answer["plan"]["source"]["keys"]["9"] == 2
    assert not place.exists()
    assert source.cli("LASTSAVE") == saved


@pytest.mark.parametrize("password", ["wrong", None])
def test_a_wrong_password_changes_nothing(source: Redis, place: Path, password: str | None) -> None:
    made(back_up(source, place))
    before = state(place)
    answer = back_up(source, place, login_password=password)
    assert answer["failed"]
    assert "NOAUTH" in answer["msg"]
    assert PASSWORD not in json.dumps(answer)
    assert state(place) == before


def test_a_server_that_is_not_there(source: Redis, place: Path) -> None:
    answer = back_up(source, place, login_port=free_port())
    assert "Connection refused" in answer["msg"]
    assert not place.exists()


def test_a_folder_that_cannot_be_written(source: Redis, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    answer = back_up(source, tmp_path / "file" / "backups")
    assert answer["failed"]
    assert "Not a directory" in answer["msg"]


@pytest.mark.parametrize("method", ["stream", "bgsave"])
def test_a_full_disk_keeps_what_was_there(slow: Redis, tmp_path: Path, method: str) -> None:
    room = tmp_path / "room"
    room.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=755", "none", str(room)], check=True)
    try:
        with redis() as small:
            small.cli("SET", "a", "1")
            made(back_up(small, room))
        before = state(room)
        answer = back_up(slow, room, method=method)
        assert answer["failed"]
        assert "No space left on device" in answer["msg"]
        assert state(room) == before
    finally:
        subprocess.run(["umount", "-l", str(room)], check=True)


def test_too_little_room_is_refused_before_anything_is_asked_for(source: Redis, place: Path) -> None:
    answer = back_up(source, place)
    path = Path(answer["set"]["path"], "manifest.json")
    told = json.loads(path.read_text())
    told["files"][0]["bytes"] = 1 << 60
    path.write_text(json.dumps(told))
    before = state(place)
    refused = back_up(source, place)
    assert "make room there" in refused["msg"]
    assert state(place) == before


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_server_that_goes_away_in_the_middle(slow: Redis, place: Path, tmp_path: Path, how: int) -> None:
    made(back_up(slow, place))
    before = state(place)
    hold_up(slow)
    process = start_module(
        "redis_backup", options(slow, place, deadline=20.0 if how == signal.SIGSTOP else LIMIT), tmp_path
    )
    wait_for(lambda: progress(place), "something is written", process)
    assert slow.process
    # The child that saves goes with it, or stands still with it.
    both = [slow.process.pid, *children(slow.process.pid)]
    assert len(both) == 2
    with stopped(*both):
        if how == signal.SIGKILL:
            for pid in both:
                os.kill(pid, how)
        answer = answer_of(process)
    assert answer["failed"]
    assert ("not done in time" if how == signal.SIGSTOP else "redis-cli --rdb failed") in answer["msg"]
    assert state(place) == before


def test_a_save_that_is_killed_is_told(slow: Redis, place: Path, tmp_path: Path) -> None:
    hold_up(slow)
    process = start_module("redis_backup", options(slow, place, method="bgsave"), tmp_path)
    assert slow.process
    pid = slow.process.pid
    child = wait_for(lambda: children(pid), "the server saves", process)
    os.kill(child[0], signal.SIGKILL)
    answer = answer_of(process)
    assert "could not save" in answer["msg"]
    assert not (place / "latest").exists()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_module_that_is_killed_leaves_no_set_and_no_process(
    slow: Redis, place: Path, tmp_path: Path, how: int
) -> None:
    made(back_up(slow, place))
    before = state(place)
    hold_up(slow)
    process = start_module("redis_backup", options(slow, place), tmp_path)
    wait_for(lambda: progress(place), "something is written", process)
    engine = children(process.pid)
    process.send_signal(how)
    process.communicate(timeout=LIMIT)
    for pid in engine:
        wait_for(lambda pid=pid: is_gone(pid), "redis-cli ends")  # type: ignore[misc]
    assert state(place)[1] == before[1]
    if how == signal.SIGTERM:
        assert state(place) == before
    hold_up(slow, 0)
    wait_for(lambda: "rdb_bgsave_in_progress:0" in slow.cli("INFO", "persistence"), "the server has given up")
    made(back_up(slow, place))
    assert not list(place.rglob(".writing-*"))


def test_two_operators_at_once(slow: Redis, place: Path, tmp_path: Path) -> None:
    # Long enough to be found at work; then it stands still itself.
    hold_up(slow, 10_000)
    process = start_module("redis_backup", options(slow, place), tmp_path)
    wait_for(lambda: progress(place), "the first is at work", process)
    with stopped(process.pid):
        refused = back_up(slow, place)
    assert f"process {process.pid}" in refused["msg"]
    assert "holds the lock" in refused["msg"]
    assert answer_of(process)["changed"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "yesterday"])
def test_damage_is_refuted(source: Redis, place: Path, damage: str) -> None:
    answer = back_up(source, place)
    path = Path(answer["set"]["path"], "dump.rdb")
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[: len(data) * 6 // 10]
    elif damage == "flipped":
        data[len(data) // 2] ^= 0xFF
    elif damage == "empty":
        data = bytearray()
    else:
        with redis() as other:
            other.cli("SET", "a", "1")
            data = bytearray(Path(back_up(other, place.parent / "other")["set"]["path"], "dump.rdb").read_bytes())
    path.write_bytes(bytes(data))
    manifest = Path(answer["set"]["path"], "manifest.json")
    told = json.loads(manifest.read_text())
    # Whoever sums anew what is there already makes level 1 hold, and no more than that.
    told["files"][0]["bytes"] = len(data)
    told["files"][0]["sha256"] = subprocess.run(
        ["sha256sum", str(path)], capture_output=True, text=True, check=True
    ).stdout.split()[0]
    manifest.write_text(json.dumps(told))
    proof = prove(place)
    assert proof["failed"]
    assert proof["level"] == {"cut": 1, "flipped": 1, "empty": 0, "yesterday": 1}[damage], proof


def test_a_verification_that_is_killed_leaves_no_server(slow: Redis, place: Path, tmp_path: Path) -> None:
    made(back_up(slow, place))
    scratch, programs = tmp_path / "scratch", tmp_path / "bin"
    scratch.mkdir()
    programs.mkdir()
    # The same server, and it takes its time to load.
    sluggish = programs / "redis-server"
    sluggish.write_text(f'#!/bin/sh\nexec {shutil.which("redis-server")} "$@" --key-load-delay 60000\n')
    sluggish.chmod(0o755)
    given = {"system": "redis", "path": str(place), "level": 4, "scratch_dir": str(scratch), "bin_dir": str(programs)}
    process = start_module("backup_verify", given, tmp_path)
    server = wait_for(lambda: children(process.pid, "redis-server"), "a scratch server", process)
    process.kill()
    process.communicate(timeout=LIMIT)
    wait_for(lambda: is_gone(server[0]), "the scratch server ends")
    assert prove(place, scratch_dir=str(scratch))["good"]
    assert list(scratch.iterdir()) == []

# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of Redis: what is in them is counted, what is damaged is found, and no exit status is believed."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from backups import snapshot
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import (
    layout,
    manifest,
    rdb,
    rdb_keys,
    redis_dump,
    scratch_redis,
    stream,
    verify_redis,
)
from ansible_collections.nexuscos.ops.plugins.module_utils._backup.verify import Refuted
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OpsError, OptionError
from ansible_collections.nexuscos.ops.plugins.modules import redis_backup

RUN = "2026-11-29T060000Z"
MARK = b"0123456789abcdef0123456789abcdef01234567"
LATER = (5).to_bytes(8, "little")


def text(value: bytes) -> bytes:
    return bytes([len(value)]) + value if len(value) < 64 else b"\x80" + len(value).to_bytes(4, "big") + value


def key(code: int, name: bytes, value: bytes) -> bytes:
    return bytes([code]) + text(name) + value


S = text(b"packed")
STREAM = b"\x01" + S + S + b"\x02\x05\x06"  # one node, then length and the last id
GROUP = b"\x01" + text(b"g") + b"\x05\x06"
PENDING = b"\x01" + bytes(16 + 8) + b"\x01"
CONSUMER = b"\x01" + text(b"c") + bytes(8)
MODULE = (
    b"\x81" + bytes(8) + b"\x02\x05" + b"\x01\x05" + b"\x03" + bytes(4) + b"\x04" + bytes(8) + b"\x05" + S + b"\x00"
)
VALUES: dict[str, list[bytes]] = {
    "string": [
        key(0, b"a", text(b"v" * 100)),
        key(0, b"b", b"\xc0\x07"),
        key(0, b"c", b"\xc1\x07\x00"),
        key(0, b"d", b"\xc2\x07\x00\x00\x00"),
        key(0, b"e", b"\xc3\x04\x40\x64abcd"),
    ],
    "list": [
        key(1, b"f", b"\x02" + S + S),
        key(10, b"g", S),
        key(14, b"h", b"\x01" + S),
        key(18, b"i", b"\x02\x01" + S + b"\x02" + S),
    ],
    "set": [key(2, b"j", b"\x01" + S), key(11, b"k", S), key(20, b"l", S)],
    "zset": [
        key(3, b"m", b"\x02" + S + b"\x03" + b"1.5" + S + b"\xfe"),
        key(5, b"n", b"\x01" + S + bytes(8)),
        key(12, b"o", S),
        key(17, b"p", S),
    ],
    "hash": [
        key(4, b"q", b"\x01" + S + S),
        key(9, b"r", S),
        key(13, b"s", S),
        key(16, b"t", S),
        key(24, b"u", bytes(8) + b"\x01\x05" + S + S),
        key(25, b"v", bytes(8) + S),
    ],
    "stream": [
        key(15, b"w", STREAM + GROUP + PENDING + CONSUMER + b"\x01" + bytes(16)),
        key(19, b"x", STREAM + bytes(5) + GROUP + b"\x03" + PENDING + CONSUMER + b"\x00"),
        key(21, b"y", STREAM + bytes(5) + GROUP + b"\x03" + PENDING + b"\x01" + text(b"c") + bytes(16) + b"\x00"),
    ],
    "module": [key(7, b"z", MODULE)],
}
HEAD = (
    b"\xfa"
    + text(b"redis-ver")
    + text(b"7.0.15")
    + b"\xfa"
    + text(b"ctime")
    + b"\xc2"
    + (1795959589).to_bytes(4, "little")
)
HEAD += b"\xfa" + text(b"repl-id") + text(b"f" * 40) + b"\xfa" + text(b"repl-offset") + text(b"4711")
ALL = (
    HEAD + b"\xf7\x05\x02\x02" + b"\x05" + S + b"\x00" + b"\xf5" + text(b"#!lua") + b"\xfe\x00\xfb\x40\x64\x02"
    + b"".join(one for kind in VALUES.values() for one in kind)
    + b"\xfe\x03\xfb\x02\x02" + b"\xfc" + LATER + b"\xf8\x05" + key(0, b"1", S)
    + b"\xfd" + bytes(4) + b"\xf9\x05" + key(0, b"2", S)
)  # fmt: skip


def counted(data: bytes) -> rdb_keys.Held:
    return rdb_keys.count(io.BytesIO(data))


def test_every_type_is_counted_in_its_database() -> None:
    held = counted(snapshot(ALL))
    kinds = {kind: len(rows) for kind, rows in VALUES.items()}
    assert held.databases[0] == rdb_keys.Database(sum(kinds.values()), 0, kinds)
    assert held.databases[3] == rdb_keys.Database(2, 2, {"string": 2})
    assert (held.functions, held.modules, held.keys) == (1, True, sum(kinds.values()) + 2)
    assert held.about == {"redis-ver": "7.0.15", "ctime": "1795959589", "repl-id": "f" * 40, "repl-offset": "4711"}
    assert held.made == "2026-11-29T13:39:49Z"
    assert json.loads(json.dumps(held.invariants()))["databases"]["3"]["expires"] == 2


def test_a_snapshot_without_keys_has_no_databases() -> None:
    assert counted(snapshot(HEAD)).databases == {}


def test_what_is_cut_anywhere_is_found() -> None:
    data = snapshot(ALL)
    for place in range(len(data)):
        with pytest.raises(rdb.Damaged):
            counted(data[:place])


def test_bytes_after_the_end_are_found() -> None:
    with pytest.raises(rdb.Damaged, match="follow"):
        counted(snapshot(ALL) + MARK)


def test_a_type_of_a_later_redis_is_told_apart_from_damage() -> None:
    with pytest.raises(rdb_keys.Unknown, match="type 99"):
        counted(snapshot(HEAD + key(99, b"a", S)))


@given(st.data())
def test_a_flipped_byte_ends_with_words_or_another_count(data: st.DataObject) -> None:
    bent = bytearray(snapshot(ALL))
    bent[data.draw(st.integers(0, len(bent) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        counted(bytes(bent))
    except (rdb.Damaged, rdb_keys.Unknown):
        return


@given(st.binary(max_size=300))
def test_garbage_ends_with_words(data: bytes) -> None:
    for head in (b"", b"REDIS0010"):
        with pytest.raises((rdb.Damaged, rdb_keys.Unknown)):
            counted(head + data + b"\xf6")


def test_the_walk_gives_up_in_time() -> None:
    many = b"".join(key(0, b"%d" % number, S) for number in range(5000))
    with pytest.raises(OpsError, match="in time"):
        rdb_keys.count(io.BytesIO(snapshot(HEAD + many)), time.monotonic() - 1)


def test_level_2_without_the_tool_reckons_the_sum_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "dump.rdb"
    path.write_bytes(snapshot(ALL))
    how, held = redis_dump.read(str(path), time.monotonic() + 60)
    assert "its sum is right; 28 keys walked" in how
    assert held is not None
    bent = bytearray(snapshot(ALL))
    bent[bent.index(b"v" * 50)] ^= 1
    path.write_bytes(bytes(bent))
    with pytest.raises(redis_dump.Damaged, match="sum is another"):
        redis_dump.read(str(path), time.monotonic() + 60)


# -- a redis-cli that is played

CLI = """#!/bin/sh
echo "$* | $REDISCLI_AUTH" >> {folder}/asked
case "$*" in
  *--help*) echo 'Use filename of "-" to write to stdout.' ;;
  *--rdb*)
    cat {folder}/said >&2
    cat {folder}/snapshot
    [ -e {folder}/hangs ] && exec sleep 60
    exit $(cat {folder}/status) ;;
  *"CONFIG GET dir") printf 'dir\\n{folder}\\n' ;;
  *"CONFIG GET dbfilename") printf 'dbfilename\\nsnapshot\\n' ;;
  *BGSAVE*) cat {folder}/started; cp {folder}/info.after {folder}/info; cp {folder}/last.after {folder}/last ;;
  *LASTSAVE) cat {folder}/last ;;
  *TIME) printf '1795959580\\n123\\n' ;;
  *INFO) cat {folder}/info ;;
esac
"""
INFO: dict[str, Any] = {
    "redis_version": "7.0.15", "run_id": "r1", "role": "master", "loading": 0, "used_memory": 52_000_000,
    "used_memory_dataset": 1000, "master_replid": "e" * 40, "master_repl_offset": 99, "cluster_enabled": 0,
    "rdb_bgsave_in_progress": 0, "rdb_last_bgsave_status": "ok", "rdb_last_save_time": 1795959000,
    "db0": "keys=26,expires=0,avg_ttl=0",
}  # fmt: skip


class Played:
    """A folder with a redis-cli in it, and a place for backups."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.place = folder, folder / "place"
        (folder / "bin").mkdir()
        cli = folder / "bin" / "redis-cli"
        cli.write_text(CLI.format(folder=folder))
        cli.chmod(0o755)
        self.put(snapshot=snapshot(ALL) + MARK, said="", status="0", started="Background saving started\n")
        self.info()
        self.after(rdb_last_save_time=1795959590)
        self.put(last="1795959000\n")

    def put(self, **files: str | bytes) -> None:
        for name, data in files.items():
            self.folder.joinpath(name).write_bytes(data if isinstance(data, bytes) else data.encode())

    def info(self, **more: Any) -> None:
        self.put(info="".join(f"{name}:{value}\r\n" for name, value in {**INFO, **more}.items()))

    def after(self, **more: Any) -> None:
        """What is told after BGSAVE."""
        told = {**INFO, **more}
        (self.folder / "info.after").write_text("".join(f"{name}:{value}\r\n" for name, value in told.items()))
        (self.folder / "last.after").write_text(f"{told['rdb_last_save_time']}\n")

    @property
    def asked(self) -> str:
        return (self.folder / "asked").read_text()

    def run(self, check_mode: bool = False, **more: Any) -> dict[str, Any]:
        given = {name: option.get("default") for name, option in redis_backup.spec().options.items()}
        given |= {
            "system": "redis",
            "path": str(self.place),
            "stamp": RUN,
            "login_host": "r1",
            "deadline": 30.0,
            **more,
        }
        return redis_backup.run(given, check_mode)

    def manifest(self) -> manifest.Manifest:
        return manifest.read(str(self.place / RUN / "redis"))

    def nothing_is_left(self) -> bool:
        left = [path.name for path in self.place.rglob("*") if not path.name.startswith(".lock")]
        return not [name for name in left if name != "latest"]


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Played:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("REDISCLI_AUTH", "of somebody else")
    found = Played(tmp_path)
    # What is played is older than some of its types; and the tool may be there or not.
    monkeypatch.setattr(redis_dump, "_by_tool", lambda _path, _deadline: None)
    return found


@pytest.mark.parametrize("mark", [MARK, b""])
def test_a_snapshot_is_saved_without_the_mark_of_the_server(played: Played, mark: bytes) -> None:
    played.put(snapshot=snapshot(ALL) + mark)
    result = played.run()
    assert (played.place / RUN / "redis" / "dump.rdb").read_bytes() == snapshot(ALL)
    assert result["level"] == 2
    assert result["changed"]
    known = played.manifest()
    assert known.position == {"replication_id": "f" * 40, "offset": 4711, "of": "snapshot"}
    assert known.invariants["databases"]["0"]["keys"] == 26
    assert known.source["memory_bytes"] == 52_000_000
    found = layout.latest(str(played.place), "redis")
    assert found is not None
    assert found.stamp == RUN


@given(st.binary(max_size=200), st.booleans(), st.lists(st.integers(1, 70), max_size=8))
def test_the_mark_goes_however_the_pieces_come(payload: bytes, marked: bool, sizes: list[int]) -> None:
    whole = b"REDIS0010" + payload + b"\xff" + b"8 bytes!"
    left = whole + (MARK if marked else b"")
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        pieces = []
        for size in sizes:
            pieces.append(left[:size])
            left = left[size:]
        pieces = [one for one in [*pieces, left] if one] + [b""]
        patch.setattr(redis_dump.select, "select", lambda *_given: ([0], [], []))
        patch.setattr(redis_dump.os, "read", lambda *_given: pieces.pop(0))
        path = Path(folder, "dump.rdb")
        progress = stream.Progress(folder, "redis")
        one, ends = redis_dump._save(0, str(path), folder, progress, time.monotonic() + 60)
        assert path.read_bytes() == whole
        assert (one.bytes, one.sha256, ends) == (len(whole), hashlib.sha256(whole).hexdigest(), True)


def test_the_password_goes_by_the_environment_and_nobody_elses_does(played: Played) -> None:
    played.run(login_user="backup", login_password="geheim")
    assert all(line.endswith("| geheim") for line in played.asked.splitlines() if "--help" not in line)
    assert "geheim" not in played.asked.replace("| geheim", "")
    assert "--user backup" in played.asked
    (played.folder / "asked").unlink()
    played.run(stamp="2026-11-29T070000Z")
    assert all(line.endswith("| ") for line in played.asked.splitlines() if "--help" not in line)


def test_the_options_of_tls_reach_redis_cli(played: Played) -> None:
    played.run(tls=True, ca_cert="/ca", client_cert="/c", client_key="/k", validate_certs=False)
    assert "--tls --insecure --cacert /ca --cert /c --key /k" in played.asked


def test_status_0_of_a_snapshot_that_breaks_off_is_not_believed(played: Played) -> None:
    played.put(snapshot=snapshot(ALL)[:-100], said="Transfer finished with success\nodd words\n")
    with pytest.raises(OpsError, match=r"breaks off after \d+ bytes: odd words"):
        played.run()
    assert played.nothing_is_left()


def test_a_cut_that_looks_like_an_end_is_found_by_the_walk(played: Played) -> None:
    played.put(snapshot=snapshot(ALL)[:-100] + b"\xff" + bytes(8))
    with pytest.raises(OpsError, match="damaged"):
        played.run()
    assert played.nothing_is_left()


@pytest.mark.parametrize("data", [b"", b"REDIS", b"<html>" * 100])
def test_what_is_no_snapshot_is_refused(played: Played, data: bytes) -> None:
    played.put(snapshot=data)
    with pytest.raises(OpsError):
        played.run()
    assert played.nothing_is_left()


def test_a_changed_byte_is_found_by_the_sum(played: Played) -> None:
    bent = bytearray(snapshot(ALL))
    bent[bent.index(b"v" * 50)] ^= 1
    played.put(snapshot=bytes(bent))
    with pytest.raises(OpsError, match="sum is another"):
        played.run()
    assert played.nothing_is_left()


def test_the_words_of_redis_cli_are_told_and_its_chatter_is_not(played: Played) -> None:
    played.put(status="1", said="sending REPLCONF capa eof\nSYNC with master failed: -NOPERM no permissions\n")
    with pytest.raises(OpsError, match="status 1: SYNC with master failed: -NOPERM") as caught:
        played.run()
    assert "REPLCONF" not in str(caught.value)


def test_a_server_that_stops_sending_is_given_up(played: Played) -> None:
    played.put(hangs="")
    with pytest.raises(OpsError, match="not done in time"):
        played.run(deadline=4.0)
    assert played.nothing_is_left()


def test_a_server_that_does_not_let_us_in_says_so(played: Played) -> None:
    played.put(info="NOAUTH Authentication required.\n")
    with pytest.raises(OpsError, match=r"NOAUTH.*login_password"):
        played.run()


@pytest.mark.parametrize(
    ("told", "words"),
    [({"loading": 1}, "is loading"), ({"role": "slave", "master_link_status": "down"}, "without a link")],
)
def test_a_server_that_has_nothing_to_give_is_refused(played: Played, told: dict[str, Any], words: str) -> None:
    played.info(**told)
    with pytest.raises(OpsError, match=words):
        played.run(check_mode=True)


def test_check_mode_looks_and_writes_nothing(played: Played) -> None:
    result = played.run(check_mode=True)
    assert result["plan"]["source"]["keys"] == {"0": 26}
    assert result["changed"]
    assert not played.place.exists()
    assert "--rdb" not in played.asked


def test_a_snapshot_of_a_later_redis_is_kept_and_not_counted(played: Played) -> None:
    played.put(snapshot=snapshot(HEAD + key(99, b"a", S)))
    assert played.run()["level"] == 2
    known = played.manifest()
    assert known.invariants == {}
    assert "type 99" in known.options["not_counted"]
    assert known.position == {"replication_id": "e" * 40, "offset": 99, "of": "server after it"}


# -- BGSAVE


def test_the_very_save_is_awaited_and_its_file_fetched(played: Played) -> None:
    played.put(snapshot=snapshot(ALL))
    played.run(method="bgsave")
    assert (played.place / RUN / "redis" / "dump.rdb").read_bytes() == snapshot(ALL)
    assert played.manifest().options == {"method": "bgsave", "file": str(played.folder / "snapshot")}


def test_a_save_that_failed_is_told(played: Played) -> None:
    played.after(rdb_last_bgsave_status="err")
    with pytest.raises(OpsError, match=r"could not save.*err"):
        played.run(method="bgsave")
    assert played.nothing_is_left()


def test_a_server_that_was_started_anew_has_not_saved(played: Played) -> None:
    played.after(run_id="r2", rdb_last_save_time=1795959595)
    with pytest.raises(OpsError, match="started anew"):
        played.run(method="bgsave")


def test_a_save_that_is_refused_is_told(played: Played) -> None:
    played.put(started="NOPERM this user has no permissions to run the 'bgsave' command\n")
    with pytest.raises(OpsError, match=r"NOPERM.*notes"):
        played.run(method="bgsave")


def test_the_file_of_another_time_is_not_taken(played: Played) -> None:
    played.put(snapshot=snapshot(ALL.replace((1795959589).to_bytes(4, "little"), (1795950000).to_bytes(4, "little"))))
    with pytest.raises(OpsError, match="not what the server has just saved"):
        played.run(method="bgsave")
    assert played.nothing_is_left()


def test_a_file_that_is_not_here_says_what_to_do(played: Played) -> None:
    with pytest.raises(OpsError, match=r"rdb_file.*method: stream"):
        played.run(method="bgsave", rdb_file="/not/here.rdb")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"rdb_file": "/x"}, "bgsave"),
        ({"login_host": None}, "name the server"),
        ({"login_unix_socket": "/x"}, "one of"),
        ({"login_port": 0}, "login_port"),
        ({"login_user": "u"}, "login_password"),
        ({"connect_timeout": 0}, "connect_timeout"),
    ],
)
def test_options_that_can_only_be_mistakes_are_refused(played: Played, given: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        played.run(**given)


# -- level 4


class Told(scratch_redis.Server):
    """A scratch server that answers as it is told."""

    answers: dict[str, str]

    def ask(self, *words: str, seconds: float = 60.0) -> str:  # noqa: ARG002
        return next(answer for word, answer in self.answers.items() if word in words)


def level_4(info: str, types: str, wanted: dict[str, Any]) -> dict[str, Any]:
    server = Told("/s", 0.1, "7.0.15")
    object.__setattr__(
        server, "answers", {"INFO": info, "EVAL": types, "FUNCTION": "library_name\nmylib\nengine\nLUA\n"}
    )
    known = manifest.Manifest("redis", RUN, "redis", "rdb", {}, "7", "", "", 0.0, [], invariants=wanted)

    class Job:
        def __init__(self) -> None:
            self.known = known

        def left(self) -> float:
            return 5.0

        def in_time(self) -> None:
            """There is time."""

    return verify_redis.Restored(server).invariants(Job())  # type: ignore[arg-type]


WANTED = {"databases": {"0": {"keys": 3, "expires": 1, "types": {"string": 2, "hash": 1}}}, "functions": 1}


def test_level_4_takes_what_is_as_it_was() -> None:
    info = "# Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=0\r\n"
    assert level_4(info, "0\nstring\n2\nhash\n1\n", WANTED)["keys"] == 3
    assert level_4(info, "0\nstring\n1\nhash\n1\n", WANTED)["time_is_over"] == 1


@pytest.mark.parametrize(
    ("info", "types"),
    [
        ("db0:keys=2,expires=1", "0\nstring\n2\nhash\n1\n"),
        ("db0:keys=3,expires=0", "0\nstring\n2\nhash\n1\n"),
        ("db0:keys=3,expires=1\ndb1:keys=1,expires=0", "0\nstring\n2\nhash\n1\n"),
        ("", "0\n"),
        ("db0:keys=3,expires=1", "0\nstring\n3\n"),
        ("db0:keys=3,expires=1", "0\nstring\n1\n"),
    ],
)
def test_level_4_refutes_what_is_not(info: str, types: str) -> None:
    with pytest.raises(Refuted):
        level_4(info, types, WANTED)


def test_level_4_refutes_a_library_that_is_missing() -> None:
    with pytest.raises(Refuted, match="libraries"):
        level_4("db0:keys=3,expires=1", "0\nstring\n2\nhash\n1\n", {**WANTED, "functions": 2})


def test_level_4_wants_numbers() -> None:
    with pytest.raises(OpsError, match="no numbers"):
        level_4("", "0\n", {})

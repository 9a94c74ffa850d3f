# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a snapshot of Redis would be loaded, and what is refused before a key is touched."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from backups import snapshot

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import manifest, redis_dump, redis_load, stream
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OpsError, OptionError
from ansible_collections.nexuscos.ops.plugins.modules import redis_restore

RUN = "2026-11-29T060000Z"
WHERE = redis_dump.Address("r1", 6379)
TWO = {0: {"keys": 5, "expires": 1}, 3: {"keys": 1, "expires": 0}}


def played(monkeypatch: pytest.MonkeyPatch, marked: tuple[int, ...] = (), limit: str = "16", **told: Any) -> None:
    """A server that is asked for no more than what plans want."""
    given = {"redis_version": "7", "role": "master", "used_memory": "1000", "maxmemory": "0", **told}
    monkeypatch.setattr(redis_dump, "info", lambda *_given: given)

    def ask(_loader: Any, *words: str) -> str:
        if words[:2] == ("CONFIG", "GET"):
            return f"databases\n{limit}"
        assert words[2:] == ("GET", redis_load.MARK)
        return "redis" if int(words[1]) in marked else ""

    monkeypatch.setattr(redis_load.Loader, "_ask", ask)


def plan(memory: int = 0, wanted: Any = None) -> list[redis_load.Row]:
    return redis_load.Loader(WHERE, "redis", time.monotonic() + 10).plan(wanted or TWO, memory)


def test_empty_databases_are_loaded_into(monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch, db0="keys=7,expires=0", db1="keys=1,expires=0")
    assert plan() == [redis_load.Row(0, 5, 1, 7, 2), redis_load.Row(3, 1, 0, 0, 4)]


def test_what_a_killed_restore_has_left_is_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch, marked=(1,), db0="keys=7,expires=0", db1="keys=1,expires=0")
    assert [row.aside for row in plan()] == [1, 2]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"role": "slave"}, "is a replica"),
        ({"cluster_enabled": "1"}, "of a cluster"),
        ({"maxmemory": "2000"}, "would be evicted"),
        ({"limit": "3"}, "has 3 databases"),
        ({"limit": "4", "db1": "keys=1", "db2": "keys=1"}, "0 empty databases, and 2"),
    ],
)
def test_servers_that_cannot_take_it_are_refused(monkeypatch: pytest.MonkeyPatch, told: Any, words: str) -> None:
    played(monkeypatch, **told)
    with pytest.raises(OpsError, match=words):
        plan(memory=1001)


def test_commands_hold_any_bytes() -> None:
    assert redis_load._command(b"SET", b"\r\n", b"") == b"*3\r\n$3\r\nSET\r\n$2\r\n\r\n\r\n$0\r\n\r\n"


@pytest.mark.parametrize(
    ("said", "good"),
    [
        ("All data transferred. Waiting for the last reply...\nerrors: 0, replies: 2", True),
        ("errors: 0, replies: 1", False),
        ("ERR DUMP payload version or checksum are wrong\nerrors: 1, replies: 2", False),
        ("Could not connect to Redis", False),
        ("", False),
    ],
)
def test_every_command_has_to_be_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, good: bool
) -> None:
    program = tmp_path / "redis-cli"
    program.write_text(f"#!/bin/sh\n/bin/cat > /dev/null\n/bin/cat <<'END'\n{said}\nEND\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    loader = redis_load.Loader(WHERE, "redis", time.monotonic() + 30)
    if good:
        loader._pipe([b"one", b"two"], None)
        return
    with pytest.raises(stream.EngineError, match="did not take all keys"):
        loader._pipe([b"one", b"two"], None)


@pytest.mark.parametrize("answer", [b"", b"garbage\r\n", b"$10\r\nshort", b"-ERR no\r\n", b"*2\r\n:1\r\n"])
def test_a_scratch_server_that_answers_nothing_is_told(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen()

        def serve() -> None:
            line, _address = door.accept()
            with line:
                line.recv(100)
                line.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with (
            redis_load._Line(str(path), time.monotonic() + 10) as line,
            pytest.raises(OpsError, match="scratch server"),
        ):
            line.ask([(b"GET", b"a")])
        thread.join()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"deadline": 0}, "deadline"),
        ({"lock_wait": -1}, "lock_wait"),
        ({"login_host": None}, "name the server"),
        ({"system": "other"}, "no set"),
        ({"databases": [5]}, "no keys in 5; it has 0"),
    ],
)
def test_mistakes_are_refused(tmp_path: Path, given: dict[str, Any], words: str) -> None:
    folder = tmp_path / RUN / "redis"
    folder.mkdir(parents=True)
    (folder / "dump.rdb").write_bytes(snapshot())
    file = stream.sum_file(str(folder / "dump.rdb"), str(folder))
    manifest.write(str(folder), manifest.Manifest("redis", RUN, "redis", "rdb", {}, "7", "", "", 0.0, [file]))
    options = {name: option.get("default") for name, option in redis_restore.spec().options.items()}
    options |= {"system": "redis", "path": str(tmp_path), "login_host": "r1", **given}
    with pytest.raises(OpsError, match=words):
        redis_restore.run(options, True)


def test_a_set_of_something_else_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / RUN / "redis"
    folder.mkdir(parents=True)
    manifest.write(str(folder), manifest.Manifest("redis", RUN, "mongodb", "mongodump", {}, "7", "", "", 0.0, []))
    options = {name: option.get("default") for name, option in redis_restore.spec().options.items()}
    options |= {"system": "redis", "path": str(tmp_path), "login_host": "r1"}
    with pytest.raises(OptionError, match="none of Redis"):
        redis_restore.run(options, True)

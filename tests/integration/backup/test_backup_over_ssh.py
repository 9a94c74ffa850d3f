# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgres_backup by the commands of the database's own host, over a real ssh, while that breaks."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from far_places import Server, family, sftp
from relay import Relay
from running import answer_of, children, is_gone, wait_for
from scratch import BIN, DATABASE, RUN, Source, counts, fill, module, postgres, start_module

# Much more than what lies between the two ends at any time, so that pg_dump is at work when the stream is held.
LARGE = "CREATE TABLE heavy AS SELECT n, md5(n::text) || md5((n + 1)::text) AS pad FROM generate_series(1, 300000) n"
MOST = 600_000
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump'"


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    with postgres() as server:
        fill(server)
        server.psql("CREATE DATABASE large", "postgres")
        server.psql(LARGE, "large")
        yield server


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The database's host: an sshd of the test's own."""
    with sftp(tmp_path_factory.mktemp("ssh") / "host") as server:
        yield server


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "module"
    found.mkdir()
    return found


def ssh(host: Server, port: int = 0, key: str = "user", *more: str) -> list[str]:
    """What an operator writes as command_prefix."""
    options = [f"UserKnownHostsFile={host.folder}/known", "BatchMode=yes", "IdentitiesOnly=yes", *more]
    words = [word for option in options for word in ("-o", option)]
    return [
        "ssh", "-F", "none", *words, "-i", str(host.folder / key), "-p", str(port or host.port),
        f"{getpass.getuser()}@127.0.0.1",
    ]  # fmt: skip


def options(source: Source, place: Path, prefix: list[str], **more: Any) -> dict[str, Any]:
    return {
        "system": "nexusdb", "path": str(place), "login_db": DATABASE, **source.login, "bin_dir": str(BIN),
        "command_prefix": prefix, **more,
    }  # fmt: skip


def back_up(source: Source, place: Path, prefix: list[str], **more: Any) -> dict[str, Any]:
    return module("postgres_backup", options(source, place, prefix, **more))


def state(place: Path) -> tuple[set[str], str]:
    """All names but those of locks, and where ``latest`` leads to."""
    names = {str(path.relative_to(place)) for path in place.rglob("*") if not path.name.startswith(".lock-")}
    return names, os.readlink(place / "latest" / "nexusdb")


@pytest.fixture(scope="module")
def first(source: Source, host: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one set."""
    place = tmp_path_factory.mktemp("first") / "backups"
    answer = back_up(source, place, ssh(host), stamp=RUN)
    assert not answer.get("failed"), answer
    return place


@pytest.fixture
def safe(first: Path, place: Path) -> tuple[set[str], str]:
    """An earlier set, which nothing may touch."""
    shutil.copytree(first, place, symlinks=True)
    return state(place)


def nobody_is_left(source: Source) -> None:
    """No session that would keep locks, and the oldest rows, for good."""
    wait_for(lambda: source.psql(SESSIONS, "postgres") == "0", "the end of what nobody waits for")


def test_a_set_comes_over_ssh_is_proven_and_restored(source: Source, host: Server, place: Path) -> None:
    answer = back_up(source, place, ssh(host), queries=[{"name": "it's", "query": "SELECT 'a''b' || $$ $x \"$$"}])
    assert not answer.get("failed"), answer
    folder = Path(answer["set"]["path"])
    told = json.loads((folder / "manifest.json").read_text())
    assert told["source"]["through"][0] == "ssh"
    assert sorted(told["invariants"]["tables"].values()) == sorted(counts(source).values())
    assert told["invariants"]["queries"]["it's"]["value"] == "a'b $x \""
    listed = subprocess.run(
        [str(BIN / "pg_restore"), "--list", str(folder / "nexusdb.dump")], capture_output=True, text=True, check=True
    ).stdout
    assert "TABLE DATA billing orders" in listed
    assert "CREATE ROLE app" in (folder / "globals.sql").read_text()
    proof = module("backup_verify", {"system": "nexusdb", "path": str(place), "level": 4, "bin_dir": str(BIN)})
    assert proof["good"], proof
    assert proof["level"] == 4
    restored = module(
        "postgres_restore",
        {"system": "nexusdb", "path": str(place), "database": "back", "bin_dir": str(BIN), **source.login},
    )
    assert not restored.get("failed"), restored
    assert counts(source, "back") == counts(source)
    source.psql("DROP DATABASE back", "postgres")


def cut(way: Relay, pid: int, host: Server) -> None:
    del pid, host
    way.cut()


def kill_client(way: Relay, pid: int, host: Server) -> None:
    """The ssh that carries the dump; the other one carries the snapshot."""
    del way, host
    os.kill(children(pid, "ssh")[-1], signal.SIGKILL)


def kill_engine(way: Relay, pid: int, host: Server) -> None:
    """pg_dump, over there. What it has written before still comes."""
    del pid
    assert host.process is not None
    for one in family(host.process.pid):
        with contextlib.suppress(OSError):  # others come and go
            if Path(f"/proc/{one}/comm").read_text() == "pg_dump\n":
                os.kill(one, signal.SIGKILL)
    way.cut()


def kill_daemon(way: Relay, pid: int, host: Server) -> None:
    """Every process of sshd, as when the host loses its power."""
    del way, pid
    host.kill()
    host.start()


@pytest.mark.parametrize("how", [cut, kill_client, kill_engine, kill_daemon], ids=lambda how: how.__name__)
def test_what_breaks_in_the_middle_leaves_all_as_it_was(
    source: Source, host: Server, place: Path, folder: Path, safe: Any, how: Callable[[Relay, int, Server], None]
) -> None:
    with Relay(("127.0.0.1", host.port), MOST) as way:
        given = options(source, place, ssh(host, way.port), login_db="large", compress=0)
        process = start_module("postgres_backup", given, folder)
        wait_for(way.held.is_set, "the dump is in the middle", process)
        how(way, process.pid, host)
        answer = answer_of(process)
    assert answer["failed"], answer
    # Whichever is noticed first: the stream of the dump, or the one that holds its snapshot.
    assert "killed by signal 9" in answer["msg"] or "failed with status 255" in answer["msg"], answer["msg"]
    assert state(place) == safe
    nobody_is_left(source)


def test_a_host_that_goes_silent_is_told(source: Source, host: Server, place: Path, folder: Path, safe: Any) -> None:
    """Nothing comes any more, and nobody closes the connection: ssh asks whether the host is there."""
    with Relay(("127.0.0.1", host.port), MOST) as way:
        asks = ("ServerAliveInterval=5", "ServerAliveCountMax=3")
        given = options(source, place, ssh(host, way.port, "user", *asks), login_db="large", compress=0)
        answer = answer_of(start_module("postgres_backup", given, folder))
        assert way.held.is_set()
    assert answer["failed"], answer
    assert "not responding" in answer["msg"]
    assert state(place) == safe
    nobody_is_left(source)


def test_killed_in_the_middle_it_is_cleaned_by_the_next(
    source: Source, host: Server, place: Path, folder: Path, safe: Any
) -> None:
    with Relay(("127.0.0.1", host.port), MOST) as way:
        given = options(source, place, ssh(host, way.port), login_db="large", compress=0)
        process = start_module("postgres_backup", given, folder)
        wait_for(way.held.is_set, "the dump is in the middle", process)
        carriers = children(process.pid, "ssh")
        assert len(carriers) == 2
        process.kill()
        process.communicate()
        wait_for(lambda: all(is_gone(pid) for pid in carriers), "the end of ssh")
        nobody_is_left(source)
    left = state(place)
    assert [name for name in left[0] - safe[0] if name.endswith("/.writing-nexusdb")]
    assert left[1] == safe[1]
    assert not back_up(source, place, ssh(host)).get("failed")
    assert not [name for name in state(place)[0] if ".writing-" in name]


@pytest.mark.parametrize("what", ["format custom", "globals-only"])
def test_a_stream_that_ends_early_and_well_is_no_set(
    source: Source, host: Server, place: Path, safe: Any, what: str
) -> None:
    """sshd itself runs another command for this key: it cuts what one of ours prints, and ends with status 0."""
    script = host.folder / "early"
    script.write_text(
        f'#!/bin/bash\ncase $SSH_ORIGINAL_COMMAND in *"{what}"*)\n'
        '  bash -c "$SSH_ORIGINAL_COMMAND" 2>/dev/null | head -c 700; exit 0;;\nesac\n'
        'exec bash -c "$SSH_ORIGINAL_COMMAND"\n'
    )
    script.chmod(0o755)
    authorized = host.folder / "authorized"
    before = authorized.read_text()
    authorized.write_text(before + f'command="{script}" ' + (host.folder / "other.pub").read_text())
    try:
        answer = back_up(source, place, ssh(host, key="other"))
    finally:
        authorized.write_text(before)
    assert answer["failed"], answer
    assert "no whole dump" in answer["msg"] or "globals.sql is damaged: it stops early" in answer["msg"]
    assert state(place) == safe


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"bin_dir": "/nowhere"}, ["/nowhere/psql", "bin_dir says where else"]),
        ({"login_password": "wrong"}, ["password authentication failed", "login_password"]),
        ({"key": "other"}, ["Permission denied (", "key and account of ssh"]),
        ({"port": 1}, ["Connection refused", "does not answer to ssh"]),
    ],
    ids=["no engine", "wrong password", "wrong key", "no sshd"],
)
def test_what_is_refused_is_told_with_what_to_do(
    source: Source, host: Server, place: Path, safe: Any, given: dict[str, Any], words: list[str]
) -> None:
    prefix = ssh(host, given.pop("port", 0), given.pop("key", "user"))
    answer = back_up(source, place, prefix, **given)
    assert answer["failed"], answer
    assert [word for word in words if word not in answer["msg"]] == [], answer["msg"]
    assert state(place) == safe

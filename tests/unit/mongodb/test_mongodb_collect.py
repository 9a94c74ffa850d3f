# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look at a server that speaks the wire protocol, and at others that do not."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
from mongo_looks import Look
from replica_set import Server as Played

sys.path.insert(0, str(Path(__file__).parents[1] / "http"))

from misbehaving import Connection, Server, hang

from ansible_collections.nexuscos.ops.plugins.module_utils._mongodb import collect
from ansible_collections.nexuscos.ops.plugins.module_utils._mongodb.collect import Options


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Played]:
    with Played(("127.0.0.1", 0), tmp_path) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def look(port: int, **given: Any) -> dict[str, Any]:
    return collect.collect(pymongo, Options("127.0.0.1", port, deadline=given.pop("deadline", 30.0), **given))


def judged(observation: dict[str, Any]) -> dict[str, tuple[str, str]]:
    taken = Look()
    taken.observation = observation
    return taken.judge()


def test_a_replica_set_is_seen_whole(played: Played) -> None:
    observation = look(played.server_address[1])
    assert observation["error"] is None
    assert all(one["error"] is None for one in observation["answers"].values())
    assert set(observation["answers"]) == {
        "hello", "status", "set", "config", "oplog", "operations", "databases",
    }  # fmt: skip
    assert set(observation["databases"]) == {"admin", "nexus"}
    assert judged(observation) == {}
    json.dumps(observation)


def test_a_fault_of_the_player_is_found(played: Played, tmp_path: Path) -> None:
    (tmp_path / "lag.json").write_text('[["replSetGetStatus", "members.1.optimeDate", {"ago": 45}]]')
    assert list(judged(look(played.server_address[1]))) == ["replication_lag mongo-rs-b:27018"]


def test_operations_are_kept_without_their_values(played: Played, tmp_path: Path) -> None:
    row = {"client": "198.51.100.9:1", "desc": "conn1", "secs_running": 2000, "op": "query", "ns": "nexus.users",
           "appName": "x", "command": {"find": "users", "filter": {"password": "hunter2"}}}  # fmt: skip
    (tmp_path / "operation.json").write_text(json.dumps([["currentOp", "inprog.2", row]]))
    observation = look(played.server_address[1])
    assert "hunter2" not in json.dumps(observation)
    assert judged(observation)["long_operation"] == ("critical", "find on nexus.users runs for 33 min")


def test_refused_commands_are_kept_with_their_code(played: Played, tmp_path: Path) -> None:
    error = {"error": [13, "Unauthorized", "command serverStatus requires authentication"]}
    (tmp_path / "auth.json").write_text(json.dumps([["serverStatus", "", error]]))
    answer = look(played.server_address[1])["answers"]["status"]
    assert answer == {"data": None, "error": {"text": "command serverStatus requires authentication", "code": 13}}


def test_a_login_that_is_refused(played: Played) -> None:
    observation = look(played.server_address[1], user="monitor", password="hunter2", mechanism="SCRAM-SHA-256")
    assert observation["error"]["reason"] == collect.LOGIN
    assert "hunter2" not in json.dumps(observation)


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    assert look(port)["error"]["reason"] == collect.REFUSED


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda connection: hang(connection, 20), collect.SILENT),
        (lambda _connection: None, collect.SILENT),
        (lambda connection: connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 200), collect.GARBAGE),
    ],
)
def test_servers_that_are_none(answer: Any, reason: str) -> None:
    def serve(connection: Connection) -> None:
        connection.sock.recv(4096)
        answer(connection)

    with Server(serve, read=False) as server:
        # The library asks again and again until the time is over; what answers nonsense has to have time for it.
        observation = look(server.port, connect_timeout=6.0 if reason == collect.GARBAGE else 0.5)
    assert observation["error"]["reason"] == reason


def test_a_server_without_tls() -> None:
    with Server(lambda connection: connection.send(b"no\n"), read=False) as server:
        observation = look(server.port, connect_timeout=0.5, tls={"tls": True, "tlsAllowInvalidCertificates": True})
    assert observation["error"]["reason"] in (collect.TLS, collect.SILENT)


def test_a_file_of_authorities_that_is_none(played: Played) -> None:
    observation = look(played.server_address[1], tls={"tls": True, "tlsCAFile": __file__})
    assert observation["error"]["reason"] == collect.TLS


def test_a_name_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_where: Any, **_how: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    assert look(27017)["error"]["reason"] == collect.DNS

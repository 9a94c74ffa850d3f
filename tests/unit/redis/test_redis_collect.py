# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look itself, at servers that answer as they are told."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import redis
from fake_redis import Error, Hang, Hangup, Raw, serving

from ansible_collections.nexuscos.ops.plugins.module_utils._redis import link
from ansible_collections.nexuscos.ops.plugins.module_utils._redis.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._redis.collect import (
    COMMANDS,
    SENTINEL_COMMANDS,
    Options,
    collect,
)
from ansible_collections.nexuscos.ops.plugins.module_utils._redis.link import Address

ALL = tuple(check.id.split(".", 1)[1] for check in CHECKS)
SECRET = "correct horse battery staple"


def look(port: int, **given: Any) -> dict[str, Any]:
    address = Address("127.0.0.1", port, **{key: given.pop(key) for key in ("user", "password", "tls") if key in given})
    options: dict[str, Any] = {"wanted": ALL, "deadline": 10.0, "connect_timeout": 0.6, **given}
    return collect(redis, Options(address=address, **options))


def many(count: int) -> dict[bytes, tuple[int, int]]:
    return {b"session:%05d" % number: (100 + number, 60 if number % 10 else -1) for number in range(count)}


def test_a_whole_look_asks_nothing_that_the_acl_line_does_not_allow() -> None:
    info = {"INFO": lambda _words: Raw(b"$%d\r\n%s\r\n" % (len(CLUSTER), CLUSTER)), "CLUSTER INFO": b"cluster_state:ok"}
    with serving(info) as server:
        seen = look(server.port, user="monitor", password=SECRET)
        assert seen["error"] is None
        assert seen["cluster"]["cluster_state"] == "ok"
        assert server.commands - {"auth"} <= set(COMMANDS)
    with serving(keys=many(10)) as server:
        look(server.port)
        # SELECT is sent where there is more than one database
        assert server.commands | {"select", "cluster|info"} == set(COMMANDS)
        assert b"KEYS" not in {words[0] for words in server.asked}


CLUSTER = (
    b"redis_version:7.0.15\r\nrole:master\r\ncluster_enabled:1\r\nconnected_clients:1\r\nmaxclients:10\r\n"
    b"db0:keys=1,expires=0\r\n"
)


def test_the_password_goes_to_auth_and_nowhere_else() -> None:
    with serving() as server:
        seen = look(server.port, user="monitor", password=SECRET)
        assert [b"AUTH", b"monitor", SECRET.encode()] in server.asked
        assert SECRET not in repr(seen)
        seen = look(server.port, password=SECRET)
        assert [b"AUTH", SECRET.encode()] in server.asked
    with serving() as server:
        look(server.port)
        assert "auth" not in server.commands


def test_keys_are_sampled_in_small_steps() -> None:
    with serving(keys=many(1000)) as server:
        keys = look(server.port)["keys"]
        scans = [words for words in server.asked if words[0] == b"SCAN"]
        assert all(int(words[3]) <= 100 for words in scans)
        assert all(words[3:] == [b"SAMPLES", b"5"] for words in server.asked if words[0] == b"MEMORY")
    assert keys["databases"] == [{"db": 0, "keys": 1000, "looked_at": 1000, "complete": True}]
    assert keys["kinds"] == [
        {"db": 0, "kind": "session:*", "keys": 1000, "without_ttl": 100, "bytes": sum(range(100, 1100))}
    ]
    assert [one["bytes"] for one in keys["largest"]] == list(range(1099, 1089, -1))


def test_the_budget_holds() -> None:
    with serving(keys=many(1000)) as server:
        keys = look(server.port, key_budget=250)["keys"]
        assert keys["databases"][0]["looked_at"] == 300
        assert keys["databases"][0]["complete"] is False
    with serving(keys=many(1000)) as server:
        assert "keys" not in look(server.port, key_budget=0)
        assert "scan" not in server.commands


def test_the_time_for_keys_is_bounded() -> None:
    with serving(keys=many(1000)) as server:
        keys = look(server.port, key_seconds=0.0)["keys"]
        assert keys["databases"][0]["looked_at"] == 0


def test_each_database_gets_its_share() -> None:
    info = b"redis_version:7\r\nrole:master\r\ndb0:keys=900,expires=0\r\ndb7:keys=100,expires=0\r\n"
    with serving({"INFO": info}, keys=many(1000)) as server:
        keys = look(server.port, key_budget=100)["keys"]
        assert [(one["db"], one["looked_at"]) for one in keys["databases"]] == [(0, 90), (7, 10)]
        assert [words[1] for words in server.asked if words[0] == b"SELECT"] == [b"0", b"7"]


def test_names_that_are_no_text_are_keys_all_the_same() -> None:
    with serving(keys={b"\xff\xfe:\x00": (20_000_000, -1)}) as server:
        largest = look(server.port)["keys"]["largest"]
    assert largest[0]["bytes"] == 20_000_000
    assert largest[0]["key"] == "\\xff\\xfe:\x00"


def test_a_key_that_expired_meanwhile_is_left_out() -> None:
    keys = {b"a:1": (None, -2), b"a:2": (50, -1)}
    with serving(keys=keys) as server:
        found = look(server.port)["keys"]
    assert found["kinds"] == [{"db": 0, "kind": "a:*", "keys": 1, "without_ttl": 1, "bytes": 50}]
    assert found["error"] == ""


@pytest.mark.parametrize("command", ["MEMORY USAGE", "TTL", "SCAN"])
def test_a_right_that_is_missing_ends_the_sample_with_words(command: str) -> None:
    with serving({command: Error("NOPERM this user has no permissions")}, keys=many(10)) as server:
        assert "permissions" in look(server.port)["keys"]["error"]


@pytest.mark.parametrize("command", ["SLOWLOG GET", "LATENCY LATEST", "CLIENT LIST", "CONFIG GET"])
def test_a_question_that_is_refused_costs_only_its_own_answer(command: str) -> None:
    name = {"SLOWLOG GET": "slowlog", "LATENCY LATEST": "latency", "CLIENT LIST": "clients", "CONFIG GET": "config"}
    with serving({command: Error("NOPERM this user has no permissions to run it")}) as server:
        seen = look(server.port)
    assert "permissions" in seen[name[command]]["error"]
    assert seen["error"] is None
    assert [key for key in name.values() if seen[key]["error"]] == [name[command]]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"AUTH": Error("WRONGPASS invalid username-password pair or user is disabled.")}, link.LOGIN),
        ({"AUTH": Error("ERR Client sent AUTH, but no password is set")}, link.LOGIN),
        ({"AUTH": Error("ERR AUTH <password> called without any password configured")}, link.LOGIN),
        ({"INFO": Error("NOAUTH Authentication required.")}, link.LOGIN),
        ({"INFO": Error("NOPERM this user has no permissions to run the 'info' command")}, link.RIGHTS),
        ({"PING": Error("LOADING Redis is loading the dataset in memory")}, link.LOADING),
        ({"PING": Error("BUSY Redis is busy running a script."), "INFO": Error("BUSY Redis is busy")}, link.BUSY),
        ({"INFO": b"hello"}, link.GARBAGE),
        ({"INFO": 5}, link.GARBAGE),
        ({"INFO": Hang}, link.OTHER),
        ({"PING": Hang}, link.SILENT),
        ({"INFO": Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")}, link.GARBAGE),
    ],
)
def test_why_there_was_no_look(answers: dict[str, Any], reason: str) -> None:
    with serving(answers) as server:
        seen = look(server.port, user="u", password=SECRET)
    assert seen["error"]["reason"] == reason
    assert SECRET not in repr(seen)


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [
        (b"-ERR max number of clients reached\r\n", link.FULL),
        (b"-DENIED Redis is running in protected mode\r\n", link.PROTECTED),
        (b"SSH-2.0-OpenSSH_9.2\r\n", link.GARBAGE),
    ],
)
def test_a_server_that_speaks_first(greeting: bytes, reason: str) -> None:
    with serving(greeting=greeting) as server:
        assert look(server.port)["error"]["reason"] == reason


def test_nothing_listens_and_nothing_resolves() -> None:
    with socket.create_server(("127.0.0.1", 0)) as line:
        port = line.getsockname()[1]
    assert look(port)["error"]["reason"] == link.REFUSED
    seen = collect(redis, Options(address=Address("host.invalid", 6379), wanted=ALL))
    assert seen["error"]["reason"] == link.DNS


def test_a_server_without_tls_is_told_from_a_dead_one() -> None:
    with serving() as server:
        assert look(server.port, tls=True)["error"]["reason"] == link.TLS


def test_a_server_that_hangs_up_is_closed() -> None:
    with serving({"PING": Hangup}) as server:
        assert look(server.port)["error"]["reason"] == link.CLOSED


def test_what_was_seen_before_a_hang_is_kept() -> None:
    with serving({"SLOWLOG GET": Hang}) as server:
        seen = look(server.port)
    assert seen["error"] is None
    assert seen["info"]["redis_version"] == "7.0.15"
    assert "slowlog" not in seen


def test_the_deadline_holds_whatever_hangs() -> None:
    with serving({"PING": Hang}) as server:
        seen = look(server.port, deadline=0.2, connect_timeout=30.0)
    assert seen["error"]["reason"] in (link.TIMEOUT, link.SILENT)


def master(**given: str) -> list[bytes]:
    said = {"name": "nexus", "ip": "10.0.0.1", "port": "6379", "flags": "master", "num-slaves": "1", **given}
    return [word.encode() for pair in said.items() for word in pair]


def test_sentinels_are_asked_beside_the_server() -> None:
    answers = {"SENTINEL MASTER": master(), "SENTINEL CKQUORUM": "OK 3 usable Sentinels."}
    no_quorum = {"SENTINEL MASTER": master(), "SENTINEL CKQUORUM": Error("NOQUORUM 1 usable Sentinels.")}
    unknown = {"SENTINEL MASTER": Error("ERR No such master with that name"), "SENTINEL CKQUORUM": Error("ERR No such")}
    with serving(answers) as good, serving(no_quorum) as few, serving(unknown) as other:
        sentinels = tuple(
            (name, Address("127.0.0.1", port, password=SECRET))
            for name, port in (("a", good.port), ("b", few.port), ("c", other.port), ("d", 1))
        )
        with serving({"PING": Hangup}) as server:
            seen = look(server.port, sentinels=sentinels, master_name="nexus")
        assert good.commands - {"auth"} == set(SENTINEL_COMMANDS)
    rows = {one["name"]: one for one in seen["sentinels"]}
    assert rows["a"]["primary"]["ip"] == "10.0.0.1"
    assert rows["a"]["quorum"]["ok"] is True
    assert rows["b"]["quorum"] == {"ok": False, "text": "NOQUORUM 1 usable Sentinels.", "refused": False}
    assert rows["c"]["error"]["text"] == "No such master with that name"
    assert rows["d"]["error"]["reason"] == link.REFUSED
    assert SECRET not in repr(seen)


def test_arguments_of_slow_commands_stay_where_they_are() -> None:
    entry = [7, 1795940000, 2_000_000, [b"SET", b"session:1", SECRET.encode()], b"10.0.0.9:1", b"auth-service"]
    with serving({"SLOWLOG GET": [entry, [1], b"odd"]}) as server:
        seen = look(server.port)
    assert seen["slowlog"]["entries"] == [
        {
            "at": 1795940000, "micros": 2_000_000, "command": "SET", "arguments": 2, "client": "10.0.0.9:1",
            "client_name": "auth-service",
        }
    ]  # fmt: skip
    assert SECRET not in repr(seen)


def test_many_clients_are_not_listed() -> None:
    info = b"redis_version:7\r\nrole:master\r\nconnected_clients:501\r\n"
    with serving({"INFO": info}) as server:
        assert "clients" not in look(server.port)
        assert "client|list" not in server.commands


def test_what_feeds_no_wanted_check_is_not_asked() -> None:
    with serving(keys=many(10)) as server:
        look(server.port, wanted=("rdb",))
        assert {"scan", "client|list"}.isdisjoint(server.commands)

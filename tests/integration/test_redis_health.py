# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""redis_health at servers of its own on loopback: a cluster of three, TLS, the ACL line of its notes, things that fail.

Wants redis-server, which the lab installs.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import re
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.nexuscos.ops.plugins.modules import redis_health

SECRET = "correct-horse-battery-staple"
PATIENT = {"connect_timeout": 30.0, "deadline": 120.0}
Start = Callable[..., int]


def free_port() -> int:
    """A port that is free, and whose cluster bus port is one, too; below those that connections are given."""
    for _attempt in range(500):
        port = 12_000 + secrets.randbelow(10_000)
        with (
            contextlib.suppress(OSError),
            socket.create_server(("127.0.0.1", port)),
            socket.create_server(("127.0.0.1", port + 10_000)),
        ):
            return port
    raise AssertionError("no port is free")


def until(what: Callable[[], bool], seconds: float = 240.0) -> None:
    """Wait for something; what is not there yet may raise."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        with contextlib.suppress(redis.RedisError, OSError):
            if what():
                return
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start redis-servers, which end with the test."""
    running: dict[int, subprocess.Popen[bytes]] = {}

    def begin(*options: str, wait: bool = True, tls: bool = False) -> int:
        port = free_port()
        folder = tmp_path / str(port)
        folder.mkdir()
        ports = ["--port", "0", "--tls-port", str(port)] if tls else ["--port", str(port)]
        command = ["redis-server", *ports, "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", *options]
        with (folder / "log").open("wb") as log:
            running[port] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if wait:
            until(lambda: socket.create_connection(("127.0.0.1", port), 1).close() is None)
        return port

    begin.running = running  # type: ignore[attr-defined]
    yield begin
    for process in running.values():
        process.kill()
        process.wait()


@contextlib.contextmanager
def client(port: int, **options: Any) -> Iterator[redis.Redis]:
    one = redis.Redis(host="127.0.0.1", port=port, decode_responses=True, **options)
    try:
        yield one
    finally:
        one.close()


def look(port: int, **given: Any) -> dict[str, Any]:
    """The module's answer for a server on loopback."""
    options = {name: option.get("default") for name, option in redis_health.spec().options.items()}
    return redis_health.run(
        {**options, **PATIENT, "target": "r", "login_host": "127.0.0.1", "login_port": port, **given}
    )


def found(result: dict[str, Any]) -> dict[str, str]:
    """Status by check; without the two that ask how busy the machine is."""
    timed = ("redis.latency", "redis.slow_commands")
    return {one["check"]: one["status"] for one in result["findings"] if one["check"] not in timed}


def unseen(result: dict[str, Any]) -> dict[str, str]:
    return {row["check"]: row["reason"] for row in result["coverage"] if not row["seen"]}


def test_a_cluster_of_three_that_loses_one(start: Start) -> None:
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "5000", "--cluster-require-full-coverage", "no")
    ports = [start(*options) for _ in range(3)]
    shares = [(0, 5460), (5461, 10922), (10923, 16383)]
    for port, share in zip(ports, shares):
        with client(port) as one:
            one.execute_command("CLUSTER", "ADDSLOTSRANGE", *share)
            for other in ports:
                if other != port:
                    one.execute_command("CLUSTER", "MEET", "127.0.0.1", other)

    def says(port: int, *words: str) -> bool:
        with client(port) as one:
            said = one.execute_command("CLUSTER INFO")
        facts = said if isinstance(said, dict) else dict(row.split(":", 1) for row in str(said).split() if ":" in row)
        return all(facts.get(word.split(":")[0]) == word.split(":")[1] for word in words)

    for port in ports:
        until(lambda port=port: says(port, "cluster_slots_ok:16384", "cluster_state:ok"))
        result = look(port)
        assert "redis.cluster_slots" not in found(result)
        assert result["facts"]["mode"] == "cluster"
    start.running[ports[2]].kill()  # type: ignore[attr-defined]
    until(lambda: says(ports[0], "cluster_slots_ok:10923"))
    result = look(ports[0])
    finding = next(one for one in result["findings"] if one["check"] == "redis.cluster_slots")
    assert (finding["status"], finding["value"]) == ("critical", 5461)
    assert found(look(ports[2])) == {"redis.reachable": "critical"}


def test_the_acl_line_of_the_notes_is_enough_for_everything(start: Start, tmp_path: Path) -> None:
    notes = " ".join(" ".join(note.split()) for note in yaml.safe_load(redis_health.DOCUMENTATION)["notes"])
    line = re.search(r"C\((user monitor on [^)]*)\)", notes)
    assert line
    acl = tmp_path / "users.acl"
    rules = line.group(1).replace(">password", f">{SECRET}")
    acl.write_text(f"user default on >{SECRET} ~* &* +@all\n{rules}\n", encoding="utf-8")
    port = start("--aclfile", str(acl), "--databases", "4", "--cluster-enabled", "no")
    with client(port, password=SECRET) as one:
        one.set("session:1", "x", ex=60)
        one.execute_command("SELECT", 2)
        one.execute_command("SET", "other:1", "y")
        one.config_resetstat()
        result = look(port, login_user="monitor", login_password=SECRET)
        assert unseen(result) == {}
        assert result["facts"]["keys_looked_at"] == result["facts"]["keys_total"] >= 1
        # Nothing that it asked was refused.
        assert one.execute_command("ACL", "LOG") == []
        assert "errorstat_NOPERM" not in one.info("errorstats")
    with client(port, username="monitor", password=SECRET) as one, pytest.raises(redis.exceptions.NoPermissionError):
        one.get("session:1")
    assert found(look(port, login_user="monitor", login_password="wrong")) == {"redis.access": "unknown"}
    assert found(look(port)) == {"redis.access": "unknown"}


def test_a_right_that_is_missing_costs_its_own_check_only(start: Start) -> None:
    port = start()
    with client(port) as one:
        one.set("a", "b")
        one.execute_command(
            "ACL",
            "SETUSER",
            "few",
            "on",
            f">{SECRET}",
            "-@all",
            "+ping",
            "+info",
            "+scan",
            "+ttl",
            "+memory|usage",
            "~*",
        )
    result = look(port, login_user="few", login_password=SECRET)
    assert set(unseen(result)) == {"redis.rdb_age", "redis.slow_commands", "redis.client_buffers"}
    assert all("permissions" in reason for reason in unseen(result).values())
    assert found(result) == {}


def test_a_server_that_is_full(start: Start) -> None:
    port = start("--maxclients", "3")
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(client(port, single_connection_client=True)).ping()
        assert found(look(port)) == {"redis.clients": "critical"}


def test_a_server_that_is_busy_with_a_script(start: Start) -> None:
    port = start("--busy-reply-threshold", "100")

    def run() -> None:
        with client(port) as one, contextlib.suppress(redis.RedisError):
            one.eval("while true do end", 0)

    thread = threading.Thread(target=run)
    thread.start()
    with client(port, socket_timeout=5) as one:

        def busy() -> bool:
            try:
                one.ping()
            except redis.RedisError as error:
                return "BUSY" in str(error) or "busy" in str(error)
            return False

        until(busy)
        result = look(port)
        assert found(result) == {"redis.reachable": "critical"}
        assert "is busy with a script" in result["findings"][0]["title"]
        one.script_kill()
    thread.join()


def test_a_replica_and_its_primary(start: Start) -> None:
    primary = start("--repl-diskless-sync-delay", "0")
    replica = start("--replicaof", "127.0.0.1", str(primary))
    with client(replica) as one:
        until(lambda: one.info("replication")["master_link_status"] == "up")
    expected = [{"name": "two", "host": "localhost", "port": replica}]
    with client(primary) as one:
        until(lambda: one.info("replication").get("slave0", {}).get("state") == "online")
    result = look(primary, expected_replicas=expected, expected_role="primary")
    assert found(result) == {}
    assert result["facts"]["replicas"] == "1 of 1"
    assert found(look(replica, expected_role="replica")) == {}
    start.running[primary].kill()  # type: ignore[attr-defined]
    with client(replica) as one:
        until(lambda: one.info("replication")["master_link_status"] == "down")
    assert found(look(replica, expected_role="replica")) == {"redis.replication_link": "critical"}


def certificates(folder: Path) -> dict[str, Path]:
    """An authority and a certificate for 127.0.0.1."""
    now = datetime.datetime.now(datetime.timezone.utc)
    made: dict[str, Path] = {}

    def write(name: str, data: bytes) -> None:
        made[name] = folder / name
        made[name].write_bytes(data)

    def key(name: str) -> ec.EllipticCurvePrivateKey:
        private = ec.generate_private_key(ec.SECP256R1())
        pem = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        write(name, private.private_bytes(*pem))
        return private

    def names(common: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, common)])

    def builder(common: str, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        begun = x509.CertificateBuilder().subject_name(names(common)).issuer_name(names("authority")).public_key(public)
        begun = begun.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        return begun.not_valid_after(now + datetime.timedelta(days=1))

    authority, server = key("ca.key"), key("server.key")
    root = builder("authority", authority.public_key()).add_extension(x509.BasicConstraints(True, None), critical=True)
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    identifier = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    root = root.add_extension(usage, critical=True).add_extension(identifier, critical=False)
    write("ca.crt", root.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    leaf = builder("server", server.public_key()).add_extension(alternative, critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
    leaf = leaf.add_extension(issuer, critical=False)
    write("server.crt", leaf.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return made


def test_tls(start: Start, tmp_path: Path) -> None:
    made = certificates(tmp_path)
    port = start(
        "--tls-cert-file", str(made["server.crt"]), "--tls-key-file", str(made["server.key"]),
        "--tls-ca-cert-file", str(made["ca.crt"]), "--tls-auth-clients", "no", tls=True,
    )  # fmt: skip
    assert found(look(port, tls=True, ca_cert=str(made["ca.crt"]))) == {}
    assert found(look(port, tls=True, validate_certs=False)) == {}
    # An authority that nobody trusts, and no TLS at all.
    assert found(look(port, tls=True)) == {"redis.access": "unknown"}
    assert set(found(look(port))) <= {"redis.reachable", "redis.access"}
    with client(port, ssl=True, ssl_ca_certs=str(made["ca.crt"])) as one:
        one.config_set("tls-auth-clients", "yes")
    trusted = {"tls": True, "ca_cert": str(made["ca.crt"])}
    without = look(port, **trusted)
    assert found(without) == {"redis.access": "unknown"}, without["findings"]
    own = {"client_cert": str(made["server.crt"]), "client_key": str(made["server.key"])}
    assert found(look(port, **trusted, **own)) == {}

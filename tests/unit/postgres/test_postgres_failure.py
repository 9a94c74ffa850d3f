# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why there is no connection: words of libpq and of the server, and the raw look where words do not tell."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.nexuscos.ops.plugins.module_utils._postgres import failure
from ansible_collections.nexuscos.ops.plugins.module_utils._postgres.probe import Answer, probe

AT = 'connection to server at "198.18.0.21", port 5432 failed: '


def never() -> Answer:
    raise AssertionError("the words tell: no second connection")


@pytest.mark.parametrize(
    ("text", "reason", "kind"),
    [
        (AT + "Connection refused\n\tIs the server running on that host?", "refused", "refused"),
        (
            'connection to server on socket "/x" failed: No such file or directory\n\tIs the server running',
            "refused",
            "refused",
        ),
        (AT + "FATAL:  the database system is starting up", "starting", "refused"),
        (AT + "FATAL:  the database system is not yet accepting connections", "starting", "refused"),
        (AT + "FATAL:  the database system is in recovery mode", "starting", "refused"),
        (AT + "FATAL:  the database system is shutting down", "stopping", "refused"),
        (AT + "FATAL:  sorry, too many clients already", "full", "denied"),
        (
            AT + "FATAL:  remaining connection slots are reserved for non-replication superuser connections",
            "full",
            "denied",
        ),
        (
            AT + "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
            "full",
            "denied",
        ),
        (AT + 'FATAL:  too many connections for role "monitor"', "full_role", "denied"),
        (AT + 'FATAL:  too many connections for database "nexusdb"', "full_database", "denied"),
        (AT + 'FATAL:  password authentication failed for user "monitor"', "password", "denied"),
        (AT + "fe_sendauth: no password supplied", "password", "denied"),
        (
            AT + 'FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "m", database "d", SSL encryption',
            "hba",
            "denied",
        ),
        (AT + 'FATAL:  pg_hba.conf rejects connection for host "1.2.3.4", no encryption', "hba", "denied"),
        (AT + 'FATAL:  role "monitor" does not exist', "role", "denied"),
        (AT + 'FATAL:  role "monitor" is not permitted to log in', "role", "denied"),
        (AT + 'FATAL:  database "nexusdb" does not exist', "database", "denied"),
        (AT + 'FATAL:  permission denied for database "nexusdb"', "database", "denied"),
        (AT + 'FATAL:  database "nexusdb" is not currently accepting connections', "database", "denied"),
        (AT + "No route to host", "unreachable", "timeout"),
        (AT + "Network is unreachable", "unreachable", "timeout"),
        ('could not translate host name "x" to address: Name or service not known', "dns", "dns"),
        (AT + "server does not support SSL, but SSL was required", "tls", "tls"),
        (AT + "SSL error: certificate verify failed", "tls", "tls"),
        (AT + 'root certificate file "/x" does not exist', "tls", "tls"),
        (AT + "received invalid response to SSL negotiation: H", "garbage", "garbage"),
    ],
)
def test_words_tell(text: str, reason: str, kind: str) -> None:
    found = failure.classify(text, never)
    assert (found["reason"], found["kind"]) == (reason, kind)
    assert "\n" not in found["text"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer("silent"), "silent"),
        (Answer("timeout"), "timeout"),
        (Answer("unreachable"), "unreachable"),
        (Answer("refused"), "refused"),
        (Answer("dns"), "dns"),
        (Answer("error", "57P03", "das Datenbanksystem startet"), "starting"),
        (Answer("error", "53300"), "full"),
    ],
)
def test_a_time_out_is_looked_into(answer: Answer, reason: str) -> None:
    found = failure.classify("connection timeout expired", lambda: answer)
    assert found["reason"] == reason
    assert answer.text in found["text"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer("error", "28000"), "hba"),
        (Answer("error", "3D000"), "database"),
        (Answer("error", "53300"), "full"),
        (Answer("error", "XX000"), "other"),
        # it asks for credentials, so it did not take ours
        (Answer("login"), "login"),
    ],
)
def test_a_server_that_speaks_another_language_has_its_code(answer: Answer, reason: str) -> None:
    assert failure.classify(AT + "FATAL:  Verbindung abgelehnt", lambda: answer)["reason"] == reason


def test_a_connection_that_broke_once_is_closed_and_one_that_works_is_not_dead() -> None:
    text = AT + "server closed the connection unexpectedly"
    assert failure.classify(text, lambda: Answer("closed"))["reason"] == "closed"
    assert failure.classify(text, lambda: Answer("refused"))["reason"] == "refused"
    assert failure.classify(text, lambda: Answer("login"))["reason"] == "closed"


def error(**fields: str) -> bytes:
    body = b"".join(key.encode() + value.encode() + b"\0" for key, value in fields.items()) + b"\0"
    return b"E" + struct.pack("!i", len(body) + 4) + body


@contextmanager
def server(answer: bytes | None) -> Iterator[int]:
    """Answers every connection with some bytes and closes it; None takes it and says nothing."""
    listener = socket.create_server(("127.0.0.1", 0))
    kept = []

    def serve() -> None:
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            if answer is None:
                kept.append(connection)
                continue
            with connection:
                connection.recv(1024)
                connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        for connection in kept:
            connection.close()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            error(S="FATAL", C="57P03", M="das Datenbanksystem fährt hoch"),
            Answer("error", "57P03", "das Datenbanksystem fährt hoch"),
        ),
        (b"R" + struct.pack("!ii", 8, 10), Answer("login")),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Answer("garbage", text="no PostgreSQL answers on this port")),
        (b"E\xff\xff\xff\xff", Answer("garbage", text="no PostgreSQL answers on this port")),
        (b"HT", Answer("garbage")),
        (b"", Answer("closed", text="closed without an answer")),
        (error(S="FATAL")[:9], Answer("error")),
    ],
)
def test_the_raw_look_reads_the_first_answer(said: bytes, expected: Answer) -> None:
    with server(said) as port:
        assert probe("127.0.0.1", port, "monitor", "nexusdb", 2) == expected


def test_the_raw_look_tells_silence_from_refusal() -> None:
    with server(None) as port:
        assert probe("127.0.0.1", port, "monitor", "nexusdb", 0.2).stage == "silent"
    assert probe("127.0.0.1", port, "monitor", "nexusdb", 0.2).stage == "refused"


def test_the_raw_look_by_name_and_by_socket(tmp_path: Path) -> None:
    assert probe("nowhere.invalid", 5432, "monitor", "nexusdb", 1).stage == "dns"
    assert probe(str(tmp_path), 5432, "monitor", "nexusdb", 1).stage == "refused"

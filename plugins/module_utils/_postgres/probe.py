# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A raw look at a PostgreSQL server that did not let libpq in: how far does one get, and what is its SQLSTATE?"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

_PROTOCOL = 3 << 16
_LARGEST = 8192


@dataclass(frozen=True)
class Answer:
    """How far it went.

    :ivar stage: ``dns``, ``unreachable``, ``refused``, ``timeout`` (no TCP connection), ``silent`` (connected, no
        answer), ``closed``, ``garbage`` (no PostgreSQL), ``error`` (the server's own), ``login`` (it asks who we are).
    :ivar sqlstate: code of the server's error, or an empty text.
    :ivar text: message of the error.
    """

    stage: str
    sqlstate: str = ""
    text: str = ""


def probe(host: str, port: int, user: str, database: str, timeout: float) -> Answer:
    """Connect, send a start-up packet without a password, and read the first answer.

    :param host: name, address, or folder of a Unix socket.
    :param timeout: seconds for each step; the whole takes at most three of them.
    """
    try:
        if host.startswith("/"):
            connection = _local("%s/.s.PGSQL.%d" % (host, port), timeout)
        else:
            connection = socket.create_connection((host, port), timeout)
    except socket.gaierror as error:
        return Answer("dns", text=str(error.strerror or error))
    except (ConnectionRefusedError, FileNotFoundError) as error:
        return Answer("refused", text=str(error.strerror or error))
    except socket.timeout:
        return Answer("timeout", text=f"no TCP connection within {timeout:g} s")
    except OSError as error:
        return Answer("unreachable", text=str(error.strerror or error))
    with connection:
        try:
            connection.settimeout(timeout)
            connection.sendall(_startup(user, database))
            return _read(connection)
        except socket.timeout:
            return Answer("silent", text=f"TCP connects, no answer within {timeout:g} s")
        except OSError as error:
            return Answer("closed", text=str(error.strerror or error))


def _local(path: str, timeout: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def _startup(user: str, database: str) -> bytes:
    words = ("user", user, "database", database, "application_name", "nexuscos-ops")
    body = b"".join(word.encode("utf-8") + b"\0" for word in words) + b"\0"
    return struct.pack("!ii", len(body) + 8, _PROTOCOL) + body


def _read(connection: socket.socket) -> Answer:
    head = _exactly(connection, 5)
    if len(head) < 5:
        return Answer("closed", text="closed without an answer") if not head else Answer("garbage")
    kind, length = head[:1], int(struct.unpack("!i", head[1:])[0])
    if kind == b"R":
        return Answer("login")
    if kind != b"E" or not 4 < length <= _LARGEST:
        return Answer("garbage", text="no PostgreSQL answers on this port")
    fields = _fields(_exactly(connection, length - 4))
    return Answer("error", fields.get("C", ""), fields.get("M", ""))


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            break
        data += part
    return data


def _fields(body: bytes) -> dict[str, str]:
    """The fields of an ErrorResponse by their one-letter names."""
    parts = (part.decode("utf-8", "replace") for part in body.split(b"\0") if part)
    return {part[0]: part[1:] for part in parts}

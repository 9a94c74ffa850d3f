# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One connection to Redis: commands together, each with an answer or an error of its own; and why it failed."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

REFUSED = "refused"
SILENT = "silent"
LOADING = "loading"
BUSY = "busy"
CLOSED = "closed"
GARBAGE = "garbage"
UNREACHABLE = "unreachable"
TIMEOUT = "timeout"
DNS = "dns"
FULL = "full"
LOGIN = "login"
RIGHTS = "rights"
PROTECTED = "protected"
TLS = "tls"
OTHER = "other"

DEAD = (REFUSED, SILENT, LOADING, BUSY, CLOSED, GARBAGE)
"""The machine (or the server itself) was reached, and the server does not serve: nobody else gets in either."""
NOT_FOR_US = (LOGIN, RIGHTS, PROTECTED, TLS)
"""The server answers, and lets us not in."""

CLIENT_NAME = "nexuscos-ops"

_CODES: tuple[tuple[str, str], ...] = (
    ("LOADING", LOADING),
    ("BUSY", BUSY),
    ("NOAUTH", LOGIN),
    ("WRONGPASS", LOGIN),
    ("NOPERM", RIGHTS),
    ("DENIED", PROTECTED),
    ("ERR max number of clients", FULL),
    ("max number of clients", FULL),
    ("ERR invalid password", LOGIN),
    ("invalid password", LOGIN),
    ("invalid username-password", LOGIN),
    ("ERR AUTH", LOGIN),
    ("AUTH <password> called", LOGIN),
    ("Client sent AUTH", LOGIN),
    ("Authentication required", LOGIN),
    # redis-py takes the code off the texts of errors that it has classes for.
    ("Redis is loading", LOADING),
    ("Redis is busy", BUSY),
    ("User ", RIGHTS),
    ("this user has no permissions", RIGHTS),
)


@dataclass(frozen=True)
class Address:
    """Where a server or a Sentinel is, and who we are there."""

    host: str
    port: int
    user: str | None = None
    password: str | None = None
    tls: bool = False
    ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    validate_certs: bool = True


class Failed(Exception):
    """No connection, or it was lost; ``reason`` is a constant of this file."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason

    def entry(self) -> dict[str, str]:
        """An ``error`` entry of an observation."""
        return {"reason": self.reason, "text": " ".join(str(self).split())}


@dataclass(frozen=True)
class Refused:
    """A command that the server answered with an error."""

    text: str

    @property
    def reason(self) -> str:
        """A constant of this file."""
        return reason_of(self.text)


def reason_of(text: str) -> str:
    """Sort an error that the server itself sent."""
    return next((reason for start, reason in _CODES if text.startswith(start)), OTHER)


class Link:
    """A connection. Nothing is sent but what :meth:`ask` is told to (and AUTH, CLIENT SETNAME)."""

    def __init__(self, redis: Any, address: Address, timeout: float) -> None:
        self._redis = redis
        self._address = address
        self._timeout = timeout
        options: dict[str, Any] = {
            "host": address.host,
            "port": address.port,
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            "protocol": 2,
            # The library would say hello in ways that an account with few rights is refused, and logged for.
            "redis_connect_func": _greet,
        }
        kind = redis.connection.Connection
        if address.tls:
            kind = redis.connection.SSLConnection
            options.update(
                ssl_ca_certs=address.ca_cert,
                ssl_certfile=address.client_cert,
                ssl_keyfile=address.client_key,
                ssl_cert_reqs="required" if address.validate_certs else "none",
                ssl_check_hostname=address.validate_certs,
            )
        self._connection = kind(**options)

    def open(self) -> None:
        """Connect and log in.

        :raises Failed: with the reason.
        """
        address = self._address
        try:
            self._connection.connect()
        except Exception as error:
            raise self._sorted(error, connecting=True) from error
        if address.password is not None:
            words = [address.user, address.password] if address.user else [address.password]
            answer = self.ask(("AUTH", *words))[0]
            if isinstance(answer, Refused):
                # The server's own words about the password are kept, the password was never in them.
                raise Failed(LOGIN if answer.reason in (OTHER, RIGHTS) else answer.reason, answer.text)
        self.ask(("CLIENT", "SETNAME", CLIENT_NAME))

    def ask(self, *commands: Sequence[Any]) -> list[Any]:
        """Send commands together and read their answers; what was refused is :class:`Refused`.

        :raises Failed: the connection was lost, or no answer came in time.
        """
        try:
            self._connection.send_packed_command(self._connection.pack_commands(commands))
            return [self._read() for _command in commands]
        except Failed:
            raise
        except Exception as error:
            raise self._sorted(error) from error

    def _read(self) -> Any:
        known = self._redis.exceptions
        try:
            answer = self._connection.read_response(disconnect_on_error=False)
        except (known.ResponseError, known.BusyLoadingError, known.AuthenticationError) as error:
            return Refused(_words(error))
        return Refused(_words(answer)) if isinstance(answer, self._redis.exceptions.RedisError) else answer

    def cut(self) -> None:
        """End it from another thread, so that whoever reads from it wakes up."""
        line = getattr(self._connection, "_sock", None)
        if line is not None:
            try:
                line.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    def close(self) -> None:
        """End it."""
        try:
            self._connection.disconnect()
        except (OSError, self._redis.exceptions.RedisError):
            return

    def _sorted(self, error: BaseException, connecting: bool = False) -> Failed:
        said = _words(error)
        causes = _chain(error)
        if isinstance(error, (AttributeError, TypeError)):
            raise error
        if any(isinstance(one, ssl.SSLError) for one in causes):
            return Failed(TLS, said)
        if any(isinstance(one, socket.gaierror) for one in causes):
            return Failed(DNS, said)
        if any(isinstance(one, ConnectionRefusedError) for one in causes):
            return Failed(REFUSED, said)
        if any(isinstance(one, self._redis.exceptions.InvalidResponse) for one in causes) or "Protocol Error" in said:
            return Failed(GARBAGE, said)
        reason = reason_of(said)
        if reason != OTHER:
            return Failed(reason, said)
        if self._address.tls and connecting and not isinstance(error, self._redis.exceptions.TimeoutError):
            return Failed(TLS, said)
        return Failed(*probe(self._address, said, min(self._timeout, 1.0)))


def probe(address: Address, said: str, timeout: float) -> tuple[str, str]:
    """A raw look at the server where the library's words do not tell: a reason, and a text.

    A server that is full, or that guards itself, says so to whoever connects and hangs up.
    """
    ends = time.monotonic() + timeout
    try:
        with socket.create_connection((address.host, address.port), timeout) as line:
            line.settimeout(max(ends - time.monotonic(), 0.2))
            if not address.tls:
                # What it said before it hung up can still be read.
                with contextlib.suppress(OSError):
                    line.sendall(b"PING\r\n")
            answer = line.recv(200).decode("utf-8", "replace").strip()
    except ConnectionRefusedError:
        return REFUSED, said
    except (ConnectionResetError, BrokenPipeError):
        return CLOSED, said
    except socket.gaierror:
        return DNS, said
    except socket.timeout:
        return _no_answer(address, said, timeout)
    except OSError:
        return UNREACHABLE, said
    if not answer:
        return CLOSED, said
    if answer[0] == "-":
        return reason_of(answer[1:]), answer[1:]
    if answer[0] != "+":
        return GARBAGE, "%s (it answered %r)" % (said, answer[:40])
    return OTHER, said


def _no_answer(address: Address, said: str, timeout: float) -> tuple[str, str]:
    try:
        line = socket.create_connection((address.host, address.port), timeout)
    except OSError:
        return TIMEOUT, said
    with line:
        if not address.tls:
            return SILENT, said
        try:
            # A server without TLS waits for the end of what it takes for a command; one with TLS minds.
            line.sendall(b"PING\r\n")
            answer = line.recv(1)
        except socket.timeout:
            return SILENT, said
        except OSError:
            answer = b""
    if answer in (b"+", b"-"):
        return TLS, "%s (it speaks no TLS)" % said
    return TLS, "%s (it speaks TLS, and ends the connection; it may want a certificate of ours)" % said


def _greet(connection: Any) -> None:
    # The library documents the hook, and its own greeting begins like this.
    connection._parser.on_connect(connection)  # noqa: SLF001


def _words(error: object) -> str:
    if isinstance(error, bytes):
        return error.decode("utf-8", "replace")
    return " ".join(str(error).split())[:500]


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in found:
        found.append(one)
        number = getattr(one, "errno", None)
        if isinstance(one, OSError) and number:
            # The library wraps what the system said, and keeps the number.
            found.append(OSError(number, os.strerror(number)))
        one = one.__cause__ or one.__context__
    return found

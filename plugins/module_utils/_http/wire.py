# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP request on a connection of its own, every phase timed, everything within one deadline.

The standard library's http.client speaks HTTP; what is added here is the connection below it: phases, a deadline that
holds for the whole request and not for each read, and what came before an answer that is none.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any

from .failure import Failure, is_timeout, of_connection
from .resolve import Address, Resolver
from .spec import Endpoint
from .tls import Contexts, handshake, inspect

_KEPT_HEADERS = (
    "content-type",
    "content-length",
    "content-encoding",
    "server",
    "retry-after",
    "location",
    "via",
    "x-request-id",
)
_VERIFICATION = ("expired", "not_yet_valid", "hostname", "untrusted", "revoked", "certificate")


class Stream(io.RawIOBase):
    """The receiving half of a socket, for http.client: each read waits no longer than until the deadline."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        super().__init__()
        self.sock, self.deadline = sock, deadline
        self.first_byte: float | None = None
        self.head = b""
        self.ended = False
        self.blank_line = False
        self._last = b""

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there; 0 at the end of the stream."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout("deadline")
        self.sock.settimeout(left)
        count = self.sock.recv_into(buffer)
        if not count:
            self.ended = True
            return 0
        if self.first_byte is None:
            self.first_byte = time.monotonic()
        if len(self.head) < 200:
            self.head += bytes(buffer[: min(count, 200 - len(self.head))])
        if not self.blank_line:
            # http.client takes an end of the stream for the end of the headers; only an empty line is.
            self._last = self._last[-3:] + bytes(buffer[:count])
            self.blank_line = b"\r\n\r\n" in self._last or b"\n\n" in self._last
        return count


class _Reader(io.BufferedReader):
    """A reader that http.client cannot close: it does so when it has what was promised, we want to see what follows."""

    def close(self) -> None:
        """Nothing: the socket is closed by who opened it."""


class _Wire:
    """What http.client takes for a socket."""

    def __init__(self, sock: socket.socket, stream: Stream) -> None:
        self.sock, self.stream = sock, stream
        self.reader = _Reader(stream, 65536)

    def sendall(self, data: Any) -> None:
        left = self.stream.deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout("deadline")
        self.sock.settimeout(left)
        self.sock.sendall(data)

    def makefile(self, _mode: str = "rb") -> io.BufferedReader:
        return self.reader

    def close(self) -> None:
        """Nothing, as above."""


class Exchange:
    """What one request and its answer were: filled as it goes, so that it is there when the request fails."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.phases: dict[str, float] = {}
        self.address: str | None = None
        self.tried: list[str] = []
        self.status: int | None = None
        self.reason = ""
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.cut = False
        self.tls: dict[str, Any] | None = None
        self.location: str | None = None

    def clock(self, phase: str, began: float) -> float:
        """Note how long a phase took (ms); returns the present time, where the next one begins."""
        now = time.monotonic()
        self.phases[phase] = round((now - began) * 1000, 2)
        return now


def send(
    endpoint: Endpoint,
    target: tuple[str, str, int, str],
    method: str,
    headers: Mapping[str, str],
    body: bytes | None,
    place: tuple[str, int],
    deadline: float,
    resolver: Resolver,
    contexts: Contexts,
    exchange: Exchange,
) -> None:
    """Send one request and read its answer into `exchange`.

    :param target: scheme, host, port and request target (:func:`spec.split_url`).
    :param place: host and port to connect to.
    :param deadline: monotonic time at which the request has failed.
    :raises Failure: at the first thing that goes wrong.
    """
    scheme, host, port, path = target
    began = time.monotonic()
    try:
        addresses = resolver.resolve(place[0], place[1], deadline)
    finally:
        began = exchange.clock("dns", began)
    try:
        sock, address = _connect(addresses, deadline, exchange)
    finally:
        began = exchange.clock("connect", began)
    try:
        if scheme == "https":
            name = endpoint.server_name or host
            try:
                sock = wrapped = handshake(sock, contexts.get(endpoint), name, deadline)
            except Failure as failure:
                exchange.clock("tls", began)
                failure.more["server_name"] = name
                if failure.kind in _VERIFICATION:
                    failure.more["certificate"] = inspect(address, name, deadline)
                raise
            began = exchange.clock("tls", began)
            cipher = wrapped.cipher()
            exchange.tls = {"version": wrapped.version(), "cipher": cipher[0] if cipher else None}
        _converse(sock, (host, port), method, path, headers, body, deadline, endpoint.max_body, exchange, began)
    finally:
        sock.close()


def _connect(addresses: list[Address], deadline: float, exchange: Exchange) -> tuple[socket.socket, Address]:
    """Connect to the first address that takes us; the time that is left is shared among those not tried yet."""
    last: Failure | None = None
    for place, (family, address) in enumerate(addresses):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        shown = "{}:{}".format(f"[{address[0]}]" if family == socket.AF_INET6 else address[0], address[1])
        exchange.address = shown
        sock = None
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.settimeout(left / (len(addresses) - place))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect(address)
            return sock, (family, address)
        except OSError as error:
            if sock is not None:
                sock.close()
            kind = of_connection(error)
            exchange.tried.append(f"{shown}: {kind}")
            last = Failure(
                "connect",
                kind,
                "{}: {}".format(shown, "no answer in time" if kind == "timeout" else error.strerror or error),
            )
    raise last or Failure("connect", "timeout", "no time was left to connect")


def _converse(
    sock: socket.socket,
    origin: tuple[str, int],
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes | None,
    deadline: float,
    limit: int,
    exchange: Exchange,
    began: float,
) -> None:
    stream = Stream(sock, deadline)
    connection = http.client.HTTPConnection(*origin)
    default = 443 if isinstance(sock, ssl.SSLSocket) else 80
    connection.default_port = default  # decides whether the Host header names the port
    connection.auto_open = 0
    wire = _Wire(sock, stream)
    connection.sock = wire
    response: http.client.HTTPResponse | None = None
    try:
        # What a server says before it hangs up on our request is worth more than the broken pipe.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, path, body=body, headers=dict(headers))
        try:
            response = connection.getresponse()
        finally:
            exchange.phases["first_byte"] = round(((stream.first_byte or time.monotonic()) - began) * 1000, 2)
        exchange.status, exchange.reason = response.status, response.reason
        exchange.headers = {
            name: value for name, value in ((k.lower(), v) for k, v in response.getheaders()) if name in _KEPT_HEADERS
        }
        exchange.location = response.getheader("Location")
        if not stream.blank_line:
            raise Failure(
                "answer",
                "headers",
                "the connection ended in the middle of the headers",
                {"first_bytes": printable(stream.head)},
            )
        promised = _read(response, method, limit, exchange)
        exchange.phases["body"] = round((time.monotonic() - (stream.first_byte or began)) * 1000, 2)
        if promised is not None:
            _surplus(wire, promised)
    except Failure:
        raise
    except http.client.RemoteDisconnected as error:
        raise Failure("answer", "closed", "the connection was closed without an answer") from error
    except (http.client.BadStatusLine, http.client.UnknownProtocol) as error:
        raise Failure("answer", "garbage", "the answer is not HTTP", {"first_bytes": printable(stream.head)}) from error
    except http.client.LineTooLong as error:
        kind = "garbage" if not stream.head.startswith(b"HTTP/") else "headers"
        raise Failure(
            "answer", kind, f"a line of the answer never ends: {error}", {"first_bytes": printable(stream.head)}
        ) from error
    except http.client.IncompleteRead as error:
        raise _chunks(stream, exchange) from error
    except (http.client.HTTPException, UnicodeError, ValueError) as error:
        raise Failure(
            "answer", "headers", f"the headers are malformed: {error}", {"first_bytes": printable(stream.head)}
        ) from error
    except OSError as error:
        raise _broken(error, stream, exchange, response is not None) from error
    finally:
        if response is not None:
            response.close()
        if stream.first_byte is not None:
            exchange.phases.setdefault("body", round((time.monotonic() - stream.first_byte) * 1000, 2))
        connection.close()


def _broken(error: OSError, stream: Stream, exchange: Exchange, in_body: bool) -> Failure:
    if in_body:
        if is_timeout(error):
            return Failure("body", "timeout", "the body did not end in time, %d bytes of it came" % len(exchange.body))
        return Failure(
            "body",
            "reset",
            "the connection broke in the body after %d bytes: %s" % (len(exchange.body), error.strerror or error),
        )
    if is_timeout(error):
        if stream.first_byte is None:
            return Failure("answer", "timeout", "connected, but no byte of an answer came in time")
        return Failure("answer", "timeout", "the headers did not end in time", {"first_bytes": printable(stream.head)})
    return Failure("answer", "reset", "the connection was reset before the answer: %s" % (error.strerror or error))


def _chunks(stream: Stream, exchange: Exchange) -> Failure:
    if stream.ended:
        return Failure(
            "body", "truncated", "the connection ended in the middle of a chunk, after %d bytes" % len(exchange.body)
        )
    return Failure("body", "chunks", "the chunked encoding is broken after %d bytes" % len(exchange.body))


def _read(response: http.client.HTTPResponse, method: str, limit: int, exchange: Exchange) -> int | None:
    """Read the body up to the limit, and hold what came against what the headers promised.

    :returns: the promised length where it was read to its end, else None.
    """
    declared = _declared(response)
    if method == "HEAD" or response.status in (204, 304):
        return None
    want = None if response.chunked or declared is None else declared
    body = exchange.body
    while len(body) <= limit and (want is None or len(body) < want):
        part = response.read1(min(65536, limit + 1 - len(body), 65536 if want is None else want - len(body)))
        if not part:
            break
        body += part
    if len(body) > limit:
        del body[limit:]
        exchange.cut = True
        return None
    if want is not None and len(body) < want:
        raise Failure("body", "truncated", "Content-Length promised %d bytes, %d came" % (want, len(body)))
    return want


def _declared(response: http.client.HTTPResponse) -> int | None:
    """Content-Length; http.client passes over one that is no number."""
    values = {part.strip() for value in response.headers.get_all("Content-Length", []) for part in value.split(",")}
    if not values:
        return None
    if len(values) > 1 or not all(value.isdigit() for value in values):
        raise Failure(
            "body", "length", "Content-Length is {}".format(" and ".join(repr(value) for value in sorted(values)))
        )
    return int(values.pop())


def _surplus(wire: _Wire, promised: int) -> None:
    """Look for bytes beyond the promised ones. We asked for the end of the connection, so there must be none."""
    wire.stream.deadline = time.monotonic() + 0.002
    try:
        more = len(wire.reader.peek(1))
    except (OSError, ValueError):
        return
    if more:
        raise Failure("body", "surplus", "Content-Length said %d bytes, at least %d more came" % (promised, more))


def printable(data: bytes) -> str:
    """Bytes for people: text as it is, the rest as escapes."""
    return "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in data[:200])

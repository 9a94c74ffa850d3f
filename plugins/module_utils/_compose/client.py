# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few calls of the Engine API that looks need, over its socket.

`http.client` over AF_UNIX instead of an SDK: the look runs where the engine is, and nothing has to be installed there.
It only ever sends GET.
"""

from __future__ import annotations

import email.utils
import errno
import http.client
import json
import re
import socket
import ssl
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from .._core.errors import LookError, OptionError

MOST_BYTES = 64 * 1024 * 1024
"""Of one JSON answer: more is not read, it is no answer that an engine of sane size gives."""
MOST_LINE = 16 * 1024
"""Bytes that are kept of one log line."""
_CHUNK = 64 * 1024
_FRAME = struct.Struct(">BxxxL")
_STREAMS = {0: "stdin", 1: "stdout", 2: "stderr"}
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) ?")


class NotThere(LookError):
    """The engine answers that there is no such thing (any more)."""

    def __init__(self, text: str) -> None:
        super().__init__("other", text)


@dataclass(frozen=True)
class Address:
    """Where an engine listens: a socket file, or host and port."""

    text: str
    path: str = ""
    host: str = ""
    port: int = 0
    tls: bool = False


@dataclass(frozen=True)
class Line:
    """One line of a container's log: ``stdout`` or ``stderr``, the time that the engine wrote down, the text."""

    stream: str
    time: str
    text: str


def address(docker_host: str, tls: bool = False) -> Address:
    """Read ``unix:///path``, ``tcp://host:port``, ``http://…`` or ``https://…``; a bare path is a socket.

    :raises OptionError: another scheme, or no path or host.
    """
    if docker_host.startswith("/"):
        docker_host = "unix://" + docker_host
    try:
        parts = urlsplit(docker_host)
        port = parts.port
    except ValueError as error:
        raise OptionError(f"docker_host: {docker_host!r}: {error}") from error
    if parts.scheme == "unix" and parts.path and not parts.netloc:
        return Address(docker_host, path=parts.path)
    if parts.username or parts.password:
        raise OptionError("docker_host: want no user name and no password in it")
    if parts.scheme in ("tcp", "http", "https") and parts.hostname:
        secure = tls or parts.scheme == "https"
        return Address(docker_host, host=parts.hostname, port=port or (2376 if secure else 2375), tls=secure)
    raise OptionError(f"docker_host: want unix:///path/docker.sock or tcp://host:port, got {docker_host!r}")


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket, TCP or TLS, whichever the address says."""

    def __init__(self, where: Address, context: ssl.SSLContext | None, timeout: float) -> None:
        super().__init__(where.host or "localhost", where.port or 80, timeout=timeout)
        self._where = where
        self._context = context

    def connect(self) -> None:
        """Open the socket; http.client calls this."""
        if not self._where.path:
            super().connect()
            if self._context is not None:
                self.sock = self._context.wrap_socket(self.sock, server_hostname=self._where.host)
            return
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._where.path)


class Engine:
    """One engine.

    :param where: its address.
    :param end: monotonic time after which nothing is waited for any more.
    :param timeout: seconds that it may be silent at most.
    :param context: for TLS.
    """

    def __init__(self, where: Address, end: float, timeout: float = 5.0, context: ssl.SSLContext | None = None) -> None:
        self.where = where
        self.end = end
        self.timeout = timeout
        self.context = context if context is not None or not where.tls else ssl.create_default_context()
        self.clock: float | None = None
        """What the engine's own clock said in its last answer, as seconds since the epoch."""
        self._prefix = ""
        self._kept: _Connection | None = None

    def version(self) -> dict[str, Any]:
        """What the engine says about itself. From here on its own, newest API version is spoken: there is a lowest
        version as well, so that a fixed one would not work for ever."""
        told = self.get("/version")
        if not isinstance(told, dict) or not re.fullmatch(r"\d+\.\d+", str(told.get("ApiVersion"))):
            raise LookError("garbage", f"{self.where.text}: what answers there is no container engine")
        self._prefix = "/v{}".format(told["ApiVersion"])
        return told

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of one resource.

        :param query: parameters; a mapping becomes JSON (as `filters` are written), None is left out.
        :raises NotThere: 404; LookError: all else that is no answer.
        """
        body = self._read(*self._ask(path, query), path)
        try:
            return json.loads(body)
        except ValueError as error:
            raise LookError("garbage", f"{self.where.text}{path}: no JSON: {error}") from error

    def logs(
        self,
        container: str,
        since: float | None = None,
        until: float | None = None,
        tail: int | None = None,
        tty: bool = False,
    ) -> Iterator[Line]:
        """Stream the log lines of a container, oldest first; nothing is kept but the line at hand.

        :param since: seconds since the epoch, as `until`; None has no bound.
        :param tail: so many last lines at most.
        :param tty: whether the container has a terminal (`Config.Tty`): its log is then one stream without frames.
        :raises LookError: also in the middle, when the deadline passes or the engine goes away.
        """
        path = "/containers/{}/logs".format(quote(container, safe=""))
        query = {"stdout": 1, "stderr": 1, "timestamps": 1, "since": _seconds(since), "until": _seconds(until)}
        wanted = {**query, "tail": "all" if tail is None else tail}
        response, connection = self._ask(path, wanted, alone=True)
        try:
            chunks = self._chunks(response, connection, path)
            yield from lines((("stdout", chunk) for chunk in chunks) if tty else demultiplex(chunks))
        finally:
            response.close()
            connection.close()

    def close(self) -> None:
        """Close the kept connection."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _left(self, path: str) -> float:
        left = self.end - time.monotonic()
        if left <= 0:
            raise LookError("timeout", f"the deadline passed before {self.where.text}{path} had answered")
        return min(left, self.timeout)

    def _ask(
        self, path: str, query: Mapping[str, Any], alone: bool = False
    ) -> tuple[http.client.HTTPResponse, _Connection]:
        """Send one GET; the answer's head has come and is good.

        :param alone: on a connection of its own, which the caller closes.
        """
        given = {
            key: json.dumps(value) if isinstance(value, (dict, list)) else value
            for key, value in query.items()
            if value is not None
        }
        url = self._prefix + path + ("?" + urlencode(given) if given else "")
        response, connection = self._send(url, path, alone)
        self.clock = _date(response) or self.clock
        if response.status < 300:
            return response, connection
        where = f"{self.where.text}{path}"
        said = _message(self._read(response, connection, path))
        if alone:
            connection.close()
        if response.status == 404:
            raise NotThere(f"{where}: {said or 'not there'}")
        if response.status in (401, 403):
            raise LookError("denied", f"{where}: {said or response.status}")
        raise LookError("other", f"{where} answers {response.status}: {said}")

    def _send(self, url: str, path: str, alone: bool) -> tuple[http.client.HTTPResponse, _Connection]:
        kept = None if alone else self._kept
        if kept is not None:
            try:
                return self._exchange(kept, url, path), kept
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if _is_timeout(error):
                    raise _failure(error, f"{self.where.text}{path}") from error
                # An engine may close a connection that was idle: once more, on a new one.
        connection = _Connection(self.where, self.context, self._left(path))
        try:
            response = self._exchange(connection, url, path)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise _failure(error, f"{self.where.text}{path}") from error
        if not alone:
            self._kept = connection
        return response, connection

    def _exchange(self, connection: _Connection, url: str, path: str) -> http.client.HTTPResponse:
        if connection.sock is not None:
            connection.sock.settimeout(self._left(path))
        connection.request("GET", url)
        return connection.getresponse()

    def _chunks(self, response: http.client.HTTPResponse, connection: _Connection, path: str) -> Iterator[bytes]:
        # Python before 3.11 does not count what read1 has read, and would wait for more.
        total, got = response.length, 0
        while total is None or got < total:
            left = self._left(path)
            if connection.sock is not None:
                connection.sock.settimeout(left)
            try:
                chunk = response.read1(_CHUNK if total is None else min(_CHUNK, total - got))
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise _failure(error, f"{self.where.text}{path}") from error
            if not chunk:
                break
            got += len(chunk)
            yield chunk
        if total is not None and got < total:
            raise LookError("garbage", f"{self.where.text}{path}: the answer breaks off")

    def _read(self, response: http.client.HTTPResponse, connection: _Connection, path: str) -> bytes:
        """The whole body; a connection with a body that was not read to its end is of no more use."""
        parts, size, whole = [], 0, False
        try:
            for chunk in self._chunks(response, connection, path):
                size += len(chunk)
                if size > MOST_BYTES:
                    raise LookError("garbage", f"{self.where.text}{path}: more than {MOST_BYTES} bytes")
                parts.append(chunk)
            whole = True
        finally:
            response.close()
            if not whole:
                connection.close()
                self._kept = None if self._kept is connection else self._kept
        return b"".join(parts)


def demultiplex(chunks: Iterator[bytes]) -> Iterator[tuple[str, bytes]]:
    """Take the frames of a multiplexed log apart: eight bytes of head (stream, length), then the text.

    A length is not believed: of a frame that never ends, what came is passed on as it comes.
    """
    head = bytearray()
    stream, left = "stdout", 0
    for chunk in chunks:
        place = 0
        while place < len(chunk):
            if left:
                part = chunk[place : place + left]
                place, left = place + len(part), left - len(part)
                yield stream, part
                continue
            part = chunk[place : place + _FRAME.size - len(head)]
            place += len(part)
            head += part
            if len(head) < _FRAME.size:
                continue
            kind, left = _FRAME.unpack(head)
            if kind not in _STREAMS or head[1:4] != b"\0\0\0":
                raise LookError("garbage", "the log is not in frames: has this container a terminal?")
            stream = _STREAMS[kind]
            head.clear()


def lines(parts: Iterator[tuple[str, bytes]]) -> Iterator[Line]:
    """Put the parts of both streams together to lines; of a very long line the beginning is kept."""
    rest: dict[str, bytearray] = {}
    for stream, part in parts:
        begun = rest.setdefault(stream, bytearray())
        *whole, last = part.split(b"\n")
        for piece in whole:
            begun += piece[: max(MOST_LINE - len(begun), 0)]
            yield _line(stream, begun)
            begun.clear()
        begun += last[: max(MOST_LINE - len(begun), 0)]
    for stream, begun in rest.items():
        if begun:
            yield _line(stream, begun)


def _line(stream: str, raw: bytearray) -> Line:
    text = raw.decode("utf-8", "replace").rstrip("\r")
    stamp = _STAMP.match(text)
    if stamp is None:
        return Line(stream, "", text)
    return Line(stream, stamp.group(1), text[stamp.end() :])


def _seconds(moment: float | None) -> str | None:
    return None if moment is None else "%.9f" % moment


def _date(response: http.client.HTTPResponse) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(response.headers["Date"]).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def _message(body: bytes) -> str:
    try:
        told = json.loads(body)
    except ValueError:
        return body[:300].decode("utf-8", "replace").strip()
    return str(told.get("message") or "")[:300] if isinstance(told, dict) else ""


def _is_timeout(error: BaseException) -> bool:
    """socket.timeout became TimeoutError only in Python 3.10."""
    return isinstance(error, (socket.timeout, TimeoutError)) or getattr(error, "errno", None) == errno.ETIMEDOUT


def _failure(error: BaseException, where: str) -> LookError:
    if _is_timeout(error):
        return LookError("timeout", f"{where}: no answer in time")
    if isinstance(error, ssl.SSLError):
        return LookError("tls", f"{where}: {error}")
    if isinstance(error, PermissionError):
        return LookError("denied", f"{where}: permission denied")
    if isinstance(error, socket.gaierror):
        return LookError("dns", f"{where}: {error.strerror or error}")
    if isinstance(error, (ConnectionRefusedError, FileNotFoundError)):
        return LookError("refused", f"{where}: {error.strerror}")
    if isinstance(error, (ConnectionError, http.client.RemoteDisconnected)):
        return LookError("refused", f"{where}: the connection breaks off: {error}")
    if isinstance(error, OSError):
        return LookError("other", f"{where}: {error.strerror or error}")
    return LookError("garbage", f"{where}: no HTTP: {type(error).__name__}: {error}"[:300])

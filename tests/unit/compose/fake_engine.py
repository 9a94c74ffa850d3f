# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container engine to ask: HTTP on a Unix socket, with the answers that a test gives it."""

from __future__ import annotations

import json
import socket
import socketserver
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Union
from urllib.parse import parse_qs, urlsplit

VERSION = {"Version": "28.5.1", "ApiVersion": "1.51"}
DATE = "Sun, 29 Nov 2026 08:00:00 GMT"

Answer = Union[bytes, Callable[[dict[str, list[str]]], bytes]]


def http(body: Any, status: str = "200 OK", chunked: bool = False, close: bool = False) -> bytes:
    """A whole answer; a body that is not bytes is JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nDate: {DATE}\r\n" + ("Connection: close\r\n" if close else "")
    if not chunked:
        return (head + f"Content-Length: {len(raw)}\r\n\r\n").encode() + raw
    parts = [raw[place : place + 7] for place in range(0, len(raw), 7)]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return (head + "Transfer-Encoding: chunked\r\n\r\n").encode() + framed + b"0\r\n\r\n"


def frame(stream: int, text: bytes) -> bytes:
    """One frame of a multiplexed log."""
    return struct.pack(">BxxxL", stream, len(text)) + text


class FakeEngine:
    """Answers by path without the version prefix; what it does not know is 404.

    :ivar asked: each request line; connections: how many there were.
    """

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = {"/version": http(VERSION), **answers}
        self.asked: list[str] = []
        self.connections = 0
        self.hang_after: int | None = None
        self.folder = tempfile.TemporaryDirectory(prefix="engine-")
        self.path = str(Path(self.folder.name) / "docker.sock")
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def answer(self, line: str) -> bytes | None:
        method, target, _version = line.split(" ")
        self.asked.append(f"{method} {target}")
        if self.hang_after is not None and len(self.asked) > self.hang_after:
            return None
        parts = urlsplit(target)
        path = parts.path
        if path.startswith("/v1."):
            path = "/" + path.split("/", 2)[2]
        found = self.answers.get(path)
        if found is None:
            return http({"message": f"no such thing: {path}"}, "404 Not Found")
        return found if isinstance(found, bytes) else found(parse_qs(parts.query))


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    engine: FakeEngine


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        engine = self.server.engine
        engine.connections += 1
        while True:
            try:
                line = self.rfile.readline().decode().strip()
                while line and self.rfile.readline().strip():
                    pass
            except OSError:
                return
            if not line:
                return
            reply = engine.answer(line)
            if reply is None:
                engine.over.wait(30)
                return
            try:
                self.wfile.write(reply)
            except OSError:
                return
            if b"Connection: close" in reply or not reply.startswith(b"HTTP/"):
                return


@contextmanager
def serving(answers: dict[str, Answer]) -> Iterator[FakeEngine]:
    """An engine that listens while the block runs."""
    engine = FakeEngine(answers)
    server = _Server(engine.path, _Handler)
    server.engine = engine
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield engine
    finally:
        engine.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
        engine.folder.cleanup()


def deaf(path: str) -> socket.socket:
    """A socket that takes connections, and nobody reads them."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(5)
    return listener

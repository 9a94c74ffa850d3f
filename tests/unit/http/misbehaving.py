"""A server that misbehaves on order, at the level of sockets, so that no library corrects it on the way.

As a program it stands in for a server of the lab: ``misbehaving.py --bind 198.51.100.7:3001 --mode garbage``.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable

Answer = Callable[["Connection"], None]


class Connection:
    """One accepted connection: what was asked, and how to answer it."""

    def __init__(self, sock: socket.socket, number: int, stopping: threading.Event) -> None:
        self.sock, self.number, self.stopping = sock, number, stopping
        self.request = b""

    @property
    def path(self) -> str:
        return self.request.split(b" ", 2)[1].decode() if self.request.count(b" ") > 1 else ""

    @property
    def headers(self) -> dict[str, str]:
        lines = self.request.split(b"\r\n\r\n", 1)[0].decode().split("\r\n")[1:]
        return {name.strip().lower(): value.strip() for name, _colon, value in (line.partition(":") for line in lines)}

    def read(self) -> None:
        """Read the head of a request, and its body where it has one."""
        while b"\r\n\r\n" not in self.request:
            part = self.sock.recv(65536)
            if not part:
                return
            self.request += part
        head, _blank, body = self.request.partition(b"\r\n\r\n")
        length = int(self.headers.get("content-length", "0"))
        while len(body) < length:
            body += self.sock.recv(65536)
        self.request = head + b"\r\n\r\n" + body

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(
        self, body: bytes = b"fine", status: str = "200 OK", *headers: str, length: int | str | None = None
    ) -> None:
        shown = len(body) if length is None else length
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {shown}", *headers, "Connection: close", "", ""]
        self.send("\r\n".join(lines).encode("latin-1") + body)

    def reset(self) -> None:
        """Close with a TCP reset instead of an end."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Server:
    """Listens on a port of its own and answers each connection from a thread; a context manager."""

    def __init__(
        self,
        answer: Answer,
        context: ssl.SSLContext | None = None,
        bind: tuple[str, int] = ("127.0.0.1", 0),
        read: bool = True,
    ) -> None:
        self.answer, self.context, self.read = answer, context, read
        self.stopping = threading.Event()
        self.listener = socket.create_server(bind, backlog=512)
        self.host, self.port = self.listener.getsockname()[:2]
        self.connections: list[Connection] = []
        self.thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Server:
        self.thread.start()
        return self

    def __exit__(self, *_why: object) -> None:
        self.stopping.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)

    def url(self, path: str = "/", scheme: str = "") -> str:
        return f"{scheme or ('https' if self.context else 'http')}://{self.host}:{self.port}{path}"

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                sock, _peer = self.listener.accept()
            except OSError:
                return
            connection = Connection(sock, len(self.connections), self.stopping)
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        with contextlib.suppress(OSError):
            try:
                if self.context is not None:
                    connection.sock = self.context.wrap_socket(connection.sock, server_side=True)
                if self.read:
                    connection.read()
                self.answer(connection)
            finally:
                connection.sock.close()


def hang(connection: Connection, seconds: float = 20) -> None:
    """Hold a connection open, until the client has gone or the server stops."""
    connection.sock.settimeout(0.05)
    end = time.monotonic() + seconds
    while not connection.stopping.is_set() and time.monotonic() < end:
        try:
            if not connection.sock.recv(1):
                return
        except (socket.timeout, ssl.SSLError):
            continue


def drip(connection: Connection, data: bytes, pause: float = 0.05) -> None:
    """Send byte by byte: each read succeeds, the whole never ends."""
    for place in range(len(data)):
        connection.send(data[place : place + 1])
        time.sleep(pause)


def _truncate(connection: Connection) -> None:
    connection.answer(b"only the beginning", length=5000)


def _reset(connection: Connection) -> None:
    connection.reset()


def _stall(connection: Connection) -> None:
    connection.answer(b"the first part", length=5000)
    hang(connection)


def _alternate(counter: list[int]) -> Answer:
    lock = threading.Lock()

    def answer(connection: Connection) -> None:
        with lock:
            counter[0] += 1
            number = counter[0]
        if number % 3 == 0:
            connection.answer(b'{"status":"unhealthy","checks":{}}', "503 Service Unavailable")
        else:
            connection.answer(b'{"status":"healthy","checks":{}}', "200 OK", "Content-Type: application/json")

    return answer


MODES: dict[str, Answer] = {
    "ok": lambda it: it.answer(b'{"status":"healthy","checks":{}}', "200 OK", "Content-Type: application/json"),
    "garbage": lambda it: it.send(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"),
    "closed": lambda _it: None,
    "hang": hang,
    "reset": _reset,
    "truncated": _truncate,
    "stall": _stall,
    "surplus": lambda it: it.answer(b"more than was promised", length=4),
    "length": lambda it: it.answer(b"what", length="four"),
    "chunks": lambda it: it.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nwhat\r\n"),
    "gzip": lambda it: it.answer(gzip.compress(b"packed"), "200 OK", "Content-Encoding: gzip"),
    "loop": lambda it: it.answer(b"", "302 Found", f"Location: {it.path}"),
    "elsewhere": lambda it: it.answer(b"", "302 Found", "Location: http://login.nexuscos.example.com/"),
    "wrong-content": lambda it: it.answer(b'{"status":"starting"}', "200 OK", "Content-Type: application/json"),
    "unsteady": _alternate([0]),
}


def main() -> None:
    """Serve one mode at one address until killed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bind", required=True, help="ADDRESS:PORT")
    parser.add_argument("--mode", required=True, choices=sorted(MODES))
    given = parser.parse_args()
    host, _colon, port = given.bind.rpartition(":")
    with Server(MODES[given.mode], bind=(host, int(port))):
        threading.Event().wait()


if __name__ == "__main__":
    main()

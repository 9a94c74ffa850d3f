# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes beside a test: none outlives it, and whatever is waited for has a limit that a busy machine keeps.

A test never assumes how far a process has got. It makes it stop at a known place (a lock, a gate, a narrow way, a slow
server), waits until it is there, and only then breaks something.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

LIMIT = 240.0
"""Seconds that anything may take; only what hangs takes as long."""

_T = TypeVar("_T")
_Process = TypeVar("_Process", bound="subprocess.Popen[Any]")
_RUNNING: list[subprocess.Popen[Any]] = []


def watched(process: _Process) -> _Process:
    """Let a process be ended with the test, however that ends."""
    _RUNNING.append(process)
    return process


def end_all() -> list[str]:
    """End what a test has left, and tell it. What was killed, and waited for by nobody, is not told."""
    left = []
    while _RUNNING:
        process = _RUNNING.pop()
        if process.poll() is None:
            left.append(" ".join(map(str, process.args)) if isinstance(process.args, list) else str(process.args))
        end(process)
    return left


def end(process: subprocess.Popen[Any]) -> None:
    """End a process, with its group where it has one of its own, and close its pipes."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(process.pid) == process.pid:
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait(LIMIT)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def wait_for(condition: Callable[[], _T], what: str, process: subprocess.Popen[Any] | None = None) -> _T:
    """Wait until something holds, and return it.

    :param process: of which it is expected: when that ends, waiting any longer is of no use.
    """
    until = time.monotonic() + LIMIT
    while True:
        over = process is not None and process.poll() is not None
        found = condition()
        if found:
            return found
        assert process is None or not over, f"before {what}, it ended: {process.communicate()}"
        assert time.monotonic() < until, f"never: {what}"
        time.sleep(0.02)


def said(process: subprocess.Popen[str]) -> str:
    """What a process has said when it has ended."""
    text: str = process.communicate(timeout=LIMIT)[0]
    return text


def answer_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What a module returns that was started by itself."""
    out, errors = process.communicate(timeout=LIMIT)
    assert out.strip(), errors
    found: dict[str, Any] = json.loads(out)
    return found


def children(pid: int, name: str = "") -> list[int]:
    """Processes that a process has started, of a name or of any."""
    listed = subprocess.run(
        ["ps", "--ppid", str(pid), "-o", "pid=,stat=,comm="], capture_output=True, text=True, check=False
    ).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    return [int(row[0]) for row in rows if row[1][0] != "Z" and name in ("", row[2].strip())]


def is_gone(pid: int) -> bool:
    """Whether a process has ended. One that nobody has waited for is gone, too."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def free_port() -> int:
    """A port that nobody listens at, and that the kernel gives to no connection: it lies below those."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        lowest = int(file.read().split()[0])
    for _attempt in range(200):
        port = lowest - 1 - int.from_bytes(os.urandom(2), "little") % 8000
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind(("", port))
            return port
    raise AssertionError("no port is free")


class Narrow:
    """A way to a server of this machine that lets so many bytes of one direction through, and then no more.

    :param down: bytes from the server to its clients; up: bytes to the server; None lets all through.
    :ivar port: where clients go instead; held: set when somebody stands at the narrow place.
    """

    def __init__(self, port: int, down: int | None = None, up: int | None = None) -> None:
        self._to, self._left = port, {"down": down, "up": up}
        self._lock, self._open, self.held = threading.Lock(), threading.Event(), threading.Event()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def widen(self) -> None:
        """Let all through from now on, and what stands there first."""
        self._open.set()

    def __enter__(self) -> Narrow:
        self._run(self._accept)
        return self

    def __exit__(self, *_error: object) -> None:
        self.widen()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        # Whoever is still at work adds neither sockets nor threads once the listener is gone.
        self._threads[0].join()
        for one in self._sockets:
            _shut(one)
        for thread in self._threads:
            thread.join()
        for one in self._sockets:
            one.close()

    def _run(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            self._sockets.append(client)
            try:
                server = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                _shut(client)
                continue
            self._sockets.append(server)
            self._run(self._pump, server, client, "down")
            self._run(self._pump, client, server, "up")

    def _pump(self, source: socket.socket, sink: socket.socket, way: str) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if not self._may_pass(way, len(data)):
                    self.held.set()
                    self._open.wait()
                sink.sendall(data)
        _shut(source)
        _shut(sink)

    def _may_pass(self, way: str, count: int) -> bool:
        with self._lock:
            left = self._left[way]
            if left is None or self._open.is_set():
                return True
            self._left[way] = max(0, left - count)
            return left >= count


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """Processes stand still meanwhile."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

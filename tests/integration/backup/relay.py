# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A way to a server on which the long answer is stopped in its middle: from there it is cut, or goes silent.

Each connection may bring so many bytes. Short answers pass, and the one that is a dump does not.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any


class Relay:
    """Listens on 127.0.0.1 as long as the block lasts.

    :param server: where to; most: bytes that one connection may bring from there.
    :ivar port: where clients go instead; held: set when a connection has brought as many, and is stopped.
    """

    def __init__(self, server: tuple[str, int], most: int) -> None:
        self._server, self._most = server, most
        self._on, self._open = threading.Event(), False
        self.held = threading.Event()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def release(self) -> None:
        """Let all through, what is held first."""
        self._open = True
        self._on.set()

    def cut(self) -> None:
        """Close all connections. What is held does not come any more."""
        self._on.set()
        for one in list(self._sockets):
            _shut(one)

    def __enter__(self) -> Relay:
        self._run(self._accept)
        return self

    def __exit__(self, *_error: object) -> None:
        _shut(self._listener)
        self._listener.close()
        # When nobody listens any more, there are no more connections than those that are cut now.
        self._threads[0].join()
        self.cut()
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
                server = socket.create_connection(self._server)
            except OSError:
                _shut(client)
                continue
            self._sockets.append(server)
            self._run(self._pump, server, client, self._most)
            self._run(self._pump, client, server, None)

    def _pump(self, source: socket.socket, sink: socket.socket, most: int | None) -> None:
        brought = 0
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 14):
                brought += len(data)
                if most is not None and brought > most and not self._open:
                    self.held.set()
                    self._on.wait()
                    if not self._open:
                        break
                sink.sendall(data)
        _shut(source)
        _shut(sink)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)

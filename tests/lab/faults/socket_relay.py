#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hand a Unix socket on: what connects here speaks with the server there.

usage: socket_relay.py HERE THERE
"""

from __future__ import annotations

import contextlib
import os
import socket
import socketserver
import sys
import threading


def copy(source: socket.socket, target: socket.socket) -> None:
    """Until the end."""
    with contextlib.suppress(OSError):
        while True:
            data = source.recv(65536)
            if not data:
                break
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class Relay(socketserver.BaseRequestHandler):
    """One connection."""

    def handle(self) -> None:
        """Both directions."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
            server.connect(sys.argv[2])
            back = threading.Thread(target=copy, args=(server, self.request), daemon=True)
            back.start()
            copy(self.request, server)
            back.join()


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """One thread a connection."""

    daemon_threads = True


def main() -> None:
    """Relay until killed."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(sys.argv[1])
    with Server(sys.argv[1], Relay) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()

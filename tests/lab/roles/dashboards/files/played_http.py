# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small HTTP server for systems that are played: a function from request to status and document."""

from __future__ import annotations

import json
import socketserver
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Route = Callable[[str, str, dict[str, list[str]], Any, str], "tuple[int, Any]"]
"""Method, path, query, body and Authorization header to status and document."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    timeout = 30
    server: Server

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            given = json.loads(body) if body else None
        except ValueError:
            given = None
        try:
            status, document = self.server.route(
                self.command, parts.path, parse_qs(parts.query), given, self.headers.get("Authorization") or ""
            )
        except Exception as error:  # noqa: BLE001 - a fault file with a mistake in it must not look like a dead server
            status, document = 500, {"message": f"{type(error).__name__}: {error}"}
        raw = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_POST = do_HEAD = _serve

    def log_message(self, *_what: Any) -> None:
        """Nothing: the log is for what goes wrong."""


class Server(ThreadingHTTPServer):
    """Serves with a thread for each connection."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], route: Route) -> None:
        super().__init__(address, Handler)
        self.route = route

    def server_bind(self) -> None:
        """Without the look for the name of the address, which takes ten seconds where there is no name server."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

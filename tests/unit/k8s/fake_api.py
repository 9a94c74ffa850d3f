# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server of a few dozen lines: serves documents as lists with pages, logs, refusals and worse."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ansible_collections.nexuscos.ops.plugins.module_utils._k8s.kinds import KINDS


class FakeApi:
    """Serves `objects` (API documents by resource name, ``deployments.apps``) on a port of 127.0.0.1.

    :ivar refuse: HTTP status and message by resource name, or by path.
    :ivar logs: text by ``namespace/pod/container``.
    :ivar events: documents of core/v1 Event.
    :ivar page: objects a page; 0 sends everything in one answer, as a watch cache does with resourceVersion=0.
    :ivar requests: the request lines seen.
    """

    def __init__(self, objects: dict[str, list[Any]] | None = None, page: int = 0) -> None:
        self.objects = objects or {}
        self.refuse: dict[str, tuple[int, str]] = {}
        self.raw: dict[str, bytes] = {}
        self.delay: dict[str, float] = {}
        self.logs: dict[str, str] = {}
        self.events: list[Any] = []
        self.documents: dict[str, Any] = {"/version": {"gitVersion": "v1.36.3"}}
        self.page = page
        self.requests: list[str] = []
        self.expire_once = False
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                api.requests.append(self.path)
                status, body = api.answer(self.path)
                if "gzip" in self.headers.get("Accept-Encoding", "") and len(body) > 1024:
                    body = gzip.compress(body, 1)
                    self.send_response(status)
                    self.send_header("Content-Encoding", "gzip")
                else:
                    self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]

    def __enter__(self) -> FakeApi:
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, target: str) -> tuple[int, bytes]:
        """Status and body for a request target."""
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        if path in self.delay:
            time.sleep(self.delay[path])
        if path in self.raw:
            return 200, self.raw[path]
        if path in self.refuse:
            return self.status(*self.refuse[path])
        if path == "/readyz":
            return 200, b"ok"
        if path in self.documents:
            return 200, json.dumps(self.documents[path]).encode()
        if path.endswith("/log"):
            parts = path.split("/")
            key = f"{parts[4]}/{parts[6]}/{query['container'][0]}"
            if key not in self.logs:
                return self.status(400, "previous terminated container not found")
            return 200, self.logs[key].encode()
        if path.endswith("/events"):
            namespace = path.split("/")[4]
            return self.listing(
                "Event", [one for one in self.events if one["involvedObject"]["namespace"] == namespace], query
            )
        for kind in KINDS:
            inner = path[len(kind.path) + 1 :].split("/") if path.startswith(kind.path + "/") else []
            if inner == [kind.plural] or (len(inner) == 3 and inner[0] == "namespaces" and inner[2] == kind.plural):
                if kind.name in self.refuse:
                    return self.status(*self.refuse[kind.name])
                found = self.objects.get(kind.name, [])
                if len(inner) == 3:
                    found = [one for one in found if one["metadata"].get("namespace") == inner[1]]
                return self.listing(kind.plural, found, query)
        return self.status(404, "the server could not find the requested resource")

    def listing(self, kind: str, found: list[Any], query: dict[str, list[str]]) -> tuple[int, bytes]:
        """A list, in pages where this server makes pages."""
        begin = int(query.get("continue", ["0"])[0])
        if begin and self.expire_once:
            self.expire_once = False
            return self.status(410, "The provided continue parameter is too old")
        end = begin + self.page if self.page else len(found)
        meta = {"resourceVersion": "7", "continue": str(end)} if end < len(found) else {"resourceVersion": "7"}
        body = {"kind": kind + "List", "apiVersion": "v1", "metadata": meta, "items": found[begin:end]}
        return 200, json.dumps(body).encode()

    @staticmethod
    def status(code: int, message: str) -> tuple[int, bytes]:
        """A refusal as an API server words it."""
        return code, json.dumps({"kind": "Status", "status": "Failure", "message": message, "code": code}).encode()

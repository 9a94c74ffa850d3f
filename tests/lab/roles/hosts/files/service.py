#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""usage: service.py NAME PORT: a legacy instance of a service on a host; answers /health, logs JSON to the journal
and a file."""

from __future__ import annotations

import http.server
import json
import sys
import time

NAME, PORT = sys.argv[1], int(sys.argv[2])
STARTED = time.monotonic()


def log(level: str, message: str, **more: object) -> None:
    """One JSON line to the journal and to the service's file."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = json.dumps({"time": now, "level": level, "service": NAME, "message": message, **more})
    print(line, flush=True)
    with open("/var/log/nexus-cos/%s.log" % NAME, "a", encoding="utf-8") as out:
        out.write(line + "\n")


class Handler(http.server.BaseHTTPRequestHandler):
    """Health, and nothing else."""

    def do_GET(self) -> None:
        """Answer /health and its like with JSON, all else with 404."""
        known = self.path in ("/health", "/health/live", "/health/ready")
        answer = (
            {"status": "ok", "service": NAME, "uptime": round(time.monotonic() - STARTED)}
            if known
            else {"error": "not found"}
        )
        body = json.dumps(answer).encode()
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """The journal gets what matters, not each request."""


log("info", "started", port=PORT)
http.server.ThreadingHTTPServer(("", PORT), Handler).serve_forever()

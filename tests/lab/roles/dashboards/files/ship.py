#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ships the access log of the edge to the played Elasticsearch, and a line of its own every few seconds.

usage: ship.py URL INDEX LOG READY   (the API key in ELASTICSEARCH_KEY; READY is made when the first line is there)
"""

from __future__ import annotations

import datetime
import json
import os
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

EVERY_S = 3.0
_MOST_LINES = 50


def send(url: str, document: dict[str, Any]) -> bool:
    """Send one document; False where nobody takes it."""
    headers = {"Authorization": f"ApiKey {os.environ['ELASTICSEARCH_KEY']}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(document).encode(), headers)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=3):
            return True
    except OSError:
        return False


def main() -> None:
    """Ship until the end."""
    base, index, log, ready = sys.argv[1:]
    url = f"{base}/{index}/_doc"
    place = Path(log).stat().st_size if Path(log).exists() else 0
    while True:
        now = datetime.datetime.now(datetime.timezone.utc).isoformat()
        load = os.getloadavg()[0]
        sent = send(
            url, {"@timestamp": now, "message": "shipper is alive", "load": load, "log": {"file": {"path": log}}}
        )
        if sent:
            Path(ready).touch()
            place = _lines(url, Path(log), place)
        time.sleep(EVERY_S)


def _lines(url: str, log: Path, place: int) -> int:
    """Ship what was written since; returns how far it came."""
    if not log.exists():
        return place
    with log.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        # A log that has become shorter was begun anew.
        stream.seek(place if place <= size else 0)
        for raw in stream.readlines(_MOST_LINES * 200)[-_MOST_LINES:]:
            try:
                row = json.loads(raw)
                document = {"@timestamp": str(row.pop("time")), "nginx": row}
            except (ValueError, AttributeError, KeyError):
                continue
            send(url, document)
        return stream.tell()


if __name__ == "__main__":
    main()

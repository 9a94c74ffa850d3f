#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays Grafana's HTTP API: no package of a real one can be had here.

usage: play_grafana.py HOST PORT FAULTS PROMETHEUS_URL ELASTICSEARCH_URL   (the token in GRAFANA_TOKEN, the API key of
Elasticsearch in ELASTICSEARCH_KEY)

What it is asked for in the shape of Grafana's manual: health, data sources, their health, search, dashboards. Whether a
data source answers is no play: it is asked, at its URL. Files in the folder FAULTS change the rest from the next
request on, see `documents`.
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "module_utils"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from nexuslab.played import with_faults
from played_http import Server

BOARDS = {"platform": "Platform overview", "databases": "Databases", "edge": "Edge"}
UNAUTHORIZED = (401, {"message": "Invalid API key", "messageId": "api-key.invalid", "statusCode": 401, "traceID": ""})


def documents(faults: Path, prometheus: str, elasticsearch: str, token: str) -> dict[str, Any]:
    """Healthy answers, changed by the faults that are in force (see `with_faults`)."""
    found: dict[str, Any] = {
        "token": token,
        "health": {"commit": "4f3a8b1", "database": "ok", "version": "11.2.0"},
        "datasources": [
            {
                "id": number,
                "uid": uid,
                "orgId": 1,
                "name": name,
                "type": uid,
                "typeName": name,
                "access": "proxy",
                "url": url,
                "user": "",
                "database": "",
                "basicAuth": False,
                "isDefault": number == 1,
                "jsonData": {},
                "readOnly": True,
            }
            for number, (uid, name, url) in enumerate(
                [("prometheus", "Prometheus", prometheus), ("elasticsearch", "Logs", elasticsearch)], 1
            )
        ],
        "search": [
            {
                "id": number,
                "uid": uid,
                "orgId": 1,
                "title": title,
                "uri": f"db/{uid}",
                "url": f"/d/{uid}/{title.lower().replace(' ', '-')}",
                "slug": "",
                "type": "dash-db",
                "tags": [],
                "isStarred": False,
                "folderUid": "operations",
                "folderTitle": "Operations",
                "sortMeta": 0,
            }
            for number, (uid, title) in enumerate(BOARDS.items(), 10)
        ],
    }
    for uid, title in BOARDS.items():
        source = {"type": "prometheus", "uid": "prometheus"}
        found[f"dashboard {uid}"] = {
            "meta": {"type": "db", "slug": uid, "version": 4, "folderTitle": "Operations"},
            "dashboard": {
                "uid": uid,
                "title": title,
                "schemaVersion": 39,
                "version": 4,
                "time": {"from": "now-6h", "to": "now"},
                "panels": [
                    {"id": 1, "type": "row", "collapsed": True, "panels": [{"id": 2, "datasource": source}]},
                    {"id": 3, "type": "timeseries", "datasource": source, "targets": [{"datasource": source}]},
                ],
            },
        }
    return with_faults(found, faults, lambda value: value)


def source_health(source: dict[str, Any], key: str) -> tuple[int, Any]:
    """Ask a data source, as its plugin does."""
    path = "/api/v1/query?query=1%2B1" if source["type"] == "prometheus" else "/_cluster/health"
    headers = {"Authorization": f"ApiKey {key}"} if source["type"] == "elasticsearch" else {}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(source["url"] + path, headers=headers), timeout=4) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        error.close()
        return 400, {"message": f"{source['typeName']} answers {error.code}", "status": "ERROR"}
    except (OSError, ValueError) as error:
        said = getattr(error, "reason", None) or error
        return 400, {"message": f'Get "{source["url"]}{path}": {said}', "status": "ERROR"}
    return 200, {"message": f"Successfully queried the {source['typeName']} API.", "status": "OK"}


class Grafana:
    """Answers requests."""

    def __init__(self, faults: Path, prometheus: str, elasticsearch: str, token: str, key: str) -> None:
        self.where = (faults, prometheus, elasticsearch, token)
        self.key = key

    def route(self, method: str, path: str, _query: dict[str, list[str]], _body: Any, login: str) -> tuple[int, Any]:
        """One request."""
        found = documents(*self.where)
        if path == "/api/health":
            return (200 if found["health"].get("database") == "ok" else 503), found["health"]
        if login != f"Bearer {found['token']}":
            return UNAUTHORIZED
        if method == "GET" and path == "/api/datasources":
            return 200, found["datasources"]
        if path.startswith("/api/datasources/uid/") and path.endswith("/health"):
            uid = path.split("/")[4]
            source = next((one for one in found["datasources"] if one["uid"] == uid), None)
            if source is not None:
                return source_health(source, self.key)
            return 404, {"message": "data source not found", "messageId": "datasources.notFound"}
        if path == "/api/search":
            return 200, found["search"]
        if path.startswith("/api/dashboards/uid/"):
            uid = path.rsplit("/", 1)[1]
            if any(one["uid"] == uid for one in found["search"]):
                return 200, found[f"dashboard {uid}"]
            return 404, {"message": "Dashboard not found", "status": "not-found"}
        return 404, {"message": "Not found"}


def main() -> None:
    """Serve until the end."""
    host, port, faults, prometheus, elasticsearch = sys.argv[1:]
    played = Grafana(
        Path(faults), prometheus, elasticsearch, os.environ["GRAFANA_TOKEN"], os.environ["ELASTICSEARCH_KEY"]
    )
    Server((host, int(port)), played.route).serve_forever()


if __name__ == "__main__":
    main()

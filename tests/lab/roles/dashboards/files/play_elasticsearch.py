#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays Elasticsearch's and Kibana's HTTP API: no package of a real one can be had here.

usage: play_elasticsearch.py HOST PORT FAULTS   (the API key in ELASTICSEARCH_KEY)
       play_elasticsearch.py HOST PORT FAULTS kibana ELASTICSEARCH_URL

What it is asked for in the shape of Elastic's manual. The documents are no play: they are those that are sent to it
(POST /<index>/_doc, the newest 500 of each index are kept), and Kibana really asks the cluster. Files in the folder
FAULTS change what the cluster says about itself, see `documents`.
"""

from __future__ import annotations

import collections
import datetime
import fnmatch
import os
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "module_utils"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from nexuslab.played import with_faults
from played_http import Server

GIB = 1 << 30
_STARTED = time.time()


def documents(faults: Path, key: str) -> dict[str, Any]:
    """Healthy answers, changed by the faults that are in force (see `with_faults`)."""
    node = {
        "name": "es-1",
        "roles": ["data", "ingest", "master"],
        "fs": {"total": {"total_in_bytes": 200 * GIB, "free_in_bytes": 120 * GIB, "available_in_bytes": 120 * GIB}},
        "jvm": {"uptime_in_millis": 20 * 86_400_000, "mem": {"heap_used_percent": 42}},
        "thread_pool": {
            "write": {"threads": 2, "queue": 0, "active": 0, "rejected": 0, "largest": 2, "completed": 90210}
        },
    }
    found: dict[str, Any] = {
        "key": key,
        "root": {
            "name": "es-1",
            "cluster_name": "platform-logs",
            "cluster_uuid": "cT8bT1sUSn2i3pXlqX0KkQ",
            "version": {"number": "8.15.1", "build_flavor": "default", "lucene_version": "9.11.1"},
            "tagline": "You Know, for Search",
        },
        "health": {
            "cluster_name": "platform-logs",
            "status": "green",
            "timed_out": False,
            "number_of_nodes": 1,
            "number_of_data_nodes": 1,
            "active_primary_shards": 4,
            "active_shards": 4,
            "relocating_shards": 0,
            "initializing_shards": 0,
            "unassigned_shards": 0,
            "number_of_pending_tasks": 0,
            "task_max_waiting_in_queue_millis": 0,
            "active_shards_percent_as_number": 100.0,
        },
        "nodes": {"cluster_name": "platform-logs", "nodes": {"x7n2ZbYlQ3C1": node}},
        "blocks": {},
        "kibana": {
            "name": "kibana",
            "version": {"number": "8.15.1"},
            "status": {"overall": {"level": "available", "summary": "All services and plugins are available"}},
        },
    }
    return with_faults(found, faults, lambda value: value)


class Elasticsearch:
    """Answers requests, and keeps the documents that it is sent."""

    def __init__(self, faults: Path, key: str) -> None:
        self.faults, self.key = faults, key
        self.lock = threading.Lock()
        self.indices: dict[str, collections.deque[dict[str, Any]]] = {}

    def route(self, method: str, path: str, _query: dict[str, list[str]], body: Any, login: str) -> tuple[int, Any]:
        """One request."""
        found = documents(self.faults, self.key)
        if login != f"ApiKey {found['key']}":
            reason = "unable to authenticate with provided credentials"
            return 401, {"error": {"type": "security_exception", "reason": reason}, "status": 401}
        parts = path.strip("/").split("/")
        if method == "POST" and parts[-1] == "_doc":
            return self.keep(parts[0], body)
        if parts[-1] == "_search":
            return 200, self.search(parts[0], body or {})
        name = {"": "root", "_cluster": "health", "_nodes": "nodes", "_all": "blocks"}.get(parts[0])
        if name is None:
            error = {"type": "index_not_found_exception", "reason": f"no such index [{parts[0]}]"}
            return 404, {"error": error, "status": 404}
        return 200, found[name]

    def keep(self, index: str, document: Any) -> tuple[int, Any]:
        """Take in a document."""
        if index in documents(self.faults, self.key)["blocks"]:
            reason = f"index [{index}] blocked by: [FORBIDDEN/12/index read-only / allow delete (api)];"
            return 403, {"error": {"type": "cluster_block_exception", "reason": reason}, "status": 403}
        moment = datetime.datetime.fromisoformat(document["@timestamp"].replace("Z", "+00:00"))
        with self.lock:
            kept = self.indices.setdefault(index, collections.deque(maxlen=500))
            kept.append({"millis": int(moment.timestamp() * 1000), "document": document})
        return 201, {"_index": index, "_id": str(len(kept)), "result": "created"}

    def search(self, pattern: str, body: dict[str, Any]) -> dict[str, Any]:
        """The newest document that is not from the future: the only search that it knows."""
        now = time.time() * 1000
        field = next(iter((body.get("sort") or [{"@timestamp": {}}])[0]))
        with self.lock:
            names = [name for name in self.indices if any(fnmatch.fnmatch(name, one) for one in pattern.split(","))]
            rows = [(one["millis"], name) for name in names for one in self.indices[name] if one["millis"] <= now]
        hits = [
            {"_index": name, "_id": "1", "_score": None, "fields": {field: [str(millis)]}, "sort": [millis]}
            for millis, name in sorted(rows, reverse=True)[:1]
        ]
        return {
            "took": 1,
            "timed_out": False,
            "_shards": {"total": len(names), "successful": len(names), "skipped": 0, "failed": 0},
            "hits": {"max_score": None, "hits": hits},
        }


class Kibana:
    """Answers the question for Kibana's state, and asks the cluster for it."""

    def __init__(self, faults: Path, url: str) -> None:
        self.faults, self.url = faults, url

    def route(self, _method: str, path: str, _query: dict[str, list[str]], _body: Any, _login: str) -> tuple[int, Any]:
        """One request."""
        if path != "/api/status":
            return 404, {"statusCode": 404, "error": "Not Found", "message": "Not Found"}
        document = documents(self.faults, "")["kibana"]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(self.url, timeout=2):
                pass
        except urllib.error.HTTPError as answer:
            answer.close()  # it answers, and wants a login
        except OSError as error:
            said = f"Unable to retrieve version information from Elasticsearch nodes. {error}"
            document["status"] = {
                "overall": {"level": "critical", "summary": "1 service is critical: elasticsearch"},
                "core": {"elasticsearch": {"level": "critical", "summary": said}},
            }
        return (503 if document["status"]["overall"]["level"] in ("unavailable", "critical") else 200), document


def main() -> None:
    """Serve until the end."""
    host, port, faults = sys.argv[1:4]
    if sys.argv[4:5] == ["kibana"]:
        Server((host, int(port)), Kibana(Path(faults), sys.argv[5]).route).serve_forever()
    else:
        Server((host, int(port)), Elasticsearch(Path(faults), os.environ["ELASTICSEARCH_KEY"]).route).serve_forever()


if __name__ == "__main__":
    main()

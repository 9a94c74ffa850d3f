# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look itself: what a cluster says about itself, and the newest document of each index pattern."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from .._core.web import Answer, Request, Web

_HEALTH = (
    "cluster_name", "status", "timed_out", "number_of_nodes", "number_of_data_nodes", "unassigned_shards",
    "initializing_shards", "relocating_shards", "active_shards_percent_as_number", "number_of_pending_tasks",
)  # fmt: skip
_MOST_NODES = 500
_MOST_BLOCKED = 50


@dataclass(frozen=True)
class Index:
    """An index pattern into which documents must flow.

    :ivar name: in findings; pattern: index, alias, data stream, or several with wildcards.
    :ivar timestamp: the field with a document's time.
    :ivar data_view: id of the data view in Kibana, for links.
    """

    name: str
    pattern: str
    timestamp: str = "@timestamp"
    data_view: str = ""


def collect(web: Web, kibana: Web | None, indices: Sequence[Index], links: Mapping[str, Any]) -> dict[str, Any]:
    """Look at a cluster, and at its Kibana.

    :param kibana: None where there is none.
    :param links: ``url`` of Kibana as people use it (may be empty), and ``hours`` that links look back.
    :returns: plain JSON values: an answer (status, data, error) for each request.
    """
    began = time.time()
    seen: dict[str, Any] = {
        "now": round(began, 1),
        "url": web.base,
        "links": dict(links),
        "root": None,
        "health": None,
        "nodes": None,
        "blocks": None,
        "indices": {},
        "kibana": None,
        "kibana_url": kibana.base if kibana is not None else None,
    }
    if kibana is not None:
        seen["kibana"] = _kibana(kibana.get("/api/status"))
    root = web.get("/")
    seen["root"] = _root(root)
    if root.status is None:
        return seen
    stats = "/_nodes/stats/fs,jvm,thread_pool"
    wanted = (
        "nodes.*.name,nodes.*.roles,nodes.*.fs.total,nodes.*.jvm.uptime_in_millis,nodes.*.jvm.mem.heap_used_percent"
    )
    requests = [
        # By itself a cluster without a master thinks about this for half a minute.
        Request("/_cluster/health", {"master_timeout": "2s"}),
        Request(stats, {"filter_path": wanted + ",nodes.*.thread_pool.write"}),
        Request(
            "/_all/_settings/index.blocks.read_only_allow_delete", {"expand_wildcards": "all", "flat_settings": "true"}
        ),
        *(_newest(one) for one in indices),
    ]
    health, nodes, blocks, *found = web.many(requests)
    seen["health"] = _kept(health, _HEALTH)
    seen["nodes"] = _nodes(nodes)
    seen["blocks"] = _blocks(blocks)
    for one, answer in zip(indices, found):
        seen["indices"][one.name] = {
            "pattern": one.pattern,
            "timestamp": one.timestamp,
            "data_view": one.data_view,
            **_document(answer, one.timestamp),
        }
    seen["took_ms"] = round((time.time() - began) * 1000, 1)
    return seen


def _newest(index: Index) -> Request:
    """A document that claims to be from the future would hide that nothing comes any more."""
    field = index.timestamp
    body = {
        "size": 1,
        "track_total_hits": False,
        "_source": False,
        "query": {"range": {field: {"lte": "now"}}},
        "sort": [{field: {"order": "desc", "unmapped_type": "date"}}],
        "docvalue_fields": [{"field": field, "format": "epoch_millis"}],
    }
    path = f"/{quote(index.pattern, safe='*,-_.')}/_search"
    return Request(path, {"ignore_unavailable": "true", "allow_no_indices": "true"}, data=body)


def _answer(answer: Answer, data: Any) -> dict[str, Any]:
    return {"status": answer.status, "error": answer.error, "ms": answer.ms, "data": data}


def _kept(answer: Answer, keys: Sequence[str]) -> dict[str, Any]:
    data = answer.data
    return _answer(answer, {key: data[key] for key in keys if key in data} if isinstance(data, Mapping) else None)


def _root(answer: Answer) -> dict[str, Any]:
    kept = _kept(answer, ("name", "cluster_name", "tagline"))
    version = answer.data.get("version") if isinstance(answer.data, Mapping) else None
    if kept["data"] is not None and isinstance(version, Mapping):
        kept["data"]["version"] = version.get("number")
    return kept


def _nodes(answer: Answer) -> dict[str, Any]:
    nodes = answer.data.get("nodes") if isinstance(answer.data, Mapping) else None
    if not answer.ok or not isinstance(nodes, Mapping):
        return _answer(answer, None)
    rows = []
    for node in list(nodes.values())[:_MOST_NODES]:
        disk, write = _at(node, "fs", "total"), _at(node, "thread_pool", "write")
        rows.append(
            {
                "name": _at(node, "name"),
                "disk_bytes": _at(disk, "total_in_bytes"),
                "free_bytes": _at(disk, "available_in_bytes"),
                "heap_percent": _at(node, "jvm", "mem", "heap_used_percent"),
                "uptime_ms": _at(node, "jvm", "uptime_in_millis"),
                "rejected": _at(write, "rejected"),
                "queue": _at(write, "queue"),
            }
        )
    return _answer(answer, rows)


def _blocks(answer: Answer) -> dict[str, Any]:
    """Names of the indices that are blocked: only they have the setting."""
    if not answer.ok or not isinstance(answer.data, Mapping):
        return _answer(answer, None)
    names = []
    for name, one in answer.data.items():
        settings = _at(one, "settings")
        if isinstance(settings, Mapping) and "true" in [str(value).lower() for value in settings.values()]:
            names.append(str(name))
    return _answer(answer, {"count": len(names), "names": sorted(names)[:_MOST_BLOCKED]})


def _document(answer: Answer, field: str) -> dict[str, Any]:
    """The time of the newest document in seconds since 1970, and what the search said of its shards."""
    hits, shards = _at(answer.data, "hits", "hits"), _at(answer.data, "_shards")
    if not answer.ok or not isinstance(hits, list):
        return _answer(answer, None)
    found: dict[str, Any] = {
        "shards": _at(shards, "total"),
        "failed": _at(shards, "failed"),
        "time": None,
        "index": None,
    }
    if hits:
        values = _at(hits[0], "fields", field)
        sort = _at(hits[0], "sort")
        found["index"] = _at(hits[0], "_index")
        for value in [*(values if isinstance(values, list) else ()), *(sort if isinstance(sort, list) else ())][:1]:
            try:
                found["time"] = float(value) / 1000
            except (TypeError, ValueError, OverflowError):
                found["time"] = None
    return _answer(answer, found)


def _kibana(answer: Answer) -> dict[str, Any]:
    """Level of the whole and of what is not available; Kibana 7 has a state in its place."""
    overall = _at(answer.data, "status", "overall")
    if not isinstance(overall, Mapping):
        return _answer(answer, None)
    data = {
        "level": overall.get("level") or overall.get("state"),
        "summary": overall.get("summary") or overall.get("title"),
        "version": _at(answer.data, "version", "number"),
        "bad": {},
    }
    for part in ("core", "plugins"):
        for name, one in (_at(answer.data, "status", part) or {}).items() if _is_map(answer.data, part) else ():
            level = _at(one, "level")
            if level is not None and level != "available" and len(data["bad"]) < 10:
                data["bad"][str(name)] = f"{level}: {_at(one, 'summary') or ''}"
    return _answer(answer, data)


def _is_map(data: Any, part: str) -> bool:
    return isinstance(_at(data, "status", part), Mapping)


def _at(data: Any, *path: str) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data

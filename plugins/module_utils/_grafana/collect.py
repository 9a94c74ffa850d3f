# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look itself: what Grafana says about itself, its data sources and its dashboards, over its HTTP API."""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from .._core.web import Answer, Request, Web

_MOST_DASHBOARDS = 5000
_SOURCE = ("uid", "name", "type", "isDefault", "readOnly")
_FOUND = ("uid", "title", "url", "folderTitle")


def collect(web: Web, dashboards: Sequence[str], ignore: Sequence[str], links: Mapping[str, Any]) -> dict[str, Any]:
    """Look at a Grafana. What it says about itself first; a dead one is not asked for the rest.

    :param dashboards: titles or uids of the dashboards that are opened.
    :param ignore: names or globs of data sources that are not asked whether they answer.
    :param links: ``url`` that people use, and ``hours`` that links look back.
    :returns: plain JSON values: an answer (status, data, error) for each request.
    """
    began = time.time()
    seen: dict[str, Any] = {
        "now": round(began),
        "url": web.base,
        "links": dict(links),
        "health": _kept(web.get("/api/health"), ("database", "version", "message")),
        "datasources": None,
        "dashboards": None,
        "source_health": {},
        "opened": {},
    }
    if seen["health"]["status"] is None:
        return seen
    params = {"type": "dash-db", "limit": _MOST_DASHBOARDS}
    sources, found = web.many([Request("/api/datasources"), Request("/api/search", params)])
    seen["datasources"], seen["dashboards"] = _rows(sources, _SOURCE), _rows(found, _FOUND)
    _ask_sources(web, seen, ignore)
    _open(web, seen, dashboards)
    seen["took_ms"] = round((time.time() - began) * 1000, 1)
    return seen


def _ask_sources(web: Web, seen: dict[str, Any], ignore: Sequence[str]) -> None:
    asked = [
        one
        for one in seen["datasources"]["data"] or ()
        if one.get("uid") and not any(fnmatch.fnmatchcase(str(one.get("name")), pattern) for pattern in ignore)
    ]
    answers = web.many([Request(f"/api/datasources/uid/{quote(str(one['uid']), safe='')}/health") for one in asked])
    for one, answer in zip(asked, answers):
        seen["source_health"][str(one["uid"])] = _kept(answer, ("status", "message"))


def _open(web: Web, seen: dict[str, Any], dashboards: Sequence[str]) -> None:
    wanted = {
        str(one["uid"])
        for one in seen["dashboards"]["data"] or ()
        if one.get("uid") and (one.get("uid") in dashboards or one.get("title") in dashboards)
    }
    uids = sorted(wanted)
    answers = web.many([Request(f"/api/dashboards/uid/{quote(uid, safe='')}") for uid in uids])
    for uid, answer in zip(uids, answers):
        kept = _kept(answer, ())
        board = answer.data.get("dashboard") if isinstance(answer.data, Mapping) else None
        if answer.ok and isinstance(board, Mapping):
            panels = list(_panels(board))
            kept["data"] = {"panels": len(panels), "sources": sorted({uid for one in panels for uid in _sources(one)})}
        seen["opened"][uid] = kept


def _panels(board: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The panels of a dashboard, those in closed rows too."""
    for one in board.get("panels") or ():
        if isinstance(one, Mapping):
            yield one
            inner = one.get("panels")
            yield from (panel for panel in inner if isinstance(panel, Mapping)) if isinstance(inner, list) else ()


def _sources(panel: Mapping[str, Any]) -> Iterator[str]:
    """Data sources that a panel names: not those of a variable, nor Grafana's own."""
    targets = panel.get("targets")
    for one in [panel, *(targets if isinstance(targets, list) else ())]:
        source = one.get("datasource") if isinstance(one, Mapping) else None
        uid = source.get("uid") if isinstance(source, Mapping) else None
        if isinstance(uid, str) and uid and not uid.startswith(("$", "--", "grafana")):
            yield uid


def _kept(answer: Answer, keys: Sequence[str]) -> dict[str, Any]:
    """An answer with only some keys of its document."""
    data = answer.data
    return {
        "status": answer.status,
        "error": answer.error,
        "ms": answer.ms,
        "data": {key: data[key] for key in keys if key in data} if isinstance(data, Mapping) else None,
    }


def _rows(answer: Answer, keys: Sequence[str]) -> dict[str, Any]:
    """An answer that is a list."""
    kept = _kept(answer, ())
    if answer.ok and isinstance(answer.data, list):
        kept["data"] = [
            {key: one[key] for key in keys if key in one} for one in answer.data if isinstance(one, Mapping)
        ]
    return kept

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the nodes of the dependency map stand on the page: what is needed to the right of what needs it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._core.causes import strongly_connected

WIDTH, HEIGHT = 170, 24
GAP_X, GAP_Y = 26, 8


def layout(nodes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Places and lines: {width, height, nodes: [{name, x, y, …}], edges: [{path, bad}]}.

    :param nodes: the report's `services`: name, kind, depends_on, status.
    """
    needs = {node["name"]: list(node["depends_on"]) for node in nodes}
    needed = {need for one in needs.values() for need in one}
    known = {node["name"]: node for node in nodes if needs[node["name"]] or node["name"] in needed or node["findings"]}
    if not known:
        return {"width": 0, "height": 0, "nodes": [], "edges": []}
    depth = _depths({name: [one for one in needs[name] if one in known] for name in known})
    columns: dict[int, list[str]] = {}
    for name in known:
        columns.setdefault(max(depth.values()) - depth[name], []).append(name)
    place: dict[str, tuple[int, int]] = {}
    tallest = max(len(names) for names in columns.values())
    for column in sorted(columns):
        names = _untangle(columns[column], known, needs, place)
        top = (tallest - len(names)) * (HEIGHT + GAP_Y) // 2
        for row, name in enumerate(names):
            place[name] = (column * (WIDTH + GAP_X), top + row * (HEIGHT + GAP_Y))
    edges = []
    for name in known:
        for need in needs[name]:
            if need in known and need != name:
                bad = known[name]["status"] not in ("ok", "warning") and known[need]["status"] not in ("ok", "warning")
                edges.append({"from": name, "to": need, "bad": bad, "path": _path(place[name], place[need])})
    return {
        "width": (max(columns) + 1) * (WIDTH + GAP_X) - GAP_X,
        "height": tallest * (HEIGHT + GAP_Y) - GAP_Y,
        "nodes": [{**known[name], "x": x, "y": y} for name, (x, y) in place.items()],
        # Those that matter are drawn last, on top.
        "edges": sorted(edges, key=lambda edge: bool(edge["bad"])),
    }


def _depths(edges: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Steps to the furthest thing needed; members of a circle stand side by side."""
    depth: dict[str, int] = {}
    for circle in strongly_connected(edges):
        below = [depth[need] for name in circle for need in edges[name] if need not in circle]
        for name in circle:
            depth[name] = max(below, default=-1) + 1
    return depth


def _untangle(
    names: Sequence[str],
    known: Mapping[str, Any],
    needs: Mapping[str, Sequence[str]],
    place: Mapping[str, tuple[int, int]],
) -> list[str]:
    """Order a column by where the things that need its nodes already stand, so that fewer lines cross."""

    def height(name: str) -> float:
        above = [place[one][1] for one in known if one in place and name in needs[one]]
        return sum(above) / len(above) if above else -1.0

    return sorted(names, key=lambda name: (height(name), name))


def _path(start: tuple[int, int], end: tuple[int, int]) -> str:
    y1, y2 = start[1] + HEIGHT // 2, end[1] + HEIGHT // 2
    if end[0] > start[0]:
        x1, x2 = start[0] + WIDTH, end[0]
        middle = (x1 + x2) // 2
        return "M%d %dC%d %d %d %d %d %d" % (x1, y1, middle, y1, middle, y2, x2, y2)
    # In one column, or back: an arc around the right side.
    x1, x2 = start[0] + WIDTH, end[0] + WIDTH
    out = max(x1, x2) + GAP_X // 2
    return "M%d %dC%d %d %d %d %d %d" % (x1, y1, out, y1, out, y2, x2, y2)

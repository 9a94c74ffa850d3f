# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sparklines: values of the last runs as a line of a few pixels. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .text import number

WIDTH, HEIGHT = 96, 22
_PAD = 3
_MOST = 6

_DULL = (
    ".uptime_s", ".took_ms", ".connect_ms", ".clock_offset_s", ".age_s", ".proven_age_s", ".exposure_s",
    ".archive_age_s", ".archive_within_s",
)  # fmt: skip

Points = Sequence["float | None"]


def line(points: Points, target: float | None = None) -> dict[str, Any]:
    """The drawing: {path, x, y (of the last point), line (height of the target, or null), label}.

    :param points: oldest first; None where a run has no value, which leaves a gap.
    :param target: what good is; drawn where it lies among the values.
    """
    known = [float(point) for point in points if point is not None]
    if not known:
        return {"path": "", "x": None, "y": None, "line": None, "label": "no value"}
    low, high = min(known), max(known)
    span = (high - low) or 1.0
    step = (WIDTH - 2 * _PAD) / max(len(points) - 1, 1)

    def place(position: int, value: float) -> tuple[float, float]:
        height = _PAD + (HEIGHT - 2 * _PAD) * (1 - (value - low) / span) if high > low else HEIGHT / 2
        return round(_PAD + position * step, 1), round(height, 1)

    path, pen_down, last = [], False, (0.0, 0.0)
    for position, value in enumerate(points):
        if value is None:
            pen_down = False
            continue
        last = place(position, float(value))
        path.append("%s%g %g" % ("L" if pen_down else "M", *last))
        pen_down = True
    return {
        "path": "".join(path),
        "x": last[0],
        "y": last[1],
        "line": place(0, target)[1] if target is not None and low <= target <= high and high > low else None,
        "label": "%d runs, from %s to %s, now %s" % (len(known), number(low), number(high), number(known[-1])),
    }


def of_system(trends: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The values of a system that moved most, relative to their size, each with its drawing."""
    every: Mapping[str, Points] = trends.get("systems", {}).get(name, {})
    # A clock that goes on and the time that a look took say nothing about a system.
    series = {key: points for key, points in every.items() if not key.endswith(_DULL)}

    def moved(points: Points) -> float:
        known = [abs(float(point)) for point in points if point is not None]
        return (max(known) - min(known)) / (max(known) or 1.0) if known else 0.0

    ranked = sorted(series.items(), key=lambda pair: (-moved(pair[1]), pair[0]))[:_MOST]
    return [
        {"key": key.split(".", 1)[-1].replace("_", " "), "points": points, **line(points)} for key, points in ranked
    ]

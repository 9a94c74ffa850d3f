# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a round of the watch tells: only what changed since the round before. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .terminal import COLUMNS, Paint, plain
from .text import clean, cut, number, pad, plural, wrap

_LABEL = 10
_COLOUR = {"NEW": "red", "WORSE": "red", "BETTER": "yellow", "RESOLVED": "green"}
_ORDER = ("new", "worse", "better")


def render(report: Mapping[str, Any], paint: Paint = plain, columns: int = COLUMNS) -> str:
    """One line for a round in which nothing changed; else a line for each change, causes with what they explain."""
    columns = max(60, min(columns, 140))
    delta = report.get("delta")
    known = {one["fingerprint"]: one for one in report["findings"]}
    explained = {name for cause in report["causes"] for name in cause["explains"]}
    hanging = {cause["fingerprint"]: len(cause["explains"]) for cause in report["causes"]}
    lines = [cut(_head(report, delta), columns)]
    for word in _ORDER:
        for one in report["findings"]:
            mine = one.get("delta") if delta else "new"
            # A symptom is told with its cause, unless its cause is no news.
            told = one["fingerprint"] in explained and _cause_is_told(one, known, delta)
            if mine != word or told or one.get("acknowledged"):
                continue
            count = hanging.get(one["fingerprint"], 0)
            lines += _line(
                word.upper(), one, " (explains %s)" % plural(count, "finding") if count else "", paint, columns
            )
            if word != "better" and one["remedy"]:
                lines += [" " * _LABEL + row for row in wrap("next: " + clean(one["remedy"]), columns - _LABEL, 2)]
    for one in delta["resolved"] if delta else ():
        lines += _line("RESOLVED", one, "", paint, columns)
    return "\n".join(lines)


def _cause_is_told(one: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]], delta: Any) -> bool:
    while one.get("caused_by") in known:
        one = known[one["caused_by"]]
    return not delta or one.get("delta") in _ORDER


def _head(report: Mapping[str, Any], delta: Mapping[str, Any] | None) -> str:
    run, summary = report["run"], report["summary"]
    clock = str(run["started"])[11:19]
    counts = ", ".join(
        plural(summary[word], word, word) for word in ("critical", "unknown", "warning") if summary[word]
    )
    share = report["coverage"]["share"]
    seen = "seen %s %%" % number(share) if share is not None else "nothing seen"
    if delta is None:
        return "%s  first round: %s; %s" % (clock, counts or "nothing is wrong", seen)
    moved = [
        "%d %s" % (count, word)
        for word, count in (*((word, delta[word]) for word in _ORDER), ("resolved", len(delta["resolved"])))
        if count
    ]
    return "%s  %s; %s; %s" % (clock, ", ".join(moved) or "no change", counts or "nothing is wrong", seen)


def _line(label: str, one: Mapping[str, Any], more: str, paint: Paint, columns: int) -> list[str]:
    text = "%s %s%s" % (pad(one["status"], 9), clean(one["title"]), more)
    rows = wrap(text, columns - _LABEL, 2)
    return [paint(pad(label, _LABEL), _COLOUR[label]) + rows[0], *(" " * _LABEL + row for row in rows[1:])]

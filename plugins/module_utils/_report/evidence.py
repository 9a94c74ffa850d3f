# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence as lines: the most telling first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .text import clean, number

# What people look for first, by the last part of the key.
_TELLING = (
    "error",
    "reason",
    "message",
    "last_lines",
    "log",
    "exit_code",
    "detail",
    "blocker",
    "query",
    "waiting",
    "events",
    "conditions",
)
_DULL = ("kind", "recorded_at")


def telling(finding: Mapping[str, Any], most: int | None = None) -> list[str]:
    """Lines of evidence, the most telling first.

    :param most: that many at most; None for all, the value against its lines included.
    """
    found = sorted(flat(finding.get("evidence") or {}), key=lambda pair: _weight(pair[0]))
    lines = []
    measured = value_line(finding)
    if measured and most is None:
        lines.append(measured)
    title = clean(str(finding.get("title") or ""))
    for key, text in found:
        shown = [line for line in text.split("\n") if line.strip()]
        # The last lines of a log tell more than its first.
        for line in shown if most is None else shown[-1:]:
            line = clean(line)
            if most is None or (line not in title and key.rsplit(".", 1)[-1] not in _DULL):
                lines.append("%s: %s" % (key, line))
    return lines if most is None else lines[:most]


def value_line(finding: Mapping[str, Any]) -> str:
    """``14 restarts (target 0, alert 3)``; empty where there is no number."""
    if finding.get("value") is None:
        return ""
    text = (
        "%s %s" % (number(finding["value"]), clean(str(finding.get("unit") or "")))
        if finding.get("unit")
        else number(finding["value"])
    )
    lines = ["%s %s" % (key, number(finding[key])) for key in ("target", "alert") if finding.get(key) is not None]
    return "%s (%s)" % (text, ", ".join(lines)) if lines else text


def flat(evidence: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """Pairs of key and text; lists of plain values are joined, deeper ones are numbered."""
    if isinstance(evidence, Mapping):
        for key, value in evidence.items():
            name = clean(str(key))
            yield from flat(value, "%s.%s" % (before, name) if before else name)
    elif isinstance(evidence, (list, tuple)):
        if all(not isinstance(value, (Mapping, list, tuple)) for value in evidence):
            texts = [_text(value) for value in evidence if value is not None]
            if texts:
                long = any(len(text) > 40 for text in texts) or "lines" in before or "log" in before
                yield before, ("\n" if long else ", ").join(texts)
        else:
            for place, value in enumerate(evidence, 1):
                yield from flat(value, "%s %d" % (before, place))
    elif evidence is not None and evidence != "":
        yield before, _text(evidence)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, float) else clean(str(value), keep_lines=True)


def _weight(key: str) -> int:
    words = key.replace(" ", ".").split(".")
    for place, word in enumerate(_TELLING):
        if word in words:
            return place
    return len(_TELLING)

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

    :param most: that many lines at most, one for each key; None for everything, the value and its thresholds included.
    """
    evidence = finding.get("evidence") or {}
    if most is None:
        measured = value_line(finding)
        pairs = sorted(flat(evidence), key=lambda pair: _weight(pair[0]))
        every = ["%s: %s" % (key, clean(line)) for key, text in pairs for line in text.split("\n") if line.strip()]
        return [measured, *every] if measured else every
    title = clean(str(finding.get("title") or ""))
    lines = []
    for key in sorted(evidence, key=lambda name: _weight(str(name))):
        text = _short(evidence[key], str(key))
        if text and text not in title and key not in _DULL:
            lines.append("%s: %s" % (clean(str(key)), text))
    return lines[:most]


def _short(value: Any, key: str) -> str:
    """One line for a value, whatever it is; the last line of a log tells more than its first."""
    if isinstance(value, Mapping):
        parts = [
            "%s %s" % (clean(str(name)), _short(one, str(name)))
            for name, one in value.items()
            if one not in (None, "", False)
        ]
        return ", ".join(parts)
    if isinstance(value, (list, tuple)):
        shown = [text for text in (_short(one, key) for one in value) if text]
        if not shown:
            return ""
        if _is_log(key):
            return shown[-1]
        if any(isinstance(one, Mapping) for one in value):
            return shown[0] + (" (+%d)" % (len(shown) - 1) if shown[1:] else "")
        return ", ".join(shown)
    if value is None:
        return ""
    lines = [line for line in _text(value).split("\n") if line.strip()]
    return clean(lines[-1] if _is_log(key) else " ".join(lines)) if lines else ""


def _is_log(key: str) -> bool:
    return "lines" in key or key.rsplit("_", 1)[-1] in ("log", "logs")


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
                long = any(len(text) > 40 for text in texts) or _is_log(before)
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

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts for people: made harmless, cut and wrapped by what they take on a screen."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

# Escape sequences, other control characters, and the marks that turn the direction of text round.
_ESCAPE = re.compile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[@-_])")
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2028\u2029\u2060-\u2069\ufeff\ufff9-\ufffb]"
)
_BLANKS = re.compile(r"[\t\n ]+")
_CLEAN_LINE = re.compile(r"[ -~\u00a1-\u00ac\u00ae-\u02ff]*")


def clean(text: str, keep_lines: bool = False) -> str:
    """A text that cannot move the cursor, colour the screen, or pretend to be another line."""
    text = _CONTROL.sub("", _ESCAPE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    if keep_lines:
        return "\n".join(line.rstrip() for line in text.split("\n")).strip()
    return _BLANKS.sub(" ", text).strip()


def width(text: str) -> int:
    """Columns that a clean text takes."""
    if _CLEAN_LINE.fullmatch(text):
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def cut(text: str, columns: int) -> str:
    """At most so many columns, with an ellipsis where something is left out."""
    if width(text) <= columns:
        return text
    kept, used = "", 0
    for char in text:
        used += width(char)
        if used > columns - 1:
            break
        kept += char
    return kept.rstrip() + "…"


def pad(text: str, columns: int) -> str:
    """Cut or filled up to exactly so many columns."""
    text = cut(text, columns)
    return text + " " * (columns - width(text))


def wrap(text: str, columns: int, lines: int | None = None) -> list[str]:
    """Lines of at most so many columns, broken at blanks; at most so many lines, the last one cut."""
    out: list[str] = []
    line = ""
    for word in text.split(" "):
        if line and width(line) + 1 + width(word) > columns:
            out.append(line)
            line = word
        else:
            line = "%s %s" % (line, word) if line else word
    out.append(line)
    if lines is not None and len(out) > lines:
        out = [*out[: lines - 1], " ".join(out[lines - 1 :])]
    return [cut(one, columns) for one in out]


def listed(names: Iterable[str], most: int = 3) -> str:
    """``a, b, c (+11)``."""
    every = list(dict.fromkeys(names))
    shown = ", ".join(every[:most])
    return "%s (+%d)" % (shown, len(every) - most) if len(every) > most else shown


def number(value: Any) -> str:
    """A number as people write it: 113, 0.25, 5,210; without a trail of noughts."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{int(value):,d}"


def plural(count: int, noun: str, many: str | None = None) -> str:
    """``1 finding``, ``3 findings``."""
    return "%s %s" % (number(count), noun if count == 1 else many or noun + "s")


def duration(seconds: float) -> str:
    """``0.8 s``, ``41 s``, ``4 min 12 s``, ``2 h 05 min``."""
    if seconds < 10:
        return "%.1f s" % seconds
    whole = round(seconds)
    if whole < 120:
        return "%d s" % whole
    if whole < 7200:
        return "%d min %02d s" % divmod(whole, 60)
    return "%d h %02d min" % divmod(whole // 60, 60)


def when(iso: str | None) -> str:
    """``2026-11-22 06:00 UTC`` from an ISO time; what is none is given back clean."""
    try:
        at = datetime.datetime.fromisoformat(str(iso).replace("Z", "+00:00"))
    except ValueError:
        return clean(str(iso))
    if at.tzinfo is not None:
        at = at.astimezone(datetime.timezone.utc)
    return at.strftime("%Y-%m-%d %H:%M UTC")


def moment_of(iso: Any) -> float | None:
    """Seconds since 1970 of an ISO time; None where it is none."""
    if not isinstance(iso, str) or not iso:
        return None
    try:
        at = datetime.datetime.fromisoformat(iso.replace("Z", "+00:00"))
    except ValueError:
        return None
    return (at if at.tzinfo is not None else at.replace(tzinfo=datetime.timezone.utc)).timestamp()

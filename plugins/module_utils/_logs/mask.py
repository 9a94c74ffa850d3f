# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put what changes from event to event (ids, numbers, addresses, times) out of a sentence, word by word."""

from __future__ import annotations

import re

_MOST_WORDS = 64
_MOST_KEPT = 30_000

_UNIT = "(?:ns|us|µs|ms|seconds?|secs?|min|s|m|h|d)"
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), mark)
    for pattern, mark in (
        (r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}", "<id>"),
        (r"[\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+", "<email>"),
        (r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)?", "<time>"),
        (r"\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b", "<time>"),
        (r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?:/\d+)?(?::\d+)?(?![\d.])", "<ip>"),
        (r"\[?(?:[0-9a-fA-F]{1,4}:){2,7}:?[0-9a-fA-F]{0,4}\]?(?::\d+)?(?![\w])", "<ip>"),
        (r"0[xX][0-9a-fA-F]+", "<hex>"),
        # Names that Kubernetes makes: a hash of the template and of the pod.
        (r"-[0-9a-f]{8,10}-[a-z0-9]{5}\b", "-<pod>"),
        (r"(?<![A-Za-z0-9])(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,}(?![A-Za-z0-9])", "<hex>"),
        (r"(?<![A-Za-z0-9_])(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9_]{20,}={0,2}", "<id>"),
        (rf"(?<![\w.])[-+]?\d+(?:[.,]\d+)*{_UNIT}(?:\d+(?:\.\d+)?{_UNIT})*(?![A-Za-z])", "<duration>"),
        (r"(?<![A-Za-z0-9])[-+]?\d+(?:[.,:]\d+)*%?", "<n>"),
        (r"\d{3,}", "<n>"),
        (r"(?<=[_\-#])\d+", "<n>"),
    )
)
# Words that are nothing but one value, with what may stand around it: most of what changes.
_WHOLE = re.compile(
    r"([(\[{<=\"']*)(?:([0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})|((?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,})"
    rf"|((?:\d{{1,3}}\.){{3}}\d{{1,3}}(?::\d+)?)|(\d+)|(\d+(?:\.\d+)?{_UNIT}))([)\]}}>,;:.!?\"']*)\Z"
)
_MARKS = ("", "", "<id>", "<hex>", "<ip>", "<n>", "<duration>")
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.){0,300}?\"|(?<![A-Za-z0-9])'(?:[^'\\]|\\.){0,200}?'(?![A-Za-z0-9])")
_PLAIN_QUOTE = re.compile(r"[A-Za-z_.\-]+\Z")


class Masker:
    """Masks sentences; keeps the words that it has seen, because logs repeat themselves."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}

    def words(self, text: str) -> list[str]:
        """The words of a sentence with marks in the places of what changes."""
        if '"' in text or "'" in text:
            text = _QUOTED.sub(_unquote, text)
        kept, whole_value = self._kept, _WHOLE.match
        found = []
        for word in text.split(None, _MOST_WORDS)[:_MOST_WORDS]:
            masked = kept.get(word)
            if masked is None:
                whole = whole_value(word)
                if whole is not None:
                    # Not kept: hardly any id comes twice, and words that do would have to go for it.
                    mark = next(place for place in (5, 2, 3, 4, 6) if whole.group(place) is not None)
                    found.append(whole.group(1) + _MARKS[mark] + whole.group(7))
                    continue
                masked = _mask(word)
                if len(kept) >= _MOST_KEPT:
                    kept.clear()
                kept[word] = masked
            found.append(masked)
        return found


def _mask(word: str) -> str:
    word = word[:200]
    if word.isalpha():
        return word
    if "@" not in word and not any(letter.isdigit() for letter in word):
        # abcdef:: is an address, too, but not one that anybody logs without a digit.
        return word
    for pattern, mark in _RULES:
        word = pattern.sub(mark, word)
    return word


def _unquote(match: re.Match[str]) -> str:
    """What stands in quotes is a value; a single name without digits (a column, a table) tells errors apart."""
    inner = match.group(0)[1:-1]
    if _PLAIN_QUOTE.match(inner):
        return match.group(0)
    return match.group(0)[0] + "<text>" + match.group(0)[0]

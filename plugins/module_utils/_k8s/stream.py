# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a Kubernetes list answer object by object while it arrives, so that memory holds a few objects, not the list."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from typing import Any, Callable

from .._core.errors import LookError

_SPACE = " \t\r\n"
_ENDS = (*_SPACE, ",", "]", "}")
_LONGEST_VALUE = 64 * 1024 * 1024


class ListStream:
    """The objects of ``items`` of one answer, one by one; the other fields are in ``envelope`` afterwards.

    :param chunks: the bytes of the answer.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.envelope: dict[str, Any] = {}
        self._chunks = iter(chunks)
        self._decode = codecs.getincrementaldecoder("utf-8")("replace")
        self._scan: Callable[..., Any] = json.JSONDecoder().raw_decode
        self._text = ""
        self._at = 0

    def items(self) -> Iterator[Any]:
        """Yield each object as soon as it is complete.

        :raises LookError: ``garbage`` where the answer is no JSON object or ends too early.
        """
        self._expect("{")
        if self._peek() == "}":
            return
        while True:
            key = self._value()
            self._expect(":")
            if key == "items" and self._peek() == "[":
                yield from self._array()
            else:
                self.envelope[str(key)] = self._value()
            if self._next() == "}":
                return

    def _array(self) -> Iterator[Any]:
        self._expect("[")
        if self._peek() == "]":
            self._at += 1
            return
        while True:
            yield self._value()
            if self._next(end="]") == "]":
                return

    def _next(self, end: str = "}") -> str:
        mark = self._peek()
        if mark not in (",", end):
            raise _garbage(f"{mark!r} where a comma was expected")
        self._at += 1
        return mark

    def _expect(self, mark: str) -> None:
        found = self._peek()
        if found != mark:
            raise _garbage(f"{found!r} where {mark!r} was expected")
        self._at += 1

    def _peek(self) -> str:
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _SPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._more(1):
                raise _garbage("the answer ends too early")

    def _value(self) -> Any:
        """One complete JSON value. The buffer at least doubles between attempts, so that the work stays linear."""
        self._peek()
        while True:
            rest = len(self._text) - self._at
            try:
                value, end = self._scan(self._text, self._at)
            except RecursionError as error:
                raise _garbage("nested too deeply") from error
            except ValueError as error:
                if rest > _LONGEST_VALUE or not self._more(max(rest, 1)):
                    raise _garbage("the answer ends too early or is no JSON") from error
                continue
            # A number at the end of what has arrived may go on: 1 may become 12, and 0. become 0.5.
            if isinstance(value, (int, float)) and self._text[end : end + 1] not in _ENDS and self._more(1):
                continue
            self._at = end
            return value

    def _more(self, least: int) -> bool:
        """Read on until `least` more characters are there; False at the end of the answer."""
        parts = [self._text[self._at :]]
        self._at = 0
        got = 0
        while got < least:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            part = self._decode.decode(chunk)
            parts.append(part)
            got += len(part)
        self._text = "".join(parts)
        return got > 0


def _garbage(what: str) -> LookError:
    return LookError("garbage", f"the API server's answer makes no sense: {what}")

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump as plain SQL, read to its last byte in little memory: what is in it, and what no dump has in it.

The last line of a whole dump proves little: a page of zeros, a second dump that was appended, or a message of pg_dump
in the middle leave it where it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

_PIECE = 1 << 20
_LINE = 1 << 16
_TAIL = 4096
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_ROWS_END = b"\\."
_BEGIN = b"-- PostgreSQL database dump"
_END = b"-- PostgreSQL database dump complete"
_CLUSTER = b"-- PostgreSQL database cluster dump"
_COPY = re.compile(rb"^COPY (.+?)(?: \(.*\))? FROM stdin;\s*$", re.I)
_SAID = re.compile(rb"^(?:(?:pg_dump|pg_dumpall|psql): |Defaulted container |command terminated with exit code )")
_NAME = re.compile(r'"((?:[^"]|"")*)"|([^."]+)')


class Broken(Exception):
    """It cannot be restored as it is; the text says why."""


@dataclass
class Text:
    """What was found.

    :ivar lines: number of the last line; tail: the last bytes; rows: of tables, by the name that COPY has.
    :ivar tables: that are made and hold rows themselves; data: whether a part of the dump is data, be it empty.
    :ivar begun, ended: dumps of a database that begin and end in it; cluster: whether it is of all databases.
    :ivar converted: whether its lines end in another way than pg_dump writes.
    """

    lines: int = 0
    tail: bytes = b""
    rows: dict[str, int] = field(default_factory=dict)
    tables: int = 0
    data: bool = False
    begun: int = 0
    ended: int = 0
    cluster: bool = False
    converted: bool = False

    def trouble(self) -> str | None:
        """What speaks against it as a whole; None if nothing."""
        if self.begun > 1 and not self.cluster:
            return (
                f"{self.begun} dumps stand in it, one behind the other: it was appended to (>>), and the first is "
                "what would be restored"
            )
        if self.ended and self.begun > self.ended:
            return f"{self.begun} dumps begin in it, and {self.ended} end: one of them broke off"
        return None

    def only_structure(self) -> str | None:
        """Whether it makes tables and fills none, which is no backup of what was in them."""
        if self.begun and self.tables and not self.data:
            return STRUCTURE % self.tables
        return None


STRUCTURE = "it makes %d tables and holds rows of none: it was made with --schema-only"
CONVERTED = (
    "its line ends were changed to CR LF on the way, as FTP in text mode does: functions and texts of several lines "
    "in it are not what was saved"
)


def scan(
    stream: IO[bytes] | Any, tick: Callable[[], None], on_command: Callable[[int, bytes], None] | None = None
) -> Text:
    """Read a dump to its end.

    :param tick: called now and then, to raise what ends it.
    :param on_command: gets number and text of lines that are commands of psql.
    :raises Broken: it holds what no dump holds, or breaks off within the rows of a table.
    """
    lines = _Lines(stream, tick)
    text = lines.text
    while line := lines.line():
        if text.lines == 1:
            text.converted = line.endswith(b"\r\n")
        first = line[:1]
        if first in b"Cc":
            copy = _COPY.match(line)
            if copy:
                text.data = True
                name = copy.group(1).decode("utf-8", "replace")
                text.rows[name] = text.rows.get(name, 0) + lines.rows(name)
            elif line.startswith(b"CREATE TABLE "):
                text.tables += 1
        elif first == b"I":
            text.data = text.data or line.startswith(b"INSERT INTO ")
        elif first == b"-":
            _comment(line.rstrip(), text)
        elif first == b"P":
            text.tables -= text.tables > 0 and line.startswith(b"PARTITION BY ")
        elif first == b"\\" and on_command is not None:
            on_command(text.lines, line)
        if first in b"pDc" and _SAID.match(line):
            raise Broken(
                f"line {text.lines} is a message of a program, which was mixed into the dump (2>&1): "
                f"{line[:100].decode('utf-8', 'replace').strip()}"
            )
    return text


def names(name: str) -> tuple[str, ...]:
    """The parts of a name without its quotes, ``billing`` and ``a b`` of ``billing."a b"``."""
    return tuple(
        one.group(1).replace('""', '"') if one.group(1) is not None else one.group(2) for one in _NAME.finditer(name)
    )


def _comment(line: bytes, text: Text) -> None:
    if line == _BEGIN:
        text.begun += 1
    elif line == _END:
        text.ended += 1
    elif line.startswith(_CLUSTER):
        text.cluster = True
    elif line.startswith(b"-- Data for Name: "):
        text.data = True


class _Lines:
    """Lines of a stream, of which long ones are told by their beginning."""

    def __init__(self, stream: Any, tick: Callable[[], None]) -> None:
        self._stream, self._tick = stream, tick
        self._buffer, self._place = b"", 0
        self.text = Text()
        self._first, self._read = True, 0

    def line(self) -> bytes:
        """The next line, or its first bytes; nothing at the end."""
        head = b""
        while True:
            end = self._buffer.find(b"\n", self._place)
            if end >= 0:
                found = head + self._buffer[self._place : min(end + 1, self._place + _LINE)]
                self._place = end + 1
                self.text.lines += 1
                return found
            head = (head + self._buffer[self._place : self._place + _LINE])[:_LINE]
            self._place = len(self._buffer)
            if not self._more():
                self.text.lines += bool(head)
                return head

    def rows(self, table: str) -> int:
        """Pass over the rows of a table; their number.

        :raises Broken: they do not end, or another dump begins among them.
        """
        found, within = 0, False
        while True:
            if not within and self._is_end(self._place):
                self.line()
                return found
            end = self._buffer.find(b"\n" + _ROWS_END, self._place)
            if end >= 0 and end + 5 > len(self._buffer) and self._more():
                continue
            stop = end + 1 if end >= 0 else self._buffer.rfind(b"\n", self._place) + 1
            if stop > self._place:
                found += self._pass(stop, table)
                within = False
            if end >= 0:
                if not self._is_end(self._place):
                    self.line()
                    found += 1
                continue
            if len(self._buffer) - self._place > _PIECE:
                # A row of many megabytes: its beginning is of no interest.
                self._place, within = len(self._buffer) - 1, True
            if not self._more():
                raise Broken(f"it stops early, at line {self.text.lines}: the rows of {table} do not end")

    def _is_end(self, place: int) -> bool:
        return self._buffer.startswith((_ROWS_END + b"\n", _ROWS_END + b"\r\n"), place)

    def _pass(self, stop: int, table: str) -> int:
        count = self._buffer.count(b"\n", self._place, stop)
        begin = self._buffer.find(b"\n" + _BEGIN, max(self._place - 1, 0), stop)
        if begin >= 0 and self._buffer[begin + 1 + len(_BEGIN) : begin + 2 + len(_BEGIN)] in (b"\n", b"\r"):
            line = self.text.lines + self._buffer.count(b"\n", self._place, begin + 1) + 1
            raise Broken(f"another dump begins at line {line}, among the rows of {table}: what is before it broke off")
        self.text.lines += count
        self._place = stop
        return count

    def _more(self) -> bool:
        self._tick()
        piece: bytes = self._stream.read(_PIECE)
        if self._first:
            self._first = False
            if piece.startswith(_UTF16):
                raise Broken("it is text in UTF-16, as > of PowerShell writes it: no psql reads that")
        if not piece:
            return False
        if b"\0" in piece:
            place = self._read + piece.index(0)
            raise Broken(f"zeros stand in it from byte {place} on, where text should be: that part was never written")
        self._read += len(piece)
        self.text.tail = (self.text.tail + piece)[-_TAIL:]
        self._buffer = self._buffer[self._place :] + piece
        self._place = 0
        return True

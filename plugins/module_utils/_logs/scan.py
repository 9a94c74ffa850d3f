# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the lines of errors in gigabytes, fast: a few searches by the C library over a buffer that is used again.

What is searched for depends on the file. Where its lines say their level (JSON, logfmt, ``ERROR``), as a sample from
several places tells, only the levels are searched for, in the way in which this file writes them, beside the beginnings
of stack traces; "error" in the text of an INFO line is none. Other files are searched for all words of trouble.
A needle is found by its rarest byte where that hardly occurs in the file (memchr), and by memmem otherwise.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Callable

BLOCK = 1 << 19
PIECE = 16384
_LONGEST = 256 * 1024
_MOST_TRACE = 300
_NEWLINE = 10
_GO = ord("g")

_BAD = (
    b"error",
    b"err",
    b"fatal",
    b"critical",
    b"crit",
    b"severe",
    b"panic",
    b"emerg",
    b"alert",
    b"dpanic",
    b"failure",
)
_KEYED = re.compile(
    rb"(\"(?:level|severity|lvl|levelname|log\.level|loglevel|log_level|severity_text|@level)\"\s{0,2}:\s{0,2}\"?"
    rb"|\b(?:level|severity|lvl|loglevel)=\"?)([A-Za-z]+|\d{1,2})"
)
_BARE = re.compile(
    rb"(?<![\w.\-/=\"])(trace|debug|info|information|notice|log|warn|warning|error|err|severe|fatal|critical|crit|panic"
    rb"|emerg|emergency|alert|statement|detail|hint)(?![\w\-/.(=])",
    re.I,
)
_KLOG = re.compile(rb"[IWEF]\d{4} \d\d:\d\d:\d\d\.\d{6}\s")
# Whatever the lines look like: where a trace begins, and what the kernel and runtimes say of a process that is lost.
_ALWAYS = (b"Traceback (most", b"goroutine ", b"Exception", b"Error: ")
_WORDS = (
    b"rror", b"RROR", b"atal", b"ATAL", b"anic", b"PANIC", b"ritical", b"RITICAL", b"xception", b"Traceback (most",
    b"SEVERE", b"emerg", b"EMERG", b"egfault", b"egmentation fault", b"ut of memory", b"oom-kill", b"core dumped",
)  # fmt: skip
# A line of an access log tells a failure of the server by its status alone.
_STATUS = (b'" 50',)
_ENOUGH = 0.95
_CONTINUES = re.compile(
    rb"[ \t]|Caused by: |goroutine \d|Traceback \(most|During handling of|The above exception|\.\.\. \d+ more"
    rb"|Suppressed: "
)
# What stands between a line of a Java logger and the frames of the trace.
_CLASS = re.compile(rb"(?:[a-z_$][\w$]*\.)+[A-Z][\w$]*(?:: |\s*$)")
_LAST = re.compile(rb"[A-Za-z_][\w.]*(?:: |\r?$|\r?\n)")
_BEGINNINGS = (
    rb"(?:\[?\d{4}[-/]\d\d[-/]\d\d|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\s|\{\"|[IWEF]\d{4} |time=|<\d"
    rb"|level=)"
)
_BEGINS = re.compile(_BEGINNINGS)
# The end of a line before one that begins an event.
BEGINS = re.compile(rb"\n" + _BEGINNINGS)

Sink = Callable[[Sequence[tuple[bytes, int]]], None]
"""Takes events, each with where it begins in the buffer."""


def _library(kind: Any) -> Any:
    """The C library's memmem; None where there is none, as on some small systems."""
    try:
        found = kind(None).memmem
    except (OSError, AttributeError, TypeError):
        return None
    found.restype = ctypes.c_void_p
    found.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    return found


# The first search in a block is a long one, and lets another thread work meanwhile; those from hit to hit are short,
# and changing threads would cost more than they do.
_MEMMEM = _library(ctypes.CDLL)
_MEMMEM_SHORT = _library(ctypes.PyDLL)


class Plan:
    """What to search for in one file, and how.

    :ivar needles: searched for as they are.
    :ivar heads: needles that stand at the beginning of a line, without the end of the line before it.
    :ivar rare: a byte that hardly occurs -> the needles that have it, each with its place in them.
    """

    def __init__(self, samples: Iterable[bytes]) -> None:
        sample = b"\n".join(samples)
        lines = [line for line in sample.split(b"\n") if line and line[:1] not in b" \t"]
        self.styles, share = _styles(lines)
        wanted = set(_ALWAYS) | _spelled(self.styles)
        if share < _ENOUGH:
            wanted |= set(_WORDS)
            if any(b'" 2' in line or b'" 3' in line or b'" 4' in line or b'" 5' in line for line in lines):
                wanted |= set(_STATUS)
        self.heads = tuple(needle[1:] for needle in wanted if needle[:1] == b"\n")
        self.needles, self.rare = _methods(_shortest(wanted), b"\n".join(line for line in lines if not _bad(line)))

    def covers(self, lines: bytes) -> bool:
        """Does the plan hold for further lines of the same file?"""
        if any(needle == b"rror" for needle in self.needles):
            return True
        whole = [line for line in lines.split(b"\n")[1:-1] if line and line[:1] not in b" \t"]
        styles, share = _styles(whole)
        return not whole or (share >= _ENOUGH and styles <= self.styles)


def _bad(line: bytes) -> bool:
    return any(word in line[:400].lower() for word in _BAD)


def _styles(lines: Sequence[bytes]) -> tuple[frozenset[tuple[bytes, str]], float]:
    """How lines write their level, (what stands before it, case), and the share of lines that do."""
    found: dict[tuple[bytes, str], int] = {}
    said = 0
    for line in lines:
        keyed = _KEYED.search(line, 0, 4096)
        if keyed:
            key = (keyed.group(1), _case(keyed.group(2)))
        elif _KLOG.match(line):
            key = (b"\n", "klog")
        else:
            bare = _BARE.search(line, 0, 160)
            if bare is None:
                continue
            # What a word of a sentence looks like is no style: "connection error" after no other level.
            before = line[max(bare.start() - 1, 0) : bare.start()]
            key = (before if before in (b"[", b"<", b"(", b"|") else b"", _case(bare.group(1)))
        said += 1
        found[key] = found.get(key, 0) + 1
    return frozenset(found), said / len(lines) if lines else 0.0


def _case(word: bytes) -> str:
    if word.isdigit():
        return "number"
    return "upper" if word.isupper() else "lower" if word.islower() else "title"


def _spelled(styles: Iterable[tuple[bytes, str]]) -> set[bytes]:
    wanted: set[bytes] = set()
    for before, case in styles:
        if case == "number":
            # pino's 50 and 60, syslog's 0 to 3
            wanted |= {before + digit for digit in (b"5", b"6", b"0", b"1", b"2", b"3")}
        elif case == "klog":
            wanted |= {b"\nE", b"\nF"}
        else:
            for word in _BAD:
                spelled = word.upper() if case == "upper" else word.title() if case == "title" else word
                wanted.add(before + spelled)
    return wanted


def _shortest(wanted: Iterable[bytes]) -> list[bytes]:
    """Without what another needle finds, too: ``"level":"error`` is found by ``"level":"err``."""
    kept: list[bytes] = []
    for one in sorted(wanted, key=lambda needle: (len(needle), needle)):
        if not any(known in one for known in kept):
            kept.append(one)
    return kept


def _methods(needles: Sequence[bytes], ordinary: bytes) -> tuple[list[bytes], dict[bytes, list[tuple[int, bytes]]]]:
    """Which needles are found by a rare byte.

    :param ordinary: lines of the file that are no errors, to count bytes in.
    """
    size = max(len(ordinary), 1)
    counts: dict[int, int] = {}
    for byte in set(b"".join(needles)):
        counts[byte] = ordinary.count(bytes((byte,)))
    rare: dict[bytes, list[tuple[int, bytes]]] = {}
    plain: list[bytes] = []
    for needle in needles:
        # A byte that is shared by several needles is one search for all of them.
        shared = [byte for byte in needle if rare.get(bytes((byte,))) is not None]
        byte = shared[0] if shared else min(needle, key=lambda one: (counts[one], -needle.index(one)))
        if len(ordinary) < 1000 or counts[byte] / size > 1 / 1500:
            plain.append(needle)
        else:
            rare.setdefault(bytes((byte,)), []).append((needle.index(bytes((byte,))), needle))
    return plain, rare


class Finder:
    """Finds events in blocks of bytes.

    :param buffer: the buffer that all blocks are read into.
    """

    def __init__(self, buffer: bytearray) -> None:
        self.buffer = buffer
        self._pinned = (ctypes.c_char * len(buffer)).from_buffer(buffer) if _MEMMEM is not None else None
        self._address = ctypes.addressof(self._pinned) if self._pinned is not None else 0

    def lines(self, plan: Plan, low: int, high: int) -> dict[int, int]:
        """Begin and end of the lines of a part of the buffer that have a needle in them."""
        found: dict[int, int] = {}
        # The line that a block begins with has no end of a line before it.
        if plan.heads and self.buffer.startswith(plan.heads, low):
            end = self.buffer.find(b"\n", low, high)
            found[low] = end if end >= 0 else high
        for needle in plan.needles:
            self._by_needle(needle, low, high, found)
        for byte, group in plan.rare.items():
            self._by_byte(byte, group, low, high, found)
        return found

    def _by_needle(self, needle: bytes, low: int, high: int, found: dict[int, int]) -> None:
        buffer, address, size, at = self.buffer, self._address, len(needle), low
        find, back, search = buffer.find, buffer.rfind, _MEMMEM
        while True:
            if search is not None:
                place = search(address + at, high - at, needle, size)
                search = _MEMMEM_SHORT
                if not place:
                    return
                hit = place - address
            else:
                hit = find(needle, at, high)
                if hit < 0:
                    return
            if buffer[hit] == _NEWLINE:
                hit += 1
            end = find(b"\n", hit, high)
            if end < 0:
                end = high
            found[back(b"\n", low, hit) + 1 or low] = end
            at = end
            if at >= high:
                return

    def _by_byte(
        self, byte: bytes, group: Sequence[tuple[int, bytes]], low: int, high: int, found: dict[int, int]
    ) -> None:
        buffer = self.buffer
        find, back, starts = buffer.find, buffer.rfind, buffer.startswith
        hit = find(byte, low, high)
        while hit >= 0:
            for place, needle in group:
                if hit - place >= low and starts(needle, hit - place):
                    end = find(b"\n", hit, high)
                    if end < 0:
                        end = high
                    found[back(b"\n", low, hit) + 1 or low] = end
                    hit = end
                    break
            hit = find(byte, hit + 1, high)

    def events(self, plan: Plan, low: int, high: int, last: bool, sink: Sink) -> int:
        """Hand on the events of a part of the buffer, each with the lines of its trace.

        :param last: whether nothing comes after this part.
        :returns: up to where all is done; an event that may go on in what comes next begins there.
        """
        found = self.lines(plan, low, high)
        buffer = self.buffer
        done = low
        events: list[tuple[bytes, int]] = []
        for begin in sorted(found):
            if begin < done:
                continue
            end = found[begin]
            if buffer[begin] == _GO and buffer.startswith(b"goroutine ", begin):
                begin = self._panic(begin, done)
            following = end + 1
            if following < high:
                # Nearly all events have one line, and the next one begins with no space.
                first = buffer[following]
                if first <= 32 or first in _FIRSTS or buffer.startswith(b"Traceback (most", begin):
                    end = self._trace(begin, end, high)
                    following = end + 1
            if following >= high and not last and high - begin < _LONGEST:
                high = begin
                break
            events.append((bytes(buffer[begin:end]), begin))
            done = following
        if events:
            sink(events)
        return high

    def _panic(self, begin: int, low: int) -> int:
        """The beginning of the panic whose first goroutine begins here: up to three lines above it."""
        buffer, found = self.buffer, begin
        for _number in range(4):
            if found <= low:
                return begin
            found = buffer.rfind(b"\n", low, found - 1) + 1 or low
            if buffer.startswith((b"panic: ", b"fatal error: "), found):
                return found
        return begin

    def _trace(self, begin: int, end: int, high: int) -> int:
        """The end of the trace that follows a line; of an event that begins at `begin`."""
        buffer = self.buffer
        head = bytes(buffer[begin : min(end, begin + 4096)])
        python = b"Traceback (most" in head
        go = head.startswith((b"panic: ", b"fatal error: ", b"goroutine ")) or b" panic: " in head
        indented = chained = False
        for number in range(_MOST_TRACE):
            start = end + 1
            if start >= high:
                return end
            stop = buffer.find(b"\n", start, high)
            if stop < 0:
                stop = high
            line = bytes(buffer[start : min(stop, start + 200)])
            if line.startswith(b"Traceback (most"):
                if python and not chained:
                    return end
                python, chained = True, False
            elif _CONTINUES.match(line):
                chained = line.startswith((b"During", b"The above"))
                go = go or line.startswith(b"goroutine ")
                indented = line[:1] in b" \t"
            elif number == 0 and _CLASS.match(line):
                pass
            elif go and not _BEGINS.match(line):
                # Frames of a goroutine stand at the left, and goroutines have an empty line between them.
                if not line.strip() and not self._goes_on(stop, high):
                    return end
            elif python and not line.strip():
                if not self._goes_on(stop, high):
                    return end
                chained = True
            elif python and indented and _LAST.match(line) and not _BEGINS.match(line):
                indented = False
            else:
                return end
            end = stop
        return end

    def before(self, begin: int) -> list[bytes]:
        """The lines before a place in the buffer, the nearest first; a few of them."""
        low = max(begin - 4096, 0)
        lines = bytes(self.buffer[low : max(begin - 1, 0)]).split(b"\n")
        # The first one is cut, unless the buffer begins with it.
        return lines[::-1][: min(20, len(lines) - (low > 0))]

    def _goes_on(self, stop: int, high: int) -> bool:
        return stop + 1 < high and bool(_CONTINUES.match(bytes(self.buffer[stop + 1 : stop + 80])))


# What the lines of a trace begin with: words, and names of classes of Java.
_FIRSTS = frozenset(b"CTDS.abcdefghijklmnopqrstuvwxyz")


def scan_bytes(data: bytes, sink: Callable[[bytes], None]) -> None:
    """Hand on the events in some bytes."""
    if not data:
        return
    buffer = bytearray(data)

    def each(events: Sequence[tuple[bytes, int]]) -> None:
        for raw, _begin in events:
            sink(raw)

    Finder(buffer).events(Plan(_pieces(data)), 0, len(buffer), True, each)


def _pieces(data: bytes, size: int = PIECE) -> Iterator[bytes]:
    """Pieces from the beginning, the middle and the end."""
    if len(data) <= 4 * size:
        yield data
        return
    for at in (0, (len(data) - size) // 2, len(data) - size):
        yield whole_lines(data[at : at + size], at > 0)


def whole_lines(piece: bytes, cut: bool) -> bytes:
    """Without the parts of lines at the ends."""
    begin = piece.find(b"\n") + 1 if cut else 0
    end = piece.rfind(b"\n")
    return piece[begin:end] if end > begin else piece


class Stream:
    """Scans what is read in blocks: a file, or what a decompressor gives.

    :param finder: with the buffer, which is a block and the longest event that may go over its end.
    :param plan: from a sample of the stream.
    """

    def __init__(self, finder: Finder, plan: Plan, sink: Sink) -> None:
        self._finder = finder
        self._plan = plan
        self._sink = sink
        self._kept = 0
        self._size = 0
        self._since = 0

    def room(self) -> memoryview:
        """Where the next block is to be read to."""
        return memoryview(self._finder.buffer)[self._kept : self._kept + BLOCK]

    def take(self, size: int) -> None:
        """Scan the block of so many bytes that was read."""
        buffer = self._finder.buffer
        high = self._kept + size
        self._since += size
        if self._since >= 16 * BLOCK:
            self._since = 0
            piece = bytes(buffer[self._kept : min(high, self._kept + 8192)])
            if not self._plan.covers(piece):
                # The file has gone over to another format: from here on all words of trouble are looked for, too.
                self._plan = Plan([whole_lines(piece, True)])
        whole = buffer.rfind(b"\n", 0, high) + 1
        if not whole:
            # A line that is longer than a block: what does not fit is left out.
            self._kept = high if high <= _LONGEST else 0
            return
        done = self._finder.events(self._plan, 0, whole, False, self._sink)
        rest = high - min(done, whole)
        if rest > _LONGEST:
            rest = high - whole if high - whole <= _LONGEST else 0
        buffer[:rest] = buffer[high - rest : high]
        self._kept = rest

    def finish(self) -> None:
        """Scan what is left when nothing comes any more."""
        if self._kept:
            self._finder.events(self._plan, 0, self._kept, True, self._sink)
            self._kept = 0


def new_buffer() -> bytearray:
    """A buffer for :class:`Stream`."""
    return bytearray(BLOCK + 2 * _LONGEST)

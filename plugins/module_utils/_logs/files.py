# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs in files: the present ones and what was rotated away within the window, compressed or not."""

from __future__ import annotations

import bz2
import contextlib
import glob
import io
import os
import time
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Callable, Protocol

from .book import Book, Owner
from .levels import when_of
from .look import Look
from .scan import BEGINS, PIECE, Finder, Plan, Stream, whole_lines
from .times import Clock
from .workers import Task, work

_SEGMENT = 64 << 20
_SEARCH_FROM = 4 << 20
_CONTINUES = (b" ", b"\t", b"\n", b"\r", b"Caused by", b"}")
_PACKED = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".lzma": "xz"}
_UNREADABLE = (".zst", ".lz4", ".zip", ".Z", ".br")


class Reader(Protocol):
    """What segments and compressed files have in common."""

    def readinto(self, room: memoryview) -> int:
        """Read into a part of the buffer; 0 at the end."""


def look_at_files(
    patterns: Sequence[str],
    exclude: Sequence[str],
    book: Book,
    look: Look,
    until: float,
    most_bytes: int,
    style: str = "auto",
    service: str = "",
) -> None:
    """Count the errors in files.

    :param patterns: globs of the present files; what was rotated (``x.log.1``, ``x.log-20261121.gz``) is found beside.
    :param until: monotonic time of the deadline.
    :param most_bytes: bytes that are read at most, as they are on the disk; the newest files come first.
    """
    names = _names(patterns, exclude, look)
    tasks: list[Task] = []
    owners = _Owners([name for name, _owner, _stat in names])
    for present in sorted(set(owners)):
        # One that is not written to has no errors: it was looked at all the same.
        book.owner(owners[present], "files", service)
        look.took(0, 1)
    planned = 0
    for path, present, size in _newest(names, book.start, look):
        owner = book.owner(owners[present], "files", service)
        if planned >= most_bytes:
            look.bounded(f"more than {most_bytes >> 20} MiB of files: {path} and older ones were not read")
            break
        planned += size
        tasks += _tasks(path, size, owner, book, look, until, style)
    work(tasks, planned, book, look, until)


def _tasks(path: str, size: int, owner: Owner, book: Book, look: Look, until: float, style: str) -> Iterator[Task]:
    """One task a file; several for a large one, which begin at the beginning of events."""
    kind = _PACKED.get(os.path.splitext(path)[1].lower())
    if kind is not None:
        yield lambda finder: _guarded(path, look, lambda: _packed(path, kind, finder, owner, book, look, until, style))
        return
    try:
        with open(path, "rb", buffering=0) as stream:
            if _magic(stream):
                yield lambda finder: _guarded(
                    path, look, lambda: _packed(path, "gzip", finder, owner, book, look, until, style)
                )
                return
            begin = _window(stream, size, book.start, book.clock) if size >= _SEARCH_FROM else 0
            plan = Plan(_samples(stream, begin, size))
            edges = [begin]
            while size - edges[-1] > 2 * _SEGMENT:
                edges.append(_edge(stream, edges[-1] + _SEGMENT))
            edges.append(size)
    except OSError as error:
        look.failed("denied" if isinstance(error, PermissionError) else "other", f"{path}: {error.strerror or error}")
        return
    for low, high in zip(edges, edges[1:]):
        yield _segment_task(path, low, high, plan, owner, book, look, until, style)


def _segment_task(
    path: str, low: int, high: int, plan: Plan, owner: Owner, book: Book, look: Look, until: float, style: str
) -> Task:
    def part(finder: Finder) -> None:
        with open(path, "rb", buffering=0) as stream:
            stream.seek(low)
            _read(_Segment(stream, high - low), finder, plan, path, owner, book, look, until, style)

    return lambda finder: _guarded(path, look, lambda: part(finder))


def _guarded(path: str, look: Look, work: Callable[[], None]) -> None:
    try:
        work()
    except (OSError, EOFError, ValueError, zlib.error) as error:
        kind = (
            "denied" if isinstance(error, PermissionError) else "garbage" if not isinstance(error, OSError) else "other"
        )
        look.failed(kind, f"{path}: {getattr(error, 'strerror', None) or error}")
    except Exception as error:  # noqa: BLE001  # a thread must not end silently with files unread
        look.failed("other", f"{path}: {type(error).__name__}: {error}")


class _Segment:
    """A part of a file."""

    def __init__(self, stream: io.RawIOBase | io.FileIO, size: int) -> None:
        self._stream = stream
        self._left = size

    def readinto(self, room: memoryview) -> int:
        if self._left <= 0:
            return 0
        count = self._stream.readinto(room[: self._left]) or 0
        self._left -= count
        return count


class _Packed:
    """What a decompressor gives."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readinto(self, room: memoryview) -> int:
        data = self._stream.read(len(room))
        room[: len(data)] = data
        return len(data)


def _packed(
    path: str, kind: str, finder: Finder, owner: Owner, book: Book, look: Look, until: float, style: str
) -> None:
    with _opened(path, kind) as stream:
        first = stream.read(PIECE * 4)
        plan = Plan([whole_lines(first, False)])
        reader = _Packed(_Ahead(first, stream))
        _read(reader, finder, plan, path, owner, book, look, until, style)


class _Ahead:
    """A stream whose first bytes were read already."""

    def __init__(self, first: bytes, stream: Any) -> None:
        self._first = first
        self._stream = stream

    def read(self, size: int) -> bytes:
        if self._first:
            data, self._first = self._first[:size], self._first[size:]
            return data
        return bytes(self._stream.read(size))


def _opened(path: str, kind: str) -> Any:
    if kind == "gzip":
        import gzip

        return gzip.open(path, "rb")
    if kind == "bzip2":
        return bz2.open(path, "rb")
    try:
        import lzma
    except ImportError as error:
        raise ValueError("this Python cannot read xz") from error
    return lzma.open(path, "rb")


def _read(
    reader: Reader,
    finder: Finder,
    plan: Plan,
    path: str,
    owner: Owner,
    book: Book,
    look: Look,
    until: float,
    style: str,
) -> None:
    def take(events: Sequence[tuple[bytes, int]]) -> None:
        book.lines(owner, events, path, style, finder.before)

    stream = Stream(finder, plan, take)
    total = 0
    while True:
        room = stream.room()
        size = reader.readinto(room)
        room.release()
        if not size:
            break
        total += size
        stream.take(size)
        if book.full:
            look.bounded(f"more than {book.most_events} errors: what came after them was not counted")
            break
        if time.monotonic() > until:
            look.bounded("the deadline was over before all files were read")
            break
    if not book.full:
        stream.finish()
    look.took(total)


def _magic(stream: io.FileIO) -> bool:
    first = stream.read(2)
    stream.seek(0)
    return first == b"\x1f\x8b"


def _samples(stream: io.FileIO, begin: int, size: int) -> Iterator[bytes]:
    """From the beginning, the middle and the end of what will be read."""
    if size - begin <= 4 * PIECE:
        stream.seek(begin)
        yield stream.read(4 * PIECE)
        return
    for at in (begin, (begin + size) // 2, size - PIECE):
        stream.seek(at)
        yield whole_lines(stream.read(PIECE), at > begin)


def _edge(stream: io.FileIO, at: int) -> int:
    """The beginning of the next line that is not a part of a trace: one that begins with a time, where there is one."""
    stream.seek(at)
    piece = stream.read(PIECE * 4)
    begins = BEGINS.search(piece)
    if begins:
        return at + begins.start() + 1
    place = piece.find(b"\n") + 1
    while 0 < place < len(piece):
        if not piece.startswith(_CONTINUES, place):
            return at + place
        place = piece.find(b"\n", place) + 1
    return at + max(piece.find(b"\n") + 1, 0)


def _window(stream: io.FileIO, size: int, start: float, clock: Clock) -> int:
    """Where the window begins in a file whose lines are in the order of time: a few looks instead of reading it all."""
    low, high = 0, size
    first = _time_at(stream, 0, clock)
    if first is None or first >= start:
        return 0
    while high - low > PIECE * 4:
        middle = (low + high) // 2
        found = _time_at(stream, middle, clock)
        if found is None:
            return low
        if found < start:
            low = middle
        else:
            high = middle
    # From a place before it: events of several threads are not exactly in order.
    return _edge(stream, max(low - 4 * PIECE, 0)) if low > 4 * PIECE else 0


def _time_at(stream: io.FileIO, at: int, clock: Clock) -> float | None:
    """The time of the first line after a place that says one."""
    stream.seek(at)
    piece = stream.read(PIECE)
    for line in piece.split(b"\n")[1 if at else 0 : 60]:
        found = when_of(line[:600].decode("utf-8", "replace"), clock)
        if found is not None:
            return found
    return None


def _names(patterns: Sequence[str], exclude: Sequence[str], look: Look) -> list[tuple[str, str, os.stat_result]]:
    """All files of some globs: path, the present file that it belongs to, and what the system says about it."""
    excluded = {os.path.realpath(path) for pattern in exclude for path in glob.glob(pattern, recursive=True)}
    found: dict[tuple[int, int], tuple[str, str, os.stat_result]] = {}
    for pattern in patterns:
        matched = False
        candidates = [(path, path) for path in sorted(glob.glob(pattern, recursive=True))]
        for path, _itself in list(candidates):
            candidates += [
                (rotated, path)
                for mark in (".", "-")
                for rotated in sorted(glob.glob(glob.escape(path) + mark + "*"))
                if _rotated(rotated[len(path) :])
            ]
        for path, present in candidates:
            with contextlib.suppress(OSError):
                stat = os.stat(path)
                if not os.path.isfile(path):
                    continue
                matched = True
                if os.path.realpath(path) not in excluded:
                    found.setdefault((stat.st_dev, stat.st_ino), (path, _present(path, present), stat))
        if not matched:
            _nothing(pattern, look)
    return list(found.values())


def _nothing(pattern: str, look: Look) -> None:
    """A glob that finds nothing in its folder is fine; a folder that is not there or not open to us is not."""
    if not glob.has_magic(pattern):
        look.failed("missing", f"{pattern}: there is no such file")
        return
    folder = pattern
    while glob.has_magic(folder):
        folder = os.path.dirname(folder)
    if not os.path.isdir(folder or "."):
        look.failed("missing", f"{pattern}: there is no folder {folder}")
    elif not os.access(folder or ".", os.R_OK | os.X_OK):
        look.failed("denied", f"{pattern}: this account may not read the folder {folder}")


def _rotated(rest: str) -> bool:
    """Is it what logrotate makes of a name: .1, .2.gz, -20261121, -20261121.gz, .2026-11-21?"""
    for ending in (*_PACKED, *_UNREADABLE):
        if rest.endswith(ending):
            rest = rest[: -len(ending)]
            break
    return not rest or rest.strip(".-_0123456789T:") == "" or rest in (".old", ".prev", ".bak")


def _present(path: str, present: str) -> str:
    """The present file of a rotated one that a glob such as ``*.log*`` has found by itself."""
    if path != present:
        return present
    for place in range(len(path) - 1, path.rfind("/") + 1, -1):
        if path[place] in ".-" and _rotated(path[place:]) and os.path.exists(path[:place]):
            return path[:place]
    return path


class _Owners(dict[str, str]):
    """Path of a present file -> name of its owner: its own name, with that of its folder where two have the same."""

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__()
        presents = {_present(path, path) for path in paths}
        names: dict[str, int] = {}
        for path in presents:
            names[os.path.basename(path)] = names.get(os.path.basename(path), 0) + 1
        for path in presents:
            name = os.path.basename(path)
            self[path] = name if names[name] == 1 else path.strip("/").replace("/", ".")

    def __missing__(self, path: str) -> str:
        return os.path.basename(path)


def _newest(
    names: Sequence[tuple[str, str, os.stat_result]], start: float, look: Look
) -> Iterator[tuple[str, str, int]]:
    """Files that were written to within the window, the newest first."""
    for path, present, stat in sorted(names, key=lambda one: -one[2].st_mtime):
        if stat.st_mtime < start or not stat.st_size:
            continue
        if path.endswith(_UNREADABLE):
            look.failed("other", f"{path}: compressed in a way that Python cannot read")
            continue
        yield path, present, stat.st_size

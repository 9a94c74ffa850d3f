# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of BSON documents, as mongodump writes it, walked to its last byte with the standard library alone."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import IO, BinaryIO, cast

# A server keeps documents of 16 MiB at most; its own (of the oplog, of bulk answers) may be a little larger.
MOST = (16 << 20) + (16 << 10)
LEAST = 5
_DEEPEST = 200

_LENGTH = struct.Struct("<i")

# Types whose values have one size: double, undefined, ObjectId, bool, date, null, int32, timestamp, int64, decimal128,
# and the least and greatest key.
_FIXED = {
    0x01: 8, 0x06: 0, 0x07: 12, 0x08: 1, 0x09: 8, 0x0A: 0, 0x10: 4, 0x11: 8, 0x12: 8, 0x13: 16, 0x7F: 0, 0xFF: 0,
}  # fmt: skip
_STRINGS = frozenset((0x02, 0x0D, 0x0E))  # string, code, symbol
_NESTED = frozenset((0x03, 0x04))  # document, array
_BINARY, _REGEX, _POINTER, _CODE_WITH_SCOPE = 0x05, 0x0B, 0x0C, 0x0F


def _unpack(data: bytes, place: int = 0) -> int:
    size: int = _LENGTH.unpack_from(data, place)[0]
    return size


class Damaged(Exception):
    """The file cannot be restored; the text says why."""


def opened(path: str, on_bytes: Callable[[bytes], object] | None = None) -> IO[bytes]:
    """A file of documents, unpacked where its first bytes say that it is packed.

    :param on_bytes: gets the bytes of the file as they are, such as ``hashlib.sha256().update``.
    :raises OSError: it cannot be read.
    """
    stream = open(path, "rb")  # noqa: SIM115
    packed = stream.read(2) == b"\x1f\x8b"
    stream.seek(0)
    told = cast(IO[bytes], _Told(stream, on_bytes)) if on_bytes else stream
    return cast(IO[bytes], _Unpacked(told)) if packed else told


def documents(stream: BinaryIO | IO[bytes], check: bool = True) -> Iterator[bytes]:
    """The documents of a file, one after the other.

    :param check: whether each is walked over as well, or is only as long as it says.
    :raises Damaged: it breaks off, or bytes in it were changed.
    """
    place = 0
    try:
        while head := stream.read(4):
            if len(head) < 4:
                raise Damaged(f"it breaks off at byte {place + len(head)}")
            size = _unpack(head)
            if not LEAST <= size <= MOST:
                raise Damaged(f"no document stands at byte {place}: its length would be {size}")
            data = head + stream.read(size - 4)
            if len(data) < size:
                raise Damaged(f"it breaks off at byte {place + len(data)}, in a document of {size} bytes")
            if check:
                try:
                    _document(data, 0, size, 0)
                except (Damaged, IndexError, ValueError, struct.error) as error:
                    raise Damaged(f"the document at byte {place} is damaged: {error}") from None
            elif data[-1]:
                raise Damaged(f"the document at byte {place} does not end where it says")
            place += size
            yield data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Damaged(f"it breaks off or is damaged after {place} unpacked bytes: {error}") from None


ARCHIVE = b"\x6d\xe2\x99\x81"
_BREAK = b"\xff\xff\xff\xff"


def archive(stream: BinaryIO | IO[bytes], tick: Callable[[], None] | None = None) -> int:
    """Pass over the archive that ``mongodump --archive`` writes, by the lengths in it; the number of its documents.

    :param tick: called now and then, to raise what ends it.
    :raises Damaged: it breaks off, or bytes in it were changed.
    """
    if stream.read(4) != ARCHIVE:
        raise Damaged("it is no archive of mongodump")
    place, found, ended = 4, 0, False
    try:
        while head := stream.read(4):
            place += len(head)
            ended = head == _BREAK
            if ended:
                continue
            size = _unpack(head) if len(head) == 4 else 0
            if not LEAST <= size <= MOST:
                raise Damaged(f"no document stands at byte {place - len(head)}")
            data = stream.read(size - 4)
            if len(data) < size - 4 or data[-1]:
                raise Damaged(f"it breaks off or is damaged in the document at byte {place - 4}")
            place += len(data)
            found += 1
            if tick is not None and not found % 1024:
                tick()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Damaged(f"it breaks off or is damaged after {place} unpacked bytes: {error}") from None
    if not ended:
        raise Damaged("it breaks off: the mark of its end is missing")
    return found


def count(data: bytes) -> int:
    """The number of documents that stand one after the other, by their lengths alone.

    :raises Damaged: the last does not end where they end.
    """
    place, found, size = 0, 0, len(data)
    while place < size:
        if place + 4 > size or not LEAST <= (length := _unpack(data, place)) <= size - place:
            raise Damaged(f"no document stands at byte {place}")
        place += length
        found += 1
    return found


def _document(data: bytes, place: int, limit: int, depth: int) -> int:
    """Walk over a document.

    :param place: where it begins; limit: where it has to end at the latest.
    :returns: where it ends.
    """
    size = _unpack(data, place)
    end = place + size
    if size < LEAST or end > limit:
        raise Damaged(f"a document within it of {size} bytes leads out of it")
    if data[end - 1]:
        raise Damaged("a document within it does not end where it says")
    if depth > _DEEPEST:
        raise Damaged(f"it is deeper than {_DEEPEST} documents")
    last = end - 1
    place += 4
    fixed, index = _FIXED, data.index
    while place < last:
        kind = data[place]
        place = index(0, place + 1, last) + 1
        if kind in fixed:
            place += fixed[kind]
        elif kind in _STRINGS:
            place = _string(data, place, last)
        elif kind in _NESTED:
            place = _document(data, place, last, depth + 1)
        else:
            place = _rare(kind, data, place, last, depth)
    if place != last:
        raise Damaged("a value in it leads out of it")
    return end


def _string(data: bytes, place: int, last: int) -> int:
    size = _unpack(data, place)
    end = place + 4 + size
    if size < 1 or end > last or data[end - 1]:
        raise Damaged("a text in it does not end where it says")
    return end


def _rare(kind: int, data: bytes, place: int, last: int, depth: int) -> int:
    if kind == _BINARY:
        size = _unpack(data, place)
        if size < 0:
            raise Damaged("a binary value in it has no length")
        return place + 5 + size
    if kind == _REGEX:
        return data.index(0, data.index(0, place, last) + 1, last) + 1
    if kind == _POINTER:
        return _string(data, place, last) + 12
    if kind == _CODE_WITH_SCOPE:
        size = _unpack(data, place)
        end = place + size
        if size < 14 or end > last or _document(data, _string(data, place + 4, end), end, depth + 1) != end:
            raise Damaged("a code with its scope does not end where it says")
        return end
    raise Damaged(f"{kind} is no type of a value")


class _Unpacked(gzip.GzipFile):
    """Closes the file that it unpacks, too."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(fileobj=cast(BinaryIO, stream), mode="rb")
        self._stream = stream

    def close(self) -> None:
        """Both."""
        super().close()
        self._stream.close()


class _Told:
    """A file that tells what is read of it."""

    def __init__(self, stream: IO[bytes], tell: Callable[[bytes], object]) -> None:
        self._stream, self._tell = stream, tell
        self.close = stream.close

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(size)
        self._tell(piece)
        return piece

    def __enter__(self) -> _Told:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

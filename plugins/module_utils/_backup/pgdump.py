# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump of `pg_dump -Fc` or a folder of `-Fd`, walked block by block to its last byte, without PostgreSQL.

The format is described by the source of PostgreSQL alone (src/bin/pg_dump/pg_backup_archiver.c and _custom.c); versions
1.12 (PostgreSQL 9) to 1.16 (PostgreSQL 17) are read. Every data block is unpacked: zlib's own sums then tell flipped
bytes. Blocks packed by LZ4 or Zstandard are walked, and not unpacked: the standard library cannot.
"""

from __future__ import annotations

import datetime
import gzip
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from . import plain_file, sql_text

# The table of contents of a directory says that it is of a tar, in all versions.
_CUSTOM, _DIRECTORY = 1, 3
_BLOCK_DATA, _BLOCK_BLOBS = 1, 3
_NO_DATA = 3
_COMPRESSIONS = ("none", "gzip", "lz4", "zstd")
_MOST = 1 << 30
_PIECE = 1 << 20


class Damaged(Exception):
    """The dump cannot be restored as it is; the text says where it breaks off."""


class Unknown(Damaged):
    """A version of the format that this reader does not know; nothing is said about the dump."""


@dataclass
class Dump:
    """What was found.

    :ivar version: of the format, such as ``1.14``; database: its name; made: ISO time in UTC at which the dump began,
        by the clock and zone of the machine that made it.
    :ivar entries: of the table of contents; data: how many of them have data; unpacked: whether all blocks were.
    :ivar server: version of the server that it was made from.
    :ivar tables: schema and name of those that it makes, and that hold rows themselves; with_data: that have a part
        with their rows, be it empty.
    """

    version: str
    database: str
    made: str | None
    entries: int
    data: int = 0
    unpacked: bool = True
    wanted: set[int] = field(default_factory=set)
    files: dict[int, str] = field(default_factory=dict)
    compression: str = "gzip"
    server: str = ""
    tables: set[tuple[str, str]] = field(default_factory=set)
    with_data: set[tuple[str, str]] = field(default_factory=set)

    def only_structure(self) -> str | None:
        """Whether it makes tables and fills none, which is no backup of what was in them."""
        return sql_text.STRUCTURE % len(self.tables) if self.tables and not self.with_data else None

    def without_rows(self, wanted: Mapping[str, int]) -> list[str]:
        """Tables that had rows when the set was made, and of which it has none.

        :param wanted: rows by name of the table, as a manifest has them.
        """
        return sorted(name for name, rows in wanted.items() if rows and sql_text.names(name) not in self.with_data)


class _Reader:
    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.int_size = 4
        self.off_size = 8

    def take(self, count: int) -> bytes:
        found = self.stream.read(count)
        if len(found) != count:
            raise Damaged("it ends in the middle of its table of contents")
        return found

    def byte(self) -> int:
        return self.take(1)[0]

    def int(self) -> int:
        sign = self.byte()
        value = int.from_bytes(self.take(self.int_size), "little")
        return -value if sign else value

    def text(self) -> str | None:
        length = self.int()
        if length < 0:
            return None
        if length > _MOST:
            raise Damaged("its table of contents holds nonsense")
        found = self.take(length)
        if b"\0" in found:
            raise Damaged("zeros stand in its table of contents: a part of it was never written")
        return found.decode("utf-8", "replace")


def header(stream: BinaryIO) -> Dump:
    """Read the header and the table of contents; the stream stands at the first block afterwards.

    :raises Damaged: no dump, of an unknown version, or broken off.
    """
    reader = _Reader(stream)
    if stream.read(5) != b"PGDMP":
        raise Damaged("it is no dump of pg_dump")
    version = (reader.byte(), reader.byte(), reader.byte())
    if not (1, 12, 0) <= version < (1, 17, 0):
        raise Unknown("its format is %d.%d; this reader knows 1.12 to 1.16" % version[:2])
    reader.int_size, reader.off_size = reader.byte(), reader.byte()
    kind = reader.byte()
    if not 1 <= reader.int_size <= 8 or not 1 <= reader.off_size <= 8 or kind not in (_CUSTOM, _DIRECTORY):
        raise Damaged("its header holds nonsense")
    if version >= (1, 15, 0):
        number = reader.byte()
        compression = _COMPRESSIONS[number] if number < len(_COMPRESSIONS) else "unknown"
    else:
        compression = "none" if reader.int() == 0 else "gzip"
    made = _when([reader.int() for _part in range(7)])
    database = reader.text() or ""
    server = reader.text() or ""
    reader.text()  # version of pg_dump
    count = reader.int()
    if not 0 <= count <= _MOST:
        raise Damaged("its table of contents holds nonsense")
    dump = Dump("%d.%d" % version[:2], database, made, count, compression=compression, server=server)
    for _entry in range(count):
        _entry_of(reader, version, kind, dump)
    return dump


def _entry_of(reader: _Reader, version: tuple[int, int, int], kind: int, dump: Dump) -> None:
    number = reader.int()
    has_data = reader.int() != 0
    for _text in range(2):  # table oid, oid
        reader.text()
    tag, kind_of = reader.text() or "", reader.text()
    reader.int()  # section
    definition = reader.text() or ""
    for _text in range(2):  # drop statement, copy statement
        reader.text()
    schema = reader.text() or ""
    reader.text()  # tablespace
    if version >= (1, 14, 0):
        reader.text()  # access method
    if version >= (1, 16, 0):
        reader.int()  # kind of relation
    # Rows of an unlogged table are left out where a standby is dumped.
    if kind_of == "TABLE" and definition.startswith("CREATE TABLE ") and "\nPARTITION BY " not in definition:
        dump.tables.add((schema, tag))
    elif kind_of == "TABLE DATA":
        dump.with_data.add((schema, tag))
    reader.text()  # owner
    reader.text()  # with oids
    while reader.text() is not None:  # dependencies
        pass
    if kind == _CUSTOM:
        state = reader.byte()
        reader.take(reader.off_size)
        if has_data and state != _NO_DATA:
            dump.wanted.add(number)
    else:
        name = reader.text()
        if has_data and name:
            dump.files[number] = name


def _when(parts: list[int]) -> str | None:
    second, minute, hour, day, month, year, _dst = parts
    try:
        local = datetime.datetime(year + 1900, month + 1, day, hour, minute, min(second, 59))  # noqa: DTZ001
        # The dump says the local time of the machine that made it and not its zone: taken as that of this machine.
        return local.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return None


def walk(stream: BinaryIO, unpack: bool = True) -> Dump:
    """Read a custom-format dump to its end.

    :param unpack: whether its blocks are unpacked as well; else their lengths have to fit, and no more.
    :raises Damaged: it cannot be restored whole.
    """
    dump = header(stream)
    reader = _Reader(stream)
    seen: set[int] = set()
    if not unpack:
        dump.compression, dump.unpacked = "none", False
    while True:
        kind = stream.read(1)
        if not kind:
            break
        if not dump.wanted - seen and kind[0] not in (_BLOCK_DATA, _BLOCK_BLOBS):
            raise Damaged(
                "bytes follow its end, from byte %d on: it was appended to (>>), or messages were mixed into it (2>&1)"
                % (stream.tell() - 1)
            )
        try:
            number = _size(reader)
            if kind[0] == _BLOCK_DATA:
                _unpack(_chunks(reader), dump)
            elif kind[0] == _BLOCK_BLOBS:
                while _size(reader):
                    _unpack(_chunks(reader), dump)
            else:
                raise Damaged("nonsense stands where a block should begin, at byte %d" % stream.tell())
        except Damaged as error:
            name = "block %d of %d" % (len(seen) + 1, len(dump.wanted))
            raise Damaged("%s: %s" % (name, error)) from None
        seen.add(number)
    missing = dump.wanted - seen
    if missing:
        raise Damaged("%d of %d data blocks are missing at its end" % (len(missing), len(dump.wanted)))
    dump.data = len(seen)
    return dump


def _size(reader: _Reader) -> int:
    """An integer inside the data part."""
    raw = reader.stream.read(1 + reader.int_size)
    if len(raw) != 1 + reader.int_size:
        raise Damaged("it breaks off at byte %d" % reader.stream.tell())
    value = int.from_bytes(raw[1:], "little")
    return -value if raw[0] else value


def _chunks(reader: _Reader) -> Iterator[bytes]:
    while True:
        length = _size(reader)
        if length == 0:
            return
        if not 0 < length <= _MOST:
            raise Damaged("nonsense at byte %d" % reader.stream.tell())
        while length:
            piece = reader.stream.read(min(length, _PIECE))
            if not piece:
                raise Damaged("it breaks off at byte %d" % reader.stream.tell())
            length -= len(piece)
            yield piece


def _unpack(chunks: Iterator[bytes], dump: Dump) -> None:
    if dump.compression == "none":
        for _piece in chunks:
            pass
        return
    if dump.compression != "gzip":
        dump.unpacked = False
        for _piece in chunks:
            pass
        return
    inflate = zlib.decompressobj()
    try:
        for piece in chunks:
            while piece:
                inflate.decompress(piece, _PIECE)
                piece = inflate.unconsumed_tail
        while not inflate.eof:
            if not inflate.decompress(b"", _PIECE):
                break
    except zlib.error as error:
        raise Damaged("its data cannot be unpacked (%s)" % error) from None
    if not inflate.eof:
        raise Damaged("its data end before they are complete")


def walk_folder(path: str) -> Dump:
    """Read a directory-format dump (`pg_dump -Fd`) to its end.

    :raises Damaged: a file of it is missing or damaged.
    """
    with plain_file.opened(os.path.join(path, "toc.dat")) as stream:
        dump = header(stream)
    for name in dump.files.values():
        if os.path.basename(name) != name:
            raise Damaged("its table of contents names a file elsewhere")
        file = os.path.join(path, name)
        packed = file + ".gz"
        if name == "blobs.toc" or name.startswith("blobs_"):
            _blobs(path, name)
        elif os.path.exists(packed):
            _gunzip(packed)
        elif os.path.exists(file):
            _read(file)
        elif os.path.exists(file + ".lz4") or os.path.exists(file + ".zst"):
            dump.unpacked = False
        else:
            raise Damaged("%s is missing" % name)
        dump.data += 1
    return dump


def _blobs(path: str, listing: str) -> None:
    """The files of large objects, which a list of their own names."""
    try:
        with plain_file.opened(os.path.join(path, listing)) as stream:
            lines = stream.read(_MOST).decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        raise Damaged("%s is missing" % listing) from None
    for line in lines:
        number, _space, name = line.partition(" ")
        if not number.isdigit() or not name or os.path.basename(name) != name:
            raise Damaged("%s holds nonsense" % listing)
        file = os.path.join(path, name)
        if os.path.exists(file + ".gz"):
            _gunzip(file + ".gz")
        elif not any(os.path.exists(file + ending) for ending in ("", ".lz4", ".zst")):
            raise Damaged("%s is missing" % name)


def _gunzip(path: str) -> None:
    if os.path.getsize(path) == 0:
        # Packed nothing has 20 bytes. Python's reader takes a file of none for the same, and so does pg_restore.
        raise Damaged("%s is empty" % os.path.basename(path))
    try:
        with plain_file.opened(path) as raw, gzip.GzipFile(fileobj=raw, mode="rb") as stream:
            while stream.read(_PIECE):
                pass
    except (OSError, EOFError, zlib.error) as error:
        raise Damaged("%s: %s" % (os.path.basename(path), error)) from None


def _read(path: str) -> None:
    with plain_file.opened(path) as stream:
        last = b""
        while True:
            piece = stream.read(_PIECE)
            if not piece:
                break
            if b"\0" in piece:  # no text of COPY has one
                raise Damaged("%s holds zeros: a part of it was never written" % os.path.basename(path))
            last = (last + piece)[-8:]
    if last and not last.endswith(b"\\.\n\n\n") and not last.endswith(b"\n"):
        raise Damaged("%s ends in the middle of a line" % os.path.basename(path))

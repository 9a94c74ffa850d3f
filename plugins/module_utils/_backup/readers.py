# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a backup to its last byte, by its format: is it whole? Standard library and the engine's own tools."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import json
import lzma
import os
import shutil
import subprocess
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

from .._core.errors import OpsError
from . import bson, k8s_vault, pgdump, plain_file, rdb, rdb_keys, sql_text

AUTO = "auto"
FORMATS = (AUTO, "pg_custom", "pg_directory", "sql", "rdb", "tar", "json", "any")

_PIECE = 1 << 20
_SQL_ENDS = (b"PostgreSQL database dump complete", b"PostgreSQL database cluster dump complete", b"Dump completed on")
_JSON_MOST = 256 << 20
_TAR_END = 1024
# A page of zeros is what a file system shows of one that was never written.
_ZEROS = 4096
_BSON_NAMES = (".bson", ".bson.gz")
_METADATA_NAMES = (".metadata.json", ".metadata.json.gz")
_VAULT_NAMES = (".vault.yml",)
_VAULT_MOST = 64 << 20
_TEXT_NAMES = (".yml", ".yaml")
# So many zeros stand in no text, nor by chance in what somebody has encrypted.
_HOLE = bytes(64)
_TAR_NAMES = (".tar", ".tar.gz", ".tgz")
# Whoever writes an archive fills it up to whole records, of 10 KiB as a rule.
_TAR_FILLED = 2 * 10240
_PACKED = {".gz": b"\x1f\x8b", ".tgz": b"\x1f\x8b", ".bz2": b"BZh", ".xz": b"\xfd7zXZ\x00", ".zst": b"\x28\xb5\x2f\xfd"}

Answer = dict[str, Any]
"""status: ok, bad or skipped; how: what read it; why: where it breaks off, or was not read; made: ISO time or null."""


class OutOfTime(Exception):
    """The deadline came before the last byte."""


class _Timed:
    """A file that stops at the deadline."""

    def __init__(self, stream: BinaryIO, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, size: int = -1) -> bytes:
        if time.monotonic() > self._deadline:
            raise OutOfTime
        return self._stream.read(size)

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, place: int, whence: int = 0) -> int:
        return self._stream.seek(place, whence)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    @property
    def closed(self) -> bool:
        return self._stream.closed

    def __enter__(self) -> _Timed:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stream.close()


def timed(stream: BinaryIO, deadline: float) -> Any:
    """A file whose reading ends at a deadline, with OutOfTime."""
    return _Timed(stream, deadline)


def format_of(path: str) -> str:
    """The format of a file or folder, by what it begins with, then by its name."""
    if os.path.isdir(path):
        return "pg_directory" if os.path.exists(os.path.join(path, "toc.dat")) else "any"
    with plain_file.opened(path) as stream:
        head = stream.read(262 + 8)
    name = os.path.basename(path).lower()
    for ending in (".gz", ".bz2", ".xz"):
        if name.endswith(ending):
            name = name[: -len(ending)]
    if head.startswith(b"PGDMP"):
        return "pg_custom"
    if head.startswith(b"REDIS"):
        return "rdb"
    if head[257:262] == b"ustar" or name.endswith((".tar", ".tgz", ".tbz2", ".txz")):
        return "tar"
    for ending, kind in ((".sql", "sql"), (".json", "json"), (".dump", "pg_custom"), (".rdb", "rdb")):
        if name.endswith(ending):
            return kind
    return "any"


def read(path: str, kind: str, deadline: float, tools: bool = True) -> Answer:
    """Read a backup to its end.

    :param kind: one of `FORMATS`.
    :param deadline: of the monotonic clock.
    :param tools: whether an engine's own tool is used where it is there.
    :returns: an Answer; never raises for what is wrong with the file.
    """
    made = None
    lost = plain_file.trouble(path)
    if lost:
        return _answer("bad", kind, lost)
    try:
        if kind == AUTO:
            kind = format_of(path)
        if not os.path.isdir(path) and os.path.getsize(path) == 0:
            return _answer("bad", kind, "it is empty")
        unknown = ""
        try:
            how, made = _READERS[kind](path, deadline)
        except pgdump.Unknown as error:
            how, unknown = "", str(error)
        if tools and kind in _TOOLS:
            by_tool = _by_tool(path, kind, deadline)
            if by_tool is not None:
                how, why = by_tool
                unknown = ""
                if why:
                    return _answer("bad", how, why, made)
        if unknown:
            return _answer("skipped", kind, "%s, and no pg_restore is there that does" % unknown)
    except OutOfTime:
        return _answer("skipped", kind, "there was no time to read it to its end")
    except (pgdump.Damaged, rdb.Damaged, bson.Damaged, sql_text.Broken) as error:
        return _answer("bad", kind, str(error), made)
    except (EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, gzip.BadGzipFile) as error:
        return _answer("bad", kind, "it breaks off or is damaged: %s" % error)
    except UnicodeDecodeError as error:
        return _answer("bad", kind, "it is no text: %s" % error)
    except OSError as error:
        if isinstance(error, plain_file.NoFile):
            return _answer("bad", kind, "%s: %s" % (os.path.basename(str(error.filename)), error.strerror))
        if error.errno is None:  # what bz2 and gzip raise for damaged data
            return _answer("bad", kind, "it is damaged: %s" % error)
        return _answer("skipped", kind, "it cannot be read: %s" % (error.strerror or error))
    return _answer("ok", how, None, made)


def _answer(status: str, how: str, why: str | None, made: str | None = None) -> Answer:
    return {"status": status, "how": how, "why": why, "made": made}


def _pg_custom(path: str, deadline: float) -> tuple[str, str | None]:
    with timed(plain_file.opened(path), deadline) as stream:
        dump = pgdump.walk(stream)
    _not_all(dump)
    return "%d data blocks%s" % (dump.data, "" if dump.unpacked else " (walked, not unpacked)"), dump.made


def _pg_directory(path: str, deadline: float) -> tuple[str, str | None]:
    if time.monotonic() > deadline:
        raise OutOfTime
    dump = pgdump.walk_folder(path)
    _not_all(dump)
    return "%d files of the table of contents" % dump.data, dump.made


def _not_all(dump: pgdump.Dump) -> None:
    why = dump.only_structure()
    if why:
        raise pgdump.Damaged(why)


def _rdb(path: str, deadline: float) -> tuple[str, str | None]:
    with timed(plain_file.opened(path), deadline) as stream:
        how, made = rdb.walk(stream, os.path.getsize(path))
    if rdb.SUMMED in how:
        return how, made
    # Without a sum, what can be seen is whether every value ends where the next one begins.
    with contextlib.suppress(rdb_keys.Unknown), plain_file.opened(path, _PIECE) as opened:
        try:
            how += ", %d keys walked" % rdb_keys.count(opened, deadline).keys
        except rdb_keys.Unknown:
            raise
        except OpsError:
            raise OutOfTime from None
    return how, made


@contextlib.contextmanager
def _opened(path: str, deadline: float) -> Iterator[Any]:
    """The bytes of a file, unpacked by its first bytes."""
    with plain_file.opened(path) as stream:
        head = stream.read(6)
    with contextlib.ExitStack() as opened:
        raw: Any = opened.enter_context(timed(plain_file.opened(path), deadline))
        if head.startswith(b"\x1f\x8b"):
            raw = opened.enter_context(gzip.GzipFile(fileobj=raw, mode="rb"))
        elif head.startswith(b"BZh"):
            raw = opened.enter_context(bz2.BZ2File(raw))
        elif head.startswith(b"\xfd7zXZ\x00"):
            raw = opened.enter_context(lzma.LZMAFile(raw))
        yield raw


def _sql(path: str, deadline: float) -> tuple[str, str | None]:
    def in_time() -> None:
        if time.monotonic() > deadline:
            raise OutOfTime

    with _opened(path, deadline) as stream:
        text = sql_text.scan(stream, in_time)
    if not any(one in text.tail for one in _SQL_ENDS):
        other = _other_than_its_name(path)
        raise pgdump.Damaged(other or "it stops early: the last line of a whole dump is missing")
    why = text.trouble() or text.only_structure() or (sql_text.CONVERTED if text.converted else None)
    if why:
        raise pgdump.Damaged(why)
    rows = ", %d rows" % sum(text.rows.values()) if text.rows else ""
    return "its last line is that of a whole dump" + rows, None


def _other_than_its_name(path: str) -> str | None:
    """What is wrong with a file whose name says that it is packed, and which is not, such as a page of an error."""
    ending = os.path.splitext(path)[1].lower()
    with plain_file.opened(path) as stream:
        head = stream.read(16)
    if ending not in _PACKED or head.startswith(_PACKED[ending]):
        return None
    return "its name says that it is packed (%s), and it begins with %r" % (ending, head)


class _Tail:
    """A stream that knows how many bytes it has had, and how many of them up to the last that is not zero."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.total = self.solid = 0

    def read(self, size: int = -1) -> bytes:
        piece: bytes = self._stream.read(size)
        kept = len(piece.rstrip(b"\0"))
        if kept:
            self.solid = self.total + kept
        self.total += len(piece)
        return piece


def _tar(path: str, deadline: float) -> tuple[str, str | None]:
    count = 0
    with _opened(path, deadline) as raw:
        stream = _Tail(raw)
        with tarfile.open(fileobj=cast(BinaryIO, stream), mode="r|") as archive:
            for member in archive:
                if time.monotonic() > deadline:
                    raise OutOfTime
                content = archive.extractfile(member) if member.isfile() else None
                while content is not None and content.read(_PIECE):
                    pass
                count += 1
            end = archive.offset
        while stream.read(_PIECE):
            pass
    if not count:
        raise pgdump.Damaged("there is nothing in it")
    # Two blocks of nothing end an archive: one that is cut between two members lacks them, and one that was never
    # written to its end has many more.
    if stream.total - end < _TAR_END and stream.solid <= end:
        raise pgdump.Damaged("it breaks off after %d members: the end of the archive is missing" % count)
    if stream.solid > end:
        raise pgdump.Damaged(
            "bytes follow the end of the archive, after %d members: a part in the middle was never written, or another "
            "archive was appended" % count
        )
    if stream.total - end > _TAR_FILLED:
        raise pgdump.Damaged(
            "%d bytes of nothing follow %d members: it was not written to its end" % (stream.total - end, count)
        )
    return "%d members" % count, None


def _json(path: str, deadline: float) -> tuple[str, str | None]:
    with _opened(path, deadline) as stream:
        text = stream.read(_JSON_MOST + 1)
    if len(text) > _JSON_MOST:
        return "read, too large to be parsed", None
    try:
        json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise pgdump.Damaged("it is no JSON: %s" % error) from None
    return "parsed as JSON", None


def _bson(path: str, deadline: float, archive: bool) -> tuple[str, str | None]:
    """What mongodump writes, by the lengths of its documents."""

    def tick() -> None:
        if time.monotonic() > deadline:
            raise OutOfTime

    with _opened(path, deadline) as stream:
        if archive:
            return "%d documents of an archive" % bson.archive(stream, tick), None
        number = 0
        for number, _document in enumerate(bson.documents(stream, check=False), 1):
            if not number % 1024:
                tick()
    return "%d documents" % number, None


def _any(path: str, deadline: float) -> tuple[str, str | None]:
    if os.path.isdir(path):
        count = 0
        for folder, _folders, files in os.walk(path):
            for name in files:
                one = os.path.join(folder, name)
                reader = _tar if name.endswith(_TAR_NAMES) and os.path.getsize(one) else _any
                try:
                    reader(one, deadline)
                except (pgdump.Damaged, bson.Damaged, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError) as error:
                    raise pgdump.Damaged("%s: %s" % (name, error)) from None
                count += 1
        if not count:
            raise pgdump.Damaged("there is no file in it")
        return "every file read", None
    other = _other_than_its_name(path) if os.path.getsize(path) else None
    if other:
        raise pgdump.Damaged(other)
    size, solid = 0, False
    with _opened(path, deadline) as stream:
        head = stream.read(len(bson.ARCHIVE))
    if head == bson.ARCHIVE or path.endswith(_BSON_NAMES):
        return _bson(path, deadline, head == bson.ARCHIVE)
    if path.endswith(_METADATA_NAMES):
        return _json(path, deadline)
    if path.endswith(_VAULT_NAMES) and os.path.getsize(path) <= _VAULT_MOST:
        with plain_file.opened(path) as sealed:
            wrong = k8s_vault.envelope(sealed.read())
        if wrong:
            raise pgdump.Damaged(wrong)
    is_text = path.endswith(_TEXT_NAMES)
    with _opened(path, deadline) as stream:
        while True:
            piece = stream.read(_PIECE)
            if not piece:
                break
            if is_text and _HOLE in piece:
                place = size + piece.index(_HOLE)
                raise pgdump.Damaged("zeros stand in it from byte %d on, where text should be" % place)
            size += len(piece)
            solid = solid or bool(piece.strip(b"\0"))
    if size >= _ZEROS and not solid:
        raise pgdump.Damaged("all of its %d bytes are zero: it was never written" % size)
    return "%d bytes read" % size, None


_READERS: dict[str, Callable[[str, float], tuple[str, str | None]]] = {
    "pg_custom": _pg_custom,
    "pg_directory": _pg_directory,
    "sql": _sql,
    "rdb": _rdb,
    "tar": _tar,
    "json": _json,
    "any": _any,
}
_TOOLS: dict[str, tuple[str, ...]] = {
    "pg_custom": ("pg_restore", "-f", "/dev/null"),
    "pg_directory": ("pg_restore", "-f", "/dev/null"),
    "rdb": ("redis-check-rdb",),
}


def _by_tool(path: str, kind: str, deadline: float) -> tuple[str, str | None] | None:
    """What the engine's own tool says; None where it is not there, or too old for the dump."""
    command = list(_TOOLS[kind])
    tool = shutil.which(command[0])
    if tool is None:
        return None
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603  # pylint: disable=ansible-bad-function
            [tool, *command[1:], path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            timeout=max(deadline - time.monotonic(), 0.1),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OutOfTime from None
    if done.returncode == 0:
        return command[0], None
    said = done.stdout.decode("utf-8", "replace").strip().splitlines()
    if any("unsupported version" in line or "can't handle" in line.lower() for line in said):
        return None  # an older tool than the dump: the reader above has had its word
    # redis-check-rdb tells in the middle what is wrong, and goes on to tell how far it has come.
    wrong = next((place + 1 for place, line in enumerate(said) if "RDB ERROR DETECTED" in line), len(said) - 1)
    words = said[wrong] if 0 <= wrong < len(said) else "status %d" % done.returncode
    return command[0], "%s: %s" % (command[0], words[:300])

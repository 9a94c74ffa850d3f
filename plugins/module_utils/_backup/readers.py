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

from . import pgdump, rdb

AUTO = "auto"
FORMATS = (AUTO, "pg_custom", "pg_directory", "sql", "rdb", "tar", "json", "any")

_PIECE = 1 << 20
_SQL_ENDS = (b"PostgreSQL database dump complete", b"PostgreSQL database cluster dump complete", b"Dump completed on")
_JSON_MOST = 256 << 20
_TAR_END = 1024

Answer = dict[str, Any]
"""status: ok, bad or skipped; how: what read it; why: where it breaks off, or was not read; made: ISO time or null."""


class OutOfTime(Exception):
    """The deadline came before the last byte."""


class _Timed:
    """A file that stops at the deadline."""

    def __init__(self, path: str, deadline: float) -> None:
        self._stream = open(path, "rb")  # noqa: SIM115
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


def format_of(path: str) -> str:
    """The format of a file or folder, by what it begins with, then by its name."""
    if os.path.isdir(path):
        return "pg_directory" if os.path.exists(os.path.join(path, "toc.dat")) else "any"
    with open(path, "rb") as stream:
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
    except (pgdump.Damaged, rdb.Damaged) as error:
        return _answer("bad", kind, str(error), made)
    except (EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, gzip.BadGzipFile) as error:
        return _answer("bad", kind, "it breaks off or is damaged: %s" % error)
    except UnicodeDecodeError as error:
        return _answer("bad", kind, "it is no text: %s" % error)
    except OSError as error:
        if error.errno is None:  # what bz2 and gzip raise for damaged data
            return _answer("bad", kind, "it is damaged: %s" % error)
        return _answer("skipped", kind, "it cannot be read: %s" % (error.strerror or error))
    return _answer("ok", how, None, made)


def _answer(status: str, how: str, why: str | None, made: str | None = None) -> Answer:
    return {"status": status, "how": how, "why": why, "made": made}


def _pg_custom(path: str, deadline: float) -> tuple[str, str | None]:
    with _Timed(path, deadline) as stream:
        dump = pgdump.walk(cast(BinaryIO, stream))
    return "%d data blocks%s" % (dump.data, "" if dump.unpacked else " (walked, not unpacked)"), dump.made


def _pg_directory(path: str, deadline: float) -> tuple[str, str | None]:
    if time.monotonic() > deadline:
        raise OutOfTime
    dump = pgdump.walk_folder(path)
    return "%d files of the table of contents" % dump.data, dump.made


def _rdb(path: str, deadline: float) -> tuple[str, str | None]:
    with _Timed(path, deadline) as stream:
        return rdb.walk(cast(BinaryIO, stream), os.path.getsize(path))


@contextlib.contextmanager
def _opened(path: str, deadline: float) -> Iterator[Any]:
    """The bytes of a file, unpacked by its first bytes."""
    with open(path, "rb") as stream:
        head = stream.read(6)
    with contextlib.ExitStack() as opened:
        raw: Any = opened.enter_context(_Timed(path, deadline))
        if head.startswith(b"\x1f\x8b"):
            raw = opened.enter_context(gzip.GzipFile(fileobj=raw, mode="rb"))
        elif head.startswith(b"BZh"):
            raw = opened.enter_context(bz2.BZ2File(raw))
        elif head.startswith(b"\xfd7zXZ\x00"):
            raw = opened.enter_context(lzma.LZMAFile(raw))
        yield raw


def _sql(path: str, deadline: float) -> tuple[str, str | None]:
    tail = b""
    with _opened(path, deadline) as stream:
        while True:
            piece = stream.read(_PIECE)
            if not piece:
                break
            tail = (tail + piece)[-4096:]
    if not any(one in tail for one in _SQL_ENDS):
        raise pgdump.Damaged("it stops early: the last line of a whole dump is missing")
    return "its last line is that of a whole dump", None


class _Tail:
    """A stream that remembers its last bytes."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        piece: bytes = self._stream.read(size)
        self.last = (self.last + piece)[-_TAR_END:]
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
        while stream.read(_PIECE):
            pass
    if not count:
        raise pgdump.Damaged("there is nothing in it")
    # Two blocks of nothing end an archive: one that is cut between two members lacks them.
    if stream.last != bytes(_TAR_END):
        raise pgdump.Damaged("it breaks off after %d members: the end of the archive is missing" % count)
    return "%d members" % count, None


def _json(path: str, deadline: float) -> tuple[str, str | None]:
    with _opened(path, deadline) as stream:
        text = stream.read(_JSON_MOST + 1)
    if len(text) > _JSON_MOST:
        return "read, too large to be parsed", None
    try:
        json.loads(text.decode("utf-8"))
    except ValueError as error:
        raise pgdump.Damaged("it is no JSON: %s" % error) from None
    return "parsed as JSON", None


def _any(path: str, deadline: float) -> tuple[str, str | None]:
    if os.path.isdir(path):
        for folder, _folders, files in os.walk(path):
            for name in files:
                _any(os.path.join(folder, name), deadline)
        return "every file read", None
    size = 0
    with _opened(path, deadline) as stream:
        while True:
            piece = stream.read(_PIECE)
            if not piece:
                break
            size += len(piece)
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
    last = said[-1] if said else "status %d" % done.returncode
    if "unsupported version" in last or "can't handle" in last.lower():
        return None  # an older tool than the dump: the reader above has had its word
    return command[0], "%s: %s" % (command[0], last[:300])

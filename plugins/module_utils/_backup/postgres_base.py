# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole server by pg_basebackup: its files, the WAL that makes them one moment, and a manifest of its own.

pg_verifybackup reads a plain copy. Archives (tar) are read here, member by member against the server's own sums, since
pg_verifybackup can do so from PostgreSQL 18 on only; their WAL is read by pg_waldump as pg_verifybackup does it.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import shutil
import tarfile
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, BinaryIO, cast

from .._core.errors import OptionError
from . import stream
from .manifest import File
from .postgres_dump import Server, explaining, see, source_of
from .postgres_tools import Login, WrongTool, left, login
from .run_backup import Look, Written

TAR, PLAIN = "tar", "plain"
KINDS = {TAR: "pg_base_tar", PLAIN: "pg_base_plain"}
FOLDER = "base"
OWN_MANIFEST = "backup_manifest"
_PIECE = 1 << 20
_MOST = 1 << 30
_TAR_END = 1024
_TABLESPACES = "SELECT count(*) FROM pg_catalog.pg_tablespace WHERE pg_catalog.pg_tablespace_location(oid) <> '';"
_DATABASES = "SELECT coalesce(json_agg(datname ORDER BY datname), '[]') FROM pg_catalog.pg_database WHERE datallowconn;"
# What the server writes anew at its start; its own manifest says nothing of it.
_UNLISTED = ("pg_wal/", OWN_MANIFEST)


class Broken(stream.EngineError):
    """A copy of a server that cannot be started whole; the text says what is wrong with it."""


@dataclass(frozen=True)
class Listed:
    """What the server's own manifest says of its copy.

    :ivar files: (bytes, algorithm, sum) by path; ranges: (timeline, first position, last position) of the WAL.
    """

    files: dict[str, tuple[int, str, str]]
    ranges: list[tuple[int, str, str]]


class BaseEngine:
    """pg_basebackup."""

    name = "pg_basebackup"

    def __init__(self, system: str, account: Login, format: str, compress: int, checkpoint: str, rate: str) -> None:  # noqa: A002
        self._system, self._login, self._format, self._compress = system, account, format, compress
        self._checkpoint, self._rate = checkpoint, rate
        self._server: Server | None = None
        self._command = ""

    def look(self, deadline: float) -> Look:
        """See :class:`run_backup.Engine`."""
        server = self._server = see(self._login, deadline)
        if not server.replication:
            raise OptionError(
                f"login_user: {self._login.user or 'the role'} may not copy the server: ALTER ROLE … REPLICATION, "
                "and a line for replication in its pg_hba.conf"
            )
        self._command = self._login.fitting("pg_basebackup", server.major, deadline, newer=True)
        if self._format == PLAIN and int(self._login.query(_TABLESPACES, deadline) or 0):
            raise OptionError("format: the server has tablespaces, whose plain copies would lie elsewhere: take tar")
        source = {**source_of(self._login, server), "bytes": server.all_bytes}
        return Look(server.version, source, server.all_bytes, 0 if self._compress else server.all_bytes)

    def write(self, folder: str, progress: stream.Progress, deadline: float) -> Written:
        """See :class:`run_backup.Engine`."""
        server, account = self._server, self._login
        if server is None:
            raise AssertionError("server is None")
        inside = os.path.join(folder, FOLDER)
        argv = [self._command, "--pgdata", inside, "--format", self._format, "--wal-method", "stream", "--no-password"]
        # What lies there is flushed once, when all of it is there.
        argv += ["--no-sync", "--manifest-checksums", "SHA256", "--checkpoint", self._checkpoint]
        argv += ["--label", f"{self._system} by nexuscos.ops"]
        if self._compress:
            argv += ["--gzip", "--compress", str(self._compress)]
        if self._rate:
            argv += ["--max-rate", self._rate]
        databases = json.loads(account.query(_DATABASES, deadline))
        progress.item = "files of the server"
        with explaining():
            stream.work(argv, folder, account.environment(), progress, deadline)
        progress.item = "checksums"
        listed = read_manifest(os.path.join(inside, OWN_MANIFEST))
        files = list(_plain_files(inside, folder, listed) if self._format == PLAIN else _sums(inside, folder))
        return Written(
            format=KINDS[self._format],
            files=files,
            options={
                "format": self._format,
                "compress": self._compress,
                "checkpoint": self._checkpoint,
                "max_rate": self._rate or None,
            },
            position={
                "lsn": listed.ranges[-1][2],
                "start_lsn": listed.ranges[0][1],
                "timeline": listed.ranges[-1][0],
                "system_identifier": server.identifier,
                "standby": server.standby,
            },
            invariants={"databases": databases},
        )

    def verify(self, folder: str, written: Written, deadline: float) -> str:  # noqa: ARG002
        """See :class:`run_backup.Engine`."""
        if self._server is None:
            raise AssertionError("self._server is None")
        return read_base(os.path.join(folder, FOLDER), self._server.major, deadline, self._login.bin_dir, folder)


def read_base(path: str, major: int, until: float, bin_dir: str = "", scratch: str | None = None) -> str:
    """Read a copy of a server to its last byte (level 2), and say what read it.

    :param path: of the folder with the server's own manifest; major: version of the server.
    :param scratch: folder for the WAL out of an archive, while it is read; that of temporary files if left out.
    :raises Broken: it is damaged.
    :raises EngineError: there was no time.
    """
    here = Login(bin_dir=bin_dir)
    if os.path.exists(os.path.join(path, "PG_VERSION")):
        with contextlib.suppress(WrongTool):
            verify = here.fitting("pg_verifybackup", major, until, exact=True)
            here.fitting("pg_waldump", major, until, exact=True)
            try:
                stream.run([verify, "--exit-on-error", "--quiet", path], {"LC_ALL": "C"}, left(until))
            except stream.EngineError as error:
                raise Broken(f"what was written is no whole copy: {error}") from None
            return "pg_verifybackup"
        listed = read_manifest(os.path.join(path, OWN_MANIFEST))
        _compare(_found_in_folder(path, until), listed)
        wal = _wal(os.path.join(path, "pg_wal"), listed, major, until, here)
        return f"{len(listed.files)} files against the server's sums, {wal}"
    listed = read_manifest(os.path.join(path, OWN_MANIFEST))
    _compare(_found_in_archives(path, listed, until), listed)
    with tempfile.TemporaryDirectory(prefix=".wal-", dir=scratch) as aside:
        archive = _archive(path, "pg_wal")
        with _reading(archive), archive_of(archive) as opened:
            for member in opened:
                if member.isfile() and os.path.basename(member.name) == member.name:
                    content = opened.extractfile(member)
                    if content is None:
                        raise AssertionError("content is None")
                    with open(os.path.join(aside, member.name), "wb") as out:
                        shutil.copyfileobj(content, out, _PIECE)
                _in_time(until)
        wal = _wal(aside, listed, major, until, here)
    return f"{len(listed.files)} files against the server's sums, {wal}"


def read_manifest(path: str) -> Listed:
    """The server's own manifest, whose last line is the sum of the lines before it.

    :raises Broken: it is not there, cut, or changed.
    """
    try:
        with open(path, "rb") as opened:
            text = opened.read(_MOST)
    except OSError as error:
        raise Broken(f"{OWN_MANIFEST}: {error.strerror}") from error
    lines = text.splitlines(keepends=True)
    try:
        data = json.loads(text)
        told = data["Manifest-Checksum"]
        files = {_path_of(one): _sum_of(one) for one in data["Files"]}
        ranges = [(int(one["Timeline"]), str(one["Start-LSN"]), str(one["End-LSN"])) for one in data["WAL-Ranges"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Broken(f"{OWN_MANIFEST} breaks off or is damaged: {error!r}") from None
    if hashlib.sha256(b"".join(lines[:-1])).hexdigest() != told:
        raise Broken(f"{OWN_MANIFEST} was changed: its sum is another")
    if not files or not ranges:
        raise Broken(f"{OWN_MANIFEST} names no files or no WAL")
    return Listed(files, ranges)


def segments(ranges: list[tuple[int, str, str]], size: int) -> list[str]:
    """Names of the WAL files that a copy needs to become one moment."""
    found: list[str] = []
    for timeline, first, last in ranges:
        begin, end = (_position(one) for one in (first, last))
        for number in range(begin // size, (max(end - 1, begin)) // size + 1):
            high, low = divmod(number, (1 << 32) // size)
            found.append(f"{timeline:08X}{high:08X}{low:08X}")
    return found


def _path_of(one: Mapping[str, Any]) -> str:
    if "Path" in one:
        return str(one["Path"])
    return bytes.fromhex(one["Encoded-Path"]).decode("utf-8", "surrogateescape")


def _sum_of(one: Mapping[str, Any]) -> tuple[int, str, str]:
    return int(one["Size"]), str(one.get("Checksum-Algorithm", "NONE")), str(one.get("Checksum", ""))


def _position(text: str) -> int:
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def _sums(inside: str, folder: str) -> Iterator[File]:
    """Archives first, the copy of the server itself before all."""
    for name in sorted(os.listdir(inside), key=lambda name: (not name.startswith("base.tar"), name)):
        yield stream.sum_file(os.path.join(inside, name), folder)


def _plain_files(inside: str, folder: str, listed: Listed) -> Iterator[File]:
    """The server has summed what it sent, and pg_verifybackup sums it again: what is not in its list is summed here."""
    for path in _walk(inside):
        size, algorithm, checksum = listed.files.get(path, (0, "", ""))
        if algorithm == "SHA256":
            yield File(os.path.join(FOLDER, path), size, checksum)
        else:
            yield stream.sum_file(os.path.join(inside, path), folder)


def _walk(inside: str) -> Iterator[str]:
    for folder, folders, names in os.walk(inside):
        folders.sort()
        for name in sorted(names):
            yield os.path.relpath(os.path.join(folder, name), inside)


def _compare(found: Iterator[tuple[str, int, str]], listed: Listed) -> None:
    """Every file of the list is there once, of its size and sum, and no other."""
    missing = dict(listed.files)
    for path, size, checksum in found:
        if path.startswith(_UNLISTED):
            continue
        wanted = missing.pop(path, None)
        if wanted is None:
            raise Broken(f"{path} is in the copy, and not in {OWN_MANIFEST}")
        if size != wanted[0]:
            raise Broken(f"{path} has {size} bytes, and {wanted[0]} in {OWN_MANIFEST}")
        if wanted[1] == "SHA256" and checksum != wanted[2]:
            raise Broken(f"{path} was changed: its sum is another")
    if missing:
        raise Broken(f"{next(iter(missing))} and {len(missing) - 1} more of {len(listed.files)} files are missing")


def _found_in_folder(path: str, until: float) -> Iterator[tuple[str, int, str]]:
    for name in _walk(path):
        with open(os.path.join(path, name), "rb") as opened:
            yield (name, *_digest(opened, until))


def _found_in_archives(path: str, listed: Listed, until: float) -> Iterator[tuple[str, int, str]]:
    """The files in ``base.tar`` and in those of the tablespaces, as the server's manifest names them."""
    for archive in sorted(os.listdir(path)):
        stem = archive.split(".tar", 1)[0]
        if ".tar" not in archive or stem == "pg_wal":
            continue
        before = "" if stem == "base" else f"pg_tblspc/{stem}/"
        yield from _found_in_archive(os.path.join(path, archive), before, until)
    if not os.path.exists(os.path.join(path, "base.tar")) and not os.path.exists(os.path.join(path, "base.tar.gz")):
        raise Broken(f"base.tar is missing, with {len(listed.files)} files")


def _found_in_archive(path: str, before: str, until: float) -> list[tuple[str, int, str]]:
    found = []
    with _reading(path), archive_of(path) as opened:
        for member in opened:
            content = opened.extractfile(member) if member.isfile() else None
            if content is not None:
                found.append((before + member.name.removeprefix("./"), *_digest(content, until)))
    return found


@contextlib.contextmanager
def archive_of(path: str) -> Iterator[tarfile.TarFile]:
    """An archive, member by member. Python's own reader of packed streams takes what pg_basebackup packs for empty."""
    with contextlib.ExitStack() as opened:
        raw: Any = opened.enter_context(open(path, "rb"))
        if path.endswith(".gz"):
            raw = opened.enter_context(gzip.GzipFile(fileobj=raw, mode="rb"))
        end = _End(raw)
        archive = opened.enter_context(tarfile.open(fileobj=cast(BinaryIO, end), mode="r|"))
        yield archive
        while end.read(_PIECE):  # to the sum at the end of what is packed
            pass
        if end.last != bytes(_TAR_END):
            raise EOFError("its end is missing")


class _End:
    """A stream that remembers its last bytes: two empty blocks end an archive, and no other sign does."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        piece: bytes = self._stream.read(size)
        self.last = (self.last + piece)[-_TAR_END:]
        return piece


@contextlib.contextmanager
def _reading(archive: str) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise Broken(f"{os.path.basename(archive)} breaks off or is damaged: {error}") from None
    except OSError as error:
        if error.errno is None:  # what gzip raises for damaged data
            raise Broken(f"{os.path.basename(archive)} is damaged: {error}") from None
        raise


def _digest(opened: IO[bytes], until: float) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    while piece := opened.read(_PIECE):
        digest.update(piece)
        size += len(piece)
        _in_time(until)
    return size, digest.hexdigest()


def _archive(path: str, stem: str) -> str:
    for name in (stem + ".tar", stem + ".tar.gz"):
        if os.path.exists(os.path.join(path, name)):
            return os.path.join(path, name)
    raise Broken(f"{stem}.tar is missing: without the WAL the copy cannot become one moment")


def _wal(folder: str, listed: Listed, major: int, until: float, here: Login) -> str:
    """That the WAL is there from the copy's beginning to its end; every record of it is read where pg_waldump is."""
    try:
        there = {name: os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)}
    except OSError as error:
        raise Broken(f"pg_wal: {error.strerror}") from error
    size = max((size for name, size in there.items() if len(name) == 24), default=0)
    if not size:
        raise Broken("there is no WAL in it, and without it the copy cannot become one moment")
    for name in segments(listed.ranges, size):
        if there.get(name) != size:
            raise Broken(f"WAL file {name} is missing or cut")
    try:
        waldump = here.fitting("pg_waldump", major, until, exact=True)
    except WrongTool:
        return f"{len(there)} WAL files there"
    for timeline, first, last in listed.ranges:
        argv = [waldump, "--quiet", "--path", folder, "--timeline", str(timeline), "--start", first, "--end", last]
        try:
            stream.run(argv, {"LC_ALL": "C"}, left(until))
        except stream.EngineError as error:
            raise Broken(f"the WAL in it is damaged: {error}") from None
    return "WAL by pg_waldump"


def _in_time(until: float) -> None:
    if time.monotonic() > until:
        raise stream.EngineError("it was not read to its end in time")


def engine(params: Mapping[str, Any]) -> BaseEngine:
    """The engine that a module's options ask for.

    :raises OptionError: options that do not go together.
    """
    account = login(params)
    if account.prefix:
        option = "pod" if params.get("pod") else "command_prefix"
        raise OptionError(f"{option}: pg_basebackup writes where it runs; only pg_dump comes through")
    if params["queries"]:
        raise OptionError("queries: a copy of a whole server has no snapshot to ask; take engine=pg_dump")
    if params["jobs"] > 1:
        raise OptionError("jobs: pg_basebackup has one connection")
    compress = params["compress"] or 0
    if not 0 <= compress <= 9:
        raise OptionError(f"compress: want 0 to 9, got {compress}")
    if compress and params["format"] == PLAIN:
        raise OptionError("compress: a plain copy is not packed; take format=tar")
    return BaseEngine(
        params["system"], account, params["format"], compress, params["checkpoint"], params["max_rate"] or ""
    )

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let an engine write, and sum what it writes while it is written: reading it again would cost the time twice."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, BinaryIO

from .._core.errors import OpsError
from .._core.redact import redact_text
from . import layout
from .manifest import File

PROGRESS = layout.WRITING + "progress.json"
_PIECE = 1 << 20
_TELL_EVERY = 1.0
_LOOK_EVERY = 0.5
_ERROR_LINES = 5
_GRACE = 5.0
_MOST_SAID = 1 << 22
_BAD_LINE = re.compile(r"(?i)\b(error|fatal|panic):")
# It reads whose group it looks after, then a line that says that all is well, or the end: who was to write is dead.
_GUARD = 'read -r group || exit 0; read -r line || { kill -s TERM -- "-$group"; sleep 5; kill -s KILL -- "-$group"; }'
# A pipe of 64 kB, the kernel's own choice, costs a switch of processes for every one of them.
_F_SETPIPE_SZ = 1031


class EngineError(OpsError):
    """An engine failed, or its server went away; the text has its last words."""


class Progress:
    """What has been written so far, told once a second in the folder that is being written.

    :param folder: the folder; name: of the file in it.
    :param expected: bytes of the last set, to tell how much is left, or 0.
    :param objects: whether objects are counted, and not bytes.
    """

    def __init__(
        self, folder: str, system: str, expected: int = 0, name: str = PROGRESS, objects: bool = False
    ) -> None:
        self._path, self._system, self._expected = os.path.join(folder, name), system, expected
        self._began, self._told, self._bytes = time.time(), 0.0, 0
        self._unit = "objects" if objects else "bytes"
        self.item = ""

    def expect(self, total: int) -> None:
        """So many bytes there will be, as is known by now."""
        self._expected = total

    def add(self, count: int) -> None:
        """So many bytes more; none where only :attr:`item` is another."""
        self.at(self._bytes + count)

    def at(self, total: int) -> None:
        """So many bytes altogether."""
        self._bytes = total
        now = time.monotonic()
        if now - self._told >= _TELL_EVERY:
            self._told = now
            self._tell()

    def done(self) -> None:
        """Take the file away: the set has no such file."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)

    def _tell(self) -> None:
        told = {
            "system": self._system,
            "pid": os.getpid(),
            "began": self._began,
            "at": time.time(),
            self._unit: self._bytes,
            "expected": self._expected,
            "item": self.item,
        }
        aside = self._path + ".new"
        try:
            with open(aside, "w", encoding="utf-8") as stream:
                json.dump(told, stream)
            os.replace(aside, self._path)
        except OSError:
            # A full disk ends the engine with an error of its own; progress is never what a backup fails for.
            return


def save(
    argv: Sequence[str],
    path: str,
    folder: str,
    environment: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    deadline: float | None = None,
    on_error_line: Callable[[str], None] | None = None,
    data: bytes = b"",
    watch: Callable[[], None] | None = None,
    hold: bool = False,
) -> File:
    """Write what a command prints to a file, and sum it on the way.

    The exit status is one half of the truth; that the file is whole is proven by its reader afterwards.

    :param argv: the command. Secrets go by `environment`, never in here.
    :param path: the file, below `folder`; it must not exist.
    :param environment: added to the one that is there.
    :param deadline: on the clock of time.monotonic(). It holds for a command that prints nothing, too.
    :param on_error_line: gets each line of its standard error when it comes, such as those of ``--verbose``.
    :param data: what it finds at its standard input, a few lines at most.
    :param watch: is called twice a second at least, and may raise what ends the command.
    :param hold: its standard input ends only when it has, or when this process has.
    :raises EngineError: it could not be started, failed, was killed, or was not done in time.
    :raises OSError: the file cannot be written (a full disk).
    """
    digest, written = hashlib.sha256(), 0
    with tempfile.TemporaryFile() as errors:
        told = _Lines(errors, on_error_line)
        process = start(argv, environment, errors, data, talk=hold)
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "wb", buffering=0) as stream:
                if process.stdout is None:
                    raise AssertionError("process.stdout is None")
                source = process.stdout.fileno()
                while True:
                    if select.select([source], [], [], _LOOK_EVERY)[0]:
                        piece = os.read(source, _PIECE)
                        if not piece:
                            break
                        digest.update(piece)
                        _write_all(stream, piece)
                        written += len(piece)
                    elif process.poll():
                        break  # it has failed, and what it has started keeps the output open
                    else:
                        piece = b""
                    told.look()
                    if watch:
                        watch()
                    if progress:
                        progress.add(len(piece))
                    _in_time(argv[0], deadline, written)
            status = _wait(process, argv[0], deadline, written)
        finally:
            stop(process)
        told.look(last=True)
        lines = _lines(errors)
    if status:
        raise EngineError(said(argv[0], status, lines))
    return File(os.path.relpath(path, folder), written, digest.hexdigest())


def work(
    argv: Sequence[str],
    folder: str,
    environment: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    deadline: float | None = None,
    on_error_line: Callable[[str], None] | None = None,
    data: bytes = b"",
    watch: Callable[[], None] | None = None,
) -> None:
    """Run a command that writes below a folder by itself, such as ``pg_dump -Fd``. Parameters as in :func:`save`.

    :raises EngineError: it could not be started, failed, was killed, or was not done in time.
    """
    with tempfile.TemporaryFile() as errors:
        told = _Lines(errors, on_error_line)
        process = start(argv, environment, errors, data)
        try:
            if process.stdout is None:
                raise AssertionError("process.stdout is None")
            source, looked = process.stdout.fileno(), time.monotonic()
            while process.poll() is None:
                if select.select([source], [], [], _LOOK_EVERY)[0] and not os.read(source, _PIECE):
                    break
                told.look()
                if watch:
                    watch()
                if progress and time.monotonic() - looked >= _TELL_EVERY:
                    looked = time.monotonic()
                    progress.at(_size_of(folder))
                _in_time(argv[0], deadline)
            status = _wait(process, argv[0], deadline)
        finally:
            stop(process)
        told.look(last=True)
        lines = _lines(errors)
    if status:
        raise EngineError(said(argv[0], status, lines))


def run(
    argv: Sequence[str],
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
    data: bytes | None = None,
) -> str:
    """What a command prints.

    :raises EngineError: it could not be started, failed, or was not done in time.
    """
    try:
        done = subprocess.run(  # noqa: S603  # pylint: disable=ansible-bad-function
            list(argv), env={**os.environ, **(environment or {})}, input=data if data is not None else b"",
            capture_output=True, timeout=seconds, check=False,
        )  # fmt: skip
    except OSError as error:
        raise EngineError(_not_started(argv[0], error)) from error
    except subprocess.TimeoutExpired:
        raise EngineError(f"{argv[0]} was not done within {seconds:g} s") from None
    if done.returncode:
        raise EngineError(said(argv[0], done.returncode, done.stderr.decode(errors="replace").splitlines()))
    return done.stdout.decode(errors="replace")


class Guarded(subprocess.Popen[bytes]):
    """A command in a group of its own that ends when this process does, however that ends.

    What is killed cannot end its children. One that writes by itself would go on, without the lock; the half of
    pg_basebackup that receives WAL would go on for ever, and keep the server from removing any.
    """

    _guard: subprocess.Popen[bytes] | None = None

    def guarded_by(self, guard: subprocess.Popen[bytes]) -> None:
        """Let somebody who is there already look after its group: no moment is left in which nobody does."""
        self._guard = guard
        if guard.stdin is not None:
            with contextlib.suppress(OSError):  # somebody has killed the guard alone
                guard.stdin.write(b"%d\n" % self.pid)
                guard.stdin.flush()

    def let_go(self) -> None:
        """It has ended: nobody need look after it."""
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.communicate(b"done\n")


def _new_guard() -> subprocess.Popen[bytes]:
    """Who looks after the group of a command that is yet to be started.

    :raises EngineError: there is nobody who could.
    """
    try:
        return subprocess.Popen(  # noqa: S603  # pylint: disable=ansible-bad-function
            ["sh", "-c", _GUARD],  # noqa: S607
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise EngineError(_not_started("sh", error)) from error


def start(
    argv: Sequence[str],
    environment: Mapping[str, str] | None,
    errors: IO[bytes],
    data: bytes = b"",
    talk: bool = False,
) -> Guarded:
    """A command whose output is read by the caller, in a group of its own. It ends when this process is killed.

    The caller ends it by :func:`stop` in any case.

    :param data: what it finds at its standard input, a few lines at most.
    :param talk: leave its standard input open after that, to the caller.
    :raises EngineError: it could not be started.
    """
    guard = _new_guard()
    told, tell = os.pipe()
    try:
        os.write(tell, data)
        process = Guarded(
            list(argv), env={**os.environ, **(environment or {})}, stdin=subprocess.PIPE if talk else told,
            stdout=subprocess.PIPE, stderr=errors, start_new_session=True,
        )  # fmt: skip
    except BaseException as error:
        guard.communicate()
        if not isinstance(error, OSError):
            raise
        raise EngineError(_not_started(argv[0], error)) from error
    finally:
        os.close(told)
        os.close(tell)
    process.guarded_by(guard)
    if process.stdin is not None:
        with contextlib.suppress(OSError):  # it has ended: whoever waits for it is told why
            process.stdin.write(data)
            process.stdin.flush()
    if process.stdout is not None:
        with contextlib.suppress(OSError):  # more than the system lets anybody have
            fcntl.fcntl(process.stdout.fileno(), _F_SETPIPE_SZ, _PIECE)
    return process


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a command that is still there, with its children; and its children when it was killed."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    if process.poll() is None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(timeout=_GRACE)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
            else:
                break
    if process.returncode:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    if isinstance(process, Guarded):
        process.let_go()
    if process.stdout is not None:
        process.stdout.close()


def sum_file(path: str, folder: str) -> File:
    """Size and SHA-256 of a file that an engine wrote by itself."""
    digest, size = hashlib.sha256(), 0
    with open(path, "rb") as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
            size += len(piece)
    return File(os.path.relpath(path, folder), size, digest.hexdigest())


def said(name: str, status: int, lines: Sequence[str]) -> str:
    """The last words of an engine, redacted."""
    how = f"was killed by signal {-status}" if status < 0 else f"failed with status {status}"
    bad = next((place for place, line in enumerate(lines) if _BAD_LINE.search(line)), None)
    # Of a chatty engine, what it says of the error and after it; of others, their last words.
    chosen = lines[-_ERROR_LINES:] if bad is None else lines[bad : bad + _ERROR_LINES]
    words = "; ".join(line.strip() for line in chosen if line.strip())
    return redact_text(f"{os.path.basename(name)} {how}" + (f": {words}" if words else ""))


class _Lines:
    """What a command has said on its standard error since the last look."""

    def __init__(self, errors: BinaryIO, tell: Callable[[str], None] | None) -> None:
        self._errors, self._tell, self._place, self._rest = errors, tell, 0, b""
        self._looked = 0.0

    def look(self, last: bool = False) -> None:
        """Tell the lines that are whole; the last one in any case, when there will be no more."""
        now = time.monotonic()
        if self._tell is None or (not last and now - self._looked < _LOOK_EVERY / 2):
            return
        self._looked = now
        while piece := os.pread(self._errors.fileno(), _PIECE, self._place):
            self._place += len(piece)
            *whole, self._rest = (self._rest + piece).split(b"\n")
            for line in whole:
                self._tell(line.decode(errors="replace"))
        if last and self._rest:
            self._tell(self._rest.decode(errors="replace"))


def _in_time(name: str, deadline: float | None, written: int | None = None) -> None:
    if deadline is not None and time.monotonic() > deadline:
        done = "" if written is None else f": {written} bytes were written"
        raise EngineError(f"{os.path.basename(name)} was not done in time{done}")


def _wait(process: subprocess.Popen[bytes], name: str, deadline: float | None, written: int | None = None) -> int:
    """The status of a command that has closed its output."""
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=_LOOK_EVERY)
        _in_time(name, deadline, written)


def _size_of(folder: str) -> int:
    total = 0
    for inside, _folders, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # it was renamed meanwhile
                total += os.lstat(os.path.join(inside, name)).st_size
    return total


def _not_started(name: str, error: OSError) -> str:
    hint = ": is it installed, and in the PATH?" if isinstance(error, FileNotFoundError) else ""
    return f"{name} cannot be started: {error.strerror}{hint}"


def _lines(errors: BinaryIO) -> list[str]:
    # A chatty engine fills more than that; what it says last tells why it failed.
    size = os.fstat(errors.fileno()).st_size
    errors.seek(max(0, size - _MOST_SAID))
    return errors.read(_MOST_SAID).decode(errors="replace").splitlines()


def _write_all(stream: BinaryIO, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        count = stream.write(view)
        view = view[count or 0 :]

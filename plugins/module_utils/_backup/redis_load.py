# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load a snapshot into a running Redis: into databases of it that are empty, counted, and then exchanged (SWAPDB).

A scratch server loads the snapshot; its keys go from there to the server by ``redis-cli --pipe``, which knows TLS,
sockets and passwords. The exchange is one transaction, and what was there lies in the other database afterwards.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._core.errors import OpsError, OptionError
from . import redis_dump, scratch_redis, stream

MARK = "nexuscos:restoring"
_BATCH = 500
_DATABASES = 16
_DONE = re.compile(r"errors: (\d+), replies: (\d+)")


@dataclass(frozen=True)
class Row:
    """One database of a snapshot.

    :ivar keys, expires: in the snapshot; replaces: keys that are there now; aside: the database that it is loaded into.
    """

    database: int
    keys: int
    expires: int
    replaces: int
    aside: int


@dataclass
class Result:
    """What a load has done.

    :ivar rows: keys that came into each database; kept: databases that hold what was there; undo: a command.
    """

    rows: dict[int, int] = field(default_factory=dict)
    kept: dict[int, int] = field(default_factory=dict)
    functions: int = 0

    def undo(self) -> list[str]:
        """Commands that give back what was there."""
        return [f"SWAPDB {number} {aside}" for number, aside in sorted(self.kept.items())]


class Loader:
    """Loads into one server.

    :param system: whose set it is; what a killed restore of it has left is known by that.
    """

    def __init__(self, where: redis_dump.Address, system: str, deadline: float) -> None:
        self._where, self._system, self._deadline = where, system, deadline

    def plan(self, databases: Mapping[int, Mapping[str, int]], memory: int) -> list[Row]:
        """What would go where. Changes nothing.

        :param databases: of the snapshot, with ``keys`` and ``expires``; memory: bytes that their source used.
        :raises OpsError: the server is a replica or of a cluster, or has not enough room or databases.
        """
        info = redis_dump.info(self._where, self._deadline)
        if info.get("role") == "slave":
            raise OptionError(f"{self._where.place} is a replica: restore into its primary")
        if info.get("cluster_enabled") == "1":
            raise OptionError(
                f"{self._where.place} is of a cluster, which has no databases to exchange: let a server load the "
                "snapshot when it starts"
            )
        there = redis_dump.keyspace(info)
        most, used = _number(info, "maxmemory"), _number(info, "used_memory")
        if most and used + memory > most:
            raise OpsError(
                f"{self._where.place} may use {most} bytes (maxmemory) and uses {used}; the snapshot's server used "
                f"{memory}. What is there would be evicted: raise maxmemory for the time of the restore"
            )
        limit = self._limit()
        own = {number for number in there if self._ask("-n", str(number), "GET", MARK) == self._system}
        wanted = sorted(databases)
        beyond = [number for number in wanted if number >= limit]
        if beyond:
            raise OptionError(f"database {beyond[0]} of the snapshot: {self._where.place} has {limit} databases")
        free = [one for one in range(limit) if one not in wanted and (one not in there or one in own)]
        if len(free) < len(wanted):
            raise OptionError(
                f"{self._where.place} has {len(free)} empty databases, and {len(wanted)} are wanted to load into. "
                "Restore some with databases, or raise the number of databases in its configuration"
            )
        return [
            Row(number, databases[number]["keys"], databases[number]["expires"], there.get(number, 0), aside)
            for number, aside in zip(wanted, free)
        ]

    def load(
        self, rows: Sequence[Row], snapshot: str, memory: int, keep_old: bool, functions: bool, **scratch: str
    ) -> Result:
        """Load all aside, count it, and exchange.

        :raises OpsError: that failed; what was there is as it was.
        """
        result = Result()
        limit = max(max(row.database for row in rows) + 1, _DATABASES)
        with scratch_redis.loaded(snapshot, limit, self._deadline, memory=memory, **scratch) as server:
            # From here on it is nobody's replica, and keys whose time is over are over.
            server.ask("REPLICAOF", "NO", "ONE")
            try:
                for row in rows:
                    self._said("OK", self._ask("-n", str(row.aside), "FLUSHDB", "SYNC"))
                    self._said("OK", self._ask("-n", str(row.aside), "SET", MARK, self._system))
                    result.rows[row.database] = self._one(server, row)
                payload = _functions(server) if functions else None
                self._exchange(rows)
            except BaseException:
                with contextlib.suppress(OpsError):  # the server may be what has gone; the next restore knows the mark
                    for row in rows:
                        if self._ask("-n", str(row.aside), "GET", MARK) == self._system:
                            self._ask("-n", str(row.aside), "FLUSHDB", "ASYNC")
                raise
        for row in rows:
            if row.replaces and keep_old:
                result.kept[row.database] = row.aside
            elif row.replaces:
                self._said("OK", self._ask("-n", str(row.aside), "FLUSHDB", "ASYNC"))
        if payload:
            self._pipe([_command(b"FUNCTION", b"RESTORE", payload, b"REPLACE")], 1)
            result.functions = 1
        return result

    # -- the parts

    def _one(self, server: scratch_redis.Server, row: Row) -> int:
        """One database; the number of keys that the server counts afterwards."""
        sent, fleeting = 0, 0

        def commands() -> Iterator[bytes]:
            nonlocal sent, fleeting
            yield _command(b"SELECT", b"%d" % row.aside)
            with _Line(server.socket, self._deadline) as line:
                line.ask([(b"SELECT", b"%d" % row.database)])
                cursor = b"0"
                while True:
                    page = line.ask([(b"SCAN", cursor, b"COUNT", b"%d" % _BATCH)])[0]
                    cursor, keys = page[0], page[1]
                    asked = [command for key in keys for command in ((b"DUMP", key), (b"PTTL", key))]
                    answers = line.ask(asked) if asked else []
                    for key, payload, left in zip(keys, answers[::2], answers[1::2]):
                        if payload is None or left == -2:
                            continue  # its time is over
                        sent += 1
                        fleeting += left >= 0
                        yield _command(b"RESTORE", key, b"%d" % max(left, 0 if left < 0 else 1), payload, b"REPLACE")
                    if cursor == b"0":
                        return

        self._pipe(commands(), None)
        found = self._integer(self._ask("-n", str(row.aside), "DBSIZE")) - 1  # the mark
        if not sent - fleeting <= found <= sent:
            raise OpsError(f"database {row.database}: {sent} keys were sent, and the server has {found}")
        if not row.keys - row.expires <= sent <= row.keys:
            raise OpsError(f"database {row.database}: {sent} keys came of the snapshot, and {row.keys} are in it")
        return found

    def _pipe(self, commands: Any, expected: int | None) -> None:
        """Send commands; each has to be answered, and none by an error."""
        argv = [*self._where.argv(), "--pipe", "--pipe-timeout", "60"]
        number = 0
        with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as told:
            try:
                process = subprocess.Popen(  # noqa: S603  # pylint: disable=ansible-bad-function
                    argv, stdin=subprocess.PIPE, stdout=told, stderr=errors,
                    env={**os.environ, **self._where.environment()},
                )  # fmt: skip
            except OSError as error:
                raise stream.EngineError(f"redis-cli cannot be started: {error.strerror}") from error
            # A server that hangs lets the pipe fill up, and who writes into it would wait for ever.
            watch = threading.Timer(max(0.1, self._deadline - time.monotonic()), process.kill)
            watch.start()
            try:
                if process.stdin is None:
                    raise AssertionError("process.stdin is None")
                with contextlib.suppress(BrokenPipeError):  # why it went is in what it said
                    for command in commands:
                        number += 1
                        process.stdin.write(command)
                    process.stdin.close()
                process.wait()
            finally:
                watch.cancel()
                process.kill()
                process.wait()
                with contextlib.suppress(OSError):
                    if process.stdin is not None:
                        process.stdin.close()
            if time.monotonic() > self._deadline:
                raise stream.EngineError(f"the restore was not done in time: {number} keys were sent")
            told.seek(0)
            errors.seek(0)
            text = (told.read() + errors.read()).decode(errors="replace")
        found = _DONE.search(text)
        if not found or found.group(1) != "0" or int(found.group(2)) < (expected or number):
            words = "; ".join(dict.fromkeys(line for line in text.splitlines() if line and "ransfer" not in line))
            raise stream.EngineError(
                f"Redis at {self._where.place} did not take all keys: {words[:400] or 'no answer'}"
            )

    def _exchange(self, rows: Sequence[Row]) -> None:
        lines = ["MULTI"]
        for row in rows:
            lines += [f"SELECT {row.aside}", f"DEL {MARK}", f"SWAPDB {row.database} {row.aside}"]
        lines.append("EXEC")
        answer = stream.run(
            self._where.argv(), self._where.environment(), self._where.timeout, ("\n".join(lines) + "\n").encode()
        )
        # The queue's answers, then those of the commands: two OK and a number each.
        done = answer.split()[1 + 3 * len(rows) :]
        if done != ["OK", "1", "OK"] * len(rows):
            raise stream.EngineError(
                f"Redis at {self._where.place} did not exchange the databases: {' '.join(answer.split())[-300:]}"
            )

    def _limit(self) -> int:
        lines = self._ask("CONFIG", "GET", "databases").splitlines()
        return int(lines[1]) if len(lines) == 2 and lines[1].isdigit() else _DATABASES

    def _ask(self, *words: str) -> str:
        left = max(0.1, self._deadline - time.monotonic())
        return stream.run([*self._where.argv(), *words], self._where.environment(), min(left, 60.0)).strip()

    def _said(self, wanted: str, answer: str) -> None:
        if answer != wanted:
            raise stream.EngineError(f"Redis at {self._where.place} answers {answer[:200]!r}")

    def _integer(self, answer: str) -> int:
        if not answer.isdigit():
            raise stream.EngineError(f"Redis at {self._where.place} answers {answer[:200]!r}")
        return int(answer)


class _Line:
    """A connection to the scratch server, for keys and values of any bytes."""

    def __init__(self, path: str, deadline: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(max(1.0, min(300.0, deadline - time.monotonic())))
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise OpsError(f"the scratch server has gone: {error}") from error
        self._file = self._socket.makefile("rb")

    def ask(self, commands: Sequence[Sequence[bytes]]) -> list[Any]:
        """The answers to commands that are sent together.

        :raises OpsError: one is an error, or the server has gone.
        """
        try:
            self._socket.sendall(b"".join(_command(*one) for one in commands))
            return [self._answer() for _one in commands]
        except (OSError, ValueError) as error:
            raise OpsError(f"the scratch server has gone: {error}") from error

    def _answer(self) -> Any:
        line = self._file.readline()
        kind, rest = line[:1], line[1:].rstrip(b"\r\n")
        if kind == b"-":
            raise OpsError("the scratch server answers {!r}".format(rest.decode(errors="replace")))
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            data = self._file.read(size + 2) if size >= 0 else b""
            if len(data) < size + 2 and size >= 0:
                raise ValueError("it breaks off")
            return data[:-2] if size >= 0 else None
        if kind == b"*":
            return [self._answer() for _one in range(int(rest))]
        raise ValueError("it answers nothing")

    def __enter__(self) -> _Line:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()
        self._socket.close()


def _functions(server: scratch_redis.Server) -> bytes | None:
    with _Line(server.socket, time.monotonic() + 60) as line:
        found = line.ask([(b"FUNCTION", b"DUMP")])[0]
    return found if isinstance(found, bytes) else None


def _command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def _number(info: Mapping[str, str], name: str) -> int:
    value = info.get(name, "")
    return int(value) if value.isdigit() else 0

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Redis server for a moment that loads a snapshot: a socket that nobody else may enter, no TCP, and nothing stays.

It takes itself for a replica whose master is away. So it keeps keys whose time is over, as they are in the snapshot,
and takes no writes; and it saves nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .._core.errors import OpsError
from . import scratch_postgres, stream

_OWNER = ".owner"
_ASK_EVERY = 0.05
_NOT_THE_DATA = re.compile(
    r"(?i)out of memory|cannot allocate|can't allocate|permission denied|No space left|bind:"
    # a later Redis has made it than is here
    r"|can't handle RDB format"
)
_FATAL = re.compile(r"(?i)error|fatal|wrong|short read|can't|unexpected|fail|crc|unknown|bad ")
_LOG_LINE = re.compile(r"^\d+:[A-Z] \d+ \w+ \d+ [\d:.]+ [#*.-] ")


class NotLoaded(OpsError):
    """The server gave up loading the snapshot; the text has its last words."""


@dataclass(frozen=True)
class Server:
    """A scratch server.

    :ivar socket: its path; seconds: that loading took; version: of the server.
    """

    socket: str
    seconds: float
    version: str

    def ask(self, *words: str, seconds: float = 60.0) -> str:
        """The answer to a command, as redis-cli prints it.

        :raises OpsError: the server is gone, or answers with an error.
        """
        return _ask(self.socket, words, seconds)

    def info(self, section: str) -> dict[str, str]:
        """A section of INFO."""
        return _fields(self.ask("INFO", section))


@contextlib.contextmanager
def loaded(
    snapshot: str, databases: int, until: float, parent: str = "", bin_dir: str = "", memory: int = 0
) -> Iterator[Server]:
    """A server that has loaded a snapshot. It is gone afterwards, with its folder.

    :param snapshot: path of the file, which is only read; databases: that it has to have.
    :param until: on the clock of time.monotonic().
    :param parent: where its folder is made; bin_dir: where redis-server is, else it is searched for in the PATH.
    :param memory: bytes that the source used, 0 where nobody knows.
    :raises NotLoaded: the snapshot cannot be loaded.
    :raises OpsError: there can be no server; this says nothing about the snapshot.
    """
    program = shutil.which("redis-server", path=bin_dir or None)
    if program is None:
        raise OpsError("a scratch server wants redis-server: install it, or set bin_dir")
    _check_memory(memory)
    with scratch_postgres.ends_cleanly(), folder(parent) as place, tempfile.TemporaryFile() as errors:
        socket, log = os.path.join(place, "s"), os.path.join(place, "log")
        os.symlink(os.path.abspath(snapshot), os.path.join(place, "dump.rdb"))
        settings = {
            "port": "0", "unixsocket": socket, "unixsocketperm": "700", "dir": place, "dbfilename": "dump.rdb",
            "save": "", "appendonly": "no", "databases": str(databases), "logfile": log, "daemonize": "no",
            "maxmemory": "0", "replica-serve-stale-data": "yes", "replica-read-only": "yes",
        }  # fmt: skip
        argv = [program]
        for name, value in settings.items():
            argv += [f"--{name}", value]
        # Port 0 is nobody's: the master is away, and stays so.
        argv += ["--replicaof", "127.0.0.1", "0"]
        clock = time.monotonic()
        process = stream.start(argv, {"LC_ALL": "C"}, errors)
        try:
            while True:
                if process.poll() is not None:
                    said = _last_words(log)
                    kind = OpsError if _NOT_THE_DATA.search(said) or not said else NotLoaded
                    raise kind(
                        f"the scratch server ended with status {process.returncode}: {said or 'it said nothing'}"
                    )
                with contextlib.suppress(OpsError):
                    found = _fields(_ask(socket, ("INFO",), 5.0))
                    if found.get("loading") == "0":
                        break
                if time.monotonic() > until:
                    raise OpsError("the scratch server has not loaded the snapshot in time")
                time.sleep(_ASK_EVERY)
            yield Server(socket, time.monotonic() - clock, found.get("redis_version", "?"))
        finally:
            stream.stop(process)


@contextlib.contextmanager
def folder(parent: str = "") -> Iterator[str]:
    """A folder that is gone afterwards. What runs that were killed have left of theirs goes first."""
    parent = parent or scratch_postgres.FOLDER
    scratch_postgres.clean(parent)
    try:
        place = tempfile.mkdtemp(prefix=scratch_postgres.PREFIX, dir=parent)
        handle = os.open(os.path.join(place, _OWNER), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        raise OpsError(f"scratch_dir: {parent}: {error.strerror}") from error
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(handle)


def _ask(socket: str, words: Sequence[str], seconds: float) -> str:
    environment = {"LC_ALL": "C", **({"REDISCLI_AUTH": ""} if "REDISCLI_AUTH" in os.environ else {})}
    answer = stream.run(["redis-cli", "-s", socket, *words], environment, seconds)
    if answer.startswith(("ERR ", "LOADING ", "NOPERM ", "(error)")):
        raise OpsError(f"the scratch server answers {answer.strip()[:200]!r}")
    return answer


def _fields(answer: str) -> dict[str, str]:
    found = {}
    for line in answer.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            found[name] = value.strip()
    return found


def _check_memory(wanted: int) -> None:
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/meminfo", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("MemAvailable:"):
                free = int(line.split()[1]) * 1024
                if free < wanted:
                    raise OpsError(
                        f"a scratch server would want {wanted} bytes of memory, as the source had, and {free} are free"
                    )


def _last_words(log: str) -> str:
    """The lines in which the server says what is wrong, without its clock."""
    with contextlib.suppress(OSError), open(log, encoding="utf-8", errors="replace") as lines:
        told = [_LOG_LINE.sub("", line.strip()) for line in lines if line.strip() and "WARNING" not in line]
        bad = [line for line in told if _FATAL.search(line)]
        return "; ".join((bad or told)[-3:])[:500]
    return ""

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot of a Redis server: asked of it as a replica would, or saved by it and fetched beside it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from .._core.errors import OpsError, OptionError
from . import rdb, rdb_keys, run_backup, stream
from .manifest import File

NAME = "redis"
FILE = "dump.rdb"
STREAM, BGSAVE = "stream", "bgsave"
_PIECE = 1 << 20
_ASK_EVERY = 0.2
# A server that sends before it knows the size ends with 40 characters of its own choice, which redis-cli cuts off a
# file, and leaves in what it prints.
_MARK = 40
_HEX = frozenset(b"0123456789abcdef")
# What a snapshot ends with: the byte of its end, and its sum.
_END = 9


@dataclass(frozen=True)
class Address:
    """How redis-cli reaches a server; the password goes by the environment."""

    host: str
    port: int
    socket: str | None = None
    user: str | None = None
    password: str | None = None
    tls: bool = False
    validate_certs: bool = True
    ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    timeout: float = 3.0

    @property
    def place(self) -> str:
        """For people."""
        return self.socket or f"{self.host}:{self.port}"

    def argv(self) -> list[str]:
        """The beginning of a command."""
        argv = ["redis-cli", *(["-s", self.socket] if self.socket else ["-h", self.host, "-p", str(self.port)])]
        if self.user:
            argv += ["--user", self.user]
        if self.tls:
            argv += ["--tls"] if self.validate_certs else ["--tls", "--insecure"]
            for option, path in (("--cacert", self.ca_cert), ("--cert", self.client_cert), ("--key", self.client_key)):
                argv += [option, path] if path else []
        return argv

    def environment(self) -> dict[str, str]:
        """What is added to the environment."""
        if self.password is None and "REDISCLI_AUTH" not in os.environ:
            return {"LC_ALL": "C"}
        # Without a password, that of whoever calls us would be sent to a server that it is not meant for.
        return {"REDISCLI_AUTH": self.password or "", "LC_ALL": "C"}


def address(params: Mapping[str, Any]) -> Address:
    """From a module's options.

    :raises OptionError: they make no sense together.
    """
    if bool(params["login_host"]) == bool(params["login_unix_socket"]):
        raise OptionError("name the server: one of login_host and login_unix_socket")
    if not 0 < params["login_port"] < 65536:
        raise OptionError("login_port: want 1 to 65535, got {}".format(params["login_port"]))
    if params["connect_timeout"] <= 0:
        raise OptionError("connect_timeout: want more than 0 seconds, got {:g}".format(params["connect_timeout"]))
    if params["login_user"] and not params["login_password"]:
        raise OptionError("login_user wants login_password, too")
    return Address(
        host=params["login_host"] or "",
        port=params["login_port"],
        socket=params["login_unix_socket"],
        user=params["login_user"],
        password=params["login_password"],
        tls=params["tls"],
        validate_certs=params["validate_certs"],
        ca_cert=params["ca_cert"],
        client_cert=params["client_cert"],
        client_key=params["client_key"],
        timeout=params["connect_timeout"],
    )


class Engine:
    """See :class:`run_backup.Engine`.

    :param method: `STREAM` or `BGSAVE`.
    :param rdb_file: where the server's file lies on this host, for `BGSAVE`; without it, the server is asked.
    """

    name = NAME

    def __init__(self, where: Address, method: str = STREAM, rdb_file: str | None = None) -> None:
        self._where, self._method, self._rdb_file = where, method, rdb_file

    def look(self, deadline: float) -> run_backup.Look:
        """Version, role, memory, and the keys by database."""
        told = self._info(deadline)
        if told.get("loading") == "1" or told.get("async_loading") == "1":
            raise OpsError(f"Redis at {self._where.place} is loading its data: wait until it serves")
        if self._method == STREAM and told.get("role") == "slave" and told.get("master_link_status") != "up":
            raise OpsError(
                f"Redis at {self._where.place} is a replica without a link to its master, and hands out no snapshot: "
                "back up the master, or save what this one has with method: bgsave"
            )
        source: dict[str, Any] = {"host": self._where.host, "port": self._where.port}
        if self._where.socket:
            source = {"socket": self._where.socket}
        source["role"] = {"master": "primary", "slave": "replica"}.get(told.get("role", ""), told.get("role", ""))
        source["run_id"] = told.get("run_id", "")
        source["memory_bytes"] = _number(told, "used_memory")
        source["cluster"] = told.get("cluster_enabled") == "1"
        source["keys"] = {str(number): keys for number, keys in keyspace(told).items()}
        if source["role"] == "replica":
            source["primary"] = {
                "host": told.get("master_host", ""),
                "port": _number(told, "master_port"),
                "link": told.get("master_link_status", ""),
            }
        held = _number(told, "used_memory_dataset") or source["memory_bytes"]
        # A snapshot packs what lies in memory with pointers and in tables: seldom better than to a tenth.
        estimate = held // 10 if source["keys"] else 0
        return run_backup.Look(told["redis_version"], source, source["memory_bytes"], estimate)

    def write(self, folder: str, progress: stream.Progress, deadline: float) -> run_backup.Written:
        """Write ``dump.rdb``, and count what is in it."""
        path = os.path.join(folder, FILE)
        options: dict[str, Any] = {"method": self._method}
        began: tuple[int, int] | None = None
        if self._method == BGSAVE:
            source, began = self._bgsave(progress, deadline)
            options["file"] = source
            one = _copy(source, path, folder, progress, deadline)
        else:
            one = self._stream(path, folder, progress, deadline)
        progress.item = "counting"
        progress.add(0)
        invariants: dict[str, Any] = {}
        try:
            with open(path, "rb", buffering=_PIECE) as opened:
                held = rdb_keys.count(opened, deadline)
        except rdb.Damaged as error:
            raise stream.EngineError(
                f"Redis at {self._where.place}: what came of the snapshot is damaged: {error}"
            ) from error
        except rdb_keys.Unknown as error:
            options["not_counted"] = str(error)
            about: dict[str, str] = {}
        else:
            invariants, about = held.invariants(), held.about
        if began is not None:
            _is_of_this_save(options["file"], about, began)
        return run_backup.Written(
            format="rdb", files=[one], options=options, position=self._position(about, deadline), invariants=invariants
        )

    def verify(self, folder: str, written: run_backup.Written, deadline: float) -> str:
        """By its own sum, by a walk over every value, and by redis-check-rdb where it is installed."""
        return read(os.path.join(folder, written.files[0].path), deadline)[0]

    # -- the server

    def _ask(self, deadline: float, *words: str) -> str:
        return _asked(self._where, deadline, *words)

    def _info(self, deadline: float) -> dict[str, str]:
        return info(self._where, deadline)

    def _position(self, about: Mapping[str, str], deadline: float) -> dict[str, Any]:
        """Of the snapshot itself where it says so; else of the server, which may have gone on since."""
        if about.get("repl-id") and about.get("repl-offset", "").isdigit():
            return {"replication_id": about["repl-id"], "offset": int(about["repl-offset"]), "of": "snapshot"}
        told = self._info(deadline)
        return {
            "replication_id": told.get("master_replid", ""),
            "offset": _number(told, "slave_repl_offset" if told.get("role") == "slave" else "master_repl_offset"),
            "of": "server after it",
        }

    def _stream(self, path: str, folder: str, progress: stream.Progress, deadline: float) -> File:
        argv = [*self._where.argv(), "--rdb", _standard_output()]
        with tempfile.TemporaryFile() as errors:
            process = stream.start(argv, self._where.environment(), errors)
            try:
                if process.stdout is None:
                    raise AssertionError("process.stdout is None")
                one, whole = _save(process.stdout.fileno(), path, folder, progress, deadline)
                try:
                    status = process.wait(timeout=max(0.1, deadline - time.monotonic()))
                except Exception as error:
                    raise stream.EngineError("redis-cli was not done in time") from error
            finally:
                stream.stop(process)
            errors.seek(0)
            lines = errors.read(1 << 16).decode(errors="replace").splitlines()
        said = [line for line in lines if not line.startswith(("sending ", "SYNC sent ", "Transfer finished"))]
        if status:
            raise stream.EngineError(stream.said("redis-cli --rdb", status, said))
        if not whole:
            words = ": " + "; ".join(said[-3:]) if said else ""
            raise stream.EngineError(
                f"redis-cli says that it has got the snapshot of {self._where.place}, and what it has got breaks off "
                f"after {one.bytes} bytes{words}"
            )
        return one

    def _bgsave(self, progress: stream.Progress, deadline: float) -> tuple[str, tuple[int, int]]:
        """Let the server save, and wait for that very save.

        :returns: the file, and the times of the server's clock between which it was begun.
        """
        progress.item = "BGSAVE"
        path = self._rdb_file or self._file_of_server(deadline)
        while (told := self._info(deadline)).get("rdb_bgsave_in_progress") == "1":
            # One that began before us: what was written since is not in it.
            self._wait(deadline, "a save that had begun before")
        run = told.get("run_id")
        # The server tells the time of a save in whole seconds: two in the same one could not be told apart.
        while self._time(deadline) <= self._last(deadline):
            self._wait(deadline, "the clock of the server")
        before = self._last(deadline)
        began = self._time(deadline)
        answer = self._ask(deadline, "BGSAVE").strip()
        if "SCHEDULE" in answer or "in progress" in answer.lower():
            answer = self._ask(deadline, "BGSAVE", "SCHEDULE").strip()
        if not answer.startswith("Background saving"):
            raise OpsError(_refusal(self._where, answer))
        scheduled = "scheduled" in answer
        while True:
            told = self._info(deadline)
            if told.get("run_id") != run:
                raise stream.EngineError(f"Redis at {self._where.place} was started anew while it saved")
            if told.get("rdb_bgsave_in_progress") == "1":
                scheduled = False
                progress.item = "BGSAVE, {} of {} keys".format(
                    told.get("current_save_keys_processed", "?"), told.get("current_save_keys_total", "?")
                )
                progress.add(0)
            elif (last := _number(told, "rdb_last_save_time")) > before:
                return path, (began, last)
            elif not scheduled:
                raise stream.EngineError(
                    f"Redis at {self._where.place} could not save (rdb_last_bgsave_status: "
                    f"{told.get('rdb_last_bgsave_status', '?')}): its log says why, mostly a full disk or no memory "
                    "to fork"
                )
            self._wait(deadline, "the save")

    def _file_of_server(self, deadline: float) -> str:
        found = {}
        for name in ("dir", "dbfilename"):
            lines = self._ask(deadline, "CONFIG", "GET", name).splitlines()
            if len(lines) < 2 or lines[0] != name:
                raise OpsError(
                    f"Redis at {self._where.place} does not say where its snapshot lies "
                    f"({lines[0] if lines else 'no answer'}): set rdb_file"
                )
            found[name] = lines[1]
        return os.path.join(found["dir"], found["dbfilename"])

    def _time(self, deadline: float) -> int:
        return self._integer(self._ask(deadline, "TIME"))

    def _last(self, deadline: float) -> int:
        return self._integer(self._ask(deadline, "LASTSAVE"))

    def _integer(self, answer: str) -> int:
        first = answer.split("\n", 1)[0].strip()
        if not first.isdigit():
            raise OpsError(_refusal(self._where, answer))
        return int(first)

    def _wait(self, deadline: float, what: str) -> None:
        if time.monotonic() > deadline:
            raise stream.EngineError(f"Redis at {self._where.place}: {what} was not done in time")
        time.sleep(_ASK_EVERY)


class Damaged(OpsError):
    """A snapshot cannot be loaded; the text says why."""


def read(path: str, deadline: float) -> tuple[str, rdb_keys.Held | None]:
    """Level 2 of a snapshot: what has read it to its end, and what is in it, where its version is known here.

    Its sum is reckoned by redis-check-rdb, or here, which takes longer; and every value is walked over.

    :raises Damaged: it is damaged.
    :raises OpsError: it could not be read to its end.
    """
    how = _by_tool(path, deadline)
    try:
        with open(path, "rb", buffering=_PIECE) as opened:
            if how is None:
                how, _made = rdb.walk(opened, os.path.getsize(path))
                opened.seek(0)
            held = rdb_keys.count(opened, deadline)
    except rdb.Damaged as error:
        raise Damaged(f"{os.path.basename(path)}: {error}") from error
    except OSError as error:
        raise OpsError(f"{path}: {error.strerror}") from error
    except rdb_keys.Unknown:
        return how or "nothing", None
    return f"{how}; {held.keys} keys walked", held


def _by_tool(path: str, deadline: float) -> str | None:
    """What redis-check-rdb says; None where it is not there, or older than the snapshot."""
    tool = shutil.which("redis-check-rdb")
    if tool is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603  # pylint: disable=ansible-bad-function
            [tool, path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C"}, timeout=max(0.1, deadline - time.monotonic()), check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise OpsError(f"{path} was not read to its end in time") from None
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    if done.returncode == 0:
        summed = any("Checksum OK" in line for line in lines)
        return "redis-check-rdb, its sum is right" if summed else "redis-check-rdb, written without a sum"
    if any("Can't handle RDB format" in line for line in lines):
        return None
    # Where it was stands before and after the one line that says what is wrong.
    bad = next((place for place, line in enumerate(lines) if "RDB ERROR DETECTED" in line), len(lines) - 2)
    words = lines[bad + 1] if 0 <= bad + 1 < len(lines) else f"status {done.returncode}"
    raise Damaged(f"{os.path.basename(path)}: redis-check-rdb: {words[:300]}")


def _save(source: int, path: str, folder: str, progress: stream.Progress, deadline: float) -> tuple[File, bool]:
    """Write a snapshot that comes out of a pipe, without the mark that may follow it.

    :returns: the file, and whether it ends like a snapshot.
    """
    digest, written, held = hashlib.sha256(), 0, b""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "wb") as target:
        while True:
            if time.monotonic() > deadline:
                raise stream.EngineError(f"the snapshot was not done in time: {written} bytes had come")
            if not select.select([source], [], [], max(0.0, min(1.0, deadline - time.monotonic())))[0]:
                progress.add(0)
                continue
            piece = os.read(source, _PIECE)
            if not piece:
                break
            if len(piece) < _MARK + _END:
                held, piece = b"", held + piece
            # Views, and what is held back written by itself: a snapshot is not copied once more for 49 bytes.
            count = max(0, len(piece) - _MARK - _END)
            for part in (held, memoryview(piece)[:count]):
                digest.update(part)
                target.write(part)
            written += len(held) + count
            progress.add(len(held) + count)
            held = piece[count:]
        held = _without_mark(held)
        digest.update(held)
        target.write(held)
        written += len(held)
    return File(os.path.relpath(path, folder), written, digest.hexdigest()), held[-_END : -_END + 1] == b"\xff"


def _without_mark(tail: bytes) -> bytes:
    """The end of what came, without the server's mark. No snapshot ends with 40 such characters: one of its last nine
    bytes is that of the end, and that is none."""
    if len(tail) == _MARK + _END and tail[:1] == b"\xff" and _HEX.issuperset(tail[_END:]):
        return tail[:_END]
    return tail


def _copy(source: str, path: str, folder: str, progress: stream.Progress, deadline: float) -> File:
    digest, written = hashlib.sha256(), 0
    try:
        opened: BinaryIO = open(source, "rb")  # noqa: SIM115
    except OSError as error:
        raise OpsError(
            f"{source}: {error.strerror}. A server's own file is fetched where it lies: run on its host as somebody "
            "who may read it, say with rdb_file where it is, or let the server send it with method: stream"
        ) from error
    with opened, open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "wb") as target:
        while piece := opened.read(_PIECE):
            digest.update(piece)
            target.write(piece)
            written += len(piece)
            progress.add(len(piece))
            if time.monotonic() > deadline:
                raise stream.EngineError(f"the snapshot was not fetched in time: {written} bytes were")
    return File(os.path.relpath(path, folder), written, digest.hexdigest())


def _is_of_this_save(path: str, about: Mapping[str, str], began: tuple[int, int]) -> None:
    """A snapshot tells when it was begun. One of another time is another server's, or an old one.

    :raises OpsError: so it is.
    """
    made = about.get("ctime", "")
    if made.isdigit() and not began[0] <= int(made) <= began[1]:
        then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(made)))
        raise OpsError(
            f"{path} is not what the server has just saved: it was made at {then}. Is it the file of another server?"
        )


def _standard_output() -> str:
    """What redis-cli takes for its standard output: '-' since 6.2; before, that was a file of this name."""
    with contextlib.suppress(stream.EngineError):
        if 'Use filename of "-"' in stream.run(["redis-cli", "--help"], seconds=10):
            return "-"
    return "/dev/stdout"


def _refusal(where: Address, answer: str) -> str:
    first = answer.strip().split("\n", 1)[0][:200] or "no answer"
    hint = ""
    if first.startswith(("NOAUTH", "WRONGPASS")) or "password" in first:
        hint = ": check login_user and login_password"
    elif first.startswith("NOPERM"):
        hint = ": the user wants the rights that the notes of redis_backup list"
    return f"Redis at {where.place} answers {first!r}{hint}"


def _number(told: Mapping[str, str], name: str) -> int:
    value = told.get(name, "")
    return int(value) if value.lstrip("-").isdigit() else 0


def info(where: Address, deadline: float) -> dict[str, str]:
    """What INFO tells.

    :raises OpsError: the server is not there, or does not let us in.
    """
    answer = _asked(where, deadline, "INFO")
    told = {}
    for line in answer.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            told[name] = value.strip()
    if "redis_version" not in told:
        raise OpsError(_refusal(where, answer))
    return told


def keyspace(told: Mapping[str, str]) -> dict[int, int]:
    """Keys by database, of what INFO tells."""
    found = {}
    for name, value in told.items():
        if name.startswith("db") and name[2:].isdigit():
            parts = dict(part.partition("=")[::2] for part in value.split(","))
            found[int(name[2:])] = _number(parts, "keys")
    return found


def _asked(where: Address, deadline: float, *words: str) -> str:
    seconds = max(0.1, min(where.timeout, deadline - time.monotonic()))
    return stream.run([*where.argv(), *words], where.environment(), seconds)

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that speaks Redis' protocol, answers as it is told, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable

Answer = Any
"""bytes: a bulk string; int; list; None: nil; Error; Raw: as it is; Hang, Hangup: what else servers do."""

INFO = (
    b"# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrun_id:abc\r\nuptime_in_seconds:7200\r\n"
    b"server_time_usec:1795940643784329\r\n"
    b"# Clients\r\nconnected_clients:3\r\nmaxclients:10000\r\nclient_recent_max_output_buffer:0\r\n"
    b"# Memory\r\nused_memory:1000000\r\nused_memory_rss:2000000\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n"
    b"total_system_memory:9000000000\r\n"
    b"# Persistence\r\nloading:0\r\nrdb_changes_since_last_save:0\r\nrdb_last_save_time:1795940640\r\n"
    b"rdb_last_bgsave_status:ok\r\naof_enabled:0\r\n"
    b"# Stats\r\nevicted_keys:0\r\nrejected_connections:0\r\nkeyspace_hits:0\r\nkeyspace_misses:0\r\n"
    b"# Replication\r\nrole:master\r\nmaster_repl_offset:0\r\n# Cluster\r\ncluster_enabled:0\r\n"
)


class Error(str):
    """An error of the server."""


class Raw(bytes):
    """Bytes that are sent as they are."""


class Hang:
    """No answer, ever."""


class Hangup:
    """The connection ends."""


def encode(answer: Answer) -> bytes:
    if isinstance(answer, Raw):
        return bytes(answer)
    if isinstance(answer, Error):
        return b"-" + answer.encode() + b"\r\n"
    if answer is None:
        return b"$-1\r\n"
    if isinstance(answer, int):
        return b":%d\r\n" % answer
    if isinstance(answer, (list, tuple)):
        return b"*%d\r\n" % len(answer) + b"".join(encode(one) for one in answer)
    if isinstance(answer, str):
        return b"+" + answer.encode() + b"\r\n"
    return b"$%d\r\n%s\r\n" % (len(answer), answer)


class Server:
    """The keys of `answers` are commands in capitals, one word or two; a value may be a function of the words."""

    def __init__(
        self, answers: dict[str, Any] | None = None, greeting: bytes = b"", keys: dict[bytes, Any] | None = None
    ):
        self.keys = {} if keys is None else keys
        keyspace = b"# Keyspace\r\n"
        if self.keys:
            expires = sum(1 for _size, ttl in self.keys.values() if ttl >= 0)
            keyspace += b"db0:keys=%d,expires=%d,avg_ttl=1\r\n" % (len(self.keys), expires)
        self.answers: dict[str, Any] = {
            "PING": "PONG",
            "INFO": INFO + keyspace,
            "CLIENT SETNAME": "OK",
            "AUTH": "OK",
            "CONFIG GET": lambda words: [words[2], b"3600 1" if words[2] == b"save" else b"10000"],
            "SLOWLOG GET": [],
            "LATENCY LATEST": [],
            "CLIENT LIST": b"id=1 addr=127.0.0.1:1 name=x age=1 idle=0 omem=5 tot-mem=9 cmd=get user=default\n",
            "SELECT": "OK",
            "SCAN": self._scan,
            "MEMORY USAGE": lambda words: self.keys.get(words[2], (None,))[0],
            "TTL": lambda words: self.keys.get(words[1], (0, -2))[1],
            **(answers or {}),
        }
        self.greeting = greeting
        self.asked: list[list[bytes]] = []
        self.line = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.line.getsockname()[1]
        self.open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _scan(self, words: list[bytes]) -> Answer:
        names, at, many = sorted(self.keys), int(words[1]), int(words[3])
        following = at + many
        return [b"%d" % (following if following < len(names) else 0), names[at:following]]

    @property
    def commands(self) -> set[str]:
        """What was asked, as an ACL names it."""
        containers = {"CONFIG", "SLOWLOG", "LATENCY", "CLIENT", "CLUSTER", "MEMORY", "SENTINEL"}
        return {
            "|".join(word.decode().lower() for word in words[: 2 if words[0].decode() in containers else 1])
            for words in self.asked
        }

    def close(self) -> None:
        for one in [self.line, *self.open]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _address = self.line.accept()
                self.open.append(line)
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), line, line.makefile("rb") as stream:
            if self.greeting:
                line.sendall(self.greeting)
                return
            while True:
                first = stream.readline()
                if not first:
                    return
                if first.startswith(b"*"):
                    words = []
                    for _ in range(int(first[1:])):
                        length = int(stream.readline()[1:])
                        words.append(stream.read(length + 2)[:-2])
                else:
                    words = first.split()
                self.asked.append(words)
                answer = self._answer(words)
                if answer is Hang:
                    time.sleep(60)
                    return
                if answer is Hangup:
                    return
                line.sendall(encode(answer))

    def _answer(self, words: list[bytes]) -> Answer:
        name = words[0].decode().upper()
        two = f"{name} {words[1].decode('utf-8', 'replace').upper()}" if len(words) > 1 else name
        found = self.answers.get(two, self.answers.get(name, Error(f"ERR unknown command {name}")))
        return found(words) if callable(found) and not isinstance(found, type) else found


@contextlib.contextmanager
def serving(*arguments: Any, **options: Any) -> Iterator[Server]:
    """A server for a while."""
    server = Server(*arguments, **options)
    try:
        yield server
    finally:
        server.close()


Function = Callable[[list[bytes]], Answer]

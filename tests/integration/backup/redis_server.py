# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Redis server of a test's own. It shares no code with the plugins, and is asked by redis-cli alone."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from running import end, free_port, wait_for

PASSWORD = "s3cret of the source"


@dataclass
class Redis:
    """A running server.

    :ivar folder: all of it; port: of 127.0.0.1.
    """

    folder: Path
    port: int
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> str:
        return str(self.folder / "s")

    @property
    def login(self) -> dict[str, Any]:
        """The options of a module that goes there."""
        return {"login_host": "127.0.0.1", "login_port": self.port, "login_password": PASSWORD, "connect_timeout": 20}

    def cli(self, *words: str, data: bytes | None = None, check: bool = True) -> str:
        """What redis-cli says."""
        done = subprocess.run(
            ["redis-cli", "-e", "-s", self.socket, *words], input=data, capture_output=True, check=False,
            env={**os.environ, "REDISCLI_AUTH": PASSWORD},
        )  # fmt: skip
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done.stdout.decode().strip()

    def start(self) -> None:
        given = {
            "port": str(self.port), "bind": "127.0.0.1", "unixsocket": self.socket, "dir": str(self.folder),
            "save": "", "appendonly": "no", "requirepass": PASSWORD, "masterauth": PASSWORD,
            "repl-diskless-sync-delay": "0", "enable-debug-command": "local", "logfile": str(self.folder / "log"),
            **self.settings,
        }  # fmt: skip
        command = ["redis-server", *(part for name, value in given.items() for part in (f"--{name}", value))]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=self.folder)
        wait_for(
            lambda: "PONG" in self.cli("PING", check=False),
            f"the server answers; its log is {self.folder / 'log'}", self.process,
        )  # fmt: skip

    def stop(self) -> None:
        if self.process:
            end(self.process)

    def fill(self, keys: int = 2000, size: int = 40) -> None:
        """Keys of every type in three databases, some that expire, and a library of functions."""
        lines = [f"SET s{n} {'v' * (n % size)}" for n in range(keys)]
        for n in range(60):
            members = " ".join(f"m{i}" for i in range(1 + n * 5))
            lines += [f"RPUSH l{n} {members}", f"SADD set{n} {members}", f"XADD x{n % 3} * a {n}"]
            lines += ["ZADD z%d %s" % (n, " ".join(f"{i}.5 m{i}" for i in range(1 + n * 5)))]
            lines += ["HSET h%d %s" % (n, " ".join(f"f{i} {'x' * (i + 1)}" for i in range(1 + n * 2)))]
        lines += ["XGROUP CREATE x1 g 0", "XREADGROUP GROUP g c COUNT 2 STREAMS x1 >", "SET fleeting 1 PX 300"]
        lines += ["SET later 1 EX 86400", "SELECT 3", "SET a 1", "SELECT 9", "SADD b 1 2 3", "SETBIT c 100000 1"]
        self.cli(data="\n".join(lines).encode() + b"\n")
        self.cli("FUNCTION", "LOAD", "#!lua name=mylib\nredis.register_function('f', function() return 1 end)")

    def noise(self, count: int, size: int) -> None:
        """Values that do not pack."""
        script = "for n = 1, tonumber(ARGV[1]) do redis.call('SET', 'noise' .. n, ARGV[2] .. n) end"
        text = os.urandom(size // 2).hex()
        self.cli("CONFIG", "SET", "rdbcompression", "no")
        self.cli("EVAL", script, "0", str(count), text)

    def keyspace(self) -> dict[str, int]:
        """Keys by database, as the server counts them."""
        rows = [line for line in self.cli("INFO", "keyspace").splitlines() if line.startswith("db")]
        return {line.split(":")[0][2:]: int(line.split("keys=")[1].split(",")[0]) for line in rows}


@contextlib.contextmanager
def redis(**settings: str) -> Iterator[Redis]:
    """A server that is empty, and is gone with its data afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="nx-redis-", dir="/var/tmp"))
    server = Redis(folder, free_port(), {name.replace("_", "-"): value for name, value in settings.items()})
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)

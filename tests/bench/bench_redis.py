# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A million keys of a redis-server of its own are looked at while another client asks all the time: its longest pause.

In earnest the look comes from another machine. Here it shares the processors with the server and with that client, so
that those two go before everything else (SCHED_RR), where we may say so: else the figure is about the scheduler.
"""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import measure
import redis

KEYS = 1_000_000
LIMIT_MS = 10.0
FIRST = 10
EVERY_SECONDS = 0.0005
FILL = """
for n = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  local name = n % 1000
  if name == 0 then redis.call('RPUSH', 'list:' .. n, unpack(ARGV, 3))
  elseif name == 1 then redis.call('HSET', 'hash:' .. n, unpack(ARGV, 3))
  elseif name == 2 then redis.call('ZADD', 'scores:' .. n, n, 'a', n, 'b', n, 'c')
  else redis.call('SET', 'session:' .. n, ARGV[3], 'EX', 86400) end
end
"""
LARGE = 200_000


@contextlib.contextmanager
def server(folder: Path) -> Iterator[int]:
    """A redis-server on a free port of loopback; ends with the block."""
    with socket.create_server(("127.0.0.1", 0)) as line:
        port: int = line.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
    process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
    try:
        client = redis.Redis(port=port)
        for _ in range(100):
            with contextlib.suppress(redis.ConnectionError):
                client.ping()
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def fill(port: int) -> None:
    """A million keys: sessions for the most part, and some collections, three of them large."""
    client = redis.Redis(port=port)
    few = [f"member-{number}" for number in range(40)]
    for first in range(0, KEYS - 3, 5000):
        client.eval(FILL, 0, first, min(first + 4999, KEYS - 4), *few)
    pipe = client.pipeline(transaction=False)
    for first in range(0, LARGE, 1000):
        members = [str(number) for number in range(first, first + 1000)]
        pipe.rpush("large:list", *members)
        pipe.hset("large:hash", mapping=dict.fromkeys(members, "x" * 40))
        pipe.sadd("large:set", *members)
    pipe.execute()
    assert client.dbsize() == KEYS, client.dbsize()


def watch(port: int, until: subprocess.Popen[bytes] | None, seconds: float = 0.0) -> list[float]:
    """Round trips of PING in milliseconds, one after the other, while a program runs or for some seconds.

    Straight through a socket: a library would add pauses of its own.
    """
    taken = []
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ends = time.monotonic() + seconds
        while (until is not None and until.poll() is None) or (until is None and time.monotonic() < ends):
            began = time.perf_counter()
            line.sendall(b"PING\r\n")
            assert line.recv(64) == b"+PONG\r\n"
            taken.append((time.perf_counter() - began) * 1000)
            time.sleep(EVERY_SECONDS)
    return taken


def keys_command(port: int) -> float:
    """What KEYS would cost: the longest pause while it runs, in milliseconds."""
    ask = "import redis, sys; redis.Redis(port=int(sys.argv[1])).keys('no-such-*')"
    process = subprocess.Popen(["chrt", "--other", "0", sys.executable, "-c", ask, str(port)])
    return max(watch(port, process))


def main() -> None:
    """Measure and print."""
    gc.disable()
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(FIRST))
    with tempfile.TemporaryDirectory() as name, server(Path(name)) as port:
        folder = Path(name)
        fill(port)
        look = {
            "target": "bench",
            "login_host": "127.0.0.1",
            "login_port": port,
            "key_budget": KEYS,
            "key_seconds": 280.0,
            "deadline": 300.0,
        }
        seen = f"look.facts.keys_looked_at >= {KEYS} and look.coverage | rejectattr('seen') | list | length == 0"
        tasks = [
            {"nexuscos.ops.redis_health": look, "register": "look"},
            {"ansible.builtin.assert": {"that": [seen]}},
        ]
        command = ["chrt", "--other", "0", *measure.playbook(tasks, folder, "look")]
        pauses, took, late, idle = [], [], [], []
        for _ in range(min(measure.REPEATS, 3)):
            # What the machine does by itself, measured in the same way: it is in the other figure, too.
            idle.append(max(watch(port, None, 5.0)))
            began = time.monotonic()
            with tempfile.TemporaryFile() as said:
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
                trips = watch(port, process)
                took.append(time.monotonic() - began)
                said.seek(0)
                assert process.returncode == 0, said.read().decode(errors="replace")[-1500:]
            pauses.append(max(trips))
            late.append(sorted(trips)[len(trips) * 999 // 1000])
        against = {"an idle server, watched for 5 s": measure.median(idle), "while KEYS runs": keys_command(port)}
        what = (
            f"{KEYS:,} keys looked at, longest pause of another client; the look takes {measure.median(took):.0f} s, "
            f"99.9 % of the pauses are under {measure.median(late):.2f} ms"
        )
        measure.emit("redis", what, pauses, "ms", against, LIMIT_MS)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that misbehave towards a Redis server of the lab, for the steps of redis-*.yml.

usage: redis_client.py COMMAND [NUMBER…] HOST PORT, with the password in REDISCLI_AUTH

fill COUNT BYTES TTL   so many keys of a size
occupy PERCENT         keys without a TTL, until so much of maxmemory is taken
pool COUNT REJECTED    connections that stay, and attempts that go beyond what the server takes
unread KEY COUNT       ask for a key again and again, and never read the answers
misses COUNT           ask for keys that are not there
spin COUNT             clients that keep the server busy with scripts
slow                   one script of half a second
crumble COUNT          many small keys, of which one in eight stays
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

import redis

SPIN = "local n = 0 for i = 1, tonumber(ARGV[1]) do n = n + i % 7 end"
MANY = (
    "#!lua flags=allow-cross-slot-keys\n"
    "for n = tonumber(ARGV[1]), tonumber(ARGV[2]) do redis.call(ARGV[3], 'fault:crumb:' .. n, ARGV[4]) end"
)
FEW = (
    "#!lua flags=allow-cross-slot-keys\n"
    "for n = tonumber(ARGV[1]), tonumber(ARGV[2]) do if n % 8 > 0 then redis.call('DEL', 'fault:crumb:' .. n) end end"
)


def connect(host: str, port: str, **options: Any) -> redis.Redis:
    """A connection of its own, which does not end by itself."""
    return redis.Redis(
        host=host, port=int(port), password=os.environ["REDISCLI_AUTH"], single_connection_client=True, **options
    )


def stay() -> None:
    """Say that everything is there, and keep it."""
    print("ready", flush=True)
    time.sleep(3600)


def fill(host: str, port: str, count: str, size: str, ttl: str) -> None:
    pipe = connect(host, port).pipeline(transaction=False)
    for number in range(int(count)):
        pipe.set(f"fault:fill:{number}", b"x" * int(size), ex=int(ttl))
        if number % 10 == 9:
            pipe.execute()
    pipe.execute()


def occupy(host: str, port: str, percent: str) -> None:
    one = connect(host, port)
    for first in range(0, 1_000_000, 20):
        memory = one.info("memory")
        if memory["used_memory"] >= memory["maxmemory"] * int(percent) / 100:
            return
        pipe = one.pipeline(transaction=False)
        for number in range(first, first + 20):
            pipe.set(f"fault:kept:{number}", b"x" * 2000)
        pipe.execute()


def pool(host: str, port: str, count: str, rejected: str) -> None:
    kept = [connect(host, port, client_name="fault-pool") for _ in range(int(count))]
    for one in kept:
        one.ping()
    for_now = []
    turned_away = 0
    while turned_away < int(rejected):
        try:
            for_now.append(connect(host, port))
        except redis.RedisError:
            turned_away += 1
    for one in for_now:
        one.close()
    stay()


def unread(host: str, port: str, key: str, count: str) -> None:
    one = connect(host, port, client_name="fault-unread")
    one.ping()
    line = one.connection
    assert line is not None
    for _ in range(int(count)):
        line.send_command("GET", key)
    stay()


def misses(host: str, port: str, count: str) -> None:
    pipe = connect(host, port).pipeline(transaction=False)
    for number in range(int(count)):
        pipe.get(f"fault:not-there:{number}")
    pipe.execute()


def turns(one: redis.Redis, seconds: float) -> int:
    """How many turns of the loop take so long; the shortest of some tries, since the machine does other things, too."""
    tries = []
    for _ in range(5):
        began = time.monotonic()
        one.eval(SPIN, 0, 200_000)
        tries.append(time.monotonic() - began)
    return int(200_000 * seconds / min(tries))


def spin(host: str, port: str, count: str) -> None:
    many = turns(connect(host, port), 0.04)

    def work() -> None:
        one = connect(host, port, client_name="fault-spin")
        while True:
            one.eval(SPIN, 0, many)

    for _ in range(int(count)):
        threading.Thread(target=work, daemon=True).start()
    stay()


def slow(host: str, port: str) -> None:
    one = connect(host, port, client_name="fault-slow")
    one.eval(SPIN, 0, turns(one, 0.5))


def crumble(host: str, port: str, count: str) -> None:
    one = connect(host, port)
    for first in range(0, int(count), 5000):
        one.eval(MANY, 0, first, first + 4999, "SET", "x" * 400)
    for first in range(0, int(count), 5000):
        one.eval(FEW, 0, first, first + 4999)


if __name__ == "__main__":
    *words, host, port = sys.argv[1:]
    commands = (fill, occupy, pool, unread, misses, spin, slow, crumble)
    {command.__name__: command for command in commands}[words[0]](host, port, *words[1:])

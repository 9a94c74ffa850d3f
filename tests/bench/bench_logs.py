# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors in 1.9 GB of logs: finding them, and grouping 200,000 of them, against grep, plain Python and Drain3.

The logs are made in a temporary folder, which is removed again. Half of them are JSON, half are lines of a Java logger;
each error has ids of its own, as in life.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import sys
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import measure

GIGABYTES = float(os.environ.get("BENCH_LOGS_GB", "1.9"))
ERRORS = int(200_000 * GIGABYTES / 1.9)
FILES = 6
LIMIT_MATCHING = 1.3
LIMIT_TEMPLATES = 1.3 + 3.0
LIMIT_MB = 64.0


def stamp(number: int) -> str:
    """A time within the last hour: all of it is in the window."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(BEGAN - 3000 + number * 3000 // max(ERRORS, 1)))


BEGAN = int(time.time())
HOSTS = ("db1", "db2", "redis1", "cache.internal", "api.partner.example")
NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")


def sentence(dice: random.Random) -> tuple[int, str]:
    """An error, and of which kind it is."""
    kind = dice.randrange(12)
    some, large, wide = dice.randrange(9000), dice.randrange(10**6), dice.getrandbits(128)
    return kind, (
        f"payment {uuid.UUID(int=wide)} failed for user {large}: card declined",
        f"payment {uuid.UUID(int=wide)} failed for user {large}: insufficient funds",
        f"dial tcp 10.0.{some % 255}.{large % 255}:5432: connect: connection refused",
        f"dial tcp 10.0.{some % 255}.{large % 255}:6379: i/o timeout",
        f"timeout after {some}ms calling {HOSTS[large % len(HOSTS)]}",
        f"user {NAMES[large % len(NAMES)]} not found in tenant {some}",
        f"cannot open file /data/{large:08x}/part-{some}.parquet: no space left on device",
        f"deadlock detected: process {some} waits for ShareLock on transaction {large}",
        f"duplicate key value violates unique constraint users_email_key; key {large} exists",
        f"token {wide:032x} expired {some} seconds ago",
        f"upstream returned {500 + some % 4} for /api/v1/orders/{large} in {some} ms",
        f"message {uuid.UUID(int=wide)} rejected by queue orders: consumer is gone",
    )[kind]


def error(number: int, json_line: bool, dice: random.Random) -> str:
    text = sentence(dice)[1]
    if json_line:
        return (
            f'{{"time":"{stamp(number)}.{dice.randrange(10**9):09d}Z","level":"ERROR","msg":"request failed",'
            f'"service":"auth-service","namespace":"nexus-auth","trace_id":"{dice.getrandbits(128):032x}",'
            f'"method":"GET","path":"/","status":502,"error":"{text}"}}\n'
        )
    return (
        f"{stamp(number)}.{dice.randrange(1000):03d}Z ERROR [worker-{dice.randrange(9)}] com.nexus.Billing - {text}\n"
    )


def ordinary(number: int, json_line: bool, dice: random.Random) -> str:
    if json_line:
        return (
            f'{{"time":"{stamp(number)}.{dice.randrange(10**9):09d}Z","level":"INFO","msg":"request",'
            f'"service":"auth-service","namespace":"nexus-auth","pod":"auth-service-7757876b88-hmw7g",'
            f'"trace_id":"{dice.getrandbits(128):032x}","method":"GET","path":"/api/v1/users/{dice.randrange(10**6)}",'
            f'"status":200,"duration_ms":{dice.random() * 20:.3f}}}\n'
        )
    return (
        f"{stamp(number)}.{dice.randrange(1000):03d}Z INFO [worker-{dice.randrange(9)}] com.nexus.Billing - payment "
        f"{uuid.UUID(int=dice.getrandbits(128))} of user {dice.randrange(10**6)} is done in {dice.randrange(900)} ms\n"
    )


def make(folder: Path) -> list[Path]:
    """Write the logs."""
    paths = [folder / f"service-{number}.log" for number in range(FILES)]
    between = int(GIGABYTES * 1e9 / ERRORS) - 260
    for place, path in enumerate(paths):
        dice = random.Random(place)
        json_line = place % 2 == 0
        lines = [ordinary(ERRORS // 2, json_line, dice) for _number in range(20_000)]
        # Errors are rare: what stands between two of them comes from a large pool, in ever different order.
        pool: list[bytes] = []
        for _number in range(400):
            text, size = [], 0
            while size < between:
                text.append(dice.choice(lines))
                size += len(text[-1])
            pool.append("".join(text).encode())
        with open(path, "wb") as out:
            for number in range(place, ERRORS, FILES):
                out.write(dice.choice(pool))
                out.write(error(number, json_line, dice).encode())
    return paths


def collection() -> Any:
    """The packages that are measured."""
    from ansible_collections.nexuscos.ops.plugins.module_utils._logs import book, files, look

    return book, files, look


def child(what: str, folder: str) -> None:
    """In a process of its own: `match` finds and throws away, `count` does all of it."""
    book, files, look = collection()

    class Found(book.Book):  # type: ignore[misc]
        """Counts what is found, and does not read it."""

        def lines(self, owner: Any, events: Any, *_rest: Any) -> None:
            with self._lock:
                owner.events += len(events)

    now = time.time()
    kind = Found if what == "match" else book.Book
    kept = kind(now - 86400, now, 10**9, 1000)
    seen = look.Look("files")
    files.look_at_files([f"{folder}/*.log"], [], kept, seen, time.monotonic() + 600, 1 << 40)
    events = sum(one.events for one in kept.owners.values())
    kinds = sum(one["templates_total"] for one in kept.result().values())
    if events != ERRORS or seen.errors or seen.cut or (what == "count" and not 12 <= kinds / FILES <= 13):
        raise SystemExit(f"{events} of {ERRORS} errors of {kinds} kinds; {seen.errors} {seen.cut}")
    # Of all processes together, also of those that it was waited for.
    kilobytes = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    (Path(folder) / "kilobytes").write_text(str(kilobytes), encoding="utf-8")


def readinto(folder: str) -> None:
    """What one would write first: one word, found in a buffer that is used again."""
    count, buffer = 0, bytearray(1 << 19)
    for path in sorted(Path(folder).glob("*.log")):
        with open(path, "rb", buffering=0) as stream:
            while size := stream.readinto(buffer):
                at = buffer.find(b"ERROR", 0, size)
                while at >= 0:
                    count += 1
                    at = buffer.find(b"ERROR", at + 1, size)
    if count < ERRORS * 0.99:
        raise SystemExit(f"{count} errors")


def accuracy(kinds: list[int], groups: list[Any]) -> float:
    """The share of sentences whose group has all sentences of their kind, and no other."""
    members: dict[Any, Counter[int]] = {}
    for kind, group in zip(kinds, groups, strict=True):
        members.setdefault(group, Counter())[kind] += 1
    wanted = Counter(kinds)
    right = 0
    for found in members.values():
        kind, count = found.most_common(1)[0]
        right += count if len(found) == 1 and count == wanted[kind] else 0
    return right / len(kinds)


def grouping(count: int = 20_000) -> dict[str, tuple[float, float]]:
    """Ours and Drain3 on the same sentences: (seconds, percent grouped wrongly)."""
    from drain3 import TemplateMiner
    from drain3.masking import MaskingInstruction
    from drain3.template_miner_config import TemplateMinerConfig

    from ansible_collections.nexuscos.ops.plugins.module_utils._logs import templates

    dice = random.Random(5)
    pairs = [sentence(dice) for _number in range(count)]
    kinds = [kind for kind, _text in pairs]
    began = time.monotonic()
    tree = templates.Tree()
    found = [tree.add(text) for _kind, text in pairs]
    named = {one: text for text, ones in templates.groups(list(set(found))) for one in ones}
    ours = time.monotonic() - began
    # Drain3 with the masks of its own documentation.
    config = TemplateMinerConfig()
    config.masking_instructions = [
        MaskingInstruction(pattern, name)
        for pattern, name in (
            (r"((?<=[^A-Za-z0-9])|^)(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})((?=[^A-Za-z0-9])|$)", "IP"),
            (r"((?<=[^A-Za-z0-9])|^)([0-9a-f]{6,} ?){3,}((?=[^A-Za-z0-9])|$)", "SEQ"),
            (r"((?<=[^A-Za-z0-9])|^)(0x[a-f0-9A-F]+)((?=[^A-Za-z0-9])|$)", "HEX"),
            (r"((?<=[^A-Za-z0-9])|^)([\-\+]?\d+)((?=[^A-Za-z0-9])|$)", "NUM"),
        )
    ]
    began = time.monotonic()
    miner = TemplateMiner(config=config)
    clusters = [miner.add_log_message(text)["cluster_id"] for _kind, text in pairs]
    theirs = time.monotonic() - began
    return {
        "ours": (ours, 100 * (1 - accuracy(kinds, [named[one] for one in found]))),
        "Drain3": (theirs, 100 * (1 - accuracy(kinds, clusters))),
    }


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="nexuscos-bench-logs-") as name:
        free = shutil.disk_usage(name).free
        if free < GIGABYTES * 2e9:
            raise SystemExit(f"want {GIGABYTES * 2:.0f} GB free in {name}, found {free / 1e9:.1f} GB")
        paths = make(Path(name))
        size = sum(path.stat().st_size for path in paths) / 1e9
        this = [sys.executable, __file__]
        memory: dict[str, list[float]] = {"match": [], "count": []}

        def run(what: str) -> float:
            took, _megabytes = measure.process([*this, what, name])
            if what in memory:
                memory[what].append(int((Path(name) / "kilobytes").read_text(encoding="utf-8")) / 1024)
            return took

        shell = (
            "LC_ALL=C; export LC_ALL; grep -h ERROR {0}/*.log | cut -d' ' -f4- | sort | uniq -c | sort -rn | head -1"
        )
        taken = measure.in_turn(
            {
                "match": lambda: run("match"),
                "count": lambda: run("count"),
                "readinto and find, one word": lambda: run("readinto"),
                "grep ERROR": lambda: measure.process(["sh", "-c", f"LC_ALL=C grep -c ERROR {name}/*.log"])[0],
                "grep | cut | sort | uniq -c": lambda: measure.process(["sh", "-c", shell.format(name)])[0],
            }
        )
    against = {what: measure.median(values) for what, values in taken.items() if what not in memory}
    what = f"{size:.2f} GB in {FILES} files, {ERRORS} errors"
    found = {key: value for key, value in against.items() if "|" not in key}
    measure.emit("logs: finding", f"all errors and traces of {what}", taken["match"], "s", found, LIMIT_MATCHING)
    measure.emit("logs: memory", "of finding them, both processes", memory["match"], "MB", {}, LIMIT_MB)
    whole = {key: value for key, value in against.items() if "|" in key}
    measure.emit("logs: counting", f"found, read, grouped: {what}", taken["count"], "s", whole, LIMIT_TEMPLATES)
    grouped = grouping()
    seconds, wrong = grouped["ours"]
    measure.emit(
        "logs: grouping",
        "20,000 sentences of 12 kinds",
        [seconds],
        "s",
        {"Drain3": grouped["Drain3"][0]},
        grouped["Drain3"][0],
    )
    measure.emit(
        "logs: grouped wrongly", "the same", [wrong], "%", {"Drain3": grouped["Drain3"][1]}, grouped["Drain3"][1]
    )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        readinto(sys.argv[2]) if sys.argv[1] == "readinto" else child(sys.argv[1], sys.argv[2])
    else:
        main()

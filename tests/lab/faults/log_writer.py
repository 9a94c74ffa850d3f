#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""usage: log_writer.py WHAT: write the log of something broken to /var/log/nexus-cos/fault-WHAT.log until ended.

Nothing stays in the file that is older than the lab's window, so that counts hold still.
"""

from __future__ import annotations

import gzip
import os
import random
import sys
import time
import uuid

WHAT = sys.argv[1]
PATH = f"/var/log/nexus-cos/fault-{WHAT}.log"


def now() -> str:
    """As Java's loggers write it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())


def write(text: str, how: str = "a") -> None:
    with open(PATH, how, encoding="utf-8") as out:
        out.write(text)


def heap() -> float:
    """A Java service runs out of memory, with a trace; seven times a minute."""
    write(
        f"{now()} ERROR [worker-{random.randrange(9)}] com.nexus.media.Transcoder - job {uuid.uuid4()} is lost\n"
        "java.lang.OutOfMemoryError: Java heap space\n"
        "\tat com.nexus.media.Frames.read(Frames.java:118)\n"
        "\tat com.nexus.media.Transcoder.run(Transcoder.java:77)\n"
        "\tat java.base/java.lang.Thread.run(Thread.java:840)\n"
    )
    return 9.0


def chatty() -> float:
    """A service that puts something else into every word of its errors."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    dice = random.Random(7)
    lines = []
    for _number in range(1200):
        words = ["".join(dice.choice(letters) for _letter in range(7)) for _word in range(8)]
        lines.append(f"{now()} ERROR failed {' '.join(words)}\n")
    write("".join(lines), "w")
    return 20.0


def archive() -> float:
    """A rotated file that was cut off when the disk was full."""
    write(f"{now()} INFO rotated\n", "w")
    whole = gzip.compress("".join(f"{now()} INFO step {uuid.uuid4()}\n" for _number in range(2000)).encode())
    with open(f"{PATH}.1.gz.part", "wb") as out:
        out.write(whole[: len(whole) * 6 // 10])
    os.replace(f"{PATH}.1.gz.part", f"{PATH}.1.gz")
    return 10.0


def refused() -> float:
    """Errors that nobody has seen before, two a second."""
    write(f"{now()} ERROR payment {uuid.uuid4()} of user {random.randrange(10**6)} was refused by the new provider\n")
    return 0.5


def timeouts() -> float:
    """Errors that have always been there, and come ten times as often as before."""
    write(f"{now()} ERROR order {uuid.uuid4()} timed out after {random.randrange(5000)} ms\n")
    return 0.5


def main() -> None:
    writers = {"heap": heap, "chatty": chatty, "archive": archive, "new": refused, "rising": timeouts}
    if WHAT == "rising":
        # As often as it was, for the earlier look; the file .go says that it was taken.
        for _number in range(12):
            timeouts()
        while not os.path.exists("/run/fault-rising.go"):
            time.sleep(0.2)
    while True:
        time.sleep(writers[WHAT]())


if __name__ == "__main__":
    main()

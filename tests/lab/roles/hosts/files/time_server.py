#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""usage: time_server.py ADDRESS FILE: tells the machine's time (SNTP, UDP port 123), plus the seconds that FILE holds.

The hosts share the machine's clock, which nobody may set: a clock that is wrong is played by a time server that is.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from pathlib import Path

_SINCE_1900 = 2208988800
ADDRESS, FILE = sys.argv[1], Path(sys.argv[2])


def stamp(moment: float) -> bytes:
    """A time as NTP writes it."""
    return struct.pack("!II", int(moment) + _SINCE_1900 & 0xFFFFFFFF, int(moment % 1 * 2**32))


def offset() -> float:
    """Seconds by which this server is wrong on purpose."""
    try:
        return float(FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0.0


def main() -> None:
    """Answer until the end."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.bind((ADDRESS, 123))
        while True:
            question, client = channel.recvfrom(512)
            if len(question) < 48 or question[0] & 7 != 3:
                continue
            now = time.time() + offset()
            # leap 0, the client's version, mode 4; stratum 1, poll, precision; delay, dispersion; reference
            head = struct.pack("!BBbbII4s", (question[0] & 0x38) | 4, 1, 6, -20, 0, 65, b"LOCL")
            channel.sendto(head + stamp(now) + question[40:48] + stamp(now) + stamp(time.time() + offset()), client)


if __name__ == "__main__":
    main()

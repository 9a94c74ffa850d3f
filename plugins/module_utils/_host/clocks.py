# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the clock right: what the kernel says of it, and what time servers say."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any

from .._core.errors import OptionError
from .files import Clock

_SINCE_1900 = 2208988800
_UNSYNCHRONISED = 0x0040
_TRIES = 2


def server(text: str) -> tuple[str, int]:
    """``192.0.2.1``, ``ntp.example.com:123``, ``[2001:db8::1]:123`` -> host and port.

    :raises OptionError: the port is none.
    """
    host, port = text.strip(), "123"
    if host.startswith("["):
        host, _bracket, rest = host[1:].partition("]")
        port = rest.lstrip(":") or port
    elif host.count(":") == 1:
        host, _colon, port = host.partition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise OptionError(f"time_servers: want a name or an address, with or without a port, got {text!r}")
    return host, int(port)


def kernel() -> dict[str, Any]:
    """What the kernel says of its own clock (adjtimex): synchronised, and how far off at most."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        # struct timex is 208 bytes at most; status lies after modes and four longs.
        buffer = ctypes.create_string_buffer(512)
        state = libc.adjtimex(buffer)
    except (AttributeError, OSError, TypeError) as error:
        return {"reason": f"adjtimex: {error}"}
    if state < 0:
        return {"reason": f"adjtimex: {os.strerror(ctypes.get_errno())}"}
    long = ctypes.sizeof(ctypes.c_long)
    # unsigned modes; long offset, freq, maxerror, esterror; int status
    maximum = ctypes.c_long.from_buffer(buffer, 3 * long).value
    status = ctypes.c_int.from_buffer(buffer, 5 * long).value
    return {"synchronised": state != 5 and not status & _UNSYNCHRONISED, "maximum_error_s": round(maximum / 1e6, 6)}


def ask(text: str, clock: Clock, seconds: float = 1.0) -> dict[str, Any]:
    """Ask one time server how far this clock is off (SNTP, RFC 4330); positive: this clock is ahead."""
    row: dict[str, Any] = {"server": text}
    try:
        host, port = server(text)
        address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        best: tuple[float, float] | None = None
        problem = "it does not answer"
        for _attempt in range(_TRIES):
            wait = clock.left(seconds)
            if wait <= 0:
                break
            try:
                found = _exchange(address[0], address[4], wait)
            except socket.timeout:
                continue
            except ValueError as error:
                problem = str(error)
                continue
            best = min(best, found) if best else found
        if best is None:
            row["error"] = problem
        else:
            row.update(offset_s=round(best[1], 6), round_trip_s=round(best[0], 6))
    except OSError as error:
        row["error"] = error.strerror or str(error)
    return row


def _exchange(family: int, address: Any, seconds: float) -> tuple[float, float]:
    """One question: round trip, and offset of this clock against the server's."""
    with socket.socket(family, socket.SOCK_DGRAM) as channel:
        channel.settimeout(seconds)
        # Connected, so that nobody else's packets are taken for the answer, and a closed port says so.
        channel.connect(address)
        sent = time.time()
        mark = struct.pack("!II", int(sent) + _SINCE_1900 & 0xFFFFFFFF, int((sent % 1) * 2**32))
        channel.send(b"\x23" + 39 * b"\0" + mark)
        answer = channel.recv(512)
        came = time.time()
    if len(answer) < 48 or answer[0] & 7 != 4:
        raise ValueError("its answer is no answer of a time server")
    if answer[24:32] != mark:
        raise ValueError("it answers another question")
    if answer[1] == 0 or answer[0] >> 6 == 3:
        raise ValueError("it says that it does not know the time itself")
    received, transmitted = _moment(answer[32:40], sent), _moment(answer[40:48], sent)
    return max((came - sent) - (transmitted - received), 0.0), ((sent - received) + (came - transmitted)) / 2


def _moment(raw: bytes, near: float) -> float:
    seconds, fraction = struct.unpack("!II", raw)
    value = seconds - _SINCE_1900 + fraction / 2**32
    # The counter begins anew in 2036.
    while value < near - 2**31:
        value += 2**32
    return float(value)


def look(servers: Sequence[str], container: bool, uptime: float | None, clock: Clock) -> dict[str, Any]:
    """What is known of the clock. That of a container is its machine's, and steered there."""
    found: dict[str, Any] = {"container": container, "uptime_s": uptime, "servers": []}
    if not container:
        found["kernel"] = kernel()
    found["servers"] = [ask(one, clock) for one in servers]
    return found

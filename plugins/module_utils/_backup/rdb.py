# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot of Redis (RDB), checked by its own sum: CRC-64 of all that stands before it."""

from __future__ import annotations

from typing import BinaryIO

_MOST_FOR_SUM = 64 << 20
_PIECE = 1 << 16
SUMMED = "its sum is right"
_POLYNOMIAL = 0x95AC9329AC4BC9B5  # Jones, reflected


class Damaged(Exception):
    """The snapshot cannot be loaded; the text says why."""


def _table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _bit in range(8):
            crc = crc >> 1 ^ _POLYNOMIAL if crc & 1 else crc >> 1
        table.append(crc)
    return table


def crc64(data: bytes, crc: int = 0, table: list[int] | None = None) -> int:
    """CRC-64 as Redis has it."""
    table = table or _table()
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc


def walk(stream: BinaryIO, size: int) -> tuple[str, str | None]:
    """Read a snapshot to its end.

    :param size: of the file in bytes.
    :returns: how it was read, and the ISO time at which it was made, which the format tells.
    :raises Damaged: it is none, it breaks off, or its sum is another.
    """
    head = stream.read(9)
    if head[:5] != b"REDIS" or not head[5:].isdigit() or len(head) < 9:
        raise Damaged("it is no snapshot of Redis")
    version = int(head[5:])
    if version < 5:
        return "RDB version %d, which has no sum" % version, None
    table = _table()
    summed = size <= _MOST_FOR_SUM
    crc = crc64(head, 0, table) if summed else 0
    left, last = size - 9 - 8, b""
    if left < 1:
        raise Damaged("it breaks off after its header")
    first = b""
    while left:
        piece = stream.read(min(left, _PIECE))
        if not piece:
            raise Damaged("it breaks off at byte %d" % stream.tell())
        first = first or piece
        left -= len(piece)
        last = piece[-1:]
        if summed:
            crc = crc64(piece, crc, table)
    footer = stream.read(8)
    if last != b"\xff" or len(footer) < 8:
        raise Damaged("its end is missing")
    wanted = int.from_bytes(footer, "little")
    made = _made(first)
    if wanted == 0:
        return "RDB version %d, written without a sum" % version, made
    if not summed:
        return "RDB version %d, too large to be summed here" % version, made
    if wanted != crc:
        raise Damaged("its sum is another: bytes in it were changed")
    return "RDB version %d, %s" % (version, SUMMED), made


def _made(first: bytes) -> str | None:
    """The time in the auxiliary field ``ctime``, where the snapshot has one."""
    import datetime

    place = first.find(b"\x05ctime\xc2")
    if place < 0 or len(first) < place + 11:
        return None
    seconds = int.from_bytes(first[place + 7 : place + 11], "little")
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups made by hand, byte by byte, and a judge for them."""

from __future__ import annotations

import hashlib
import os
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import collect, evaluate, rdb
from ansible_collections.nexuscos.ops.plugins.module_utils._backup.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._catalogue import BY_ID
from ansible_collections.nexuscos.ops.plugins.module_utils._core.check import index
from ansible_collections.nexuscos.ops.plugins.module_utils._core.judge import Judge
from ansible_collections.nexuscos.ops.plugins.module_utils._core.threshold import Thresholds


def integer(value: int) -> bytes:
    return bytes([value < 0]) + abs(value).to_bytes(4, "little")


def text(value: str | None) -> bytes:
    return integer(-1) if value is None else integer(len(value.encode())) + value.encode()


def dump(
    *tables: bytes,
    version: tuple[int, int] = (1, 14),
    packed: bool = True,
    made: float | None = None,
    structure: Sequence[str] = (),
) -> bytes:
    """A custom-format dump with a data block a table, as pg_dump writes it.

    :param structure: definitions of tables that it makes, as ``CREATE TABLE public.t1 (a int);``.
    """
    when = time.localtime(time.time() if made is None else made)
    compression = bytes([int(packed)]) if version >= (1, 15) else integer(-1 if packed else 0)
    head = b"PGDMP" + bytes([*version, 0, 4, 8, 1]) + compression
    for part in (when.tm_sec, when.tm_min, when.tm_hour, when.tm_mday, when.tm_mon - 1, when.tm_year - 1900, 0):
        head += integer(part)
    head += text("nexusdb") + text("15.14") + text("15.14") + integer(len(tables) + len(structure))
    for number, definition in enumerate(structure, len(tables) + 1):
        head += _entry(number, "TABLE", "t%d" % (number - len(tables)), definition, version)
    for number, _rows in enumerate(tables, 1):
        head += _entry(number, "TABLE DATA", "t%d" % number, "", version)
    for number, rows in enumerate(tables, 1):
        stream = zlib.compress(rows) if packed else rows
        head += b"\x01" + integer(number) + (integer(len(stream)) + stream if stream else b"") + integer(0)
    return head


def _entry(number: int, kind: str, name: str, definition: str, version: tuple[int, int]) -> bytes:
    """A part of the table of contents."""
    data = kind == "TABLE DATA"
    found = integer(number) + integer(int(data))
    found += text("1259") + text(str(number)) + text(name) + text(kind)
    found += integer(3 if data else 2) + text(definition) + text("") + text("COPY t FROM stdin;\n" if data else "")
    found += text("public") + text("")
    found += text("heap") if version >= (1, 14) else b""
    found += integer(114) if version >= (1, 16) else b""
    found += text("owner") + text("false") + text(None)
    return found + (b"\x01" if data else b"\x03") + (0).to_bytes(8, "little")


def snapshot(payload: bytes = b"\xfe\x00\xfb\x01\x00\x00\x03key\x05value", summed: bool = True) -> bytes:
    """An RDB file of Redis 7."""
    body = b"REDIS0010" + payload + b"\xff"
    return body + (rdb.crc64(body) if summed else 0).to_bytes(8, "little")


def put(place: Path, name: str, data: bytes, summed: bool = True, age: float = 60.0) -> Path:
    """A file in a place, with its checksum and a modification time."""
    path = place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    if summed:
        with (path.parent / "SHA256SUMS").open("a", encoding="utf-8") as stream:
            stream.write("%s  %s\n" % (hashlib.sha256(data).hexdigest(), path.name))
    then = time.time() - age
    os.utime(path, (then, then))
    return path


def stamp(age: float = 60.0) -> str:
    return time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime(time.time() - age))


def look(place: Path, *systems: dict[str, Any], **more: Any) -> dict[str, Any]:
    given = {"path": str(place), "systems": list(systems), "timer": "", "tools": False, "deadline": 30.0, **more}
    return collect.collect(given)


def judged(observation: dict[str, Any], thresholds: Any = None) -> dict[str, Any]:
    judge = Judge(index(CHECKS), Thresholds.parse(thresholds, BY_ID), "b")
    evaluate.evaluate(observation, judge)
    return judge.result()


def named(result: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(one["check"].split(".")[1], one["object"], one["status"]) for one in result["findings"]}

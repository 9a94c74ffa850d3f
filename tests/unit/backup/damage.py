# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets that are made to be damaged, and how they are looked at."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

from backups import dump
from set_maker import HOUR, lead, make_set

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import (
    readers,
    verify,
)

ROWS = [b"1\tone\n" * 500 + b"\\.\n", b"", random.Random(7).randbytes(70_000)]
TABLES = {"public.t1": 500, "public.t2": 0, "public.t3": 9}
DB: dict[str, Any] = {"name": "nexusdb", "every": "6h", "level": 1}

HEAD = (
    b"--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.14\n\nSET client_encoding = 'UTF8';\n\n"
)
TABLE = b"CREATE TABLE public.t1 (\n    a integer\n);\n\n"
DATA = b"--\n-- Data for Name: t1; Type: TABLE DATA; Schema: public; Owner: app\n--\n\n"
COPY = b"COPY public.t1 (a) FROM stdin;\n" + b"".join(b"%d\n" % n for n in range(2000)) + b"\\.\n\n\n"
PARTITIONED = "CREATE TABLE public.p (\n    a integer\n)\nPARTITION BY RANGE (a);\n"
END = b"--\n-- PostgreSQL database dump complete\n--\n\n"
SQL = HEAD + TABLE + DATA + COPY + END


def verified(place: Path, level: int = 2, **more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "path": str(place), "system": "nexusdb", "set": "", "level": level, "smoke": [], "accept": [], "jobs": 2,
        "bin_dir": str(place), "scratch_dir": "", "lock_wait": 0.0, "deadline": 60.0, **more,
    }  # fmt: skip
    return verify.run(given, False)


def dumped(place: Path, data: bytes | None = None, age: float = HOUR, name: str = "nexusdb.dump", **more: Any) -> Path:
    """A set of a database, with its link."""
    began = time.time() - age
    data = dump(*ROWS, made=began) if data is None else data
    about = {"engine": "pg_dump", "format": "pg_custom", "server": "15.14", "source": {"database": "nexusdb"}}
    folder = make_set(place, "nexusdb", began, files={name: data}, **{**about, **more})
    lead(place, folder)
    return folder


def read(path: Path, kind: str = "auto") -> readers.Answer:
    return readers.read(str(path), kind, time.monotonic() + 30, tools=False)


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def zeroed(data: bytes, place: int, size: int = 4096) -> bytes:
    return data[:place] + bytes(min(size, len(data) - place)) + data[place + size :]

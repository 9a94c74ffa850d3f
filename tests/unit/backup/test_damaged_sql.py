# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain SQL as redirections, copies and disks leave it; and what only looks like damage."""

from __future__ import annotations

import gzip
import io
import os
import time
from pathlib import Path

import pytest
from damage import DATA, END, HEAD, PARTITIONED, SQL, TABLE, dumped, put, read, verified, zeroed
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import (
    postgres_load,
    sql_text,
)

BROKEN_SQL = {
    "a page of zeros in the rows": (zeroed(SQL, len(SQL) // 2, 512), "zeros stand in it from byte"),
    "a message in front": (b"Defaulted container \"postgres\" out of: postgres, exporter\n" + SQL, "2>&1"),
    "a message of pg_dump in the middle": (HEAD + b"pg_dump: warning: x\n" + SQL[len(HEAD) :], "line 9 is a message"),
    "an error behind the end": (SQL + b"pg_dump: error: query failed\n", "is a message of a program"),
    "appended to": (SQL + SQL, "2 dumps stand in it"),
    "cut in the rows, then run again": (
        SQL[: SQL.rindex(b"\n", 0, len(SQL) // 2) + 1] + SQL, "another dump begins at line",
    ),
    "cut in the rows": (SQL[: len(SQL) // 2], "the rows of public.t1 do not end"),
    "structure alone": (HEAD + TABLE + END, "--schema-only"),
    "FTP in text mode": (SQL.replace(b"\n", b"\r\n"), "CR LF"),
    "PowerShell": (b"\xff\xfe" + SQL.decode().encode("utf-16-le"), "UTF-16"),
    "a page of an error": (b"<html><body>502 Bad Gateway</body></html>\n", "stops early"),
}  # fmt: skip


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("what", BROKEN_SQL)
def test_plain_sql_whose_last_line_may_be_there(tmp_path: Path, what: str, packed: bool) -> None:
    data, words = BROKEN_SQL[what]
    answer = read(put(tmp_path, "x.sql.gz" if packed else "x.sql", gzip.compress(data) if packed else data))
    assert answer["status"] == "bad", what
    assert words in answer["why"]
    dumped(tmp_path, data, name="nexusdb.sql", format="sql")
    answer = verified(tmp_path)
    assert (answer["good"], answer["level"]) == (False, 1), what
    assert words in answer["why"]


CLUSTER = b"--\n-- PostgreSQL database cluster dump\n--\n\nCREATE ROLE app;\n\n"
WHOLE_SQL = {
    "as it is": SQL,
    "a mark in front": b"\xef\xbb\xbf" + SQL,
    "an empty database": HEAD + END,
    "tables that are partitioned, and have no part": HEAD + PARTITIONED.encode() + END,
    "empty tables, by INSERT": HEAD + TABLE + DATA + END,
    "an unlogged table of a standby": HEAD + TABLE.replace(b"CREATE", b"CREATE UNLOGGED") + END,
    "no rows": HEAD + TABLE + DATA + b"COPY public.t1 (a) FROM stdin;\n\\.\n\n" + END,
    "rows that look like what is looked for": SQL.replace(
        b"17\n", b"pg_dump: error: x\n\\\\.\nCREATE TABLE x\n-- PostgreSQL database dump of mine\n"
    ),
    "all databases": CLUSTER + SQL + SQL + b"--\n-- PostgreSQL database cluster dump complete\n--\n\n",
    "a long row": SQL.replace(b" FROM stdin;\n", b" FROM stdin;\n" + b"x" * (5 << 20) + b"\n", 1),
}  # fmt: skip


@pytest.mark.parametrize("what", WHOLE_SQL)
def test_plain_sql_that_is_whole(tmp_path: Path, what: str) -> None:
    assert read(put(tmp_path, "x.sql", WHOLE_SQL[what]))["status"] == "ok"


def test_rows_of_plain_sql_are_those_of_the_manifest(tmp_path: Path) -> None:
    dumped(tmp_path, SQL, name="nexusdb.sql", format="sql", invariants={"tables": {"public.t1": 2000}})
    assert verified(tmp_path)["good"]
    dumped(tmp_path, SQL, 60, name="nexusdb.sql", format="sql", invariants={"tables": {"public.t1": 2001}})
    assert "2,000 rows of public.t1 are there, want 2,001" in verified(tmp_path)["why"]


@given(st.integers(1, 3000), st.sampled_from([SQL, WHOLE_SQL["no rows"], SQL.replace(b"\n", b"\r\n")]))
def test_pieces_may_end_anywhere(size: int, data: bytes) -> None:
    class Slow(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            return super().read(size)

    whole, pieces = (sql_text.scan(stream, lambda: None) for stream in (io.BytesIO(data), Slow(data)))
    assert pieces == whole
    assert whole.lines == data.count(b"\n")
    assert whole.rows == {"public.t1": data.count(b"\n", data.find(b"stdin;"), data.find(b"\\.")) - 1}


def test_the_roles_of_a_server_are_no_database(tmp_path: Path) -> None:
    path = put(tmp_path, "globals.sql", CLUSTER + b"--\n-- PostgreSQL database cluster dump complete\n--\n\n")
    assert read(path)["status"] == "ok"
    with pytest.raises(postgres_load.Bad, match="holds the roles of a server"):
        postgres_load.check_sql(str(path), time.monotonic() + 30)


def test_zeros_without_end_take_no_memory(tmp_path: Path) -> None:
    path = put(tmp_path, "x.sql", SQL[:9000])
    os.truncate(path, 1 << 40)
    assert "zeros stand in it from byte 9000 on" in read(path)["why"]
    with pytest.raises(postgres_load.Bad, match="zeros"):
        postgres_load.check_sql(str(path), time.monotonic() + 30)

# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps of pg_dump that were cut, filled up, or made with less in them; and those that have nothing to save."""

from __future__ import annotations

import gzip
import io
import time
from pathlib import Path

import pytest
from backups import dump, judged, look, named
from damage import DB, PARTITIONED, ROWS, TABLES, dumped, put, read, verified, zeroed
from set_maker import HOUR

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import (
    pgdump,
)


@pytest.mark.parametrize("behind", [b"pg_dump: warning: x\n", dump(*ROWS), bytes(4096)])
def test_what_follows_a_dump_is_told(tmp_path: Path, behind: bytes) -> None:
    whole = dump(*ROWS, made=time.time() - HOUR)
    assert "bytes follow its end, from byte %d on" % len(whole) in read(put(tmp_path, "x.dump", whole + behind))["why"]
    dumped(tmp_path, whole + behind)
    assert "bytes follow its end" in verified(tmp_path)["why"]


def test_a_dump_of_the_structure_alone(tmp_path: Path) -> None:
    tables = ["CREATE TABLE public.t1 (a int);\n", "CREATE TABLE public.t2 (a int);\n"]
    whole = dump(structure=tables, made=time.time() - HOUR)
    answer = read(put(tmp_path, "x.dump", whole))
    assert (answer["status"], "--schema-only" in answer["why"]) == ("bad", True)
    dumped(tmp_path, whole)
    assert "it makes 2 tables and holds rows of none" in verified(tmp_path)["why"]
    assert ("readable", "b/nexusdb", "critical") in named(judged(look(tmp_path, DB)))


@pytest.mark.parametrize(
    "tables",
    [
        [],
        [PARTITIONED],
        ["CREATE UNLOGGED TABLE public.u (\n    a integer\n);\n"],
    ],
)
def test_a_dump_that_has_nothing_to_save_is_whole(tmp_path: Path, tables: list[str]) -> None:
    assert read(put(tmp_path, "x.dump", dump(structure=tables)))["status"] == "ok"


def test_tables_whose_rows_were_left_out(tmp_path: Path) -> None:
    dumped(tmp_path, invariants={"tables": TABLES})
    assert verified(tmp_path)["good"]
    assert judged(look(tmp_path, DB))["findings"] == []
    more = {**TABLES, 'public."Odd ""one"""': 3, "billing.t1": 4, "public.empty": 0}
    dumped(tmp_path, age=60, invariants={"tables": more}, format="pg_custom")
    assert 'holds no rows of billing.t1, public."Odd ""one"""' in verified(tmp_path)["why"]
    result = judged(look(tmp_path, DB))
    assert ("set", "b/nexusdb", "critical") in named(result)
    assert result["facts"]["backups"]["nexusdb"]["exposure_s"] > 600, "the set before it is the one to restore"


def test_a_dump_of_a_server_of_another_version(tmp_path: Path) -> None:
    dumped(tmp_path, server="13.4")
    assert "is of a server of version 15, and the manifest says 13" in verified(tmp_path)["why"]


def test_zeros_in_the_table_of_contents() -> None:
    whole = dump(*ROWS)
    place = whole.index(b"COPY t FROM")
    with pytest.raises(pgdump.Damaged, match="zeros stand in its table of contents"):
        pgdump.walk(io.BytesIO(zeroed(whole, place, 4)))


def test_a_year_that_no_clock_has_is_no_crash() -> None:
    whole = bytearray(dump(*ROWS))
    year = 5 + 6 + 5 + 5 * 5
    for value in (8099, -1899):
        whole[year : year + 5] = bytes([value < 0]) + abs(value).to_bytes(4, "little")
        pgdump.header(io.BytesIO(bytes(whole)))


def test_large_objects_of_a_folder_are_all_there(tmp_path: Path) -> None:
    folder = tmp_path / "x.dir"
    folder.mkdir()
    toc = bytearray(dump(b""))
    toc[10] = 3
    start = bytes(toc).rindex(b"\x01" + (0).to_bytes(8, "little"))
    (folder / "toc.dat").write_bytes(bytes(toc[:start]) + b"\x00\x09\x00\x00\x00" + b"blobs.toc")
    (folder / "blobs.toc").write_bytes(b"16399 blob_16399.dat\n")
    assert "blob_16399.dat is missing" in read(folder)["why"]
    (folder / "blob_16399.dat.gz").write_bytes(gzip.compress(b"x" * 900)[:-3])
    assert "blob_16399.dat.gz" in read(folder)["why"]
    (folder / "blob_16399.dat.gz").write_bytes(gzip.compress(b"x" * 900))
    assert read(folder)["status"] == "ok"
    (folder / "blobs.toc").write_bytes(b"16399 ../../etc/passwd\n")
    assert "nonsense" in read(folder)["why"]

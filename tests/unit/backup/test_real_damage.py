# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damage as it happens: by disks, by copying, by redirections, by options, by hand. And what only looks like damage."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from backups import dump, judged, look, named, snapshot, stamp
from hypothesis import given
from hypothesis import strategies as st
from set_maker import DAY, HOUR, iso, lead, make_set, proof

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import (
    bson,
    files_dump,
    manifest,
    mongodb_dump,
    pgdump,
    plain_file,
    postgres_load,
    prune,
    readers,
    remote,
    sets,
    sql_text,
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


# -- plain SQL

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


# -- dumps of pg_dump


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


# -- archives, and what nobody knows the inside of


def tarball(names: str) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 5000
            archive.addfile(member, io.BytesIO(name.encode() * 5000))
    return raw.getvalue()


@pytest.mark.parametrize("packed", [False, True])
def test_an_archive_that_was_not_written_to_its_end(tmp_path: Path, packed: bool) -> None:
    def of(data: bytes) -> readers.Answer:
        return read(put(tmp_path, "x.tar.gz" if packed else "x.tar", gzip.compress(data) if packed else data))

    whole = tarball("abcdefghijkl")
    assert of(whole)["status"] == "ok"
    assert "of nothing follow 6 members" in of(zeroed(whole, 6 * 5632, 1 << 20))["why"]
    assert "bytes follow the end of the archive, after 3 members" in of(zeroed(whole, 3 * 5632))["why"]
    assert "another archive was appended" in of(whole + tarball("z"))["why"]


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("x.bin", bytes(100_000), "all of its 100000 bytes are zero"),
        ("x.bin.gz", gzip.compress(bytes(100_000)), "all of its 100000 bytes are zero"),
        ("x.gz", b"<html><body>404</body></html>", "its name says that it is packed (.gz)"),
        ("x.sql.gz", b"<!DOCTYPE html>", "its name says that it is packed (.gz)"),
        ("x.json", b"[" * 200_000, "it is no JSON"),
    ],
)
def test_what_is_none_of_what_its_name_says(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    answer = read(put(tmp_path, name, data))
    assert answer["status"] == "bad"
    assert words in answer["why"]


def test_a_few_zeros_and_what_is_not_packed_are_no_damage(tmp_path: Path) -> None:
    assert read(put(tmp_path, "x.bin", bytes(9)))["status"] == "ok"
    assert read(put(tmp_path, "x.sql.gz", SQL))["status"] == "ok", "psql restores it as it is"


def test_an_archive_within_a_folder_is_read_as_one(tmp_path: Path) -> None:
    folder = tmp_path / "base"
    folder.mkdir()
    assert "there is no file in it" in read(folder)["why"]
    put(folder, "base.tar", tarball("ab"))
    assert read(folder)["status"] == "ok"
    put(folder, "base.tar", tarball("ab")[:7000])
    assert "base.tar" in read(folder)["why"]


# -- what should be a file, and is none


def to_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def to_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("/no/such/file")


def to_circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def to_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def to_link(path: Path) -> None:
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to("../elsewhere")


@pytest.mark.parametrize("change", [to_pipe, to_folder, to_nowhere, to_circle, to_device, to_link])
def test_a_set_whose_file_is_none(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """Nobody waits for the writer of a pipe, reads a device without end, or passes over the set to an older one."""
    dumped(tmp_path, age=5 * HOUR)
    folder = dumped(tmp_path)
    change(folder / "nexusdb.dump")
    observation = look(tmp_path, DB)
    assert observation["systems"]["nexusdb"]["sets"][0]["path"] == f"{folder.parent.name}/nexusdb"
    assert ("set", "b/nexusdb", "critical") in named(judged(observation))
    answer = verified(tmp_path)
    assert not answer["good"]
    assert "nexusdb.dump" in answer["why"] or "empty or gone" in answer["why"]


@pytest.mark.parametrize("change", [to_pipe, to_nowhere, to_circle, to_device])
def test_a_backup_of_another_layout_that_is_no_file(tmp_path: Path, change: Callable[[Path], None]) -> None:
    folder = tmp_path / stamp() / "db"
    folder.mkdir(parents=True)
    change(put(folder, "x.dump", dump(*ROWS)))
    result = judged(look(tmp_path, {"name": "db", "paths": "*/db/*.dump", "every": "6h"}))
    assert ("readable", "b/db", "critical") in named(result)


@pytest.mark.parametrize("change", [to_pipe, to_folder, to_nowhere, to_device])
def test_a_manifest_that_is_no_file(tmp_path: Path, change: Callable[[Path], None]) -> None:
    dumped(tmp_path, age=5 * HOUR)
    folder = dumped(tmp_path)
    change(folder / "manifest.json")
    assert ("set", "b/nexusdb", "critical") in named(judged(look(tmp_path, DB)))
    answer = verified(tmp_path)
    assert answer["set"]["stamp"] != folder.parent.name
    assert f"{folder.parent.name}/nexusdb is younger and has no manifest" in answer["warnings"][0]
    system = {"name": "db", "paths": "*/nexusdb/*.dump", "every": "6h"}
    assert ("exists", "b/db", "critical") not in named(judged(look(tmp_path, system)))


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x")
    with pytest.raises(plain_file.NoFile, match="a pipe and no file"):
        plain_file.opened(str(tmp_path / "x"))
    with plain_file.opened(str(put(tmp_path, "y", b"abc"))) as opened:
        assert opened.read() == b"abc"


def test_what_rsync_is_writing_is_none_of_the_set_and_no_damage_of_it(tmp_path: Path) -> None:
    folder = dumped(tmp_path)
    put(folder, ".nexusdb.dump.Xk3fQ0", dump(*ROWS)[:500])
    assert judged(look(tmp_path, DB))["findings"] == []
    then = time.time() - DAY
    os.utime(folder / ".nexusdb.dump.Xk3fQ0", (then, then))
    assert named(judged(look(tmp_path, DB))) == {("leftovers", "b/leftovers", "warning")}


@pytest.mark.parametrize(
    ("name", "half"),
    [
        (".x.dump.Ab3dEf", True), (".bashrc.backup", False), ("x.dump.filepart", True), (".x.Ab3dEfg", False),
        ("a.b.Ab3dEf", False),
    ],
)  # fmt: skip
def test_names_of_what_is_half_copied(name: str, half: bool) -> None:
    assert sets.is_half(f"/b/{name}") is half


def test_a_file_beside_the_set_does_not_make_it_unreadable(tmp_path: Path) -> None:
    put(dumped(tmp_path), "old.dump", b"PGDMP")
    assert named(judged(look(tmp_path, DB))) == {("set", "b/nexusdb", "warning")}


# -- manifests


def changed(folder: Path, **more: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **more}), encoding="utf-8")


FILE = {"path": "nexusdb.dump", "bytes": 5, "sha256": "0" * 64}
NONSENSE: list[dict[str, Any]] = [
    {"files": [{**FILE, "bytes": value}]} for value in (-1, 1.5, True, "5", None)
] + [
    {"files": [{**FILE, "path": value}]} for value in ("", ".", "a\0b", "\ud800", "manifest.json", 5, "x/..")
] + [
    {"files": [{**FILE, "sha256": value}]} for value in ("", "zz", None, "0" * 63)
] + [
    {"files": [FILE, {**FILE, "path": "./nexusdb.dump"}]}, {"files": {"a": FILE}}, {"proofs": {}}, {"copies": {}},
    {"source": []}, {"source": {"bytes": "many"}}, {"source": {"bytes": -1}}, {"source": {"database": ["nexusdb"]}},
    {"options": []}, {"position": "x"}, {"encryption": None}, {"encryption": 5}, {"seconds": float("nan")},
    {"seconds": float("inf")}, {"invariants": {"tables": [1]}}, {"invariants": {"tables": {"public.t1": "b"}}},
    {"invariants": {"tables": {"public.t1": -1}}}, {"invariants": {"counts": {"views": "x"}}},
    {"invariants": {"extensions": [[1]]}}, {"invariants": {"sequences": [1]}}, {"invariants": {"queries": {"a": 1}}},
    {"invariants": {"queries": [1]}}, {"invariants": {"databases": {"x": {"keys": 1}}}},
    {"invariants": {"databases": {"0": {"types": ["a"]}}}}, {"invariants": {"collections": [1]}},
    {"invariants": {"objects": {"default": 1}}}, {"invariants": {"bytes": "x"}}, {"invariants": {"files": -1}},
]  # fmt: skip


@pytest.mark.parametrize("more", NONSENSE, ids=[json.dumps(one)[:60] for one in NONSENSE])
def test_a_manifest_in_which_something_else_stands(tmp_path: Path, more: dict[str, Any]) -> None:
    """That the task crashes at level 4, for one, is no answer."""
    changed(dumped(tmp_path), **more)
    assert ("set", "b/nexusdb", "critical") in named(judged(look(tmp_path, DB)))
    answer = verified(tmp_path, 4)
    assert (answer["good"], answer["filed"]) == (False, False)
    assert "manifest.json" in answer["why"]


def test_a_manifest_in_which_a_key_stands_twice(tmp_path: Path) -> None:
    path = dumped(tmp_path) / "manifest.json"
    path.write_text(
        '{"source": {"database": "other"},' + path.read_text(encoding="utf-8").lstrip()[1:], encoding="utf-8"
    )
    assert "'source' stands there twice" in verified(tmp_path)["why"]


def test_a_sum_in_capitals_is_the_same_sum(tmp_path: Path) -> None:
    folder = dumped(tmp_path)
    files = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    changed(folder, files=[{**one, "sha256": one["sha256"].upper()} for one in files])
    assert verified(tmp_path)["good"]


@pytest.mark.parametrize("text", ["[" * 200_000, '{"files": [{"path": ["a"], "sha256": "%s"}]}' % ("0" * 64)])
def test_a_manifest_of_somebody_else_that_is_garbage(tmp_path: Path, text: str) -> None:
    folder = tmp_path / stamp() / "db"
    folder.mkdir(parents=True)
    put(folder, "x.dump", dump(*ROWS))
    put(folder, "manifest.json", text.encode())
    result = judged(look(tmp_path, {"name": "db", "paths": "*/db/*.dump", "every": "6h"}))
    assert named(result) == {("manifest", "b/db", "warning")}


# -- latest


def lead_to(place: Path, target: str) -> None:
    link = place / "latest" / "nexusdb"
    link.unlink()
    link.symlink_to(target)


def test_latest_leads_to_what_is_no_set_of_the_system(tmp_path: Path) -> None:
    place = tmp_path / "place"
    folder = dumped(place)
    run = folder.parent.name
    away = shutil.copytree(folder, tmp_path / "away" / run / "nexusdb")
    (folder.parent / "redis").mkdir()
    (folder.parent / ".writing-nexusdb").mkdir()
    for target in (
        str(away),
        f"../../away/{run}/nexusdb",
        f"../{run}/redis",
        f"../{run}",
        f"../{run}/.writing-nexusdb",
    ):
        lead_to(place, target)
        assert ("latest", "b/latest/nexusdb", "critical") in named(judged(look(place, DB))), target
    for target in ("nexusdb", "../2020-01-01T000000Z/nexusdb"):
        lead_to(place, target)
        assert ("latest", "b/latest/nexusdb", "critical") in named(judged(look(place, DB))), target
    lead_to(place, f"../{run}/nexusdb")
    assert "latest" not in {check for check, _object, _status in named(judged(look(place, DB)))}


def test_latest_that_is_no_link(tmp_path: Path) -> None:
    folder = dumped(tmp_path)
    (tmp_path / "latest" / "nexusdb").unlink()
    shutil.copytree(folder, tmp_path / "latest" / "nexusdb")
    assert named(judged(look(tmp_path, DB))) == {("latest", "b/latest/nexusdb", "critical")}
    shutil.rmtree(tmp_path / "latest")
    put(tmp_path, "latest", b"x")
    assert named(judged(look(tmp_path, DB))) == {("latest", "b/latest", "critical")}


# -- Redis


KEYS = {"databases": {"0": {"keys": 1, "expires": 0, "types": {"string": 1}}}}


def test_a_snapshot_of_another_server(tmp_path: Path) -> None:
    """Its sums may be right, where whoever exchanged it has written the manifest anew."""
    redis = {"name": "redis", "every": "6h", "level": 1}
    lead(tmp_path, make_set(tmp_path, "redis", time.time() - HOUR, files={"dump.rdb": snapshot()}, invariants=KEYS))
    assert judged(look(tmp_path, redis))["findings"] == []
    assert verified(tmp_path, system="redis")["good"]
    more = {"databases": {**KEYS["databases"], "3": {"keys": 7, "expires": 1, "types": {"hash": 7}}}}
    lead(tmp_path, make_set(tmp_path, "redis", time.time() - 60, files={"dump.rdb": snapshot()}, invariants=more))
    assert ("readable", "b/redis", "critical") in named(judged(look(tmp_path, redis)))
    assert "database 3 has 0 keys in it, and 7 were saved" in verified(tmp_path, system="redis")["why"]


def test_a_snapshot_without_a_sum_is_walked(tmp_path: Path) -> None:
    assert read(put(tmp_path, "x.rdb", snapshot(summed=False)))["how"].endswith("written without a sum, 1 keys walked")
    broken = b"\xfe\x00\xfb\x01\x00\x00\x81" + (1 << 40).to_bytes(8, "big") + b"key"
    assert read(put(tmp_path, "x.rdb", snapshot(broken, summed=False)))["status"] == "bad"


def test_a_later_redis_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "bin" / "redis-check-rdb"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho RDB ERROR DETECTED\necho \"[offset 9] Can't handle RDB format version 99\"\n"
                    "echo '[info] 0 already expired'\nexit 1\n", encoding="utf-8")  # fmt: skip
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", "%s:/usr/bin:/bin" % tool.parent)
    path = str(put(tmp_path, "x.rdb", snapshot()))
    assert readers.read(path, "auto", time.monotonic() + 30)["status"] == "ok"
    tool.write_text(
        tool.read_text(encoding="utf-8").replace("Can't handle RDB format version 99", "Unexpected EOF"),
        encoding="utf-8",
    )
    assert "Unexpected EOF" in readers.read(path, "auto", time.monotonic() + 30)["why"]


# -- retention


def test_what_was_proven_and_is_gone_is_no_reason_to_remove_another(tmp_path: Path) -> None:
    now = time.time()
    old = dumped(tmp_path, age=9 * DAY, proofs=[proof(4, now - 9 * DAY)])
    new = dumped(tmp_path, age=DAY, proofs=[proof(4, now - DAY)])
    params = {"path": str(tmp_path), "systems": [], "keep": {"last": 1}, "level": 3, "lock_wait": 0.0}
    assert prune.run(params, True)["removed"] == [str(old)]
    os.truncate(new / "nexusdb.dump", 100)
    told = prune.run(params, True)
    assert told["removed"] == []
    (new / "nexusdb.dump").unlink()
    assert prune.run(params, True)["removed"] == []


def test_sums_are_lower_case_in_what_is_written(tmp_path: Path) -> None:
    folder = dumped(tmp_path)
    (file,) = manifest.read(str(folder)).files
    assert file.sha256 == hashlib.sha256((folder / "nexusdb.dump").read_bytes()).hexdigest()
    assert iso(0) == "1970-01-01T00:00:00Z"


# -- MongoDB


DOCUMENT = b"\x0c\x00\x00\x00\x10n\x00\x07\x00\x00\x00\x00"
BREAK = b"\xff\xff\xff\xff"
ARCHIVE = bson.ARCHIVE + DOCUMENT * 2 + BREAK + DOCUMENT * 3 + BREAK
METADATA = b'{"indexes": [{"v": 2, "key": {"_id": 1}, "name": "_id_"}], "collectionName": "users"}'
MONGODB: dict[str, Any] = {"name": "mongodb", "every": "6h", "level": 1}


def documents(place: Path, files: dict[str, bytes], age: float = HOUR) -> Path:
    given: dict[str, Any] = {
        "engine": "mongodb",
        "format": "mongodump",
        "invariants": {"collections": {"app.users": 9}},
    }
    folder = make_set(place, "mongodb", time.time() - age, files=files, **given)
    lead(place, folder)
    return folder


@pytest.mark.parametrize("packed", [False, True])
def test_documents_are_walked_by_the_look_as_well(tmp_path: Path, packed: bool) -> None:
    def of(data: bytes, metadata: bytes = METADATA) -> set[tuple[str, str, str]]:
        place = Path(tempfile.mkdtemp(dir=tmp_path))
        pack, end = (gzip.compress, ".gz") if packed else (bytes, "")
        files = {"app/users.bson": data, "app/users.metadata.json": metadata}
        documents(place, {f"dump/{name}{end}": pack(one) for name, one in files.items()})
        found = named(judged(look(place, MONGODB)))
        good = verified(place, system="mongodb")["good"]
        assert good is (not found), "both say the same"
        return found

    assert of(DOCUMENT * 9) == set()
    for data in (DOCUMENT * 8 + DOCUMENT[:-1], DOCUMENT * 9 + bytes(40), b"<html>" * 9):
        assert ("readable", "b/mongodb", "critical") in of(data)
    assert ("readable", "b/mongodb", "critical") in of(DOCUMENT * 9, METADATA[:20])


def test_options_and_indexes_that_are_lost(tmp_path: Path) -> None:
    documents(tmp_path, {"dump/app/users.bson": DOCUMENT * 9})
    assert "what tells its options and indexes is not beside it" in verified(tmp_path, system="mongodb")["why"]
    files = {"dump/app/users.bson": DOCUMENT * 9, "dump/app/users.metadata.json": b'{"indexes": [1]}'}
    documents(tmp_path, files, 60)
    assert "does not tell options and indexes" in verified(tmp_path, system="mongodb")["why"]


@pytest.mark.parametrize("packed", [False, True])
def test_an_archive_of_mongodump(tmp_path: Path, packed: bool) -> None:
    def of(data: bytes) -> readers.Answer:
        return read(put(tmp_path, "mongo.archive", gzip.compress(data) if packed else data))

    assert of(ARCHIVE)["how"] == "5 documents of an archive"
    for cut in (4, 5, 9, 16, len(ARCHIVE) // 2):
        assert of(ARCHIVE[:-cut])["status"] == "bad", cut
    assert of(ARCHIVE + bytes(9))["status"] == "bad"


# -- Kubernetes


def sealed(text: bytes) -> bytes:
    """The text of a vault file, as far as it can be told from another one without its password."""
    parts = (b"a" * 64, b"b" * 64, text.hex().encode())
    return b"$ANSIBLE_VAULT;1.1;AES256\n" + b"\n".join(parts).hex().encode() + b"\n"


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("secrets.vault.yml", sealed(b"x" * 400)[:300], "it breaks off or was changed"),
        ("secrets.vault.yml", sealed(b"x").replace(b"ANSIBLE", b"ANSIBLF"), "it is no file of ansible-vault"),
        ("secrets.vault.yml", b"kind: Secret\n", "it is no file of ansible-vault"),
        ("configmaps.yml", b"kind: ConfigMap\n" + bytes(99), "zeros stand in it from byte 16 on"),
    ],
)
def test_objects_of_kubernetes_that_are_no_text(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    files = {f"default/{name}": data, "default/services.yml": b"kind: Service\n"}
    given: dict[str, Any] = {"engine": "kubernetes", "format": "kubernetes_yaml", "encryption": "ansible-vault"}
    lead(tmp_path, make_set(tmp_path, "k8s", time.time() - HOUR, files=files, **given))
    result = judged(look(tmp_path, {"name": "k8s", "every": "6h", "level": 1}))
    assert ("readable", "b/k8s", "critical") in named(result)
    assert words in str(result["findings"])
    assert read(put(tmp_path, "whole.vault.yml", sealed(b"x")))["status"] == "ok"


# -- file trees


def test_where_in_itself_restic_was_is_of_no_interest() -> None:
    said = ["load indexes", "id d21fad5b not found in repository", "github.com/restic/restic/internal.(*R).Load"]
    said += ["\tgithub.com/restic/restic/internal/repository.go:198", "runtime.goexit", "\truntime/asm_amd64.s:1594"]
    assert remote.without_stack(said) == said[:2]
    assert remote.without_stack(["Fatal: x.go:1 is gone", "\tls.go"]) == ["Fatal: x.go:1 is gone", "\tls.go"]


@pytest.mark.parametrize("data", [b"[" * 100_000 + b"\n", bytes(2 << 20), b"<html>\n", b"\x1f\x8b\x08\n"])
def test_a_list_of_a_tree_that_is_none(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        files_dump.count(str(put(tmp_path, "tree.jsonl", data)))


def test_a_line_without_end_takes_no_memory(tmp_path: Path) -> None:
    for name in ("tree.jsonl", "users.metadata.json"):
        os.truncate(put(tmp_path, name, b"{"), 1 << 40)
    with pytest.raises(ValueError, match="does not end"):
        files_dump.count(str(tmp_path / "tree.jsonl"))
    with pytest.raises(mongodb_dump.Damaged, match="so much to tell"):
        mongodb_dump.read_metadata(str(tmp_path / "users.metadata.json"))

# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup is read to its last byte: what is whole passes, what is cut, flipped or empty does not."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
import time
from pathlib import Path

import pytest
from backups import dump, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import pgdump, rdb, readers

ROWS = [b"1\tone\n" * 500 + b"\\.\n", b"", random.Random(7).randbytes(70_000)]


def read(path: Path, kind: str = "auto") -> readers.Answer:
    return readers.read(str(path), kind, time.monotonic() + 30, tools=False)


def tarball(gz: bool = True) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz" if gz else "w") as archive:
        for name, data in (("etc/a", b"a" * 4000), ("etc/b", b"b" * 9000)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return raw.getvalue()


SQL = b"--\n-- PostgreSQL database dump\n--\nCOPY t FROM stdin;\n1\n\\.\n--\n-- PostgreSQL database dump complete\n--\n"
WHOLE = {
    "x.dump": dump(*ROWS),
    "x15.dump": dump(*ROWS, version=(1, 15)),
    "x16.dump": dump(*ROWS, version=(1, 16)),
    "x13.dump": dump(*ROWS, version=(1, 13)),
    "plain.dump": dump(*ROWS, packed=False),
    "x.rdb": snapshot(),
    "x.tar.gz": tarball(),
    "x.sql": SQL,
    "x.sql.gz": gzip.compress(SQL),
    "x.json.gz": gzip.compress(json.dumps({"a": [1] * 50}).encode()),
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_whole_is_read_to_its_end(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(WHOLE[name])
    answer = read(path)
    assert answer["status"] == "ok", answer
    assert answer["how"]


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9, 0.999])
@pytest.mark.parametrize("name", WHOLE)
def test_what_is_cut_is_found(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    data = WHOLE[name]
    path.write_bytes(data[: min(int(len(data) * share), len(data) - 12)])
    # By what it is supposed to be: a stump has no first bytes that tell.
    kind = {"dump": "pg_custom", "rdb": "rdb", "sql": "sql", "json": "json", "tar": "tar"}[name.split(".")[1]]
    assert read(path, kind)["status"] == "bad"


@pytest.mark.parametrize("name", [name for name in WHOLE if name not in ("plain.dump", "x.sql")])
def test_flipped_bytes_in_the_middle_are_found(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    data = bytearray(WHOLE[name])
    for place in range(len(data) * 2 // 3, len(data) * 2 // 3 + 4):
        data[place] ^= 0xFF
    path.write_bytes(bytes(data))
    assert read(path)["status"] == "bad"


def test_an_empty_file_is_no_backup(tmp_path: Path) -> None:
    path = tmp_path / "x.dump"
    path.touch()
    assert read(path) == {"status": "bad", "how": "pg_custom", "why": "it is empty", "made": None}


def test_blocks_that_are_missing_at_the_end_are_counted(tmp_path: Path) -> None:
    whole = dump(*ROWS)
    last = whole.rindex(b"\x01" + bytes([0, 3, 0, 0, 0]))
    with pytest.raises(pgdump.Damaged, match="1 of 3 data blocks are missing"):
        pgdump.walk(io.BytesIO(whole[:last]))


def test_a_plain_archive_that_is_cut_between_two_members_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    whole = tarball(gz=False)
    path.write_bytes(whole)
    assert read(path)["status"] == "ok"
    # The first member: its head, and 4,000 bytes in blocks of 512.
    path.write_bytes(whole[: 512 + 4096])
    assert "end of the archive is missing" in read(path)["why"]


def test_a_dump_tells_its_database_and_its_time() -> None:
    found = pgdump.walk(io.BytesIO(dump(*ROWS, made=1_763_791_200.0)))
    assert (found.database, found.version, found.data) == ("nexusdb", "1.14", 3)
    assert found.made == "2025-11-22T06:00:00Z"


def test_a_later_format_is_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "x.dump"
    path.write_bytes(b"PGDMP" + bytes([1, 18, 0, 4, 8, 1]) + b"\0" * 100)
    answer = read(path)
    assert answer["status"] == "skipped"
    assert "1.18" in answer["why"]


def test_a_directory_format_misses_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "x.dir"
    folder.mkdir()
    toc = bytearray(dump(b""))
    toc[10] = 3
    # The entry ends with the name of its file where the custom format has an offset. It is the last such run of bytes:
    # the first may be the time of the dump, one second after midnight or after a full hour.
    start = bytes(toc).rindex(b"\x01" + (0).to_bytes(8, "little"))
    (folder / "toc.dat").write_bytes(bytes(toc[:start]) + b"\x00\x08\x00\x00\x00" + b"3001.dat")
    assert "3001.dat is missing" in read(folder)["why"]
    (folder / "3001.dat.gz").write_bytes(gzip.compress(b"1\n\\.\n\n\n")[:-4])
    assert read(folder)["status"] == "bad"
    (folder / "3001.dat.gz").write_bytes(gzip.compress(b"1\n\\.\n\n\n"))
    assert read(folder)["status"] == "ok"


def test_the_sum_of_redis() -> None:
    assert rdb.crc64(b"123456789") == 0xE9C6D914C4B8D9CA
    assert "without a sum" in rdb.walk(io.BytesIO(snapshot(summed=False)), len(snapshot()))[0]


def test_no_time_is_not_seen(tmp_path: Path) -> None:
    path = tmp_path / "x.dump"
    path.write_bytes(WHOLE["x.dump"])
    assert readers.read(str(path), "auto", time.monotonic() - 1, tools=False)["status"] == "skipped"


def test_the_engines_own_tool_has_its_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.dump"
    path.write_bytes(WHOLE["x.dump"])
    tool = tmp_path / "bin" / "pg_restore"
    tool.parent.mkdir()
    monkeypatch.setenv("PATH", "%s:/usr/bin:/bin" % tool.parent)

    def says(script: str) -> readers.Answer:
        tool.write_text("#!/bin/sh\n" + script, encoding="utf-8")
        tool.chmod(0o755)
        return readers.read(str(path), "auto", time.monotonic() + 30)

    assert says("exit 0")["how"] == "pg_restore"
    answer = says("echo 'pg_restore: error: could not read from input file: end of file'; exit 1")
    assert answer["status"] == "bad"
    assert "end of file" in answer["why"]
    assert says("echo 'pg_restore: error: unsupported version (1.16) in file header'; exit 1")["status"] == "ok"


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=400), st.sampled_from(["pg_custom", "rdb", "sql", "tar", "json", "any"]))
def test_garbage_is_answered_and_never_raises(tmp_path_factory: pytest.TempPathFactory, data: bytes, kind: str) -> None:
    path = tmp_path_factory.mktemp("garbage") / "x"
    path.write_bytes(data)
    assert read(path, kind)["status"] in ("ok", "bad", "skipped")


@settings(deadline=None, max_examples=60)
@given(st.integers(0, len(WHOLE["x.dump"]) - 1), st.integers(1, 255))
def test_no_single_flipped_byte_ends_in_anything_but_an_answer(place: int, mask: int) -> None:
    data = bytearray(WHOLE["x.dump"])
    data[place] ^= mask
    said = "it is whole"
    try:
        pgdump.walk(io.BytesIO(bytes(data)))
    except pgdump.Damaged as error:
        said = str(error)
    assert said

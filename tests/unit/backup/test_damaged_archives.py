# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives and documents: cut, filled with zeros, or not what their names say."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from backups import judged, look, named
from damage import SQL, put, read, verified, zeroed
from set_maker import HOUR, lead, make_set

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import (
    bson,
    files_dump,
    mongodb_dump,
    readers,
    remote,
)


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

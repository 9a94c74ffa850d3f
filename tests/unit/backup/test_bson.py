# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of BSON are walked to their last byte: what is whole passes, what is cut or bent does not."""

from __future__ import annotations

import datetime
import gzip
import hashlib
import io
import struct
from pathlib import Path
from typing import Any

import bson as library
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import bson

ALL_TYPES: dict[str, Any] = {
    "double": 1.5,
    "text": "früh",
    "document": {"a": {"b": [1, [2, {"c": None}]]}},
    "binary": b"\x00\x01",
    "old binary": library.Binary(b"abc", 2),
    "id": library.ObjectId(),
    "bool": True,
    "date": datetime.datetime(2026, 11, 29, tzinfo=datetime.timezone.utc),
    "null": None,
    "regex": library.Regex("a.*", "i"),
    "pointer": library.DBRef("x", 1),
    "code": library.Code("f()"),
    "scope": library.Code("f()", {"x": {"y": 1}}),
    "int": 5,
    "stamp": library.Timestamp(1, 2),
    "long": library.Int64(1 << 40),
    "decimal": library.Decimal128("1.50"),
    "least": library.MinKey(),
    "greatest": library.MaxKey(),
    "": "a name may be empty",
}

names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | names | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
documents = st.lists(st.dictionaries(names, values, max_size=5), min_size=1, max_size=6)


def walked(data: bytes) -> list[bytes]:
    return list(bson.documents(io.BytesIO(data)))


def old_types() -> bytes:
    """Types that the library reads and no longer writes: undefined, symbol and pointer."""
    body = b"\x06u\0" + b"\x0es\0" + struct.pack("<i", 3) + b"ab\0"
    body += b"\x0cp\0" + struct.pack("<i", 2) + b"x\0" + bytes(12)
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def test_every_type_of_a_value_is_known() -> None:
    data = library.encode(ALL_TYPES)
    assert walked(data + old_types()) == [data, old_types()]


@given(documents)
def test_what_the_library_writes_is_whole(found: list[dict[str, Any]]) -> None:
    parts = [library.encode(one) for one in found]
    assert walked(b"".join(parts)) == parts
    assert bson.count(b"".join(parts)) == len(parts)


@given(documents, st.data())
def test_what_is_cut_is_found(found: list[dict[str, Any]], data: st.DataObject) -> None:
    parts = [library.encode(one) for one in found]
    whole = b"".join(parts)
    ends = {0}
    for part in parts:
        ends.add(max(ends) + len(part))
    place = data.draw(st.integers(1, len(whole) - 1).filter(lambda one: one not in ends))
    with pytest.raises(bson.Damaged, match=r"breaks off|no document stands"):
        walked(whole[:place])
    with pytest.raises(bson.Damaged):
        bson.count(whole[:place])


@given(st.binary(max_size=200))
def test_garbage_is_damage_and_nothing_else(data: bytes) -> None:
    try:
        walked(data)
    except bson.Damaged:
        return
    assert data == b"" or data[0] >= bson.LEAST


@given(documents, st.data())
def test_a_flipped_byte_is_damage_or_another_value(found: list[dict[str, Any]], data: st.DataObject) -> None:
    whole = bytearray(b"".join(library.encode(one) for one in found))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        parts = walked(bytes(whole))
    except bson.Damaged:
        return
    assert b"".join(parts) == bytes(whole)


@pytest.mark.parametrize(
    "body",
    [
        b"\x02a\0" + struct.pack("<i", 100) + b"short\0",
        b"\x02a\0" + struct.pack("<i", 0),
        b"\x02a\0" + struct.pack("<i", 3) + b"abc",
        b"\x03a\0" + struct.pack("<i", 4) + b"\0",
        b"\x03a\0" + struct.pack("<i", 400) + b"\0",
        b"\x05a\0" + struct.pack("<i", -1) + b"\0",
        b"\x05a\0" + struct.pack("<i", 50) + b"\0abc",
        b"\x0ba\0abc",
        b"\x0fa\0" + struct.pack("<i", 3),
        b"\x12a\0\0\0",
        b"\x99a\0",
        b"\x10no end of its name",
    ],
)
def test_values_that_lead_out_of_their_document_are_found(body: bytes) -> None:
    with pytest.raises(bson.Damaged, match="at byte 0"):
        walked(struct.pack("<i", len(body) + 5) + body + b"\0")


def test_a_document_that_is_too_deep_ends_with_words_and_not_with_the_stack() -> None:
    data = library.encode({"a": 1})
    for _level in range(1000):
        data = struct.pack("<i", len(data) + 8) + b"\x03a\0" + data + b"\0"
    with pytest.raises(bson.Damaged, match="deeper"):
        walked(data)


def test_lengths_alone_can_be_asked_for() -> None:
    body = b"\x99 no such type\0"
    data = struct.pack("<i", len(body) + 5) + body + b"\0"
    assert list(bson.documents(io.BytesIO(data), check=False)) == [data]
    with pytest.raises(bson.Damaged, match="does not end"):
        list(bson.documents(io.BytesIO(data[:-1] + b"\x01"), check=False))


def test_packed_files_are_unpacked_and_summed_as_they_are(tmp_path: Path) -> None:
    data = library.encode(ALL_TYPES) * 3
    path = tmp_path / "x.bson.gz"
    path.write_bytes(gzip.compress(data))
    digest = hashlib.sha256()
    with bson.opened(str(path), digest.update) as stream:
        assert len(list(bson.documents(stream))) == 3
    assert digest.digest() == hashlib.sha256(path.read_bytes()).digest()


@pytest.mark.parametrize("share", [0.2, 0.6, 0.98])
def test_a_packed_file_that_breaks_off_is_found(tmp_path: Path, share: float) -> None:
    data = gzip.compress(b"".join(library.encode({"n": n, "t": str(n) * 9}) for n in range(500)))
    path = tmp_path / "x.bson.gz"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(bson.Damaged, match="breaks off"), bson.opened(str(path)) as stream:
        list(bson.documents(stream))


def test_an_empty_file_is_a_collection_without_documents(tmp_path: Path) -> None:
    path = tmp_path / "x.bson"
    path.write_bytes(b"")
    with bson.opened(str(path)) as stream:
        assert list(bson.documents(stream)) == []

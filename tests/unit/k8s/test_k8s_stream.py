# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list reader: the same objects whatever the sizes of the pieces that arrive, and no patience with nonsense."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import LookError
from ansible_collections.nexuscos.ops.plugins.module_utils._k8s.stream import ListStream

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def pieces(raw: bytes, size: int):
    return [raw[place : place + size] for place in range(0, len(raw), size)]


@given(items=st.lists(VALUES, max_size=6), meta=VALUES, size=st.integers(1, 40), indent=st.sampled_from([None, 1]))
def test_pieces_make_no_difference(items, meta, size, indent):
    """Every way to cut an answer gives the same objects."""
    doc = {"kind": "PodList", "metadata": meta, "items": items, "after": 12}
    raw = json.dumps(doc, ensure_ascii=False, indent=indent).encode()
    stream = ListStream(pieces(raw, size))
    assert list(stream.items()) == items
    assert stream.envelope == {"kind": "PodList", "metadata": meta, "after": 12}


@given(raw=st.binary(max_size=200), size=st.integers(1, 20))
def test_anything_else_is_garbage(raw, size):
    """Nothing but LookError, whatever arrives."""
    with contextlib.suppress(LookError):
        list(ListStream(pieces(raw, size)).items())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b'{"items":[{}',
        b'{"items":[{}]',
        b'{"items" [{}]}',
        b'{"items":[{} {}]}',
        b"null",
        b'{"a":}',
        b"[" * 9000,
    ],
)
def test_cut_off_and_malformed(raw):
    """An answer that ends too early is not a short list."""
    with pytest.raises(LookError) as error:
        list(ListStream([raw]).items())
    assert error.value.kind == "garbage"


def test_deep_nesting_does_not_end_the_interpreter():
    """A recursion limit is garbage, too."""
    with pytest.raises(LookError):
        list(ListStream([b'{"items":[' + b"[" * 200000]).items())


def test_null_items():
    """An empty list of Go is null."""
    stream = ListStream([b'{"kind":"PodList","items":null}'])
    assert list(stream.items()) == []
    assert stream.envelope["kind"] == "PodList"

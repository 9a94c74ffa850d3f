"""Names of certificates against names that are asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._tls.names import matches


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("a.example.com", "a.example.com"),
        ("A.Example.com.", "a.example.COM"),
        ("a.example.com", "*.example.com"),
        ("bücher.example.com", "xn--bcher-kva.example.com"),
    ],
)
def test_the_same(wanted: str, name: str) -> None:
    assert matches(wanted, [name], [])


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("example.com", "*.example.com"),
        ("a.b.example.com", "*.example.com"),
        ("a.example.com", "a*.example.com"),
        ("a.example.com", "*.*.com"),
        ("example.com", "*.com"),
        ("a.com", "*.com"),
        ("a.example.com", "a.example.org"),
        (".example.com", "*.example.com"),
        ("a", "*"),
        ("a.example.com", ""),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_another(wanted: str, name: str) -> None:
    assert not matches(wanted, [name], [])


def test_addresses_are_compared_as_addresses() -> None:
    assert matches("2001:db8::1", [], ["2001:DB8:0::1"])
    assert matches("192.0.2.1", ["x"], ["192.0.2.1"])
    assert not matches("192.0.2.1", ["192.0.2.1"], ["192.0.2.2"])


@given(wanted=st.text(max_size=30), name=st.text(max_size=30))
def test_nothing_raises(wanted: str, name: str) -> None:
    assert matches(wanted, [name], [name]) in (True, False)

"""What a body says."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from misbehaving import MODES, Server

from ansible_collections.nexuscos.ops.plugins.module_utils._http import content

values = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=12,
)
DOCUMENT = {
    "status": "healthy",
    "checks": {"postgresql": {"status": "up", "latency_ms": 0.4}, "a.b": [1, {"c": None}]},
    "n": 3,
    "yes": True,
}


@pytest.mark.parametrize(
    ("path", "found", "value"),
    [
        ("status", True, "healthy"),
        ("checks.postgresql.latency_ms", True, 0.4),
        ("checks.a\\.b.1.c", True, None),
        ("checks.a\\.b.-1.c", True, None),
        ("checks.a\\.b.2", False, None),
        ("checks.a.b", False, None),
        ("status.length", False, None),
        ("", False, None),
    ],
)
def test_walk(path, found, value):
    assert content.walk(DOCUMENT, path) == (found, value)


@given(values, st.lists(st.text(min_size=1), min_size=1, max_size=4))
def test_walk_finds_what_was_put_there(value, names):
    document = value
    for name in reversed(names):
        document = {name: document}
    escaped = [name.replace("\\", "") or "x" for name in names]
    if escaped == names:
        assert content.walk(document, ".".join(name.replace(".", "\\.") for name in names)) == (True, value)


@given(values, st.text())
def test_walk_never_raises(value, path):
    content.walk(value, path)


@pytest.mark.parametrize(
    ("assertion", "says"),
    [
        ({"path": "status", "equals": "healthy"}, ""),
        ({"path": "status", "equals": "up"}, 'status is "healthy", want "up"'),
        ({"path": "status", "in": ["up", "healthy"]}, ""),
        ({"path": "status", "in": ["up", "ok"]}, 'status is "healthy", want one of "up", "ok"'),
        ({"path": "n", "min": 3, "max": 3}, ""),
        ({"path": "n", "min": 3.5}, "n is 3, want at least 3.5"),
        ({"path": "n", "max": 2}, "n is 3, want at most 2"),
        ({"path": "status", "max": 2}, 'status is "healthy", want a number'),
        ({"path": "yes", "min": 0}, "yes is true, want a number"),
        ({"path": "n", "equals": "3"}, ""),
        ({"path": "yes", "equals": True}, ""),
        ({"path": "yes", "equals": 1}, "yes is true, want 1"),
        ({"path": "n", "equals": True}, "n is 3, want true"),
        ({"path": "gone", "equals": None, "exists": True}, "gone is missing"),
        ({"path": "gone", "exists": False}, ""),
        ({"path": "n", "exists": False}, "n is there (3), want it absent"),
        ({"path": "n", "min": 1, "equals": 3, "in": [3]}, ""),
    ],
)
def test_assertions(assertion, says):
    held, said = content.check_field(DOCUMENT, assertion)
    assert held == (says == "")
    assert not says or said == says


@given(values)
def test_a_value_equals_itself(value):
    assert content.same(value, value)


@given(values, values)
def test_equality_is_of_values(left, right):
    if content.same(left, right) and not isinstance(right, str):
        assert left == right or str(left).lower() == str(right).lower()


def test_all_that_is_wrong_is_told():
    fields = [{"path": "status", "equals": "up"}, {"path": "gone", "exists": True}]
    assert content.judge(json.dumps(DOCUMENT), False, fields, ["Nexus"]) == [
        'status is "healthy", want "up"',
        "gone is missing",
        'the text "Nexus" is missing',
    ]


@pytest.mark.parametrize("text", ["", "<html>", "{", "[" * 100_000])
def test_what_is_no_json(text):
    wrong = content.judge(text, False, [{"path": "a", "exists": True}], ())
    assert len(wrong) == 1
    assert "JSON" in wrong[0]


def test_cut_json_says_so():
    assert "(it was cut at the size limit)" in content.judge('{"a": ', True, [{"path": "a", "exists": True}], ())[0]


def test_the_labs_health_document():
    document = {
        "status": "unhealthy",
        "service": "auth-service",
        "checks": {
            "postgresql": {"kind": "store", "status": "down", "latency_ms": 3, "error": "connection refused"},
            "redis": {"kind": "store", "status": "up", "latency_ms": 1},
        },
    }
    assert content.health(document) == {
        "status": "unhealthy",
        "checks": {"postgresql": "down", "redis": "up"},
        "failing": {"postgresql": "connection refused"},
    }


@pytest.mark.parametrize(
    "document",
    [
        {"status": "UP", "components": {"db": {"status": "DOWN", "details": {}}}},
        {"healthy": False, "dependencies": [{"name": "db", "state": "DOWN"}, "odd", {"state": "no name"}]},
        {"checks": {"db": "DOWN"}},
    ],
)
def test_other_health_documents(document):
    assert content.health(document)["failing"] == {"db": "DOWN"}


@pytest.mark.parametrize("document", [None, [], "up", {"items": []}, {"checks": 3}])
def test_what_is_no_health_document(document):
    assert content.health(document) is None


@given(values)
def test_health_never_raises(value):
    content.health(value)
    content.health({"status": value, "checks": value, "components": {"x": value}})


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b"plain", mtime=0)),
        ("X-GZIP", gzip.compress(b"plain", mtime=0)),
        ("deflate", zlib.compress(b"plain")),
        ("deflate", zlib.compress(b"plain")[2:-4]),
        ("identity", b"plain"),
        ("", b"plain"),
    ],
)
def test_decompress(encoding, packed):
    assert content.decompress(packed, encoding, 100) == (b"plain", False)


def test_a_bomb_is_cut():
    plain, cut = content.decompress(gzip.compress(b"\0" * 50_000_000, mtime=0), "gzip", 1000)
    assert (len(plain), cut) == (1000, True)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [("br", b"x"), ("gzip", b"not packed"), ("deflate", b"\xff\xff"), ("gzip", gzip.compress(b"plain", mtime=0)[:-6])],
)
def test_what_cannot_be_decoded(encoding, data):
    with pytest.raises(content.Undecodable):
        content.decompress(data, encoding, 100)


@given(st.binary(), st.sampled_from(["gzip", "deflate", "br", "identity"]))
def test_decompress_gives_bytes_or_says_why(data, encoding):
    try:
        plain, _cut = content.decompress(data, encoding, 50)
    except content.Undecodable:
        return
    assert len(plain) <= 50


@given(st.text(), st.integers(1, 50))
def test_an_excerpt_is_short_and_on_one_line(text, size):
    short = content.excerpt(text, size)
    assert len(short) <= size + 2
    assert "\n" not in short


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("text/html; charset=latin-1", "latin-1"),
        ('a; charset="UTF-8"', "UTF-8"),
        ("a; charset=no-such", "utf-8"),
        ("", "utf-8"),
    ],
)
def test_charset(header, name):
    assert content.charset(header) == name


def test_assertions_against_a_server(ask, one):
    with Server(MODES["ok"]) as server:
        assert (
            ask({"url": server.url(), "json": [{"path": "status", "in": ["healthy"]}], "text": ["healthy"]})["findings"]
            == []
        )
        found = one({"url": server.url(), "json": [{"path": "status", "equals": "up"}]})
    assert (found["check"], found["status"]) == ("endpoint.content", "critical")
    assert found["title"] == 'a answers 200 with the wrong content: status is "healthy", want "up"'
    assert found["evidence"]["wrong"] == ['status is "healthy", want "up"']
    assert "healthy" in found["evidence"]["excerpt"]


def test_compressed_bodies_are_judged_unpacked(ask, one):
    with Server(MODES["gzip"]) as server:
        assert ask({"url": server.url(), "text": ["packed"]})["findings"] == []
        assert server.connections[0].headers["accept-encoding"] == "identity"
    with Server(lambda it: it.answer(b"odd", "200 OK", "Content-Encoding: br")) as server:
        found = one({"url": server.url(), "text": ["odd"]})
    assert (found["check"], found["evidence"]["kind"]) == ("endpoint.answer", "encoding")


def test_a_large_body_is_read_up_to_the_limit(ask, one):
    with Server(lambda it: it.answer(b"start" + b"." * 3_000_000 + b"end")) as server:
        result = ask({"url": server.url(), "text": ["start"], "max_body": 1000})
        assert result["findings"] == []
        assert result["observation"]["endpoints"][0]["samples_taken"][0]["size"] == 1000
        assert one({"url": server.url(), "text": ["end"]})["title"].endswith(
            'the text "end" is missing in what was read'
        )


def test_a_dependency_that_fails_is_named(one):
    body = json.dumps(
        {
            "status": "unhealthy",
            "checks": {"postgresql": {"status": "down", "error": "refused"}, "redis": {"status": "up"}},
        }
    )
    with Server(
        lambda it: it.answer(body.encode(), "503 Service Unavailable", "Content-Type: application/json")
    ) as server:
        found = one({"url": server.url(), "service": "auth-service"})
    assert (found["check"], found["status"]) == ("endpoint.status", "critical")
    assert found["title"] == "a answers 503; failing: postgresql"
    assert found["evidence"]["health"]["failing"] == {"postgresql": "refused"}
    assert found["remedy"].startswith("look first at what it depends on: postgresql;")

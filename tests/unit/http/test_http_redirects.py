"""Redirects: followed on the same host, reported when they lead elsewhere, round, down or nowhere."""

from __future__ import annotations

import pytest
from misbehaving import MODES, Connection, Server

CHECK = "endpoint.redirect"


def to(location: str, status: str = "302 Found"):
    """An answer that redirects /old and serves everything else."""

    def answer(it: Connection) -> None:
        if it.path.startswith("/old"):
            it.answer(b"", status, f"Location: {location}")
        else:
            it.answer(b"new")

    return answer


@pytest.mark.parametrize("location", ["/new", "new", "//{host}/new", "http://{host}/new#part"])
def test_redirects_on_the_same_host_are_followed(ask, location):
    with Server(MODES["ok"]) as server:
        server.answer = to(location.format(host=f"127.0.0.1:{server.port}"))
        result = ask({"url": server.url("/old"), "text": ["new"]})
    assert result["findings"] == []
    assert [hop["status"] for hop in result["observation"]["endpoints"][0]["samples_taken"][0]["hops"]] == [302, 200]


def test_from_http_to_https_at_one_edge(ask, authority):
    with (
        Server(lambda it: it.answer(b"secure"), authority.server("www.example.com")) as secure,
        Server(to(f"https://www.example.com:{secure.port}/new")) as plain,
    ):
        if True:
            endpoint = {
                "url": f"http://www.example.com:{plain.port}/old",
                "connect_to": "127.0.0.1",
                "text": ["secure"],
            }
            assert ask(endpoint, ca_path=authority.file)["findings"] == []


def test_elsewhere(one, ask):
    with Server(to("http://localhost:1/login")) as server:
        found = one({"url": server.url("/old")})
        assert (found["check"], found["status"], found["evidence"]["kind"]) == (CHECK, "critical", "elsewhere")
        assert found["title"] == "a redirects to another host: http://localhost:1/login"
        assert found["evidence"]["status"] == 302
        assert ask({"url": server.url("/old"), "status": ["302"]})["findings"] == []
        assert ask({"url": server.url("/old"), "follow_redirects": "none", "status": ["3xx"]})["findings"] == []
        assert one({"url": server.url("/old"), "follow_redirects": "none"})["title"] == "a answers 302"
        assert one({"url": server.url("/old"), "follow_redirects": "all"})["title"] == "a refuses connections"


def test_all_follows_to_another_host(ask):
    with Server(lambda it: it.answer(b"there")) as there, Server(to(f"http://localhost:{there.port}/")) as here:
        assert ask({"url": here.url("/old"), "follow_redirects": "all", "text": ["there"]})["findings"] == []


def test_a_circle(one):
    with Server(lambda it: it.answer(b"", "301 Moved", f"Location: {'/b' if it.path == '/a' else '/a'}")) as server:
        found = one({"url": server.url("/a")})
    assert (found["check"], found["evidence"]["kind"]) == (CHECK, "loop")
    assert found["title"].count("/a") == 2
    assert len(found["evidence"]["hops"]) == 2


def test_redirects_without_end(one):
    with Server(lambda it: it.answer(b"", "302 Found", f"Location: {it.path}x")) as server:
        found = one({"url": server.url("/a")})
        assert len(server.connections) == 11
    assert (found["check"], found["evidence"]["kind"]) == (CHECK, "too_many")


@pytest.mark.parametrize("follow", ["same_host", "all"])
def test_from_https_to_http(one, authority, follow):
    with Server(to("http://127.0.0.1/new"), authority.server()) as server:
        found = one({"url": server.url("/old"), "follow_redirects": follow}, ca_path=authority.file)
    assert (found["check"], found["evidence"]["kind"]) == (CHECK, "downgrade")


@pytest.mark.parametrize("location", ["ftp://example.com/", "http://[::1", "http://host:port/", "http://a b/"])
def test_nowhere(one, location):
    with Server(to(location)) as server:
        found = one({"url": server.url("/old")})
    assert (found["check"], found["evidence"]["kind"]) == (CHECK, "location")


def test_no_location(one):
    with Server(lambda it: it.answer(b"", "302 Found")) as server:
        assert one({"url": server.url()})["evidence"]["kind"] == "location"


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "PUT", "GET"),
        (307, "POST", "POST"),
        (308, "PUT", "PUT"),
        (303, "HEAD", "HEAD"),
    ],
)
def test_the_method_after_a_redirect(ask, status, method, then):
    with Server(to("/new", f"{status} Go")) as server:
        body = None if method == "HEAD" else "some"
        assert ask({"url": server.url("/old"), "method": method, "body": body})["findings"] == []
        second = server.connections[1].request
    assert second.startswith(then.encode() + b" /new")
    assert second.endswith(b"some") == (then == method and body is not None)


def test_secrets_stay_with_the_host_that_they_are_for(ask):
    with Server(lambda it: it.answer(b"there")) as there, Server(to(f"http://localhost:{there.port}/")) as here:
        endpoint = {
            "url": here.url("/old"),
            "follow_redirects": "all",
            "token": "very-secret",
            "headers": {"X-Plain": "yes"},
            "secret_headers": {"X-Key": "secret-too"},
        }
        assert ask(endpoint)["findings"] == []
        assert here.connections[0].headers["authorization"] == "Bearer very-secret"
        assert here.connections[0].headers["x-key"] == "secret-too"
        assert "authorization" not in there.connections[0].headers
        assert "x-key" not in there.connections[0].headers
        assert there.connections[0].headers["x-plain"] == "yes"


def test_secrets_go_along_on_the_same_host(ask):
    with Server(to("/new")) as server:
        assert ask({"url": server.url("/old"), "username": "operator", "password": "secret"})["findings"] == []
        assert server.connections[1].headers["authorization"] == "Basic b3BlcmF0b3I6c2VjcmV0"

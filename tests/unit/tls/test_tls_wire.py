"""Handshakes with real servers: what they show, and what is said of those that show nothing."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tls_world import SECONDS, Server, World, judged, line, said, script

from ansible_collections.nexuscos.ops.plugins.module_utils._http.failure import Failure
from ansible_collections.nexuscos.ops.plugins.module_utils._tls import collect, wire
from ansible_collections.nexuscos.ops.plugins.module_utils._tls.spec import STARTTLS

LDAP_OK = bytes.fromhex("300c02010178070a010004000400")
LDAP_NO = bytes.fromhex("30190201017814" + "0a0134" + "0400" + "040d") + b"not available"


def ldap(answer: bytes) -> Any:
    def talk(raw: socket.socket) -> bool:
        asked = raw.recv(2)
        asked += raw.recv(asked[1])
        assert b"1.3.6.1.4.1.1466.20037" in asked
        raw.sendall(answer)
        return True

    return talk


def postgres(answer: bytes) -> Any:
    def talk(raw: socket.socket) -> bool:
        assert struct.unpack("!ii", raw.recv(8)) == (8, 80877103)
        raw.sendall(answer)
        return answer == b"S"

    return talk


GOOD = {
    "smtp": script(
        b"220-mail.example.com\r\n220 ESMTP\r\n", b"250-mail\r\n250-SIZE 9\r\n250 STARTTLS\r\n", b"220 go\r\n"
    ),
    "imap": script(b"* OK ready\r\n", b"* CAPABILITY IMAP4rev1\r\na1 OK begin\r\n"),
    "pop3": script(b"+OK ready\r\n", b"+OK begin\r\n"),
    "ldap": ldap(LDAP_OK),
    "postgres": postgres(b"S"),
}
REFUSING = {
    "smtp": script(b"220 ESMTP\r\n", b"250-mail\r\n250 SIZE 9\r\n"),
    "imap": script(b"* OK ready\r\n", b"a1 BAD no\r\n"),
    "pop3": script(b"+OK ready\r\n", b"-ERR no\r\n"),
    "ldap": ldap(LDAP_NO),
    "postgres": postgres(b"N"),
}
OTHER = {
    "smtp": script(b"* OK this is IMAP\r\n"),
    "imap": script(b"220 this is SMTP\r\n"),
    "pop3": script(b"220 this is SMTP\r\n"),
    "ldap": ldap(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 200),
    "postgres": postgres(b"E"),
}


def source_of(result: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = result["sources"][0]
    return found


def test_the_whole_chain_as_it_is_sent(world: World) -> None:
    with world.server(world.leaf, world.between) as server:
        seen = source_of(world.look({"at": server}))
    assert [one["subject"] for one in seen["certificates"][0]["chain"]] == ["CN=leaf", "CN=Intermediate"]
    assert seen["whole_chain"] is True
    assert seen["version"].startswith("TLSv1.")
    assert seen["address"] == f"127.0.0.1:{server.port}"
    assert seen["certificates"][0]["trust"]["kind"] == "trusted"


def test_the_name_that_is_asked_for_is_sent(world: World) -> None:
    asked: list[str | None] = []
    server = world.server(world.leaf, world.between)
    context = server._context
    assert context is not None
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    with server:
        world.look({"at": server, "server_name": "a.example.com"}, {"at": server})
    assert sorted(asked, key=str) == [None, "a.example.com"]


@pytest.mark.parametrize("protocol", STARTTLS)
def test_starttls(world: World, protocol: str) -> None:
    with world.server(world.leaf, world.between, before=GOOD[protocol]) as server:
        result = world.judge({"at": server, "starttls": protocol})
    assert result["findings"] == []


@pytest.mark.parametrize("protocol", STARTTLS)
def test_starttls_that_is_refused(world: World, protocol: str) -> None:
    with world.server(world.leaf, before=REFUSING[protocol]) as server:
        result = world.judge({"at": server, "starttls": protocol})
    assert said(result) == [("reachable", "a", "critical")]
    assert result["findings"][0]["title"] == f"a offers no TLS ({protocol})"
    assert result["findings"][0]["evidence"]["kind"] == "refused"
    assert f"-starttls {protocol}" in result["findings"][0]["remedy"]


@pytest.mark.parametrize("protocol", STARTTLS)
def test_another_server_there(world: World, protocol: str) -> None:
    with world.server(world.leaf, before=OTHER[protocol]) as server:
        result = world.judge({"at": server, "starttls": protocol})
    assert said(result) == [("reachable", "a", "critical")]
    assert result["findings"][0]["evidence"]["kind"] in ("garbage", "closed")


@pytest.mark.parametrize("protocol", STARTTLS)
def test_a_server_that_says_nothing_is_unknown(world: World, protocol: str) -> None:
    with Server(None) as server:
        result = world.judge({"at": server, "starttls": protocol, "timeout": 0.2})
    assert said(result) == [("reachable", "a", "unknown")]
    assert result["findings"][0]["evidence"]["kind"] == "timeout"


@pytest.mark.parametrize("protocol", STARTTLS)
@settings(max_examples=40)
@given(answer=st.binary(max_size=80))
def test_any_answer_ends(protocol: str, answer: bytes) -> None:
    """Whatever is answered, the talk succeeds or fails with a Failure."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(answer)
        theirs.shutdown(socket.SHUT_WR)
        with contextlib.suppress(Failure):
            wire._starttls(protocol, ours, time.monotonic() + SECONDS)


def test_an_answer_without_end_ends() -> None:
    ours, theirs = socket.socketpair()

    def flood() -> None:
        with contextlib.suppress(OSError):
            while True:
                theirs.sendall(b"220-" + b"x" * 4096)

    thread = threading.Thread(target=flood, daemon=True)
    with ours, theirs:
        thread.start()
        with pytest.raises(Failure, match="a line without an end"):
            wire._starttls("smtp", ours, time.monotonic() + SECONDS)
        ours.shutdown(socket.SHUT_RDWR)
        thread.join(SECONDS)


def test_refused(world: World) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        result = world.judge({"host": "127.0.0.1", "port": port})
    assert said(result) == [("reachable", "a", "critical")]
    assert result["findings"][0]["evidence"]["address"] == f"127.0.0.1:{port}"
    rows = {row["check"]: row for row in result["coverage"]}
    assert rows["certificate.expiry"]["seen"] is False
    assert rows["certificate.drift"]["seen"] is True


def test_a_server_that_hangs_is_unknown(world: World) -> None:
    with Server(None) as server:
        result = world.judge({"at": server, "timeout": 0.2})
    assert said(result) == [("reachable", "a", "unknown")]


def test_what_is_not_reached_in_time_is_unknown(world: World) -> None:
    with Server(None) as server:
        result = world.judge({"at": server}, deadline=0.3)
    assert said(result) == [("reachable", "a", "unknown")]
    assert "deadline" in result["findings"][0]["title"]


def test_plain_text_on_a_port_for_tls(world: World) -> None:
    def http(raw: socket.socket) -> bool:
        raw.recv(100)
        raw.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        return True

    with Server(None, before=http) as server:
        result = world.judge({"at": server})
    assert result["findings"][0]["title"] == "a does not speak TLS on its TLS port"


def test_a_server_that_hangs_up(world: World) -> None:
    with Server(None, before=lambda raw: bool(raw.recv(1)) and False) as server:
        result = world.judge({"at": server})
    assert said(result) == [("reachable", "a", "critical")]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_wants_a_certificate_of_ours_is_seen_all_the_same(world: World, version: ssl.TLSVersion) -> None:
    server = world.server(world.leaf, world.between)
    assert server._context is not None
    server._context.maximum_version = version
    server._context.verify_mode = ssl.CERT_REQUIRED
    server._context.load_verify_locations(world.ca)
    with server:
        assert world.judge({"at": server})["findings"] == []


def test_a_name_that_does_not_resolve(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_arguments: object, **_more: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    result = world.judge({"url": "https://nowhere.example.com"})
    assert said(result) == [("reachable", "a", "critical")]
    assert result["findings"][0]["title"] == "a cannot be reached: its name is not in the DNS"


def test_an_older_python_sees_the_first_certificate(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def first(wrapped: ssl.SSLSocket, shown: wire.Shown) -> None:
        der = wrapped.getpeercert(binary_form=True)
        shown.chain = [der] if der else []

    monkeypatch.setattr(wire, "_read_chain", first)
    with world.server(world.leaf, world.between) as server:
        result = world.judge({"at": server})
    assert result["findings"] == []
    rows = {row["check"]: row for row in result["coverage"]}
    assert "3.10" in rows["certificate.chain"]["reason"]
    assert rows["certificate.trust"]["seen"] is False
    assert rows["certificate.expiry"]["seen"] is True


def test_many_at_once(world: World) -> None:
    """None waits for another: those that hang do not keep the others from being seen."""
    with world.server(world.leaf, world.between) as good, Server(None) as silent:
        sources = [{"name": f"g{place}", "at": good} for place in range(40)]
        sources += [{"name": f"s{place}", "at": silent, "timeout": 0.5} for place in range(20)]
        result = world.judge(*sources)
    assert len(result["findings"]) == 20
    assert (result["facts"]["certificates_ok"], result["facts"]["certificates_total"]) == (40, 60)
    assert (result["facts"]["endpoints_reached"], result["facts"]["endpoints_total"]) == (40, 60)


def test_a_talk_reads_nothing_that_belongs_to_tls() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"first\r\nsecond")
        talk = wire._Line(ours, time.monotonic() + SECONDS)
        assert talk.line() == b"first"
        assert ours.recv(100) == b"second"
        ours.sendall(b"x\n")
        assert line(theirs) == b"x\n"


def test_more_sources_than_threads(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "MOST_THREADS", 3)
    with world.server(world.leaf, world.between) as server:
        result = world.judge(*({"name": f"g{place}", "at": server} for place in range(12)), {"file": world.ca})
    assert result["findings"] == []
    assert result["facts"]["certificates_ok"] == 13


def test_a_crash_of_the_look_is_not_hidden(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_words: object) -> None:
        raise RuntimeError("a programming error")

    monkeypatch.setattr(wire, "show", broken)
    with pytest.raises(RuntimeError, match="a programming error"):
        world.look({"host": "127.0.0.1"})


def test_the_second_address_of_a_name_is_tried(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with world.server(world.leaf, world.between) as server:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        answers = [(*kind, ("127.0.0.2", server.port)), (*kind, ("127.0.0.1", server.port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_words, **_more: answers)
        result = world.look({"host": "localhost", "port": server.port})
    assert source_of(result)["address"] == f"127.0.0.1:{server.port}"
    assert judged(result)["findings"] == []

"""Every way in which a request fails has a check, a kind and a sentence of its own."""

from __future__ import annotations

import socket
import time

import pytest
from misbehaving import MODES, Connection, Server, drip, hang

REACHABLE, ANSWER = "endpoint.reachable", "endpoint.answer"


@pytest.mark.parametrize(
    ("mode", "check", "kind", "says"),
    [
        ("garbage", ANSWER, "garbage", "a answers, and not in HTTP"),
        ("closed", REACHABLE, "closed", "a hangs up without an answer"),
        ("reset", REACHABLE, "reset", "a resets the connection instead of answering"),
        ("truncated", ANSWER, "truncated", "Content-Length promised 5000 bytes, 18 came"),
        ("surplus", ANSWER, "surplus", "Content-Length said 4 bytes, at least 18 more came"),
        ("length", ANSWER, "length", "Content-Length is 'four'"),
        ("chunks", ANSWER, "chunks", "a sends broken chunks"),
    ],
)
def test_what_a_server_does_wrong_is_told_apart(one, mode, check, kind, says):
    with Server(MODES[mode]) as server:
        found = one({"url": server.url()})
    assert (found["check"], found["status"], found["evidence"]["kind"]) == (check, "critical", kind)
    assert says in found["title"]
    assert found["evidence"]["address"] == f"127.0.0.1:{server.port}"
    assert found["remedy"]


def refuse() -> int:
    """A port at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_refused(one):
    port = refuse()
    found = one({"url": f"http://127.0.0.1:{port}/"})
    assert (found["check"], found["evidence"]["kind"]) == (REACHABLE, "refused")
    assert found["title"] == "a refuses connections"
    assert f"nothing listens at 127.0.0.1:{port}" in found["remedy"]
    assert set(found["evidence"]["ms"]) == {"dns", "connect", "total"}


def test_refused_names_the_service_in_the_next_step(one):
    found = one({"url": f"http://127.0.0.1:{refuse()}/", "service": "auth-service"})
    assert "kubectl get pods,endpointslices -A | grep auth-service" in found["remedy"]
    assert found["evidence"]["service"] == "auth-service"


def test_a_name_that_is_not_in_the_dns(one):
    found = one({"url": "http://nowhere.invalid/health"}, timeout=10)
    assert (found["check"], found["evidence"]["phase"]) == (REACHABLE, "dns")
    assert "getent ahosts nowhere.invalid" in found["remedy"] or "dig nowhere.invalid" in found["remedy"]


def test_a_resolver_that_hangs_costs_no_more_than_the_deadline(one, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: time.sleep(20) or [])
    began = time.monotonic()
    found = one({"url": "http://slow-dns.example.com/"}, timeout=0.3)
    assert time.monotonic() - began < 15
    assert (found["check"], found["evidence"]["kind"], found["evidence"]["phase"]) == (REACHABLE, "timeout", "dns")
    assert found["title"] == "a cannot be reached: no name server answers within 0.3 s"


def test_a_connection_that_nobody_takes(one):
    # A backlog that is full: the kernel drops further SYNs, as a firewall does.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        found = one({"url": f"http://127.0.0.1:{port}/"}, timeout=0.4)
        for filler in fillers:
            filler.close()
    assert (found["check"], found["evidence"]["phase"], found["evidence"]["kind"]) == (REACHABLE, "connect", "timeout")
    assert found["title"] == "a does not take connections (TCP time-out) within 0.4 s"


def test_no_route(one, monkeypatch):
    def unreachable(_sock, _address):
        raise OSError(113, "No route to host")

    monkeypatch.setattr(socket.socket, "connect", unreachable)
    found = one({"url": "http://192.0.2.1/"})
    assert (found["check"], found["evidence"]["kind"]) == (REACHABLE, "unreachable")
    assert found["title"] == "a cannot be reached: no route to its address"


def test_the_next_address_is_tried_when_one_refuses(ask, monkeypatch):
    dead = refuse()
    with Server(MODES["ok"]) as server:
        answers = [
            (socket.AF_INET, 1, 6, "", ("127.0.0.1", dead)),
            (socket.AF_INET, 1, 6, "", ("127.0.0.1", server.port)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: answers)
        result = ask({"url": "http://two-addresses.example.com/"})
    assert result["findings"] == []
    sample = result["observation"]["endpoints"][0]["samples_taken"][0]
    assert sample["tried"] == [f"127.0.0.1:{dead}: refused"]
    assert sample["address"] == f"127.0.0.1:{server.port}"


def test_a_server_that_takes_connections_and_is_silent(one):
    with Server(hang) as server:
        found = one({"url": server.url()}, timeout=1.5)
    assert (found["check"], found["evidence"]["phase"], found["evidence"]["kind"]) == (REACHABLE, "answer", "timeout")
    assert found["title"] == "a takes connections and does not answer within 1.5 s"
    assert found["evidence"]["ms"]["first_byte"] > 250


def test_a_body_that_comes_in_drops_ends_at_the_deadline(one):
    def answer(it: Connection) -> None:
        it.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        drip(it, b"x" * 1000)

    began = time.monotonic()
    with Server(answer) as server:
        found = one({"url": server.url()}, timeout=2)
        assert time.monotonic() - began < 15
    assert (found["check"], found["evidence"]["phase"], found["evidence"]["kind"]) == (ANSWER, "body", "timeout")
    assert found["title"] == "a sends its body too slowly within 2 s"
    assert found["evidence"]["status"] == 200
    assert found["evidence"]["excerpt"].startswith("xx")


def test_headers_that_come_in_drops_end_at_the_deadline(one):
    def answer(it: Connection) -> None:
        drip(it, b"HTTP/1.1 200 OK\r\nX-Never: " + b"x" * 1000)

    with Server(answer) as server:
        found = one({"url": server.url()}, timeout=2)
    assert (found["check"], found["evidence"]["phase"], found["evidence"]["kind"]) == (ANSWER, "answer", "timeout")
    assert found["evidence"]["first_bytes"].startswith("HTTP")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Type: te", "headers"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-Many: 1\r\n" * 200 + b"\r\n", "headers"),
        (b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 70000 + b"\r\n\r\n", "headers"),
        (b"HTTP/1.1 banana\r\n\r\n", "garbage"),
        (b"HTTP/9 200 OK\r\n\r\n", "garbage"),
        (b"\x15\x03\x01\x00\x02\x02\x0a", "garbage"),
        (b"HT", "garbage"),
        (b"\x00" * 70000, "garbage"),
    ],
)
def test_nonsense_instead_of_an_answer(one, data, kind):
    with Server(lambda it: it.send(data)) as server:
        found = one({"url": server.url()})
    assert (found["check"], found["evidence"]["kind"]) == (ANSWER, kind)
    assert len(found["evidence"]["first_bytes"]) <= 800


def test_two_lengths_that_differ(one):
    with Server(lambda it: it.answer(b"four", "200 OK", "Content-Length: 5")) as server:
        found = one({"url": server.url()})
    assert found["evidence"]["kind"] == "length"
    assert "'4' and '5'" in found["title"]


def test_a_chunked_body_that_breaks_off(one):
    with Server(lambda it: it.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nonly this")) as server:
        found = one({"url": server.url()})
    assert (found["check"], found["evidence"]["kind"]) == (ANSWER, "truncated")


def test_a_reset_in_the_body(one):
    def answer(it: Connection) -> None:
        it.answer(b"some", length=4000)
        time.sleep(0.1)
        it.reset()

    with Server(answer) as server:
        found = one({"url": server.url()})
    assert (found["check"], found["evidence"]["phase"], found["evidence"]["kind"]) == (ANSWER, "body", "reset")


def test_an_answer_before_the_request_was_read_is_judged(one):
    """A server that refuses a large body answers and hangs up while it is still being sent."""

    def answer(it: Connection) -> None:
        it.sock.recv(100)
        it.answer(b"too large", "413 Content Too Large")
        it.sock.shutdown(socket.SHUT_WR)
        time.sleep(0.3)

    with Server(answer, read=False) as server:
        found = one({"url": server.url(), "method": "POST", "body": "x" * 3_000_000}, timeout=2)
    assert found["evidence"].get("status") == 413 or found["evidence"]["kind"] in ("reset", "timeout")


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end of the connection",
        b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nfine",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine",
        b"HTTP/1.1 200 OK\nContent-Length: 4\n\nfine",
        b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_answers_of_all_shapes_are_fine(ask, data):
    with Server(lambda it: it.send(data)) as server:
        assert ask({"url": server.url()})["findings"] == []


def test_a_head_request_waits_for_no_body(ask):
    with Server(lambda it: it.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n")) as server:
        assert ask({"url": server.url(), "method": "HEAD"})["findings"] == []
        assert server.connections[0].request.startswith(b"HEAD / HTTP/1.1\r\n")

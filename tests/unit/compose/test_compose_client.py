# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of the Engine API: what it sends, what it makes of answers and of what is none."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fake_engine import DATE, Answer, FakeEngine, deaf, frame, http, serving
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._compose.client import (
    MOST_LINE,
    Engine,
    Line,
    NotThere,
    address,
    demultiplex,
    lines,
)
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import LookError, OptionError


def engine_at(url: str, seconds: float = 30.0, timeout: float = 20.0) -> Engine:
    return Engine(address(url), time.monotonic() + seconds, timeout)


@pytest.mark.parametrize(
    ("text", "path", "host", "port", "tls"),
    [
        ("unix:///var/run/docker.sock", "/var/run/docker.sock", "", 0, False),
        ("/run/podman/podman.sock", "/run/podman/podman.sock", "", 0, False),
        ("tcp://media1:2375", "", "media1", 2375, False),
        ("tcp://media1", "", "media1", 2375, False),
        ("https://[2001:db8::7]:2376", "", "2001:db8::7", 2376, True),
        ("https://media1", "", "media1", 2376, True),
    ],
)
def test_addresses(text: str, path: str, host: str, port: int, tls: bool) -> None:
    found = address(text)
    assert (found.path, found.host, found.port, found.tls) == (path, host, port, tls)


def test_a_certificate_makes_tcp_speak_tls() -> None:
    assert address("tcp://media1", tls=True).port == 2376


@pytest.mark.parametrize(
    "text", ["", "ssh://media1", "unix://", "unix://relative/docker.sock", "tcp://", "tcp://a:b:c", "tcp://u:p@media1"]
)
def test_wrong_addresses_are_refused(text: str) -> None:
    with pytest.raises(OptionError, match="docker_host"):
        address(text)


@pytest.mark.parametrize("chunked", [False, True])
def test_json_over_one_connection(chunked: bool) -> None:
    with serving({"/containers/json": http([{"Id": "a" * 64}], chunked=chunked)}) as fake:
        engine = engine_at(fake.url)
        assert engine.version()["Version"] == "28.5.1"
        for _ in range(3):
            assert engine.get("/containers/json", all=1, filters={"label": ["x=y"]}, skip=None) == [{"Id": "a" * 64}]
        engine.close()
        assert fake.connections == 1
        assert fake.asked[0] == "GET /version"
        assert fake.asked[1] == "GET /v1.51/containers/json?all=1&filters=%7B%22label%22%3A+%5B%22x%3Dy%22%5D%7D"
        assert {line.split(" ")[0] for line in fake.asked} == {"GET"}


def test_the_engines_own_clock_is_known() -> None:
    with serving({}) as fake, closing(engine_at(fake.url)) as engine:
        engine.version()
        assert engine.clock is not None
        assert time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(engine.clock)) == DATE


def test_a_connection_that_was_closed_meanwhile_is_made_anew() -> None:
    with serving({"/info": http({}, close=True)}) as fake, closing(engine_at(fake.url)) as engine:
        engine.version()
        assert engine.get("/info") == {}
        assert engine.get("/info") == {}
        assert fake.connections == 2


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (http({"message": "no"}, "403 Forbidden"), "denied", "no"),
        (http({"message": "client version 1.51 is too new"}, "400 Bad Request"), "other", "too new"),
        (http(b"oops", "500 Internal Server Error"), "other", "answers 500: oops"),
        (http(b"<html>"), "garbage", "no JSON"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "garbage", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\nConnection: close\r\n\r\n{}", "garbage", "breaks off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n", "garbage", "HTTP"),
        (b"", "refused", "breaks off"),
    ],
)
def test_answers_that_are_none(answer: bytes, kind: str, words: str) -> None:
    with serving({"/info": answer}) as fake, closing(engine_at(fake.url)) as engine:
        with pytest.raises(LookError, match=words) as caught:
            engine.get("/info")
        assert caught.value.kind == kind
        assert fake.path in caught.value.text
        # the next answer is not read out of what is left of this one
        assert engine.version()["Version"] == "28.5.1"


def test_what_is_not_there_is_told_apart() -> None:
    with (
        serving({}) as fake,
        closing(engine_at(fake.url)) as engine,
        pytest.raises(NotThere, match="no such thing: /containers/x/json"),
    ):
        engine.get("/containers/x/json")


@pytest.mark.parametrize("told", [[], {}, {"ApiVersion": None}, {"ApiVersion": "../x"}, "1.41"])
def test_something_else_is_no_engine(told: object) -> None:
    with serving({"/version": http(told)}) as fake, closing(engine_at(fake.url)) as engine:
        with pytest.raises(LookError, match="no container engine") as caught:
            engine.version()
        assert caught.value.kind == "garbage"


def test_nothing_listens(tmp_path: Path) -> None:
    with pytest.raises(LookError) as caught:
        engine_at(f"unix://{tmp_path}/none.sock").version()
    assert caught.value.kind == "refused"
    left = str(tmp_path / "left.sock")
    deaf(left).close()
    with pytest.raises(LookError) as caught:
        engine_at(f"unix://{left}").version()
    assert caught.value.kind == "refused"


def test_an_engine_that_hangs_is_a_timeout(tmp_path: Path) -> None:
    path = str(tmp_path / "deaf.sock")
    with closing(deaf(path)):
        with pytest.raises(LookError) as caught:
            engine_at(f"unix://{path}", timeout=0.05).version()
        assert caught.value.kind == "timeout"
        with pytest.raises(LookError) as caught:
            engine_at(f"unix://{path}", seconds=0.0).version()
        assert caught.value.kind == "timeout"


def test_one_that_hangs_in_the_middle_too() -> None:
    with serving({}) as fake, closing(engine_at(fake.url)) as engine:
        fake.hang_after = 1
        engine.version()
        engine.timeout = 0.05
        with pytest.raises(LookError) as caught:
            engine.get("/info")
        assert caught.value.kind == "timeout"


def test_over_tcp_it_is_refused_as_well() -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(LookError) as caught:
            engine_at(f"tcp://127.0.0.1:{port}").version()
    assert caught.value.kind == "refused"


def logging(body: bytes, chunked: bool = True) -> dict[str, Answer]:
    return {"/containers/abc/logs": http(body, chunked=chunked)}


def read(fake: FakeEngine, **options: object) -> list[Line]:
    with closing(engine_at(fake.url)) as engine:
        engine.version()
        return list(engine.logs("abc", **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("chunked", [False, True])
def test_logs_are_lines_of_both_streams(chunked: bool) -> None:
    body = frame(1, b"2026-11-29T08:00:00.5Z hello\n") + frame(2, b"2026-11-29T08:00:01Z ouch\n2026-11-29T08:00:02Z ")
    with serving(logging(body + frame(1, b"no time\n") + frame(2, b"half"), chunked)) as fake:
        assert read(fake, since=1795939200.0, tail=5) == [
            Line("stdout", "2026-11-29T08:00:00.5Z", "hello"),
            Line("stderr", "2026-11-29T08:00:01Z", "ouch"),
            Line("stdout", "", "no time"),
            Line("stderr", "2026-11-29T08:00:02Z", "half"),
        ]
        assert "since=1795939200.000000000" in fake.asked[-1]
        assert "tail=5" in fake.asked[-1]
        assert "until" not in fake.asked[-1]


def test_the_log_of_a_terminal_has_no_frames() -> None:
    with serving(logging(b"2026-11-29T08:00:00Z one\r\n2026-11-29T08:00:01Z two\r\n")) as fake:
        assert [line.text for line in read(fake, tty=True)] == ["one", "two"]
        with pytest.raises(LookError, match="terminal"):
            read(fake)


def test_a_log_that_cannot_be_read() -> None:
    answer = http({"message": "configured logging driver does not support reading"}, "501 Not Implemented")
    with serving({"/containers/abc/logs": answer}) as fake, pytest.raises(LookError, match="does not support reading"):
        read(fake)


def test_reading_may_end_early_and_the_engine_is_asked_on() -> None:
    body = b"".join(frame(1, b"2026-11-29T08:00:00Z line %d\n" % n) for n in range(5000))
    with serving({**logging(body), "/info": http({"a": 1})}) as fake, closing(engine_at(fake.url)) as engine:
        engine.version()
        stream = engine.logs("abc")
        assert next(stream).text == "line 0"
        stream.close()  # type: ignore[attr-defined]
        assert engine.get("/info") == {"a": 1}


def test_of_a_very_long_line_the_beginning_is_kept() -> None:
    found = list(lines(iter([("stdout", b"x" * MOST_LINE), ("stdout", b"y" * 10 + b"\nnext\n")])))
    assert [len(line.text) for line in found] == [MOST_LINE, 4]


def cut(data: bytes, places: list[int]) -> Iterator[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return (data[begin:end] for begin, end in zip(edges, edges[1:]))


@settings(max_examples=60, deadline=None)
@given(
    frames=st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=20)), max_size=6),
    places=st.lists(st.integers(0, 200), max_size=8),
)
def test_frames_may_be_cut_anywhere(frames: list[tuple[int, bytes]], places: list[int]) -> None:
    data = b"".join(frame(stream, text) for stream, text in frames)
    got: dict[str, bytes] = {"stdout": b"", "stderr": b""}
    for stream, part in demultiplex(cut(data, places)):
        got[stream] += part
    assert got["stdout"] == b"".join(text for stream, text in frames if stream == 1)
    assert got["stderr"] == b"".join(text for stream, text in frames if stream == 2)


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=200), places=st.lists(st.integers(0, 200), max_size=8))
def test_any_bytes_are_lines_or_a_look_error(data: bytes, places: list[int]) -> None:
    found = []
    with contextlib.suppress(LookError):
        found.extend(lines(demultiplex(cut(data, places))))
    assert {line.stream for line in found} <= {"stdin", "stdout", "stderr"}

"""The client for HTTP APIs: what comes back is data, whatever the server does."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "http"))

from misbehaving import Connection, Server, hang

from ansible_collections.nexuscos.ops.plugins.doc_fragments.web import ModuleDocFragment
from ansible_collections.nexuscos.ops.plugins.module_utils._core import web
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._core.web import Request, Web, web_spec


def client(server: Server | None = None, deadline: float = 30.0, **options: Any) -> Web:
    url = f"http://{server.host}:{server.port}" if server else options.pop("url")
    return Web({"url": url + options.pop("under", ""), "timeout": 20.0, **options}, deadline)


def said(body: Any, status: str = "200 OK") -> Callable[[Connection], None]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda connection: connection.answer(raw, status, "Content-Type: application/json")


def test_json_comes_back_as_values() -> None:
    with Server(said({"a": [1, None]})) as server:
        answer = client(server, under="/grafana/").get("/api/health", {"x": "ä b", "y": [1, 2], "z": None})
        assert (answer.ok, answer.status, answer.data) == (True, 200, {"a": [1, None]})
        assert server.connections[0].path == "/grafana/api/health?x=%C3%A4+b&y=1&y=2"


def test_a_post_carries_its_body_and_the_login() -> None:
    with Server(said({})) as server:
        client(server, token="t0ken").post("/_search", {"size": 1}, {"pretty": "false"})
        seen = server.connections[0]
        assert seen.request.startswith(b"POST /_search?pretty=false HTTP/1.1")
        assert seen.request.endswith(b'{"size": 1}')
        assert seen.headers["authorization"] == "Bearer t0ken"
        assert seen.headers["content-type"] == "application/json"


def test_headers_of_the_caller_are_sent() -> None:
    with Server(said({})) as server:
        url = f"http://{server.host}:{server.port}"
        Web({"url": url}, 30.0, {"Authorization": "ApiKey abc"}).get("/")
        assert server.connections[0].headers["authorization"] == "ApiKey abc"


@pytest.mark.parametrize(
    ("status", "kind"), [("401 Unauthorized", web.DENIED), ("403 Forbidden", web.DENIED), ("502 Bad", web.STATUS)]
)
def test_an_error_keeps_what_the_server_says(status: str, kind: str) -> None:
    with Server(said({"message": "no, password=hunter2"}, status)) as server:
        answer = client(server).get("/")
    assert answer.kind == kind
    assert answer.status == int(status[:3])
    assert answer.error is not None
    assert "no, password=[redacted]" in answer.error["text"]


def test_a_nested_reason_is_found() -> None:
    with Server(said({"error": {"type": "x", "reason": "no such index"}, "status": 404}, "404 Not Found")) as server:
        answer = client(server).get("/")
    assert answer.error == {"kind": web.STATUS, "text": "status 404 Not Found: no such index"}


@pytest.mark.parametrize("body", [b"<html>", b"", b"\xff\xfe", b"[" * 100_000, b"9" * 5000 + b"x"])
def test_what_is_no_json_is_garbage(body: bytes) -> None:
    with Server(said(body)) as server:
        answer = client(server).get("/")
    assert (answer.kind, answer.data) == (web.GARBAGE, None)


def test_nan_is_no_value() -> None:
    with Server(said(b'{"a": NaN, "b": -Infinity}')) as server:
        assert client(server).get("/").data == {"a": None, "b": None}


def test_raw_text_need_not_be_json() -> None:
    with Server(lambda connection: connection.answer(b"Prometheus Server is Healthy.\n")) as server:
        answer = client(server).get("/-/healthy", raw=True)
    assert (answer.ok, answer.text) == (True, "Prometheus Server is Healthy.\n")


def test_a_body_without_end_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MAX_BODY", 1000)
    with Server(said(b" " * 2000)) as server:
        assert client(server).get("/").kind == web.LARGE


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    assert client(url=f"http://127.0.0.1:{port}").get("/").kind == web.REFUSED


def test_a_server_that_takes_connections_and_is_mute() -> None:
    with Server(hang) as server:
        assert client(server, deadline=1.0).get("/").kind == web.SILENT


def test_a_server_that_hangs_up() -> None:
    with Server(lambda _connection: None) as server:
        assert client(server).get("/").kind == web.SILENT


def test_what_is_not_http() -> None:
    with Server(lambda connection: connection.send(b"SSH-2.0-OpenSSH\r\n")) as server:
        assert client(server).get("/").kind == web.GARBAGE


def test_plain_text_on_a_tls_port() -> None:
    with Server(lambda connection: connection.send(b"HTTP/1.1 400 Bad\r\n\r\n"), read=False) as server:
        assert client(url=f"https://127.0.0.1:{server.port}").get("/").kind == web.TLS


def test_no_time_left() -> None:
    with Server(said({})) as server:
        asked = client(server, deadline=-1)
        assert asked.get("/").kind == web.TIMEOUT
        assert [answer.kind for answer in asked.many([Request("/"), Request("/a")])] == [web.TIMEOUT, web.TIMEOUT]
        assert asked.remaining() == 0


def test_many_keeps_the_order() -> None:
    def answer(connection: Connection) -> None:
        connection.answer(json.dumps(connection.path).encode())

    with Server(answer) as server:
        answers = client(server).many([Request(f"/{number}") for number in range(40)])
    assert [one.data for one in answers] == [f"/{number}" for number in range(40)]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"url": ""}, "url: want http"),
        ({"url": "ftp://a"}, "url: want http"),
        ({"url": "http://a/?q=1"}, "without a query"),
        ({"url": "http://u:p@a"}, "does not belong in a URL"),
        ({"url": "http://a", "token": "a\nb"}, "line break"),
        ({"url": "http://a", "token": "a", "username": "b"}, "exclude each other"),
        ({"url": "https://a", "ca_path": "/nowhere/ca.pem"}, "ca_path: cannot read"),
        ({"url": "https://a", "ca_path": __file__}, "ca_path: "),
        ({"url": "http://a", "timeout": 0}, "timeout: want"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], part: str) -> None:
    with pytest.raises(OptionError, match=part) as raised:
        Web(options, 1.0)
    assert "endpoints" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "kind", "verdict"),
    [
        (None, web.REFUSED, "critical"),
        (None, web.SILENT, "critical"),
        (None, web.TIMEOUT, "unknown"),
        (None, web.DNS, "unknown"),
        (200, web.GARBAGE, "critical"),
        (503, web.STATUS, "critical"),
        (500, web.STATUS, None),
        (401, web.DENIED, None),
        (None, web.TLS, None),
        (200, "", None),
    ],
)
def test_what_is_an_outage(status: int | None, kind: str, verdict: str | None) -> None:
    found = web.outage(status, {"kind": kind, "text": "x"} if kind else None)
    assert (found[0] if found else None) == verdict


def test_an_odd_error_is_no_outage() -> None:
    assert web.outage("x", 5) is None
    assert web.outage(None, {"kind": []}) is None


def test_the_fragment_documents_the_spec() -> None:
    import yaml

    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    spec = web_spec().options
    assert set(documented) == set(spec)
    for name, option in spec.items():
        assert documented[name]["type"] == option["type"]
        assert documented[name].get("default") == option.get("default")

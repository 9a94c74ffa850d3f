# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON over HTTP for systems with an API (Grafana, Elasticsearch, Prometheus, Alertmanager): one client, one deadline.

The request itself is that of `_http/wire.py`. What is added here is what an API needs: a base URL, a log-in, JSON, and
errors as the observing modules keep them.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from .._http.failure import Failure
from .._http.resolve import Resolver
from .._http.spec import Endpoint, parse, split_url
from .._http.tls import Contexts
from .._http.wire import Exchange, printable, send
from .argspec import ArgSpec
from .errors import OptionError
from .finding import CRITICAL, UNKNOWN
from .redact import redact_text

AGENT = "nexuscos-ops"
MAX_BODY = 8 << 20
MOST_THREADS = 16

REFUSED = "refused"
SILENT = "silent"
TIMEOUT = "timeout"
DNS = "dns"
TLS = "tls"
DENIED = "denied"
STATUS = "status"
GARBAGE = "garbage"
LARGE = "large"
OTHER = "other"

DEAD = (REFUSED, SILENT)
"""The machine was reached, and the server does not serve (it refuses, hangs up, or takes a connection and is mute)."""
AWAY = (TIMEOUT, DNS)
"""Nothing was reached: a dead machine and a cut link look the same from here."""


@dataclass(frozen=True)
class Answer:
    """What came back for one request.

    :ivar status: HTTP status; None where no answer came as far as that.
    :ivar data: the decoded body, also of an answer that is an error; None where it is no JSON.
    :ivar text: the beginning of a body that is no JSON, redacted.
    :ivar error: None, or ``kind`` (a constant of this file) and ``text``.
    :ivar ms: how long it took.
    """

    status: int | None = None
    data: Any = None
    text: str = ""
    error: dict[str, str] | None = None
    ms: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether there is an answer to read."""
        return self.error is None

    @property
    def kind(self) -> str:
        """Kind of the error, empty where there is none."""
        return self.error["kind"] if self.error else ""

    def to_dict(self) -> dict[str, Any]:
        """As an observation keeps it."""
        return {"status": self.status, "data": self.data, "text": self.text, "error": self.error, "ms": self.ms}


@dataclass(frozen=True)
class Request:
    """One request below the base URL. With `data` it is a POST of JSON.

    :ivar raw: the body is kept as text and need not be JSON.
    """

    path: str
    params: Mapping[str, Any] | Sequence[tuple[str, Any]] = field(default_factory=dict)
    data: Any = None
    method: str | None = None
    raw: bool = False


class Web:
    """A client of one server.

    :param options: `url`, and the others of :func:`web_spec`, by their names there.
    :param deadline: seconds from now that all requests together may take.
    :param headers: sent with each request; secret ones, such as an API key, are never shown.
    :raises OptionError: an option is wrong, a file of authorities cannot be read.
    """

    def __init__(self, options: Mapping[str, Any], deadline: float, headers: Mapping[str, str] | None = None) -> None:
        given = {key: options.get(key) for key in ("username", "password", "token", "connect_to", "validate_certs")}
        self.base = str(options.get("url") or "").rstrip("/")
        split_url(self.base)
        if "?" in self.base or "#" in self.base:
            raise OptionError(f"url: want the address of the server without a query, got {self.base!r}")
        given.update(
            name="api",
            url=self.base,
            ca_path=options.get("ca_path"),
            timeout=options.get("timeout"),
            max_body=MAX_BODY,
            secret_headers=dict(headers or {}),
        )
        try:
            self.endpoint: Endpoint = parse([given], {})[0]
            self._contexts = Contexts()
            if self.base.startswith("https:"):
                self._contexts.get(self.endpoint)
        except OptionError as error:
            raise OptionError(str(error).replace("endpoints: api: ", "")) from error
        self._resolver = Resolver()
        self.end = time.monotonic() + deadline

    @property
    def place(self) -> str:
        """Host and port, for people."""
        _scheme, host, port, _target = split_url(self.base)
        return f"{host}:{port}"

    def remaining(self) -> float:
        """Seconds that are left, never less than 0."""
        return max(self.end - time.monotonic(), 0.0)

    def get(self, path: str, params: Mapping[str, Any] | Sequence[tuple[str, Any]] = (), raw: bool = False) -> Answer:
        """Ask for a path (``/api/v1/query``) below the base URL."""
        return self.ask(Request(path, params, raw=raw))

    def post(self, path: str, data: Any, params: Mapping[str, Any] | Sequence[tuple[str, Any]] = ()) -> Answer:
        """Send JSON to a path below the base URL."""
        return self.ask(Request(path, params, data=data))

    def ask(self, request: Request) -> Answer:
        """One request. Never raises for what the server does."""
        began = time.monotonic()
        url = self.base + request.path
        query = urlencode(list(_pairs(request.params)), doseq=True)
        if query:
            url += ("&" if "?" in url else "?") + query
        exchange = Exchange(url)
        try:
            self._send(request, url, exchange, began)
        except Failure as failure:
            return Answer(exchange.status, error=_error(failure), ms=_since(began))
        except OptionError as error:
            return Answer(error={"kind": OTHER, "text": str(error)}, ms=_since(began))
        return _read(exchange, request.raw, _since(began))

    def many(self, requests: Sequence[Request]) -> list[Answer]:
        """Requests side by side; answers in the order of the requests. Past the deadline the rest are time-outs."""
        late = {"kind": TIMEOUT, "text": "not answered before the deadline"}
        answers = [Answer(error=late) for _request in requests]
        places = iter(range(len(requests)))
        lock = threading.Lock()

        def work() -> None:
            while True:
                with lock:
                    place = next(places, None)
                if place is None or not self.remaining():
                    return
                answers[place] = self.ask(requests[place])

        threads = [threading.Thread(target=work, daemon=True) for _one in range(min(MOST_THREADS, len(requests)))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(self.remaining() + 0.2)
        return list(answers)

    def _send(self, request: Request, url: str, exchange: Exchange, began: float) -> None:
        target = split_url(url)
        headers = {
            "Accept": "*/*" if request.raw else "application/json",
            "User-Agent": AGENT,
            "Connection": "close",
            **self.endpoint.secret_headers,
        }
        body = None
        if request.data is not None:
            body = json.dumps(request.data).encode("utf-8")
            headers["Content-Type"] = "application/json"
        place = (self.endpoint.connect_host or target[1], self.endpoint.connect_port or target[2])
        until = min(self.end, began + self.endpoint.timeout)
        if time.monotonic() >= until:
            raise Failure("connect", "timeout", "the deadline was over before this was asked")
        method = request.method or ("GET" if body is None else "POST")
        endpoint = replace(self.endpoint, url=url)
        send(endpoint, target, method, headers, body, place, until, self._resolver, self._contexts, exchange)


def web_spec(timeout: float = 5.0) -> ArgSpec:
    """The options of every module that speaks with an HTTP API (doc fragment `web`)."""
    return ArgSpec(
        {
            "url": {"type": "str"},
            "token": {"type": "str", "no_log": True},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "ca_path": {"type": "path"},
            "validate_certs": {"type": "bool", "default": True},
            "connect_to": {"type": "str"},
            "timeout": {"type": "float", "default": timeout},
        },
        mutually_exclusive=[("token", "username")],
        required_together=[("username", "password")],
    )


_WORDS = {
    REFUSED: (CRITICAL, "refuses connections"),
    SILENT: (CRITICAL, "takes connections and does not answer"),
    TIMEOUT: (UNKNOWN, "does not answer at all (time-out, or no route)"),
    DNS: (UNKNOWN, "cannot be found: its name is not in the DNS"),
    OTHER: (UNKNOWN, "could not be looked at"),
}
_GATEWAY = (502, 503, 504)


def outage(status: Any, error: Any) -> tuple[str, str] | None:
    """Whether an answer means that the whole system is not there: the status of such a finding, and what it does.

    :param status: HTTP status of the answer; error: its error, as an observation keeps it.
    :returns: None where the system answered, be it with a refusal; trouble with TLS is a disagreement, not an outage.
    """
    kind = error.get("kind") if isinstance(error, Mapping) else None
    if isinstance(kind, str) and kind in _WORDS:
        return _WORDS[kind]
    if kind == STATUS and status in _GATEWAY:
        return CRITICAL, f"is gone: what stands before it answers {status}"
    if kind in (GARBAGE, LARGE):
        return CRITICAL, "is not what answers there"
    return None


def _pairs(params: Mapping[str, Any] | Sequence[tuple[str, Any]]) -> Sequence[tuple[str, Any]]:
    found = params.items() if isinstance(params, Mapping) else params
    return [(str(key), value) for key, value in found if value is not None]


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)


def _error(failure: Failure) -> dict[str, str]:
    """A failed request in the words of this file."""
    kind = OTHER
    if failure.phase == "dns":
        kind = TIMEOUT if failure.kind == "timeout" else DNS
    elif failure.phase == "connect":
        kind = {"refused": REFUSED, "reset": REFUSED, "timeout": TIMEOUT, "unreachable": TIMEOUT}.get(
            failure.kind, OTHER
        )
    elif failure.phase == "tls":
        kind = SILENT if failure.kind in ("timeout", "closed", "reset") else TLS
    elif failure.phase == "answer":
        kind = SILENT if failure.kind in ("timeout", "closed", "reset") else GARBAGE
    elif failure.phase == "body":
        kind = SILENT if failure.kind == "timeout" else GARBAGE
    return {"kind": kind, "text": redact_text(failure.text)}


def _read(exchange: Exchange, raw: bool, ms: float) -> Answer:
    status = exchange.status or 0
    body = bytes(exchange.body)
    data, wrong = None, ""
    if exchange.cut:
        wrong = "the answer is larger than %d bytes" % MAX_BODY
    elif not raw or _is_json(exchange):
        try:
            data = json.loads(body.decode("utf-8"), parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            wrong = f"the answer is no JSON: {error}" if body else "the answer is empty"
    text = "" if data is not None else redact_text(body.decode("utf-8", "replace")[: 65536 if raw else 300])
    if not 200 <= status < 300:
        kind = DENIED if status in (401, 403) else STATUS
        return Answer(status, data, text, {"kind": kind, "text": _said(exchange, data, body)}, ms)
    if exchange.cut or (wrong and not raw):
        return Answer(status, None, text, {"kind": LARGE if exchange.cut else GARBAGE, "text": wrong}, ms)
    return Answer(status, data, text, None, ms)


def _is_json(exchange: Exchange) -> bool:
    return "json" in exchange.headers.get("content-type", "")


def _no_number(_name: str) -> None:
    """NaN and Infinity are no JSON; what some servers write for "no value" is read as that."""


def _said(exchange: Exchange, data: Any, body: bytes) -> str:
    """Status and what the server says about it, in one line."""
    said: Any = data
    for key in ("error", "message", "reason", "errorType"):
        if isinstance(said, Mapping) and said.get(key):
            said = said[key]
    if isinstance(said, Mapping) and said.get("reason"):
        said = said["reason"]
    words = said if isinstance(said, str) else printable(body)
    if exchange.location:
        words = f"redirects to {exchange.location}"
    head = f"status {exchange.status} {exchange.reason}".strip()
    return redact_text(" ".join(f"{head}: {words}".split()))[:300] if words else head

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to ask an endpoint and what to expect of it: the module's options, checked and made plain."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .._core.errors import OptionError
from .._core.threshold import nearest

FOLLOW = ("none", "same_host", "all")
ASSERTIONS = ("path", "equals", "in", "min", "max", "exists")
MAX_SAMPLES = 100

_STATUS = re.compile(r"^(?:(\d{3})|(\d{3})-(\d{3})|([1-5])xx)$", re.IGNORECASE)
_CONNECT_TO = re.compile(
    r"^(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:/\s]+)|(?P<bare>[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*))(?::(?P<port>\d{1,5}))?$"
)
_HEADER_NAME = re.compile(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
_METHOD = re.compile(r"^[A-Z]{1,20}$")


@dataclass(frozen=True)
class Endpoint:
    """One endpoint, ready to be asked. Secrets are in `secret_headers` only, and never leave through `public`."""

    name: str
    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    secret_headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    status: tuple[tuple[int, int], ...] = ((200, 299),)
    json: tuple[Mapping[str, Any], ...] = ()
    text: tuple[str, ...] = ()
    validate_certs: bool = True
    ca_path: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    server_name: str | None = None
    connect_host: str | None = None
    connect_port: int | None = None
    timeout: float = 5.0
    samples: int = 3
    follow: str = "same_host"
    max_body: int = 1 << 20
    service: str | None = None

    def public(self) -> dict[str, Any]:
        """What a recording keeps of the endpoint: no secret, only what judging needs."""
        return {
            "name": self.name,
            "url": self.url,
            "method": self.method,
            "service": self.service,
            "status": [list(pair) for pair in self.status],
            "timeout": self.timeout,
            "samples": self.samples,
            "follow_redirects": self.follow,
            "connect_to": self.connect_host,
            "tls": self.url.startswith("https:"),
            "content": bool(self.json or self.text),
        }


def parse(endpoints: Sequence[Mapping[str, Any]], defaults: Mapping[str, Any]) -> list[Endpoint]:
    """Check the `endpoints` option and lay each entry over the module-wide defaults.

    :param defaults: ``timeout`` (s), ``samples``, ``ca_path`` of the module.
    :raises OptionError: names the endpoint, the key and what was wanted.
    """
    found: list[Endpoint] = []
    names: dict[str, int] = {}
    for place, given in enumerate(endpoints, 1):
        name = str(given.get("name") or "")
        if not name or "/" in name:
            raise OptionError("endpoints: entry %d: want a name without '/', got %r" % (place, name))
        if name in names:
            raise OptionError("endpoints: entries %d and %d are both called %r" % (names[name], place, name))
        names[name] = place
        try:
            found.append(_endpoint(name, given, defaults))
        except OptionError as error:
            raise OptionError(f"endpoints: {name}: {error}") from error
    return found


def split_url(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and request target of an absolute http(s) URL.

    :raises OptionError: another scheme, no host, a bad port, or a user name in the URL.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise OptionError(f"url {url!r} is no URL: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise OptionError(f"url: want http://… or https://… with a host, got {url!r}")
    if parts.username is not None or parts.password is not None:
        raise OptionError("url: a user name or password does not belong in a URL; use username and password")
    if re.search(r"[\x00-\x20\x7f]", url):
        raise OptionError(f"url {url!r} has blanks or control characters; encode them (%20)")
    try:
        url.encode("ascii")
        host.encode("idna")
    except UnicodeError as error:
        raise OptionError(f"url {url!r}: encode what is not ASCII (%C3%A4, xn--…)") from error
    target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    return parts.scheme, host, port or (443 if parts.scheme == "https" else 80), target


def _endpoint(name: str, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> Endpoint:
    url = str(given.get("url") or "")
    split_url(url)
    method = str(given.get("method") or "GET").upper()
    if not _METHOD.match(method):
        raise OptionError("method: want a word such as GET, got {!r}".format(given.get("method")))
    headers = _headers("headers", given.get("headers"))
    secret = _headers("secret_headers", given.get("secret_headers"))
    secret.update(_authorization(given))
    twice = {one.lower() for one in headers} & {one.lower() for one in secret}
    if twice:
        raise OptionError("header {} is given twice, in headers and as a secret".format(", ".join(sorted(twice))))
    follow = str(given.get("follow_redirects") or "same_host")
    if follow not in FOLLOW:
        raise OptionError(
            "follow_redirects: want one of {}, got {!r}{}".format(", ".join(FOLLOW), follow, nearest(follow, FOLLOW))
        )
    connect_host, connect_port = _connect_to(given.get("connect_to"))
    body = given.get("body")
    if given.get("client_key") and not given.get("client_cert"):
        raise OptionError("client_key wants client_cert, too")
    return Endpoint(
        name=name,
        url=url,
        method=method,
        headers=headers,
        secret_headers=secret,
        body=None if body is None else str(body).encode("utf-8"),
        status=_statuses(given.get("status")),
        json=_assertions(given.get("json") or ()),
        text=tuple(str(one) for one in given.get("text") or ()),
        validate_certs=given.get("validate_certs") is not False,
        ca_path=_readable("ca_path", given.get("ca_path") or defaults.get("ca_path")),
        client_cert=_readable("client_cert", given.get("client_cert")),
        client_key=_readable("client_key", given.get("client_key")),
        server_name=given.get("server_name") or None,
        connect_host=connect_host,
        connect_port=connect_port,
        timeout=_number("timeout", _first(given.get("timeout"), defaults.get("timeout"), 5.0), 0.001, 3600),
        samples=int(_number("samples", _first(given.get("samples"), defaults.get("samples"), 3), 1, MAX_SAMPLES)),
        follow=follow,
        max_body=int(_number("max_body", _first(given.get("max_body"), 1 << 20), 0, 1 << 30)),
        service=given.get("service") or None,
    )


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _number(key: str, value: Any, low: float, high: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise OptionError(f"{key}: want a number, got {value!r}") from error
    if not low <= number <= high:
        raise OptionError(f"{key}: want {low:g} to {high:g}, got {value}")
    return number


def _headers(key: str, given: Any) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in (given or {}).items():
        if not _HEADER_NAME.match(str(name)):
            raise OptionError(f"{key}: {name!r} is no header name")
        if re.search(r"[\r\n\x00]", str(value)):
            # The value may be a secret: it is not repeated here.
            raise OptionError(f"{key}: the value of {name} has a line break")
        headers[str(name)] = str(value)
    return headers


def _authorization(given: Mapping[str, Any]) -> dict[str, str]:
    if given.get("token") and given.get("username"):
        raise OptionError("token and username exclude each other")
    if given.get("token"):
        return _headers("token", {"Authorization": "Bearer {}".format(given["token"])})
    if given.get("username"):
        import base64

        pair = ("{}:{}".format(given["username"], given.get("password") or "")).encode("utf-8")
        return {"Authorization": "Basic " + base64.b64encode(pair).decode("ascii")}
    if given.get("password"):
        raise OptionError("password wants username, too")
    return {}


def _connect_to(given: Any) -> tuple[str | None, int | None]:
    if not given:
        return None, None
    match = _CONNECT_TO.match(str(given))
    if not match or (match["port"] and not 0 < int(match["port"]) < 65536):
        raise OptionError(f"connect_to: want address, address:port or [IPv6]:port, got {given!r}")
    return match["v6"] or match["host"] or match["bare"], int(match["port"]) if match["port"] else None


def _statuses(given: Any) -> tuple[tuple[int, int], ...]:
    ranges: list[tuple[int, int]] = []
    for one in given or ("200-299",):
        match = _STATUS.match(str(one).strip())
        if not match:
            raise OptionError(f"status: want 200, 200-299 or 2xx, got {one!r}")
        if match[1]:
            pair = (int(match[1]), int(match[1]))
        elif match[4]:
            pair = (int(match[4]) * 100, int(match[4]) * 100 + 99)
        else:
            pair = (int(match[2]), int(match[3]))
        if pair[0] > pair[1]:
            raise OptionError(f"status: {one} is the wrong way round")
        ranges.append(pair)
    return tuple(ranges)


def _assertions(given: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    found = []
    for one in given:
        asked = {key: value for key, value in one.items() if value is not None}
        for key in asked:
            if key not in ASSERTIONS:
                raise OptionError(f"json: no assertion is called {key!r}{nearest(key, ASSERTIONS)}")
        if not asked.get("path"):
            raise OptionError("json: each assertion wants a path such as checks.postgresql.status")
        if len(asked) < 2:
            asked["exists"] = True
        for key in ("min", "max"):
            if key in asked:
                asked[key] = _number("json: {}: {}".format(asked["path"], key), asked[key], float("-inf"), float("inf"))
        found.append(asked)
    return tuple(found)


def _readable(key: str, path: Any) -> str | None:
    if not path:
        return None
    if not os.access(str(path), os.R_OK):
        raise OptionError(f"{key}: cannot read {path}")
    return str(path)

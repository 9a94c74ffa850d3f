# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where certificates are: the module's options, checked and made plain."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .._core.errors import OptionError
from .._core.threshold import nearest

ENDPOINT = "endpoint"
FILE = "file"
SECRET = "secret"  # noqa: S105  # the kind of a source
KUBECONFIG = "kubeconfig"

STARTTLS = ("smtp", "imap", "pop3", "ldap", "postgres")
# Scheme -> port, and what is said before the handshake.
_SCHEMES: dict[str, tuple[int, str | None]] = {
    "https": (443, None),
    "tls": (443, None),
    "smtps": (465, None),
    "imaps": (993, None),
    "pop3s": (995, None),
    "ldaps": (636, None),
    "smtp": (25, "smtp"),
    "imap": (143, "imap"),
    "pop3": (110, "pop3"),
    "ldap": (389, "ldap"),
    "postgres": (5432, "postgres"),
    "postgresql": (5432, "postgres"),
}
_PLACE = re.compile(r"^(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:/\s]+)|(?P<bare>[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*))(?::(?P<port>\d{1,5}))?$")  # fmt: skip  # noqa: E501
_NAME = re.compile(r"^[^/\x00-\x1f\x7f]+$")
_KUBE_NAME = re.compile(r"^[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?$")


@dataclass(frozen=True)
class SecretRef:
    """A TLS Secret, or without a name all of a namespace."""

    namespace: str
    name: str | None
    kubeconfig: str | None
    context: str | None

    @property
    def where(self) -> str:
        """For people: ``us-east-1 nexus-platform/api-tls``."""
        place = f"{self.namespace}/{self.name}" if self.name else f"namespace {self.namespace}"
        return f"{self.context} {place}" if self.context else place


@dataclass(frozen=True)
class Source:
    """One place with a certificate. Where it is an endpoint, `file` or `secret` is what it should serve."""

    name: str
    kind: str
    host: str | None = None
    port: int = 443
    connect_host: str | None = None
    connect_port: int | None = None
    starttls: str | None = None
    server_name: str | None = None
    file: str | None = None
    secret: SecretRef | None = None
    kubeconfig: str | None = None
    ca_path: str | None = None
    trust: bool = True
    timeout: float = 5.0
    service: str | None = None

    @property
    def where(self) -> str:
        """What was asked for, for people."""
        if self.kind == ENDPOINT:
            return "%s:%d" % (f"[{self.host}]" if ":" in str(self.host) else self.host, self.port)
        if self.kind == SECRET and self.secret:
            return self.secret.where
        return str(self.file or self.kubeconfig)

    @property
    def asked_name(self) -> str | None:
        """The name that the certificate must have; None where nobody asks for one."""
        return self.server_name or (self.host if self.kind == ENDPOINT else None)

    def public(self) -> dict[str, Any]:
        """What a recording keeps of it. No key is called after a secret, or its value would be taken out."""
        return {
            "name": self.name,
            "kind": self.kind,
            "where": self.where,
            "asked_name": self.asked_name,
            "starttls": self.starttls,
            "connect_to": self.connect_host,
            "trust": self.trust,
            "timeout": self.timeout,
            "service": self.service,
        }


def parse(sources: Sequence[Mapping[str, Any]], defaults: Mapping[str, Any]) -> list[Source]:
    """Check the `sources` option and lay each entry over the module-wide defaults.

    :param defaults: ``timeout`` (s), ``ca_path``, ``kubeconfig``, ``context`` of the module.
    :raises OptionError: names the source, the key and what was wanted.
    """
    found: list[Source] = []
    names: dict[str, int] = {}
    for place, given in enumerate(sources, 1):
        name = str(given.get("name") or "")
        if not _NAME.match(name):
            raise OptionError("sources: entry %d: want a name without '/', got %r" % (place, name))
        if name in names:
            raise OptionError("sources: entries %d and %d are both called %r" % (names[name], place, name))
        names[name] = place
        try:
            found.append(_source(name, given, defaults))
        except OptionError as error:
            raise OptionError(f"sources: {name}: {error}") from error
    return found


def _source(name: str, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> Source:
    if given.get("url") and given.get("host"):
        raise OptionError("url and host exclude each other")
    secret = _secret(given.get("secret"), defaults)
    endpoint = bool(given.get("url") or given.get("host"))
    others = [key for key in ("file", "secret", "kubeconfig") if given.get(key)]
    if len(others) > 1:
        raise OptionError("{} exclude each other".format(" and ".join(others)))
    if not endpoint and not others:
        raise OptionError("want one of url, host, file, secret, kubeconfig")
    if endpoint and given.get("kubeconfig"):
        raise OptionError("kubeconfig does not go with an endpoint; one in a Secret is named by secret.kubeconfig")
    if endpoint and secret and not secret.name:
        raise OptionError("secret: want the name of the one Secret that is served")
    if not endpoint:
        for key in ("port", "starttls", "connect_to"):
            if given.get(key):
                raise OptionError(f"{key} wants url or host")
    host, port, starttls = _place(given) if endpoint else (None, 443, None)
    connect_host, connect_port = _connect_to(given.get("connect_to"))
    return Source(
        name=name,
        kind=ENDPOINT if endpoint else others[0],
        host=host,
        port=port,
        connect_host=connect_host,
        connect_port=connect_port,
        starttls=starttls,
        server_name=_host("server_name", given["server_name"]) if given.get("server_name") else None,
        file=str(given["file"]) if given.get("file") else None,
        secret=secret,
        kubeconfig=str(given["kubeconfig"]) if given.get("kubeconfig") else None,
        ca_path=_readable(given.get("ca_path") or defaults.get("ca_path")),
        trust=given.get("trust") is not False,
        timeout=_seconds(given.get("timeout") if given.get("timeout") is not None else defaults.get("timeout", 5.0)),
        service=given.get("service") or None,
    )


def _place(given: Mapping[str, Any]) -> tuple[str, int, str | None]:
    """Host, port and STARTTLS protocol."""
    starttls = given.get("starttls") or None
    if given.get("url"):
        host, port, by_scheme = split_url(str(given["url"]))
        if starttls and by_scheme and starttls != by_scheme:
            raise OptionError(f"starttls: {starttls} does not go with the url {given['url']!r}")
        starttls = starttls or by_scheme
        if given.get("port"):
            raise OptionError("port: it belongs into the url")
    else:
        host = _host("host", given["host"])
        port = next((usual for usual, said in _SCHEMES.values() if said and said == starttls), 443)
        if given.get("port") is not None:
            port = _port(given["port"])
    if starttls is not None and starttls not in STARTTLS:
        raise OptionError(
            "starttls: want one of {}, got {!r}{}".format(", ".join(STARTTLS), starttls, nearest(starttls, STARTTLS))
        )
    return host, port, starttls


def split_url(url: str) -> tuple[str, int, str | None]:
    """Host, port and STARTTLS protocol of a URL.

    :raises OptionError: another scheme, no host, a bad port, or a user name in the URL.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise OptionError(f"url {url!r} is no URL: {error}") from error
    if parts.scheme not in _SCHEMES or not host:
        raise OptionError(
            "url: want {}://… with a host, got {!r}".format("://…, ".join(sorted(_SCHEMES)), url)
            + nearest(parts.scheme, _SCHEMES)
        )
    if parts.username is not None or parts.password is not None:
        raise OptionError("url: nobody logs in, so a user name or password does not belong here")
    usual, starttls = _SCHEMES[parts.scheme]
    return _host("url", host), usual if port is None else _port(port), starttls


def _host(key: str, given: Any) -> str:
    host = str(given).strip()
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not host or re.search(r"[\s/\x00-\x1f\x7f\[\]]", host) or len(host) > 253:
        raise OptionError(f"{key}: want a host name or an address, got {given!r}")
    try:
        host.encode("idna")
    except UnicodeError as error:
        raise OptionError(f"{key}: {given!r} is no host name: {error}") from error
    return host


def _port(given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not 0 < given < 65536:
        raise OptionError(f"port: want 1 to 65535, got {given!r}")
    return given


def _connect_to(given: Any) -> tuple[str | None, int | None]:
    if not given:
        return None, None
    match = _PLACE.match(str(given))
    if not match or (match["port"] and not 0 < int(match["port"]) < 65536):
        raise OptionError(f"connect_to: want address, address:port or [IPv6]:port, got {given!r}")
    return match["v6"] or match["host"] or match["bare"], int(match["port"]) if match["port"] else None


def _secret(given: Any, defaults: Mapping[str, Any]) -> SecretRef | None:
    if not given:
        return None
    namespace, name = str(given.get("namespace") or ""), str(given.get("name") or "")
    if not _KUBE_NAME.match(namespace):
        raise OptionError(f"secret: want a namespace, got {namespace!r}")
    if name and not _KUBE_NAME.match(name):
        raise OptionError(f"secret: {name!r} is no name of a Secret")
    return SecretRef(
        namespace,
        name or None,
        given.get("kubeconfig") or defaults.get("kubeconfig") or None,
        given.get("context") or (None if given.get("kubeconfig") else defaults.get("context")) or None,
    )


def _seconds(given: Any) -> float:
    try:
        number = float(given)
    except (TypeError, ValueError) as error:
        raise OptionError(f"timeout: want a number, got {given!r}") from error
    if not math.isfinite(number) or not 0.001 <= number <= 3600:
        raise OptionError(f"timeout: want 0.001 to 3600, got {given}")
    return number


def _readable(path: Any) -> str | None:
    if not path:
        return None
    if not os.access(str(path), os.R_OK):
        raise OptionError(f"ca_path: cannot read {path}")
    return str(path)

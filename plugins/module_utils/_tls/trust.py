# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a chain lead to a trusted authority, and if not, where does it break off?

The library's own verifier (cryptography.x509.verification) keeps the rules of the public web: it refuses the roots of
many a private authority for what every client of theirs accepts, and says of a failure no more than that there was one.
Here the path is walked step by step, as OpenSSL does, so that it can be told which signature is missing. Dates of
certificates are a question of their own (certificate.expiry); only an authority of the store that has expired leads
nowhere.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
import ssl
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._core.errors import OptionError
from .certs import Cert, NoCertificate, extension, issued, library, load, split

_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_LONGEST = 12
_SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
_ANY_PURPOSE = "2.5.29.37.0"
_CERTIFICATE_FILE = re.compile(r"\.(?:pem|crt|cer|\d+)$")


class Store:
    """Authorities that are trusted, by subject."""

    def __init__(self, authorities: Iterable[Cert], where: str) -> None:
        self.where = where
        self.by_subject: dict[bytes, list[Cert]] = {}
        self.prints: set[str] = set()
        for one in authorities:
            if one.sha256 not in self.prints:
                self.prints.add(one.sha256)
                self.by_subject.setdefault(one.subject, []).append(one)

    def __len__(self) -> int:
        return len(self.prints)


def open_store(path: str | None) -> Store:
    """The authorities of a file or folder; of the system where there is no path.

    :raises OptionError: nothing in it. A broken certificate among good ones is passed over.
    """
    where = path or _system()
    if where is None:
        raise OptionError("ca_path: the system has no authorities where they are usually kept; name a file")
    found: list[Cert] = []
    for file in _files(where):
        try:
            with open(file, "rb") as stream:
                ders = split(stream.read())
        except (OSError, NoCertificate):
            continue
        for der in ders:
            try:
                found += load([der])
            except NoCertificate:
                continue
    if not found:
        raise OptionError(f"ca_path: {where} holds no certificate")
    return Store(found, where)


def _system() -> str | None:
    paths = ssl.get_default_verify_paths()
    for place in (paths.cafile, *_BUNDLES):
        if place and os.path.isfile(place):
            return place
    return paths.capath


def _files(where: str) -> list[str]:
    if not os.path.isdir(where):
        return [where]
    names = sorted(name for name in os.listdir(where) if _CERTIFICATE_FILE.search(name))
    return sorted({os.path.realpath(os.path.join(where, name)) for name in names})


def judge_path(
    chain: Sequence[Cert], store: Store, pool: Mapping[bytes, Sequence[Cert]], now: datetime.datetime, server: bool
) -> dict[str, Any]:
    """Follow the signatures from the first certificate of a chain.

    :param pool: authorities that were seen elsewhere in this look, by subject: one of them may be what is missing here.
    :param server: whether the certificate must be good for servers.
    :returns: ``kind`` (``trusted``, ``self_signed``, ``unknown``, ``forged``, ``missing``, ``limits``, ``purpose``,
        ``expired``, ``unchecked``), ``text``, and ``path``: the subjects on the way.
    """
    leaf = chain[0]
    if leaf.sha256 in store.prints:
        return _verdict("trusted", "it is itself among the trusted ones", [leaf])
    if server and not _for_servers(leaf):
        return _verdict("purpose", "it is not made for servers (extended key usage)", [leaf])
    path, trouble = _walk(leaf, list(chain[1:]), store, now)
    if trouble is None:
        return _limits(path)
    kind, text = trouble
    last = path[-1]
    if kind == "unknown":
        # Would it lead to a trusted authority, with what other servers send?
        further, elsewhere = _walk(last, [one for group in pool.values() for one in group], store, now)
        missing = [one.plain["subject"] for one in further[1:-1]]
        if elsewhere is None and missing:
            return _verdict("missing", "the intermediate {} is not sent".format(", ".join(missing)), path)
        if last.plain["issuer_urls"]:
            text = "the issuer {} is not sent; it can be had from {}".format(
                last.plain["issuer"], last.plain["issuer_urls"][0]
            )
            return _verdict("missing", text, path)
    return _verdict(kind, text, path)


def _verdict(kind: str, text: str, path: Sequence[Cert]) -> dict[str, Any]:
    return {"kind": kind, "text": text, "path": [one.plain["subject"] for one in path]}


def _walk(
    start: Cert, others: list[Cert], store: Store, now: datetime.datetime
) -> tuple[list[Cert], tuple[str, str] | None]:
    """From a certificate to an authority; the path, and why it does not end at a trusted one."""
    path = [start]
    while len(path) < _LONGEST:
        last = path[-1]
        named = store.by_subject.get(last.issuer, [])
        anchors = [one for one in named if issued(last, one)]
        good = [one for one in anchors if one.parsed.not_valid_after_utc >= now]
        if good:
            return [*path, good[0]], None
        if anchors:
            return path, ("expired", "the authority {} expired on {}".format(
                anchors[0].plain["subject"], anchors[0].plain["not_after"]))  # fmt: skip
        if last.plain["self_signed"]:
            if len(path) == 1:
                return path, ("self_signed", "it is signed by itself")
            return path, (
                "unknown_root",
                "its authority {} is not among the trusted ones".format(last.plain["subject"]),
            )
        taken = {one.sha256 for one in path}
        following = next((one for one in others if one.sha256 not in taken and issued(last, one)), None)
        if following is None:
            if named:
                return path, ("forged", "an authority called {} is trusted, and did not sign it".format(
                    last.plain["issuer"]))  # fmt: skip
            return path, ("unknown", "its issuer {} is neither sent nor trusted".format(last.plain["issuer"]))
        path.append(following)
    return path, ("limits", "the chain has no end")


def _for_servers(leaf: Cert) -> bool:
    usage = extension(leaf.parsed, "ExtendedKeyUsage")
    return usage is None or any(one.dotted_string in (_SERVER_AUTH, _ANY_PURPOSE) for one in usage)


def _limits(path: Sequence[Cert]) -> dict[str, Any]:
    """What the authorities on a path may sign: constraints of kind, length and names."""
    leaf = path[0]
    for depth, authority in enumerate(path[1:]):
        who = authority.plain["subject"]
        if path[depth].signed_by(authority) is None:
            text = "the signature ({}) of {} cannot be checked".format(path[depth].plain["signature"], who)
            return _verdict("unchecked", text, path)
        basic = extension(authority.parsed, "BasicConstraints")
        anchor = depth == len(path) - 2
        if (basic is None and not anchor) or (basic is not None and not basic.ca):
            return _verdict("limits", f"{who} signed it, and is no authority", path)
        usage = extension(authority.parsed, "KeyUsage")
        if usage is not None and not usage.key_cert_sign:
            return _verdict("limits", f"{who} may sign no certificates (key usage)", path)
        below = sum(1 for one in path[1 : depth + 1] if one.subject != one.issuer)
        if basic is not None and basic.path_length is not None and below > basic.path_length:
            text = "%s may have %d authorities below it, and has %d" % (who, basic.path_length, below)
            return _verdict("limits", text, path)
        outside = _outside(leaf, authority)
        if outside:
            return _verdict("limits", f"{who} may not sign for {outside} (name constraints)", path)
    return _verdict("trusted", "", path)


def _outside(leaf: Cert, authority: Cert) -> str | None:
    """A name of a certificate that its authority may not sign for."""
    limits = extension(authority.parsed, "NameConstraints")
    if limits is None:
        return None
    x509 = library()
    for kind, names, covers in (
        (x509.DNSName, leaf.plain["names"], _covers_name),
        (x509.IPAddress, leaf.plain["addresses"], _covers_address),
    ):
        allowed = [one.value for one in limits.permitted_subtrees or () if isinstance(one, kind)]
        refused = [one.value for one in limits.excluded_subtrees or () if isinstance(one, kind)]
        for name in names:
            if any(covers(one, name) for one in refused):
                return str(name)
            if allowed and not any(covers(one, name) for one in allowed):
                return str(name)
    return None


def _covers_name(domain: Any, name: str) -> bool:
    tree, name = str(domain).lower().lstrip("."), name.lower()
    return not tree or name == tree or name.endswith("." + tree)


def _covers_address(network: Any, address: str) -> bool:
    try:
        return ipaddress.ip_address(address) in network
    except (ValueError, TypeError):
        return False

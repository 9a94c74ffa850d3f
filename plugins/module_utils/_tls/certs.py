# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates as plain values. Only here and in `trust` the library cryptography is spoken to."""

from __future__ import annotations

import base64
import binascii
import datetime
import functools
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .._core.deps import need

_BLOCK = re.compile(
    rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----(.*?)-----END (?:X509 |TRUSTED )?CERTIFICATE-----", re.S
)
_KIND = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")
_MOST = 5000
_MOST_NAMES = 200
_MOST_TEXT = 300
_CA_ISSUERS = "1.3.6.1.5.5.7.48.2"
# Bits of RSA that are as strong (NIST SP 800-57 part 1, table 2).
_CURVE_AS_RSA = ((521, 15360), (384, 7680), (256, 3072), (224, 2048), (192, 1024), (160, 1024), (0, 512))


class NoCertificate(ValueError):
    """Bytes that hold no certificate, or one that cannot be read; the text says what is wrong."""


@dataclass
class Cert:
    """A certificate that was read: the library's object for signatures, and the plain values that are kept of it."""

    der: bytes
    parsed: Any
    plain: dict[str, Any] = field(default_factory=dict)
    _signers: dict[bytes, bool | None] = field(default_factory=dict)

    def signed_by(self, issuer: Cert) -> bool | None:
        """:func:`signed`, asked once for each issuer."""
        if issuer.der not in self._signers:
            self._signers[issuer.der] = signed(self.parsed, issuer.parsed)
        return self._signers[issuer.der]

    @property
    def sha256(self) -> str:
        return str(self.plain["sha256"])

    @property
    def subject(self) -> bytes:
        return bytes(self.parsed.subject.public_bytes())

    @property
    def issuer(self) -> bytes:
        return bytes(self.parsed.issuer.public_bytes())


@functools.cache
def library(part: str = "x509") -> Any:
    """A part of the library, looked for once: finding out its version takes longer than reading a certificate.

    :raises OptionError: not there, or too old.
    """
    need("cryptography", "42")
    return need(f"cryptography.{part}", "0", "cryptography")


def split(data: bytes) -> list[bytes]:
    """The certificates of a file, in DER. What else it holds (keys, texts) is passed over and not kept.

    :raises NoCertificate: none in it, or a broken one.
    """
    found = []
    for place, block in enumerate(_BLOCK.findall(data)[:_MOST], 1):
        try:
            found.append(base64.b64decode(b"".join(block.split()), validate=True))
        except (binascii.Error, ValueError) as error:
            raise NoCertificate("certificate %d in it is no base64" % place) from error
    if found:
        return found
    if data[:1] == b"\x30" and len(data) > 100:
        return [data]
    if not data.strip():
        raise NoCertificate("it is empty")
    if b"-----BEGIN CERTIFICATE-----" in data:
        raise NoCertificate("the certificate in it is cut off")
    if b"-----BEGIN" in data:
        kinds = sorted({one.decode("ascii") for one in _KIND.findall(data)})
        raise NoCertificate("it holds no certificate, only: {}".format(", ".join(kinds[:5])))
    raise NoCertificate("it holds no certificate in PEM or DER")


def load(ders: Sequence[bytes]) -> list[Cert]:
    """Read certificates.

    :raises NoCertificate: one of them is no certificate.
    """
    x509 = library()
    found = []
    for place, der in enumerate(ders, 1):
        try:
            parsed = x509.load_der_x509_certificate(der)
            found.append(Cert(der, parsed, _plain(parsed, der)))
        except Exception as error:  # the library has no common class for what hostile bytes cause
            said = " ".join(str(error).split())[:200]
            raise NoCertificate("certificate %d cannot be read: %s" % (place, said or type(error).__name__)) from error
    for cert in found:
        cert.plain["issued_by"] = _issuer_in(cert, found)
    return found


def issued(cert: Cert, issuer: Cert) -> bool:
    """Whether one signed the other: by names and signature, or by key identifiers where that cannot be checked."""
    if cert.issuer != issuer.subject:
        return False
    good = cert.signed_by(issuer)
    if good is None:
        wanted, given = (
            extension(cert.parsed, "AuthorityKeyIdentifier"),
            extension(issuer.parsed, "SubjectKeyIdentifier"),
        )
        return wanted is None or given is None or wanted.key_identifier == given.digest
    return good


def signed(parsed: Any, issuer: Any) -> bool | None:
    """Whether a signature is that of an issuer's key; None where the library cannot check such a one."""
    invalid = library("exceptions").InvalidSignature
    for check in (_signed_as_now, _signed_as_once):
        try:
            check(parsed, issuer)
            return True
        except invalid:
            return False
        except Exception:  # noqa: BLE001, S112  # no such algorithm
            continue
    return None


def _signed_as_now(parsed: Any, issuer: Any) -> None:
    parsed.verify_directly_issued_by(issuer)


def _signed_as_once(parsed: Any, issuer: Any) -> None:
    """SHA-1 and MD5, which the library refuses in certificates before it tries them."""
    kinds = "hazmat.primitives.asymmetric."
    public, hashed = issuer.public_key(), parsed.signature_hash_algorithm
    name = type(public).__name__.lower()
    how: tuple[Any, ...] = (hashed,)
    if "rsa" in name:
        padding = library(kinds + "padding")
        how = (parsed.signature_algorithm_parameters or padding.PKCS1v15(), hashed)
    elif "dsa" not in name:
        how = (library(kinds + "ec").ECDSA(hashed),)
    public.verify(parsed.signature, parsed.tbs_certificate_bytes, *how)


def _issuer_in(cert: Cert, chain: Sequence[Cert]) -> int | None:
    """Which of a chain signed it; None: none of them, or itself."""
    if cert.plain["self_signed"]:
        return None
    for place, other in enumerate(chain):
        if other is not cert and other.der != cert.der and issued(cert, other):
            return place
    return None


def _plain(parsed: Any, der: bytes) -> dict[str, Any]:
    names, addresses = _names(parsed)
    kind, bits, as_rsa = _key(parsed)
    return {
        "subject": _short(parsed.subject.rfc4514_string()),
        "issuer": _short(parsed.issuer.rfc4514_string()),
        "serial": format(parsed.serial_number, "x"),
        "sha256": hashlib.sha256(der).hexdigest(),
        "not_before": iso(parsed.not_valid_before_utc),
        "not_after": iso(parsed.not_valid_after_utc),
        "names": names,
        "addresses": addresses,
        "ca": _is_ca(parsed),
        "self_signed": _self_signed(parsed),
        "key_type": kind,
        "key_bits": bits,
        "key_as_rsa": as_rsa,
        "signature": _signature(parsed),
        "issuer_urls": _issuer_urls(parsed),
    }


def iso(moment: datetime.datetime) -> str:
    """ISO 8601 in UTC. (strftime fills no year before 1000 with zeros.)"""
    return "%04d-%02d-%02dT%02d:%02d:%02dZ" % moment.utctimetuple()[:6]


def extension(parsed: Any, name: str) -> Any:
    """The value of an extension by the name of its class; None where there is none, or it cannot be read."""
    x509 = library()
    try:
        return parsed.extensions.get_extension_for_class(getattr(x509, name)).value
    except Exception:  # noqa: BLE001  # not there, there twice, or not what its number says
        return None


def _names(parsed: Any) -> tuple[list[str], list[str]]:
    x509 = library()
    found = extension(parsed, "SubjectAlternativeName")
    if found is None:
        return [], []
    names = [str(one) for one in found.get_values_for_type(x509.DNSName)]
    addresses = [str(one) for one in found.get_values_for_type(x509.IPAddress)]
    return [_short(one) for one in names[:_MOST_NAMES]], addresses[:_MOST_NAMES]


def _is_ca(parsed: Any) -> bool:
    found = extension(parsed, "BasicConstraints")
    return bool(found is not None and found.ca)


def _self_signed(parsed: Any) -> bool:
    return bool(parsed.subject == parsed.issuer) and signed(parsed, parsed) is not False


def _key(parsed: Any) -> tuple[str, int | None, int | None]:
    """Kind of the public key, its bits, and the bits of RSA that are as strong (None: not known)."""
    try:
        public = parsed.public_key()
    except Exception:  # noqa: BLE001  # a kind of key that the library does not know
        return "unknown", None, None
    kind = type(public).__name__.lower().lstrip("_")
    bits = getattr(public, "key_size", None)
    if "rsa" in kind:
        return "RSA", bits, bits
    if "elliptic" in kind or "ecpublic" in kind:
        curve = str(getattr(getattr(public, "curve", None), "name", "EC"))
        as_rsa = next(rsa for least, rsa in _CURVE_AS_RSA if (bits or 0) >= least)
        return f"EC {curve}", bits, as_rsa
    if "ed25519" in kind:
        return "Ed25519", 256, 3072
    if "ed448" in kind:
        return "Ed448", 448, 7680
    if "dsa" in kind:
        return "DSA", bits, bits
    return kind.replace("publickey", "") or "unknown", bits, None


def _signature(parsed: Any) -> str:
    """The hash that was signed (``sha256``), or the algorithm where it has its own (``ed25519``)."""
    try:
        found = parsed.signature_hash_algorithm
        if found is not None:
            return str(found.name)
    except Exception:  # noqa: BLE001, S110  # an algorithm that the library does not know: it still has a name
        pass
    oid = parsed.signature_algorithm_oid
    return str(getattr(oid, "_name", "") or oid.dotted_string).lower()


def _issuer_urls(parsed: Any) -> list[str]:
    """Where the issuer's certificate can be had (authority information access)."""
    found = extension(parsed, "AuthorityInformationAccess")
    urls = [
        str(getattr(one.access_location, "value", ""))
        for one in found or ()
        if one.access_method.dotted_string == _CA_ISSUERS
    ]
    return [_short(one) for one in urls[:3]]


def _short(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + "…"

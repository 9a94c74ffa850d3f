# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's certificate authorities and the certificates that they sign; keys are of P-256."""

from __future__ import annotations

import datetime
import ipaddress
import os
import pwd
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_DAYS = 3650
LEAF_DAYS = 397
RENEW_BEFORE_DAYS = 60


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def _name(common_name: str, organization: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _put(path: Path, data: bytes, mode: int, owner: str = "") -> None:
    temporary = path.with_name(".%s.%d" % (path.name, os.getpid()))
    handle = os.open(str(temporary), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    os.chmod(str(temporary), mode)
    if owner:
        user = pwd.getpwnam(owner)
        os.chown(str(temporary), user.pw_uid, user.pw_gid)
    os.replace(str(temporary), str(path))


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load(pki: Path, name: str) -> tuple[x509.Certificate, Any]:
    """A certificate and its key from the folder; raises OSError or ValueError when one is absent or broken."""
    certificate = x509.load_pem_x509_certificate((pki / ("%s.crt" % name)).read_bytes())
    key = serialization.load_pem_private_key((pki / ("%s.key" % name)).read_bytes(), password=None)
    return certificate, key


def ensure_ca(pki: Path, name: str = "ca", common_name: str = "Nexus COS lab CA", check: bool = False) -> bool:
    """A self-signed authority `<name>.crt`, `<name>.key`. Returns whether it was made."""
    try:
        certificate, _key = load(pki, name)
        if certificate.not_valid_after_utc > _now() + datetime.timedelta(days=RENEW_BEFORE_DAYS):
            return False
    except (OSError, ValueError):
        pass
    if check:
        return True
    pki.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    start = _now() - datetime.timedelta(hours=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(_name(common_name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _put(pki / ("%s.key" % name), _pem(key), 0o600)
    _put(pki / ("%s.crt" % name), certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return True


def ensure_certificate(pki: Path, wanted: dict[str, Any], check: bool = False) -> bool:
    """A leaf `<name>.crt`, `<name>.key` with the wanted names, signed by the wanted authority. Returns whether it was
    made."""
    ca, ca_key = load(pki, wanted.get("ca") or "ca")
    subject = _name(wanted.get("common_name") or wanted["name"], wanted.get("organization") or "")
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in wanted.get("dns") or []]
    alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in wanted.get("ips") or []]
    owner, mode = wanted.get("owner") or "", int(str(wanted.get("mode") or "0600"), 8)
    if _still_good(pki, wanted["name"], ca, subject, alternatives, owner):
        return False
    if check:
        return True
    key = ec.generate_private_key(ec.SECP256R1())
    start = _now() - datetime.timedelta(hours=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=int(wanted.get("days") or LEAF_DAYS)))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    certificate = builder.sign(ca_key, hashes.SHA256())
    _put(pki / ("%s.key" % wanted["name"]), _pem(key), mode, owner)
    _put(pki / ("%s.crt" % wanted["name"]), certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return True


def _still_good(
    pki: Path, name: str, ca: x509.Certificate, subject: x509.Name, alternatives: list[x509.GeneralName], owner: str
) -> bool:
    try:
        found, key = load(pki, name)
        found.verify_directly_issued_by(ca)
        have = list(found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value) if alternatives else []
        status = os.stat(str(pki / ("%s.key" % name)))
        return (
            found.subject == subject
            and have == alternatives
            and found.public_key().public_numbers() == key.public_key().public_numbers()  # type: ignore[union-attr]
            and found.not_valid_after_utc > _now() + datetime.timedelta(days=RENEW_BEFORE_DAYS)
            and (not owner or status.st_uid == pwd.getpwnam(owner).pw_uid)
        )
    except (OSError, ValueError, TypeError, KeyError, InvalidSignature, x509.ExtensionNotFound):
        return False


def _key_usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not ca,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )

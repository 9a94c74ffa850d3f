#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the faults of certificates do to the lab; every step can be repeated.

    certificate.py NAME KIND    put another certificate of some kind in the place of pki/NAME.crt; real: its own again

Kinds: expired, not-yet-valid, other-name, untrusted, renewed, no-intermediate, astray, old, garbage. The edge loads
what is there when it serves this name. The certificate that was there is kept where the faults of endpoints keep it.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

LAB = Path(os.environ["NEXUSCOS_LAB_DIR"])
PKI = LAB / "pki"
DAYS = {"expired": (-92, -2), "not-yet-valid": (2, 90)}


def replace(name: str, kind: str) -> None:
    """Put another certificate in the place of one, or its own back."""
    kept = LAB / "faults"
    kept.mkdir(parents=True, exist_ok=True)
    for suffix in ("crt", "key"):
        file, original = PKI / f"{name}.{suffix}", kept / f"{name}.{suffix}"
        if kind == "real":
            if original.exists():
                shutil.move(original, file)
        elif not original.exists():
            shutil.copy2(file, original)
    if kind == "old":
        _old(name)
    elif kind == "garbage":
        (PKI / f"{name}.crt").write_text("-----BEGIN CERTIFICATE-----\nMIIB", encoding="utf-8")
    elif kind != "real":
        _issue(name, kind)
    if "." in name:
        os.kill(json.loads((LAB / "run" / "edge1.json").read_text(encoding="utf-8"))["pid"], signal.SIGHUP)


def _issue(name: str, kind: str) -> None:
    authority = x509.load_pem_x509_certificate((PKI / "ca.crt").read_bytes())
    signer: Any = serialization.load_pem_private_key((PKI / "ca.key").read_bytes(), None)
    issuer, after = authority.subject, []
    if kind == "untrusted":
        issuer, signer = _name("An authority that nobody knows"), ec.generate_private_key(ec.SECP256R1())
    if kind == "no-intermediate":
        issuer, signer = _name("Nexus COS lab issuing CA 7"), ec.generate_private_key(ec.SECP256R1())
    if kind == "astray":
        # What an administrator pastes behind the certificate, and what has nothing to do with it.
        after = [x509.load_pem_x509_certificate((PKI / "us-east-1.crt").read_bytes())]
    key = ec.generate_private_key(ec.SECP256R1())
    shown = f"old.{name}" if kind == "other-name" else name
    begin, end = DAYS.get(kind, (0, 397))
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(shown))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=begin))
        .not_valid_after(now + datetime.timedelta(days=end))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(shown)]), critical=False)
    )
    if kind == "no-intermediate":
        place = x509.UniformResourceIdentifier("http://pki.nexuscos.example.com/issuing-ca-7.crt")
        access = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, place)
        builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
    chain = [builder.sign(signer, hashes.SHA256()), *after]
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (PKI / f"{name}.crt").write_bytes(b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain))
    (PKI / f"{name}.key").write_bytes(private)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _old(name: str) -> None:
    """A certificate of long ago: RSA with 1024 bits, signed with SHA-1. Only openssl still makes them."""
    with tempfile.TemporaryDirectory() as folder:
        key, request, made = (str(Path(folder) / one) for one in ("key", "request", "made"))
        for command in (
            ["req", "-newkey", "rsa:1024", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}"],
            ["x509", "-req", "-sha1", "-in", request, "-CA", str(PKI / "ca.crt"), "-CAkey", str(PKI / "ca.key"),
             "-set_serial", "7", "-days", "397", "-out", made],
        ):  # fmt: skip
            subprocess.run(["openssl", *command], check=True, capture_output=True)
        shutil.copyfile(made, PKI / f"{name}.crt")
        shutil.copyfile(key, PKI / f"{name}.key")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    replace(sys.argv[1], sys.argv[2])

"""Endpoints to ask: a certificate authority of the test's own, and one way to look and judge."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.nexuscos.ops.plugins.module_utils._http.collect import look
from ansible_collections.nexuscos.ops.plugins.module_utils._http.spec import parse

sys.path.insert(0, str(Path(__file__).parent))

from judging import BY_ID, judge_observation

Key = ec.EllipticCurvePrivateKey

# No test fails because the machine is busy: only those about latency judge it, against lines that they set.
PATIENT = {"endpoint.latency": {"target": 60_000, "alert": 60_000}}


@dataclass
class Authority:
    """A certificate authority that signs whatever it is asked to."""

    folder: Path
    key: Key
    certificate: x509.Certificate

    @property
    def file(self) -> str:
        return str(self.folder / "ca.pem")

    def leaf(self, *names: str, days: tuple[int, int] = (-1, 30)) -> tuple[str, str]:
        """Files of a certificate for some names, valid from and to so many days from now, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign("leaf", key, self.certificate.subject, self.key, days, names)
        stem = self.folder / f"leaf-{x509.random_serial_number()}"
        _write(stem.with_suffix(".pem"), certificate)
        stem.with_suffix(".key").write_bytes(_pem(key))
        return str(stem.with_suffix(".pem")), str(stem.with_suffix(".key"))

    def server(self, *names: str, days: tuple[int, int] = (-1, 30)) -> ssl.SSLContext:
        """The context of a server with such a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.leaf(*(names or ("127.0.0.1", "localhost")), days=days))
        return context


def _sign(
    name: str, key: Key, issuer: x509.Name, signer: Key, days: tuple[int, int], names: tuple[str, ...]
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_name(one) for one in names]), critical=False)
    else:
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(signer, hashes.SHA256())


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def make_authority(folder: Path) -> Authority:
    """A new authority with its files in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    certificate = _sign("test authority", key, name, key, (-1, 30), ())
    authority = Authority(folder, key, certificate)
    _write(folder / "ca.pem", certificate)
    return authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture
def ask() -> Callable[..., dict[str, Any]]:
    """Look at endpoints and judge: ``ask({"url": …}, …, deadline=…)``; endpoints are named a, b, c …"""

    def run(
        *endpoints: dict[str, Any],
        deadline: float = 60,
        timeout: float = 30,
        samples: int = 1,
        thresholds: dict[str, Any] = PATIENT,
        **more: Any,
    ) -> dict[str, Any]:
        named = [{"name": chr(ord("a") + place), **one} for place, one in enumerate(endpoints)]
        parsed = parse(named, {"timeout": timeout, "samples": samples, **more})
        params = {"target": "lab", "deadline": deadline, "thresholds": thresholds}
        observation = look(parsed, params, BY_ID)
        result = judge_observation(observation, thresholds)
        result["observation"] = observation
        return result

    return run


@pytest.fixture
def one(ask: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Look at one endpoint of which exactly one finding is expected; returns it."""

    def run(endpoint: dict[str, Any], **more: Any) -> dict[str, Any]:
        findings = ask(endpoint, **more)["findings"]
        assert len(findings) == 1, [found["title"] for found in findings]
        found: dict[str, Any] = findings[0]
        assert found["object"] == "lab/a"
        return found

    return run

"""Certificates of all sorts, servers that show them, and one way to look and judge."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from ansible_collections.nexuscos.ops.plugins.module_utils._core.check import index
from ansible_collections.nexuscos.ops.plugins.module_utils._core.judge import Judge
from ansible_collections.nexuscos.ops.plugins.module_utils._core.threshold import Thresholds
from ansible_collections.nexuscos.ops.plugins.module_utils._tls import certs
from ansible_collections.nexuscos.ops.plugins.module_utils._tls.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._tls.collect import collect
from ansible_collections.nexuscos.ops.plugins.module_utils._tls.evaluate import evaluate
from ansible_collections.nexuscos.ops.plugins.module_utils._tls.spec import parse

BY_ID = index(CHECKS)
SECONDS = 20.0
"""More than any step of a test takes, so that a busy machine fails none."""


@dataclass
class Made:
    """A certificate with its key, and the file that both are in."""

    certificate: x509.Certificate
    key: Any
    file: str

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def read(self) -> certs.Cert:
        return certs.load([self.der])[0]


def name_of(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def private_pem(key: Any) -> bytes:
    found: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return found


class World:
    """A root that is trusted, an intermediate below it, another root that nobody knows, and what they sign."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = self.make("Root", ca=True)
        self.stranger = self.make("Stranger", ca=True)
        self.between = self.make("Intermediate", self.root, ca=True)
        self.leaf = self.make("leaf", self.between, names=("127.0.0.1", "localhost"))
        self.ca = self.root.file

    def make(
        self,
        common: str,
        by: Made | None = None,
        *,
        ca: bool = False,
        names: Iterable[str] = (),
        days: tuple[float, float] = (-1, 397),
        key: Any = None,
        more: Iterable[tuple[x509.ExtensionType, bool]] = (),
        basic: bool = True,
        path_length: int | None = None,
        issuer: str | None = None,
    ) -> Made:
        """A certificate, signed by another one or by itself."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        signer = by.key if by else key
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        subject = name_of(common)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name_of(issuer) if issuer else by.certificate.subject if by else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=days[0]))
            .not_valid_after(now + datetime.timedelta(days=days[1]))
        )
        if basic:
            builder = builder.add_extension(x509.BasicConstraints(ca, path_length), critical=True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_name(one) for one in names]), critical=False)
        for extension, critical in more:
            builder = builder.add_extension(extension, critical)
        made = Made(builder.sign(signer, hashes.SHA256()), key, "")
        path = self.folder / f"{made.certificate.serial_number:x}.pem"
        path.write_bytes(made.pem + private_pem(key))
        made.file = str(path)
        return made

    def write(self, name: str, *parts: bytes) -> str:
        path = self.folder / name
        path.write_bytes(b"".join(parts))
        return str(path)

    def server(self, *chain: Made, **more: Any) -> Server:
        """A server that shows a chain, first the certificate whose key it has."""
        path = self.write(f"chain-{id(chain):x}.pem", *(one.pem for one in chain), private_pem(chain[0].key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with contextlib.suppress(ssl.SSLError):
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.load_cert_chain(path)
        return Server(context, **more)

    def look(self, *sources: dict[str, Any], deadline: float = 60, **more: Any) -> dict[str, Any]:
        """What is seen of some sources; an endpoint is given by its server under `at`."""
        given = []
        for place, one in enumerate(sources):
            one = {"name": chr(ord("a") + place), **one}
            server = one.pop("at", None)
            if server is not None:
                one.update({"host": "127.0.0.1", "port": server.port})
            given.append(one)
        parsed = parse(given, {"timeout": SECONDS, "ca_path": self.ca, **more})
        return collect(parsed, deadline)

    def judge(self, *sources: dict[str, Any], **more: Any) -> dict[str, Any]:
        return judged(self.look(*sources, **more))


def rsa_key(bits: int) -> Any:
    return rsa.generate_private_key(65537, bits)


def issuer_url(url: str) -> tuple[x509.ExtensionType, bool]:
    place = x509.UniformResourceIdentifier(url)
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, place)]
    ), False


def judged(observation: dict[str, Any], thresholds: dict[str, Any] | None = None, ok: bool = False) -> dict[str, Any]:
    """The module's return values for an observation."""
    judge = Judge(BY_ID, Thresholds.parse(thresholds, BY_ID), "set")
    evaluate(observation, judge)
    return judge.result(ok)


def said(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Check, object and status of each finding, without what is the same in all."""
    return [
        (one["check"].split(".", 1)[1], one["object"].split("/", 1)[1], one["status"]) for one in result["findings"]
    ]


def openssl(*words: str, data: bytes | None = None) -> str:
    done = subprocess.run(["openssl", *words], input=data, capture_output=True, check=False)
    return (done.stdout + done.stderr).decode()


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Server:
    """One port of this machine that shows a certificate, after a talk in plain text where one is wanted.

    :param before: what to say and read before TLS; a false answer ends the connection.
    """

    def __init__(self, context: ssl.SSLContext | None, before: Callable[[socket.socket], bool] | None = None) -> None:
        self._context, self._before = context, before
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()

    def __enter__(self) -> Server:
        thread = threading.Thread(target=self._accept, daemon=True)
        self._threads.append(thread)
        thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        # A thread in accept() is not woken by close() alone.
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 5).close()
        for thread in self._threads:
            thread.join(SECONDS)
        self._listener.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            raw, _address = self._listener.accept()
            if self._stopping.is_set():
                raw.close()
                return
            thread = threading.Thread(target=self._serve, args=(raw,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, raw: socket.socket) -> None:
        raw.settimeout(SECONDS)
        with raw, contextlib.suppress(OSError, ValueError):
            if self._before is not None and not self._before(raw):
                return
            if self._context is None:
                self._stopping.wait(SECONDS)
                return
            with self._context.wrap_socket(raw, server_side=True) as wrapped:
                wrapped.recv(1)


def script(*steps: bytes) -> Callable[[socket.socket], bool]:
    """A talk: say the first step, then after each line of the client the next one. Empty steps say nothing."""

    def talk(raw: socket.socket) -> bool:
        for place, step in enumerate(steps):
            if place:
                line(raw)
            raw.sendall(step)
        return True

    return talk


def line(raw: socket.socket) -> bytes:
    """A line of the client, and nothing of what follows it."""
    found = b""
    while not found.endswith(b"\n"):
        part = raw.recv(1)
        if not part:
            raise OSError("the client is gone")
        found += part
    return found

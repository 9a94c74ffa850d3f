"""200 TLS endpoints, one begins its handshake after 2 s: certificate_health against openssl and one empty task."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import socket
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

import measure
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ENDPOINTS = 200
SLOW_SECONDS = 2.0


def name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def make(common: str, issuer: str, signer: ec.EllipticCurvePrivateKey, key: ec.EllipticCurvePrivateKey) -> bytes:
    now = datetime.datetime.now(datetime.timezone.utc)
    authority = common == issuer
    made = (
        x509.CertificateBuilder()
        .subject_name(name(common))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=100))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def certificates(folder: Path) -> None:
    """An authority, and one certificate for each endpoint."""
    signer = ec.generate_private_key(ec.SECP256R1())
    (folder / "ca.pem").write_bytes(make("bench authority", "bench authority", signer, signer))
    for place in range(ENDPOINTS):
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        made = make(f"bench {place}", "bench authority", signer, key)
        (folder / f"{place}.pem").write_bytes(made + private)


async def serve(folder: Path) -> None:
    """Listen on 200 ports and print them; the last one is slow."""
    loop = asyncio.get_running_loop()

    async def shake(raw: socket.socket, pause: float, context: ssl.SSLContext) -> None:
        # Not before the pause is anything read: what the client says first belongs to the handshake.
        await asyncio.sleep(pause)
        with contextlib.suppress(OSError):
            await loop.connect_accepted_socket(asyncio.Protocol, raw, ssl=context)

    async def accept(listener: socket.socket, place: int) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / f"{place}.pem")
        pause = SLOW_SECONDS if place == ENDPOINTS - 1 else 0
        while True:
            raw, _address = await loop.sock_accept(listener)
            task = asyncio.create_task(shake(raw, pause, context))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    tasks: set[asyncio.Task[None]] = set()
    listeners = [socket.create_server(("127.0.0.1", 0)) for _place in range(ENDPOINTS)]
    for listener in listeners:
        listener.setblocking(False)
    print(*(listener.getsockname()[1] for listener in listeners), flush=True)
    await asyncio.gather(*(accept(listener, place) for place, listener in enumerate(listeners)))


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        certificates(folder)
        server = subprocess.Popen([sys.executable, __file__, "serve", made], stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            ports = [int(port) for port in server.stdout.readline().split()]
            assert len(ports) == ENDPOINTS
            sources = [
                {"name": f"e{place}", "host": "127.0.0.1", "port": port, "server_name": "localhost"}
                for place, port in enumerate(ports)
            ]
            module = {"target": "bench", "sources": sources, "ca_path": str(folder / "ca.pem"), "timeout": 20}
            check = {
                "ansible.builtin.assert": {
                    "that": ["seen.findings == []", f"seen.facts.certificates_ok == {ENDPOINTS}"],
                    "quiet": True,
                }
            }
            proof = measure.playbook(
                [{"nexuscos.ops.certificate_health": module, "register": "seen"}, check], folder, "proof"
            )
            measure.process(proof)
            commands = {
                "certificate_health": measure.playbook(
                    [{"nexuscos.ops.certificate_health": module}], folder, "module"
                ),
                "openssl s_client, the slowest alone": [
                    "openssl", "s_client", "-connect", f"127.0.0.1:{ports[-1]}", "-servername", "localhost",
                ],
                "one empty task": measure.playbook([{"ansible.builtin.ping": {}}], folder, "empty"),
            }  # fmt: skip
            taken = measure.in_turn(
                {what: lambda argv=argv: measure.process(argv)[0] for what, argv in commands.items()}
            )
        finally:
            server.terminate()
            server.wait()
    slowest = measure.median(taken["openssl s_client, the slowest alone"])
    empty = measure.median(taken["one empty task"])
    measure.emit(
        "certificates",
        f"{ENDPOINTS} TLS endpoints, one begins its handshake after {SLOW_SECONDS:g} s; whole playbook",
        taken["certificate_health"],
        "s",
        {"openssl s_client, the slowest alone, + one empty task": slowest + empty},
        1.3 * (slowest + empty),
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(serve(Path(sys.argv[2])))
    else:
        main()

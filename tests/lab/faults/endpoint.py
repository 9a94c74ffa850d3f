#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the faults of endpoints do to the lab; every step can be repeated.

    endpoint.py certificate NAME KIND    the edge shows another certificate for a public name; KIND real: its own again
    endpoint.py stand-in SERVICE MODE    another server answers at the service's address; MODE off: the service again
    endpoint.py signal DAEMON NAME       a signal to every process of a daemon: STOP, CONT
    endpoint.py order SERVICE WHAT JSON  an order to every pod of a service (POST /lab/WHAT)

A stand-in is seen from this machine only: it listens in the network namespace of the lab's registry, and one route
leads there. The pods go on talking to the real service.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "lab" / "module_utils"))

from nexuslab import cgroup  # noqa: E402
from nexuslab.process import Daemon  # noqa: E402

LAB = Path(os.environ["NEXUSCOS_LAB_DIR"])
CLUSTER = "us-east-1"
HOST = "registry"
SERVER = ROOT / "tests" / "unit" / "http" / "misbehaving.py"


def facts() -> dict[str, Any]:
    """What runs where."""
    found: dict[str, Any] = json.loads((LAB / "lab.json").read_text(encoding="utf-8"))
    return found


def certificate(name: str, kind: str) -> None:
    """Let the edge show another certificate for a name.

    :param kind: ``expired``, ``not-yet-valid``, ``other-name``, ``untrusted``, or ``real``.
    """
    place = LAB / "pki"
    for suffix in ("crt", "key"):
        file, kept = place / f"{name}.{suffix}", LAB / "faults" / f"{name}.{suffix}"
        if kind == "real":
            if kept.exists():
                shutil.move(kept, file)
        elif not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, kept)
    if kind != "real":
        _issue(place, name, kind)
    record = json.loads((LAB / "run" / "edge1.json").read_text(encoding="utf-8"))
    os.kill(record["pid"], signal.SIGHUP)


def _issue(place: Path, name: str, kind: str) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    authority = x509.load_pem_x509_certificate((place / "ca.crt").read_bytes())
    signer = serialization.load_pem_private_key((place / "ca.key").read_bytes(), None)
    if kind == "untrusted":
        # An authority of the same name that nobody knows.
        signer = ec.generate_private_key(ec.SECP256R1())
    days = {"expired": (-90, -2), "not-yet-valid": (2, 90)}.get(kind, (-1, 90))
    shown = "old." + name if kind == "other-name" else name
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, shown)]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(shown)]), critical=False)
        .sign(signer, hashes.SHA256())  # type: ignore[arg-type]
    )
    (place / f"{name}.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (place / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def stand_in(service: str, mode: str) -> None:
    """Answer at a service's address in its place.

    :param mode: one of the modes of tests/unit/http/misbehaving.py, or ``off``.
    """
    lab = facts()
    address, port = lab["services"][service]["address"][CLUSTER], lab["services"][service]["port"]
    machine = lab["machines"][HOST]
    own = ["nsenter", f"--net=/run/netns/{machine['netns']}", "--", "ip", "address"]
    daemon = Daemon(
        LAB,
        lab["prefix"],
        {
            "name": f"stand-in-{service}",
            "netns": machine["netns"],
            "argv": [sys.executable, str(SERVER), "--bind", f"{address}:{port}", "--mode", mode],
            "stop_timeout": 2,
        },
    )
    if mode == "off":
        subprocess.run(["ip", "route", "del", f"{address}/32"], capture_output=True, check=False)
        daemon.ensure_stopped()
        subprocess.run([*own, "del", f"{address}/32", "dev", "lo"], capture_output=True, check=False)
        return
    subprocess.run([*own, "replace", f"{address}/32", "dev", "lo"], check=True)
    daemon.ensure_started(restart=True)
    subprocess.run(["ip", "route", "replace", f"{address}/32", "via", machine["address"]], check=True)


def send(daemon: str, name: str) -> None:
    """Send a signal to every process of a daemon of the lab."""
    for pid in cgroup.pids(f"{facts()['prefix']}/{daemon}"):
        os.kill(pid, getattr(signal, f"SIG{name}"))


def order(service: str, what: str, body: str) -> None:
    """Give an order to every pod of a service, ready or not."""
    namespace = facts()["services"][service]["namespace"]
    kubectl = ["kubectl", "--context", CLUSTER, "-n", namespace, "get", "-o", "json"]
    secret = json.loads(
        subprocess.run([*kubectl, "secret", f"{service}-secrets"], capture_output=True, check=True).stdout
    )
    token = subprocess.run(
        ["base64", "-d"], input=secret["data"]["LAB_TOKEN"].encode(), capture_output=True, check=True
    ).stdout
    label = f"app.kubernetes.io/name={service}"
    pods = json.loads(subprocess.run([*kubectl, "pods", "-l", label], capture_output=True, check=True).stdout)["items"]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    addresses = [pod["status"]["podIP"] for pod in pods if pod["status"].get("podIP")]
    if not addresses:
        raise SystemExit(f"{service} has no pods in {CLUSTER}")
    for address in addresses:
        port = facts()["services"][service]["port"]
        request = urllib.request.Request(
            f"http://{address}:{port}/lab/{what}",
            data=body.encode(),
            headers={"Authorization": f"Bearer {token.decode()}", "Content-Type": "application/json"},
        )
        opener.open(request, timeout=10).close()


if __name__ == "__main__":
    if len(sys.argv) < 4:
        raise SystemExit(__doc__)
    {"certificate": certificate, "stand-in": stand_in, "signal": send, "order": order}[sys.argv[1]](*sys.argv[2:])

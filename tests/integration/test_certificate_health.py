# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""certificate_health as a task, on the lab: what it says against what openssl and kubectl say. Wants the lab up."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LAB = Path(os.environ.get("NEXUSCOS_LAB_DIR") or ROOT / ".lab")
FACTS: dict[str, Any] = json.loads((LAB / "lab.json").read_text()) if (LAB / "lab.json").exists() else {}
DOMAIN = "nexuscos.example.com"
Play = Callable[..., dict[str, Any]]


def program() -> str:
    """kubectl of the virtual environment, else that which the lab fetched."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nexuscos-lab"
    return (
        shutil.which("kubectl", path=str(ROOT / ".venv/bin"))
        or next(map(str, sorted(cache.glob("tools/kubectl-*/**/kubectl"))), "")
        or "kubectl"
    )


def address(machine: str) -> str:
    found: str = FACTS["machines"][machine]["address"]
    return found


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Run the module as a task of a playbook; returns its result, with what was printed as `printed`."""

    def run(*flags: str, **options: Any) -> dict[str, Any]:
        kept = tmp_path / "result.json"
        module = {"target": "lab", "ca_path": FACTS["ca"], **options}
        copy = {"content": "{{ seen | to_json }}", "dest": str(kept), "mode": "0600"}
        tasks = [
            {"nexuscos.ops.certificate_health": module, "register": "seen"},
            {"ansible.builtin.copy": copy, "check_mode": False, "no_log": True},
        ]
        book = tmp_path / "book.yml"
        plays = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}]
        book.write_text(yaml.safe_dump(plays), encoding="utf-8")
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", str(book), *flags]
        command += ["-e", f"ansible_python_interpreter={sys.executable}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        result: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return {**result, "printed": done.stdout + done.stderr}

    return run


def sources() -> list[dict[str, Any]]:
    edge = address("edge1")
    return [
        {"name": "site", "url": f"https://{DOMAIN}", "connect_to": edge},
        {"name": "status", "url": f"https://status.{DOMAIN}", "connect_to": edge},
        {"name": "smtp", "url": f"smtp://mail.{DOMAIN}", "connect_to": edge},
        {"name": "imap", "url": f"imap://mail.{DOMAIN}", "connect_to": edge},
        {"name": "db1", "url": f"postgres://db1.{DOMAIN}", "connect_to": address("db1")},
    ]


def by_openssl(place: str, name: str, starttls: str | None, *flags: str) -> tuple[str, str]:
    """What `openssl s_client` says: the end of the certificate, and its verdict on it."""
    command = ["openssl", "s_client", "-connect", place, "-servername", name, "-verify_hostname", name, *flags]
    if starttls:
        command += ["-starttls", starttls]
    shown = subprocess.run(command, input=b"", capture_output=True, check=False).stdout
    dates = subprocess.run(
        ["openssl", "x509", "-noout", "-enddate", "-dateopt", "iso_8601"], input=shown, capture_output=True, check=True
    ).stdout.decode()
    verdict = [line for line in shown.decode(errors="replace").splitlines() if "Verify return code" in line]
    return dates.strip().partition("=")[2].replace(" ", "T"), verdict[-1].strip()


def test_it_sees_what_openssl_sees(play: Play) -> None:
    asked = sources()
    result = play(sources=asked)
    assert result["findings"] == []
    assert result["changed"] is False
    ends = {row["name"]: row["not_after"] for row in result["facts"]["certificates"]}
    for one in asked:
        scheme, _colon, host = one["url"].partition("://")
        port = {"https": 443, "smtp": 25, "imap": 143, "postgres": 5432}[scheme]
        starttls = None if scheme == "https" else scheme
        end, verdict = by_openssl(f"{one['connect_to']}:{port}", host, starttls, "-CAfile", FACTS["ca"])
        assert ends[one["name"]] == end
        assert verdict.endswith("0 (ok)"), one["name"]


def test_it_refuses_what_openssl_refuses(play: Play) -> None:
    """Another authority, and another name: the same two verdicts."""
    edge = address("edge1")
    other = str(LAB / "pki" / "db1.crt")
    site = {"url": f"https://{DOMAIN}", "connect_to": edge}
    asked = [
        {"name": "stranger", **site, "ca_path": other},
        {"name": "renamed", **site, "server_name": f"status.{DOMAIN}", "file": str(LAB / "pki" / f"{DOMAIN}.crt")},
    ]
    result = play(sources=asked)
    assert [(one["check"], one["object"]) for one in result["findings"]] == [
        ("certificate.trust", "lab/stranger"),
        ("certificate.drift", "lab/renamed"),
    ]
    _end, verdict = by_openssl(f"{edge}:443", DOMAIN, None, "-CAfile", other)
    assert not verdict.endswith("0 (ok)")


def test_a_secret_by_a_right_that_names_it(play: Play, tmp_path: Path) -> None:
    """The viewer of the lab may get this one Secret and no other; nothing of its key leaves the module."""
    cluster = FACTS["clusters"]["us-east-1"]
    name = f"api.{DOMAIN}-tls"
    place = {"kubeconfig": cluster["kubeconfig"], "context": "us-east-1-viewer"}
    api = {"name": "api", "url": f"https://api.{DOMAIN}", "connect_to": address("edge1")}
    asked = [
        {**api, "secret": {"namespace": "nexus-platform", "name": name}},
        {"name": "hidden", "secret": {"namespace": "nexus-platform", "name": "backend-api-secrets"}},
    ]
    recording = tmp_path / "set.json"
    result = play("-vvv", sources=asked, **place, record_to=str(recording))
    kept = recording.read_text(encoding="utf-8")
    assert [(one["check"], one["object"], one["status"]) for one in result["findings"]] == [
        ("certificate.file", "lab/hidden", "unknown")
    ]
    kubectl = [program(), "--kubeconfig", cluster["kubeconfig"], "--context", "us-east-1", "-n", "nexus-platform"]
    document = subprocess.run(
        [*kubectl, "get", "secret", name, "-o", "json"], capture_output=True, text=True, check=True
    ).stdout
    key = json.loads(document)["data"]["tls.key"]
    assert key not in kept + result["printed"]
    assert "PRIVATE" not in kept + result["printed"]


def test_check_mode_is_the_same_look_and_a_recording_is_judged_like_it(play: Play, tmp_path: Path) -> None:
    asked = [*sources(), {"name": "db4", "host": address("db4"), "starttls": "postgres"}]
    recording = str(tmp_path / "set.json.gz")
    live = play(sources=asked, record_to=recording)
    dry = play("--check", "--diff", sources=asked)
    again = play(replay_from=recording)
    assert [one["object"] for one in live["findings"]] == ["lab/db4"]
    assert [one["fingerprint"] for one in dry["findings"]] == [one["fingerprint"] for one in live["findings"]]
    assert again["recorded_at"]
    for result in (live, again):
        for found in result["findings"]:
            found.pop("recorded_at")
    assert (again["findings"], again["coverage"], again["facts"]) == (live["findings"], live["coverage"], live["facts"])

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""endpoint_health as a task, on the lab's edge: what it says against what curl and openssl say. Wants the lab up."""

from __future__ import annotations

import json
import os
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
EDGE = FACTS.get("machines", {}).get("edge1", {}).get("address", "")
Play = Callable[..., tuple[dict[str, Any], str]]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Run the module as a task of a playbook; returns its result and all that was printed."""

    def run(*flags: str, **options: Any) -> tuple[dict[str, Any], str]:
        kept = tmp_path / "result.json"
        task = {
            "nexuscos.ops.endpoint_health": {"target": "edge", "ca_path": FACTS["ca"], **options},
            "register": "seen",
        }
        copy = {
            "ansible.builtin.copy": {"content": "{{ seen | to_json }}", "dest": str(kept), "mode": "0600"},
            "check_mode": False,
            "no_log": True,
        }
        book = tmp_path / "book.yml"
        plays = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task, copy]}]
        book.write_text(yaml.safe_dump(plays), encoding="utf-8")
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", str(book), *flags]
        command += ["-e", f"ansible_python_interpreter={sys.executable}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        result: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return result, done.stdout + done.stderr

    return run


def endpoint(name: str, path: str = "/", scheme: str = "https", **more: Any) -> dict[str, Any]:
    host = f"{name}.{DOMAIN}" if name else DOMAIN
    return {
        "name": f"{name or 'site'}{path}".replace("/", "_"),
        "url": f"{scheme}://{host}{path}",
        "connect_to": EDGE,
        **more,
    }


def curl(url: str) -> str:
    """The status that curl sees, without following redirects."""
    command = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--cacert", FACTS["ca"]]
    command += ["--connect-to", f"::{EDGE}:", url]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_it_sees_what_curl_sees(play: Play) -> None:
    asked = [
        endpoint("status", "/health"),
        endpoint("status", "/nowhere"),
        endpoint("prometheus", "/-/healthy"),
        endpoint("monitoring"),
        endpoint("status", "/health", "http", follow_redirects="none") | {"name": "plain"},
    ]
    result, _printed = play(endpoints=asked, include_ok=True, thresholds={"endpoint.latency": {"enabled": False}})
    seen = {
        found["object"]: str(found["evidence"]["status"])
        for found in result["findings"]
        if found["check"] == "endpoint.status"
    }
    assert seen == {f"edge/{one['name']}": curl(one["url"]) for one in asked}
    assert result["changed"] is False


def test_the_certificate_is_that_of_the_name_that_was_asked_for(play: Play) -> None:
    result, _printed = play(endpoints=[endpoint("status", "/health", server_name="wrong.example.com")])
    assert [found["check"] for found in result["findings"]] == ["endpoint.tls"]
    result, _printed = play(endpoints=[endpoint("status", "/health")], ca_path="/etc/ssl/certs/ca-certificates.crt")
    found = result["findings"][0]
    assert (found["check"], found["evidence"]["kind"]) == ("endpoint.tls", "untrusted")
    certificate = LAB / "pki" / f"status.{DOMAIN}.crt"
    command = ["openssl", "x509", "-noout", "-enddate", "-dateopt", "iso_8601", "-in", str(certificate)]
    end = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert end == "notAfter=" + found["evidence"]["certificate"]["not_after"].replace("T", " ")


def test_check_mode_is_the_same_look(play: Play) -> None:
    asked = [endpoint("status", "/health"), endpoint("status", "/nowhere")]
    patient = {"endpoint.latency": {"enabled": False}}
    live, _printed = play(endpoints=asked, thresholds=patient)
    dry, _printed = play("--check", "--diff", endpoints=asked, thresholds=patient)
    assert [one["fingerprint"] for one in live["findings"]] == [one["fingerprint"] for one in dry["findings"]]
    assert len(live["findings"]) == 1


def test_a_secret_is_printed_nowhere(play: Play, tmp_path: Path) -> None:
    asked = [endpoint("status", "/nowhere", token="printed-nowhere-1", secret_headers={"X-Key": "printed-nowhere-2"})]
    recording = tmp_path / "edge.json"
    result, printed = play("-vvvv", endpoints=asked, record_to=str(recording))
    assert result["findings"]
    for text in (json.dumps(result), printed, recording.read_text(encoding="utf-8")):
        assert "printed-nowhere" not in text


def test_a_recording_is_judged_like_the_live_look(play: Play, tmp_path: Path) -> None:
    recording = str(tmp_path / "edge.json.gz")
    live, _printed = play(
        endpoints=[endpoint("status", "/nowhere"), endpoint("status", "/health")], record_to=recording
    )
    again, _printed = play(replay_from=recording)
    assert again["recorded_at"]
    for result in (live, again):
        for found in result["findings"]:
            found.pop("recorded_at")
    assert again["findings"] == live["findings"]
    assert again["coverage"] == live["coverage"]

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The morning as an operator runs it: from nothing at all, from recordings, with broken systems, and on the lab."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))

import faults  # noqa: E402

# Of the environment that runs the tests, so that they can be run with the oldest ansible-core, too.
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
SCHEMA = json.loads((ROOT / "docs/schemas/report-1.schema.json").read_text(encoding="utf-8"))
RECAP = re.compile(r"^\S+ +: ok=(\d+)", re.M)


class Morning:
    """One run of the playbook."""

    def __init__(
        self, inventory: str, folder: Path, *arguments: str, environment: dict[str, str] | None = None, **variables: Any
    ) -> None:
        self.folder = folder
        # How long an answer takes is the business of a busy machine here, and of no test.
        patient = {"endpoint.latency": {"enabled": False}}
        extra = {"nexuscos_report_dir": str(folder), "nexuscos_thresholds_run": patient} | variables
        command = [str(PLAYBOOK), "-i", inventory, "nexuscos.ops.daily_morning", "-e", json.dumps(extra), *arguments]
        clean = {key: value for key, value in os.environ.items() if key not in ("ANSIBLE_FORCE_COLOR", "FORCE_COLOR")}
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, env=clean | (environment or {})
        )
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def report(self) -> dict[str, Any]:
        path = self.folder / "daily_morning" / "latest" / "report.json"
        assert path.exists(), self.out + self.err
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.validate(report, SCHEMA)
        return report

    def item(self, name: str) -> dict[str, Any]:
        return next(one for one in self.report["items"] if one["id"] == "morning." + name)


class _Service(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(45)
        body = b'{"status": "healthy"}'
        self.send_response(503 if self.path == "/ill" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    # Sixty at once must not be sent away.
    request_queue_size = 128


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Something to look at that needs no lab."""
    service = _Server(("127.0.0.1", 0), _Service)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    yield "http://127.0.0.1:%d" % service.server_address[1]
    service.shutdown()
    service.server_close()


def inventory(folder: Path, **groups: dict[str, dict[str, Any]]) -> str:
    """An inventory of groups of hosts with their variables."""
    path = folder / "hosts.yml"
    path.write_text(
        yaml.safe_dump({"all": {"children": {name: {"hosts": hosts} for name, hosts in groups.items()}}}),
        encoding="utf-8",
    )
    return str(path)


def urls(server: str, *paths: str, **more: Any) -> dict[str, Any]:
    return {
        "nexuscos_endpoints": [{"name": path.strip("/"), "url": server + path, "samples": 1, **more} for path in paths]
    }


def test_a_healthy_look_is_green_and_its_recording_is_judged_alike(tmp_path: Path, server: str) -> None:
    hosts = inventory(tmp_path, endpoints={"public": urls(server, "/a", "/b"), "ill": urls(server, "/ill")})
    live = Morning(hosts, tmp_path / "live", nexuscos_record_dir=str(tmp_path / "bundle"))
    assert live.status == 2, live.out
    assert live.item("services")["headline"].startswith("1 critical; 2 of 3 endpoints answer")
    assert [one["mode"] for one in live.report["systems"]] == ["live", "live"]

    again = Morning(hosts, tmp_path / "replay", nexuscos_replay_dir=str(tmp_path / "bundle"))
    for key in ("check", "object", "status", "title", "fingerprint"):
        assert [one[key] for one in again.report["findings"]] == [one[key] for one in live.report["findings"]]
    assert all(one["recorded_at"] for one in again.report["findings"])
    assert [one["mode"] for one in again.report["systems"]] == ["recorded", "recorded"]
    page = (tmp_path / "replay/daily_morning/latest/report.html").read_text(encoding="utf-8")
    for text in (again.out, page):
        assert re.search(r"recording of (<strong>)?20\d\d-", text)
        assert "not live" in text

    quiet = Morning(hosts, tmp_path / "limited", "--limit", "public")
    assert quiet.status == 0
    assert "left out of this run: ill" in quiet.out
    assert quiet.report["coverage"]["left_out"] == ["ill"]


def test_replay_of_one_host_beside_live_ones(tmp_path: Path, server: str) -> None:
    hosts = inventory(tmp_path, endpoints={"public": urls(server, "/a"), "other": urls(server, "/b")})
    Morning(hosts, tmp_path / "live", nexuscos_record_dir=str(tmp_path / "bundle"))
    mixed = inventory(
        tmp_path, endpoints={"public": {"nexuscos_replay_dir": str(tmp_path / "bundle")}, "other": urls(server, "/b")}
    )
    run = Morning(mixed, tmp_path / "mixed")
    assert {one["name"]: one["mode"] for one in run.report["systems"]} == {"public": "recorded", "other": "live"}
    assert "1 of 1 endpoints answer; recorded: 1 of 1 endpoints answer" in run.item("services")["headline"]


def test_a_broken_system_costs_only_itself(tmp_path: Path, server: str) -> None:
    crash = tmp_path / "not-python"
    crash.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    crash.chmod(0o755)
    hosts = inventory(
        tmp_path,
        clusters={"east": {"nexuscos_kubeconfig": "/nonexistent"}},
        databases={
            "dead": {"nexuscos_postgres_host": "127.0.0.1", "nexuscos_postgres_port": 1},
            "cache": {"nexuscos_database_engine": "cassandra"},
        },
        endpoints={
            "good": urls(server, "/a"),
            "away": {"nexuscos_run_on": "away", "ansible_host": "127.0.0.1", "ansible_port": 1} | urls(server, "/a"),
            "crash": {
                "nexuscos_run_on": "crash",
                "ansible_connection": "local",
                "ansible_python_interpreter": str(crash),
            }
            | urls(server, "/a"),
            "typo": {"nexuscos_thresholds_host": {"endpoint.latenc": {"target": 1}}} | urls(server, "/a"),
            "shape": {"nexuscos_thresholds_host": {"endpoint.latency": 5}} | urls(server, "/a"),
            "undefined": {"nexuscos_endpoints": "{{ no_such_variable }}"},
        },
    )
    run = Morning(hosts, tmp_path / "reports", nexuscos_fail_on="never")
    report = run.report
    assert {one["name"]: (one["error"] or {}).get("kind") for one in report["systems"]} == {
        "east": "options",
        "dead": None,
        "good": None,
        "away": "unreachable",
        "crash": "crashed",
        "typo": "options",
        "shape": "options",
        "undefined": "options",
    }
    assert {one["object"] for one in report["findings"] if one["check"] == "run.observed"} == {
        "east/k8s_health",
        *("%s/endpoint_health" % name for name in ("away", "crash", "typo", "shape", "undefined")),
    }
    assert [one["status"] for one in report["findings"] if one["object"] == "dead"] == ["critical"]
    assert next(one for one in report["systems"] if one["name"] == "good")["status"] == "ok"
    assert report["coverage"]["no_module"] == [{"system": "cache", "reason": "no module looks at the engine cassandra"}]
    # Nobody asked for a failure, but wrong options are one all the same, and the log says which and what to do.
    assert run.status == 2
    assert "did you mean 'endpoint.latency'" in run.out
    assert "wrong options, whatever else was found" in run.out
    assert "mend this in the inventory (variables of typo" in run.out
    assert "\x1b" not in run.out


def test_a_hanging_system_delays_nothing_but_itself(tmp_path: Path, server: str) -> None:
    slow = {"nexuscos_endpoints_deadline": 20} | urls(server, "/slow", timeout=30)
    hosts = inventory(tmp_path, endpoints={"slow": slow, **{"e%d" % one: urls(server, "/a") for one in range(4)}})
    run = Morning(hosts, tmp_path / "reports")
    assert {one["status"] for one in run.report["systems"] if one["name"] != "slow"} == {"ok"}
    assert next(one for one in run.report["systems"] if one["name"] == "slow")["status"] != "ok"
    order = re.findall(r"^  (\S+) +set of endpoints", run.out, re.M)
    assert order[-1] == "slow"


@pytest.mark.parametrize(
    ("policy", "path", "status"),
    [("never", "/ill", 0), ("critical", "/ill", 2), ("warning", "/ill", 2), ("unknown", "/a", 0), ("warning", "/a", 0)],
)
def test_the_policy_decides_after_the_report_is_written(
    tmp_path: Path, server: str, policy: str, path: str, status: int
) -> None:
    run = Morning(
        inventory(tmp_path, endpoints={"public": urls(server, path)}), tmp_path / "reports", nexuscos_fail_on=policy
    )
    assert run.status == status, run.out
    assert run.report["run"]["fail_on"] == policy


def test_a_policy_that_does_not_exist_is_refused_at_once(tmp_path: Path, server: str) -> None:
    run = Morning(
        inventory(tmp_path, endpoints={"public": urls(server, "/a")}), tmp_path / "reports", nexuscos_fail_on="critcal"
    )
    assert run.status == 2
    assert "critcal" in run.out + run.err
    assert not (tmp_path / "reports").exists()


def test_an_inventory_with_nothing_to_look_at_is_no_green_morning(tmp_path: Path) -> None:
    run = Morning(inventory(tmp_path, others={"a": {}}), tmp_path / "reports")
    assert run.status == 2
    assert "no host in any group that is looked at" in run.out + run.err


def test_check_mode_looks_and_tells_and_writes_no_file(tmp_path: Path, server: str) -> None:
    run = Morning(inventory(tmp_path, endpoints={"public": urls(server, "/ill")}), tmp_path / "reports", "--check")
    assert run.status == 2
    assert "check mode" in run.out
    assert "ill answers" in run.out or "503" in run.out
    assert not (tmp_path / "reports").exists()


def test_where_no_file_can_be_written_the_report_is_still_told(tmp_path: Path, server: str) -> None:
    (tmp_path / "reports").write_text("in the way", encoding="utf-8")
    run = Morning(
        inventory(tmp_path, endpoints={"public": urls(server, "/a")}), tmp_path / "reports", nexuscos_fail_on="never"
    )
    assert run.status == 2
    assert run.out.index("Nothing is wrong") < run.out.index("the report could not be written")


@pytest.mark.parametrize("callback", ["nexuscos.ops.checklist", "ansible.builtin.default"])
def test_every_callback_shows_the_report(tmp_path: Path, server: str, callback: str) -> None:
    hosts = inventory(tmp_path, endpoints={"public": urls(server, "/ill")})
    run = Morning(hosts, tmp_path / "reports", environment={"ANSIBLE_STDOUT_CALLBACK": callback})
    assert re.search(r"^ 3 Services +critical ", run.out, re.M)
    assert "next: " in run.out
    assert "\x1b" not in run.out


def test_colour_where_it_is_asked_for(tmp_path: Path, server: str) -> None:
    hosts = inventory(tmp_path, endpoints={"public": urls(server, "/ill")})
    assert "\x1b[0;31mcritical" in Morning(hosts, tmp_path / "a", environment={"ANSIBLE_FORCE_COLOR": "1"}).out
    assert "\x1b" not in Morning(hosts, tmp_path / "b", environment={"NO_COLOR": "1"}).out


def test_a_playbook_that_is_no_procedure_looks_as_it_always_does(tmp_path: Path) -> None:
    book = tmp_path / "other.yml"
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [{"name": "Say it", "ansible.builtin.debug": {"msg": "hello"}}],
    }
    book.write_text(yaml.safe_dump([play]), encoding="utf-8")
    texts = [
        subprocess.run(
            [str(PLAYBOOK), "-i", "localhost,", str(book)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"ANSIBLE_STDOUT_CALLBACK": name},
        ).stdout
        for name in ("nexuscos.ops.checklist", "ansible.builtin.default")
    ]
    assert texts[0] == texts[1]
    assert "hello" in texts[0]


def test_a_playbook_of_ones_own_may_import_the_morning(tmp_path: Path, server: str) -> None:
    book = tmp_path / "own.yml"
    after = {
        "hosts": "endpoints",
        "gather_facts": False,
        "tasks": [{"name": "After it", "ansible.builtin.debug": {"msg": "hello"}}],
    }
    book.write_text(
        yaml.safe_dump([{"name": "Morning", "import_playbook": "nexuscos.ops.daily_morning"}, after]), encoding="utf-8"
    )
    hosts = inventory(tmp_path, endpoints={"public": urls(server, "/a")})
    command = [str(PLAYBOOK), "-i", hosts, str(book), "-e", "nexuscos_report_dir=%s" % (tmp_path / "reports")]
    text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "Nothing is wrong" in text
    assert "TASK [After it]" in text
    assert "hello" in text
    assert "PLAY RECAP" in text


def test_tasks_grow_with_the_systems_and_not_with_what_runs_in_them(tmp_path: Path, server: str) -> None:
    sets = {"e%d" % one: urls(server, *("/u%d" % url for url in range(20))) for one in range(3)}
    verbose = Morning(
        inventory(tmp_path, endpoints=sets),
        tmp_path / "again",
        "-vvv",
        environment={"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"},
    )
    assert verbose.status == 0, verbose.out
    started = re.findall(r"EXEC /bin/sh -c '[^\n]*AnsiballZ_(\w+)\.py", verbose.out)
    modules = [name for name in started if name != "setup"]
    assert len(modules) <= len(sets) + 10, modules


def test_the_demo_needs_no_lab(tmp_path: Path) -> None:
    run = Morning("inventories/demo", tmp_path, environment={"NEXUSCOS_LAB_DIR": str(tmp_path / "no-lab")})
    assert run.status == 0, run.out + run.err
    assert {one["mode"] for one in run.report["systems"]} == {"recorded"}
    assert "recorded, not live" in run.out.replace("\n", " ")


def test_the_lab_is_judged_live(tmp_path: Path) -> None:
    run = Morning("inventories/lab", tmp_path)
    assert run.status == 0, run.out + run.err
    report = run.report
    assert {one["mode"] for one in report["systems"]} == {"live"}
    assert report["summary"]["critical"] == 0
    assert re.search(r"\b(\d+) of \1 pods ready", run.item("services")["headline"]), run.item("services")["headline"]
    names = {one["name"] for one in report["systems"]}
    assert {"us-east-1", "us-west-2", "db1", "db2", "db3", "db4", "public", "services-us-east-1"} <= names


@pytest.fixture
def without_primary() -> Iterator[None]:
    """The lab with its PostgreSQL primary stopped."""
    prefix = faults.lab_prefix()
    environment = faults.lab_environment() | {"PREFIX": prefix, "LAB": str(ROOT / ".lab")}

    def daemon(what: str) -> None:
        step = ". tests/lab/faults/postgres.sh; daemon %s db1" % what
        subprocess.run(["bash", "-euo", "pipefail", "-c", step], cwd=ROOT, env=environment, check=True, timeout=180)

    daemon("stop")
    try:
        yield
    finally:
        daemon("start")


def _needs(name: str, services: dict[str, Any]) -> set[str]:
    """All that a service depends on, over any number of steps."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = services.get(waiting.pop(), {})
        # A gateway needs all that it forwards to.
        gateway = list(services) if "all services" in one.get("external", ()) else []
        for need in [*one.get("depends_on", ()), *gateway]:
            if need not in found:
                found.add(need)
                waiting.append(need)
    return found


def test_a_stopped_primary_leads_the_report_and_explains_its_dependants(tmp_path: Path, without_primary: None) -> None:
    services = yaml.safe_load((ROOT / "inventories/lab/group_vars/all/catalogue.yml").read_text(encoding="utf-8"))[
        "nexuscos_services"
    ]
    direct = {name for name, one in services.items() if "postgresql" in one["depends_on"]}
    until = time.monotonic() + 300
    while True:
        run = Morning("inventories/lab", tmp_path)
        report = run.report
        known = {one["fingerprint"]: one for one in report["findings"]}
        red = {one["name"] for one in report["services"] if one["kind"] == "service" and one["status"] == "critical"}
        if red >= direct or time.monotonic() > until:
            break
        time.sleep(5)
    assert red >= direct
    assert (report["findings"][0]["check"], report["findings"][0]["object"]) == ("postgres.reachable", "db1")
    assert report["causes"][0]["fingerprint"] == report["findings"][0]["fingerprint"]
    assert run.out.index("CAUSE") < run.out.index("refuses connections")
    # Every red thing that can be red because of it is explained by it, and nothing else is.
    for node in report["services"]:
        for one in (known[name] for name in node["findings"]):
            if node["kind"] == "service" and one["caused_by"]:
                assert "postgresql" in _needs(node["name"], services), one["title"]
    explained = {known[name]["object"].rsplit("/", 1)[-1] for name in report["causes"][0]["explains"]}
    assert explained >= direct

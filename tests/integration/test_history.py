# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history on real databases and disks, and the playbooks that read it: SQLite, and the lab's PostgreSQL."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sqlite3
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import jsonschema
import psycopg
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "lab"), str(ROOT / "tests" / "unit" / "report")]

import faults  # noqa: E402
from fake import finding, look, report  # noqa: E402

from ansible_collections.nexuscos.ops.plugins.module_utils._history import migrations, place, store  # noqa: E402
from ansible_collections.nexuscos.ops.plugins.module_utils._history.acks import Acknowledgement  # noqa: E402
from ansible_collections.nexuscos.ops.plugins.module_utils._history.keep import Keeper  # noqa: E402

PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
SCHEMA = json.loads((ROOT / "docs/schemas/report-1.schema.json").read_text(encoding="utf-8"))
OLD = ROOT / "tests" / "unit" / "history" / "history-1.sql"


# On both databases


@pytest.fixture
def postgres() -> Iterator[str]:
    """A database of its own on the lab's stand-alone PostgreSQL."""
    socket = "/run/nexuscos-lab/%s/run/db4" % faults.lab_prefix()
    name = "nexuscos_history_%s" % secrets.token_hex(4)
    with psycopg.connect(host=socket, user="postgres", dbname="postgres", autocommit=True) as connection:
        connection.execute('CREATE DATABASE "%s"' % name)  # type: ignore[call-overload]
        try:
            yield "postgresql+psycopg://postgres@/%s?host=%s" % (name, socket)
        finally:
            connection.execute('DROP DATABASE "%s" WITH (FORCE)' % name)  # type: ignore[call-overload]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return "sqlite:///%s" % (tmp_path / "history.sqlite")
    made: str = request.getfixturevalue("postgres")
    return made


def morning(day: int, *findings: dict[str, Any], **run: Any) -> dict[str, Any]:
    at = "2026-11-%02dT06:00:00Z" % day
    facts = {"connections_used": day}
    return report(
        look("db1", "databases", *findings, facts=facts), run={"id": "run-%d" % day, "started": at, "ended": at, **run}
    )


def size(status: str = "warning", name: str = "nexusdb") -> dict[str, Any]:
    return finding("postgres.size", "db1/%s" % name, status, "%s grows" % name, value=81.5)


def keep(url: str, made: dict[str, Any], runs: int = 0) -> dict[str, Any]:
    keeper = Keeper(url, "unused", True)
    keeper.consult(made, made["run"]["started"])
    keeper.record(made, runs, 0, made["run"]["started"])
    return made


def test_a_history_is_kept_in_both_databases(url: str) -> None:
    first = keep(url, morning(20, size(), size(name="other")))
    assert first["history"]["error"] is None
    assert first["history"]["kept"]
    history = store.open_history(url)
    one = size()
    history.acknowledge(
        Acknowledgement(
            0, "Nexus COS", one["fingerprint"], one["check"], one["object"], "ops", "wird größer: 日本", "warning",
            "2026-11-20T07:00:00Z", "2026-11-30T00:00:00Z", "10d",
        )
    )  # fmt: skip
    second = keep(url, morning(21, size(), size(name="third")))
    marks = {one["object"]: (one["delta"], bool(one["acknowledged"])) for one in second["findings"]}
    assert marks == {"db1/nexusdb": ("unchanged", True), "db1/third": ("new", False)}
    assert [one["object"] for one in second["delta"]["resolved"]] == ["db1/other"]
    third = keep(url, morning(22, size("critical")), runs=2)
    assert [one["why"] for one in third["history"]["ended"]] == ["got worse"]
    assert third["findings"][0]["delta"] == "worse"
    assert third["trends"]["systems"] == {"db1": {"postgres_health.connections_used": [20, 21, 22]}}
    assert [run["id"] for run in history.runs()] == ["run-22", "run-21"]
    back = history.report("run-22")
    assert back is not None
    assert back["findings"] == json.loads(json.dumps(third["findings"]))
    ended = history.acknowledgements("Nexus COS", ended=True)
    assert [(one.reason, one.ended_why) for one in ended] == [("wird größer: 日本", "got worse")]
    jsonschema.validate(json.loads(json.dumps(third)), SCHEMA)


_WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from fake import look, report
from ansible_collections.nexuscos.ops.plugins.module_utils._history.keep import Keeper
for number in range(4):
    at = "2026-11-20T06:00:%02dZ" % number
    made = report(look("db1", "databases"), run={"id": "run", "started": at, "ended": at})
    keeper = Keeper(sys.argv[1], "unused", True)
    keeper.consult(made, at)
    keeper.record(made, 0, 0, at)
    assert made["history"]["kept"], made["history"]
"""


def test_runs_side_by_side_are_all_kept(url: str) -> None:
    """Six processes begin with nothing, so that all of them want to make the tables, and all of one name."""
    command = [sys.executable, "-c", _WRITER, url, str(ROOT / "tests" / "unit" / "report")]
    writers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _one in range(6)]
    errors = [writer.communicate()[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 6, errors
    runs = store.open_history(url).runs(limit=100)
    assert len({run["id"] for run in runs}) == 24


def _old(url: str) -> None:
    """The tables and rows of an old file, in any of the databases."""
    source = sqlite3.connect(":memory:")
    source.executescript(OLD.read_text(encoding="utf-8"))
    engine = place.engine(url, True)
    import sqlalchemy as sa

    with engine.begin() as connection:
        migrations.migrate(connection, up_to=1)
        connection.execute(sa.text("DELETE FROM nexuscos_schema_version"))
        for table in ("schema_version", "runs", "items", "findings", "values", "acknowledgements"):
            rows = source.execute("SELECT * FROM nexuscos_%s" % table)
            names = [one[0] for one in rows.description]
            statement = "INSERT INTO nexuscos_%s (%s) VALUES (%s)" % (
                table,
                ", ".join('"%s"' % name for name in names),
                ", ".join(":%s" % name for name in names),
            )
            for row in rows.fetchall():
                connection.execute(sa.text(statement), dict(zip(names, row, strict=True)))
    source.close()


def test_an_old_history_is_migrated_and_loses_nothing(url: str) -> None:
    _old(url)
    history = store.open_history(url)
    runs = history.runs()
    assert [run["id"] for run in runs] == ["run-22-6", "run-21-6", "run-20-6"]
    for run in runs:
        kept = history.report(run["id"])
        assert kept is not None
        assert kept["summary"]["critical"] == run["critical"]
    recent = history.recent("daily_morning", "Nexus COS")
    assert [sorted(one["since"] for one in run.findings.values()) for run in recent] == [
        ["2026-11-20T06:00:00Z", "2026-11-21T06:00:00Z"],
        ["2026-11-20T06:00:00Z", "2026-11-21T06:00:00Z"],
        ["2026-11-20T06:00:00Z"],
    ]
    assert len(history.acknowledgements("Nexus COS")) == 1
    assert keep(url, morning(23, size()))["history"]["kept"]


def test_a_database_that_refuses_fails_the_record_only(postgres: str) -> None:
    elsewhere = postgres.replace("nexuscos_history_", "nexuscos_nowhere_")
    made = keep(elsewhere, morning(20, size()))
    assert "does not exist" in made["history"]["error"]
    assert made["history"]["kept"] is False
    wrong = keep(postgres.replace("postgres@/", "nobody:geheim@/"), morning(20, size()))
    assert wrong["history"]["error"]
    assert "geheim" not in json.dumps(wrong)


# Disks


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _fill(folder: Path) -> None:
    with contextlib.suppress(OSError), open(folder / "ballast", "wb", buffering=0) as stream:
        while True:
            stream.write(b"x" * 4096)


def test_a_full_disk_fails_the_record_only(disk: Path) -> None:
    url = "sqlite:///%s" % (disk / "history.sqlite")
    keep(url, morning(20, size()))
    _fill(disk)
    made = keep(url, morning(21, size("critical")))
    assert "full" in made["history"]["error"]
    assert made["history"]["kept"] is False
    assert made["findings"][0]["delta"] == "worse"
    (disk / "ballast").unlink()
    after = keep(url, morning(22, size("critical")))
    assert (after["history"]["error"], after["delta"]["since"]["run"]) == (None, "run-20")


def test_a_full_disk_without_a_history_fails_the_record_only(disk: Path) -> None:
    _fill(disk)
    made = keep("sqlite:///%s" % (disk / "history.sqlite"), morning(20, size()))
    assert made["history"]["error"]
    (disk / "ballast").unlink()
    assert keep("sqlite:///%s" % (disk / "history.sqlite"), morning(21, size()))["history"]["kept"]


def test_a_read_only_disk_fails_the_record_only(disk: Path) -> None:
    url = "sqlite:///%s" % (disk / "history.sqlite")
    keep(url, morning(20, size()))
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    made = keep(url, morning(21, size(), size(name="other")))
    assert "readonly" in made["history"]["error"]
    assert sorted(one["delta"] for one in made["findings"]) == ["new", "unchanged"]
    fresh = keep("sqlite:///%s" % (disk / "deeper" / "history.sqlite"), morning(21, size()))
    assert "Read-only file system" in fresh["history"]["error"]


# As an operator meets it


class _Service(BaseHTTPRequestHandler):
    ill: ClassVar[set[str]] = set()

    def do_GET(self) -> None:
        self.send_response(503 if self.path in self.ill else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(b"{}")

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[str]:
    """Two endpoints that can be made ill."""
    _Service.ill = set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield "http://127.0.0.1:%d" % server.server_address[1]
    server.shutdown()
    server.server_close()


class Platform:
    """An inventory of two sets of endpoints, and the playbooks."""

    def __init__(self, folder: Path, service: str) -> None:
        self.folder, self.reports = folder, folder / "reports"
        hosts = {
            name: {
                "nexuscos_endpoints": [{"name": name, "url": "%s/%s" % (service, name), "samples": 1, "service": name}]
            }
            for name in ("one", "two")
        }
        groups = {"endpoints": {"hosts": hosts}}
        self.hosts = {"all": {"vars": {"nexuscos_platform": "Test"}, "children": groups}}
        self.write()

    def write(self) -> None:
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(self.hosts), encoding="utf-8")

    def play(self, name: str, *arguments: str, inventory: bool = True, **variables: Any) -> tuple[int, str]:
        extra = {"nexuscos_report_dir": str(self.reports)} | variables
        command = [str(PLAYBOOK), "nexuscos.ops.%s" % name, "-e", json.dumps(extra), *arguments]
        if inventory:
            command[1:1] = ["-i", str(self.folder / "hosts.yml")]
        clean = {key: value for key, value in os.environ.items() if not key.endswith("FORCE_COLOR")}
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=clean)
        return done.returncode, done.stdout + done.stderr

    def morning(self, *arguments: str, **variables: Any) -> tuple[int, str, dict[str, Any]]:
        status, out = self.play("daily_morning", *arguments, **variables)
        return status, out, self.latest(self.reports)

    def latest(self, folder: Path) -> dict[str, Any]:
        path = folder / "daily_morning" / "latest" / "report.json"
        made: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.validate(made, SCHEMA)
        return made


@pytest.fixture
def platform(tmp_path: Path, service: str) -> Platform:
    return Platform(tmp_path, service)


def test_the_delta_the_acknowledgement_and_what_became_of_it(platform: Platform) -> None:
    status, out, first = platform.morning()
    assert (status, first["delta"]) == (0, None), out
    assert (platform.reports / "history.sqlite").stat().st_mode & 0o777 == 0o600

    _Service.ill = {"/one"}
    status, out, second = platform.morning()
    assert status == 2
    assert (second["findings"][0]["delta"], second["delta"]["new"]) == ("new", 1)
    assert "\nNEW " in out
    name = second["findings"][0]["fingerprint"][:12]
    assert "#" + name in out

    # Limited to the other one, nothing of this one is resolved.
    status, _out, limited = platform.morning("--limit", "two")
    assert status == 0
    assert limited["delta"]["resolved"] == []
    assert [one["fingerprint"] for one in limited["delta"]["not_seen"]] == [second["findings"][0]["fingerprint"]]

    asked = {"nexuscos_finding": name, "nexuscos_reason": "new release at noon", "nexuscos_until": "3d"}
    asked["nexuscos_by"] = "ops"
    status, out = platform.play("acknowledge", "--check", "--diff", **asked)
    assert status == 0, out
    assert '+    "reason": "new release at noon"' in out
    assert "changed=1" in out
    assert "changed=1" in platform.play("acknowledge", **asked)[1]
    assert "changed=0" in platform.play("acknowledge", **asked)[1]

    status, out, third = platform.morning()
    assert status == 0, out
    assert third["findings"][0]["acknowledged"]["by"] == "ops"
    assert third["findings"][0]["delta"] == "unchanged"
    assert "ACKED     1 until " in out
    assert "new release at noon" in out

    _Service.ill = set()
    status, out, fourth = platform.morning()
    assert [one["object"] for one in fourth["delta"]["resolved"]] == ["one/one"]
    assert [one["why"] for one in fourth["history"]["ended"]] == ["resolved"]
    assert "RESOLVED  1: " in out
    _Service.ill = {"/one"}
    status, out, _fifth = platform.morning()
    assert status == 2, out

    # Any two runs, told again.
    status, out = platform.play("report", nexuscos_run_id="list")
    assert out.count("daily_morning-20") == 6
    status, out = platform.play(
        "report",
        nexuscos_run_id=third["run"]["id"],
        nexuscos_compare_with=first["run"]["id"],
        nexuscos_report_dest=str(platform.folder / "out"),
    )
    assert status == 0, out
    told = json.loads((platform.folder / "out" / "report.json").read_text(encoding="utf-8"))
    jsonschema.validate(told, SCHEMA)
    assert told["delta"]["since"]["run"] == first["run"]["id"]
    assert told["delta"]["new"] == 1
    assert "ACKED" in out
    status, out = platform.play("report", nexuscos_run_id="no-such-run")
    assert status == 2
    assert "no runs of the history" in out


def test_check_mode_tells_the_delta_and_keeps_nothing(platform: Platform) -> None:
    platform.morning()
    before = (platform.reports / "history.sqlite").read_bytes()
    _Service.ill = {"/one"}
    status, out = platform.play("daily_morning", "--check")
    assert status == 2
    assert "\nNEW " in out
    assert (platform.reports / "history.sqlite").read_bytes() == before


def test_a_run_is_told_and_judged_where_its_record_cannot_be_kept(platform: Platform, disk: Path) -> None:
    _fill(disk)
    status, out, made = platform.morning(nexuscos_history_url="sqlite:///%s" % (disk / "history.sqlite"))
    assert status == 0, out
    assert made["history"]["kept"] is False
    assert "\nhistory   not kept: " in out


def test_several_controllers_share_a_history_in_postgresql(platform: Platform, postgres: str) -> None:
    _Service.ill = {"/one"}
    _status, _out, first = platform.morning(nexuscos_history_url=postgres)
    assert first["history"]["kept"]
    name = first["findings"][0]["fingerprint"]
    asked = {"nexuscos_finding": name, "nexuscos_reason": "known", "nexuscos_until": "3d"}
    status, out = platform.play("acknowledge", nexuscos_history_url=postgres, **asked)
    assert status == 0, out
    platform.reports = platform.folder / "elsewhere"
    status, out, second = platform.morning(nexuscos_history_url=postgres)
    assert status == 0, out
    assert second["delta"]["unchanged"] == 1
    assert not (platform.reports / "history.sqlite").exists()
    assert (
        "changed=1" in platform.play("acknowledge", nexuscos_history_url=postgres, nexuscos_state="absent", **asked)[1]
    )
    assert platform.morning(nexuscos_history_url=postgres)[0] == 2


def test_a_support_bundle_is_judged_anywhere(platform: Platform, tmp_path: Path) -> None:
    _Service.ill = {"/one"}
    platform.hosts["all"]["children"]["endpoints"]["hosts"]["away"] = {
        "nexuscos_run_on": "away", "ansible_host": "127.0.0.1", "ansible_port": 1, "nexuscos_endpoints": [],
    }  # fmt: skip
    platform.hosts["all"]["vars"]["nexuscos_thresholds"] = {"endpoint.latency": {"target": 8000, "alert": 9000}}
    platform.hosts["all"]["vars"]["nexuscos_own_secret"] = "geheim"
    platform.write()
    path = tmp_path / "support.tar.gz"
    status, out = platform.play("support_bundle", nexuscos_bundle=str(path))
    assert status == 0, out
    assert "2 recordings of 3 systems" in out
    with tarfile.open(path) as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest is not None
        assert "geheim" not in manifest.read().decode()
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith("support")] == ["support.tar.gz"]
    live = platform.latest(platform.reports)
    _Service.ill = set()
    away = tmp_path / "away"
    status, out = platform.play("report", inventory=False, nexuscos_bundle=str(path), nexuscos_report_dir=str(away))
    assert status == 0, out
    again = platform.latest(away)
    for key in ("check", "object", "status", "target", "fingerprint"):
        assert [one[key] for one in again["findings"]] == [one[key] for one in live["findings"]]
    assert again["run"]["platform"] == "Test"
    assert {one["name"]: one["mode"] for one in again["systems"]} == {
        "one": "recorded", "two": "recorded", "away": "unseen",
    }  # fmt: skip
    assert "not in the bundle: unreachable" in out
    assert again["services"] == live["services"]
    assert not (away / "history.sqlite").exists()
    # With an inventory beside it, it might look at something else.
    status, out = platform.play("report", nexuscos_bundle=str(path))
    assert status == 2
    assert "A bundle brings its own inventory" in out

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daily runbook all day: the watch, the end of day, and who starts them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
HOST = "host1"
# How long an answer takes is the business of a busy machine here, and of no test.
PATIENT = {"nexuscos_thresholds_run": {"endpoint.latency": {"enabled": False}}}


def play(name: str, inventory: str, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Run a playbook of the collection."""
    clean = {key: value for key, value in os.environ.items() if key not in ("ANSIBLE_FORCE_COLOR", "FORCE_COLOR")}
    return subprocess.run(
        [str(PLAYBOOK), "-i", inventory, "nexuscos.ops.%s" % name, "-e", json.dumps(PATIENT | variables), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=clean,
        timeout=900,
    )


class _Moody(BaseHTTPRequestHandler):
    """Healthy at first, ill in the requests after `turns`, and healthy again."""

    seen = 0
    ill: tuple[int, int] = (1, 2)

    def do_GET(self) -> None:
        first, last = type(self).ill
        status = 503 if first <= type(self).seen < last else 200
        type(self).seen += 1
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def moody(tmp_path: Path) -> Iterator[str]:
    """An inventory with one endpoint that is ill in the second round."""
    _Moody.seen = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Moody)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = "http://127.0.0.1:%d/health" % server.server_address[1]
    endpoints = {"public": {"nexuscos_endpoints": [{"name": "site", "url": url, "samples": 1}]}}
    path = tmp_path / "hosts.yml"
    path.write_text(yaml.safe_dump({"all": {"children": {"endpoints": {"hosts": endpoints}}}}), encoding="utf-8")
    yield str(path)
    server.shutdown()
    server.server_close()


def test_the_watch_tells_changes_and_ends(moody: str, tmp_path: Path) -> None:
    done = play(
        "daily_watch",
        moody,
        nexuscos_report_dir=str(tmp_path / "reports"),
        nexuscos_watch_rounds=3,
        nexuscos_watch_interval=1,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = [line for line in done.stdout.splitlines() if re.match(r"\d\d:\d\d:\d\d  |NEW|RESOLVED", line)]
    assert re.search(r"first round: nothing is wrong", told[0])
    assert re.search(r"1 new; 1 critical", told[1])
    assert told[2].startswith("NEW       critical")
    assert re.search(r"1 resolved; nothing is wrong", told[3])
    assert told[4].startswith("RESOLVED  critical")
    assert len(told) == 5


def test_one_round_is_the_hourly_list_and_its_policy_holds(moody: str, tmp_path: Path) -> None:
    _Moody.seen = 1
    done = play("daily_watch", moody, nexuscos_report_dir=str(tmp_path / "reports"), nexuscos_watch_rounds=1)
    assert done.returncode == 2
    assert re.search(r"^ 4 Response times ", done.stdout, re.M), "the whole list, not only changes"
    assert "failed: 1 critical finding" in done.stdout


def test_the_end_of_day_knows_the_day(moody: str, tmp_path: Path) -> None:
    _Moody.seen = 1
    reports = str(tmp_path / "reports")
    morning = play("daily", moody, nexuscos_report_dir=reports, nexuscos_fail_on="never")
    assert "morning ·" in morning.stdout, morning.stdout + morning.stderr
    evening = play(
        "daily",
        moody,
        "--tags",
        "end_of_day",
        nexuscos_report_dir=reports,
        nexuscos_handoff_note="mind the *site*",
        nexuscos_maintenance=[{"title": "Move", "start": "2020-01-01T00:00:00Z", "end": "2099-01-01T00:00:00Z"}],
    )
    assert evening.returncode == 0, evening.stdout + evening.stderr
    assert "morning ·" not in evening.stdout
    page = (tmp_path / "reports/daily_end_of_day/latest/handoff.md").read_text(encoding="utf-8")
    assert "> mind the \\*site\\*" in page
    assert re.search(r"\| resolved \| site answers 503", page), page
    assert "Move, 2020-01-01 00:00 UTC, open until 2099-01-01 00:00 UTC" in page
    assert not list((tmp_path / "reports").glob("daily_watch"))


@pytest.fixture
def scheduled(tmp_path: Path) -> Iterator[str]:
    """A host of the lab that has no schedule, before and after."""
    extra = tmp_path / "schedulers.yml"
    extra.write_text(yaml.safe_dump({"schedulers": {"hosts": {HOST: {}}}}), encoding="utf-8")
    play("schedule", "inventories/lab", "-i", str(extra), nexuscos_schedule_state="absent")
    yield str(extra)
    play("schedule", "inventories/lab", "-i", str(extra), nexuscos_schedule_state="absent")


def on_host(command: str) -> str:
    return subprocess.run(
        ["ssh", "-F", ".lab/ssh_config", HOST, command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    ).stdout


def test_timers_are_installed_checked_first_and_taken_away(scheduled: str) -> None:
    def schedule(*arguments: str, **variables: Any) -> tuple[int, str]:
        done = play("schedule", "inventories/lab", "-i", scheduled, *arguments, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        changed = re.search(r"^%s .*changed=(\d+)" % HOST, done.stdout, re.M)
        assert changed, done.stdout
        return int(changed.group(1)), done.stdout

    want = {"nexuscos_schedule_inventory": "/srv/ops/platform"}
    changed, text = schedule("--check", "--diff", **want)
    assert changed
    assert "+OnCalendar=Mon..Fri *-*-* 06:00:00" in text
    assert "nexuscos-ops" not in on_host("systemctl list-timers --all --no-pager")
    assert schedule(**want)[0]
    assert schedule(**want)[0] == 0
    assert schedule("--check", **want)[0] == 0
    listed = on_host("systemctl list-timers --all --no-pager")
    for name in ("daily-morning", "daily-watch", "daily-end-of-day", "backup", "weekly-restore-test"):
        assert "nexuscos-ops-%s.timer" % name in listed
    units = "/etc/systemd/system/nexuscos-ops-*.timer"
    assert on_host("sudo systemd-analyze verify %s 2>&1 | grep -v 'ansible-playbook is not executable'" % units) == ""
    # Every six hours, as systemd itself reads it.
    told = on_host("systemctl show --property=TimersCalendar --value nexuscos-ops-backup.timer")
    calendar = re.search(r"OnCalendar=([^;]+?) ;", told)
    assert calendar, told
    hours = on_host("systemd-analyze calendar --iterations=4 '%s' | grep -oE '[0-9]{2}:00:00 UTC'" % calendar.group(1))
    assert sorted({line[:2] for line in hours.splitlines()}) == ["00", "06", "12", "18"]
    # What the timer starts is the playbook, from the folder of its reports.
    assert schedule(**want, nexuscos_schedule_command="/usr/bin/echo")[0]
    on_host("sudo systemctl start nexuscos-ops-backup.service")
    journal = on_host("sudo journalctl --no-pager --output=cat --unit=nexuscos-ops-backup.service")
    assert "-i /srv/ops/platform nexuscos.ops.backup\n" in journal
    # One that is not wanted any more goes.
    one = {**want, "nexuscos_schedule_timers": {"daily_morning": "*-*-* 07:00:00"}}
    assert schedule(**one)[0]
    listed = on_host("systemctl list-timers --all --no-pager")
    assert "nexuscos-ops-daily-morning.timer" in listed
    assert "nexuscos-ops-daily-watch.timer" not in listed
    assert "nexuscos-ops-backup.timer" not in listed
    assert schedule(nexuscos_schedule_state="absent")[0]
    assert on_host("ls /etc/systemd/system | grep nexuscos-ops") == ""
    assert schedule(nexuscos_schedule_state="absent")[0] == 0


def test_the_cluster_takes_the_cronjobs(tmp_path: Path) -> None:
    manifest = tmp_path / "cronjobs.yml"
    done = play("schedule", "inventories/lab", nexuscos_schedule_manifest=str(manifest))
    assert done.returncode == 0, done.stdout + done.stderr
    documents = list(yaml.safe_load_all(manifest.read_text(encoding="utf-8")))
    assert [one["kind"] for one in documents] == ["Namespace", "PersistentVolumeClaim", *["CronJob"] * 5]
    jobs = {one["metadata"]["name"]: one["spec"] for one in documents if one["kind"] == "CronJob"}
    assert jobs["nexuscos-ops-backup"]["schedule"] == "0 */6 * * *"
    assert jobs["nexuscos-ops-weekly-restore-test"]["schedule"] == "0 3 * * 0"
    (container,) = jobs["nexuscos-ops-backup"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["ansible-playbook", "-i", "/inventory", "nexuscos.ops.backup"]
    # The namespace is one that is there: a server-side dry run makes none.
    text = manifest.read_text(encoding="utf-8").replace("namespace: nexuscos-ops", "namespace: default")
    script = 'eval "$(make -s lab-env)" && kubectl --context us-east-1 apply --dry-run=server -f -'
    answer = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, input=text, capture_output=True, text=True, check=False, timeout=240
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.count("created (server dry run)") == len(documents)


def test_a_schedule_without_an_inventory_says_what_is_missing() -> None:
    done = play("schedule", "inventories/lab")
    assert done.returncode == 2
    assert "nexuscos_schedule_inventory" in done.stdout + done.stderr

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From looks at hosts to findings."""

from __future__ import annotations

import time
from typing import Any

import pytest
from host_looks import AT, GIB, NOW, Look

from ansible_collections.nexuscos.ops.plugins.module_utils._host import disks
from ansible_collections.nexuscos.ops.plugins.module_utils._host.checks import CHECKS


def test_a_healthy_host_has_no_finding_and_all_is_seen() -> None:
    look = Look().judge(units=["ssh"], listening=["22"])
    assert look.found == []
    assert all(row["seen"] for row in look.result["coverage"]), look.result["coverage"]
    assert len(look.result["coverage"]) == len(CHECKS)
    assert look.result["facts"]["cpu_percent"] == 12.5
    assert look.result["facts"]["fullest_percent"] == 50.0


@pytest.mark.parametrize(("percent", "status"), [(70.0, None), (70.1, "warning"), (85.1, "critical")])
def test_cpu(percent: float, status: str | None) -> None:
    look = Look()
    look["cpu"]["percent"] = percent
    assert look.judge().found == ([("host.cpu", "host1", status)] if status else [])


def test_the_cpu_of_a_quota() -> None:
    look = Look()
    look["host"]["cpus"] = {"count": 8, "quota": 0.5, "usable": 0.5}
    look["cpu"].update(percent=100.0, of="container")
    finding = look.judge().finding("host.cpu")
    assert finding["title"] == "host1 uses 100 % of 0.5 CPUs, its quota"


def test_load_of_a_machine_and_of_a_container() -> None:
    look = Look()
    look["load"]["average"] = [30.0, 9.0, 1.0]
    assert look.judge().found == [("host.load", "host1", "warning")]
    look["load"].update(of="container", running=17.0)
    assert look.judge().found == [("host.load", "host1", "critical")]
    # what the machine below does is not the container's
    look["load"].update(running=1.0)
    assert look.judge().found == []


def test_memory_and_swap() -> None:
    look = Look()
    look["memory"].update(used=7 * GIB, swap_used=1.7 * GIB)
    assert look.judge().found == [("host.memory", "host1", "warning"), ("host.swap", "host1", "critical")]
    look["memory"].update(used=GIB, swap_total=0, swap_used=0)
    assert look.judge().found == []
    assert look.row("host.swap")["seen"]


def test_pressure() -> None:
    look = Look()
    look["pressure"]["cpu"]["some"]["avg60"] = 95.0
    look["pressure"]["memory"]["full"]["avg60"] = 6.0
    look["pressure"]["io"] = {"reason": "the kernel counts no pressure"}
    assert look.judge().found == [
        ("host.pressure_cpu", "host1", "critical"),
        ("host.pressure_memory", "host1", "warning"),
    ]
    assert look.row("host.pressure_io")["reason"] == "the kernel counts no pressure"


def test_a_full_file_system_names_its_largest_folders() -> None:
    look = Look()
    look["mounts"][1].update(used=95 * GIB, available=5 * GIB)
    look.observation["folders"]["data"] = [
        {"root": "/var", "complete": False, "largest": [{"folder": "/var/lib/docker", "bytes": 50 * GIB}]}
    ]
    finding = look.judge().finding("host.filesystem")
    assert (finding["object"], finding["status"], finding["value"]) == ("host1/var", "critical", 95.0)
    assert finding["evidence"]["largest_folders"][0] == {"folder": "/var/lib/docker", "size": "50 GiB"}
    assert "du -xh --max-depth=2 /var |" in finding["remedy"]
    assert look.judge(ignore_mounts=["/v*"]).found == []


def test_inodes_read_only_and_what_does_not_answer() -> None:
    look = Look()
    look["mounts"][0].update(inodes_free=50, read_only=True)
    look["mounts"][1] = {"mount": "/mnt/it's here", "type": "nfs4", "device": "s:/x", "error": "it does not answer"}
    assert look.judge().found == [
        ("host.filesystem", "host1/mnt/it's here", "unknown"),
        ("host.inodes", "host1/", "critical"),
        ("host.read_only", "host1/", "critical"),
    ]


def point(hours: float, used: float, mount: str = "/var") -> dict[str, Any]:
    at = disks.moment(AT)
    assert at is not None
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at - hours * 3600))
    return {"at": stamp, "filesystems": {mount: used * GIB}, "oom_kills": 0, "now": NOW - hours * 3600}


def forecast(look: Look) -> list[tuple[str, float]]:
    look.judge()
    return [
        (one["status"], one["value"])
        for one in look.result["findings"]
        if one["check"] == "host.filesystem_forecast" and one["object"] == "host1/var"
    ]


def test_a_forecast_of_two_looks() -> None:
    look = Look()
    look.observation["history"] = [point(24, 26)]
    # 24 GiB a day, 50 left
    assert forecast(look) == [("warning", 50.0)]
    look.observation["history"] = [point(12, 20)]
    assert forecast(look) == [("critical", 20.0)]


def test_one_large_deletion_does_not_turn_a_forecast_round() -> None:
    series = [(0.0, 0.0), (1.0, 10.0), (2.0, 20.0), (3.0, 0.0), (4.0, 40.0), (5.0, 50.0)]
    assert disks.slope(series) == 10.0
    assert disks.slope([(1.0, 5.0), (1.0, 9.0)]) == 0.0


def test_a_forecast_reaches_no_further_than_its_looks_allow() -> None:
    look = Look()
    # an hour and a half, 1 GiB: full in 75 h, which is more than fifteen
    look.observation["history"] = [point(1.5, 49)]
    assert forecast(look) == []
    assert look.row("host.filesystem_forecast")["seen"]


@pytest.mark.parametrize(
    ("history", "asked", "seen"),
    [([], False, True), ([], True, False), ([point(0.5, 10)], True, False), ([{"at": "long ago"}], True, False)],
)
def test_when_a_forecast_can_be_told(history: list[Any], asked: bool, seen: bool) -> None:
    look = Look()
    look.observation.update(history=history, history_asked=asked)
    assert forecast(look) == []
    assert look.row("host.filesystem_forecast")["seen"] is seen


def test_a_look_remembers_those_before_it() -> None:
    look = Look()
    look.observation["history"] = [point(hours, 1) for hours in range(40, 0, -1)]
    points = disks.past(look.observation, AT)
    assert len(points) == 30
    assert points[-1]["filesystems"] == {"/": 40 * GIB, "/var": 50 * GIB}
    assert points[-1]["at"] == AT


def test_deleted_files() -> None:
    look = Look()
    look["deleted"].update(
        mounts=[
            {"mount": "/var", "size": 100 * GIB, "bytes": 6 * GIB, "count": 1,
             "files": [{"path": "/var/log/x", "bytes": 6 * GIB, "pid": 7, "command": "java"}]},
            {"mount": "/", "size": 100 * GIB, "bytes": GIB, "count": 1, "files": []},
        ],
    )  # fmt: skip
    finding = look.judge().finding("host.deleted_files")
    assert finding["title"] == "deleted files that are still open take 6 GiB (6 %) of /var, most by java (pid 7)"
    look["deleted"].update(mounts=[], reason="root only")
    assert look.judge().row("host.deleted_files")["reason"] == "root only"


def test_a_container_engine() -> None:
    look = Look()
    look.observation["docker"]["data"] = {
        "root": "/var/lib/docker", "bytes": 80 * GIB, "reclaimable": 60 * GIB, "kinds": {"images": {"bytes": 1}},
        "largest_unused": [{"kind": "image", "name": "app:1", "bytes": 5}],
    }  # fmt: skip
    assert look.judge().finding("host.docker_disk")["value"] == 60.0
    look.fail("docker", "only root may ask")
    assert look.judge().row("host.docker_disk")["reason"] == "only root may ask"


def test_units() -> None:
    look = Look()
    look["units"]["units"][0].update(active="failed", result="exit-code", exit=3)
    look["units"]["units"][1].update(active="failed", result="timeout")
    look.judge(units=["ssh", "web"])
    assert look.found == [
        ("host.unit", "host1/ssh.service", "critical"),
        ("host.unit", "host1/web.service", "critical"),
        ("host.unit_failed", "host1/nexus-cos-backup.service", "warning"),
    ]
    assert "(exit-code, exit 3)" in look.result["findings"][0]["title"]
    assert look.judge(ignore_units=["*backup*", "ssh*"]).found == []


def test_a_oneshot_that_must_run_may_rest() -> None:
    assert Look().judge(units=["nexus-cos-backup", "nexus-cos-backup.timer"]).found == []
    look = Look()
    look["units"]["units"][0].update(active="inactive", sub="dead")
    assert look.judge(units=["ssh.service"]).found == [("host.unit", "host1/ssh.service", "critical")]
    assert look.judge().found == []


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"restarts": 40, "restarts_hour": 40, "sub": "auto-restart", "active": "activating"}, "critical"),
        ({"restarts": 5, "restarts_hour": 5, "started_s": 30.0}, "warning"),
        ({"restarts": 40, "restarts_hour": 1, "started_s": 30.0}, None),
        ({"restarts": 40, "restarts_hour": 40, "started_s": 3000.0}, None),
        ({"restarts": 40, "restarts_hour": None, "started_s": 30.0}, "critical"),
    ],
)
def test_restart_loops(changes: dict[str, Any], status: str | None) -> None:
    look = Look()
    look["units"]["units"][0].update(changes)
    assert look.judge().found == ([("host.restart_loop", "host1/ssh.service", status)] if status else [])


def test_timers() -> None:
    look = Look()
    timer = look["units"]["timers"][0]
    timer.update(late_s=3600.0, sub="running")
    finding = look.judge().finding("host.timer_missed")
    assert (finding["value"], finding["status"]) == (60.0, "warning")
    assert "has not ended" in finding["title"]
    timer.update(late_s=0.0, active="inactive")
    assert "will not run" in look.judge().finding("host.timer_missed")["title"]
    timer.update(condition="no")
    assert look.judge().found == []
    timer.update(condition="yes", enabled=False)
    assert look.judge().found == []


def test_listening() -> None:
    look = Look()
    rows = look["listening"]["sockets"]
    rows += [
        {"protocol": "tcp", "address": "::", "port": 4444, "command": "nc", "pid": 5},
        {"protocol": "tcp", "address": "0.0.0.0", "port": 4444},
        {"protocol": "udp", "address": "0.0.0.0", "port": 161},
        {"protocol": "tcp", "address": "0.0.0.0", "port": 45000},
    ]
    look.judge(listening=["22", "53/udp", "10.0.0.1:22", "5000-5010"], ignore_listening=["45000"])
    assert look.found == [
        ("host.listening", "host1/22/tcp", "critical"),
        ("host.listening", "host1/53/udp", "critical"),
        ("host.listening_unexpected", "host1/161/udp", "warning"),
        ("host.listening_unexpected", "host1/4444/tcp", "warning"),
    ]
    assert look.judge().found == []


def server(offset: float | None) -> dict[str, Any]:
    return {"server": "t", "error": "it does not answer"} if offset is None else {"server": "t", "offset_s": offset}


@pytest.mark.parametrize(
    ("offsets", "status", "seen"),
    [
        ([0.2], None, True),
        ([-2.0], "warning", True),
        ([90.0], "critical", True),
        # one server that is wrong does not decide, nor does one that is silent
        ([0.1, 500.0, None], None, True),
        ([None, None], None, False),
    ],
)
def test_the_clock_against_servers(offsets: list[Any], status: str | None, seen: bool) -> None:
    look = Look()
    look["clock"]["servers"] = [server(offset) for offset in offsets]
    assert look.judge().found == ([("host.clock", "host1", status)] if status else [])
    assert look.row("host.clock")["seen"] is seen


def test_the_clock_without_servers() -> None:
    look = Look()
    look["clock"]["kernel"]["synchronised"] = False
    assert look.judge().found == [("host.clock", "host1", "warning")]
    # a machine that was started a moment ago
    look["clock"]["uptime_s"] = 60.0
    assert look.judge().found == []
    look["clock"].update(uptime_s=9999.0, container=True, kernel=None)
    assert look.judge().found == []
    assert look.row("host.clock")["seen"]
    look["clock"].update(container=False, kernel={"reason": "adjtimex: no"})
    assert look.judge().row("host.clock")["reason"] == "adjtimex: no"


def test_reboots() -> None:
    look = Look()
    look["reboot"].update(needed=True, why="/run/reboot-required", packages=["libc6"], since=NOW - 7300)
    assert look.judge().finding("host.reboot_needed")["title"] == "host1 wants a reboot for libc6, since 2 h"
    look["reboot"].update(why="kernel", running="6.1", installed="6.2")
    assert look.judge().finding("host.reboot_needed")["title"] == "host1 runs kernel 6.1, and 6.2 is installed"


def row(name: str, count: int) -> dict[str, Any]:
    return {"name": name, "count": count, "last": NOW, "lines": ["a line"]}


def test_disk_errors() -> None:
    look = Look()
    look["kernel"]["disk"] = [row("sda", 1), row("sdb", 9)]
    assert look.judge().found == [
        ("host.disk_errors", "host1/sda", "warning"),
        ("host.disk_errors", "host1/sdb", "critical"),
    ]
    look["kernel"].update(source=None, reason="there is none")
    assert look.judge().row("host.disk_errors")["reason"] == "there is none"


def test_kills_of_a_machine_are_in_its_log() -> None:
    look = Look()
    look["kernel"]["oom"] = [row("java", 2), row("node", 4)]
    look["oom"]["kills"] = 99
    finding = look.judge().finding("host.oom_kills")
    assert (finding["value"], finding["status"]) == (6.0, "critical")
    # what the counter knows besides is older than the log looks back
    look["kernel"]["oom"] = []
    assert look.judge().found == []


def test_kills_without_a_log_are_counted() -> None:
    look = Look()
    look["kernel"].update(source=None, reason="none")
    look["oom"]["kills"] = 2
    assert look.judge().finding("host.oom_kills")["value"] == 2.0
    look["oom"]["kills"] = None
    assert not look.judge().row("host.oom_kills")["seen"]


def test_kills_of_a_container_since_the_last_look() -> None:
    look = Look()
    look["oom"].update(of="container", kills=3)
    assert "since it was started" in look.judge().finding("host.oom_kills")["title"]
    look.observation["history"] = [{**point(2, 50), "oom_kills": 2}]
    assert look.judge().finding("host.oom_kills")["value"] == 1.0
    look.observation["history"] = [{**point(2, 50), "oom_kills": 3}]
    assert look.judge().found == []
    # that look was before this start: the counter has begun anew
    look["host"]["uptime_s"] = 60.0
    assert look.judge().finding("host.oom_kills")["value"] == 3.0


def test_a_part_that_failed_costs_its_own_checks_only() -> None:
    look = Look()
    for part in look.observation:
        if part not in ("at", "history", "history_asked", "host"):
            look.fail(part, "refused")
    look.judge()
    assert look.found == []
    assert not any(row["seen"] for row in look.result["coverage"])
    reasons = {row["reason"] for row in look.result["coverage"] if row["check"] != "host.oom_kills"}
    assert reasons == {"refused"}
    one = Look()
    one.fail("units", "systemctl is not installed")
    unseen = {row["check"] for row in one.judge().result["coverage"] if not row["seen"]}
    assert unseen == {"host.unit", "host.unit_failed", "host.restart_loop", "host.timer_missed"}

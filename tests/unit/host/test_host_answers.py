# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd, the kernel's log, time servers and container engines say, in their own words."""

from __future__ import annotations

import http.server
import json
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from host_looks import NOW, enable, host, unit_file

from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import LookError, OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._host import clocks, docker, kernel, units
from ansible_collections.nexuscos.ops.plugins.module_utils._host.files import Clock, Files

SHOW = """NRestarts=7
ExecMainStartTimestampMonotonic=1000000
ExecMainStatus=1
Type=simple
Id=loop.service
LoadState=loaded
ActiveState=activating
SubState=auto-restart
Result=exit-code
UnitFileState=static

Id=gone.service
LoadState=not-found
ActiveState=inactive

Id=masked.service
LoadState=masked
ActiveState=inactive

Unit=job.service
TimersCalendar={ OnCalendar=*-*-* 00/6:00:00 ; next_elapse=Sun 2026-11-29 12:00:00 UTC }
TimersCalendar={ OnCalendar=Mon *-*-* 03:00:00 ; next_elapse=Mon 2026-11-30 03:00:00 UTC }
LastTriggerUSec=Sat 2026-11-28 18:00:00 UTC
NextElapseUSecRealtime=
AccuracyUSec=1min
RandomizedDelayUSec=0
ActiveEnterTimestamp=Sat 2026-11-28 08:12:42 UTC
Id=job.timer
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
ConditionResult=yes
"""
JOURNAL = '{"UNIT":"loop.service"}\n{"UNIT":"loop.service"}\nno json\n[]\n{"UNIT":5}\n'


class Scripted:
    """Programs that say what is written here."""

    def __init__(self, **said: str | LookError) -> None:
        self.said = said
        self.asked: list[list[str]] = []

    def __call__(self, command: Sequence[str], _seconds: float) -> str:
        self.asked.append(list(command))
        name = command[0]
        answer = self.said.get(name.replace("-", "_"), LookError("other", f"{name} is not installed"))
        if isinstance(answer, LookError):
            raise answer
        return answer


NOTHING = Files("/not/there/4711")


def test_units_restarts_and_timers(tmp_path: Path) -> None:
    for name in ("job.timer", "stopped.timer", "template@.timer"):
        unit_file(tmp_path, name)
        enable(tmp_path, name)
    run = Scripted(
        systemctl=SHOW,
        journalctl=JOURNAL,
        systemd_analyze="  Original form: x\n    Next elapse: Sun 2026-11-29 00:00:00 UTC\n       From now: 1h ago\n",
    )
    now = units.moment("2026-11-29 00:31:00") or 0.0
    seen = units.look(Files(str(tmp_path)), Clock(10), now, run)
    (service,) = seen["units"]
    assert (service["name"], service["restarts"], service["restarts_hour"], service["exit"]) == (
        "loop.service",
        7,
        2,
        1,
    )
    assert service["started_s"] > 0
    job, stopped = seen["timers"]
    assert (job["name"], job["enabled"], job["late_s"]) == ("job.timer", True, 1800.0)
    assert stopped == {"name": "stopped.timer", "enabled": True, "active": "inactive"}
    asked = [command for command in run.asked if command[0] == "systemd-analyze"]
    assert [command[2] for command in asked] == ["--base-time=2026-11-28 18:00:00 UTC"] * 2


def test_timers_beyond_the_most_that_are_told_are_not_taken_for_stopped(tmp_path: Path) -> None:
    names = [f"job{number}.timer" for number in range(40)]
    for name in names:
        unit_file(tmp_path, name)
        enable(tmp_path, name)
    show = "\n".join(f"Id={name}\nLoadState=loaded\nActiveState=active\nSubState=waiting\n" for name in names)
    seen = units.look(Files(str(tmp_path)), Clock(10), NOW, Scripted(systemctl=show))
    assert {timer["active"] for timer in seen["timers"]} == {"active"}


def test_a_timer_that_waits_is_not_calculated() -> None:
    show = SHOW.replace("NextElapseUSecRealtime=", "NextElapseUSecRealtime=Sun 2026-11-29 12:00:00 UTC").replace(
        "SubState=running", "SubState=waiting"
    )
    run = Scripted(systemctl=show, journalctl=JOURNAL)
    seen = units.look(NOTHING, Clock(10), units.moment("2026-11-29 00:31:00") or 0.0, run)
    assert "late_s" not in seen["timers"][0]
    assert not [command for command in run.asked if command[0] == "systemd-analyze"]


def test_the_hour_of_a_calendar_is_told_in_utc() -> None:
    text = "    Next elapse: Sun 2026-11-29 06:00:00 CET\n       (in UTC): Sun 2026-11-29 05:00:00 UTC\n"
    run = Scripted(systemctl=SHOW, journalctl=JOURNAL, systemd_analyze=text)
    (timer,) = units.look(NOTHING, Clock(10), units.moment("2026-11-29 05:11:00") or 0.0, run)["timers"]
    assert timer["late_s"] == 600.0


def test_a_journal_that_may_not_be_read_is_said() -> None:
    seen = units.look(
        NOTHING, Clock(10), NOW, Scripted(systemctl=SHOW, journalctl=LookError("denied", "not permitted"))
    )
    assert seen["restarts_reason"] == "not permitted"
    assert seen["units"][0]["restarts_hour"] is None
    assert seen["timers"][0].get("late_s") is None


def test_no_systemd() -> None:
    with pytest.raises(LookError, match="not installed"):
        units.look(NOTHING, Clock(10), NOW, Scripted())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1min 30s", 90.0), ("0", 0.0), ("infinity", None), ("", None), ("2h", 7200.0), ("5ms", 0.005)],
)
def test_spans(text: str, seconds: float | None) -> None:
    assert units.span(text) == seconds


@pytest.mark.parametrize("text", ["", "n/a", None, "9999-99-99 99:99:99"])
def test_moments_that_are_none(text: str | None) -> None:
    assert units.moment(text) is None


DISKS = {
    "blk_update_request: I/O error, dev sda, sector 5 op 0x0:(READ)": "sda",
    "I/O error, dev loop77, sector 0 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 0": "loop77",
    "Buffer I/O error on dev dm-3, logical block 0, async page read": "dm-3",
    "Buffer I/O error on device sdb1, logical block 9": "sdb1",
    "critical medium error, dev sdc, sector 77": "sdc",
    "EXT4-fs error (device vda1): ext4_find_entry:1455: inode #2: comm ls: reading directory": "vda1",
    "EXT4-fs (vda1): Remounting filesystem read-only": "vda1",
    "XFS (dm-0): metadata I/O error in xfs_trans_read_buf": "dm-0",
    "XFS (sdd): Corruption detected. Unmount and run xfs_repair": "sdd",
    "BTRFS error (device sde): bdev /dev/sde errs: wr 1": "sde",
    "nvme0: controller is down; will reset": "nvme0",
    "ata3.00: failed command: READ FPDMA QUEUED": "ata3.00",
    "md/raid1:md0: Disk failure on sdf1, disabling device.": "md0",
    "I/O error, dev sr0, sector 0": None,
    "EXT4-fs (vda1): mounted filesystem with ordered data mode": None,
    "XFS (sdd): Ending clean mount": None,
    "nx0: port 18 entered forwarding state": None,
    "Out of memory: Killed process 77 (java) total-vm:1kB": None,
}


def test_messages_of_disks() -> None:
    for message, device in DISKS.items():
        found = kernel.judge_lines([(None, message)], 0.0)["disk"]
        assert [row["name"] for row in found] == ([device] if device else []), message


def test_kills_are_counted_by_process() -> None:
    lines = [
        (NOW - 10, "Out of memory: Killed process 77 (java) total-vm:1kB"),
        (NOW - 5, "Memory cgroup out of memory: Killed process 78 (java) total-vm:1kB"),
        (NOW - 99999, "Out of memory: Killed process 79 (old) total-vm:1kB"),
        (None, "Out of memory: Kill process 80 (x y) score 9"),
    ]
    found = kernel.judge_lines(lines, NOW - 3600)["oom"]
    assert [(row["name"], row["count"], row["last"]) for row in found] == [("java", 2, NOW - 5), ("x y", 1, None)]


def test_the_journal_first(tmp_path: Path) -> None:
    text = json.dumps({"MESSAGE": "I/O error, dev sda, sector 1", "__REALTIME_TIMESTAMP": "1795899990000000"})
    odd = json.dumps({"MESSAGE": [73, 300, "x"]})
    run = Scripted(journalctl=f"{text}\n{odd}\nnonsense\n7\n")
    seen = kernel.look(Files(str(tmp_path)), False, 24.0, Clock(10), NOW, run)
    assert (seen["source"], [row["name"] for row in seen["disk"]]) == ("journal", ["sda"])


def test_then_the_files(tmp_path: Path) -> None:
    stamp = time.strftime("%b %e %H:%M:%S", time.localtime(NOW - 60))
    old = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(NOW - 90000))
    lines = [
        f"{stamp} host1 kernel: [1.5] I/O error, dev sdb, sector 1",
        f"{old} h kernel: I/O error, dev sdc, sector 1",
    ]
    files = host(tmp_path, {"/var/log/kern.log": "\n".join([*lines, "x", ""])})
    for container in (True, False):
        run = Scripted(journalctl="" if container else LookError("denied", "no"))
        seen = kernel.look(files, container, 24.0, Clock(10), NOW, run)
        assert (seen["source"], [row["name"] for row in seen["disk"]]) == ("/var/log/kern.log", ["sdb"])


def test_a_container_that_sees_no_kernel_log_says_so(tmp_path: Path) -> None:
    seen = kernel.look(Files(str(tmp_path)), True, 24.0, Clock(10), NOW, Scripted(journalctl="", dmesg="x"))
    assert seen["source"] is None
    assert "that of the machine" in seen["reason"]


def test_a_machine_without_journal_and_files_has_dmesg(tmp_path: Path) -> None:
    run = Scripted(dmesg="[Sun Nov 29 08:00:00 2026] I/O error, dev sda, sector 1\n")
    seen = kernel.look(Files(str(tmp_path)), False, 24.0, Clock(10), NOW, run)
    assert (seen["source"], len(seen["disk"])) == ("dmesg", 1)
    seen = kernel.look(Files(str(tmp_path)), False, 24.0, Clock(10), NOW, Scripted())
    assert seen["source"] is None
    assert "dmesg is not installed" in seen["reason"]


@pytest.mark.parametrize(
    ("head", "seconds"),
    [
        ("2026-11-29T08:00:00Z h ", 1795939200.0),
        ("2026-11-29T10:00:00.123456+02:00 h ", 1795939200.0),
        ("2026-11-29T06:30:00-0130 h ", 1795939200.0),
        ("Xyz 99 88:77:66 h ", None),
        ("", None),
        ("2026-99-99T99:99:99Z ", None),
    ],
)
def test_stamps(head: str, seconds: float | None) -> None:
    assert kernel.stamp(head, NOW) == seconds


def test_december_read_in_january_is_of_last_year() -> None:
    january = time.mktime((2027, 1, 1, 0, 10, 0, 0, 0, -1))
    found = kernel.stamp("Dec 31 23:50:00 host ", january)
    assert found == january - 1200


def test_reboots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = "6.1.0-21-amd64"
    monkeypatch.setattr("os.uname", type("Name", (), {"release": release, "nodename": "h"}))
    modules = {f"/lib/modules/{name}/modules.dep": "" for name in (release, "6.1.0-9-amd64", "6.9.0-1-cloud-amd64")}
    files = host(tmp_path, modules)
    assert kernel.reboot(files, False) == {"needed": False, "running": release}
    host(tmp_path, {"/lib/modules/6.1.0-22-amd64/modules.dep": ""})
    assert kernel.reboot(files, False)["installed"] == "6.1.0-22-amd64"
    assert kernel.reboot(files, True) == {"needed": False}
    host(tmp_path, {"/run/reboot-required": "", "/run/reboot-required.pkgs": "libc6\nlinux-image\nlibc6\n"})
    assert kernel.reboot(files, True)["packages"] == ["libc6", "linux-image"]


class TimeServer(threading.Thread):
    """Tells the time, so many seconds off; or something else."""

    def __init__(self, offset: float, spoil: bytes | None = None, stratum: int = 1) -> None:
        super().__init__(daemon=True)
        self.channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.channel.bind(("127.0.0.1", 0))
        self.channel.settimeout(20)
        self.name_ = "127.0.0.1:%d" % self.channel.getsockname()[1]
        self.offset, self.spoil, self.stratum = offset, spoil, stratum

    def run(self) -> None:
        for _ in range(2):
            try:
                question, client = self.channel.recvfrom(512)
            except OSError:
                return
            now = time.time() + self.offset
            stamp = struct.pack("!II", int(now) + 2208988800 & 0xFFFFFFFF, int(now % 1 * 2**32))
            answer = bytes([0x24, self.stratum]) + 22 * b"\0" + question[40:48] + stamp + stamp
            self.channel.sendto(answer if self.spoil is None else self.spoil, client)

    def __enter__(self) -> TimeServer:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.join(5)
        self.channel.close()


def test_a_time_server_that_is_ahead() -> None:
    with TimeServer(90.0) as server:
        row = clocks.ask(server.name_, Clock(20), 10.0)
    # this clock is behind
    assert -91 < row["offset_s"] < -89
    assert row["round_trip_s"] >= 0


@pytest.mark.parametrize(
    ("spoil", "stratum", "words"), [(b"x", 1, "no answer of a time server"), (None, 0, "does not know the time")]
)
def test_answers_that_are_none(spoil: bytes | None, stratum: int, words: str) -> None:
    with TimeServer(0.0, spoil, stratum) as server:
        assert words in clocks.ask(server.name_, Clock(20), 10.0)["error"]


def test_nobody_answers() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.bind(("127.0.0.1", 0))
        row = clocks.ask("127.0.0.1:%d" % channel.getsockname()[1], Clock(10), 0.05)
    assert row["error"] == "it does not answer"
    assert "offset_s" not in row


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("192.0.2.1", ("192.0.2.1", 123)),
        ("ntp.example.com:1123", ("ntp.example.com", 1123)),
        ("[2001:db8::1]:99", ("2001:db8::1", 99)),
        ("2001:db8::1", ("2001:db8::1", 123)),
    ],
)
def test_names_of_time_servers(text: str, found: tuple[str, int]) -> None:
    assert clocks.server(text) == found


@pytest.mark.parametrize("text", ["", "x:y", "x:0", "x:99999", "[::1]:x"])
def test_no_names_of_time_servers(text: str) -> None:
    with pytest.raises(OptionError, match="time_servers"):
        clocks.server(text)


def test_the_kernel_says_something_of_its_clock() -> None:
    seen = clocks.kernel()
    assert isinstance(seen.get("synchronised"), bool) or seen["reason"]


USED = {
    "LayersSize": 5000,
    "Images": [
        {"Id": "sha256:1", "RepoTags": ["app:1"], "Size": 3000, "SharedSize": 1000, "Containers": 0},
        {"Id": "sha256:2", "RepoTags": ["app:2"], "Size": 3000, "SharedSize": -1, "Containers": 2},
        "nonsense",
    ],
    "Containers": [
        {"Id": "c1", "Names": ["/old"], "SizeRw": 200, "State": "exited"},
        {"Id": "c2", "Names": None, "SizeRw": 100, "State": "running"},
    ],
    "Volumes": [
        {"Name": "data", "UsageData": {"Size": 700, "RefCount": 1}},
        {"Name": "loose", "UsageData": {"Size": 400, "RefCount": 0}},
        {"Name": "unknown", "UsageData": None},
    ],
    "BuildCache": [{"Size": 50, "InUse": False}, {"Size": 60, "InUse": True}],
}


def test_what_an_engine_could_give_back() -> None:
    seen = docker.sums(USED)
    assert seen["bytes"] == 5000 + 300 + 1100 + 110
    assert seen["reclaimable"] == 2000 + 200 + 400 + 50
    assert [row["name"] for row in seen["largest_unused"]][:2] == ["app:1", "loose"]
    assert docker.sums({"Images": 5, "Containers": None})["bytes"] == 0


class Engine(http.server.BaseHTTPRequestHandler):
    """Docker's API, as far as it is asked."""

    status = 200
    body = USED

    def do_GET(self) -> None:
        data: Any = {"DockerRootDir": "/var/lib/docker"} if self.path == "/info" else self.body
        raw = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_arguments: object) -> None:
        """Not here."""

    def address_string(self) -> str:
        return "local"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[tuple[str, type[Engine]]]:
    path = str(tmp_path / "docker.sock")
    handler = type("One", (Engine,), {})
    with (
        socketserver.ThreadingUnixStreamServer(path, handler)
        if hasattr(socketserver, "ThreadingUnixStreamServer")
        else socketserver.UnixStreamServer(path, handler) as server
    ):
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield path, handler
        server.shutdown()
        thread.join()


def test_an_engine_is_asked(engine: tuple[str, type[Engine]]) -> None:
    seen = docker.look(engine[0], Clock(20))
    assert seen is not None
    assert (seen["root"], seen["reclaimable"]) == ("/var/lib/docker", 2650)


def test_an_engine_that_refuses_or_babbles(engine: tuple[str, type[Engine]]) -> None:
    engine[1].body = b"<html>"  # type: ignore[assignment]
    with pytest.raises(LookError, match="system/df"):
        docker.look(engine[0], Clock(20))
    engine[1].status = 500
    engine[1].body = {}
    with pytest.raises(LookError, match="HTTP 500"):
        docker.look(engine[0], Clock(20))


def test_no_engine(tmp_path: Path) -> None:
    assert docker.look("", Clock(5)) is None
    assert docker.look(str(tmp_path / "none.sock"), Clock(5)) is None
    assert docker.look(str(tmp_path), Clock(5)) is None
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    with pytest.raises(LookError, match="refused"):
        docker.look(str(tmp_path / "dead.sock"), Clock(5))

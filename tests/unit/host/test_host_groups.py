# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers and machines: control groups of both versions, CPU, memory, pressure, load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from host_looks import host

from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import LookError
from ansible_collections.nexuscos.ops.plugins.module_utils._host import cgroup, load
from ansible_collections.nexuscos.ops.plugins.module_utils._host.files import Clock, Files

GROUP = "/nx0/host1/libpod-58"
MEMINFO = "MemTotal: 8000 kB\nMemFree: 100 kB\nMemAvailable: 6000 kB\nSwapTotal: 2000 kB\nSwapFree: 500 kB\n"

V1 = {
    "/proc/1/cgroup": f"9:name=systemd:{GROUP}/init.scope\n4:memory:{GROUP}\n2:cpu,cpuacct:{GROUP}\n0::{GROUP}\n",
    "/proc/self/mountinfo": "\n".join(
        [
            f"193 191 0:29 {GROUP} /sys/fs/cgroup/cpu ro,nosuid - cgroup cgroup rw,cpu,cpuacct",
            f"196 191 0:32 {GROUP} /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory",
            "186 181 0:38 /nx0/host1 /run/cgroup2 ro,relatime - cgroup2 cgroup2 rw",
            "a line of nonsense",
        ]
    ),
    "/sys/fs/cgroup/cpu/cpuacct.usage": "4000000000\n",
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
    "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    "/sys/fs/cgroup/memory/memory.usage_in_bytes": "5000000\n",
    "/sys/fs/cgroup/memory/memory.stat": (
        "cache 9\nhierarchical_memory_limit 6000000\nhierarchical_memsw_limit 7000000\ntotal_inactive_file 700000\n"
        "total_active_file 300000\ntotal_swap 250000\n"
    ),
    "/sys/fs/cgroup/memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    "/sys/fs/cgroup/memory/job/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    "/run/cgroup2/libpod-58/cpu.pressure": "some avg10=1.00 avg60=33.50 avg300=3.00 total=99\n",
    "/run/.containerenv": "",
    "/proc/meminfo": MEMINFO,
}
V2 = {
    "/proc/1/cgroup": "0::/init.scope\n",
    "/proc/self/mountinfo": "30 25 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n",
    "/sys/fs/cgroup/cpu.stat": "usage_usec 7000000\nuser_usec 1\n",
    "/sys/fs/cgroup/cpu.max": "150000 100000\n",
    "/sys/fs/cgroup/memory.current": "5000000\n",
    "/sys/fs/cgroup/memory.max": "6000000\n",
    "/sys/fs/cgroup/memory.stat": "anon 1\ninactive_file 500000\nactive_file 400000\nslab_reclaimable 100000\n",
    "/sys/fs/cgroup/memory.swap.current": "1000\n",
    "/sys/fs/cgroup/memory.swap.max": "max\n",
    "/sys/fs/cgroup/memory.events": "low 0\noom 4\noom_kill 3\n",
    "/sys/fs/cgroup/memory.pressure": "some avg10=0 avg60=7.5 avg300=0 total=0\nfull avg10=0 avg60=2.5 avg300=0\n",
    "/proc/1/environ": "PATH=/bin\0container=lxc\0",
    "/proc/meminfo": MEMINFO,
}
MACHINE = {
    "/proc/1/cgroup": "0::/init.scope\n",
    "/proc/self/mountinfo": "30 25 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup rw,nsdelegate\n",
    "/sys/fs/cgroup/cpu.stat": "usage_usec 7000000\n",
    "/proc/1/environ": "PATH=/bin\0",
    "/proc/meminfo": MEMINFO,
    "/proc/pressure/cpu": "some avg10=0.00 avg60=4.00 avg300=0.00 total=1\n",
    "/proc/pressure/memory": "garbage\nfull avg60=x avg10=1\n",
}


def test_a_container_of_version_1(tmp_path: Path) -> None:
    files = host(tmp_path, V1)
    groups = cgroup.find(files)
    assert cgroup.is_container(files)
    assert groups.folders == {
        "cpu": "/sys/fs/cgroup/cpu",
        "cpuacct": "/sys/fs/cgroup/cpu",
        "memory": "/sys/fs/cgroup/memory",
        "unified": "/run/cgroup2/libpod-58",
    }
    assert cgroup.cpu_seconds(files, groups) == 4.0
    assert cgroup.cpu_quota(files, groups) == 0.5
    assert cgroup.memory(files, groups) == {
        "used": 4000000, "limit": 6000000, "swap_used": 250000, "swap_limit": 1000000
    }  # fmt: skip
    # version 1 counts each group for itself
    assert cgroup.oom_kills(files, groups) == 3
    seen = load.pressure(files, groups, True)
    assert seen["cpu"]["some"]["avg60"] == 33.5
    assert "cannot see its own pressure" in seen["memory"]["reason"]


def test_a_container_of_version_2(tmp_path: Path) -> None:
    files = host(tmp_path, V2)
    groups = cgroup.find(files)
    assert cgroup.is_container(files)
    assert cgroup.cpu_seconds(files, groups) == 7.0
    assert cgroup.cpu_quota(files, groups) == 1.5
    assert cgroup.memory(files, groups) == {"used": 4000000, "limit": 6000000, "swap_used": 1000, "swap_limit": None}
    assert cgroup.oom_kills(files, groups) == 3
    assert load.pressure(files, groups, True)["memory"]["full"]["avg60"] == 2.5
    seen = load.memory(files, groups, True)
    assert (seen["of"], seen["total"], seen["used"]) == ("container", 6000000, 4000000)
    assert (seen["swap_total"], seen["swap_used"]) == (2000 * 1024, 1000)


def test_without_limits_a_container_has_what_its_machine_has(tmp_path: Path) -> None:
    texts = {
        **V1,
        "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "/sys/fs/cgroup/memory/memory.stat": "hierarchical_memory_limit 9223372036854771712\ntotal_swap 0\n",
    }
    files = host(tmp_path, texts)
    groups = cgroup.find(files)
    assert cgroup.cpu_quota(files, groups) is None
    seen = load.memory(files, groups, True)
    assert (seen["total"], seen["used"], seen["swap_total"]) == (8000 * 1024, 5000000, 2000 * 1024)


def test_a_machine_is_its_proc(tmp_path: Path) -> None:
    files = host(tmp_path, MACHINE)
    groups = cgroup.find(files)
    assert not cgroup.is_container(files)
    # the root of version 2 has no limits
    assert cgroup.cpu_quota(files, groups) is None
    assert cgroup.memory(files, groups) is None
    assert load.memory(files, groups, False) == {
        "of": "machine", "total": 8000 * 1024, "used": 2000 * 1024, "swap_total": 2000 * 1024, "swap_used": 1500 * 1024
    }  # fmt: skip
    seen = load.pressure(files, groups, False)
    assert seen["cpu"]["some"]["avg60"] == 4.0
    assert "avg60" not in seen["memory"]["full"]
    assert "psi=1" in seen["io"]["reason"]


def test_a_host_without_control_groups(tmp_path: Path) -> None:
    files = host(tmp_path, {"/proc/1/cgroup": "nonsense\n"})
    groups = cgroup.find(files)
    assert groups.folders == {}
    assert cgroup.cpu_seconds(files, groups) is None
    assert cgroup.oom_kills(files, groups) is None
    with pytest.raises(OSError, match="meminfo"):
        load.memory(files, groups, False)


def test_no_memory_at_all_is_garbage(tmp_path: Path) -> None:
    files = host(tmp_path, {"/proc/meminfo": "MemFree: 1 kB\nnonsense\n"})
    with pytest.raises(LookError, match="how much memory"):
        load.memory(files, cgroup.Groups({}), False)


STAT = "cpu  {user} {nice} 100 {idle} 50 0 0 10 0 0\ncpu0 1 2 3 4\n"


def test_nice_work_of_a_machine_counts_as_idle(tmp_path: Path) -> None:
    files = host(tmp_path, {"/proc/stat": STAT.format(user=100, nice=100, idle=100)})

    def sleep(_seconds: float) -> None:
        host(tmp_path, {"/proc/stat": STAT.format(user=120, nice=160, idle=120)})

    seen = load.cpu(files, cgroup.Groups({}), False, 2, Clock(10), sleep)
    assert (seen["percent"], seen["of"], seen["seconds"]) == (20.0, "machine", 0.3)
    assert seen["by"]["nice"] == 60.0


def test_what_is_high_is_looked_at_for_longer(tmp_path: Path) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 1))
        user = 100 + (90 if len(slept) == 1 else 110)
        host(tmp_path, {"/proc/stat": STAT.format(user=user, nice=0, idle=110 if len(slept) == 1 else 300)})

    files = host(tmp_path, {"/proc/stat": STAT.format(user=100, nice=0, idle=100)})
    seen = load.cpu(files, cgroup.Groups({}), False, 2, Clock(100), sleep)
    assert slept == [0.3, 2.0]
    assert seen["percent"] == pytest.approx(9.5)


def test_a_machine_that_says_nothing_of_its_cpus(tmp_path: Path) -> None:
    files = host(tmp_path, {"/proc/stat": "intr 5\n"})
    with pytest.raises(LookError):
        load.cpu(files, cgroup.Groups({}), False, 2, Clock(1), lambda _seconds: None)


def test_tasks_of_a_container(tmp_path: Path) -> None:
    texts = {
        "/proc/loadavg": "9.00 8.00 7.00 1/2 3\n",
        "/proc/1/stat": "1 (systemd) S 0 1",
        "/proc/20/stat": "20 (a b) c) R 1 1",
        "/proc/21/stat": "21 (dd) D 1 1",
        "/proc/22/stat": "22 (gone) Z 1 1",
    }
    seen = load.load(host(tmp_path, texts), True, Clock(10), lambda _seconds: None)
    assert seen == {"average": [9.0, 8.0, 7.0], "of": "container", "running": 2.0, "zombies": 1, "total": 4}


def test_how_many_cpus_a_group_may_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1}, raising=False)
    files: Files = host(tmp_path, V1)
    seen: dict[str, Any] = load.cpus(files, cgroup.find(files))
    assert seen == {"count": 2, "quota": 0.5, "usable": 0.5}

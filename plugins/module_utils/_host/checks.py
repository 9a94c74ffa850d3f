# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registered checks of hosts. Each default line has its reason beside it."""

from __future__ import annotations

from .._core.check import BELOW, Check

_RESOURCES = "daily:resource-monitoring"
_METRICS = "daily:key-metrics-to-watch"
_MORNING = "daily:morning-start-of-business-day"
_WATCH = "daily:continuous-monitoring"
_DASHBOARD = ("morning.dashboard",)
_UTILIZATION = ("morning.utilization",)
_SERVICES = ("morning.services",)
_LOGS = ("morning.logs",)

_USAGE: tuple[Check, ...] = (
    Check(
        id="host.cpu",
        question="How busy are the CPUs that the host may use?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source="/proc/stat without nice; in a container cpuacct.usage or cpu.stat, of its quota",
        remedy="on {target}: ps -eo pid,ni,pcpu,comm --sort=-pcpu | head",
        unit="%",
        # The runbook's own lines: "CPU Usage: target < 70 %, alert > 85 %".
        target=70,
        alert=85,
        rank=40,
    ),
    Check(
        id="host.load",
        question="How many tasks run or wait for a disk, for each CPU?",
        runbook=_RESOURCES,
        items=_UTILIZATION,
        source="/proc/loadavg of five minutes; in a container its own tasks in state R or D",
        remedy="on {target}: ps -eo state,pid,wchan:20,comm | grep '^[RD]'",
        unit="per CPU",
        # Two for each CPU is a queue as long as the work itself; four is felt by everybody.
        target=2,
        alert=4,
        rank=45,
    ),
    Check(
        id="host.memory",
        question="How much of the memory is in use that cannot be given back?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source="MemTotal - MemAvailable; in a container the group's usage without file cache, of its limit",
        remedy="on {target}: ps -eo pid,rss,comm --sort=-rss | head",
        unit="%",
        # The runbook's own lines: "Memory Usage: target < 80 %, alert > 90 %".
        target=80,
        alert=90,
        rank=30,
    ),
    Check(
        id="host.swap",
        question="How much of the swap is used?",
        runbook=_RESOURCES,
        items=_UTILIZATION,
        source="/proc/meminfo; in a container the group's own swap",
        remedy="on {target}: grep -H VmSwap /proc/[0-9]*/status | sort -k2 -n | tail; free -m",
        unit="%",
        # A used half was needed once; past 80 % the next want of memory ends in a kill.
        target=50,
        alert=80,
        rank=35,
    ),
    Check(
        id="host.pressure_cpu",
        question="For what share of the last minute did a task wait for a CPU?",
        runbook=_RESOURCES,
        items=_UTILIZATION,
        source="/proc/pressure/cpu, in a container its own cpu.pressure: some, avg60",
        remedy="on {target}: systemd-cgtop -c; nproc; in a container: its CPU quota",
        unit="%",
        # Some waiting is normal on a host that is well used; most of the time is not.
        target=60,
        alert=90,
        rank=44,
    ),
    Check(
        id="host.pressure_memory",
        question="For what share of the last minute did all tasks wait for memory?",
        runbook=_RESOURCES,
        items=_UTILIZATION,
        source="/proc/pressure/memory, in a container its own memory.pressure: full, avg60",
        remedy="on {target}: ps -eo pid,rss,comm --sort=-rss | head; free -m; in a container: its memory limit",
        unit="%",
        # Time in which nothing at all got done: 5 % is felt, 20 % is thrashing.
        target=5,
        alert=20,
        rank=31,
    ),
    Check(
        id="host.pressure_io",
        question="For what share of the last minute did all tasks wait for a disk?",
        runbook=_RESOURCES,
        items=_UTILIZATION,
        source="/proc/pressure/io, in a container its own io.pressure: full, avg60",
        remedy="on {target}: iostat -x 1 5; pidstat -d 1 5; cat /proc/pressure/io",
        unit="%",
        # A backup at night may take a fifth; half of the time is a disk that cannot keep up.
        target=20,
        alert=50,
        rank=43,
    ),
)

_DISKS: tuple[Check, ...] = (
    Check(
        id="host.filesystem",
        question="How full is each file system, for users other than root?",
        runbook=_RESOURCES,
        items=_UTILIZATION,
        source="statvfs of every mount: used / (used + available)",
        remedy="on {target}: du -xh --max-depth=2 <mount> | sort -h | tail",
        unit="%",
        # Usual lines; databases and journals stop writing at 100 %.
        target=80,
        alert=90,
        rank=10,
    ),
    Check(
        id="host.filesystem_forecast",
        question="In how many hours is a file system full, if it goes on growing like this?",
        runbook=_WATCH,
        items=_UTILIZATION,
        source="sizes of earlier looks (the option previous), median of all slopes",
        remedy="on {target}: find <mount> -xdev -newermt '1 day ago' -size +10M -exec ls -lh {} +",
        unit="h",
        # A weekend is 72 h; what is full tomorrow is today's work.
        target=72,
        alert=24,
        direction=BELOW,
        rank=12,
    ),
    Check(
        id="host.inodes",
        question="How many of its inodes has each file system used?",
        runbook=_RESOURCES,
        items=_UTILIZATION,
        source="statvfs of every mount: f_files, f_ffree",
        remedy="on {target}: du -x --inodes --max-depth=2 <mount> | sort -n | tail",
        unit="%",
        target=80,
        alert=90,
        rank=11,
    ),
    Check(
        id="host.read_only",
        question="Is a file system read-only that was not meant to be?",
        runbook=_WATCH,
        items=_DASHBOARD,
        source="/proc/self/mountinfo (the file system is read-only, the mount is not), /etc/fstab",
        remedy="on {target}: dmesg -T | grep -iE 'error|remount'; check the disk, fsck, then mount -o remount,rw",
        rank=6,
    ),
    Check(
        id="host.deleted_files",
        question="How much of a file system do deleted files take that a process holds open?",
        runbook=_RESOURCES,
        items=_UTILIZATION,
        source="/proc/<pid>/fd",
        remedy="on {target}: restart the process, or empty the file: : > /proc/<pid>/fd/<number>",
        unit="%",
        # What du does not find and df counts; a twentieth of the disk is worth a restart.
        target=5,
        alert=20,
        rank=9,
    ),
    Check(
        id="host.docker_disk",
        question="How much do images, containers, volumes and build cache take that nobody uses?",
        runbook=_RESOURCES,
        items=_UTILIZATION,
        source="/system/df of the container engine's socket",
        remedy="on {target}: docker system df -v; docker image prune -a; docker builder prune; volumes only by name",
        unit="GiB",
        # Worth a prune; and worth one today.
        target=10,
        alert=50,
        rank=13,
    ),
)

_SYSTEMD: tuple[Check, ...] = (
    Check(
        id="host.unit",
        question="Are the units active that this host must run?",
        runbook=_MORNING,
        items=_SERVICES,
        source="systemctl show: ActiveState of the option units",
        remedy="on {target}: systemctl status {name}; journalctl -u {name} --since -1h; systemctl restart {name}",
        rank=20,
    ),
    Check(
        id="host.unit_failed",
        question="Has any other unit failed?",
        runbook=_MORNING,
        items=_SERVICES,
        source="systemctl show: ActiveState=failed",
        remedy="on {target}: journalctl -u {name} --since -1d; then systemctl restart or reset-failed {name}",
        severity="warning",
        rank=21,
    ),
    Check(
        id="host.restart_loop",
        question="How often did systemd restart a service within the last hour?",
        runbook=_MORNING,
        items=_SERVICES,
        source="journal (restart jobs of the last hour), NRestarts of services that were started lately",
        remedy="on {target}: journalctl -u {name} --since -1h",
        unit="per hour",
        # Once is an accident; more than that is a service that cannot live.
        target=2,
        alert=10,
        rank=22,
    ),
    Check(
        id="host.timer_missed",
        question="How late is a timer, and is each enabled one waiting for its time?",
        runbook="daily:daily-backup-check",
        items=("morning.dashboard", "morning.backups"),
        source="systemctl show '*.timer', systemd-analyze calendar after the last trigger",
        remedy="on {target}: systemctl list-timers --all; systemctl start {name}",
        unit="min",
        # A quarter of an hour is what a machine needs that was off for a moment.
        target=15,
        severity="warning",
        rank=25,
    ),
)

_STATE: tuple[Check, ...] = (
    Check(
        id="host.listening",
        question="Does everything listen that must?",
        runbook=_RESOURCES,
        items=_SERVICES,
        source="/proc/net/tcp, tcp6, udp, udp6 against the option listening",
        remedy="on {target}: ss -tulpn; systemctl --failed",
        rank=19,
    ),
    Check(
        id="host.listening_unexpected",
        question="Does anything listen that nobody expects?",
        runbook=_RESOURCES,
        items=_DASHBOARD,
        source="/proc/net/tcp, tcp6, udp, udp6 against the option listening, without loopback",
        remedy="on {target}: ss -tulpn; stop it, or add it to nexuscos_host_listening",
        severity="warning",
        rank=60,
    ),
    Check(
        id="host.clock",
        question="How far is the clock off, and is it kept right?",
        runbook=_MORNING,
        items=_DASHBOARD,
        source="the option time_servers (SNTP); adjtimex, where the host is no container",
        remedy="on {target}: timedatectl; chronyc tracking or systemctl status systemd-timesyncd",
        unit="s",
        # Certificates, tokens and replicated logs bear a second; one-time passwords and Kerberos no more than some.
        target=1,
        alert=10,
        severity="warning",
        rank=8,
    ),
    Check(
        id="host.reboot_needed",
        question="Does the host want a reboot?",
        runbook="daily:weekly-tasks",
        items=_DASHBOARD,
        source="/run/reboot-required; kernels in /lib/modules against the running one",
        remedy="plan a window, then on {target}: systemctl reboot",
        severity="warning",
        rank=70,
    ),
    Check(
        id="host.oom_kills",
        question="Has the kernel killed processes for want of memory?",
        runbook=_MORNING,
        items=_LOGS,
        source="kernel log; in a container memory.events or memory.oom_control of its group; else /proc/vmstat",
        remedy="on {target}: journalctl -k --since -1d | grep -i 'killed proc'; ps -eo pid,rss,comm --sort=-rss | head",
        unit="kills",
        # Each one is a process that lost its work.
        target=0,
        alert=5,
        rank=15,
    ),
    Check(
        id="host.disk_errors",
        question="Does the kernel report errors of a disk or of its file system?",
        runbook=_MORNING,
        items=_LOGS,
        source="kernel log: journal, /var/log/kern.log or dmesg",
        remedy="on {target}: smartctl -a /dev/{name}; back up what is on it; plan to replace the disk",
        unit="errors",
        # One is a reason to look at the disk, several are a reason to replace it.
        target=0,
        alert=3,
        rank=5,
    ),
)

CHECKS: tuple[Check, ...] = _USAGE + _DISKS + _SYSTEMD + _STATE

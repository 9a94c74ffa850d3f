# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts, open files, sockets, folders: read from files of a host."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from host_looks import host

from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import LookError, OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._host import files as host_files
from ansible_collections.nexuscos.ops.plugins.module_utils._host import folders, mounts, processes, sockets
from ansible_collections.nexuscos.ops.plugins.module_utils._host.files import Clock, Files

MOUNTINFO = "\n".join(
    [
        "126 76 254:1 / / rw,relatime - ext4 /dev/vda1 rw,errors=remount-ro",
        "127 126 0:49 / /sys ro - sysfs sysfs ro",
        "128 126 0:50 / /dev rw - tmpfs tmpfs rw",
        "129 128 0:39 / /dev/shm rw - tmpfs shm rw",
        "130 126 7:1 / /snap/core ro - squashfs /dev/loop1 ro",
        "131 126 254:2 / /data\\040one rw - ext4 /dev/vdb ro",
        "132 126 254:3 / /archive rw - ext4 /dev/vdc ro",
        "137 126 254:4 / /opt/image ro - ext4 /dev/vdd ro",
        "138 126 254:5 / /home ro - ext4 /dev/vde ro",
        "133 126 254:2 /sub /srv/bound rw - ext4 /dev/vdb ro",
        "134 126 0:60 / /var/lib/docker/overlay2/abc/merged rw - overlay overlay rw",
        "135 126 0:61 / /mnt/nfs rw - nfs4 server:/export ro",
        "136 126 254:1 /etc/x /etc/hosts rw - ext4 /dev/vda1 rw",
        "nonsense",
    ]
)


def tree(root: Path) -> Files:
    files = host(
        root,
        {
            "/proc/self/mountinfo": MOUNTINFO,
            "/etc/fstab": "# x\n/dev/vdc /archive ext4 ro,nofail 0 2\n/dev/vde /home ext4 defaults 0 2\n",
        },
    )
    for name in ("opt/image", "home", "dev/shm", "data one", "archive", "srv/bound", "mnt/nfs"):
        (root / name).mkdir(parents=True)
    (root / "etc/hosts").write_text("")
    return files


def test_what_holds_something_counts_once(tmp_path: Path) -> None:
    rows = mounts.look(tree(tmp_path), Clock(10))
    assert [row["mount"] for row in rows] == [
        "/",
        "/archive",
        "/data one",
        "/dev/shm",
        "/home",
        "/mnt/nfs",
        "/opt/image",
    ]
    assert all(row["size"] > 0 and row["used"] >= 0 for row in rows)
    # /archive is meant to be so, /opt/image was mounted so, and what a server exports is the server's business
    wrong = [row["mount"] for row in rows if row["read_only"] and not row["meant_read_only"]]
    assert wrong == ["/data one", "/home"]


def test_a_mount_that_hangs_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    real = os.statvfs

    def statvfs(path: str) -> Any:
        if path.endswith("/mnt/nfs"):
            release.wait(30)
        return real(path)

    monkeypatch.setattr(os, "statvfs", statvfs)
    rows = mounts.look(tree(tmp_path), Clock(30), 3.0)
    release.set()
    assert [row["mount"] for row in rows if "error" in row] == ["/mnt/nfs"]


def test_a_mount_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def statvfs(path: str) -> Any:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "statvfs", statvfs)
    rows = mounts.look(tree(tmp_path), Clock(10))
    assert {row["error"] for row in rows} == {"Permission denied"}


class Mine(Files):
    """Only this process."""

    def names(self, name: str) -> list[str]:
        return [str(os.getpid()), "self", "meminfo"] if name == "/proc" else super().names(name)


def test_a_deleted_file_that_is_held_open(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    with path.open("wb") as stream:
        stream.write(b"x" * 70000)
        stream.flush()
        os.fsync(stream.fileno())
        path.unlink()
        seen = processes.walk(Mine(), Clock(10))
        device = os.fstat(stream.fileno()).st_dev
    found = [one for one in seen["deleted"] if one["path"] == str(path)]
    assert [(one["pid"], one["bytes"] >= 65536) for one in found] == [(os.getpid(), True)]
    assert (seen["whole"], seen["reason"]) == (True, "")
    rows = processes.by_mount(
        found, [{"mount": "/x", "dev": device, "size": 1000}, {"mount": "/", "size": 5, "dev": 1}]
    )
    assert [(row["mount"], row["count"]) for row in rows] == [("/x", 1)]
    # a device that no mount has (an overlay's lower layer): by the path
    rows = processes.by_mount([{**found[0], "dev": -5}], [{"mount": "/", "dev": 1, "size": 5}])
    assert [row["mount"] for row in rows] == ["/"]


def test_open_files_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for pid in ("5", "6", "7"):
        (tmp_path / "proc" / pid / "fd").mkdir(parents=True)
    (tmp_path / "proc/6/fd/3").symlink_to("socket:[99]")
    (tmp_path / "proc/6/comm").write_text("nginx\n")
    real = os.listdir

    def listdir(path: Any) -> list[str]:
        if str(path).endswith("/5/fd"):
            raise PermissionError(13, "Permission denied", path)
        if str(path).endswith("/7/fd"):
            raise FileNotFoundError(2, "gone", path)
        return real(path)

    monkeypatch.setattr(os, "listdir", listdir)
    seen = processes.walk(Files(str(tmp_path)), Clock(10))
    assert seen["owners"] == {"99": {"pid": 6, "command": "nginx"}}
    assert "1 processes" in seen["reason"]
    assert "in time" in processes.walk(Files(str(tmp_path)), Clock(0))["reason"]


TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1
   2: 0100007F:0016 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 13 1
   3: broken
"""
TCP6 = """  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:238C 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 14 1
   1: 0000000000000000FFFF00000100007F:1F90 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 15 1
"""
UDP = """  sl  local_address rem_address   st
   0: 00000000:007B 00000000:0000 07 0:0 0:0 0 0 0 16 1
   1: 00000000:007C 0100007F:0035 01 0:0 0:0 0 0 0 17 1
"""


def test_what_listens(tmp_path: Path) -> None:
    texts = {"/proc/net/tcp": TCP, "/proc/net/tcp6": TCP6, "/proc/net/udp": UDP}
    seen = sockets.look(host(tmp_path, texts), {"12": {"pid": 7, "command": "sshd"}})
    assert [(row["protocol"], row["address"], row["port"], row.get("command")) for row in seen["sockets"]] == [
        ("tcp", "0.0.0.0", 22, "sshd"),
        ("tcp", "127.0.0.1", 6379, None),
        ("tcp", "127.0.0.1", 8080, None),
        ("tcp", "::", 9100, None),
        ("udp", "0.0.0.0", 123, None),
    ]
    assert seen["dynamic"] == [32768, 60999]


def test_no_sockets_to_see_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="tcp"):
        sockets.look(Files(str(tmp_path)), {})


@pytest.mark.parametrize(
    ("entry", "row", "covered"),
    [
        ("22", {"protocol": "tcp", "address": "::", "port": 22}, True),
        ("22", {"protocol": "udp", "address": "::", "port": 22}, False),
        ("53/udp", {"protocol": "udp", "address": "0.0.0.0", "port": 53}, True),
        ("127.0.0.1:6379", {"protocol": "tcp", "address": "0.0.0.0", "port": 6379}, False),
        ("[::1]:25/tcp", {"protocol": "tcp", "address": "::1", "port": 25}, True),
        ("60000-61000/udp", {"protocol": "udp", "address": "::", "port": 60500}, True),
    ],
)
def test_what_an_entry_covers(entry: str, row: dict[str, Any], covered: bool) -> None:
    assert sockets.parse([entry])[0].covers(row) is covered


@pytest.mark.parametrize(
    "entry", ["", "ssh", "0", "70000", "22/sctp", "5-3", "1.2.3:22", "[::zz]:22", "-5", "22/tcp x"]
)
def test_an_entry_that_is_none(entry: str) -> None:
    with pytest.raises(OptionError, match="listening"):
        sockets.parse([entry])


def test_the_largest_folders(tmp_path: Path) -> None:
    for name, size in (("a/deep/er/and/deeper", 300), ("b", 100), ("c", 0)):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "file").write_bytes(b"x" * size * 1024)
    os.link(tmp_path / "data/b/file", tmp_path / "data/c/other-name")
    (tmp_path / "data/loop").symlink_to(tmp_path / "data")
    row = folders.largest(Files(str(tmp_path)), ["/data"], 30.0)[0]
    assert row["complete"]
    assert [one["folder"] for one in row["largest"]][:3] == ["/data/a", "/data/a/deep", "/data/a/deep/er"]
    assert 400 * 1024 <= row["bytes"] < 600 * 1024


def test_a_search_that_ran_out_of_time_says_so(tmp_path: Path) -> None:
    (tmp_path / "data/x").mkdir(parents=True)
    times = iter(range(100))
    row = folders.largest(Files(str(tmp_path)), ["/data"], 2.0, lambda: float(next(times)))[0]
    assert not row["complete"]
    assert folders.largest(Files(str(tmp_path)), ["/nothing"], 2.0)[0]["error"]


def test_programs_of_the_host() -> None:
    assert host_files.run(["printf", "%s", "x"], 10) == "x"
    with pytest.raises(LookError, match="not installed"):
        host_files.run(["no-such-program-here"], 10)
    with pytest.raises(LookError, match=r"failed \(3\): why"):
        host_files.run(["sh", "-c", "echo why >&2; exit 3"], 10)
    with pytest.raises(LookError, match="did not end"):
        host_files.run(["sleep", "30"], 0.2)
    with pytest.raises(LookError, match="no time left"):
        host_files.run(["true"], 0)

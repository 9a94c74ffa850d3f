# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One at a time, and who it is."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import lock
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OpsError

HOLD = """
import sys, time
from ansible_collections.nexuscos.ops.plugins.module_utils._backup import lock
with lock.held(sys.argv[1], "nexusdb", "restore into nexusdb"):
    print("held", flush=True)
    time.sleep(60)
"""


def holding(place: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(place)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> None:
    process.send_signal(number)
    process.communicate()


def test_the_second_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    process = holding(tmp_path)
    try:
        told = lock.holder(str(tmp_path), "nexusdb")
        assert told is not None
        assert told["pid"] == str(process.pid)
        assert told["what"] == "restore into nexusdb"
        pattern = rf"nexusdb: restore into nexusdb by \S+ on \S+ since 2\S+Z \(process {process.pid}\) holds the lock"
        with pytest.raises(lock.Busy, match=pattern), lock.held(str(tmp_path), "nexusdb", "backup"):
            pass
    finally:
        end(process)
    assert lock.holder(str(tmp_path), "nexusdb") is None


def test_another_system_is_free(tmp_path: Path) -> None:
    with lock.held(str(tmp_path), "nexusdb", "backup"), lock.held(str(tmp_path), "redis", "backup"):
        assert lock.holder(str(tmp_path), "redis") is not None


def test_who_waits_gets_it(tmp_path: Path) -> None:
    process = holding(tmp_path)
    timer = threading.Timer(0.3, end, [process])
    timer.start()
    with lock.held(str(tmp_path), "nexusdb", "backup", wait=30):
        told = lock.holder(str(tmp_path), "nexusdb")
    timer.join()
    assert told is not None
    assert told["pid"] == str(os.getpid())


def test_who_waits_in_vain_is_told_who_has_it(tmp_path: Path) -> None:
    with (
        lock.held(str(tmp_path), "nexusdb", "backup"),
        pytest.raises(lock.Busy, match=f"process {os.getpid()}"),
        lock.held(str(tmp_path), "nexusdb", "backup", wait=0.3),
    ):
        pass


def test_who_only_looks_refuses_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To look is to hold the lock for a moment, and what is there of a name is that of somebody who was killed."""
    monkeypatch.setattr(lock, "_LOOKED_AT", 60.0)
    end(holding(tmp_path), signal.SIGKILL)
    looked = os.open(tmp_path / ".lock-nexusdb", os.O_RDONLY)
    fcntl.flock(looked, fcntl.LOCK_SH)
    timer = threading.Timer(0.05, os.close, [looked])
    timer.start()
    with lock.held(str(tmp_path), "nexusdb", "backup"):
        told = lock.holder(str(tmp_path), "nexusdb")
    timer.join()
    assert told is not None
    assert told["pid"] == str(os.getpid())


def test_a_holder_that_is_killed_holds_no_more(tmp_path: Path) -> None:
    end(holding(tmp_path), signal.SIGKILL)
    assert lock.holder(str(tmp_path), "nexusdb") is None
    with lock.held(str(tmp_path), "nexusdb", "backup"):
        pass


def test_a_failure_lets_go(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), lock.held(str(tmp_path), "nexusdb", "backup"):
        raise RuntimeError
    with lock.held(str(tmp_path), "nexusdb", "backup"):
        pass


def test_a_child_does_not_hold_it_on(tmp_path: Path) -> None:
    with lock.held(str(tmp_path), "nexusdb", "backup"):
        child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        assert lock.holder(str(tmp_path), "nexusdb") is None
    finally:
        child.kill()
        child.wait()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="No such file or directory"), lock.held(str(tmp_path / "no"), "nexusdb", "x"):
        pass


@given(data=st.binary(max_size=200) | st.sampled_from([b"[]", b"null", b'{"user": {}}', b"{", b"\xff", b""]))
def test_nonsense_in_the_file_is_no_obstacle(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    place = tmp_path_factory.getbasetemp() / "nonsense"
    place.mkdir(exist_ok=True)
    path = place / ".lock-nexusdb"
    path.write_bytes(data)
    with open(path, "rb") as stranger:
        fcntl.flock(stranger, fcntl.LOCK_EX)
        with pytest.MonkeyPatch.context() as changed:
            changed.setattr(lock, "_LOOKED_AT", 0.0)
            with pytest.raises(lock.Busy, match=re.escape(str(path))), lock.held(str(place), "nexusdb", "backup"):
                pass
        assert lock.holder(str(place), "nexusdb") is not None
    with lock.held(str(place), "nexusdb", "backup"):
        told = lock.holder(str(place), "nexusdb")
    assert told is not None
    assert told["what"] == "backup"

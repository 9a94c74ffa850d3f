# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine prints is on the disk with its sum, or it is told why not; and the engine is gone in any case."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import stream
from ansible_collections.nexuscos.ops.plugins.module_utils._backup.stream import EngineError, Progress


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def save(tmp_path: Path, argv: list[str], **more: Any) -> stream.File:
    return stream.save(argv, str(tmp_path / "out"), str(tmp_path), **more)


def gone(pid: int) -> bool:
    """Wait until a process is gone, or only its parent has not looked yet."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("size", [0, 1, 65_536, 3_500_001])
def test_what_is_printed_is_written_and_summed(tmp_path: Path, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    (tmp_path / "in").write_bytes(data[:size])
    file = save(tmp_path, ["cat", str(tmp_path / "in")])
    assert file == stream.File("out", size, hashlib.sha256(data[:size]).hexdigest())
    assert (tmp_path / "out").read_bytes() == data[:size]
    assert file == stream.sum_file(str(tmp_path / "out"), str(tmp_path))
    assert oct((tmp_path / "out").stat().st_mode & 0o777) == oct(0o640)


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("old")
    with pytest.raises(FileExistsError):
        save(tmp_path, ["echo", "new"])
    assert (tmp_path / "out").read_text() == "old"


def test_a_failure_is_told_in_the_engines_words(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"^sh failed with status 3: no such table$"):
        save(tmp_path, ["sh", "-c", "echo data; echo no such table >&2; exit 3"])


def test_of_a_chatty_engine_the_error_is_told() -> None:
    lines = ["pg_dump: reading"] * 50 + ["pg_dump: error: query failed: FATAL:  out of luck", "pg_dump: detail: x"]
    told = stream.said("/usr/bin/pg_dump", 1, [*lines, *["pg_dump: and so on"] * 9])
    assert told.startswith("pg_dump failed with status 1: pg_dump: error: query failed: FATAL:  out of luck; pg_dump:")
    assert "reading" not in told
    assert stream.said("x", 1, [str(number) for number in range(9)]) == "x failed with status 1: 4; 5; 6; 7; 8"
    assert stream.said("x", -9, []) == "x was killed by signal 9"


def test_no_password_is_told() -> None:
    assert "hunter2" not in stream.said("x", 1, ["error: cannot log in: password=hunter2"])


def test_an_engine_that_says_much_before_it_fails_is_quoted_from_its_end(tmp_path: Path) -> None:
    code = "import sys; sys.stderr.write('chatter\\n' * 700_000 + 'x: error: at last\\n'); sys.exit(1)"
    with pytest.raises(EngineError, match=r": x: error: at last$"):
        save(tmp_path, python(code))


def test_killed_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="was killed by signal 9"):
        save(tmp_path, ["sh", "-c", "echo data; kill -9 $$"])


def test_one_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"nix-da cannot be started: .*is it installed"):
        save(tmp_path, ["nix-da"])
    with pytest.raises(EngineError, match="cannot be started"):
        stream.run(["nix-da"])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "script",
    [
        "exec sleep 61.5",
        "sleep 61.5 & while :; do echo data; done",
        "exec >&-; sleep 61.5",
        "trap '' TERM; sleep 61.5 & wait",
    ],
    ids=["silent", "endless", "closed", "stubborn"],
)
def test_what_is_not_done_in_time_is_ended_with_its_children(
    tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_GRACE", 0.3)
    with pytest.raises(EngineError, match="was not done in time"):
        save(tmp_path, ["sh", "-c", script], deadline=time.monotonic() + 0.7)
    folder = tmp_path / "inside"
    folder.mkdir()
    with pytest.raises(EngineError, match="was not done in time"):
        stream.work(["sh", "-c", script], str(folder), deadline=time.monotonic() + 0.7)
    listed = subprocess.run(["ps", "-eo", "stat,args"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in listed.splitlines() if "sleep 61.5" in line and not line.startswith("Z")]


def test_a_query_that_is_not_done_in_time_is_ended() -> None:
    with pytest.raises(EngineError, match=r"sleep was not done within 0\.2 s"):
        stream.run(["sleep", "60"], seconds=0.2)


def test_lines_of_the_engine_are_told_while_it_works(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    seen: list[str] = []

    def hear(line: str) -> None:
        seen.append(line)
        if line == "table a":
            flag.touch()

    # It goes on only when its first line was heard.
    script = f"echo table a >&2; while [ ! -e {flag} ]; do sleep 0.1; done; echo data; printf 'table b' >&2"
    save(tmp_path, ["sh", "-c", script], on_error_line=hear, deadline=time.monotonic() + 60)
    assert seen == ["table a", "table b"]


def test_an_engine_is_told_a_secret_by_its_input(tmp_path: Path) -> None:
    save(tmp_path, ["sh", "-c", "read -r secret; read -r rest; echo $secret-$rest"], data=b"s3cret\n")
    assert (tmp_path / "out").read_text() == "s3cret-\n"
    assert stream.run(["cat"], data=b"x") == "x"
    assert stream.run(["cat"]) == ""


def test_an_engine_gets_what_is_added_to_the_environment(tmp_path: Path) -> None:
    save(tmp_path, ["sh", "-c", 'echo $PGPASSWORD; test -n "$PATH"'], environment={"PGPASSWORD": "x"})
    assert (tmp_path / "out").read_text() == "x\n"


def test_an_engine_that_writes_by_itself_is_watched(tmp_path: Path) -> None:
    progress = Progress(str(tmp_path), "nexusdb", expected=10)
    stream.work(
        ["sh", "-c", f"echo said; head -c 5000 /dev/zero > {tmp_path}/x; sleep 1.6"], str(tmp_path), None, progress
    )
    told = json.loads((tmp_path / stream.PROGRESS).read_text())
    assert told["bytes"] >= 5000
    with pytest.raises(EngineError, match="failed with status 4: alas"):
        stream.work(["sh", "-c", "echo alas >&2; exit 4"], str(tmp_path))


def test_progress_is_a_file_that_goes(tmp_path: Path) -> None:
    progress = Progress(str(tmp_path), "nexusdb", expected=100)
    progress.item = "public.orders"
    progress.add(7)
    told = json.loads((tmp_path / stream.PROGRESS).read_text())
    assert (told["system"], told["bytes"], told["expected"], told["item"]) == ("nexusdb", 7, 100, "public.orders")
    progress.done()
    assert list(tmp_path.iterdir()) == []
    progress.done()


def test_progress_that_cannot_be_told_is_no_failure(tmp_path: Path) -> None:
    Progress(str(tmp_path / "gone"), "nexusdb").add(7)


def test_a_folder_that_goes_away_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        stream.save(["echo"], str(tmp_path / "no" / "out"), str(tmp_path))


def test_a_full_disk_ends_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = os.open

    def on_full(path: Any, *more: Any, **named: Any) -> int:
        return original("/dev/full", os.O_WRONLY) if str(path).endswith("/out") else original(path, *more, **named)

    pid = tmp_path / "pid"
    monkeypatch.setattr(os, "open", on_full)
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path, ["sh", "-c", f"echo $$ > {pid}; while :; do echo data; done"])
    assert gone(int(pid.read_text()))


# What the engine says is heard when somebody looks after it.
START = """
import pathlib, sys, tempfile
from ansible_collections.nexuscos.ops.plugins.module_utils._backup import stream
stream.{how}
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("how", ["save", "work"])
def test_the_engine_ends_with_the_process_that_started_it(tmp_path: Path, how: str, number: int) -> None:
    argv = f"['sh', '-c', 'echo $$ > {tmp_path}/pid; echo here >&2; exec sleep 60']"
    target = f"{str(tmp_path / 'out')!r}, {str(tmp_path)!r}" if how == "save" else f"{str(tmp_path)!r}"
    heard, pid = tmp_path / "heard", tmp_path / "pid"
    listen = f"on_error_line=lambda line: pathlib.Path({str(heard)!r}).touch()"
    process = subprocess.Popen(python(START.format(how=f"{how}({argv}, {target}, {listen})")))
    try:
        until = time.monotonic() + 60
        while not heard.exists():
            assert time.monotonic() < until
            time.sleep(0.02)
        engine = int(pid.read_text())
        process.send_signal(number)
        process.wait(30)
        assert gone(engine)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()


def test_what_a_killed_engine_has_started_ends_with_it(tmp_path: Path) -> None:
    """As pg_basebackup, whose other half receives WAL until somebody ends it."""
    pid = tmp_path / "pid"
    script = f"sleep 61.75 >/dev/null & echo $! > {pid}; kill -9 $$"
    with pytest.raises(EngineError, match="was killed by signal 9"):
        stream.work(["sh", "-c", script], str(tmp_path))
    assert gone(int(pid.read_text()))


def test_many_engines_at_once_need_no_care(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        files = list(
            pool.map(lambda name: stream.save(["echo", name], str(tmp_path / name), str(tmp_path)), "abcdefgh")
        )
    assert [one.bytes for one in files] == [2] * 8


@pytest.mark.parametrize("how", ["save", "work"])
def test_an_engine_that_fails_is_not_waited_for_by_its_children(tmp_path: Path, how: str) -> None:
    script = ["sh", "-c", "sleep 61.75 & exit 3"]
    with pytest.raises(EngineError, match="failed with status 3"):
        save(tmp_path, script) if how == "save" else stream.work(script, str(tmp_path))

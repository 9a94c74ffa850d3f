# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command that writes to a terminal, as an operator's does, and what stands there while it runs."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

LIMIT = 240.0
COLUMNS = 200


class Terminal:
    """A terminal with one command, which is its own session.

    :ivar text: all that was written there so far.
    """

    def __init__(self, command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._main, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
        self.text = ""
        self.process = subprocess.Popen(
            command, cwd=folder, env={**environment, "TERM": "xterm"}, stdin=subprocess.DEVNULL, stdout=other,
            stderr=other, start_new_session=True,
        )  # fmt: skip
        os.close(other)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        # The end of a terminal is an error to whoever reads it.
        with contextlib.suppress(OSError):
            while piece := os.read(self._main, 1 << 16):
                self.text += piece.decode(errors="replace")

    def wait_for(self, words: str) -> None:
        """Wait until these words stand there."""
        until = time.monotonic() + LIMIT
        while words not in self.text:
            assert self.process.poll() is None, f"it ended without {words!r}: {self.text}"
            assert time.monotonic() < until, f"never {words!r}: {self.text}"
            time.sleep(0.05)

    def wait(self) -> int:
        """Wait until it has ended; its status."""
        status = self.process.wait(LIMIT)
        self._reader.join(LIMIT)
        return status

    def close(self) -> None:
        """End it, with all that it has started in its session."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(LIMIT)
        os.close(self._main)


@contextlib.contextmanager
def terminal(command: list[str], folder: Path, environment: Mapping[str, str]) -> Iterator[Terminal]:
    """A :class:`Terminal` that is closed at the end."""
    found = Terminal(command, folder, environment)
    try:
        yield found
    finally:
        found.close()


@contextlib.contextmanager
def held_still(progress: Path, process: subprocess.Popen[bytes]) -> Iterator[int]:
    """Wait until work tells how far it is, and let it stand still there while the block runs.

    :param progress: the file that it tells it in; process: what has started it.
    """
    until, pid = time.monotonic() + LIMIT, 0
    while not pid:
        assert process.poll() is None, "it ended, and has never told how far it was"
        assert time.monotonic() < until, f"never: {progress}"
        with contextlib.suppress(OSError, ValueError):
            pid = int(json.loads(progress.read_text(encoding="utf-8"))["pid"])
        time.sleep(0.005)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files of a host, below a root that tests may put elsewhere; programs of the host, with an end."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence

from .._core.errors import LookError

_LARGEST = 4 * 1024 * 1024
_MOST_OUTPUT = 16 * 1024 * 1024


class Clock:
    """A deadline by the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self, most: float | None = None) -> float:
        """Seconds that are left, at most `most`, never below 0."""
        left = max(self._end - time.monotonic(), 0.0)
        return left if most is None else min(left, most)


class Files:
    """Reads files below a root."""

    def __init__(self, root: str = "/") -> None:
        self.root = root

    def path(self, name: str) -> str:
        """The real path of an absolute path of the host."""
        return os.path.join(self.root, name.lstrip("/"))

    def read(self, name: str) -> str:
        """A file as text.

        :raises OSError: not there, or not to be read.
        """
        with open(self.path(name), "rb") as stream:
            return stream.read(_LARGEST).decode("utf-8", "replace")

    def maybe(self, name: str) -> str | None:
        """A file as text, None where it cannot be read."""
        try:
            return self.read(name)
        except OSError:
            return None

    def number(self, name: str) -> int | None:
        """The whole number that a file holds; None where it holds none (``max``)."""
        text = (self.maybe(name) or "").strip()
        return int(text) if text.lstrip("-").isdigit() else None

    def exists(self, name: str) -> bool:
        """Whether there is such a file or folder."""
        return os.path.exists(self.path(name))

    def names(self, name: str) -> list[str]:
        """Names in a folder, sorted; none where it cannot be read."""
        try:
            return sorted(os.listdir(self.path(name)))
        except OSError:
            return []


def run(command: Sequence[str], seconds: float) -> str:
    """What a program of the host prints, in English and UTC.

    :raises LookError: not there, failed, or no end in time.
    """
    environment = {**os.environ, "LC_ALL": "C", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}
    if command[0] != "systemd-analyze":
        # Six o'clock in a calendar of systemd is that of the host's own zone.
        environment["TZ"] = "UTC"
    if seconds <= 0:
        raise LookError("timeout", f"no time left for {command[0]}")
    try:
        # run_command of AnsibleModule knows no end in time, and the deadline is kept here.
        done = subprocess.run(  # noqa: S603  # pylint: disable=ansible-bad-function
            list(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError as error:
        raise LookError("other", f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise LookError("timeout", f"{command[0]} did not end within {seconds:.0f} s") from error
    except OSError as error:
        raise LookError("other", f"{command[0]}: {error.strerror or error}") from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().split("\n")[-1]
        raise LookError("other", f"{command[0]} failed ({done.returncode}): {said or 'it says nothing'}"[:300])
    return done.stdout[:_MOST_OUTPUT].decode("utf-8", "replace")

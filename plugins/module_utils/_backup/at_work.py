# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far work is that writes no set, such as a restore: told in a file of the place, beside the lock that it holds."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterator

from . import stream

_SHARE = 20


@contextlib.contextmanager
def told(place: str, held: str, expected: int = 0, objects: bool = False) -> Iterator[stream.Progress]:
    """Progress that others can read while the block runs.

    :param place: folder of the sets; held: name of the lock that the caller holds, see :mod:`lock`.
    :param expected: how much there will be; objects: it is objects, and not bytes.
    """
    progress = stream.Progress(place, held, expected, _name(held), objects)
    try:
        yield progress
    finally:
        with contextlib.suppress(OSError):
            progress.done()


def path(place: str, held: str) -> str:
    """The file. One that a killed process has left tells its number, which is not that of who holds the lock now."""
    return os.path.join(place, _name(held))


def measure(folder: str, progress: stream.Progress) -> Callable[[], None]:
    """To be called often: tells the bytes that an engine has written below a folder.

    A tree of a million files takes seconds to walk: it is walked for a twentieth of the time at most.
    """
    after = 0.0

    def look() -> None:
        nonlocal after
        began = time.monotonic()
        if began >= after:
            progress.at(_files_below(folder))
            ended = time.monotonic()
            after = ended + max(1.0, _SHARE * (ended - began))

    return look


def _files_below(folder: str) -> int:
    """Bytes of the files alone, as a list of a tree counts them: a link has some of its own."""
    total = 0
    for inside, _folders, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                entry = os.lstat(os.path.join(inside, name))
                total += entry.st_size if stat.S_ISREG(entry.st_mode) else 0
    return total


def _name(held: str) -> str:
    return f".progress-{held}.json"

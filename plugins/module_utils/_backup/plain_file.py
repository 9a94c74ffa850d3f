# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open what should be a file: whoever opens a pipe waits for a writer, and a device has no end."""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class NoFile(OSError):
    """It is there, and no file; the text says what it is."""


def opened(path: str, buffering: int = -1) -> BinaryIO:
    """A file, to be read.

    :raises NoFile: it is a pipe, a device, or a folder.
    :raises OSError: it cannot be opened.
    """
    kind = kind_of(os.stat(path).st_mode)
    if kind:
        raise NoFile(errno.EINVAL, f"it is {kind} and no file", path)
    # Not to wait for a writer, should it have become a pipe just now.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    return os.fdopen(handle, "rb", buffering)


def kind_of(mode: int) -> str | None:
    """What something is that is no file, by its mode; None for a file."""
    return next((word for is_kind, word in _KINDS if is_kind(mode)), None if stat.S_ISREG(mode) else "something else")


def trouble(path: str) -> str | None:
    """Why a path leads to nothing that can be read as a file or as a folder of files; None where it can."""
    try:
        kind = kind_of(os.stat(path).st_mode)
    except FileNotFoundError:
        return "it is a link that leads nowhere" if os.path.islink(path) else None
    except OSError as error:
        return "it is a link that leads in a circle" if error.errno == errno.ELOOP else None
    return f"it is {kind} and no file" if kind not in (None, "a folder") else None

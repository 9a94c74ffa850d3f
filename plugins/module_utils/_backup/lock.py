# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One at a time: whoever makes, restores or removes sets of a system holds its lock, and says who that is."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import getpass
import json
import os
import socket
import time
from collections.abc import Iterator

from .._core.errors import OpsError

VERIFYING = "@verify"
"""After the name of a system: the lock of a verification, which a backup need not wait for, and a removal must."""

_ASK_EVERY = 0.2
# Whoever asks who holds a lock (:func:`holder`) has it for a moment, and is nobody to be refused for.
_LOOKED_AT = 0.5


class Busy(OpsError):
    """Somebody else holds the lock; the text says who, since when and what for."""


@contextlib.contextmanager
def held(place: str, system: str, what: str, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock of a system while the block runs. The kernel lets go of it when the process ends, however.

    :param what: for whoever finds it held: ``backup``, ``restore into nexusdb``.
    :param wait: seconds to wait for the one who has it.
    :raises Busy: it is still held then.
    :raises OpsError: the file of the lock cannot be written.
    """
    path = os.path.join(place, ".lock-" + system)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise OpsError(f"{path}: {error.strerror}") from error
    try:
        _take(handle, path, system, wait)
        with contextlib.suppress(OSError):
            # On a full disk the lock is held all the same, by nobody's name.
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps(_holder(what)).encode(), 0)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def holder(place: str, system: str) -> dict[str, str] | None:
    """Who holds the lock of a system: user, host, pid, since, what. None where nobody does."""
    path = os.path.join(place, ".lock-" + system)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return _read(handle)
        return None
    finally:
        os.close(handle)


def _take(handle: int, path: str, system: str, wait: float) -> None:
    until = time.monotonic() + max(wait, _LOOKED_AT)
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                who = _read(handle)
                raise Busy(
                    "{}: {what} by {user} on {host} since {since} (process {pid}) holds the lock {path}".format(
                        system, path=path, **who
                    )
                ) from None
            time.sleep(_ASK_EVERY)
        except OSError as error:
            raise OpsError(f"{path}: {error.strerror}") from error
        else:
            return


def _holder(what: str) -> dict[str, str]:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"user": user, "host": socket.gethostname(), "pid": str(os.getpid()), "since": now, "what": what}


def _read(handle: int) -> dict[str, str]:
    unknown = dict.fromkeys(("user", "host", "pid", "since"), "?") | {"what": "something"}
    try:
        told = json.loads(os.pread(handle, 4096, 0))
    except (OSError, ValueError):
        return unknown
    return {name: str(told.get(name, unknown[name])) for name in unknown} if isinstance(told, dict) else unknown

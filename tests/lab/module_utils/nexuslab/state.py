# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's state files: read and merged under a lock, written whole or not at all."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECRETS = {
    "postgres": ["superuser", "nexus", "monitor", "backup", "replication"],
    "postgres_pod": ["superuser", "backup"],
    "redis": None,
    "redis_monitor": None,
    "redis_replication": None,
    "redis_sentinel": None,
    "mongodb": None,
    "registry": None,
    "grafana": None,
    "elasticsearch": None,
}


def merge(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """A new dictionary: nested dictionaries are merged, a value of None removes its key, all else replaces."""
    result = dict(base)
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        else:
            result[key] = value
    return result


def read(path: Path) -> dict[str, Any]:
    """The file's dictionary; an absent or broken file is an empty one (a crash may have left it so)."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write(path: Path, data: dict[str, Any], mode: int = 0o644, sync: bool = True) -> None:
    """Write whole: to a temporary name, synced (unless it may be lost), then renamed."""
    handle, temporary = tempfile.mkstemp(dir=str(path.parent), prefix=".%s." % path.name)
    try:
        with os.fdopen(handle, "w") as out:
            json.dump(data, out, indent=1, sort_keys=True)
            out.write("\n")
            out.flush()
            if sync:
                os.fsync(out.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, str(path))
    except BaseException:
        os.unlink(temporary)
        raise


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file that belongs to a state file: components come up side by side."""
    with open(str(path) + ".lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def update(path: Path, change: dict[str, Any], mode: int = 0o644, sync: bool = True) -> bool:
    """Merge a change into a state file. Returns whether the file is another one now."""
    with locked(path):
        before = read(path)
        after = merge(before, change)
        if after == before and path.exists():
            return False
        write(path, after, mode, sync)
        return True


def ensure_secrets(path: Path) -> dict[str, Any]:
    """Make the passwords that are not there yet; those that are there stay."""
    with locked(path):
        found = read(path)
        wanted = dict(found)
        for name, parts in SECRETS.items():
            if parts is None:
                wanted.setdefault(name, secrets.token_urlsafe(18))
            else:
                group = dict(wanted.get(name) or {})
                for part in parts:
                    group.setdefault(part, secrets.token_urlsafe(18))
                wanted[name] = group
        if wanted != found:
            write(path, wanted, 0o600)
        return wanted

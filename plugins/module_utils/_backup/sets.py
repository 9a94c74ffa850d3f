# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What backups lie in a folder: which file belongs to which system, from when it is, and what was written beside it."""

from __future__ import annotations

import datetime
import glob
import json
import os
import re
import stat
from collections.abc import Iterable
from typing import Any

_FULL = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T_-](\d\d)[:-]?(\d\d)[:-]?(\d\d)Z?")
_COMPACT = re.compile(r"(?<!\d)(20\d\d)(\d\d)(\d\d)[T_-]?(\d\d)(\d\d)(\d\d)?Z?(?!\d)")
_DATE = re.compile(r"(?<!\d)(\d{4})-(\d\d)-(\d\d)(?!\d)")
_CLOCK = re.compile(r"(?<!\d)([01]\d|2[0-3])([0-5]\d)([0-5]\d)(?!\d)")
_HALF = re.compile(
    r"\.(tmp|part|partial|filepart|writing|incomplete)$|^\.writing-|^\.tmp-|~$"
    # rsync writes beside the file that it makes; six letters of chance, of which one at least is no small one.
    r"|^\.[^/]+\.(?=[a-z]*[A-Z0-9])[A-Za-z0-9]{6}$"
)
_SUM_LINE = re.compile(r"^([0-9a-fA-F]{64})[ *]+(.+)$")
_MANIFEST_MOST = 8 << 20


def moment_in(path: str) -> tuple[float | None, bool]:
    """The time that a path tells, in seconds since 1970, and whether it tells more than the day.

    ``2026-11-22T060000Z/nexusdb/x.dump``, ``2026-11-22/config-host1-060003.tar.gz``, ``nexusdb-20261122-0600.sql.gz``.
    """
    for pattern in (_FULL, _COMPACT):
        matches = pattern.findall(path)
        if matches:
            return _utc([int(part or 0) for part in matches[-1]]), True
    dates = list(_DATE.finditer(path))
    if not dates:
        return None, False
    day = [int(part) for part in dates[-1].groups()]
    clock = _CLOCK.findall(path[dates[-1].end() :])
    if clock:
        return _utc([*day, *(int(part) for part in clock[-1])]), True
    return _utc([*day, 0, 0, 0]), False


def _utc(parts: list[int]) -> float | None:
    try:
        return datetime.datetime(*parts[:6], tzinfo=datetime.timezone.utc).timestamp()  # type: ignore[arg-type,misc]
    except (ValueError, TypeError):
        return None


def is_half(path: str) -> bool:
    """Does a name say that its file is not finished?"""
    return bool(_HALF.search(os.path.basename(path)))


def find(place: str, patterns: Iterable[str]) -> list[str]:
    """Files and folders that patterns match below a place, without what is half finished and without what is inside
    ``latest``, a second way to the same files."""
    found: dict[str, None] = {}
    for pattern in patterns:
        for path in glob.glob(os.path.join(glob.escape(place), pattern), recursive=True):
            inside = os.path.relpath(path, place).split(os.sep)
            if not is_half(path) and inside[0] != "latest" and not any(is_half(part) for part in inside):
                found[path] = None
    return sorted(found)


def size_of(path: str) -> int:
    """Bytes of a file, or of all files below a folder. A link that leads nowhere has none."""
    if not os.path.isdir(path):
        return _bytes_of(path)
    return sum(_bytes_of(os.path.join(folder, name)) for folder, _folders, names in os.walk(path) for name in names)


def _bytes_of(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        if stat.S_ISLNK(os.lstat(path).st_mode):
            return 0
        raise


def describe(path: str, place: str) -> dict[str, Any]:
    """One backup: path below the place, bytes, modification time, the time that its name tells.

    :raises OSError: it has gone, or may not be looked at.
    """
    entry = os.stat(path) if os.path.exists(path) else os.lstat(path)
    named, exact = moment_in(os.path.relpath(path, place))
    if named is not None and not exact:
        # A day alone: the time of day is that of the file, where it is of that day.
        day = datetime.datetime.fromtimestamp(entry.st_mtime, datetime.timezone.utc).strftime("%Y-%m-%d")
        if datetime.datetime.fromtimestamp(named, datetime.timezone.utc).strftime("%Y-%m-%d") == day:
            named = entry.st_mtime
    return {
        "path": os.path.relpath(path, place),
        "bytes": size_of(path),
        "modified": entry.st_mtime,
        "named": named,
        "when": named if named is not None else entry.st_mtime,
    }


def sums_beside(path: str) -> tuple[str | None, str | None, str | None]:
    """The checksum that was written with a backup: (SHA-256, name of the file that tells it, trouble)."""
    folder, name = os.path.split(path)
    try:
        for candidate in (path + ".sha256", os.path.join(folder, "SHA256SUMS"), os.path.join(folder, "sha256sums")):
            found = _in_list(candidate, name)
            if found:
                return found, os.path.basename(candidate), None
        for up in (folder, os.path.dirname(folder)):
            found = _in_manifest(os.path.join(up, "manifest.json"), path, up)
            if found:
                return found, "manifest.json", None
    except OSError as error:
        return None, None, "%s: %s" % (os.path.basename(str(error.filename)), error.strerror)
    except ValueError as error:
        return None, None, "manifest.json cannot be read: %s" % error
    return None, None, None


def _in_list(listing: str, name: str) -> str | None:
    if not os.path.isfile(listing):
        return None
    with open(listing, encoding="utf-8", errors="replace") as stream:
        lines = stream.read(_MANIFEST_MOST).splitlines()
    for line in reversed(lines):  # the last one counts, where a file was written again
        match = _SUM_LINE.match(line.strip())
        if match and os.path.basename(match.group(2).strip()) == name:
            return match.group(1).lower()
        if re.fullmatch(r"[0-9a-fA-F]{64}", line.strip()) and listing.endswith(".sha256"):
            return line.strip().lower()
    return None


def _in_manifest(manifest: str, path: str, folder: str) -> str | None:
    """``files`` of a manifest: a list of {path or name, sha256}, or a mapping of path to either."""
    if not os.path.isfile(manifest):
        return None
    with open(manifest, encoding="utf-8", errors="replace") as stream:
        try:
            data = json.loads(stream.read(_MANIFEST_MOST))
        except RecursionError as error:
            raise ValueError(error) from None
    files = data.get("files") if isinstance(data, dict) else None
    wanted = {os.path.relpath(path, folder), os.path.basename(path)}
    entries: list[tuple[Any, Any]] = []
    if isinstance(files, dict):
        entries = [(name, one.get("sha256") if isinstance(one, dict) else one) for name, one in files.items()]
    elif isinstance(files, list):
        entries = [(one.get("path") or one.get("name"), one.get("sha256")) for one in files if isinstance(one, dict)]
    for name, value in entries:
        if (
            isinstance(name, str)
            and name in wanted
            and isinstance(value, str)
            and re.fullmatch(r"[0-9a-fA-F]{64}", value)
        ):
            return value.lower()
    return None

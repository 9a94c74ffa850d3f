# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where sets lie, and how one comes to be there: whole or not at all.

::

    <place>/2026-11-29T060000Z/nexusdb/manifest.json     a set: what one system was at one time
    <place>/2026-11-29T060000Z/nexusdb/nexusdb.dump
    <place>/2026-11-29T060000Z/.writing-redis/           one that is being written; no set
    <place>/latest/nexusdb -> ../2026-11-29T060000Z/nexusdb

``latest`` is a folder with a link for each system: a run that makes sets of some systems says nothing about the others.
A set is written under another name, flushed to the disk, and then renamed. Killed at any moment, it leaves what it was
writing, which the next run of the system takes away, and nothing else.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from .._core.errors import OpsError, OptionError

LATEST = "latest"
WRITING = ".writing-"
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d{6}Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class PlaceError(OpsError):
    """The folder of the backups cannot be used; the text says what to do."""


@dataclass(frozen=True)
class Set:
    """A finished set.

    :ivar stamp: when it was begun, ``2026-11-29T060000Z``; path: its folder.
    """

    system: str
    stamp: str
    path: str

    @property
    def began(self) -> float:
        """Seconds since 1970 in UTC, from the name."""
        return moment(self.stamp)


def stamp(now: datetime.datetime | None = None) -> str:
    """The name of a run's folder."""
    now = now or datetime.datetime.now(datetime.timezone.utc)
    return now.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H%M%SZ")


def moment(name: str) -> float:
    """Seconds since 1970 of a run's folder."""
    return datetime.datetime.strptime(name[:-1] + "+0000", "%Y-%m-%dT%H%M%S%z").timestamp()


def is_stamp(name: str) -> bool:
    """Is it the name of a run's folder, of a time that exists?"""
    if not _STAMP.fullmatch(name):
        return False
    try:
        moment(name)
    except ValueError:
        return False
    return True


def check_name(system: str) -> str:
    """The name of a system, which becomes a folder.

    :raises OptionError: it cannot be one.
    """
    if not _NAME.fullmatch(system) or system == LATEST:
        raise OptionError(
            f"system: want letters, digits, '.', '_' and '-', beginning with one of the first, got {system!r}"
        )
    return system


def finished(place: str, system: str | None = None) -> list[Set]:
    """The sets of a system, or of all, the newest first. A folder without a manifest is none of ours.

    :raises PlaceError: the folder cannot be listed.
    """
    found = []
    try:
        runs = sorted((name for name in os.listdir(place) if is_stamp(name)), reverse=True)
    except OSError as error:
        raise PlaceError(f"{place}: {error.strerror}") from error
    for run in runs:
        folder = os.path.join(place, run)
        with contextlib.suppress(OSError):
            for name in sorted(os.listdir(folder)):
                path = os.path.join(folder, name)
                if name.startswith(".") or system not in (None, name):
                    continue
                if os.path.isfile(os.path.join(path, "manifest.json")):
                    found.append(Set(name, run, path))
    return found


def latest(place: str, system: str) -> Set | None:
    """The set that the link of a system leads to; None where it leads nowhere, or to something else than a set."""
    try:
        target = os.readlink(os.path.join(place, LATEST, system))
    except OSError:
        return None
    match = re.fullmatch(r"\.\./([^/]+)/([^/]+)", target)
    if not match or not is_stamp(match.group(1)) or match.group(2) != system:
        return None
    path = os.path.join(place, match.group(1), system)
    return Set(system, match.group(1), path) if os.path.isfile(os.path.join(path, "manifest.json")) else None


def point_latest(place: str, one: Set) -> None:
    """Let ``latest/<system>`` lead to a set, in one step."""
    folder = os.path.join(place, LATEST)
    try:
        if os.path.islink(folder):
            # The layout before this one: a link to a run. It would lead the new links into that run's folder.
            os.unlink(folder)
        os.makedirs(folder, mode=0o750, exist_ok=True)
        link, aside = os.path.join(folder, one.system), os.path.join(folder, WRITING + one.system)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(aside)
        os.symlink(os.path.join("..", one.stamp, one.system), aside)
        os.replace(aside, link)
        flush_folder(folder)
    except OSError as error:
        raise PlaceError(
            f"{folder}: {error.strerror}. The set is whole; only the link to it could not be moved"
        ) from error


@contextlib.contextmanager
def writing(place: str, system: str, run: str) -> Iterator[str]:
    """A folder to write a set into. It becomes the set when the block ends well, and goes when it does not.

    The lock of the system is held by the caller: whatever else is being written there is a leftover.

    :param run: name of the run's folder, see :func:`stamp`.
    :raises PlaceError: it cannot be made or renamed, or there is such a set.
    """
    folder = os.path.join(place, run)
    aside, final = os.path.join(folder, WRITING + system), os.path.join(folder, system)
    if os.path.lexists(final):
        raise PlaceError(f"{final} exists already: a set is never written over")
    try:
        os.makedirs(folder, mode=0o750, exist_ok=True)
        os.mkdir(aside, 0o750)
    except OSError as error:
        raise PlaceError(f"{error.filename}: {error.strerror}") from error
    try:
        yield aside
        _flush_tree(aside)
        os.rename(aside, final)
        flush_folder(folder)
        flush_folder(place)
    except OSError as error:
        remove(aside)
        raise PlaceError(f"{error.filename or aside}: {error.strerror}") from error
    except BaseException:
        remove(aside)
        raise


def leftovers(place: str, system: str) -> list[str]:
    """Folders that a run of this system has left unfinished. To be asked with the system's lock held."""
    found = []
    with contextlib.suppress(OSError):
        for run in os.listdir(place):
            path = os.path.join(place, run, WRITING + system)
            if is_stamp(run) and os.path.isdir(path):
                found.append(path)
    return sorted(found)


def remove(path: str) -> None:
    """Take a set or a leftover away, and the run's folder where nothing else is in it.

    A set goes by a rename first: a removal that breaks off leaves no half set under a good name.
    """
    folder, name = os.path.split(path)
    if not name.startswith("."):
        aside = os.path.join(folder, WRITING + name)
        if os.path.isdir(aside):
            shutil.rmtree(aside)
        os.rename(path, aside)
        path = aside
    shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.rmdir(folder)


def bytes_below(folder: str) -> int:
    """Bytes of all files below a folder, of what may be looked at and is still there."""
    total = 0
    for inside, _folders, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(inside, name)).st_size
    return total


def flush_folder(path: str) -> None:
    """Bring the names in a folder to the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_tree(path: str) -> None:
    for folder, _folders, names in os.walk(path, topdown=False):
        for name in names:
            handle = os.open(os.path.join(folder, name), os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        flush_folder(folder)

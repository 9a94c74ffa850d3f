# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports in <folder>/<procedure>/<UTC time>/ and `latest` beside them. Never half a report under a good name."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping

_STAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ(-\d+)?$")


class StoreError(Exception):
    """The report could not be written; the text says where and why."""


def stamp(started: str) -> str:
    """Name of a report's folder, from the time at which the run began: ``2026-11-22T06-00-00Z``."""
    return started.replace(":", "-")


def write(folder: str, procedure: str, name: str, files: Mapping[str, str], keep: int = 0) -> str:
    """Write the files of one report and let `latest` lead to them.

    Everything is written and synced under a temporary name, renamed, and only then does `latest` move, in one step.
    A run that is killed leaves `latest` as it was.

    :param folder: `nexuscos_report_dir`; made where it is missing.
    :param name: from :func:`stamp`; where it is taken already a number is added.
    :param keep: how many reports of this procedure stay; 0 keeps all.
    :returns: path of the report's folder.
    :raises StoreError: no permission, full disk, a file where a folder should be.
    """
    base = os.path.join(folder, procedure)
    temporary = ""
    try:
        os.makedirs(base, exist_ok=True)
        temporary = tempfile.mkdtemp(prefix=".writing-", dir=base)
        for file, text in files.items():
            _write_file(os.path.join(temporary, file), text)
        # mkdtemp makes what only its owner may enter; a report is for the whole team.
        os.chmod(temporary, 0o755)  # noqa: S103
        _sync(temporary)
        final = _move(temporary, base, name)
        temporary = ""
        _point_latest(base, os.path.basename(final))
        _sync(base)
    except OSError as error:
        raise StoreError(
            "the report could not be written to %s: %s. Mend that, or set nexuscos_report_dir to another place"
            % (error.filename or base, error.strerror or error)
        ) from error
    finally:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)
    _prune(base, os.path.basename(final), keep)
    return final


def replace(path: str, text: str) -> None:
    """Put one file in place of an older one, in one step: a reader sees the old text or the new one.

    :raises StoreError: no permission, full disk, no such folder.
    """
    temporary = "%s.%d.writing" % (path, os.getpid())
    try:
        _write_file(temporary, text)
        os.replace(temporary, path)
    except OSError as error:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise StoreError("cannot write %s: %s" % (path, error.strerror or error)) from error


def _write_file(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8", errors="replace") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.chmod(path, 0o644)


def _move(temporary: str, base: str, name: str) -> str:
    for number in range(1, 1000):
        final = os.path.join(base, name if number == 1 else "%s-%d" % (name, number))
        try:
            # A folder is only replaced where it is empty: two runs of one second cannot overwrite each other.
            os.rename(temporary, final)
        except OSError:
            if not os.path.lexists(final):
                raise
            continue
        return final
    raise OSError(17, "a thousand reports carry this name already", os.path.join(base, name))


def _point_latest(base: str, name: str) -> None:
    link = os.path.join(base, ".latest-%s" % name)
    if os.path.lexists(link):
        os.unlink(link)
    os.symlink(name, link)
    try:
        os.replace(link, os.path.join(base, "latest"))
    except OSError:
        os.unlink(link)
        raise


def _sync(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _prune(base: str, newest: str, keep: int) -> None:
    """Remove the oldest reports beyond `keep`. What is not ours, by its name, stays; what cannot be removed, too."""
    if keep <= 0:
        return
    ours = sorted(name for name in os.listdir(base) if _STAMP.match(name) and name != newest)
    for name in ours[: max(len(ours) - keep + 1, 0)]:
        shutil.rmtree(os.path.join(base, name), ignore_errors=True)

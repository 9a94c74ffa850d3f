# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The largest folders below some roots, within a budget of time: what ``du`` tells, without its hours."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any, Callable

from .files import Files

_SHOWN = 8
_LEVELS = 3


def largest(
    files: Files, roots: Sequence[str], budget: float, now: Callable[[], float] = time.monotonic
) -> list[dict[str, Any]]:
    """For each root its largest folders, down to three levels; a root that is not done in its time says so.

    A root gets an even share of what is left of the budget. Other file systems below a root are left out, and what has
    several names (hard links) counts once.
    """
    end = now() + budget
    found = []
    for place, root in enumerate(roots):
        share = max(end - now(), 0.0) / (len(roots) - place)
        found.append(_walk(files, root, now() + share, now))
    return found


def _walk(files: Files, root: str, end: float, now: Callable[[], float]) -> dict[str, Any]:
    top = files.path(root)
    row: dict[str, Any] = {"root": root, "bytes": 0, "complete": False, "largest": []}
    try:
        device = os.lstat(top).st_dev
    except OSError as error:
        row["error"] = error.strerror or str(error)
        return row
    sizes: dict[str, int] = {}
    linked: set[int] = set()
    # Breadth first: when the time is up, every branch has been looked at to the same depth.
    queue: list[tuple[str, tuple[str, ...]]] = [(top, ())]
    place = 0
    while place < len(queue):
        if now() > end:
            break
        folder, owners = queue[place]
        place += 1
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    try:
                        seen = entry.stat(follow_symlinks=False)
                    except OSError:
                        continue
                    if seen.st_dev != device:
                        continue
                    directory = entry.is_dir(follow_symlinks=False)
                    if seen.st_nlink > 1 and not directory:
                        if seen.st_ino in linked:
                            continue
                        linked.add(seen.st_ino)
                    taken = seen.st_blocks * 512
                    row["bytes"] += taken
                    for owner in owners:
                        sizes[owner] += taken
                    if directory:
                        mine = owners
                        if len(owners) < _LEVELS:
                            name = os.path.normpath(os.path.join(root, os.path.relpath(entry.path, top)))
                            sizes[name] = taken
                            mine = (*owners, name)
                        queue.append((entry.path, mine))
        except OSError:
            continue
    else:
        row["complete"] = True
    ranked = sorted(sizes.items(), key=lambda one: (-one[1], one[0]))
    row["largest"] = [{"folder": name, "bytes": size} for name, size in ranked[:_SHOWN] if size]
    return row

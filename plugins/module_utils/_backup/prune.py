# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the sets away that no rule keeps, and say of each other one why it stays."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .._core.argspec import ArgSpec
from .._core.errors import OptionError
from . import described, layout, listing, lock, manifest, retention
from .manifest import ManifestError
from .run_backup import human


def spec() -> ArgSpec:
    """The options of backup_prune."""
    return ArgSpec(
        {
            "path": {"type": "path", "default": "/backups/nexus-cos"},
            "systems": {"type": "list", "elements": "str", "default": []},
            "keep": {"type": "dict", "required": True},
            "level": {"type": "int", "default": retention.LEVEL, "choices": [1, 2, 3, 4, 5]},
            "lock_wait": {"type": "float", "default": 0.0},
        }
    )


def run(params: Mapping[str, Any], check_mode: bool, now: float | None = None) -> dict[str, Any]:
    """Remove sets, or say which would go.

    :returns: what the module returns.
    :raises OpsError: the place or an option is wrong, or a set could not be removed; those before it are gone.
    """
    place, rule = str(params["path"]), retention.rules(params["keep"])
    if params["lock_wait"] < 0:
        raise OptionError(f"lock_wait: want 0 seconds or more, got {params['lock_wait']:g}")
    now = time.time() if now is None else now
    told = [
        _system(place, name, rule, int(params["level"]), now, float(params["lock_wait"]), check_mode)
        for name in listing.named(place, params["systems"])
    ]
    removed = [one["path"] for system in told for one in system["sets"] if not one["stays"]]
    size = sum(one["bytes"] for system in told for one in system["sets"] if not one["stays"])
    staying = sum(one["stays"] for system in told for one in system["sets"])
    leftovers = [path for system in told for path in system["leftovers"]]
    would = "would remove" if check_mode else "removed"
    msg = f"{would} {len(removed)} sets, {human(size)}; {staying} stay"
    if leftovers:
        msg += f"; {would} {len(leftovers)} half sets"
    ahead = [f"{one['stamp']}/{system['name']}" for system in told for one in system["sets"] if one["ahead"]]
    if ahead:
        msg += f"; from the future, and never removed: {', '.join(ahead)}"
    busy = [system["name"] for system in told if system["busy"]]
    if busy:
        msg += f"; in use, so nothing of them goes: {', '.join(busy)}"
    return {
        "changed": bool(removed or leftovers),
        "systems": told,
        "removed": removed,
        "bytes": size,
        "busy": busy,
        "future": ahead,
        "lines": lines(told, check_mode),
        "msg": msg,
        "diff": {
            "before": _names(told, True),
            "after": _names(told, False),
            "before_header": place,
            "after_header": place,
        },
    }


def lines(told: Sequence[Mapping[str, Any]], check_mode: bool) -> list[str]:
    """The verdicts as people read them, one line a set."""
    rows = [("system", "set", "size", "", "why")]
    for system in told:
        for one in system["sets"]:
            word = "stays" if one["stays"] else "would go" if check_mode else "removed"
            rows.append((system["name"], one["stamp"], human(one["bytes"]), word, "; ".join(one["why"])))
    return listing.columns(rows, right=(2,)) if rows[1:] else ["no set"]


def _system(
    place: str, name: str, rule: retention.Rules, level: int, now: float, wait: float, check_mode: bool
) -> dict[str, Any]:
    if check_mode:
        who = lock.holder(place, name) or lock.holder(place, name + lock.VERIFYING)
        words = "{what} by {user} on {host} since {since} (process {pid})".format(**who) if who else None
        return _told(place, name, rule, level, now, words)
    try:
        # Everything is decided with the lock held: nobody moves the link or begins a restore in between.
        what = "removal of old sets"
        with lock.held(place, name, what, wait), lock.held(place, name + lock.VERIFYING, what, wait):
            told = _told(place, name, rule, level, now, None)
            for path in told["leftovers"]:
                _remove(path)
            # The oldest first: broken off in the middle, what is left is what is worth more.
            for one in reversed(told["sets"]):
                if not one["stays"]:
                    _remove(one["path"])
            return told
    except lock.Busy as busy:
        return _told(place, name, rule, level, now, str(busy))


def _told(place: str, name: str, rule: retention.Rules, level: int, now: float, busy: str | None) -> dict[str, Any]:
    sets = {one.stamp: one for one in layout.finished(place, name)}
    leads = layout.latest(place, name)
    candidates, sizes = [], {}
    for one in sets.values():
        needed = []
        if leads is not None and leads.stamp == one.stamp:
            needed.append("latest leads to it")
        if busy:
            needed.append("in use: %s" % busy)
        reached, refuted = None, None
        try:
            told = manifest.read(one.path)
        except ManifestError as error:
            # It may be of a later version of this collection, or the only thing that is wrong with a good set.
            refuted = "its manifest cannot be read"
            needed.append(f"its manifest cannot be read, so that nobody knows what it is: {error}")
            sizes[one.stamp] = layout.bytes_below(one.path)
        else:
            sizes[one.stamp] = told.bytes
            reached = told.proven.level if told.proven else None
            refuted = told.refuted.why or "no reason is told" if told.refuted else None
            gone = described.changed(one.path, told)
            if gone:
                # What was proven once is no proof of what lies there now: another set must not go for it.
                reached, refuted = None, "%s is not there as it was written" % gone
        candidates.append(retention.Candidate(one.stamp, one.began, reached, refuted, tuple(needed)))
    verdicts = retention.decide(candidates, rule, now, level)
    return {
        "name": name,
        "busy": busy,
        # Half of what another one is writing is not ours to take.
        "leftovers": [] if busy else layout.leftovers(place, name),
        "sets": [
            {
                "stamp": one.stamp,
                "path": sets[one.stamp].path,
                "bytes": sizes[one.stamp],
                "stays": one.stays,
                "why": one.why,
                "ahead": one.ahead,
            }
            for one in verdicts
        ],
    }


def _remove(path: str) -> None:
    try:
        layout.remove(path)
    except OSError as error:
        raise layout.PlaceError(f"{path} cannot be removed: {error.strerror}") from error
    folder, name = os.path.split(path)
    aside = path if name.startswith(".") else os.path.join(folder, layout.WRITING + name)
    if os.path.lexists(aside):
        raise layout.PlaceError(f"{aside} could not be removed whole: may this account write to all of it? ls -lR")


def _names(told: Sequence[Mapping[str, Any]], all_of_them: bool) -> str:
    names = [
        f"{one['stamp']}/{system['name']}" for system in told for one in system["sets"] if all_of_them or one["stays"]
    ]
    return "".join(name + "\n" for name in sorted(names))

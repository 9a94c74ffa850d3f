# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the copies away in another place that no rule keeps, and say of each other one why it stays.

The rules are those of the sets here (retention.py). What is proven of a set stands in its manifest here, for as long as
it is here; after that, the manifest counts that was sent with it. The newest copy of a system always stays.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from .._core.argspec import ArgSpec
from .._core.errors import OpsError, OptionError
from . import layout, listing, lock, manifest, remote, retention
from .manifest import Manifest, ManifestError
from .rclone import Rclone
from .remote import Known, Repository
from .restic import HOST, Restic

_WHAT = "removal of old copies"


class Place(Protocol):
    """A repository from which copies can be taken away."""

    @property
    def repository(self) -> Repository:
        """What is asked of it in any case."""

    def manifest(self, known: Known) -> str:
        """The manifest of a copy, as text."""

    def remove(self, system: str, stamp: str, known: Known) -> None:
        """Take a copy away, so that half of one is never taken for a whole one."""

    def tidy(self) -> None:
        """Give the room back, when all are gone."""

    def leftovers(self, system: str) -> list[str]:
        """Stamps of what runs that broke off have left: no copies, and nothing that says so."""

    def drop(self, system: str, stamp: str) -> None:
        """Take one of these away."""


class ResticPlace:
    """A repository of restic."""

    def __init__(self, params: Mapping[str, Any], until: float) -> None:
        self.repository = self._restic = Restic(params, until)

    def manifest(self, known: Known) -> str:
        return self._restic.ask("dump", "--no-lock", known.id, os.path.join(known.path, manifest.NAME))

    def remove(self, system: str, stamp: str, known: Known) -> None:  # noqa: ARG002
        # All snapshots of it: a set may have been sent twice.
        tags = f"system={system},stamp={stamp}"
        found = self._restic.snapshots("--host", HOST, "--tag", tags)
        self._restic.ask_locked("forget", *[str(one["id"]) for one in found])

    def tidy(self) -> None:
        self._restic.ask_locked("prune")

    def leftovers(self, system: str) -> list[str]:  # noqa: ARG002
        return []  # a snapshot is there or not

    def drop(self, system: str, stamp: str) -> None:
        raise AssertionError(f"restic leaves nothing of {stamp}/{system}")


class RclonePlace:
    """A remote of rclone."""

    def __init__(self, params: Mapping[str, Any], until: float) -> None:
        self.repository = self._rclone = Rclone(params, until)
        self._remote = str(params["repository"])

    def manifest(self, known: Known) -> str:
        return self._rclone.ask("cat", self._at(known.id, manifest.NAME)).output

    def remove(self, system: str, stamp: str, known: Known) -> None:
        # Its manifest first: without one it is no set.
        self._rclone.ask("deletefile", self._at(known.id, manifest.NAME))
        self.drop(system, stamp)

    def tidy(self) -> None:
        """Nothing holds room back."""

    def leftovers(self, system: str) -> list[str]:
        said = self._rclone.ask("lsf", "--dirs-only", "--recursive", "--max-depth", "2", self._remote).output
        folders = [line.strip("/").split("/") for line in said.splitlines()]
        whole = {stamp for name, stamp in self._rclone.sets() if name == system}
        return sorted(
            one[0] for one in folders
            if len(one) == 2 and one[1] == system and layout.is_stamp(one[0]) and one[0] not in whole
        )  # fmt: skip

    def drop(self, system: str, stamp: str) -> None:
        self._rclone.ask("purge", self._at(stamp, system))
        # The folder of the run is empty now, or has sets of others; an object store has no such folder.
        with contextlib.suppress(remote.Failed):
            self._rclone.ask("rmdir", self._at(stamp))

    def _at(self, *names: str) -> str:
        return self._remote + ("" if self._remote.endswith((":", "/")) else "/") + "/".join(names)


def spec() -> ArgSpec:
    """The options of backup_offsite_prune."""
    own = ArgSpec(
        {
            "systems": {"type": "list", "elements": "str", "default": []},
            "keep": {"type": "dict", "default": {}},
            "keep_of": {"type": "dict", "default": {}},
            "level": {"type": "int", "default": retention.LEVEL, "choices": [1, 2, 3, 4, 5]},
        }
    )
    return remote.spec().merge(own)


def run(params: Mapping[str, Any], check_mode: bool, now: float | None = None) -> dict[str, Any]:
    """Remove copies, or say which would go.

    :returns: what the module returns.
    :raises OpsError: an option is wrong, or the repository cannot be asked, or a copy not be removed; those before it
        are gone.
    """
    keep, keep_of = _rules(params)
    now = time.time() if now is None else now
    until = time.monotonic() + params["deadline"]
    place: Place = RclonePlace(params, until) if params["engine"] == "rclone" else ResticPlace(params, until)
    name = place.repository.name
    if not place.repository.is_there():
        raise OpsError(f"{name} is no repository: is the address right, and is it mounted?")
    known = place.repository.sets()
    wanted = [layout.check_name(one) for one in params["systems"]] or sorted({system for system, _stamp in known})
    told = []
    for system in wanted:
        rule = keep_of.get(system, keep)
        copies = {stamp: one for (of, stamp), one in known.items() if of == system}
        # What nothing is said about keeps everything.
        if rule is not None and copies:
            told.append(_system(params, place, system, copies, rule, now, check_mode))
    if not check_mode and any(one["removed"] for one in told):
        place.tidy()
    return _answer(name, told, check_mode)


def _rules(params: Mapping[str, Any]) -> tuple[retention.Rules | None, dict[str, retention.Rules | None]]:
    remote.check(params)
    keep_of: dict[str, retention.Rules | None] = {}
    for system, one in params["keep_of"].items():
        if not isinstance(one, Mapping):
            raise OptionError(f"keep_of: {system} wants a mapping such as {{daily: 7}}, got {one!r}")
        keep_of[system] = retention.rules(one) if one else None
    keep = retention.rules(params["keep"]) if params["keep"] else None
    if keep is None and not any(keep_of.values()):
        raise OptionError("keep: say what stays, here or in keep_of, such as {daily: 7, weekly: 5, monthly: 12}")
    return keep, keep_of


def _system(
    params: Mapping[str, Any], place: Place, name: str, copies: Mapping[str, Known], rule: retention.Rules, now: float,
    check_mode: bool,
) -> dict[str, Any]:  # fmt: skip
    folder, held, level = str(params["path"]), name + lock.VERIFYING, int(params["level"])
    if check_mode:
        who = lock.holder(folder, held)
        words = "{what} by {user} on {host} since {since} (process {pid})".format(**who) if who else None
        return _told(place, folder, name, copies, rule, level, now, words)
    try:
        # Nobody copies a set of the system, or files what is proven of it, in between.
        with lock.held(folder, held, _WHAT, params["lock_wait"]):
            told = _told(place, folder, name, copies, rule, level, now, None)
            for stamp in told["leftovers"]:
                place.drop(name, stamp)
            # The oldest first: broken off in the middle, what is left is what is worth more.
            for one in reversed(told["sets"]):
                if not one["stays"]:
                    place.remove(name, one["stamp"], copies[one["stamp"]])
                    told["removed"].append(one["stamp"])
                    _forget(folder, name, one["stamp"], place.repository.name)
            return told
    except lock.Busy as busy:
        return _told(place, folder, name, copies, rule, level, now, str(busy))


def _forget(folder: str, name: str, stamp: str, repository: str) -> None:
    """Note in the set, where that is here, that it is there no more."""
    path = os.path.join(folder, stamp, name)
    with contextlib.suppress(ManifestError):
        try:
            if any(copy.repository == repository for copy in manifest.read(path).copies):
                manifest.drop_copy(path, repository)
        except OSError as error:
            raise OpsError(f"{path}: the manifest could not be written: {error.strerror}") from error


def _told(
    place: Place, folder: str, name: str, copies: Mapping[str, Known], rule: retention.Rules, level: int, now: float,
    busy: str | None,
) -> dict[str, Any]:  # fmt: skip
    here = {one.stamp: one for one in layout.finished(folder, name)}
    candidates = []
    for stamp, known in copies.items():
        needed = [] if here else ["there is no set of it here: what is there may be all that is left"]
        if busy:
            needed.append(f"in use: {busy}")
        candidates.append(_candidate(place, here.get(stamp), stamp, known, needed))
    verdicts = retention.decide(candidates, rule, now, level)
    # One that is here may be on its way; of one that is not, nobody sends the rest.
    left = [] if busy or not here else [stamp for stamp in place.leftovers(name) if stamp not in here]
    return {
        "name": name,
        "busy": busy,
        "leftovers": left,
        "removed": [],
        "sets": [
            {"stamp": one.stamp, "here": one.stamp in here, "stays": one.stays, "why": one.why, "ahead": one.ahead}
            for one in verdicts
        ],
    }


def _candidate(
    place: Place, here: layout.Set | None, stamp: str, known: Known, needed: list[str]
) -> retention.Candidate:  # fmt: skip
    began = layout.moment(stamp)
    try:
        told = manifest.read(here.path) if here else _there(place, stamp, known)
    except (ManifestError, ValueError) as error:
        why = "its manifest cannot be read"
        needed = [*needed, f"{why}, so that nobody knows what it is: {error}"]
        return retention.Candidate(stamp, began, None, why, tuple(needed))
    if told.refuted:
        # What was sent before the set rotted here may be the only good one.
        why = told.refuted.why or "no reason is told"
        reason = f"the set here was refuted, and its copy may be whole: {why}"
        return retention.Candidate(stamp, began, None, why, (*needed, reason))
    return retention.Candidate(stamp, began, told.proven.level if told.proven else None, None, tuple(needed))


def _there(place: Place, stamp: str, known: Known) -> Manifest:
    """The manifest that was sent with a copy."""
    data = json.loads(place.manifest(known))
    system = str(data.get("system")) if isinstance(data, Mapping) else "?"
    return manifest.parse(data, os.path.join("/", stamp, system, manifest.NAME))


def _answer(repository: str, told: Sequence[Mapping[str, Any]], check_mode: bool) -> dict[str, Any]:
    rows = [(system["name"], one) for system in told for one in system["sets"]]
    gone = [f"{one['stamp']}/{name}" for name, one in rows if not one["stays"]]
    left = [f"{stamp}/{system['name']}" for system in told for stamp in system["leftovers"]]
    busy = [system["name"] for system in told if system["busy"]]
    ahead = [f"{one['stamp']}/{name}" for name, one in rows if one["ahead"]]
    would = "would remove" if check_mode else "removed"
    msg = f"{repository}: {would} {len(gone)} copies; {len(rows) - len(gone)} stay"
    if left:
        msg += f"; {would} {len(left)} half copies"
    if busy:
        msg += f"; in use, so nothing of them goes: {', '.join(busy)}"
    table = [("system", "copy", "", "why")]
    for name, one in rows:
        word = "stays" if one["stays"] else "would go" if check_mode else "removed"
        table.append((name, one["stamp"], word, "; ".join(one["why"])))
    names = sorted(f"{one['stamp']}/{name}" for name, one in rows)
    return {
        "changed": bool(gone or left),
        "repository": repository,
        "systems": [{key: one[key] for key in ("name", "busy", "leftovers", "sets")} for one in told],
        "removed": gone,
        "busy": busy,
        "future": ahead,
        "lines": listing.columns(table) if table[1:] else ["no copy"],
        "msg": msg,
        "diff": {
            "before": "".join(name + "\n" for name in names),
            "after": "".join(name + "\n" for name in names if name not in gone),
            "before_header": repository,
            "after_header": repository,
        },
    }

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the backups of a host: plain values, no judgement."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any

from . import described, layout, lock, manifest, options, pgbackrest_archive, plain_file, readers, sets

_TREND = 8
_PIECE = 1 << 20
_MOST_LEFTOVERS = 20
# A repository that does not answer takes no more of the time than this.
_ARCHIVE_S = 30.0
_TIMER_PROPERTIES = ("LoadState", "ActiveState", "Unit", "LastTriggerUSec", "NextElapseUSecRealtime", "Result")


def collect(given: Mapping[str, Any]) -> dict[str, Any]:
    """The observation; what could not be seen is in it as an ``error``.

    :param given: the options of the module.
    """
    deadline = time.monotonic() + float(given["deadline"]) * 0.9
    place = str(given["path"])
    seen: dict[str, Any] = {
        "now": time.time(),
        "place": _place(place),
        "systems": {},
        "latest": None,
        "leftovers": [],
        "timer": _timer(str(given["timer"])) if given["timer"] else None,
    }
    if seen["place"]["error"] is not None:
        return seen
    wanted = options.systems(given)
    for system in wanted:
        seen["systems"][system["name"]] = _system(system, place, deadline)
    # The smallest first: where there is no time for all, most systems are answered.
    for system in sorted(wanted, key=lambda one: _newest_bytes(seen["systems"][one["name"]])):
        found = seen["systems"][system["name"]]
        if found["sets"]:
            _prove(found, system, place, deadline, bool(given["tools"]))
    seen["latest"] = _latest(place, [system["name"] for system in wanted if system["own"]])
    seen["leftovers"] = _leftovers(
        place, {system["name"]: seen["systems"][system["name"]]["busy"] for system in wanted}
    )
    return seen


def _place(path: str) -> dict[str, Any]:
    found: dict[str, Any] = {"path": path, "error": None, "free": None, "total": None}
    try:
        os.listdir(path)
        usage = shutil.disk_usage(path)
    except OSError as error:
        kind = "denied" if isinstance(error, PermissionError) else "missing"
        found["error"] = {"kind": kind, "text": "%s: %s" % (path, error.strerror or error)}
        return found
    found.update(free=usage.free, total=usage.total)
    return found


def _system(system: Mapping[str, Any], place: str, deadline: float) -> dict[str, Any]:
    found: dict[str, Any] = {
        "every": system["every"],
        "paths": system["paths"],
        "sets": [],
        "error": None,
        "proof": None,
        "own": system["own"],
        "level": system["level"],
        "manifest": None,
        "proofs": [],
        "copies": system["copies"],
        "offsite": system["offsite"],
        "kept": [],
        "archive": None,
        "busy": lock.holder(place, system["name"]),
    }
    for path in sets.find(place, system["paths"]):
        try:
            found["sets"].append(sets.describe(path, place))
        except OSError as error:
            found["error"] = "%s: %s" % (os.path.relpath(path, place), error.strerror or error)
    found["sets"].sort(key=lambda one: (-one["when"], one["path"]))
    found["count"] = len(found["sets"])
    folders: dict[str, float] = {}
    for one in found["sets"]:
        folder = described.folder_of(os.path.join(place, one["path"]), system["own"])
        if folder:
            folders.setdefault(folder, one["when"])
    found["proofs"] = described.proofs(folders.items(), place)
    found["kept"] = described.copies(folders.items(), place)
    if system["own"]:
        named = [(os.path.relpath(folder, place), folder) for folder in folders]
        found["archive"] = pgbackrest_archive.look(named, min(deadline, time.monotonic() + _ARCHIVE_S))
    found["sets"] = found["sets"][:_TREND]
    return found


def _newest_bytes(found: Mapping[str, Any]) -> int:
    return int(found["sets"][0]["bytes"]) if found["sets"] else 0


def _prove(found: dict[str, Any], system: Mapping[str, Any], place: str, deadline: float, tools: bool) -> None:
    """Sum and read the newest set, and say whether an earlier one is the same."""
    newest, *before = [os.path.join(place, one["path"]) for one in found["sets"]]
    folder = described.folder_of(newest, system["own"])
    if folder:
        earlier = [other for one in before if (other := described.folder_of(one, system["own"])) and other != folder]
        found["manifest"] = described.look(folder, earlier)
    if system["own"]:
        found["proof"] = _of_set(newest, before, found["manifest"], system, place, deadline, tools)
    else:
        found["proof"] = _of_file(found, system, place, deadline, tools)


def _of_set(
    folder: str,
    before: list[str],
    told: Mapping[str, Any],
    system: Mapping[str, Any],
    place: str,
    deadline: float,
    tools: bool,
) -> dict[str, Any]:
    """The files of a set of ours, by its manifest."""
    proof: dict[str, Any] = {
        "verify": system["verify"],
        "folder": True,
        "told": None,
        "told_in": manifest.NAME,
        "trouble": None,
        "sum": None,
        "sum_error": None,
        "changed": [],
        "read": None,
        "known": described.is_known(told),
        "same_as": None,
    }
    if system["verify"] == "none" or told["error"]:
        return proof
    gone = {one["path"] for one in told["sizes"]} | set(told["missing"])
    for one in manifest.read(folder).files:
        if os.path.normpath(one.path) in gone:
            continue  # that is a finding of its own
        summed, proof["sum_error"] = _sum(os.path.join(folder, one.path), deadline)
        if summed is None:
            break
        if summed != one.sha256:
            proof["changed"].append({"path": one.path, "written": one.sha256, "now": summed})
    if system["verify"] == "read":
        try:
            proof["read"] = described.read(folder, told, deadline, tools)
        except OSError as error:
            why = "%s: %s" % (os.path.basename(str(error.filename)), error.strerror)
            proof["read"] = {"status": "skipped", "how": told["format"], "why": why, "made": None}
    if not proof["changed"]:
        same = described.same_as(folder, before)
        proof["same_as"] = os.path.relpath(same, place) if same else None
    return proof


def _of_file(
    found: Mapping[str, Any], system: Mapping[str, Any], place: str, deadline: float, tools: bool
) -> dict[str, Any]:
    """A file or folder that a pattern has found, by the sums that lie beside it."""
    newest = found["sets"][0]
    path = os.path.join(place, newest["path"])
    told, where, trouble = sets.sums_beside(path)
    proof: dict[str, Any] = {
        "verify": system["verify"],
        "folder": os.path.isdir(path),
        "told": told,
        "told_in": where,
        "trouble": trouble,
        "sum": None,
        "sum_error": None,
        "read": None,
        "same_as": None,
    }
    if system["verify"] == "none":
        return proof
    if not os.path.isdir(path):
        proof["sum"], proof["sum_error"] = _sum(path, deadline)
    if system["verify"] == "read":
        proof["read"] = readers.read(path, system["format"], deadline, tools)
    if proof["sum"] and newest["bytes"] and not system["unchanging"]:
        for earlier in found["sets"][1:]:
            if earlier["bytes"] == newest["bytes"]:
                other, _error = _sum(os.path.join(place, earlier["path"]), deadline)
                if other == proof["sum"]:
                    proof["same_as"] = earlier["path"]
                    break
    return proof


def _sum(path: str, deadline: float) -> tuple[str | None, str | None]:
    digest = hashlib.sha256()
    try:
        with plain_file.opened(path) as stream:
            while True:
                piece = stream.read(_PIECE)
                if not piece:
                    return digest.hexdigest(), None
                digest.update(piece)
                if time.monotonic() > deadline:
                    return None, "there was no time to sum it"
    except OSError as error:
        return None, "it cannot be read: %s" % (error.strerror or error)


def _latest(place: str, own: Sequence[str]) -> dict[str, Any] | None:
    """Where `latest` leads: a link, or a folder with a link for each system. None where there is none.

    :param own: systems of our layout, whose links lead to their own sets and to nothing else.
    """
    link = os.path.join(place, layout.LATEST)
    if not os.path.lexists(link):
        return None
    if os.path.isdir(link) and not os.path.islink(link):
        names = sorted(name for name in os.listdir(link) if not name.startswith("."))
        links = {name: _link(os.path.join(link, name)) for name in names}
        for name in set(links) & set(own):
            links[name]["trouble"] = _misled(place, name, links[name])
        return {"links": links}
    return {**_link(link), "trouble": _outside(place, link)}


def _misled(place: str, name: str, link: Mapping[str, Any]) -> str | None:
    """Why the link of a system leads to none of its sets; None where it leads to one."""
    if link["link"] is None:
        return "it is no link, so that nothing moves it"
    return None if layout.latest(place, name) else "it leads to %s, which is no set of %s here" % (link["link"], name)


def _outside(place: str, link: str) -> str | None:
    if not os.path.islink(link):
        return "it is a file"
    inside = os.path.join(os.path.realpath(place), "")
    if os.path.realpath(link).startswith(inside):
        return None
    return "it leads out of the folder, to %s" % os.readlink(link)


def _link(link: str) -> dict[str, Any]:
    target = os.readlink(link) if os.path.islink(link) else None
    found: dict[str, Any] = {"link": target, "exists": os.path.exists(link), "when": None}
    if target is not None and found["exists"]:
        moment, exact = sets.moment_in(target)
        found["when"] = moment if exact or moment is None else max(moment, os.stat(link).st_mtime)
    return found


def _leftovers(place: str, busy: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is half finished by its name. What the one who holds a system's lock is writing is none."""
    at_work = {layout.WRITING + name for name, who in busy.items() if who}
    found = []
    for folder, folders, files in os.walk(place):
        for name in [*folders, *files]:
            path = os.path.join(folder, name)
            if not sets.is_half(path) or name in at_work:
                continue
            try:
                found.append(
                    {
                        "path": os.path.relpath(path, place),
                        "bytes": sets.size_of(path),
                        "modified": os.stat(path).st_mtime,
                    }
                )
            except OSError:
                continue  # it was finished, or taken away, just now
        folders[:] = [name for name in folders if not sets.is_half(name)]
        if len(found) >= _MOST_LEFTOVERS:
            break
    return found


def _timer(name: str) -> dict[str, Any]:
    """What systemd says about a timer, and about the service that it starts."""
    name = name if name.endswith(".timer") else name + ".timer"
    timer = _show(name)
    if timer.get("error") or timer.get("LoadState") != "loaded":
        return {"name": name, "timer": timer, "service": None}
    service = timer.get("Unit") or name.replace(".timer", ".service")
    return {"name": name, "timer": timer, "service": {"name": service, **_show(service)}}


def _show(unit: str) -> dict[str, Any]:
    try:
        done = subprocess.run(  # noqa: S603  # pylint: disable=ansible-bad-function
            ["systemctl", "show", "--no-pager", "--property=" + ",".join(_TIMER_PROPERTIES), "--", unit],  # noqa: S607
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"error": "systemctl: %s" % error}
    if done.returncode != 0:
        return {"error": done.stderr.decode("utf-8", "replace").strip()[:200] or "status %d" % done.returncode}
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)

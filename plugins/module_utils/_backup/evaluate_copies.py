# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge how many copies there are of a system, and where: three, and one of them elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.judge import Judge
from . import evaluate_archive, retention

_FUTURE_S = 300.0
# The system itself, and the set on the host that keeps the sets. Of these engines there is but a list there: the data
# are in repositories.
_HERE = 2
_FILES, _PGBACKREST = "files", "pgbackrest"
_DAY_S = 86400.0
_REPOSITORY = (
    "give pgBackRest another repository elsewhere (repo2-…), and a backup there: pgbackrest --repo=2 backup; copies of "
    "sets hold no data of it"
)


def evaluate(judge: Judge, obj: str, name: str, system: Mapping[str, Any], now: float) -> None:
    """The check ``backup.copies``: where it is wanted, or where there ever was a copy off-site."""
    kept = _kept(system, now)
    far = [one for one in kept if one["offsite"]]
    asked = system.get("copies")
    wanted = asked if isinstance(asked, int) else 0
    elsewhere = system.get("offsite") is True or bool(far)
    if not wanted and not elsewhere:
        judge.looked("backup.copies", 0)
        return
    places = sorted({one["repository"] for one in kept})
    count = _here(system) + len(places)
    evidence: dict[str, Any] = {"copies": count, "wanted": wanted or None, "places": places[:5]}
    fewer = count < wanted and "there are %d copies of %s, and %d are wanted" % (count, name, wanted)
    chosen = far if elsewhere else kept
    remedy = _REPOSITORY if _engine(system) == _PGBACKREST else None
    unseen = _unseen(system)
    if unseen and (fewer or not chosen):
        judge.unknown("backup.copies", obj, "how many copies of %s there are is not known: %s" % (name, unseen))
        return
    if not chosen:
        title = "no set of %s is off-site" % name if elsewhere else fewer or "there is no copy of %s" % name
        status = None if elsewhere else "warning"
        judge.report("backup.copies", obj, title, status=status, evidence=evidence, remedy=remedy)
        return
    newest = max(chosen, key=lambda one: float(one["when"]))
    age = max(now - newest["when"], 0.0)
    every = system["every"] if isinstance(system.get("every"), (int, float)) and system["every"] > 0 else _DAY_S
    evidence.update(newest=newest["set"], repository=newest["repository"], copied_at=newest["at"])
    value = round(age / every, 2)
    if fewer and judge.thresholds.get("backup.copies", obj).status(value) == "ok":
        judge.report("backup.copies", obj, fewer, status="warning", evidence=evidence, remedy=remedy)
        return
    judge.value(
        "backup.copies",
        obj,
        value,
        "the newest set of %s that is %s is %s old, and one is made every %s"
        % (name, "off-site" if elsewhere else "copied", retention.span(age), retention.span(every)),
        evidence=evidence,
        remedy=remedy,
    )


def facts(system: Mapping[str, Any], newest: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Where the newest set lies besides, and how old the newest one off-site is."""
    kept = _kept(system, now)
    far = [float(one["when"]) for one in kept if one["offsite"]]
    whole = _engine(system) == _PGBACKREST
    return {
        "copies": sorted({one["repository"] for one in kept if whole or one["when"] == newest.get("when")}),
        "places": _here(system) + len({one["repository"] for one in kept}) if newest else 0,
        "offsite_age_s": round(max(now - max(far), 0.0)) if far else None,
    }


def _here(system: Mapping[str, Any]) -> int:
    return _HERE - 1 if _engine(system) in (_FILES, _PGBACKREST) else _HERE


def _engine(system: Mapping[str, Any]) -> Any:
    told = system.get("manifest")
    return told.get("engine") if isinstance(told, Mapping) else None


def _unseen(system: Mapping[str, Any]) -> str | None:
    """Why not all repositories of pgBackRest were seen."""
    archive = system.get("archive")
    if not isinstance(archive, Mapping):
        return None
    given = archive.get("repositories")
    rows = [one for one in given if isinstance(one, Mapping)] if isinstance(given, (list, tuple)) else []
    said = next((one.get("error") for one in rows if one.get("error")), archive.get("error"))
    return str(said) if said else None


def _kept(system: Mapping[str, Any], now: float) -> list[dict[str, Any]]:
    """Copies of sets, but for those of the future: how old they are nobody knows."""
    archive = system.get("archive")
    if _engine(system) == _PGBACKREST and isinstance(archive, Mapping):
        # What restic or rclone has sent of such a set is its list.
        found: Any = evaluate_archive.repositories(archive, evaluate_archive.newest_of(system).get("path"), now)
    else:
        found = system.get("kept")
    rows = [dict(one) for one in found if isinstance(one, Mapping)] if isinstance(found, (list, tuple)) else []
    return [
        {"repository": "?", "set": None, "at": None, **one, "offsite": one.get("offsite") is True}
        for one in rows
        if isinstance(one.get("when"), (int, float)) and one["when"] <= now + _FUTURE_S
    ]

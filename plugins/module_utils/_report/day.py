# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The day that ends: what came and went, what is open, what changed, what is planned. Facts for people. Pure.

The evening's checklist has lines that only a person can tick off (the incident log, the handoff). This module gathers
what is known for them: from the reports that the history kept today, from what the systems said just now, and from the
inventory's maintenance windows.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._core.finding import CRITICAL, badness
from .text import clean, duration, listed, moment_of, plural, when

Day = dict[str, Any]

_AHEAD_S = 7 * 86400.0
_WINDOW_KEYS = ("title", "start", "end", "systems", "owner")


class WindowError(ValueError):
    """A maintenance window of the inventory is not as it should be; the text says which and why."""


def windows(given: Any, now: float) -> list[dict[str, Any]]:
    """The maintenance windows that are open or begin within a week, the next one first.

    :param given: `nexuscos_maintenance`: a list of {title, start, end, systems, owner}; times in ISO 8601 with a zone.
    :param now: seconds since 1970.
    :raises WindowError: an unknown key, a time that is none or has no zone, an end before its start.
    """
    if not isinstance(given, (list, tuple)):
        raise WindowError("nexuscos_maintenance: want a list of {title, start, end, systems, owner}")
    found = []
    for place, one in enumerate(given, 1):
        if not isinstance(one, Mapping) or not one.get("title"):
            raise WindowError("nexuscos_maintenance: entry %d wants a title, a start and an end" % place)
        unknown = sorted(str(key) for key in one if key not in _WINDOW_KEYS)
        if unknown:
            raise WindowError(
                "nexuscos_maintenance: %s has no key %s; there are %s"
                % (one["title"], unknown[0], ", ".join(_WINDOW_KEYS))
            )
        start, end = (_zoned(one, key) for key in ("start", "end"))
        if end <= start:
            raise WindowError("nexuscos_maintenance: %s ends before it starts" % one["title"])
        systems = one.get("systems") or []
        if isinstance(systems, str) or not isinstance(systems, (list, tuple)):
            raise WindowError("nexuscos_maintenance: %s: systems is a list of inventory names" % one["title"])
        if end > now and start < now + _AHEAD_S:
            found.append(
                {
                    "title": clean(str(one["title"])),
                    "start": _iso(start),
                    "end": _iso(end),
                    "open": start <= now,
                    "in_s": max(round(start - now), 0),
                    "systems": [clean(str(name)) for name in systems],
                    "owner": clean(str(one.get("owner") or "")) or None,
                }
            )
    return sorted(found, key=lambda window: (window["start"], window["title"]))


def _zoned(one: Mapping[str, Any], key: str) -> float:
    text = str(one.get(key) or "")
    moment = moment_of(text)
    if moment is None or datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).tzinfo is None:
        raise WindowError(
            "nexuscos_maintenance: %s: %s is a time with its zone, as '2026-11-30T02:00:00Z', got %r"
            % (one["title"], key, one.get(key))
        )
    return moment


def _iso(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def troubles(reports: Iterable[Mapping[str, Any]], final: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was critical at any time of the day, one entry a cause: open ones first, then what was resolved.

    :param reports: of the day's runs, in any order.
    :param final: the evening's own report: what is in it is open.
    """
    ordered = sorted([*reports, final], key=lambda report: str(report["run"]["started"]))
    seen: dict[str, dict[str, Any]] = {}
    for report in ordered:
        at = str(report["run"]["started"])
        explained = {name for cause in report["causes"] for name in cause["explains"]}
        hanging = {cause["fingerprint"]: len(cause["explains"]) for cause in report["causes"]}
        for one in report["findings"]:
            if one["status"] != CRITICAL or one["fingerprint"] in explained:
                continue
            known = seen.setdefault(
                one["fingerprint"],
                {
                    "fingerprint": one["fingerprint"],
                    "check": one["check"],
                    "object": one["object"],
                    "title": clean(one["title"]),
                    "first": at,
                    "last": at,
                    "runs": 0,
                    "explained": 0,
                },
            )
            known.update(last=at, runs=known["runs"] + 1)
            known["explained"] = max(known["explained"], hanging.get(one["fingerprint"], 0))
    now_open = {one["fingerprint"] for one in final["findings"] if one["status"] == CRITICAL}
    unseen = {(entry["system"], check) for entry in final["coverage"]["unseen"] for check in entry["checks"]}
    found = []
    for name, one in seen.items():
        state = "open" if name in now_open else "resolved"
        if state == "resolved" and (one["object"].split("/", 1)[0], one["check"]) in unseen:
            state = "not seen"
        span = (moment_of(one["last"]) or 0.0) - (moment_of(one["first"]) or 0.0)
        found.append({**one, "state": state, "seen_for_s": round(span)})
    rank = {"open": 0, "not seen": 1, "resolved": 2}
    return sorted(found, key=lambda one: (rank[one["state"]], one["first"], one["object"]))


def changes(systems: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What was deployed in the last day, as the systems' facts tell it, the latest first."""
    found = []
    for system in systems:
        rollouts = system["facts"].get("rollouts") if isinstance(system.get("facts"), Mapping) else None
        found += [
            {"what": clean(str(one.get("object"))), "at": str(one["at"]), "system": system["name"]}
            for one in (rollouts if isinstance(rollouts, (list, tuple)) else ())
            if isinstance(one, Mapping) and moment_of(one.get("at")) is not None
        ]
    return sorted(found, key=lambda one: (one["at"], one["what"]), reverse=True)


def gather(
    reports: Sequence[Mapping[str, Any]], final: Mapping[str, Any], maintenance: Any, now: float, note: str = ""
) -> Day:
    """The whole day.

    :param maintenance: `nexuscos_maintenance`; what is wrong with it is part of the day, not an error.
    :param note: a person's words for the next one.
    """
    problem = None
    planned: list[dict[str, Any]] = []
    try:
        planned = windows(maintenance, now)
    except WindowError as error:
        problem = str(error)
    return {
        "runs": len(reports),
        "troubles": troubles(reports, final),
        "changes": changes(final["systems"]),
        "maintenance": planned,
        "maintenance_error": problem,
        "note": clean(note, keep_lines=True),
    }


def headlines(day: Day) -> dict[str, str]:
    """What the lines of the evening's checklist tell, by item."""
    by_state = {state: [one for one in day["troubles"] if one["state"] == state] for state in ("open", "resolved")}
    told = "%s resolved, %d open today, from %s" % (
        plural(len(by_state["resolved"]), "trouble"),
        len(by_state["open"]),
        plural(day["runs"], "earlier run"),
    )
    planned = day["maintenance"]
    return {
        "evening.log": "yours to write: %s" % told,
        "evening.changes": (
            "yours to document: %s, %s"
            % (plural(len(day["changes"]), "rollout"), listed([_short(one["what"]) for one in day["changes"]], 3))
            if day["changes"]
            else "no rollout in 24 h was seen; what was changed by hand is yours to document"
        ),
        "evening.maintenance": (
            day["maintenance_error"]
            or (
                "%s within 7 days, next: %s" % (plural(len(planned), "window"), window_line(planned[0]))
                if planned
                else "none within 7 days (nexuscos_maintenance)"
            )
        ),
        "evening.handoff": "handoff.md beside this report%s" % ("" if day["note"] else "; a word of yours is missing"),
    }


def window_line(window: Mapping[str, Any]) -> str:
    """``backup move of db1, db2, 2026-11-30 02:00 UTC, in 3 h 10 min``."""
    systems = " of %s" % listed(window["systems"], 3) if window["systems"] else ""
    at = "open until %s" % when(window["end"]) if window["open"] else "in %s" % duration(float(window["in_s"]))
    return "%s%s, %s, %s" % (window["title"], systems, when(window["start"]), at)


def worst_first(findings: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Open findings for the handoff: worst first, causes only."""
    return sorted(
        (one for one in findings if not one.get("caused_by")),
        key=lambda one: (-badness(one["status"]), one["check"], one["object"]),
    )


def _short(obj: str) -> str:
    return obj.rsplit("/", 1)[-1]

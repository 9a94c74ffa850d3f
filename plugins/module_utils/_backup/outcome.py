# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of a run over several systems: a row for each of them, whatever happened to it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import listing, retention
from .manifest import LEVELS
from .run_backup import human

_MOST_WORDS = 300


def rows(
    results: Iterable[Any], names: Sequence[str], listed: Iterable[Any] = (), place: str = ""
) -> list[dict[str, Any]]:
    """A row for each system, in the order of the names.

    :param results: what the tasks registered for their items: the name of the system, or the item of an earlier loop.
    :param names: the systems that were to be done; one without a result has failed.
    :param listed: ``systems`` of the module backup_sets, for the proofs.
    :param place: name of the host, for a table of several.
    """
    by_name: dict[str, Mapping[str, Any]] = {}
    for result in results:
        if isinstance(result, Mapping):
            by_name.setdefault(_name(result), result)
    proofs = {str(one.get("name")): one for one in listed if isinstance(one, Mapping)}
    return [_row(name, by_name.get(name), proofs.get(name, {}), place) for name in names]


def table(told: Sequence[Mapping[str, Any]]) -> list[str]:
    """The rows as lines that people read."""
    if not told:
        return ["no system"]
    several = len({one["place"] for one in told}) > 1
    lines = [(*(("place",) if several else ()), "system", "set", "size", "took", "level", "last proof", "outcome")]
    for one in told:
        cells = (
            one["system"],
            one["stamp"] or "",
            human(one["bytes"]) if one["bytes"] is not None else "",
            "%.1f s" % one["seconds"] if one["seconds"] is not None else "",
            str(one["level"]) if one["level"] is not None else "",
            _proof(one),
            one["msg"] if one["good"] and not one["stamp"] else "ok" if one["good"] else "FAILED: " + one["msg"],
        )
        lines.append((*((one["place"],) if several else ()), *cells))
    return listing.columns(lines, right=(3, 4, 5) if several else (2, 3, 4))


def _name(result: Mapping[str, Any]) -> str:
    item = result.get("item")
    return str(item.get("item") if isinstance(item, Mapping) else item)


def _row(name: str, result: Mapping[str, Any] | None, listed: Mapping[str, Any], place: str) -> dict[str, Any]:
    given = result or {"failed": True, "msg": "it was not begun"}
    one = given.get("set") if isinstance(given.get("set"), Mapping) else {}
    if not isinstance(one, Mapping):
        raise AssertionError("one is no mapping")
    good = not given.get("failed") and not given.get("unreachable") and given.get("good", True) is True
    if good and given.get("finished") in (False, 0) and given.get("started"):
        good, given = False, {**given, "msg": "it was not done in time"}
    proven = listed.get("proven") if isinstance(listed.get("proven"), Mapping) else {}
    if not isinstance(proven, Mapping):
        raise AssertionError("proven is no mapping")
    return {
        "place": place,
        "system": name,
        "good": good,
        "msg": _message(given),
        "stamp": one.get("stamp"),
        "bytes": _number(one.get("bytes")),
        # Of a verification: how long that took. Of a backup: how long writing took.
        "seconds": _number(given.get("seconds", one.get("seconds"))),
        "level": given.get("level"),
        "wanted": given.get("wanted"),
        **_held(given.get("levels")),
        "restore_seconds": _number(given.get("restore_seconds")),
        "proven_level": proven.get("level"),
        "proven_age_s": _number(proven.get("level_age_s")),
        "proven_restore_seconds": _number(proven.get("restore_seconds")),
        "exposure_s": _number(listed.get("exposure_s")),
    }


def _held(levels: Any) -> dict[str, Any]:
    """How much of what was saved a restored copy has shown, as level 4 counted it."""
    for one in levels if isinstance(levels, (list, tuple)) else ():
        if isinstance(one, Mapping) and one.get("good") and isinstance(one.get("details"), Mapping):
            for what in ("rows", "keys", "documents"):
                count = one["details"].get(what)
                if one.get("name") == LEVELS[4] and isinstance(count, int):
                    return {"held": count, "held_what": what}
    return {"held": None, "held_what": None}


def _message(given: Mapping[str, Any]) -> str:
    text = " ".join(str(given.get("why") or given.get("msg") or "no reason was told").split())
    return text if len(text) <= _MOST_WORDS else text[:_MOST_WORDS] + " …"


def _number(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _proof(one: Mapping[str, Any]) -> str:
    level, age = one["proven_level"], one["proven_age_s"]
    if not isinstance(level, int) or not 0 <= level < len(LEVELS):
        return "none"
    words = "%d %s" % (level, LEVELS[level])
    if age is not None:
        words += ", %s ago" % retention.span(max(age, 0))
    if one["proven_restore_seconds"] is not None:
        words += ", restores in %.4g s" % one["proven_restore_seconds"]
    return words

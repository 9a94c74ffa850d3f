# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as rows and as bytes. Pure."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from .delta import Past, asked_of

_LONGEST = 2000
_MOST_VALUES = 200
_DEPTHS = {"backup_health": 3, "backup_run": 3}
"""Modules whose numbers lie deeper than elsewhere: a place of backups has some of each system."""


def pack(report: Mapping[str, Any]) -> bytes:
    """The whole report, small. Trends are left out: they are told anew from the history."""
    kept = {key: value for key, value in report.items() if key != "trends"}
    return zlib.compress(json.dumps(kept, separators=(",", ":")).encode("ascii"), 6)


def unpack(packed: Any) -> dict[str, Any]:
    """The report again."""
    report: dict[str, Any] = json.loads(zlib.decompress(bytes(packed)).decode("ascii"))
    return report


def text(value: Any) -> str:
    """A text that every database takes: no NUL, no half of a surrogate pair, and not without an end."""
    plain = str(value).replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"


def text_or_none(value: Any) -> str | None:
    """The same, where there may be none."""
    return None if value is None else text(value)


def number_or_none(value: Any) -> float | None:
    """A number that is one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        plain = float(value)
    except OverflowError:
        return None
    return plain if math.isfinite(plain) else None


def run_row(report: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The row of a run."""
    run, summary = report["run"], report["summary"]
    return {
        "id": text(name),
        "procedure": text(run["procedure"]),
        "platform": text(run["platform"]),
        "started": text(run["started"]),
        "ended": text(run["ended"]),
        "seconds": number_or_none(run["duration_seconds"]) or 0.0,
        "limited_to": text_or_none(run["limit"]),
        "run_by": text(run["user"]),
        "controller": text(run["controller"]),
        "version": text(run["versions"]["collection"]),
        "worst": text(summary["worst"]),
        **{word: int(summary[word]) for word in ("ok", "warning", "unknown", "critical")},
        "seen_percent": number_or_none(report["coverage"]["share"]),
        "report": pack(report),
    }


def item_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of the checklist."""
    return [
        {
            "place": place,
            "item": text(one["id"]),
            "state": text(one["state"]),
            "status": text(one["status"]),
            "headline": text(one["headline"]),
        }
        for place, one in enumerate(report["items"], 1)
    ]


def finding_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of the findings."""
    return [
        {
            "fingerprint": text(one["fingerprint"]),
            "check_id": text(one["check"]),
            "object": text(one["object"]),
            "status": text(one["status"]),
            "title": text(one["title"]),
            "value": number_or_none(one["value"]),
            "unit": text_or_none(one["unit"]),
            "caused_by": text_or_none(one["caused_by"]),
            "recorded_at": text_or_none(one["recorded_at"]),
            "since": text(one.get("since") or report["run"]["started"]),
            "delta": text_or_none(one.get("delta")),
        }
        for one in report["findings"]
    ]


def looks_of(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a run looked at: for each system and module the checks that were answered."""
    seen: dict[tuple[str, str], list[str]] = {}
    for row in report["coverage"]["rows"]:
        if row["seen"]:
            seen.setdefault((row["system"], row["module"]), []).append(text(row["check"]))
    found = {
        (one["name"], one["module"]): {
            "system": text(one["name"]),
            "module": text(one["module"]),
            "mode": text(one["mode"]),
            "checks_seen": sorted(seen.get((one["name"], one["module"]), ())),
        }
        for one in report["systems"]
    }
    return list(found.values())


def past(run: Mapping[str, Any], looks: list[Mapping[str, Any]], findings: Mapping[str, Mapping[str, Any]]) -> Past:
    """An earlier run, from its rows."""
    seen = {
        (str(look["system"]), str(check), look["mode"] == "recorded") for look in looks for check in look["checks_seen"]
    }
    seen |= asked_of(
        [("%s/%s" % (look["system"], look["module"]), str(look["mode"])) for look in looks], bool(run["limited_to"])
    )
    return Past(str(run["id"]), str(run["started"]), frozenset(seen), findings)


def value_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The numbers that modules noted beside their findings, to draw lines of: key is ``module.fact``."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for system in report["systems"]:
        name = text(system["name"])
        depth = _DEPTHS.get(system["module"], 2)
        for place, (fact, value) in enumerate(_numbers(system["facts"], depth=depth)):
            if place == _MOST_VALUES:
                break
            key = text("%s.%s" % (system["module"], fact))
            rows[(name, key)] = {"system": name, "key": key, "value": value}
    return list(rows.values())


def _numbers(facts: Any, before: str = "", depth: int = 2) -> Iterator[tuple[str, float]]:
    if not isinstance(facts, Mapping):
        return
    # The few that stand by themselves first, because there is a limit.
    for name, value in sorted(facts.items(), key=lambda pair: isinstance(pair[1], Mapping)):
        number = number_or_none(value)
        if number is not None:
            yield "%s%s" % (before, name), number
        elif depth > 1:
            yield from _numbers(value, "%s%s." % (before, name), depth - 1)

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Coverage: how much of what should have been looked at was really seen, and what not and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Row = dict[str, Any]
"""One question to one system: system, module, check, objects, status, seen, reason."""


def rows_of(system: str, module: str, rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """The coverage rows of an observing module, with the name of the system."""
    return [
        {
            "system": system,
            "module": module,
            "check": str(row["check"]),
            "objects": int(row.get("objects") or 0),
            "status": str(row.get("status") or "unknown"),
            "seen": bool(row.get("seen")),
            "reason": None if row.get("seen") else str(row.get("reason") or "no reason given"),
        }
        for row in rows
    ]


def rows_unseen(system: str, module: str, checks: Iterable[str], reason: str) -> list[Row]:
    """Rows for a system of which nothing was seen: every check of its module is unknown."""
    return [
        {
            "system": system,
            "module": module,
            "check": check,
            "objects": 0,
            "status": "unknown",
            "seen": False,
            "reason": reason,
        }
        for check in checks
    ]


def share(rows: Iterable[Mapping[str, Any]]) -> tuple[int, int, float | None]:
    """Seen rows, all rows, and the share of them in percent.

    The share is rounded down to a tenth, so that 100 means all. None where there was nothing to look at.
    """
    seen = expected = 0
    for row in rows:
        expected += 1
        seen += bool(row["seen"])
    return seen, expected, (seen * 1000 // expected) / 10 if expected else None


def unseen(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What was not seen, one entry a system and reason, in the order of the rows: {system, module, reason, checks}."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        if not row["seen"]:
            found.setdefault((row["system"], row["module"], str(row["reason"])), []).append(row["check"])
    return [
        {"system": system, "module": module, "reason": reason, "checks": checks}
        for (system, module, reason), checks in found.items()
    ]

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections against what can be used: of the server, of a database with a limit, of a role with a limit."""

from __future__ import annotations

from . import words
from .case import Case, amount, number, text


def judge_connections(case: Case) -> None:
    """``max_connections`` is not what services get: the reserved ones are for people who come to help."""
    row, allowed = case.row("connections"), case.measure("max_connections")
    if row is None or allowed is None:
        return
    kept = (case.measure("superuser_reserved_connections") or 0) + (case.measure("reserved_connections") or 0)
    usable, used = max(allowed - kept, 1.0), amount(row, "used")
    case.judge.facts.update(connections_used=int(used), connections_usable=int(usable))
    evidence = {
        "used": int(used),
        "usable": int(usable),
        "max_connections": int(allowed),
        "reserved": int(kept),
        "states": {key: int(amount(row, key)) for key in ("active", "idle", "idle_in_transaction")},
        "most": [
            {
                "role": text(one, "role"),
                "application": text(one, "application"),
                "client": text(one, "client"),
                "sessions": amount(one, "sessions"),
            }
            for one in case.rows("clients") or ()
        ],
    }
    share = words.percent(used, usable)
    case.value(
        "connections",
        case.target,
        share,
        "%d of %d usable connections are taken (%g %%)" % (used, usable, share),
        evidence,
    )
    for one in case.rows("databases") or ():
        _limited(
            case,
            case.name(text(one, "database")),
            "database {}".format(text(one, "database")),
            amount(one, "used"),
            number(one, "allowed"),
        )
    for one in case.rows("roles") or ():
        _limited(
            case,
            case.name("role", text(one, "role")),
            "role {}".format(text(one, "role")),
            amount(one, "used"),
            number(one, "allowed"),
        )


def _limited(case: Case, obj: str, who: str, used: float, allowed: float | None) -> None:
    if allowed is None or allowed <= 0:
        return
    title = "%s has %d of its %d connections taken" % (who, used, allowed)
    case.value("connections", obj, words.percent(used, allowed), title, {"used": int(used), "limit": int(allowed)})

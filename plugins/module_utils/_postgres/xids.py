# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transaction ids: how old they are, and who keeps vacuum from taking the old ones away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._core.finding import OK
from . import words
from .activity import session, who
from .case import Case, amount, literal, number, text

_RANGE = 2.0**31
_DRIFT = 500
_ON_STANDBY = (
    "on that standby, end the oldest: "
    "psql -c 'SELECT pid, usename, query FROM pg_stat_activity ORDER BY age(backend_xmin) DESC NULLS LAST LIMIT 3'"
)


def judge_prepared(case: Case) -> None:
    """Prepared transactions that nobody finishes."""
    rows = case.rows("prepared")
    if rows is None:
        return
    case.looked("prepared_transactions", 0 if rows else 1)
    for row in sorted(rows, key=lambda row: -amount(row, "prepared_s")):
        database, gid = text(row, "database"), text(row, "gid")
        seconds = amount(row, "prepared_s")
        case.value(
            "prepared_transactions",
            case.name(database),
            round(seconds, 1),
            "transaction {} of {} has been prepared for {}".format(gid, text(row, "role"), words.age(seconds)),
            {
                "prepared": [
                    {"gid": text(one, "gid"), "age_s": round(amount(one, "prepared_s"), 1)}
                    for one in rows
                    if text(one, "database") == database
                ][:10]
            },
            case.psql(f"ROLLBACK PREPARED {literal(gid)}", database),
        )


@dataclass
class _Holder:
    source: str
    age: float
    obj: str
    words: str
    evidence: dict[str, Any]
    remedy: str | None
    owns: bool
    seconds: float


def judge_horizon(case: Case) -> None:
    """Who holds xmin back.

    A transaction with an id of its own holds back every snapshot taken while it lives, here and on standbys with
    feedback: those show the same age and are not to blame. So of holders of one age only the owner of the id is named,
    or, where nobody owns it, the one whose transaction began first.
    """
    if all(case.rows(name) is None for name in ("horizon", "slots", "prepared")):
        return
    case.looked("xmin_horizon")
    holders = sorted(_holders(case), key=lambda one: -one.age)
    groups: list[list[_Holder]] = []
    for one in holders:
        for group in groups:
            # Ids go on while we ask: ages of different statements differ by what was used up between them.
            if group[0].age - one.age <= (0 if group[0].source == one.source else _DRIFT):
                group.append(one)
                break
        else:
            groups.append([one])
    case.judge.facts["xmin_age"] = int(holders[0].age) if holders else 0
    for group in groups:
        one = max(group, key=lambda one: (one.owns, one.seconds))
        title = "{} keeps vacuum from removing what died in the last {}".format(
            one.words,
            words.count(one.age, "transaction"),
        )
        case.value("xmin_horizon", one.obj, one.age, title, one.evidence, one.remedy)


def _holders(case: Case) -> list[_Holder]:
    found: list[_Holder] = []
    for row in case.rows("horizon") or ():
        is_standby = text(row, "kind") == "walsender"
        owns = number(row, "xid_age") is not None and amount(row, "xid_age") >= amount(row, "xmin_age")
        found.append(
            _Holder(
                "sessions",
                amount(row, "xmin_age"),
                case.name(text(row, "application") if is_standby else text(row, "database")),
                "a query on standby {} (hot_standby_feedback)".format(text(row, "application"))
                if is_standby
                else who(row),
                {"holder": "standby" if is_standby else "session", "session": session(row)},
                _ON_STANDBY if is_standby else case.psql("SELECT pg_terminate_backend(%d)" % amount(row, "pid")),
                owns,
                amount(row, "transaction_s"),
            )
        )
    for row in case.rows("prepared") or ():
        gid = text(row, "gid")
        found.append(
            _Holder(
                "prepared",
                amount(row, "xmin_age"),
                case.name(text(row, "database")),
                f"prepared transaction {gid}",
                {"holder": "prepared transaction", "gid": gid, "prepared_s": round(amount(row, "prepared_s"), 1)},
                case.psql(f"ROLLBACK PREPARED {literal(gid)}", text(row, "database")),
                True,
                amount(row, "prepared_s"),
            )
        )
    for row in case.rows("slots") or ():
        if number(row, "xmin_age") is None:
            continue
        active = row.get("active") is True
        who_holds = "{} replication slot {}".format(text(row, "kind"), text(row, "name"))
        if active and text(row, "kind") == "physical":
            # Its standby tells it by hot_standby_feedback which rows a query there still sees.
            who_holds = "a query on the standby of slot {} (hot_standby_feedback)".format(text(row, "name"))
        elif not active:
            who_holds = "unused " + who_holds
        found.append(
            _Holder(
                "slots",
                amount(row, "xmin_age"),
                case.name(text(row, "name")),
                who_holds,
                {"holder": "slot", "kind": text(row, "kind"), "active": active},
                None if active else case.psql("SELECT pg_drop_replication_slot({})".format(literal(text(row, "name")))),
                False,
                0.0,
            )
        )
    return [one for one in found if one.age > 0]


def judge_ages(case: Case) -> None:
    """How near each database is to the end of transaction ids and multixacts."""
    kinds = (
        ("xid_age", "transaction ids", "autovacuum_freeze_max_age"),
        ("multixact_age", "multixacts", "autovacuum_multixact_freeze_max_age"),
    )
    rows = case.rows("databases")
    for check, name, setting in kinds:
        if rows is None:
            return
        forced = case.measure(setting)
        for row in rows:
            age = number(row, check)
            if age is None:
                continue
            share = words.percent(max(age, 0.0), _RANGE)
            # Below its own limit autovacuum has no reason to come. That excuse ends half way to the end.
            ceiling = OK if forced is not None and age <= min(forced, _RANGE / 2) else None
            case.value(
                check,
                case.name(text(row, "database")),
                share,
                "{} has used {:g} % of its {}: age {}, forced vacuum at {}".format(
                    text(row, "database"), share, name, f"{age:,.0f}", f"{forced or 0:,.0f}"
                ),
                {"age": int(age), setting: int(forced) if forced is not None else None, "left": int(_RANGE - age)},
                ceiling=ceiling,
                caused_by=case.any_cause(("xmin_horizon", "autovacuum")),
            )

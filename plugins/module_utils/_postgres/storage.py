# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes, growth, cache, spilling, deadlocks, broken pages: the numbers of whole databases."""

from __future__ import annotations

from .._core.finding import CRITICAL
from . import words
from .case import Case, Row, amount, flag, number, text

_FEW_READS = 10_000
_SMALL = 16 * 1024.0**2
_SHORTEST = 3600.0
_DAY = 86400.0


def judge_counters(case: Case) -> None:
    """Counters since stats_reset, as rates: what happened once last year is no finding today."""
    rows = [row for row in case.rows("databases") or () if flag(row, "open")]
    if case.rows("databases") is None:
        return
    for check in ("hit_ratio", "deadlocks", "temp_files"):
        case.looked(check, 0)
    for row in rows:
        database, obj = text(row, "database"), case.name(text(row, "database"))
        since = words.age(case.statistics_age(row))
        _hits(case, row, obj, since)
        rate = case.hourly(row, "deadlocks")
        evidence = {"deadlocks": amount(row, "deadlocks"), "counted_for": since}
        case.value(
            "deadlocks", obj, rate, "{} has {} an hour".format(database, words.count(rate, "deadlock")), evidence
        )
        rate = case.hourly(row, "temp_bytes")
        evidence = {"bytes": amount(row, "temp_bytes"), "files": amount(row, "temp_files"), "counted_for": since}
        case.value(
            "temp_files",
            obj,
            rate,
            f"queries in {database} spill {words.size(rate)} an hour to temporary files",
            evidence,
        )


def _hits(case: Case, row: Row, obj: str, since: str) -> None:
    hit, read = amount(row, "hit"), amount(row, "read")
    if read < _FEW_READS:
        case.looked("hit_ratio")
        return
    share = words.percent(hit, hit + read)
    evidence = {"hit": hit, "read": read, "counted_for": since}
    case.value(
        "hit_ratio",
        obj,
        share,
        "{} finds {:g} % of its pages in shared buffers".format(text(row, "database"), share),
        evidence,
    )


def judge_sizes(case: Case) -> None:
    """All databases together against the storage that they have, and each against an earlier look."""
    rows = case.rows("sizes")
    if rows is None:
        return
    sizes = {text(row, "database"): amount(row, "bytes") for row in rows}
    total = sum(sizes.values())
    case.judge.facts.update(database_bytes=int(total), databases={name: int(size) for name, size in sizes.items()})
    largest = [{"database": name, "bytes": size} for name, size in sorted(sizes.items(), key=lambda one: -one[1])[:10]]
    case.value(
        "size",
        case.target,
        total,
        f"all databases of {case.target} take {words.size(total)}",
        {"largest": largest},
    )
    if not case.expect.growth:
        # Growth is a question about two looks: without the option nobody asked it.
        case.looked("growth", 0)
    elif case.expect.sizes is None:
        case.unseen("growth", case.expect.no_sizes or "there is no earlier look to compare with")
    elif case.expect.sizes_s < _SHORTEST:
        case.unseen(
            "growth", f"the earlier look is only {words.age(case.expect.sizes_s)} old: too short to tell a rate"
        )
    else:
        _growth(case, sizes)


def _growth(case: Case, sizes: dict[str, float]) -> None:
    before = case.expect.sizes or {}
    case.looked("growth", 0)
    for name, now in sizes.items():
        then = number(before, name)
        if then is None or then < _SMALL:
            continue
        daily = (now - then) / then * 100.0 * _DAY / case.expect.sizes_s
        title = f"{name} grew by {words.size(now - then)} in {words.age(case.expect.sizes_s)} ({daily:.1f} % a day)"
        case.value(
            "growth",
            case.name(name),
            round(daily, 1),
            title,
            {"bytes": now, "before": then, "seconds": case.expect.sizes_s},
        )


def judge_checksums(case: Case) -> None:
    """Pages that were read broken. A counter that nobody resets would stay red, so the age of the last one counts."""
    if case.rows("settings") is None or case.rows("databases") is None:
        return
    if case.setting("data_checksums") != "on":
        case.unseen(
            "checksum_failures",
            "data checksums are off: broken pages go unnoticed (pg_checksums --enable, in a window)",
        )
        return
    rows: list[Row] = [*(case.rows("databases") or ()), *(case.rows("shared") or ())]
    for row in rows:
        failures, seconds = amount(row, "checksum_failures"), number(row, "checksum_failure_s")
        if not failures:
            case.looked("checksum_failures")
            continue
        where = text(row, "database") or "the shared catalogues"
        evidence = {"failures": failures, "last_s": seconds}
        title = "{} read from the disk in {}".format(
            words.count(failures, "broken page was", "broken pages were"), where
        )
        obj = case.name(text(row, "database"))
        if seconds is None:
            case.report("checksum_failures", obj, title, CRITICAL, evidence=evidence)
        else:
            hours = round(max(seconds, 0.0) / 3600.0, 1)
            case.value(
                "checksum_failures",
                obj,
                hours,
                f"{title}, the last one {words.age(max(seconds, 0.0))} ago",
                evidence,
            )

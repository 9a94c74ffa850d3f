# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write-ahead log: archiving, its size, checkpoints."""

from __future__ import annotations

from . import words
from .case import Case, amount, number, text


def judge_archiver(case: Case) -> None:
    """Archiving fails when its last failure is younger than its last success; what was mended is history."""
    mode = case.setting("archive_mode")
    row = case.row("archiver")
    if row is not None and mode:
        failed, archived = number(row, "failed_s"), number(row, "archived_s")
        if mode == "off" or failed is None or (archived is not None and archived <= failed):
            case.looked("archiver", 0 if mode == "off" else 1)
        else:
            since = "never succeeded" if archived is None else f"last succeeded {words.age(max(archived, 0.0))} ago"
            evidence = {
                "failed_wal": text(row, "failed_wal"),
                "failed_s": failed,
                "archived_wal": text(row, "archived_wal"),
                "failures": amount(row, "failed"),
            }
            case.report("archiver", case.target, f"WAL archiving of {case.target} fails: it {since}", evidence=evidence)
    row = case.row("ready")
    if row is None or not mode:
        return
    if mode == "off":
        case.looked("archive_backlog", 0)
        return
    ready = amount(row, "ready")
    oldest = number(row, "oldest_s")
    case.value(
        "archive_backlog",
        case.target,
        ready,
        "{} to be archived, the oldest for {}".format(
            words.count(ready, "WAL segment waits", "WAL segments wait"), words.age(max(oldest or 0.0, 0.0))
        ),
        {"segments": ready, "bytes": ready * (case.measure("wal_segment_size") or 16 * 1024.0**2), "oldest_s": oldest},
        caused_by=case.cause(("archiver", case.target)),
    )


def judge_size(case: Case) -> None:
    """WAL on the disk against what the settings ask for."""
    row, largest = case.row("wal"), case.measure("max_wal_size")
    if row is None or largest is None:
        return
    meant = largest + (case.measure("wal_keep_size") or 0.0)
    held = amount(row, "bytes")
    share = words.percent(held, meant)
    case.judge.facts["wal_bytes"] = int(held)
    case.value(
        "wal_size",
        case.target,
        share,
        f"WAL takes {words.size(held)}, {share:g} % of max_wal_size + wal_keep_size",
        {
            "bytes": held,
            "segments": amount(row, "segments"),
            "max_wal_size": largest,
            "wal_keep_size": case.measure("wal_keep_size"),
        },
        caused_by=case.any_cause(("archiver", "archive_backlog", "slot_retention")),
    )


def judge_checkpoints(case: Case) -> None:
    """Checkpoints that were asked for, by the hour. Base backups and CREATE DATABASE ask for one, too."""
    row = case.row("checkpoints")
    if row is None:
        return
    rate = case.hourly(row, "requested")
    case.value(
        "checkpoints",
        case.target,
        rate,
        f"{rate:g} checkpoints an hour come because WAL runs full, not by the clock",
        {
            "requested": amount(row, "requested"),
            "timed": amount(row, "timed"),
            "counted_for": words.age(case.statistics_age(row)),
            "max_wal_size": case.measure("max_wal_size"),
        },
    )

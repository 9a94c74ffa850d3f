# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on the disk: RDB and AOF."""

from __future__ import annotations

from .._core.finding import CRITICAL, WARNING
from .._postgres import words
from .case import Case, amount, mapping, number, text


def judge_rdb(case: Case) -> None:
    """Whether the last save succeeded, and whether one is overdue."""
    info = case.info
    status = text(info, "rdb_last_bgsave_status")
    saved, now = number(info, "rdb_last_save_time"), case.now
    age = max(now - saved, 0.0) if saved is not None and now is not None else None
    changes = amount(info, "rdb_changes_since_last_save")
    evidence = {
        "status": status,
        "age_s": round(age) if age is not None else None,
        "changes_since": int(changes),
        "in_progress": amount(info, "rdb_bgsave_in_progress") > 0,
        "took_s": info.get("rdb_last_bgsave_time_sec"),
        "save": _save(case),
    }
    if not status:
        case.unseen("rdb", "INFO does not tell rdb_last_bgsave_status")
    elif status != "ok":
        since = f"; the last good one is {words.age(age)} old" if age is not None else ""
        case.report("rdb", case.target, f"the last save failed{since}", CRITICAL, evidence=evidence)
    else:
        case.looked("rdb")
    _overdue(case, age, changes, evidence)


def _save(case: Case) -> str | None:
    values = mapping(mapping(case.observation, "config"), "values")
    return text(values, "save") if "save" in values else None


def _overdue(case: Case, age: float | None, changes: float, evidence: dict[str, object]) -> None:
    save = _save(case)
    if save is None:
        case.unseen("rdb_age", case.answer("config")[1] or "CONFIG GET does not tell save")
        return
    words_ = save.split()
    try:
        points = [(float(seconds), float(count)) for seconds, count in zip(words_[::2], words_[1::2])]
    except ValueError:
        case.unseen("rdb_age", f"save is {save!r}")
        return
    if not points:
        # Nobody asked for saves by the clock.
        case.looked("rdb_age", 0)
        return
    if age is None:
        case.unseen("rdb_age", "INFO does not tell rdb_last_save_time")
        return
    due = [seconds for seconds, count in points if changes >= count]
    if not due:
        case.looked("rdb_age")
        return
    late = round(max(age - min(due), 0.0))
    title = (
        f"a save is {words.age(late)} overdue: {words.count(changes, 'change')} since the last, {words.age(age)} ago"
    )
    case.value("rdb_age", case.target, late, title, evidence, caused_by=case.cause("rdb", case.target))


def judge_aof(case: Case) -> None:
    """Whether every change reaches the append-only file, where there is one."""
    info = case.info
    if amount(info, "aof_enabled") != 1:
        case.looked("aof", 0)
        return
    written, rewritten = text(info, "aof_last_write_status"), text(info, "aof_last_bgrewrite_status")
    if not written:
        case.unseen("aof", "INFO does not tell aof_last_write_status")
        return
    evidence = {
        "write": written,
        "rewrite": rewritten,
        "size_bytes": info.get("aof_current_size"),
        "base_bytes": info.get("aof_base_size"),
        "failed_rewrites": info.get("aof_rewrites_consecutive_failures"),
        "delayed_fsyncs": info.get("aof_delayed_fsync"),
    }
    if written != "ok":
        title = "changes do not reach the append-only file, and writes are refused"
        case.report("aof", case.target, title, CRITICAL, evidence=evidence)
    elif rewritten not in ("ok", ""):
        size = words.size(amount(info, "aof_current_size"))
        title = f"the last rewrite of the append-only file failed; it has {size} and grows"
        case.report("aof", case.target, title, WARNING, evidence=evidence)
    else:
        case.looked("aof")

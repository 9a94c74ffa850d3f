# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings: changes that wait for a restart, lines of pg_hba.conf that cannot be read."""

from __future__ import annotations

from . import words
from .case import Case, amount, flag, text


def judge_settings(case: Case) -> None:
    """Settings that were changed in the files and need a restart."""
    rows = case.rows("settings")
    if rows is None:
        return
    names = sorted(text(row, "name") for row in rows if flag(row, "pending_restart"))
    if not names:
        case.looked("pending_restart")
        return
    title = "{} for a restart of {}: {}".format(
        words.count(len(names), "setting waits", "settings wait"),
        case.target,
        ", ".join(names),
    )
    case.report("pending_restart", case.target, title, value=len(names), evidence={"settings": names})


def judge_hba(case: Case) -> None:
    """Lines of pg_hba.conf with errors: the server keeps the old rules, until it is started again and fails."""
    rows = case.rows("hba")
    if rows is None:
        return
    if not rows:
        case.looked("hba_errors")
        return
    errors = [
        {"line": int(amount(row, "line")), "error": text(row, "error"), "file": text(row, "file")} for row in rows
    ]
    title = "pg_hba.conf of {} has {}: new rules are not in force, and the server would not start".format(
        case.target,
        words.count(len(rows), "broken line"),
    )
    case.report("hba_errors", case.target, title, value=len(rows), evidence={"errors": errors})

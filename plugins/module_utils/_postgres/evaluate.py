# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an observation to findings: who judges what, what does not apply, what was not seen."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from .._core.judge import Judge
from .._core.recording import Recording
from . import activity, connections, indexes, reach, replication, settings, storage, vacuum, wal, xids
from .case import Case, Expect, number, text
from .queries import IN_DATABASE, ON_SERVER

PRIMARY_ONLY: tuple[str, ...] = (
    "prepared_transactions", "xmin_horizon", "xid_age", "multixact_age", "dead_tuples", "vacuum_lag",
    "stale_statistics",
    "bloat", "subscription", "archiver", "archive_backlog", "checkpoints", "invalid_index", "unused_index",
    "duplicate_index", "sequence",
)  # fmt: skip
"""Not asked of a standby: what it would answer is the primary's business."""

STANDBY_ONLY: tuple[str, ...] = ("receiver", "replay_paused", "recovery_conflicts")

# Causes before what they explain: an evaluator names as a cause only what has been filed.
_SUBJECTS: tuple[Callable[[Case], None], ...] = (
    connections.judge_connections,
    activity.judge_sessions,
    xids.judge_prepared,
    activity.judge_blocking,
    vacuum.judge_autovacuum,
    xids.judge_horizon,
    xids.judge_ages,
    vacuum.judge_tables,
    vacuum.judge_bloat,
    replication.judge_standbys,
    replication.judge_recovery,
    replication.judge_conflicts,
    replication.judge_slots,
    replication.judge_subscriptions,
    wal.judge_archiver,
    wal.judge_size,
    wal.judge_checkpoints,
    storage.judge_counters,
    storage.judge_sizes,
    storage.judge_checksums,
    indexes.judge_indexes,
    indexes.judge_sequences,
    settings.judge_settings,
    settings.judge_hba,
)

_FEEDS: dict[str, tuple[str, ...]] = {query.name: query.feeds for query in ON_SERVER + IN_DATABASE}

# What opens a statement that pg_monitor alone may not run.
_GRANTS: dict[str, str] = {
    "hba": "GRANT SELECT ON pg_hba_file_rules TO %(role)s; GRANT EXECUTE ON FUNCTION pg_hba_file_rules() TO %(role)s",
    "bloat": "GRANT SELECT (starelid, stainherit, staattnum, stanullfrac, stawidth) ON pg_statistic TO %(role)s",
}


def expectation(
    standbys: Sequence[str], ignore_applications: Sequence[str], growth: bool, earlier: Recording | None, now: str
) -> Expect:
    """What the inventory says about a server, with the sizes that an earlier look saw.

    :param growth: whether growth is asked; earlier: the earlier look, None where there is none yet.
    :param now: time of the look that is judged, ISO 8601.
    """
    if earlier is None:
        return Expect(tuple(standbys), tuple(ignore_applications), growth=growth)
    began, ended = _time(earlier.recorded_at), _time(now)
    queries = earlier.observation.get("queries")
    rows = queries.get("sizes", {}).get("rows") if isinstance(queries, Mapping) else None
    if began is None or ended is None or not isinstance(rows, list):
        return Expect(
            tuple(standbys),
            tuple(ignore_applications),
            growth=growth,
            no_sizes="the earlier look has no sizes to compare with",
        )
    sizes = {text(row, "database"): number(row, "bytes") or 0.0 for row in rows}
    return Expect(tuple(standbys), tuple(ignore_applications), sizes, max((ended - began).total_seconds(), 0.0), growth)


def _time(value: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return None


def evaluate(observation: Mapping[str, Any], judge: Judge, expect: Expect) -> None:
    """Judge a look at a server. Pure; whatever is missing or strange in the observation costs its own checks only."""
    case = Case(observation, judge, expect)
    failed = reach.judge_failure(case)
    if failed is not None:
        judge.unseen_rest(failed)
        return
    _facts(case)
    apart = PRIMARY_ONLY if case.in_recovery else STANDBY_ONLY
    for check in apart:
        case.looked(check, 0)
    case.apart = apart
    _refused(case)
    for subject in _SUBJECTS:
        subject(case)
    judge.unseen_rest("the server gave no answer to its question")


def _facts(case: Case) -> None:
    judge = case.judge
    judge.facts.update(
        version=text(case.server, "version"),
        role="standby" if case.in_recovery else "primary",
        uptime_s=int(case.uptime),
    )
    for key in ("connect_ms", "took_ms"):
        if number(case.server, key) is not None:
            judge.facts[key] = number(case.server, key)
    read = [name for name, seen in case.databases() if not seen.get("error")]
    every = [
        text(row, "database")
        for row in case.rows("databases") or ()
        if row.get("open") is True and row.get("template") is False
    ]
    judge.facts["databases_read"] = read
    judge.facts["databases_not_read"] = [] if case.in_recovery else [name for name in every if name not in read]


def _refused(case: Case) -> None:
    """Say of every statement that was refused, cut short or lost which checks it costs."""
    for name, answer in case.answers().items():
        _blame(case, name, answer, "")
    for database, seen in case.databases():
        error = seen.get("error")
        if error:
            for query in IN_DATABASE:
                for check in query.feeds:
                    if check != "autovacuum":
                        case.unseen(check, "database {}: {}".format(database, text(error, "text") or "no connection"))
            continue
        queries = seen.get("queries")
        for name, answer in queries.items() if isinstance(queries, Mapping) else ():
            _blame(case, name, answer, f"database {database}: ")


def _blame(case: Case, name: str, answer: Any, where: str) -> None:
    error = answer.get("error") if isinstance(answer, Mapping) else {"text": "damaged answer"}
    if not error:
        return
    reason = text(error, "text") or "no answer"
    if text(error, "sqlstate") == "42501" and name in _GRANTS:
        reason = "{}; a superuser opens it with: {}".format(
            reason,
            _GRANTS[name] % {"role": text(case.server, "role") or "the login role"},
        )
    for check in _FEEDS.get(str(name), ()):
        case.unseen(check, where + reason)

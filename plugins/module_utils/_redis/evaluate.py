# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an observation to findings: who judges what, what does not apply, what was not seen."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Callable

from .._core.judge import Judge
from .._core.recording import Recording
from . import disk, memory, reach, replication, traffic
from .case import REPLICA, Case, Expect, Place, number, text

PRIMARY_ONLY: tuple[str, ...] = (
    "replicas", "replication_lag", "replication_lag_bytes", "big_keys", "no_ttl", "ttl_leak",
)  # fmt: skip
"""Not asked of a replica: what it would answer is the primary's business."""

REPLICA_ONLY: tuple[str, ...] = ("replication_link",)

# Causes before what they explain: an evaluator names as a cause only what has been filed.
_SUBJECTS: tuple[Callable[[Case], None], ...] = (
    replication.judge_role,
    replication.judge_replicas,
    replication.judge_link,
    replication.judge_cluster,
    memory.judge_memory,
    memory.judge_fragmentation,
    memory.judge_evictions,
    memory.judge_keys,
    traffic.judge_clients,
    traffic.judge_buffers,
    traffic.judge_latency,
    traffic.judge_slow,
    traffic.judge_hits,
    disk.judge_rdb,
    disk.judge_aof,
)


def expectation(role: str, replicas: tuple[Place, ...], sentinels: bool, earlier: Recording | None, now: str) -> Expect:
    """What the inventory says about a server, with the counters of an earlier look.

    :param earlier: the earlier look, None where there is none.
    :param now: time of the look that is judged, ISO 8601.
    """
    if earlier is not None:
        began, ended = _time(earlier.recorded_at), _time(now)
        info = earlier.observation.get("info")
        if began is not None and ended is not None and isinstance(info, Mapping):
            seconds = max((ended - began).total_seconds(), 0.0)
            return Expect(role, replicas, sentinels, info, seconds)
    return Expect(role, replicas, sentinels)


def _time(value: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return None


def evaluate(observation: Mapping[str, Any], judge: Judge, expect: Expect) -> None:
    """Judge a look at a server. Pure; whatever is missing or strange in the observation costs its own checks only."""
    case = Case(observation, judge, expect)
    failed = reach.judge_failure(case)
    replication.judge_sentinels(case, alive=failed is None)
    if failed is not None:
        judge.unseen_rest(failed)
        return
    _facts(case)
    apart = PRIMARY_ONLY if case.role == REPLICA else REPLICA_ONLY
    for check in apart:
        case.looked(check, 0)
    case.apart = apart
    for subject in _SUBJECTS:
        subject(case)
    judge.unseen_rest("the server gave no answer to its question")


def _facts(case: Case) -> None:
    info = case.info
    case.judge.facts.update(
        version=text(info, "redis_version"),
        role=case.role,
        mode=text(info, "redis_mode"),
        uptime_s=int(number(info, "uptime_in_seconds") or 0),
    )
    for key in ("connect_ms", "took_ms"):
        if number(case.server, key) is not None:
            case.judge.facts[key] = number(case.server, key)
    if number(info, "instantaneous_ops_per_sec") is not None:
        case.judge.facts["ops_per_s"] = number(info, "instantaneous_ops_per_sec")

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an observation of a host to findings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from .._core.judge import Judge
from . import disks, services, sockets, state, usage, words
from .case import Case, Expect

_SUBJECTS: tuple[Callable[[Case], None], ...] = (
    usage.judge_cpu,
    usage.judge_load,
    usage.judge_memory,
    usage.judge_pressure,
    disks.judge_mounts,
    disks.judge_deleted,
    disks.judge_docker,
    services.judge_units,
    services.judge_listening,
    state.judge_clock,
    state.judge_reboot,
    state.judge_kernel,
)


def expectation(params: Mapping[str, Any]) -> Expect:
    """What the options say about the host."""
    return Expect(
        listening=tuple(sockets.parse(params.get("listening"))),
        ignore_listening=tuple(sockets.parse(params.get("ignore_listening"))),
        units=tuple(params.get("units") or ()),
        ignore_units=tuple(params.get("ignore_units") or ()),
        ignore_mounts=tuple(params.get("ignore_mounts") or ()),
    )


def evaluate(observation: Mapping[str, Any], judge: Judge, expect: Expect | None = None) -> None:
    """Judge a look at a host. Pure; whatever is missing or strange in the observation costs its own checks only."""
    case = Case(observation, judge, expect or Expect())
    host = case.host
    judge.facts.update(container=words.flag(host, "container"), kernel=words.text(host, "kernel"))
    for key in ("uptime_s", "took_ms"):
        value = words.number(host, key)
        if value is not None:
            judge.facts[key] = value
    for subject in _SUBJECTS:
        subject(case)
    largest = {
        words.text(row, "root"): [
            {"folder": words.text(one, "folder"), "bytes": int(words.amount(one, "bytes"))}
            for one in words.rows(row, "largest")
        ]
        for row in words.rows(words.mapping(observation.get("folders")), "data")
    }
    if largest:
        judge.facts["largest_folders"] = largest
    judge.unseen_rest("the look has nothing about it")

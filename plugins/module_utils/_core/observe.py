# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way an observing module runs: collect or replay, judge, record, return."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any, Callable

from . import recording
from .check import Check, index
from .errors import OptionError
from .judge import Judge
from .threshold import Thresholds

Observation = dict[str, Any]


def now_iso() -> str:
    """The present time in UTC, to the second: ``2026-11-22T06:00:00Z``."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def observe(
    name: str,
    params: Mapping[str, Any],
    own: Iterable[Check],
    every: Mapping[str, Check],
    collect: Callable[[], Observation],
    evaluate: Callable[[Observation, Judge], None],
) -> dict[str, Any]:
    """Look at one system (or at a recording of it) and judge what was seen.

    :param name: short name of the module, kept in recordings.
    :param params: the module's options, of which this function reads those of the `observe` fragment.
    :param own: the checks of this module; every: all checks of the collection by id (thresholds may name any).
    :param collect: the look itself; returns plain JSON values and never raises for an unhealthy system: what could not
        be seen is part of the observation (an ``error`` entry of kind and text).
    :param evaluate: judges an observation; pure.
    :returns: the module's return values, without ``changed``.
    :raises OptionError: wrong options, unreadable recording, library missing.
    """
    if params["deadline"] <= 0:
        raise OptionError("deadline: want more than 0 seconds, got {}".format(params["deadline"]))
    thresholds = Thresholds.parse(params.get("thresholds"), every)
    checks = index(own)
    # Options are judged before anything is looked at: a typo must not cost a connection first.
    Judge(checks, thresholds, params["target"], params.get("checks"))
    recorded_at = None
    if params.get("replay_from"):
        taken = recording.read(params["replay_from"], name)
        observation, recorded_at = taken.observation, taken.recorded_at
    else:
        began = now_iso()
        observation = collect()
        if params.get("record_to"):
            recording.write(params["record_to"], recording.Recording(name, params["target"], began, observation))
    judge = Judge(checks, thresholds, params["target"], params.get("checks"), recorded_at)
    evaluate(observation, judge)
    return judge.result(bool(params.get("include_ok")))

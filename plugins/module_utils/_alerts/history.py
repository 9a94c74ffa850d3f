# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When alerts fired: from the samples of ALERTS to intervals, causes and counts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._metrics.prometheus import finite, labels_of, rows

Interval = tuple[float, float]

# Samples of one evaluation may be late by some; two that are missing are a pause.
_SLACK = 2.5
_DEFAULT_STEP = 15.0


@dataclass
class Cause:
    """Alerts with the same name about the same thing.

    :ivar about: label by which the thing is named, and its value; both empty where the alert names none.
    :ivar past: when it fired before the window in which flapping is counted, to the step of a range query.
    :ivar recent: when it fired within that window, to the sample.
    """

    alertname: str
    about: tuple[str, str]
    severity: str = ""
    past: list[Interval] = field(default_factory=list)
    recent: list[Interval] = field(default_factory=list)

    @property
    def intervals(self) -> list[Interval]:
        """All of them, in order; what the edge of the window cut in two is one again."""
        return union([*self.past, *self.recent], _DEFAULT_STEP)


def cause_of(labels: Mapping[str, str], group_by: Sequence[str]) -> tuple[str, str, str]:
    """Name of an alert, and the label and value that say what it is about: the first of `group_by` that it has."""
    name = labels.get("alertname", "") or "(no name)"
    for label in group_by:
        if labels.get(label):
            return name, label, labels[label]
    return name, "", ""


def intervals(times: Iterable[Any], step: float) -> list[Interval]:
    """Spans of samples that follow one another at most by `step` and some slack."""
    known = sorted({value for value in (finite(one) for one in times) if value is not None})
    found: list[list[float]] = []
    for at in known:
        if found and at - found[-1][1] <= step * _SLACK:
            found[-1][1] = at
        else:
            found.append([at, at])
    return [(span[0], span[1]) for span in found]


def union(spans: Iterable[Interval], slack: float = 0.0) -> list[Interval]:
    """The same spans without overlaps; such as are no more than `slack` apart are one."""
    found: list[Interval] = []
    for first, last in sorted(spans):
        if found and first - found[-1][1] <= slack:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def bridge(spans: Sequence[Interval], outages: Iterable[float], slack: float) -> list[Interval]:
    """Spans that are only apart because Prometheus was restarted in between are one."""
    found: list[Interval] = []
    starts = list(outages)
    for first, last in spans:
        if found and any(found[-1][1] <= start <= first and first - start <= slack for start in starts):
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


def causes(
    recent: Mapping[str, Any],
    past: Mapping[str, Any],
    steps: Mapping[str, float],
    past_step: float,
    group_by: Sequence[str],
    started: float | None,
) -> dict[tuple[str, str, str], Cause]:
    """What fired, by cause.

    :param recent: the raw samples of the window; past: the points of a range query before it.
    :param steps: how often the rule of an alert is evaluated, in seconds by the name of the alert.
    :param past_step: seconds between two points of the range query.
    :param started: when Prometheus was started.
    """
    found: dict[tuple[str, str, str], Cause] = {}

    def cause(labels: Mapping[str, str]) -> Cause:
        key = cause_of(labels, group_by)
        known = found.setdefault(key, Cause(key[0], (key[1], key[2])))
        known.severity = known.severity or labels.get("severity", "")
        return known

    for series in rows(recent, "series"):
        labels = labels_of(series)
        step = steps.get(labels.get("alertname", ""), 0.0) or _DEFAULT_STEP
        times = series.get("times")
        spans = intervals(times if isinstance(times, (list, tuple)) else (), step)
        own = cause(labels)
        own.recent = union([*own.recent, *bridge(spans, [started] if started else [], 4 * step + 30)], step)
    for series in rows(past, "series"):
        times = series.get("times")
        spans = intervals(times if isinstance(times, (list, tuple)) else (), past_step * 0.6)
        own = cause(labels_of(series))
        own.past = union([*own.past, *spans], past_step)
    for own in found.values():
        if own.past and own.recent and own.recent[0][0] - own.past[-1][1] <= past_step + _DEFAULT_STEP:
            # One firing that lasted over the edge: told once, and with its beginning.
            first = own.past.pop()
            own.recent[0] = (first[0], own.recent[0][1])
    return found

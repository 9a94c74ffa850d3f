# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changed since the last run, in a report: computed once, told by every renderer. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._core.finding import badness
from .._history.acks import Acknowledgement, judge
from .._history.delta import BETTER, CHANGES, NEW, OBSERVED, UNCHANGED, WORSE, Delta, Past, compare, seen_of
from .._history.flapping import flapping
from .headline import ANSWERS
from .text import clean, listed, number, plural, when

Ended = list[tuple[Acknowledgement, str]]

LABELS = {NEW: "NEW", WORSE: "WORSE", BETTER: "BETTER", UNCHANGED: "UNCHANGED"}
_FINDING = ("delta", "since", "was", "acknowledged", "flapping")
_GONE = ("fingerprint", "check", "object", "status", "title", "since")
POINTS = 20


def complete(report: dict[str, Any]) -> dict[str, Any]:
    """Give a report the keys of this part, where it has none: nothing is known of before. Changes it in place."""
    for one in report["findings"]:
        for key in _FINDING:
            one.setdefault(key, None)
    report.setdefault("delta", None)
    report.setdefault("backups", [])
    report.setdefault("history", {"kept": False, "error": None, "url": None, "ended": []})
    report.setdefault("trends", {"runs": [], "systems": {}, "findings": {}})
    return report


def forget(report: dict[str, Any]) -> None:
    """Take out of a report what is known of before. Changes it in place."""
    for one in report["findings"]:
        one.update(dict.fromkeys(_FINDING))
    for key in ("delta", "history", "trends"):
        report.pop(key, None)
    complete(report)


def apply(report: dict[str, Any], past: Sequence[Past], acknowledgements: Iterable[Acknowledgement], now: str) -> Ended:
    """Lay what is known of before over a report. Changes it in place.

    :param past: earlier runs, newest first.
    :param acknowledgements: that have not ended.
    :returns: the acknowledgements that end with this run, and why.
    """
    complete(report)
    seen = seen_of(report)
    found = compare(str(report["run"]["started"]), report["findings"], seen, past)
    if found is not None:
        for one in report["findings"]:
            one.update(found.changes[one["fingerprint"]])
            one["flapping"] = flapping(one, True, past)
        report["delta"] = _delta(found, past)
    holds, ended = judge(acknowledgements, report["findings"], seen, now)
    _acknowledge(report, holds)
    report["history"]["ended"] = [{**one.to_dict(), "why": why} for one, why in ended]
    return ended


def _delta(found: Delta, past: Sequence[Past]) -> dict[str, Any]:
    words = [change["delta"] for change in found.changes.values()]
    return {
        "since": {"run": found.since.id, "started": found.since.started},
        **{word: words.count(word) for word in CHANGES},
        "resolved": [_gone(one, flapping(one, False, past)) for one in found.resolved],
        "not_seen": [_gone(one, None) for one in found.not_seen],
    }


def _gone(one: Mapping[str, Any], flaps: Mapping[str, int] | None) -> dict[str, Any]:
    return {**{key: one.get(key) for key in _GONE}, "flapping": dict(flaps) if flaps else None}


def _acknowledge(report: dict[str, Any], holds: Mapping[str, Acknowledgement]) -> None:
    """Mark what is acknowledged; what an acknowledged cause explains goes with it."""
    for one in report["findings"]:
        mine = holds.get(one["fingerprint"])
        one["acknowledged"] = _mark(mine, False) if mine else None
    known = {one["fingerprint"]: one for one in report["findings"]}
    for cause in report["causes"]:
        mine = holds.get(cause["fingerprint"])
        for name in cause["explains"] if mine else ():
            if name in known and known[name]["acknowledged"] is None:
                known[name]["acknowledged"] = _mark(mine, True)


def _mark(one: Acknowledgement | None, inherited: bool) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"by": one.by, "reason": one.reason, "until": one.until, "inherited": inherited}


def open_counts(report: Mapping[str, Any]) -> tuple[dict[str, int], int]:
    """What counts for the job: findings by status, and checks that were not seen, without what is acknowledged.

    Where it is acknowledged that a system does not answer, its other checks cannot be seen, and that is known as well.
    """
    counts = {
        word: int(report["summary"][word])
        - sum(1 for one in report["findings"] if one.get("acknowledged") and one["status"] == word)
        for word in ("warning", "unknown", "critical")
    }
    silent = {
        (one["object"].split("/", 1)[0], one["check"].split(".", 1)[0])
        for one in report["findings"]
        if one.get("acknowledged") and one["check"] in ANSWERS and "/" not in one["object"]
    }
    never = {
        tuple(one["object"].split("/", 1))
        for one in report["findings"]
        if one.get("acknowledged") and one["check"] == OBSERVED
    }
    unseen = sum(
        1
        for row in report["coverage"]["rows"]
        if not row["seen"]
        and (row["system"], row["check"].split(".", 1)[0]) not in silent
        and (row["system"], row["module"]) not in never
    )
    return counts, unseen


def trends(
    report: dict[str, Any], past: Sequence[Past], series: Mapping[str, Mapping[str, Mapping[str, float]]]
) -> None:
    """Put the values of the last runs into a report, oldest first, this run last; what never changed is left out.

    :param past: earlier runs, newest first; series: their numbers, from the history.
    """
    from .._history.pack import number_or_none, value_rows

    runs = list(reversed(past[: POINTS - 1]))
    systems: dict[str, dict[str, list[float | None]]] = {}
    for row in value_rows(report):
        before = series.get(row["system"], {}).get(row["key"], {})
        points: list[float | None] = [_short(before.get(run.id)) for run in runs]
        points.append(_short(row["value"]))
        if len({point for point in points if point is not None}) > 1:
            systems.setdefault(row["system"], {})[row["key"]] = points
    findings = {}
    for one in report["findings"]:
        points = [_short(number_or_none(run.findings.get(one["fingerprint"], {}).get("value"))) for run in runs]
        points.append(_short(number_or_none(one["value"])))
        if len({point for point in points if point is not None}) > 1:
            findings[one["fingerprint"]] = points
    report["trends"] = {
        "runs": [*(run.started for run in runs), report["run"]["started"]] if systems or findings else [],
        "systems": systems,
        "findings": findings,
    }


def _short(value: float | None) -> float | None:
    """Six digits are more than a line of a few pixels shows, and keep the page small."""
    if value is None:
        return None
    return int(value) if value.is_integer() and abs(value) < 1e15 else float("%.6g" % value)


# For people


def order(one: Mapping[str, Any], is_cause: bool) -> int:
    """Where a finding stands: causes, what is new, what got worse, the rest, worst first within each."""
    if is_cause:
        return 0
    return {NEW: 1, WORSE: 2, None: 2}.get(one.get("delta"), 3)


def label(one: Mapping[str, Any], is_cause: bool) -> str:
    """The word before a finding."""
    if is_cause:
        return "CAUSE"
    return LABELS.get(str(one.get("delta")), "")


def story(one: Mapping[str, Any]) -> str:
    """``was warning, since 2026-11-21 06:00 UTC, flapping (5 changes in 10 runs)``; empty where there is none."""
    words = []
    was, delta = one.get("was"), one.get("delta")
    if was and delta in (WORSE, BETTER):
        words.append("was %s" % was["status"])
    elif was and was.get("value") is not None and one.get("value") is not None and was["value"] != one["value"]:
        words.append("was %s" % number(was["value"]))
    if delta and delta != NEW and one.get("since"):
        words.append("since %s" % when(one["since"]))
    flaps = one.get("flapping")
    if flaps:
        words.append("flapping (%s)" % flaps_text(flaps))
    return ", ".join(words)


def flaps_text(flaps: Mapping[str, int]) -> str:
    """``5 changes in 10 runs``."""
    return "%s in %s" % (plural(flaps["changes"], "change"), plural(flaps["runs"], "run"))


def acknowledged_text(mark: Mapping[str, Any]) -> str:
    """``until 2026-11-25 18:00 UTC by ops: new disk on Monday``."""
    return "until %s by %s: %s" % (when(mark["until"]), clean(str(mark["by"])), clean(str(mark["reason"])))


def acknowledged_lines(report: Mapping[str, Any]) -> list[str]:
    """What is acknowledged: a text for each acknowledgement, the one that ends first at the top."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for one in report["findings"]:
        mark = one.get("acknowledged")
        if mark:
            groups.setdefault((str(mark["until"]), acknowledged_text(mark)), []).append(one)
    lines = []
    for (_until, text), group in sorted(groups.items(), key=lambda pair: pair[0]):
        own = [one for one in group if not one["acknowledged"]["inherited"]]
        names = listed((clean(one["object"]) for one in own or group), 2)
        lines.append("%d %s (%s)" % (len(group), text, names))
    return lines


def resolved_lines(report: Mapping[str, Any]) -> list[str]:
    """What was resolved, the worst first."""
    delta = report.get("delta")
    if not delta:
        return []
    lines = []
    for one in sorted(delta["resolved"], key=lambda one: -badness(one["status"])):
        flaps = ", flapping (%s)" % flaps_text(one["flapping"]) if one["flapping"] else ""
        lines.append("%s%s" % (clean(str(one["title"])), flaps))
    return lines


def ended_lines(report: Mapping[str, Any]) -> list[str]:
    """Acknowledgements that ended with this run, and why."""
    return [
        "%s: %s is no longer acknowledged (by %s: %s)"
        % (one["why"], clean(one["object"]), clean(one["by"]), clean(one["reason"]))
        for one in report.get("history", {}).get("ended", ())
    ]


def history_text(report: Mapping[str, Any]) -> str:
    """What is wrong with the history; empty where nothing is."""
    history = report.get("history") or {}
    if not history.get("error"):
        return ""
    return "%s: %s" % ("kept, but" if history["kept"] else "not kept", history["error"])


def tally_text(report: Mapping[str, Any]) -> str:
    """``since 2026-11-21 06:00 UTC: 2 new, 3 unchanged, 4 resolved``; empty where nothing is known of before."""
    delta = report.get("delta")
    if not delta:
        return ""
    words = ["%s %s" % (number(delta[word]), word) for word in CHANGES if delta[word]]
    if delta["resolved"]:
        words.append("%s resolved" % number(len(delta["resolved"])))
    if delta["not_seen"]:
        words.append("%s not seen now" % number(len(delta["not_seen"])))
    return "since %s: %s" % (when(delta["since"]["started"]), ", ".join(words) or "nothing changed")

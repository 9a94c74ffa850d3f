# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge a look at a Prometheus. Pure: an observation in, findings out, whatever is in it.

What is not there is never taken for good: no series, series that ended, samples that are old and a division of
nothing by nothing are told apart, and each is `unknown` or, where there was simply no traffic, what the options say.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from .._core import web
from .._core.finding import CRITICAL, OK, UNKNOWN, WARNING
from .._core.judge import Judge
from .._core.threshold import Thresholds
from . import checks
from .prometheus import excuse, finite, labels_of, mapping, moment, number, rows, shortest, text, texts

_LATE_INTERVALS = 4
_LATE_SECONDS = 120.0
# Targets are discovered and scraped one after the other when Prometheus starts.
YOUNG_S = 30.0

_SENTENCES = {
    checks.ERROR_RATE: "{object} answers {value} of its requests with an error",
    checks.LATENCY: "95 % of the requests to {object} take up to {value}",
    checks.CPU: "{object} uses {value} of its CPU",
    checks.MEMORY: "{object} uses {value} of its memory",
    checks.CONNECTIONS: "{object} has {value} of its connections in use",
}
_OPEN = "open the graph of the evidence in Prometheus"
_OWN = (checks.OBJECTIVE, checks.FLOOR)


def evaluate(observation: Mapping[str, Any], judge: Judge) -> None:
    """Judge one look."""
    failed = mapping(observation, "error")
    if failed:
        judge.unseen_rest(_unreachable(observation, failed, judge))
        return
    judge.looked(checks.REACHABLE)
    judge.looked(checks.ACCESS)
    case = Case(observation, judge)
    _facts(case)
    _config(case)
    _storage(case)
    _rules(case)
    _targets(case)
    if not _fed(case):
        reason = "Prometheus is not fed, so its numbers are old"
        judge.unseen_rest(reason)
        return
    _services(case)
    _objectives(case)
    judge.unseen_rest("Prometheus gave no answer to its question")


class Case:
    """One observation and its judge."""

    def __init__(self, observation: Mapping[str, Any], judge: Judge) -> None:
        self.observation, self.judge = observation, judge
        self.asked = mapping(observation, "asked")
        self.down: set[str] = set()
        self.up: set[str] = set()
        self.kept = self.broken = self.idle = self.unclear = 0
        now = rows(mapping(observation, "now"), "series")
        self.now = finite(now[0].get("value")) if now else None

    def name(self, *parts: str) -> str:
        """The object of a finding."""
        return "/".join([self.judge.target, *[part.replace("/", "_") for part in parts if part]])


def _unreachable(observation: Mapping[str, Any], failed: Mapping[str, Any], judge: Judge) -> str:
    kind, said = text(failed, "kind"), excuse(failed)
    place = text(observation, "place") or "Prometheus"
    evidence = {"url": text(observation, "url"), "error": dict(failed)}
    if kind == web.DENIED:
        judge.looked(checks.REACHABLE)
        judge.report(
            checks.ACCESS, judge.target, f"Prometheus at {place} refuses us: {said}", UNKNOWN, evidence=evidence
        )
        return "Prometheus refuses us"
    title = {
        web.REFUSED: f"Prometheus at {place} refuses connections",
        web.SILENT: f"Prometheus at {place} takes connections and does not answer",
        web.TIMEOUT: f"Prometheus at {place} is not reached in time",
    }.get(kind, f"Prometheus at {place} gives no usable answer: {said}")
    judge.report(checks.REACHABLE, judge.target, title, CRITICAL if kind in web.DEAD else UNKNOWN, evidence=evidence)
    return "Prometheus does not answer"


def _facts(case: Case) -> None:
    runtime = mapping(mapping(case.observation, "runtime"), "data")
    build = mapping(mapping(case.observation, "build"), "data")
    facts = case.judge.facts
    facts["version"] = text(build, "version") or None
    started = moment(text(runtime, "startTime"))
    facts["uptime_s"] = int(max(case.now - started, 0)) if case.now is not None and started is not None else None
    jobs = mapping(mapping(case.observation, "targets"), "jobs")
    facts["jobs"] = len(jobs)
    facts["targets_up"] = sum(_amount(one, "up") for one in jobs.values())
    facts["targets_total"] = sum(_amount(one, key) for one in jobs.values() for key in ("up", "down"))
    facts["targets_new"] = sum(_amount(one, "unknown") for one in jobs.values()) or None
    facts["rules"] = int(finite(mapping(case.observation, "rules").get("total")) or 0)
    facts["took_ms"] = finite(case.observation.get("took_ms"))


def _config(case: Case) -> None:
    runtime = mapping(case.observation, "runtime")
    if mapping(runtime, "error"):
        # Thanos and others speak the same language without this word.
        case.judge.looked(checks.CONFIG, 0)
        return
    data = mapping(runtime, "data")
    if data.get("reloadConfigSuccess") is False:
        case.judge.report(
            checks.CONFIG,
            case.name(),
            "Prometheus could not load its last configuration and runs with the one of %s"
            % (text(data, "lastConfigTime") or "before"),
            evidence={"lastConfigTime": text(data, "lastConfigTime"), "url": text(case.observation, "url")},
        )
    else:
        case.judge.looked(checks.CONFIG)


def _storage(case: Case) -> None:
    judge = case.judge
    runtime, storage = mapping(case.observation, "runtime"), mapping(case.observation, "storage")
    corrupt = finite(mapping(runtime, "data").get("corruptionCount")) or 0.0
    failed = {
        labels_of(one).get("what", "storage"): value
        for one in rows(storage, "series")
        for value in [finite(one.get("value"))]
        if value is not None and value > 0
    }
    if mapping(runtime, "error") and mapping(storage, "error"):
        judge.unseen(checks.STORAGE, excuse(mapping(storage, "error")))
        return
    if not corrupt and not failed:
        judge.looked(checks.STORAGE)
        return
    words = []
    if corrupt:
        words.append("%d corruption%s repaired since it started" % (corrupt, "" if corrupt == 1 else "s"))
    words += [f"{name.replace('_', ' ')} {value:.0f} times in the last hour" for name, value in sorted(failed.items())]
    judge.report(
        checks.STORAGE,
        case.name(),
        "The storage of Prometheus is damaged: " + shortest(words),
        CRITICAL if any("wal_writes" in name or "head" in name for name in failed) else WARNING,
        value=corrupt or sum(failed.values()),
        evidence={"corruptionCount": corrupt, "failed_last_hour": failed},
    )


def _rules(case: Case) -> None:
    judge, seen = case.judge, mapping(case.observation, "rules")
    if mapping(seen, "error"):
        judge.unseen(checks.RULES, excuse(mapping(seen, "error")))
        return
    failing = rows(seen, "failing")
    judge.looked(checks.RULES, max(int(finite(seen.get("total")) or 0) - len(failing), 0))
    for rule in failing:
        alerting = text(rule, "type") != "recording"
        judge.report(
            checks.RULES,
            case.name(text(rule, "group"), text(rule, "name")),
            "{} {} is not evaluated: {}".format(
                "Alert" if alerting else "Recording rule", text(rule, "name"), text(rule, "error")
            ),
            CRITICAL if alerting else WARNING,
            evidence={key: text(rule, key) for key in ("group", "file", "query", "error")},
        )
    for group in rows(seen, "groups"):
        last, interval = moment(text(group, "last")), finite(group.get("interval")) or 0.0
        if last is None or case.now is None or last <= 0:
            continue
        late = case.now - last
        if late > max(_LATE_INTERVALS * interval, _LATE_SECONDS):
            judge.report(
                checks.RULES,
                case.name(text(group, "name")),
                "The rules of %s were last evaluated %s ago, and should be every %s"
                % (text(group, "name"), seconds(late), seconds(interval)),
                WARNING,
                evidence={"file": text(group, "file"), "lastEvaluation": text(group, "last"), "interval_s": interval},
            )


def _targets(case: Case) -> None:
    judge, seen = case.judge, mapping(case.observation, "targets")
    if mapping(seen, "error"):
        judge.unseen(checks.TARGET_DOWN, excuse(mapping(seen, "error")))
        return
    service_jobs = texts(case.asked, "service_jobs")
    jobs = mapping(seen, "jobs")
    judge.looked(checks.TARGET_DOWN, 0)
    young = case.judge.facts.get("uptime_s")
    for job in texts(case.asked, "expected_jobs"):
        if job not in jobs and isinstance(young, int) and young < YOUNG_S:
            judge.unseen(
                checks.TARGET_DOWN, "Prometheus was started %d s ago and has not found all targets yet" % young
            )
        elif job not in jobs:
            judge.report(
                checks.TARGET_DOWN,
                case.name(job),
                f"Prometheus has no target of the job {job}",
                CRITICAL,
                evidence={"jobs": sorted(jobs)[:50]},
                remedy="look for the job in prometheus.yml and at what discovers its targets: <url>/service-discovery",
            )
    for job, counts in jobs.items():
        down, every = _amount(counts, "down"), sum(_amount(counts, key) for key in ("up", "down", "unknown"))
        if job in service_jobs and mapping(seen, "services"):
            # Their instances are told service by service.
            continue
        if not down:
            judge.looked(checks.TARGET_DOWN)
            continue
        errors = _errors(counts)
        judge.report(
            checks.TARGET_DOWN,
            case.name(str(job)),
            "%s of %d targets of %s %s down: %s"
            % (down, every, job, "is" if down == 1 else "are", shortest([_place(one) for one in errors], 3)),
            WARNING if _amount(counts, "up") else CRITICAL,
            value=down,
            evidence={"down": errors},
        )


def _fed(case: Case) -> bool:
    """Whether Prometheus is fed at all; its jobs one by one."""
    judge, seen = case.judge, mapping(case.observation, "fed")
    if mapping(seen, "error"):
        judge.unseen(checks.STALE, excuse(mapping(seen, "error")))
        case.judge.facts["fed_s"] = None
        return True
    ages = {
        labels_of(one).get("job", ""): age
        for one in rows(seen, "series")
        for age in [finite(one.get("value"))]
        if age is not None
    }
    newest = min(ages.values(), default=None)
    case.judge.facts["fed_s"] = round(max(newest, 0.0), 1) if newest is not None else None
    limit = judge.thresholds.get(checks.STALE, case.name()).target
    if newest is None or (limit is not None and newest > limit):
        judge.report(
            checks.STALE,
            case.name(),
            "Prometheus has no new sample of any target"
            + (": the newest is %s old" % seconds(newest) if newest is not None else ""),
            UNKNOWN,
            value=newest,
            evidence={"jobs": ages, "url": text(case.observation, "url")},
            remedy="does it scrape? <url>/targets, <url>/config; journalctl -u prometheus --since -1h",
        )
        return False
    for job, age in ages.items():
        _stale(case, case.name(job), age, f"The newest scrape of the job {job} is {seconds(age)} old", {"job": job})
    return True


def _stale(case: Case, obj: str, age: float, title: str, evidence: dict[str, Any]) -> bool:
    """Report samples that are too old; returns whether they are."""
    limit = case.judge.thresholds.get(checks.STALE, obj)
    if limit.target is None or age <= limit.target:
        case.judge.looked(checks.STALE)
        return False
    value = round(age, 1) if math.isfinite(age) else None
    case.judge.report(checks.STALE, obj, title, UNKNOWN, value=value, evidence=evidence)
    return limit.enabled


def _services(case: Case) -> None:
    """Instances of services by service: none that answers is an outage, some that do not are a warning."""
    judge, seen = case.judge, mapping(case.observation, "targets")
    if mapping(seen, "error"):
        judge.unseen(checks.SERVICE_UP, excuse(mapping(seen, "error")))
        return
    services = mapping(seen, "services")
    judge.looked(checks.SERVICE_UP, 0)
    young = case.judge.facts.get("uptime_s")
    for name in texts(case.asked, "services"):
        if name not in services and isinstance(young, int) and young < YOUNG_S:
            judge.unseen(checks.SERVICE_UP, "Prometheus was started %d s ago and has not found all targets yet" % young)
        elif name not in services:
            case.down.add(name)
            judge.report(
                checks.SERVICE_UP,
                case.name(name),
                f"{name} has no target in Prometheus",
                CRITICAL,
                evidence={"service": name, "jobs": texts(case.asked, "service_jobs")},
                remedy="kubectl get endpointslices -A | grep {name}; then what discovers the targets of its job",
            )
    for name, counts in services.items():
        name = str(name)
        up, down, waiting = (_amount(counts, key) for key in ("up", "down", "unknown"))
        if up:
            case.up.add(name)
        if not down:
            judge.looked(checks.SERVICE_UP)
            continue
        every = up + down + waiting
        if not up:
            case.down.add(name)
        errors = _errors(counts)
        first = text(errors[0], "error") if errors else ""
        judge.report(
            checks.SERVICE_UP,
            case.name(name),
            (
                "%s: %d of %d instances do not answer Prometheus" % (name, down, every)
                if up
                else "%s: no instance answers Prometheus" % name
            )
            + (f" ({_short(first)})" if first else ""),
            WARNING if up else CRITICAL,
            value=down,
            evidence={"service": name, "down": errors},
        )


def _objectives(case: Case) -> None:
    judge = case.judge
    objectives = rows(case.asked, "objectives")
    judge.thresholds = with_lines(judge.thresholds, judge.target, objectives)
    answers = mapping(case.observation, "objectives")
    asked = set()
    for objective in objectives:
        check = text(objective, "check")
        if check in (*_SENTENCES, *_OWN):
            asked.add(check)
            _objective(case, objective, mapping(answers, text(objective, "name")))
    for check in (*_SENTENCES, *_OWN):
        if check not in asked:
            # Not configured, so nobody asks.
            judge.looked(check, 0)
    judge.facts["objectives_kept"] = case.kept
    judge.facts["objectives_total"] = case.kept + case.broken + case.unclear
    judge.facts["without_traffic"] = case.idle


def with_lines(thresholds: Thresholds, target: str, objectives: Sequence[Mapping[str, Any]]) -> Thresholds:
    """Thresholds under which each of the inventory's own objectives has its own line; overrides still win."""
    given = dict(thresholds.given)
    for check in _OWN:
        own = [
            {"match": pattern, "target": _line(objective, "target"), "alert": _line(objective, "alert")}
            for objective in objectives
            if text(objective, "check") == check
            for name in [_escape("%s/%s" % (target, text(objective, "name").replace("/", "_")))]
            for pattern in (name, name + "/*")
        ]
        if own:
            entry = dict(given.get(check, {}))
            entry["overrides"] = [*own, *entry.get("overrides", ())]
            given[check] = entry
    return Thresholds(thresholds.checks, given)


def _objective(case: Case, objective: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    judge, check, name = case.judge, text(objective, "check"), text(objective, "name")
    value, window = mapping(answer, "value"), text(objective, "window")
    whole = case.name(name)
    expression = text(objective, "query").replace("$window", window)
    shown = urlencode({"g0.expr": expression, "g0.tab": 0, "g0.range_input": "1h"})
    graph = "%s/graph?%s" % (text(case.observation, "url"), shown)
    evidence: dict[str, Any] = {"query": expression, "window": window, "graph": graph}
    if mapping(value, "error") or not value:
        said = excuse(mapping(value, "error"))
        case.unclear += 1
        judge.unknown(check, whole, f"{_words(name)} could not be asked: {said}", evidence, _OPEN)
        return
    if texts(value, "warnings"):
        case.unclear += 1
        judge.unknown(
            check,
            whole,
            f"{_words(name)}: the answer is not complete: {texts(value, 'warnings')[0]}",
            {**evidence, "warnings": texts(value, "warnings")},
            _OPEN,
        )
    series = rows(value, "series")
    if not series:
        case.unclear += 1
        judge.unknown(
            check,
            whole,
            f"{_words(name)}: Prometheus has no data for it (over {window})",
            evidence,
            "is the metric still called so, does its exporter run? " + _OPEN,
        )
        return
    if finite(value.get("cut")):
        judge.unknown(
            check, whole, f"{_words(name)}: more than {len(series)} objects, the rest was not looked at", evidence
        )
    traffic, fresh = (_by_labels(objective, mapping(answer, part)) for part in ("traffic", "fresh"))
    for one in series:
        _series(case, objective, one, traffic, fresh, evidence)
    _left_out(case, objective, series, mapping(answer, "fresh"), evidence)


def _series(
    case: Case,
    objective: Mapping[str, Any],
    series: Mapping[str, Any],
    traffic: Mapping[tuple[str, ...], float] | None,
    fresh: Mapping[tuple[str, ...], float] | None,
    evidence: Mapping[str, Any],
) -> None:
    judge, check = case.judge, text(objective, "check")
    labels = labels_of(series)
    key = _key(objective, labels)
    service = labels.get(text(objective, "service_label"), "")
    obj = _object(case, objective, labels)
    shown = obj.split("/", 1)[1] if "/" in obj else obj
    evidence = {**evidence, **({"service": service} if service else {}), **({"labels": labels} if labels else {})}
    if service and service in case.down:
        # What is left in the window of a service that is gone says nothing about now.
        judge.looked(check, 0)
        return
    if fresh is not None:
        age = fresh.get(key)
        if age is None and service in case.up:
            # Its instances are new and have counted nothing yet; what the window holds is of those before them.
            judge.looked(check)
            case.idle += 1
            return
        words = "have ended" if age is None else "have no sample newer than %s" % seconds(age)
        title = f"{shown}: the series of {_words(text(objective, 'name'))} {words}"
        if _stale(case, obj, age if age is not None else math.inf, title, dict(evidence)):
            case.unclear += 1
            return
    requests = traffic.get(key) if traffic is not None else None
    measured = number(series.get("value"))
    least = finite(objective.get("min_traffic")) or 0.0
    few = requests is not None and 0 < requests < least
    if measured is None or math.isnan(measured) or few or requests == 0:
        quiet = (requests is not None and requests == 0) or (measured is not None and math.isnan(measured))
        if few or (quiet and text(objective, "no_traffic") == OK):
            judge.looked(check)
            case.idle += 1
            return
        case.unclear += 1
        what = "no traffic" if quiet else "no number"
        judge.unknown(check, obj, f"{shown}: {what} over {text(objective, 'window')}, so nothing to judge", evidence)
        return
    more = {**evidence}
    if requests is not None and math.isfinite(requests):
        more["requests"] = round(requests, 1)
    if math.isinf(measured):
        _endless(case, objective, obj, shown, measured, more)
        return
    rounded = round(measured, 3)
    if judge.thresholds.get(check, obj).status(rounded) == OK:
        # Thousands of objects are well, and nobody needs the graph of each.
        more = {key: value for key, value in more.items() if key in ("window", "requests")}
    status = judge.value(check, obj, rounded, _title(objective, shown, rounded, more), more)
    case.kept += status == OK
    case.broken += status != OK


def _left_out(
    case: Case,
    objective: Mapping[str, Any],
    series: Sequence[Mapping[str, Any]],
    fresh: Mapping[str, Any],
    evidence: Mapping[str, Any],
) -> None:
    """Objects whose samples are too old even for the window, so that the query does not show them any more."""
    known = {_key(objective, labels_of(one)) for one in series}
    for one in rows(fresh, "series"):
        labels, age = labels_of(one), finite(one.get("value"))
        service = labels.get(text(objective, "service_label"), "")
        if age is None or _key(objective, labels) in known or service in case.down or not texts(objective, "labels"):
            continue
        obj = _object(case, objective, labels)
        title = "%s: the series of %s have no sample newer than %s" % (
            obj.split("/", 1)[-1],
            _words(text(objective, "name")),
            seconds(age),
        )
        more = {**evidence, "labels": labels, **({"service": service} if service else {})}
        case.unclear += _stale(case, obj, age, title, more)


def _endless(
    case: Case, objective: Mapping[str, Any], obj: str, shown: str, measured: float, evidence: Mapping[str, Any]
) -> None:
    """A number without end, such as a quantile past the last bucket or a division by 0."""
    below = text(objective, "check") == checks.FLOOR
    bad = (measured < 0) if below else (measured > 0)
    case.broken += bad
    case.kept += not bad
    words = "+Inf" if measured > 0 else "-Inf"
    case.judge.report(
        text(objective, "check"),
        obj,
        f"{shown}: {_words(text(objective, 'name'))} is {words} over {text(objective, 'window')}",
        CRITICAL if bad else OK,
        evidence={**evidence, "value": words},
    )


def _title(objective: Mapping[str, Any], shown: str, value: float, evidence: Mapping[str, Any]) -> str:
    unit = text(objective, "unit")
    figure = f"{_figure(value)} {unit}".strip()
    sentence = _SENTENCES.get(text(objective, "check"), "{object} is {value}")
    said = [f"over {text(objective, 'window')}"] if "$window" in text(objective, "query") else []
    requests = evidence.get("requests")
    if isinstance(requests, float):
        said.append(f"{requests:,.0f} requests")
    return sentence.format(object=shown, value=figure) + (f" ({', '.join(said)})" if said else "")


def _object(case: Case, objective: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    wanted = texts(objective, "labels")
    if wanted:
        parts = [labels.get(label, "") for label in wanted]
    else:
        parts = [f"{label}={value}" for label, value in sorted(labels.items()) if label != "__name__"]
        parts = [",".join(parts)] if parts else []
    if objective.get("standard") is True:
        return case.name(*(parts if any(parts) else [text(objective, "name")]))
    return case.name(text(objective, "name"), *parts)


def _key(objective: Mapping[str, Any], labels: Mapping[str, str]) -> tuple[str, ...]:
    wanted = texts(objective, "labels")
    if not wanted:
        # Without labels the question is one number for all, and so is what came with it.
        return ()
    return tuple(labels.get(label, "") for label in wanted)


def _by_labels(objective: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[tuple[str, ...], float] | None:
    """Numbers by object; None where they were not asked, or not answered."""
    if not answer or mapping(answer, "error"):
        return None
    found: dict[tuple[str, ...], float] = {}
    for one in rows(answer, "series"):
        value = number(one.get("value"))
        if value is not None and not math.isnan(value):
            found[_key(objective, labels_of(one))] = value
    return found


def seconds(value: float) -> str:
    """A span for people."""
    if not math.isfinite(value):
        return "too"
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if abs(value) >= 2 * size:
            return f"{value / size:.0f} {unit}"
    return f"{value:.0f} s"


def _amount(counts: Any, key: str) -> int:
    value = finite(counts.get(key)) if isinstance(counts, Mapping) else None
    return int(max(value or 0.0, 0.0))


def _errors(counts: Any) -> list[dict[str, Any]]:
    return [dict(one) for one in rows(counts, "errors")]


def _place(one: Mapping[str, Any]) -> str:
    labels = labels_of(one)
    name = next((labels[key] for key in ("host", "service", "pod", "node") if labels.get(key)), "")
    where = name or text(one, "instance") or "?"
    return f"{where} ({_short(text(one, 'error'))})" if text(one, "error") else where


def _short(said: str) -> str:
    """The end of Go's error chain: what went wrong, without the URL before it."""
    return said.rsplit(": ", 1)[-1][:120]


def _figure(value: float) -> str:
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _line(objective: Mapping[str, Any], key: str) -> float | None:
    return finite(objective.get(key))


def _escape(name: str) -> str:
    """A name as a pattern that fits itself alone."""
    return re.sub(r"([*?\[])", r"[\1]", name)

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge a look at an Alertmanager. Pure: an observation in, findings and lists out, whatever is in it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from .._core import web
from .._core.finding import CRITICAL, OK, UNKNOWN, WARNING, badness, worst
from .._core.judge import Judge
from .._core.redact import redact
from .._metrics.evaluate import YOUNG_S, seconds
from .._metrics.prometheus import excuse, finite, labels_of, mapping, moment, rows, shortest, text, texts
from . import checks, silences
from .history import Cause, cause_of, causes

Key = tuple[str, str, str]

_ARRIVAL_S = 300.0
_RESEND_S = 90.0
_MOST_LISTED = 200
_STATUSES = (OK, WARNING, CRITICAL)
_DAY = 86400.0
# Of all notifications since Alertmanager was started some have failed; a tenth says that a receiver is ill.
_LASTING_PERCENT = 10.0


class Case:
    """One observation and its judge.

    :ivar firing: alerts that fire, by cause, the dead man's switch left out.
    :ivar told: what the module returns beside its findings.
    """

    def __init__(self, observation: Mapping[str, Any], judge: Judge, told: dict[str, Any]) -> None:
        self.observation, self.judge, self.told = observation, judge, told
        self.asked = mapping(observation, "asked")
        self.now = finite(observation.get("now")) or 0.0
        self.group_by = texts(self.asked, "group_by")
        self.watchdog = text(self.asked, "watchdog")
        self.prometheus = mapping(observation, "prometheus")
        self.silences = rows(mapping(observation, "silences"), "silences")
        self.firing: dict[Key, list[Mapping[str, Any]]] = {}
        self.history: dict[Key, Cause] = {}

    @property
    def just_started(self) -> bool:
        """Whether one of the two began so recently that what fires may not have been sent, which is each minute."""
        starts = [moment(text(self.prometheus, "started"))]
        starts.append(moment(text(mapping(self.observation, "status"), "started")))
        return any(start is not None and self.now - start < _RESEND_S for start in starts)

    def name(self, *parts: str) -> str:
        """The object of a finding."""
        return "/".join([self.judge.target, *[part.replace("/", "_") for part in parts if part]])

    def status(self, labels: Mapping[str, str]) -> str:
        """What the severity of an alert means here; an unknown one is a warning."""
        wanted = mapping(self.asked, "severities").get(labels.get("severity", "").lower(), WARNING)
        return wanted if isinstance(wanted, str) and wanted in _STATUSES else WARNING


def evaluate(observation: Mapping[str, Any], judge: Judge, told: dict[str, Any]) -> None:
    """Judge one look.

    :param told: filled with the lists ``alerts``, ``resolved`` and ``silences``.
    """
    told.update(alerts=[], resolved=[], silences=[])
    case = Case(observation, judge, told)
    failed = mapping(observation, "error")
    if failed:
        _unreachable(case, failed)
    else:
        judge.looked(checks.REACHABLE)
        judge.looked(checks.ACCESS)
        _config(case)
        _notifications(case)
    _gather(case, bool(failed))
    _history(case)
    if not failed:
        _pipeline(case)
        _watchdog(case)
    _firing(case, failed)
    _flapping(case)
    if not failed:
        _silences(case)
    _facts(case)
    judge.unseen_rest("Alertmanager does not answer" if failed else "Alertmanager gave no answer to its question")


def _unreachable(case: Case, failed: Mapping[str, Any]) -> None:
    judge, kind, said = case.judge, text(failed, "kind"), excuse(failed)
    place = text(case.observation, "place") or "?"
    evidence = {"url": text(case.observation, "url"), "error": dict(failed)}
    if kind == web.DENIED:
        judge.looked(checks.REACHABLE)
        judge.report(
            checks.ACCESS, case.name(), f"Alertmanager at {place} refuses us: {said}", UNKNOWN, evidence=evidence
        )
        return
    title = {
        web.REFUSED: f"Alertmanager at {place} refuses connections",
        web.SILENT: f"Alertmanager at {place} takes connections and does not answer",
        web.TIMEOUT: f"Alertmanager at {place} is not reached in time",
    }.get(kind, f"Alertmanager at {place} gives no usable answer: {said}")
    judge.report(checks.REACHABLE, case.name(), title, CRITICAL if kind in web.DEAD else UNKNOWN, evidence=evidence)


def _config(case: Case) -> None:
    metrics = mapping(case.observation, "metrics")
    reloaded = finite(metrics.get("reloaded"))
    if reloaded is None:
        case.judge.unseen(
            checks.CONFIG,
            excuse(mapping(metrics, "error")) if mapping(metrics, "error") else "its /metrics do not say it",
        )
    elif reloaded == 0:
        case.judge.report(
            checks.CONFIG,
            case.name(),
            "Alertmanager could not load its last configuration and runs with the one before",
            evidence={"url": text(case.observation, "url")},
        )
    else:
        case.judge.looked(checks.CONFIG)


def _notifications(case: Case) -> None:
    """Failed notifications of the last minutes where Prometheus counts them, else since Alertmanager was started."""
    judge, metrics = case.judge, mapping(case.observation, "metrics")
    counted = {which: _by_integration(mapping(case.prometheus, which)) for which in ("failed", "sent")}
    span = "over " + text(case.asked, "notification_window")
    lasting = not counted["sent"]
    if (
        lasting
        and case.prometheus
        and (mapping(case.prometheus, "error") or mapping(case.prometheus, "sent").get("error"))
    ):
        # What failed since Alertmanager was started says nothing about today.
        judge.unseen(checks.NOTIFICATION, "Prometheus, which counts them, does not answer")
        return
    if lasting:
        counted = {which: _numbers(mapping(metrics, which)) for which in ("failed", "sent")}
        span = "since Alertmanager was started"
    if not counted["sent"] and not counted["failed"]:
        said = excuse(mapping(metrics, "error")) if mapping(metrics, "error") else "nobody counts its notifications"
        judge.unseen(checks.NOTIFICATION, said)
        return
    for integration in sorted({*counted["sent"], *counted["failed"]}):
        failed, sent = counted["failed"].get(integration, 0.0), counted["sent"].get(integration, 0.0)
        share = round(min(100.0 * failed / max(sent, failed), 100.0), 1) if failed > 0 else 0.0
        if failed <= 0 or (lasting and share <= _LASTING_PERCENT):
            judge.looked(checks.NOTIFICATION)
            continue
        judge.value(
            checks.NOTIFICATION,
            case.name(integration or "notifications"),
            share,
            f"{share:g} % of the requests to {integration or 'receivers'} fail ({failed:.0f} {span})",
            {"integration": integration, "failed": round(failed, 1), "requests": round(sent, 1), "window": span},
        )


def _gather(case: Case, without_manager: bool) -> None:
    """Alerts that fire now, by cause. Without an Alertmanager it is Prometheus that tells."""
    if without_manager:
        found = rows(mapping(case.prometheus, "rules"), "firing")
        alerts = [{**one, "state": "active", "starts": text(one, "active")} for one in found]
    else:
        alerts = [dict(one) for one in rows(mapping(case.observation, "alerts"), "alerts")]
    for alert in alerts:
        labels = labels_of(alert)
        if case.watchdog and labels.get("alertname") == case.watchdog:
            continue
        case.firing.setdefault(cause_of(labels, case.group_by), []).append(alert)


def _history(case: Case) -> None:
    source = case.prometheus
    if not source or mapping(source, "error"):
        return
    steps = {
        str(name): value
        for name, one in mapping(mapping(source, "rules"), "steps").items()
        for value in [finite(one)]
        if value is not None
    }
    found = causes(
        mapping(source, "recent"),
        mapping(source, "past"),
        steps,
        finite(source.get("past_step")) or 60.0,
        case.group_by,
        moment(text(source, "started")),
    )
    case.history = {key: one for key, one in found.items() if not case.watchdog or key[0] != case.watchdog}


def _pipeline(case: Case) -> None:
    judge, source = case.judge, case.prometheus
    wanted = int(finite(case.asked.get("expected_peers")) or 0)
    status = mapping(case.observation, "status")
    peers = int(finite(status.get("peers")) or 0)
    judge.looked(checks.PIPELINE, 0)
    if wanted > peers:
        judge.report(
            checks.PIPELINE,
            case.name("cluster"),
            f"The cluster of Alertmanagers has {peers} of {wanted} peers",
            WARNING,
            evidence={"peers": peers, "expected": wanted, "cluster": text(status, "cluster")},
            remedy="amtool cluster show; are the others up, and do they reach one another on --cluster.listen-address?",
        )
    if not source:
        return
    evidence: dict[str, Any] = {"prometheus": text(source, "url"), "alertmanager": text(case.observation, "url")}
    failed = mapping(source, "error")
    place = text(source, "place")
    if failed:
        kind = text(failed, "kind")
        evidence["error"] = dict(failed)
        if kind in web.DEAD:
            title = f"No alert can come: Prometheus at {place} does not answer"
            judge.report(checks.PIPELINE, case.name(), title, CRITICAL, evidence=evidence)
        else:
            title = f"Prometheus at {place} does not say what it sent: {excuse(failed)}"
            judge.report(checks.PIPELINE, case.name(), title, UNKNOWN, evidence=evidence)
        return
    managers = mapping(source, "managers")
    if mapping(managers, "error"):
        judge.unseen(checks.PIPELINE, excuse(mapping(managers, "error")))
        return
    begins = [value for value in (moment(text(source, key)) for key in ("started", "loaded")) if value is not None]
    if not texts(managers, "active") and begins and case.now - max(begins) < YOUNG_S:
        # For a few seconds after each start and each reload it has not found them again.
        judge.unseen(checks.PIPELINE, "Prometheus has just loaded its configuration")
        return
    judge.looked(checks.PIPELINE)
    if not texts(managers, "active"):
        title = f"Prometheus at {place} knows no Alertmanager, so no alert goes anywhere"
        judge.report(checks.PIPELINE, case.name(), title, CRITICAL, evidence=evidence, count=False)
        return
    lost = _lost(case)
    if lost:
        title = "%s in Prometheus for more than %s and %s not arrived at Alertmanager: %s" % (
            "1 alert fires" if len(lost) == 1 else "%d alerts fire" % len(lost),
            seconds(_ARRIVAL_S),
            "has" if len(lost) == 1 else "have",
            shortest(lost),
        )
        evidence["alerts"] = lost[:20]
        judge.report(checks.PIPELINE, case.name(), title, CRITICAL, evidence=evidence, count=False)
        return
    # Not the dropped ones: each reload drops what fires before Prometheus has found its Alertmanagers again.
    errors = sum(finite(one.get("value")) or 0.0 for one in rows(mapping(source, "errors"), "series"))
    if errors > 0:
        title = f"Prometheus could not send {errors:.0f} times to Alertmanager in the last two minutes"
        judge.report(checks.PIPELINE, case.name(), title, WARNING, value=round(errors), evidence=evidence, count=False)


def _lost(case: Case) -> list[str]:
    """Names of alerts that have fired for a while in Prometheus and that Alertmanager has none of.

    By name alone: relabelling on the way may change any other label.
    """
    if mapping(mapping(case.observation, "alerts"), "error") or case.just_started:
        return []
    known = {labels_of(one).get("alertname") for one in rows(mapping(case.observation, "alerts"), "alerts")}
    lost = set()
    for one in rows(mapping(case.prometheus, "rules"), "firing"):
        began, name = moment(text(one, "active")), labels_of(one).get("alertname", "")
        # Prometheus sends again each minute; one that was just restarted must count the time of `for` anew.
        if name and name not in known and began is not None and case.now - began > _ARRIVAL_S:
            lost.add(name)
    return sorted(lost)


def _watchdog(case: Case) -> None:
    judge, alerts = case.judge, mapping(case.observation, "alerts")
    if not case.watchdog:
        # Not configured, so nobody asks.
        judge.looked(checks.WATCHDOG, 0)
        return
    if mapping(alerts, "error"):
        judge.unseen(checks.WATCHDOG, excuse(mapping(alerts, "error")))
        return
    found = [one for one in rows(alerts, "alerts") if labels_of(one).get("alertname") == case.watchdog]
    if not found and case.just_started:
        judge.unseen(checks.WATCHDOG, "Prometheus or Alertmanager has just been started, and alerts are yet to arrive")
    elif not found:
        judge.report(
            checks.WATCHDOG,
            case.name(case.watchdog),
            f"{case.watchdog}, which should always fire, is not at Alertmanager",
            CRITICAL,
            evidence={"watchdog": case.watchdog, "prometheus": text(case.prometheus, "url")},
        )
    elif all(texts(one, "silenced_by") for one in found):
        judge.report(
            checks.WATCHDOG,
            case.name(case.watchdog),
            f"{case.watchdog} is silenced, so who waits for it hears nothing",
            WARNING,
            evidence={"silenced_by": texts(found[0], "silenced_by")},
        )
    else:
        judge.looked(checks.WATCHDOG)


def _firing(case: Case, failed: Mapping[str, Any]) -> None:
    judge, seen = case.judge, mapping(case.observation, "alerts")
    wrong = mapping(case.prometheus, "error") if failed else mapping(seen, "error")
    if wrong or (failed and not case.prometheus):
        judge.unseen(checks.FIRING, excuse(wrong) if wrong else "Alertmanager does not answer")
        return
    judge.looked(checks.FIRING, 0)
    ended = [one for one in case.silences if text(one, "state") == "expired"]
    for key, alerts in case.firing.items():
        loud = [one for one in alerts if not texts(one, "silenced_by") and not texts(one, "inhibited_by")]
        status = worst(case.status(labels_of(one)) for one in loud)
        case.told["alerts"].append(_told(case, key, alerts, loud, status))
        if not loud:
            judge.looked(checks.FIRING)
            continue
        _report_firing(case, key, loud, status, ended)
    told = case.told["alerts"]
    judge.facts["alerts_firing"] = sum(1 for one in told if one["state"] == "active" and one["status"] != OK)
    judge.facts["silenced"] = sum(1 for one in told if one["state"] == "silenced")
    judge.facts["inhibited"] = sum(1 for one in told if one["state"] == "inhibited")
    told.sort(key=lambda one: (-badness(one["status"]), one["object"]))
    del told[_MOST_LISTED:]


def _report_firing(
    case: Case, key: Key, loud: Sequence[Mapping[str, Any]], status: str, ended: Sequence[Mapping[str, Any]]
) -> None:
    first = min(loud, key=lambda one: moment(text(one, "starts")) or case.now)
    labels = labels_of(first)
    annotations = mapping(first, "annotations")
    summary = next(
        (text(annotations, word) for word in ("summary", "message", "description") if text(annotations, word)), ""
    )
    about = f" for {key[2]}" if key[2] and key[2] not in summary else ""
    many = f" ({len(loud)} alerts)" if len(loud) > 1 else ""
    title = f"{key[0]}{about} fires since {clock(moment(text(first, 'starts')), case.now)}{many}"
    evidence: dict[str, Any] = {
        "alertname": key[0],
        "severity": labels.get("severity", ""),
        "labels": labels,
        "since": text(first, "starts"),
        "expression": text(first, "url"),
        "alerts": len(loud),
    }
    if labels.get("service"):
        evidence["service"] = labels["service"]
    held = [one for one in ended if silences.matches(one, labels)]
    if held:
        evidence["silence_ended"] = [
            {"author": silences.author(one), "ended": text(one, "endsAt"), "comment": text(one, "comment")}
            for one in held[:3]
        ]
        title += f"; the silence of {silences.owners(held)} has ended"
    known = case.history.get(key)
    if known is not None and len(known.intervals) > 1:
        evidence["fired_times"] = len(known.intervals)
    case.judge.report(
        checks.FIRING,
        case.name(key[0], key[2]),
        f"{title}: {summary}" if summary else title,
        status,
        value=len(loud),
        evidence=evidence,
        remedy=text(annotations, "runbook_url") or text(annotations, "runbook") or _query(case, key),
    )


def _query(case: Case, key: Key) -> str:
    about = f" {key[1]}={key[2]}" if key[1] else ""
    return f"amtool alert query alertname={key[0]}{about} --alertmanager.url={text(case.observation, 'url')}"


def _told(
    case: Case, key: Key, alerts: Sequence[Mapping[str, Any]], loud: Sequence[Mapping[str, Any]], status: str
) -> dict[str, Any]:
    labels = labels_of(alerts[0])
    held = sorted({one for alert in alerts for one in texts(alert, "silenced_by")})
    inhibited = any(texts(alert, "inhibited_by") for alert in alerts)
    starts = [value for value in (moment(text(one, "starts")) for one in alerts) if value is not None]
    told = {
        "object": case.name(key[0], key[2]),
        "alertname": key[0],
        "service": labels.get("service") or None,
        "about": {key[1]: key[2]} if key[1] else {},
        "severity": labels.get("severity") or None,
        "status": status if loud else OK,
        "state": "active" if loud else "silenced" if held else "inhibited" if inhibited else "active",
        "alerts": len(alerts),
        "since": stamp(min(starts)) if starts else None,
        "silenced_by": held,
        "summary": text(mapping(alerts[0], "annotations"), "summary"),
        "expression": text(alerts[0], "url"),
    }
    clean: dict[str, Any] = redact(told)
    return clean


def _flapping(case: Case) -> None:
    judge, source = case.judge, case.prometheus
    if not source:
        # Without Prometheus nobody knows the past, and nobody asked for it.
        judge.looked(checks.FLAPPING, 0)
        return
    wrong = mapping(source, "error") or mapping(mapping(source, "recent"), "error")
    if wrong:
        judge.unseen(checks.FLAPPING, excuse(wrong))
        return
    judge.looked(checks.FLAPPING, 0)
    window = finite(case.asked.get("window_s")) or 0.0
    judge.facts["alerts_flapping"] = 0
    sent = rows(mapping(source, "rules"), "firing")
    still = {*case.firing, *(cause_of(labels_of(one), case.group_by) for one in sent)}
    for key, cause in case.history.items():
        times = len(cause.recent)
        status = judge.value(
            checks.FLAPPING,
            case.name(key[0], key[2]),
            times,
            f"{key[0]}{' for ' + key[2] if key[2] else ''} fired {times} times in {seconds(window)}",
            {
                "alertname": key[0],
                "window_s": window,
                "fired": [{"from": stamp(first), "to": stamp(last)} for first, last in cause.recent[-10:]],
                **({"service": key[2]} if key[1] == "service" else {}),
            },
        )
        flaps = status != OK
        judge.facts["alerts_flapping"] += flaps
        spans = cause.intervals
        over = spans[:-1] if key in still else spans
        if over:
            case.told["resolved"].append(
                {
                    "object": case.name(key[0], key[2]),
                    "alertname": key[0],
                    "service": key[2] if key[1] == "service" else None,
                    "severity": cause.severity or None,
                    "times": len(over),
                    "first": stamp(over[0][0]),
                    "last": stamp(over[-1][1]),
                    "seconds": round(sum(last - first for first, last in over)),
                    "firing": key in still,
                    "flapping": flaps,
                }
            )
    case.told["resolved"].sort(key=lambda one: (one["last"], one["object"]), reverse=True)
    judge.facts["alerts_came_and_went"] = len(case.told["resolved"])
    del case.told["resolved"][_MOST_LISTED:]


def _silences(case: Case) -> None:
    judge, seen = case.judge, mapping(case.observation, "silences")
    if mapping(seen, "error"):
        judge.unseen(checks.SILENCE, excuse(mapping(seen, "error")))
        return
    judge.looked(checks.SILENCE, 0)
    soon = finite(case.asked.get("expiring_s")) or 0.0
    for silence in case.silences:
        ends = moment(text(silence, "endsAt"))
        holds = sorted(
            {
                key[0]
                for key, alerts in case.firing.items()
                for one in alerts
                if text(silence, "id") in texts(one, "silenced_by")
            }
        )
        case.told["silences"].append(_told_silence(silence, holds))
        if text(silence, "state") not in ("active", "pending"):
            continue
        what = silences.words(silence) or "(no matcher)"
        obj = case.name("silence", what[:150])
        who = silences.author(silence) or "somebody"
        evidence = {**_told_silence(silence, holds)}
        left = (ends - case.now) / _DAY if ends is not None else 0.0
        until = f"until {text(silence, 'endsAt')[:16]}"
        if silences.covers_everything(silence):
            judge.report(checks.SILENCE, obj, f"{who} silences every alert {until}", CRITICAL, evidence=evidence)
            continue
        status = judge.value(
            checks.SILENCE, obj, round(left, 1), f"{who} silences {what} for another {left:.0f} days", evidence
        )
        if status == OK and holds and text(silence, "state") == "active" and 0 <= left * _DAY <= soon:
            judge.report(
                checks.SILENCE,
                obj,
                f"The silence of {who} ends in {seconds(left * _DAY)}, and {shortest(holds)} still fires",
                WARNING,
                value=round(left, 3),
                evidence=evidence,
                count=False,
            )


def _told_silence(silence: Mapping[str, Any], holds: Sequence[str]) -> dict[str, Any]:
    told: dict[str, Any] = redact(
        {
            "id": text(silence, "id"),
            "state": text(silence, "state"),
            "matchers": silences.words(silence),
            "author": silences.author(silence),
            "comment": text(silence, "comment"),
            "starts": text(silence, "startsAt"),
            "ends": text(silence, "endsAt"),
            "alerts": list(holds),
        }
    )
    return told


def _facts(case: Case) -> None:
    facts, told = case.judge.facts, case.told
    status = mapping(case.observation, "status")
    facts["version"] = text(status, "version") or None
    facts["cluster"] = text(status, "cluster") or None
    facts["peers"] = int(finite(status.get("peers")) or 0)
    for name in ("alerts_firing", "silenced", "inhibited"):
        facts.setdefault(name, None)
    facts.setdefault("alerts_came_and_went", None)
    facts.setdefault("alerts_flapping", None)
    facts["silences"] = sum(1 for one in told["silences"] if one["state"] == "active")
    facts["since"] = stamp(finite(case.observation.get("since")) or 0.0)
    facts["took_ms"] = finite(case.observation.get("took_ms"))


def _by_integration(answer: Mapping[str, Any]) -> dict[str, float]:
    return {
        labels_of(one).get("integration", ""): value
        for one in rows(answer, "series")
        for value in [finite(one.get("value"))]
        if value is not None
    }


def _numbers(counted: Mapping[str, Any]) -> dict[str, float]:
    found = {str(name): finite(value) for name, value in counted.items()}
    return {name: value for name, value in found.items() if value is not None}


def stamp(at: float) -> str:
    """A time as ISO 8601 in UTC, to the second."""
    try:
        return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return ""


def clock(at: float | None, now: float) -> str:
    """A time for a sentence: the clock for today's, the date for older ones."""
    if at is None:
        return "an unknown time"
    shown = stamp(at)
    return f"{shown[11:16]} UTC" if now - at < _DAY else f"{shown[:10]} {shown[11:16]} UTC"

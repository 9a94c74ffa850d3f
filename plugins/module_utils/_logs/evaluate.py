# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what was counted, alone and against an earlier look. Pure: an observation in, findings out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._core.finding import UNKNOWN, WARNING
from .._core.judge import Judge
from . import checks
from .options import KINDS
from .templates import alike

_MOST = 5
_LARGEST = 10**15
Doc = Mapping[str, Any]


@dataclass(frozen=True)
class Earlier:
    """What an earlier look has to say.

    :ivar asked: whether the user asks for a comparison at all.
    :ivar observation: of the earlier look; None where there is none.
    :ivar recorded_at: when it was.
    """

    asked: bool = False
    observation: Doc | None = None
    recorded_at: str | None = None


@dataclass(frozen=True)
class _Template:
    text: str
    id: str
    count: int
    fatal: int
    first: str
    last: str
    sample: str
    trace: tuple[str, ...]
    places: tuple[str, ...]

    @property
    def short(self) -> str:
        """For a title."""
        return self.text if len(self.text) <= 160 else self.text[:159] + "…"


@dataclass(frozen=True)
class _Owner:
    name: str
    kind: str
    service: str
    events: int
    fatal: int
    templates: tuple[_Template, ...]
    total: int
    full: bool


def evaluate(observation: Doc, judge: Judge, earlier: Earlier | None = None, min_events: int = 3) -> None:
    """Judge an observation.

    :param earlier: the look before; min_events: a template with fewer events is neither new nor rising.
    """
    earlier = earlier or Earlier()
    hours = _positive(observation.get("seconds"), 3600.0) / 3600.0
    sources = _sources(observation)
    owners = _owners(observation)
    _read(sources, owners, judge)
    seen = any(_whole(one.get("items")) for one in sources.values()) or bool(owners)
    facts: dict[str, Any] = {
        "log_owners": len(owners),
        "log_owners_quiet": sum(1 for one in owners if not one.events),
        "log_events": sum(one.events for one in owners),
        "log_templates": sum(one.total for one in owners),
        "log_bytes": sum(_whole(one.get("bytes")) for one in sources.values()),
        "log_hours": round(hours, 4),
        "log_new_templates": None,
    }
    judge.facts = facts
    if not seen and any(_whole(one.get("missed")) for one in sources.values()):
        judge.unseen_rest("no log could be read: " + _why(sources))
        return
    for check in (checks.FATAL, checks.ERRORS):
        judge.looked(check, 0)
    for owner in owners:
        _fatal(owner, judge)
        _errors(owner, hours, judge)
    facts["log_new_templates"] = _compare(owners, hours, earlier, min_events, judge)


def _read(sources: Mapping[str, Doc], owners: Sequence[_Owner], judge: Judge) -> None:
    judge.looked(checks.SOURCE, 0)
    judge.looked(checks.BOUNDED, 0)
    for name, source in sources.items():
        obj = f"{judge.target}/{name}"
        missed = _whole(source.get("missed"))
        errors = [one for one in _list(source.get("errors")) if isinstance(one, Mapping)]
        if missed or errors:
            said = [_text(one.get("text")) for one in errors]
            nothing = not _whole(source.get("items"))
            title = "%s could not be read%s" % (
                name if nothing else "%d of the logs of %s" % (max(missed, len(errors)), name),
                ": " + said[0] if said and said[0] else "",
            )
            judge.report(
                checks.SOURCE,
                obj,
                title[:300],
                UNKNOWN,
                value=float(max(missed, len(errors))),
                evidence={"reasons": said[:_MOST], "kinds": sorted({_text(one.get("kind")) for one in errors})},
            )
        else:
            judge.looked(checks.SOURCE)
        cut = [_text(one) for one in _list(source.get("cut")) if _text(one)]
        if cut:
            many = max(_whole(source.get("cuts")), len(cut))
            judge.report(
                checks.BOUNDED,
                obj,
                "not all of %s was looked at: %s%s" % (name, cut[0], f" (+{many - 1})" if many > 1 else ""),
                WARNING,
                evidence={"limits": cut[:_MOST], "read_bytes": _whole(source.get("bytes"))},
            )
        else:
            judge.looked(checks.BOUNDED)
    for owner in owners:
        if owner.full:
            judge.report(
                checks.BOUNDED,
                f"{judge.target}/{owner.name}",
                f"{owner.name} logs more kinds of errors than are told apart ({owner.total})",
                WARNING,
                evidence={"service": owner.service, "templates": owner.total},
                remedy="raise max_templates, or look at what makes every error different: {object}",
            )


def _fatal(owner: _Owner, judge: Judge) -> None:
    found = [one for one in owner.templates if one.fatal]
    title = f"{_last(owner.name)} logs no panic"
    if owner.fatal:
        title = "%s logs %s" % (_last(owner.name), _times(owner.fatal, "fatal event"))
        if found:
            title += ": " + found[0].sample[:160]
    judge.value(
        checks.FATAL,
        f"{judge.target}/{owner.name}",
        float(owner.fatal),
        title,
        _evidence(owner, found) if found else None,
    )


def _errors(owner: _Owner, hours: float, judge: Judge) -> None:
    rate = round(owner.events / hours, 2)
    title = f"{_last(owner.name)} logs no error"
    if owner.events:
        title = "%s logs %s in %s" % (_last(owner.name), _times(owner.events, "error"), _span(hours))
        if owner.templates:
            top = max(owner.templates, key=lambda one: one.count)
            title += ", %s of one kind: %s" % (_share(top.count, owner.events), top.short)
    ordered = sorted(owner.templates, key=lambda one: (-one.count, one.text))
    evidence = _evidence(owner, ordered) if owner.events else None
    judge.value(checks.ERRORS, f"{judge.target}/{owner.name}", rate, title, evidence)


def _compare(owners: Sequence[_Owner], hours: float, earlier: Earlier, min_events: int, judge: Judge) -> int | None:
    """Judge against the earlier look; returns how many templates are new, None where nobody can say."""
    both = (checks.NEW_TEMPLATE, checks.RISING)
    if not earlier.asked:
        # Nobody asks: without an earlier look nothing is called new.
        for check in both:
            judge.looked(check, 0)
        return None
    if earlier.observation is None:
        for check in both:
            judge.unseen(check, "there is no earlier look to compare with")
        return None
    before_hours = _positive(earlier.observation.get("seconds"), 3600.0) / 3600.0
    before = {one.name: one for one in _owners(earlier.observation)}
    blind = _blind(earlier.observation)
    for check in both:
        judge.looked(check, 0)
    total = 0
    for owner in owners:
        known = before.get(owner.name)
        if owner.kind in blind:
            # What was not read then is not new now.
            continue
        obj = f"{judge.target}/{owner.name}"
        new, rising = _news(owner, known, hours, before_hours, min_events)
        # An owner that is new itself, or whose earlier templates were more than are kept, cannot have them called new.
        complete = known is None or (not known.full and known.total <= len(known.templates))
        new = new if complete else []
        total += len(new)
        title = f"{_last(owner.name)} logs nothing new"
        if new:
            title = "%s logs %s: %s" % (_last(owner.name), _times(len(new), "new kind of error", "new kinds of errors"),
                                        new[0].short)  # fmt: skip
        evidence = {**_evidence(owner, new), "since": earlier.recorded_at} if new else None
        judge.value(checks.NEW_TEMPLATE, obj, float(len(new)), title, evidence)
        factor = rising[0][0] if rising else 0.0
        title = f"{_last(owner.name)} logs nothing more often"
        if rising:
            factor, template, rate, old = rising[0]
            title = "%s logs %.3g times as often (%.3g/h, was %.3g/h): %s" % (
                _last(owner.name), factor, rate, old, template.short)  # fmt: skip
        evidence = {**_evidence(owner, [one[1] for one in rising]), "since": earlier.recorded_at} if rising else None
        judge.value(checks.RISING, obj, round(factor, 2), title, evidence)
    return total


def _news(
    owner: _Owner, known: _Owner | None, hours: float, before_hours: float, min_events: int
) -> tuple[list[_Template], list[tuple[float, _Template, float, float]]]:
    """Templates that are new, the most frequent first; those that rose, as (factor, template, rate, rate before)."""
    new, rising = [], []
    for template in sorted(owner.templates, key=lambda one: (-one.fatal, -one.count, one.text)):
        # One that is fatal needs no company to be worth a look.
        if template.count < min_events and not template.fatal:
            continue
        counts = [one.count for one in known.templates if alike(one.text, template.text)] if known else []
        if not counts:
            new.append(template)
            continue
        rate, old = template.count / hours, sum(counts) / before_hours
        if old > 0 and rate > old:
            rising.append((rate / old, template, rate, old))
    return new, sorted(rising, key=lambda one: (-one[0], one[1].text))


def _blind(observation: Doc) -> set[str]:
    """Kinds of sources that an earlier look did not have, or of which it has missed something."""
    sources = _sources(observation)
    whole = {name.split("-", 1)[0] for name in sources}
    return {kind for kind in KINDS if kind not in whole} | {
        name.split("-", 1)[0] for name, one in sources.items() if _whole(one.get("missed"))
    }


def _evidence(owner: _Owner, templates: Sequence[_Template]) -> dict[str, Any]:
    """What an operator needs: the kinds of errors, counted, with one sample of each and the trace of the first."""
    found: dict[str, Any] = {"source": owner.kind, "events": owner.events, "kinds": owner.total}
    if owner.service:
        found["service"] = owner.service
    found["templates"] = [
        {
            key: value
            for key, value in (
                ("id", one.id),
                ("template", one.text[:300]),
                ("count", one.count),
                ("first", one.first),
                ("last", one.last),
                ("sample", one.sample[:300]),
                ("in", list(one.places[:3])),
            )
            if value
        }
        for one in templates[:_MOST]
    ]
    trace = next((one.trace for one in templates[:_MOST] if one.trace), ())
    if trace:
        found["trace"] = list(trace)
    return found


def _sources(observation: Doc) -> dict[str, Doc]:
    found = observation.get("sources")
    if not isinstance(found, Mapping):
        return {}
    return {str(name): one for name, one in found.items() if isinstance(one, Mapping)}


def _owners(observation: Doc) -> list[_Owner]:
    found = observation.get("owners")
    if not isinstance(found, Mapping):
        return []
    owners = []
    for name, one in found.items():
        if not isinstance(one, Mapping) or not str(name):
            continue
        templates = tuple(_template(each) for each in _list(one.get("templates")) if isinstance(each, Mapping))
        owners.append(
            _Owner(
                str(name),
                _text(one.get("kind")),
                _text(one.get("service")),
                _whole(one.get("events")),
                _whole(one.get("fatal")),
                templates,
                max(_whole(one.get("templates_total")), len(templates)),
                one.get("templates_full") is True,
            )
        )
    return owners


def _template(one: Doc) -> _Template:
    return _Template(
        _text(one.get("template")),
        _text(one.get("id")),
        _whole(one.get("count")),
        _whole(one.get("fatal")),
        _text(one.get("first")),
        _text(one.get("last")),
        _text(one.get("sample")),
        tuple(_text(line) for line in _list(one.get("trace"))),
        tuple(_text(place) for place in _list(one.get("places"))),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: Any) -> int:
    """A count; 0 of what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0
    return int(value) if 0 <= value <= _LARGEST else 0


def _positive(value: Any, default: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return default
    return float(value) if 0 < value <= _LARGEST else default


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _why(sources: Mapping[str, Doc]) -> str:
    reasons = [
        _text(error.get("text"))
        for one in sources.values()
        for error in _list(one.get("errors"))
        if isinstance(error, Mapping)
    ]
    return next((reason for reason in reasons if reason), "no reason is known")[:200]


def _last(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _times(count: int, one: str, many: str = "") -> str:
    return "%d %s" % (count, one if count == 1 else many or one + "s")


def _share(part: int, whole: int) -> str:
    return "all" if part >= whole else "%d %%" % (100 * part // max(whole, 1))


def _span(hours: float) -> str:
    if hours < 0.05:
        return "%.3g s" % (hours * 3600)
    return "%.3g min" % (hours * 60) if hours < 1.5 else "%.3g h" % hours

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found, counted: by owner and template, within bounds."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .levels import FATAL, Event, deadly, read, when_of
from .mask import Masker
from .personal import clean
from .templates import Template, Tree, groups, identity
from .times import Clock

_MOST_PLACES = 5
_MOST_SHOWN = 40
_SAMPLE = 500
_FUTURE = 300.0


class _Stat:
    __slots__ = ("count", "deadly", "fatal", "first", "last", "places", "sample", "trace")

    def __init__(self, sample: str, trace: Sequence[str]) -> None:
        self.count = 0
        self.fatal = 0
        self.deadly = deadly(sample) or any(deadly(line) for line in trace[:2])
        self.first: float | None = None
        self.last: float | None = None
        self.sample = sample
        self.trace = trace
        self.places: list[str] = []

    def add(self, other: _Stat) -> None:
        """Put the counts of another one to these."""
        self.count += other.count
        self.fatal += other.fatal
        self.first = min((when for when in (self.first, other.first) if when is not None), default=None)
        self.last = max((when for when in (self.last, other.last) if when is not None), default=None)
        new = [place for place in other.places if place not in self.places]
        self.places += new[: _MOST_PLACES - len(self.places)]
        self.trace = self.trace or other.trace

    def plain(self) -> list[Any]:
        return [self.sample, list(self.trace), self.count, self.fatal, self.first, self.last, self.places]

    @classmethod
    def of(cls, plain: Sequence[Any]) -> _Stat:
        """From what :meth:`plain` gave."""
        stat = cls(plain[0], plain[1])
        stat.count, stat.fatal, stat.first, stat.last, stat.places = plain[2:]
        return stat


class Owner:
    """All that was found of one owner: a Deployment, a unit, a file, a service of Compose.

    :ivar name: the part of the objects of its findings after the target.
    :ivar service: of the catalogue, where it is known.
    :ivar kind: of the source: ``pods``, ``files``, ``journal``, ``compose``.
    """

    def __init__(self, name: str, kind: str, service: str, tree: Tree) -> None:
        self.name = name
        self.kind = kind
        self.service = service
        self.events = 0
        self.fatal = 0
        self.stats: dict[Template, _Stat] = {}
        self.tree = tree


class Book:
    """Counts events; safe to use from several threads.

    :param start: begin of the window, seconds since 1970; end: its end.
    :param most_events: events that are counted at most; most_templates: templates an owner.
    """

    def __init__(self, start: float, end: float, most_events: int, most_templates: int) -> None:
        self.start = start
        self.end = end
        self.events = 0
        self.owners: dict[str, Owner] = {}
        self.clock = Clock(end)
        self._most_events = most_events
        self._most_templates = most_templates
        self._masker = Masker()
        self._lock = threading.Lock()
        self._counts: memoryview | None = None
        self._place = 0

    @property
    def full(self) -> bool:
        """Whether no more events are counted."""
        return self.events >= self._room()

    @property
    def most_events(self) -> int:
        return self._most_events

    def owner(self, name: str, kind: str, service: str = "") -> Owner:
        """The owner of a name, made when it is new: one without errors was looked at, too."""
        with self._lock:
            found = self.owners.get(name)
            if found is None:
                found = self.owners[name] = Owner(name, kind, service, Tree(self._most_templates, self._masker))
            return found

    def line(self, owner: Owner, raw: bytes, place: str, when: float | None = None, forced: bool = False) -> None:
        """Count what a source has found: an event with the lines of its trace, as bytes.

        :param place: pod or unit that it stood in.
        :param when: what the source itself says about the time.
        :param forced: whether the source itself calls it an error.
        """
        with self._lock:
            if self.events >= self._most_events:
                return
            event = read(raw.decode("utf-8", "replace"), self.clock, forced)
            if event is not None:
                self._count(owner, event, place, event.when if when is None else when)

    def lines(
        self,
        owner: Owner,
        events: Sequence[tuple[bytes, int]],
        place: str,
        style: str,
        before: Callable[[int], list[bytes]],
    ) -> None:
        """The same for the events of a block of a file, each with where it begins.

        :param before: gives the lines before such a place, the nearest first: a trace on its own has no time.
        """
        with self._lock:
            room = self._room()
            for raw, begin in events:
                if self.events >= room:
                    break
                event = read(raw.decode("utf-8", "replace"), self.clock, False, style)
                if event is not None:
                    when = event.when
                    self._count(owner, event, place, self._near(before(begin)) if when is None else when)
            if self._counts is not None:
                self._counts[self._place] = self.events

    def _near(self, lines: list[bytes]) -> float | None:
        """The time of the nearest line that says one: a trace on its own has none."""
        for line in lines:
            text = line[:600].decode("utf-8", "replace")
            found = when_of(text, self.clock)
            if found is not None:
                return found
        return None

    def _count(self, owner: Owner, event: Event, place: str, when: float | None) -> None:
        if when is not None and not self.start <= when <= self.end + _FUTURE:
            return
        self.events += 1
        owner.events += 1
        template = owner.tree.add(event.head)
        stat = owner.stats.get(template)
        if stat is None:
            stat = owner.stats[template] = _Stat(event.head, event.trace)
        stat.count += 1
        if stat.deadly or event.level == FATAL:
            stat.fatal += 1
            owner.fatal += 1
        if event.trace and not stat.trace:
            stat.trace = event.trace
        if when is not None:
            if stat.first is None or when < stat.first:
                stat.first = when
            if stat.last is None or when > stat.last:
                stat.last = when
        if place not in stat.places and len(stat.places) < _MOST_PLACES:
            stat.places.append(place)
        if event.service and not owner.service:
            owner.service = event.service

    def share(self, counts: memoryview | None, place: int) -> None:
        """Bound the events of several books together, each in a process of its own; it may be a block more or less.

        :param counts: the events of each, in memory that the processes share; None ends it.
        :param place: of this one.
        """
        self._counts, self._place = counts, place
        if counts is not None:
            counts[place] = self.events

    def _room(self) -> int:
        """So many events may be in this book."""
        if self._counts is None:
            return self._most_events
        return self._most_events - (sum(self._counts) - self._counts[self._place])

    def clear(self) -> None:
        """Forget what was counted; the owners stay."""
        self.events = 0
        for owner in self.owners.values():
            owner.events = owner.fatal = 0
            owner.stats, owner.tree = {}, Tree(self._most_templates, self._masker)

    def plain(self) -> dict[str, Any]:
        """What was counted, as plain values for :meth:`add`."""
        return {
            name: [
                owner.kind, owner.service, owner.events, owner.fatal, owner.tree.full,
                [[template.words, stat.plain()] for template, stat in owner.stats.items()],
            ]
            for name, owner in self.owners.items()
        }  # fmt: skip

    def add(self, plain: Mapping[str, Any]) -> None:
        """Put what another book has counted to this one."""
        for name, (kind, service, events, fatal, full, stats) in plain.items():
            owner = self.owner(name, kind, service)
            with self._lock:
                self.events += events
                owner.events += events
                owner.fatal += fatal
                owner.service = owner.service or service
                owner.tree.full = owner.tree.full or full
                for words, values in stats:
                    template, found = owner.tree.of(words), _Stat.of(values)
                    if template in owner.stats:
                        owner.stats[template].add(found)
                    else:
                        owner.stats[template] = found

    def result(self) -> dict[str, Any]:
        """Everything as plain values; templates with the deadly ones first, then the most frequent."""
        return {name: _owner(self.owners[name]) for name in sorted(self.owners)}


def _owner(owner: Owner) -> dict[str, Any]:
    # What is the same without its secrets is one.
    cleaned: dict[str, list[_Stat]] = {}
    for text, members in groups(list(owner.stats)):
        cleaned.setdefault(clean(text), []).extend(owner.stats[one] for one in members)
    kinds = [(text, _added(stats)) for text, stats in cleaned.items()]
    ordered = sorted(kinds, key=lambda one: (-one[1].fatal, -one[1].count, one[0]))
    # The most frequent ones are there, however many deadly ones there are.
    shown = dict(ordered[: _MOST_SHOWN // 2])
    for text, stat in sorted(ordered, key=lambda one: (-one[1].count, one[0])):
        if len(shown) >= _MOST_SHOWN:
            break
        shown.setdefault(text, stat)
    return {
        "kind": owner.kind,
        "service": owner.service or None,
        "events": owner.events,
        "fatal": owner.fatal,
        "templates": [_template(text, stat) for text, stat in shown.items()],
        "templates_total": len(kinds),
        "templates_full": owner.tree.full,
    }


def _added(stats: list[_Stat]) -> _Stat:
    """The counts of several templates that turned out to be one; the sample of the most frequent."""
    best = max(stats, key=lambda one: (one.fatal, one.count))
    for one in stats:
        if one is not best:
            best.add(one)
    return best


def _template(text: str, stat: _Stat) -> dict[str, Any]:
    return {
        "id": identity(text),
        "template": text,
        "count": stat.count,
        "fatal": stat.fatal,
        "first": iso(stat.first),
        "last": iso(stat.last),
        "sample": clean(stat.sample[:_SAMPLE]),
        "trace": [clean(line[:200]) for line in stat.trace[:12]],
        "places": stat.places,
    }


def iso(seconds: float | None) -> str | None:
    """``2026-11-22T06:00:00Z``; None of None, and of what is no time."""
    if seconds is None:
        return None
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return None

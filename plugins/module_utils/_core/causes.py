# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cause before symptom: which finding explains which, along the dependency map. Pure: marks in, fingerprints out.

The rules, in the order in which they are applied:

1. A cause that a module has already named stays, unless it would make a circle.
2. Only *symptoms* are explained: what a broken dependency does to a service (it restarts, is not ready, answers 503).
   An image that cannot be pulled is never somebody else's fault.
3. Only a *critical outage* explains: what really takes a component away from those that need it. An unused index does
   not stop anybody, however the database is called.
4. A component's own fault comes first (crash loop because of a missing Secret), then what is at the bottom of the chain
   of bad components that it depends on. A chain ends at a component that is not known to be bad.
5. Components that depend on one another in a circle are one: its cause is looked for below it, then inside.
6. Where several findings are equally near to the cause they are a tie, and said to be one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .finding import CRITICAL, badness


@dataclass(frozen=True)
class Mark:
    """What cause-finding knows about one finding.

    :ivar fingerprint: of the finding.
    :ivar component: node of the dependency map, None where the finding belongs to none.
    :ivar status: of the finding.
    :ivar rank: of its check; lower is nearer to a cause.
    :ivar outage: takes the component away from those that need it, when critical.
    :ivar symptom: may be the effect of something else that is broken.
    :ivar location: where the component runs (a cluster); None: not known.
    :ivar anywhere: True for systems that are the same from every location (a database server).
    :ivar caused_by: what the module said.
    :ivar order: a text to sort by, so that the same findings give the same causes in every run.
    """

    fingerprint: str
    component: str | None
    status: str
    rank: int = 50
    outage: bool = False
    symptom: bool = False
    location: str | None = None
    anywhere: bool = False
    caused_by: str | None = None
    order: str = ""

    @property
    def near(self) -> tuple[bool, int, int]:
        """A key: smaller is nearer to a cause. What is itself explained comes last."""
        return (self.caused_by is not None, -badness(self.status), self.rank)

    @property
    def key(self) -> tuple[str, str]:
        return (self.order, self.fingerprint)


@dataclass
class Causes:
    """The answer.

    :ivar caused_by: fingerprint of a finding -> fingerprint of the finding that explains it. Never a circle.
    :ivar ties: fingerprint of a finding -> others that explain it as well as the one in `caused_by` does.
    """

    caused_by: dict[str, str] = field(default_factory=dict)
    ties: dict[str, list[str]] = field(default_factory=dict)

    def root(self, fingerprint: str) -> str:
        """The finding at the end of the chain; the finding itself where nothing explains it."""
        while fingerprint in self.caused_by:
            fingerprint = self.caused_by[fingerprint]
        return fingerprint


def find_causes(marks: Iterable[Mark], depends_on: Mapping[str, Sequence[str]]) -> Causes:
    """Explain symptoms by outages.

    :param marks: one a finding; of several with one fingerprint the first counts.
    :param depends_on: component -> the components it needs; circles, unknown names and itself are fine.
    """
    known: dict[str, Mark] = {}
    for mark in sorted(marks, key=lambda one: one.key):
        known.setdefault(mark.fingerprint, mark)
    causes = Causes()
    for mark in known.values():
        if mark.caused_by is not None:
            _assign(causes, mark.fingerprint, [mark.caused_by])
    locations = sorted({mark.location for mark in known.values() if mark.location is not None and not mark.anywhere})
    for location in locations:
        here = [mark for mark in known.values() if mark.anywhere or mark.location == location]
        _explain(causes, here, here, depends_on)
    # What has no known place may be explained from every place.
    placeless = [mark for mark in known.values() if mark.anywhere or mark.location is None]
    _explain(causes, placeless, list(known.values()), depends_on)
    return causes


def _explain(
    causes: Causes, symptoms: Sequence[Mark], scope: Sequence[Mark], depends_on: Mapping[str, Sequence[str]]
) -> None:
    bad: dict[str, list[Mark]] = {}
    for mark in scope:
        if mark.component is not None and mark.outage and mark.status == CRITICAL:
            bad.setdefault(mark.component, []).append(mark)
    roots = _roots(bad, depends_on)
    for mark in symptoms:
        if not mark.symptom or mark.component is None or mark.fingerprint in causes.caused_by:
            continue
        own = _nearest(one for one in bad.get(mark.component, ()) if not one.symptom and one.rank < mark.rank)
        if own:
            candidates = own
        elif mark.component in bad:
            candidates = roots[mark.component]
        else:
            below = [root for need in depends_on.get(mark.component, ()) if need in bad for root in roots[need]]
            candidates = _nearest(below)
        if any(one.fingerprint == mark.fingerprint for one in candidates):
            continue
        # Of one and the same component the higher rank never explains the lower one.
        candidates = [one for one in candidates if one.component != mark.component or one.rank <= mark.rank]
        _assign(causes, mark.fingerprint, [one.fingerprint for one in candidates])


def _roots(bad: Mapping[str, Sequence[Mark]], depends_on: Mapping[str, Sequence[str]]) -> dict[str, list[Mark]]:
    """For each bad component what is at the bottom of it."""
    edges = {name: [need for need in depends_on.get(name, ()) if need in bad and need != name] for name in sorted(bad)}
    roots: dict[str, list[Mark]] = {}
    for circle in strongly_connected(edges):
        inside = [mark for name in circle for mark in bad[name]]
        found = _nearest(mark for mark in inside if not mark.symptom)
        if not found:
            found = _nearest(
                root for name in circle for need in edges[name] if need not in circle for root in roots[need]
            )
        if not found:
            found = _nearest(inside)
        for name in circle:
            roots[name] = found
    return roots


def _nearest(marks: Iterable[Mark]) -> list[Mark]:
    """Those nearest to a cause: one, or several in a tie; in a fixed order, each once."""
    unique = {mark.fingerprint: mark for mark in marks}
    if not unique:
        return []
    best = min(mark.near for mark in unique.values())
    return sorted((mark for mark in unique.values() if mark.near == best), key=lambda mark: mark.key)


def _assign(causes: Causes, fingerprint: str, candidates: Sequence[str]) -> None:
    good = [one for one in candidates if causes.root(one) != fingerprint]
    if good:
        causes.caused_by[fingerprint] = good[0]
        if good[1:]:
            causes.ties[fingerprint] = list(good[1:])


def strongly_connected(edges: Mapping[str, Sequence[str]]) -> Iterator[set[str]]:
    """Groups of nodes that reach one another, each group after all that it leads to (Tarjan, without recursion)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    for start in edges:
        if start in number:
            continue
        work: list[tuple[str, Iterator[str]]] = []
        _enter(start, number, low, stack, on_stack, work, edges)
        while work:
            node, rest = work[-1]
            for need in rest:
                if need not in number:
                    _enter(need, number, low, stack, on_stack, work, edges)
                    break
                if need in on_stack:
                    low[node] = min(low[node], number[need])
            else:
                work.pop()
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[node])
                if low[node] == number[node]:
                    group: set[str] = set()
                    while node not in group:
                        member = stack.pop()
                        on_stack.discard(member)
                        group.add(member)
                    yield group


def _enter(
    node: str,
    number: dict[str, int],
    low: dict[str, int],
    stack: list[str],
    on_stack: set[str],
    work: list[tuple[str, Iterator[str]]],
    edges: Mapping[str, Sequence[str]],
) -> None:
    number[node] = low[node] = len(number)
    stack.append(node)
    on_stack.add(node)
    work.append((node, iter(edges.get(node, ()))))

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A checklist that fills while the run goes. Pure: events in, lines out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._checklists import Item
from .._core.check import Check
from .._core.finding import STATUSES, UNKNOWN, worst
from .looks import CAPABILITIES, Look, capabilities_of, read_result
from .terminal import Paint, status
from .text import clean, cut, duration, listed, pad, plural


class Progress:
    """What is known so far.

    :param systems: inventory name -> names of its groups, for every system that is going to be looked at.
    :param engines: inventory name -> database engine, where it is known.
    """

    def __init__(
        self,
        items: Sequence[Item],
        checks: Mapping[str, Check],
        systems: Mapping[str, Sequence[str]],
        engines: Mapping[str, str] | None = None,
    ) -> None:
        self.items = items
        self.checks = checks
        self.waiting: dict[tuple[str, str], str] = {}
        for name, groups in systems.items():
            for capability in capabilities_of(groups, (engines or {}).get(name))[0]:
                self.waiting[(name, capability.module)] = capability.system
        self.total = len(self.waiting)
        self._rows: dict[str, list[str]] = {}

    def finished(self, name: str, module: str, result: Mapping[str, Any], seconds: float | None) -> tuple[Look, str]:
        """A look has ended, well or not. Returns it, and its line."""
        capability = next(one for one in CAPABILITIES if one.module == module)
        look = Look(name=name, capability=capability)
        read_result(look, result)
        system = self.waiting.pop((name, module), capability.system)
        if look.error is not None:
            for check in self.checks.values():
                if check.system == system:
                    self._rows.setdefault(check.id, []).append(UNKNOWN)
        for row in look.coverage:
            word = str(row.get("status"))
            self._rows.setdefault(str(row.get("check")), []).append(word if word in STATUSES else UNKNOWN)
        return look, describe(look, seconds)

    def lines(self, paint: Paint, columns: int) -> list[str]:
        """A line for each item, and one for what is still being looked at."""
        out = []
        for place, item in enumerate(self.items, 1):
            own = [check for check in self.checks.values() if item.answered_by(check)]
            systems = {check.system for check in own}
            open_looks = [name for (name, _module), system in self.waiting.items() if system in systems]
            seen = [word for check in own for word in self._rows.get(check.id, ())]
            first = "%2d %s  " % (place, pad(clean(item.short), 30))
            if open_looks:
                words = "%s waiting for %s" % (pad("…", 11), listed(open_looks, 4))
                if seen and worst(seen) != "ok":
                    words = "%s  waiting for %s" % (status(worst(seen), paint), listed(open_looks, 4))
                    out.append(first + words)
                else:
                    out.append(first + paint(cut(words, columns - len(first)), "dark gray"))
            else:
                out.append(first + status(worst(seen) if seen else "not covered", paint))
        done = self.total - len(self.waiting)
        out.append("")
        out.append(cut("looked at %d of %s" % (done, plural(self.total, "system")), columns))
        return out


def describe(look: Look, seconds: float | None) -> str:
    """``db1  PostgreSQL server  critical  1 critical, 2 warning; 38 of 38 checks, 214 objects, 0.9 s``."""
    took = ", %s" % duration(seconds) if seconds is not None else ""
    before = "%s %s" % (pad(clean(look.name), 20), pad(look.capability.noun, 19))
    if look.error is not None:
        return "%s %s %s%s" % (before, pad(UNKNOWN, 9), look.error_title.split(" ", 1)[1], took)
    counts = {
        word: sum(1 for one in look.findings if one.get("status") == word)
        for word in ("critical", "unknown", "warning")
    }
    found = ", ".join("%d %s" % (count, word) for word, count in counts.items() if count)
    seen = sum(1 for row in look.coverage if row.get("seen"))
    objects = sum(int(row.get("objects") or 0) for row in look.coverage)
    words = [str(row.get("status")) for row in look.coverage]
    verdict = worst([word for word in words if word in STATUSES] + [word for word, count in counts.items() if count])
    text = "%d of %s, %s%s" % (seen, plural(len(look.coverage), "check"), plural(objects, "object"), took)
    recorded = "; recorded %s, not live" % clean(look.recorded_at) if look.recorded_at else ""
    return "%s %s %s%s%s" % (before, pad(verdict, 9), "%s; " % found if found else "", text, recorded)

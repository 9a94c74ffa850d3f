# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What evaluators work with: the observation read without trust, and the judge with this system's names."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._core.finding import OK, fingerprint
from .._core.judge import Judge

Row = Mapping[str, Any]

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*\Z")

_UNITS = {
    "B": 1.0,
    "kB": 1024.0,
    "8kB": 8192.0,
    "MB": 1024.0**2,
    "GB": 1024.0**3,
    "ms": 0.001,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}


@dataclass(frozen=True)
class Expect:
    """What the inventory says about a server.

    :ivar standbys: names of the standbys that must be connected.
    :ivar ignore_applications: patterns of application names whose statements may take as long as they like.
    :ivar sizes: bytes by database of an earlier look, None where there is none.
    :ivar sizes_s: how many seconds before this look that was.
    :ivar growth: whether growth is asked at all; no_sizes: why there is no earlier look.
    """

    standbys: tuple[str, ...] = ()
    ignore_applications: tuple[str, ...] = ()
    sizes: Mapping[str, float] | None = None
    sizes_s: float = 0.0
    growth: bool = False
    no_sizes: str = ""


def number(row: Any, key: str) -> float | None:
    """A finite number of a row, or None."""
    value = row.get(key) if isinstance(row, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        value = float(value)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def amount(row: Any, key: str) -> float:
    """A number of a row that is not negative; 0 where there is none. Clocks and counters may run back a little."""
    return max(number(row, key) or 0.0, 0.0)


def text(row: Any, key: str) -> str:
    """A text of a row, or an empty one."""
    value = row.get(key) if isinstance(row, Mapping) else None
    return value if isinstance(value, str) else ""


def flag(row: Any, key: str) -> bool:
    """Whether a value of a row is true."""
    return isinstance(row, Mapping) and row.get(key) is True


def texts(row: Any, key: str) -> list[str]:
    """The texts of a list in a row."""
    value = row.get(key) if isinstance(row, Mapping) else None
    return [one for one in value if isinstance(one, str)] if isinstance(value, (list, tuple)) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


@dataclass
class Case:
    """One look at one server, and its judge.

    :ivar observation: as :func:`collect.collect` returned it, or as it was read from a file.
    :ivar apart: checks that are not asked of a server of this role, whatever its answers hold.
    """

    observation: Mapping[str, Any]
    judge: Judge
    expect: Expect
    apart: tuple[str, ...] = ()
    _filed: dict[str, str] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """Name of the server in objects."""
        return self.judge.target

    @property
    def server(self) -> Mapping[str, Any]:
        """Facts about the server."""
        return _mapping(self.observation.get("server"))

    @property
    def in_recovery(self) -> bool:
        """Whether it is a standby."""
        return flag(self.server, "in_recovery")

    @property
    def uptime(self) -> float:
        """Seconds since the server was started."""
        return amount(self.server, "uptime_s")

    def answers(self) -> Mapping[str, Any]:
        """Statements of the server by name."""
        return _mapping(self.observation.get("queries"))

    def databases(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The databases whose own catalogues were read."""
        for name, seen in _mapping(self.observation.get("databases")).items():
            yield str(name), _mapping(seen)

    def rows(self, name: str) -> list[Row] | None:
        """Rows of a statement; None where it was not answered."""
        return _rows(self.answers().get(name))

    def row(self, name: str) -> Row | None:
        """The first row of a statement."""
        rows = self.rows(name)
        return rows[0] if rows else None

    def each(self, name: str) -> Iterator[tuple[str, list[Row]]]:
        """Rows of a statement in each database that answered it."""
        for database, seen in self.databases():
            rows = _rows(_mapping(seen.get("queries")).get(name))
            if rows is not None:
                yield database, rows

    def setting(self, name: str) -> str:
        """A setting as text; empty where it is not known."""
        return next((text(row, "setting") for row in self.rows("settings") or () if text(row, "name") == name), "")

    def measure(self, name: str) -> float | None:
        """A setting as a number, in bytes or seconds where it has a unit."""
        for row in self.rows("settings") or ():
            if text(row, "name") == name:
                try:
                    value = float(text(row, "setting"))
                except ValueError:
                    return None
                return value * _UNITS.get(text(row, "unit"), 1.0) if math.isfinite(value) else None
        return None

    def statistics_age(self, row: Row) -> float:
        """Seconds that counters of this row have been counting for."""
        own = number(row, "statistics_s")
        return max(own if own is not None else amount(self.server, "statistics_s"), 0.0)

    def hourly(self, row: Row, key: str) -> float:
        """A counter by the hour since its statistics began. The first hour counts as one: a burst is no rate yet."""
        return round(amount(row, key) / max(self.statistics_age(row) / 3600.0, 1.0), 2)

    def name(self, *parts: str) -> str:
        """The object of a finding."""
        return "/".join([self.target, *[part for part in parts if part]])

    def psql(self, statement: str, database: str = "") -> str:
        """A command that an operator can paste."""
        place = [("-h", text(self.server, "host")), ("-d", database)]
        port = number(self.server, "port")
        if port is not None and port != 5432:
            place.append(("-p", "%d" % port))
        words = [word for option, value in place if value for word in (option, shlex.quote(value))]
        return " ".join(["psql", *words, "-c", shlex.quote(statement)])

    def looked(self, check: str, objects: int = 1) -> None:
        """See :meth:`Judge.looked`."""
        if check not in self.apart:
            self.judge.looked("postgres." + check, objects)

    def unseen(self, check: str, reason: str) -> None:
        """See :meth:`Judge.unseen`."""
        if check not in self.apart:
            self.judge.unseen("postgres." + check, reason)

    def value(
        self,
        check: str,
        obj: str,
        value: float,
        title: str,
        evidence: Mapping[str, Any] | None = None,
        remedy: str | None = None,
        ceiling: str | None = None,
        caused_by: str | None = None,
    ) -> str:
        """See :meth:`Judge.value`."""
        if check in self.apart:
            return OK
        status = self.judge.value("postgres." + check, obj, value, title, evidence, remedy, ceiling, caused_by)
        return self._file(check, obj, status)

    def report(
        self,
        check: str,
        obj: str,
        title: str,
        status: str | None = None,
        value: float | None = None,
        evidence: Mapping[str, Any] | None = None,
        remedy: str | None = None,
        caused_by: str | None = None,
    ) -> str:
        """See :meth:`Judge.report`."""
        if check in self.apart:
            return OK
        status = self.judge.report("postgres." + check, obj, title, status, value, evidence, remedy, caused_by)
        return self._file(check, obj, status)

    def cause(self, *candidates: tuple[str, str]) -> str | None:
        """Fingerprint of the first of these (check, object) that has a finding: it explains the one filed next."""
        for check, obj in candidates:
            mark = fingerprint("postgres." + check, obj)
            if mark in self._filed:
                return mark
        return None

    def any_cause(self, checks: Sequence[str]) -> str | None:
        """Fingerprint of any finding of these checks, whatever its object."""
        return next((mark for check in checks for mark, name in self._filed.items() if name == check), None)

    def _file(self, check: str, obj: str, status: str) -> str:
        if status != OK and self.judge.active("postgres." + check):
            self._filed[fingerprint("postgres." + check, obj)] = check
        return status


def identifier(*names: str) -> str:
    """A name, with its schema, as SQL wants it: quoted where it is not plain."""
    return ".".join(name if _PLAIN.match(name) else '"%s"' % name.replace('"', '""') for name in names)


def literal(value: str) -> str:
    """A text as SQL wants it."""
    return "'%s'" % value.replace("'", "''")


def _rows(answer: Any) -> list[Row] | None:
    rows = _mapping(answer).get("rows")
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else None

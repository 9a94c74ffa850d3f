# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What evaluators work with: the observation read without trust, and the judge with this system's names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._core.finding import OK, fingerprint
from .._core.judge import Judge

PRIMARY = "primary"
REPLICA = "replica"


@dataclass(frozen=True)
class Place:
    """A server or a Sentinel that the inventory names."""

    name: str
    host: str
    port: int

    @property
    def address(self) -> str:
        """As people write it."""
        return "%s:%d" % (self.host, self.port)


@dataclass(frozen=True)
class Expect:
    """What the inventory says about a server.

    :ivar role: ``primary`` or ``replica``; empty where either will do.
    :ivar replicas: that must be connected to it.
    :ivar sentinels: whether Sentinels are asked at all.
    :ivar earlier: INFO of an earlier look; None where there is none.
    :ivar earlier_s: how many seconds before this look that was.
    """

    role: str = ""
    replicas: tuple[Place, ...] = ()
    sentinels: bool = False
    earlier: Mapping[str, Any] | None = None
    earlier_s: float = 0.0


def number(row: Any, key: str) -> float | None:
    """A finite number of a row, also one that is written as text; or None."""
    value = row.get(key) if isinstance(row, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        value = float(value)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def amount(row: Any, key: str) -> float:
    """A number of a row that is not negative; 0 where there is none."""
    return max(number(row, key) or 0.0, 0.0)


def text(row: Any, key: str) -> str:
    """A text of a row, or an empty one."""
    value = row.get(key) if isinstance(row, Mapping) else None
    return value if isinstance(value, str) else ""


def mapping(row: Any, key: str) -> Mapping[str, Any]:
    """A mapping of a row, or an empty one."""
    value = row.get(key) if isinstance(row, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def rows(row: Any, key: str) -> list[Mapping[str, Any]]:
    """The mappings of a list in a row."""
    value = row.get(key) if isinstance(row, Mapping) else None
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, (list, tuple)) else []


def fields(value: str) -> dict[str, str]:
    """``ip=…,port=…,state=online`` as a mapping."""
    return dict(part.split("=", 1) for part in value.split(",") if "=" in part)


def tidy(evidence: Any) -> Any:
    """The same without numbers that JSON does not have: evidence shows what was said, and anything may have been."""
    if isinstance(evidence, Mapping):
        return {str(key): tidy(value) for key, value in evidence.items()}
    if isinstance(evidence, (list, tuple)):
        return [tidy(value) for value in evidence]
    return None if isinstance(evidence, float) and not math.isfinite(evidence) else evidence


@dataclass
class Case:
    """One look at one server, and its judge.

    :ivar apart: checks that are not asked of a server of this role, whatever its answers hold.
    """

    observation: Mapping[str, Any]
    judge: Judge
    expect: Expect
    apart: tuple[str, ...] = ()
    _filed: set[str] = field(default_factory=set)

    @property
    def target(self) -> str:
        """Name of the server in objects."""
        return self.judge.target

    @property
    def server(self) -> Mapping[str, Any]:
        """How the server was reached."""
        return mapping(self.observation, "server")

    @property
    def info(self) -> Mapping[str, Any]:
        """INFO, all sections in one."""
        return mapping(self.observation, "info")

    @property
    def role(self) -> str:
        """``primary``, ``replica`` or what else it says."""
        said = text(self.info, "role")
        return {"master": PRIMARY, "slave": REPLICA}.get(said, said)

    @property
    def now(self) -> float | None:
        """The server's own clock, in seconds."""
        micros = number(self.info, "server_time_usec")
        return micros / 1e6 if micros is not None else None

    def answer(self, name: str) -> tuple[Mapping[str, Any], str]:
        """The answer to a question of its own, and why there is none."""
        found = mapping(self.observation, name)
        return found, ("" if found and not found.get("error") else text(found, "error") or "was not asked")

    def name(self, *parts: str) -> str:
        """The object of a finding."""
        return "/".join([self.target, *[part for part in parts if part]])

    def hourly(self, key: str) -> tuple[float, str] | None:
        """A counter by the hour, and since when: the earlier look, or the start. None where it is not there.

        The first hour counts as one: a burst is no rate yet.
        """
        found = self.since(key)
        if found is None:
            return None
        grown, seconds, words = found
        return round(grown / max(seconds / 3600.0, 1.0), 2), words

    def since(self, key: str) -> tuple[float, float, str] | None:
        """How much a counter has grown, in how many seconds, and since when in words."""
        value = number(self.info, key)
        if value is None:
            return None
        before = number(self.expect.earlier, key)
        same = text(self.expect.earlier, "run_id") == text(self.info, "run_id")
        if before is not None and same and 0 <= before <= value and self.expect.earlier_s > 0:
            return value - before, self.expect.earlier_s, "since the last look"
        return max(value, 0.0), amount(self.info, "uptime_in_seconds"), "since it was started"

    def looked(self, check: str, objects: int = 1) -> None:
        """See :meth:`Judge.looked`."""
        if check not in self.apart:
            self.judge.looked("redis." + check, objects)

    def unseen(self, check: str, reason: str) -> None:
        """See :meth:`Judge.unseen`."""
        if check not in self.apart:
            self.judge.unseen("redis." + check, reason)

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
        status = self.judge.value("redis." + check, obj, value, title, tidy(evidence), remedy, ceiling, caused_by)
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
        status = self.judge.report("redis." + check, obj, title, status, value, tidy(evidence), remedy, caused_by)
        return self._file(check, obj, status)

    def cause(self, check: str, obj: str) -> str | None:
        """Fingerprint of a finding that was filed: it explains the one filed next."""
        mark = fingerprint("redis." + check, obj)
        return mark if mark in self._filed else None

    def _file(self, check: str, obj: str, status: str) -> str:
        if status != OK and self.judge.active("redis." + check):
            self._filed.add(fingerprint("redis." + check, obj))
        return status

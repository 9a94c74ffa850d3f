# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sample of the keys, taken so that nobody has to wait for it: small SCANs, small pipelines, never KEYS."""

from __future__ import annotations

import heapq
import time
from collections.abc import Sequence
from typing import Any

from .link import Failed, Link, Refused
from .parse import OTHER, kind, masked

# One round keeps the server for well under a millisecond, whatever the keys are.
SCAN_COUNT = 100
SAMPLES = 5
LARGEST = 10
KINDS = 200


class Sample:
    """What was found; :meth:`result` is plain JSON at any time, so that a look that is cut short keeps what it has."""

    def __init__(self, databases: Sequence[tuple[int, int]], budget: int) -> None:
        self.budget = budget
        self.databases = [{"db": number, "keys": keys, "looked_at": 0, "complete": False} for number, keys in databases]
        self.rounds = 0
        self.longest_s = 0.0
        self.error = ""
        self._kinds: dict[tuple[int, str], list[int]] = {}
        self._largest: list[tuple[int, int, str, int]] = []

    def take(self, link: Link, until: float) -> None:
        """Look at keys until the budget is spent, all were seen, or the time is over.

        :param until: as ``time.monotonic()`` has it.
        """
        total = sum(one["keys"] for one in self.databases) or 1
        for place in self.databases:
            # Each database gets its share of the budget; a small one is seen whole.
            share = max(1, -(-self.budget * place["keys"] // total))
            try:
                self._database(link, place, min(share, self.budget), until)
            except Failed as error:
                self.error = "the sample ended early: %s" % error
                return
            if self.error:
                return

    def _database(self, link: Link, place: dict[str, Any], share: int, until: float) -> None:
        if len(self.databases) > 1 or place["db"]:
            answer = link.ask(("SELECT", place["db"]))[0]
            if isinstance(answer, Refused):
                self.error = answer.text
                return
        cursor: Any = b"0"
        while True:
            if time.monotonic() > until:
                return
            answer = self._ask(link, ("SCAN", cursor, "COUNT", min(SCAN_COUNT, share)))[0]
            if isinstance(answer, Refused):
                self.error = answer.text
                return
            cursor, keys = answer
            # A table that is being rehashed gives more than was asked for.
            for start in range(0, len(keys), SCAN_COUNT):
                self._keys(link, place, keys[start : start + SCAN_COUNT])
                if self.error or place["looked_at"] >= share:
                    break
            if cursor == b"0":
                place["complete"] = place["looked_at"] < share or place["looked_at"] >= place["keys"]
                return
            if self.error or place["looked_at"] >= share:
                return

    def _keys(self, link: Link, place: dict[str, Any], keys: Sequence[bytes]) -> None:
        commands: list[tuple[Any, ...]] = []
        for key in keys:
            commands += [("MEMORY", "USAGE", key, "SAMPLES", SAMPLES), ("TTL", key)]
        answers = self._ask(link, *commands) if commands else []
        refused = next((one for one in answers if isinstance(one, Refused)), None)
        if refused is not None:
            self.error = refused.text
            return
        for at, key in enumerate(keys):
            size, ttl = answers[2 * at], answers[2 * at + 1]
            # One that expired in between is gone.
            if isinstance(size, int) and isinstance(ttl, int) and ttl != -2:
                self._count(place["db"], key.decode("utf-8", "backslashreplace"), size, ttl)
        place["looked_at"] += len(keys)

    def _ask(self, link: Link, *commands: Sequence[Any]) -> list[Any]:
        began = time.monotonic()
        answers = link.ask(*commands)
        self.rounds += 1
        self.longest_s = max(self.longest_s, time.monotonic() - began)
        return answers

    def _count(self, database: int, key: str, size: int, ttl: int) -> None:
        name = (database, kind(key))
        row = self._kinds.get(name)
        if row is None:
            if len(self._kinds) >= KINDS:
                name = (database, OTHER)
            row = self._kinds.setdefault(name, [0, 0, 0])
        row[0] += 1
        row[1] += ttl == -1
        row[2] += size
        if len(self._largest) < LARGEST or size > self._largest[0][0]:
            entry = (size, database, key, ttl)
            if len(self._largest) < LARGEST:
                heapq.heappush(self._largest, entry)
            else:
                heapq.heapreplace(self._largest, entry)

    def result(self) -> dict[str, Any]:
        """What was seen so far."""
        return {
            "error": self.error,
            "budget": self.budget,
            "rounds": self.rounds,
            "longest_round_ms": round(1000 * self.longest_s, 2),
            "databases": [dict(one) for one in self.databases],
            "largest": [
                {"db": database, "key": masked(key), "kind": kind(key), "bytes": size, "ttl_s": ttl}
                for size, database, key, ttl in sorted(self._largest, reverse=True)
            ],
            "kinds": [
                {"db": database, "kind": name, "keys": row[0], "without_ttl": row[1], "bytes": row[2]}
                for (database, name), row in sorted(self._kinds.items(), key=lambda one: (-one[1][2], one[0]))
            ],
        }

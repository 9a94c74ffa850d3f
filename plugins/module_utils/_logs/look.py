# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was read of one source, and what not and why."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

_MOST = 20


class Look:
    """The look at one source; safe to use from several threads.

    :ivar name: in the objects of findings: ``pods``, ``files``, ``journal``, ``compose``, with a number where there are
        several of a kind.
    :ivar items: pods, files or units that were read; bytes: of what was read.
    :ivar errors: what could not be read; missed: how many that are.
    :ivar cut: what a limit has cut off.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.items = 0
        self.bytes = 0
        self.missed = 0
        self.errors: list[dict[str, str]] = []
        self.cut: list[str] = []
        self.cuts = 0
        self._lock = threading.Lock()

    def took(self, size: int, items: int = 0) -> None:
        """Bytes that were read, of so many further pods, files or units."""
        with self._lock:
            self.bytes += size
            self.items += items

    def failed(self, kind: str, text: str) -> None:
        """Something could not be read."""
        with self._lock:
            self.missed += 1
            if len(self.errors) < _MOST:
                self.errors.append({"kind": kind, "text": text[:400]})

    def bounded(self, why: str) -> None:
        """A limit has cut something off."""
        with self._lock:
            if why in self.cut:
                return
            self.cuts += 1
            if len(self.cut) < _MOST:
                self.cut.append(why[:400])

    def clear(self) -> None:
        """Forget what was read."""
        self.items = self.bytes = self.missed = self.cuts = 0
        self.errors, self.cut = [], []

    def add(self, other: Mapping[str, Any]) -> None:
        """Put the plain values of another look at the same source to this one."""
        with self._lock:
            self.items += other["items"]
            self.bytes += other["bytes"]
            self.missed += other["missed"]
            self.errors = (self.errors + other["errors"])[:_MOST]
            new = [why for why in other["cut"] if why not in self.cut]
            self.cuts += other["cuts"] - len(other["cut"]) + len(new)
            self.cut = (self.cut + new)[:_MOST]

    def plain(self) -> dict[str, Any]:
        """For the observation."""
        return {
            "items": self.items,
            "bytes": self.bytes,
            "missed": self.missed,
            "errors": self.errors,
            "cut": self.cut,
            "cuts": self.cuts,
        }

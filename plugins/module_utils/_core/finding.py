# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A finding: the answer of one check for one object, in the shape that every part of the collection agrees on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

OK = "ok"
WARNING = "warning"
CRITICAL = "critical"
UNKNOWN = "unknown"
STATUSES = (OK, WARNING, UNKNOWN, CRITICAL)
"""From best to worst. What was not seen is worse than a warning (it may hide anything), better than a known outage."""

_ORDER = {status: place for place, status in enumerate(STATUSES)}


def fingerprint(check: str, obj: str) -> str:
    """SHA-256 (hex) of check id and object: the same trouble has the same fingerprint today and tomorrow."""
    return hashlib.sha256((check + obj).encode("utf-8")).hexdigest()


def worst(statuses: Iterable[str]) -> str:
    """The worst of some statuses; ``ok`` of none."""
    return max(statuses, key=lambda status: _ORDER[status], default=OK)


def badness(status: str) -> int:
    """0 (ok) to 3 (critical): a key to sort by."""
    return _ORDER[status]


@dataclass(frozen=True)
class Finding:
    """See the finding contract in docs/design.md. All values are plain (JSON) values."""

    check: str
    object: str
    status: str
    title: str
    value: float | None = None
    unit: str | None = None
    target: float | None = None
    alert: float | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    remedy: str = ""
    runbook: str = ""
    fingerprint: str = ""
    caused_by: str | None = None
    recorded_at: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """A plain dict with every key of the contract, in its order."""
        return asdict(self)


def sort_findings(findings: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Worst first, then by check and object, so that the order is the same in every run."""
    return sorted(
        (dict(one) for one in findings), key=lambda one: (-badness(one["status"]), one["check"], one["object"])
    )

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A check: one named question, registered once, with everything that people and programs need to know about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

ABOVE = "above"
BELOW = "below"


@dataclass(frozen=True)
class Check:
    """One question of the catalogue.

    :ivar id: stable and dotted, ``system.question``.
    :ivar question: what is asked, as a sentence that ends with a question mark.
    :ivar runbook: ``file:heading`` of the runbook line that it answers, ``daily:database-health``.
    :ivar items: ids of the checklist items (of any procedure) that this check answers.
    :ivar source: the API field, catalogue view or document that the value comes from.
    :ivar remedy: the next step; ``{object}``, ``{target}``, ``{namespace}``, ``{kind}``, ``{name}`` are filled in.
    :ivar unit: unit of the value, None where there is no number.
    :ivar target: what good is; see :class:`Threshold`.
    :ivar alert: what is not acceptable.
    :ivar direction: ``above``: large values are bad; ``below``: small values are bad.
    :ivar severity: status of a finding of a check that has no number.
    :ivar rank: how near to a cause this question is; among findings that hang together the lowest explains the rest.
    """

    id: str
    question: str
    runbook: str
    items: tuple[str, ...]
    source: str
    remedy: str
    unit: str | None = None
    target: float | None = None
    alert: float | None = None
    direction: str = ABOVE
    severity: str = "critical"
    rank: int = 50
    tags: tuple[str, ...] = field(default_factory=tuple)

    @property
    def system(self) -> str:
        """The part before the first dot: ``k8s``, ``postgres``, ``endpoint``."""
        return self.id.split(".", 1)[0]


def index(checks: Iterable[Check]) -> dict[str, Check]:
    """Checks by id. A second registration of an id is a programming error and raises ValueError."""
    found: dict[str, Check] = {}
    for check in checks:
        if check.id in found:
            raise ValueError(f"check {check.id} is registered twice")
        found[check.id] = check
    return found

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One line for each item of the checklist: what was found, or what good was seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .text import number, plural

FACTS: Mapping[str, Sequence[Sequence[str]]] = {
    "morning.dashboard": (("endpoints_ok", "endpoints_total", "endpoints answer as they should"),),
    "morning.services": (
        ("pods_ready", "pods_total", "pods ready"),
        ("endpoints_ok", "endpoints_total", "endpoints answer"),
    ),
    "morning.replication": (("standbys_streaming", "standbys_expected", "standbys stream"),),
    "morning.utilization": (("nodes_ready", "nodes_total", "nodes ready"),),
}
"""Item -> pairs of facts (good of all) that its headline tells, added up over all systems."""


def headline(
    item: str,
    facts: Iterable[Mapping[str, Any]],
    findings: Sequence[Mapping[str, Any]],
    counts: Mapping[str, int],
    causes: int,
) -> str:
    """The headline of an item that was looked at.

    :param facts: of the systems that answer this item.
    :param findings: of this item.
    :param counts: objects, checks, systems, unseen.
    :param causes: how many causes explain all its findings.
    """
    told = _told(item, list(facts))
    bad = [one for one in findings if one["status"] != "ok"]
    words = []
    if bad:
        kinds = [
            plural(sum(1 for one in bad if one["status"] == status), status, status)
            for status in ("critical", "unknown", "warning")
        ]
        kinds = [word for word in kinds if not word.startswith("0 ")]
        words.append(", ".join(kinds))
        if causes and causes < len(bad):
            words[0] += " from %s" % plural(causes, "cause")
    words.extend(told)
    if counts["unseen"]:
        words.append("%s not seen" % plural(counts["unseen"], "check"))
    if not words:
        words.append(
            "%s on %s, %s looked at"
            % (
                plural(counts["checks"], "check"),
                plural(counts["systems"], "system"),
                plural(counts["objects"], "object"),
            )
        )
    return "; ".join(words)


def _told(item: str, facts: list[Mapping[str, Any]]) -> list[str]:
    told = []
    for good_key, all_key, words in FACTS.get(item, ()):
        pairs = [
            (one[good_key], one[all_key])
            for one in facts
            if _is_count(one.get(good_key)) and _is_count(one.get(all_key))
        ]
        if pairs and sum(pair[1] for pair in pairs):
            told.append(
                "%s of %s %s" % (number(sum(pair[0] for pair in pairs)), number(sum(pair[1] for pair in pairs)), words)
            )
    return told


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def tally(findings: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Findings by status."""
    counts = {"ok": 0, "warning": 0, "critical": 0, "unknown": 0}
    for one in findings:
        counts[one["status"]] += 1
    return counts

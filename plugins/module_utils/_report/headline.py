# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One line for each item of the checklist: what was found, or what good was seen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .looks import Look
from .text import duration, listed, number, plural

FACTS: Mapping[str, Sequence[Sequence[str]]] = {
    "morning.dashboard": (("targets_up", "targets_total", "targets up"),),
    "morning.certificates": (("certificates_ok", "certificates_total", "certificates fine"),),
    "morning.services": (
        ("pods_ready", "pods_total", "pods ready"),
        ("endpoints_ok", "endpoints_total", "endpoints answer"),
        ("replicas_running", "replicas_wanted", "Compose replicas run"),
    ),
    "morning.replication": (
        ("standbys", "standbys", "standbys streaming"),
        ("replicas", "replicas", "replicas online"),
        ("members_healthy", "members", "members of MongoDB sets healthy"),
    ),
    "morning.utilization": (
        ("nodes_ready", "nodes", "nodes ready"),
        ("connections_used", "connections_usable", "connections used"),
    ),
    "morning.backups": (("systems_readable", "systems_total", "newest backups whole"),),
    "morning.logs": (("log_owners_quiet", "log_owners", "logs without an error"),),
}
"""Item -> pairs of facts (so many of so many) that its headline tells, added up over all systems.

One name twice is a fact that is such a pair by itself: ``2 of 2``.
"""

_PAIR = re.compile(r"(\d+) of (\d+)")

SHARES: Mapping[str, Sequence[Sequence[str]]] = {
    "morning.utilization": (("cpu_percent", "CPU"), ("memory_percent", "memory"), ("fullest_percent", "fullest disk")),
}
"""Item -> facts in percent, of which the highest of all systems is told."""

LEAST: Mapping[str, Sequence[Sequence[str]]] = {
    "morning.certificates": (("days_to_expiry", "the first expires in %s days"),),
}
"""Item -> facts of which the smallest of all systems is told."""

MOST: Mapping[str, Sequence[Sequence[str]]] = {
    "morning.dashboard": (("targets_new", "%s targets not asked yet"), ("fed_s", "fed %s s ago")),
    "morning.logs": (("newest_document_s", "newest document %s s old"),),
}
"""Item -> facts of which the largest of all systems is told."""

ANSWERS = (
    "compose.engine",
    "elasticsearch.reachable",
    "grafana.reachable",
    "k8s.api",
    "mongodb.reachable",
    "postgres.reachable",
    "redis.reachable",
    "metrics.reachable",
    "alerts.reachable",
)
"""Checks whose finding means that a whole system does not answer."""


def headline(
    item: str,
    looks: Sequence[Look],
    findings: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    causes: int,
) -> str:
    """The headline of an item that was looked at.

    :param looks: that answer this item; what was recorded is told apart from what is live.
    :param findings: of this item; rows: its coverage.
    :param causes: how many causes explain all its findings.
    """
    words = []
    counts = tally(findings)
    kinds = [plural(counts[status], status, status) for status in ("critical", "unknown", "warning") if counts[status]]
    if kinds:
        words.append(", ".join(kinds))
        if causes < len(findings):
            words[0] += " from %s" % plural(causes, "cause")
    live = [look for look in looks if look.mode == "live"]
    recorded = [look for look in looks if look.mode == "recorded"]
    if item == "morning.dashboard" and live:
        words.append(_answering(live))
    words += _told(item, [look.facts for look in live])
    if recorded:
        told = _told(item, [look.facts for look in recorded])
        if item == "morning.dashboard":
            told = [_answering(recorded)]
        words.append("recorded: %s" % (", ".join(told) or listed(look.name for look in recorded)))
    words += _not_seen(rows)
    if not words:
        checks, systems = {row["check"] for row in rows}, {row["system"] for row in rows}
        objects = sum(row["objects"] for row in rows)
        words.append(
            "%s on %s, %s looked at"
            % (plural(len(checks), "check"), plural(len(systems), "system"), plural(objects, "object"))
        )
    return "; ".join(words)


def _not_seen(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    unseen = [row for row in rows if not row["seen"]]
    seen = {row["system"] for row in rows if row["seen"]}
    dead = list(dict.fromkeys(row["system"] for row in unseen if row["system"] not in seen))
    partly = [row for row in unseen if row["system"] in seen]
    words = ["%s not seen" % listed(dead)] if dead else []
    if partly:
        words.append("%s not seen on %s" % (plural(len(partly), "check"), listed(row["system"] for row in partly)))
    return words


def _told(item: str, facts: Sequence[Mapping[str, Any]]) -> list[str]:
    told = []
    for part_key, all_key, words in FACTS.get(item, ()):
        found = [_pair(one.get(part_key), one.get(all_key)) for one in facts]
        pairs = [pair for pair in found if pair is not None]
        if sum(pair[1] for pair in pairs):
            part, every = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
            told.append("%s of %s %s" % (number(part), number(every), words))
    for key, words in SHARES.get(item, ()):
        shares = [
            one[key] for one in facts if isinstance(one.get(key), (int, float)) and not isinstance(one[key], bool)
        ]
        if shares:
            told.append("%s %s %%" % (words, number(max(shares))))
    for key, words in LEAST.get(item, ()):
        values = [
            one[key] for one in facts if isinstance(one.get(key), (int, float)) and not isinstance(one[key], bool)
        ]
        if values:
            told.append(words % number(min(values)))
    for key, words in MOST.get(item, ()):
        values = [
            one[key] for one in facts if isinstance(one.get(key), (int, float)) and not isinstance(one[key], bool)
        ]
        if values:
            told.append(words % number(round(max(values))))
    # What a procedure says by itself of a line, such as of a backup that was made.
    told += [str(one["told"][item]) for one in facts if isinstance(one.get("told"), dict) and item in one["told"]]
    return told + (_overnight(facts) if item == "morning.alerts" else _lost(facts) if item == "morning.backups" else [])


def _overnight(facts: Sequence[Mapping[str, Any]]) -> list[str]:
    """``3 firing, 11 came and went (2 flapping)``."""

    def told(key: str) -> int | None:
        known = [one[key] for one in facts if isinstance(one.get(key), int) and not isinstance(one[key], bool)]
        return sum(known) if known else None

    firing, gone, flapping = told("alerts_firing"), told("alerts_came_and_went"), told("alerts_flapping")
    words = ["%d firing" % firing] if firing is not None else []
    if gone is not None:
        words.append("%d came and went" % gone + (" (%d flapping)" % flapping if flapping else ""))
    return [", ".join(words)] if words else []


def _lost(facts: Sequence[Mapping[str, Any]]) -> list[str]:
    """How much would be lost, if it were lost now. Told where it is known of every place of backups."""
    places = [one for one in facts if one.get("systems_total") and "exposure_s" in one]
    ages = [one["exposure_s"] for one in places if isinstance(one["exposure_s"], (int, float))]
    return ["at most %s to lose" % duration(max(ages))] if ages and len(ages) == len(places) else []


def _answering(looks: Sequence[Look]) -> str:
    silent = [
        look for look in looks if any(one["check"] in ANSWERS and one["object"] == look.name for one in look.findings)
    ]
    return "%d of %s" % (len(looks) - len(silent), "%s answer" % plural(len(looks), "system"))


def _pair(part: Any, every: Any) -> tuple[int, int] | None:
    if isinstance(part, str):
        match = _PAIR.fullmatch(part)
        return (int(match.group(1)), int(match.group(2))) if match else None
    if isinstance(part, int) and isinstance(every, int) and not isinstance(part, bool):
        return part, every
    return None


def tally(findings: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Findings by status."""
    counts = {"ok": 0, "warning": 0, "critical": 0, "unknown": 0}
    for one in findings:
        counts[one["status"]] += 1
    return counts

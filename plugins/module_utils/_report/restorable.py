# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be restored, with the proof: a row for each system that is backed up, told by every renderer. Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import spark
from .looks import Look
from .text import clean, cut, duration, pad, width, wrap

LEVELS = ("exists", "checksums match", "read to its end", "restored", "holds every row", "the application works")
_STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d)(\d\d)(\d\d)Z")
_UNITS = ("B", "kB", "MB", "GB", "TB")
_NUMBERS = (
    "bytes", "age_s", "sets", "proven_level", "proven_age_s", "restore_seconds", "exposure_s", "took_s", "level",
    "held", "archive_age_s", "archive_within_s",
)  # fmt: skip
_TEXTS = ("proven_set", "outcome", "said", "held_what", "refuted", "archive_wal")


def rows(looks: Iterable[Look]) -> list[dict[str, Any]]:
    """A row for each system of each place: what is known of its newest set and of its proofs."""
    found = []
    for look in looks:
        backups = look.facts.get("backups")
        if look.error is not None or not isinstance(backups, Mapping):
            continue
        for name, facts in backups.items():
            if isinstance(facts, Mapping):
                found.append(_row(look, str(name), facts))
    return found


def _row(look: Look, name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    file = facts.get("file")
    row: dict[str, Any] = {
        "place": look.name,
        "system": name,
        "module": look.capability.module,
        "recorded_at": look.recorded_at,
        "newest": str(file) if file is not None else None,
        **{key: _number(facts.get(key)) for key in _NUMBERS},
        **{key: str(facts[key]) if facts.get(key) is not None else None for key in _TEXTS},
        "copies": _number(facts.get("places")),
    }
    if facts.get("read") == "bad":
        row["refuted"] = row["refuted"] or "it cannot be read to its end"
    row["sentence"] = sentence(row)
    return row


def sentence(row: Mapping[str, Any]) -> str:
    """``the copy of 2026-11-29 06:00 restores in 4 min 12 s, holds every row it should; at most 38 min would be lost``.

    No more than is proven: a copy that nobody restored has no time.
    """
    level, seconds = row["proven_level"], row["restore_seconds"]
    if row["sets"] is None:
        return "whether there is a copy is not known: the sets were not seen"
    if row["newest"] is None:
        return "there is no copy"
    if row["exposure_s"] is None and level is None:
        return "there is a copy, and nobody has proven that it can be restored"
    words = []
    if seconds is not None:
        words.append("restores in %s" % duration(seconds))
    if level is not None and 0 <= level < len(LEVELS):
        told = {
            3: "was restored for a test",
            4: "holds every row it should",
            5: "holds every row, and the application works",
        }
        words.append(told.get(int(level), "is proven to level %d (%s)" % (level, LEVELS[int(level)])))
    text = "the copy of %s %s" % (when_of(row["proven_set"] or row["newest"]), ", ".join(words) or "is not proven")
    if row["refuted"]:
        text += "; the newest is damaged"
    if row["exposure_s"] is None:
        return text + "; how much would be lost is not known"
    return "%s; at most %s would be lost%s" % (text, span(row["exposure_s"]), _archived(row))


def _archived(row: Mapping[str, Any]) -> str:
    """Why that is less than the age of the set, and less than that of the archive where the server is idle."""
    age, within = row.get("archive_age_s"), row.get("archive_within_s")
    if age is None:
        return ""
    if within is not None and age > within:
        return ", though WAL was last archived %s ago: what is written is archived within %s" % (
            span(age),
            span(within),
        )
    return ": WAL was last archived %s ago" % span(age)


def cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What a table shows of a row: :data:`HEAD` has the names."""
    level = row["proven_level"]
    proof = (
        ("none" if row["sets"] is not None else "not seen")
        if level is None
        else "%d %s" % (level, LEVELS[int(level)] if 0 <= level < len(LEVELS) else "?")
    )
    if row["refuted"]:
        proof = "newest FAILED; %s" % proof if level is not None else "FAILED"
    return (
        row["system"],
        when_of(row["newest"]) if row["newest"] is not None else "none" if row["sets"] is not None else "not seen",
        span(row["age_s"]) if row["age_s"] is not None else "",
        size(row["bytes"]),
        proof,
        "%s ago" % span(row["proven_age_s"]) if row["proven_age_s"] is not None else "",
        duration(row["restore_seconds"]) if row["restore_seconds"] is not None else "not measured",
        span(row["exposure_s"]) if row["exposure_s"] is not None else "not known",
        "%d" % row["copies"] if row["copies"] is not None else "",
    )


HEAD = ("system", "newest set", "age", "size", "proof", "proven", "restores in", "would be lost", "copies")


def lines(found: Sequence[Mapping[str, Any]], columns: int) -> list[str]:
    """The rows for a terminal, one beneath the other, and a sentence of each."""
    several = len({row["place"] for row in found}) > 1
    table = [_narrow(HEAD, "place" if several else "")]
    table += [_narrow(cells(row), row["place"] if several else "") for row in found]
    widths = [max(width(clean(row[place])) for row in table) for place in range(len(table[0]))]
    out = ["  ".join(pad(clean(cell), wide) for cell, wide in zip(row, widths)).rstrip() for row in table]
    for row in found:
        out += wrap("%s: %s" % (clean(row["system"]), clean(row["sentence"])), columns, 2)
    return [cut(line, columns) for line in out]


def _narrow(row: Sequence[str], place: str) -> tuple[str, ...]:
    """Without the newest set's name, which the sentence has, so that it fits a hundred columns."""
    return (*((place,) if place else ()), row[0], *row[2:])


def page(found: Iterable[Mapping[str, Any]], trends: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows for the page, with the lines of their sizes over the last runs."""
    made = []
    for row in found:
        every = trends.get("systems", {}).get(row["place"], {})
        drawn: dict[str, dict[str, Any] | None] = {}
        for key in ("bytes", "took_s", "restore_seconds", "held"):
            points = every.get("%s.backups.%s.%s" % (row["module"], row["system"], key))
            drawn[key] = spark.line(points) if points else None
        made.append({**row, "cells": cells(row), "trends": drawn})
    return made


def when_of(stamp: Any) -> str:
    """``2026-11-29 06:00`` from the name of a run's folder; anything else as it is."""
    match = _STAMP.search(str(stamp))
    if not match:
        return clean(str(stamp))
    try:
        at = datetime.datetime(*(int(part) for part in match.groups()))  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return clean(str(stamp))
    return at.strftime("%Y-%m-%d %H:%M")


def size(count: float | None) -> str:
    """Bytes as people write them."""
    if count is None:
        return ""
    for unit in _UNITS[:-1]:
        if count < 999.95:
            return "%d B" % count if unit == "B" else "%.1f %s" % (count, unit)
        count /= 1000
    return "%.1f %s" % (count, _UNITS[-1])


def span(seconds: float) -> str:
    """``3 min``, ``5.2 h``, ``3.1 days``."""
    if seconds < 0:
        return "future"
    if seconds < 5400:
        return "%d min" % max(round(seconds / 60), 1)
    if seconds < 172800:
        return "%.3g h" % (seconds / 3600)
    return "%.3g days" % (seconds / 86400)


def _number(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The handoff page for the next person on call: facts, and a place for words. Markdown. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .day import Day, window_line, worst_first
from .markdown import cell_code, code, escape
from .text import duration, plural, when

_MOST = 20


def render(report: Mapping[str, Any], day: Day) -> str:
    """The whole page."""
    run = report["run"]
    lines = [
        "# Handoff · %s · %s" % (escape(run["platform"]), when(run["ended"])),
        "",
        "Handed over by %s. Written from facts by run %s; the words under *From person to person* are a person's."
        % (escape(run["user"]), code(run["id"])),
        "",
        "## From person to person",
        "",
        *(["> %s" % escape(line) for line in day["note"].split("\n")] if day["note"] else ["> _(nothing was added)_"]),
        "",
        "## Open now",
        "",
        *_open(report),
        "",
        "## What happened today",
        "",
        *_happened(day),
        "",
        "## What changed today",
        "",
        *_changed(day),
        "",
        "## Planned",
        "",
        *_planned(day),
        "",
        "## Acknowledged",
        "",
        *_acknowledged(report),
        "",
        "## Backups and logs",
        "",
        *[
            "- %s: **%s**, %s" % (escape(item["title"]), escape(item["status"]), escape(item["headline"]))
            for item in report["items"]
            if item["id"] in ("evening.backups", "evening.security")
        ],
    ]
    return "\n".join(lines).rstrip() + "\n"


def _open(report: Mapping[str, Any]) -> list[str]:
    findings = [one for one in worst_first(report["findings"]) if not one.get("acknowledged")]
    if not findings:
        return ["Nothing is open among what was seen."]
    lines = ["| | What | Next step |", "|---|---|---|"]
    lines += [
        "| %s | %s | %s |" % (one["status"], escape(one["title"]), cell_code(one["remedy"])) for one in findings[:_MOST]
    ]
    if findings[_MOST:]:
        lines += ["", "%s more, in the report." % plural(len(findings) - _MOST, "finding")]
    return lines


def _happened(day: Day) -> list[str]:
    if not day["troubles"]:
        return [
            "Nothing critical in %s of today." % plural(day["runs"], "earlier run")
            if day["runs"]
            else "The history has no earlier run of today, so only what is open now is known."
        ]
    lines = ["| State | What | First seen | Seen for | Explains |", "|---|---|---|---|---:|"]
    for one in day["troubles"]:
        span = duration(float(one["seen_for_s"])) if one["seen_for_s"] else "in one run"
        lines.append(
            "| %s | %s | %s | %s | %d |"
            % (one["state"], escape(one["title"]), when(one["first"]), span, one["explained"])
        )
    return lines


def _changed(day: Day) -> list[str]:
    if not day["changes"]:
        return ["No rollout was seen."]
    return ["- %s: %s got a new version" % (when(one["at"]), code(one["what"])) for one in day["changes"]]


def _planned(day: Day) -> list[str]:
    if day["maintenance_error"]:
        return ["**%s**" % escape(day["maintenance_error"])]
    if not day["maintenance"]:
        return ["No maintenance window within 7 days."]
    return [
        "- %s%s" % (escape(window_line(one)), escape(", owner %s" % one["owner"]) if one["owner"] else "")
        for one in day["maintenance"]
    ]


def _acknowledged(report: Mapping[str, Any]) -> list[str]:
    found = [one for one in report["findings"] if one.get("acknowledged") and not one["acknowledged"]["inherited"]]
    if not found:
        return ["Nothing."]
    return [
        "- %s: by %s until %s, %s"
        % (
            escape(one["title"]),
            escape(one["acknowledged"]["by"]),
            when(one["acknowledged"]["until"]),
            escape(one["acknowledged"]["reason"]),
        )
        for one in found
    ]

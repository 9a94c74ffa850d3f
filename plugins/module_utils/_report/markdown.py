# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as Markdown, for a ticket or a chat."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from . import restorable
from .delta_view import (
    acknowledged_lines,
    acknowledged_text,
    ended_lines,
    history_text,
    label,
    order,
    resolved_lines,
    story,
    tally_text,
)
from .evidence import telling, value_line
from .terminal import seen
from .text import clean, duration, listed, plural, when

# What is special anywhere in a line; the rest is special only at its beginning, where no text of ours stands.
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&@#]|:(?=//)|(?<=www)\.)")
_MARK = {
    "ok": "🟢 ok",
    "warning": "🟡 warning",
    "critical": "🔴 critical",
    "unknown": "🟣 unknown",
    "not covered": "⚪ not covered",
    "manual": "✍ manual",
}


def escape(text: Any) -> str:
    """A text that Markdown, and HTML in Markdown, leave as it is: no link, no mention, no table cell, no tag."""
    return _SPECIAL.sub(r"\\\1", clean(str(text)))


def code(text: Any) -> str:
    """Inline code with a fence longer than any run of backquotes inside."""
    text = clean(str(text))
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    blank = " " if longest else ""
    return "%s%s%s%s%s" % (fence, blank, text, blank, fence)


def cell_code(text: Any) -> str:
    """Inline code that may stand in a table."""
    return code(text).replace("|", "\\|")


def render(report: Mapping[str, Any]) -> str:
    """The whole report."""
    run = report["run"]
    lines = [
        "# %s · %s · %s" % (escape(run["title"].capitalize()), escape(run["platform"]), when(run["started"])),
        "",
        "**%s**, %s, %s, in %s."
        % (
            _MARK[report["summary"]["worst"]],
            _counts(report),
            escape(seen(report["coverage"])),
            duration(float(run["duration_seconds"])),
        ),
        "",
        *_changed(report),
        *_recorded(report),
        "| | Item | Status | |",
        "|---:|---|---|---|",
    ]
    for place, item in enumerate(report["items"], 1):
        lines.append(
            "| %d | %s | %s | %s |" % (place, escape(item["title"]), _MARK[item["status"]], escape(item["headline"]))
        )
    lines += ["", *_backups(report), "## Findings", "", *_findings(report), *_coverage(report)]
    if history_text(report):
        lines += ["", "History of runs: %s" % escape(history_text(report))]
    return "\n".join(lines).rstrip() + "\n"


def _changed(report: Mapping[str, Any]) -> list[str]:
    """What changed since the last run, what is acknowledged, and what is gone."""
    lines = [escape(tally_text(report))[:1].upper() + escape(tally_text(report))[1:] + "."] if report["delta"] else []
    lines += ["- acknowledged: %s" % escape(text) for text in acknowledged_lines(report)]
    lines += ["- resolved: %s" % escape(text) for text in resolved_lines(report)]
    lines += ["- %s" % escape(text) for text in ended_lines(report)]
    if report["delta"] and len(lines) > 1:
        lines.insert(1, "")
    return [*lines, ""] if lines else []


def _counts(report: Mapping[str, Any]) -> str:
    summary = report["summary"]
    parts = [plural(summary[word], word, word) for word in ("critical", "unknown", "warning") if summary[word]]
    return ", ".join(parts) or "no findings"


def _recorded(report: Mapping[str, Any]) -> list[str]:
    lines = [
        "> **%s is judged from a recording of %s, not live.**" % (escape(system["name"]), when(system["recorded_at"]))
        for system in report["systems"]
        if system["mode"] == "recorded"
    ]
    return [*lines, ""] if lines else []


def _backups(report: Mapping[str, Any]) -> list[str]:
    """What can be restored, with the proof."""
    found = report["backups"]
    if not found:
        return []
    lines = ["## What can be restored", "", "| place | %s |" % " | ".join(restorable.HEAD)]
    lines.append("|%s" % ("---|" * (len(restorable.HEAD) + 1)))
    lines += [
        "| %s | %s |" % (escape(row["place"]), " | ".join(escape(cell) for cell in restorable.cells(row)))
        for row in found
    ]
    return [*lines, "", *("- %s: %s" % (escape(row["system"]), escape(row["sentence"])) for row in found), ""]


def _findings(report: Mapping[str, Any]) -> list[str]:
    if not report["findings"]:
        return [
            "Nothing is wrong among what was seen." if report["coverage"]["expected"] else "Nothing was looked at.",
            "",
        ]
    known = {one["fingerprint"]: one for one in report["findings"]}
    causes = {one["fingerprint"]: one for one in report["causes"]}
    symptoms = {name for cause in report["causes"] for name in cause["explains"]}
    lines: list[str] = []
    first = [one for one in report["findings"] if one["fingerprint"] not in symptoms]
    if report["delta"]:
        first.sort(key=lambda one: (bool(one["acknowledged"]), order(one, one["fingerprint"] in causes)))
    for one in first:
        cause = causes.get(one["fingerprint"])
        words = [word for word in ("cause" if cause else "", label(one, False).lower()) if word]
        if one["acknowledged"]:
            words = ["acknowledged"]
        lines += _one(one, ", ".join(words) + (", " if words else ""))
        if cause:
            lines += ["- explains %s:" % plural(len(cause["explains"]), "finding")]
            lines += [
                "  - %s %s" % (_MARK[known[name]["status"]], escape(known[name]["title"])) for name in cause["explains"]
            ]
            if cause["tied_with"]:
                ties = [escape(known[name]["title"]) for name in cause["tied_with"] if name in known]
                lines.append("- as likely the cause: %s" % listed(ties, 3))
        lines.append("")
    return lines


def _one(one: Mapping[str, Any], label: str) -> list[str]:
    lines = ["### %s: %s%s" % (_MARK[one["status"]], label, escape(one["title"])), ""]
    lines.append("- %s · %s" % (code(one["object"]), code(one["check"])))
    if one["recorded_at"]:
        lines.append("- recorded %s, not live" % when(one["recorded_at"]))
    if story(one):
        lines.append("- %s" % escape(story(one)))
    if one["acknowledged"]:
        lines.append("- acknowledged %s" % escape(acknowledged_text(one["acknowledged"])))
    if value_line(one):
        lines.append("- %s" % escape(value_line(one)))
    lines += ["- %s" % code(line) for line in telling(one, 4)]
    if one["remedy"]:
        lines.append("- next: %s" % code(one["remedy"]))
    return lines


def _coverage(report: Mapping[str, Any]) -> list[str]:
    cover = report["coverage"]
    lines = [
        "## Coverage",
        "",
        "%s; %d of %d checks on systems were answered."
        % (escape(seen(cover)).capitalize(), cover["seen"], cover["expected"]),
        "",
    ]
    lines += [
        "- **%s**: %s: %s" % (escape(entry["system"]), escape(listed(entry["checks"], 6)), escape(entry["reason"]))
        for entry in cover["unseen"]
    ]
    lines += [
        "- **not covered**: %s (%s)" % (escape(one["short"]), escape(one["reason"])) for one in cover["not_covered"]
    ]
    lines += ["- **%s**: %s" % (escape(one["system"]), escape(one["reason"])) for one in cover["no_module"]]
    if cover["left_out"]:
        lines.append("- **left out of this run**: %s" % escape(", ".join(cover["left_out"])))
    return lines

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as JUnit XML, as build servers read it: an item of the checklist is a suite, a check on a
system a case. Pure.

What is critical or a warning is a failure, what could not be seen an error; what no check answers, or somebody has
acknowledged, is skipped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from .._core.finding import CRITICAL, UNKNOWN
from .delta_view import acknowledged_text
from .text import clean


def render(report: Mapping[str, Any]) -> str:
    """The whole document."""
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for row in report["coverage"]["rows"]:
        rows.setdefault(str(row["check"]), []).append(row)
    findings: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for one in report["findings"]:
        findings.setdefault((str(one["check"]), str(one["object"]).split("/", 1)[0]), []).append(one)
    suites = [_suite(item, rows, findings, report["run"]) for item in report["items"]]
    counts = {name: sum(suite[1][name] for suite in suites) for name in ("tests", "failures", "errors", "skipped")}
    head = "<testsuites name=%s%s time=%s>" % (
        _quoted("%s %s" % (report["run"]["title"], report["run"]["platform"])),
        _counts(counts),
        _quoted(report["run"]["duration_seconds"]),
    )
    body = "\n".join(suite[0] for suite in suites)
    text = '<?xml version="1.0" encoding="UTF-8"?>\n%s\n%s\n</testsuites>\n' % (head, body)
    # Half a surrogate pair is no character of XML.
    return text.encode("utf-8", "replace").decode("utf-8")


def _suite(
    item: Mapping[str, Any],
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    findings: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]],
    run: Mapping[str, Any],
) -> tuple[str, dict[str, int]]:
    counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    cases = []
    for proof in item["proof"]:
        for row in rows.get(str(proof["check"]), ()):
            counts["tests"] += 1
            every = findings.get((str(row["check"]), str(row["system"])), ())
            found = [one for one in every if not one.get("acknowledged")]
            inner = ""
            if not row["seen"]:
                counts["errors"] += 1
                inner = _told("error", "not seen: %s" % row["reason"], "unknown", "")
            elif any(one["status"] == UNKNOWN for one in found) and not any(one["status"] != UNKNOWN for one in found):
                counts["errors"] += 1
                inner = _told("error", str(found[0]["title"]), "unknown", _lines(found))
            elif found:
                counts["failures"] += 1
                worst = next((one for one in found if one["status"] == CRITICAL), found[0])
                inner = _told("failure", str(worst["title"]), str(worst["status"]), _lines(found))
            elif every:
                counts["skipped"] += 1
                inner = "<skipped message=%s/>" % _quoted(
                    "acknowledged %s: %s" % (acknowledged_text(every[0]["acknowledged"]), every[0]["title"])
                )
            cases.append(
                "    <testcase classname=%s name=%s%s"
                % (_quoted(row["system"]), _quoted(row["check"]), ">%s</testcase>" % inner if inner else "/>")
            )
    if not cases:
        counts["tests"] = counts["skipped"] = 1
        cases.append(
            "    <testcase classname=%s name=%s><skipped message=%s/></testcase>"
            % (_quoted(item["id"]), _quoted(item["title"]), _quoted(item["headline"]))
        )
    head = "  <testsuite name=%s%s timestamp=%s>" % (_quoted(item["title"]), _counts(counts), _quoted(run["started"]))
    return "%s\n%s\n  </testsuite>" % (head, "\n".join(cases)), counts


def _told(element: str, message: str, kind: str, text: str) -> str:
    return "<%s message=%s type=%s>%s</%s>" % (element, _quoted(message), _quoted(kind), escape(text), element)


def _lines(findings: Sequence[Mapping[str, Any]]) -> str:
    """Every finding with its next step, a line each."""
    return "\n".join(
        clean("%s: %s (%s); next: %s" % (one["status"], one["title"], one["object"], one["remedy"])) for one in findings
    )


def _counts(counts: Mapping[str, int]) -> str:
    return "".join(" %s=%s" % (name, _quoted(count)) for name, count in counts.items())


def _quoted(value: Any) -> str:
    """An attribute's value. Control characters, which XML 1.0 cannot hold at all, are left out."""
    return quoteattr(clean(str(value)))

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people read: on a terminal, in a ticket, on a page; also when the findings mean harm."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from fake import ROOT, dead_primary, finding, look, report, workload
from markdown_it import MarkdownIt

from ansible_collections.nexuscos.ops.plugins.module_utils._catalogue import BY_ID
from ansible_collections.nexuscos.ops.plugins.module_utils._checklists import MORNING
from ansible_collections.nexuscos.ops.plugins.module_utils._report import html, markdown, terminal
from ansible_collections.nexuscos.ops.plugins.module_utils._report.evidence import telling
from ansible_collections.nexuscos.ops.plugins.module_utils._report.looks import kind_of
from ansible_collections.nexuscos.ops.plugins.module_utils._report.progress import Progress
from ansible_collections.nexuscos.ops.plugins.module_utils._report.text import (
    clean,
    cut,
    duration,
    listed,
    number,
    width,
    wrap,
)

TEMPLATE = (ROOT / "roles/report/templates/report.html.j2").read_text(encoding="utf-8")
EVIL = (
    "<script>alert(1)</script> \x1b[2J\x1b]0;owned\x07\x1b]8;;http://evil.example\x07 & 'quotes\" "
    "[link](http://evil.example) ![i](x) | cell `code` **bold** @all \u202egnp.exe\r\n\x08 # h {{ 7 * 7 }} {% raw %}"
)


def evil_report() -> dict[str, Any]:
    bad = finding(
        "k8s.crash_loop",
        "us-east-1/<b>/Deployment/" + EVIL,
        title=EVIL,
        evidence={EVIL: EVIL, "pods": [{"name": EVIL, "log": [EVIL, "second"]}]},
        remedy=EVIL,
    )
    return report(
        look("us-east-1", "clusters", bad),
        look("db1", "databases", error=("crashed", EVIL)),
        run={"platform": EVIL, "user": EVIL, "limit": EVIL},
        left_out=[EVIL],
    )


def test_the_terminal_report_fits_a_screen() -> None:
    lines = terminal.render(dead_primary(), path="reports/x/latest/report.html").split("\n")
    assert max(map(width, lines)) <= terminal.COLUMNS
    assert len(lines) <= terminal.SCREEN


def test_hundreds_of_findings_fit_a_screen_and_their_number_is_told() -> None:
    findings = [
        finding("k8s.rollout", "us-east-1/n/Deployment/d%03d" % one, title="d%03d is stuck" % one) for one in range(200)
    ]
    findings += [finding(check, "us-east-1/n/Deployment/x", "warning") for check in BY_ID if check.startswith("k8s.")]
    made = report(look("us-east-1", "clusters", *findings))
    lines = terminal.render(made).split("\n")
    assert len(lines) <= terminal.SCREEN
    told = sum(int(count.replace(",", "")) for count in re.findall(r"and ([\d,]+) more:", "\n".join(lines)))
    assert "200× k8s.rollout" in "\n".join(lines)
    assert told > 20
    assert len(terminal.render(made, verbose=True).split("\n")) > 400


def test_the_cause_comes_first_with_what_it_explains_and_what_to_do() -> None:
    text = terminal.render(dead_primary())
    first = text[text.index("CAUSE") :].split("\n")
    assert "PostgreSQL at db1:5432 refuses connections" in first[0]
    assert re.search(r"explains \d+ findings: .*\(\+\d+\)", first[2])
    assert "Connection refused" in first[3]
    assert "next: look at the server" in first[4]
    assert "billing-service is not ready" not in text
    assert "billing-service is not ready" in terminal.render(dead_primary(), verbose=True)


def test_what_is_recorded_or_not_seen_is_said() -> None:
    text = terminal.render(dead_primary())
    assert "1 of 7 recorded, not live" in text.replace("\n", " ")
    assert "us-west-2: judged from a recording of 2026-11-20 10:00 UTC, not live" in text
    assert "db3: " in text[text.index("not seen") :]
    for made in (markdown.render(dead_primary()), html.render(dead_primary(), TEMPLATE)):
        assert "recording of" in made
        assert "2026-11-20 10:00 UTC" in made


def test_a_healthy_morning_is_short() -> None:
    text = terminal.render(report(look("us-east-1", "clusters"), look("db1", "databases"), look("public", "endpoints")))
    assert "Nothing is wrong among what was seen." in text
    assert "Nothing was looked at." in terminal.render(report())


def test_a_tie_is_told_as_a_tie() -> None:
    made = report(
        look(
            "us-east-1",
            "clusters",
            workload("billing-service", title="billing is not ready"),
            workload("invoice-gen", title="invoice is not ready"),
            workload("creator-hub-v2", title="hub is not ready"),
        )
    )
    assert "as likely the cause: invoice is not ready" in terminal.render(made)
    assert "as likely the cause" in markdown.render(made)
    assert "As likely the cause" in html.render(made, TEMPLATE)


def test_colour_changes_no_letter() -> None:
    made = dead_primary()

    def paint(text: str, colour: str) -> str:
        return "\x1b[31m%s\x1b[0m" % text

    assert re.sub("\x1b\\[\\d+m", "", terminal.render(made, paint)) == terminal.render(made)


def test_no_escape_sequence_reaches_the_terminal() -> None:
    for verbose in (False, True):
        text = terminal.render(evil_report(), verbose=verbose)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
        assert "owned" not in text


def test_markdown_stays_text() -> None:
    text = markdown.render(evil_report())
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    flat = [*tokens, *(child for token in tokens for child in token.children or ())]
    kinds = {token.type for token in flat}
    assert not kinds & {"html_inline", "html_block", "link_open", "image"}
    assert not any(token.type == "em_open" for token in flat)
    rows = [token for token in tokens if token.type == "tr_open"]
    assert len(rows) == 9


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for key, value in attrs if key == "id" and value]


def test_the_page_escapes_everything() -> None:
    text = html.render(evil_report(), TEMPLATE)
    page = _Page(text)
    assert [tag for tag, _attrs in page.tags].count("script") == 1
    assert not any(name.startswith("on") for _tag, attrs in page.tags for name in attrs)
    assert "alert(1)</script>" not in text
    assert "{{" in text  # nothing of it was templated
    assert "49" not in [one.strip() for one in re.findall(r">([^<]*)<", text)]


def test_the_page_needs_no_network_and_every_finding_has_its_anchor() -> None:
    made = dead_primary()
    text = html.render(made, TEMPLATE)
    page = _Page(text)
    for tag, attrs in page.tags:
        for name in ("src", "href", "action", "data"):
            target = attrs.get(name) or ""
            assert not re.match(r"(?i)(https?:)?//", target), (tag, attrs)
    assert "url(" not in text
    assert "@import" not in text
    for one in made["findings"]:
        assert page.ids.count("f-" + one["fingerprint"]) == 1
    assert len(page.ids) == len(set(page.ids))
    for _tag, attrs in page.tags:
        target = attrs.get("href") or ""
        if target.startswith("#"):
            assert target[1:] in page.ids, target


def test_a_page_of_500_findings_is_made_quickly_and_is_small() -> None:
    findings = [
        workload("kei-ai", check, "c%d" % one) for one in range(20) for check in BY_ID if check.startswith("k8s.")
    ]
    made = report(*(look("c%d" % one, "clusters", *findings[one * 47 : one * 47 + 47]) for one in range(20)))
    text = html.render(made, TEMPLATE)
    assert len(text) < 2_000_000


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("a\x1b[31mb\x1b[0m", "ab"),
        ("a\r\nb", "a b"),
        ("\x1b]8;;http://x\x07t\x1b]8;;\x07", "t"),
        ("a\u200bb", "ab"),
        ("\x9b31mx", "31mx"),
    ],
)
def test_clean(given: str, wanted: str) -> None:
    assert clean(given) == wanted


def test_texts_are_measured_in_columns() -> None:
    assert width("日本") == 4
    assert cut("日本語", 5) == "日本…"
    assert cut("abc", 3) == "abc"
    assert all(width(line) <= 10 for line in wrap("a long text of many words " + "x" * 30, 10))
    assert listed(["a", "b", "a", "c", "d"], 2) == "a, b (+2)"
    assert (number(5210), number(0.25), number(3.0), number(12345.6)) == ("5,210", "0.25", "3", "12,346")
    assert [duration(one) for one in (0.84, 41, 252, 7500)] == ["0.8 s", "41 s", "4 min 12 s", "2 h 05 min"]


def test_the_most_telling_evidence_comes_first() -> None:
    one = finding(
        "k8s.crash_loop",
        "x",
        title="it crashed",
        evidence={"pods": ["a", "b"], "exit_code": 1, "last_lines": ["start", "panic: no"]},
    )
    assert telling(one, 2) == ["last_lines: panic: no", "exit_code: 1"]
    assert len(telling(one)) >= 3


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        ({"unreachable": True, "msg": "ssh"}, "unreachable"),
        ({"failed": True, "msg": "no such option", "invocation": {}}, "options"),
        ({"failed": True, "msg": "Validation of arguments failed:\n", "argument_errors": ["x"]}, "options"),
        ({"failed": True, "msg": "'a' is undefined"}, "options"),
        ({"failed": True, "msg": "MODULE FAILURE", "module_stderr": "Traceback …\nKeyError: 1", "rc": 1}, "crashed"),
        ({"failed": True, "msg": "timed out", "timedout": {"period": 3}}, "timeout"),
    ],
)
def test_why_a_look_failed(result: dict[str, Any], kind: str) -> None:
    assert kind_of(result) == kind


def _result(made: Any) -> dict[str, Any]:
    return {
        "findings": made.findings,
        "coverage": made.coverage,
        "summary": made.summary,
        "facts": {},
        "recorded_at": made.recorded_at,
    }


def test_the_checklist_fills() -> None:
    progress = Progress(
        MORNING, BY_ID, {"us-east-1": ["clusters"], "db1": ["databases"], "r": ["databases"]}, {"r": "cassandra"}
    )
    lines = progress.lines(terminal.plain, 100)
    assert lines[2] == " 3 Services                        …           waiting for us-east-1"
    assert lines[-1] == "looked at 0 of 2 systems"
    look_, line = progress.finished(
        "us-east-1", "k8s_health", _result(look("us-east-1", "clusters", workload("kei-ai"))), 1.25
    )
    assert look_.error is None
    assert re.fullmatch(
        r"us-east-1 +Kubernetes cluster +critical +1 critical; 47 of 47 checks, 48 objects, 1\.\d s", line
    ), line
    assert "critical" in progress.lines(terminal.plain, 100)[2]
    failed, line = progress.finished(
        "db1", "postgres_health", {"failed": True, "msg": "x\x1b[2J", "invocation": {}}, None
    )
    assert failed.error == ("options", "x")
    assert "unknown" in progress.lines(terminal.plain, 100)[3]
    assert progress.lines(terminal.plain, 100)[-1] == "looked at 2 of 2 systems"


def test_recorded_systems_say_so_in_the_log() -> None:
    progress = Progress(MORNING, BY_ID, {"us-east-1": ["clusters"]})
    made = look("us-east-1", "clusters", recorded_at="2026-11-20T10:00:00Z")
    assert progress.finished("us-east-1", "k8s_health", _result(made), 1)[1].endswith(
        "; recorded 2026-11-20T10:00:00Z, not live"
    )


def test_json_is_json() -> None:
    assert json.loads(json.dumps(evil_report()))["schema"] == 1

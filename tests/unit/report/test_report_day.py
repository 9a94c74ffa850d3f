# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch's changes, the evening's facts and the handoff page."""

from __future__ import annotations

from typing import Any

import pytest
from fake import RUN, SERVICES, SYSTEMS, dead_primary, finding, look, report
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._catalogue import BY_ID
from ansible_collections.nexuscos.ops.plugins.module_utils._checklists import END_OF_DAY, PROCEDURES, title_of
from ansible_collections.nexuscos.ops.plugins.module_utils._history.delta import past_of
from ansible_collections.nexuscos.ops.plugins.module_utils._report import changes, day, delta_view, handoff
from ansible_collections.nexuscos.ops.plugins.module_utils._report.model import build
from ansible_collections.nexuscos.ops.plugins.module_utils._report.text import moment_of

NOW = 1_763_830_800.0  # 2025-11-22T17:00:00Z


def at(hour: int, *looks: Any) -> dict[str, Any]:
    """A report of this hour."""
    stamp = "2025-11-22T%02d:00:00Z" % hour
    made = report(*looks, run={"started": stamp, "ended": stamp, "id": "run-%02d" % hour})
    return delta_view.complete(made)


def after(now: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The later report, laid over the earlier one."""
    delta_view.apply(now, [past_of(before)], [], now["run"]["started"])
    return now


GONE = finding("postgres.reachable", "db4", title="PostgreSQL at db4 refuses connections", remedy="pg_lsclusters")
SLOW = finding("endpoint.latency", "public/site", "warning", title="site is slow")


def test_a_round_tells_only_what_changed() -> None:
    first = at(6, look("db4", "databases"), look("public", "endpoints", SLOW))
    assert changes.render(first).startswith("06:00:00  first round: 1 warning; seen 100 %")
    same = after(at(7, look("db4", "databases"), look("public", "endpoints", SLOW)), first)
    assert changes.render(same) == "07:00:00  no change; 1 warning; seen 100 %"
    broken = after(at(8, look("db4", "databases", GONE), look("public", "endpoints")), same)
    lines = changes.render(broken).splitlines()
    assert lines[0] == "08:00:00  1 new, 1 resolved; 1 critical; seen 100 %"
    assert lines[1] == "NEW       critical  PostgreSQL at db4 refuses connections"
    assert lines[2].strip() == "next: pg_lsclusters"
    assert lines[3] == "RESOLVED  warning   site is slow"


def test_a_cause_is_told_once_and_counts_what_hangs_on_it() -> None:
    before = delta_view.complete(report(look("db1", "databases"), run={"id": "a", "started": "2026-11-22T05:00:00Z"}))
    now = after(delta_view.complete(dead_primary()), before)
    lines = changes.render(now).splitlines()
    primary = [line for line in lines if "PostgreSQL at db1:5432" in line]
    assert len(primary) == 1
    assert "(explains 33 findings)" in "".join(lines[1:4])
    assert not any("is not ready" in line for line in lines), "symptoms hang on their cause"


def test_what_was_acknowledged_is_not_told_again() -> None:
    first = at(6, look("db4", "databases"))
    now = after(at(7, look("db4", "databases", GONE)), first)
    now["findings"][0]["acknowledged"] = {"by": "x", "reason": "y", "until": "z", "inherited": False}
    assert len(changes.render(now).splitlines()) == 1


def test_the_day_knows_what_is_open_resolved_and_not_seen() -> None:
    reports = [at(6, look("db4", "databases", GONE), look("db1", "databases", finding("postgres.reachable", "db1")))]
    final = at(17, look("db4", "databases"), look("db1", "databases", error=("unreachable", "no route")))
    found = day.gather([*reports, at(9, look("db4", "databases", GONE))], final, [], NOW)
    states = {one["object"]: one["state"] for one in found["troubles"]}
    assert states == {"db4": "resolved", "db1": "not seen"}
    resolved = next(one for one in found["troubles"] if one["object"] == "db4")
    assert (resolved["first"], resolved["last"], resolved["seen_for_s"]) == (
        "2025-11-22T06:00:00Z",
        "2025-11-22T09:00:00Z",
        3 * 3600,
    )
    told = day.headlines(found)
    assert "1 trouble resolved, 0 open today, from 2 earlier runs" in told["evening.log"]


def test_rollouts_of_the_day_come_from_the_clusters() -> None:
    rollouts = [
        {"object": "us-east-1/nexus-auth/Deployment/auth-service", "at": "2025-11-22T14:00:00Z"},
        {"object": "us-east-1/nexus-auth/Deployment/token-mgr", "at": "2025-11-22T15:00:00Z"},
        {"object": "x", "at": "garbage"},
        "garbage",
    ]
    final = at(17, look("us-east-1", "clusters", facts={"rollouts": rollouts}))
    found = day.gather([], final, [], NOW)
    assert [one["what"].rsplit("/", 1)[-1] for one in found["changes"]] == ["token-mgr", "auth-service"]
    assert day.headlines(found)["evening.changes"] == "yours to document: 2 rollouts, token-mgr, auth-service"


def test_maintenance_windows_that_are_open_or_near() -> None:
    given_windows = [
        {"title": "over", "start": "2025-11-22T01:00:00Z", "end": "2025-11-22T02:00:00Z"},
        {"title": "open", "start": "2025-11-22T16:00:00Z", "end": "2025-11-22T19:00:00+01:00", "systems": ["db1"]},
        {"title": "soon", "start": "2025-11-23T01:00:00+02:00", "end": "2025-11-23T02:00:00Z", "owner": "me"},
        {"title": "far", "start": "2026-01-01T00:00:00Z", "end": "2026-01-01T01:00:00Z"},
    ]
    assert [(one["title"], one["open"]) for one in day.windows(given_windows, NOW)] == [("open", True), ("soon", False)]


@pytest.mark.parametrize(
    ("given_windows", "complaint"),
    [
        ("x", "want a list"),
        ([1], "wants a title"),
        ([{"title": "a", "start": "2025-11-22T01:00:00", "end": "2025-11-22T02:00:00Z"}], "with its zone"),
        ([{"title": "a", "start": "tonight", "end": "2025-11-22T02:00:00Z"}], "with its zone"),
        ([{"title": "a", "start": "2025-11-22T02:00:00Z", "end": "2025-11-22T01:00:00Z"}], "ends before"),
        ([{"title": "a", "star": "x"}], "no key star"),
        (
            [{"title": "a", "start": "2025-11-22T01:00:00Z", "end": "2025-11-22T02:00:00Z", "systems": "db1"}],
            "systems is a list",
        ),
    ],
)
def test_a_wrong_window_is_told_and_ends_nothing(given_windows: Any, complaint: str) -> None:
    with pytest.raises(day.WindowError, match=complaint):
        day.windows(given_windows, NOW)
    found = day.gather([], at(17, look("db4", "databases")), given_windows, NOW)
    assert complaint.split(maxsplit=1)[0] in found["maintenance_error"]
    assert day.headlines(found)["evening.maintenance"] == found["maintenance_error"]


def evening(*looks: Any) -> dict[str, Any]:
    made = build({**RUN, "procedure": "daily_end_of_day"}, END_OF_DAY, BY_ID, looks, SERVICES, SYSTEMS)
    return delta_view.complete(made)


def test_lines_of_a_person_are_manual_and_no_gap_in_the_coverage() -> None:
    made = evening(look("db4", "databases"))
    states = {item["id"]: item["state"] for item in made["items"]}
    assert [name for name, state in states.items() if state == "manual"] == [
        "evening.log",
        "evening.changes",
        "evening.maintenance",
        "evening.handoff",
    ]
    assert not {one["item"] for one in made["coverage"]["not_covered"]} & {"evening.log", "evening.handoff"}


def test_the_handoff_page_has_facts_and_a_place_for_words() -> None:
    bad = {**GONE, "title": "PostgreSQL | <b>x</b> [a](b)"}
    made = evening(look("db4", "databases", bad))
    page = handoff.render(
        made, day.gather([at(6, look("db4", "databases", GONE))], made, [], NOW, "mind *db4*\nand db1")
    )
    assert "> mind \\*db4\\*\n> and db1" in page
    assert "PostgreSQL \\| \\<b\\>x" in page
    assert "| open |" in page
    assert "No maintenance window within 7 days." in page
    assert "_(nothing was added)_" in handoff.render(made, day.gather([], made, [], NOW))


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=60), st.text(max_size=30))
def test_words_of_a_person_cannot_break_the_page(note: str, title: str) -> None:
    made = evening(look("db4", "databases", {**GONE, "title": title}))
    page = handoff.render(made, day.gather([], made, [], NOW, note))
    assert page.count("\n## ") == 7, "no heading is made by what somebody wrote"


def test_every_procedure_has_a_title_and_a_playbook() -> None:
    assert [title_of(name) for name in PROCEDURES] == [
        "morning", "watch", "end of day", "backup", "backup verification", "restore test", "restore",
    ]  # fmt: skip
    assert moment_of("2025-11-22T17:00:00Z") == NOW

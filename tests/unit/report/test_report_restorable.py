# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be restored stands in every rendering, with the proof, and nothing is claimed that nobody has proven."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake import RUN, look, report

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import steps
from ansible_collections.nexuscos.ops.plugins.module_utils._checklists import PROCEDURES, title_of
from ansible_collections.nexuscos.ops.plugins.module_utils._history.pack import value_rows
from ansible_collections.nexuscos.ops.plugins.module_utils._report import html, markdown, restorable, terminal
from ansible_collections.nexuscos.ops.plugins.module_utils._report.delta_view import complete
from ansible_collections.nexuscos.ops.plugins.module_utils._report.looks import STEPS, Look, read_result
from ansible_collections.nexuscos.ops.plugins.module_utils._report.model import build

TEMPLATE = (Path(__file__).parents[3] / "roles/report/templates/report.html.j2").read_text(encoding="utf-8")

PROVEN = {
    "file": "2026-11-29T060000Z/nexusdb",
    "bytes": 51_300_000,
    "age_s": 2280,
    "sets": 12,
    "proven_level": 4,
    "proven_age_s": 1800,
    "proven_set": "2026-11-29T060000Z/nexusdb",
    "restore_seconds": 252.0,
    "exposure_s": 2280,
    "places": 3,
}


def morning(**facts: Any) -> dict[str, Any]:
    return report(look("backup1", "backups", facts={"systems_total": 1, "backups": {"nexusdb": {**PROVEN, **facts}}}))


def row(**facts: Any) -> dict[str, Any]:
    return dict(morning(**facts)["backups"][0])


def test_the_sentence_that_an_operator_has_to_be_able_to_say() -> None:
    assert row()["sentence"] == (
        "the copy of 2026-11-29 06:00 restores in 4 min 12 s, holds every row it should; at most 38 min would be lost"
    )


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"file": None}, "there is no copy"),
        ({"file": None, "sets": None}, "whether there is a copy is not known"),
        ({"proven_level": None, "exposure_s": None}, "nobody has proven that it can be restored"),
        ({"proven_level": 2, "restore_seconds": None}, "is proven to level 2 (read to its end); at most"),
        ({"proven_level": 5}, "the application works"),
        ({"exposure_s": None}, "how much would be lost is not known"),
        ({"refuted": "cut"}, "the newest is damaged"),
        ({"proven_level": "4", "restore_seconds": True, "exposure_s": 60}, "is not proven; at most 1 min"),
        ({"proven_set": "2026-99-99T000000Z"}, "the copy of 2026-99-99T000000Z"),
    ],
)
def test_no_more_is_said_than_is_known(facts: dict[str, Any], words: str) -> None:
    assert words in row(**facts)["sentence"]


def test_every_rendering_has_it_and_the_morning_on_a_terminal_stays_short() -> None:
    made = morning()
    assert "restores in 4 min 12 s" in markdown.render(made)
    page = html.render(made, TEMPLATE)
    assert "What can be restored" in page
    assert "holds every row it should" in page
    assert "holds every row it should" not in terminal.render(made)
    assert "holds every row it should" in terminal.render(made, verbose=True)
    # A run of a version that had no such part.
    del made["backups"]
    assert "What can be restored" not in html.render(complete(made), TEMPLATE)


def test_what_a_name_or_a_message_says_is_escaped() -> None:
    made = report(look("b1", "backups", facts={"backups": {"<b>x|y": {**PROVEN, "file": "<i>\x1b[2J"}}}))
    page, text = html.render(made, TEMPLATE), markdown.render(made)
    assert "<b>" not in page + text
    assert "<i>" not in page + text
    assert "\x1b" not in page + text
    assert "x\\|y" in text


def run(procedure: str, told: dict[str, Any]) -> dict[str, Any]:
    one = Look("backup1", STEPS)
    read_result(one, steps.observe(procedure, "backup1", told))
    about = {**RUN, "procedure": procedure, "title": title_of(procedure)}
    return build(about, PROCEDURES[procedure], steps.BY_ID, [one])


SYSTEM = {
    "name": "nexusdb",
    "sets": 2,
    "exposure_s": 2280,
    "proven": {"stamp": "2026-11-29T060000Z", "level": 4, "level_age_s": 60, "restore_seconds": 252.0},
}
SET = {
    "system": "nexusdb",
    "stamp": "2026-11-29T060000Z",
    "bytes": 51_300_000,
    "age_s": 2280,
    "copies": [],
    "refuted": None,
}
LISTED = {"systems": [SYSTEM, {"name": "redis", "sets": 0, "exposure_s": None, "proven": None}], "sets": [SET]}
GOOD = {
    "place": "backup1", "system": "nexusdb", "good": True, "msg": "51.3 MB in 1.2 s", "stamp": "2026-11-29T060000Z",
    "bytes": 51_300_000, "seconds": 1.2, "level": 2, "wanted": None, "held": None, "held_what": None,
    "restore_seconds": None,
}  # fmt: skip
BAD = {**GOOD, "system": "redis", "good": False, "msg": "WRONGPASS invalid username-password pair", "stamp": None,
       "bytes": None, "seconds": None, "level": None}  # fmt: skip


def test_a_run_of_backups_is_a_report_with_the_failed_step_its_cause_and_the_next_step() -> None:
    made = run("backup", {"wanted": ["nexusdb", "redis"], "rows": [GOOD, BAD], "listed": LISTED})
    assert [(one["id"], one["status"]) for one in made["items"]] == [
        ("backup.sets", "critical"),
        ("backup.copies", "not covered"),
        ("backup.cleanup", "not covered"),
        ("backup.list", "critical"),
    ]
    assert "1 of 2 done, 51.3 MB" in made["items"][0]["headline"]
    (failed,) = [one for one in made["findings"] if one["check"] == "backup_run.set"]
    assert failed["object"] == "backup1/redis"
    assert "WRONGPASS" in failed["title"]
    assert "vault_nexuscos_backup_" in failed["remedy"]
    text = terminal.render(made)
    assert "restores in 4 min 12 s, holds every row it should; at most 38 min would be lost" in " ".join(text.split())
    assert "redis: there is no copy" in text
    assert max(map(len, text.splitlines())) <= 100
    values = {one["key"]: one["value"] for one in value_rows(made)}
    assert values["backup_run.backups.nexusdb.took_s"] == 1.2
    assert values["backup_run.backups.nexusdb.bytes"] == 51_300_000
    assert values["backup_run.backups.nexusdb.proven_level"] == 4


def test_a_restore_test_tells_what_was_restored_and_what_it_holds() -> None:
    proven = {
        **GOOD,
        "level": 4,
        "wanted": 4,
        "held": 48_112,
        "held_what": "rows",
        "restore_seconds": 3.2,
        "seconds": 9.2,
    }
    refuted = {**proven, "system": "redis", "good": False, "level": 2, "held": None, "msg": "dump.rdb is cut"}
    told = {"wanted": ["nexusdb", "redis"], "rows": [proven, refuted], "listed": LISTED}
    made = run("weekly_restore_test", told)
    restored, verified, _list = made["items"]
    assert "1 of 2 restored, the longest in 3.2 s" in restored["headline"]
    assert "1 of 2 proven: 48,112 rows are there" in verified["headline"]
    assert restored["status"] == verified["status"] == "critical"
    assert {one["value"] for one in value_rows(made) if one["key"].endswith("nexusdb.held")} == {48_112}
    # What could not be looked at says nothing about the set.
    told["rows"] = [
        proven,
        {**refuted, "level": None, "msg": "redis: verification by root on b since then holds the lock"},
    ]
    made = run("weekly_restore_test", told)
    assert {one["status"] for one in made["findings"] if one["check"] == "backup_run.proof"} == {"unknown"}
    assert "nexuscos_backup_lock_wait" in made["findings"][0]["remedy"] + made["findings"][-1]["remedy"]


def test_of_several_other_places_each_is_told() -> None:
    rows = [{"system": "nexusdb", "state": "copied"}]
    copied = {"failed": True, "results": [
        {"item": "/far", "repository": "/far", "sets": rows}, {"item": "s3:away", "failed": True, "msg": "no route"},
        {"item": "s3:full", "failed": True, "msg": "quota"},
    ]}  # fmt: skip
    thinned = {"results": [{"item": "/far", "removed": ["a", "b"]}, {"item": "/all", "skipped": True}]}
    told = {"wanted": ["nexusdb"], "rows": [GOOD], "listed": LISTED, "pruned": {"results": [], "skipped": True}}
    made = run("backup", {**told, "copied": copied, "thinned": thinned})
    heads = {one["id"]: one["headline"] for one in made["items"]}
    assert heads["backup.copies"] == "1 critical; 1 of 1 in /far; not copied to s3:away; not copied to s3:full"
    assert heads["backup.cleanup"] == "0 removed, 2 copies elsewhere"
    assert [one["title"] for one in made["findings"]] == [
        "the new sets were not copied to another place: no route; quota"
    ]
    failed = {"failed": True, "results": [{"item": "/far", "failed": True, "msg": "Access Denied"}]}
    made = run("backup", {**told, "thinned": failed})
    assert made["findings"][0]["title"] == "old copies were not thinned out in /far: Access Denied"


def test_an_idle_server_is_told_with_the_age_of_its_archive() -> None:
    assert row(exposure_s=240, archive_age_s=240)["sentence"].endswith(
        "at most 4 min would be lost: WAL was last archived 4 min ago"
    )
    assert row(exposure_s=600, archive_age_s=7200, archive_within_s=600)["sentence"].endswith(
        "at most 10 min would be lost, though WAL was last archived 2 h ago: what is written is archived within 10 min"
    )


def test_what_was_removed_and_copied_is_told_and_what_failed_of_it() -> None:
    pruned = {
        "results": [{"item": "nexusdb", "removed": ["a", "b"]}, {"item": "redis", "failed": True, "msg": "read-only"}]
    }
    copied = {"repository": "/far", "sets": [{"system": "nexusdb", "state": "copied"}]}
    told = {"wanted": ["nexusdb"], "rows": [GOOD], "listed": LISTED, "pruned": pruned, "copied": copied}
    lines = {one["id"]: one["headline"] for one in run("backup", told)["items"]}
    assert lines["backup.copies"] == "1 of 1 in /far"
    assert lines["backup.cleanup"] == "1 warning; 2 removed"
    made = run("backup", {**told, "copied": {"failed": True, "msg": "no route to host"}})
    assert "not copied to another place: no route" in made["findings"][0]["title"]


def test_snapshots_of_volumes_are_told_beside_the_sets() -> None:
    rows = [{"namespace": "a", "pvc": name, "why": why} for name, why in (("x", None), ("y", "full"))]
    bad = {"item": "volumes", "failed": True, "msg": "1 of 2 did not get ready: a/y: full", "snapshots": rows}
    good = {"item": "fast", "snapshots": [rows[0]]}
    told = {"wanted": ["nexusdb"], "rows": [GOOD], "listed": LISTED, "snapshots": {"results": [bad, good]}}
    made = run("backup", told)
    assert made["items"][0]["status"] == "critical"
    assert "1 of 1 done, 51.3 MB" in made["items"][0]["headline"]
    assert "2 of 3 snapshots of volumes ready" in made["items"][0]["headline"]
    (failed,) = [one for one in made["findings"] if one["check"] == "backup_run.snapshot"]
    assert (failed["object"], failed["evidence"]["failed"]) == ("backup1/volumes", ["a/y"])
    assert "a/y: full" in failed["title"]
    # A place with volumes only has no sets to ask for.
    made = run("backup", {"wanted": [], "rows": [], "listed": None, "snapshots": {"results": [good]}})
    assert [(one["id"], one["status"]) for one in made["items"]] == [
        ("backup.sets", "ok"), ("backup.copies", "not covered"), ("backup.cleanup", "not covered"),
        ("backup.list", "not covered"),
    ]  # fmt: skip
    assert made["items"][0]["headline"] == "1 of 1 snapshots of volumes ready"
    # One that did not come about at all.
    lost = {"results": [{"item": "volumes", "unreachable": True, "msg": "no route"}]}
    made = run("backup", {"wanted": [], "rows": [], "listed": None, "snapshots": lost})
    assert made["items"][0]["status"] == "critical"


def test_a_list_that_did_not_come_is_unknown_and_not_healthy() -> None:
    made = run("backup_verify", {"wanted": ["nexusdb"], "rows": [GOOD], "listed": {"failed": True, "msg": "no folder"}})
    assert made["items"][1]["status"] == "unknown"
    assert "no folder" in made["items"][1]["headline"]


def test_values_of_the_last_runs_are_lines_beside_the_sizes() -> None:
    made = morning()
    made["trends"] = {
        "runs": ["a", "b"],
        "systems": {"backup1": {"backup_health.backups.nexusdb.bytes": [1, 2]}},
        "findings": {},
    }
    (drawn,) = restorable.page(made["backups"], made["trends"])
    assert drawn["trends"]["bytes"]["label"] == "2 runs, from 1 to 2, now 2"
    assert html.render(made, TEMPLATE).count('<svg class="spark"') >= 1

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history in SQLite: what is kept comes back, also from older tables, and what goes wrong is said and no more."""

from __future__ import annotations

import json
import sqlite3
import stat
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import sqlalchemy as sa
from fake import ROOT, dead_primary, finding, look, report

from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._history import migrations, pack, place, store, tables
from ansible_collections.nexuscos.ops.plugins.module_utils._history.acks import Acknowledgement
from ansible_collections.nexuscos.ops.plugins.module_utils._history.delta import past_of
from ansible_collections.nexuscos.ops.plugins.module_utils._history.keep import Keeper
from ansible_collections.nexuscos.ops.plugins.module_utils._history.place import HistoryError
from ansible_collections.nexuscos.ops.plugins.module_utils._report import (
    delta_view,
    html,
    junit,
    markdown,
    prometheus,
    terminal,
)
from ansible_collections.nexuscos.ops.plugins.module_utils._report.model import verdict

SCHEMA = json.loads((ROOT / "docs/schemas/report-1.schema.json").read_text(encoding="utf-8"))
TEMPLATE = (ROOT / "roles/report/templates/report.html.j2").read_text(encoding="utf-8")
OLD = Path(__file__).parent / "history-1.sql"


def url(folder: Path, name: str = "history.sqlite") -> str:
    return "sqlite:///%s" % (folder / name)


def at(day: int, hour: int = 6) -> str:
    return "2026-11-%02dT%02d:00:00Z" % (day, hour)


def morning(day: int, *findings: dict[str, Any], hour: int = 6, **more: Any) -> dict[str, Any]:
    """A morning that looked at one cluster and one database."""
    mine = {name: [one for one in findings if one["object"].split("/")[0] == name] for name in ("us-east-1", "db1")}
    run = {"id": "run-%d-%d" % (day, hour), "started": at(day, hour), "ended": at(day, hour), **more.pop("run", {})}
    looks = [look("us-east-1", "clusters", *mine["us-east-1"]), look("db1", "databases", *mine["db1"], **more)]
    return report(*looks, run=run)


def pod(status: str = "critical", name: str = "kei-ai", **more: Any) -> dict[str, Any]:
    return finding("k8s.readiness", "us-east-1/nexus-ai/Deployment/%s" % name, status, "%s is not ready" % name, **more)


def acknowledgement(one: dict[str, Any], until: str = at(30), status: str = "critical") -> Acknowledgement:
    return Acknowledgement(
        0, "Nexus COS", one["fingerprint"], one["check"], one["object"], "ops", "new disk", status, at(20), until, "7d"
    )


def keep(folder: Path, made: dict[str, Any], **more: int) -> dict[str, Any]:
    """What a run does."""
    keeper = Keeper(url(folder), "unused", True)
    keeper.consult(made, made["run"]["started"])
    keeper.record(made, more.get("runs", 0), more.get("days", 0), made["run"]["started"])
    return made


def test_a_run_comes_back_as_it_was(tmp_path: Path) -> None:
    made = keep(tmp_path, dead_primary())
    history = store.open_history(url(tmp_path), write=False)
    back = history.report(made["run"]["id"])
    assert back is not None
    assert {key: value for key, value in made.items() if key != "trends"} == back
    assert history.report("no such run") is None
    (row,) = history.runs()
    assert (row["procedure"], row["worst"], row["critical"]) == (
        "daily_morning",
        "critical",
        made["summary"]["critical"],
    )
    (recent,) = history.recent("daily_morning", "Nexus COS")
    live = past_of(made)
    assert recent.seen == live.seen
    assert set(recent.findings) == set(live.findings)


def test_the_file_is_its_owner_s_alone(tmp_path: Path) -> None:
    keep(tmp_path / "deep" / "er", morning(20))
    assert stat.S_IMODE((tmp_path / "deep" / "er" / "history.sqlite").stat().st_mode) == 0o600


def test_two_runs_of_one_name_are_two_runs(tmp_path: Path) -> None:
    names = [keep(tmp_path, morning(20))["run"]["id"] for _one in range(3)]
    assert names == ["run-20-6", "run-20-6-2", "run-20-6-3"]


def test_delta_since_the_last_run(tmp_path: Path) -> None:
    disk, replication = (
        finding("postgres.size", "db1/x", "warning"),
        finding("postgres.unused_index", "db1/s", "warning"),
    )
    first = keep(tmp_path, morning(20, pod("warning"), disk, replication))
    assert first["delta"] is None
    assert {one["delta"] for one in first["findings"]} == {None}
    second = keep(tmp_path, morning(21, pod(), disk, pod(name="glitch")))
    assert {one["object"].rsplit("/", 1)[-1]: one["delta"] for one in second["findings"]} == {
        "kei-ai": "worse",
        "x": "unchanged",
        "glitch": "new",
    }
    delta = second["delta"]
    assert (delta["new"], delta["worse"], delta["unchanged"], delta["better"]) == (1, 1, 1, 0)
    assert [one["object"] for one in delta["resolved"]] == ["db1/s"]
    assert delta["since"] == {"run": "run-20-6", "started": at(20)}
    third = keep(tmp_path, morning(22, pod(), disk))
    assert {one["since"] for one in third["findings"]} == {at(20)}
    for made in (first, second, third):
        jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(made)))


def test_other_procedures_and_platforms_are_others(tmp_path: Path) -> None:
    keep(tmp_path, morning(20, run={"platform": "other"}))
    keep(tmp_path, morning(20, run={"procedure": "daily_watch"}))
    assert keep(tmp_path, morning(21, pod()))["delta"] is None


def test_what_was_not_seen_is_not_resolved(tmp_path: Path) -> None:
    keep(tmp_path, morning(20, finding("postgres.size", "db1/x", "warning")))
    made = keep(tmp_path, morning(21, error=("unreachable", "no route")))
    assert made["delta"]["resolved"] == []
    assert [one["object"] for one in made["delta"]["not_seen"]] == ["db1/x"]
    assert {one["delta"] for one in made["findings"]} == {"new"}
    back = keep(tmp_path, morning(22, finding("postgres.size", "db1/x", "warning")))
    assert [one["delta"] for one in back["findings"]] == ["unchanged"]
    assert [one["check"] for one in back["delta"]["resolved"]] == ["run.observed"]


def test_flapping_is_named(tmp_path: Path) -> None:
    for hour in range(4):
        made = keep(tmp_path, morning(20, *([pod()] if hour % 2 == 0 else []), hour=hour))
    assert made["delta"]["resolved"][0]["flapping"] == {"changes": 3, "runs": 4}
    assert "flapping (3 changes in 4 runs)" in terminal.render(made)
    made = keep(tmp_path, morning(20, pod(), hour=4))
    assert made["findings"][0]["flapping"] == {"changes": 4, "runs": 5}
    assert "flapping (4 changes in 5 runs)" in terminal.render(made)


def test_an_acknowledged_finding_fails_no_job_and_folds_into_one_line(tmp_path: Path) -> None:
    keep(tmp_path, morning(20, pod()))
    store.open_history(url(tmp_path)).acknowledge(acknowledgement(pod()))
    made = keep(tmp_path, morning(21, pod()))
    assert made["findings"][0]["acknowledged"] == {
        "by": "ops",
        "reason": "new disk",
        "until": at(30),
        "inherited": False,
    }
    assert verdict(made, "critical") == (False, "")
    assert verdict(made, "warning") == (False, "")
    text = terminal.render(made)
    assert "ACKED     1 until 2026-11-30 06:00 UTC by ops: new disk (us-east-1/nexus-ai" in text
    assert "kei-ai is not ready" not in text
    assert "Nothing is wrong that is not acknowledged." in text
    assert "kei-ai is not ready" in terminal.render(made, verbose=True)
    for page in (markdown.render(made), html.render(made, TEMPLATE)):
        assert "until 2026-11-30 06:00 UTC by ops: new disk" in page
    document = junit.render(made)
    assert ' failures="0"' in document
    assert '<skipped message="acknowledged until' in document
    assert "nexuscos_run_findings_acknowledged{" in prometheus.render(made)
    assert verdict(keep(tmp_path, morning(22, pod(), pod(name="glitch"))), "critical")[0]


def test_an_acknowledgement_ends_for_good(tmp_path: Path) -> None:
    keep(tmp_path, morning(20, pod("warning")))
    history = store.open_history(url(tmp_path))
    for day, now, why in ((21, [pod()], "got worse"), (22, [], "resolved")):
        history.acknowledge(acknowledgement(pod(), status="warning"))
        made = keep(tmp_path, morning(day, *now))
        assert [one["why"] for one in made["history"]["ended"]] == [why]
        assert "is no longer acknowledged" in terminal.render(made)
        # It is not acknowledged again by coming back.
        assert keep(tmp_path, morning(day, pod("warning"), hour=9))["findings"][0]["acknowledged"] is None
    history.acknowledge(acknowledgement(pod(), until=at(24)))
    assert keep(tmp_path, morning(23, pod()))["findings"][0]["acknowledged"]
    assert [one["why"] for one in keep(tmp_path, morning(24, pod()))["history"]["ended"]] == ["expired"]
    ended = [one.ended_why for one in history.acknowledgements("Nexus COS", ended=True)]
    assert ended == ["got worse", "resolved", "expired"]


def test_what_an_acknowledged_cause_explains_goes_with_it(tmp_path: Path) -> None:
    made = dead_primary()
    cause = next(one for one in made["findings"] if one["check"] == "postgres.reachable")
    delta_view.apply(made, [], [acknowledgement(cause)], at(22))
    marks = {one["fingerprint"]: one["acknowledged"] for one in made["findings"]}
    assert all(marks[name]["inherited"] for name in made["causes"][0]["explains"])
    assert verdict(made, "critical") == (False, "")
    # Of the others one system was not seen: that is nothing anybody has acknowledged.
    assert verdict(made, "unknown")[0]


def test_where_a_silent_system_is_acknowledged_its_unseen_checks_are_too() -> None:
    made = morning(20, finding("postgres.reachable", "db1"))
    for row in made["coverage"]["rows"]:
        if row["system"] == "db1" and row["check"] != "postgres.reachable":
            row.update(seen=False, reason="refused")
    made["coverage"]["seen"] -= 10
    assert verdict(made, "unknown")[0]
    delta_view.apply(made, [], [acknowledgement(made["findings"][0])], at(21))
    assert verdict(made, "unknown") == (False, "")


def test_retention_by_count_and_age(tmp_path: Path) -> None:
    for day in range(1, 11):
        keep(tmp_path, morning(day, pod()))
    history = store.open_history(url(tmp_path))
    keep(tmp_path, morning(11, pod()), runs=4)
    assert [run["id"] for run in history.runs()] == ["run-%d-6" % day for day in (11, 10, 9, 8)]
    keep(tmp_path, morning(20, pod()), days=10)
    assert [run["id"] for run in history.runs()] == ["run-20-6", "run-11-6", "run-10-6"]
    keep(tmp_path, morning(21), days=1, runs=1)
    assert [run["id"] for run in history.runs()] == ["run-21-6"]
    with sqlite3.connect(tmp_path / "history.sqlite") as connection:
        for table in ("items", "looks", "findings", "values"):
            names = {row[0] for row in connection.execute("SELECT DISTINCT run_id FROM nexuscos_%s" % table)}
            assert names <= {"run-21-6"}, table
    connection.close()


def test_values_make_lines(tmp_path: Path) -> None:
    for day, number in ((20, 5), (21, 7), (22, 9)):
        made = morning(day, pod(value=float(number)), facts={"connections_used": number, "version": "15", "same": 1})
        keep(tmp_path, made)
    assert made["trends"] == {
        "runs": [at(20), at(21), at(22)],
        "systems": {"db1": {"postgres_health.connections_used": [5, 7, 9]}},
        "findings": {pod()["fingerprint"]: [5, 7, 9]},
    }


# What goes wrong


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    def consult() -> dict[str, Any]:
        made = morning(21, pod())
        keeper = Keeper(url(tmp_path), "unused", False)
        keeper.consult(made, at(21))
        keeper.record(made, 1, 1, at(21))
        return made

    made = consult()
    assert (made["history"]["kept"], made["history"]["error"]) == (False, None)
    assert list(tmp_path.iterdir()) == []
    keep(tmp_path, morning(20))
    before = (tmp_path / "history.sqlite").read_bytes()
    assert [one["delta"] for one in consult()["findings"]] == ["new"]
    assert (tmp_path / "history.sqlite").read_bytes() == before


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("mysql://a:geheim@b/c", "want SQLite or PostgreSQL"),
        ("nonsense", "want sqlite:///"),
        ("sqlite://", "want sqlite:///"),
        ("postgresql+psycopg://me:geheim@127.0.0.1:1/x", "cannot be read"),
    ],
)
def test_a_history_that_cannot_be_had_fails_no_run(given: str, error: str) -> None:
    made = morning(20, pod())
    keeper = Keeper(given, "unused", True)
    keeper.consult(made, at(20))
    keeper.record(made, 0, 0, at(20))
    assert error in made["history"]["error"]
    assert made["history"]["kept"] is False
    assert "geheim" not in json.dumps(made)
    assert "history   not kept: " in terminal.render(made)


def test_a_file_that_is_no_database_fails_no_run(tmp_path: Path) -> None:
    (tmp_path / "history.sqlite").write_text("not a database, but long enough to be looked at " * 50)
    made = keep(tmp_path, morning(20, pod()))
    assert "file is not a database" in made["history"]["error"]
    (tmp_path / "x").write_text("a file")
    assert "cannot be made" in keep(tmp_path / "x" / "y", morning(20))["history"]["error"]


def test_a_damaged_report_in_it_fails_no_run(tmp_path: Path) -> None:
    keep(tmp_path, morning(20, pod()))
    with sqlite3.connect(tmp_path / "history.sqlite") as connection:
        connection.execute("UPDATE nexuscos_looks SET checks_seen = 'garbage'")
    connection.close()
    made = keep(tmp_path, morning(21, pod()))
    assert "the history failed: JSONDecodeError" in made["history"]["error"]
    assert made["history"]["kept"]
    assert "history   kept, but: the history failed" in terminal.render(made)
    assert made["findings"][0]["delta"] is None


def test_without_the_library_the_report_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    made = keep(tmp_path, morning(20))
    assert "SQLAlchemy >= 2.0 is needed" in made["history"]["error"]
    assert not (tmp_path / "history.sqlite").exists()


def test_no_history_on_purpose() -> None:
    made = morning(20)
    keeper = Keeper("none", "unused", True)
    keeper.consult(made, at(20))
    keeper.record(made, 0, 0, at(20))
    assert made["history"] == {"kept": False, "error": None, "url": None, "ended": []}
    assert "history" not in terminal.render(made)


def test_hostile_texts_are_kept(tmp_path: Path) -> None:
    evil = "\x00'; DROP TABLE nexuscos_runs; --" + "x" * 5000
    bad = finding("k8s.readiness", "us-east-1/" + evil, title=evil + "\ud800")
    made = morning(20, bad, facts={evil: 1, "nan": float("nan"), "many": 10**400})
    assert keep(tmp_path, made)["history"]["error"] is None
    history = store.open_history(url(tmp_path))
    assert len(history.runs()) == 1
    assert len(history.known("Nexus COS")) == 1


# Migrations


def _columns(connection: Any) -> dict[str, Any]:
    inspector = sa.inspect(connection)
    return {
        name: {
            (one["name"], str(one["type"]), bool(one["nullable"]) and not one["primary_key"])
            for one in inspector.get_columns(name)
        }
        | {("index", one["name"], tuple(one["column_names"])) for one in inspector.get_indexes(name)}
        for name in inspector.get_table_names()
    }


def test_the_steps_end_at_the_present_tables(tmp_path: Path) -> None:
    migrated, made = place.engine(url(tmp_path, "a"), True), place.engine(url(tmp_path, "b"), True)
    with migrated.begin() as connection:
        assert migrations.migrate(connection) == migrations.CURRENT
        assert migrations.migrate(connection) == migrations.CURRENT
    with made.begin() as connection:
        tables.define().metadata.create_all(connection)
    with migrated.connect() as one, made.connect() as other:
        assert _columns(one) == _columns(other)


def _old(folder: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / "history.sqlite")
    connection.executescript(OLD.read_text(encoding="utf-8"))
    return connection


def _rows(connection: sqlite3.Connection, table: str, columns: str = "*") -> list[Any]:
    return sorted(connection.execute("SELECT %s FROM nexuscos_%s" % (columns, table)).fetchall(), key=repr)


def test_a_migration_of_an_old_file_loses_nothing(tmp_path: Path) -> None:
    connection = _old(tmp_path)
    names = {
        table: ", ".join('"%s"' % row[1] for row in connection.execute("PRAGMA table_info(nexuscos_%s)" % table))
        for table in ("runs", "items", "findings", "values", "acknowledgements")
    }
    before = {table: _rows(connection, table, columns) for table, columns in names.items()}
    assert all(before.values())
    connection.close()
    with pytest.raises(HistoryError, match="tables of an earlier version"):
        store.open_history(url(tmp_path), write=False)
    history = store.open_history(url(tmp_path))
    connection = sqlite3.connect(tmp_path / "history.sqlite")
    assert {table: _rows(connection, table, columns) for table, columns in names.items()} == before
    since = dict(connection.execute("SELECT run_id || ' ' || object, since FROM nexuscos_findings").fetchall())
    connection.close()
    kei = "us-east-1/nexus-ai/Deployment/kei-ai"
    assert since["run-21-6 " + kei] == at(20)
    assert since["run-22-6 " + kei] == at(20)
    made = morning(23, pod())
    delta_view.apply(made, history.recent("daily_morning", "Nexus COS"), history.acknowledgements("Nexus COS"), at(23))
    assert (made["findings"][0]["delta"], made["findings"][0]["since"]) == ("unchanged", at(20))
    assert made["findings"][0]["acknowledged"]["by"] == "ops"
    assert [one["object"] for one in made["delta"]["resolved"]] == ["db1/x"]


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = _old(tmp_path)
    before = list(connection.iterdump())
    connection.close()

    def broken(connection: Any) -> None:
        migrations._step_2(connection)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(migrations, "STEPS", (migrations._step_1, broken))
    with pytest.raises(HistoryError, match="No space left"):
        store.open_history(url(tmp_path))
    connection = sqlite3.connect(tmp_path / "history.sqlite")
    assert list(connection.iterdump()) == before
    connection.close()


def test_a_history_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    keep(tmp_path, morning(20))
    with sqlite3.connect(tmp_path / "history.sqlite") as connection:
        connection.execute("INSERT INTO nexuscos_schema_version VALUES (99, 'x')")
    connection.close()
    assert "later version" in keep(tmp_path, morning(21))["history"]["error"]


def test_a_packed_report_is_small() -> None:
    made = dead_primary()
    assert len(pack.pack(made)) < len(json.dumps(made)) / 4


def test_options_are_not_confused_with_histories() -> None:
    assert not issubclass(HistoryError, OptionError)


@pytest.mark.parametrize("many", [3, 300])
def test_a_report_with_all_that_changed_fits_a_screen(tmp_path: Path, many: int) -> None:
    keep(
        tmp_path,
        morning(20, pod("warning"), pod(name="auth-service"), *(pod(name="old%d" % one) for one in range(many))),
    )
    store.open_history(url(tmp_path)).acknowledge(acknowledgement(pod(name="auth-service")))
    made = keep(
        tmp_path,
        morning(
            21,
            pod(),
            pod(name="auth-service"),
            pod("warning", "old0"),
            *(pod(name="new%d" % one) for one in range(many)),
            *(finding("postgres.size", "db1/d%d" % one, "warning", "d%d grows" % one) for one in range(many)),
            finding("postgres.reachable", "db1"),
        ),
    )
    made["history"]["error"] = "the history cannot be written"
    lines = terminal.render(made, path="reports/x").split("\n")
    assert len(lines) <= terminal.SCREEN
    assert max(map(len, lines)) <= terminal.COLUMNS
    text = "\n".join(lines)
    for word in ("\nNEW ", "\nWORSE ", "\nACKED ", "\nRESOLVED ", "\nsince ", "\nhistory "):
        assert word in text, word
    assert text.index("\nNEW ") < text.index("\nWORSE ")

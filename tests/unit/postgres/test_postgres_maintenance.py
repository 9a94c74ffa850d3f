# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Vacuum, WAL, storage, indexes, settings."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from pg_looks import MIB, Look, mark

TABLE = {
    "schema": "commerce", "name": "orders", "rows": 100_000.0, "pages": 1000, "live": 100_000.0, "dead": 0.0,
    "modified": 0.0, "inserted": 0.0, "options": None, "vacuumed_s": 3600.0, "analyzed_s": 3600.0, "vacuuming": False,
}  # fmt: skip
ORDERS = "nexusdb/commerce.orders"


def table(**values: Any) -> Look:
    return Look().add("tables", **{**TABLE, **values})


def test_autovacuum_off_for_the_server_or_for_a_table_of_some_size() -> None:
    assert Look().setting("autovacuum", "off").judge().found == {("autovacuum", ""): "critical"}
    assert Look().setting("track_counts", "off").judge().found == {("autovacuum", ""): "critical"}
    off = ["fillfactor=90", "autovacuum_enabled=false"]
    assert table(options=off).judge().found == {("autovacuum", ORDERS): "warning"}
    assert table(options=off, live=10.0, rows=10.0).judge().found == {}


@pytest.mark.parametrize(
    ("dead", "live", "status"),
    [
        (9_999.0, 1.0, None),
        (30_000.0, 70_000.0, None),
        (31_000.0, 69_000.0, "warning"),
        (61_000.0, 39_000.0, "critical"),
    ],
)
def test_dead_rows(dead: float, live: float, status: str | None) -> None:
    assert table(dead=dead, live=live).judge().found.get(("dead_tuples", ORDERS)) == status


def test_dead_rows_name_what_keeps_vacuum_away() -> None:
    look = table(dead=50_000.0, live=50_000.0, options=["autovacuum_enabled=off"]).judge()
    assert look.finding("dead_tuples")["caused_by"] == mark("autovacuum", "db1/" + ORDERS)
    look = table(dead=50_000.0, live=50_000.0).add("horizon", pid=3, database="nexusdb", xmin_age=5_000_000).judge()
    assert look.finding("dead_tuples")["caused_by"] == mark("xmin_horizon", "db1/nexusdb")


@pytest.mark.parametrize(
    ("values", "status"),
    [
        # the trigger is 50 + 0.2 * 100,000 = 20,050
        ({"dead": 40_000.0}, None),
        ({"dead": 41_000.0}, "warning"),
        ({"dead": 202_000.0}, "critical"),
        # somebody is at it
        ({"dead": 202_000.0, "vacuuming": True}, "warning"),
        # autovacuum has had no chance to come by yet
        ({"dead": 202_000.0, "vacuumed_s": 50.0}, None),
        # options of the table
        ({"dead": 20_000.0, "options": ["autovacuum_vacuum_scale_factor=0.01"]}, "critical"),
        # only inserts: 1000 + 0.2 * 100,000 = 21,000
        ({"inserted": 43_000.0}, "warning"),
        # switched off for the table: nobody is late, nobody comes
        ({"dead": 202_000.0, "options": ["autovacuum_enabled=off"]}, None),
    ],
)
def test_autovacuum_that_is_late(values: dict[str, Any], status: str | None) -> None:
    assert table(**values).judge().found.get(("vacuum_lag", "nexusdb")) == status


def test_from_18_on_a_table_waits_for_no_more_than_the_maximum() -> None:
    values = {"rows": 1e9, "live": 1e9, "dead": 120e6}
    assert table(**values).judge().found == {}
    look = table(**values).setting("autovacuum_vacuum_max_threshold", "50000000").judge()
    assert look.finding("vacuum_lag")["value"] == 2.4


def test_one_finding_for_all_tables_of_a_database_that_are_late() -> None:
    look = table(dead=50_000.0, live=900_000.0, rows=100_000.0, options=["autovacuum_vacuum_scale_factor=0.01"])
    look.add(
        "tables",
        **{**TABLE, "name": "items", "dead": 90_000.0, "live": 1e6, "options": ["autovacuum_vacuum_scale_factor=0"]},
    )
    finding = look.judge().finding("vacuum_lag")
    assert finding["evidence"]["count"] == 2
    assert finding["evidence"]["tables"][0]["table"] == "commerce.items"


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"modified": 30_000.0}, None),
        ({"modified": 31_000.0}, "warning"),
        ({"modified": 9_999_999.0}, "warning"),
        ({"modified": 90_000.0, "analyzed_s": 30.0}, None),
        ({"modified": 90_000.0, "analyzed_s": None}, "warning"),
    ],
)
def test_stale_statistics(values: dict[str, Any], status: str | None) -> None:
    assert table(**values).judge().found.get(("stale_statistics", ORDERS)) == status


def bloated(**values: Any) -> Look:
    # 24 + 64 + 4 bytes: 88 rows a page, 100,000 rows in 1,137 pages
    row = {
        "schema": "commerce",
        "name": "orders",
        "pages": 4000,
        "rows": 100_000.0,
        "options": None,
        "known_columns": 2,
        "width": 60.0,
    }
    return Look().add("bloat", **{**row, "nulls": False, "columns": 2, **values})


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({}, "warning"),
        ({"pages": 2200}, None),
        # an estimate never becomes critical
        ({"pages": 4_000_000}, "warning"),
        # not analyzed, or not all columns
        ({"width": None, "known_columns": None}, None),
        ({"known_columns": 1}, None),
        # the table is meant to be half empty
        ({"pages": 2500, "options": ["fillfactor=50"]}, None),
        # a few megabytes are not worth a maintenance window
        ({"pages": 1200, "rows": 20_000.0}, None),
    ],
)
def test_bloat_is_an_estimate(values: dict[str, Any], status: str | None) -> None:
    look = bloated(**values).judge({"postgres.bloat": {"alert": 60}})
    assert look.found.get(("bloat", ORDERS)) == status
    if status:
        assert "estimate" in look.finding("bloat")["title"]


@pytest.mark.parametrize(
    ("failed", "archived", "status"),
    [(None, 10.0, None), (None, None, None), (500.0, 10.0, None), (10.0, 500.0, "critical"), (10.0, None, "critical")],
)
def test_the_archiver_fails_when_its_last_try_failed(
    failed: float | None, archived: float | None, status: str | None
) -> None:
    look = Look().row(
        "archiver", failed_s=failed, archived_s=archived, failed=900.0, failed_wal="0000000100000000000000AA"
    )
    assert look.judge().found.get(("archiver", "")) == status


def test_without_archiving_there_is_nothing_to_fail() -> None:
    look = Look().setting("archive_mode", "off").row("archiver", failed_s=1.0).row("ready", ready=500).judge()
    assert look.found == {}
    assert look.unseen == {}


def test_a_failing_archiver_explains_what_piles_up() -> None:
    look = (
        Look().row("archiver", failed_s=1.0).row("ready", ready=70, oldest_s=600.0).row("wal", bytes=2000 * MIB).judge()
    )
    assert look.found == {
        ("archiver", ""): "critical",
        ("archive_backlog", ""): "critical",
        ("wal_size", ""): "warning",
    }
    for check in ("archive_backlog", "wal_size"):
        assert look.finding(check)["caused_by"] == mark("archiver", "db1")


@pytest.mark.parametrize(("mib", "status"), [(864.0, None), (870.0, "warning"), (2310.0, "critical")])
def test_wal_against_its_settings(mib: float, status: str | None) -> None:
    # max_wal_size 512 MB + wal_keep_size 64 MB
    assert Look().row("wal", bytes=mib * MIB).judge().found.get(("wal_size", "")) == status


@pytest.mark.parametrize(
    ("requested", "age", "status"),
    [(12.0, 60.0, None), (13.0, 60.0, "warning"), (61.0, 600.0, "critical"), (1000.0, 30 * 86_400.0, None)],
)
def test_checkpoints_are_a_rate_and_a_burst_is_none(requested: float, age: float, status: str | None) -> None:
    assert (
        Look().row("checkpoints", requested=requested, statistics_s=age).judge().found.get(("checkpoints", ""))
        == status
    )


def counters(**values: Any) -> Look:
    look = Look()
    next(row for row in look.rows("databases") if row["database"] == "nexusdb").update(values)
    return look


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"deadlocks": 2.0, "statistics_s": 60.0}, {}),
        ({"deadlocks": 3.0, "statistics_s": 60.0}, {("deadlocks", "nexusdb"): "warning"}),
        # the same number, a month ago or over a month
        ({"deadlocks": 1000.0, "statistics_s": 30 * 86_400.0}, {}),
        ({"deadlocks": 1000.0, "statistics_s": 7200.0}, {("deadlocks", "nexusdb"): "critical"}),
        # never reset by itself: it counts since the statistics as a whole began
        ({"deadlocks": 3.0, "statistics_s": None}, {("deadlocks", "nexusdb"): "warning"}),
        ({"temp_bytes": 1100 * MIB, "statistics_s": 60.0}, {("temp_files", "nexusdb"): "warning"}),
        ({"temp_bytes": 1e12, "statistics_s": 100 * 86_400.0}, {}),
        ({"hit": 50_000.0, "read": 9_999.0}, {}),
        ({"hit": 50_000.0, "read": 10_000.0}, {("hit_ratio", "nexusdb"): "warning"}),
        ({"hit": 90_000.0, "read": 10_000.0}, {}),
        ({"hit": 0.0, "read": 1e9}, {("hit_ratio", "nexusdb"): "warning"}),
    ],
)
def test_counters_are_rates(values: dict[str, Any], found: dict[tuple[str, str], str]) -> None:
    assert counters(**values).judge().found == found


@pytest.mark.parametrize(
    ("failures", "seconds", "status"),
    [
        (0.0, None, None),
        (3.0, 60.0, "critical"),
        (3.0, 8 * 86_400.0, "warning"),
        (3.0, 31 * 86_400.0, None),
        (3.0, None, "critical"),
    ],
)
def test_broken_pages_are_forgotten_after_a_month(failures: float, seconds: float | None, status: str | None) -> None:
    look = counters(checksum_failures=failures, checksum_failure_s=seconds).judge()
    assert look.found.get(("checksum_failures", "nexusdb")) == status


def test_broken_pages_of_shared_catalogues_count() -> None:
    look = Look().row("shared", checksum_failures=1.0, checksum_failure_s=5.0).judge()
    assert look.found == {("checksum_failures", ""): "critical"}


def test_without_checksums_nobody_knows() -> None:
    look = Look().setting("data_checksums", "off").judge()
    assert look.found == {}
    assert "pg_checksums --enable" in look.unseen["checksum_failures"]


def test_size_of_all_databases() -> None:
    look = Look()
    look.rows("sizes")[0]["bytes"] = 420e9
    assert look.judge().found == {("size", ""): "warning"}


@pytest.mark.parametrize(
    ("before", "seconds", "status"),
    [
        (100 * MIB, 86_400.0, None),
        (95 * MIB, 86_400.0, "warning"),
        (95 * MIB, 7200.0, "critical"),
        (1.0, 86_400.0, None),
    ],
)
def test_growth_against_an_earlier_look(before: float, seconds: float, status: str | None) -> None:
    look = Look()
    next(row for row in look.rows("sizes") if row["database"] == "nexusdb")["bytes"] = 101 * MIB
    look.judge(growth=True, sizes={"nexusdb": before}, sizes_s=seconds)
    assert look.found.get(("growth", "nexusdb")) == status


def test_growth_is_not_asked_not_known_or_not_yet_told() -> None:
    assert "growth" not in Look().judge().unseen
    assert "no earlier look" in Look().judge(growth=True).unseen["growth"]
    assert "too short" in Look().judge(growth=True, sizes={"nexusdb": 1e9}, sizes_s=60.0).unseen["growth"]


def test_invalid_indexes_with_the_remedy_that_fits() -> None:
    row = {"schema": "commerce", "table_name": "orders", "is_unique": True, "ready": True, "pages": 10}
    look = Look().add("invalid", name="orders_id", **row).add("invalid", name="orders_pkey_ccnew", **row).judge()
    remedies = {one["object"].rsplit(".", 1)[1]: one["remedy"] for one in look.result["findings"]}
    assert "REINDEX INDEX CONCURRENTLY commerce.orders_id" in remedies["orders_id"]
    assert "DROP INDEX CONCURRENTLY commerce.orders_pkey_ccnew" in remedies["orders_pkey_ccnew"]


def test_names_that_are_not_plain_are_quoted_for_sql_and_for_the_shell() -> None:
    row = {"schema": "Sales", "table_name": "t", "is_unique": False, "ready": True, "pages": 10}
    look = Look().add("invalid", name='it\'s "x"', **row)
    look.observation["server"]["port"] = 6543
    remedy = shlex.split(look.judge().finding("invalid_index")["remedy"])
    assert remedy[-1] == 'REINDEX INDEX CONCURRENTLY "Sales"."it\'s ""x"""'
    assert remedy[:7] == ["psql", "-h", "198.18.0.21", "-d", "nexusdb", "-p", "6543"]


def unused(age: float, **values: Any) -> Look:
    row = {
        "schema": "commerce",
        "name": "orders_x",
        "table_name": "orders",
        "pages": 512,
        "scans": 0.0,
        "last_used_s": None,
    }
    return counters(statistics_s=age).add("unused", **{**row, **values})


@pytest.mark.parametrize(
    ("age", "values", "status"),
    [
        (34 * 86_400.0, {}, None),
        (36 * 86_400.0, {}, "warning"),
        # 16 and newer say when it was last used
        (400 * 86_400.0, {"scans": 7.0, "last_used_s": 2 * 86_400.0}, None),
        (400 * 86_400.0, {"scans": 7.0, "last_used_s": 40 * 86_400.0}, "warning"),
        # used before 16 began to write that down
        (400 * 86_400.0, {"scans": 7.0}, None),
    ],
)
def test_an_index_is_unused_when_statistics_are_old_enough(
    age: float, values: dict[str, Any], status: str | None
) -> None:
    look = unused(age, **values).judge()
    assert look.found.get(("unused_index", "nexusdb/commerce.orders_x")) == status
    if status:
        assert "2 standbys may use it" in look.finding("unused_index")["title"]


def test_duplicate_indexes_keep_the_first_and_drop_constraints_as_such() -> None:
    look = Look().add(
        "duplicates",
        schema="commerce", table_name="orders", names=["orders_pkey", "orders_id_key", "orders_id"],
        constraints=[True, True, False], pages=[10, 10, 10],
    ).judge()  # fmt: skip
    remedies = {one["object"].rsplit(".", 1)[1]: one["remedy"] for one in look.result["findings"]}
    assert "DROP CONSTRAINT orders_id_key" in remedies["orders_id_key"]
    assert "DROP INDEX CONCURRENTLY commerce.orders_id" in remedies["orders_id"]
    assert "orders_pkey" not in remedies


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"last": 1_500_000_000.0}, None),
        ({"last": 1_506_000_000.0}, "warning"),
        ({"last": 1_940_000_000.0}, "critical"),
        ({"last": 1_940_000_000.0, "column_type": "bigint"}, None),
        # the sequence itself ends sooner than its column
        ({"last": 95.0, "highest": 100.0}, "critical"),
        # counting down
        (
            {"last": -30_000.0, "step": -1.0, "lowest": -32_768.0, "highest": -1.0, "column_type": "smallint"},
            "critical",
        ),
        ({"last": None}, None),
    ],
)
def test_sequences_against_the_column_that_they_feed(values: dict[str, Any], status: str | None) -> None:
    row = {
        "schema": "commerce", "name": "orders_id_seq", "type": "bigint",
        "start": 1.0, "lowest": 1.0, "highest": 2.0**63 - 1,
        "step": 1.0, "table_name": "orders", "column_name": "id", "column_type": "integer",
    }  # fmt: skip
    look = Look().add("sequences", **{**row, **values}).judge()
    assert look.found.get(("sequence", "nexusdb/commerce.orders_id_seq")) == status


def test_settings_that_wait_for_a_restart() -> None:
    look = Look().add("settings", name="shared_buffers", setting=None, unit="8kB", pending_restart=True).judge()
    assert look.found == {("pending_restart", ""): "warning"}
    assert look.finding("pending_restart")["evidence"] == {"settings": ["shared_buffers"]}


def test_broken_lines_of_pg_hba_conf() -> None:
    look = Look().add("hba", line=7, error='invalid connection type "hots"', file="/etc/pg_hba.conf").judge()
    assert look.found == {("hba_errors", ""): "critical"}

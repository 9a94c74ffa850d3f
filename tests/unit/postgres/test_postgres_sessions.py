# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections, sessions, locks, transaction ids."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from pg_looks import Look, mark


def session(pid: int, state: str, seconds: float, **more: Any) -> dict[str, Any]:
    return {
        "pid": pid, "database": "nexusdb", "role": "nexus", "application": "billing-service", "client": "198.18.0.13",
        "kind": "client backend", "state": state, "wait_type": None, "wait": None, "query": "SELECT 1",
        "transaction_s": seconds, "query_s": seconds, "state_s": seconds, "xid_age": None, "xmin_age": None, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("used", "status"), [(157, None), (158, "warning"), (177, "warning"), (178, "critical"), (197, "critical")]
)
def test_connections_are_judged_against_what_is_usable(used: int, status: str | None) -> None:
    # max_connections 200, of which 3 are reserved: 80 and 90 % of 197
    look = Look().row("connections", used=used).judge()
    assert look.found.get(("connections", "")) == status
    assert look.result["facts"]["connections_usable"] == 197


def test_reserved_connections_of_16_are_not_usable() -> None:
    look = Look("primary-16").setting("reserved_connections", "10").row("connections", used=45).judge()
    # 60 - 3 - 10 = 47
    assert look.finding("connections")["evidence"]["usable"] == 47
    assert look.found == {("connections", ""): "critical"}


def test_limits_of_databases_and_roles_count() -> None:
    look = Look()
    next(row for row in look.rows("databases") if row["database"] == "nexusdb").update(allowed=10, used=10)
    look.rows("roles").append({"role": "nexus", "allowed": 20, "used": 17})
    assert look.judge().found == {("connections", "nexusdb"): "critical", ("connections", "role/nexus"): "warning"}


@pytest.mark.parametrize(("seconds", "status"), [(300, None), (301, "warning"), (1800, "warning"), (1801, "critical")])
def test_idle_in_transaction_by_the_time_it_idles(seconds: float, status: str | None) -> None:
    look = Look().add("sessions", **session(7, "idle in transaction", seconds))
    assert look.judge().found.get(("idle_in_transaction", "nexusdb")) == status


def test_an_aborted_transaction_idles_as_well() -> None:
    look = Look().add("sessions", **session(7, "idle in transaction (aborted)", 400))
    assert look.judge().found == {("idle_in_transaction", "nexusdb"): "warning"}
    assert "pg_terminate_backend(7)" in look.finding("idle_in_transaction")["remedy"]


def test_one_finding_a_database_names_the_worst_session() -> None:
    look = Look().add("sessions", **session(7, "active", 400)).add("sessions", **session(8, "active", 2000))
    look.add("sessions", **session(9, "active", 500, database="reports")).judge()
    assert look.found == {("long_query", "nexusdb"): "critical", ("long_query", "reports"): "warning"}
    worst = look.result["findings"][0]
    assert worst["title"].startswith("pid 8 ")
    assert worst["evidence"]["count"] == 2
    assert "pg_cancel_backend(8)" in worst["remedy"]


def test_dumps_may_take_as_long_as_they_like() -> None:
    look = Look().add("sessions", **session(7, "active", 9000, application="pg_dump"))
    assert look.judge(ignore_applications=("pg_dump*",)).found == {}


def waiter(pid: int, by: list[int], seconds: float | None, **more: Any) -> dict[str, Any]:
    return {
        **session(pid, "active", 500), "involved": pid, "blocked_by": by, "waited_s": seconds,
        "wants": "AccessShareLock on orders" if by else None, **more,
    }  # fmt: skip


def test_the_root_of_a_blocking_tree_is_named_with_its_cause() -> None:
    look = Look().add("sessions", **session(1, "idle in transaction", 700))
    root = waiter(1, [], None, state="idle in transaction", state_s=700)
    for row in (root, waiter(2, [1], 65), waiter(3, [2], 30), waiter(4, [3, 2], 5)):
        look.add("blocking", **row)
    look.judge()
    finding = look.finding("blocked")
    assert (finding["object"], finding["status"], finding["value"]) == ("db1/nexusdb", "critical", 65)
    assert finding["title"].startswith("pid 1 ")
    assert "blocks 3 sessions for AccessShareLock on orders" in finding["title"]
    assert [one["pid"] for one in finding["evidence"]["waiting"]] == [2, 3, 4]
    assert finding["caused_by"] == mark("idle_in_transaction", "db1/nexusdb")
    assert "pg_terminate_backend(1)" in finding["remedy"]


def test_a_prepared_transaction_blocks_as_pid_0() -> None:
    look = Look().add("prepared", gid="tx'1", role="nexus", database="nexusdb", prepared_s=4000, xmin_age=10)
    look.add("blocking", **waiter(2, [0], 20)).add("blocking", pid=None, involved=0, blocked_by=None).judge()
    assert look.found == {("prepared_transactions", "nexusdb"): "critical", ("blocked", "nexusdb"): "warning"}
    assert look.finding("blocked")["caused_by"] == mark("prepared_transactions", "db1/nexusdb")
    remedy = shlex.split(look.finding("prepared_transactions")["remedy"])
    assert remedy == ["psql", "-h", "198.18.0.21", "-d", "nexusdb", "-c", "ROLLBACK PREPARED 'tx''1'"]


def test_a_circle_of_waiters_is_one_tree() -> None:
    look = Look().add("blocking", **waiter(2, [3], 20)).add("blocking", **waiter(3, [2], 15)).judge()
    assert look.found == {("blocked", "nexusdb"): "warning"}


def test_a_wait_that_has_just_begun_is_no_trouble() -> None:
    assert Look().add("blocking", **waiter(2, [1], None)).judge().found == {}


def test_only_the_owner_of_an_id_is_to_blame_for_the_snapshots_that_follow_it() -> None:
    look = Look().add("horizon", **session(1, "idle in transaction", 100, xid_age=2_000_000, xmin_age=2_000_000))
    look.add("horizon", **session(2, "active", 1, xmin_age=2_000_000))
    look.add("horizon", **session(3, "", 0, kind="walsender", application="db2", database=None, xmin_age=2_000_000))
    look.judge()
    assert look.found == {("xmin_horizon", "nexusdb"): "warning"}
    assert look.finding("xmin_horizon")["title"].startswith("pid 1 ")


def test_without_an_owner_the_oldest_snapshot_is_named() -> None:
    look = Look().add("horizon", **session(1, "active", 10, xmin_age=60_000_000))
    look.add("horizon", **session(2, "active", 900, xmin_age=60_000_000)).judge()
    assert look.found == {("xmin_horizon", "nexusdb"): "critical"}
    assert look.finding("xmin_horizon")["title"].startswith("pid 2 ")


@pytest.mark.parametrize(
    ("statement", "row", "obj", "words"),
    [
        (
            "slots",
            {"name": "old", "kind": "logical", "active": False, "xmin_age": 3_000_000},
            "old",
            "unused logical replication slot old",
        ),
        (
            "slots",
            {"name": "db2", "kind": "physical", "active": True, "xmin_age": 3_000_000},
            "db2",
            "the standby of slot db2",
        ),
        ("prepared", {"gid": "g", "database": "nexusdb", "xmin_age": 3_000_000}, "nexusdb", "prepared transaction g"),
        ("horizon", session(5, "", 0, kind="walsender", application="db3", xmin_age=3_000_000), "db3", "standby db3"),
    ],
)
def test_whatever_holds_xmin_back_is_named(statement: str, row: dict[str, Any], obj: str, words: str) -> None:
    look = Look().add(statement, **row).judge()
    assert look.found[("xmin_horizon", obj)] == "warning"
    assert words in next(one for one in look.result["findings"] if one["check"] == "postgres.xmin_horizon")["title"]


@pytest.mark.parametrize(
    ("age", "forced", "status"),
    [
        (200_000_000, "200000000", None),
        (536_000_000, "200000000", None),
        (540_000_000, "200000000", "warning"),
        (1_290_000_000, "200000000", "critical"),
        # autovacuum was told to wait longer: no reason to worry before it is due, or half of the ids are gone
        (900_000_000, "1000000000", None),
        (1_100_000_000, "2000000000", "warning"),
        (1_400_000_000, "2000000000", "critical"),
    ],
)
def test_age_of_transaction_ids(age: int, forced: str, status: str | None) -> None:
    look = Look().setting("autovacuum_freeze_max_age", forced)
    next(row for row in look.rows("databases") if row["database"] == "nexusdb")["xid_age"] = age
    assert look.judge().found.get(("xid_age", "nexusdb")) == status

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replication: idle is not behind, cut off is not 0, and a standby that is gone is missed."""

from __future__ import annotations

from typing import Any

import pytest
from pg_looks import MIB, Look, mark


def standby(look: Look, name: str = "db2", **values: Any) -> Look:
    next(row for row in look.rows("standbys") if row["name"] == name).update(values)
    return look


def test_an_idle_standby_is_not_behind() -> None:
    # nothing outstanding: an old measurement may still be shown, and replies come every ten seconds
    look = standby(Look(), replay_lag_s=400.0, reply_s=9.9).judge()
    assert look.found == {}
    assert look.result["facts"]["standbys"] == "2 of 2"
    assert look.result["facts"]["replication_lag_s"] == 0


def test_a_cut_link_is_not_0_although_nothing_is_outstanding() -> None:
    look = standby(Look(), reply_s=45.0).judge()
    assert look.found == {("standby_reply", "db2"): "warning", ("replication_lag", "db2"): "critical"}
    assert look.finding("replication_lag")["value"] == 45.0
    assert look.finding("replication_lag")["caused_by"] == mark("standby_reply", "db1/db2")


def test_silence_counts_soon_although_the_primary_is_set_to_wait_long_or_for_ever() -> None:
    for timeout in ("0", "3600000"):
        look = standby(Look().setting("wal_sender_timeout", timeout), reply_s=31.0).judge()
        assert look.finding("replication_lag")["value"] == 31.0


@pytest.mark.parametrize(("lag", "status"), [(10.0, None), (10.1, "warning"), (30.0, "warning"), (30.1, "critical")])
def test_lag_in_time(lag: float, status: str | None) -> None:
    look = standby(Look(), replay_lag_s=lag, unreplayed_bytes=4096.0).judge()
    assert look.found.get(("replication_lag", "db2")) == status


@pytest.mark.parametrize(("bytes_", "status"), [(64 * MIB, None), (65 * MIB, "warning"), (1025 * MIB, "critical")])
def test_lag_in_bytes(bytes_: float, status: str | None) -> None:
    look = standby(Look(), unreplayed_bytes=bytes_).judge()
    assert look.found.get(("replication_lag_bytes", "db2")) == status


def test_a_receiver_that_replays_nothing_is_judged_by_what_it_flushed() -> None:
    look = standby(Look(), unreplayed_bytes=None, unflushed_bytes=200 * MIB).judge()
    assert look.finding("replication_lag_bytes")["value"] == 200 * MIB


def test_a_clock_that_is_ahead_is_no_trouble() -> None:
    assert standby(Look(), reply_s=-3.0).judge().found == {}


def test_a_standby_that_is_gone_is_missed_and_explains_its_slot() -> None:
    look = Look()
    look.rows("standbys")[:] = [row for row in look.rows("standbys") if row["name"] != "db3"]
    next(row for row in look.rows("slots") if row["name"] == "db3").update(active=False, retained_bytes=3e9)
    look.judge()
    assert look.found == {
        ("standby", "db3"): "critical",
        ("slot", "db3"): "warning",
        ("slot_retention", "db3"): "warning",
    }
    for check in ("slot", "slot_retention"):
        assert look.finding(check)["caused_by"] == mark("standby", "db1/db3")
    assert look.finding("standby")["evidence"]["slot"]["retained"] == "2.8 GiB"
    assert look.result["facts"]["standbys"] == "1 of 2"


def test_a_server_that_became_a_standby_says_so() -> None:
    look = Look("standby-15").judge(standbys=("db2",))
    assert "failover" in look.finding("standby")["evidence"]["note"]


def test_a_standby_that_catches_up_is_there() -> None:
    assert standby(Look(), state="catchup").judge().found == {("standby", "db2"): "warning"}


def test_of_two_connections_of_one_name_the_streaming_one_counts() -> None:
    look = Look()
    look.rows("standbys").insert(0, {**look.rows("standbys")[0], "state": "startup"})
    assert look.judge().found == {}


def test_backups_and_archivers_are_no_standbys() -> None:
    look = Look()
    row = {**look.rows("standbys")[0], "unreplayed_bytes": None, "unflushed_bytes": 1e12, "reply_s": 500.0}
    look.rows("standbys").append({**row, "name": "nightly", "state": "backup"})
    look.rows("standbys").append({**row, "name": "pg_basebackup"})
    assert look.judge().found == {}


def test_without_expected_names_only_what_is_connected_is_judged() -> None:
    look = Look()
    look.rows("standbys").clear()
    look.judge(standbys=())
    assert look.found == {}
    assert look.unseen == {}


def recovering(**values: Any) -> Look:
    return Look("standby-15").row("recovery", **values)


def test_a_standby_without_a_receiver_is_cut_off() -> None:
    look = recovering(status=None, pid=None, message_s=None, replayed_s=90.0).judge(target="db2")
    assert look.found == {("receiver", ""): "critical", ("replication_lag", ""): "critical"}
    assert look.finding("replication_lag")["caused_by"] == mark("receiver", "db2")


@pytest.mark.parametrize(("seconds", "status"), [(5.0, None), (5000.0, "warning")])
def test_a_standby_fed_from_the_archive_needs_no_receiver(seconds: float, status: str | None) -> None:
    # whether it is behind or its primary is idle cannot be told: never critical
    values = {"unreplayed_bytes": None, "replayed_s": seconds}
    look = recovering(status=None, pid=None, streams=False, restores=True, **values)
    look.rows("replay")[0].update(values)
    assert look.judge(target="db2").found.get(("replication_lag", "")) == status
    assert ("receiver", "") not in look.found


def test_a_receiver_that_may_not_be_seen_is_not_green() -> None:
    assert "pg_monitor" in recovering(status=None, pid=77).judge(target="db2").unseen["receiver"]


@pytest.mark.parametrize(("seconds", "status"), [(30.0, None), (36.0, "warning"), (61.0, "critical")])
def test_a_receiver_that_hears_nothing(seconds: float, status: str | None) -> None:
    look = recovering(message_s=seconds).judge(target="db2")
    assert look.found.get(("receiver", "")) == status
    assert (("replication_lag", "") in look.found) == (seconds > 30)


def test_an_idle_standby_with_an_old_commit_is_not_behind() -> None:
    assert recovering(replayed_s=86_400.0).judge(target="db2").found == {}


def test_a_record_that_came_in_while_we_looked_is_no_lag() -> None:
    look = recovering(replayed_s=86_400.0, unreplayed_bytes=128.0)
    look.rows("replay")[0].update(unreplayed_bytes=0.0)
    assert look.judge(target="db2").found == {}


def test_replay_that_is_stuck_is_lag() -> None:
    look = recovering(replayed_s=100.0, unreplayed_bytes=128.0)
    look.rows("replay")[0].update(unreplayed_bytes=128.0, replayed_s=100.02)
    assert look.judge(target="db2").found == {("replication_lag", ""): "critical"}


def test_replay_that_is_stuck_before_its_first_commit_is_lag() -> None:
    look = recovering(replayed_s=None, unreplayed_bytes=131072.0)
    look.rows("replay")[0].update(unreplayed_bytes=131072.0, replayed_s=None)
    assert look.judge(target="db2").found == {("replication_lag", ""): "critical"}
    assert "no commit since it started 50 min ago" in look.finding("replication_lag")["title"]


def test_a_snapshot_on_its_way_to_a_standby_without_commits_is_no_lag() -> None:
    look = recovering(replayed_s=None, unreplayed_bytes=920.0)
    look.rows("replay")[0].update(unreplayed_bytes=920.0, replayed_s=None)
    assert look.judge(target="db2").found == {}


@pytest.mark.parametrize("values", [{"pause_state": "paused"}, {"pause_state": None, "paused": True}])
def test_replay_that_is_paused(values: dict[str, Any]) -> None:
    look = recovering(**values).judge(target="db2")
    assert look.found == {("replay_paused", ""): "warning"}
    assert "pg_wal_replay_resume()" in look.finding("replay_paused")["remedy"]


def test_conflicts_are_a_rate() -> None:
    for age, status in ((600.0, "warning"), (86_400.0, None)):
        look = Look("standby-15")
        row = next(row for row in look.rows("conflicts") if row["database"] == "nexusdb")
        row.update(snapshot=11.0, lock=1.0, statistics_s=age)
        assert look.judge(target="db2").found.get(("recovery_conflicts", "nexusdb")) == status


def slot(**values: Any) -> Look:
    base = {
        "name": "feed",
        "kind": "logical",
        "temporary": False,
        "active": True,
        "wal_status": "reserved",
        "synced": False,
    }
    return Look().add("slots", **{**base, "retained_bytes": 0.0, **values})


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({}, None),
        ({"active": False}, "warning"),
        ({"active": False, "temporary": True}, None),
        ({"active": False, "wal_status": "lost", "retained_bytes": None}, "critical"),
        ({"wal_status": "unreserved"}, "critical"),
        # 16
        ({"active": False, "conflicting": True}, "critical"),
        # 17: says since when, and why it was invalidated; a slot kept in step with the primary's is never active
        ({"active": False, "inactive_s": 20.0}, None),
        ({"active": False, "inactive_s": 4000.0}, "warning"),
        ({"active": False, "invalidated": "idle_timeout"}, "critical"),
        ({"active": False, "synced": True}, None),
    ],
)
def test_slots(values: dict[str, Any], status: str | None) -> None:
    assert slot(**values).judge().found.get(("slot", "feed")) == status


@pytest.mark.parametrize(("bytes_", "status"), [(1024 * MIB, None), (1.1e9, "warning"), (11e9, "critical")])
def test_what_a_slot_keeps(bytes_: float, status: str | None) -> None:
    assert slot(retained_bytes=bytes_).judge().found.get(("slot_retention", "feed")) == status


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({}, None),
        ({"pid": None}, "critical"),
        ({"enabled": False}, "warning"),
        ({"enabled": False, "disable_on_error": True, "apply_errors": 1.0}, "critical"),
        # errors were counted once; the worker has been at work for hours since
        ({"apply_errors": 12.0, "sync_errors": 3.0}, None),
        # it starts again every five seconds
        ({"apply_errors": 12.0, "worker_s": 3.0}, "critical"),
        # just created
        ({"worker_s": 3.0, "apply_errors": 0.0}, None),
        # 13 and 14 count no errors
        ({"apply_errors": None, "sync_errors": None, "disable_on_error": None, "worker_s": 2.0}, None),
    ],
)
def test_subscriptions_are_judged_by_what_works_now(values: dict[str, Any], status: str | None) -> None:
    row = {"name": "feed", "database": "nexusdb", "enabled": True, "pid": 5, "worker_s": 9000.0, "message_s": 1.0}
    look = Look().add("subscriptions", **{**row, **values}).judge()
    assert look.found.get(("subscription", "feed")) == status

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging recorded looks."""

from __future__ import annotations

import pytest
from mongo_looks import GIB, NAMES, Look

from ansible_collections.nexuscos.ops.plugins.module_utils._core.finding import fingerprint
from ansible_collections.nexuscos.ops.plugins.module_utils._mongodb import collect
from ansible_collections.nexuscos.ops.plugins.module_utils._mongodb.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._mongodb.evaluate import Expect


@pytest.mark.parametrize("name", NAMES)
def test_a_healthy_look_is_silent_and_all_is_seen(name: str) -> None:
    look = Look(name)
    assert look.judge() == {}
    assert look.unseen() == set()


def test_facts() -> None:
    look = Look()
    look.judge()
    facts = look.result["facts"]
    assert (facts["role"], facts["replica_set"], facts["members"], facts["members_healthy"]) == ("primary", "rs0", 3, 3)
    assert facts["connections_usable"] == 51200


@pytest.mark.parametrize(
    ("reason", "check", "status"),
    [
        (collect.REFUSED, "reachable", "critical"),
        (collect.SILENT, "reachable", "critical"),
        (collect.GARBAGE, "reachable", "critical"),
        (collect.TIMEOUT, "reachable", "unknown"),
        (collect.DNS, "reachable", "unknown"),
        (collect.OTHER, "reachable", "unknown"),
        (collect.LOGIN, "access", "unknown"),
        (collect.TLS, "access", "unknown"),
    ],
)
def test_a_server_that_cannot_be_looked_at_is_one_finding(reason: str, check: str, status: str) -> None:
    look = Look()
    look.observation["error"] = {"reason": reason, "text": "so it is"}
    found = look.judge()
    assert {name: one[0] for name, one in found.items()} == {check: status}
    seen = {"reachable"} if check == "reachable" else {"reachable", "access"}
    assert look.unseen() == {one.id.split(".", 1)[1] for one in CHECKS} - seen


def test_a_server_that_wants_a_login_is_reachable() -> None:
    look = Look()
    for command in ("status", "set", "config", "oplog", "operations", "databases"):
        look.refuse(command)
    found = look.judge()
    assert found["access"][0] == "unknown"
    assert "no login_user is given" in found["access"][1]
    assert set(found) == {"access"}
    assert "clusterMonitor" in look.row("connections")["reason"]
    assert look.unseen() >= {"connections", "member", "oplog_window", "long_operation", "size", "cache_used"}


def test_one_refused_command_takes_only_its_own_checks() -> None:
    look = Look()
    look.refuse("operations")
    look.judge()
    assert look.unseen() == {"long_operation"}


def test_connections() -> None:
    look = Look()
    look.data("status")["connections"] = {"current": 85, "available": 15}
    assert look.judge()["connections"] == ("warning", "85 of 100 connections are taken (85 %)")


def test_the_cache_is_full_because_it_cannot_be_written() -> None:
    look = Look()
    cache = look.data("status")["cache"]
    cache.update({"bytes currently in the cache": 3.9 * GIB, "tracked dirty bytes in the cache": 1 * GIB})
    assert {name: one[0] for name, one in look.judge().items()} == {"cache_used": "critical", "cache_dirty": "critical"}
    causes = {one["check"]: one["caused_by"] for one in look.result["findings"]}
    assert causes == {"mongodb.cache_used": fingerprint("mongodb.cache_dirty", "mongo-rs"), "mongodb.cache_dirty": None}


def test_a_full_cache_alone_has_no_cause() -> None:
    look = Look()
    look.data("status")["cache"]["bytes currently in the cache"] = 3.6 * GIB
    assert look.judge()["cache_used"][0] == "warning"
    assert look.result["findings"][0]["caused_by"] is None


def test_queue() -> None:
    look = Look()
    look.data("status")["globalLock"]["currentQueue"] = {"readers": 20, "writers": 140}
    assert look.judge()["queue"] == ("critical", "160 operations wait (20 to read, 140 to write)")


def test_a_real_server_without_a_section_is_not_seen() -> None:
    look = Look()
    del look.data("status")["cache"]
    del look.data("status")["globalLock"]
    look.judge()
    assert look.unseen() == {"cache_used", "cache_dirty", "index_size", "queue"}


def test_a_router_has_no_cache_and_no_replica_set() -> None:
    look = Look()
    look.observation["answers"]["hello"]["data"] = {"isWritablePrimary": True, "msg": "isdbgrid"}
    look.data("status")["process"] = "mongos"
    del look.data("status")["cache"]
    del look.data("status")["globalLock"]
    for name in list(look.observation["databases"]):
        for key in ("fsUsedSize", "fsTotalSize"):
            del look.observation["databases"][name]["data"][key]
    assert look.judge() == {}
    assert look.unseen() == set()
    assert look.result["facts"]["role"] == "router"


# --- operations


def operation(**given: object) -> dict[str, object]:
    row = {"client": "198.51.100.1:5", "desc": "conn5", "op": "command", "ns": "nexus.a", "command": "find"}
    return {**row, "secs_running": 2000, "appName": "report", **given}


def test_a_long_operation() -> None:
    look = Look()
    look.data("operations")["running"] = [operation(), operation(secs_running=20)]
    assert look.judge()["long_operation"] == ("critical", "find on nexus.a runs for 33 min")


@pytest.mark.parametrize(
    "given",
    [
        {"awaits": True},
        {"client": None, "desc": "JournalFlusher"},
        {"command": "hello"},
        {"ns": "local.oplog.rs"},
        {"appName": "mongodump"},
    ],
)
def test_what_nobody_waits_for(given: dict[str, object]) -> None:
    look = Look()
    look.data("operations")["running"] = [operation(**given)]
    assert look.judge(Expect(ignore=("mongodump",))) == {}


# --- sizes


def test_size_has_no_line_until_the_inventory_gives_one() -> None:
    look = Look()
    for one in look.observation["databases"].values():
        one["data"]["storageSize"] = 1e15
    assert "size" not in look.judge()
    assert look.judge(size={"target": 1, "alert": 2})["size"][0] == "critical"


def test_indexes_that_do_not_fit() -> None:
    look = Look()
    for one in look.observation["databases"].values():
        one["data"]["indexSize"] = 2 * GIB
    assert look.judge()["index_size"][0] == "warning"


def test_a_full_disk() -> None:
    look = Look()
    look.observation["databases"]["nexus"]["data"]["fsUsedSize"] = 93 * GIB
    assert look.judge()["filesystem"] == (
        "critical",
        "the file system of the data is 93 % full, 7 GiB are left",
    )


def test_a_sum_with_a_part_missing_is_no_sum() -> None:
    look = Look()
    look.observation["databases"]["nexus"] = {"data": None, "error": {"text": "not authorized", "code": 13}}
    look.judge()
    assert look.unseen() == {"size", "index_size", "filesystem"}
    assert "nexus" in look.row("size")["reason"]

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Healthy servers are silent, for the right reasons; what could not be asked is said check by check."""

from __future__ import annotations

from typing import Any

import pytest
from pg_looks import NAMES, Look

from ansible_collections.nexuscos.ops.plugins.module_utils._postgres import evaluate


@pytest.mark.parametrize("name", NAMES)
def test_a_healthy_server_is_silent_and_fully_seen(name: str) -> None:
    look = Look(name).judge()
    assert look.found == {}
    assert look.unseen == {}
    assert look.result["summary"]["worst"] == "ok"
    assert look.result["facts"]["role"] == ("standby" if name.startswith("standby") else "primary")


def test_the_primary_is_counted_object_by_object() -> None:
    objects = {row["check"]: row["objects"] for row in Look().judge().result["coverage"]}
    assert objects["postgres.standby"] == 2
    assert objects["postgres.invalid_index"] > 20
    assert objects["postgres.dead_tuples"] == 13
    assert objects["postgres.receiver"] == 0


def test_a_standby_is_not_asked_what_only_a_primary_knows() -> None:
    look = Look("standby-15").judge(target="db2")
    objects = {row["check"]: row["objects"] for row in look.result["coverage"]}
    assert {objects["postgres." + check] for check in evaluate.PRIMARY_ONLY} == {0}
    assert objects["postgres.receiver"] == 1


@pytest.mark.parametrize(
    ("name", "checks", "hint"),
    [
        ("hba", {"hba_errors"}, "GRANT SELECT ON pg_hba_file_rules TO nexus_monitor"),
        ("bloat", {"bloat"}, "GRANT SELECT (starelid"),
        ("wal", {"wal_size"}, "permission denied"),
        ("ready", {"archive_backlog"}, "permission denied"),
        ("blocking", {"blocked"}, "permission denied"),
        ("sizes", {"size", "growth"}, "permission denied"),
        ("standbys", {"standby", "standby_reply", "replication_lag", "replication_lag_bytes"}, "permission denied"),
        ("invalid", {"invalid_index"}, "permission denied"),
        ("slots", {"slot", "slot_retention", "xmin_horizon"}, "permission denied"),
    ],
)
def test_a_refused_statement_costs_its_own_checks(name: str, checks: set[str], hint: str) -> None:
    look = Look().refuse(name).judge()
    assert set(look.unseen) == checks
    assert all(hint in reason for reason in look.unseen.values())
    assert look.found == {}


def test_a_statement_that_was_cut_short_says_so() -> None:
    look = Look().refuse("sizes", "canceling statement due to statement timeout", "57014").judge()
    assert "statement timeout" in look.unseen["size"]


def test_sequences_that_cannot_be_read_are_not_green() -> None:
    look = Look().row("counts", hidden_sequences=4).judge()
    assert "4 sequences in nexusdb cannot be read" in look.unseen["sequence"]


def test_without_pg_monitor_hidden_sessions_are_not_green() -> None:
    look = Look().row("connections", hidden=7).judge()
    assert {"idle_in_transaction", "long_query", "blocked", "xmin_horizon"} <= set(look.unseen)
    look = Look()
    for row in look.rows("standbys"):
        row["state"] = None
    assert "pg_monitor" in look.judge().unseen["standby"]
    assert look.found == {}


def test_a_further_database_that_refuses_costs_its_own_checks() -> None:
    look = Look()
    look.observation["databases"]["reports"] = {
        "error": {"reason": "database", "text": "permission denied"},
        "queries": {},
    }
    look.judge()
    assert "database reports: permission denied" in look.unseen["invalid_index"]
    assert "connections" not in look.unseen
    assert look.result["facts"]["databases_read"] == ["nexusdb"]


def test_databases_that_are_not_read_are_named() -> None:
    assert Look().judge().result["facts"]["databases_not_read"] == ["postgres"]


@pytest.mark.parametrize(
    ("reason", "check", "status"),
    [
        ("refused", "reachable", "critical"),
        ("starting", "reachable", "critical"),
        ("stopping", "reachable", "critical"),
        ("silent", "reachable", "critical"),
        ("closed", "reachable", "critical"),
        ("garbage", "reachable", "critical"),
        ("timeout", "reachable", "unknown"),
        ("unreachable", "reachable", "unknown"),
        ("dns", "reachable", "unknown"),
        ("other", "reachable", "unknown"),
        ("password", "access", "unknown"),
        ("hba", "access", "unknown"),
        ("role", "access", "unknown"),
        ("database", "access", "unknown"),
        ("login", "access", "unknown"),
        ("tls", "access", "unknown"),
        ("full_role", "access", "unknown"),
        ("version", "access", "unknown"),
        ("full", "connections", "critical"),
        ("full_database", "connections", "critical"),
        (None, "reachable", "unknown"),
    ],
)
def test_no_look_is_one_finding_and_no_flood(reason: Any, check: str, status: str) -> None:
    look = Look()
    look.observation = {
        "error": {"reason": reason, "text": "FATAL:  so it is"},
        "server": {"host": "db1.example.com", "port": 5432, "database": "nexusdb"},
    }
    look.judge()
    finding = look.finding(check)
    assert finding["status"] == status
    assert finding["remedy"]
    assert "db1.example.com:5432" in finding["title"]
    assert len(look.unseen) >= 39
    assert ("reachable" in look.unseen) is False


def test_only_the_checks_that_were_asked_for_are_answered() -> None:
    look = Look().row("connections", used=190).judge(checks=["postgres.size", "postgres.replication_*"])
    assert look.found == {}
    assert len(look.result["coverage"]) == 3

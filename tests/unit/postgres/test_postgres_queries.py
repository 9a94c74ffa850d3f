# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which statements a server of which version and role is asked, and that they name only what that version has."""

from __future__ import annotations

import pytest

from ansible_collections.nexuscos.ops.plugins.module_utils._postgres import checks, evaluate, queries

VERSIONS = (130000, 140000, 150000, 160000, 170000, 180000)

# What came with a version (documentation of the catalogues, release notes): no older server may be asked for it.
CAME = {
    "waitstart": 140000,
    "pg_get_wal_replay_pause_state": 140000,
    "s.oid": 140000,
    "pg_stat_subscription_stats": 150000,
    "subdisableonerr": 150000,
    "s.conflicting": 160000,
    "last_idx_scan": 160000,
    "confl_active_logicalslot": 160000,
    "w.leader_pid": 160000,
    "file_name": 160000,
    "inactive_since": 170000,
    "invalidation_reason": 170000,
    "s.synced": 170000,
    "pg_stat_checkpointer": 170000,
}
# What went with a version.
WENT = {"checkpoints_timed": 170000, "checkpoints_req": 170000}

SQL = [
    (version, standby, query)
    for version in VERSIONS
    for standby in (False, True)
    for query in queries.select(queries.ON_SERVER + queries.IN_DATABASE, version, standby)
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("standby", [False, True])
def test_each_question_is_asked_once(version: int, standby: bool) -> None:
    names = [query.name for place, role, query in SQL if (place, role) == (version, standby)]
    assert len(names) == len(set(names))
    wanted = {query.name for query in queries.ON_SERVER + queries.IN_DATABASE}
    of_standby, of_primary = {"recovery", "conflicts", "replay"}, {"tables", "archiver", "prepared", "subscriptions"}
    assert set(names) >= (of_standby if standby else of_primary)
    assert not set(names) & (of_primary if standby else of_standby)
    if not standby:
        assert set(names) == wanted - of_standby


@pytest.mark.parametrize(("version", "standby", "query"), SQL, ids=lambda one: getattr(one, "name", str(one)))
def test_no_server_is_asked_for_what_it_does_not_have(version: int, standby: bool, query: queries.Query) -> None:
    for name, came in CAME.items():
        if version < came:
            assert name not in query.sql
    for name, went in WENT.items():
        if version >= went:
            assert name not in query.sql
    if standby:
        # An error on a standby: "recovery is in progress".
        assert "pg_current_wal_lsn" not in query.sql or "pg_is_in_recovery()" in query.sql


def test_every_statement_only_reads() -> None:
    for _version, _standby, query in SQL:
        assert query.sql.lstrip().startswith(("SELECT", "WITH"))
        assert "%" not in query.sql.replace("LIKE 'idle in transaction%'", "").replace("'%.ready'", "").replace(
            "toast%'", ""
        ), query.name


def test_every_check_is_fed() -> None:
    known = {check.id.split(".", 1)[1] for check in checks.CHECKS}
    fed = {name for query in queries.ON_SERVER + queries.IN_DATABASE for name in query.feeds}
    assert fed == known - {"reachable", "access"}
    assert set(evaluate.PRIMARY_ONLY) | set(evaluate.STANDBY_ONLY) <= known

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging replica sets."""

from __future__ import annotations

import pytest
from mongo_looks import Look

from ansible_collections.nexuscos.ops.plugins.module_utils._core.finding import fingerprint
from ansible_collections.nexuscos.ops.plugins.module_utils._mongodb.evaluate import Expect


def secondary() -> Look:
    """The same set, seen from its second member."""
    look = Look()
    look.data("hello").update(isWritablePrimary=False, ismaster=False, secondary=True)
    del look.member(0)["self"]
    look.member(1)["self"] = True
    return look


def down(look: Look, number: int) -> None:
    look.member(number).update(
        health=0, state=8, stateStr="(not reachable/healthy)", lastHeartbeatMessage="Connection refused"
    )


def test_a_member_that_is_down_is_told_by_the_primary() -> None:
    look = Look()
    down(look, 2)
    found = look.judge()
    assert found == {
        "member mongo-rs-c:27018": (
            "critical",
            "member mongo-rs-c:27018 of rs0 cannot be reached: Connection refused",
        )
    }
    assert look.result["facts"]["members_healthy"] == 2


def test_a_secondary_answers_for_itself() -> None:
    look = secondary()
    down(look, 2)
    assert look.judge() == {}
    assert look.row("member")["objects"] == 1


@pytest.mark.parametrize(
    ("state", "status"), [("RECOVERING", "warning"), ("STARTUP2", "warning"), ("REMOVED", "critical"), ("", "critical")]
)
def test_states_in_which_a_member_serves_nobody(state: str, status: str) -> None:
    look = Look()
    look.member(2)["stateStr"] = state
    assert look.judge()["member mongo-rs-c:27018"][0] == status


def test_a_lagging_secondary() -> None:
    look = Look()
    look.member(1)["optimeDate"] -= 45
    assert look.judge() == {
        "replication_lag mongo-rs-b:27018": ("critical", "mongo-rs-b:27018 is 45 s behind the primary")
    }


def test_a_lagging_secondary_says_so_itself() -> None:
    look = secondary()
    look.member(1)["optimeDate"] -= 15
    assert look.judge()["replication_lag"][0] == "warning"


def test_a_delayed_member_is_not_late() -> None:
    look = Look()
    look.member(1)["optimeDate"] -= 3600
    look.data("config")["members"][1]["secondaryDelaySecs"] = 3600
    assert look.judge() == {}


def test_lag_of_a_recovering_member_is_explained_by_its_state() -> None:
    look = Look()
    look.member(1).update(stateStr="RECOVERING")
    look.member(1)["optimeDate"] -= 500
    look.judge()
    causes = {one["check"]: one["caused_by"] for one in look.result["findings"]}
    assert causes["mongodb.replication_lag"] == fingerprint("mongodb.member", "mongo-rs/mongo-rs-b:27018")


def test_no_primary() -> None:
    look = Look()
    look.member(0).update(stateStr="SECONDARY", state=2)
    look.data("hello").update(isWritablePrimary=False, secondary=True)
    down(look, 2)
    assert {name: one[0] for name, one in look.judge().items()} == {
        "primary": "critical",
        "member mongo-rs-c:27018": "critical",
    }
    assert look.unseen() == set()


def test_a_young_election() -> None:
    look = Look()
    look.member(0)["electionDate"] = look.data("set")["date"] - 600
    assert look.judge()["election"] == ("warning", "198.18.0.42:27018 has been primary for 10 min")


def test_an_election_without_a_date_is_not_seen() -> None:
    look = Look()
    del look.member(0)["electionDate"]
    look.judge()
    assert look.unseen() == {"election"}


def test_a_short_oplog() -> None:
    look = Look()
    row = look.data("oplog")
    row["first"] = row["last"] - 6 * 3600
    assert look.judge()["oplog_window"] == ("critical", "the oplog holds the writes of 6 h")


def test_an_oplog_that_is_not_full_is_judged_by_what_it_will_hold() -> None:
    look = Look()
    row = look.data("oplog")
    row.update(first=row["last"] - 6 * 3600, size=row["maxSize"] // 10)
    assert look.judge() == {}
    row["size"] = row["maxSize"] // 2
    assert look.judge()["oplog_window"][0] == "warning"


def test_an_arbiter_has_no_oplog() -> None:
    look = Look()
    look.data("hello").update(isWritablePrimary=False, ismaster=False, arbiterOnly=True)
    del look.observation["answers"]["oplog"]
    look.judge()
    assert "oplog_window" not in look.unseen()
    assert look.result["facts"]["role"] == "arbiter"


@pytest.mark.parametrize(("name", "words"), [("rs1", "is in the replica set rs0, not in rs1"), ("rs0", "")])
def test_the_wrong_replica_set(name: str, words: str) -> None:
    found = Look().judge(Expect(replica_set=name))
    assert ("replica_set" in found) == bool(words)
    assert not words or words in found["replica_set"][1]


def test_a_member_that_lost_its_set() -> None:
    look = Look("mongo1")
    assert look.judge(Expect(replica_set="rs0"))["replica_set"] == (
        "critical",
        "mongo1 is in no replica set; it belongs to rs0",
    )


def test_a_refused_status_of_the_set_is_not_seen() -> None:
    look = Look()
    look.refuse("set")
    look.judge()
    assert look.unseen() == {"primary", "member", "election", "replication_lag"}

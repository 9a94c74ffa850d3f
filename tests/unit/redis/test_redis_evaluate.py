# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What evaluators make of recorded looks, and of looks that are bent."""

from __future__ import annotations

from typing import Any

import pytest
from redis_looks import MIB, NAMES, Look, mark

from ansible_collections.nexuscos.ops.plugins.module_utils._redis import link
from ansible_collections.nexuscos.ops.plugins.module_utils._redis.case import Place


@pytest.mark.parametrize("name", NAMES)
def test_a_healthy_server_has_no_finding_and_every_check_was_seen(name: str) -> None:
    look = Look(name).judge()
    assert look.found == {}
    assert look.unseen == {}
    assert look.result["summary"]["worst"] == "ok"


def test_facts_of_a_primary() -> None:
    facts = Look().judge().result["facts"]
    assert facts["role"] == "primary"
    assert facts["replicas"] == "1 of 1"
    assert facts["version"].startswith("7.")
    assert facts["keys_total"] >= facts["keys_looked_at"] > 0


@pytest.mark.parametrize(
    ("reason", "check", "status"),
    [
        (link.REFUSED, "reachable", "critical"),
        (link.SILENT, "reachable", "critical"),
        (link.LOADING, "reachable", "critical"),
        (link.BUSY, "reachable", "critical"),
        (link.CLOSED, "reachable", "critical"),
        (link.GARBAGE, "reachable", "critical"),
        (link.TIMEOUT, "reachable", "unknown"),
        (link.UNREACHABLE, "reachable", "unknown"),
        (link.DNS, "reachable", "unknown"),
        (link.OTHER, "reachable", "unknown"),
        (link.LOGIN, "access", "unknown"),
        (link.RIGHTS, "access", "unknown"),
        (link.PROTECTED, "access", "unknown"),
        (link.TLS, "access", "unknown"),
        (link.FULL, "clients", "critical"),
    ],
)
def test_what_kept_us_out_is_one_finding_and_the_sentinels_are_seen_all_the_same(
    reason: str, check: str, status: str
) -> None:
    look = Look()
    look.observation.update(error={"reason": reason, "text": "said"}, info={})
    look.judge()
    assert look.found == {(check, ""): status}
    assert {"sentinel", "sentinel_quorum", "sentinel_primary"}.isdisjoint(look.unseen)
    assert "no look at the server: said" in look.unseen["memory"]


def test_a_role_that_the_inventory_does_not_name_is_a_finding() -> None:
    assert Look().judge(role="primary").found == {}
    assert Look().judge(role="replica").found == {("role", ""): "critical"}
    look = Look("replica").judge(role="primary")
    assert look.finding("role")["title"].startswith("redis1 is a replica, and should be the primary: it follows 198.")


def test_a_replica_that_is_not_there_is_missed() -> None:
    look = Look().judge(replicas=(Place("redis2", "198.18.0.32", 6379), Place("redis9", "redis9.example.com", 6379)))
    assert look.found == {("replicas", "redis9"): "critical"}
    assert look.result["facts"]["replicas"] == "1 of 2"


def test_a_replica_is_known_by_the_address_of_its_name() -> None:
    look = Look()
    look.observation["resolved"] = {"two.example.com": ["198.18.0.32"]}
    assert look.judge(replicas=(Place("two", "two.example.com", 6379),)).found == {}


def test_a_replica_that_still_copies_is_a_warning() -> None:
    look = Look().info(slave0="ip=198.18.0.32,port=6379,state=send_bulk,offset=0,lag=0").judge()
    assert look.found == {("replicas", "redis2"): "warning"}


def test_a_replica_that_nobody_expects_is_judged_by_its_address() -> None:
    look = Look().info(slave1="ip=198.18.0.99,port=6379,state=online,offset=0,lag=15").judge()
    assert look.found[("replication_lag", "198.18.0.99:6379")] == "warning"


def test_lag_explains_the_bytes_behind() -> None:
    made = 500 * MIB
    look = Look().info(slave0=f"ip=198.18.0.32,port=6379,state=online,offset={made - 70 * MIB},lag=31")
    look.info(master_repl_offset=made).judge()
    assert look.found == {("replication_lag", "redis2"): "critical", ("replication_lag_bytes", "redis2"): "critical"}
    assert look.finding("replication_lag_bytes")["caused_by"] == mark("replication_lag", "redis1/redis2")


@pytest.mark.parametrize(
    ("values", "status", "words"),
    [
        ({"master_last_io_seconds_ago": 25}, "warning", "last heard from its primary"),
        ({"master_last_io_seconds_ago": 50}, "critical", "last heard from its primary"),
        ({"master_link_status": "down", "master_link_down_since_seconds": 4}, "critical", "no link to its primary"),
        ({"master_link_status": "down", "master_link_down_since_seconds": -1}, "critical", "no link"),
        (
            {"master_link_status": "down", "master_sync_in_progress": 1, "master_sync_left_bytes": 5 * MIB},
            "warning",
            "5 MiB left",
        ),
    ],
)
def test_the_link_of_a_replica(values: dict[str, Any], status: str, words: str) -> None:
    look = Look("replica").info(**values).judge()
    assert look.found == {("replication_link", ""): status}
    assert words in look.finding("replication_link")["title"]


def sentinel(look: Look, place: int, **values: Any) -> None:
    look.observation["sentinels"][place].update(values)


def test_a_sentinel_that_does_not_answer_is_a_warning_while_the_others_can_do() -> None:
    look = Look()
    sentinel(look, 2, error={"reason": "refused", "text": "Connection refused"})
    assert look.judge().found == {("sentinel", "sentinel/mon1"): "warning"}


def test_no_quorum_and_no_answer() -> None:
    look = Look()
    sentinel(look, 0, quorum={"ok": False, "text": "NOQUORUM 1 usable Sentinels", "refused": False})
    assert look.judge().found == {("sentinel_quorum", ""): "critical"}
    for place in range(3):
        sentinel(look, place, error={"reason": "timeout", "text": "no answer"})
    look.judge()
    assert {check for check, _obj in look.found} == {"sentinel"}
    assert set(look.unseen) == {"sentinel_quorum", "sentinel_primary", "sentinel"}


def test_a_sentinel_that_may_not_be_asked_for_the_quorum_leaves_it_unseen() -> None:
    look = Look()
    sentinel(look, 0, quorum={"ok": False, "text": "NOPERM this user has no permissions", "refused": True})
    look.judge()
    assert look.found == {}
    assert "NOPERM" in look.unseen["sentinel_quorum"]


def primary(look: Look, place: int, **values: Any) -> None:
    look.observation["sentinels"][place]["primary"].update(values)


def test_sentinels_that_disagree() -> None:
    look = Look()
    primary(look, 2, ip="198.18.0.32")
    look.judge()
    assert look.found == {("sentinel_primary", ""): "critical"}
    assert "mon1 says 198.18.0.32:6379" in look.finding("sentinel_primary")["title"]


def test_a_primary_that_is_held_for_down_is_explained_by_the_dead_server() -> None:
    look = Look()
    look.observation.update(error={"reason": link.REFUSED, "text": "refused"}, info={})
    primary(look, 0, flags="s_down,o_down,master")
    look.judge()
    assert look.finding("sentinel_primary")["caused_by"] == mark("reachable", "redis1")


def test_two_who_think_that_they_are_the_primary() -> None:
    look = Look()
    for place in range(3):
        primary(look, place, ip="198.18.0.32", runid="f" * 40)
    assert look.judge().found == {("sentinel_primary", ""): "critical"}
    # A restart that the Sentinels have not noticed yet is none.
    look = Look()
    for place in range(3):
        primary(look, place, runid="f" * 40)
    assert look.judge().found == {}


def test_a_replica_that_follows_somebody_else_than_the_sentinels() -> None:
    look = Look("replica")
    look.observation["sentinels"] = Look().observation["sentinels"]
    assert look.judge(sentinels=True).found == {}
    look.info(master_host="198.18.0.99").judge(sentinels=True)
    assert look.found == {("sentinel_primary", ""): "critical"}


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"cluster_slots_ok": 16284, "cluster_slots_assigned": 16284}, "critical"),
        ({"cluster_slots_ok": 16383, "cluster_slots_pfail": 1}, "critical"),
        ({"cluster_state": "fail"}, "critical"),
    ],
)
def test_slots_that_nobody_serves(values: dict[str, Any], found: str) -> None:
    look = Look("cluster")
    look.observation["cluster"].update(values)
    assert look.judge().found == {("cluster_slots", ""): found}


@pytest.mark.parametrize(
    ("policy", "share", "status"),
    [
        ("noeviction", 0.85, "warning"),
        ("noeviction", 0.95, "critical"),
        ("volatile-lru", 0.95, "warning"),
        ("allkeys-lru", 0.99, None),
    ],
)
def test_memory_is_judged_as_the_policy_wants(policy: str, share: float, status: str | None) -> None:
    look = Look().info(used_memory=int(256 * MIB * share) + 1000, maxmemory_policy=policy, mem_not_counted_for_evict=0)
    look.info(used_memory_rss=int(256 * MIB * share), db0="keys=100,expires=100,avg_ttl=5")
    assert look.judge().found.get(("memory", "")) == status


def test_without_a_limit_the_machine_is_the_limit() -> None:
    look = Look().info(maxmemory=0, used_memory_rss=950, used_memory=900, total_system_memory=1000)
    look.info(mem_not_counted_for_evict=0).judge()
    assert look.finding("memory")["status"] == "critical"
    assert "without a maxmemory" in look.finding("memory")["title"]


@pytest.mark.parametrize(
    ("used", "rss", "status"),
    [(10, 90, None), (100, 199, None), (100, 240, "warning"), (100, 260, "critical"), (200, 100, "warning")],
)
def test_fragmentation_counts_where_it_costs_something(used: int, rss: int, status: str | None) -> None:
    look = Look().info(used_memory=used * MIB, used_memory_rss=rss * MIB, maxmemory=0)
    assert look.judge().found.get(("fragmentation", "")) == status


def test_counters_are_rates_since_the_start() -> None:
    look = Look().info(evicted_keys=5000, rejected_connections=50, uptime_in_seconds=600).judge()
    assert look.found == {("evictions", ""): "warning", ("rejected_connections", ""): "warning"}
    look.info(uptime_in_seconds=100 * 3600).judge()
    assert look.found == {}


def test_counters_are_rates_since_the_last_look() -> None:
    look = Look().info(evicted_keys=500_000, rejected_connections=70, uptime_in_seconds=100 * 3600)
    before = {**look.observation["info"], "evicted_keys": 499_990, "rejected_connections": 0}
    look.judge(earlier=before, earlier_s=3600.0)
    assert look.found == {("rejected_connections", ""): "critical"}
    assert "since the last look" in look.finding("rejected_connections")["title"]
    # After a restart the counters began anew.
    look.judge(earlier={**before, "run_id": "x"}, earlier_s=3600.0)
    assert look.found == {("evictions", ""): "warning"}


def test_a_cache_that_throws_out_is_a_warning_at_most() -> None:
    look = Look().info(evicted_keys=10**9, uptime_in_seconds=60, maxmemory_policy="allkeys-lru").judge()
    assert look.found == {("evictions", ""): "warning"}


def test_large_keys_and_forgotten_ttls() -> None:
    look = Look()
    keys = look.observation["keys"]
    keys["largest"] = [
        {"db": 0, "key": "a:big", "kind": "a:*", "bytes": 101 * MIB, "ttl_s": -1},
        {"db": 3, "key": "b:big", "kind": "b:*", "bytes": 11 * MIB, "ttl_s": 5},
        {"db": 0, "key": "c:small", "kind": "c:*", "bytes": 9 * MIB, "ttl_s": 5},
    ]
    keys["kinds"] = [
        {"db": 0, "kind": "leaks:*", "keys": 200, "without_ttl": 4, "bytes": 1},
        {"db": 0, "kind": "few:*", "keys": 49, "without_ttl": 4, "bytes": 1},
        {"db": 0, "kind": "kept:*", "keys": 200, "without_ttl": 200, "bytes": 1},
        {"db": 0, "kind": "mixed:*", "keys": 200, "without_ttl": 90, "bytes": 1},
        {"db": 0, "kind": "one", "keys": 200, "without_ttl": 4, "bytes": 1},
    ]
    assert look.judge().found == {
        ("big_keys", "db0/a:big"): "critical",
        ("big_keys", "db3/b:big"): "warning",
        ("ttl_leak", "db0/leaks:*"): "warning",
    }


def test_a_sample_that_broke_off_is_judged_and_said_to_be_none() -> None:
    look = Look()
    look.observation["keys"]["error"] = "NOPERM this user has no permissions to run the 'ttl' command"
    look.judge()
    assert set(look.unseen) == {"big_keys", "ttl_leak"}
    assert look.found == {}


def test_keys_that_can_never_be_evicted_count_when_memory_is_short() -> None:
    look = Look().info(db0="keys=1000,expires=50,avg_ttl=5", used_memory=120 * MIB, used_memory_rss=125 * MIB)
    assert look.judge().found == {}
    look.info(used_memory=140 * MIB, used_memory_rss=145 * MIB).judge()
    assert look.found == {("no_ttl", ""): "critical"}
    assert look.info(maxmemory_policy="noeviction").judge().found == {}


def test_connections_against_what_it_takes() -> None:
    look = Look().info(connected_clients=85, maxclients=100).judge()
    assert look.found == {("clients", ""): "warning"}
    # Older servers tell it only to those who may read the configuration.
    look.without("maxclients").observation["config"]["values"]["maxclients"] = "90"
    assert look.judge().found == {("clients", ""): "critical"}
    del look.observation["config"]["values"]["maxclients"]
    assert "maxclients" in look.judge().unseen["clients"]


def test_a_client_that_does_not_read() -> None:
    look = Look()
    row = {"id": "7", "addr": "10.0.0.9:1", "name": "reports", "omem": 40 * MIB}
    look.observation["clients"]["rows"].insert(0, row)
    look.judge()
    assert look.found == {("client_buffers", ""): "warning"}
    assert "CLIENT KILL ID 7" in look.finding("client_buffers")["remedy"]


def test_with_many_clients_the_server_tells_the_largest_buffer() -> None:
    look = Look().info(client_recent_max_output_buffer=300 * MIB)
    del look.observation["clients"]
    assert look.judge().found == {("client_buffers", ""): "critical"}


def test_latency_is_a_median() -> None:
    look = Look()
    look.observation["pings"]["ms"] = [900.0, 0.1, 0.1, 0.2, 0.2, 0.1, 900.0]
    assert look.judge().found == {}
    look.observation["pings"]["ms"] = [30.0, 31.0, 32.0, 0.1, 33.0]
    assert look.judge().found == {("latency", ""): "warning"}


def slow(look: Look, ago_s: float, millis: float) -> None:
    now = look.observation["info"]["server_time_usec"] / 1e6
    entry = {"at": int(now - ago_s), "micros": int(millis * 1000), "command": "KEYS", "arguments": 1, "client": "c"}
    look.observation["slowlog"]["entries"].append(entry)


def test_slow_commands_of_the_last_hour() -> None:
    look = Look()
    slow(look, 4000, 5000)
    slow(look, 60, 150)
    assert look.judge().found == {}
    slow(look, 60, 1500)
    look.judge()
    assert look.found == {("slow_commands", ""): "critical"}
    assert look.finding("slow_commands")["title"].startswith("KEYS of c took 1500 ms")


def test_a_rate_of_hits_wants_many_misses() -> None:
    look = Look().info(keyspace_hits=10, keyspace_misses=9_999).judge()
    assert look.found == {}
    look.info(keyspace_misses=10_000).judge()
    assert look.found == {("hit_rate", ""): "warning"}


def test_a_save_that_failed_explains_that_one_is_overdue() -> None:
    look = Look()
    now = int(look.observation["info"]["server_time_usec"] / 1e6)
    look.info(rdb_last_bgsave_status="err", rdb_last_save_time=now - 4 * 3600, rdb_changes_since_last_save=5).judge()
    # five changes are due after an hour
    assert look.found == {("rdb", ""): "critical", ("rdb_age", ""): "critical"}
    assert 10_800 <= look.finding("rdb_age")["value"] <= 10_801
    assert look.finding("rdb_age")["caused_by"] == mark("rdb", "redis1")


@pytest.mark.parametrize(("save", "changes"), [("", 10**6), ("3600 1", 0), ("3600 100", 99)])
def test_a_save_that_nothing_asks_for_is_not_overdue(save: str, changes: int) -> None:
    look = Look().info(rdb_last_save_time=1, rdb_changes_since_last_save=changes)
    look.observation["config"]["values"]["save"] = save
    assert look.judge().found == {}
    assert look.unseen == {}


def test_who_may_not_read_the_configuration_does_not_know_when_a_save_is_due() -> None:
    look = Look()
    look.observation["config"] = {"error": "NOPERM no", "values": {}}
    assert look.judge().unseen == {"rdb_age": "NOPERM no"}


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"aof_last_write_status": "err"}, "critical"),
        ({"aof_last_bgrewrite_status": "err"}, "warning"),
        ({"aof_enabled": 0, "aof_last_write_status": "err"}, None),
    ],
)
def test_the_append_only_file(values: dict[str, Any], status: str | None) -> None:
    assert Look().info(**values).judge().found.get(("aof", "")) == status


def test_a_replica_is_not_asked_what_is_the_primarys_business() -> None:
    look = Look("replica")
    look.observation["keys"] = Look().observation["keys"]
    look.observation["keys"]["largest"] = [{"db": 0, "key": "k", "kind": "k", "bytes": 10**9, "ttl_s": -1}]
    assert look.judge().found == {}
    assert look.unseen == {}


def test_only_what_was_asked_for_is_told() -> None:
    look = Look().info(rdb_last_bgsave_status="err", connected_clients=10_000).judge(checks=["redis.rdb"])
    assert look.found == {("rdb", ""): "critical"}
    assert [row["check"] for row in look.result["coverage"]] == ["redis.rdb"]

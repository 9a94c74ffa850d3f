# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registered checks of Redis. Each default line has its reason beside it."""

from __future__ import annotations

from .._core.check import BELOW, Check

_HEALTH = "daily:database-health"
_METRICS = "daily:key-metrics-to-watch"
_MORNING = "daily:morning-start-of-business-day"
_DASHBOARD = ("morning.dashboard",)
_REPLICATION = ("morning.replication",)
_UTILIZATION = ("morning.utilization",)

_MIB = 1024.0**2

_REACH: tuple[Check, ...] = (
    Check(
        id="redis.reachable",
        question="Does the server answer?",
        runbook=_HEALTH,
        items=_DASHBOARD,
        source="TCP connection, then PING and INFO",
        remedy=(
            "on its host: systemctl status 'redis*'; journalctl -u 'redis*' --since -1h; from there: redis-cli ping"
        ),
        rank=5,
    ),
    Check(
        id="redis.access",
        question="May the monitoring user log in, and ask what it needs to ask?",
        runbook=_HEALTH,
        items=_DASHBOARD,
        source="AUTH, and the answer to INFO",
        remedy="check login_user and login_password; ACL GETUSER <user>; the notes of redis_health have the ACL line",
        severity="unknown",
        rank=6,
    ),
)

_REPLICATED: tuple[Check, ...] = (
    Check(
        id="redis.role",
        question="Is the server what the inventory says, primary or replica?",
        runbook=_MORNING,
        items=_REPLICATION,
        source="INFO replication: role",
        remedy="redis-cli -h <sentinel> -p 26379 SENTINEL FAILOVER <name>, or correct the inventory",
        rank=8,
    ),
    Check(
        id="redis.replicas",
        question="Is every replica that should be there connected and online?",
        runbook=_MORNING,
        items=_REPLICATION,
        source="INFO replication of the primary: slave0…, state",
        remedy="on the replica: redis-cli INFO replication; then its log and the way to the primary",
        rank=25,
    ),
    Check(
        id="redis.replication_link",
        question="Does the replica hear from its primary?",
        runbook=_MORNING,
        items=_REPLICATION,
        source="INFO replication of the replica: master_link_status, master_last_io_seconds_ago",
        remedy="redis-cli INFO replication; check masteruser, masterauth and the way to the primary",
        unit="s",
        # A primary sends a ping every 10 seconds, and is given up after 60 (repl-timeout).
        target=20,
        alert=45,
        rank=22,
    ),
    Check(
        id="redis.replication_lag",
        question="How long ago did a replica confirm what it has?",
        runbook=_MORNING,
        items=_REPLICATION,
        source="INFO replication of the primary: lag",
        remedy="on the replica: redis-cli INFO replication; look at its load, its disk and the network",
        unit="s",
        # Replicas confirm once a second; min-replicas-max-lag is 10 by default.
        target=10,
        alert=30,
        rank=27,
    ),
    Check(
        id="redis.replication_lag_bytes",
        question="How much has a replica still to get?",
        runbook=_MORNING,
        items=_REPLICATION,
        source="INFO replication of the primary: master_repl_offset less the replica's offset",
        remedy=(
            "look at the network to the replica; CONFIG GET repl-backlog-size: past it a broken link costs a full copy"
        ),
        unit="bytes",
        # What two seconds of a busy server make is normal; 64 MB is the soft limit for output to replicas.
        target=8 * _MIB,
        alert=64 * _MIB,
        rank=28,
    ),
    Check(
        id="redis.sentinel",
        question="Does each Sentinel answer, and know the primary?",
        runbook=_MORNING,
        items=_REPLICATION,
        source="SENTINEL MASTER at each Sentinel",
        remedy="on its host: systemctl status redis-sentinel; then its log",
        severity="warning",
        rank=30,
    ),
    Check(
        id="redis.sentinel_quorum",
        question="Could the Sentinels carry out a failover?",
        runbook=_MORNING,
        items=_REPLICATION,
        source="SENTINEL CKQUORUM at each Sentinel",
        remedy="bring the Sentinels back that do not answer; SENTINEL CKQUORUM <name> says how many are usable",
        rank=31,
    ),
    Check(
        id="redis.sentinel_primary",
        question="Do all Sentinels and the server agree on who is the primary, and is it up?",
        runbook=_MORNING,
        items=_REPLICATION,
        source="SENTINEL MASTER: address, run id and flags, against the server's role",
        remedy="redis-cli -p 26379 SENTINEL MASTER <name> on each Sentinel; SENTINEL RESET <name> on a wrong one",
        rank=24,
    ),
    Check(
        id="redis.cluster_slots",
        question="Does the cluster serve all of its 16384 slots?",
        runbook=_HEALTH,
        items=_DASHBOARD,
        source="CLUSTER INFO: cluster_state, cluster_slots_assigned, cluster_slots_ok",
        remedy="redis-cli --cluster check <host>:<port>; --cluster fix gives lost slots to a node",
        unit="slots",
        # With cluster-require-full-coverage, the default, one lost slot stops the whole cluster.
        target=0,
        alert=0,
        rank=9,
    ),
)

_MEMORY: tuple[Check, ...] = (
    Check(
        id="redis.memory",
        question="How much of the memory that it may use is taken?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source="INFO memory: used_memory less mem_not_counted_for_evict, maxmemory (without one: of the machine)",
        remedy="redis-cli INFO memory; raise maxmemory, or take out what is large: see redis.big_keys and redis.no_ttl",
        unit="%",
        # The runbook's own lines: "Memory Usage: target < 80 %, alert > 90 %".
        target=80,
        alert=90,
        rank=20,
    ),
    Check(
        id="redis.fragmentation",
        question="How much more memory does the process hold than its data need?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source="INFO memory: mem_fragmentation_ratio, where it is more than 100 MiB",
        remedy="redis-cli CONFIG SET activedefrag yes, or a restart of the replica and then a failover",
        unit="times",
        # 1.5 is what the makers call fragmented; at 2.5 more memory is lost than used.
        target=1.5,
        alert=2.5,
        rank=55,
    ),
    Check(
        id="redis.evictions",
        question="How many keys are thrown out for want of memory?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source="INFO stats: evicted_keys, by the hour since the last look or the start",
        remedy="raise maxmemory, or shorten TTLs; with sessions among the keys every eviction logs somebody out",
        unit="per hour",
        # A handful is chance; at ten thousand the cache has lost its use.
        target=100,
        alert=10_000,
        rank=40,
    ),
    Check(
        id="redis.big_keys",
        question="Are there keys that are too large to be handled without a pause?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source="MEMORY USAGE of a sample of the keys (SCAN)",
        remedy="split it, or take it out with UNLINK (not DEL): redis-cli --scan --pattern '{name}'",
        unit="bytes",
        # Sending 10 MiB takes as long as ten thousand small commands; deleting 100 MiB stops the server for a moment.
        target=10 * _MIB,
        alert=100 * _MIB,
        rank=60,
    ),
    Check(
        id="redis.no_ttl",
        question="How much could never be evicted, although the policy evicts?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source="INFO keyspace: keys less expires, under a volatile-* policy with more than half of the memory in use",
        remedy="give the keys a TTL (EXPIRE), or choose an allkeys-* policy; the evidence names their kinds",
        unit="%",
        # When half of the keys cannot go, the other half goes twice as often; with all of them writes are refused.
        target=50,
        alert=90,
        rank=45,
    ),
    Check(
        id="redis.ttl_leak",
        question="Do a few keys of a kind that expires have no TTL?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source="TTL of a sample of the keys (SCAN), by kind of name",
        remedy="find the writer that forgets it (SET without EX, PERSIST); redis-cli --scan --pattern '{name}'",
        unit="%",
        # One in a hundred is no accident. They never go, so that this is a leak, not an outage.
        target=1,
        rank=65,
    ),
)

_TRAFFIC: tuple[Check, ...] = (
    Check(
        id="redis.clients",
        question="How many of the connections that it takes are taken?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source="INFO clients: connected_clients, maxclients",
        remedy="redis-cli CLIENT LIST; CONFIG SET maxclients; look for a pool without a limit",
        unit="%",
        # The runbook's own lines: "Database Connections: target < 80 % of pool, alert > 90 %".
        target=80,
        alert=90,
        rank=20,
    ),
    Check(
        id="redis.rejected_connections",
        question="How many connections were turned away?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source="INFO stats: rejected_connections, by the hour since the last look or the start",
        remedy="redis-cli CONFIG GET maxclients; compare with the open files that the service may have (LimitNOFILE)",
        unit="per hour",
        # Each is an error in some service. One an hour over days is no accident, one a minute an outage for somebody.
        target=1,
        alert=60,
        rank=35,
    ),
    Check(
        id="redis.client_buffers",
        question="Does a client not read what the server has for it?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source="CLIENT LIST: omem; with more than 500 clients INFO clients: client_recent_max_output_buffer",
        remedy="redis-cli CLIENT KILL ID <id>; CONFIG GET client-output-buffer-limit",
        unit="bytes",
        # The default limit of subscribers is 32 MiB; a normal client has none, and may eat all of maxmemory.
        target=32 * _MIB,
        alert=256 * _MIB,
        rank=38,
    ),
    Check(
        id="redis.latency",
        question="How long does the server take to answer PING?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source="median of seven PINGs over an open connection",
        remedy="redis-cli --latency -h <host>; LATENCY LATEST; SLOWLOG GET; the load of its machine, and the network",
        unit="ms",
        # A healthy server takes well under one; a web request makes several of them within its 200 ms.
        target=25,
        alert=100,
        rank=50,
    ),
    Check(
        id="redis.slow_commands",
        question="How long did the slowest command of the last hour hold everybody up?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source="SLOWLOG GET (slowlog-log-slower-than)",
        remedy="redis-cli SLOWLOG GET; replace KEYS by SCAN, DEL by UNLINK, and read large collections in pieces",
        unit="ms",
        # One command at a time: everybody else waits for it. Below 200 ms a busy machine does that, too.
        target=200,
        alert=1000,
        rank=48,
    ),
    Check(
        id="redis.hit_rate",
        question="How many of the keys that are asked for are there?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source="INFO stats: keyspace_hits, keyspace_misses since the last look or the start; from 10,000 misses on",
        remedy="compare TTLs with how often keys are asked for; redis.evictions tells whether memory is the reason",
        unit="%",
        # A cache that misses half of the time costs more than it saves. It is slow, not broken.
        target=50,
        direction=BELOW,
        rank=62,
    ),
)

_DISK: tuple[Check, ...] = (
    Check(
        id="redis.rdb",
        question="Did the last save succeed?",
        runbook=_HEALTH,
        items=_DASHBOARD,
        source="INFO persistence: rdb_last_bgsave_status",
        remedy="df -h of the data folder; its owner and rights; vm.overcommit_memory; the log says which it was",
        rank=12,
    ),
    Check(
        id="redis.rdb_age",
        question="How long is a save overdue?",
        runbook=_HEALTH,
        items=_DASHBOARD,
        source="INFO persistence: rdb_last_save_time, rdb_changes_since_last_save, against CONFIG GET save",
        remedy="redis-cli INFO persistence; redis-cli BGSAVE",
        unit="s",
        # A save of a large server takes minutes; after two hours somebody has to know what would be lost.
        target=900,
        alert=7200,
        rank=33,
    ),
    Check(
        id="redis.aof",
        question="Are changes written to the append-only file, and is it rewritten?",
        runbook=_HEALTH,
        items=_DASHBOARD,
        source="INFO persistence: aof_last_write_status, aof_last_bgrewrite_status",
        remedy="df -h of the data folder; its owner and rights; then redis-cli BGREWRITEAOF",
        rank=11,
    ),
)

CHECKS: tuple[Check, ...] = _REACH + _REPLICATED + _MEMORY + _TRAFFIC + _DISK

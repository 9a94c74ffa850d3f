# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registered checks of MongoDB. Each default line has its reason beside it."""

from __future__ import annotations

from .._core.check import BELOW, Check

_HEALTH = "daily:database-health"
_METRICS = "daily:key-metrics-to-watch"
_MORNING = "daily:morning-start-of-business-day"
_DASHBOARD = ("morning.dashboard",)
_REPLICATION = ("morning.replication",)
_UTILIZATION = ("morning.utilization",)

CHECKS: tuple[Check, ...] = (
    Check(
        id="mongodb.reachable",
        question="Does the server answer?",
        runbook=_HEALTH,
        items=_DASHBOARD,
        source="TCP connection, hello, ping",
        remedy="on the database host: systemctl status mongod; journalctl -u mongod --since -1h; df -h",
        rank=5,
    ),
    Check(
        id="mongodb.access",
        question="May the monitoring user log in and look?",
        runbook="operations:database-connection-issues",
        items=_DASHBOARD,
        source="authentication, TLS, serverStatus",
        remedy="check login_user, login_password and login_database; the user wants the role clusterMonitor on admin",
        severity="unknown",
        rank=6,
    ),
    Check(
        id="mongodb.connections",
        question="How much of the connections that the server allows is taken?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source="serverStatus.connections: current, available",
        remedy="db.currentOp(true).inprog by client and appName; then the pool sizes (maxPoolSize) of the services",
        unit="%",
        # The runbook's own lines: "Database Connections: target < 80 % of pool, alert > 90 %".
        target=80,
        alert=90,
        rank=20,
    ),
    Check(
        id="mongodb.replica_set",
        question="Is the server a member of the replica set that it belongs to?",
        runbook=_MORNING,
        items=_REPLICATION,
        source="hello.setName, replSetGetStatus",
        remedy="rs.status() there; was it started without --replSet, or removed from the configuration (rs.conf())?",
        rank=8,
    ),
    Check(
        id="mongodb.primary",
        question="Does the replica set have a primary?",
        runbook=_MORNING,
        items=_REPLICATION,
        source="replSetGetStatus.members[].stateStr",
        remedy="rs.status(): is a majority of the voting members up and connected? Nothing can be written until it is",
        rank=7,
    ),
    Check(
        id="mongodb.member",
        question="Is each member of the replica set up, and primary, secondary or arbiter?",
        runbook=_MORNING,
        items=_REPLICATION,
        source="replSetGetStatus.members[]: health, stateStr, lastHeartbeatMessage; a secondary answers for itself",
        remedy="on {name}: systemctl status mongod; journalctl -u mongod --since -1h; rs.status() on another member",
        rank=10,
    ),
    Check(
        id="mongodb.election",
        question="How long has the primary been primary?",
        runbook=_MORNING,
        items=_REPLICATION,
        source="replSetGetStatus.members[].electionDate of the primary",
        remedy="rs.status().electionCandidateMetrics says why; read the log of the former primary at that time",
        unit="s",
        # An election in the last hour is news for who begins the day; an older one that went well is history.
        target=3600,
        direction=BELOW,
        severity="warning",
        rank=45,
    ),
    Check(
        id="mongodb.replication_lag",
        question="How far is a secondary behind the primary?",
        runbook=_MORNING,
        items=_REPLICATION,
        source="replSetGetStatus.members[].optimeDate, less the delay that replSetGetConfig gives the member",
        remedy="rs.printSecondaryReplicationInfo(); look for I/O load and long operations on the secondary",
        unit="s",
        # The platform tolerates 30 s (replication_lag_tolerance).
        target=10,
        alert=30,
        rank=40,
    ),
    Check(
        id="mongodb.oplog_window",
        question="How many hours of writes does the oplog hold?",
        runbook=_MORNING,
        items=_REPLICATION,
        source="local.oplog.rs: first and last entry",
        remedy="db.adminCommand({replSetResizeOplog: 1, size: <MB>}); a member away for longer needs a full resync",
        unit="h",
        # A day covers a night and its repair; less than a shift means that a member down over lunch is lost.
        target=24,
        alert=8,
        direction=BELOW,
        rank=50,
    ),
    Check(
        id="mongodb.long_operation",
        question="Does an operation of a client run for very long?",
        runbook="daily:database-maintenance",
        items=_DASHBOARD,
        source="currentOp: secs_running of active operations of clients, without oplog readers and waiting cursors",
        remedy="db.killOp(<opid>) when nobody misses it; else an index: db.<collection>.explain()",
        unit="s",
        # The runbook calls five minutes long; after half an hour somebody has to look.
        target=300,
        alert=1800,
        rank=30,
    ),
    Check(
        id="mongodb.cache_used",
        question="How full is WiredTiger's cache?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source="serverStatus.wiredTiger.cache: bytes currently in the cache, maximum bytes configured",
        remedy="more memory, or storage.wiredTiger.engineConfig.cacheSizeGB; find what reads so much: db.currentOp()",
        unit="%",
        # WiredTiger keeps it at 80 % by itself (eviction_target); at 95 % clients evict for it (eviction_trigger).
        target=85,
        alert=95,
        rank=35,
    ),
    Check(
        id="mongodb.cache_dirty",
        question="How much of WiredTiger's cache waits to be written?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source="serverStatus.wiredTiger.cache: tracked dirty bytes in the cache, maximum bytes configured",
        remedy="the disk does not keep up: iostat -x 5 on the database host; spread or slow down the writes",
        unit="%",
        # Background writing begins at 5 % (eviction_dirty_target); at 20 % clients wait (eviction_dirty_trigger).
        target=10,
        alert=20,
        rank=34,
    ),
    Check(
        id="mongodb.queue",
        question="Do operations queue?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source="serverStatus.globalLock.currentQueue: readers, writers",
        remedy="db.currentOp({waitingForLock: true}); the oldest operation that holds the lock is the one to look at",
        unit="operations",
        # Some wait at any time; as many as WiredTiger has tickets (128) mean that all of them are taken.
        target=20,
        alert=128,
        rank=32,
    ),
    Check(
        id="mongodb.size",
        question="Do data and indexes keep within what they were given?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source="dbStats of each database: storageSize + indexSize",
        remedy="find the largest: db.stats() by database; archive, add TTL indexes, or give it more",
        unit="GiB",
        # What they were given is for the inventory to say.
        severity="warning",
        rank=60,
    ),
    Check(
        id="mongodb.index_size",
        question="Do the indexes fit into WiredTiger's cache?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source="dbStats.indexSize of all databases against serverStatus.wiredTiger.cache: maximum bytes configured",
        remedy="db.<collection>.aggregate([{$indexStats: {}}]): drop what nobody uses; else more memory",
        unit="%",
        # Data want room beside them. Indexes larger than the cache are read from the disk again and again.
        target=80,
        alert=150,
        rank=61,
    ),
    Check(
        id="mongodb.filesystem",
        question="How full is the file system that the data are on?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source="dbStats: fsUsedSize, fsTotalSize",
        remedy="df -h and du -sh there; MongoDB stops when it cannot write its journal",
        unit="%",
        # The runbook's own lines: "Disk Usage: target < 80 %, alert > 90 %".
        target=80,
        alert=90,
        rank=25,
    ),
)

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registered checks of PostgreSQL. Each default line has its reason beside it."""

from __future__ import annotations

from .._core.check import BELOW, Check

_HEALTH = "daily:database-health"
_MAINTENANCE = "daily:database-maintenance"
_METRICS = "daily:key-metrics-to-watch"
_MORNING = "daily:morning-start-of-business-day"
_DASHBOARD = ("morning.dashboard",)
_REPLICATION = ("morning.replication",)
_UTILIZATION = ("morning.utilization",)

_MIB = 1024.0**2
_GIB = 1024.0**3

_REACH: tuple[Check, ...] = (
    Check(
        id="postgres.reachable",
        question="Does the server answer?",
        runbook=_HEALTH,
        items=_DASHBOARD,
        source="TCP connection and the first answer of the server",
        remedy=(
            "on the database host: pg_lsclusters; systemctl status 'postgresql*'; journalctl -u 'postgresql*' "
            "--since -1h"
        ),
        rank=5,
    ),
    Check(
        id="postgres.access",
        question="May the monitoring role log in?",
        runbook="operations:database-connection-issues",
        items=_DASHBOARD,
        source="authentication: password, pg_hba.conf, CONNECT right, TLS",
        remedy="check login_user, login_password and pg_hba.conf, then: psql -d {database} -c 'SELECT 1'",
        severity="unknown",
        rank=6,
    ),
)

_CONNECTIONS: tuple[Check, ...] = (
    Check(
        id="postgres.connections",
        question="How much of the usable connections is taken, on the server, in a database, by a role with a limit?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source=(
            "pg_stat_activity; max_connections - superuser_reserved_connections - reserved_connections; "
            "datconnlimit; rolconnlimit"
        ),
        remedy=(
            'psql -c "SELECT usename, application_name, state, count(*) FROM pg_stat_activity GROUP BY 1,2,3 ORDER '
            'BY 4 DESC"'
        ),
        unit="%",
        # The runbook's own lines: "Database Connections: target < 80 % of pool, alert > 90 %".
        target=80,
        alert=90,
        rank=20,
    ),
    Check(
        id="postgres.idle_in_transaction",
        question="Does a session sit idle inside an open transaction?",
        runbook=_MAINTENANCE,
        items=_DASHBOARD,
        source="pg_stat_activity.state, state_change",
        remedy='psql -c "SELECT pg_terminate_backend(<pid>)", then look for the missing COMMIT in the application',
        unit="s",
        # The runbook calls five minutes long; after half an hour vacuum and locks suffer.
        target=300,
        alert=1800,
        rank=15,
    ),
    Check(
        id="postgres.long_query",
        question="How long does the longest client query run?",
        runbook=_MAINTENANCE,
        items=_DASHBOARD,
        source="pg_stat_activity of client backends, query_start",
        remedy='psql -c "SELECT pg_cancel_backend(<pid>)", after a look at the statement with EXPLAIN',
        unit="s",
        # "interval '5 minutes'" is the runbook's line for a long-running query.
        target=300,
        alert=1800,
        rank=30,
    ),
    Check(
        id="postgres.blocked",
        question="How long has a session waited for a lock, and who is at the root?",
        runbook=_MAINTENANCE,
        items=_DASHBOARD,
        source="pg_blocking_pids(), pg_locks.waitstart",
        remedy='psql -c "SELECT pg_terminate_backend(<root pid>)"',
        unit="s",
        # People notice ten seconds; after a minute connection pools run full.
        target=10,
        alert=60,
        rank=20,
    ),
    Check(
        id="postgres.deadlocks",
        question="How often does the server break deadlocks?",
        runbook=_HEALTH,
        items=_DASHBOARD,
        source="pg_stat_database.deadlocks since stats_reset, by the hour",
        remedy="grep -A8 'deadlock detected' in the server log: it names both statements; take locks in one order",
        unit="per hour",
        # One now and then is retried by the application; one a minute is a defect that users feel.
        target=2,
        alert=60,
        rank=60,
    ),
)

_XIDS: tuple[Check, ...] = (
    Check(
        id="postgres.prepared_transactions",
        question="Was a prepared transaction forgotten?",
        runbook=_MAINTENANCE,
        items=_DASHBOARD,
        source="pg_prepared_xacts.prepared",
        remedy=(
            "psql -d {database} -c \"ROLLBACK PREPARED '<gid>'\" (or COMMIT PREPARED; ask the transaction manager "
            "first)"
        ),
        unit="s",
        # A transaction manager finishes in seconds. Prepared transactions survive restarts and hold locks for ever.
        target=300,
        alert=3600,
        rank=14,
    ),
    Check(
        id="postgres.xmin_horizon",
        question="Who keeps vacuum from removing dead rows?",
        runbook=_MAINTENANCE,
        items=_DASHBOARD,
        source="backend_xmin, xmin of slots, prepared transactions and standbys with hot_standby_feedback",
        remedy="end what the evidence names: the session, the prepared transaction, the slot or the standby's query",
        unit="transactions",
        # A million transactions is a day of a small and an hour of a busy server; 50 million is a quarter of the way to
        # the forced vacuum of autovacuum_freeze_max_age.
        target=1_000_000,
        alert=50_000_000,
        rank=16,
    ),
    Check(
        id="postgres.xid_age",
        question="How near is a database to transaction id wraparound?",
        runbook=_MAINTENANCE,
        items=_DASHBOARD,
        source="age(pg_database.datfrozenxid) of 2^31",
        remedy="vacuumdb --freeze --jobs 2 {database}, after ending what holds xmin back",
        unit="%",
        # 25 % is two and a half times the default autovacuum_freeze_max_age: vacuum has not kept up for long. 60 % is
        # below the failsafe (75 %) and leaves days at thousands of transactions a second.
        target=25,
        alert=60,
        rank=25,
    ),
    Check(
        id="postgres.multixact_age",
        question="How near is a database to multixact wraparound?",
        runbook=_MAINTENANCE,
        items=_DASHBOARD,
        source="mxid_age(pg_database.datminmxid) of 2^31",
        remedy="vacuumdb --freeze --jobs 2 {database}",
        unit="%",
        # As above; the default autovacuum_multixact_freeze_max_age is 19 %.
        target=30,
        alert=60,
        rank=25,
    ),
)

_VACUUM: tuple[Check, ...] = (
    Check(
        id="postgres.autovacuum",
        question="Is autovacuum on?",
        runbook=_MAINTENANCE,
        items=_DASHBOARD,
        source="settings autovacuum and track_counts; reloptions of large tables",
        remedy=(
            'psql -c "ALTER SYSTEM SET autovacuum = on" -c "ALTER SYSTEM SET track_counts = on" -c "SELECT '
            'pg_reload_conf()"'
        ),
        rank=12,
    ),
    Check(
        id="postgres.dead_tuples",
        question="How much of a table is dead rows?",
        runbook=_MAINTENANCE,
        items=_DASHBOARD,
        source="pg_stat_user_tables.n_dead_tup of tables with 10,000 dead rows or more",
        remedy="psql -d {database} -c 'VACUUM (ANALYZE, VERBOSE) {name}'",
        unit="%",
        # autovacuum comes at 20 % by default, so a little more is normal while it works.
        target=30,
        alert=60,
        rank=60,
    ),
    Check(
        id="postgres.vacuum_lag",
        question="Are tables far past the point at which autovacuum should have come?",
        runbook=_MAINTENANCE,
        items=_DASHBOARD,
        source=(
            "n_dead_tup and n_ins_since_vacuum against the table's autovacuum thresholds, tables of 10,000 rows or "
            "more past them"
        ),
        remedy=(
            "psql -d {database} -c 'VACUUM (ANALYZE) {name}'; raise autovacuum_max_workers or "
            "autovacuum_vacuum_cost_limit"
        ),
        unit="times the trigger",
        # Twice the trigger: the workers are busy or kept away. Ten times: nobody comes.
        target=2,
        alert=10,
        rank=62,
    ),
    Check(
        id="postgres.stale_statistics",
        question="Does the planner work with old statistics?",
        runbook=_MAINTENANCE,
        items=_DASHBOARD,
        source="pg_stat_user_tables.n_mod_since_analyze of tables with 10,000 changed rows or more",
        remedy="psql -d {database} -c 'ANALYZE {name}'",
        unit="%",
        # autovacuum analyzes after 10 % of the rows. Bad plans are slow, not down: never critical by itself.
        target=30,
        rank=64,
    ),
    Check(
        id="postgres.bloat",
        question="How much of a table is wasted space (an estimate)?",
        runbook=_MAINTENANCE,
        items=_UTILIZATION,
        source="estimate from pg_class.relpages, reltuples and average widths in pg_statistic; tables of 8 MiB or more",
        remedy=(
            "measure with pgstattuple_approx, then VACUUM FULL in a window or pg_repack: psql -d {database} -c "
            "'VACUUM (FULL, ANALYZE) {name}'"
        ),
        unit="%",
        # Half of a table wasted is worth a maintenance window. An estimate never becomes critical.
        target=50,
        rank=70,
    ),
)

_REPLICAS: tuple[Check, ...] = (
    Check(
        id="postgres.standby",
        question="Is every expected standby connected and streaming?",
        runbook=_MORNING,
        items=_REPLICATION,
        source="pg_stat_replication.application_name, state; the names of expected_standbys",
        remedy=(
            "on the standby: journalctl -u 'postgresql*' --since -1h; check that it runs, its primary_conninfo and "
            "the network"
        ),
        rank=18,
    ),
    Check(
        id="postgres.standby_reply",
        question="When did each connected standby last answer?",
        runbook=_MORNING,
        items=_REPLICATION,
        source="pg_stat_replication.reply_time (the standby's clock; wants NTP)",
        remedy="the link to {name} is cut or its receiver hangs: ping it, then look at pg_stat_wal_receiver there",
        unit="s",
        # A healthy standby answers every 10 s (wal_receiver_status_interval), at the latest when asked after 30 s; at
        # 60 s (wal_sender_timeout) the primary gives the connection up.
        target=30,
        alert=60,
        rank=19,
    ),
    Check(
        id="postgres.replication_lag",
        question="How far is a standby behind in time?",
        runbook=_MORNING,
        items=_REPLICATION,
        source=(
            "on the primary replay_lag where WAL is outstanding; on a standby the age of the last replayed commit "
            "where WAL waits"
        ),
        remedy=(
            "look for I/O load, long queries and recovery conflicts on the standby: psql -c 'SELECT * FROM "
            "pg_stat_wal_receiver'"
        ),
        unit="s",
        # The platform tolerates 30 s (replication_lag_tolerance).
        target=10,
        alert=30,
        rank=40,
    ),
    Check(
        id="postgres.replication_lag_bytes",
        question="How much WAL has a standby still to send, write or replay?",
        runbook=_MORNING,
        items=_REPLICATION,
        source="pg_wal_lsn_diff of the current position and sent_lsn, flush_lsn, replay_lsn",
        remedy="psql -c 'SELECT application_name, state, sent_lsn, flush_lsn, replay_lsn FROM pg_stat_replication'",
        unit="bytes",
        # Four segments come and go in a burst; a gigabyte takes a failover minutes to replay.
        target=64 * _MIB,
        alert=1 * _GIB,
        rank=42,
    ),
    Check(
        id="postgres.receiver",
        question="Does this standby receive WAL?",
        runbook=_MORNING,
        items=_REPLICATION,
        source="pg_stat_wal_receiver.status, last_msg_receipt_time",
        remedy="check primary_conninfo, the primary and the network between; journalctl -u 'postgresql*' --since -1h",
        unit="s",
        # The primary speaks at least every 30 s (wal_sender_timeout / 2); wal_receiver_timeout gives up at 60 s.
        target=35,
        alert=60,
        rank=18,
    ),
    Check(
        id="postgres.replay_paused",
        question="Is replay paused on this standby?",
        runbook=_MORNING,
        items=_REPLICATION,
        source="pg_get_wal_replay_pause_state(), pg_is_wal_replay_paused()",
        remedy=(
            "psql -c 'SELECT pg_wal_replay_resume()'; if it pauses again, max_connections and its like are smaller "
            "than on the primary: raise them and restart"
        ),
        severity="warning",
        rank=17,
    ),
    Check(
        id="postgres.recovery_conflicts",
        question="How often does replay cancel queries on this standby?",
        runbook=_HEALTH,
        items=_REPLICATION,
        source="pg_stat_database_conflicts since stats_reset, by the hour",
        remedy="hot_standby_feedback = on or a longer max_standby_streaming_delay on this standby; shorter queries",
        unit="per hour",
        # Cancelled reports are a nuisance, not an outage.
        target=10,
        rank=60,
    ),
    Check(
        id="postgres.slot",
        question="Is a replication slot unused, or has it lost its WAL?",
        runbook=_MORNING,
        items=_REPLICATION,
        source="pg_replication_slots.active, wal_status, conflicting, invalidation_reason, inactive_since",
        remedy="start its consumer, or drop it: psql -c \"SELECT pg_drop_replication_slot('{name}')\"",
        severity="warning",
        rank=45,
    ),
    Check(
        id="postgres.slot_retention",
        question="How much WAL does a slot keep on the disk?",
        runbook=_MORNING,
        items=_REPLICATION,
        source="pg_wal_lsn_diff of the current position and restart_lsn",
        remedy=(
            "start its consumer, or drop it: psql -c \"SELECT pg_drop_replication_slot('{name}')\"; set "
            "max_slot_wal_keep_size"
        ),
        unit="bytes",
        # A gigabyte is the default max_wal_size: more is the slot's doing. Ten fill small WAL disks.
        target=1 * _GIB,
        alert=10 * _GIB,
        rank=46,
    ),
    Check(
        id="postgres.subscription",
        question="Do logical subscriptions apply?",
        runbook=_MORNING,
        items=_REPLICATION,
        source="pg_subscription, pg_stat_subscription, pg_stat_subscription_stats (15 and newer)",
        remedy=(
            "grep 'logical replication' in the server log for the row that fails; psql -d {database} -c 'ALTER "
            "SUBSCRIPTION {name} ENABLE'"
        ),
        rank=35,
    ),
)

_WAL: tuple[Check, ...] = (
    Check(
        id="postgres.archiver",
        question="Does WAL archiving succeed?",
        runbook=_HEALTH,
        items=_DASHBOARD,
        source="pg_stat_archiver: last failure against last success",
        remedy="run archive_command by hand as the server's user with the file that the evidence names",
        rank=22,
    ),
    Check(
        id="postgres.archive_backlog",
        question="How much WAL waits to be archived?",
        runbook=_HEALTH,
        items=_UTILIZATION,
        source="*.ready in pg_ls_archive_statusdir()",
        remedy="archiving is slower than WAL grows: psql -c 'SELECT * FROM pg_stat_archiver'",
        unit="segments",
        # A burst leaves a few; 64 are a gigabyte that a point-in-time recovery would miss.
        target=8,
        alert=64,
        rank=44,
    ),
    Check(
        id="postgres.wal_size",
        question="Is the WAL larger than its settings want it to be?",
        runbook=_HEALTH,
        items=_UTILIZATION,
        source="pg_ls_waldir() against max_wal_size + wal_keep_size",
        remedy=(
            "find what keeps it (slots, archiver, checkpoints): psql -c 'SELECT slot_name, active, wal_status, "
            "restart_lsn FROM pg_replication_slots'"
        ),
        unit="%",
        # max_wal_size is a soft limit that loads exceed for minutes.
        target=150,
        alert=400,
        rank=48,
    ),
    Check(
        id="postgres.checkpoints",
        question="Do checkpoints come because WAL runs full, and not by the clock?",
        runbook=_HEALTH,
        items=_UTILIZATION,
        source="requested checkpoints since stats_reset by the hour (pg_stat_checkpointer, before 17 pg_stat_bgwriter)",
        remedy="psql -c \"ALTER SYSTEM SET max_wal_size = '4GB'\" -c 'SELECT pg_reload_conf()'",
        unit="per hour",
        # More than one in five minutes beside the timed ones: max_wal_size is too small. One a minute: I/O suffers.
        target=12,
        alert=60,
        rank=60,
    ),
)

_STORAGE: tuple[Check, ...] = (
    Check(
        id="postgres.hit_ratio",
        question="How much is read from shared buffers?",
        runbook=_HEALTH,
        items=_UTILIZATION,
        source="blks_hit of blks_hit + blks_read since stats_reset, databases with 10,000 reads or more",
        remedy=(
            'psql -d {database} -c "SELECT relname, heap_blks_read FROM pg_statio_user_tables ORDER BY 2 DESC LIMIT 10"'
        ),
        unit="%",
        # Below 90 % an OLTP database reads its working set from the disk. The page cache may still have it: no alert.
        target=90,
        direction=BELOW,
        rank=66,
    ),
    Check(
        id="postgres.temp_files",
        question="How much do queries spill to temporary files?",
        runbook=_HEALTH,
        items=_UTILIZATION,
        source="pg_stat_database.temp_bytes since stats_reset, by the hour",
        remedy="log_temp_files = '100MB' names the statements; raise work_mem for their role",
        unit="bytes per hour",
        # A gigabyte an hour is a report or two; ten wear the disk and evict the page cache.
        target=1 * _GIB,
        alert=10 * _GIB,
        rank=66,
    ),
    Check(
        id="postgres.size",
        question="How large are all databases together?",
        runbook=_HEALTH,
        items=_UTILIZATION,
        source="pg_database_size()",
        remedy=(
            'psql -c "SELECT datname, pg_size_pretty(pg_database_size(datname)) FROM pg_database ORDER BY '
            'pg_database_size(datname) DESC"'
        ),
        unit="bytes",
        # The platform gives PostgreSQL 500 GB (storage_gb): 80 and 90 %.
        target=400e9,
        alert=450e9,
        rank=70,
    ),
    Check(
        id="postgres.growth",
        question="How fast does a database grow?",
        runbook=_HEALTH,
        items=_UTILIZATION,
        source="pg_database_size() against an earlier recording (option previous)",
        remedy=(
            'psql -d {database} -c "SELECT oid::regclass, pg_size_pretty(pg_total_relation_size(oid)) FROM pg_class '
            "WHERE relkind = 'r' ORDER BY pg_total_relation_size(oid) DESC LIMIT 10\""
        ),
        unit="% a day",
        # Five per cent a day doubles in a fortnight.
        target=5,
        alert=25,
        rank=72,
    ),
    Check(
        id="postgres.checksum_failures",
        question="How long ago was the last broken data page read?",
        runbook=_HEALTH,
        items=_DASHBOARD,
        source="pg_stat_database.checksum_failures, checksum_last_failure",
        remedy=(
            "do not vacuum; find the page in the server log, restore it from backup or fail over; pg_amcheck {database}"
        ),
        unit="h",
        direction=BELOW,
        # Critical for a week, a reminder for a month, then history.
        target=720,
        alert=168,
        rank=10,
    ),
)

_INDEXES: tuple[Check, ...] = (
    Check(
        id="postgres.invalid_index",
        question="Is an index invalid?",
        runbook=_MAINTENANCE,
        items=_DASHBOARD,
        source="pg_index.indisvalid, of indexes that are not just being built",
        remedy=(
            "psql -d {database} -c 'REINDEX INDEX CONCURRENTLY {name}', or DROP INDEX where its name ends in _ccnew "
            "or _ccold"
        ),
        severity="warning",
        rank=60,
    ),
    Check(
        id="postgres.unused_index",
        question="For how many days has an index not been used?",
        runbook=_MAINTENANCE,
        items=_UTILIZATION,
        source=(
            "pg_stat_user_indexes.idx_scan since stats_reset (16 and newer: last_idx_scan); 1 MiB or more, no "
            "constraint"
        ),
        remedy="look at the standbys as well, then: psql -d {database} -c 'DROP INDEX CONCURRENTLY {name}'",
        unit="days",
        # Monthly reports use theirs once a month.
        target=35,
        rank=80,
    ),
    Check(
        id="postgres.duplicate_index",
        question="Do two indexes do the same work?",
        runbook=_MAINTENANCE,
        items=_UTILIZATION,
        source="pg_index: same table, columns, operator classes, collations, order, expressions and predicate",
        remedy="psql -d {database} -c 'DROP INDEX CONCURRENTLY {name}'",
        severity="warning",
        rank=80,
    ),
    Check(
        id="postgres.sequence",
        question="How much of a sequence's or of its column's range is used up?",
        runbook=_MAINTENANCE,
        items=_DASHBOARD,
        source="pg_sequences.last_value against the sequence's limit and the type of the column that owns it",
        remedy=(
            "change the column to bigint: psql -d {database} -c 'ALTER TABLE … ALTER COLUMN … TYPE bigint', and "
            "ALTER SEQUENCE {name} AS bigint"
        ),
        unit="%",
        # An integer key at 70 % leaves time for the migration, at 90 % not.
        target=70,
        alert=90,
        rank=50,
    ),
)

_SETTINGS: tuple[Check, ...] = (
    Check(
        id="postgres.pending_restart",
        question="Do changed settings wait for a restart?",
        runbook=_HEALTH,
        items=_DASHBOARD,
        source="pg_settings.pending_restart",
        remedy="restart the server in a window, or take the change back: psql -c 'ALTER SYSTEM RESET <name>'",
        severity="warning",
        rank=70,
    ),
    Check(
        id="postgres.hba_errors",
        question="Can pg_hba.conf be read without errors?",
        runbook=_HEALTH,
        items=_DASHBOARD,
        source="pg_hba_file_rules.error (wants SELECT on the view and EXECUTE on its function)",
        remedy='mend the line, then: psql -c "SELECT pg_reload_conf()"',
        # The server goes on with the old rules, and does not start again with the new ones.
        rank=24,
    ),
)

CHECKS: tuple[Check, ...] = _REACH + _CONNECTIONS + _XIDS + _VACUUM + _REPLICAS + _WAL + _STORAGE + _INDEXES + _SETTINGS

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Statements are put together from constants of this file only.
# ruff: noqa: S608
"""What the look asks PostgreSQL, one small statement a subject, with the versions and the role it is for.

All statements read, with the rights of ``pg_monitor``; the three that want more say so. They return plain values only:
times as ages in seconds of the server's own clock, positions as distances in bytes,
  so that a recording can be judged at
any later time. Nothing takes a lock on a user's table: sizes come from ``relpages``, not from ``pg_relation_size()``,
which would wait behind an ACCESS EXCLUSIVE lock exactly when somebody wants to know who holds it.

Versions: 13 to 18. Where a column or view came or went, there are several statements of one name, of which exactly one
fits a server.
"""

from __future__ import annotations

from dataclasses import dataclass

OLDEST = 130000
"""The oldest server that is looked at (``server_version_num``)."""

ANY = "any"
PRIMARY = "primary"
STANDBY = "standby"


@dataclass(frozen=True)
class Query:
    """One statement.

    :ivar name: its name in the observation.
    :ivar feeds: ids of the checks, without ``postgres.``, that cannot be answered without it.
    :ivar role: ``primary`` or ``standby``: only such a server is asked; ``any``.
    :ivar late: asked in the second round: it reads directories or large catalogues, or is to be asked last.
    :ivar since: first ``server_version_num`` it is for; until: first that it is not for any more.
    """

    name: str
    feeds: tuple[str, ...]
    sql: str
    role: str = ANY
    since: int = OLDEST
    until: int | None = None
    late: bool = False

    def fits(self, version: int, in_recovery: bool) -> bool:
        """Whether a server of this version and role is asked."""
        if version < self.since or (self.until is not None and version >= self.until):
            return False
        return self.role == ANY or in_recovery == (self.role == STANDBY)


def _age(column: str) -> str:
    return f"extract(epoch FROM clock_timestamp() - {column})::float8"


# The end of WAL here: what was written on a primary, what was received on a standby (which may feed others).
_HERE = (
    "CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())"
    " ELSE pg_current_wal_lsn() END"
)

_SESSION = """a.pid, a.datname::text AS database, a.usename::text AS role, a.application_name::text AS application,
  host(a.client_addr) AS client, a.backend_type::text AS kind, a.state::text AS state,
  a.wait_event_type::text AS wait_type, a.wait_event::text AS wait, left(a.query, 400) AS query,
  {} AS transaction_s, {} AS query_s, {} AS state_s,
  age(a.backend_xid) AS xid_age, greatest(age(a.backend_xmin), age(a.backend_xid)) AS xmin_age""".format(
    _age("a.xact_start"),
    _age("a.query_start"),
    _age("a.state_change"),
)

SERVER = Query(
    "server",
    (),
    """SELECT current_setting('server_version_num')::int AS version_num, current_setting('server_version') AS version,
  pg_is_in_recovery() AS in_recovery, current_database()::text AS database, session_user::text AS role,
  pg_has_role(session_user, 'pg_monitor', 'USAGE') AS monitor,
  {} AS uptime_s,
  -- Counters that were never reset by themselves run since the statistics as a whole began.
  {} AS statistics_s""".format(
        _age("pg_postmaster_start_time()"),
        _age("least((SELECT stats_reset FROM pg_stat_bgwriter), (SELECT stats_reset FROM pg_stat_archiver))"),
    ),
)

_SETTINGS = (
    "archive_mode", "autovacuum", "autovacuum_analyze_scale_factor", "autovacuum_analyze_threshold",
    "autovacuum_freeze_max_age", "autovacuum_max_workers", "autovacuum_multixact_freeze_max_age", "autovacuum_naptime",
    "autovacuum_vacuum_insert_scale_factor", "autovacuum_vacuum_insert_threshold", "autovacuum_vacuum_max_threshold",
    "autovacuum_vacuum_scale_factor", "autovacuum_vacuum_threshold", "block_size", "data_checksums", "max_connections",
    "max_slot_wal_keep_size", "max_wal_size", "reserved_connections", "superuser_reserved_connections", "track_counts",
    "wal_keep_size", "wal_receiver_timeout", "wal_segment_size", "wal_sender_timeout",
)  # fmt: skip

SETTINGS = Query(
    "settings",
    (
        "pending_restart",
        "connections",
        "autovacuum",
        "vacuum_lag",
        "archiver",
        "archive_backlog",
        "wal_size",
        "checksum_failures",
    ),
    # Values only of settings that are named here: others (primary_conninfo) may hold passwords.
    """SELECT name::text AS name, CASE WHEN name IN (%s) THEN setting END AS setting, unit::text AS unit,
  pending_restart
FROM pg_settings WHERE pending_restart OR name IN (%s)"""
    % ((", ".join(f"'{name}'" for name in _SETTINGS),) * 2),
)

CONNECTIONS = Query(
    "connections",
    ("connections",),
    # Of other roles' sessions a role without pg_read_all_stats sees the database, but not what kind they are of.
    """SELECT count(*) FILTER (WHERE backend_type = 'client backend' OR backend_type IS NULL
  AND datname IS NOT NULL) AS used,
  count(*) FILTER (WHERE backend_type IS NULL) AS hidden,
  count(*) FILTER (WHERE backend_type = 'client backend' AND state = 'active') AS active,
  count(*) FILTER (WHERE backend_type = 'client backend' AND state = 'idle') AS idle,
  count(*) FILTER (WHERE backend_type = 'client backend' AND state LIKE 'idle in transaction%') AS idle_in_transaction
FROM pg_stat_activity""",
)

CLIENTS = Query(
    "clients",
    (),
    """SELECT usename::text AS role, application_name::text AS application, host(client_addr) AS client,
  datname::text AS database, count(*) AS sessions
FROM pg_stat_activity WHERE backend_type = 'client backend'
GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 1, 2, 3, 4 LIMIT 8""",
)

ROLES = Query(
    "roles",
    ("connections",),
    """SELECT r.rolname::text AS role, r.rolconnlimit AS allowed, count(a.pid) AS used
FROM pg_roles r LEFT JOIN pg_stat_activity a ON a.usesysid = r.oid
WHERE r.rolconnlimit > 0 AND r.rolcanlogin AND NOT r.rolsuper GROUP BY 1, 2""",
)

DATABASES = Query(
    "databases",
    ("connections", "xid_age", "multixact_age", "deadlocks", "hit_ratio", "temp_files", "checksum_failures"),
    """SELECT d.datname::text AS database, d.datallowconn AS open, d.datistemplate AS template,
  d.datconnlimit AS allowed,
  age(d.datfrozenxid) AS xid_age, mxid_age(d.datminmxid) AS multixact_age, s.numbackends AS used,
  s.blks_hit::float8 AS hit, s.blks_read::float8 AS read, s.temp_files::float8 AS temp_files,
  s.temp_bytes::float8 AS temp_bytes, s.deadlocks::float8 AS deadlocks,
  s.checksum_failures::float8 AS checksum_failures, {} AS checksum_failure_s, {} AS statistics_s
FROM pg_database d LEFT JOIN pg_stat_database s ON s.datid = d.oid ORDER BY 1""".format(
        _age("s.checksum_last_failure"), _age("s.stats_reset")
    ),
)

SHARED = Query(
    "shared",
    ("checksum_failures",),
    """SELECT s.checksum_failures::float8 AS checksum_failures, {} AS checksum_failure_s
FROM pg_stat_database s WHERE s.datid = 0""".format(_age("s.checksum_last_failure")),
)

SESSIONS = Query(
    "sessions",
    ("idle_in_transaction", "long_query"),
    f"""SELECT {_SESSION} FROM pg_stat_activity a
WHERE a.pid <> pg_backend_pid() AND a.backend_type = 'client backend'
  AND (a.state LIKE 'idle in transaction%' OR a.state IN
  ('active', 'fastpath function call')) ORDER BY least(a.state_change, a.query_start) LIMIT 300""",
)

_BLOCKING = """WITH waiting AS MATERIALIZED (
  SELECT pid, pg_blocking_pids(pid) AS blocked_by FROM pg_stat_activity WHERE wait_event_type = 'Lock'),
 involved AS (SELECT pid FROM waiting UNION SELECT unnest(blocked_by) FROM waiting)
SELECT {}, i.pid AS involved, w.blocked_by, %s AS waited_s,
  (SELECT string_agg(DISTINCT l.mode || ' on ' || coalesce(c.relname::text, l.locktype), ', ') FROM pg_locks l
   LEFT JOIN pg_class c ON c.oid = l.relation AND l.database = (SELECT oid
   FROM pg_database WHERE datname = current_database())
   WHERE l.pid = i.pid AND NOT l.granted) AS wants
FROM involved i LEFT JOIN waiting w USING (pid) LEFT JOIN pg_stat_activity a ON a.pid = i.pid""".format(
    _SESSION.replace("%", "%%")
)

_BLOCKING_FEEDS = ("blocked",)
BLOCKING_13 = Query("blocking", _BLOCKING_FEEDS, _BLOCKING % _age("a.query_start"), until=140000)
BLOCKING_14 = Query(
    "blocking",
    _BLOCKING_FEEDS,
    _BLOCKING % ("(SELECT {} FROM pg_locks l WHERE l.pid = i.pid AND NOT l.granted)".format(_age("min(l.waitstart)"))),
    since=140000,
)

PREPARED = Query(
    "prepared",
    ("prepared_transactions", "xmin_horizon"),
    """SELECT gid, owner::text AS role, database::text AS database, {} AS prepared_s, age(transaction) AS xmin_age
FROM pg_prepared_xacts ORDER BY prepared LIMIT 100""".format(_age("prepared")),
    PRIMARY,
)

HORIZON = Query(
    "horizon",
    ("xmin_horizon",),
    # A vacuum does not hold itself back; a walsender's xmin is that of its standby (hot_standby_feedback).
    f"""SELECT {_SESSION} FROM pg_stat_activity a
WHERE a.pid <> pg_backend_pid() AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
  AND a.backend_type <> 'autovacuum worker' ORDER BY greatest(age(a.backend_xmin), age(a.backend_xid)) DESC LIMIT 40""",
    PRIMARY,
)

STANDBYS = Query(
    "standbys",
    ("standby", "standby_reply", "replication_lag", "replication_lag_bytes"),
    """SELECT r.pid, r.application_name::text AS name, r.usename::text AS role, host(r.client_addr) AS client,
  r.state::text AS state, r.sync_state::text AS sync_state, s.slot_name::text AS slot, coalesce(s.slot_type,
    'physical')::text AS kind,
  pg_wal_lsn_diff(here.lsn, r.sent_lsn)::float8 AS unsent_bytes, pg_wal_lsn_diff(here.lsn,
    r.flush_lsn)::float8 AS unflushed_bytes,
  pg_wal_lsn_diff(here.lsn, r.replay_lsn)::float8 AS unreplayed_bytes,
  extract(epoch FROM r.write_lag)::float8 AS write_lag_s, extract(epoch FROM r.flush_lag)::float8 AS flush_lag_s,
  extract(epoch FROM r.replay_lag)::float8 AS replay_lag_s,
  {} AS reply_s, {} AS connected_s, age(r.backend_xmin) AS xmin_age
FROM pg_stat_replication r LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid,
  (SELECT {} AS lsn) here ORDER BY 2""".format(_age("r.reply_time"), _age("r.backend_start"), _HERE),
)

_SLOTS = """SELECT s.slot_name::text AS name, s.slot_type::text AS kind, s.plugin::text AS plugin,
  s.database::text AS database,
  s.temporary, s.active, s.wal_status::text AS wal_status, s.safe_wal_size::float8 AS safe_bytes,
  pg_wal_lsn_diff(here.lsn, s.restart_lsn)::float8 AS retained_bytes,
  greatest(age(s.xmin), age(s.catalog_xmin)) AS xmin_age, %s
FROM pg_replication_slots s, (SELECT %s AS lsn) here ORDER BY 1"""
_SLOT_FEEDS = ("slot", "slot_retention", "xmin_horizon")
SLOTS_13 = Query(
    "slots",
    _SLOT_FEEDS,
    _SLOTS
    % ("NULL::bool AS conflicting, NULL::text AS invalidated, NULL::float8 AS inactive_s, false AS synced", _HERE),
    until=160000,
)
SLOTS_16 = Query(
    "slots",
    _SLOT_FEEDS,
    _SLOTS % ("s.conflicting, NULL::text AS invalidated, NULL::float8 AS inactive_s, false AS synced", _HERE),
    since=160000,
    until=170000,
)
SLOTS_17 = Query(
    "slots",
    _SLOT_FEEDS,
    _SLOTS
    % (
        "s.conflicting, s.invalidation_reason::text AS invalidated, {} AS inactive_s, s.synced".format(
            _age("s.inactive_since")
        ),
        _HERE,
    ),
    since=170000,
)

_SUBSCRIPTIONS = """SELECT s.subname::text AS name, d.datname::text AS database, s.subenabled AS enabled, w.pid,
  %(worker)s AS worker_s, %(message)s AS message_s, %(extra)s
FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
LEFT JOIN pg_stat_subscription w ON %(join)s AND w.relid IS NULL %(leader)s
LEFT JOIN pg_stat_activity a ON a.pid = w.pid %(errors)s ORDER BY 1"""
_SUBSCRIPTION = {
    "worker": _age("a.backend_start"),
    "message": _age("w.last_msg_receipt_time"),
    # Before 14 a plain role may not read pg_subscription.oid.
    "extra": "NULL::bool AS disable_on_error, NULL::float8 AS apply_errors, NULL::float8 AS sync_errors",
    "join": "w.subname = s.subname",
    "leader": "",
    "errors": "",
}
_SUBSCRIPTION_14 = {**_SUBSCRIPTION, "join": "w.subid = s.oid"}
_SUBSCRIPTION_15 = {
    **_SUBSCRIPTION_14,
    "extra": "s.subdisableonerr AS disable_on_error, e.apply_error_count::float8 AS apply_errors,"
    " e.sync_error_count::float8 AS sync_errors",
    "errors": "LEFT JOIN pg_stat_subscription_stats e ON e.subid = s.oid",
}
_SUBSCRIPTION_16 = {**_SUBSCRIPTION_15, "leader": "AND w.leader_pid IS NULL"}
_SUBSCRIPTION_FEEDS = ("subscription",)
SUBSCRIPTIONS_13 = Query("subscriptions", _SUBSCRIPTION_FEEDS, _SUBSCRIPTIONS % _SUBSCRIPTION, PRIMARY, until=140000)
SUBSCRIPTIONS_14 = Query(
    "subscriptions", _SUBSCRIPTION_FEEDS, _SUBSCRIPTIONS % _SUBSCRIPTION_14, PRIMARY, 140000, 150000
)
SUBSCRIPTIONS_15 = Query(
    "subscriptions", _SUBSCRIPTION_FEEDS, _SUBSCRIPTIONS % _SUBSCRIPTION_15, PRIMARY, 150000, 160000
)
SUBSCRIPTIONS_16 = Query("subscriptions", _SUBSCRIPTION_FEEDS, _SUBSCRIPTIONS % _SUBSCRIPTION_16, PRIMARY, 160000)

_RECOVERY = """SELECT w.status::text AS status, w.sender_host::text AS sender, w.sender_port AS sender_port,
  w.slot_name::text AS slot,
  {} AS message_s, w.pid,
  (SELECT setting <> '' FROM pg_settings WHERE name = 'primary_conninfo') AS streams,
  (SELECT setting <> '' FROM pg_settings WHERE name = 'restore_command') AS restores,
  pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::float8 AS unreplayed_bytes,
  {} AS replayed_s, pg_is_wal_replay_paused() AS paused, %s AS pause_state
FROM (SELECT 1) one LEFT JOIN pg_stat_wal_receiver w ON true""".format(
    _age("w.last_msg_receipt_time"),
    _age("pg_last_xact_replay_timestamp()"),
)
_RECOVERY_FEEDS = ("receiver", "replay_paused", "replication_lag")
RECOVERY_13 = Query("recovery", _RECOVERY_FEEDS, _RECOVERY % "NULL::text", STANDBY, until=140000)
RECOVERY_14 = Query("recovery", _RECOVERY_FEEDS, _RECOVERY % "pg_get_wal_replay_pause_state()", STANDBY, since=140000)

REPLAY = Query(
    "replay",
    ("replication_lag",),
    # Asked last: WAL that came in the instant of the first question has been replayed by now, unless replay is stuck.
    """SELECT pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::float8 AS unreplayed_bytes,
  {} AS replayed_s""".format(_age("pg_last_xact_replay_timestamp()")),
    STANDBY,
    late=True,
)

_CONFLICTS = """SELECT c.datname::text AS database, c.confl_tablespace::float8 AS tablespace,
  c.confl_lock::float8 AS lock,
  c.confl_snapshot::float8 AS snapshot, c.confl_bufferpin::float8 AS bufferpin,
    c.confl_deadlock::float8 AS deadlock, %s AS logical_slot,
  %s AS statistics_s
FROM pg_stat_database_conflicts c JOIN pg_stat_database d USING (datid)"""
CONFLICTS_13 = Query(
    "conflicts", ("recovery_conflicts",), _CONFLICTS % ("0::float8", _age("d.stats_reset")), STANDBY, until=160000
)
CONFLICTS_16 = Query(
    "conflicts",
    ("recovery_conflicts",),
    _CONFLICTS % ("c.confl_active_logicalslot::float8", _age("d.stats_reset")),
    STANDBY,
    160000,
)

ARCHIVER = Query(
    "archiver",
    ("archiver",),
    """SELECT archived_count::float8 AS archived, last_archived_wal AS archived_wal, {} AS archived_s,
  failed_count::float8 AS failed, last_failed_wal AS failed_wal, {} AS failed_s FROM pg_stat_archiver""".format(
        _age("last_archived_time"), _age("last_failed_time")
    ),
    PRIMARY,
)

READY = Query(
    "ready",
    ("archive_backlog",),
    """SELECT count(*) AS ready, {} AS oldest_s FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'""".format(
        _age("min(modification)")
    ),
    PRIMARY,
    late=True,
)

WAL = Query(
    "wal",
    ("wal_size",),
    "SELECT count(*) AS segments, coalesce(sum(size), 0)::float8 AS bytes FROM pg_ls_waldir()",
    late=True,
)

CHECKPOINTS_13 = Query(
    "checkpoints",
    ("checkpoints",),
    """SELECT checkpoints_timed::float8 AS timed, checkpoints_req::float8 AS requested, {} AS statistics_s
  FROM pg_stat_bgwriter""".format(_age("stats_reset")),
    PRIMARY,
    until=170000,
)
CHECKPOINTS_17 = Query(
    "checkpoints",
    ("checkpoints",),
    """SELECT num_timed::float8 AS timed, num_requested::float8 AS requested, {} AS statistics_s
  FROM pg_stat_checkpointer""".format(_age("stats_reset")),
    PRIMARY,
    since=170000,
)

_HBA = """SELECT line_number AS line, error, %s AS file
  FROM pg_hba_file_rules WHERE error IS NOT NULL ORDER BY 1 LIMIT 20"""
# Wants more than pg_monitor: see the notes of the module.
HBA_13 = Query("hba", ("hba_errors",), _HBA % "NULL::text", until=160000, late=True)
HBA_16 = Query("hba", ("hba_errors",), _HBA % "file_name", since=160000, late=True)

SIZES = Query(
    "sizes",
    ("size", "growth"),
    "SELECT datname::text AS database, pg_database_size(oid)::float8 AS bytes FROM pg_database"
    " WHERE datallowconn ORDER BY 2 DESC",
    late=True,
)

COUNTS = Query(
    "counts",
    (
        "dead_tuples",
        "vacuum_lag",
        "stale_statistics",
        "invalid_index",
        "unused_index",
        "duplicate_index",
        "sequence",
        "bloat",
    ),
    # Temporary relations belong to a session, not to the schema.
    """SELECT count(*) FILTER (WHERE c.relkind IN ('r', 'm')) AS tables,
  count(*) FILTER (WHERE c.relkind = 'i') AS indexes,
  count(*) FILTER (WHERE c.relkind = 'S') AS sequences,
  count(*) FILTER (WHERE c.relkind = 'S' AND NOT has_sequence_privilege(c.oid, 'SELECT, USAGE')) AS hidden_sequences
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg\\_toast%'""",
    PRIMARY,
)

TABLES = Query(
    "tables",
    ("dead_tuples", "vacuum_lag", "stale_statistics", "autovacuum"),
    """SELECT s.schemaname::text AS schema, s.relname::text AS name, c.reltuples::float8 AS rows, c.relpages AS pages,
  s.n_live_tup::float8 AS live, s.n_dead_tup::float8 AS dead, s.n_mod_since_analyze::float8 AS modified,
  s.n_ins_since_vacuum::float8 AS inserted, c.reloptions AS options,
  {} AS vacuumed_s, {} AS analyzed_s,
  EXISTS (SELECT FROM pg_stat_progress_vacuum p WHERE p.relid = s.relid) AS vacuuming
FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
WHERE c.relpersistence <> 't' AND (s.n_dead_tup >= 10000 OR s.n_mod_since_analyze >= 10000
  OR s.n_ins_since_vacuum >= 10000
  OR c.reloptions && ARRAY['autovacuum_enabled=false', 'autovacuum_enabled=off', 'autovacuum_enabled=0',
    'autovacuum_enabled=no'])
ORDER BY greatest(s.n_dead_tup, s.n_mod_since_analyze, s.n_ins_since_vacuum) DESC LIMIT 300""".format(
        _age("greatest(s.last_vacuum, s.last_autovacuum)"), _age("greatest(s.last_analyze, s.last_autoanalyze)")
    ),
    PRIMARY,
)

BLOAT = Query(
    "bloat",
    ("bloat",),
    # Wants SELECT on five columns of pg_statistic, none of which holds values of the data: see the notes of the module.
    """WITH widths AS (SELECT starelid, count(*) AS columns, sum((1 - stanullfrac) * stawidth)::float8 AS width,
    bool_or(stanullfrac > 0) AS nulls FROM pg_statistic WHERE NOT stainherit GROUP BY starelid)
SELECT n.nspname::text AS schema, c.relname::text AS name, c.relpages AS pages, c.reltuples::float8 AS rows,
  c.reloptions AS options,
  w.columns AS known_columns, w.width, w.nulls,
  (SELECT count(*) FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped) AS columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN widths w ON w.starelid = c.oid
WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND c.relpages >= 1024 AND c.reltuples > 0
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY c.relpages DESC LIMIT 300""",
    PRIMARY,
)

INVALID = Query(
    "invalid",
    ("invalid_index",),
    """SELECT n.nspname::text AS schema, i.relname::text AS name, t.relname::text AS table_name,
  x.indisunique AS is_unique,
  x.indisready AS ready, i.relpages AS pages
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
  JOIN pg_namespace n ON n.oid = i.relnamespace
WHERE NOT x.indisvalid AND i.relkind = 'i' AND i.relpersistence <> 't'
  AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.relid = x.indrelid) ORDER BY 1, 2 LIMIT 100""",
    PRIMARY,
)

_UNUSED = """SELECT s.schemaname::text AS schema, s.indexrelname::text AS name, s.relname::text AS table_name,
  c.relpages AS pages,
  s.idx_scan::float8 AS scans, %s AS last_used_s
FROM pg_stat_user_indexes s JOIN pg_index x ON x.indexrelid = s.indexrelid JOIN pg_class c ON c.oid = s.indexrelid
WHERE %s AND c.relpages >= 128 AND c.relpersistence <> 't' AND x.indisvalid
  -- These work even when nobody reads them: constraints, replica identity, clustering, statistics on expressions.
  AND NOT x.indisunique AND NOT x.indisexclusion AND NOT x.indisreplident AND NOT x.indisclustered
    AND x.indexprs IS NULL
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = s.indexrelid)
  -- An index that enforces nothing, but serves a foreign key's checks and cascades, is worth keeping.
  AND NOT EXISTS (SELECT FROM pg_constraint f WHERE f.contype = 'f' AND f.conrelid = s.relid
    AND f.conkey[1] = x.indkey[0])
ORDER BY c.relpages DESC LIMIT 100"""
UNUSED_13 = Query("unused", ("unused_index",), _UNUSED % ("NULL::float8", "s.idx_scan = 0"), PRIMARY, until=160000)
UNUSED_16 = Query(
    "unused",
    ("unused_index",),
    _UNUSED % (_age("s.last_idx_scan"), "(s.idx_scan = 0 OR s.last_idx_scan < clock_timestamp() - interval '1 day')"),
    PRIMARY,
    since=160000,
)

DUPLICATES = Query(
    "duplicates",
    ("duplicate_index",),
    """SELECT n.nspname::text AS schema, t.relname::text AS table_name,
  array_agg(i.relname::text ORDER BY x.indisprimary DESC, k.oid IS NOT NULL DESC, x.indisunique DESC, i.oid) AS names,
  array_agg((k.oid IS NOT NULL) ORDER BY x.indisprimary DESC, k.oid IS NOT NULL DESC, x.indisunique DESC,
    i.oid) AS constraints,
  array_agg(i.relpages ORDER BY x.indisprimary DESC, k.oid IS NOT NULL DESC, x.indisunique DESC, i.oid) AS pages
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
  JOIN pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN pg_constraint k ON k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x')
WHERE x.indisvalid AND i.relkind = 'i' AND t.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'pg_toast')
GROUP BY n.nspname, t.relname, x.indrelid, i.relam, x.indnkeyatts, x.indkey::text, x.indclass::text,
  x.indcollation::text, x.indoption::text,
  coalesce(pg_get_expr(x.indexprs, x.indrelid), ''), coalesce(pg_get_expr(x.indpred, x.indrelid), '')
HAVING count(*) > 1 ORDER BY 1, 2 LIMIT 100""",
    PRIMARY,
)

SEQUENCES = Query(
    "sequences",
    ("sequence",),
    # pg_monitor alone sees no sequence's value: SELECT on the sequences opens this check.
    """SELECT n.nspname::text AS schema, c.relname::text AS name, q.seqtypid::regtype::text AS type,
  q.seqstart::float8 AS start,
  q.seqmin::float8 AS lowest, q.seqmax::float8 AS highest, q.seqincrement::float8 AS step, o.table_name,
    o.column_name, o.column_type,
  pg_sequence_last_value(c.oid)::float8 AS last
FROM pg_sequence q JOIN pg_class c ON c.oid = q.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (SELECT t.relname::text AS table_name, a.attname::text AS column_name,
  a.atttypid::regtype::text AS column_type
  FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.objid = c.oid
    AND d.deptype IN ('a', 'i') LIMIT 1) o ON true
WHERE NOT q.seqcycle AND c.relpersistence <> 't' AND has_sequence_privilege(c.oid, 'SELECT, USAGE') LIMIT 2000""",
    PRIMARY,
)

ON_SERVER: tuple[Query, ...] = (
    SETTINGS, CONNECTIONS, CLIENTS, ROLES, SESSIONS, BLOCKING_13, BLOCKING_14, PREPARED, HORIZON, STANDBYS,
    SLOTS_13, SLOTS_16, SLOTS_17,
    SUBSCRIPTIONS_13, SUBSCRIPTIONS_14, SUBSCRIPTIONS_15, SUBSCRIPTIONS_16, RECOVERY_13, RECOVERY_14, CONFLICTS_13,
    CONFLICTS_16, DATABASES,
    SHARED, ARCHIVER, READY, WAL, CHECKPOINTS_13, CHECKPOINTS_17, HBA_13, HBA_16, SIZES, REPLAY,
)  # fmt: skip
"""Asked once a server, in this order: who blocks whom first, what reads directories last."""

IN_DATABASE: tuple[Query, ...] = (COUNTS, TABLES, INVALID, UNUSED_13, UNUSED_16, DUPLICATES, SEQUENCES, BLOAT)
"""Asked once a database: these catalogues are the database's own."""


def select(queries: tuple[Query, ...], version: int, in_recovery: bool) -> list[Query]:
    """The statements for a server of this version and role."""
    return [query for query in queries if query.fits(version, in_recovery)]

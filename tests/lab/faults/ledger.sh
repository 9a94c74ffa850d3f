# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# What the faults of the server that pgBackRest backs up have in common.
run=/run/nexuscos-lab/$PREFIX
repository=$LAB/data/ledger-repository/archive/ledger
kept=$LAB/faults/backups/ledger-wal

unset PGSSLMODE PGSSLROOTCERT PGPASSWORD

# sql …: psql as the superuser
sql() { psql -X -q -At -h "$run/run/ledger" -U postgres -d postgres -v ON_ERROR_STOP=1 "$@"; }

# until_true QUERY: wait until the server says so
until_true() {
  local _
  for _ in $(seq 600); do
    if [ "$(sql -c "$1")" = t ]; then return 0; fi
    sleep 0.2
  done
  echo "never: $1" >&2
  return 1
}

# written_wal: write something, and let the server begin the next file of WAL; the name of the one that is full now
written_wal() {
  sql -c "SELECT pg_logical_emit_message(true, 'fault', 'written')" > /dev/null
  sql -c "SELECT pg_walfile_name(pg_switch_wal())"
}

# archived_wal: the same, and it is archived
archived_wal() {
  local last
  last=$(written_wal)
  until_true "SELECT last_archived_wal >= '$last' AND (last_failed_time IS NULL OR last_archived_time > last_failed_time) FROM pg_stat_archiver"
  echo "$last"
}

# archives: let it archive as it should, and see that it does
archives() {
  sql -c "ALTER SYSTEM RESET archive_command" -c "SELECT pg_reload_conf()" > /dev/null
  archived_wal > /dev/null
}

# wal_back: what was taken out of the archive
wal_back() {
  local path name
  for path in "$kept"/*; do
    [ -e "$path" ] || continue
    name=$(basename "$path")
    mv "$path" "$(find "$repository" -type d -name "${name:0:16}" | head -n 1)/$name"
  done
}

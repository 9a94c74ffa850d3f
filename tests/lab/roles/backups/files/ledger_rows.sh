#!/usr/bin/env bash
# usage: ledger_rows.sh RUN USER: the database with its rows, and the stanza that it is archived into
set -euo pipefail
run=$1 user=$2
as() { setpriv --reuid="$user" --regid="$user" --init-groups --reset-env -- "$@"; }
sql() { psql -X -q -At -h "$run/run/ledger" -U postgres -v ON_ERROR_STOP=1 "$@"; }
unset PGSSLMODE PGSSLROOTCERT
as pgbackrest --config="$run/etc/ledger/pgbackrest.conf" --stanza=ledger --log-level-console=off stanza-create
if [ -z "$(sql -d postgres -c "SELECT 1 FROM pg_database WHERE datname = 'ledger'")" ]; then
  sql -d postgres -c 'CREATE DATABASE ledger'
fi
sql -d ledger > /dev/null << 'SQL'
SET client_min_messages = warning;
CREATE TABLE IF NOT EXISTS entries (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, amount numeric NOT NULL, told text);
INSERT INTO entries (amount, told) SELECT n % 977, 'entry ' || n FROM generate_series(1, 5000) AS n
  WHERE NOT EXISTS (SELECT FROM entries);
SQL

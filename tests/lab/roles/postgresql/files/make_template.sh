#!/usr/bin/env bash
# usage: make_template.sh BIN FILES TARGET.tar USER
# A data directory with the platform's database, as a tar file. Made in a temporary folder that USER may write.
set -euo pipefail
bin=$1 files=$2 target=$3 user=$4
work=$(mktemp -d /tmp/nexuscos-lab-template.XXXXXX)
as() { setpriv --reuid="$user" --regid="$user" --init-groups --reset-env -- "$@"; }
finish() {
  if [ -f "$work/data/postmaster.pid" ]; then as "$bin/pg_ctl" -D "$work/data" -m immediate stop > /dev/null || true; fi
  rm -rf "$work"
}
trap finish EXIT
cp "$files"/*.sql "$work/"
chown -R "$user:$user" "$work"
cd "$work"
as "$bin/initdb" -D "$work/data" --username=postgres --auth=trust --data-checksums --encoding=UTF8 --locale=C.UTF-8 > /dev/null
as "$bin/pg_ctl" -D "$work/data" -w -t 60 -l "$work/log" start -o "-c listen_addresses='' -c unix_socket_directories=$work \
  -c fsync=off -c shared_buffers=256MB -c shared_preload_libraries=pg_stat_statements -c max_wal_size=128MB -c min_wal_size=32MB -c autovacuum=off -c wal_level=replica" > /dev/null
sql() { as "$bin/psql" -X -q -h "$work" -U postgres "$@" > /dev/null; }
sql -f roles.sql
sql -c 'CREATE DATABASE nexusdb OWNER nexus_owner'
sql -d nexusdb -f schema.sql
sql -d nexusdb -c 'SELECT pg_stat_reset()'
for database in postgres template1 nexusdb; do sql -d "$database" -c 'VACUUM (ANALYZE, FREEZE)'; done
sql -d nexusdb -f workload.sql
sql -c CHECKPOINT
as "$bin/pg_ctl" -D "$work/data" -w -m fast stop > /dev/null
mkdir -p "$(dirname "$target")"
tar -C "$work/data" -cf "$target.tmp" .
mv "$target.tmp" "$target"

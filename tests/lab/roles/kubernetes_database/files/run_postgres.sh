#!/bin/sh
# The first process of the container: a cluster of databases where there is none yet, whole or not at all, and then the server.
# From outside: PGDATA, POSTGRES_PASSWORD, what /init/*.sql ask for by \getenv, and options of the server.
set -eu
umask 077
# What a server that was killed has left. Nobody else has this folder.
rm -rf "$PGDATA.new" "$PGDATA/postmaster.pid"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf '%s\n' "$POSTGRES_PASSWORD" > /tmp/password
  initdb -D "$PGDATA.new" -U postgres --auth=scram-sha-256 --pwfile=/tmp/password -E UTF8 --locale=C.UTF-8 --no-sync > /tmp/init.log 2>&1 ||
    { cat /tmp/init.log && exit 1; }
  rm /tmp/password
  echo 'host all all all scram-sha-256' >> "$PGDATA.new/pg_hba.conf"
  # Until all is in it, nobody finds the server.
  pg_ctl -D "$PGDATA.new" -s -w -l /tmp/init.log -o "-c listen_addresses='' -c unix_socket_directories=/tmp -c fsync=off" start ||
    { cat /tmp/init.log && exit 1; }
  for file in /init/*.sql; do
    PGPASSWORD=$POSTGRES_PASSWORD psql -X -q -v ON_ERROR_STOP=1 -h /tmp -U postgres -d postgres -f "$file"
  done
  pg_ctl -D "$PGDATA.new" -s -w -m fast stop
  mv "$PGDATA.new" "$PGDATA"
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql "$@"

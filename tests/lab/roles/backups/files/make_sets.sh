#!/usr/bin/env bash
# One set of each system into PLACE/<date>T<time>Z/<system>/, with its checksum, where the newest is older than three hours.
#
# usage: make_sets.sh PLACE RUN REDIS      (RUN: the lab's short folder with the servers' sockets)
set -euo pipefail
place=$1 run=$2 redis=$3
unset PGSSLMODE PGSSLROOTCERT
mkdir -p "$place"
chmod 0750 "$place"
rm -rf "$place"/.writing-*
newest=$(find "$place" -mindepth 1 -maxdepth 1 -type d -name '20*Z' -mmin -180 | head -n 1)
if [ -n "$newest" ]; then exit 0; fi
pg=$run/data/db4-binaries/pgserver/pginstall/bin
ready() {
  psql -X -q -At -h "$run/run/db1" -U postgres -c "SELECT 1 FROM pg_stat_replication" nexusdb 2> /dev/null | grep -q 1 &&
    "$pg/psql" -X -q -At -h "$run/run/db4" -U postgres -c "SELECT 1" analytics > /dev/null 2>&1 &&
    [ "$(redis-cli -h "$redis" --no-auth-warning EXISTS lab:seeded 2> /dev/null || true)" != "" ]
}
for _ in $(seq 600); do # until the servers are there; they come up beside this
  if ready; then break; fi
  sleep 0.5
done
stamp=$(date -u +%Y-%m-%dT%H%M%SZ)
writing=$place/.writing-$stamp
mkdir -p "$writing/nexusdb" "$writing/analytics" "$writing/redis"
pg_dump -h "$run/run/db1" -U postgres -Fc -f "$writing/nexusdb/nexusdb.dump" nexusdb
# The second server is of a later version, and comes with a pg_dump of its own.
"$pg/pg_dump" -h "$run/run/db4" -U postgres -Fc -f "$writing/analytics/analytics.dump" analytics
redis-cli -h "$redis" --no-auth-warning --rdb "$writing/redis/dump.rdb" > /dev/null
for folder in "$writing"/*/; do
  (cd "$folder" && sha256sum -- * > .sums && mv .sums SHA256SUMS)
done
mv "$writing" "$place/$stamp"
ln -sfn "$stamp" "$place/latest"
# Eight sets are enough for a lab.
find "$place" -mindepth 1 -maxdepth 1 -type d -name '20*Z' | sort | head -n -8 | xargs -r rm -r
echo "$stamp"

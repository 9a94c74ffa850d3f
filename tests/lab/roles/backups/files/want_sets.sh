#!/usr/bin/env bash
# Print "now" where a set of any system is missing, or older than three hours, and the servers are there to make one of.
#
# usage: want_sets.sh PLACE RUN REDIS SYSTEM …      (RUN: the lab's short folder with the servers' sockets)
set -euo pipefail
place=$1 run=$2 redis=$3
shift 3
unset PGSSLMODE PGSSLROOTCERT
mkdir -p "$place"
chmod 0750 "$place"
# Sets of a lab that was made before sets had manifests are none.
for folder in "$place"/20*Z/*/; do
  if [ -d "$folder" ] && [ ! -e "$folder/manifest.json" ]; then rm -r "$folder"; fi
done
find "$place" -mindepth 1 -maxdepth 1 -type d -name '20*Z' -empty -delete
wanted=
for system in "$@"; do
  if [ -z "$(find "$place" -mindepth 2 -maxdepth 2 -path "*/20*Z/$system" -mmin -180 | head -n 1)" ]; then wanted=now; fi
done
if [ -z "$wanted" ]; then exit 0; fi
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
echo "$wanted"

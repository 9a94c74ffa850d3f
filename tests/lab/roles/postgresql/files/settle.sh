#!/usr/bin/env bash
# usage: settle.sh BIN RUN WORKLOAD PRIMARY STANDBY…
# Waits until every standby streams through its slot, then lets each server answer the platform's questions once.
set -euo pipefail
bin=$1 run=$2 workload=$3 primary=$4
shift 4
ask() { "$bin/psql" -X -q -At -h "$run/run/$1" -U postgres -d nexusdb "${@:2}"; }
for name; do
  for _ in $(seq 150); do
    state=$(ask "$primary" -c "SELECT r.state FROM pg_stat_replication r JOIN pg_replication_slots s ON s.active_pid = r.pid WHERE s.slot_name = '$name'")
    if [ "$state" = streaming ]; then break; fi
    sleep 0.2
  done
  if [ "$state" != streaming ]; then
    echo "$name does not stream from $primary (state: ${state:-not connected}); see its log in .lab/log/$name" >&2
    exit 1
  fi
done
for name in "$primary" "$@"; do ask "$name" -f "$workload" > /dev/null; done

#!/usr/bin/env bash
# usage: seed.sh CLUSTER:PORT HOST [HOST…], password in REDISCLI_AUTH
# The cluster of one gets all slots when it has none.
# Sessions (a day) and cache keys (an hour), when the primary among the hosts has none. Prints what it made.
set -euo pipefail
cluster=(redis-cli -h "${1%:*}" -p "${1##*:}")
shift
if [[ $("${cluster[@]}" cluster info) == *cluster_slots_assigned:0* ]]; then
  "${cluster[@]}" cluster addslotsrange 0 16383 > /dev/null
  echo slots
fi
for host; do
  if [[ $(redis-cli -h "$host" role) == master* ]]; then break; fi
done
if [ "$(redis-cli -h "$host" --raw exists session:00001)" = 0 ]; then
  {
    for n in $(seq 1 4000); do
      printf 'SET session:%05d \x27{"user":%d,"service":"session-mgr"}\x27 EX %d\r\n' "$n" "$n" $((86400 + n % 3600))
    done
    for n in $(seq 1 2000); do printf 'SET cache:catalog:%05d \x27{"sku":"SKU-%06d"}\x27 EX %d\r\n' "$n" "$n" $((43200 + n % 600)); done
    for n in $(seq 1 500); do printf 'HSET stream:viewers:%04d total %d\r\n' "$n" $((n * 7)); done
  } | redis-cli -h "$host" --pipe > /dev/null
  echo seeded
fi
for _ in $(seq 100); do
  if [[ $(redis-cli -h "$host" info replication) == *state=online* ]]; then exit 0; fi
  sleep 0.2
done
echo "no replica of $host is online after 20 s" >&2
exit 1

#!/usr/bin/env bash
# usage: clone_standbys.sh BIN USER PRIMARY RUN PREFIX NAME…
# Copies the primary for each standby that has no data folder, or one that is no standby any more. Prints what it copied.
set -euo pipefail
bin=$1 user=$2 primary=$3 run=$4 prefix=$5
shift 5
clone() {
  local name=$1 data=$run/data/$1
  rm -rf "$data.new" "$data"
  install -d -m 0700 -o "$user" -g "$user" "$data.new"
  HOME=$data.new PGPASSFILE=$run/etc/$name/pgpass PGSSLMODE=verify-full PGSSLROOTCERT=$run/pki/ca.crt \
    nsenter --net="/run/netns/$prefix-$name" -- setpriv --reuid="$user" --regid="$user" --init-groups -- \
    "$bin/pg_basebackup" -h "$primary" -U replicator -w -D "$data.new" -X stream -c fast
  rm -f "$data.new/postgresql.auto.conf"
  install -m 0600 -o "$user" -g "$user" /dev/null "$data.new/standby.signal"
  mv -T "$data.new" "$data"
  echo "$name"
}
jobs=()
for name; do
  if [ -f "$run/data/$name/PG_VERSION" ] && [ -f "$run/data/$name/standby.signal" ]; then continue; fi
  clone "$name" &
  jobs+=($!)
done
for job in ${jobs+"${jobs[@]}"}; do wait "$job"; done

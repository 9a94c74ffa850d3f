#!/usr/bin/env bash
# usage: ledger_data.sh DATA USER: an empty data folder, made whole or not at all
set -euo pipefail
data=$1 user=$2
rm -rf "$data" "$data.new"
install -d -m 0700 -o "$user" -g "$user" "$data.new"
cd "$data.new"
setpriv --reuid="$user" --regid="$user" --init-groups --reset-env -- /usr/lib/postgresql/15/bin/initdb -D "$data.new" \
  --username=postgres --auth=trust --data-checksums --encoding=UTF8 --locale=C.UTF-8 > /dev/null
mv -T "$data.new" "$data"

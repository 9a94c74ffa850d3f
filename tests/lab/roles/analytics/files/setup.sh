#!/usr/bin/env bash
# usage: setup.sh WHEEL HOME DATA USER: binaries and an empty data folder, each made whole or not at all
set -euo pipefail
wheel=$1 home=$2 data=$3 user=$4
bin=$home/pgserver/pginstall/bin
if [ ! -x "$bin/postgres" ]; then
  rm -rf "$home" "$home.new"
  cp -a "$wheel" "$home.new"
  chmod -R a+rX "$home.new"
  mv -T "$home.new" "$home"
  echo binaries
fi
if [ ! -f "$data/PG_VERSION" ]; then
  rm -rf "$data" "$data.new"
  install -d -m 0700 -o "$user" -g "$user" "$data.new"
  cd "$data.new"
  setpriv --reuid="$user" --regid="$user" --init-groups --reset-env -- "$bin/initdb" -D "$data.new" --username=postgres \
    --auth=trust --data-checksums --encoding=UTF8 --locale=C.UTF-8 > /dev/null
  mv -T "$data.new" "$data"
  echo data
fi

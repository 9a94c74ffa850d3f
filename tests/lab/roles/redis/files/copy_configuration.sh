#!/usr/bin/env bash
# usage: copy_configuration.sh LAB USER NAME FILE [NAME FILE…]
# Redis and Sentinel rewrite their own configuration: each runs on a copy, made again when the lab's file is another one.
set -euo pipefail
lab=$1 user=$2
shift 2
while [ $# -gt 0 ]; do
  source=$lab/etc/$1/$2 target=$lab/data/$1/$2
  if ! cmp -s "$source" "$target.from"; then
    install -m 0600 -o "$user" -g "$user" "$source" "$target"
    cp "$source" "$target.from"
    chmod 0600 "$target.from"
    echo "$1"
  fi
  shift 2
done

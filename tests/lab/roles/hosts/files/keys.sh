#!/usr/bin/env bash
# usage: keys.sh FOLDER HOST…: the key that logs in, a host key for each host, known_hosts; those that are there stay
set -euo pipefail
folder=$1
shift
mkdir -p "$folder"
chmod 0700 "$folder"
if [ ! -s "$folder/id_ed25519" ]; then ssh-keygen -q -t ed25519 -N '' -C nexuscos-lab -f "$folder/id_ed25519"; fi
: > "$folder/known_hosts.new"
for host; do
  mkdir -p "$folder/$host"
  if [ ! -s "$folder/$host/ssh_host_ed25519_key" ]; then ssh-keygen -q -t ed25519 -N '' -C "$host" -f "$folder/$host/ssh_host_ed25519_key"; fi
  cp "$folder/id_ed25519.pub" "$folder/$host/authorized_keys"
  chmod 0755 "$folder/$host"
  chmod 0644 "$folder/$host/authorized_keys"
  printf '%s %s\n' "$host" "$(cut -d' ' -f1,2 "$folder/$host/ssh_host_ed25519_key.pub")" >> "$folder/known_hosts.new"
done
mv "$folder/known_hosts.new" "$folder/known_hosts"

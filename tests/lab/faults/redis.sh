# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# What the steps of redis-*.yml have in common. They are run with LAB (folder of the lab) and PREFIX (of its namespaces).
unset REDIS_URL

# secret NAME: a password of the lab
secret() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$LAB/secrets.json" "$1"
}

REDISCLI_AUTH=$(secret redis)
export REDISCLI_AUTH

# address MACHINE
address() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["machines"][sys.argv[2]]["address"])' "$LAB/lab.json" "$1"
}

# place SERVER: its address and port, as redis-cli wants them
place() {
  case $1 in
    redis3) echo "-h $(address redis2) -p 6380" ;;
    sentinel-*) echo "-h $(address "${1#sentinel-}") -p 26379" ;;
    *) echo "-h $(address "$1") -p 6379" ;;
  esac
}

# cli SERVER COMMAND…: as the default user, who may do everything; an error of the server is one here
cli() {
  # shellcheck disable=SC2046
  redis-cli -e --raw $(place "$1") "${@:2}"
}

# client SERVER COMMAND…: a misbehaving client (redis_client.py)
client() {
  # shellcheck disable=SC2046
  set -- "${@:2}" $(place "$1" | sed 's/-[hp] //g')
  .venv/bin/python tests/lab/faults/redis_client.py "$@"
}

# leave NAME SERVER COMMAND…: such a client in the background, in a session of its own
leave() {
  end "$1"
  # emptied first: "ready" must not be that of an earlier one
  : > "$LAB/log/$1.log"
  # shellcheck disable=SC2046
  setsid .venv/bin/python tests/lab/faults/redis_client.py "${@:3}" $(place "$2" | sed 's/-[hp] //g') > "$LAB/log/$1.log" 2>&1 &
  echo $! > "$LAB/run/$1.pid"
  for _ in $(seq 100); do
    if grep -q '^ready' "$LAB/log/$1.log"; then return; fi
    sleep 0.1
  done
  echo "$1 did not get ready: $(cat "$LAB/log/$1.log")" >&2
  return 1
}

# end NAME: what leave began; fine when there is nothing
end() {
  local file=$LAB/run/$1.pid pid
  if [ ! -f "$file" ]; then return 0; fi
  pid=$(cat "$file")
  # the number may belong to somebody else by now: what we started leads a session of its own
  if [ "$(sed 's/.*) //' "/proc/$pid/stat" 2> /dev/null | cut -d ' ' -f 4)" = "$pid" ]; then kill -- "-$pid" 2> /dev/null || true; fi
  rm -f "$file"
}

# signal STOP|CONT NAME…: to daemons of the lab
signal() {
  local name
  for name in "${@:2}"; do
    kill "-$1" "$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["pid"])' "$LAB/run/$name.json")"
  done
}

# until_says SECONDS WORD SERVER COMMAND…: wait until the answer has a word in it
until_says() {
  for _ in $(seq $(($1 * 5))); do
    if [[ $(cli "${@:3}" 2> /dev/null) == *"$2"* ]]; then return; fi
    sleep 0.2
  done
  echo "$3 does not say $2 to ${*:4} within $1 s: $(cli "${@:3}" 2>&1 | tr '\n' ' ')" >&2
  return 1
}

# data SERVER: the folder with its files
data() {
  echo "/run/nexuscos-lab/$PREFIX/data/$1"
}

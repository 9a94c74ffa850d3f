# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# What the steps of postgres-*.yml have in common. They are run with LAB (folder of the lab) and PREFIX (of its namespaces).
run=/run/nexuscos-lab/$PREFIX
# shellcheck disable=SC2034
home=$run/data/db4-binaries/pgserver/pginstall/bin
unset PGSSLMODE PGSSLROOTCERT PGPASSWORD

# sql SERVER DATABASE [psql's arguments]: as the superuser, by the server's socket
sql() {
  psql -X -q -At -v ON_ERROR_STOP=1 -h "$run/run/$1" -U postgres -d "$2" "${@:3}"
}

# address SERVER
address() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["machines"][sys.argv[2]]["address"])' "$LAB/lab.json" "$1"
}

# secret ROLE: a password of the lab's PostgreSQL
secret() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["postgres"][sys.argv[2]])' "$LAB/secrets.json" "$1"
}

# hold SERVER DATABASE NAME [psql's arguments]: a session that does these things and stays
hold() {
  release "$1" "$3"
  PGAPPNAME=$3 setsid psql -X -q -h "$run/run/$1" -U postgres -d "$2" "${@:4}" -c '\! exec sleep 3600' > "$LAB/log/$3.log" 2>&1 &
  echo $! > "$LAB/run/$3.pid"
  for _ in $(seq 100); do
    if [ "$(sql "$1" postgres -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = '$3' AND backend_type = 'client backend'")" != 0 ]; then return; fi
    sleep 0.05
  done
  echo "$3 did not connect to $1: $(cat "$LAB/log/$3.log")" >&2
  return 1
}

# release SERVER NAME: end what hold or leave made; fine when there is nothing
release() {
  end "$2"
  sql "$1" postgres -c "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = '$2' AND pid <> pg_backend_pid()" > /dev/null
}

# leave NAME COMMAND…: run a command in the background, in a session of its own
leave() {
  end "$1"
  setsid "${@:2}" > "$LAB/log/$1.log" 2>&1 &
  echo $! > "$LAB/run/$1.pid"
}

# end NAME: the processes of hold or leave
end() {
  local file=$LAB/run/$1.pid pid
  if [ ! -f "$file" ]; then return 0; fi
  pid=$(cat "$file")
  # the number may belong to somebody else by now: what we started leads a session of its own
  if [ "$(session_of "$pid")" = "$pid" ]; then kill -- "-$pid" 2> /dev/null || true; fi
  rm -f "$file"
}

# session_of PID: the leader of its session; nothing when it is gone
session_of() {
  sed 's/.*) //' "/proc/$1/stat" 2> /dev/null | cut -d ' ' -f 4
}

# write_wal SERVER MIB: that much WAL which changes nothing
write_wal() {
  sql "$1" postgres -c "SELECT count(pg_logical_emit_message(false, 'fault', repeat('x', 1048576))) FROM generate_series(1, $2)" > /dev/null
}

# reload SERVER
reload() {
  sql "$1" postgres -c "SELECT pg_reload_conf()" > /dev/null
}

# daemon stop|start SERVER: as the lab does it, so that the lab knows its process again
daemon() {
  python3 tests/lab/faults/daemon.py "$LAB" "$PREFIX" "$@"
}

# pid_of SERVER KIND: a process of a server by its kind in pg_stat_activity, such as walreceiver
pid_of() {
  sql "$1" postgres -c "SELECT pid FROM pg_stat_activity WHERE backend_type = '$2' LIMIT 1"
}

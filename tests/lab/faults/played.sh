# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Faults of the systems that the lab plays (mongo-rs, grafana, elasticsearch, kibana). They are run with LAB and PREFIX.

# play SYSTEM FAULT: what the system answers from now on, as JSON on standard input; see `documents` of the player
play() {
  mkdir -p "$LAB/data/$1"
  cat > "$LAB/data/$1/.$2.new"
  mv "$LAB/data/$1/.$2.new" "$LAB/data/$1/$2.json"
}

# unplay SYSTEM FAULT
unplay() {
  rm -f "$LAB/data/$1/$2.json" "$LAB/data/$1/.$2.new"
}

# address MACHINE
address() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["machines"][sys.argv[2]]["address"])' "$LAB/lab.json" "$1"
}

# player stop|start NAME MACHINE PORT: as the lab does it, so that the lab knows its process again
player() {
  python3 tests/lab/faults/played.py "$LAB" "$PREFIX" "$1" "$2" "$(address "$3"):$4"
}

# pid_of DAEMON: as the lab has recorded it
pid_of() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["pid"])' "$LAB/run/$1.json"
}

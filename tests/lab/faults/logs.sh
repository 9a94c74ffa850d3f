# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# What the steps of logs-*.yml have in common: something on a host that writes a log, on and on, until it is healed.

# at HOST COMMAND…: on a host, as root; the words must not need quotes
at() { ssh -F "$LAB/ssh_config" "$1" sudo "${@:2}"; }

# log_writer HOST WHAT: begin to write as log_writer.py knows it, to /var/log/nexus-cos/fault-WHAT.log
log_writer() {
  log_writer_end "$1" "$2"
  at "$1" tee "/run/fault-$2.py" < tests/lab/faults/log_writer.py > /dev/null
  at "$1" systemd-run --quiet --collect "--unit=nexus-lab-fault-$2" /usr/bin/python3 "/run/fault-$2.py" "$2"
}

# log_writer_end HOST WHAT: end it, and take its files away
log_writer_end() {
  at "$1" systemctl stop "nexus-lab-fault-$2.service" 2> /dev/null || true
  at "$1" rm -f "/run/fault-$2.py" "/run/fault-$2.go" "/var/log/nexus-cos/fault-$2.log" "/var/log/nexus-cos/fault-$2.log.1.gz"
}

# log_earlier HOST: a look of now at a host's logs, dated back to yesterday: the role compares with it (nexuscos_previous_dir)
log_earlier() {
  mkdir -p "$LAB/previous/$1"
  .venv/bin/python tests/lab/faults/earlier.py "$1" "$LAB/previous/$1/log_health.json.gz" 24 > /dev/null
}

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# What the steps of alerts-*.yml and metrics-*.yml have in common. They are run with LAB (folder of the lab) and PREFIX (of its
# namespaces). monitoring.py says what there is to do.
# shellcheck source=tests/lab/faults/postgres.sh
. tests/lab/faults/postgres.sh

# mon WHAT …
mon() {
  python3 tests/lab/faults/monitoring.py "$LAB" "$PREFIX" "$@"
}

# exporter NAME KIND PORT: an exporter of ill metrics in the background
exporter() {
  leave "$1" python3 tests/lab/faults/monitoring.py "$LAB" "$PREFIX" serve "$2" "$3"
}

# borrow FILE: keep a configuration as it is, to bring it back
borrow() {
  if [ ! -f "$1.kept" ]; then cp -p "$1" "$1.kept"; fi
}

# give_back FILE
give_back() {
  if [ -f "$1.kept" ]; then mv "$1.kept" "$1"; fi
}

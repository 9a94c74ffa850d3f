# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# What the steps of backup-*.yml have in common. Each system has its own folder in a set, so faults of different systems do
# not touch one another; what a fault puts aside lies in $LAB/faults/backups.
place=$LAB/data/backups
aside=$LAB/faults/backups

# newest SYSTEM: the folder of the newest healthy set of a system
newest() { find "$place" -mindepth 2 -maxdepth 2 -path "*/20*Z/$1" | sort | tail -n 1; }

# keep SYSTEM: put all its sets aside, and a copy of them back to play with
keep() {
  restore "$1"
  local folder
  mkdir -p "$aside"
  for folder in "$place"/20*Z/"$1"; do
    mkdir -p "$aside/$1/$(basename "$(dirname "$folder")")"
    cp -a "$folder/." "$aside/$1/$(basename "$(dirname "$folder")")/"
  done
}

# restore SYSTEM: its sets as they were before
restore() {
  local folder stamp
  [ -d "$aside/$1" ] || return 0
  rm -rf "$place"/20*Z/"$1"
  for folder in "$aside/$1"/*; do
    stamp=$(basename "$folder")
    mkdir -p "$place/$stamp"
    cp -a "$folder" "$place/$stamp/$1"
  done
  rm -rf "${aside:?}/$1"
  find "$place" -mindepth 1 -maxdepth 1 -type d -name '20*Z' -empty -delete
  lead "$1"
}

# lead SYSTEM …: let the link of a system lead to its newest set, as a backup does
lead() {
  local system set
  if [ -L "$place/latest" ] || [ ! -d "$place/latest" ]; then return 0; fi
  for system in "$@"; do
    set=$(newest "$system")
    rm -f "$place/latest/$system"
    if [ -n "$set" ]; then ln -s "../$(basename "$(dirname "$set")")/$system" "$place/latest/$system"; fi
  done
}

# sums FOLDER: let its manifest say what is there, and in which folder, as a backup does that was broken from the beginning
sums() { set_manifest "$1" --as-it-is; }

# set_manifest FOLDER …: let the manifest of a set tell something else
set_manifest() { .venv/bin/python tests/lab/faults/set_manifest.py "$@"; }

# on HOST COMMAND: as root on a host of the lab
on() { ssh -F "$LAB/ssh_config" "$1" sudo bash -euo pipefail -c "$(printf %q "$2")"; }

# latest_folder: latest as a folder of links, whatever it is; latest_back: as it was
latest_folder() {
  latest_back
  mkdir -p "$aside"
  cp -a "$place/latest" "$aside/latest"
  rm -rf "$place/latest"
  mkdir "$place/latest"
  if [ ! -L "$aside/latest" ]; then cp -a "$aside/latest/." "$place/latest/"; fi
}
latest_back() {
  [ -e "$aside/latest" ] || [ -L "$aside/latest" ] || return 0
  rm -rf "$place/latest"
  mv "$aside/latest" "$place/latest"
  lead nexusdb analytics redis
}

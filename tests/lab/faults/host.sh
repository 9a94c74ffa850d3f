# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# What the steps of host-*.yml have in common. They are run with LAB (folder of the lab) and PREFIX (of its namespaces).
run=/run/nexuscos-lab/$PREFIX

# host_pid HOST: process 1 of a host, as the machine numbers it
host_pid() {
  CONTAINERS_CONF=$LAB/etc/containers.conf podman --root "$run/data/containers" --runroot "$run/run/containers" --tmpdir "$run/run/libpod" \
    --storage-driver overlay inspect --format '{{.State.Pid}}' "$PREFIX-$1"
}

# on HOST COMMAND…: on a host, as root with all rights of the machine's
on() {
  local pid
  pid=$(host_pid "$1")
  nsenter --target "$pid" --mount --pid --net --uts --ipc -- "${@:2}"
}

# group HOST CONTROLLER: the folder of the host's control group, of version 1 or 2
group() {
  local pid path
  pid=$(host_pid "$1")
  path=$(sed -n "s/^[0-9]*:$2://p" "/proc/$pid/cgroup")
  if [ -n "$path" ]; then
    echo "/sys/fs/cgroup/$2$path"
  else
    path=$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
    echo "/sys/fs/cgroup${path%/init.scope}"
  fi
}

# start HOST NAME COMMAND…: a unit of that name which does this; it leaves nothing behind when it ends
start() {
  stop "$1" "$2"
  # (in a container with control groups of version 1 systemd is not told that the last process of a group has ended)
  on "$1" systemd-run --quiet --collect --property TimeoutStopSec=1s --unit "$2" "${@:3}"
}

# stop HOST NAME: fine when there is no such unit
stop() {
  on "$1" systemctl stop "$2" 2> /dev/null || true
  on "$1" systemctl reset-failed "$2" 2> /dev/null || true
}

# unit HOST NAME TEXT: a unit file that lasts until the next start of the host
unit() {
  printf '%b' "$3" | on "$1" tee "/run/systemd/system/$2" > /dev/null
  on "$1" systemctl daemon-reload
}

# no_unit HOST NAME
no_unit() {
  on "$1" systemctl --no-block stop "$2" 2> /dev/null || true
  on "$1" systemctl kill --signal KILL "$2" 2> /dev/null || true
  on "$1" rm -f "/run/systemd/system/$2"
  on "$1" systemctl daemon-reload
  on "$1" systemctl reset-failed "$2" 2> /dev/null || true
}

# disk HOST FOLDER OPTIONS: a small file system of its own
disk() {
  no_disk "$1" "$2"
  on "$1" mkdir -p "$2"
  on "$1" mount -t tmpfs -o "$3" fault "$2"
}

# no_disk HOST FOLDER
no_disk() {
  if on "$1" mountpoint -q "$2"; then on "$1" umount --lazy "$2"; fi
  on "$1" rm -rf "$2"
}

# end NAME: the process of the machine that leave made
end() {
  local file=$LAB/run/$1.pid pid
  if [ ! -f "$file" ]; then return 0; fi
  pid=$(cat "$file")
  # the number may belong to somebody else by now: what we started leads a session of its own
  if [ "$(sed 's/.*) //' "/proc/$pid/stat" 2> /dev/null | cut -d ' ' -f 4)" = "$pid" ]; then kill -- "-$pid" 2> /dev/null || true; fi
  rm -f "$file"
}

# leave NAME COMMAND…: run a command of the machine in the background, in a session of its own
leave() {
  end "$1"
  setsid "${@:2}" > "$LAB/log/$1.log" 2>&1 &
  echo $! > "$LAB/run/$1.pid"
}

# inside HOST NAME MIB SWAP COMMAND…: on a host, in a control group of its own with so much memory, and so much of memory and swap
inside() {
  local host=$1 name=$2 memory=$3 swap=$4 folder pid own
  outside "$host" "$name"
  pid=$(host_pid "$host")
  folder=$(group "$host" memory)
  if [ -f "$folder/memory.limit_in_bytes" ]; then
    mkdir -p "$folder/$name"
    echo $((memory << 20)) > "$folder/$name/memory.limit_in_bytes"
    echo $((swap << 20)) > "$folder/$name/memory.memsw.limit_in_bytes"
    # pressure is counted where version 2 has the process
    own=/sys/fs/cgroup/unified$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
    # shellcheck disable=SC2016
    leave "$name" bash -c 'for folder in "$1" "$2"; do if [ -d "$folder" ]; then echo $$ > "$folder/cgroup.procs"; fi; done; exec nsenter --target "$3" --mount --pid -- "${@:4}"' \
      inside "$folder/$name" "$own" "$pid" "${@:5}"
  else
    on "$host" systemd-run --quiet --collect --unit "$name" -p "MemoryMax=${memory}M" -p "MemorySwapMax=$((swap - memory))M" "${@:5}"
  fi
}

# outside HOST NAME: end what inside began
outside() {
  local folder
  end "$2"
  stop "$1" "$2"
  folder=$(group "$1" memory)/$2
  for _ in $(seq 100); do
    if [ ! -d "$folder" ]; then return 0; fi
    # shellcheck disable=SC2046
    kill -KILL $(cat "$folder/cgroup.procs") 2> /dev/null || true
    rmdir "$folder" 2> /dev/null || sleep 0.05
  done
  echo "$folder cannot be removed" >&2
  return 1
}

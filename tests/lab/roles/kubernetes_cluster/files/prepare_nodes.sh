#!/usr/bin/env bash
# usage: prepare_nodes.sh PREFIX NODE…
# What a node is beside its network namespace: control groups that its kubelet finds, and forwarding between its pods.
# Prints what it did; nothing when all was there.
set -euo pipefail
prefix=$1
shift
root=/sys/fs/cgroup

if [ -f "$root/cgroup.controllers" ]; then # cgroup v2: each level hands its controllers down
  hand_down() {
    local controller
    for controller in $(cat "$1/cgroup.controllers"); do
      echo "+$controller" > "$1/cgroup.subtree_control" 2> /dev/null || true
    done
  }
  for node in "$@"; do
    [ -d "$root/$prefix/$node" ] || echo "control group $prefix/$node"
    mkdir -p "$root/$prefix/$node"
    hand_down "$root"
    hand_down "$root/$prefix"
  done
else
  for hierarchy in "$root"/*/; do
    [ -L "${hierarchy%/}" ] && continue
    for node in "$@"; do
      [ -d "$hierarchy$prefix/$node" ] || echo "control group $hierarchy$prefix/$node"
      mkdir -p "$hierarchy$prefix/$node"
      for file in cpuset.cpus cpuset.mems; do # a new cpuset is empty, and nothing can run in it
        [ -f "$hierarchy$file" ] || continue
        for group in "$prefix" "$prefix/$node"; do
          [ -n "$(cat "$hierarchy$group/$file")" ] || cat "$hierarchy$file" > "$hierarchy$group/$file"
        done
      done
    done
  done
fi

for node in "$@"; do
  value=/proc/sys/net/ipv4/ip_forward
  if [ "$(nsenter --net="/run/netns/$prefix-$node" cat $value)" != 1 ]; then
    nsenter --net="/run/netns/$prefix-$node" tee $value <<< 1 > /dev/null
    echo "forwarding on $node"
  fi
done

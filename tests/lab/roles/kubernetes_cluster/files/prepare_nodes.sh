#!/usr/bin/env bash
# usage: prepare_nodes.sh PREFIX RUN NODE…
# What a node is beside its network namespace: control groups, and a mount and a control group namespace that its
# containerd and kubelet share (kept by bind mounts in RUN/run/node-NODE). In them
# - the node's control group is the root, so that what the kubelet reports as the node's usage is the node's, not the machine's;
# - what they leave in folders of the machine goes with the namespace, and so do the mounts of the pods;
# - kernel settings that a kubelet wants for itself are files of the node: the machine's stay as they are.
# Prints what it did; nothing when all was there.
set -euo pipefail
prefix=$1 run=$2
shift 2
root=/sys/fs/cgroup

groups_of() { # the control group folders of a node, one a line
  if [ -f "$root/cgroup.controllers" ]; then
    echo "$root/$prefix/$1"
  else
    for hierarchy in "$root"/*/; do
      [ -L "${hierarchy%/}" ] || [ ! -f "${hierarchy}cgroup.procs" ] || echo "$hierarchy$prefix/$1"
    done
  fi
}

hand_down() { # cgroup v2: a level hands its controllers to the next
  local controller
  for controller in $(cat "$1/cgroup.controllers"); do
    echo "+$controller" > "$1/cgroup.subtree_control" 2> /dev/null || true
  done
}

for node in "$@"; do
  groups_of "$node" | while read -r group; do
    [ -d "$group" ] || echo "control group $group"
    mkdir -p "$group"
    for file in cpuset.cpus cpuset.mems; do # a new cpuset of v1 is empty, and nothing can run in it
      [ -f "$root/cgroup.controllers" ] || [ ! -f "$group/$file" ] || for level in "${group%/*}" "$group"; do
        [ -n "$(cat "$level/$file")" ] || cat "${level%/*}/$file" > "$level/$file"
      done
    done
  done
  [ ! -f "$root/cgroup.controllers" ] || { hand_down "$root"; hand_down "$root/$prefix"; }

  if [ "$(nsenter --net="/run/netns/$prefix-$node" cat /proc/sys/net/ipv4/ip_forward)" != 1 ]; then
    nsenter --net="/run/netns/$prefix-$node" tee /proc/sys/net/ipv4/ip_forward <<< 1 > /dev/null
    echo "forwarding on $node"
  fi

  pins=$run/run/node-$node
  nsenter --mount="$pins/mnt" --cgroup="$pins/cgroup" true 2> /dev/null && continue
  mkdir -p "$pins"
  for pin in "$pins/mnt" "$pins/cgroup" "$pins"; do umount -l "$pin" 2> /dev/null || true; done
  mount --bind "$pins" "$pins"
  mount --make-private "$pins" # a mount namespace can only be kept where mounts do not spread
  touch "$pins/mnt" "$pins/cgroup"
  (
    for group in $(groups_of "$node"); do echo "$BASHPID" > "$group/cgroup.procs"; done
    exec unshare --mount="$pins/mnt" --cgroup="$pins/cgroup" --propagation slave -- "${0%.sh}_inside.sh" "$prefix" "$node"
  )
  echo "namespaces of $node"
done

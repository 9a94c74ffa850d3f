#!/usr/bin/env bash
# usage: prepare_nodes.sh PREFIX RUN CONTROL-PLANE:NODE[,NODE…]…
# What a node is beside its network namespace: control groups, and a mount and a control group namespace that its
# containerd and kubelet share (kept by bind mounts in RUN/run/node-NODE). In them
# - the node's control group is the root, so that what the kubelet reports as the node's usage is the node's, not the machine's;
# - what they leave in folders of the machine goes with the namespace, and so do the mounts of the pods;
# - kernel settings that a kubelet wants for itself are files of the node: the machine's stay as they are.
# A node whose namespaces are gone has lost its pods: it is made anew, and a cluster that has lost all its nodes, too.
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
  for controller in $(< "$1/cgroup.controllers"); do
    echo "+$controller" > "$1/cgroup.subtree_control" 2> /dev/null || true
  done
}

prepare() { # one node; counts it in `made` when it had to be made
  local node=$1 group file level pin pins=$run/run/node-$1
  groups_of "$node" | while read -r group; do
    [ -d "$group" ] || echo "control group $group"
    mkdir -p "$group/shims"
    for file in cpuset.cpus cpuset.mems; do # a new cpuset of v1 is empty, and nothing can run in it
      [ -f "$root/cgroup.controllers" ] || [ ! -f "$group/$file" ] || for level in "${group%/*}" "$group" "$group/shims"; do
        [ -n "$(cat "$level/$file")" ] || cat "${level%/*}/$file" > "$level/$file"
      done
    done
  done
  [ ! -f "$root/cgroup.controllers" ] || { hand_down "$root"; hand_down "$root/$prefix"; hand_down "$root/$prefix/$node"; }

  if [ "$(nsenter --net="/run/netns/$prefix-$node" cat /proc/sys/net/ipv4/ip_forward)" != 1 ]; then
    nsenter --net="/run/netns/$prefix-$node" tee /proc/sys/net/ipv4/ip_forward <<< 1 > /dev/null
    echo "forwarding on $node"
  fi

  nsenter --mount="$pins/mnt" --cgroup="$pins/cgroup" true 2> /dev/null && return
  mkdir -p "$pins"
  for pin in "$pins/mnt" "$pins/cgroup" "$pins"; do umount -l "$pin" 2> /dev/null || true; done
  rm -rf "$run/data/$node"/{containerd,containerd-state,containerd-opt,cni,kubelet,podlogs}
  mount --bind "$pins" "$pins"
  mount --make-private "$pins" # a mount namespace can only be kept where mounts do not spread
  touch "$pins/mnt" "$pins/cgroup"
  (
    for group in $(groups_of "$node"); do echo "$BASHPID" > "$group/cgroup.procs"; done
    exec unshare --mount="$pins/mnt" --cgroup="$pins/cgroup" --propagation slave -- "${0%.sh}_inside.sh" "$prefix" "$node"
  )
  made=$((made + 1))
  echo "namespaces of $node"
}

runs() { # is there a process in this control group?
  cat "$root"/*/"$prefix/$1/cgroup.procs" "$root/$prefix/$1/cgroup.procs" 2> /dev/null | grep -q .
}

[ -f "$root/cgroup.controllers" ] || mkdir -p "$root/cpu/$prefix"
# The lab is one group of many processes: with the weight of one process its probes would fail whenever the machine is busy.
shares=$root/cpu/$prefix/cpu.shares weight=$root/$prefix/cpu.weight
[ ! -f "$shares" ] || echo 8192 > "$shares"
[ ! -f "$weight" ] || echo 800 > "$weight"

for cluster in "$@"; do
  machine=${cluster%%:*} made=0
  IFS=, read -ra nodes <<< "${cluster#*:}"
  for node in "${nodes[@]}"; do
    prepare "$node"
  done
  if [ "$made" = "${#nodes[@]}" ] && ! runs "etcd-$machine"; then
    rm -rf "$run/data/$machine/etcd"
    echo "state of $machine"
  fi
done

#!/usr/bin/env bash
# usage: prepare_nodes_inside.sh PREFIX NODE
# The second half of prepare_nodes.sh, in the node's new mount and control group namespaces.
set -euo pipefail
prefix=$1 node=$2
root=/sys/fs/cgroup

if [ -f "$root/cgroup.controllers" ]; then
  mount --bind "$root/$prefix/$node" "$root"
else
  for hierarchy in "$root"/*/; do
    [ -L "${hierarchy%/}" ] || [ ! -d "$hierarchy$prefix/$node" ] || mount --bind "$hierarchy$prefix/$node" "$hierarchy"
  done
fi

# folders of the machine that containerd, CNI and kubelet write to whatever they are told
for folder in /run/containerd /var/lib/cni /var/log/containers; do
  mkdir -p "$folder"
  mount -t tmpfs -o mode=0755 lab "$folder"
done

settings=$(mktemp -d /run/containerd/sysctl.XXXXXX)
while read -r name value; do
  [ -f "/proc/sys/$name" ] || continue
  echo "$value" > "$settings/${name//\//.}"
  mount --bind "$settings/${name//\//.}" "/proc/sys/$name"
done << 'SETTINGS'
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
SETTINGS

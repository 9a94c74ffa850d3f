#!/usr/bin/env bash
# usage: run_hosts.sh LAB RUN PREFIX ROOTFS HOST…
# Runs the hosts that do not run: podman, systemd as PID 1, each in its machine's network namespace. Prints what it started.
set -euo pipefail
lab=$1 run=$2 prefix=$3 rootfs=$4
shift 4
export CONTAINERS_CONF=$lab/etc/containers.conf
# a host of another file system, or started in another way than this, is made anew
made=$(basename "$rootfs")-$(sha256sum "$0" | cut -c1-8)
podman() { command podman --root "$run/data/containers" --runroot "$run/run/containers" --tmpdir "$run/run/libpod" --storage-driver overlay "$@"; }
start() {
  local host=$1 name=$prefix-$1 groups=()
  # where the machine mixes both versions of control groups, only version 2 counts pressure: the host sees its own part of it
  # (beside the others, where systemd would take it for its own)
  if [ -f /sys/fs/cgroup/unified/cgroup.controllers ]; then
    mkdir -p "/sys/fs/cgroup/unified/$prefix/$host"
    groups=(--volume "/sys/fs/cgroup/unified/$prefix/$host:/run/cgroup2:ro")
  fi
  # (root is to see the open files of all users, as on a machine)
  podman run --detach --replace --name "$name" --hostname "$host" --cap-add SYS_PTRACE --systemd=always --network "ns:/run/netns/$name" --no-hosts --cgroup-parent "/$prefix/$host" \
    --stop-signal SIGRTMIN+3 --log-driver k8s-file --log-opt "path=$lab/log/$host.log" --label "nexuscos-lab=$made" ${groups+"${groups[@]}"} \
    --volume "$lab/ssh/$host:/etc/ssh/lab:ro" --volume "$lab/etc/$host/hosts:/etc/hosts:ro" --volume "$lab/etc/$host/machine-id:/etc/machine-id:ro" \
    --volume "$lab/etc/$host/service.unit:/etc/systemd/system/nexus-cos-$2.service:ro" \
    --rootfs "$rootfs:O" /sbin/init > /dev/null
  for _ in $(seq 100); do # until systemd answers
    if podman exec "$name" systemctl show --property=Version > /dev/null 2>&1; then break; fi
    sleep 0.2
  done
  podman exec "$name" systemctl --quiet enable --now --no-block "nexus-cos-$2.service"
  podman exec "$name" systemctl --no-block start nexus-cos-backup.service
  # the log of the kernel, as rsyslog keeps it on a machine: of a container's kernel there is nothing to log
  podman exec "$name" sh -c 'touch /var/log/kern.log && chgrp adm /var/log/kern.log && chmod 0640 /var/log/kern.log'
  echo "$host"
}
# podman believes what conmon told it last; after a crash nobody told it anything
runs() {
  local pid
  pid=$(podman ps --format '{{.Pid}}' --filter "name=^$prefix-$1\$" --filter status=running --filter "label=nexuscos-lab=$made")
  [ -n "$pid" ] && grep -qs "/$prefix/$1/" "/proc/$pid/cgroup"
}
jobs=()
for pair; do
  if ! runs "${pair%%=*}"; then
    start "${pair%%=*}" "${pair#*=}" &
    jobs+=($!)
  fi
done
for job in ${jobs+"${jobs[@]}"}; do wait "$job"; done
for pair; do
  host=${pair%%=*}
  for _ in $(seq 100); do
    state=$(podman exec "$prefix-$host" systemctl is-system-running 2> /dev/null || true)
    if [ "$state" = running ]; then break; fi
    if [ "$state" = degraded ]; then
      echo "$host has failed units: $(podman exec "$prefix-$host" systemctl --failed --plain --no-legend | cut -d' ' -f1 | tr '\n' ' ')" >&2
      exit 1
    fi
    sleep 0.3
  done
  if [ "$state" != running ]; then
    echo "$host did not finish its start (state: ${state:-none}); see .lab/log/$host.log" >&2
    exit 1
  fi
done

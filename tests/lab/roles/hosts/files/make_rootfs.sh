#!/usr/bin/env bash
# usage: make_rootfs.sh TARGET SUITE FILES PACKAGE…
# The file system of the systemd hosts: a small Debian from the machine's own package sources, with the platform's units.
set -euo pipefail
target=$1 suite=$2 files=$3
shift 3
if [ -d "$target" ]; then exit 0; fi
mkdir -p "$(dirname "$target")"
rm -rf "$target.new"
sources=()
for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
  if grep -qsE '^(deb|Types:)' "$file"; then
    sources=("$file")
    break
  fi
done
packages=$(IFS=,; echo "$*")
mmdebstrap --quiet --mode=root --variant=minbase --include="$packages" \
  --aptopt='Acquire::Languages "none"' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='force-unsafe-io' "$suite" "$target.new" ${sources+"${sources[@]}"}
root=$target.new
rm -f "$root"/etc/ssh/ssh_host_* "$root"/etc/machine-id "$root"/etc/resolv.conf
install -d "$root/opt/nexus-cos" "$root/etc/nexus-cos" "$root/backups/nexus-cos" "$root/var/log/nexus-cos" "$root/var/log/journal" "$root/etc/ssh/lab" \
  "$root/etc/systemd/journald.conf.d"
install -m 0755 "$files/service.py" "$files/backup.sh" "$root/opt/nexus-cos/"
install -m 0644 "$files"/nexus-cos-* "$root/etc/systemd/system/"
install -m 0644 "$files/sshd.conf" "$root/etc/ssh/sshd_config.d/lab.conf"
printf '[Journal]\nStorage=persistent\nSystemMaxUse=50M\nForwardToSyslog=no\n' > "$root/etc/systemd/journald.conf.d/lab.conf"
printf '/var/log/nexus-cos/*.log {\n  weekly\n  rotate 4\n  missingok\n  notifempty\n}\n' > "$root/etc/logrotate.d/nexus-cos"
chroot "$root" useradd --create-home --shell /bin/bash --groups adm,systemd-journal ops
chroot "$root" useradd --system --home-dir /opt/nexus-cos --shell /usr/sbin/nologin nexus-cos
chown --reference="$root/opt" "$root/opt/nexus-cos"
chroot "$root" chown nexus-cos: /var/log/nexus-cos
printf 'ops ALL=(ALL) NOPASSWD: ALL\n' > "$root/etc/sudoers.d/ops"
chmod 0440 "$root/etc/sudoers.d/ops"
# PAM and sudo complain at each login about what a container cannot have: the journal is to hold what matters
: > "$root/etc/default/locale"
sed -i 's/ user_readenv=1//' "$root/etc/pam.d/sshd"
printf 'Set disable_coredump false\n' > "$root/etc/sudo.conf"
# what needs hardware, a network of its own or the internet has no place in a container
systemctl --root="$root" --quiet mask systemd-firstboot.service systemd-machine-id-commit.service systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-networkd.service \
  systemd-timesyncd.service systemd-logind.service getty@.service console-getty.service systemd-remount-fs.service \
  dev-hugepages.mount sys-fs-fuse-connections.mount sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
  systemd-binfmt.service systemd-modules-load.service modprobe@.service systemd-sysctl.service apt-daily.timer apt-daily-upgrade.timer \
  dpkg-db-backup.timer e2scrub_all.timer fstrim.timer 2> /dev/null
systemctl --root="$root" --quiet enable ssh.service prometheus-node-exporter.service nexus-cos-backup.timer 2> /dev/null
systemctl --root="$root" --quiet set-default multi-user.target 2> /dev/null
mv -T "$target.new" "$target"

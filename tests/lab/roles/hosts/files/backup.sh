#!/bin/sh
# Configuration of this host into the dated layout, with its checksum; 30 days are kept.
set -eu
folder=/backups/nexus-cos/$(date -u +%Y-%m-%d)
file=$folder/config-$(hostname)-$(date -u +%H%M%S).tar.gz
mkdir -p "$folder"
tar -C / -czf "$file.tmp" etc/nexus-cos etc/systemd/system
mv "$file.tmp" "$file"
(cd "$folder" && sha256sum "$(basename "$file")" >> SHA256SUMS)
find /backups/nexus-cos -mindepth 1 -maxdepth 1 -type d -mtime +30 -exec rm -r {} +
echo "backup written: $file ($(stat -c %s "$file") bytes)"

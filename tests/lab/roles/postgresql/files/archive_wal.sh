#!/bin/sh
# usage: archive_wal.sh PATH NAME FOLDER: keep one WAL file; the same file once more (after a crash) is fine, another one of that name is not
set -eu
if [ -e "$3/$2.gz" ]; then
  gunzip -c "$3/$2.gz" | cmp -s - "$1"
  exit
fi
gzip -1 -c "$1" > "$3/$2.gz.tmp"
sync "$3/$2.gz.tmp"
mv "$3/$2.gz.tmp" "$3/$2.gz"

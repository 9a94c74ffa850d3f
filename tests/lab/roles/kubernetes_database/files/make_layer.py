#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file system of a PostgreSQL container, from the Debian packages of this machine; no image is pulled.

    make_layer.py FOLDER    make FOLDER/<versions>.tar.gz unless it is there, and print its path

In it: server and client of PostgreSQL, the libraries that they load, busybox as shell, and run_postgres.sh as
/usr/local/bin/run-postgres. What only builds or documents is left out, and so is the compiler of queries (100 MB).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

PACKAGES = ("postgresql-15", "postgresql-client-15", "libpq5", "libc6", "busybox-static")
HOME = "/usr/lib/postgresql/15"
SHARE = "/usr/share/postgresql/15"
LEFT_OUT = re.compile(r"/(bitcode|doc|man|locale|pgxs)/|llvmjit|sepgsql|/extension/(?!plpgsql)|\.(h|bc|a)$")
COMMANDS = (
    "sh", "env", "cat", "chmod", "cp", "echo", "grep", "head", "id", "kill", "ls", "mkdir", "mv", "printf", "ps", "rm",
    "sleep", "test", "touch", "true", "wc",
)  # fmt: skip
USER = 999
HERE = Path(__file__).resolve().parent


def said(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def wanted() -> dict[str, str]:
    """The files of the image, each with where it is here."""
    listed = said("dpkg-query", "--listfiles", *PACKAGES[:2]).splitlines()
    mine = [path for path in listed if path.startswith((HOME + "/", SHARE + "/")) and not LEFT_OUT.search(path)]
    found = {path: path for path in mine if os.path.isfile(path)}
    loaders = [path for path in found if path.startswith((HOME + "/bin/", HOME + "/lib/"))]
    for line in said("ldd", *loaders).splitlines():
        match = re.match(r"\s+(?:\S+ => )?(/\S+) \(0x", line)
        if match:
            found[match.group(1)] = match.group(1)
    found.update((str(path), str(path)) for path in Path("/usr/lib/locale/C.utf8").rglob("*") if path.is_file())
    found["/usr/share/zoneinfo/UTC"] = "/usr/share/zoneinfo/UTC"
    found["/bin/busybox"] = "/bin/busybox"
    found["/usr/local/bin/run-postgres"] = str(HERE / "run_postgres.sh")
    return found


def write(archive: tarfile.TarFile, files: dict[str, str]) -> None:
    """All entries in their order, with nothing in them that depends on time or place."""
    texts = {
        "/etc/passwd": f"root:x:0:0:root:/:/bin/sh\npostgres:x:{USER}:{USER}:PostgreSQL:/:/bin/sh\n",
        "/etc/group": f"root:x:0:\npostgres:x:{USER}:\n",
    }
    links = {f"/bin/{name}": "busybox" for name in COMMANDS}
    folders = {"/tmp", "/data", "/run/postgresql", "/var"}
    for path in [*files, *texts, *links]:
        folders.update(str(above) for above in Path(path).parents)
    links["/var/run"] = "../run"
    for path in sorted({*files, *texts, *links, *folders} - {"/"}):
        entry = tarfile.TarInfo(path.lstrip("/"))
        entry.mode = 0o755
        if path in links:
            entry.type, entry.linkname = tarfile.SYMTYPE, links[path]
            archive.addfile(entry)
        elif path in folders:
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if path == "/tmp" else 0o755
            if path in ("/data", "/run/postgresql"):
                entry.uid = entry.gid = USER
            archive.addfile(entry)
        else:
            data = texts[path].encode() if path in texts else Path(files[path]).read_bytes()
            entry.size, entry.mode = len(data), 0o644 if path in texts else 0o755
            archive.addfile(entry, io.BytesIO(data))


def main() -> None:
    """Make what is not there, whole or not at all."""
    versions = said("dpkg-query", "--show", *PACKAGES)
    sources = b"".join(path.read_bytes() for path in (Path(__file__), HERE / "run_postgres.sh"))
    name = hashlib.sha256(versions.encode() + sources).hexdigest()[:16]
    path = Path(sys.argv[1]) / f"{name}.tar.gz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{name}.{os.getpid()}")
        with (
            open(aside, "wb") as out,
            gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=out, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
        ):
            write(archive, wanted())
        os.replace(aside, path)
        for old in path.parent.glob("*.tar.gz"):
            if old != path:
                old.unlink()
    print(path)


if __name__ == "__main__":
    main()

# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository of pgBackRest of a test's own, and a PostgreSQL that archives into it.

It shares no code with the plugins: what they do is judged by pgbackrest and psql alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scratch import ACCOUNT, BIN, PASSWORD, Source, fill, postgres

STANZA = "main"


@dataclass
class Archive:
    """A server and the repository that it archives into; folder: of the repository, its configuration and its locks."""

    folder: Path
    server: Source

    @property
    def config(self) -> Path:
        return self.folder / "pgbackrest.conf"

    @property
    def repository(self) -> Path:
        return self.folder / "repo"

    @property
    def command(self) -> str:
        return f'exec pgbackrest --config={self.config} --stanza={STANZA} archive-push "$1"'

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """What pgbackrest says."""
        done = subprocess.run(
            ["pgbackrest", f"--config={self.config}", f"--stanza={STANZA}", "--log-level-console=off", *words],
            env={**os.environ, "PGPASSWORD": PASSWORD, "LC_ALL": "C"}, capture_output=True, text=True, check=False,
            **as_account(),
        )  # fmt: skip
        assert done.returncode == 0 or not check, done.stderr
        return done

    def push(self, words: str = "") -> None:
        """Let the server archive, or do something else instead."""
        (self.folder / "pgbackrest-push").write_text((words or self.command) + "\n", encoding="utf-8")

    @contextlib.contextmanager
    def shut(self) -> Iterator[None]:
        """No WAL file but the present one comes into the archive meanwhile: a backup waits for its first one."""
        now = self.server.psql("SELECT pg_walfile_name(pg_current_wal_insert_lsn() + 1)", "postgres")
        gate = self.folder / "gate"
        gate.touch()
        self.push(f"while [ -e {gate} ] && [ \"${{1##*/}}\" '>' {now} ]; do sleep 0.05; done\n{self.command}")
        try:
            yield
        finally:
            gate.unlink()
            self.push()

    def labels(self) -> list[str]:
        told = json.loads(self.run("info", "--output=json").stdout)
        return [one["label"] for one in told[0]["backup"]]

    def wal(self) -> list[Path]:
        """The archived WAL files, the oldest first."""
        found = (self.repository / "archive" / STANZA).rglob("*-*.gz")
        return sorted((path for path in found if len(path.name.split("-")[0]) == 24), key=lambda path: path.name)

    def options(self, place: Path, **more: Any) -> dict[str, Any]:
        """Of postgres_backup."""
        return {
            "system": "db1", "path": str(place), "engine": "pgbackrest", "stanza": STANZA,
            "pgbackrest_config": str(self.config), "login_password": PASSWORD, **more,
        }  # fmt: skip


@contextlib.contextmanager
def archive(stanza: bool = True, data: bool = True, room: str = "") -> Iterator[Archive]:
    """A server with an archive that works, and a stanza without a backup; room: size of the repository's disk."""
    folder = Path(tempfile.mkdtemp(prefix="nx-repo-", dir="/var/tmp"))
    config = folder / "pgbackrest.conf"
    push = folder / "pgbackrest-push"
    try:
        with contextlib.ExitStack() as unmount, postgres(archive_mode="on", archive_command=f"sh {push} %p") as server:
            found = Archive(folder, server)
            found.push()
            (folder / "lock").mkdir()
            found.repository.mkdir()
            if room:
                command = ["mount", "-t", "tmpfs", "-o", f"size={room}", "nexuscos-test", str(found.repository)]
                subprocess.run(command, check=True)
                unmount.callback(subprocess.run, ["umount", "--lazy", str(found.repository)], check=True)
            # Bundles, so that a copy of a small server is no thousand files.
            config.write_text(
                f"[global]\nrepo1-path={found.repository}\nrepo1-bundle=y\nrepo1-retention-full=2\n"
                f"log-level-file=off\nlock-path={folder}/lock\nstart-fast=y\n"
                f"[{STANZA}]\npg1-path={server.data}\npg1-port={server.port}\npg1-socket-path={server.socket}\n"
                "pg1-user=postgres\n",
                encoding="utf-8",
            )
            if ACCOUNT:
                for path in (folder, folder / "lock", found.repository):
                    shutil.chown(path, ACCOUNT, ACCOUNT)
            if stanza:
                found.run("stanza-create")
            if data:
                fill(server)
            yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def started(data: Path, folder: Path) -> Iterator[Source]:
    """A server of a data folder that somebody has restored, by its own files and nothing of ours."""
    server = Source(folder, str(folder / "s"), 5499, {"archive_mode": "off"})
    (folder / "s").mkdir(exist_ok=True)
    if ACCOUNT:
        for path in (folder, folder / "s"):
            shutil.chown(path, ACCOUNT, ACCOUNT)
    (folder / "data").symlink_to(data)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def flip(path: Path, place: int) -> None:
    """One byte of a file, another one."""
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)


def as_account() -> dict[str, Any]:
    return {"user": ACCOUNT, "group": ACCOUNT, "extra_groups": []} if ACCOUNT else {}


__all__ = ["BIN", "STANZA", "Archive", "archive", "as_account", "flip", "started"]

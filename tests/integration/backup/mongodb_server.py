# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server of a test's own that speaks MongoDB's protocol. It shares no code with the plugins."""

from __future__ import annotations

import contextlib
import datetime
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymongo
from running import end, free_port, wait_for

PROGRAM = Path(sys.executable).parent / "nx-27017"
WHEN = datetime.datetime(2026, 11, 29, 6, tzinfo=datetime.timezone.utc)
# What the module calls mongod: the same server, by the options of that one.
MONGOD = """#!/bin/sh
for word in "$@"; do
  case "$before" in
    --dbpath) data=$word ;;
    --port) port=$word ;;
    --logpath) log=$word ;;
  esac
  before=$word
done
exec {program} --host 127.0.0.1 --port "$port" --data-dir "$data" --log-file "$log" --pid-file "$data/pid"
"""


@dataclass
class Mongo:
    """A running server on 127.0.0.1."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def login(self) -> dict[str, Any]:
        """The options of a module that goes there."""
        return {"login_host": "127.0.0.1", "login_port": self.port, "connect_timeout": 20}

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                str(PROGRAM), "--host", "127.0.0.1", "--port", str(self.port), "--data-dir", str(self.folder / "data"),
                "--log-file", str(self.folder / "log"), "--pid-file", str(self.folder / "pid"),
            ],
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for(self._answers, f"the server answers; its log is {self.folder / 'log'}", self.process)

    def _answers(self) -> bool:
        with contextlib.suppress(pymongo.errors.PyMongoError), self.client() as client:
            client.admin.command("ping")
            return True
        return False

    def stop(self) -> None:
        if self.process:
            end(self.process)

    def client(self) -> pymongo.MongoClient[dict[str, Any]]:
        return pymongo.MongoClient(
            "127.0.0.1", self.port, directConnection=True, serverSelectionTimeoutMS=20_000, tz_aware=True
        )

    def fill(self) -> None:
        """Documents of many kinds, an index, an empty collection, and a second database."""
        with self.client() as client:
            nexus = client["nexus"]
            nexus["profiles"].insert_many(
                {
                    "handle": f"user{n}",
                    "tags": ["a", {"b": n}],
                    "at": WHEN,
                    "share": n / 7,
                    "raw": bytes(n % 50),
                    "no": None,
                }
                for n in range(1500)
            )
            nexus["profiles"].create_index("handle", unique=True, name="by_handle")
            nexus["assets"].insert_many({"_id": n, "name": "früh %d" % n} for n in range(300))
            nexus.create_collection("empty")
            client["other"]["things"].insert_many({"_id": n} for n in range(10))

    def many(self, collections: int = 30, documents: int = 300) -> None:
        """A dump of which takes its time."""
        with self.client() as client:
            for number in range(collections):
                client["many"][f"c{number:02}"].insert_many({"_id": n, "text": "x" * 500} for n in range(documents))

    def documents(self, database: str) -> dict[str, list[dict[str, Any]]]:
        """All of a database, in the order of their ids."""
        with self.client() as client:
            return {
                name: sorted(client[database][name].find(), key=lambda one: str(one["_id"]))
                for name in sorted(client[database].list_collection_names())
            }

    def indexes(self, database: str, name: str) -> list[dict[str, Any]]:
        with self.client() as client:
            found = client[database][name].list_indexes()
            return [{"key": dict(one["key"]), "unique": one.get("unique")} for one in found]


@contextlib.contextmanager
def mongodb() -> Iterator[Mongo]:
    """A server that is empty, and is gone with its data afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="nx-mongodb-", dir="/var/tmp"))
    (folder / "data").mkdir()
    server = Mongo(folder, free_port())
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def mongod(folder: Path) -> Path:
    """A folder with a mongod in it."""
    folder.mkdir()
    program = folder / "mongod"
    program.write_text(MONGOD.format(program=PROGRAM))
    program.chmod(0o755)
    return folder

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove sets of MongoDB: every document walked over; and loaded into a scratch server, where there is a mongod."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any

from .._core.deps import need
from .._core.errors import OpsError, OptionError
from .._mongodb.collect import Options
from . import mongodb_dump, mongodb_load, scratch_postgres, scratch_redis, stream
from .run_backup import check_room
from .verify import Job, Refuted

PROGRAM = "mongod"
_START_S = 60.0
_ASK_EVERY = 0.1


class Engine:
    """Sets in mongodump's layout."""

    most = 4

    def read(self, job: Job) -> dict[str, Any]:
        """Walk over every document, and count them."""
        try:
            how = mongodb_dump.verify(
                job.one.path, [one.path for one in job.known.files], job.known.invariants, job.until
            )
        except mongodb_dump.Damaged as error:
            raise Refuted(str(error)) from None
        return {"read": {mongodb_dump.FOLDER: how}}

    @contextlib.contextmanager
    def restored(self, job: Job) -> Iterator[Restored]:
        """Load it into a server of its own, with options and indexes."""
        program = shutil.which(PROGRAM, path=job.bin_dir or None)
        if program is None:
            raise OptionError(
                f"level: a set of MongoDB is proven beyond level 2 by {PROGRAM}, and none is here: install it, or set "
                "bin_dir"
            )
        pymongo = need("pymongo", "4.6")
        rows = mongodb_load.parts(job.one.path, job.known)
        rows = [part for part in rows if not mongodb_load.is_of_server(part)]
        with _server(program, job) as options:
            clock = time.monotonic()
            loader = mongodb_load.Loader(pymongo, options, job.until, job.one.stamp)
            into = mongodb_load.targets(rows, {}, "")
            try:
                result = loader.load(job.one.path, rows, into, keep_old=False)
            except mongodb_dump.Damaged as error:
                raise Refuted(f"it cannot be restored: {error}") from None
            yield Restored(pymongo, options, result, time.monotonic() - clock)


class Restored:
    """A scratch server that has loaded a dump. See :class:`verify.Restored`."""

    def __init__(self, pymongo: Any, options: Options, result: mongodb_load.Result, seconds: float) -> None:
        self._pymongo, self._options, self._result = pymongo, options, result
        self.seconds, self.details = seconds, {"collections": len(result.rows), "switched": result.switched}

    def invariants(self, job: Job) -> dict[str, Any]:
        """Documents by collection, and indexes."""
        wanted = job.known.invariants.get("collections")
        if not isinstance(wanted, Mapping):
            raise OpsError("the manifest tells no numbers of documents to compare with")
        documents = 0
        opened = mongodb_dump.client(self._pymongo, self._options, job.left())
        try:
            with mongodb_dump.said(self._options):
                for row in self._result.rows:
                    if row["documents"] is None:
                        continue
                    database, _dot, name = str(row["to"]).partition(".")
                    collection = opened.get_database(database).get_collection(name)
                    found = collection.count_documents({})
                    if found != wanted.get(row["from"], found):
                        raise Refuted(
                            f"{row['from']}: {found} documents were restored, and {wanted[row['from']]} saved"
                        )
                    indexes = sum(one.get("name") != "_id_" for one in collection.list_indexes())
                    if indexes < row["indexes"]:
                        raise Refuted(f"{row['from']}: {indexes} indexes are there, and {row['indexes']} were saved")
                    documents += found
                    job.in_time()
        finally:
            opened.close()
        loaded = {row["from"] for row in self._result.rows}
        missing = [full for full in wanted if full not in loaded and not full.startswith("admin.system.")]
        if missing:
            raise Refuted(f"{missing[0]} was saved, and is not in the restored copy")
        count = len(self._result.rows)
        return {
            "documents": documents, "collections": count,
            "summary": f"{documents} documents of {count} collections are there",
        }  # fmt: skip

    def smoke(self, job: Job) -> dict[str, Any]:
        """There is none: queries of an application are SQL."""
        raise OpsError(f"sets of {job.known.engine} are proven to level {Engine.most}")


ENGINES = {mongodb_dump.FORMAT: Engine()}


@contextlib.contextmanager
def _server(program: str, job: Job) -> Iterator[Options]:
    """A server on a free port of this machine alone, with its data in a folder that is gone afterwards.

    The library has no sockets of files for addresses with an odd name, and a port of 127.0.0.1 does for what is there
    for seconds and holds a copy.
    """
    check_room(job.scratch_dir or scratch_postgres.FOLDER, job.known.bytes, known=False)
    with (
        scratch_postgres.ends_cleanly(),
        scratch_redis.folder(job.scratch_dir) as place,
        tempfile.TemporaryFile() as errors,
    ):
        data, log = os.path.join(place, "data"), os.path.join(place, "log")
        os.mkdir(data, 0o700)
        port = _free_port()
        argv = [program, "--dbpath", data, "--bind_ip", "127.0.0.1", "--port", str(port), "--logpath", log]
        process = stream.start(argv, {"LC_ALL": "C"}, errors)
        try:
            until = min(job.until, time.monotonic() + _START_S)
            while True:
                if process.poll() is not None:
                    raise OpsError(f"the scratch {PROGRAM} ended with status {process.returncode}: {_tail(log)}")
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
                    break
                if time.monotonic() > until:
                    raise OpsError(f"the scratch {PROGRAM} takes no connections: {_tail(log)}")
                time.sleep(_ASK_EVERY)
            yield Options(host="127.0.0.1", port=port, deadline=job.left())
        finally:
            stream.stop(process)


def _free_port() -> int:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])


def _tail(log: str) -> str:
    with contextlib.suppress(OSError), open(log, encoding="utf-8", errors="replace") as lines:
        return "; ".join(lines.read().splitlines()[-3:])[:500]
    return "it said nothing"

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One database by pg_dump, with the roles of its server by pg_dumpall, and what a restore must show again."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._core.errors import OptionError
from .._core.redact import redact
from . import readers, snapshot, stream
from .manifest import File
from .postgres_tools import Login, WrongTool, explained, left, login
from .run_backup import Look, Written
from .snapshot import Snapshot

CUSTOM, DIRECTORY = "custom", "directory"
KINDS = {CUSTOM: "pg_custom", DIRECTORY: "pg_directory"}
GLOBALS = "globals.sql"
OLDEST = 13
_TABLE = re.compile(r'dumping contents of table "(.+)"')
_SEE = """
SET client_encoding = 'UTF8';
SET search_path = pg_catalog;
SELECT json_build_object(
 'version', split_part(current_setting('server_version'), ' ', 1),
 'number', current_setting('server_version_num')::int,
 'standby', pg_is_in_recovery(),
 'database', current_database(),
 'bytes', pg_database_size(current_database()),
 'all_bytes', (SELECT sum(pg_database_size(oid)) FROM pg_database
  WHERE has_database_privilege(oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'MEMBER')),
 'passwords', has_table_privilege('pg_authid', 'SELECT'),
 'replication', (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user),
 'identifier', (SELECT system_identifier::text FROM pg_control_system()),
 'timeline', (SELECT timeline_id FROM pg_control_checkpoint()),
 'wal', CASE WHEN NOT pg_is_in_recovery() THEN pg_walfile_name(pg_current_wal_lsn()) END);
"""


@dataclass(frozen=True)
class Server:
    """What is known of the server before anything is written.

    :ivar major: of its version; passwords: whether those of the roles may be read; identifier, timeline: of its
        cluster; all_bytes: of all its databases.
    """

    version: str
    major: int
    standby: bool
    database: str
    bytes: int
    all_bytes: int
    passwords: bool
    replication: bool
    identifier: str
    timeline: int


def see(account: Login, until: float) -> Server:
    """Ask the server what it is.

    :raises EngineError: it does not answer.
    :raises OptionError: it is older than what this collection knows.
    """
    text = account.query(_SEE, until)
    try:
        told = json.loads(text)
    except ValueError:
        raise stream.EngineError(
            f"psql ended well and said {text[:100]!r}, which is no answer: has the stream to it broken off, or does "
            "command_prefix not pass standard input on?"
            if account.prefix
            else f"psql said {text[:100]!r}, which is no answer"
        ) from None
    major = int(told["number"]) // 10000
    if major < OLDEST:
        raise OptionError(f"the server is PostgreSQL {told['version']}: want {OLDEST} or newer")
    return Server(
        version=told["version"],
        major=major,
        standby=told["standby"],
        database=told["database"],
        bytes=int(told["bytes"]),
        all_bytes=int(told["all_bytes"] or 0),
        passwords=told["passwords"],
        replication=bool(told["replication"]),
        identifier=told["identifier"],
        # The newest checkpoint of a server that was just promoted is of the timeline before.
        timeline=int(told["wal"][:8], 16) if told["wal"] else int(told["timeline"]),
    )


def source_of(account: Login, server: Server) -> dict[str, Any]:
    """Where a set is from, for its manifest."""
    return {
        "host": account.host,
        "port": account.port,
        "database": server.database,
        "system_identifier": server.identifier,
        "timeline": server.timeline,
        "standby": server.standby,
        "bytes": server.bytes,
        **_way(account),
    }


def _way(account: Login) -> dict[str, Any]:
    if account.pod:
        return {"pod": dict(account.pod)}
    return {"through": redact(list(account.prefix))} if account.prefix else {}


@dataclass(frozen=True)
class Options:
    """What pg_dump is asked for.

    :ivar format: ``custom`` or ``directory``; jobs: connections that read at once, of a directory; compress: level of
        gzip, or None for pg_dump's own.
    :ivar globals_too: whether roles and tablespaces go into the set; invariants: ``rows`` or ``none``.
    :ivar queries: the user's, by name.
    """

    format: str = CUSTOM
    jobs: int = 1
    compress: int | None = None
    globals_too: bool = True
    invariants: str = snapshot.ROWS
    queries: Mapping[str, str] = field(default_factory=dict)


class DumpEngine:
    """pg_dump."""

    name = "pg_dump"

    def __init__(self, system: str, account: Login, options: Options) -> None:
        self._system, self._login, self._options = system, account, options
        self._server: Server | None = None
        self._pg_dump = self._pg_dumpall = ""

    def look(self, deadline: float) -> Look:
        """See :class:`run_backup.Engine`."""
        server = self._server = see(self._login, deadline)
        self._pg_dump = self._login.fitting("pg_dump", server.major, deadline)
        if self._options.globals_too:
            self._pg_dumpall = self._login.fitting("pg_dumpall", server.major, deadline)
        return Look(server.version, source_of(self._login, server), server.bytes)

    def write(self, folder: str, progress: stream.Progress, deadline: float) -> Written:
        """See :class:`run_backup.Engine`."""
        server, options = self._server, self._options
        if server is None:
            raise AssertionError("server is None")
        psql = self._login.tool("psql", server.major)
        invariants: dict[str, Any] = {}
        with Snapshot(self._login, psql, deadline) as moment:
            if options.invariants == snapshot.ROWS:
                moment.hold()
                invariants.update(moment.structure())
            if options.queries:
                asked = {
                    name: {"query": query, "value": moment.value(name, query)}
                    for name, query in options.queries.items()
                }
                invariants["queries"] = asked
            globals_file = self._globals(folder, server, deadline)
            if options.invariants == snapshot.ROWS:
                moment.count()
            files = self._dump(folder, moment, progress, deadline)
            if options.invariants == snapshot.ROWS:
                progress.item = "counting rows"
                invariants["tables"] = moment.counted()
            position = {
                **moment.position,
                "timeline": server.timeline,
                "system_identifier": server.identifier,
            }
        return Written(
            format=KINDS[options.format],
            files=[*files, *globals_file],
            options={
                "format": options.format,
                "jobs": options.jobs,
                "compress": options.compress,
                "globals": options.globals_too,
                "role_passwords": options.globals_too and server.passwords,
                "unlogged_tables": not server.standby,
            },
            position=position,
            invariants=invariants,
        )

    def verify(self, folder: str, written: Written, deadline: float) -> str:
        """See :class:`run_backup.Engine`."""
        server = self._server
        if server is None:
            raise AssertionError("server is None")
        path = os.path.join(folder, main_of(written.files))
        how = read_dump(path, written.format, deadline, self._login, server.major)
        if self._options.globals_too:
            _sound(readers.read(os.path.join(folder, GLOBALS), "sql", deadline, tools=False), GLOBALS)
        return how

    def _globals(self, folder: str, server: Server, deadline: float) -> list[File]:
        if not self._options.globals_too:
            return []
        argv = [self._pg_dumpall, "--globals-only", "--no-password"]
        if "=" not in self._login.database and "://" not in self._login.database:
            # Such a name would be taken for a connection string; all databases of a server have the same roles.
            argv += ["-l", self._login.database]
        if not server.passwords:
            argv.append("--no-role-passwords")
        with explaining():
            return [
                stream.save(
                    self._login.command(argv), os.path.join(folder, GLOBALS), folder, self._login.environment(),
                    deadline=deadline, data=self._login.first_input(),
                )
            ]  # fmt: skip

    def _dump(self, folder: str, moment: Snapshot, progress: stream.Progress, deadline: float) -> list[File]:
        options, account = self._options, self._login
        argv = [self._pg_dump, "--format", options.format, "--no-password", "--verbose", "--snapshot", moment.name]
        if options.compress is not None:
            argv += ["--compress", str(options.compress)]

        def hear(line: str) -> None:
            match = _TABLE.search(line)
            if match:
                progress.item = match.group(1)

        if options.format == CUSTOM:
            with _in(moment):
                return [
                    stream.save(
                        account.command(argv, with_input=True), os.path.join(folder, self._system + ".dump"), folder,
                        account.environment(), progress, deadline, hear, account.first_input(), moment.check,
                        hold=bool(account.prefix),
                    )
                ]  # fmt: skip
        inside = os.path.join(folder, self._system + ".dir")
        argv += ["--file", inside, "--jobs", str(options.jobs)]
        with _in(moment):
            stream.work(
                account.command(argv), folder, account.environment(), progress, deadline, hear, watch=moment.check
            )
        progress.item = "checksums"
        names = sorted(os.listdir(inside), key=lambda name: (name != "toc.dat", name))
        return [stream.sum_file(os.path.join(inside, name), folder) for name in names]


def main_of(files: Sequence[File]) -> str:
    """What pg_restore is given: the file of a dump, or the folder of one, below the set's folder."""
    for one in files:
        if os.path.basename(one.path) == "toc.dat":
            return os.path.dirname(one.path)
    return next(one.path for one in files if one.path != GLOBALS)


def read_dump(path: str, kind: str, until: float, account: Login, major: int) -> str:
    """Read a dump to its last byte (level 2), by pg_restore where it is there, and say what read it.

    A directory is read by our own reader as well: pg_restore passes over a file of one that was emptied.

    :param kind: ``pg_custom`` or ``pg_directory``.
    :raises EngineError: it is damaged.
    """
    # Behind a prefix pg_restore is over there, and the file is here.
    here = Login(bin_dir="" if account.prefix else account.bin_dir)
    how = []
    with contextlib.suppress(WrongTool):
        pg_restore = here.fitting("pg_restore", major, until, newer=True)
        try:
            stream.run([pg_restore, "--file", os.devnull, path], {"LC_ALL": "C"}, left(until))
        except stream.EngineError as error:
            raise stream.EngineError(f"what was written is no whole dump: {error}") from None
        how.append("pg_restore")
    if not how or kind == KINDS[DIRECTORY]:
        how.append(_sound(readers.read(path, kind, until, tools=False), os.path.basename(path)))
    return ", ".join(how)


def _sound(answer: readers.Answer, name: str) -> str:
    if answer["status"] == "ok":
        return str(answer["how"])
    why = "is damaged" if answer["status"] == "bad" else "could not be read to its end"
    raise stream.EngineError(f"{name} {why}: {answer['why']}")


@contextlib.contextmanager
def _in(moment: Snapshot) -> Iterator[None]:
    """While pg_dump reads in a snapshot: where that goes away, why it did is told, and not what pg_dump says of it."""
    try:
        with explaining():
            yield
    except stream.EngineError:
        moment.check()
        raise


@contextlib.contextmanager
def explaining() -> Iterator[None]:
    """Add to an engine's last words what to do, where that is known."""
    try:
        yield
    except stream.EngineError as error:
        raise explained(error) from None


def engine(params: Mapping[str, Any]) -> DumpEngine:
    """The engine that a module's options ask for.

    :raises OptionError: options that do not go together.
    """
    account = login(params)
    if params["format"] == CUSTOM and params["jobs"] > 1:
        raise OptionError("jobs: only a dump of format=directory is written by several at once")
    if params["jobs"] < 1:
        raise OptionError("jobs: want 1 or more, got %d" % params["jobs"])
    if params["format"] == DIRECTORY and account.prefix:
        option = "pod" if params.get("pod") else "command_prefix"
        raise OptionError(f"{option}: a directory would be written over there; only format=custom comes through")
    if params["compress"] is not None and not 0 <= params["compress"] <= 9:
        raise OptionError("compress: want 0 to 9, got %d" % params["compress"])
    return DumpEngine(
        params["system"],
        account,
        Options(
            format=params["format"],
            jobs=params["jobs"],
            compress=params["compress"],
            globals_too=params["globals"],
            invariants=params["invariants"],
            queries=snapshot.queries(params["queries"]),
        ),
    )

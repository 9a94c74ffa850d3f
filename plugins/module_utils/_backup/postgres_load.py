# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load a dump into a database: archives of pg_dump by pg_restore, plain SQL by psql in one transaction."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import re
import subprocess
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .._core.errors import OpsError, OptionError
from . import pgdump, plain_file, psql, readers, sql_text, stream

FORMATS = ("pg_custom", "pg_directory", "sql")
GLOBALS = "globals.sql"
_PIECE = 1 << 18
_HEAD = 1 << 16
_NAME = r'(?:"(?:[^"]|"")+"|[^\s";]+)'
_CREATE = re.compile(rf"^CREATE DATABASE {_NAME} (WITH .*);$", re.M)
_PROPERTY = re.compile(
    rf"^((?:ALTER|ALTER ROLE {_NAME} IN|GRANT [^\n]*? ON|REVOKE [^\n]*? ON) DATABASE) {_NAME} ([^\n]*;)$", re.M
)
_OF_ROLES = re.compile(r"ALTER ROLE|GRANT|REVOKE|ALTER DATABASE .* OWNER TO ")
_DUMPED_FROM = re.compile(rb"^-- Dumped from database version (\S+)", re.M)
# A command of psql itself: it would connect to another database, run a program, read another file.
_COMMAND = re.compile(rb"\\[a-zA-Z!?]")
_GUARDS = (b"\\restrict ", b"\\unrestrict ")
_COPY = re.compile(rb"^COPY .* FROM stdin;\s*$", re.I)
_ROLE_LINE = re.compile(rf"^(CREATE|ALTER) ROLE ({_NAME})(?=[\s;])")
_GRANT_LINE = re.compile(rf"^GRANT ({_NAME}) TO ({_NAME})(?=[\s;])")
# What the server's machine lacks, not what the dump lacks.
NOT_THE_DUMP = re.compile(
    r"(?i)is not available|extension control file|could not access file|no space left|could not extend file"
    r"|out of (shared )?memory|invalid (LC_|locale)|locale .* (not|does)|collation .* (not|does)|unsupported version"
    r"|terminating connection|server closed the connection|could not connect|connection to server|connection refused"
    r"|killed by signal (9|15)\b|cannot be started|not done in time|permission denied|is the database system"
    r"|shutting down|starting up|unrecognized configuration parameter"
)


_ROWS = (
    (re.compile(r"(Failing row contains) \(.*?\)(?=\.|;|$)", re.S), r"\1 (…)"),
    (re.compile(r"(Key \([^)]*\))=\(.*?\)(?= (?:is|already|conflicts)|;|$)", re.S), r"\1=(…)"),
    (re.compile(r'(COPY [^;]*?line \d+(?:, column [^:;]*)?): ".*?"(?=;|$)', re.S), r"\1"),
    (re.compile(r'(invalid input [^;"]*|value|out of range[^;"]*): ".*?"(?=;|$)', re.S), r"\1"),
)


class Bad(Exception):
    """The dump itself cannot be loaded; the text says why."""


@dataclass(frozen=True)
class Dump:
    """What is loaded.

    :ivar format: one of `FORMATS`; roles: the file with the roles, or None.
    :ivar major: version of the server that it is of; database: its name. None where the dump does not tell.
    """

    path: str
    format: str
    roles: str | None = None
    major: int | None = None
    database: str | None = None


def describe(path: str, kind: str = readers.AUTO, roles: str | None = None) -> Dump:
    """Look at the head of a dump.

    :raises Bad: its head cannot be read.
    :raises OptionError: it is no dump of PostgreSQL.
    """
    try:
        kind = readers.format_of(path) if kind == readers.AUTO else kind
        if kind not in FORMATS:
            raise OptionError(f"{path} is no dump of PostgreSQL: want custom or directory format, or plain SQL")
        if kind == "sql":
            with opened(path) as stream_of:
                found = _DUMPED_FROM.search(stream_of.read(_HEAD))
            return Dump(path, kind, roles, psql.major(found.group(1).decode()) if found else None)
        with plain_file.opened(os.path.join(path, "toc.dat") if kind == "pg_directory" else path) as file:
            try:
                head = pgdump.header(file)
            except pgdump.Unknown:
                return Dump(path, kind, roles)
    except pgdump.Damaged as error:
        raise Bad(f"{os.path.basename(path)}: {error}") from error
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise Bad(f"{os.path.basename(path)} breaks off or is damaged: {error}") from error
    except OSError as error:
        if error.errno is None:  # what gzip and bz2 raise for damaged data
            raise Bad(f"{os.path.basename(path)} is damaged: {error}") from error
        raise OpsError(f"{path}: {error.strerror}") from error
    return Dump(path, kind, roles, psql.major(head.server), head.database)


def only_structure(dump: Dump) -> str | None:
    """Whether an archive makes tables and fills none. None as well where its head is not known here."""
    path = os.path.join(dump.path, "toc.dat") if dump.format == "pg_directory" else dump.path
    with contextlib.suppress(OSError, pgdump.Damaged), plain_file.opened(path) as file:
        return pgdump.header(file).only_structure()
    return None


@contextlib.contextmanager
def opened(path: str) -> Iterator[Any]:
    """The bytes of a file, unpacked by its first bytes."""
    with plain_file.opened(path) as file:
        head = file.read(6)
    if head.startswith(b"\x1f\x8b"):
        with gzip.open(path, "rb") as unpacked:
            yield unpacked
    elif head.startswith(b"BZh"):
        with bz2.open(path, "rb") as packed:
            yield packed
    elif head.startswith(b"\xfd7zXZ\x00"):
        with lzma.open(path, "rb") as xz:
            yield xz
    else:
        with open(path, "rb") as plain:
            yield plain


def check_sql(path: str, until: float) -> sql_text.Text:
    """Read a plain dump to its end: it is whole, it is of one database, and holds nothing but SQL.

    :returns: what is in it.
    :raises Bad: it stops early or is damaged.
    :raises OptionError: it holds commands of psql, such as ``\\connect``, which would leave the database.
    """
    name = os.path.basename(path)

    def in_time() -> None:
        if time.monotonic() > until:
            raise OpsError(f"{path}: there was no time to read it to its end")

    def refuse(number: int, line: bytes) -> None:
        if _COMMAND.match(line) and not line.startswith(_GUARDS):
            word = line.split()[0].decode(errors="replace")
            raise OptionError(
                f"{path}: line {number} is {word}, a command of psql. It would leave the database that is restored "
                "into. A dump with several databases (pg_dumpall, pg_dump --create) has to be taken apart first"
            )

    try:
        with opened(path) as stream_of:
            text = sql_text.scan(stream_of, in_time, refuse)
    except sql_text.Broken as error:
        raise Bad(f"{name}: {error}") from None
    except (EOFError, zlib.error, lzma.LZMAError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise OpsError(f"{path}: {error.strerror}") from error
        raise Bad(f"{name} breaks off or is damaged: {error}") from error
    if not text.lines:
        raise Bad(f"{name} is empty")
    if not text.begun and b"PostgreSQL database cluster dump complete" in text.tail:
        raise Bad(f"{name} holds the roles of a server (pg_dumpall --globals-only), and no database")
    if b"PostgreSQL database dump complete" not in text.tail:
        raise Bad(f"{name} stops early, at line {text.lines}: the last line of a whole dump is missing")
    why = text.trouble()
    if why:
        raise Bad(f"{name}: {why}")
    return text


def create(server: psql.Server, dump: Dump, database: str, until: float, odd: list[str]) -> list[str]:
    """Make the database that a dump is of, empty, under another name, with its encoding and locale.

    :param odd: gets what is another way than it was.
    :returns: statements for :func:`set_up`, when all is in it: a setting such as ``default_transaction_read_only``
        would keep everything out.
    :raises EngineError: it cannot be made.
    """
    how, name = "WITH TEMPLATE = template0 ENCODING = 'UTF8'", psql.ident(database)
    later = []
    if dump.format != "sql":
        text = _database_sql(server, dump, until)
        made = _CREATE.search(text)
        how = made.group(1) if made else how
        later = [f"{found.group(1)} {name} {found.group(2)}" for found in _PROPERTY.finditer(text)]
    try:
        server.ask(f"CREATE DATABASE {name} {how}", seconds=_left(until))
    except stream.EngineError as error:
        if not re.search(r"(?i)invalid (LC_|locale)|locale|collation", str(error)):
            raise
        encoding = re.search(r"ENCODING = '\w+'", how)
        kept = encoding.group() if encoding else "ENCODING = 'UTF8'"
        server.ask(f"CREATE DATABASE {name} WITH TEMPLATE = template0 {kept} LOCALE = 'C'", seconds=_left(until))
        odd.append(f"the server lacks the locale of the dump, and orders by C: {how}")
    return later


def set_up(server: psql.Server, statements: Sequence[str], owners: bool, until: float) -> list[str]:
    """Give a database what belongs to its name: owner, settings, rights.

    :param owners: whether that of roles is among them.
    :returns: what the server refused.
    """
    refused = []
    for statement in statements:
        if owners or not _OF_ROLES.match(statement):
            try:
                server.ask(statement, seconds=_left(until))
            except stream.EngineError as error:
                refused.append(str(error))
    return refused


def load_archive(
    server: psql.Server, dump: Dump, database: str, jobs: int, until: float, arguments: Sequence[str] = ()
) -> None:
    """Load an archive. The first error ends it.

    :raises Bad: the dump cannot be loaded.
    :raises EngineError: the server, or the machine, is not up to it.
    """
    command = [
        server.tool("pg_restore", dump.major or 0),
        "--exit-on-error",
        "--no-password",
        "-d",
        psql.conninfo(database),
    ]
    command += [f"--jobs={max(jobs, 1)}", *arguments, dump.path]
    said: list[str] = []
    try:
        stream.work(command, os.path.dirname(dump.path), server.environment, None, until, said.append)
    except stream.EngineError as error:
        raise judged(error, until) from None
    wrong = [line for line in said if re.search(r"(?i)\b(error|fatal|panic):", line)]
    if wrong:
        raise Bad("; ".join(wrong[:3]))


def load_sql(server: psql.Server, dump: Dump, database: str, until: float) -> None:
    """Load plain SQL in one transaction; the first error takes all of it back.

    :raises Bad: the dump cannot be loaded.
    :raises EngineError: the server, or the machine, is not up to it.
    """
    command = [server.tool("psql"), "-Xq", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-f", "-"]
    environment = {**os.environ, **server.environment, "PGDATABASE": database}
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(  # noqa: S603  # pylint: disable=ansible-bad-function
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise OpsError(f"{command[0]} cannot be started: {error.strerror}") from error
        try:
            _feed(process, dump.path, until)
            status = process.wait(timeout=_left(until))
        except subprocess.TimeoutExpired:
            raise stream.EngineError("psql was not done in time; nothing of it stays") from None
        except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
            raise Bad(f"{os.path.basename(dump.path)}: {error}") from error
        finally:
            stream.stop(process)
            if process.stdin is not None:
                with contextlib.suppress(OSError):
                    process.stdin.close()
        errors.seek(0)
        lines = errors.read(1 << 20).decode(errors="replace").splitlines()
    if status:
        raise judged(stream.EngineError(stream.said("psql", status, lines)), until)


def load_roles(server: psql.Server, path: str, until: float) -> list[str]:
    """Make the roles of a set's globals that are not there. Those that are there keep their passwords and settings.

    Tablespaces are left out: their folders are those of the server that the set is of, which may be this very machine.

    :returns: names of the roles that were made.
    :raises Bad: a role cannot be made.
    """
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise OpsError(f"{path}: {error.strerror}") from error
    there = {row[0] for row in server.ask("SELECT rolname FROM pg_roles", seconds=_left(until))}
    chosen, made = choose_roles(lines, there)
    if chosen:
        sql = "BEGIN;\n" + "\n".join(chosen) + "\nCOMMIT;\n"
        try:
            server.ask(sql, seconds=_left(until))
        except stream.EngineError as error:
            raise judged(error, until) from None
    return made


def choose_roles(lines: Sequence[str], there: set[str]) -> tuple[list[str], list[str]]:
    """Of the lines of pg_dumpall's globals, those that make the roles that are not there yet; and their names."""
    made, chosen = [], []
    for line in lines:
        role, grant = _ROLE_LINE.match(line), _GRANT_LINE.match(line)
        if role:
            name = _bare(role.group(2))
            if role.group(1) == "CREATE":
                if name in there:
                    continue
                made.append(name)
            elif name not in made or " IN DATABASE " in line:
                continue
            chosen.append(line)
        elif grant:
            if _bare(grant.group(2)) not in made:
                continue
            # Who granted it may not be there, and may not be the one who grants it now.
            chosen.append(re.sub(r" GRANTED BY .*;$", ";", line))
    return chosen, made


def judged(error: OpsError, until: float) -> Exception:
    """Whether a failure is the dump's own (Bad), or its machine's (as it was)."""
    if time.monotonic() >= until or NOT_THE_DUMP.search(str(error)):
        return stream.EngineError(without_rows(str(error)))
    return Bad(without_rows(str(error)))


def without_rows(text: str) -> str:
    """What a server says, without the values of rows: proofs and reports are read by people who may not see them."""
    for pattern, instead in _ROWS:
        text = pattern.sub(instead, text)
    return text


def _database_sql(server: psql.Server, dump: Dump, until: float) -> str:
    """The statements of an archive that make and set up its database, and no others."""
    tool = server.tool("pg_restore", dump.major or 0)
    listed = stream.run([tool, "--create", "-l", dump.path], {"LC_ALL": "C"}, _left(until))
    wanted = [line for line in listed.splitlines() if re.match(r"\d+; \d+ \d+ (DATABASE|ACL - DATABASE)", line)]
    if not wanted:
        return ""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as chosen:
        chosen.write("\n".join(wanted) + "\n")
        chosen.flush()
        command = [tool, "--create", "--schema-only", "--no-tablespaces", "-L", chosen.name, "-f", "-", dump.path]
        return stream.run(command, {"LC_ALL": "C"}, _left(until))


def _feed(process: subprocess.Popen[bytes], path: str, until: float) -> None:
    """Pipe a file into psql, without the guards of newer dumps, which an older psql does not know.

    That nothing else of psql's own stands in it has been seen before (:func:`check_sql`).
    """
    if process.stdin is None:
        raise AssertionError("process.stdin is None")
    with opened(path) as lines:
        for line in _pieces(lines):
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired("psql", 0)
            try:
                process.stdin.write(line)
            except BrokenPipeError:
                return  # it has ended: its status says why
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()


def _pieces(lines: Any) -> Iterator[bytes]:
    inside, held, size = False, [], 0
    for line in lines:
        if inside:
            inside = line.rstrip(b"\r\n") != b"\\."
        elif line.startswith(_GUARDS):
            continue
        elif _COPY.match(line):
            inside = True
        held.append(line)
        size += len(line)
        if size >= _PIECE:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)


def _bare(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.rstrip(";")


def _left(until: float) -> float:
    return max(until - time.monotonic(), 0.1)

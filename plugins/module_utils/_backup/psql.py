# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a PostgreSQL server through its own psql: nothing but that has to be installed beside the backups."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from . import postgres_tools, stream
from .postgres_tools import Login

_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
)
_COLUMN, _ROW = "\x1f", "\x1e"


@dataclass(frozen=True)
class Server:
    """A server and a way to it.

    :ivar major: its version, where it is known: programs of that version are taken first.
    """

    login: Login
    major: int = 0

    @property
    def environment(self) -> dict[str, str]:
        """For libpq: PGHOST, PGPORT, PGUSER, PGPASSWORD …"""
        return {"PGAPPNAME": "nexuscos", **self.login.environment()}

    def of(self, database: str) -> Login:
        """The way to one of its databases."""
        return replace(self.login, database=database)

    def tool(self, name: str, major: int = 0) -> str:
        """The path of a program of PostgreSQL, of the server's version or of a newer one that is asked for."""
        return self.login.tool(name, max(self.major, major))

    def ask(self, sql: str, database: str | None = None, seconds: float | None = None) -> list[list[str]]:
        """The rows that one statement answers, as texts. NULL is an empty text.

        :raises EngineError: the server is away or refuses, or the statement is wrong; the text is the server's.
        """
        command = [self.tool("psql"), "-XqAt", "-F", _COLUMN, "-R", _ROW, "-v", "ON_ERROR_STOP=1", "-f", "-"]
        # The name goes by the environment: in an argument, one with a = in it would be a whole conninfo.
        there = {**self.environment, "PGCLIENTENCODING": "UTF8"}
        if database is not None:
            there["PGDATABASE"] = database
        out = stream.run(command, there, seconds, sql.encode())
        out = out[:-1] if out.endswith("\n") else out
        return [row.split(_COLUMN) for row in out.split(_ROW)] if out else []

    def answer(self, sql: str, database: str | None = None, seconds: float | None = None) -> str:
        """The first value of the first row, empty where there is none."""
        rows = self.ask(sql, database, seconds)
        return rows[0][0] if rows else ""


def server(params: Mapping[str, Any], until: float) -> Server:
    """The server that a module's options lead to; it has answered.

    :raises OptionError: a number makes no sense.
    :raises EngineError: it does not answer.
    """
    login = postgres_tools.login({**params, "command_prefix": ()})
    try:
        found = Server(login).answer("SHOW server_version_num", seconds=postgres_tools.left(until))
    except stream.EngineError as error:
        raise postgres_tools.explained(error) from None
    return Server(login, int(found) // 10000)


def folders(bin_dir: str = "") -> list[str]:
    """Folders that may hold programs of PostgreSQL: those of `bin_dir` alone where it is given, or the usual ones."""
    if bin_dir:
        return [bin_dir, *sorted(glob.glob(os.path.join(glob.escape(bin_dir), "*", "bin")), key=_number, reverse=True)]
    found = [os.path.dirname(path) for path in [shutil.which("postgres"), shutil.which("psql")] if path]
    usual = [path for place in _PLACES for path in glob.glob(place)]
    return [*found, *sorted(usual, key=_number, reverse=True)]


def major(text: Any) -> int | None:
    """The major version in ``15.14 (Debian …)``, ``PostgreSQL 15.14`` or 150014; None where there is none."""
    match = re.search(r"\d+", str(text))
    if not match:
        return None
    number = int(match.group())
    return number // 10000 if number >= 10000 else number


def installed(folder: str, name: str = "postgres") -> int | None:
    """The major version of a program in a folder; None where it is not there or does not say."""
    path = os.path.join(folder, name)
    if os.path.isfile(path) and os.access(path, os.X_OK):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            said = subprocess.run(  # noqa: S603  # pylint: disable=ansible-bad-function
                [path, "--version"], capture_output=True, stdin=subprocess.DEVNULL, timeout=10, check=False
            )
            return major(said.stdout.decode(errors="replace"))
    return None


def conninfo(database: str) -> str:
    """A database as an argument of a program: by its bare name, one with a = in it would be a whole conninfo."""
    return "dbname='" + database.replace("\\", "\\\\").replace("'", "\\'") + "'"


def ident(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL writes it, whatever the server makes of backslashes."""
    quoted = "'" + text.replace("'", "''") + "'"
    return "E" + quoted.replace("\\", "\\\\") if "\\" in quoted else quoted


def _number(path: str) -> int:
    numbers = re.findall(r"\d+", path)
    return int(numbers[-1]) if numbers else 0

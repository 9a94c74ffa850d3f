# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the history is: a URL of SQLite or PostgreSQL, and how it may be shown."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from .._core.deps import need
from .._core.redact import redact_text

if TYPE_CHECKING:
    import sqlalchemy as sa

OFF = "none"
"""The URL of who wants no history."""
FILE = "history.sqlite"


class HistoryError(Exception):
    """The history cannot be read or written; the text says which and why, and holds no password."""


def default_url(folder: str) -> str:
    """The history beside the reports.

    :param folder: `nexuscos_report_dir`.
    """
    return "sqlite:///%s" % os.path.join(os.path.abspath(os.path.expanduser(folder)), FILE)


def shown(url: str) -> str:
    """The URL without its password, for people."""
    try:
        lib = need("sqlalchemy", "2.0", "SQLAlchemy")
        return redact_text(str(lib.make_url(url).render_as_string(hide_password=True)))
    # Whatever it is that was given: nothing of it may be shown that could be a password.
    except Exception:  # noqa: BLE001
        return redact_text(url)


def path_of(url: str) -> str | None:
    """The file of an SQLite URL; None for another database."""
    return os.path.expanduser(url[len("sqlite:///") :]) if url.startswith("sqlite:///") else None


def engine(url: str, write: bool) -> sa.Engine:
    """An engine that holds on to no connection.

    :param write: make the file where it is missing; without it nothing is written, ever.
    :raises HistoryError: not a URL of SQLite or PostgreSQL, or its library is missing.
    """
    lib = need("sqlalchemy", "2.0", "SQLAlchemy")
    try:
        parsed = lib.make_url(url)
        backend = parsed.get_backend_name()
    except Exception as error:
        raise HistoryError(
            "nexuscos_history_url: want sqlite:///<file> or postgresql+psycopg://<user>@<host>/<database>, got %s"
            % shown(url)
        ) from error
    if backend == "sqlite":
        made = _sqlite(lib, url, write)
    elif backend in ("postgresql", "postgres"):
        made = _postgresql(lib, parsed)
    else:
        raise HistoryError("nexuscos_history_url: want SQLite or PostgreSQL, got %s" % shown(url))
    return made


def _sqlite(lib: Any, url: str, write: bool) -> sa.Engine:
    import sqlite3

    path = path_of(url)
    if not path:
        raise HistoryError("nexuscos_history_url: want sqlite:///<file>, got %s" % shown(url))
    if write and not os.path.exists(path):
        _make(path)
    place = "file:%s?mode=%s" % (quote(os.path.abspath(path)), "rw" if write else "ro")

    def connect() -> Any:
        # Other runs write, too: wait for them. No journal beside the file stays, so that it can be copied, and be read
        # where nothing can be written.
        return sqlite3.connect(place, uri=True, timeout=30.0, isolation_level=None)

    made = lib.create_engine("sqlite://", creator=connect, poolclass=lib.pool.NullPool)

    @lib.event.listens_for(made, "begin")  # type: ignore[untyped-decorator]
    def begin(connection: Any) -> None:
        # A transaction that begins by reading and goes on to write would fail at once when another is writing.
        immediate = connection.get_execution_options().get("nexuscos_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return cast("sa.Engine", made)


def _make(path: str) -> None:
    """The file with nothing in it, for its owner alone: findings tell much about a platform."""
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise HistoryError("the history %s cannot be made: %s" % (path, error.strerror or error)) from error


def _postgresql(lib: Any, parsed: Any) -> sa.Engine:
    need("psycopg", "3.1")
    made = lib.create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        poolclass=lib.pool.NullPool,
        # A history that does not answer must not hold up the report.
        connect_args={"connect_timeout": 5, "application_name": "nexuscos.ops", "tcp_user_timeout": 20000},
    )

    @lib.event.listens_for(made, "connect")  # type: ignore[untyped-decorator]
    def limits(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '30s'")
            cursor.execute("SET lock_timeout = '15s'")
        connection.commit()

    return cast("sa.Engine", made)

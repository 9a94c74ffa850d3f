# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases and their names: what belongs to a name and not to its data, and what is chosen out of a dump by names."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .._core.errors import OptionError
from .._core.threshold import nearest
from . import psql
from .postgres_tools import left

RESTORING, BEFORE, UNDONE = "restoring", "before", "undone"
LONGEST = 63
"""Bytes that PostgreSQL keeps of a name."""
# Values of these are lists of names, which are stored as they are written.
_LISTS = (
    "search_path", "temp_tablespaces", "local_preload_libraries", "session_preload_libraries",
    "shared_preload_libraries", "unix_socket_directories",
)  # fmt: skip
_LIVE = """
SELECT json_build_object(
 'oid', d.oid, 'bytes', pg_database_size(d.oid), 'owner', pg_get_userbyid(d.datdba),
 'encoding', pg_encoding_to_char(d.encoding), 'row', to_jsonb(d), 'comment', shobj_description(d.oid, 'pg_database'),
 'tablespace', (SELECT spcname FROM pg_tablespace t WHERE t.oid = d.dattablespace),
 'settings', (SELECT coalesce(json_agg(json_build_array(CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole) END,
   s.setconfig)), '[]') FROM pg_db_role_setting s WHERE s.setdatabase = d.oid),
 'rights', (SELECT coalesce(json_agg(json_build_array(CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END,
   a.privilege_type, a.is_grantable)), '[]') FROM aclexplode(d.datacl) a),
 'prepared', (SELECT count(*) FROM pg_prepared_xacts x WHERE x.database = d.datname),
 'slots', (SELECT coalesce(json_agg(r.slot_name ORDER BY r.slot_name), '[]') FROM pg_replication_slots r
   WHERE r.database = d.datname),
 'connections', (SELECT coalesce(json_agg(json_build_object('user', usename, 'application', application_name,
   'client', coalesce(host(client_addr), 'socket'), 'count', n) ORDER BY n DESC, usename), '[]')
   FROM (SELECT usename, application_name, client_addr, count(*) AS n FROM pg_stat_activity
     WHERE datname = d.datname AND pid <> pg_backend_pid() AND backend_type IN ('client backend', 'walsender')
     GROUP BY 1, 2, 3) a))
FROM pg_database d WHERE d.datname ="""


def look(server: psql.Server, database: str, until: float) -> dict[str, Any] | None:
    """What a database is, who uses it, and what belongs to its name and not to its data; None where there is none."""
    text = server.answer(f"{_LIVE} {psql.literal(database)}", seconds=left(until))
    found: dict[str, Any] | None = json.loads(text) if text else None
    return found


def named(database: str, word: str, stamp: str) -> str:
    """``nexusdb_before_20261129t060000z``; a long name loses its end, so that the stamp stays."""
    suffix = f"_{word}_{re.sub('[^0-9TZ]', '', stamp).lower()}"
    return database.encode()[: LONGEST - len(suffix)].decode(errors="ignore") + suffix


def of_name(names: Sequence[str], database: str, word: str) -> list[str]:
    """Those databases that were named so (:func:`named`), the newest first."""
    sample = named(database, word, "20000101T000000Z")
    start = re.escape(sample[: -len("20000101t000000z")])
    return sorted((name for name in names if re.fullmatch(start + r"\d{8}t\d{6}z", name)), reverse=True)


def like(live: Mapping[str, Any], database: str) -> list[str]:
    """Statements that make a database like another one: the first makes it, the others set what belongs to its name."""
    name, row = psql.ident(database), live["row"]
    how = [f"OWNER {psql.ident(live['owner'])}", "TEMPLATE template0", f"ENCODING {psql.literal(live['encoding'])}"]
    how += [f"LC_COLLATE {psql.literal(row['datcollate'])}", f"LC_CTYPE {psql.literal(row['datctype'])}"]
    provider = row.get("datlocprovider", "c")
    locale = row.get("datlocale") or row.get("daticulocale")
    if provider == "i":
        how += ["LOCALE_PROVIDER icu", f"ICU_LOCALE {psql.literal(locale)}"]
        how += [f"ICU_RULES {psql.literal(row['daticurules'])}"] if row.get("daticurules") else []
    elif provider == "b":
        how += ["LOCALE_PROVIDER builtin", f"BUILTIN_LOCALE {psql.literal(locale)}"]
    if live["tablespace"] != "pg_default":
        how.append(f"TABLESPACE {psql.ident(live['tablespace'])}")
    made = [f"CREATE DATABASE {name} WITH {' '.join(how)}"]
    made.append(f"ALTER DATABASE {name} CONNECTION LIMIT {int(row['datconnlimit'])}")
    for role, settings in live["settings"]:
        who = f"ALTER ROLE {psql.ident(role)} IN DATABASE {name}" if role else f"ALTER DATABASE {name}"
        for one in settings:
            key, value = one.split("=", 1)
            parts = ".".join(psql.ident(part) for part in key.split("."))
            made.append(f"{who} SET {parts} TO {value if key in _LISTS and value else psql.literal(value)}")
    if row.get("datacl") is not None:
        made.append(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
        for role, right, grantable in live["rights"]:
            to = psql.ident(role) if role else "PUBLIC"
            made.append(f"GRANT {right} ON DATABASE {name} TO {to}{' WITH GRANT OPTION' if grantable else ''}")
    return made


def selected(listing: str, patterns: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Of the table of contents of an archive (``pg_restore -l``), what brings the rows of some tables and no others.

    All definitions stay: the rows' types, defaults and keys are among them, and an empty table costs nothing.

    :returns: lines for ``pg_restore -L``; lines of keys from chosen tables to others, which may not hold without the
        others' rows; names of the tables.
    :raises OptionError: a pattern matches no table.
    """
    lines, keys, names, known = [], [], [], []
    for line in listing.splitlines():
        data = re.match(r"\d+; \d+ \d+ TABLE DATA (\S+) (.+) \S+$", line)
        if data:
            known.append(f"{data.group(1)}.{data.group(2)}")
    for pattern in patterns:
        found = [name for name in known if fnmatch.fnmatchcase(name, pattern)]
        if not found:
            raise OptionError(f"tables: there is no table {pattern!r} in the dump{nearest(pattern, known)}")
        names += [name for name in found if name not in names]
    for line in listing.splitlines():
        data = re.match(r"\d+; \d+ \d+ TABLE DATA (\S+) (.+) \S+$", line)
        key = re.match(r"\d+; \d+ \d+ FK CONSTRAINT (\S+) (.+) \S+$", line)
        if data and f"{data.group(1)}.{data.group(2)}" not in names:
            continue
        if key and any(f"{key.group(1)}.{key.group(2)}".startswith(name + " ") for name in names):
            keys.append(line)
            continue
        if re.match(r"\d+; \d+ \d+ (BLOBS|BLOB|BLOB METADATA|BLOB COMMENTS) ", line):
            continue
        lines.append(line)
    return lines, keys, names


def plain(name: str) -> str:
    """``billing."Odd name"`` without the quotes."""
    return ".".join(
        part[1:-1].replace('""', '"') if part.startswith('"') else part
        for part in re.findall(r'"(?:[^"]|"")*"|[^."]+', name)
    )

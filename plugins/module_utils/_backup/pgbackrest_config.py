# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pgBackRest's configuration says of a stanza: where the server is, and where each repository is."""

from __future__ import annotations

import configparser
import glob
import os
import socket
from collections.abc import Mapping

_FILES = ("/etc/pgbackrest/pgbackrest.conf", "/etc/pgbackrest.conf")
_INCLUDED = "/etc/pgbackrest/conf.d/*.conf"
_AWAY = {"s3": "s3-bucket", "azure": "azure-container", "gcs": "gcs-bucket", "sftp": "sftp-host"}
_PATH = "/var/lib/pgbackrest"


def read(stanza: str, config: str = "") -> dict[str, str]:
    """The options of a stanza and those of all, the former before the latter. What cannot be read says nothing.

    :param config: path of the configuration, empty for pgBackRest's own.
    """
    names = [config] if config else [next((name for name in _FILES if os.path.exists(name)), _FILES[0])]
    found = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    for name in [*names, *([] if config else sorted(glob.glob(_INCLUDED)))]:
        try:
            found.read(name, encoding="utf-8")
        except (OSError, UnicodeDecodeError, configparser.Error):
            continue
    parts = [dict(found[name]) for name in ("global", stanza) if found.has_section(name)]
    return {key: value for part in parts for key, value in part.items()}


def server(options: Mapping[str, str]) -> tuple[dict[str, str], str | None]:
    """How libpq comes to the server, and why it cannot from here: a server of another host is asked by pgBackRest."""
    host = options.get("pg1-host")
    if host and not _is_here(host):
        return {}, f"the server is on {host}"
    if "pg1-path" not in options:
        return {}, "pgBackRest's configuration does not say where the server is"
    way = {"PGPORT": options.get("pg1-port", "5432"), "PGDATABASE": options.get("pg1-database", "postgres")}
    for name, key in (("PGHOST", "pg1-socket-path"), ("PGUSER", "pg1-user")):
        if options.get(key):
            way[name] = options[key]
    return way, None


def place(options: Mapping[str, str], number: int) -> tuple[str, bool]:
    """Where a repository is, in words, and whether that is away from this host."""
    start = f"repo{number}-"
    path = options.get(start + "path", _PATH)
    kind = options.get(start + "type", "posix")
    if kind in _AWAY:
        return f"{kind}:{options.get(start + _AWAY[kind], '?')}{path}", True
    host = options.get(start + "host", "")
    if host and not _is_here(host):
        return f"{host}:{path}", True
    return path, False


def _is_here(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "::1", socket.gethostname(), socket.gethostname().split(".")[0])

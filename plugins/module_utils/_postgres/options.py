# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of every module that talks to PostgreSQL (doc fragment `postgres`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.argspec import ArgSpec
from .._core.errors import OptionError
from .collect import Options

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def login_spec() -> ArgSpec:
    """Where the server is, and who we are there."""
    return ArgSpec(
        {
            "login_host": {"type": "str"},
            "login_port": {"type": "int", "default": 5432},
            "login_user": {"type": "str"},
            "login_password": {"type": "str", "no_log": True},
            "login_db": {"type": "str", "default": "postgres"},
            "ssl_mode": {"type": "str", "choices": list(SSL_MODES)},
            "ca_cert": {"type": "path"},
            "ssl_cert": {"type": "path"},
            "ssl_key": {"type": "path"},
            "connect_timeout": {"type": "int", "default": 5},
        }
    )


def connection(params: Mapping[str, Any], wanted: tuple[str, ...]) -> Options:
    """Options of a look from options of a module.

    :param wanted: ids of the checks to answer, without ``postgres.``.
    :raises OptionError: a number makes no sense.
    """
    if not 0 < params["login_port"] < 65536:
        raise OptionError("login_port: want 1 to 65535, got %d" % params["login_port"])
    if params["connect_timeout"] < 1:
        raise OptionError("connect_timeout: want 1 second or more, got %d" % params["connect_timeout"])
    return Options(
        host=params["login_host"],
        port=params["login_port"],
        user=params["login_user"],
        password=params["login_password"],
        database=params["login_db"],
        wanted=wanted,
        databases=tuple(params["databases"]),
        deadline=params["deadline"],
        connect_timeout=params["connect_timeout"],
        tls={
            # Who names an authority wants the server checked against it; libpq by itself would only try.
            "sslmode": params["ssl_mode"] or ("verify-full" if params["ca_cert"] else "prefer"),
            "sslrootcert": params["ca_cert"],
            "sslcert": params["ssl_cert"],
            "sslkey": params["ssl_key"],
        },
    )

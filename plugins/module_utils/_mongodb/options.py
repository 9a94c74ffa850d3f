# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of modules that talk to MongoDB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.argspec import ArgSpec
from .._core.errors import OptionError
from .collect import Options

MECHANISMS = ("SCRAM-SHA-1", "SCRAM-SHA-256", "MONGODB-X509", "PLAIN")


def connection_spec() -> ArgSpec:
    """How a server is reached."""
    return ArgSpec(
        {
            "login_host": {"type": "str"},
            "login_port": {"type": "int", "default": 27017},
            "login_user": {"type": "str"},
            "login_password": {"type": "str", "no_log": True},
            "login_database": {"type": "str", "default": "admin"},
            "auth_mechanism": {"type": "str", "choices": list(MECHANISMS)},
            "tls": {"type": "bool"},
            "ca_cert": {"type": "path"},
            "client_cert": {"type": "path"},
            "validate_certs": {"type": "bool", "default": True},
            "connect_timeout": {"type": "float", "default": 5.0},
        }
    )


def connection(params: Mapping[str, Any]) -> Options:
    """Options of a look from options of a module.

    :raises OptionError: a number or a combination makes no sense.
    """
    if not params["login_host"]:
        raise OptionError("login_host: name the server, or judge a recording with replay_from")
    if not 0 < params["login_port"] < 65536:
        raise OptionError("login_port: want 1 to 65535, got %d" % params["login_port"])
    if params["connect_timeout"] <= 0:
        raise OptionError("connect_timeout: want more than 0 seconds, got {:g}".format(params["connect_timeout"]))
    if params["login_password"] and not params["login_user"]:
        raise OptionError("login_password wants login_user, too")
    tls: dict[str, Any] = {}
    # Who names an authority or shows a certificate wants TLS.
    if params["tls"] or (params["tls"] is None and (params["ca_cert"] or params["client_cert"])):
        tls = {
            "tls": True,
            "tlsCAFile": params["ca_cert"],
            "tlsCertificateKeyFile": params["client_cert"],
            "tlsAllowInvalidCertificates": None if params["validate_certs"] else True,
        }
    elif params["ca_cert"] or params["client_cert"]:
        raise OptionError("ca_cert and client_cert want tls: true")
    return Options(
        host=params["login_host"],
        port=params["login_port"],
        user=params["login_user"],
        password=params["login_password"],
        database="$external" if params["auth_mechanism"] == "MONGODB-X509" else params["login_database"],
        mechanism=params["auth_mechanism"],
        tls={key: value for key, value in tls.items() if value is not None},
        connect_timeout=params["connect_timeout"],
        deadline=params["deadline"],
    )

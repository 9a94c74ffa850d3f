# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of every module that talks to Redis (doc fragment `redis`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._core.argspec import ArgSpec
from .._core.errors import OptionError
from .case import Place
from .link import Address

SENTINEL_PORT = 26379


def login_spec() -> ArgSpec:
    """Where the server is, and who we are there."""
    return ArgSpec(
        {
            "login_host": {"type": "str"},
            "login_port": {"type": "int", "default": 6379},
            "login_user": {"type": "str"},
            "login_password": {"type": "str", "no_log": True},
            "tls": {"type": "bool", "default": False},
            "validate_certs": {"type": "bool", "default": True},
            "ca_cert": {"type": "path"},
            "client_cert": {"type": "path"},
            "client_key": {"type": "path", "no_log": False},
            "connect_timeout": {"type": "float", "default": 3.0},
        },
        required_together=[("client_cert", "client_key")],
    )


def place_spec(port: int) -> dict[str, Any]:
    """A list of servers: name, host, port."""
    return {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "host": {"type": "str"},
            "port": {"type": "int", "default": port},
        },
    }


def places(option: str, given: Sequence[Mapping[str, Any]]) -> tuple[Place, ...]:
    """Read such a list.

    :raises OptionError: a name twice, or a port that is none.
    """
    found = []
    for one in given:
        port = int(one["port"])
        if not 0 < port < 65536:
            raise OptionError("%s: %s: port: want 1 to 65535, got %d" % (option, one["name"], port))
        found.append(Place(one["name"], one["host"] or one["name"], port))
    names = [one.name for one in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise OptionError("%s: %s is there twice" % (option, ", ".join(twice)))
    return tuple(found)


def address(params: Mapping[str, Any]) -> Address:
    """Where the server is, from options of a module.

    :raises OptionError: a number makes no sense.
    """
    if not 0 < params["login_port"] < 65536:
        raise OptionError("login_port: want 1 to 65535, got %d" % params["login_port"])
    if params["connect_timeout"] <= 0:
        raise OptionError("connect_timeout: want more than 0 seconds, got {:g}".format(params["connect_timeout"]))
    return Address(
        host=params["login_host"],
        port=params["login_port"],
        user=params["login_user"],
        password=params["login_password"],
        tls=params["tls"],
        ca_cert=params["ca_cert"],
        client_cert=params["client_cert"],
        client_key=params["client_key"],
        validate_certs=params["validate_certs"],
    )

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of host_health, for its half on the host and its half on the controller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.argspec import ArgSpec, observe_spec
from .._core.errors import OptionError
from . import clocks, sockets

NAME = "host_health"
DEADLINE = 20.0


def spec() -> ArgSpec:
    """All options."""
    own = ArgSpec(
        {
            "listening": {"type": "list", "elements": "str", "default": []},
            "ignore_listening": {"type": "list", "elements": "str", "default": []},
            "units": {"type": "list", "elements": "str", "default": []},
            "ignore_units": {"type": "list", "elements": "str", "default": []},
            "ignore_mounts": {"type": "list", "elements": "str", "default": []},
            "folders": {"type": "list", "elements": "str", "default": []},
            "folders_budget": {"type": "float", "default": 2.0},
            "time_servers": {"type": "list", "elements": "str", "default": []},
            "kernel_log_hours": {"type": "float", "default": 24.0},
            "docker_socket": {"type": "str", "default": "/var/run/docker.sock"},
            "previous": {"type": "path"},
        }
    )
    return observe_spec(DEADLINE).merge(own)


def check(params: Mapping[str, Any]) -> None:
    """Refuse what can only be a mistake.

    :raises OptionError: with words.
    """
    sockets.parse(params.get("listening"))
    sockets.parse(params.get("ignore_listening"))
    for one in params.get("time_servers") or ():
        clocks.server(one)
    for one in params.get("folders") or ():
        if not one.startswith("/"):
            raise OptionError(f"folders: want absolute paths, got {one!r}")
    if params["folders_budget"] < 0:
        raise OptionError("folders_budget: want 0 seconds or more, got {:g}".format(params["folders_budget"]))
    if not 0 < params["kernel_log_hours"] <= 24 * 366:
        raise OptionError(
            "kernel_log_hours: want more than 0 hours and at most a year, got {:g}".format(params["kernel_log_hours"])
        )

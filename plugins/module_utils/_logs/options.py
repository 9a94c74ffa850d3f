# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of log_health: for the half on the host and for the one on the controller."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .._core.argspec import ArgSpec, observe_spec
from .._core.errors import OptionError
from .journal import PRIORITIES

NAME = "log_health"
DEADLINE = 60.0
KINDS = ("pods", "files", "journal", "compose")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)")
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

_PODS = {
    "kubeconfig": {"type": "path"},
    "context": {"type": "str"},
    "host": {"type": "str"},
    "token": {"type": "str", "no_log": True},
    "ca_file": {"type": "path"},
    "validate_certs": {"type": "bool"},
    "namespaces": {"type": "list", "elements": "str", "default": []},
    "exclude_namespaces": {"type": "list", "elements": "str", "default": []},
    "previous": {"type": "bool", "default": True},
}
_JOURNAL = {
    "units": {"type": "list", "elements": "str", "default": []},
    "priority": {"type": "str", "choices": list(PRIORITIES), "default": "err"},
}
_COMPOSE = {
    "docker_host": {"type": "str", "default": "unix:///var/run/docker.sock"},
    "project": {"type": "str", "required": True},
    "services": {"type": "list", "elements": "str", "default": []},
}
_SOURCE = {
    "pods": {"type": "dict", "options": _PODS},
    "files": {"type": "list", "elements": "str"},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "format": {"type": "str", "choices": ["auto", "json", "plain"], "default": "auto"},
    "journal": {"type": "dict", "options": _JOURNAL},
    "compose": {"type": "dict", "options": _COMPOSE},
    "service": {"type": "str"},
}


def spec() -> ArgSpec:
    """The options of the module."""
    own = ArgSpec(
        {
            "sources": {
                "type": "list",
                "elements": "dict",
                "options": _SOURCE,
                "mutually_exclusive": [KINDS],
                "required_one_of": [KINDS],
            },
            "since": {"type": "str", "default": "24h"},
            "max_events": {"type": "int", "default": 1_000_000},
            "max_templates": {"type": "int", "default": 1000},
            "max_mb": {"type": "int", "default": 8192},
            "pod_lines": {"type": "int", "default": 20_000},
            "pod_kb": {"type": "int", "default": 8192},
            "min_events": {"type": "int", "default": 3},
            "previous": {"type": "path"},
        },
        required_one_of=[("sources", "replay_from")],
    )
    return observe_spec(DEADLINE).merge(own)


def span(text: str) -> float:
    """Seconds of ``90``, ``30s``, ``15m``, ``24h`` or ``2d``.

    :raises OptionError: it is something else, or nothing.
    """
    match = _SPAN.fullmatch(str(text).strip())
    seconds = float(match.group(1)) * _UNITS[match.group(2)] if match else 0.0
    if not 0 < seconds <= 366 * 86400:
        raise OptionError(f"since: want a time such as 60s, 15m, 24h or 2d (a year at most), got {text!r}")
    return seconds


def check(params: Mapping[str, Any]) -> None:
    """What an argument spec cannot say.

    :raises OptionError: a number below 1, a time that is none, a source without a place.
    """
    for name in ("max_events", "max_templates", "max_mb", "pod_lines", "pod_kb", "min_events"):
        if int(params[name]) < 1:
            raise OptionError(f"{name}: want 1 or more, got {params[name]}")
    span(params["since"])
    for source in params.get("sources") or []:
        if source.get("files") is not None and not source["files"]:
            raise OptionError("sources: files wants at least one path or glob")

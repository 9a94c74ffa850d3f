# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of `metrics_health`, and what a look makes of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .._core.argspec import ArgSpec
from .._core.errors import OptionError
from .collect import Options
from .objectives import DIRECTIONS, NO_TRAFFIC, STANDARD, chosen, parse, standard
from .prometheus import duration

CONNECTION = ("url", "username", "password", "token", "ca_path", "validate_certs", "connect_to", "timeout")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")

_OBJECTIVE: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "query": {"type": "str", "required": True},
    "unit": {"type": "str", "default": ""},
    "target": {"type": "float"},
    "alert": {"type": "float"},
    "direction": {"type": "str", "choices": list(DIRECTIONS), "default": "above"},
    "window": {"type": "str"},
    "labels": {"type": "list", "elements": "str", "default": []},
    "service_label": {"type": "str"},
    "traffic": {"type": "str", "default": ""},
    "min_traffic": {"type": "float", "default": 0.0},
    "no_traffic": {"type": "str", "choices": list(NO_TRAFFIC), "default": "unknown"},
    "fresh": {"type": "str", "default": ""},
}


def objectives_spec() -> ArgSpec:
    """What is asked."""
    return ArgSpec(
        {
            "standard": {"type": "list", "elements": "str", "default": list(STANDARD)},
            "window": {"type": "str", "default": "5m"},
            "service_label": {"type": "str", "default": "service"},
            "host_label": {"type": "str", "default": "instance"},
            "min_traffic": {"type": "float", "default": 10.0},
            "no_traffic": {"type": "str", "choices": list(NO_TRAFFIC), "default": "ok"},
            "service_jobs": {"type": "list", "elements": "str", "default": ["nexus-cos-services"]},
            "services": {"type": "list", "elements": "str", "default": []},
            "expected_jobs": {"type": "list", "elements": "str", "default": []},
            "objectives": {"type": "list", "elements": "dict", "default": [], "options": _OBJECTIVE},
        }
    )


def read(params: Mapping[str, Any]) -> Options:
    """Options of a look from options of the module.

    :raises OptionError: one makes no sense.
    """
    duration(params["window"], "window")
    for option in ("service_label", "host_label"):
        _label(params[option], option)
    for objective in params["objectives"]:
        for label in (*objective["labels"], *([objective["service_label"]] if objective["service_label"] else [])):
            _label(label, f"objectives: {objective['name']}")
    built_in = standard(
        chosen(params["standard"]),
        params["window"],
        params["service_label"],
        params["host_label"],
        params["min_traffic"],
        params["no_traffic"],
    )
    own = parse(params["objectives"], params["window"], params["service_label"])
    return Options(
        connection={name: params[name] for name in CONNECTION},
        deadline=params["deadline"],
        objectives=(*built_in, *own),
        expected_jobs=tuple(params["expected_jobs"]),
        service_jobs=tuple(params["service_jobs"]),
        services=tuple(params["services"]),
        service_label=params["service_label"],
    )


def _label(name: str, option: str) -> None:
    if not _LABEL.match(name):
        raise OptionError(f"{option}: {name!r} cannot be the name of a label")

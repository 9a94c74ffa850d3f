# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of backup_health, for both of its halves."""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping
from typing import Any

from .._core.argspec import ArgSpec, observe_spec
from .._core.errors import OptionError
from .._core.threshold import nearest
from . import layout
from .readers import FORMATS

NAME = "backup_health"
DEADLINE = 60.0
VERIFY = ("read", "checksum", "none")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(m|min|h|d|w)")
_UNITS = {"m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_KEYS = ("name", "paths", "every", "format", "verify", "level", "copies", "offsite", "unchanging")
# A run's folder of our own layout, see layout.py.
_OWN = "????-??-??T??????Z/"


def spec() -> ArgSpec:
    """The options of this module."""
    own = ArgSpec(
        {
            "path": {"type": "str", "default": "/backups/nexus-cos"},
            "systems": {"type": "list", "elements": "dict", "default": []},
            "timer": {"type": "str", "default": ""},
            "tools": {"type": "bool", "default": True},
        }
    )
    return observe_spec(DEADLINE).merge(own)


def check(given: Mapping[str, Any]) -> None:
    """Refuse options that can only be a mistake.

    :raises OptionError: what is wrong with which system, and the nearest name.
    """
    systems(given)


def systems(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The systems with their defaults: name, paths, every (seconds), format, verify, level, copies, offsite,
    unchanging, own.

    `own` is said of sets of our layout.
    """
    found: list[dict[str, Any]] = []
    for place, one in enumerate(given["systems"], 1):
        name = one.get("name")
        if not isinstance(name, str) or not name or "/" in name:
            raise OptionError("systems: entry %d wants a name without a slash" % place)
        for key in one:
            if key not in _KEYS:
                raise OptionError("systems: %s has no key %r%s" % (name, key, nearest(key, _KEYS)))
        if any(known["name"] == name for known in found):
            raise OptionError("systems: %s stands there twice" % name)
        own = one.get("paths") is None
        paths = _OWN + glob.escape(layout.check_name(name)) if own else one["paths"]
        paths = [paths] if isinstance(paths, str) else paths
        if not isinstance(paths, list) or not paths or not all(isinstance(path, str) and path for path in paths):
            raise OptionError("systems: %s wants paths, patterns such as '*/nexusdb/*.dump' below path" % name)
        if any(path.startswith("/") or ".." in path.split("/") for path in paths):
            raise OptionError("systems: %s: paths are patterns below path, got %s" % (name, ", ".join(paths)))
        choice = {"format": (one.get("format", "auto"), FORMATS), "verify": (one.get("verify", "read"), VERIFY)}
        for key, (value, choices) in choice.items():
            if value not in choices:
                raise OptionError(
                    "systems: %s: %s is one of %s, got %r%s"
                    % (name, key, ", ".join(choices), value, nearest(value, choices))
                )
        found.append(
            {
                "name": name,
                "paths": paths,
                "every": seconds(one.get("every", "24h"), name),
                "format": choice["format"][0],
                "verify": choice["verify"][0],
                "level": _level(one.get("level"), name),
                "copies": _copies(one.get("copies", 0), name),
                "offsite": _truth(one.get("offsite", False), name, "offsite"),
                "unchanging": _truth(one.get("unchanging", False), name, "unchanging"),
                "own": own,
            }
        )
    return found


def _level(given: Any, name: str) -> int | None:
    if given is None:
        return None
    if not re.fullmatch(r"[0-5]", str(given)):
        raise OptionError("systems: %s: level is 0 to 5, got %r" % (name, given))
    return int(given)


def _copies(given: Any, name: str) -> int:
    if not re.fullmatch(r"\d{1,2}", str(given)):
        raise OptionError(
            "systems: %s: copies is a number, with the system and its set among them, got %r" % (name, given)
        )
    return int(given)


def _truth(given: Any, name: str, key: str) -> bool:
    if not isinstance(given, bool):
        raise OptionError("systems: %s: %s is true or false, got %r" % (name, key, given))
    return given


def seconds(text: Any, name: str) -> float:
    """``6h``, ``30min``, ``1d`` in seconds, of a system's ``every``.

    :raises OptionError: it is none.
    """
    found = duration(text)
    if found is None:
        raise OptionError("systems: %s: every is a time such as 6h, 30min or 1d, got %r" % (name, text))
    return found


def duration(text: Any) -> float | None:
    """``6h``, ``30min``, ``1d``, ``2w`` in seconds; None where it is no such time."""
    match = _DURATION.fullmatch(str(text).strip())
    if not match or float(match.group(1)) <= 0:
        return None
    return float(match.group(1)) * _UNITS[match.group(2)]

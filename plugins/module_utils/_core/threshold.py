# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thresholds: what good is (`target`) and what is not acceptable (`alert`), from catalogue and inventory."""

from __future__ import annotations

import difflib
import fnmatch
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .check import BELOW, Check
from .errors import OptionError
from .finding import CRITICAL, OK, UNKNOWN, WARNING

_KEYS = ("target", "alert", "enabled", "overrides")
_OVERRIDE_KEYS = ("match", "target", "alert", "enabled")


@dataclass(frozen=True)
class Threshold:
    """``target`` and ``alert`` of one check for one object.

    ok up to target (included), warning between, critical past alert; mirrored where small values are bad. A missing
    alert means that the check never becomes critical by its number; a missing target that there is no warning zone.
    """

    target: float | None
    alert: float | None
    direction: str = "above"
    enabled: bool = True

    def status(self, value: float) -> str:
        """Judge a number. NaN, which compares as neither good nor bad, was not measured: unknown."""
        if is_nan(value):
            return UNKNOWN
        if self._past(value, self.alert):
            return CRITICAL
        if self.target is None:
            return OK
        return WARNING if self._past(value, self.target) else OK

    def _past(self, value: float, line: float | None) -> bool:
        if line is None:
            return False
        return value < line if self.direction == BELOW else value > line


@dataclass
class Thresholds:
    """All thresholds of a run: the catalogue's defaults under what the inventory says."""

    checks: Mapping[str, Check]
    given: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: Any, checks: Mapping[str, Check]) -> Thresholds:
        """Read the inventory's ``nexuscos_thresholds``.

        :param data: ``{check id: {target, alert, enabled, overrides: [{match, target, alert, enabled}]}}`` or None.
        :param checks: every registered check by id, of all systems: a threshold may be for another module.
        :raises OptionError: an unknown check or key (with the nearest name), not a number, target and alert swapped.
        """
        if data is None:
            data = {}
        if not isinstance(data, Mapping):
            raise OptionError(f"thresholds: want a mapping of check id to {{target, alert}}, got {type(data).__name__}")
        for name, entry in data.items():
            if name not in checks:
                raise OptionError(f"thresholds: no check is called {name!r}{nearest(name, checks)}")
            _validate(checks[name], name, entry)
        return cls(checks, dict(data))

    def get(self, check: str, obj: str) -> Threshold:
        """The threshold of a check for an object; the last override that matches the object wins, key by key."""
        registered = self.checks[check]
        entry = self.given.get(check, {})
        values = {"target": registered.target, "alert": registered.alert, "enabled": True}
        values.update({key: entry[key] for key in ("target", "alert", "enabled") if key in entry})
        for override in entry.get("overrides", ()):
            if fnmatch.fnmatchcase(obj, override["match"]):
                values.update({key: override[key] for key in ("target", "alert", "enabled") if key in override})
        return Threshold(values["target"], values["alert"], registered.direction, bool(values["enabled"]))


def is_nan(value: object) -> bool:
    """Whether a number is none. (math.isnan fails for whole numbers too large for a float.)"""
    return isinstance(value, float) and math.isnan(value)


def nearest(name: object, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` or an empty text."""
    found = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return f"; did you mean {found[0]!r}?" if found else ""


def merge(layers: Iterable[Mapping[str, Any] | None]) -> Mapping[str, Any]:
    """Lay inventory layers (all, group, host) over one another: later ones win key by key, overrides add up."""
    merged: dict[str, dict[str, Any]] = {}
    for layer in layers:
        for name, entry in (layer or {}).items():
            if not isinstance(entry, Mapping):
                raise OptionError(f"thresholds: {name}: want {{target, alert}}, got {entry!r}")
            known = merged.setdefault(name, {})
            overrides = list(known.get("overrides") or ()) + list(entry.get("overrides") or ())
            known.update(entry)
            if overrides:
                known["overrides"] = overrides
    return merged


def _validate(check: Check, name: str, entry: Any) -> None:
    if not isinstance(entry, Mapping):
        raise OptionError(f"thresholds: {name}: want {{target, alert}}, got {entry!r}")
    _keys(name, entry, _KEYS)
    defaults = (check.target, check.alert)
    _pair(check, name, entry, defaults)
    overrides = entry.get("overrides", ())
    if not isinstance(overrides, (list, tuple)):
        raise OptionError(f"thresholds: {name}: overrides is a list of {{match, target, alert}}")
    outer = (entry.get("target", check.target), entry.get("alert", check.alert))
    for override in overrides:
        if not isinstance(override, Mapping) or not isinstance(override.get("match"), str):
            raise OptionError(
                f"thresholds: {name}: each override wants match, a pattern for objects such as '*/nexus-ai/*'"
            )
        _keys(name, override, _OVERRIDE_KEYS)
        _pair(check, name, override, outer)


def _keys(name: str, entry: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in entry:
        if key not in known:
            raise OptionError(f"thresholds: {name} has no key {key!r}{nearest(key, known)}")
    if not isinstance(entry.get("enabled", True), bool):
        raise OptionError("thresholds: {}: enabled is true or false, got {!r}".format(name, entry["enabled"]))


def _pair(check: Check, name: str, entry: Mapping[str, Any], outer: tuple[float | None, float | None]) -> None:
    values: list[float | None] = []
    for key, default in zip(("target", "alert"), outer):
        value = entry.get(key, default)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or is_nan(value)):
            raise OptionError(
                "thresholds: {}: {} is a number in {}, got {!r}".format(name, key, check.unit or "its unit", value)
            )
        values.append(value)
    target, alert = values
    if target is None or alert is None:
        return
    if (target > alert) if check.direction != BELOW else (target < alert):
        raise OptionError(
            "thresholds: {}: target {} and alert {} are the wrong way round ({} values are bad)".format(
                name, target, alert, "small" if check.direction == BELOW else "large"
            )
        )

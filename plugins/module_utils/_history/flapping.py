# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes and goes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .delta import Key, Past, key_of

WINDOW = 10
"""Runs that are looked at, the present one included; runs that did not look for it do not count."""
LEAST = 3
"""Changes within the window that make a finding a flapping one: it came, went and came again."""


def changes(states: Iterable[bool]) -> int:
    """How often a state changed."""
    every = list(states)
    return sum(1 for before, after in zip(every, every[1:]) if before != after)


def flapping(finding: Mapping[str, Any], present: bool, past: Sequence[Past]) -> dict[str, int] | None:
    """Whether a finding comes and goes: how many changes in how many runs; None where it does not.

    :param present: is it there in the present run, or has it just gone?
    :param past: earlier runs, newest first.
    """
    name, key = finding["fingerprint"], key_of(finding)
    states = [present]
    for run in past:
        if len(states) == WINDOW:
            break
        state = _state(name, key, run)
        if state is not None:
            states.append(state)
    count = changes(reversed(states))
    return {"changes": count, "runs": len(states)} if count >= LEAST else None


def _state(name: str, key: Key, run: Past) -> bool | None:
    found = run.findings.get(name)
    if found is not None and key_of(found) == key:
        return True
    return False if key in run.seen else None

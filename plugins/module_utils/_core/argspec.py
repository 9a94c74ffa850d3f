# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specs as objects that merge; the options that all observing modules share (doc fragment `observe`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class ArgSpec:
    """An argument spec together with the rules that go with it, so that merging loses nothing."""

    def __init__(
        self,
        options: dict[str, dict[str, Any]],
        mutually_exclusive: Sequence[Sequence[str]] = (),
        required_together: Sequence[Sequence[str]] = (),
        required_one_of: Sequence[Sequence[str]] = (),
        required_if: Sequence[Sequence[Any]] = (),
    ) -> None:
        self.options = dict(options)
        self.rules: dict[str, list[Any]] = {
            "mutually_exclusive": list(mutually_exclusive),
            "required_together": list(required_together),
            "required_one_of": list(required_one_of),
            "required_if": list(required_if),
        }

    def merge(self, other: ArgSpec | None) -> ArgSpec:
        """A new spec with the options and rules of both. An option of the same name is a programming error."""
        if other is None:
            return self
        twice = set(self.options) & set(other.options)
        if twice:
            raise ValueError("options defined twice: {}".format(", ".join(sorted(twice))))
        merged = ArgSpec({**self.options, **other.options})
        merged.rules = {rule: self.rules[rule] + other.rules[rule] for rule in self.rules}
        return merged

    def to_kwargs(self) -> dict[str, Any]:
        """Keyword arguments for AnsibleModule."""
        return {"argument_spec": self.options, **self.rules}


def observe_spec(deadline: float) -> ArgSpec:
    """The options of every observing module.

    :param deadline: default seconds that a look at one system may take.
    """
    return ArgSpec(
        {
            "target": {"type": "str", "required": True},
            "thresholds": {"type": "dict", "default": {}},
            "checks": {"type": "list", "elements": "str", "default": []},
            "deadline": {"type": "float", "default": deadline},
            "include_ok": {"type": "bool", "default": False},
            "record_to": {"type": "path"},
            "replay_from": {"type": "path"},
        },
        mutually_exclusive=[("record_to", "replay_from")],
    )

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What evaluators work with: the parts of one look at one host, and its judge."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._core.judge import Judge
from . import sockets, words


@dataclass(frozen=True)
class Expect:
    """What the inventory says about a host.

    :ivar listening: sockets that must listen; ignore_listening: those that may.
    :ivar units: names or globs of units that must be active; ignore_units: of units that nobody wants to hear of.
    :ivar ignore_mounts: globs of mount points that are not judged.
    """

    listening: tuple[sockets.Expected, ...] = ()
    ignore_listening: tuple[sockets.Expected, ...] = ()
    units: tuple[str, ...] = ()
    ignore_units: tuple[str, ...] = ()
    ignore_mounts: tuple[str, ...] = ()


@dataclass
class Case:
    """One look at one host."""

    observation: Mapping[str, Any]
    judge: Judge
    expect: Expect = field(default_factory=Expect)

    @property
    def target(self) -> str:
        return self.judge.target

    @property
    def host(self) -> Mapping[str, Any]:
        return words.mapping(self.observation.get("host"))

    @property
    def now(self) -> float | None:
        """The host's own time of the look."""
        return words.number(self.host, "now")

    def part(self, name: str, *checks: str) -> Any:
        """What a part of the look saw; None where it saw nothing, and the checks that live by it are not seen."""
        part = words.mapping(self.observation.get(name))
        error = part.get("error")
        if error is None and "data" in part:
            return part["data"]
        reason = words.text(error, "text") or "the look does not have this part"
        for check in checks:
            self.judge.unseen(check, reason)
        return None

    def mount(self, path: str) -> str:
        """Object of a file system: ``host1/var``, and ``host1/`` for the root."""
        return f"{self.target}/{path.lstrip('/')}"

    def ignored(self, mount: str) -> bool:
        """Whether a mount is not to be judged."""
        return any(fnmatch.fnmatchcase(mount, pattern) for pattern in self.expect.ignore_mounts)

    def remedy(self, check: str, mount: str) -> str:
        """The check's remedy, for this mount point."""
        quoted = (
            mount if all(one.isalnum() or one in "/._-" for one in mount) else "'" + mount.replace("'", "'\\''") + "'"
        )
        return self.judge.checks[check].remedy.replace("<mount>", quoted)


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a unit is named by one of some names or globs; a name without a suffix is a service."""
    return any(
        fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, pattern + ".service") for pattern in patterns
    )

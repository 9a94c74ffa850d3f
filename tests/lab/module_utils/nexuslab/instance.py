# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which instance of the lab this checkout is: sixteen may run on one machine, each with names and addresses of its
own."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from . import plan

CLAIMS = Path("/run/nexuscos-lab")


class NoInstanceLeft(Exception):
    """All instances are taken; the message names who has them."""


def current(lab_dir: Path) -> int | None:
    """The instance of this checkout: from its state folder, or from the claim that it left on the machine."""
    try:
        number = int((lab_dir / "instance").read_text())
        if 0 <= number < plan.MAX_INSTANCES:
            return number
    except (OSError, ValueError):
        pass
    for number in range(plan.MAX_INSTANCES):
        if owner(number) == str(lab_dir):
            return number
    return None


def owner(number: int) -> str | None:
    """The state folder that claims an instance, None when nobody does."""
    try:
        return (CLAIMS / ("%s.owner" % plan.prefix(number))).read_text().strip()
    except OSError:
        return None


def claim(lab_dir: Path) -> int:
    """The instance of this checkout; the lowest free one when it has none yet."""
    CLAIMS.mkdir(parents=True, exist_ok=True)
    with open(CLAIMS / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        number = current(lab_dir)
        if number is None or owner(number) not in (None, str(lab_dir)):
            number = _lowest_free()
        lab_dir.mkdir(parents=True, exist_ok=True)
        (lab_dir / "instance").write_text("%d\n" % number)
        (CLAIMS / ("%s.owner" % plan.prefix(number))).write_text("%s\n" % lab_dir)
        return number


def release(number: int) -> None:
    """Give an instance back."""
    with contextlib.suppress(OSError):
        (CLAIMS / ("%s.owner" % plan.prefix(number))).unlink()


def _lowest_free() -> int:
    for number in range(plan.MAX_INSTANCES):
        name = plan.prefix(number)
        holder = owner(number)
        if holder is not None and not os.path.isdir(holder):
            holder = None  # that checkout is gone; its left-overs still count below
        namespaces = list(Path("/run/netns").glob("%s-*" % name)) if Path("/run/netns").is_dir() else []
        if holder is None and not namespaces and not Path("/sys/class/net", name).exists():
            return number
    holders = ", ".join(sorted(filter(None, (owner(n) for n in range(plan.MAX_INSTANCES)))))
    raise NoInstanceLeft(
        "all %d instances of the lab are taken (%s): end one with `make lab-down`" % (plan.MAX_INSTANCES, holders)
    )

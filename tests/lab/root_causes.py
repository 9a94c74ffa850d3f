#!/usr/bin/env python3
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often does the first line of the report name the right cause? `make root-causes [NAME=…]`.

A root cause is one file in tests/lab/root_causes/: it breaks one thing of the lab from which others go red, and names
the finding that the whole morning must lead with. Keys: `name`, `what`, `apply`, `heal` (bash, as in a fault), `settle`
(seconds), `first` (`check`, and `object` as a pattern), `explains` (how many findings must hang on it at least) and
`pipeline` (true for those that `make test` plays, one of each kind; the others would take its time).
"""

from __future__ import annotations

import argparse
import dataclasses
import fnmatch
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))

import faults

FOLDER = faults.ROOT / "tests" / "lab" / "root_causes"
_KEYS = {"name", "what", "apply", "heal", "settle", "first", "explains", "pipeline"}


@dataclasses.dataclass(frozen=True)
class RootCause:
    """One file; see above."""

    name: str
    what: str
    apply: str
    heal: str
    first: dict[str, str]
    settle: int = 120
    explains: int = 1
    pipeline: bool = False

    @property
    def fault(self) -> faults.Fault:
        """The same as a fault, for the steps of both are run alike."""
        return faults.Fault("root-" + self.name, self.what, "all", (), self.apply, self.heal, ())


def every() -> dict[str, RootCause]:
    """All root causes by name."""
    found = {}
    for path in sorted(FOLDER.glob("*.yml")):
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        if set(data) - _KEYS or {"name", "what", "apply", "heal", "first"} - set(data) or data["name"] != path.stem:
            raise faults.FaultError(f"{path.name}: wrong keys, or another name than the file's")
        found[data["name"]] = RootCause(**data)
    return found


@dataclasses.dataclass
class Verdict:
    """What the report said: its first line, how much hangs on it, and what was left after healing."""

    right: bool
    first: str
    explains: int
    reds: int
    seen_after: float
    left: list[str]


def _first(report: dict[str, Any], cause: RootCause) -> tuple[bool, str, int]:
    if not report["findings"]:
        return False, "nothing is wrong", 0
    one = report["findings"][0]
    explained = next((len(row["explains"]) for row in report["causes"] if row["fingerprint"] == one["fingerprint"]), 0)
    right = one["check"] == cause.first["check"] and fnmatch.fnmatchcase(one["object"], cause.first["object"])
    return right and explained >= cause.explains, f"{one['check']} {one['object']}", explained


def environment() -> dict[str, str]:
    """The environment of the steps."""
    prefix = faults.lab_prefix()
    return faults.lab_environment() | {
        "NEXUSCOS_LAB_PREFIX": prefix,
        "PREFIX": prefix,
        "LAB": str(faults.ROOT / ".lab"),
    }


def trial(cause: RootCause, steps: dict[str, str], heal_within: float = 240) -> Verdict:
    """Break it, look at the whole lab until the report leads with the cause, heal, wait until nothing is left."""
    with faults.alone():
        began = time.monotonic()
        try:
            faults.apply(cause.fault, steps)
            while True:
                report = faults.look(())
                right, first, explains = _first(report, cause)
                waited = time.monotonic() - began
                if right or waited > cause.settle:
                    break
                time.sleep(faults.pause(waited))
        finally:
            faults.heal(cause.fault, steps)
        until = time.monotonic() + heal_within
        while True:
            left = sorted(f"{one[0]} {one[1]}" for one in faults.found(faults.look(())))
            if not left or time.monotonic() > until:
                break
            time.sleep(2)
    reds = sum(1 for one in report["findings"] if one["status"] == "critical")
    return Verdict(right, first, explains, reds, waited, left)


def main() -> int:
    """Entry point of `make root-causes`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="only these")
    given = parser.parse_args()
    known = every()
    steps = environment()
    right = 0
    names = given.names or list(known)
    for name in names:
        if name not in known:
            raise faults.FaultError(f"no root cause is called {name!r}: {', '.join(known)}")
        verdict = trial(known[name], steps)
        right += verdict.right
        print(
            f"{'right' if verdict.right else 'WRONG'} {name:22} {verdict.first}: explains {verdict.explains} of "
            f"{verdict.reds} critical, after {verdict.seen_after:.0f} s"
            + (f"; LEFT {json.dumps(verdict.left)}" if verdict.left else ""),
            flush=True,
        )
    print(f"{right} of {len(names)} first lines name the root cause")
    return 0 if right == len(names) else 1


if __name__ == "__main__":
    os.chdir(faults.ROOT)
    try:
        sys.exit(main())
    except faults.FaultError as error:
        print(f"root-causes: {error}", file=sys.stderr)
        sys.exit(1)

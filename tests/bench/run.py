#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the benches and write what they say: `make bench`.

Each bench_*.py beside this file is a program that prints one JSON object a line, with the keys name, what, value, unit,
against (name to value), limit (or null) and ok. Benches run one after the other, since they would measure one another.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DOCUMENT = ROOT / "docs" / "bench.md"
BEGIN, END = "<!-- bench: begin -->\n", "<!-- bench: end -->\n"
KEYS = {"name", "what", "value", "unit", "against", "limit", "ok"}

WORDS = """# Speed

`make bench` measures the collection against what one would use without it, on the same machine and in the same run. The
figures below are from the last run of each; run it yourself before you believe them.

How it is judged: the candidates take turns, the first round is thrown away, the value is the median of the others. A
limit is missed when the median lies past it by more than the noise, which is half the distance between the smallest and
the largest repeat; then `make bench` ends with status 1. No test asserts a time.

"""


def run(script: Path) -> tuple[list[dict[str, Any]], str]:
    """Run one bench; returns its results and, when it failed, why."""
    done = subprocess.run(
        [sys.executable, str(script)], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    results = []
    for line in done.stdout.splitlines():
        try:
            result = json.loads(line)
        except ValueError:
            continue
        if isinstance(result, dict) and set(result) >= KEYS:
            results.append(result)
    if done.returncode:
        return results, f"ended with {done.returncode}: {(done.stderr or done.stdout)[-1500:].strip()}"
    return results, "" if results else "printed no result"


def number(value: float | None) -> str:
    if value is None:
        return "–"
    return (
        f"{value:,.0f}"
        if abs(value) >= 100 or value == int(value)
        else f"{value:.2f}"
        if abs(value) < 10
        else f"{value:.1f}"
    )


def ratio(value: float, other: float) -> str:
    return f" ({value / other:.2f}×)" if other else ""


def row(result: dict[str, Any]) -> list[str]:
    value, unit = result["value"], result["unit"]
    against = "; ".join(
        f"{name} {number(other)} {unit}{ratio(value, other)}" for name, other in result["against"].items()
    )
    noise = f" ± {number(result['noise'])}" if result.get("noise") else ""
    limit = f"{number(result['limit'])} {unit}" if result["limit"] is not None else "–"
    return [
        result["name"],
        result["what"],
        f"{number(value)}{noise} {unit}",
        against or "–",
        limit,
        "yes" if result["ok"] else "**no**",
    ]


def machine() -> str:
    """Size of the machine: figures mean nothing without it."""
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{cores} cores, {memory:.0f} GB, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    )


HEAD = ["bench", "what", "value", "against", "limit", "within", "measured"]


def table(results: list[dict[str, Any]], earlier: list[list[str]], now: str) -> str:
    """The rows of this run in their places among those of earlier ones, which keep their dates."""
    rows = {one[0]: one for one in earlier}
    rows.update({result["name"]: [*row(result), now] for result in results})
    lines = [HEAD, ["---"] * len(HEAD), *rows.values()]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def rows_of(text: str) -> list[list[str]]:
    """The rows of a table that was written here, without its head."""
    found = []
    for line in text.splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in line.strip().strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) == len(HEAD) and cells != HEAD and set(cells) != {"---"}:
            found.append(cells)
    return found


def write(results: list[dict[str, Any]], whole: bool) -> None:
    """Bring docs/bench.md up to date between the marks; the words around them stay, and rows that were not measured.

    :param whole: all benches were run: rows of others are of benches that are no more.
    """
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M")
    old = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else WORDS + BEGIN + END
    before, _mark, rest = old.partition(BEGIN)
    inside, _mark, after = rest.partition(END)
    made = table(results, [] if whole else rows_of(inside), now)
    DOCUMENT.write_text(f"{before}{BEGIN}\nOn {machine()}; times in UTC.\n\n{made}\n{END}{after}", encoding="utf-8")


def main() -> int:
    """Entry point of `make bench`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="benches to run, such as endpoints; all of them without a name")
    parser.add_argument("--write", action="store_true", help="bring docs/bench.md up to date")
    given = parser.parse_args()
    scripts = {script.stem.removeprefix("bench_"): script for script in sorted(HERE.glob("bench_*.py"))}
    unknown = set(given.names) - set(scripts)
    if unknown:
        parser.error(f"no bench is called {', '.join(sorted(unknown))}; there are {', '.join(scripts)}")
    results, good = [], True
    for name, script in scripts.items():
        if given.names and name not in given.names:
            continue
        began = time.monotonic()
        print(f"bench: {name} …", flush=True)
        found, trouble = run(script)
        for result in found:
            print("  {0}: {2}   against {3}   limit {4}   within: {5}\n      {1}".format(*row(result)), flush=True)
        if trouble:
            print(f"  FAILED, {trouble}", flush=True)
        print(f"  {time.monotonic() - began:.0f} s", flush=True)
        results += found
        good = good and not trouble and all(result["ok"] for result in found)
    if given.write:
        write(results, not given.names)
        print(f"bench: {DOCUMENT.relative_to(ROOT)} is up to date", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make test`: all stages in order, a line each, the whole output in .cache/test/<stage>.log.

The first stage that fails prints the end of its log and ends the run. A stage fails by its exit status, by a test that
was skipped (nothing is optional here), by having run no test where it should, and by running past its limit.
The last line counts the tests of all stages; a stage that is no pytest run counts as one test.

Stages named as arguments run alone: `python tests/run_stages.py lint unit-newest`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / ".cache" / "test"
TIMES = LOGS / "seconds.json"
TAIL = 60
COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed)\b")
SUMMARY = re.compile(r"^=+ (.*(?:passed|failed|error|skipped|no tests ran).*) =+$")


@dataclass(frozen=True)
class Stage:
    """One step: a make target, what it shows, the minutes it may take, and whether it is a pytest run."""

    name: str
    target: str
    what: str
    limit: int
    pytest: bool = False
    options: tuple[str, ...] = ()


STAGES = (
    Stage("setup", "setup", "the newest ansible-core", 10),
    Stage("setup-oldest", "setup-oldest", "the oldest ansible-core", 10),
    Stage("lab-start", "lab", "starts the lab; Kubernetes is built in the background, once", 10, options=("NOWAIT=1",)),
    Stage("lint", "lint", "ruff, mypy, yamllint, ansible-lint, shellcheck, changelog", 10, options=("--keep-going",)),
    Stage("docs", "docs-check", "plugin documentation; generated pages are current", 10),
    Stage("unit-newest", "unit", "unit tests", 10, pytest=True),
    Stage("unit-oldest", "unit", "unit tests on the oldest", 10, pytest=True, options=("OLDEST=1",)),
    Stage("sanity-newest", "sanity", "ansible-test sanity", 15),
    Stage("sanity-oldest", "sanity", "ansible-test sanity on the oldest", 15, options=("OLDEST=1",)),
    Stage("artefact", "artefact", "the built tarball alone in an empty place", 10, pytest=True),
    Stage("lab-ready", "lab-wait", "waits for the lab with its Kubernetes", 45),
    Stage("molecule", "molecule", "the morning, from the bundle and on the lab", 15),
    Stage("integration", "integration", "modules, faults and reports on the lab", 45, pytest=True),
)
LAB_DOWN = Stage("lab-down", "lab-down", "ends the lab", 5)


class Failed(Exception):
    """A stage went wrong; the text says how."""


def run(stage: Stage, log: Path) -> None:
    """Run a stage into its log.

    :raises Failed: non-zero status or past the limit.
    """
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1", "PY_COLORS": "0"}
    environment.pop("MAKEFLAGS", None)
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["make", *stage.options, stage.target],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            status = process.wait(timeout=stage.limit * 60)
        except subprocess.TimeoutExpired:
            raise Failed(f"not done after {stage.limit} minutes") from None
        finally:
            end(process)
    if status:
        raise Failed(f"status {status}")


def end(process: subprocess.Popen[bytes]) -> None:
    """End what a stage left in its own process group. The lab's daemons have sessions of their own and stay."""
    for number, patience in ((signal.SIGTERM, 30), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=patience)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def count(log: Path) -> tuple[int, int, int]:
    """Tests passed, failed and skipped, over all pytest summaries of a log."""
    passed = failed = skipped = 0
    for line in log.read_text(errors="replace").splitlines():
        summary = SUMMARY.match(line)
        for number, word in COUNT.findall(summary.group(1)) if summary else ():
            if word == "passed":
                passed += int(number)
            elif word in ("failed", "error", "errors"):
                failed += int(number)
            else:
                skipped += int(number)
    return passed, failed, skipped


def read_times() -> dict[str, float]:
    try:
        times: dict[str, float] = json.loads(TIMES.read_text())
    except (OSError, ValueError):
        return {}
    return times


def tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return "\n".join(f"    {line}" for line in lines[-TAIL:])


def play(stages: list[Stage]) -> tuple[int, int]:
    """Run stages until one fails. Returns the tests passed and failed."""
    times = read_times()
    passed = failed = 0
    for number, stage in enumerate(stages, 1):
        log = LOGS / f"{stage.name}.log"
        before = f", {times[stage.name]:.0f} s last time" if stage.name in times else ""
        head = f"[{number:2}/{len(stages)}] {stage.name:14}"
        print(f"{head} {stage.what}{before} ...", end="", flush=True)
        started = time.monotonic()
        good, bad, error = 1, 0, ""
        try:
            run(stage, log)
            if stage.pytest:
                good, bad, skipped = count(log)
                if skipped:
                    raise Failed(f"{skipped} tests were skipped: nothing is optional here")
                if not good:
                    raise Failed("no test ran")
        except Failed as reason:
            error = str(reason)
            good, bad = count(log)[:2] if stage.pytest else (0, 1)
            bad = max(bad, 1)
        seconds = time.monotonic() - started
        passed, failed = passed + good, failed + bad
        tests = f", {good} tests" if stage.pytest and not error else ""
        print(
            f"\r\033[K{head}" if sys.stdout.isatty() else "",
            "FAILED" if error else "ok",
            f"{seconds:.0f} s{tests}",
            flush=True,
        )
        if error:
            print(f"\n{stage.name}: {error}. The end of {log.relative_to(ROOT)}:\n{tail(log)}\n")
            break
        times[stage.name] = round(seconds, 1)
        TIMES.write_text(json.dumps(times))
    return passed, failed


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the stages of `make test`.")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="only these")
    parser.add_argument("--lab-down", action="store_true", help="end the lab afterwards, also when a stage failed")
    arguments = parser.parse_args()
    unknown = set(arguments.stages) - {stage.name for stage in STAGES}
    if unknown:
        parser.error(f"no stage {', '.join(sorted(unknown))}; there are {', '.join(stage.name for stage in STAGES)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    LOGS.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    passed = failed = 0
    try:
        passed, failed = play([stage for stage in STAGES if not arguments.stages or stage.name in arguments.stages])
    except KeyboardInterrupt:
        print("\ninterrupted")
        return 130
    finally:
        if arguments.lab_down:
            more, worse = play([LAB_DOWN])
            passed, failed = passed + more, failed + worse
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    print(f"{minutes} min {seconds} s")
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

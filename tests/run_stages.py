# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make test`: all stages, a line each, the whole output in .cache/test/<stage>.log.

After the set-up there are two lanes side by side, each in its order: what plays on the lab, and what looks at the code,
with the backups at its end, which bring servers of their own. The lab's takes longest, and mostly waits for something
to break or to be healed: it has the processor first, and the other what is left.

A stage that fails prints the end of its log, and the last lines name again every test that failed. The stages that need
it are left out, and count as failed; the others run all the same, so that one run tells everything. A stage fails by
its exit status, by a test that was skipped (nothing is optional here), by having run no test where it should, and by
running past its limit.
The last line counts the tests of all stages; a stage that is no pytest run counts as one test.

Stages named as arguments are played with those that they need, and no others: `python tests/run_stages.py lint faults`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / ".cache" / "test"
TIMES = LOGS / "seconds.json"
TAIL = 60
COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed)\b")
SUMMARY = re.compile(r"^=+ (.*(?:passed|failed|error|skipped|no tests ran).*) =+$")
NAMED = re.compile(r"^(?:FAILED|ERROR) \S+\.py::")


@dataclass(frozen=True)
class Stage:
    """One step.

    :ivar target: of make; what: it shows; limit: minutes that it may take; pytest: whether its tests are counted.
    :ivar needs: stages that it waits for, and without which it is left out.
    :ivar lane: in which it waits for its turn, empty: before all lanes.
    """

    name: str
    target: str
    what: str
    limit: int
    pytest: bool = False
    options: tuple[str, ...] = ()
    needs: tuple[str, ...] = ("setup",)
    lane: str = "code"


# How far the stages of a lane stand back behind others.
NICE = {"code": 10}
OLDEST = ("setup-oldest",)
LAB = ("lab-ready",)
OLD = ("OLDEST=1",)
NOWAIT = ("NOWAIT=1",)


def on_lab(name: str, target: str, what: str, limit: int, pytest: bool = True) -> Stage:
    """A stage that plays on the lab with its Kubernetes."""
    return Stage(name, target, what, limit, pytest=pytest, needs=LAB, lane="lab")


# The limits are for a busy machine: they are there for what hangs.
STAGES = (
    Stage("setup", "setup", "the newest ansible-core", 10, needs=(), lane=""),
    Stage("lab-start", "lab", "the lab; Kubernetes is built in the background", 15, options=NOWAIT, lane="lab"),
    Stage("lab-ready", "lab-wait", "waits for the lab with its Kubernetes", 45, needs=("lab-start",), lane="lab"),
    on_lab("molecule", "molecule", "the morning, from the bundle and on the lab", 15, pytest=False),
    on_lab("integration", "integration", "modules and reports on the lab", 40),
    on_lab("faults", "fault-matrix", "faults, and exactly their findings", 60),
    on_lab("root-causes", "root-cause-matrix", "the first line names it", 30),
    Stage("setup-oldest", "setup-oldest", "the oldest ansible-core", 15),
    Stage("lint", "lint", "ruff, mypy, yamllint, ansible-lint, shellcheck, changelog", 20, options=("--keep-going",)),
    Stage("docs", "docs-check", "plugin documentation; generated pages are current", 15),
    Stage("unit-newest", "unit", "unit tests", 25, pytest=True),
    Stage("unit-oldest", "unit", "unit tests on the oldest", 25, pytest=True, options=OLD, needs=OLDEST),
    Stage("sanity-newest", "sanity", "ansible-test sanity", 25),
    Stage("sanity-oldest", "sanity", "ansible-test sanity on the oldest", 25, options=OLD, needs=OLDEST),
    Stage("artefact", "artefact", "the built tarball alone in an empty place", 15, pytest=True),
    Stage("browser", "browser", "the report's page in a real browser", 20, pytest=True),
    # Its servers are started by programs that the lab installs.
    Stage("backups", "backup-matrix", "sets proven and restored", 60, pytest=True, needs=("lab-start",)),
)
LAB_DOWN = Stage("lab-down", "lab-down", "ends the lab", 5, needs=(), lane="")


class Failed(Exception):
    """A stage went wrong; the text says how."""


class Stopped(Exception):
    """The whole run is to end."""


class Processes:
    """What runs at this moment, so that it can be ended when the run is."""

    def __init__(self) -> None:
        self._lock, self._running, self.stopped = threading.Lock(), set[subprocess.Popen[bytes]](), False

    def start(self, argv: list[str], environment: dict[str, str], output: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start one, in a group of its own.

        :raises Stopped: nothing is started any more.
        """
        with self._lock:
            if self.stopped:
                raise Stopped
            process = subprocess.Popen(
                argv, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
            self._running.add(process)
            return process

    def ended(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._running.discard(process)

    def stop(self) -> None:
        """End all, and start none any more."""
        with self._lock:
            self.stopped, running = True, list(self._running)
        for process in running:
            end(process)


def run(stage: Stage, log: Path, processes: Processes) -> None:
    """Run a stage into its log.

    :raises Failed: non-zero status or past the limit.
    """
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1", "PY_COLORS": "0"}
    environment.pop("MAKEFLAGS", None)
    with log.open("wb") as output:
        process = processes.start(
            ["nice", "-n", str(NICE.get(stage.lane, 0)), "make", *stage.options, stage.target], environment, output
        )
        try:
            status = process.wait(timeout=stage.limit * 60)
        except subprocess.TimeoutExpired:
            raise Failed(f"not done after {stage.limit} minutes") from None
        finally:
            end(process)
            processes.ended(process)
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


def lines(log: Path) -> list[str]:
    """The lines of a log; none where it could not even be opened."""
    try:
        return log.read_text(errors="replace").splitlines()
    except OSError:
        return []


def count(log: Path) -> tuple[int, int, int]:
    """Tests passed, failed and skipped, over all pytest summaries of a log."""
    passed = failed = skipped = 0
    for line in lines(log):
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


def names(log: Path) -> list[str]:
    """What pytest says of the tests that failed, a line each."""
    return [line[:300] for line in lines(log) if NAMED.match(line)]


def tail(log: Path) -> str:
    return "\n".join(f"    {line}" for line in lines(log)[-TAIL:])


class Run:
    """Stages being played, with what came of them."""

    def __init__(self, stages: list[Stage]) -> None:
        self.stages, self.processes = stages, Processes()
        self.passed = self.failed = 0
        self.names: list[str] = []
        self._times, self._lost, self._done, self._lock = read_times(), set[str](), 0, threading.Lock()
        self._over = {stage.name: threading.Event() for stage in stages}

    def play(self) -> Run:
        """All stages: those without a lane first, then the lanes side by side."""
        self.lane([stage for stage in self.stages if not stage.lane])
        lanes = list(dict.fromkeys(stage.lane for stage in self.stages if stage.lane))
        threads = [
            threading.Thread(target=self.lane, args=([stage for stage in self.stages if stage.lane == lane],))
            for lane in lanes
        ]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException:
            self.processes.stop()
            for thread in threads:
                thread.join()
            raise
        return self

    def lane(self, stages: list[Stage]) -> None:
        """Stages one after the other, all but those that need one that failed."""
        for stage in stages:
            try:
                self.wait_for(stage.needs)
            except Stopped:
                return
            with self._lock:
                missing = sorted(self._lost.intersection(stage.needs))
            if missing:
                self.tell(stage, 0, 1, f"left out: it needs {', '.join(missing)}")
                self._over[stage.name].set()
                continue
            before = f", {self._times[stage.name]:.0f} s last time" if stage.name in self._times else ""
            print(f"        {stage.name:14} {stage.what}{before} ...", flush=True)
            try:
                self.one(stage)
            except Stopped:
                return
            finally:
                self._over[stage.name].set()

    def wait_for(self, names: tuple[str, ...]) -> None:
        """Wait for stages, of whatever lane; those that are not played are nothing to wait for.

        :raises Stopped: the whole run is to end.
        """
        for over in [self._over[name] for name in names if name in self._over]:
            while not over.wait(0.2):
                if self.processes.stopped:
                    raise Stopped

    def one(self, stage: Stage) -> None:
        log, started = LOGS / f"{stage.name}.log", time.monotonic()
        good, bad, error = 1, 0, ""
        try:
            run(stage, log, self.processes)
            if stage.pytest:
                good, bad, skipped = count(log)
                if skipped:
                    raise Failed(f"{skipped} tests were skipped: nothing is optional here")
                if not good:
                    raise Failed("no test ran")
        except (Failed, OSError) as reason:
            error = str(reason)
            good, bad = count(log)[:2] if stage.pytest else (0, 1)
            bad = max(bad, 1)
            with self._lock:
                self.names += names(log) or [f"{stage.name}: {error}"]
        seconds = time.monotonic() - started
        if error:
            told = (
                f"FAILED {seconds:.0f} s\n\n{stage.name}: {error}. The end of {log.relative_to(ROOT)}:\n{tail(log)}\n"
            )
        else:
            told = f"ok {seconds:.0f} s" + (f", {good} tests" if stage.pytest else "")
        self.tell(stage, good, bad, told, None if error else seconds)

    def tell(self, stage: Stage, good: int, bad: int, words: str, seconds: float | None = None) -> None:
        with self._lock:
            self.passed, self.failed, self._done = self.passed + good, self.failed + bad, self._done + 1
            if bad:
                self._lost.add(stage.name)
            if seconds is not None:
                self._times[stage.name] = round(seconds, 1)
                # They only tell what to expect next time: a full disk is told by the stages themselves.
                with contextlib.suppress(OSError):
                    TIMES.write_text(json.dumps(self._times))
            print(f"[{self._done:2}/{len(self.stages)}] {stage.name:14} {words}", flush=True)


def chosen(names: list[str]) -> list[Stage]:
    """Stages of these names, and whatever they need; all for no name."""
    wanted = set(names or [stage.name for stage in STAGES])
    for stage in reversed(STAGES):
        if stage.name in wanted:
            wanted.update(stage.needs)
    return [stage for stage in STAGES if stage.name in wanted]


def play(stages: list[Stage]) -> Run:
    """Run stages, all but those that need one that failed."""
    return Run(stages).play()


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the stages of `make test`.")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="only these, and what they need")
    parser.add_argument("--lab-down", action="store_true", help="end the lab afterwards, also when a stage failed")
    arguments = parser.parse_args()
    unknown = set(arguments.stages) - {stage.name for stage in STAGES}
    if unknown:
        parser.error(f"no stage {', '.join(sorted(unknown))}; there are {', '.join(stage.name for stage in STAGES)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    LOGS.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    runs = []
    try:
        runs.append(play(chosen(arguments.stages)))
    except KeyboardInterrupt:
        print("\ninterrupted")
        return 130
    finally:
        if arguments.lab_down:
            runs.append(play([LAB_DOWN]))
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    print(f"{minutes} min {seconds} s")
    for name in [name for run in runs for name in run.names]:
        print(name)
    failed = sum(run.failed for run in runs)
    print(f"{sum(run.passed for run in runs)} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

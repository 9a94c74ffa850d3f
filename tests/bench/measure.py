"""How benches measure: candidates take turns, medians are compared, a limit is missed only past the noise."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
REPEATS = int(os.environ.get("BENCH_REPEATS", "5"))


def process(
    argv: Sequence[str], env: Mapping[str, str] | None = None, output: Path | None = None
) -> tuple[float, float]:
    """Run a program to its end.

    :param output: gets what it prints; errors do not go there.
    :returns: wall seconds, and the largest resident memory in MB of it or of any process that it waited for.
    :raises RuntimeError: it failed; with the end of what it said.
    """
    with tempfile.TemporaryFile() as said, contextlib.ExitStack() as stack:
        printed = said if output is None else stack.enter_context(output.open("wb"))
        began = time.monotonic()
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=printed, stderr=said, env=None if env is None else dict(env)
        )
        _pid, status, usage = os.wait4(child.pid, 0)
        took = time.monotonic() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            raise RuntimeError(
                f"{argv[0]} ended with {child.returncode}: {said.read().decode(errors='replace')[-1500:]}"
            )
    return took, usage.ru_maxrss / 1024


def playbook(tasks: list[dict[str, Any]], folder: Path, name: str) -> list[str]:
    """Write a playbook of some tasks on localhost; returns the command that runs it."""
    path = folder / f"{name}.yml"
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    path.write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
    interpreter = f"ansible_python_interpreter={sys.executable}"
    return [str(BIN / "ansible-playbook"), "-i", "localhost,", "-e", interpreter, str(path)]


def in_turn(candidates: Mapping[str, Callable[[], float]], repeats: int = REPEATS) -> dict[str, list[float]]:
    """Measure candidates in turns (a, b, a, b …), so that a busy moment of the machine hits all of them.

    The first round warms caches and is thrown away where there are others.
    """
    values: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(repeats + 1):
        for name, run in candidates.items():
            value = run()
            if turn or not repeats:
                values[name].append(value)
    return values


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def noise(values: Sequence[float]) -> float:
    """Half the distance between the smallest and the largest of the repeats."""
    return (max(values) - min(values)) / 2


def within(values: Sequence[float], limit: float | None) -> bool:
    """A limit is missed when the median lies past it by more than the noise of the repeats."""
    return limit is None or median(values) - noise(values) <= limit


def emit(
    name: str, what: str, values: Sequence[float], unit: str, against: Mapping[str, float], limit: float | None
) -> None:
    """Print one result as the runner wants it: one JSON object on a line."""
    line = {
        "name": name,
        "what": what,
        "value": round(median(values), 4),
        "unit": unit,
        "against": {key: round(value, 4) for key, value in against.items()},
        "limit": None if limit is None else round(limit, 4),
        "noise": round(noise(values), 4),
        "ok": within(values, limit),
    }
    print(json.dumps(line), flush=True)

#!/usr/bin/env python3
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Break the lab on purpose and mend it again: `make fault NAME=…`, `make heal [NAME=…]`, `make faults`.

A fault is one file in tests/lab/faults/. It names the findings that it must cause, so the same file serves people
(`make fault`), the matrix test (tests/integration/test_fault_matrix.py) and the list in docs/faults.md.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "lab" / "faults"
STATE = ROOT / ".lab" / "faults"
DOCUMENT = ROOT / "docs" / "faults.md"
_MARK = "<!-- the list below is made by `make docs` -->\n"
_KEYS = {"name", "what", "system", "observe", "batch", "apply", "heal", "settle", "thresholds", "expect"}
_STEP_TIMEOUT = 180
# Whose state others show, too: what breaks the latter would be found by who looks at the former.
SHOWS = {
    "edge": ("us-east-1",),
    "logs-us-east-1": ("us-east-1",),
    "mon1": (
        *("db1", "db2", "db3", "db4", "redis1", "redis2", "redis3", "host1", "host2", "host3"),
        *("docker1", "edge", "us-east-1", "us-west-2"),
    ),
    "public": ("edge", "us-east-1"),
    "public-certificates": ("edge",),
    "services-us-east-1": ("us-east-1",),
}


class FaultError(Exception):
    """A fault file is wrong, or one of its steps failed; the text says which and what it printed."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """One fault file; see docs/faults.md for the keys."""

    name: str
    what: str
    system: str
    observe: tuple[str, ...]
    apply: str
    heal: str
    expect: tuple[dict[str, Any], ...]
    batch: str = ""
    settle: int = 60
    thresholds: dict[str, Any] = dataclasses.field(default_factory=dict)


def load(path: Path) -> Fault:
    """Read one fault file and check it: every key known, every needed key there."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict):
        raise FaultError(f"{path.name}: want a mapping")
    unknown = set(data) - _KEYS
    missing = {"name", "what", "system", "observe", "apply", "heal", "expect"} - set(data)
    if unknown or missing:
        raise FaultError(f"{path.name}: unknown keys {sorted(unknown)}, missing keys {sorted(missing)}")
    if data["name"] != path.stem:
        raise FaultError(f"{path.name}: name is {data['name']!r}, the file says {path.stem!r}")
    if not data["expect"]:
        raise FaultError(f"{path.name}: a fault that causes no finding proves nothing")
    for finding in data["expect"]:
        if set(finding) - {"check", "object", "status", "caused_by"} or {"check", "object", "status"} - set(finding):
            raise FaultError(f"{path.name}: expect wants check, object, status and perhaps caused_by, got {finding}")
    data["observe"], data["expect"] = tuple(data["observe"]), tuple(data["expect"])
    return Fault(**data)


def every() -> dict[str, Fault]:
    """All faults by name."""
    return {fault.name: fault for fault in map(load, sorted(FOLDER.glob("*.yml")))}


def named(name: str) -> Fault:
    """A fault by its name, or a root cause by its name with ``root-`` before it.

    :raises FaultError: there is none.
    """
    if name.startswith("root-"):
        import root_causes

        causes = root_causes.every()
        if name[len("root-") :] in causes:
            return causes[name[len("root-") :]].fault
    found = every()
    if name not in found:
        raise FaultError(f"no fault is called {name!r}; make faults lists them")
    return found[name]


def batches(faults: dict[str, Fault]) -> dict[str, list[Fault]]:
    """Faults that are applied together, by batch name; a fault without a batch is a batch of its own."""
    grouped: dict[str, list[Fault]] = {}
    for fault in faults.values():
        grouped.setdefault(fault.batch or fault.name, []).append(fault)
    return grouped


def touched(faults: list[Fault]) -> tuple[str, ...]:
    """The hosts of the lab that nobody else may break or look at while some faults are tried."""
    observed = {host for fault in faults for host in fault.observe}
    return tuple(sorted(observed.union(*(SHOWS.get(host, ()) for host in observed))))


def groups(batches: dict[str, list[Fault]], apart: str = "mon1") -> dict[str, str]:
    """Batch names to groups that touch nothing of each other, so that each may have a worker of its own.

    :param apart: a host that shows too much; what is tried on it is a group by itself, and waits for the others.
    """
    parent: dict[str, str] = {}

    def root(host: str) -> str:
        while parent.setdefault(host, host) != host:
            host = parent[host]
        return host

    hosts = {name: touched(faults) for name, faults in batches.items()}
    for touches in hosts.values():
        for one in touches if apart not in touches else ():
            parent[root(one)] = root(touches[0])
    return {name: apart if apart in touches else root(touches[0]) for name, touches in hosts.items()}


def lab_environment() -> dict[str, str]:
    """The environment that `make -s lab-env` gives to any tool."""
    script = 'lines=$(make -s lab-env) && eval "$lines" && env -0'
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, check=False)
    if done.returncode != 0:
        raise FaultError("the lab does not answer (is it up? make lab): " + done.stderr.decode(errors="replace")[-400:])
    return dict(line.split("=", 1) for line in done.stdout.decode(errors="surrogateescape").split("\0") if "=" in line)


def run_step(fault: Fault, step: str, environment: dict[str, str]) -> None:
    """Run the `apply` or the `heal` script of a fault.

    Output goes to a file, not a pipe: a step may leave a process behind (a held lock, a load), and that would keep a
    pipe open.
    """
    script: str = getattr(fault, step)
    with tempfile.TemporaryFile() as output:
        try:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", script],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=_STEP_TIMEOUT,
                check=False,
            )
            code: int | str = done.returncode
        except subprocess.TimeoutExpired:
            code = f"no end after {_STEP_TIMEOUT} s"
        output.seek(0)
        said = output.read().decode(errors="replace")[-2000:]
    if code != 0:
        raise FaultError(f"{fault.name}: {step} failed ({code}):\n{said}")


def apply(fault: Fault, environment: dict[str, str]) -> None:
    """Apply a fault. It is marked as applied before the first step, so that a stopped apply is healed too."""
    STATE.mkdir(parents=True, exist_ok=True)
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    (STATE / f"{fault.name}.json").write_text(
        json.dumps({"name": fault.name, "what": fault.what, "since": since}), encoding="utf-8"
    )
    run_step(fault, "apply", environment)


def heal(fault: Fault, environment: dict[str, str]) -> None:
    """Take a fault back."""
    run_step(fault, "heal", environment)
    (STATE / f"{fault.name}.json").unlink(missing_ok=True)


def applied() -> list[str]:
    """Names of the faults that are in force."""
    return sorted(path.stem for path in STATE.glob("*.json"))


def look(hosts: tuple[str, ...], thresholds: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run the morning procedure over some hosts of the lab (of none: over all) and return its report (report.json)."""
    with tempfile.TemporaryDirectory(prefix="nexuscos-look-") as folder:
        extra = {
            "nexuscos_report_dir": folder,
            "nexuscos_fail_on": "never",
            "nexuscos_thresholds_run": thresholds or {},
        }
        command = [
            str(ROOT / ".venv" / "bin" / "ansible-playbook"), "-i", "inventories/lab", "nexuscos.ops.daily_morning",
            *(("--limit", ",".join(hosts)) if hosts else ()), "-e", json.dumps(extra),
        ]  # fmt: skip
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        reports = sorted(Path(folder).glob("daily_morning/latest/report.json"))
        if done.returncode != 0 or not reports:
            raise FaultError(f"daily_morning failed ({done.returncode}):\n{done.stdout[-3000:]}\n{done.stderr[-1000:]}")
        report: dict[str, Any] = json.loads(reports[0].read_text(encoding="utf-8"))
    return report


Key = tuple[str, str, str, str]


def found(report: dict[str, Any]) -> set[Key]:
    """What a report says, as (check, object, status, cause); the cause as `check object` or an empty text."""
    by_print = {one["fingerprint"]: one for one in report["findings"]}
    keys = set()
    for one in report["findings"]:
        # What findings have in common is the reading of the report itself; test_root_causes.py judges it.
        if one["check"].startswith("run."):
            continue
        cause = by_print.get(one["caused_by"] or "")
        if cause and cause["check"].startswith("run."):
            cause = None
        keys.add((one["check"], one["object"], one["status"], f"{cause['check']} {cause['object']}" if cause else ""))
    return {key for key in keys if key[2] != "ok"}


def expected(faults: list[Fault]) -> set[Key]:
    """What the faults must cause together, in the same form."""
    keys = set()
    for fault in faults:
        for one in fault.expect:
            cause = one.get("caused_by")
            keys.add(
                (one["check"], one["object"], one["status"], f"{cause['check']} {cause['object']}" if cause else "")
            )
    return keys


@dataclasses.dataclass
class Verdict:
    """How a batch went: what was missing, what came uninvited; seconds until it was as expected, and until healed."""

    missing: set[Key]
    uninvited: set[Key]
    left: set[Key]
    seen_after: float = 0.0
    healed_after: float = 0.0

    def __bool__(self) -> bool:
        return not (self.missing or self.uninvited or self.left)


def _until(
    want: set[Key], hosts: tuple[str, ...], thresholds: dict[str, Any], seconds: float
) -> tuple[set[Key], float]:
    began = time.monotonic()
    while True:
        now = found(look(hosts, thresholds))
        waited = time.monotonic() - began
        if now == want or waited > seconds:
            return now, waited
        time.sleep(pause(waited))


def pause(waited: float) -> float:
    """Seconds until the next look: each costs two of a processor, and what has taken long will take longer."""
    return min(10.0, 1 + waited / 6)


@contextlib.contextmanager
def alone(hosts: tuple[str, ...] = ()) -> Iterator[None]:
    """Hold some hosts of the lab for one trial, or all of it: two trials of a host would find each other's findings.

    Locks are taken in one order, so that nobody waits for somebody who waits.
    """
    STATE.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        everything = held.enter_context((STATE / "trial.lock").open("w"))
        fcntl.flock(everything, fcntl.LOCK_SH if hosts else fcntl.LOCK_EX)
        for host in sorted(hosts):
            lock = held.enter_context((STATE / f"trial-{host}.lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def trial(faults: list[Fault], environment: dict[str, str], heal_within: float = 150) -> Verdict:
    """Apply some faults, wait until exactly their findings are there, heal, wait until nothing is left."""
    with alone(touched(faults)):
        return _trial(faults, environment, heal_within)


def _trial(faults: list[Fault], environment: dict[str, str], heal_within: float) -> Verdict:
    hosts = tuple(sorted({host for fault in faults for host in fault.observe}))
    thresholds: dict[str, Any] = {}
    for fault in faults:
        thresholds.update(fault.thresholds)
    want = expected(faults)
    try:
        for fault in faults:
            apply(fault, environment)
        now, seen_after = _until(want, hosts, thresholds, max(fault.settle for fault in faults))
    finally:
        troubles = []
        for fault in reversed(faults):
            try:
                heal(fault, environment)
            except FaultError as error:
                troubles.append(str(error))
    if troubles:
        raise FaultError("\n".join(troubles))
    left, healed_after = _until(set(), hosts, {}, heal_within)
    return Verdict(want - now, now - want, left, seen_after, healed_after)


def document(faults: dict[str, Fault]) -> str:
    """docs/faults.md: what people wrote above the mark, and the list of faults below it."""
    words, mark, _old = DOCUMENT.read_text(encoding="utf-8").partition(_MARK)
    lines = ["| fault | what it does | findings it must cause |", "|---|---|---|"]
    for fault in faults.values():
        causes = "<br>".join(f"`{one['check']}` {one['status']} on `{one['object']}`" for one in fault.expect)
        lines.append(f"| `{fault.name}` | {fault.what.strip()} | {causes} |")
    return words + mark + "\n" + "\n".join(lines) + "\n"


def main() -> int:
    """Entry point of `make fault`, `make heal`, `make faults`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("apply", help="apply a fault").add_argument("name")
    commands.add_parser("heal", help="heal one fault, or all that are applied").add_argument("name", nargs="?")
    commands.add_parser("list", help="all faults; --write brings docs/faults.md up to date").add_argument(
        "--write", action="store_true"
    )
    commands.add_parser("try", help="apply, judge, heal: what the matrix test does").add_argument(
        "names", nargs="+", help="faults or batches"
    )
    given = parser.parse_args()
    faults = every()

    if given.command == "list":
        if given.write:
            DOCUMENT.write_text(document(faults), encoding="utf-8")
        else:
            inforce = applied()
            for fault in faults.values():
                print(f"{'* ' if fault.name in inforce else '  '}{fault.name:34} {fault.what.strip()}")
        return 0
    environment = lab_environment() | {
        "NEXUSCOS_LAB_PREFIX": lab_prefix(),
        "PREFIX": lab_prefix(),
        "LAB": str(ROOT / ".lab"),
    }
    if given.command == "apply":
        fault = named(given.name)
        apply(fault, environment)
        print(f"{fault.name} is in force: {fault.what.strip()}")
        print(f"look: make daily; the report must show within {fault.settle} s:")
        for one in fault.expect:
            print(f"  {one['status']:9} {one['check']}  {one['object']}")
        print(f"mend: make heal NAME={fault.name}")
    elif given.command == "heal":
        names = [given.name] if given.name else applied()
        for name in names:
            heal(named(name), environment)
            print(f"{name} is healed")
        if not names:
            print("no fault is in force")
    else:
        good = True
        grouped = batches(faults)
        for name in given.names:
            verdict = trial(grouped.get(name) or [named(name)], environment)
            good = good and bool(verdict)
            word = "ok" if verdict else "FAILED"
            times = f"as expected after {verdict.seen_after:.0f} s, clean after {verdict.healed_after:.0f} s"
            print(f"{word} {name}: {times}")
            for label, keys in (
                ("missing", verdict.missing),
                ("uninvited", verdict.uninvited),
                ("left after heal", verdict.left),
            ):
                for key in sorted(keys):
                    print(f"   {label}: {' | '.join(part for part in key if part)}")
        return 0 if good else 1
    return 0


def lab_prefix() -> str:
    """Prefix of this lab's namespaces, such as nx0."""
    return str(json.loads((ROOT / ".lab" / "lab.json").read_text(encoding="utf-8"))["prefix"])


if __name__ == "__main__":
    os.chdir(ROOT)
    try:
        sys.exit(main())
    except FaultError as error:
        print(f"fault: {error}", file=sys.stderr)
        sys.exit(1)

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run has done so far, in a file beside its reports: where it is interrupted or killed, the next run tells it.

Nothing here raises for a file that cannot be written or read: a journal is never what a run fails for.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Mapping
from typing import Any

from .._core.redact import redact

_BEFORE, _AFTER = ".running-", ".jsonl"
_MOST = 4 << 20
_KEPT = (
    "failed",
    "unreachable",
    "msg",
    "set",
    "source",
    "level",
    "wanted",
    "good",
    "why",
    "seconds",
    "restore_seconds",
)


def begin(folder: str, run: Mapping[str, Any], process: int) -> str:
    """Open the journal of a run.

    :param folder: of the reports; process: that must be there as long as the run goes on.
    :returns: its path; empty where none can be written.
    """
    where = os.path.join(os.path.abspath(os.path.expanduser(folder)), str(run["procedure"]))
    path = os.path.join(where, _BEFORE + str(run["id"]) + _AFTER)
    try:
        os.makedirs(where, exist_ok=True)
        with open(path, "x", encoding="utf-8") as stream:
            about = {"run": dict(run), "host": platform.node(), "process": process, "since": _since(process)}
            stream.write(json.dumps(about) + "\n")
    except OSError:
        return ""
    return path


def note(path: str, place: str, at: str, systems: list[str] | None = None, **done: Mapping[str, Any]) -> None:
    """Add what was begun (names of systems), or what came of some (system to what its module returned)."""
    entry: dict[str, Any] = {"place": place, "at": at}
    if systems is not None:
        entry["begun"] = systems
    entry["done"] = {
        system: redact({key: answer[key] for key in _KEPT if key in answer}) for system, answer in done.items()
    }
    if not path:
        return
    try:
        # Without O_CREAT: what is written after the run has ended is of no use to anybody.
        with open(os.open(path, os.O_WRONLY | os.O_APPEND), "w", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")
    except (OSError, TypeError, ValueError):
        return


def end(path: str) -> None:
    """The run has told what it did."""
    if path and os.path.basename(path).startswith(_BEFORE):
        with contextlib.suppress(OSError):
            os.unlink(path)


def left(folder: str, procedure: str) -> list[dict[str, Any]]:
    """Journals of runs of a procedure that were interrupted on this host, the oldest first; they are taken away.

    :returns: ``run`` as `run_start` made it, ``ended`` (last that is known of it) and ``places``, each with ``wanted``
        (systems) and ``done`` (system to what its module returned).
    """
    where = os.path.join(os.path.abspath(os.path.expanduser(folder)), procedure)
    found = []
    try:
        names = sorted(name for name in os.listdir(where) if name.startswith(_BEFORE) and name.endswith(_AFTER))
    except OSError:
        return []
    for name in names:
        path = os.path.join(where, name)
        try:
            with open(path, encoding="utf-8", errors="replace") as stream:
                lines = stream.read(_MOST).splitlines()
            about = json.loads(lines[0])
            if about["host"] != platform.node() or _goes_on(int(about["process"]), about["since"]):
                continue
            one = {"run": dict(about["run"]), "ended": str(about["run"]["started"]), "places": {}}
        except (OSError, ValueError, KeyError, IndexError, TypeError, RecursionError):
            continue  # of a later version, or somebody else's
        for line in lines[1:]:
            # The last line may be half of one.
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
                _take(one, json.loads(line))
        end(path)
        found.append(one)
    return found


def _take(one: dict[str, Any], entry: Mapping[str, Any]) -> None:
    place = one["places"].setdefault(str(entry["place"]), {"wanted": [], "done": {}})
    place["wanted"] += [str(name) for name in entry.get("begun") or () if str(name) not in place["wanted"]]
    place["done"].update({str(name): dict(answer) for name, answer in entry["done"].items()})
    one["ended"] = max(one["ended"], str(entry["at"]))


def _goes_on(process: int, since: Any) -> bool:
    return os.path.exists("/proc/%d" % process) and _since(process) == since


def _since(process: int) -> str | None:
    """When a process began, in the kernel's own count: its number may be another one's by now."""
    try:
        with open("/proc/%d/stat" % process, encoding="utf-8", errors="replace") as stream:
            return stream.read().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return None

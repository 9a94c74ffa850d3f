# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs of the systemd journal, read by journalctl as JSON, entry by entry."""

from __future__ import annotations

import bisect
import json
import os
import selectors
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from typing import Any

from .book import Book
from .look import Look
from .scan import scan_bytes

PRIORITIES = {"emerg": 0, "alert": 1, "crit": 2, "err": 3, "warning": 4, "notice": 5, "info": 6, "debug": 7}
_FIELDS = "MESSAGE,PRIORITY,_SYSTEMD_UNIT,SYSLOG_IDENTIFIER,_TRANSPORT"
_MOST_TEXT = 4 << 20
_MOST_ENTRY = 64 * 1024
_PATHS = ("/usr/bin/journalctl", "/bin/journalctl")


def look_at_journal(
    units: list[str], priority: str, book: Book, look: Look, until: float, most_bytes: int, service: str = ""
) -> None:
    """Count the errors in the journal of this machine.

    :param units: names or globs of units whose every entry is read, because what programs write to their standard
        output all has one priority. Without any, entries of the whole machine from `priority` on are read.
    :param priority: from this priority on an entry is an error whatever it says.
    """
    program = shutil.which("journalctl") or next((path for path in _PATHS if os.path.exists(path)), None)
    if program is None:
        look.failed("missing", "there is no journalctl on this machine")
        return
    command = [program, "--output=json", f"--output-fields={_FIELDS}", "--no-pager"]
    command.append("--since=@%.6f" % book.start)
    command += [f"--unit={unit}" for unit in units]
    if not units:
        command.append(f"--priority={priority}")
    worst = PRIORITIES[priority]
    texts: dict[str, _Text] = {}
    for entry in _entries(command, book, look, until, most_bytes):
        message = _message(entry.get("MESSAGE"))
        if not message:
            continue
        unit = str(entry.get("_SYSTEMD_UNIT") or entry.get("SYSLOG_IDENTIFIER") or entry.get("_TRANSPORT") or "journal")
        if entry.get("_TRANSPORT") == "kernel":
            unit = "kernel"
        name = _owner(unit)
        text = texts.get(name)
        if text is None:
            text = texts[name] = _Text()
        text.add(message, _moment(entry), _priority(entry) <= worst)
        if text.size > _MOST_TEXT:
            _count(name, text, book, service)
            texts[name] = _Text()
    for name, text in texts.items():
        _count(name, text, book, service)
    for unit in units:
        if not any(letter in unit for letter in "*?["):
            book.owner(_owner(unit if "." in unit else unit + ".service"), "journal", service)
    look.took(0, len(texts))


class _Text:
    """What one unit has said, as one text, with time and priority by where an entry begins."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        self.begins: list[int] = []
        self.said: list[tuple[float | None, bool]] = []

    def add(self, message: bytes, when: float | None, bad: bool) -> None:
        self.begins.append(self.size)
        self.said.append((when, bad))
        self.parts.append(message + b"\n")
        self.size += len(message) + 1


def _count(name: str, text: _Text, book: Book, service: str) -> None:
    owner = book.owner(name, "journal", service or _service(name))
    whole = b"".join(text.parts)
    taken: set[int] = set()

    def sink(raw: bytes) -> None:
        place = whole.find(raw, seen[0])
        if place < 0:
            return
        seen[0] = place + len(raw)
        first = bisect.bisect_right(text.begins, place) - 1
        last = bisect.bisect_right(text.begins, place + len(raw) - 1) - 1
        taken.update(range(first, last + 1))
        when, bad = text.said[first]
        book.line(owner, raw, name, when, bad)

    seen = [0]
    scan_bytes(whole, sink)
    for number, (when, bad) in enumerate(text.said):
        if bad and number not in taken:
            book.line(owner, text.parts[number].rstrip(b"\n"), name, when, True)


def _owner(unit: str) -> str:
    """Units with a number of their own in each start (run-r1234.scope, session-12.scope) are one owner."""
    front, _dot, kind = unit.rpartition(".")
    if kind == "scope" and "-" in front:
        return front.split("-", 1)[0] + ".scope"
    at = front.find("@")
    return (front[: at + 1] + "." + kind if at > 0 else unit).replace("/", "-")


def _service(name: str) -> str:
    return name[: -len(".service")] if name.endswith(".service") else name


def _entries(command: list[str], book: Book, look: Look, until: float, most_bytes: int) -> Iterator[Mapping[str, Any]]:
    try:
        # A fixed program; units are single arguments.
        child = subprocess.Popen(  # noqa: S603  # pylint: disable=ansible-bad-function
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except OSError as error:
        look.failed("other", f"journalctl cannot be run: {error.strerror or error}")
        return
    out, said = child.stdout, child.stderr
    if out is None or said is None:
        return
    rest, total, ended = b"", 0, False
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(out, selectors.EVENT_READ)
            while True:
                if not selector.select(max(until - time.monotonic(), 0.0)):
                    look.bounded("the deadline was over before the journal was read")
                    break
                chunk = os.read(out.fileno(), 1 << 16)
                if not chunk:
                    ended = True
                    break
                total += len(chunk)
                *lines, rest = (rest + chunk).split(b"\n")
                rest = rest[: _MOST_ENTRY * 16]
                for line in lines:
                    entry = _entry(line)
                    if entry is not None:
                        yield entry
                if total > most_bytes:
                    look.bounded(f"more than {most_bytes >> 20} MiB of journal")
                    break
                if book.full:
                    look.bounded(f"more than {book.most_events} errors: what came after them was not counted")
                    break
    finally:
        if not ended:
            child.kill()
        words = said.read(4096).decode("utf-8", "replace").strip() if ended else ""
        out.close()
        said.close()
        status = child.wait()
        look.took(total)
    if ended and "No journal files were found" in words:
        look.failed("missing", "this machine keeps no journal, or this account may not read it")
    elif ended and status != 0 and "No entries" not in words:
        kind = "denied" if "ermission" in words or "not seeing messages" in words else "other"
        look.failed(kind, f"journalctl ended with {status}: {words.splitlines()[-1] if words else 'no reason given'}")
    elif ended and "not seeing messages" in words:
        look.failed("denied", "this account may not read the journal of the system")


def _entry(line: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _message(value: Any) -> bytes:
    """The message of an entry; one that is no UTF-8 comes as a list of numbers."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace")[:_MOST_ENTRY].rstrip(b"\n")
    if isinstance(value, list) and all(isinstance(one, int) and 0 <= one < 256 for one in value[:_MOST_ENTRY]):
        return bytes(value[:_MOST_ENTRY]).rstrip(b"\n")
    return b""


def _moment(entry: Mapping[str, Any]) -> float | None:
    value = entry.get("__REALTIME_TIMESTAMP")
    return int(value) / 1e6 if isinstance(value, str) and value.isdigit() and len(value) < 20 else None


def _priority(entry: Mapping[str, Any]) -> int:
    value = entry.get("PRIORITY")
    return int(value) if isinstance(value, str) and value.isdigit() and len(value) == 1 else 6

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every backup module has in common: one at a time, room, write, read to the end, and only then the link.

A module brings an :class:`Engine`; :func:`run` does the rest and returns what the module returns::

    def run(params, check_mode):
        return run_backup.run(params, check_mode, RedisEngine(params))
"""

from __future__ import annotations

import contextlib
import datetime
import os
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from .._core.argspec import ArgSpec
from .._core.errors import OpsError, OptionError
from . import layout, lock, manifest, stream
from .manifest import Copy, File, Manifest, Proof

DEADLINE = 6 * 3600.0
_UNITS = ("B", "kB", "MB", "GB", "TB")
# Without a file of its own size to spare, the manifest and the folder's own blocks would not fit.
_ROOM_LEAST = 1 << 20


class NoRoom(OpsError):
    """The disk of the backups has too little left; the text says how much and what to do."""


class Ended(BaseException):
    """A signal asks the process to end: what is written goes first."""


@dataclass(frozen=True)
class Look:
    """What an engine sees of its source before anything is written; check mode ends here.

    :ivar server: its version; source: where it is, such as host, port and database, never a password.
    :ivar bytes: size of the source; estimate: bytes that a first set takes at least, 0 where that cannot be said.
    """

    server: str
    source: dict[str, Any]
    bytes: int = 0
    estimate: int = 0


@dataclass
class Written:
    """What an engine has written, for the manifest; the fields are those of :class:`Manifest`."""

    format: str
    files: list[File]
    options: dict[str, Any] = field(default_factory=dict)
    position: dict[str, Any] = field(default_factory=dict)
    invariants: dict[str, Any] = field(default_factory=dict)
    encryption: str = "none"
    copies: list[Copy] = field(default_factory=list)


class Engine(Protocol):
    """One way to back up one kind of system. A deadline is on the clock of time.monotonic().

    :ivar name: as the manifest names it.
    """

    name: str

    def look(self, deadline: float) -> Look:
        """See that the source answers, and what it is. Changes nothing.

        :raises OpsError: it does not, or cannot be backed up by this engine.
        """

    def write(self, folder: str, progress: stream.Progress, deadline: float) -> Written:
        """Write the set's files below a folder that is there and empty.

        :raises OpsError: that failed. What is there is removed by the caller.
        :raises OSError: a file cannot be written.
        """

    def verify(self, folder: str, written: Written, deadline: float) -> str:
        """Read all that was written to its last byte (level 2), and say what read it.

        :raises OpsError: it is damaged, or nothing is there that could read it.
        """


def backup_spec() -> ArgSpec:
    """The options of every backup module (doc fragment `backup`)."""
    return ArgSpec(
        {
            "system": {"type": "str", "required": True},
            "path": {"type": "path", "default": "/backups/nexus-cos"},
            "stamp": {"type": "str"},
            "lock_wait": {"type": "float", "default": 0.0},
            "deadline": {"type": "float", "default": DEADLINE},
        }
    )


def run(params: Mapping[str, Any], check_mode: bool, engine: Engine) -> dict[str, Any]:
    """Make a set, or say what would be made.

    :param params: of the module, with those of :func:`backup_spec`.
    :returns: ``changed``, ``msg``, and ``set`` and ``level`` or, in check mode, ``plan``.
    :raises OpsError: no set was made; the earlier ones and the link are as they were.
    """
    place, system = params["path"], layout.check_name(params["system"])
    _check(params)
    until = time.monotonic() + params["deadline"]
    if params["stamp"] and _is_there(place, params["stamp"], system):
        return _known(place, system, params["stamp"], params["lock_wait"], check_mode)
    with _ends_cleanly():
        look = engine.look(until)
        if check_mode:
            return _plan(params, engine, look)
        try:
            os.makedirs(place, mode=0o750, exist_ok=True)
        except OSError as error:
            raise layout.PlaceError(f"{error.filename or place}: {error.strerror}") from error
        with lock.held(place, system, "backup", min(params["lock_wait"], params["deadline"])):
            # Whoever had the lock before may have made this very set.
            if params["stamp"] and _is_there(place, params["stamp"], system):
                return _finish(place, system, params["stamp"], False)
            for path in layout.leftovers(place, system):
                layout.remove(path)
            last = last_set(place, system, engine.name)
            check_room(place, last.bytes if last else look.estimate, bool(last))
            one, made = _make(place, system, params["stamp"] or _free_stamp(place, system), engine, look, last, until)
            led = layout.latest(place, system)
            if led is None or led.stamp < one.stamp:
                layout.point_latest(place, one)
    return _result(one, made, changed=True)


def last_set(place: str, system: str, engine: str | None = None) -> Manifest | None:
    """The manifest of the newest set of a system, of an engine or of any; None where there is none that can be read."""
    with contextlib.suppress(layout.PlaceError):
        for one in layout.finished(place, system):
            with contextlib.suppress(manifest.ManifestError):
                found = manifest.read(one.path)
                if engine in (None, found.engine):
                    return found
    return None


def free_bytes(place: str) -> int:
    """What is left on the disk of a folder, or of the nearest one above it that is there.

    :raises PlaceError: there is no way to ask.
    """
    folder = os.path.abspath(place)
    while not os.path.isdir(folder) and folder != "/":
        folder = os.path.dirname(folder)
    try:
        found = os.statvfs(folder)
    except OSError as error:
        raise layout.PlaceError(f"{folder}: {error.strerror}") from error
    return found.f_bavail * found.f_frsize


def check_room(place: str, wanted: int, known: bool, spare: int = 0) -> None:
    """Refuse early what could not be finished.

    :param wanted: bytes; known: they are those of the last set, not an estimate.
    :param spare: bytes that will be free before writing begins, such as those of leftovers.
    :raises NoRoom: there is less.
    """
    free = free_bytes(place) + spare
    if free < max(wanted, _ROOM_LEAST):
        why = "the last set took" if known else "a set takes about"
        need = f"{why} {human(wanted)}" if wanted else "not even a manifest fits"
        raise NoRoom(
            f"{place} has {human(free)} free, and {need}: make room there (older sets, another disk), "
            "or let path lead to a disk with room"
        )


def human(count: float) -> str:
    """Bytes as people write them: ``51.3 MB``."""
    for unit in _UNITS[:-1]:
        if count < 999.95 or (unit == "B" and count < 1000):
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} {_UNITS[-1]}"


def _check(params: Mapping[str, Any]) -> None:
    if params["stamp"] and not layout.is_stamp(params["stamp"]):
        raise OptionError(f"stamp: want a time in UTC such as 2026-11-29T060000Z, got {params['stamp']!r}")
    if params["deadline"] <= 0:
        raise OptionError(f"deadline: want more than 0 seconds, got {params['deadline']:g}")
    if params["lock_wait"] < 0:
        raise OptionError(f"lock_wait: want 0 seconds or more, got {params['lock_wait']:g}")


def _is_there(place: str, stamp: str, system: str) -> bool:
    return os.path.isfile(os.path.join(place, stamp, system, manifest.NAME))


def _free_stamp(place: str, system: str) -> str:
    """The name for a run that begins now; a set of this very second makes it the next one."""
    while os.path.lexists(os.path.join(place, name := layout.stamp(), system)):
        time.sleep(0.05)
    return name


def _make(
    place: str, system: str, stamp: str, engine: Engine, look: Look, last: Manifest | None, until: float
) -> tuple[layout.Set, Manifest]:
    with layout.writing(place, system, stamp) as folder:
        began, clock = _now(), time.monotonic()
        progress = stream.Progress(folder, system, last.bytes if last else look.estimate)
        written = engine.write(folder, progress, until)
        progress.done()
        ended, seconds = _now(), time.monotonic() - clock
        clock = time.monotonic()
        how = engine.verify(folder, written, until)
        proof = Proof(
            level=2, wanted=2, at=_now(), seconds=round(time.monotonic() - clock, 3), good=True, details={"how": how}
        )
        made = Manifest(
            system=system,
            stamp=stamp,
            engine=engine.name,
            format=written.format,
            source=look.source,
            server=look.server,
            began=began,
            ended=ended,
            seconds=round(seconds, 3),
            files=written.files,
            options=written.options,
            position=written.position,
            invariants=written.invariants,
            encryption=written.encryption,
            copies=written.copies,
            proofs=[proof],
        )
        manifest.write(folder, made)
    return layout.Set(system, stamp, os.path.join(place, stamp, system)), made


def _plan(params: Mapping[str, Any], engine: Engine, look: Look) -> dict[str, Any]:
    place, system = params["path"], params["system"]
    last = last_set(place, system, engine.name)
    expected = last.bytes if last else look.estimate
    half = layout.leftovers(place, system)
    busy = lock.holder(place, system)
    check_room(place, expected, bool(last), sum(layout.bytes_below(path) for path in half))
    if busy and params["lock_wait"] <= 0:
        raise lock.Busy(
            "{}: {what} by {user} on {host} since {since} (process {pid}) is at work".format(system, **busy)
        )
    plan = {
        "system": system,
        "stamp": params["stamp"] or layout.stamp(),
        "path": place,
        "engine": engine.name,
        "server": look.server,
        "source": look.source,
        "source_bytes": look.bytes,
        "expected_bytes": expected,
        "expected_seconds": last.seconds if last else None,
        "free_bytes": free_bytes(place),
        "leftovers": half,
    }
    like = f"; the last set took {human(last.bytes)} and {last.seconds:.1f} s" if last else ""
    msg = (
        f"{system}: would back up {human(look.bytes)} of version {look.server} to {place}, "
        f"where {human(free_bytes(place))} are free{like}"
    )
    return {"changed": True, "plan": plan, "msg": msg}


def _known(place: str, system: str, stamp: str, wait: float, check_mode: bool) -> dict[str, Any]:
    """A set of this stamp is there. What may be left to do is the link, where the run before was cut off."""
    if check_mode:
        return _finish(place, system, stamp, check_mode)
    with lock.held(place, system, "backup", wait):
        return _finish(place, system, stamp, check_mode)


def _finish(place: str, system: str, stamp: str, check_mode: bool) -> dict[str, Any]:
    one = layout.Set(system, stamp, os.path.join(place, stamp, system))
    made = manifest.read(one.path)
    led = layout.latest(place, system)
    behind = made.proven is not None and made.proven.level >= 2 and (led is None or led.stamp < stamp)
    if behind and not check_mode:
        layout.point_latest(place, one)
    return _result(one, made, changed=behind, made_now=False)


def _result(one: layout.Set, made: Manifest, changed: bool, made_now: bool = True) -> dict[str, Any]:
    proven = made.proven
    told = {
        "system": one.system,
        "stamp": one.stamp,
        "path": one.path,
        "bytes": made.bytes,
        "seconds": made.seconds,
        "engine": made.engine,
        "format": made.format,
        "files": len(made.files),
    }
    msg = f"{one.system}: {human(made.bytes)} in {made.seconds:.1f} s to {one.stamp}, read to the end"
    if not made_now:
        msg = f"{one.system}: {one.stamp} is there already, {human(made.bytes)}"
    return {"changed": changed, "set": told, "level": proven.level if proven else 0, "msg": msg}


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextlib.contextmanager
def _ends_cleanly() -> Iterator[None]:
    """Let a signal that ends the process be an exception, so that what is half written goes with it."""
    before: dict[signal.Signals, Any] = {}

    def end(number: int, _frame: object) -> None:
        for one in before:  # whoever is impatient would leave half of it
            signal.signal(one, signal.SIG_IGN)
        raise Ended(f"ended by {signal.Signals(number).name}")

    try:
        for number in (signal.SIGTERM, signal.SIGHUP):
            before[number] = signal.signal(number, end)
    except ValueError:
        pass  # Not in the main thread: whoever runs this there looks after signals.
    try:
        yield
    except Ended as error:
        raise OpsError(
            f"{error}: what was half written has been removed, and the earlier sets are as they were"
        ) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

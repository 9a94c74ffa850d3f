# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove a set, level by level (:data:`manifest.LEVELS`), and file the proof with it.

Three things can come out. A level holds. Or it is refuted (:class:`Refuted`): the set was looked at, and it is not what
it should be; that is filed, too. Or it could not be looked at (any OpsError: no room, no programs, no time): the task
fails, and nothing is filed, because nothing was found out about the set.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import stat
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from .._core.errors import OpsError, OptionError
from . import k8s_vault, layout, lock, manifest, readers
from .manifest import LEVELS, Manifest, Proof
from .run_backup import human

DEADLINE = 7200.0
FUTURE_S = 300.0
_OTHER_DAY_S = 14 * 3600.0
_SHRUNK = 0.5
_TREND = 7
_NAMED = 5


class Refuted(Exception):
    """A level does not hold; the text says why."""


@dataclass
class Job:
    """One verification.

    :ivar one: the set; known: its manifest; wanted: level; until: on the clock of time.monotonic().
    :ivar smoke: queries of level 5, each ``query`` and ``answer``; accept: names or globs of sequences, constraints and
        indexes whose trouble is known.
    :ivar kubernetes: how an API server is reached that scratch namespaces may be made in; vault_password: of Secrets.
    :ivar restic: how the repository of file trees is reached.
    """

    one: layout.Set
    known: Manifest
    wanted: int
    until: float
    smoke: Sequence[Mapping[str, Any]] = ()
    accept: Sequence[str] = ()
    jobs: int = 2
    bin_dir: str = ""
    scratch_dir: str = ""
    kubernetes: Mapping[str, Any] | None = None
    vault_password: str | None = None
    restic: Mapping[str, Any] | None = None
    odd: list[str] = field(default_factory=list)

    def path(self, name: str) -> str:
        """A file of the set."""
        return os.path.join(self.one.path, name)

    def left(self) -> float:
        """Seconds that are left; never none, so that who asks gives up by itself."""
        return max(self.until - time.monotonic(), 0.1)

    def in_time(self) -> None:
        """Give up when the time is over.

        :raises OpsError: it is.
        """
        if time.monotonic() > self.until:
            raise OpsError("there was no time to finish the verification: give it a longer deadline")


class Restored(Protocol):
    """A set that was restored into a scratch instance.

    :ivar seconds: that the restore took; details: about it.
    """

    seconds: float
    details: dict[str, Any]

    def invariants(self, job: Job) -> dict[str, Any]:
        """Level 4; what was compared. Raises Refuted."""

    def smoke(self, job: Job) -> dict[str, Any]:
        """Level 5; what was asked. Raises Refuted."""


class Engine(Protocol):
    """How sets of one format are proven.

    :ivar most: the highest level that it knows.
    """

    most: int

    def read(self, job: Job) -> dict[str, Any]:
        """Level 2: read all files to their end. Raises Refuted."""

    def restored(self, job: Job) -> contextlib.AbstractContextManager[Restored]:
        """Level 3: restore into a scratch instance, which is gone afterwards. Raises Refuted."""


class Files:
    """Sets of which nothing is known but how their files are read."""

    most = 2

    def read(self, job: Job) -> dict[str, Any]:
        """By what each file begins with."""
        told = {}
        for file in job.known.files:
            kind = job.known.format if job.known.format in readers.FORMATS and len(job.known.files) == 1 else "auto"
            kind = kind if job.known.encryption == "none" else "any"
            told[file.path] = read_file(job, file.path, kind)
        return {"read": told}

    def restored(self, job: Job) -> contextlib.AbstractContextManager[Restored]:
        """There is no way."""
        raise OptionError(f"level: sets of {job.known.engine} are proven to level {self.most}")


def read_file(job: Job, name: str, kind: str = "auto") -> str:
    """Read one file to its end by the reader of its format, and say how.

    :raises Refuted: it is damaged.
    :raises OpsError: it could not be read.
    """
    answer = readers.read(job.path(name), kind, job.until)
    if answer["status"] == "bad":
        raise Refuted(f"{name}: {answer['why']}")
    if answer["status"] != "ok":
        raise OpsError(f"{job.path(name)}: {answer['why']}")
    return str(answer["how"])


def engine_of(known: Manifest) -> Engine:
    """How a set is proven."""
    for engines in _engines():
        found = engines.get(known.format) or engines.get(known.engine)
        if found is not None:
            return found
    return Files()


def _engines() -> Iterator[Mapping[str, Engine]]:
    """One group after the other: each takes a while to load, and a set wants one of them."""
    from . import verify_postgres

    yield verify_postgres.ENGINES
    from . import verify_redis

    yield verify_redis.ENGINES
    from . import verify_mongodb

    yield verify_mongodb.ENGINES
    from . import verify_k8s

    yield verify_k8s.ENGINES
    from . import verify_pgbackrest

    yield verify_pgbackrest.ENGINES
    from . import verify_files

    yield verify_files.ENGINES


def choose(place: str, system: str, stamp: str | None) -> layout.Set:
    """The set of a stamp, or the newest.

    :raises OpsError: there is none.
    """
    layout.check_name(system)
    found = layout.finished(place, system)
    if stamp:
        if not layout.is_stamp(stamp):
            raise OptionError(f"set: want a time in UTC such as 2026-11-29T060000Z, got {stamp!r}")
        found = [one for one in found if one.stamp == stamp]
    if not found:
        which = f"of {stamp}" if stamp else "at all"
        raise OpsError(f"{place} holds no set of {system} {which}: a set is a folder <stamp>/{system} with a manifest")
    return found[0]


def choose_good(place: str, system: str, stamp: str | None) -> layout.Set:
    """The set of a stamp, or the newest that no verification has refuted: what is restored where nobody names one.

    :raises OpsError: there is none.
    """
    newest = choose(place, system, stamp)
    if stamp:
        return newest
    for one in layout.finished(place, system):
        try:
            if not manifest.read(one.path).refuted:
                return one
        except manifest.ManifestError:
            return one  # whoever reads it says why it is none; an older set is nobody's silent choice
    raise OpsError(f"{system}: every set in {place} was refuted by a verification: make a new one, or name one in set")


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Verify a set.

    :returns: what the module returns. ``good`` says whether all that was asked for holds.
    :raises OpsError: it could not be looked at.
    """
    _check(params)
    one = choose(params["path"], params["system"], params["set"])
    wanted = params["level"]
    try:
        known = manifest.read(one.path)
    except manifest.ManifestError as error:
        # Nothing can be filed: this is another set's manifest, or none.
        return _told(one, None, Proof(0, wanted, now(), 0.0, False, str(error)), [], False, False)
    engine = engine_of(known)
    opens = isinstance(engine, Files) or getattr(engine, "decrypts", False)
    if known.encryption != "none" and wanted >= 2 and not opens:
        raise OptionError(
            f"level: the files are encrypted with {known.encryption}, and are proven to level 1 as they are"
        )
    if wanted > engine.most:
        raise OptionError(f"level: sets of {known.engine} in the format {known.format} are proven to {engine.most}")
    job = Job(
        odd=_beside(params["path"], one) if not params["set"] else [],
        one=one, known=known, wanted=wanted, until=time.monotonic() + params["deadline"], smoke=params["smoke"],
        accept=params["accept"], jobs=params["jobs"], bin_dir=params["bin_dir"], scratch_dir=params["scratch_dir"],
        kubernetes=params.get("kubernetes"), vault_password=k8s_vault.password(params),
        restic=params.get("restic"),
    )  # fmt: skip
    if check_mode:
        return _plan(job, params["path"])
    # A lock of its own: a backup must not wait for a test of the one before it.
    with lock.held(
        params["path"], one.system + lock.VERIFYING, "verification", min(params["lock_wait"], params["deadline"])
    ):
        proof, levels = prove(job, engine, _earlier(params["path"], one))
        try:
            manifest.add_proof(one.path, proof)
        except (OSError, manifest.ManifestError) as error:
            raise OpsError(
                f"{one.path}: the proof cannot be filed: {error}. It is: {_sentence(one, known, proof)}"
            ) from None
    return _told(one, known, proof, levels, True, True, job.odd)


def prove(job: Job, engine: Engine, earlier: Sequence[int] = ()) -> tuple[Proof, list[dict[str, Any]]]:
    """Go from level to level until one does not hold.

    :param earlier: bytes of the sets before it.
    :returns: the proof, and a row for each level that was tried.
    """
    began, at = time.monotonic(), now()
    rows: list[dict[str, Any]] = []
    why: str | None = None
    restore: float | None = None
    try:
        with contextlib.ExitStack() as stack:
            for level, ask in _steps(job, engine, earlier, stack):
                clock = time.monotonic()
                row: dict[str, Any] = {"level": level, "name": LEVELS[level], "good": False, "why": None, "details": {}}
                rows.append(row)
                try:
                    row["details"] = ask()
                    row["good"] = True
                finally:
                    row["seconds"] = round(time.monotonic() - clock, 3)
                restore = row["details"].get("restore_seconds", restore)
                job.in_time()
    except Refuted as error:
        why = str(error)
        rows[-1]["why"] = why
    except OSError as error:
        raise OpsError(f"{error.filename or job.one.path}: {error.strerror or error}") from error
    if not os.path.isdir(job.one.path):
        raise OpsError(f"{job.one.path} was removed while it was verified: nothing is said about it")
    reached = max((row["level"] for row in rows if row["good"]), default=0)
    proof = Proof(
        level=reached,
        wanted=job.wanted,
        at=at,
        seconds=round(time.monotonic() - began, 3),
        good=why is None,
        why=why,
        restore_seconds=restore,
        details={row["name"]: row["details"] for row in rows if row["details"]},
    )
    return proof, rows


def _steps(
    job: Job, engine: Engine, earlier: Sequence[int], stack: contextlib.ExitStack
) -> Iterator[tuple[int, Callable[[], dict[str, Any]]]]:
    yield 0, lambda: exists(job, earlier)
    strange = [name for name in sorted(file.path for file in job.known.files) if _is_no_file(job.path(name))]
    if strange and job.wanted >= 1:
        # Whoever reads a pipe waits for its writer for ever.
        yield 1, lambda: sums(job)
    elif job.wanted >= 1:
        # Both read all of it from the disk: at the same time, it is read once.
        pool = stack.enter_context(ThreadPoolExecutor(2))
        stack.push(lambda *_error: _hurry(job))
        reading = pool.submit(engine.read, job) if job.wanted >= 2 else None
        yield 1, pool.submit(sums, job).result
        if reading is not None:
            yield 2, reading.result
    if job.wanted >= 3:
        restored: list[Restored] = []

        def restore() -> dict[str, Any]:
            restored.append(stack.enter_context(engine.restored(job)))
            return {**restored[0].details, "restore_seconds": round(restored[0].seconds, 3)}

        yield 3, restore
        if job.wanted >= 4:
            yield 4, lambda: restored[0].invariants(job)
        if job.wanted >= 5:
            yield 5, lambda: restored[0].smoke(job)


def _hurry(job: Job) -> bool:
    """What still reads when all is said need not go on."""
    job.until = min(job.until, time.monotonic())
    return False


def exists(job: Job, earlier: Sequence[int]) -> dict[str, Any]:
    """Level 0: there, of a time that has been, with something in it.

    :param earlier: bytes of the sets before it; one that is much smaller is odd, and no more than that: rows may have
        been deleted.
    """
    known, clock = job.known, time.time()
    moments = {"its name": job.one.began, "began": _moment(known.began), "ended": _moment(known.ended)}
    for what, when in moments.items():
        if when is None:
            raise Refuted(f"the manifest's time is none: {what} is {getattr(known, what)!r}")
        if when > clock + FUTURE_S:
            raise Refuted(
                f"it is from the future, by {what} {_span(when - clock)} ahead: the clock of the machine that made "
                "it, or of this one, was wrong"
            )
    if abs((moments["began"] or 0) - job.one.began) > _OTHER_DAY_S:
        raise Refuted(f"it is of another time than its name says: it was begun at {known.began}")
    if not known.files:
        raise Refuted("its manifest names no files")
    size = sum(_size(job.path(file.path)) for file in known.files)
    if size <= 0:
        raise Refuted("its files are empty or gone")
    usual = int(statistics.median(earlier)) if earlier else None
    if usual and known.bytes < usual * _SHRUNK:
        job.odd.append(f"it has {human(known.bytes)}, and those before it had {human(usual)}")
    return {"bytes": size, "usual_bytes": usual, "files": len(known.files)}


def sums(job: Job) -> dict[str, Any]:
    """Level 1: the files are those of the manifest, byte by byte; names what is missing, changed, or too much."""
    import hashlib

    there = set(_files(job.one.path))
    listed = {os.path.normpath(file.path): file for file in job.known.files}
    wrong = [f"{name} is missing" for name in sorted(set(listed) - there)]
    wrong += [f"{name} is not of the set" for name in sorted(there - set(listed))]
    total = 0
    for name in sorted(there & set(listed)):
        path, file = job.path(name), listed[name]
        if not stat.S_ISREG(os.lstat(path).st_mode):
            wrong.append(f"{name} is no file")
            continue
        size = os.path.getsize(path)
        if size != file.bytes:
            wrong.append(f"{name} has {size} bytes, the manifest says {file.bytes}")
            continue
        digest = hashlib.sha256()
        try:
            with open(path, "rb", buffering=0) as stream:
                while piece := stream.read(1 << 20):
                    digest.update(piece)
                    job.in_time()
        except OSError as error:
            raise OpsError(f"{path}: {error.strerror}") from error
        total += size
        if digest.hexdigest() != file.sha256:
            wrong.append(f"{name} was changed: its sum is not that of the manifest")
    if wrong:
        more = f"; and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        raise Refuted("; ".join(wrong[:_NAMED]) + more)
    return {"files": len(listed), "bytes": total}


def _is_no_file(path: str) -> bool:
    try:
        return not stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False  # it is missing, which the sums tell


def check_made(known: Manifest, made: str | None) -> None:
    """A file says when it was made: is that the time of the set?

    :raises Refuted: it is of another day (a day and not an hour, because dumps tell no zone).
    """
    told, began = _moment(made), _moment(known.began)
    if told is not None and began is not None and abs(told - began) > _OTHER_DAY_S:
        raise Refuted(f"it was made at {made}, and the set at {known.began}: it is the file of another day")


def _files(folder: str) -> Iterator[str]:
    """Paths below a set that count: not its manifest, nor what a killed process has left of one."""
    for inside, folders, names in os.walk(folder):
        for name in names + [one for one in folders if os.path.islink(os.path.join(inside, one))]:
            path = os.path.relpath(os.path.join(inside, name), folder)
            if path != manifest.NAME and not path.startswith(layout.WRITING):
                yield path


def _earlier(place: str, one: layout.Set) -> list[int]:
    sizes: list[int] = []
    for other in layout.finished(place, one.system):
        if other.stamp < one.stamp and len(sizes) < _TREND:
            with contextlib.suppress(manifest.ManifestError):
                sizes.append(manifest.read(other.path).bytes)
    return sizes


def _beside(place: str, one: layout.Set) -> list[str]:
    """A younger folder of the system that is no set: the newest backup was looked for, and that may have been it."""
    found = []
    with contextlib.suppress(OSError):
        found = [
            run
            for run in os.listdir(place)
            if layout.is_stamp(run) and run > one.stamp and os.path.isdir(os.path.join(place, run, one.system))
        ]
    if not found:
        return []
    return [f"{max(found)}/{one.system} is younger and has no manifest: it is no set, and was not looked at"]


def _check(params: Mapping[str, Any]) -> None:
    if params["deadline"] <= 0:
        raise OptionError(f"deadline: want more than 0 seconds, got {params['deadline']:g}")
    if params["jobs"] < 1:
        raise OptionError(f"jobs: want 1 or more, got {params['jobs']}")
    if params["lock_wait"] < 0:
        raise OptionError(f"lock_wait: want 0 seconds or more, got {params['lock_wait']:g}")
    if params["level"] == 5 and not params["smoke"]:
        raise OptionError("level: 5 wants smoke, the queries that the application depends on, with their answers")


def _plan(job: Job, place: str) -> dict[str, Any]:
    """What would be done, and how long it took the last time."""
    same = [proof for proof in job.known.proofs if proof.level >= job.wanted]
    if not same:
        for other in layout.finished(place, job.one.system):
            with contextlib.suppress(manifest.ManifestError):
                same = [proof for proof in manifest.read(other.path).proofs if proof.level >= job.wanted]
            if same:
                break
    expected = same[-1].seconds if same else None
    restore = same[-1].restore_seconds if same else None
    plan = {
        "system": job.one.system,
        "stamp": job.one.stamp,
        "path": job.one.path,
        "bytes": job.known.bytes,
        "files": len(job.known.files),
        "format": job.known.format,
        "wanted": job.wanted,
        "expected_seconds": expected,
        "expected_restore_seconds": restore,
    }
    like = f"; it took {expected:.1f} s the last time" if expected is not None else ""
    msg = f"{job.one.system} {job.one.stamp}: would prove level {job.wanted} of {human(job.known.bytes)}{like}"
    return {"changed": True, "plan": plan, "msg": msg, "warnings": []}


def _told(
    one: layout.Set, known: Manifest | None, proof: Proof, levels: Sequence[Mapping[str, Any]], filed: bool,
    changed: bool, odd: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    return {
        "changed": changed,
        "set": {
            "system": one.system,
            "stamp": one.stamp,
            "path": one.path,
            "bytes": known.bytes if known else None,
            "engine": known.engine if known else None,
            "format": known.format if known else None,
            "files": len(known.files) if known else None,
        },
        "level": proof.level,
        "wanted": proof.wanted,
        "good": proof.good,
        "why": proof.why,
        "at": proof.at,
        "seconds": proof.seconds,
        "restore_seconds": proof.restore_seconds,
        "levels": list(levels),
        "filed": filed,
        "msg": _sentence(one, known, proof, levels[-1]["level"] if levels else None),
        "warnings": [f"{one.system} {one.stamp}: {text}" for text in odd],
    }


def _sentence(one: layout.Set, known: Manifest | None, proof: Proof, failed: int | None = None) -> str:
    name = f"{one.system} {one.stamp}"
    if not proof.good:
        return f"{name}: refuted{f' at level {failed}' if failed is not None else ''}: {proof.why}"
    parts = [f"{name}: level {proof.level} of {proof.wanted} proven"]
    if proof.restore_seconds is not None:
        parts.append(f"restores in {proof.restore_seconds:.1f} s")
    counted = proof.details.get("invariants", {})
    if counted.get("summary"):
        parts.append(str(counted["summary"]))
    elif known is not None:
        parts.append(human(known.bytes))
    return "; ".join(parts)


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0


def _moment(text: str | None) -> float | None:
    try:
        found = datetime.datetime.strptime(str(text).replace("Z", "+0000"), "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        return None
    return found.timestamp()


def _span(seconds: float) -> str:
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def now() -> str:
    """ISO time in UTC."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

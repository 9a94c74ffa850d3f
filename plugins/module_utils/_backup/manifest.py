# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a set: ``manifest.json`` in its folder, and what has been proven of it since.

Levels of proof: 0 exists, in time, of a plausible size; 1 checksums match; 2 read to the end by its own engine;
3 restored into an isolated instance; 4 invariants hold there; 5 the application works with it.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._core.errors import OpsError
from . import layout, manifest_shape, plain_file

NAME = manifest_shape.NAME
VERSION = 1
LEVELS = ("exists", "checksums", "read", "restored", "invariants", "application")
_MOST = 64 << 20
_PROOFS_KEPT = 50


class ManifestError(OpsError):
    """A manifest cannot be read, or is of another set; the text says what is wrong with it."""


@dataclass(frozen=True)
class File:
    """One file of the set: path in its folder, bytes, SHA-256 that was computed while it was written."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Proof:
    """One verification.

    :ivar level: that was reached, 0 to 5; wanted: that was asked for; at: ISO time in UTC; seconds: how long it took;
        restore_seconds: of that, the restore itself; good: whether all that was asked for held; why: what did not.
    """

    level: int
    wanted: int
    at: str
    seconds: float
    good: bool
    why: str | None = None
    restore_seconds: float | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Copy:
    """The set in another place.

    :ivar repository: where, without passwords; snapshot: its name there; at: ISO time in UTC.
    :ivar bytes: of the set; added: that were new there; seconds: how long it took.
    :ivar engine: that sent it; offsite: whether it is away from this machine.
    """

    repository: str
    snapshot: str
    at: str
    bytes: int
    added: int
    seconds: float
    engine: str = "restic"
    offsite: bool = False


@dataclass
class Manifest:
    """All that is known of a set.

    :ivar system: name of the system; stamp: of the run; engine: ``pg_dump``, ``pg_basebackup``, ``redis``, ``mongodb``,
        ``kubernetes``; format: as the readers name it, such as ``pg_custom``.
    :ivar source: where it is from, such as host, port and database; never a password.
    :ivar server: version of the server; options: what was asked of the engine.
    :ivar began, ended: ISO times in UTC; seconds: between them.
    :ivar position: where the server was, such as ``{lsn: 0/3000060}``.
    :ivar invariants: what a restore must show again, such as ``{tables: {public.orders: 4711}}``.
    :ivar encryption: ``none``, or what the files are encrypted with.
    :ivar copies: where it lies besides.
    """

    system: str
    stamp: str
    engine: str
    format: str
    source: dict[str, Any]
    server: str
    began: str
    ended: str
    seconds: float
    files: list[File]
    options: dict[str, Any] = field(default_factory=dict)
    position: dict[str, Any] = field(default_factory=dict)
    invariants: dict[str, Any] = field(default_factory=dict)
    encryption: str = "none"
    proofs: list[Proof] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    version: int = VERSION

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(one.bytes for one in self.files)

    @property
    def proven(self) -> Proof | None:
        """The newest of the highest proofs that hold."""
        return max(self.standing, key=lambda proof: proof.level, default=None) if not self.refuted else None

    @property
    def standing(self) -> list[Proof]:
        """The proofs that hold, the newest first: what a later look has refuted is none."""
        return _weigh(self.proofs)[0][::-1]

    @property
    def refuted(self) -> Proof | None:
        """The verification that says that the set is bad, if one does.

        Only one that comes further than it did takes that back: that the checksums still match says nothing about rows
        that were missing.
        """
        return _weigh(self.proofs)[1]

    def to_json(self) -> dict[str, Any]:
        """As it stands in the file."""
        return {**dataclasses.asdict(self), "bytes": self.bytes}


def write(folder: str, manifest: Manifest) -> None:
    """Write a set's manifest, whole or not at all.

    :raises OSError: the folder cannot be written.
    """
    path, aside = os.path.join(folder, NAME), os.path.join(folder, layout.WRITING + NAME)
    text = json.dumps(manifest.to_json(), indent=1, sort_keys=True) + "\n"
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
    with open(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(aside, path)
    layout.flush_folder(folder)


def read(folder: str) -> Manifest:
    """A set's manifest.

    :raises ManifestError: it is not there, is garbage, of a later version, or of another system or run than its folder.
    """
    path = os.path.join(folder, NAME)
    try:
        with plain_file.opened(path) as stream:
            data = json.loads(
                stream.read(_MOST),
                object_pairs_hook=manifest_shape.no_double,
                parse_constant=manifest_shape.no_constant,
            )
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{path} is no JSON: {error}") from error
    return parse(data, path)


def parse(data: Any, path: str) -> Manifest:
    """What a manifest says; ``path`` is where it lies, for the error and for the names of its folders."""
    if not isinstance(data, Mapping):
        raise ManifestError(f"{path}: want a mapping, got {type(data).__name__}")
    if data.get("version") != VERSION:
        raise ManifestError(f"{path}: version {data.get('version')!r} is not the one that is known here, {VERSION}")
    names = {one.name for one in dataclasses.fields(Manifest)}
    try:
        manifest_shape.check(data)
        given = {name: value for name, value in data.items() if name in names}
        given["files"] = [File(*manifest_shape.file_of(one)) for one in data["files"]]
        known = {one.name for one in dataclasses.fields(Proof)}
        given["proofs"] = [_proof({key: one[key] for key in one if key in known}) for one in data.get("proofs", [])]
        given["copies"] = [_copy(one) for one in data.get("copies", [])]
        given["seconds"] = float(data["seconds"])
        for key in ("source", "options", "position", "invariants"):
            given[key] = dict(data.get(key, {}))
        for key in ("engine", "format", "server", "began", "ended"):
            given[key] = str(data[key])
        manifest = Manifest(**given)
        for one in manifest.files:
            if os.path.isabs(one.path) or ".." in one.path.split("/"):
                raise ManifestError(f"{path}: {one.path!r} leads out of the set")
        paths = [os.path.normpath(one.path) for one in manifest.files]
        if len(set(paths)) < len(paths):
            raise ValueError(f"files: {next(one for one in paths if paths.count(one) > 1)!r} stands there twice")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ManifestError(f"{path} does not say what a manifest says: {error!r}") from error
    folder = os.path.dirname(os.path.abspath(path))
    run, system = os.path.basename(os.path.dirname(folder)), os.path.basename(folder)
    if layout.is_stamp(run) and (manifest.system, manifest.stamp) != (system, run):
        raise ManifestError(
            f"{path} is of another set: it says {manifest.system} of {manifest.stamp}, and lies in {run}/{system}"
        )
    return manifest


def _copy(one: Any) -> Copy:
    return Copy(
        repository=str(one["repository"]),
        snapshot=str(one["snapshot"]),
        at=str(one["at"]),
        bytes=int(one["bytes"]),
        added=int(one["added"]),
        seconds=float(one["seconds"]),
        engine=str(one.get("engine", "restic")),
        offsite=one.get("offsite") is True,
    )


def _weigh(proofs: Sequence[Proof]) -> tuple[list[Proof], Proof | None]:
    """The proofs that hold, and the one that refutes the set."""
    good: list[Proof] = []
    bad: Proof | None = None
    for proof in proofs:
        if not proof.good:
            good, bad = [], proof
        elif bad is None or proof.level > bad.level:
            good, bad = [*good, proof], None
    return good, bad


def _proof(given: dict[str, Any]) -> Proof:
    """A proof whose numbers are numbers: what reads it compares them."""
    for key in ("level", "wanted"):
        whole = isinstance(given[key], int) and not isinstance(given[key], bool)
        if not whole or not 0 <= given[key] < len(LEVELS):
            raise ValueError(f"proofs: {key} is 0 to {len(LEVELS) - 1}, got {given[key]!r}")
    for key in ("seconds", "restore_seconds"):
        if given.get(key) is not None:
            given[key] = float(given[key])
    given["why"] = None if given.get("why") is None else str(given["why"])
    given["details"] = dict(given.get("details") or {})
    return Proof(**{**given, "at": str(given["at"]), "good": given["good"] is True})


def add_copy(folder: str, copy: Copy) -> Manifest:
    """Note where a set lies besides; a newer copy in the same place takes the place of the older one.

    :raises ManifestError: the manifest cannot be read.
    :raises OSError: or not be written.
    """
    manifest = read(folder)
    manifest.copies = [one for one in manifest.copies if one.repository != copy.repository] + [copy]
    write(folder, manifest)
    return manifest


def drop_copy(folder: str, repository: str) -> Manifest:
    """Forget that a set lies in another place.

    :raises ManifestError: the manifest cannot be read.
    :raises OSError: or not be written.
    """
    manifest = read(folder)
    manifest.copies = [one for one in manifest.copies if one.repository != repository]
    write(folder, manifest)
    return manifest


def add_proof(folder: str, proof: Proof) -> Manifest:
    """File a verification with its set. The oldest go, after 50.

    :raises ManifestError: the manifest cannot be read.
    :raises OSError: or not be written.
    """
    manifest = read(folder)
    manifest.proofs = [*manifest.proofs, proof][-_PROOFS_KEPT:]
    write(folder, manifest)
    return manifest

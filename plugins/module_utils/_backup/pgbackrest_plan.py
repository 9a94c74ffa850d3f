# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""To which moments a server can be taken back from a repository of pgBackRest, and by which backup and which WAL."""

from __future__ import annotations

import contextlib
import datetime
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .._core.errors import OpsError, OptionError
from . import layout, manifest, pgbackrest, pgbackrest_backup, pgbackrest_wal
from .manifest import Manifest
from .pgbackrest import Backup, Info, Where
from .pgbackrest_backup import FORMAT, wal_size
from .pgbackrest_wal import Reach
from .run_backup import human

LATEST, TIME, LSN, NAME = "latest", "time", "lsn", "name"
_LONGEST_NAME = 63
# pgBackRest tells whole seconds: what it tells was somewhere in the second that begins then.
_TOLD_S = 1.0
_NO_BACKUP = "no backup in the repository can be restored from"


@dataclass(frozen=True)
class Target:
    """A moment.

    :ivar kind: :data:`LATEST`, :data:`TIME`, :data:`LSN` or :data:`NAME`; text: as it was asked for.
    :ivar at: seconds since 1970 of a time; position: of an LSN.
    """

    kind: str
    text: str
    at: float = 0.0
    position: int = 0

    def settings(self) -> dict[str, str]:
        """What a server is told that is to recover to it."""
        if self.kind == LATEST:
            return {}
        if self.kind == TIME:
            moment = datetime.datetime.fromtimestamp(self.at, datetime.timezone.utc)
            return {"recovery_target_time": moment.strftime("%Y-%m-%d %H:%M:%S.%f+00")}
        return {f"recovery_target_{self.kind}": self.text}


@dataclass(frozen=True)
class Own:
    """A set of ours that refers to a backup."""

    one: layout.Set
    known: Manifest


@dataclass(frozen=True)
class Way:
    """A backup, and the WAL that leads from it.

    :ivar own: the set that refers to it, where one does; oldest: backup that can be restored from; needs: bytes.
    """

    where: Where
    info: Info
    target: Target
    backup: Backup
    own: Own | None
    reach: Reach
    oldest: Backup
    oldest_stamp: str | None
    warnings: tuple[str, ...]

    @property
    def needed(self) -> int:
        """Bytes of the server's files."""
        return self.backup.size

    def told(self) -> dict[str, Any]:
        """For the operator."""
        proven = self.own.known.proven if self.own else None
        proofs = self.own.known.proofs if self.own else []
        restores = [proof.restore_seconds for proof in proofs if proof.restore_seconds is not None]
        return {
            "source": {
                "system": self.own.one.system if self.own else None,
                "stamp": self.own.one.stamp if self.own else None,
                "path": self.own.one.path if self.own else None,
                "format": FORMAT,
                "stanza": self.where.stanza,
                "label": self.backup.label,
                "type": self.backup.type,
                "needs": list(self.backup.needs),
                "bytes": self.backup.size,
                "level": proven.level if proven else None,
                "proven_at": proven.at if proven else None,
            },
            "target": {"kind": self.target.kind, "value": self.target.text},
            "earliest": {"at": iso(self.oldest.stop + _TOLD_S), "label": self.oldest.label, "stamp": self.oldest_stamp},
            "latest": {"at": iso(self.reach.at), "wal": self.reach.last, "lsn": pgbackrest_wal.lsn(self.reach.end)},
            "wal": {
                "first": self.reach.first,
                "last": self.reach.last,
                "missing": list(self.reach.missing),
                "beyond": self.reach.beyond,
            },
            "needed_bytes": self.needed,
            "expected_seconds": restores[-1] if restores else None,
            "warnings": list(self.warnings),
        }


def target_of(text: str) -> Target:
    """What the option ``point_in_time`` asks for.

    :raises OptionError: it is nothing of that kind.
    """
    text = text.strip()
    if text == LATEST:
        return Target(LATEST, text)
    if re.fullmatch(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}", text):
        return Target(LSN, text.upper(), position=pgbackrest_wal.position(text))
    if not re.match(r"\d", text):
        if not text or len(text.encode()) > _LONGEST_NAME or not text.isprintable():
            raise OptionError(f"point_in_time: a restore point has a name of 1 to {_LONGEST_NAME} bytes, got {text!r}")
        return Target(NAME, text)
    try:
        # Python before 3.11 knows no Z, and fractions of three or six digits alone.
        iso_text = re.sub(r"(?<=\d)[zZ]$", "+00:00", text)
        iso_text = re.sub(r"\.(\d{1,6})(?=[+-]|$)", lambda found: f".{found.group(1):0<6}", iso_text)
        moment = datetime.datetime.fromisoformat(iso_text)
    except ValueError:
        raise OptionError(
            "point_in_time: want a time such as 2026-11-29T14:05:00Z, an LSN such as 0/3000060, the name of a restore "
            f"point, or latest; got {text!r}"
        ) from None
    if moment.tzinfo is None:
        raise OptionError(f"point_in_time: {text} is of no zone: write {text}Z for UTC, or its offset, such as +01:00")
    return Target(TIME, text, at=moment.timestamp())


def find(params: Mapping[str, Any], until: float) -> Way:
    """The backup to begin with, and the WAL from there on.

    :raises OpsError: the moment cannot be reached; says which ones can.
    """
    target = target_of(params["point_in_time"])
    sets = list(_sets(params["path"], layout.check_name(params["system"])))
    chosen = [own for own in sets if not params["set"] or own.one.stamp == params["set"]]
    if not chosen:
        which = f" {params['set']}" if params["set"] else ""
        raise OptionError(
            f"{params['path']} holds no set{which} of {params['system']} that pgBackRest has made: only from such can "
            "a moment be restored"
        )
    where = pgbackrest_backup.where_of(chosen[0].known.options)
    info = pgbackrest.info(where, until)
    owns = {str(own.known.position.get("label")): own for own in sets if _is_of(own, where, info)}
    fit = [one for one in info.backups if not one.error and one.database == info.database and one.wal_start]
    if not fit:
        raise OpsError(f"stanza {where.stanza}: {_NO_BACKUP}: make one now")
    warnings = []
    if params["set"]:
        candidates = [info.of(str(chosen[0].known.position["label"]))]
    else:
        bad = {label for label, own in owns.items() if own.known.refuted}
        candidates = [one for one in fit if one.label not in bad and not bad & set(one.needs)]
        warnings += [f"{label} was refuted by a verification, and is not restored from" for label in sorted(bad)]
    if not candidates:
        raise OpsError(f"stanza {where.stanza}: {_NO_BACKUP} that no verification has refuted: name one by set")
    backup = _begin(target, candidates)
    archive = pgbackrest.archived(where, info.archive, until)
    reach = pgbackrest_wal.reach(backup.wal_start, archive, wal_size(backup))
    oldest = min(candidates, key=lambda one: one.stop)
    own = owns.get(backup.label)
    stamp = owns[oldest.label].one.stamp if oldest.label in owns else None
    if own and own.known.refuted:
        warnings.append(f"the newest verification has refuted this set: {own.known.refuted.why}")
    if reach.missing:
        warnings.append(f"WAL file {reach.missing[0]} is missing: nothing behind it can be reached from this backup")
    if target.kind == NAME:
        warnings.append("whether the restore point is in the WAL is not known before it has been read")
    way = Way(where, info, target, backup, own, reach, oldest, stamp, tuple(warnings))
    _reachable(way)
    return way


def would(params: Mapping[str, Any], plan: Mapping[str, Any]) -> str:
    """The plan in a sentence."""
    source, latest = plan["source"], plan["latest"]
    into = params["data_dir"] or "a scratch server, which is gone afterwards"
    took = f"; it took {plan['expected_seconds']:.1f} s the last time" if plan["expected_seconds"] is not None else ""
    return (
        f"would restore {human(source['bytes'])} of {source['stamp'] or source['label']} ({source['type']} backup "
        f"{source['label']}) into {into}, and recover to {plan['target']['value']}; reachable is "
        f"{plan['earliest']['at']} to {latest['at']} (WAL {latest['wal']}){took}"
    )


def _begin(target: Target, candidates: list[Backup]) -> Backup:
    """The newest backup that was over at the target."""
    oldest = min(candidates, key=lambda one: one.stop)
    if target.kind == TIME:
        before = [one for one in candidates if one.stop + _TOLD_S <= target.at]
        first = f"{iso(oldest.stop + _TOLD_S)}, when {oldest.label} ended"
    elif target.kind == LSN:
        before = [one for one in candidates if pgbackrest_wal.position(one.lsn_stop) <= target.position]
        first = f"{oldest.lsn_stop}, where {oldest.label} ended"
    else:
        before, first = candidates, ""
    if not before:
        raise OptionError(f"point_in_time: {target.text} cannot be reached: the earliest is {first}")
    return max(before, key=lambda one: one.stop)


def _reachable(way: Way) -> None:
    """Whether the WAL leads from the backup to the target.

    :raises OptionError: it ends before; says where.
    """
    target, reach, backup = way.target, way.reach, way.backup
    if reach.last is None or reach.end < pgbackrest_wal.position(backup.lsn_stop):
        lost = reach.missing[0] if reach.missing else reach.first
        raise OpsError(
            f"backup {backup.label} cannot be restored: WAL file {lost} is not in the archive. Name an older set"
        )
    late = target.kind == TIME and target.at >= reach.at + _TOLD_S
    if not late and not (target.kind == LSN and target.position > reach.end):
        return
    why = (
        f"WAL file {reach.missing[0]} is missing"
        if reach.missing
        else "what was written later is not in the archive: SELECT pg_switch_wal() on the live server sends it there"
    )
    end = iso(reach.at) if target.kind == TIME else pgbackrest_wal.lsn(reach.end)
    raise OptionError(
        f"point_in_time: {target.text} cannot be reached from {backup.label}: the latest is {end}, when WAL file "
        f"{reach.last} was archived; {why}"
    )


def _sets(place: str, system: str) -> Iterator[Own]:
    """The sets of a system that refer to backups of pgBackRest, the newest first."""
    for one in layout.finished(place, system):
        with contextlib.suppress(manifest.ManifestError):
            known = manifest.read(one.path)
            if known.format == FORMAT and known.position.get("label"):
                yield Own(one, known)


def _is_of(own: Own, where: Where, info: Info) -> bool:
    told = own.known.options
    same = (told.get("stanza"), told.get("repo")) == (where.stanza, where.repo)
    return same and own.known.position.get("system_identifier") == info.identifier


def iso(moment: float) -> str:
    """Seconds since 1970 as ISO time in UTC."""
    return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def check_room(folder: str, wanted: int) -> int:
    """What is free where data are to lie.

    :raises OpsError: less than is wanted.
    """
    there = os.path.abspath(folder)
    while not os.path.isdir(there):
        there = os.path.dirname(there)
    found = os.statvfs(there)
    free = found.f_bavail * found.f_frsize
    if free < wanted:
        raise OpsError(f"{there} has {human(free)} free, and the server's files take {human(wanted)}: make room first")
    return free

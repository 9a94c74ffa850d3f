# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which WAL an archive has, how far it leads from a backup, and which files of it are missing. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_USUAL = 16 << 20
_SIZES = (_USUAL, *(1 << power for power in range(20, 31) if 1 << power != _USUAL))
_NAMED = 20


@dataclass(frozen=True)
class Reach:
    """How far an archive leads from a backup.

    :ivar first, last: names of the WAL files without a gap between them; last is None where even the first is missing.
    :ivar at: when the last one came into the archive, seconds since 1970; end: position after it.
    :ivar missing: names of files that are not there, while later ones are; beyond: the newest file behind them.
    """

    first: str
    last: str | None
    at: float
    end: int
    missing: tuple[str, ...]
    beyond: str | None


def position(text: str) -> int:
    """``0/3000060`` as a number."""
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def lsn(number: int) -> str:
    """A number as ``0/3000060``."""
    return f"{number >> 32:X}/{number & 0xFFFFFFFF:X}"


def size_of(name: str, start: str) -> int:
    """Bytes of a WAL file, by the name of the one in which a position is. 16 MB, where that fits."""
    at = position(start)
    return next((size for size in _SIZES if name[8:] == _name(0, at // size, size)[8:]), _USUAL)


def reach(first: str, archive: Mapping[str, float], size: int) -> Reach:
    """Follow the archive from a file on.

    A server that was promoted goes on with a new timeline in the file where the old one ended: whichever timeline has
    a file, it is there. Files of older timelines than the backup's are not of its history.
    """
    timeline, number = _parts(first, size)
    there: dict[int, str] = {}
    for name in sorted(archive):
        line, place = _parts(name, size)
        if line >= timeline and place >= number:
            there[place] = name
    last = None
    while number in there:
        last, number = there[number], number + 1
    later = sorted(place for place in there if place > number)
    lost = [] if not later else [place for place in range(number, later[-1]) if place not in there]
    return Reach(
        first=first,
        last=last,
        at=archive[last] if last else 0.0,
        end=number * size,
        missing=tuple(_name(timeline, place, size) for place in lost[:_NAMED]),
        beyond=there[later[-1]] if later else None,
    )


def between(first: str, last: str, size: int) -> list[str]:
    """Names of the WAL files from one to another, of the timeline of the first."""
    timeline, begin = _parts(first, size)
    return [_name(timeline, place, size) for place in range(begin, _parts(last, size)[1] + 1)]


def databases(backup_manifest: str) -> list[str]:
    """Names of the databases that a manifest of pgBackRest tells."""
    return sorted(_section(backup_manifest, "db"))


def tablespaces(backup_manifest: str) -> list[str]:
    """Numbers of the tablespaces that a manifest of pgBackRest tells."""
    return sorted(name.split("/", 1)[1] for name in _section(backup_manifest, "backup:target") if "pg_tblspc/" in name)


def _section(text: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    inside = False
    for line in text.splitlines():
        if line.startswith("[") and line.endswith("]"):
            inside = line == f"[{name}]"
        elif inside and line:
            # A name may have a = in it; what follows is JSON, which begins after the last "={".
            match = re.fullmatch(r"(.*?)=(\{.*\})", line)
            if match:
                found[match.group(1)] = json.loads(match.group(2))
    return found


def _parts(name: str, size: int) -> tuple[int, int]:
    return int(name[:8], 16), int(name[8:16], 16) * ((1 << 32) // size) + int(name[16:24], 16)


def _name(timeline: int, number: int, size: int) -> str:
    high, low = divmod(number, (1 << 32) // size)
    return f"{timeline:08X}{high:08X}{low:08X}"

# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets in the layout of the collection, made by hand."""

from __future__ import annotations

import datetime
import hashlib
import os
from pathlib import Path
from typing import Any

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import layout, manifest

HOUR, DAY = 3600.0, 86400.0


def iso(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def run_of(moment: float) -> str:
    return layout.stamp(datetime.datetime.fromtimestamp(moment, datetime.timezone.utc))


def proof(level: int, at: float, good: bool = True, why: str | None = None, **more: Any) -> manifest.Proof:
    return manifest.Proof(level=level, wanted=level, at=iso(at), seconds=1.0, good=good, why=why, **more)


def make_set(
    place: Path,
    system: str,
    began: float,
    proofs: list[manifest.Proof] | None = None,
    files: dict[str, bytes] | None = None,
    **more: Any,
) -> Path:
    """A finished set; `more` are fields of its manifest."""
    files = {"dump.rdb": b"data of %s" % system.encode()} if files is None else files
    run = run_of(began)
    folder = place / run / system
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    told = manifest.Manifest(
        **{
            "system": system,
            "stamp": run,
            "engine": "redis",
            "format": "rdb",
            "source": {"host": "redis1"},
            "server": "7.0.15",
            "began": iso(began),
            "ended": iso(began + 2),
            "seconds": 2.0,
            "files": [manifest.File(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()],
            "proofs": proofs or [],
            **more,
        }
    )
    manifest.write(str(folder), told)
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (began + 2, began + 2))
    return folder


def lead(place: Path, folder: Path) -> None:
    """Let latest lead to a set."""
    layout.point_latest(str(place), layout.Set(folder.name, folder.parent.name, str(folder)))

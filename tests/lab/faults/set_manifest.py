#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let the manifest of a set tell something else.

    set_manifest.py FOLDER [--system NAME] [--proof LEVEL DAYS] [--refuted WHY] [--as-it-is] [--copy REPOSITORY DAYS]

A set of the lab that has no manifest yet gets one that is right but for that.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
from pathlib import Path
from typing import Any


def manifest_of(folder: Path) -> dict[str, Any]:
    """The manifest that is there, or one of the files that are."""
    path = folder / "manifest.json"
    if path.is_file():
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return told
    return {
        "version": 1,
        "system": folder.name,
        "stamp": folder.parent.name,
        "engine": "lab",
        "format": "any",
        "source": {},
        "server": "",
        "began": iso(0),
        "ended": iso(0),
        "seconds": 1.0,
        "encryption": "none",
        "files": files_of(folder),
    }


def files_of(folder: Path) -> list[dict[str, Any]]:
    """Its files, as they are."""
    return [
        {
            "path": str(one.relative_to(folder)),
            "bytes": one.stat().st_size,
            "sha256": hashlib.sha256(one.read_bytes()).hexdigest(),
        }
        for one in sorted(folder.rglob("*"))
        if one.is_file() and one.name != "manifest.json"
    ]


def iso(days: float) -> str:
    """ISO time of so many days ago."""
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)
    return then.strftime("%Y-%m-%dT%H:%M:%SZ")


def main() -> None:
    """Write the manifest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--system")
    parser.add_argument("--proof", nargs=2, type=float, metavar=("LEVEL", "DAYS"))
    parser.add_argument("--refuted")
    parser.add_argument("--as-it-is", action="store_true", help="its name and its files")
    parser.add_argument("--copy", nargs=2, metavar=("REPOSITORY", "DAYS"))
    given = parser.parse_args()
    told = manifest_of(given.folder)
    if given.as_it_is:
        told.update(system=given.folder.name, stamp=given.folder.parent.name, files=files_of(given.folder))
    if given.system:
        told["system"] = given.system
    if given.proof:
        level, days = int(given.proof[0]), given.proof[1]
        told["proofs"] = [{"level": level, "wanted": level, "at": iso(days), "seconds": 1.0, "good": True}]
    if given.refuted:
        failed = {"level": 2, "wanted": 4, "at": iso(0), "seconds": 1.0, "good": False, "why": given.refuted}
        told["proofs"] = [*told.get("proofs", []), failed]
    if given.copy:
        there = {"repository": given.copy[0], "snapshot": "1a2b3c4d", "at": iso(float(given.copy[1])), "offsite": True}
        told["copies"] = [{**there, "engine": "restic", "bytes": 1, "added": 1, "seconds": 1.0}]
    (given.folder / "manifest.json").write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main()

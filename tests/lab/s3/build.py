#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have an S3 server, versitygw, and print where it is. It is built from its Go module once, and kept in the cache.

NEXUSCOS_LAB_S3_BIN names one that is there already. Three minutes on two cores with an empty cache.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = "github.com/versity/versitygw/cmd/versitygw"

_FOUND = importlib.util.spec_from_file_location("kubernetes_build", HERE.parent / "kubernetes" / "build.py")
if _FOUND is None or _FOUND.loader is None:
    raise ImportError("kubernetes/build.py is gone")
go_build = importlib.util.module_from_spec(_FOUND)
sys.modules[_FOUND.name] = go_build
_FOUND.loader.exec_module(go_build)


def server() -> Path:
    """The program."""
    given = os.environ.get("NEXUSCOS_LAB_S3_BIN")
    if given:
        return Path(given).resolve()
    cache = go_build.plan.cache_dir()
    cache.mkdir(parents=True, exist_ok=True)
    place = cache / ("s3-" + go_build.digest(HERE, go_build.architecture()))
    program: Path = place / "versitygw"
    with open(cache / "s3-build.lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.access(program, os.X_OK):
            return program
        place.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place) as fresh:
            aside = Path(fresh, "versitygw")
            go_build.run_go(HERE, ["-ldflags", "-s -w", "-o", str(aside), PACKAGE], cache, lambda _line: None)
            os.replace(aside, program)
    return program


if __name__ == "__main__":
    print(server())

# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's fault of the copies, on sets of a test's own: exactly its finding appears, and goes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "unit" / "backup"))

from backups import dump, judged, look, named, put, stamp  # noqa: E402


def step(name: str, lab: Path) -> None:
    """A step of the fault, as the lab takes it."""
    fault = yaml.safe_load((ROOT / "tests/lab/faults/backup-copies.yml").read_text(encoding="utf-8"))
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", fault[name]], cwd=ROOT, env={**os.environ, "LAB": str(lab)}, check=True
    )


def test_the_fault_of_the_lab(tmp_path: Path) -> None:
    place = tmp_path / "data" / "backups"
    put(place, f"{stamp(600)}/analytics/analytics.dump", dump(b"rows of analytics"))
    system = {"name": "analytics", "paths": "20*/analytics/*.dump", "every": "6h"}
    assert named(judged(look(place, system))) == set()
    step("apply", tmp_path)
    assert named(judged(look(place, system))) == {("copies", "b/analytics", "critical")}
    step("apply", tmp_path)
    assert named(judged(look(place, system))) == {("copies", "b/analytics", "critical")}
    step("heal", tmp_path)
    assert named(judged(look(place, system))) == set()
    step("heal", tmp_path)

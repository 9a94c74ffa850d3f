# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One thing is broken, many go red: the first line of the whole morning names the one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))

import root_causes  # noqa: E402

CAUSES = root_causes.every()
RESULTS = ROOT / ".cache" / "root-causes.json"


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    return root_causes.environment()


@pytest.mark.parametrize("name", [name for name, cause in CAUSES.items() if cause.pipeline])
def test_the_first_line_names_the_root_cause(name: str, environment: dict[str, str]) -> None:
    verdict = root_causes.trial(CAUSES[name], environment)
    RESULTS.parent.mkdir(exist_ok=True)
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    known[name] = {
        "right": verdict.right,
        "first": verdict.first,
        "explains": verdict.explains,
        "critical": verdict.reds,
        "seen_after_s": round(verdict.seen_after, 1),
    }
    RESULTS.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert verdict.right, verdict.first
    assert verdict.left == [], "what stays after healing"

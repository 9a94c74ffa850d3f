# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of root causes are sound."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "lab"))

import root_causes  # noqa: E402

from ansible_collections.nexuscos.ops.plugins.module_utils._catalogue import BY_ID  # noqa: E402
from ansible_collections.nexuscos.ops.plugins.module_utils._report.common import COMMON  # noqa: E402

CAUSES = root_causes.every()


def test_there_are_at_least_ten() -> None:
    assert len(CAUSES) >= 10


@pytest.mark.parametrize("name", CAUSES)
def test_a_root_cause_names_a_check_and_has_sound_scripts(name: str) -> None:
    cause = CAUSES[name]
    assert cause.first["check"] in (*BY_ID, COMMON)
    assert set(cause.first) == {"check", "object"}
    for script in (cause.apply, cause.heal):
        assert subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False).stderr == ""

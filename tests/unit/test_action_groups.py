# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action groups hold exactly the modules that belong to them, and each module's documentation says so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
OBSERVING = re.compile(r"_(health|audit|info)$")


def runtime() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    return data


def modules() -> list[str]:
    return sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("[!_]*.py"))


def test_the_group_observe_holds_exactly_the_observing_modules() -> None:
    assert runtime()["action_groups"]["observe"] == [name for name in modules() if OBSERVING.search(name)]


@pytest.mark.parametrize("module", modules())
def test_an_observing_module_says_that_it_changes_nothing(module: str) -> None:
    text = (ROOT / "plugins" / "modules" / f"{module}.py").read_text(encoding="utf-8")
    if OBSERVING.search(module):
        assert "nexuscos.ops.observe" in text, "it wants the documentation fragment of observing modules"
        assert "supports_check_mode=True" in text


def test_the_floor_of_ansible_core_is_the_one_that_is_tested() -> None:
    pinned = re.search(
        r"^ansible-core==(\d+\.\d+)\.", (ROOT / "requirements" / "oldest.txt").read_text(encoding="utf-8"), re.M
    )
    assert pinned
    assert runtime()["requires_ansible"] == f">={pinned.group(1)}.0"

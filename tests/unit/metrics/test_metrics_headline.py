# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the morning's lines say of metrics and alerts."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.nexuscos.ops.plugins.module_utils._report.headline import headline
from ansible_collections.nexuscos.ops.plugins.module_utils._report.looks import CAPABILITIES, Look


def look(group: str, **facts: Any) -> Look:
    """A look at one system of a group."""
    return Look("mon1", next(one for one in CAPABILITIES if one.group == group), facts=facts)


def test_the_dashboard_says_how_many_targets_are_up_and_when_they_were_seen() -> None:
    looks = [look("metrics", targets_up=42, targets_total=43, fed_s=11.6)]
    assert headline("morning.dashboard", looks, [], [], 0) == "1 of 1 system answer; 42 of 43 targets up; fed 12 s ago"


def test_a_target_that_was_not_asked_yet_is_neither_up_nor_down() -> None:
    looks = [look("metrics", targets_up=101, targets_total=101, targets_new=30, fed_s=0.4)]
    said = headline("morning.dashboard", looks, [], [], 0)
    assert said == "1 of 1 system answer; 101 of 101 targets up; 30 targets not asked yet; fed 0 s ago"


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (
            {"alerts_firing": 3, "alerts_came_and_went": 11, "alerts_flapping": 2},
            "3 firing, 11 came and went (2 flapping)",
        ),
        ({"alerts_firing": 0, "alerts_came_and_went": 0, "alerts_flapping": 0}, "0 firing, 0 came and went"),
        ({"alerts_firing": 1, "alerts_came_and_went": None, "alerts_flapping": None}, "1 firing"),
    ],
)
def test_the_night_in_one_line(facts: dict[str, Any], words: str) -> None:
    assert headline("morning.alerts", [look("alerts", **facts)], [], [], 0) == words
    assert headline("morning.alerts", [look("alerts", **facts), look("metrics")], [], [], 0) == words

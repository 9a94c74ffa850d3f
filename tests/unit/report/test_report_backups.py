# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line of the backups says how many are whole, and how much there is to lose."""

from __future__ import annotations

from typing import Any

import pytest
from fake import look, report


def headline(*facts: dict[str, Any]) -> str:
    made = report(*(look("b%d" % number, "backups", facts=one) for number, one in enumerate(facts)))
    return str(next(one for one in made["items"] if one["id"] == "morning.backups")["headline"])


def place(whole: int, exposure: float | None) -> dict[str, Any]:
    return {"systems_total": 3, "systems_readable": whole, "exposure_s": exposure}


def test_the_worst_place_counts() -> None:
    assert headline(place(3, 2280), place(2, 14_400)) == "5 of 6 newest backups whole; at most 4 h 00 min to lose"


@pytest.mark.parametrize("unknown", [place(0, None), {"systems_total": 3, "systems_readable": 0, "exposure_s": "?"}])
def test_where_one_place_is_not_known_no_number_would_be_true(unknown: dict[str, Any]) -> None:
    assert headline(place(3, 2280), unknown) == "3 of 6 newest backups whole"


def test_a_place_of_which_no_system_is_named_says_nothing() -> None:
    nothing = {"systems_total": 0, "systems_readable": 0, "exposure_s": None}
    assert "lose" not in headline(nothing)
    assert headline(place(3, 2280), nothing) == "3 of 3 newest backups whole; at most 38 min 00 s to lose"

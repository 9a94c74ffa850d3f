# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of a few pixels for the values of the last runs."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._report import spark

NUMBERS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False, width=32))


def test_a_line_goes_up_where_values_do_and_has_gaps_where_there_are_none() -> None:
    drawn = spark.line([1, 2, None, 4, 3], target=2)
    assert re.findall("[ML]", drawn["path"]) == ["M", "L", "M", "L"]
    heights = [float(text) for text in re.findall(r"[ML][\d.]+ ([\d.]+)", drawn["path"])]
    assert heights[0] > heights[1] > heights[2]
    assert heights[2] < heights[3]
    assert drawn["line"] == heights[1]
    assert drawn["label"] == "4 runs, from 1 to 4, now 3"


def test_one_value_and_none() -> None:
    assert spark.line([None, None])["path"] == ""
    assert spark.line([5])["y"] == spark.HEIGHT / 2
    assert spark.line([5, 5], target=9)["line"] is None


@settings(deadline=None, max_examples=60)
@given(st.lists(NUMBERS, max_size=30), NUMBERS)
def test_a_line_stays_in_its_box(points: list[float | None], target: float | None) -> None:
    drawn = spark.line(points, target)
    pairs = re.findall(r"[ML](-?[\d.e+]+) (-?[\d.e+]+)", drawn["path"])
    assert len(pairs) == sum(point is not None for point in points)
    for x, y in pairs:
        assert 0 <= float(x) <= spark.WIDTH
        assert 0 <= float(y) <= spark.HEIGHT


def test_what_moved_most_stands_first_and_dull_values_are_left_out() -> None:
    trends = {"systems": {"db1": {"m.a": [100, 101], "m.b_c": [1, 9], "m.uptime_s": [1, 900]}}}
    assert [one["key"] for one in spark.of_system(trends, "db1")] == ["b c", "a"]
    assert spark.of_system(trends, "db2") == []

# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sets stay and which go: whatever the rules, the proven one and the newest stay."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from set_maker import DAY, HOUR

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import layout, retention
from ansible_collections.nexuscos.ops.plugins.module_utils._backup.retention import Candidate, Rules, decide
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError

NOW = datetime.datetime(2026, 11, 29, 12, 30, tzinfo=datetime.timezone.utc).timestamp()


def candidate(age: float, level: int | None = 2, **more: Any) -> Candidate:
    began = NOW - age
    name = layout.stamp(datetime.datetime.fromtimestamp(began, datetime.timezone.utc))
    return Candidate(name, began, level, **more)


def stay(sets: list[Candidate], level: int = 3, **keep: Any) -> list[str]:
    return [one.stamp for one in decide(sets, retention.rules(keep), NOW, level) if one.stays]


def why(sets: list[Candidate], one: Candidate, **keep: Any) -> str:
    (found,) = [v for v in decide(sets, retention.rules(keep), NOW) if v.stamp == one.stamp]
    assert found.why
    return "; ".join(found.why)


def test_the_newest_of_each_period_stays() -> None:
    sets = [candidate(6 * HOUR * number) for number in range(40 * 4)]
    kept = stay(sets, daily=7, weekly=4, monthly=2)
    days = [name[:10] for name in kept]
    assert days[:7] == ["2026-11-%02d" % day for day in range(29, 22, -1)]
    # Sundays end an ISO week: 29, 22, 15 and 8 of November; of October only its last day is there to be kept.
    assert days[7:] == ["2026-11-22", "2026-11-15", "2026-11-08", "2026-10-31"]
    assert "daily 1 of 7 (2026-11-29)" in why(sets, sets[0], daily=7)


def test_each_set_has_a_reason() -> None:
    sets = [candidate(DAY * number) for number in range(10)]
    for verdict in decide(sets, retention.rules({"last": 3}), NOW):
        assert verdict.why, verdict
    assert why(sets, sets[1], last=3) == "last 2 of 3"
    assert why(sets, sets[9], last=3) == "no rule keeps it"
    assert why(sets, sets[5], within="6d") == "it is younger than 6 days"


def test_by_age() -> None:
    sets = [candidate(DAY * number) for number in range(10)]
    assert stay(sets, within="3d") == [one.stamp for one in sets[:4]]


def test_the_last_proven_set_and_what_came_after_it_stay() -> None:
    sets = [candidate(DAY * number) for number in range(20)]
    sets[8] = candidate(DAY * 8, level=4)
    sets[15] = candidate(DAY * 15, level=4)
    assert stay(sets, last=1) == [one.stamp for one in sets[:9]]
    assert "newest that is proven to level 4" in why(sets, sets[8], last=1)
    assert "younger than the newest that is proven to level 3" in why(sets, sets[5], last=1)
    assert why(sets, sets[15], last=1) == "no rule keeps it"


def test_a_lower_level_stands_in_where_none_reached_the_one_asked_for() -> None:
    sets = [candidate(DAY * number, level=2 if number > 2 else None) for number in range(9)]
    assert stay(sets, last=1) == [one.stamp for one in sets[:4]]
    assert "level 2" in why(sets, sets[3], last=1)


def test_a_higher_level_has_its_last_set_as_well() -> None:
    sets = [candidate(0, level=3), candidate(DAY, level=3), candidate(2 * DAY, level=5), candidate(3 * DAY, level=5)]
    assert stay(sets, last=1) == [sets[0].stamp, sets[2].stamp]


def test_nothing_goes_where_nothing_was_proven() -> None:
    sets = [candidate(DAY * number, level=None) for number in range(9)]
    assert len(stay(sets, last=1)) == 9
    assert "no set of the system has been proven yet" in why(sets, sets[8], last=1)


def test_what_was_refuted_takes_no_place_of_another() -> None:
    sets = [candidate(HOUR, None, refuted="cut"), candidate(2 * HOUR), candidate(3 * HOUR, None, refuted="cut")]
    assert stay(sets, last=1) == [sets[0].stamp, sets[1].stamp]
    assert "last verification failed" in why(sets, sets[2], last=3)


def test_sets_from_the_future_stay_and_take_no_place() -> None:
    sets = [candidate(-DAY, level=5), candidate(HOUR), candidate(2 * HOUR)]
    assert stay(sets, last=1) == [sets[0].stamp, sets[1].stamp]
    assert "from the future" in why(sets, sets[0], last=1)
    assert "1 days" not in why(sets, sets[2], last=1)


def test_a_clock_that_is_a_year_behind_takes_nothing() -> None:
    sets = [candidate(DAY * number - 365 * DAY, level=4) for number in range(9)]
    assert len(stay(sets, last=1)) == 9


def test_what_is_in_use_stays() -> None:
    sets = [candidate(0), candidate(DAY), candidate(2 * DAY, needed=("latest leads to it",))]
    assert stay(sets, last=1) == [sets[0].stamp, sets[2].stamp]
    assert why(sets, sets[2], last=1) == "latest leads to it"


def test_no_sets_are_no_trouble() -> None:
    assert decide([], Rules({"last": 1}), NOW) == []


@pytest.mark.parametrize(
    ("keep", "complaint"),
    [
        ({}, "say what stays"),
        ({"daily": 0}, "say what stays"),
        ({"dayly": 7}, "did you mean 'daily'"),
        ({"daily": "many"}, "a number of sets"),
        ({"daily": -1}, "a number of sets"),
        ({"within": "soon"}, "48h, 7d or 2w"),
        ({"within": "-1d"}, "48h, 7d or 2w"),
    ],
)
def test_rules_that_can_only_be_a_mistake(keep: dict[str, Any], complaint: str) -> None:
    with pytest.raises(OptionError, match=complaint):
        retention.rules(keep)


SETS = st.lists(
    st.builds(
        lambda age, level, bad, needed: candidate(
            float(age),
            None if bad else level,
            refuted="cut" if bad else None,
            needed=("latest leads to it",) if needed else (),
        ),
        st.one_of(st.integers(-30 * 86400, 900 * 86400), st.integers(0, 40).map(lambda day: day * 86400)),
        st.one_of(st.none(), st.integers(0, 5)),
        st.integers(0, 5).map(lambda number: number == 0),
        st.integers(0, 9).map(lambda number: number == 0),
    ),
    max_size=40,
    unique_by=lambda one: one.stamp,
)
RULES = st.builds(
    Rules,
    st.dictionaries(st.sampled_from(retention.COUNTS), st.integers(0, 5)),
    st.one_of(st.just(0.0), st.floats(0, 1e7)),
)


@settings(deadline=None, max_examples=300)
@given(SETS, RULES, st.integers(1, 5))
def test_whatever_the_rules_the_proven_and_the_newest_stay(sets: list[Candidate], rule: Rules, level: int) -> None:
    verdicts = decide(sets, rule, NOW, level)
    assert sorted(one.stamp for one in verdicts) == sorted(one.stamp for one in sets)
    assert all(one.why for one in verdicts)
    kept = {one.stamp for one in verdicts if one.stays}
    past = sorted((one for one in sets if one.began <= NOW + 300), key=lambda one: -one.began)
    assert {one.stamp for one in sets if one.began > NOW + 300} <= kept
    assert {one.stamp for one in sets if one.needed} <= kept
    if past:
        assert past[0].stamp in kept
    for wanted in range(1, 6):
        proven = [one for one in past if (one.level or 0) >= wanted]
        if proven:
            assert proven[0].stamp in kept, "the last set that is proven to a level"
    counts = [one for one in past if (one.level or 0) >= level]
    if counts:
        assert {one.stamp for one in past if one.began > counts[0].began} <= kept
    elif not any(one.level for one in past):
        assert {one.stamp for one in past} <= kept


@settings(deadline=None, max_examples=300)
@given(SETS, RULES, st.integers(1, 5))
def test_a_second_time_nothing_more_goes(sets: list[Candidate], rule: Rules, level: int) -> None:
    kept = {one.stamp for one in decide(sets, rule, NOW, level) if one.stays}
    left = [one for one in sets if one.stamp in kept]
    assert all(one.stays for one in decide(left, rule, NOW, level))


@settings(deadline=None, max_examples=100)
@given(SETS, RULES)
def test_the_order_that_they_are_found_in_does_not_matter(sets: list[Candidate], rule: Rules) -> None:
    assert decide(sets, rule, NOW) == decide(list(reversed(sets)), rule, NOW)

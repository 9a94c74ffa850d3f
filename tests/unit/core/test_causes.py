# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cause before symptom, on the maps that hurt: circles, ties, chains with a healthy link, several clusters."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._core.causes import Mark, find_causes, strongly_connected


def mark(name: str, component: str | None = None, status: str = "critical", **more: Any) -> Mark:
    """By default a symptom that is an outage, too, like a pod that is not ready."""
    return Mark(name, component or name, status, **{"outage": True, "symptom": True, "order": name, **more})


def fault(name: str, component: str | None = None, **more: Any) -> Mark:
    """What nobody else can have caused, like an image that cannot be pulled."""
    return mark(name, component, symptom=False, **{"rank": 20, **more})


def test_the_bottom_of_the_chain_explains_all_above_it() -> None:
    needs = {"web": ["api"], "api": ["db"], "db": []}
    causes = find_causes([mark("web"), mark("api"), fault("db")], needs)
    assert causes.caused_by == {"web": "db", "api": "db"}
    assert causes.root("web") == "db"


def test_a_healthy_link_ends_the_chain() -> None:
    needs = {"web": ["api"], "api": ["db"]}
    assert find_causes([mark("web"), fault("db")], needs).caused_by == {}


def test_a_link_that_could_not_be_seen_ends_the_chain_too() -> None:
    needs = {"web": ["api"], "api": ["db"]}
    causes = find_causes([mark("web"), mark("api", status="unknown"), fault("db")], needs)
    assert "web" not in causes.caused_by
    assert causes.caused_by == {"api": "db"}


def test_only_a_critical_outage_explains() -> None:
    needs = {"web": ["db"]}
    assert find_causes([mark("web"), fault("db", status="warning")], needs).caused_by == {}
    assert find_causes([mark("web"), fault("db", outage=False)], needs).caused_by == {}


def test_only_symptoms_are_explained() -> None:
    needs = {"web": ["db"]}
    causes = find_causes([fault("web-image", "web"), fault("db")], needs)
    assert causes.caused_by == {}


def test_a_warning_is_explained_as_well_as_an_outage() -> None:
    needs = {"web": ["db"]}
    assert find_causes([mark("slow", "web", "warning", outage=False), fault("db")], needs).caused_by == {"slow": "db"}


def test_its_own_fault_comes_before_that_of_others() -> None:
    needs = {"web": ["db"]}
    marks = [mark("not ready", "web", rank=30), fault("no image", "web"), fault("db")]
    assert find_causes(marks, needs).caused_by == {"not ready": "no image"}


def test_its_own_fault_explains_its_dependants_too() -> None:
    needs = {"shop": ["web"], "web": ["db"]}
    marks = [mark("shop", rank=30), fault("no image", "web"), mark("not ready", "web", rank=30), fault("db")]
    assert find_causes(marks, needs).caused_by == {"shop": "no image", "not ready": "no image"}


def test_a_circle_is_explained_from_below_it() -> None:
    needs = {"billing": ["invoice", "db"], "invoice": ["billing", "ledger"], "ledger": ["db"]}
    causes = find_causes([mark("billing"), mark("invoice"), mark("ledger"), fault("db", rank=5)], needs)
    assert causes.caused_by == {"billing": "db", "invoice": "db", "ledger": "db"}


def test_in_a_circle_the_fault_explains_the_symptom() -> None:
    needs = {"billing": ["invoice"], "invoice": ["billing"]}
    causes = find_causes([mark("billing"), mark("not ready", "invoice", rank=30), fault("no image", "invoice")], needs)
    assert causes.caused_by == {"billing": "no image", "not ready": "no image"}


def test_a_circle_of_equals_stays_a_tie() -> None:
    needs = {"billing": ["invoice"], "invoice": ["billing"], "shop": ["billing"]}
    causes = find_causes([mark("billing"), mark("invoice"), mark("shop")], needs)
    assert causes.caused_by == {"shop": "billing"}
    assert causes.ties == {"shop": ["invoice"]}


def test_two_things_that_are_needed_and_dead_are_a_tie() -> None:
    needs = {"web": ["redis", "db"]}
    causes = find_causes([mark("web"), fault("db", rank=5), fault("redis", rank=5)], needs)
    assert causes.caused_by == {"web": "db"}
    assert causes.ties == {"web": ["redis"]}


def test_the_one_nearer_to_a_cause_wins() -> None:
    needs = {"web": ["a", "b"]}
    causes = find_causes([mark("web"), mark("a", rank=30), fault("b", rank=5)], needs)
    assert causes.caused_by == {"web": "b"}
    assert causes.ties == {}


def test_what_a_module_said_stays() -> None:
    needs = {"web": ["db"]}
    marks = [mark("service", "web", caused_by="pods"), mark("pods", "web"), fault("db")]
    causes = find_causes(marks, needs)
    assert causes.caused_by == {"service": "pods", "pods": "db"}
    assert causes.root("service") == "db"


def test_what_a_module_said_about_something_unknown_stays() -> None:
    assert find_causes([mark("web", caused_by="elsewhere")], {}).caused_by == {"web": "elsewhere"}


@pytest.mark.parametrize("circle", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_a_circle_that_modules_made_is_broken(circle: list[str]) -> None:
    marks = [mark(name, caused_by=circle[(place + 1) % len(circle)]) for place, name in enumerate(circle)]
    causes = find_causes(marks, {})
    assert len(causes.caused_by) == len(circle) - 1
    assert causes.root("a") in circle


def test_clusters_do_not_explain_one_another() -> None:
    needs = {"web": ["api"]}
    marks = [
        mark("web-east", "web", location="east"),
        mark("web-west", "web", location="west"),
        fault("api-east", "api", location="east"),
    ]
    assert find_causes(marks, needs).caused_by == {"web-east": "api-east"}


def test_a_database_explains_in_every_cluster() -> None:
    needs = {"web": ["db"]}
    marks = [
        mark("web-east", "web", location="east"),
        mark("web-west", "web", location="west"),
        fault("db", anywhere=True),
    ]
    assert find_causes(marks, needs).caused_by == {"web-east": "db", "web-west": "db"}


def test_what_has_no_known_place_is_explained_from_every_place() -> None:
    needs = {"web": ["api"]}
    marks = [mark("public", "web"), fault("api-west", "api", location="west")]
    assert find_causes(marks, needs).caused_by == {"public": "api-west"}


def test_what_has_no_known_place_does_not_explain_a_cluster() -> None:
    needs = {"shop": ["web"]}
    marks = [mark("public", "web"), mark("shop-east", "shop", location="east")]
    assert find_causes(marks, needs).caused_by == {}


def test_a_chain_of_thousands_needs_no_recursion() -> None:
    size = 20_000
    needs = {str(one): [str(one + 1)] for one in range(size)}
    needs[str(size)] = ["0"]
    assert [len(group) for group in strongly_connected(needs)] == [size + 1]


def test_groups_come_after_what_they_lead_to() -> None:
    groups = [
        sorted(group) for group in strongly_connected({"a": ["b"], "b": ["c", "a"], "c": ["d"], "d": [], "e": ["a"]})
    ]
    assert groups == [["d"], ["c"], ["a", "b"], ["e"]]


NAMES = "abcdefgh"
MARKS = st.lists(
    st.builds(
        Mark,
        fingerprint=st.integers(0, 25).map("f{}".format),
        component=st.sampled_from([*NAMES, None]),
        status=st.sampled_from(["warning", "unknown", "critical"]),
        rank=st.sampled_from([5, 20, 30, 130]),
        outage=st.booleans(),
        symptom=st.booleans(),
        location=st.sampled_from([None, "east", "west"]),
        anywhere=st.booleans(),
        caused_by=st.none() | st.integers(0, 27).map("f{}".format),
        order=st.sampled_from("xyz"),
    ),
    max_size=25,
    unique_by=lambda mark: mark.fingerprint,
)
# Circles, loops to oneself, names twice, and names that do not exist.
NEEDS = st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from([*NAMES, "nobody"]), max_size=5))


@given(marks=MARKS, needs=NEEDS)
def test_causes_always_end_and_never_lead_back(marks: list[Mark], needs: dict[str, list[str]]) -> None:
    causes = find_causes(marks, needs)
    for start in causes.caused_by:
        name, seen = start, set()
        while name in causes.caused_by:
            assert name not in seen
            seen.add(name)
            name = causes.caused_by[name]
        assert causes.root(start) == name != start


@given(marks=MARKS, needs=NEEDS)
def test_only_critical_outages_explain_and_only_symptoms_are_explained(
    marks: list[Mark], needs: dict[str, list[str]]
) -> None:
    causes = find_causes(marks, needs)
    known = {one.fingerprint: one for one in marks}
    for name, cause in causes.caused_by.items():
        if known[name].caused_by is not None:
            # What a module says stays, or was cut where it would have made a circle.
            assert cause == known[name].caused_by or known[name].symptom
            continue
        assert known[name].symptom
        for one in (cause, *causes.ties.get(name, ())):
            assert known[one].outage
            assert known[one].status == "critical"


@given(marks=MARKS, needs=NEEDS)
def test_a_cause_is_reached_through_bad_components_only(marks: list[Mark], needs: dict[str, list[str]]) -> None:
    causes = find_causes(marks, needs)
    known = {one.fingerprint: one for one in marks}
    bad = {one.component for one in marks if one.outage and one.status == "critical"}
    for name, cause in causes.caused_by.items():
        if known[name].caused_by is not None:
            continue
        reached, waiting = {known[name].component}, [known[name].component]
        while waiting:
            for need in needs.get(str(waiting.pop()), ()):
                if need in bad and need not in reached:
                    reached.add(need)
                    waiting.append(need)
        assert known[cause].component in reached


@given(marks=MARKS, needs=NEEDS, dice=st.randoms(use_true_random=False))
def test_the_order_of_findings_and_map_changes_nothing(
    marks: list[Mark], needs: dict[str, list[str]], dice: random.Random
) -> None:
    shuffled = marks[:]
    dice.shuffle(shuffled)
    turned = {name: list(reversed(need)) for name, need in reversed(list(needs.items()))}
    assert find_causes(shuffled, turned) == find_causes(marks, needs)

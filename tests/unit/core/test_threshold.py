"""Thresholds: where ok ends, where critical begins, and what an inventory may say."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._core.check import BELOW, Check, index
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._core.finding import STATUSES
from ansible_collections.nexuscos.ops.plugins.module_utils._core.threshold import Threshold, Thresholds, merge, nearest

numbers = st.floats(allow_nan=False, allow_infinity=False)


def check(name: str, **more: object) -> Check:
    return Check(id=name, question="?", runbook="r:h", items=(), source="s", remedy="r", **more)


CHECKS = index(
    [
        check("web.latency", target=200, alert=500, unit="ms"),
        check("web.ratio", target=0.99, alert=0.9, direction=BELOW),
        check("web.plain"),
    ]
)


@pytest.mark.parametrize(
    ("value", "status"),
    [(0, "ok"), (200, "ok"), (200.1, "warning"), (500, "warning"), (500.1, "critical"), (math.inf, "critical")],
)
def test_large_values_are_bad(value, status):
    assert Threshold(200, 500).status(value) == status


@pytest.mark.parametrize(
    ("value", "status"), [(1, "ok"), (0.99, "ok"), (0.98, "warning"), (0.9, "warning"), (0.89, "critical")]
)
def test_small_values_are_bad(value, status):
    assert Threshold(0.99, 0.9, BELOW).status(value) == status


def test_a_missing_line_is_never_crossed():
    assert Threshold(200, None).status(10**9) == "warning"
    assert Threshold(None, 500).status(500) == "ok"
    assert Threshold(None, 500).status(501) == "critical"
    assert Threshold(None, None).status(10**9) == "ok"


@pytest.mark.parametrize("line", [Threshold(200, 500), Threshold(0.99, 0.9, BELOW), Threshold(None, None)])
def test_what_is_no_number_is_unknown_and_never_healthy(line):
    assert line.status(math.nan) == "unknown"


@given(numbers, numbers, numbers, numbers)
def test_a_worse_value_never_has_a_better_status(one, other, target, alert):
    low, high = sorted((one, other))
    above = Threshold(min(target, alert), max(target, alert))
    assert STATUSES.index(above.status(low)) <= STATUSES.index(above.status(high))
    below = Threshold(max(target, alert), min(target, alert), BELOW)
    assert STATUSES.index(below.status(low)) >= STATUSES.index(below.status(high))


@given(numbers, numbers, numbers)
def test_below_mirrors_above(value, target, alert):
    above = Threshold(min(target, alert), max(target, alert))
    below = Threshold(-min(target, alert), -max(target, alert), BELOW)
    assert above.status(value) == below.status(-value)


def test_the_catalogue_is_the_default_and_the_inventory_wins_key_by_key():
    thresholds = Thresholds.parse({"web.latency": {"alert": 900}}, CHECKS)
    assert thresholds.get("web.latency", "x/y") == Threshold(200, 900)
    assert thresholds.get("web.ratio", "x/y") == Threshold(0.99, 0.9, BELOW)


def test_the_last_override_that_matches_wins_key_by_key():
    given_ = {
        "web.latency": {
            "target": 300,
            "overrides": [
                {"match": "*/nexus-ai/*", "target": 400, "alert": 2000},
                {"match": "*/kei-ai", "alert": 5000},
                {"match": "dev/*", "enabled": False},
            ],
        }
    }
    thresholds = Thresholds.parse(given_, CHECKS)
    assert thresholds.get("web.latency", "prod/nexus-ai/kei-ai") == Threshold(400, 5000)
    assert thresholds.get("web.latency", "prod/nexus-ai/other") == Threshold(400, 2000)
    assert thresholds.get("web.latency", "prod/web") == Threshold(300, 500)
    assert not thresholds.get("web.latency", "dev/web").enabled


@pytest.mark.parametrize(
    "data", [None, {}, {"web.plain": {"enabled": False}}, {"web.latency": {"target": None, "alert": None}}]
)
def test_what_is_right_is_taken(data):
    Thresholds.parse(data, CHECKS)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([], "want a mapping"),
        ("web.latency", "want a mapping"),
        ({"web.latencey": {}}, "no check is called 'web.latencey'; did you mean 'web.latency'?"),
        ({7: {}}, "no check is called 7"),
        ({"web.latency": 300}, "want {target, alert}"),
        ({"web.latency": {"taget": 1}}, "has no key 'taget'; did you mean 'target'?"),
        ({"web.latency": {"target": "fast"}}, "target is a number in ms, got 'fast'"),
        ({"web.latency": {"target": True}}, "is a number"),
        ({"web.latency": {"target": math.nan}}, "is a number"),
        ({"web.latency": {"enabled": "no"}}, "enabled is true or false"),
        ({"web.latency": {"target": 600}}, "target 600 and alert 500 are the wrong way round (large values are bad)"),
        ({"web.ratio": {"alert": 1}}, "(small values are bad)"),
        ({"web.latency": {"overrides": {"match": "*"}}}, "overrides is a list"),
        ({"web.latency": {"overrides": None}}, "overrides is a list"),
        ({"web.latency": {"overrides": [{"target": 1}]}}, "each override wants match"),
        ({"web.latency": {"overrides": ["*"]}}, "each override wants match"),
        ({"web.latency": {"overrides": [{"match": "*", "unit": 1}]}}, "has no key 'unit'"),
        ({"web.latency": {"overrides": [{"match": "*", "target": 501}]}}, "wrong way round"),
    ],
)
def test_what_is_wrong_is_named(data, says):
    with pytest.raises(OptionError, match=re.escape(says)):
        Thresholds.parse(data, CHECKS)


json_like = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["target", "alert", "match", "overrides", "enabled", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(json_like)
def test_any_entry_is_taken_or_named(entry):
    try:
        thresholds = Thresholds.parse({"web.latency": entry}, CHECKS)
    except OptionError:
        return
    assert thresholds.get("web.latency", "a/b").status(1) in STATUSES


def test_layers_lie_over_one_another():
    merged = merge(
        [
            {"web.latency": {"target": 1, "overrides": [{"match": "a"}]}},
            None,
            {"web.latency": {"alert": 2, "overrides": [{"match": "b"}]}, "web.ratio": {"enabled": False}},
            {"web.latency": {"target": 3, "overrides": None}},
        ]
    )
    assert merged == {
        "web.latency": {"target": 3, "alert": 2, "overrides": [{"match": "a"}, {"match": "b"}]},
        "web.ratio": {"enabled": False},
    }


def test_merging_leaves_the_layers_alone():
    layer = {"web.latency": {"overrides": [{"match": "a"}]}}
    merge([layer, {"web.latency": {"overrides": [{"match": "b"}]}}])
    assert layer == {"web.latency": {"overrides": [{"match": "a"}]}}


def test_a_layer_that_is_no_mapping_is_named():
    with pytest.raises(OptionError, match=r"web\.latency"):
        merge([{"web.latency": 5}])


def test_nearest():
    assert nearest("targte", ["target", "alert"]) == "; did you mean 'target'?"
    assert nearest("zzz", ["target", "alert"]) == ""
    assert nearest(None, ["target"]) == ""

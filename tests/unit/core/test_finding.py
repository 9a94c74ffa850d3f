"""Findings: fingerprints, order, badness."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._core.check import Check, index
from ansible_collections.nexuscos.ops.plugins.module_utils._core.finding import (
    STATUSES,
    Finding,
    badness,
    fingerprint,
    sort_findings,
    worst,
)

statuses = st.sampled_from(STATUSES)


def test_a_fingerprint_is_the_hash_of_check_and_object():
    assert fingerprint("db.lag", "db1") == hashlib.sha256(b"db.lagdb1").hexdigest()
    assert fingerprint("db.lag", "größe") == fingerprint("db.lag", "größe")


@given(st.text(), st.text(), st.text())
def test_another_object_has_another_fingerprint(check, one, other):
    assert (fingerprint(check, one) == fingerprint(check, other)) == (one == other)


def test_what_was_not_seen_is_worse_than_a_warning_and_better_than_an_outage():
    assert STATUSES == ("ok", "warning", "unknown", "critical")
    assert worst([]) == "ok"
    assert worst(["warning", "unknown"]) == "unknown"


@given(st.lists(statuses))
def test_worst_is_one_of_them(given_):
    assert worst(given_) in (given_ or ["ok"])
    assert all(badness(one) <= badness(worst(given_)) for one in given_)


@given(
    st.lists(st.fixed_dictionaries({"status": statuses, "check": st.text(max_size=3), "object": st.text(max_size=3)}))
)
def test_the_order_does_not_depend_on_the_order_before(findings):
    ordered = sort_findings(findings)
    assert sort_findings(reversed(findings)) == ordered
    assert sorted(map(str, ordered)) == sorted(map(str, findings))
    assert [badness(one["status"]) for one in ordered] == sorted(
        (badness(one["status"]) for one in findings), reverse=True
    )


def test_a_finding_is_plain_json():
    found = Finding("db.lag", "db1", "warning", "t", 1.5, evidence={"a": [1, None]})
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()


def test_a_check_is_registered_once():
    check = Check("db.lag", "?", "r:h", (), "s", "r")
    assert index([check]) == {"db.lag": check}
    assert check.system == "db"
    with pytest.raises(ValueError, match=r"db\.lag is registered twice"):
        index([check, check])

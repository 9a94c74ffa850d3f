# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changed, what flaps, what is acknowledged: pure."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._core.finding import fingerprint
from ansible_collections.nexuscos.ops.plugins.module_utils._history import acks, delta, flapping
from ansible_collections.nexuscos.ops.plugins.module_utils._history.acks import Acknowledgement
from ansible_collections.nexuscos.ops.plugins.module_utils._history.delta import Past, baseline, compare, key_of
from ansible_collections.nexuscos.ops.plugins.module_utils._report import common, model

NOW = "2026-11-22T06:00:00Z"
SYSTEMS = ("a", "b")
CHECKS = ("s.one", "s.two")


def finding(system: str, check: str, status: str = "critical", name: str = "x", **more: Any) -> dict[str, Any]:
    obj = "%s/%s" % (system, name)
    made = {"fingerprint": fingerprint(check, obj), "check": check, "object": obj, "status": status, "title": "t"}
    return {**made, "value": None, "since": None, "recorded_at": None, **more}


def past(number: int, seen: set[tuple[str, str]], *findings: dict[str, Any], recorded: bool = False) -> Past:
    started = "2026-11-%02dT06:00:00Z" % number
    keys = frozenset((system, check, recorded) for system, check in seen)
    return Past("run-%d" % number, started, keys, {one["fingerprint"]: {"since": started, **one} for one in findings})


EVERY = {(system, check) for system in SYSTEMS for check in CHECKS}


def seen(pairs: set[tuple[str, str]], recorded: bool = False) -> frozenset[delta.Key]:
    return frozenset((system, check, recorded) for system, check in pairs)


def words(found: delta.Delta | None) -> list[str]:
    assert found is not None
    return [one["delta"] for one in found.changes.values()]


def test_the_report_s_own_check_has_one_name() -> None:
    assert delta.OBSERVED == model.OBSERVED
    assert delta.COMMON == common.COMMON


def test_a_limited_run_ends_no_cause_in_common() -> None:
    cause = finding("image", "run.common")
    before = Past("run-21", NOW, seen(EVERY), {cause["fingerprint"]: cause})
    for limited, mode, resolved in ((False, "live", 1), (True, "live", 0), (False, "unseen", 0)):
        asked = frozenset(delta.asked_of([("a/s_health", mode)], limited))
        found = compare(NOW, [], seen(EVERY) | asked, [before])
        assert found is not None
        assert (len(found.resolved), len(found.not_seen)) == (resolved, 1 - resolved)


@pytest.mark.parametrize(
    ("before", "now", "word"),
    [
        ("warning", "critical", "worse"),
        ("warning", "unknown", "worse"),
        ("unknown", "critical", "worse"),
        ("critical", "warning", "better"),
        ("unknown", "warning", "better"),
        ("critical", "unknown", "unchanged"),
        ("warning", "warning", "unchanged"),
    ],
)
def test_the_direction_of_a_change(before: str, now: str, word: str) -> None:
    found = compare(NOW, [finding("a", "s.one", now)], seen(EVERY), [past(21, EVERY, finding("a", "s.one", before))])
    assert words(found) == [word]


def test_nothing_is_called_new_in_a_first_run() -> None:
    assert compare(NOW, [finding("a", "s.one")], seen(EVERY), []) is None


def test_what_was_looked_for_and_is_gone_is_resolved_and_what_was_not_looked_for_is_not() -> None:
    before = [finding("a", "s.one"), finding("b", "s.one")]
    found = compare(NOW, [], seen({("a", "s.one")}), [past(21, EVERY, *before)])
    assert found is not None
    assert [one["object"] for one in found.resolved] == ["a/x"]
    assert [one["object"] for one in found.not_seen] == ["b/x"]


def test_a_limited_run_between_two_whole_ones_hides_nothing() -> None:
    one = finding("b", "s.one", since="2026-11-03T06:00:00Z")
    runs = [past(21, {("a", "s.one")}), past(20, EVERY, one)]
    found = compare(NOW, [finding("b", "s.one")], seen(EVERY), runs)
    assert words(found) == ["unchanged"]
    assert found is not None
    assert found.since.id == "run-21"
    assert next(iter(found.changes.values()))["since"] == "2026-11-03T06:00:00Z"


def test_what_went_and_came_again_is_new() -> None:
    runs = [past(21, EVERY), past(20, EVERY, finding("a", "s.one"))]
    found = compare(NOW, [finding("a", "s.one")], seen(EVERY), runs)
    assert words(found) == ["new"]


def test_a_system_that_was_added_has_new_findings() -> None:
    found = compare(NOW, [finding("b", "s.one")], seen(EVERY), [past(21, {("a", "s.one")})])
    assert words(found) == ["new"]


def test_a_recording_is_no_earlier_state_of_a_live_system() -> None:
    replay = past(21, EVERY, finding("a", "s.one", recorded_at=NOW), recorded=True)
    live = past(20, EVERY, finding("a", "s.two"))
    assert compare(NOW, [finding("a", "s.one")], seen(EVERY), [replay]) is None
    found = compare(NOW, [finding("a", "s.two")], seen(EVERY), [replay, live])
    assert words(found) == ["unchanged"]
    assert found is not None
    assert found.since is live
    assert (found.resolved, found.not_seen) == ([], [])


_PAIRS = st.sets(st.sampled_from(sorted(EVERY)))
_FINDINGS = st.lists(
    st.builds(
        finding,
        st.sampled_from(SYSTEMS),
        st.sampled_from(CHECKS),
        st.sampled_from(("warning", "unknown", "critical")),
        st.sampled_from(("x", "y", "z")),
        recorded_at=st.sampled_from((None, None, NOW)),
    ),
    max_size=8,
    unique_by=lambda one: one["fingerprint"],
)
_PASTS = st.lists(st.tuples(_PAIRS, _FINDINGS, st.booleans()), max_size=5).map(
    lambda runs: [
        past(21 - place, pairs, *found, recorded=recorded) for place, (pairs, found, recorded) in enumerate(runs)
    ]
)


@settings(max_examples=60)
@given(_FINDINGS, _PAIRS, _PASTS)
def test_every_finding_of_before_and_now_is_told_once(
    now: list[dict[str, Any]], pairs: set[tuple[str, str]], runs: list[Past]
) -> None:
    found = compare(NOW, now, seen(pairs), runs)
    if found is None:
        return
    assert set(found.changes) == {one["fingerprint"] for one in now}
    gone = [one["fingerprint"] for one in found.resolved + found.not_seen]
    assert len(gone) == len(set(gone))
    assert not set(gone) & set(found.changes)
    assert set(gone) <= set(baseline(runs)) | {name for run in runs for name in run.findings}
    assert all(key_of(one) in seen(pairs) for one in found.resolved)
    assert not any(key_of(one) in seen(pairs) for one in found.not_seen)
    for name, change in found.changes.items():
        assert change["delta"] in delta.CHANGES
        assert (change["delta"] == "new") == (change["was"] is None)
        assert change["since"] <= NOW, name


@settings(max_examples=60)
@given(_FINDINGS, _PAIRS)
def test_a_run_compared_with_itself_is_unchanged(now: list[dict[str, Any]], pairs: set[tuple[str, str]]) -> None:
    itself = Past("same", NOW, seen(pairs), {one["fingerprint"]: one for one in now})
    found = compare(NOW, now, seen(pairs), [itself])
    if found is not None:
        assert set(words(found)) <= {"unchanged"}
        assert (found.resolved, found.not_seen) == ([], [])


@settings(max_examples=60)
@given(_FINDINGS, _FINDINGS)
def test_new_forwards_is_resolved_backwards(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    one = [{**each, "recorded_at": None} for each in one]
    other = [{**each, "recorded_at": None} for each in other]
    forwards = compare(NOW, other, seen(EVERY), [past(21, EVERY, *one)])
    backwards = compare(NOW, one, seen(EVERY), [past(21, EVERY, *other)])
    assert forwards is not None
    assert backwards is not None
    new = {name for name, change in forwards.changes.items() if change["delta"] == "new"}
    assert new == {each["fingerprint"] for each in backwards.resolved}


# Flapping


def _runs(states: str) -> list[Past]:
    """Newest first: + there, - looked for and gone, . not looked for."""
    made = {
        "+": lambda number: past(number, EVERY, finding("a", "s.one")),
        "-": lambda number: past(number, EVERY),
        ".": lambda number: past(number, {("b", "s.one")}),
    }
    return [made[state](21 - place) for place, state in enumerate(states)]


@pytest.mark.parametrize(
    ("states", "present", "changes"),
    [
        ("", True, None),
        ("---", True, None),
        ("+-+", False, (3, 4)),
        ("-+-", True, (3, 4)),
        ("-.+.-", True, (3, 4)),
        ("+++---", True, None),
        ("-+-+-+-+-+-+-+", True, (9, 10)),
        (".........", True, None),
    ],
)
def test_what_comes_and_goes_is_flapping(states: str, present: bool, changes: tuple[int, int] | None) -> None:
    found = flapping.flapping(finding("a", "s.one"), present, _runs(states))
    assert (None if found is None else (found["changes"], found["runs"])) == changes


@settings(max_examples=60)
@given(st.lists(st.booleans(), max_size=20))
def test_changes_are_the_same_forwards_and_backwards(states: list[bool]) -> None:
    assert flapping.changes(states) == flapping.changes(states[::-1]) <= max(len(states) - 1, 0)


# Acknowledgements


def ack(one: dict[str, Any], status: str = "critical", until: str = "2026-11-25T00:00:00Z") -> Acknowledgement:
    return Acknowledgement(
        1, "p", one["fingerprint"], one["check"], one["object"], "ops", "known", status, NOW, until, "3d"
    )


@pytest.mark.parametrize(
    ("status", "now", "looked", "holds", "why"),
    [
        ("critical", "critical", True, True, None),
        ("critical", "warning", True, True, None),
        ("warning", "critical", True, False, "got worse"),
        ("warning", "unknown", True, False, "got worse"),
        ("warning", None, True, False, "resolved"),
        ("warning", None, False, False, None),
    ],
)
def test_an_acknowledgement_ends(status: str, now: str | None, looked: bool, holds: bool, why: str | None) -> None:
    one = finding("a", "s.one", now or "critical")
    got, ended = acks.judge([ack(one, status)], [one] if now else [], seen(EVERY if looked else set()), NOW)
    assert (one["fingerprint"] in got) == holds
    assert [reason for _ack, reason in ended] == ([why] if why else [])


def test_an_acknowledgement_expires_to_the_second() -> None:
    one = finding("a", "s.one")
    assert acks.judge([ack(one, until=NOW)], [one], seen(EVERY), NOW)[1][0][1] == "expired"
    assert acks.judge([ack(one, until="2026-11-22T06:00:01Z")], [one], seen(EVERY), NOW)[1] == []


def test_a_recording_ends_no_acknowledgement() -> None:
    one = finding("a", "s.one", recorded_at=NOW)
    assert acks.judge([ack(one, "warning")], [one], seen(EVERY, True), NOW) == ({}, [])
    assert acks.judge([ack(one, "warning")], [], seen(EVERY, True), NOW) == ({}, [])


AT = datetime.datetime(2026, 11, 22, 6, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("36h", "2026-11-23T18:00:00Z"),
        ("7d", "2026-11-29T06:00:00Z"),
        (" 2 weeks ", "2026-12-06T06:00:00Z"),
        ("45min", "2026-11-22T06:45:00Z"),
        ("2026-11-25", "2026-11-25T23:59:59Z"),
        ("2026-11-25T18:00:00Z", "2026-11-25T18:00:00Z"),
        ("2026-11-25T18:00:00+02:00", "2026-11-25T16:00:00Z"),
        ("2026-11-25 18:00", "2026-11-25T18:00:00Z"),
    ],
)
def test_when_an_acknowledgement_ends(text: str, until: str) -> None:
    assert acks.parse_until(text, AT) == until


@pytest.mark.parametrize("text", ["", "soon", "0d", "2026-11-21", "-3d", "1e3d", "7 parsecs", "99999999d"])
def test_an_expiry_that_is_none(text: str) -> None:
    with pytest.raises(OptionError, match="expires"):
        acks.parse_until(text, AT)

# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The newest snapshot that is ready is never given up, and what is not ready stands in for no other."""

from __future__ import annotations

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import retention
from ansible_collections.nexuscos.ops.plugins.module_utils._backup.volume_retention import SLOW_S, Taken, decide

HOUR = 3600.0
NOW = 1_795_000_000.0


def taken(name: str, hours_ago: float, ready: bool = True, error: str = "", needed: tuple[str, ...] = ()) -> Taken:
    return Taken(name, NOW - hours_ago * HOUR, ready, error, needed)


def stays(*snapshots: Taken, **keep: object) -> dict[str, bool]:
    return {one.stamp: one.stays for one in decide(snapshots, retention.rules(keep), NOW)}


def why(name: str, *snapshots: Taken, **keep: object) -> list[str]:
    return next(one.why for one in decide(snapshots, retention.rules(keep), NOW) if one.stamp == name)


def test_a_rule_keeps_so_many_and_the_newest_first() -> None:
    assert stays(taken("a", 30), taken("b", 20), taken("c", 10), taken("d", 0), last=2) == {
        "d": True, "c": True, "b": False, "a": False,
    }  # fmt: skip
    assert why("a", taken("a", 30), taken("b", 1), last=1) == ["no rule keeps it"]


def test_the_only_ready_one_stays_whatever_came_after_it() -> None:
    failed = [taken(f"f{number}", number, ready=False, error="full") for number in range(5)]
    told = stays(taken("old", 900), taken("only", 800), *failed, within="1h")
    assert told["only"]
    assert not told["old"]
    # what is younger than the newest that is ready has not been judged yet
    assert all(told[f"f{number}"] for number in range(5))
    assert "it is the newest that is ready" in why("only", taken("only", 800), *failed, within="1h")


def test_what_is_not_ready_takes_the_place_of_no_other() -> None:
    given = [taken("a", 30), taken("b", 20), taken("broken", 10, ready=False, error="full"), taken("d", 0)]
    assert stays(*given, last=2) == {"d": True, "broken": False, "b": True, "a": False}
    assert why("broken", *given, last=2) == ["a newer one is ready, and it has failed: full"]


def test_a_slow_driver_has_a_day() -> None:
    day = SLOW_S / HOUR
    slow, dead = taken("slow", day - 1, ready=False), taken("dead", day + 1, ready=False)
    assert stays(slow, dead, taken("new", 0), last=1) == {"new": True, "slow": True, "dead": False}


def test_none_is_ready_so_all_stay() -> None:
    given = [taken("a", 99, ready=False, error="x"), taken("b", 98, ready=False)]
    assert stays(*given, last=1) == {"b": True, "a": True}
    assert why("a", *given, last=1) == ["no snapshot of the claim is ready"]


def test_one_from_the_future_stays_and_takes_no_place() -> None:
    told = decide([taken("ahead", -5), taken("a", 2), taken("b", 1)], retention.rules({"last": 1}), NOW)
    assert [(one.stamp, one.stays, one.ahead) for one in told] == [
        ("ahead", True, True), ("b", True, False), ("a", False, False),
    ]  # fmt: skip


def test_one_in_use_stays() -> None:
    given = [taken("a", 2, needed=("the claim x is being made from it",)), taken("b", 1)]
    assert stays(*given, last=1) == {"b": True, "a": True}


def test_of_the_same_moment_the_ready_one_counts() -> None:
    assert stays(taken("a", 1), taken("b", 1, ready=False, error="x"), last=1)["a"]

# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies in a folder of backups, and what is said about it."""

from __future__ import annotations

import copy
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from backups import dump, judged, look, named, put, snapshot, stamp
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import options, sets
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError

DB = {"name": "nexusdb", "paths": ["20*/nexusdb/*.dump"], "every": "6h"}
REDIS = {"name": "redis", "paths": "20*/redis/*.rdb", "every": "6h"}
ROWS = b"1\tone\n" * 5000


def healthy(place: Path) -> None:
    put(place, "%s/nexusdb/nexusdb.dump" % stamp(), dump(ROWS))
    put(place, "%s/redis/dump.rdb" % stamp(), snapshot())


def test_whole_young_backups_are_no_finding(tmp_path: Path) -> None:
    healthy(tmp_path)
    result = judged(look(tmp_path, DB, REDIS))
    assert result["findings"] == []
    assert {row["check"] for row in result["coverage"] if not row["seen"]} == set()
    facts = result["facts"]
    assert (facts["systems_total"], facts["systems_backed_up"], facts["systems_readable"]) == (2, 2, 2)
    assert facts["backups"]["nexusdb"]["read"] == "ok"


def test_a_folder_that_is_gone_is_one_finding(tmp_path: Path) -> None:
    result = judged(look(tmp_path / "no", DB))
    assert named(result) == {("place", "b", "critical")}
    assert all(not row["seen"] for row in result["coverage"] if row["check"] not in ("backup.place", "backup.timer"))


def test_what_is_not_there_is_missed(tmp_path: Path) -> None:
    healthy(tmp_path)
    put(tmp_path, "%s/nexusdb/half.dump.tmp" % stamp(), b"x", age=10)
    gone = {"name": "mediadb", "paths": ["20*/mediadb/*"], "every": "6h"}
    assert named(judged(look(tmp_path, DB, gone))) == {("exists", "b/mediadb", "critical")}


@pytest.mark.parametrize(("hours", "status"), [(7, None), (8, "warning"), (11.9, "warning"), (12.2, "critical")])
def test_age_is_told_in_intervals_of_the_schedule(tmp_path: Path, hours: float, status: str | None) -> None:
    put(tmp_path, "%s/redis/dump.rdb" % stamp(hours * 3600), snapshot(), age=hours * 3600)
    found = named(judged(look(tmp_path, REDIS)))
    assert found == ({("age", "b/redis", status)} if status else set())


def test_a_date_ahead_is_told_and_its_age_is_not_known(tmp_path: Path) -> None:
    put(tmp_path, "%s/redis/dump.rdb" % stamp(-86400), snapshot())
    assert named(judged(look(tmp_path, REDIS))) == {("future", "b/redis", "critical"), ("age", "b/redis", "unknown")}


def test_bytes_that_changed_after_writing(tmp_path: Path) -> None:
    path = put(tmp_path, "%s/nexusdb/nexusdb.dump" % stamp(), dump(os.urandom(50_000)))
    data = bytearray(path.read_bytes())
    data[-2000] ^= 0xFF
    path.write_bytes(bytes(data))
    assert named(judged(look(tmp_path, DB))) == {
        ("checksum", "b/nexusdb", "critical"),
        ("readable", "b/nexusdb", "critical"),
    }


def test_nobody_wrote_a_checksum(tmp_path: Path) -> None:
    put(tmp_path, "%s/redis/dump.rdb" % stamp(), snapshot(), summed=False)
    assert named(judged(look(tmp_path, REDIS))) == {("manifest", "b/redis", "warning")}


@pytest.mark.parametrize("shape", ["list", "mapping", "of texts"])
def test_a_manifest_tells_checksums_in_any_of_its_shapes(tmp_path: Path, shape: str) -> None:
    path = put(tmp_path, "%s/redis/dump.rdb" % stamp(), snapshot(), summed=False)
    import hashlib

    value = hashlib.sha256(path.read_bytes()).hexdigest()
    files: Any = {
        "list": [{"path": "dump.rdb", "sha256": value}],
        "mapping": {"dump.rdb": {"sha256": value}},
        "of texts": {"dump.rdb": value},
    }[shape]
    (path.parent / "manifest.json").write_text(json.dumps({"files": files}), encoding="utf-8")
    assert judged(look(tmp_path, REDIS))["findings"] == []
    (path.parent / "manifest.json").write_text("{", encoding="utf-8")
    assert named(judged(look(tmp_path, REDIS))) == {("manifest", "b/redis", "warning")}


def test_an_older_set_under_a_new_name(tmp_path: Path) -> None:
    same = dump(ROWS, made=time.time() - 3000)
    put(tmp_path, "%s/nexusdb/nexusdb.dump" % stamp(3000), same, age=3000)
    put(tmp_path, "%s/nexusdb/nexusdb.dump" % stamp(60), same)
    (finding,) = judged(look(tmp_path, DB))["findings"]
    assert finding["check"] == "backup.renamed"
    assert finding["evidence"]["same_as"].endswith("nexusdb.dump")


def test_what_may_stay_the_same_is_no_older_set(tmp_path: Path) -> None:
    for age in (3000, 60):
        put(tmp_path, "%s/volumes/etc.json" % stamp(age), b"{}", age=age)
    system = {"name": "volumes", "paths": "*/volumes/*.json"}
    assert named(judged(look(tmp_path, system))) == {("renamed", "b/volumes", "critical")}
    assert judged(look(tmp_path, {**system, "unchanging": True}))["findings"] == []


def test_a_dump_that_was_made_at_another_time(tmp_path: Path) -> None:
    put(tmp_path, "%s/nexusdb/nexusdb.dump" % stamp(), dump(ROWS, made=time.time() - 86400))
    assert named(judged(look(tmp_path, DB))) == {("renamed", "b/nexusdb", "critical")}


def test_size_is_judged_by_its_own_trend(tmp_path: Path) -> None:
    for hours in (1, 2, 3):
        rows = os.urandom(40_000)
        put(
            tmp_path,
            "%s/nexusdb/x.dump" % stamp(hours * 3600),
            dump(rows, made=time.time() - hours * 3600),
            age=hours * 3600,
        )
    put(tmp_path, "%s/nexusdb/x.dump" % stamp(), dump(os.urandom(24_000)))
    assert named(judged(look(tmp_path, DB))) == {("size", "b/nexusdb", "warning")}
    put(tmp_path, "%s/nexusdb/x.dump" % stamp(30), dump(os.urandom(9_000)), age=30)
    assert ("size", "b/nexusdb", "critical") in named(judged(look(tmp_path, DB)))


def test_latest_leads_nowhere_or_to_an_old_set(tmp_path: Path) -> None:
    healthy(tmp_path)
    (tmp_path / "latest").symlink_to("2020-01-01T000000Z")
    assert named(judged(look(tmp_path, DB))) == {("latest", "b/latest", "critical")}
    (tmp_path / "2020-01-01T000000Z").mkdir()
    old = time.time() - 1e8
    os.utime(tmp_path / "latest", (old, old), follow_symlinks=False)
    assert named(judged(look(tmp_path, DB))) == {("latest", "b/latest", "warning")}


def test_half_sets_count_when_nobody_writes_them_any_more(tmp_path: Path) -> None:
    healthy(tmp_path)
    put(tmp_path, "%s/nexusdb/a.dump.partial" % stamp(), b"x" * 10, summed=False, age=30)
    assert judged(look(tmp_path, DB))["findings"] == []
    put(tmp_path, "%s/nexusdb/b.dump.partial" % stamp(), b"x" * 10, summed=False, age=7200)
    assert named(judged(look(tmp_path, DB))) == {("leftovers", "b/leftovers", "warning")}


def test_room_for_the_next_sets(tmp_path: Path) -> None:
    healthy(tmp_path)
    observation = look(tmp_path, DB)
    size = observation["systems"]["nexusdb"]["sets"][0]["bytes"]
    for share, status in ((4.0, None), (2.0, "warning"), (0.5, "critical")):
        observation["place"]["free"] = int(size * share)
        assert named(judged(observation)) == ({("space", "b", status)} if status else set())


@pytest.mark.parametrize(
    ("timer", "status"),
    [
        ({"timer": {"LoadState": "loaded", "ActiveState": "active"}, "service": {"Result": "success"}}, None),
        ({"timer": {"LoadState": "loaded", "ActiveState": "inactive"}, "service": {}}, "critical"),
        ({"timer": {"LoadState": "not-found"}, "service": None}, "critical"),
        ({"timer": {"LoadState": "loaded", "ActiveState": "active"}, "service": {"Result": "exit-code"}}, "critical"),
        ({"timer": {"error": "systemctl: no such file"}, "service": None}, "unknown"),
    ],
)
def test_the_timer(tmp_path: Path, timer: dict[str, Any], status: str | None) -> None:
    healthy(tmp_path)
    observation = {**look(tmp_path, DB), "timer": {"name": "x.timer", **timer}}
    assert named(judged(observation)) == ({("timer", "b/x.timer", status)} if status else set())


def test_less_proof_is_asked_for(tmp_path: Path) -> None:
    put(tmp_path, "%s/nexusdb/nexusdb.dump" % stamp(), b"no dump at all", summed=False)
    assert judged(look(tmp_path, {**DB, "verify": "none"}))["findings"] == []
    assert named(judged(look(tmp_path, {**DB, "verify": "checksum"}))) == {("manifest", "b/nexusdb", "warning")}


def test_no_time_left_is_unknown_and_not_well(tmp_path: Path) -> None:
    healthy(tmp_path)
    found = named(judged(look(tmp_path, DB, deadline=-1.0)))
    assert ("readable", "b/nexusdb", "unknown") in found


@pytest.mark.parametrize(
    ("path", "moment", "exact"),
    [
        ("2025-11-22T060000Z/nexusdb/x.dump", 1_763_791_200, True),
        ("2025-11-22/config-host1-060000.tar.gz", 1_763_791_200, True),
        ("db-20251122-0600.sql.gz", 1_763_791_200, True),
        ("2025-11-22_06-00-00/x", 1_763_791_200, True),
        ("2025-11-22/postgres.dump", 1_763_769_600, False),
        ("2025-13-40/postgres.dump", None, False),
        ("latest/postgres.dump", None, False),
    ],
)
def test_names_tell_times(path: str, moment: float | None, exact: bool) -> None:
    assert sets.moment_in(path) == (moment, exact)


@pytest.mark.parametrize(
    ("system", "complaint"),
    [
        ({"name": "a/b", "paths": "x"}, "without a slash"),
        ({"name": "a", "paths": []}, "wants paths"),
        ({"name": "a b"}, "letters, digits"),
        ({"name": "a", "level": 6}, "level is 0 to 5"),
        ({"name": "a", "paths": "/etc/*"}, "below path"),
        ({"name": "a", "paths": "../*"}, "below path"),
        ({"name": "a", "paths": "x", "evry": "6h"}, "did you mean 'every'"),
        ({"name": "a", "paths": "x", "every": "often"}, "6h, 30min or 1d"),
        ({"name": "a", "paths": "x", "format": "pg_costum"}, "did you mean 'pg_custom'"),
        ({"name": "a", "paths": "x", "verify": "hope"}, "read, checksum, none"),
    ],
)
def test_a_wrong_system_is_refused(system: dict[str, Any], complaint: str) -> None:
    with pytest.raises(OptionError, match=complaint):
        options.check({"systems": [system]})
    with pytest.raises(OptionError, match="twice"):
        options.check({"systems": [DB, DB]})


GARBAGE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_garbage_in_an_observation_never_raises(data: st.DataObject) -> None:
    place = {"path": "/b", "error": None, "free": 10**9, "total": 10**10}
    one = {"path": "x", "bytes": 1, "modified": 1.0, "named": 1.0, "when": 1.0}
    proof = {"verify": "read", "told": None, "sum": None, "read": {"status": "ok"}, "folder": False}
    whole: dict[str, Any] = {
        "now": 2.0,
        "place": place,
        "systems": {"a": {"every": 1.0, "paths": [], "sets": [one], "error": None, "proof": proof, "count": 1}},
        "latest": {"link": "x", "exists": True, "when": 1.0},
        "leftovers": [one],
        "timer": {"name": "t", "timer": {}, "service": {}},
    }
    observation = copy.deepcopy(whole)
    spot = data.draw(
        st.sampled_from(["now", "place", "systems", "latest", "leftovers", "timer", "sets", "proof", "read"])
    )
    bad = data.draw(GARBAGE)
    if spot in ("sets", "proof"):
        observation["systems"]["a"][spot] = bad
    elif spot == "read":
        observation["systems"]["a"]["proof"]["read"] = bad
    else:
        observation[spot] = bad
    result = judged(observation)
    assert {row["check"] for row in result["coverage"]}

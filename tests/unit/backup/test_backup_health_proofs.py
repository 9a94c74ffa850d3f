# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What backup_health makes of manifests, of the proofs in them, and of a link for each system."""

from __future__ import annotations

import copy
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from backups import dump, judged, look, named, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from set_maker import DAY, HOUR, iso, lead, make_set, proof, run_of

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import lock, manifest

ROWS = b"1\tone\n" * 5000
DB: dict[str, Any] = {"name": "nexusdb", "every": "6h"}
REDIS: dict[str, Any] = {"name": "redis", "every": "6h"}
SOURCE = {"host": "db1", "port": 5432, "database": "nexusdb"}


def database(place: Path, age: float = HOUR, level: int = 4, **more: Any) -> Path:
    """A set of nexusdb that is whole, and proven, with its link."""
    began = time.time() - age
    given = {
        "files": {"nexusdb.dump": dump(ROWS + os.urandom(1000), made=began)},
        "proofs": [proof(2, began + 5), proof(level, began + 60, restore_seconds=252.0)],
        "engine": "pg_dump",
        "format": "pg_custom",
        "source": SOURCE,
        **more,
    }
    folder = make_set(place, "nexusdb", began, **given)
    lead(place, folder)
    return folder


def titles(result: dict[str, Any]) -> str:
    return "; ".join(one["title"] for one in result["findings"])


def test_a_set_of_the_layout_needs_no_pattern_and_is_no_finding(tmp_path: Path) -> None:
    database(tmp_path, 7 * HOUR)
    database(tmp_path)
    lead(tmp_path, make_set(tmp_path, "redis", time.time() - HOUR, [proof(3, time.time())], {"dump.rdb": snapshot()}))
    result = judged(look(tmp_path, DB, REDIS))
    assert result["findings"] == []
    assert {row["check"] for row in result["coverage"] if not row["seen"]} == set()
    asked = {row["check"]: row["objects"] for row in result["coverage"]}
    for check in ("set", "proof", "manifest", "checksum", "readable", "renamed", "latest"):
        assert asked["backup." + check] == 2, check
    facts = result["facts"]
    assert (facts["systems_proven"], facts["systems_readable"]) == (2, 2)
    one = facts["backups"]["nexusdb"]
    assert (one["proven_level"], one["looked_level"], one["restore_seconds"]) == (4, 2, 252.0)
    assert abs(one["exposure_s"] - HOUR) < 60
    assert abs(facts["exposure_s"] - HOUR) < 60


@pytest.mark.parametrize(("days", "status"), [(1, None), (7.9, None), (9, "warning"), (16, "critical")])
def test_the_age_of_the_newest_proof(tmp_path: Path, days: float, status: str | None) -> None:
    then = time.time() - days * DAY
    database(tmp_path, days * DAY + HOUR, proofs=[proof(4, then)])
    database(tmp_path, level=2)
    result = judged(look(tmp_path, DB))
    assert named(result) == ({("proof", "b/nexusdb", status)} if status else set())
    if status:
        assert "last proven to level 4 (invariants hold)" in titles(result)
        assert result["findings"][0]["value"] == pytest.approx(days, abs=0.1)


def test_no_proof_of_the_level_that_is_wanted(tmp_path: Path) -> None:
    database(tmp_path, level=2)
    result = judged(look(tmp_path, DB))
    assert named(result) == {("proof", "b/nexusdb", "warning")}
    assert "has been proven to level 3 (restored); the highest is 2 (read to the end)" in titles(result)
    assert judged(look(tmp_path, {**DB, "level": 2}))["findings"] == []
    assert named(judged(look(tmp_path, {**DB, "level": 5}))) == {("proof", "b/nexusdb", "warning")}


def test_what_cannot_be_restored_for_a_test_is_asked_for_less(tmp_path: Path) -> None:
    now = time.time()
    config = {"name": "config", "every": "6h"}
    lead(tmp_path, make_set(tmp_path, "config", now - HOUR, [proof(2, now)], {"a": b"a"}, engine="tar", format="any"))
    result = judged(look(tmp_path, config))
    assert result["findings"] == []
    one = result["facts"]["backups"]["config"]
    assert (one["looked_level"], one["proven_level"]) == (1, 2), (
        "bytes of a format that no reader knows are only summed"
    )
    assert named(judged(look(tmp_path, {**config, "level": 3}))) == {("proof", "b/config", "warning")}
    lead(tmp_path, make_set(tmp_path, "redis", now - HOUR, [proof(2, now)], {"dump.rdb": snapshot()}))
    assert named(judged(look(tmp_path, REDIS))) == {("proof", "b/redis", "warning")}


def test_a_verification_that_failed_is_told_whatever_was_proven_before(tmp_path: Path) -> None:
    now = time.time()
    database(tmp_path, proofs=[proof(4, now - 1800), proof(2, now - 60, good=False, why="public.orders has 3 rows")])
    result = judged(look(tmp_path, DB))
    assert named(result) == {("proof", "b/nexusdb", "critical")}
    assert "failed: public.orders has 3 rows" in titles(result)


def test_a_look_that_goes_less_far_hides_no_proof(tmp_path: Path) -> None:
    now = time.time()
    database(tmp_path, 40 * DAY, proofs=[proof(5, now - 30 * DAY), proof(4, now - DAY), proof(1, now - 60)])
    database(tmp_path, level=2)
    assert judged(look(tmp_path, DB))["findings"] == [], "a day ago it was restored"
    assert named(judged(look(tmp_path, {**DB, "level": 5}))) == {("proof", "b/nexusdb", "critical")}


def test_a_proof_from_the_future_counts_for_nothing(tmp_path: Path) -> None:
    database(tmp_path, proofs=[proof(2, time.time()), proof(4, time.time() + DAY)])
    assert named(judged(look(tmp_path, DB))) == {("proof", "b/nexusdb", "warning")}


def test_other_layouts_are_asked_for_proofs_only_by_name(tmp_path: Path) -> None:
    folder = tmp_path / run_of(time.time() - 60) / "redis"
    folder.mkdir(parents=True)
    (folder / "dump.rdb").write_bytes(snapshot())
    os.system(f"cd {folder} && sha256sum dump.rdb > SHA256SUMS")
    system = {**REDIS, "paths": "20*/redis/*.rdb"}
    assert judged(look(tmp_path, system))["findings"] == []
    assert judged(look(tmp_path, {**system, "level": 2}))["findings"] == [], "the look itself has read it to its end"
    assert named(judged(look(tmp_path, {**system, "level": 3}))) == {("proof", "b/redis", "unknown")}


def test_a_manifest_of_another_set(tmp_path: Path) -> None:
    folder = database(tmp_path)
    other = make_set(tmp_path, "analytics", time.time() - HOUR)
    shutil.copy(other / "manifest.json", folder / "manifest.json")
    found = named(judged(look(tmp_path, DB)))
    assert ("set", "b/nexusdb", "critical") in found


def test_a_set_under_the_name_of_a_later_run(tmp_path: Path) -> None:
    folder = database(tmp_path, 9 * HOUR)
    later = tmp_path / run_of(time.time()) / "nexusdb"
    shutil.copytree(folder, later)
    result = judged(look(tmp_path, DB))
    assert ("set", "b/nexusdb", "critical") in named(result)
    assert "is another one by its manifest" in titles(result)
    # With a manifest that was written to fit, the file itself tells.
    told = json.loads((later / "manifest.json").read_text(encoding="utf-8"))
    told["stamp"] = later.parent.name
    (later / "manifest.json").write_text(json.dumps(told), encoding="utf-8")
    lead(tmp_path, later)
    result = judged(look(tmp_path, DB))
    assert named(result) == {("renamed", "b/nexusdb", "critical")}
    assert "an earlier one under a new name" in titles(result)


def test_a_dump_of_another_database(tmp_path: Path) -> None:
    database(tmp_path, source={**SOURCE, "database": "analytics"})
    result = judged(look(tmp_path, DB))
    assert named(result) == {("set", "b/nexusdb", "critical")}
    assert "is a dump of nexusdb, and its manifest says analytics" in titles(result)


def test_another_database_than_the_set_before(tmp_path: Path) -> None:
    files = {"a": b"x" * 5000}
    database(tmp_path, 7 * HOUR, source={"database": "prod"}, files=files, format="any")
    database(tmp_path, source={"database": "test"}, files=files, format="any")
    result = judged(look(tmp_path, DB))
    assert named(result) == {("set", "b/nexusdb", "critical")}
    assert "test, not prod" in titles(result)


def test_a_file_that_is_missing_one_more_and_one_of_another_size(tmp_path: Path) -> None:
    folder = database(tmp_path, files={"nexusdb.dump": dump(ROWS), "roles.sql": b"--\n-- Dumped on\n", "more": b"m"})
    (folder / "more").unlink()
    result = judged(look(tmp_path, DB))
    assert ("set", "b/nexusdb", "critical") in named(result)
    assert "are missing: more" in titles(result)
    folder = database(tmp_path, 60)
    (folder / "core").write_bytes(b"x")
    result = judged(look(tmp_path, DB))
    assert named(result) == {("set", "b/nexusdb", "warning")}
    assert "none of its: core" in titles(result)
    (folder / "core").unlink()
    os.truncate(folder / "nexusdb.dump", 300)
    result = judged(look(tmp_path, DB))
    assert named(result) == {("set", "b/nexusdb", "critical"), ("readable", "b/nexusdb", "critical")}
    assert result["facts"]["backups"]["nexusdb"]["exposure_s"] > HOUR - 60, "the set before it is the one to restore"


def test_bytes_that_changed(tmp_path: Path) -> None:
    folder = database(tmp_path)
    data = bytearray((folder / "nexusdb.dump").read_bytes())
    data[-500] ^= 0xFF
    (folder / "nexusdb.dump").write_bytes(bytes(data))
    result = judged(look(tmp_path, DB))
    assert ("checksum", "b/nexusdb", "critical") in named(result)
    assert result["facts"]["exposure_s"] is None, "no set that could be restored is left"


@pytest.mark.parametrize(
    ("data", "status"), [(b"", "critical"), (b"{", "critical"), (b"[]", "critical"), (b'{"version": 2}', "unknown")]
)
def test_a_manifest_that_cannot_be_read(tmp_path: Path, data: bytes, status: str) -> None:
    folder = database(tmp_path)
    (folder / "manifest.json").write_bytes(data)
    assert ("set", "b/nexusdb", status) in named(judged(look(tmp_path, DB)))


def test_a_folder_without_a_manifest_is_told(tmp_path: Path) -> None:
    folder = database(tmp_path)
    (folder / "manifest.json").unlink()
    result = judged(look(tmp_path, DB))
    assert ("set", "b/nexusdb", "critical") in named(result)
    assert "has no manifest" in titles(result)


def test_a_link_for_each_system(tmp_path: Path) -> None:
    old = database(tmp_path, 7 * HOUR)
    database(tmp_path)
    make_set(tmp_path, "redis", time.time() - HOUR, [proof(3, time.time())], {"dump.rdb": snapshot()})
    assert named(judged(look(tmp_path, DB, REDIS))) == {("latest", "b/latest/redis", "warning")}
    with lock.held(str(tmp_path), "redis", "backup"):
        assert judged(look(tmp_path, DB, REDIS))["findings"] == []
    lead(tmp_path, old)
    result = judged(look(tmp_path, DB))
    assert named(result) == {("latest", "b/latest/nexusdb", "warning")}
    assert "6 h younger" in titles(result)
    (tmp_path / "latest" / "gone").symlink_to("../2020-01-01T000000Z/gone")
    assert ("latest", "b/latest/gone", "critical") in named(judged(look(tmp_path, DB)))


def test_what_is_being_written_is_no_leftover(tmp_path: Path) -> None:
    database(tmp_path)
    half = tmp_path / run_of(time.time() - 2 * HOUR) / ".writing-nexusdb"
    half.mkdir(parents=True)
    os.utime(half, (time.time() - 7200, time.time() - 7200))
    with lock.held(str(tmp_path), "nexusdb", "backup"):
        assert judged(look(tmp_path, DB))["findings"] == []
    assert named(judged(look(tmp_path, DB))) == {("leftovers", "b/leftovers", "warning")}


def test_a_folder_of_a_dump_and_what_is_encrypted(tmp_path: Path) -> None:
    files = {"secrets.yml": b"$ANSIBLE_VAULT;1.1;AES256\n6162\n", "dump.rdb": b"not a snapshot"}
    folder = make_set(tmp_path, "redis", time.time() - HOUR, [proof(3, time.time())], files, encryption="ansible-vault")
    lead(tmp_path, folder)
    assert judged(look(tmp_path, REDIS))["findings"] == [], "nobody can look into it, and its sums match"


def test_an_empty_file_is_one_of_several(tmp_path: Path) -> None:
    now = time.time()
    lead(tmp_path, make_set(tmp_path, "redis", now - HOUR, [proof(3, now)], {"a.rdb": snapshot(), "empty.bson": b""}))
    assert judged(look(tmp_path, REDIS))["findings"] == []
    lead(tmp_path, make_set(tmp_path, "redis", now - 60, [proof(3, now)], {"a.rdb": b""}))
    assert named(judged(look(tmp_path, REDIS))) == {("readable", "b/redis", "critical")}


def test_less_proof_is_asked_for(tmp_path: Path) -> None:
    folder = database(tmp_path)
    (folder / "nexusdb.dump").write_bytes(b"?" * (folder / "nexusdb.dump").stat().st_size)
    assert judged(look(tmp_path, {**DB, "verify": "none"}))["findings"] == []
    assert named(judged(look(tmp_path, {**DB, "verify": "checksum"}))) == {("checksum", "b/nexusdb", "critical")}


def test_no_time_left_is_unknown(tmp_path: Path) -> None:
    database(tmp_path)
    found = named(judged(look(tmp_path, DB, deadline=-1.0)))
    assert {("readable", "b/nexusdb", "unknown"), ("checksum", "b/nexusdb", "unknown")} <= found


def test_a_pattern_finds_manifests_of_ours_as_well(tmp_path: Path) -> None:
    folder = database(tmp_path, level=2)
    system = {**DB, "paths": "20*/nexusdb/*.dump"}
    assert named(judged(look(tmp_path, system))) == {("proof", "b/nexusdb", "warning")}
    manifest.add_proof(str(folder), proof(4, time.time()))
    assert judged(look(tmp_path, system))["findings"] == []
    assert (
        judged(look(tmp_path, system))["facts"]["backups"]["nexusdb"]["proven_set"] == f"{folder.parent.name}/nexusdb"
    )


GARBAGE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)
WHOLE: dict[str, Any] = {
    "now": 2e9,
    "place": {"path": "/b", "error": None, "free": 10**9, "total": 10**10},
    "systems": {
        "a": {
            "every": 1.0,
            "paths": [],
            "sets": [{"path": "x", "bytes": 1, "modified": 1.0, "named": 1.0, "when": 1.0}],
            "error": None,
            "count": 1,
            "own": True,
            "level": 3,
            "busy": None,
            "manifest": {
                "error": None,
                "missing": ["a"],
                "extra": ["b"],
                "sizes": [{"path": "c", "written": 1, "now": 2}],
                "source": {"database": "x"},
                "source_before": {"database": "y"},
                "database_inside": "z",
            },
            "proofs": [{"set": "x", "when": 1.0, "level": 4, "at": iso(1e9), "good": True, "restore_seconds": 1.0}],
            "proof": {"verify": "read", "changed": [{"path": "c"}], "read": {"status": "ok"}, "folder": True},
            "archive": {
                "error": None,
                "sets": {"x": {"wal": "0" * 24, "at": 1e9, "missing": ["0" * 24], "beyond": None, "gone": False}},
                "repositories": [{"repo": 2, "name": "r", "offsite": True, "error": None, "backups": 1, "when": 1e9}],
                "server": {
                    "error": None,
                    "mode": "on",
                    "timeout_s": 60.0,
                    "standby": False,
                    "archived_wal": "0" * 24,
                    "archived_at": 1e9,
                    "written_at": 1e9,
                    "failed_wal": "x",
                    "failed_at": 1e9,
                    "waiting": 2.0,
                    "waiting_since": 1e9,
                },
            },
        }
    },
    "latest": {"links": {"a": {"link": "x", "exists": True, "when": 1.0}}},
    "leftovers": [],
    "timer": None,
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [place for key, one in children for place in places(one, (*path, key))]


@settings(deadline=None, max_examples=250)
@given(st.sampled_from(places(WHOLE)), GARBAGE)
def test_garbage_in_an_observation_never_raises(place: tuple[Any, ...], garbage: Any) -> None:
    broken: Any = copy.deepcopy(WHOLE)
    inner = broken
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = garbage
    judged(broken)

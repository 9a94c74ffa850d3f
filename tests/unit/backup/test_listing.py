# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the list of sets tells, also of sets that something is wrong with, and of those being written."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from set_maker import DAY, HOUR, iso, lead, make_set, proof, run_of

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import at_work, layout, listing, lock, stream
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError


def rows(place: Path, **more: Any) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    listed = listing.look(str(place), **more)
    return {one["name"]: one for one in listed["systems"]}, listed["sets"]


def test_a_set_tells_age_size_and_proof(tmp_path: Path) -> None:
    now = time.time()
    make_set(tmp_path, "redis", now - DAY, [proof(2, now - DAY)])
    folder = make_set(tmp_path, "redis", now - HOUR, [proof(2, now - HOUR), proof(4, now - 600, restore_seconds=252.0)])
    lead(tmp_path, folder)
    make_set(tmp_path, "nexusdb", now - HOUR, files={"nexusdb.dump": b"x" * 1000, "globals.sql": b"y" * 500})
    systems, sets = rows(tmp_path)
    assert [(one["system"], one["level"], one["latest"]) for one in sets] == [
        ("nexusdb", None, False),
        ("redis", 4, True),
        ("redis", 2, False),
    ]
    assert (sets[0]["bytes"], sets[0]["files"]) == (1500, 2)
    assert abs(sets[1]["age_s"] - HOUR) < 60
    assert abs(sets[1]["level_age_s"] - 600) < 60
    assert systems["redis"]["proven"]["restore_seconds"] == 252.0
    assert systems["redis"]["latest_trouble"] is None
    assert abs(systems["redis"]["exposure_s"] - HOUR) < 60
    assert systems["nexusdb"]["exposure_s"] is None, "nobody has read it to its end"
    lines = listing.table(listing.look(str(tmp_path)))
    assert len(lines) == 6
    assert "4 invariants, in 252 s" in lines[2]
    assert lines[4] == "nexusdb: nothing that could be restored, as far as is known"
    assert lines[5].startswith("redis: 60 min would be lost now; ")
    assert lines[5].endswith(" restores in 252 s")
    assert lines[2].endswith("latest")
    assert len(rows(tmp_path, newest=1)[1]) == 2
    assert set(rows(tmp_path, wanted=["redis"])[0]) == {"redis"}


def test_a_system_without_a_set_is_told_when_it_is_asked_for(tmp_path: Path) -> None:
    systems, sets = rows(tmp_path, wanted=["mediadb"])
    assert (systems["mediadb"]["sets"], systems["mediadb"]["newest"], sets) == (0, None, [])
    assert listing.table(listing.look(str(tmp_path))) == ["no set"]


def test_what_a_later_look_refuted_is_no_proof(tmp_path: Path) -> None:
    now = time.time()
    make_set(tmp_path, "redis", now - DAY, [proof(2, now - DAY)])
    make_set(tmp_path, "redis", now - HOUR, [proof(2, now - HOUR), proof(1, now, good=False, why="dump.rdb is cut")])
    systems, sets = rows(tmp_path)
    assert (sets[0]["level"], sets[0]["refuted"]) == (None, "dump.rdb is cut")
    assert systems["redis"]["proven"]["stamp"] == run_of(now - DAY)
    assert abs(systems["redis"]["exposure_s"] - DAY) < 60
    assert "FAILED: dump.rdb is cut" in listing.table(listing.look(str(tmp_path)))[1]


def test_a_look_that_goes_less_far_takes_no_proof_and_no_refutation_away(tmp_path: Path) -> None:
    now = time.time()
    make_set(tmp_path, "redis", now - HOUR, [proof(2, now - 900), proof(4, now - 600), proof(1, now - 60)])
    _systems, sets = rows(tmp_path)
    assert (sets[0]["level"], sets[0]["refuted"]) == (4, None)
    assert abs(sets[0]["level_age_s"] - 600) < 60
    bad = proof(3, now - 300, good=False, why="rows are missing")
    make_set(tmp_path, "nexusdb", now - HOUR, [proof(2, now - 900), bad, proof(2, now - 60)])
    make_set(tmp_path, "nexusdb", now - DAY, [bad, proof(4, now - 60)])
    _systems, sets = rows(tmp_path, wanted=["nexusdb"])
    assert [(one["level"], one["refuted"]) for one in sets] == [(None, "rows are missing"), (4, None)]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"version": 9}', b"[" * 100_000, b"\xff\xfe", b'{"version": 1}'])
def test_a_manifest_that_is_garbage_is_told_and_hides_no_other_set(tmp_path: Path, data: bytes) -> None:
    now = time.time()
    make_set(tmp_path, "redis", now - DAY, [proof(2, now)])
    folder = make_set(tmp_path, "redis", now - HOUR, [proof(2, now)])
    (folder / "manifest.json").write_bytes(data)
    systems, sets = rows(tmp_path)
    assert sets[0]["trouble"]
    assert (sets[0]["bytes"], sets[0]["level"]) == (None, None)
    assert systems["redis"]["proven"]["stamp"] == run_of(now - DAY)
    assert "no manifest that can be read" in listing.table(listing.look(str(tmp_path)))[1]


def test_a_set_from_the_future_is_not_the_newest(tmp_path: Path) -> None:
    now = time.time()
    make_set(tmp_path, "redis", now + DAY, [proof(5, now)])
    make_set(tmp_path, "redis", now - HOUR, [proof(2, now)])
    systems, sets = rows(tmp_path)
    assert sets[0]["age_s"] < 0
    assert systems["redis"]["newest"] == run_of(now - HOUR)
    assert systems["redis"]["proven"]["level"] == 2
    assert "future" in listing.table(listing.look(str(tmp_path)))[1]


def test_the_link_is_judged_by_what_it_leads_to(tmp_path: Path) -> None:
    now = time.time()
    old = make_set(tmp_path, "redis", now - DAY, [proof(2, now)])
    make_set(tmp_path, "redis", now - HOUR, [proof(2, now)])
    assert rows(tmp_path)[0]["redis"]["latest_trouble"] == "it is not there"
    wrong = "redis: the link latest/redis is wrong: it is not there"
    assert listing.table(listing.look(str(tmp_path)))[-1] == wrong
    lead(tmp_path, old)
    assert "is younger" in rows(tmp_path)[0]["redis"]["latest_trouble"]
    link = tmp_path / "latest" / "redis"
    link.unlink()
    link.symlink_to("../2020-01-01T000000Z/redis")
    assert rows(tmp_path)[0]["redis"]["latest_trouble"] == "it leads to no set"


def test_who_is_writing_and_how_far_that_is(tmp_path: Path) -> None:
    now = time.time()
    make_set(tmp_path, "redis", now - HOUR, [proof(2, now)])
    half = tmp_path / run_of(now) / ".writing-redis"
    half.mkdir(parents=True)
    (half / "dump.rdb").write_bytes(b"x" * 700)
    assert rows(tmp_path)[0]["redis"]["writing"] is None, "a leftover is written by nobody"
    with lock.held(str(tmp_path), "redis", "backup"):
        found = rows(tmp_path)[0]["redis"]["writing"]
        assert (found["what"], found["bytes"], found["stamp"]) == ("backup", 700, run_of(now))
        told = {"system": "redis", "began": now - 10, "at": now, "bytes": 1000, "expected": 4000, "item": "db0"}
        (half / stream.PROGRESS).write_text(json.dumps(told), encoding="utf-8")
        found = listing.writing(str(tmp_path), "redis", now)
        assert found is not None
        assert (found["rate"], found["seconds_left"], found["ends"]) == (100, 30.0, iso(now + 30))
        line = listing.table(listing.look(str(tmp_path)))[-1]
        assert "redis: backup by" in line
        assert "1.0 kB of about 4.0 kB, 100 B/s, at db0, done about" in line
        found = listing.writing(str(tmp_path), "redis", now + 120)
        assert found is not None
        assert (found["stalled_s"], found["ends"]) == (120, None)
    assert rows(tmp_path)[0]["redis"]["writing"] is None


def test_a_first_set_that_is_being_written_is_told(tmp_path: Path) -> None:
    with lock.held(str(tmp_path), "mediadb", "backup"):
        systems, _sets = rows(tmp_path)
        assert systems["mediadb"]["writing"]["what"] == "backup"


def test_who_is_verifying(tmp_path: Path) -> None:
    make_set(tmp_path, "redis", time.time() - HOUR)
    with lock.held(str(tmp_path), "redis" + lock.VERIFYING, "verification"):
        systems, _sets = rows(tmp_path)
        assert list(systems) == ["redis"]
        assert systems["redis"]["writing"] is None
        assert systems["redis"]["verifying"]["what"] == "verification"
        assert "redis: verification by" in listing.table(listing.look(str(tmp_path)))[-1]


def test_how_far_a_restore_is_stands_beside_its_lock(tmp_path: Path) -> None:
    place, held = str(tmp_path), "uploads" + lock.VERIFYING
    make_set(tmp_path, "uploads", time.time() - HOUR)
    with lock.held(place, held, "restore to /srv/back"), at_work.told(place, held, 4000) as progress:
        progress.item = "what restic writes"
        progress.at(1000)
        found = rows(tmp_path)[0]["uploads"]["verifying"]
        assert (found["what"], found["bytes"], found["expected_bytes"]) == ("restore to /srv/back", 1000, 4000)
        line = listing.table(listing.look(place))[-1]
        assert "uploads: restore to /srv/back by" in line
        assert "1.0 kB of about 4.0 kB" in line
        assert "at what restic writes" in line
    assert rows(tmp_path)[0]["uploads"]["verifying"] is None
    assert not list(tmp_path.glob(".progress-*"))


def test_objects_are_counted_and_not_measured(tmp_path: Path) -> None:
    place, now = str(tmp_path), time.time()
    with lock.held(place, "cluster", "restore into api:6443"):
        told = {"pid": os.getpid(), "began": now - 10, "at": now, "objects": 15, "expected": 45, "item": "a/Secret/b"}
        Path(at_work.path(place, "cluster")).write_text(json.dumps(told), encoding="utf-8")
        found = listing.writing(place, "cluster", now)
        assert found is not None
        assert (found["objects"], found["bytes"], found["rate"], found["ends"]) == (15, None, 1.5, iso(now + 20))
        assert "15 of 45 objects, 1.5/s, at a/Secret/b, done about" in listing.table(listing.look(place))[-1]


def test_what_a_killed_restore_has_left_is_not_told_of_the_next(tmp_path: Path) -> None:
    place, now = str(tmp_path), time.time()
    with lock.held(place, "cluster", "restore into api:6443"):
        told = {"pid": os.getpid() + 1, "began": now - 10, "at": now, "objects": 15, "expected": 45, "item": ""}
        Path(at_work.path(place, "cluster")).write_text(json.dumps(told), encoding="utf-8")
        found = listing.writing(place, "cluster", now)
        assert found is not None
        assert (found["objects"], found["rate"]) == (None, None)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=40),
        st.dictionaries(
            st.sampled_from(["began", "at", "bytes", "objects", "expected", "item"]),
            st.one_of(st.none(), st.floats(), st.integers(), st.text(max_size=3)),
        ).map(lambda told: json.dumps(told).encode()),
    )
)
def test_garbage_as_progress_never_raises(tmp_path: Path, data: bytes) -> None:
    half = tmp_path / run_of(time.time()) / ".writing-redis"
    half.mkdir(parents=True, exist_ok=True)
    (half / stream.PROGRESS).write_bytes(data)
    Path(at_work.path(str(tmp_path), "redis")).write_bytes(data)
    with lock.held(str(tmp_path), "redis", "backup"):
        listing.table(listing.look(str(tmp_path)))


FIELD = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=4), inner, max_size=2)),
    max_leaves=4,
)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_garbage_in_a_manifest_never_raises(tmp_path: Path, data: st.DataObject) -> None:
    now = time.time()
    folder = tmp_path / run_of(now - HOUR) / "redis"
    if not folder.exists():
        make_set(tmp_path, "redis", now - HOUR, [proof(2, now)])
    told = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    target = data.draw(st.sampled_from([told, *told["files"], *told["proofs"]]))
    key = data.draw(st.sampled_from(sorted(target)))
    good = json.dumps(told)
    target[key] = data.draw(FIELD)
    (folder / "manifest.json").write_text(json.dumps(told), encoding="utf-8")
    listing.table(listing.look(str(tmp_path)))
    (folder / "manifest.json").write_text(good, encoding="utf-8")


def test_names_that_are_not_there_are_refused_with_the_nearest(tmp_path: Path) -> None:
    make_set(tmp_path, "nexusdb", time.time())
    assert listing.named(str(tmp_path), []) == ["nexusdb"]
    with pytest.raises(OptionError, match="did you mean 'nexusdb'"):
        listing.named(str(tmp_path), ["nexusbd"])
    with pytest.raises(OptionError):
        listing.named(str(tmp_path), ["../etc"])


def test_a_place_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(layout.PlaceError, match="No such file"):
        listing.look(str(tmp_path / "no"))


def test_nothing_is_written(tmp_path: Path) -> None:
    make_set(tmp_path, "redis", time.time())
    before = sorted(os.listdir(tmp_path))
    listing.look(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == before

# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets in another place, with restic itself: copied once, fetched as they were, and what breaks on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from running import children, is_gone, wait_for, watched

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "unit" / "backup"))

from set_maker import DAY, HOUR, make_set, proof, run_of  # noqa: E402

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import (  # noqa: E402
    layout,
    lock,
    manifest,
    offsite,
    stream,
)
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OpsError, OptionError  # noqa: E402

PASSWORD = "geheim-of-the-other-place"
NOW = 1_795_950_000.0


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTIC_CACHE_DIR", str(tmp_path / "cache"))


class Site:
    """A place with sets of two systems, and a repository."""

    def __init__(self, folder: Path) -> None:
        self.place, self.repository = folder / "place", folder / "far"
        self.place.mkdir()
        for name, hours in (("nexusdb", 6), ("nexusdb", 1), ("redis", 1)):
            at = NOW - hours * HOUR
            files = {f"{name}.dump": os.urandom(200_000), "globals.sql": b"-- roles\n"}
            make_set(self.place, name, at, [proof(2, at)], files)

    def run(self, check_mode: bool = False, **given: Any) -> dict[str, Any]:
        params = {name: one.get("default") for name, one in offsite.spec().options.items()}
        params.update({"path": str(self.place), "repository": str(self.repository), "password": PASSWORD, **given})
        return offsite.run(params, check_mode)

    def restic(self, *words: str) -> Any:
        environment = {**os.environ, "RESTIC_REPOSITORY": str(self.repository), "RESTIC_PASSWORD": PASSWORD}
        done = subprocess.run(["restic", *words], env=environment, capture_output=True, text=True, check=True)
        return json.loads(done.stdout) if "--json" in words else done.stdout

    def newest(self, system: str) -> layout.Set:
        return layout.finished(str(self.place), system)[0]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def states(told: dict[str, Any]) -> list[tuple[str, str]]:
    return [(row["system"], row["state"]) for row in told["sets"]]


def test_check_apply_repeat_and_repeat_in_check_mode(site: Site) -> None:
    told = site.run(check_mode=True)
    assert told["changed"]
    assert told["made"]
    assert states(told) == [("nexusdb", "would be copied"), ("redis", "would be copied")]
    assert not site.repository.exists()
    told = site.run(read_percent=100.0)
    assert told["changed"]
    assert states(told) == [("nexusdb", "copied"), ("redis", "copied")]
    seen = site.restic("snapshots", "--json")
    assert sorted(one["short_id"] for one in seen) == sorted(row["snapshot"] for row in told["sets"])
    assert all("nexuscos" in one["tags"] for one in seen)
    assert [copy.repository for copy in manifest.read(site.newest("redis").path).copies] == [str(site.repository)]
    for check_mode in (False, True):
        again = site.run(check_mode=check_mode)
        assert not again["changed"]
        assert states(again) == [("nexusdb", "there"), ("redis", "there")]
    assert len(site.restic("snapshots", "--json")) == 2
    assert len(site.run(newest=5)["sets"]) == 3


def test_a_copy_that_nobody_could_note_any_more_is_noted_by_the_next_run(site: Site) -> None:
    site.run(systems=["redis"])
    path = Path(site.newest("redis").path) / manifest.NAME
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), "copies": []}), encoding="utf-8")
    assert states(site.run(check_mode=True, systems=["redis"])) == [("redis", "there")]
    assert manifest.read(str(path.parent)).copies == []
    told = site.run(systems=["redis"])
    assert states(told) == [("redis", "there")]
    assert [copy.snapshot for copy in manifest.read(str(path.parent)).copies] == [told["sets"][0]["snapshot"]]


def test_a_set_comes_back_as_it_was(site: Site) -> None:
    site.run()
    one = site.newest("nexusdb")
    before = {path.name: path.read_bytes() for path in Path(one.path).iterdir() if path.name != manifest.NAME}
    told = site.run(state="fetched", systems=["nexusdb"])
    assert not told["changed"]
    assert states(told) == [("nexusdb", "there")]
    layout.remove(one.path)
    told = site.run(check_mode=True, state="fetched", systems=["nexusdb"])
    assert states(told) == [("nexusdb", "would be fetched")]
    assert not os.path.exists(one.path)
    told = site.run(state="fetched", systems=["nexusdb"])
    assert told["changed"]
    after = {path.name: path.read_bytes() for path in Path(one.path).iterdir() if path.name != manifest.NAME}
    assert after == before
    assert manifest.read(one.path).proven is not None
    assert layout.latest(str(site.place), "nexusdb") == one
    assert not layout.leftovers(str(site.place), "nexusdb")


def test_a_place_that_is_gone_is_made_again(site: Site) -> None:
    site.run()
    one = site.newest("redis")
    site.place.rename(site.place.with_name("gone"))
    assert states(site.run(state="fetched", systems=["redis"])) == [("redis", "fetched")]
    assert os.path.isfile(os.path.join(one.path, "redis.dump"))


def test_only_what_is_proven_and_not_refuted_is_sent(site: Site) -> None:
    make_set(site.place, "nexusdb", NOW, [proof(2, NOW), proof(1, NOW, good=False, why="flipped bytes")])
    make_set(site.place, "redis", NOW)
    told = site.run()
    assert states(told) == [
        ("nexusdb", "left out"), ("nexusdb", "copied"), ("redis", "left out"), ("redis", "copied"),
    ]  # fmt: skip
    whys = [row["why"] for row in told["sets"] if row["state"] == "left out"]
    assert "flipped bytes" in whys[0]
    assert "never read to its end" in whys[1]


def test_the_set_that_is_named(site: Site) -> None:
    older = run_of(NOW - 6 * HOUR)
    told = site.run(systems=["nexusdb"], set=older)
    assert [(row["stamp"], row["state"]) for row in told["sets"]] == [(older, "copied")]
    with pytest.raises(OptionError, match="no set"):
        site.run(systems=["nexusdb"], set=run_of(NOW - DAY))
    with pytest.raises(OptionError, match=older):
        site.run(state="fetched", systems=["nexusdb"], set=run_of(NOW - DAY))


def test_another_password_changes_nothing_and_is_named(site: Site) -> None:
    site.run(systems=["redis"])
    with pytest.raises(stream.EngineError, match="wrong password"):
        site.run(password="another")
    assert len(site.restic("snapshots", "--json")) == 1


def test_a_repository_that_is_not_to_be_made(site: Site) -> None:
    with pytest.raises(OpsError, match="no repository yet"):
        site.run(init=False)
    with pytest.raises(OpsError, match="no repository"):
        site.run(state="fetched", systems=["redis"])
    assert not site.repository.exists()


def test_a_copy_that_rotted_is_refused_and_nothing_is_left(site: Site) -> None:
    site.run()
    one = site.newest("redis")
    # What was copied is no more what the manifest says: the set had rotted before it was sent.
    path = Path(one.path) / "redis.dump"
    told = json.loads((Path(one.path) / manifest.NAME).read_text(encoding="utf-8"))
    rotten = Site.__new__(Site)
    rotten.place, rotten.repository = site.place.with_name("rotten"), site.repository.with_name("far-rotten")
    target = rotten.place / one.stamp / "redis"
    target.mkdir(parents=True)
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    (target / "redis.dump").write_bytes(data)
    (target / "globals.sql").write_bytes(b"-- roles\n")
    (target / manifest.NAME).write_text(json.dumps({**told, "copies": []}), encoding="utf-8")
    rotten.run()
    layout.remove(str(target))
    with pytest.raises(OpsError, match="checksum differs"):
        rotten.run(state="fetched", systems=["redis"])
    assert not target.exists()
    assert not layout.leftovers(str(rotten.place), "redis")


def test_packs_that_rotted_are_found_by_reading(site: Site) -> None:
    site.run()
    packs = [path for path in (site.repository / "data").rglob("*") if path.is_file()]
    largest = max(packs, key=lambda path: path.stat().st_size)
    largest.chmod(0o600)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 1
    largest.write_bytes(data)
    with pytest.raises(stream.EngineError, match="restic failed"):
        site.run(read_percent=100.0)


def test_somebody_who_verifies_is_named_and_the_others_are_copied(site: Site) -> None:
    with lock.held(str(site.place), "nexusdb" + lock.VERIFYING, "verification"), pytest.raises(OpsError) as caught:
        site.run()
    assert "nexusdb" in str(caught.value)
    assert "verification by" in str(caught.value)
    assert [one["tags"] for one in site.restic("snapshots", "--json")] == [
        ["nexuscos", "system=redis", f"stamp={site.newest('redis').stamp}"]
    ]
    assert states(site.run()) == [("nexusdb", "copied"), ("redis", "there")]


MODULE = """
import sys
from ansible_collections.nexuscos.ops.plugins.module_utils._backup import offsite
params = {name: one.get("default") for name, one in offsite.spec().options.items()}
params.update(path=sys.argv[1], repository=sys.argv[2], password=sys.argv[3])
offsite.run(params, False)
"""


def test_killed_in_the_middle_the_next_run_sends_the_rest(site: Site) -> None:
    site.run(systems=["redis"])
    with (Path(site.newest("nexusdb").path) / "nexusdb.dump").open("ab") as stream_:
        stream_.write(os.urandom(30_000_000))
    argv = [sys.executable, "-c", MODULE, str(site.place), str(site.repository), PASSWORD]
    process = watched(subprocess.Popen(argv, cwd=ROOT, start_new_session=True))
    wait_for(lambda: lock.holder(str(site.place), "nexusdb" + lock.VERIFYING), "it is at work", process)
    helpers = children(process.pid)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pid in helpers:
        wait_for(lambda pid=pid: is_gone(pid), "restic ends")  # type: ignore[misc]
    assert lock.holder(str(site.place), "nexusdb" + lock.VERIFYING) is None
    site.restic("unlock")
    told = site.run(read_percent=100.0)
    assert ("nexusdb", "copied") in states(told) or ("nexusdb", "there") in states(told)
    assert len({one["id"] for one in site.restic("snapshots", "--json")}) == 2


def test_a_program_that_is_not_there(site: Site, tmp_path: Path) -> None:
    with pytest.raises(stream.EngineError, match="is it installed"):
        site.run(bin_dir=str(tmp_path))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"newest": 0}, "newest"),
        ({"read_percent": 101.0}, "read_percent"),
        ({"deadline": 0.0}, "deadline"),
        ({"set": "yesterday"}, "set"),
        ({"state": "fetched"}, "systems"),
        ({"systems": ["redi"]}, "redis"),
    ],
)
def test_wrong_options(site: Site, given: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        site.run(**given)


def test_neither_password_nor_keys_are_in_the_list_of_processes(site: Site, tmp_path: Path) -> None:
    """A restic that tells its arguments and what it was given in its environment."""
    (tmp_path / "bin").mkdir()
    played = tmp_path / "bin" / "restic"
    played.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/argv\nenv >> {tmp_path}/env\necho "[]"\n', encoding="utf-8")
    played.chmod(0o755)
    with pytest.raises(OpsError, match="named no snapshot"):
        site.run(bin_dir=str(tmp_path / "bin"), environment={"AWS_SECRET_ACCESS_KEY": "s3-geheim"})
    said = (tmp_path / "argv").read_text(encoding="utf-8")
    assert PASSWORD not in said
    assert "s3-geheim" not in said
    given = (tmp_path / "env").read_text(encoding="utf-8")
    assert f"RESTIC_PASSWORD={PASSWORD}" in given
    assert "AWS_SECRET_ACCESS_KEY=s3-geheim" in given

# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Old copies in other places, by restic and by rclone: what goes, what never does, and what is broken off there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "unit" / "backup"))

import far_places  # noqa: E402
from far_places import PASSWORD, Place, Server, place_of  # noqa: E402
from set_maker import DAY, HOUR, make_set, proof, run_of  # noqa: E402

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import (  # noqa: E402
    layout,
    lock,
    manifest,
    offsite,
    offsite_prune,
    stream,
)
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OpsError, OptionError  # noqa: E402

NOW = 1_795_950_000.0
DAYS = 5
WAYS = [("restic", "folder"), ("restic", "s3"), ("rclone", "folder"), ("rclone", "s3"), ("rclone", "sftp")]
NEAR = [("restic", "folder"), ("rclone", "folder")]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTIC_CACHE_DIR", str(tmp_path / "cache"))
    # The S3 client of rclone 1.60 refuses to start where a machine sets this.
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Server | None]]:
    """Starts servers that end with the test."""
    with ExitStack() as stack:

        def begin(kind: str) -> Server | None:
            if kind == "folder":
                return None
            return stack.enter_context((far_places.s3 if kind == "s3" else far_places.sftp)(tmp_path / kind))

        yield begin


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A set of each of five days, the third one restored; and one of another system."""
    place = tmp_path / "place"
    for day in range(DAYS):
        at = NOW - day * DAY - HOUR
        proofs = [proof(2, at), *([proof(4, at)] if day == 2 else [])]
        make_set(place, "redis", at, proofs, {"dump.rdb": os.urandom(20_000)})
    make_set(place, "nexusdb", NOW - HOUR, [proof(2, NOW - HOUR)], {"nexusdb.dump": os.urandom(20_000)})
    return place


def copied(here: Path, place: Place) -> None:
    params = {name: one.get("default") for name, one in offsite.spec().options.items()}
    offsite.run({**params, "path": str(here), "newest": DAYS, **place.given}, False)


def prune(here: Path, place: Place, check_mode: bool = False, **given: Any) -> dict[str, Any]:
    params = {name: one.get("default") for name, one in offsite_prune.spec().options.items()}
    given = {"keep_of": {"redis": {"last": 1}}, **given}
    return offsite_prune.run({**params, "path": str(here), **place.also(**given)}, check_mode, NOW)


def restic(place: Place, *words: str) -> str:
    """What restic itself says."""
    options = [word for key, value in place.given.get("options", {}).items() for word in ("-o", f"{key}={value}")]
    environment = {
        **os.environ, **place.given.get("environment", {}), "RESTIC_REPOSITORY": place.given["repository"],
        "RESTIC_PASSWORD": PASSWORD,
    }  # fmt: skip
    done = subprocess.run(["restic", *options, *words], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def there(place: Place) -> set[str]:
    """``<stamp>/<system>`` of the copies that are whole, by another way than the module's."""
    if place.given["engine"] == "restic":
        restic(place, "check", "--read-data")
        tags = [dict(tag.split("=", 1) for tag in one["tags"] if "=" in tag)
                for one in json.loads(restic(place, "snapshots", "--json") or "[]")]  # fmt: skip
        return {f"{one['stamp']}/{one['system']}" for one in tags}
    return {str(path.parent.relative_to(place.bare)) for path in place.bare.glob(f"*/*/{manifest.NAME}")}


def days(*numbers: int, system: str = "redis") -> set[str]:
    return {f"{run_of(NOW - day * DAY - HOUR)}/{system}" for day in numbers}


def noted(here: Path) -> set[str]:
    """The sets here that say that they are there as well."""
    return {
        f"{one.stamp}/{one.system}" for one in layout.finished(str(here)) if manifest.read(one.path).copies
    }  # fmt: skip


@pytest.mark.parametrize(("engine", "kind"), WAYS)
def test_what_no_rule_keeps_goes_and_each_other_one_says_why_not(
    here: Path, start: Callable[[str], Server | None], tmp_path: Path, engine: str, kind: str
) -> None:
    place = place_of(engine, kind, start(kind), tmp_path / "far")
    copied(here, place)
    every = days(*range(DAYS)) | days(0, system="nexusdb")
    assert there(place) == every
    plan = prune(here, place, check_mode=True)
    assert (plan["changed"], set(plan["removed"])) == (True, days(3, 4))
    assert (there(place), noted(here)) == (every, every)
    (system,) = plan["systems"]
    whys = [(one["stays"], one["why"]) for one in system["sets"]]
    assert [stays for stays, _why in whys] == [True, True, True, False, False]
    assert "it is the newest" in whys[0][1]
    assert whys[1][1] == [f"it is younger than the newest that is proven to level 3, {run_of(NOW - 2 * DAY - HOUR)}"]
    assert "it is the newest that is proven to level 4 (invariants)" in whys[2][1]
    assert whys[4][1] == ["no rule keeps it"]
    assert sum("would go" in line for line in plan["lines"]) == 2

    done = prune(here, place)
    assert (done["removed"], done["changed"]) == (plan["removed"], True)
    assert there(place) == noted(here) == every - days(3, 4)
    for check_mode in (False, True):
        again = prune(here, place, check_mode)
        assert (again["changed"], again["removed"]) == (False, [])
    # What is here is not sent again by itself, and the next copies go on as ever.
    copied(here, place)


@pytest.mark.parametrize(("engine", "kind"), NEAR)
def test_what_is_gone_here_is_judged_by_what_was_sent(here: Path, tmp_path: Path, engine: str, kind: str) -> None:
    place = place_of(engine, kind, None, tmp_path / "far")
    copied(here, place)
    for one in layout.finished(str(here), "redis")[1:]:
        layout.remove(one.path)
    told = prune(here, place, check_mode=True, keep_of={"redis": {"last": 2}})
    assert [(one["here"], one["stays"]) for one in told["systems"][0]["sets"]] == [
        (True, True), (False, True), (False, True), (False, False), (False, False),
    ]  # fmt: skip
    # Nothing here: the disk may be gone, or not be mounted.
    layout.remove(layout.finished(str(here), "redis")[0].path)
    told = prune(here, place)
    assert not told["changed"]
    assert all("may be all that is left" in "; ".join(one["why"]) for one in told["systems"][0]["sets"])
    assert days(*range(DAYS)) <= there(place)


@pytest.mark.parametrize(("engine", "kind"), NEAR)
def test_what_nobody_may_take_stays(here: Path, tmp_path: Path, engine: str, kind: str) -> None:
    place = place_of(engine, kind, None, tmp_path / "far")
    copied(here, place)
    # The set has rotted here after it was sent: its copy may be the whole one.
    oldest = layout.finished(str(here), "redis")[-1]
    manifest.add_proof(oldest.path, proof(1, NOW, good=False, why="flipped bytes"))
    with lock.held(str(here), "redis" + lock.VERIFYING, "verification"):
        told = prune(here, place)
        assert (told["changed"], told["busy"]) == (False, ["redis"])
        assert prune(here, place, check_mode=True)["busy"] == ["redis"]
    assert days(*range(DAYS)) <= there(place)
    told = prune(here, place)
    assert set(told["removed"]) == days(3)
    (why,) = (one["why"] for one in told["systems"][0]["sets"] if one["stamp"] == oldest.stamp)
    assert why == ["the set here was refuted, and its copy may be whole: flipped bytes"]
    # A system that nothing is said about keeps all that it has.
    assert days(0, system="nexusdb") <= there(place)


def test_a_removal_that_broke_off_is_finished_by_the_next(here: Path, tmp_path: Path) -> None:
    place = place_of("rclone", "folder", None, tmp_path / "far")
    copied(here, place)
    (gone,) = days(4)
    (place.bare / gone / manifest.NAME).unlink()
    # It is here: then it may be on its way, and nobody takes it.
    assert prune(here, place, check_mode=True)["systems"][0]["leftovers"] == []
    layout.remove(str(here / gone))
    assert prune(here, place, check_mode=True)["systems"][0]["leftovers"] == [gone.split("/")[0]]
    assert (place.bare / gone / "dump.rdb").exists()
    told = prune(here, place, keep_of={"redis": {"last": 9}})
    assert told["changed"]
    assert not (place.bare / gone).parent.exists()
    assert days(*range(DAYS - 1)) <= there(place)


def test_who_can_only_add_is_told_and_nothing_is_gone(
    here: Path, start: Callable[[str], Server | None], tmp_path: Path
) -> None:
    server = start("s3")
    place = place_of("restic", "s3", server, tmp_path / "far")
    copied(here, place)
    with pytest.raises(stream.EngineError):
        prune(here, place, environment={**place.given["environment"], "AWS_SECRET_ACCESS_KEY": "another"})
    with pytest.raises(stream.EngineError, match="wrong password"):
        prune(here, place, password="another")
    assert days(*range(DAYS)) <= there(place)


def test_wrong_options(here: Path, tmp_path: Path) -> None:
    place = place_of("rclone", "folder", None, tmp_path / "far")
    with pytest.raises(OptionError, match="say what stays"):
        prune(here, place, keep_of={})
    with pytest.raises(OptionError, match="keep_of: redis"):
        prune(here, place, keep_of={"redis": 3})
    with pytest.raises(OptionError, match="there is no 'dayly'"):
        prune(here, place, keep_of={"redis": {"dayly": 3}})
    with pytest.raises(OpsError, match="is no repository"):
        prune(here, place)

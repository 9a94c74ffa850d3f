# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mongodb_backup and mongodb_restore against real servers, looked at with pymongo and sha256sum, while things break."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bson
import pytest
from bson import json_util
from mongodb_server import Mongo, mongod, mongodb
from running import LIMIT, Narrow, answer_of, free_port, stopped, wait_for
from scratch import module, start_module


@pytest.fixture(scope="module")
def source() -> Iterator[Mongo]:
    with mongodb() as server:
        server.fill()
        yield server


@pytest.fixture(scope="module")
def long() -> Iterator[Mongo]:
    """A server whose dump takes its time."""
    with mongodb() as server:
        server.many()
        yield server


@pytest.fixture
def doomed() -> Iterator[Mongo]:
    """Such a server for one test."""
    with mongodb() as server:
        server.many(20, 200)
        yield server


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def options(source: Mongo, place: Path, **more: Any) -> dict[str, Any]:
    return {"system": "mongodb", "path": str(place), **source.login, **more}


def back_up(source: Mongo, place: Path, check_mode: bool = False, **more: Any) -> dict[str, Any]:
    return module("mongodb_backup", options(source, place, **more), check_mode)


def restore(source: Mongo, place: Path, check_mode: bool = False, **more: Any) -> dict[str, Any]:
    return module("mongodb_restore", options(source, place, **more), check_mode)


def prove(place: Path, level: int, **more: Any) -> dict[str, Any]:
    return module("backup_verify", {"system": "mongodb", "path": str(place), "level": level, **more})


def made(answer: dict[str, Any]) -> dict[str, Any]:
    assert not answer.get("failed"), answer
    found: dict[str, Any] = json.loads(Path(answer["set"]["path"], "manifest.json").read_text())
    return found


def state(place: Path) -> tuple[set[str], str]:
    names = {str(path.relative_to(place)) for path in place.rglob("*") if not path.name.startswith(".lock-")}
    return names, os.readlink(place / "latest" / "mongodb")


def begun(place: Path) -> list[Path]:
    """Files of a dump that is under way."""
    return [path for path in place.rglob("*.bson") if ".writing-mongodb" in str(path)]


@contextlib.contextmanager
def half_way(
    what: str, server: Mongo, place: Path, folder: Path, **more: Any
) -> Iterator[tuple[subprocess.Popen[str], Narrow]]:
    """A module that has got a part of the documents, or sent one, and waits for the rest."""
    narrow = {"mongodb_backup": "down", "mongodb_restore": "up"}[what]
    with Narrow(server.port, **{narrow: 800_000}) as way:
        process = start_module(what, options(server, place, **{"login_port": way.port, **more}), folder)
        wait_for(way.held.is_set, "it is in the middle", process)
        yield process, way


@pytest.mark.parametrize("gzipped", [False, True])
def test_a_dump_has_every_document(source: Mongo, place: Path, gzipped: bool) -> None:
    answer = back_up(source, place, include=["nexus", "other"], gzip=gzipped)
    told, top = made(answer), Path(answer["set"]["path"])
    assert told["invariants"]["collections"] == {
        "nexus.assets": 300, "nexus.empty": 0, "nexus.profiles": 1500, "other.things": 10,
    }  # fmt: skip
    listing = "".join(f"{one['sha256']}  {one['path']}\n" for one in told["files"])
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet"], input=listing, text=True, cwd=top, check=True)
    there = {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()}
    assert there == {one["path"] for one in told["files"]} | {"manifest.json"}
    end = ".gz" if gzipped else ""
    read = gzip.decompress if gzipped else bytes
    found = bson.decode_all(read((top / f"dump/nexus/profiles.bson{end}").read_bytes()))
    with source.client() as client:
        documents = list(client["nexus"]["profiles"].find())
    assert sorted(bson.encode(one) for one in found) == sorted(bson.encode(one) for one in documents)
    metadata = json_util.loads(read((top / f"dump/nexus/profiles.metadata.json{end}").read_bytes()).decode())
    assert [one.get("unique") for one in metadata["indexes"]] == [None, True]


def test_a_restore_brings_every_document_back(source: Mongo, place: Path) -> None:
    back_up(source, place, include=["nexus"])
    plan = restore(source, place, check_mode=True)
    assert plan["plan"]["existing"] == []
    assert "nexus_restored" in plan["msg"]
    with source.client() as client:
        assert client["nexus_restored"].list_collection_names() == []
        try:
            answer = restore(source, place)
            assert not answer.get("failed"), answer
            assert source.documents("nexus_restored") == source.documents("nexus")
            assert source.indexes("nexus_restored", "profiles") == source.indexes("nexus", "profiles")
            refused = restore(source, place)
            assert "name it in confirm" in refused["msg"]
            client["nexus_restored"]["profiles"].delete_many({})
            # This server mixes names up after a rename, and is found out.
            assert answer["switched"] == "written"
            assert "cannot rename" in restore(source, place, confirm=["nexus_restored"])["msg"]
            again = restore(source, place, confirm=["nexus_restored"], keep_old=False)
            assert not again.get("failed"), again
            assert source.documents("nexus_restored") == source.documents("nexus")
        finally:
            client.drop_database("nexus_restored")


def test_what_is_dumped_again_is_the_same(source: Mongo, place: Path) -> None:
    first = made(back_up(source, place, include=["nexus"]))
    with mongodb() as other:
        restore(other, place, database_suffix="")
        second = made(back_up(other, place.parent / "again"))
    for name in ("dump/nexus/assets.bson", "dump/nexus/profiles.bson"):
        sums = [{one["path"]: one["sha256"] for one in told["files"]}[name] for told in (first, second)]
        assert sums[0] == sums[1]


def test_levels_up_to_what_is_in_a_scratch_server(source: Mongo, place: Path, tmp_path: Path) -> None:
    back_up(source, place, include=["nexus"], gzip=True)
    refused = prove(place, 3)
    assert "mongod, and none is here" in refused["msg"]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    proof = prove(place, 4, bin_dir=str(mongod(tmp_path / "bin")), scratch_dir=str(scratch))
    assert (proof["level"], proof["good"]) == (4, True), proof
    assert "1800 documents of 3 collections are there" in proof["msg"]
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "doubled"])
def test_damage_is_refuted_and_not_restored(source: Mongo, place: Path, damage: str) -> None:
    answer = back_up(source, place, include=["nexus"])
    path = Path(answer["set"]["path"], "dump/nexus/profiles.bson")
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[: len(data) * 6 // 10]
    elif damage == "flipped":
        size = int.from_bytes(data[:4], "little")
        data[size + 1] ^= 0x40  # in the length of the second
    elif damage == "empty":
        data = bytearray()
    else:
        data = data + data
    path.write_bytes(bytes(data))
    refused = restore(source, place)
    assert refused["failed"]
    with source.client() as client:
        assert "profiles" not in client["nexus_restored"].list_collection_names()
    manifest = Path(answer["set"]["path"], "manifest.json")
    told = json.loads(manifest.read_text())
    one = next(one for one in told["files"] if one["path"].endswith("profiles.bson"))
    done = subprocess.run(["sha256sum", str(path)], capture_output=True, text=True, check=True)
    one["bytes"], one["sha256"] = len(data), done.stdout.split()[0]
    manifest.write_text(json.dumps(told))
    proof = prove(place, 2)
    assert proof["failed"]
    assert proof["level"] == 1, proof
    assert "profiles" in proof["msg"]


def test_check_mode_writes_nothing(source: Mongo, place: Path) -> None:
    answer = back_up(source, place, check_mode=True)
    assert answer["plan"]["source"]["collections"] >= 4
    assert not place.exists()


def test_a_server_that_is_not_there(source: Mongo, place: Path) -> None:
    answer = back_up(source, place, login_port=free_port(), connect_timeout=1)
    assert "Connection refused" in answer["msg"]
    assert not place.exists()


def test_a_folder_that_cannot_be_written(source: Mongo, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "Not a directory" in back_up(source, tmp_path / "file" / "backups")["msg"]


def test_a_full_disk_keeps_what_was_there(source: Mongo, long: Mongo, tmp_path: Path) -> None:
    room = tmp_path / "room"
    room.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=755", "none", str(room)], check=True)
    try:
        made(back_up(source, room, include=["other"]))
        before = state(room)
        answer = back_up(long, room)
        assert "No space left on device" in answer["msg"]
        assert state(room) == before
    finally:
        subprocess.run(["umount", "-l", str(room)], check=True)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_server_that_goes_away_in_the_middle(doomed: Mongo, place: Path, tmp_path: Path, how: int) -> None:
    made(back_up(doomed, place))
    before = state(place)
    deadline = 20.0 if how == signal.SIGSTOP else LIMIT
    with half_way("mongodb_backup", doomed, place, tmp_path, deadline=deadline, connect_timeout=10) as (process, way):
        wait_for(lambda: begun(place), "something is written", process)
        assert doomed.process
        with stopped(doomed.process.pid):
            if how == signal.SIGKILL:
                doomed.process.kill()
            way.widen()
            answer = answer_of(process)
    assert answer["failed"], answer
    assert f"MongoDB at 127.0.0.1:{way.port}" in answer["msg"] or "not done in time" in answer["msg"]
    assert state(place) == before


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_module_that_is_killed_leaves_no_set(long: Mongo, place: Path, tmp_path: Path, how: int) -> None:
    made(back_up(long, place, include=["many"]))
    before = state(place)
    with half_way("mongodb_backup", long, place, tmp_path) as (process, _way):
        wait_for(lambda: begun(place), "something is written", process)
        process.send_signal(how)
        process.communicate(timeout=LIMIT)
    assert state(place)[1] == before[1]
    if how == signal.SIGTERM:
        assert state(place) == before
    made(back_up(long, place))
    assert not list(place.rglob(".writing-*"))


def test_two_operators_at_once(long: Mongo, place: Path, tmp_path: Path) -> None:
    with half_way("mongodb_backup", long, place, tmp_path) as (process, way):
        refused = back_up(long, place, include=["many.c00"])
        assert f"process {process.pid}" in refused["msg"]
        way.widen()
        assert answer_of(process)["changed"]


def test_a_restore_that_is_killed_touches_nothing_else_and_can_be_run_again(
    long: Mongo, place: Path, tmp_path: Path
) -> None:
    made(back_up(long, place, include=["many"]))
    before = long.documents("many")
    with half_way("mongodb_restore", long, place, tmp_path) as (process, _way):
        with long.client() as client:
            wait_for(client["many_restored"].list_collection_names, "something is loaded", process)
        process.kill()
        process.communicate(timeout=LIMIT)
    assert long.documents("many") == before
    answer = restore(long, place, confirm=["many_restored"], keep_old=False)
    assert not answer.get("failed"), answer
    assert long.documents("many_restored") == before

# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets on a real S3 server, a real SFTP server and in a folder, by restic and by rclone; and all that breaks there."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "unit" / "backup"))

import far_places  # noqa: E402
from far_places import PASSWORD, Place, Server, place_of  # noqa: E402
from running import LIMIT, wait_for, watched  # noqa: E402
from set_maker import HOUR, make_set, proof  # noqa: E402

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import (  # noqa: E402
    layout,
    lock,
    manifest,
    offsite,
    stream,
)
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OpsError, OptionError  # noqa: E402

NOW = 1_795_950_000.0
WAYS = [("restic", "s3"), ("restic", "sftp"), ("rclone", "s3"), ("rclone", "sftp"), ("rclone", "folder")]
FAR = WAYS[:4]
BIG = 12_000_000


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTIC_CACHE_DIR", str(tmp_path / "cache"))
    # The S3 client of rclone 1.60 refuses to start where a machine sets this.
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A place with a set of two systems, the larger one in a folder of files."""
    place = tmp_path / "place"
    place.mkdir()
    files = {"base/1/one": os.urandom(300_000), "base/1/two words": os.urandom(1000), "globals.sql": b"-- roles\n"}
    make_set(place, "nexusdb", NOW - HOUR, [proof(2, NOW - HOUR)], files)
    make_set(place, "redis", NOW - HOUR, [proof(2, NOW - HOUR)], {"dump.rdb": os.urandom(50_000), "empty": b""})
    return place


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server | None]]:
    """Starts servers that end with the test."""
    with ExitStack() as stack:

        def begin(kind: str, data: Path | None = None) -> Server | None:
            if kind == "folder":
                return None
            run = far_places.s3 if kind == "s3" else far_places.sftp
            return stack.enter_context(run(tmp_path / kind, data))

        yield begin


def run(here: Path, place: Place, check_mode: bool = False, **given: Any) -> dict[str, Any]:
    params = {name: one.get("default") for name, one in offsite.spec().options.items()}
    return offsite.run({**params, "path": str(here), **place.also(**given)}, check_mode)


def states(told: dict[str, Any]) -> list[tuple[str, str]]:
    return [(row["system"], row["state"]) for row in told["sets"]]


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != manifest.NAME
    }


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


def whole(place: Place, here: Path) -> set[str]:
    """The systems whose sets are whole there, by another way than the module's."""
    if place.given["engine"] == "restic":
        restic(place, "check", "--read-data")
        return {tag[7:] for one in json.loads(restic(place, "snapshots", "--json") or "[]") or [] for tag in one["tags"]
                if tag.startswith("system=")}  # fmt: skip
    found = set()
    for path in place.bare.glob(f"*/*/{manifest.NAME}"):
        assert contents(path.parent) == contents(here / path.parent.relative_to(place.bare))
        found.add(path.parent.name)
    return found


@pytest.mark.parametrize(("engine", "kind"), WAYS)
def test_there_and_back(tmp_path: Path, here: Path, start: Callable[..., Any], engine: str, kind: str) -> None:
    server = start(kind)
    place = place_of(engine, kind, server, tmp_path / "far")
    told = run(here, place, check_mode=True)
    assert (told["changed"], told["made"]) == (True, True)
    assert states(told) == [("nexusdb", "would be copied"), ("redis", "would be copied")]
    assert not place.bare.exists()
    told = run(here, place, read_percent=100.0)
    assert (told["changed"], told["made"]) == (True, True)
    assert states(told) == [("nexusdb", "copied"), ("redis", "copied")]
    assert whole(place, here) == {"nexusdb", "redis"}
    for name in ("nexusdb", "redis"):
        (copy,) = manifest.read(layout.finished(str(here), name)[0].path).copies
        assert (copy.engine, copy.offsite) == (engine, kind != "folder")
    for check_mode in (True, False):
        again = run(here, place, check_mode=check_mode)
        assert (again["changed"], again["made"]) == (False, False)
        assert states(again) == [("nexusdb", "there"), ("redis", "there")]
    one = layout.finished(str(here), "nexusdb")[0]
    before = contents(Path(one.path))
    layout.remove(one.path)
    told = run(here, place, check_mode=True, state="fetched", systems=["nexusdb"])
    assert states(told) == [("nexusdb", "would be fetched")]
    assert not Path(one.path).exists()
    told = run(here, place, state="fetched", systems=["nexusdb"])
    assert states(told) == [("nexusdb", "fetched")]
    assert contents(Path(one.path)) == before
    assert set(before) == {"base/1/one", "base/1/two words", "globals.sql"}
    assert not layout.leftovers(str(here), "nexusdb")


@pytest.mark.parametrize(("engine", "kind"), FAR)
def test_wrong_credentials(tmp_path: Path, here: Path, start: Callable[..., Any], engine: str, kind: str) -> None:
    server = start(kind)
    place = place_of(engine, kind, server, tmp_path / "far")
    run(here, place, systems=["redis"])
    text = json.dumps(place.given).replace(far_places.SECRET, "of-another").replace("/user", "/other")
    wrong = Place(json.loads(text), place.bare, server)
    for check_mode in (True, False):
        with pytest.raises(stream.EngineError) as caught:
            run(here, wrong, check_mode=check_mode, deadline=120.0)
        assert "in time" not in str(caught.value)
        assert "of-another" not in str(caught.value)
    assert whole(place, here) == {"redis"}


@pytest.mark.parametrize(("engine", "kind"), FAR)
def test_the_server_is_gone_in_the_middle(
    tmp_path: Path, here: Path, start: Callable[..., Any], engine: str, kind: str
) -> None:
    server = start(kind)
    place = place_of(engine, kind, server, tmp_path / "far")
    run(here, place, systems=["redis"])
    folder = make_set(here, "nexusdb", NOW, [proof(2, NOW)], {"one": os.urandom(BIG), "two": os.urandom(BIG)})
    with far_places.way(server.port, BIG, server.kill) as way:
        cut = place_of(engine, kind, server, tmp_path / "far", way.port)
        with pytest.raises(OpsError, match="nexusdb"):
            # restic tries again for a quarter of an hour; nobody waits for that.
            run(here, cut, deadline=60.0, systems=["nexusdb"])
        assert way.is_cut.is_set()
    assert manifest.read(str(folder)).copies == []
    server.start()
    if engine == "restic":
        restic(place, "unlock")
    assert whole(place, here) == {"redis"}
    assert states(run(here, place, read_percent=100.0)) == [("nexusdb", "copied"), ("redis", "there")]
    assert whole(place, here) == {"nexusdb", "redis"}


@pytest.mark.parametrize(("engine", "kind"), [*FAR, ("restic", "folder"), ("rclone", "folder")])
def test_a_place_that_is_full(tmp_path: Path, here: Path, start: Callable[..., Any], engine: str, kind: str) -> None:
    with far_places.small_disk(tmp_path / "disk", "8m") as disk:
        server = start(kind, disk)
        try:
            place = place_of(engine, kind, server, disk / "far")
            run(here, place, systems=["redis"])
            folder = make_set(here, "nexusdb", NOW, [proof(2, NOW)], {"one": os.urandom(BIG)})
            with pytest.raises(OpsError, match="nexusdb") as caught:
                run(here, place, systems=["nexusdb"], deadline=30.0)
            if engine == "restic" and kind == "folder":
                assert "no space left" in str(caught.value)
            assert manifest.read(str(folder)).copies == []
            assert run(here, place, check_mode=True)["sets"][0]["state"] == "would be copied"
            assert states(run(here, place, check_mode=True, systems=["redis"])) == [("redis", "there")]
        finally:
            if server:
                server.kill()


@pytest.mark.parametrize("engine", ["restic", "rclone"])
def test_what_rotted_there_is_found_by_reading(
    tmp_path: Path, here: Path, start: Callable[..., Any], engine: str
) -> None:
    server = start("s3")
    place = place_of(engine, "s3", server, tmp_path / "far")
    run(here, place, read_percent=100.0)
    files = (path for path in place.bare.rglob("*") if path.is_file())
    largest = max(files, key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 1
    largest.write_bytes(data)
    with pytest.raises(stream.EngineError):
        run(here, place, read_percent=100.0)
    layout.remove(layout.finished(str(here), "nexusdb")[0].path)
    with pytest.raises(OpsError):
        run(here, place, state="fetched", systems=["nexusdb"])
    assert layout.finished(str(here), "nexusdb") == []
    assert not layout.leftovers(str(here), "nexusdb")


MODULE = """
import json, sys
from ansible_collections.nexuscos.ops.plugins.module_utils._backup import offsite
params = {name: one.get("default") for name, one in offsite.spec().options.items()}
told = offsite.run({**params, **json.load(sys.stdin)}, False)
print(json.dumps([[row["system"], row["state"]] for row in told["sets"]]))
"""


def start_module(here: Path, place: Place, **given: Any) -> subprocess.Popen[str]:
    """The module in a process of its own."""
    process = watched(
        subprocess.Popen(
            [sys.executable, "-c", MODULE], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(json.dumps({"path": str(here), **place.also(**given)}))
    process.stdin.close()
    process.stdin = None
    return process


def test_a_lock_that_a_killed_run_has_left_behind(tmp_path: Path, here: Path, start: Callable[..., Any]) -> None:
    server = start("s3")
    place = place_of("restic", "s3", server, tmp_path / "far")
    run(here, place, systems=["redis"])
    make_set(here, "nexusdb", NOW, [proof(2, NOW)], {"one": os.urandom(BIG), "two": os.urandom(BIG)})
    far, go = threading.Event(), threading.Event()

    def hold() -> None:
        far.set()
        go.wait(LIMIT)

    with far_places.way(server.port, BIG // 2, hold) as way:
        process = start_module(here, place_of("restic", "s3", server, tmp_path / "far", way.port), systems=["nexusdb"])
        try:
            assert far.wait(LIMIT)
            # All of it at once, as when the power fails: nobody takes the lock away.
            for pid in far_places.family(process.pid)[::-1]:
                os.kill(pid, signal.SIGKILL)
        finally:
            process.kill()
            process.communicate()
            go.set()
    assert lock.holder(str(here), "nexusdb" + lock.VERIFYING) is None
    assert restic(place, "list", "locks", "--no-lock").strip()
    told = run(here, place, read_percent=100.0, lock_wait=60.0)
    assert states(told) == [("nexusdb", "copied"), ("redis", "there")]
    assert not restic(place, "list", "locks", "--no-lock").strip()


def test_somebody_who_holds_the_lock_of_the_repository_is_named(
    tmp_path: Path, here: Path, start: Callable[..., Any]
) -> None:
    place = place_of("restic", "s3", start("s3"), tmp_path / "far")
    run(here, place)
    environment = {
        **os.environ, **place.given["environment"], "RESTIC_REPOSITORY": place.given["repository"],
        "RESTIC_PASSWORD": PASSWORD,
    }  # fmt: skip
    # One that waits for what it is to back up, and holds the lock meanwhile.
    holder = watched(
        subprocess.Popen(
            ["restic", "backup", "--quiet", "--stdin"], env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
    )
    try:
        wait_for(lambda: restic(place, "list", "locks", "--no-lock").strip(), "its lock", holder)
        with pytest.raises(stream.EngineError, match=rf"already locked by PID {holder.pid} on"):
            run(here, place, read_percent=1.0)
        assert states(run(here, place)) == [("nexusdb", "there"), ("redis", "there")]
    finally:
        holder.communicate(b"done")
    assert run(here, place, read_percent=1.0)["read_percent"] == 1.0


@pytest.mark.parametrize("engine", ["restic", "rclone"])
def test_two_operators_at_once(tmp_path: Path, here: Path, start: Callable[..., Any], engine: str) -> None:
    place = place_of(engine, "s3", start("s3"), tmp_path / "far")
    run(here, place, systems=["redis"])
    make_set(here, "nexusdb", NOW, [proof(2, NOW)], {"one": os.urandom(BIG)})
    both = [start_module(here, place, systems=["nexusdb"], lock_wait=120.0) for _number in range(2)]
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    found = sorted(json.loads(output)[0][1] for output, _errors in said)
    assert found == ["copied", "there"]
    if engine == "restic":
        assert len(json.loads(restic(place, "snapshots", "--json", "--tag", "system=nexusdb"))) == 1
    assert whole(place, here) == {"nexusdb", "redis"}


def test_a_remote_that_encrypts(tmp_path: Path, here: Path, start: Callable[..., Any]) -> None:
    place = place_of("rclone", "s3", start("s3"), tmp_path / "far")
    secret = subprocess.run(["rclone", "obscure", "-"], input=b"the crypt's own", capture_output=True, check=True)
    crypt = {"type": "crypt", "remote": "far:sets/hidden", "password": secret.stdout.decode().strip()}
    environment = {**place.given["environment"], **far_places.rclone_environment("hidden", crypt)}
    hidden = Place(place.also(repository="hidden:", environment=environment), place.bare)
    assert states(run(here, hidden, read_percent=50.0)) == [("nexusdb", "copied"), ("redis", "copied")]
    there = [path for path in place.bare.rglob("*") if path.is_file()]
    assert len(there) == 7
    assert not [path for path in there if "manifest" in path.name or "nexusdb" in str(path)]
    assert not [path for path in there if b"-- roles" in path.read_bytes()]
    assert states(run(here, hidden)) == [("nexusdb", "there"), ("redis", "there")]
    one = layout.finished(str(here), "nexusdb")[0]
    before = contents(Path(one.path))
    layout.remove(one.path)
    run(here, hidden, state="fetched", systems=["nexusdb"])
    assert contents(Path(one.path)) == before


def test_half_a_copy_is_none_and_a_whole_one_is_never_written_over(tmp_path: Path, here: Path) -> None:
    place = place_of("rclone", "folder", None, tmp_path / "far")
    one = layout.finished(str(here), "redis")[0]
    half = place.bare / one.stamp / "redis"
    half.mkdir(parents=True)
    (half / "dump.rdb").write_bytes(b"only the beginning")
    assert states(run(here, place, systems=["redis"])) == [("redis", "copied")]
    assert contents(half) == contents(Path(one.path))
    # Somebody's own manifest of that name, and other files: nothing of it is touched.
    told = json.loads((half / manifest.NAME).read_text())
    (half / "dump.rdb").write_bytes(b"of somebody else")
    (half / manifest.NAME).write_text(json.dumps({**told, "server": "another"}))
    before = {path: path.read_bytes() for path in half.iterdir()}
    assert states(run(here, place, systems=["redis"])) == [("redis", "there")]
    noted = Path(one.path) / manifest.NAME
    noted.write_text(json.dumps({**json.loads(noted.read_text()), "copies": []}))
    # Not noted, and not the same: it would be copied, and cannot be.
    with pytest.raises(OpsError, match="not written over"):
        run(here, place, systems=["redis"])
    assert {path: path.read_bytes() for path in half.iterdir()} == before


def test_a_copy_that_was_thinned_out_there_is_noted_no_more(tmp_path: Path, here: Path) -> None:
    place = place_of("restic", "folder", None, tmp_path / "far")
    run(here, place, systems=["redis"])
    make_set(here, "redis", NOW, [proof(2, NOW)], {"dump.rdb": os.urandom(1000)})
    run(here, place, systems=["redis"])
    older = layout.finished(str(here), "redis")[1]
    (gone,) = [row for row in json.loads(restic(place, "snapshots", "--json")) if f"stamp={older.stamp}" in row["tags"]]
    restic(place, "forget", gone["id"])
    for check_mode, noted in ((True, 1), (False, 0)):
        told = run(here, place, check_mode, systems=["redis"])
        assert not told["changed"]
        assert states(told) == [("redis", "there"), ("redis", "gone")]
        assert len(manifest.read(older.path).copies) == noted
    assert states(run(here, place, systems=["redis"])) == [("redis", "there")]


def test_a_copy_of_rclone_that_nobody_could_note_is_noted(tmp_path: Path, here: Path) -> None:
    place = place_of("rclone", "folder", None, tmp_path / "far")
    run(here, place)
    noted = Path(layout.finished(str(here), "redis")[0].path) / manifest.NAME
    noted.write_text(json.dumps({**json.loads(noted.read_text()), "copies": []}))
    told = run(here, place, offsite=True)
    assert not told["changed"]
    assert [copy.offsite for copy in manifest.read(str(noted.parent)).copies] == [True]
    told = manifest.read(layout.finished(str(here), "nexusdb")[0].path)
    assert [copy.offsite for copy in told.copies] == [True]


def test_a_snapshot_that_lacks_files_is_taken_back(tmp_path: Path, here: Path) -> None:
    """restic's status 3: it could not read all, and made a snapshot of the rest."""
    (tmp_path / "bin").mkdir()
    played = tmp_path / "bin" / "restic"
    played.write_text('#!/bin/sh\nrestic "$@" || exit\n[ "$1" != backup ] || exit 3\n')
    played.chmod(0o755)
    place = place_of("restic", "folder", None, tmp_path / "far")
    with pytest.raises(OpsError, match="status 3"):
        run(here, place, systems=["redis"], bin_dir=str(tmp_path / "bin"))
    assert not json.loads(restic(place, "snapshots", "--json") or "[]")
    assert states(run(here, place, systems=["redis"])) == [("redis", "copied")]


def test_no_secret_is_in_the_list_of_processes(tmp_path: Path, here: Path) -> None:
    """An rclone that tells its arguments and what it was given in its environment."""
    (tmp_path / "bin").mkdir()
    played = tmp_path / "bin" / "rclone"
    played.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/argv\nenv >> {tmp_path}/env\necho "[]"\n')
    played.chmod(0o755)
    place = place_of("rclone", "folder", None, tmp_path / "far")
    with pytest.raises(OpsError):
        run(here, place, bin_dir=str(tmp_path / "bin"), environment={"RCLONE_CONFIG_PASS": "s3-geheim"})
    assert "s3-geheim" not in (tmp_path / "argv").read_text()
    assert "RCLONE_CONFIG_PASS=s3-geheim" in (tmp_path / "env").read_text()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"repository": ":s3,access_key_id=a,secret_access_key=b:sets"}, "by environment"),
        ({"repository": ":sftp,host=far,pass=b:sets"}, "by environment"),
        ({"repository": ":azureblob,account=a,key=b:sets"}, "by environment"),
        ({"password": "of restic"}, "restic's"),
        ({"options": {"s3.region": "x"}}, "restic's"),
    ],
)
def test_wrong_options(tmp_path: Path, here: Path, given: dict[str, Any], words: str) -> None:
    place = place_of("rclone", "folder", None, tmp_path / "far")
    with pytest.raises(OptionError, match=words):
        run(here, place, **given)

# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""File trees in a repository of restic: the set, its proofs, and what breaks; looked at by restic itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import far_places
import pytest
import yaml
from far_places import PASSWORD, place_of
from running import answer_of, wait_for
from scratch import ROOT, module, start_module

sys.path.insert(0, str(ROOT / "tests" / "integration"))

from terminal import terminal

RESTIC = ("password", "environment", "options", "repository")


class Trees:
    """Two trees, a place of sets, and a repository on an S3 server."""

    def __init__(self, folder: Path, access: dict[str, Any]) -> None:
        self.folder, self.access = folder, access
        self.place, self.one, self.two = folder / "place", folder / "uploads", folder / "etc things"
        (self.one / "deep" / "er").mkdir(parents=True)
        (self.one / "thumbnails").mkdir()
        self.two.mkdir()
        (self.one / "a.bin").write_bytes(os.urandom(300_000))
        (self.one / "deep" / "er" / "ümlaut \n line").write_bytes(b"odd name")
        (self.one / "empty").touch()
        (self.one / "link").symlink_to("a.bin")
        (self.one / "nowhere").symlink_to("/does/not/exist")
        (self.one / "thumbnails" / "t.png").write_bytes(b"left out")
        os.mkfifo(self.one / "pipe")
        (self.two / "secret").write_bytes(b"for root alone")
        (self.two / "secret").chmod(0o600)
        os.utime(self.one / "a.bin", (1_700_000_000.25, 1_700_000_000.25))

    def backup(self, check_mode: bool = False, **more: Any) -> dict[str, Any]:
        """The module, in a process of its own."""
        return module(
            "files_backup",
            {
                "system": "uploads", "path": str(self.place), "paths": [str(self.one), str(self.two)],
                "exclude": [str(self.one / "thumbnails")], "read_percent": 100.0, **self.access, **more,
            },
            check_mode,
        )  # fmt: skip

    def verify(self, level: int, **more: Any) -> dict[str, Any]:
        """The module backup_verify, in a process of its own."""
        restic = {"read_percent": 100.0, **self.access}
        given = {
            "system": "uploads", "path": str(self.place), "level": level, "fail": False, "restic": restic,
            "scratch_dir": str(self.folder / "scratch"), **more,
        }  # fmt: skip
        (self.folder / "scratch").mkdir(exist_ok=True)
        return module("backup_verify", given)

    def restic(self, *words: str) -> str:
        """What restic itself says."""
        environment = {
            **os.environ, **self.access.get("environment", {}), "RESTIC_REPOSITORY": self.access["repository"],
            "RESTIC_PASSWORD": PASSWORD,
        }  # fmt: skip
        done = subprocess.run(["restic", *words], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def manifest(self) -> dict[str, Any]:
        """Of the newest set."""
        path = max(self.place.glob("*/uploads/manifest.json"))
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return told


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTIC_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def trees(tmp_path: Path) -> Iterator[Trees]:
    """With the repository in a bucket."""
    with far_places.s3(tmp_path / "s3") as server:
        place = place_of("restic", "s3", server, tmp_path)
        trees = Trees(tmp_path, {key: place.given[key] for key in RESTIC if key in place.given})
        trees.access["repository"] = trees.access["repository"].replace("/sets", "/files")
        yield trees


@pytest.fixture
def near(tmp_path: Path) -> Trees:
    """With the repository in a folder."""
    return Trees(tmp_path, {"repository": str(tmp_path / "far"), "password": PASSWORD})


def same(one: Path, two: Path) -> bool:
    """Compared by a program that knows nothing of this."""
    done = subprocess.run(
        ["rsync", "-naicHX", "--delete", "--exclude=/thumbnails", f"{one}/", f"{two}/"], capture_output=True, check=True
    ) if shutil.which("rsync") else subprocess.run(
        ["diff", "-r", "--no-dereference", "-x", "thumbnails", "-x", "pipe", str(one), str(two)], capture_output=True,
        check=False,
    )  # fmt: skip
    return not done.stdout.strip()


def test_backed_up_proven_and_restored(trees: Trees) -> None:
    told = trees.backup(check_mode=True)
    assert told["changed"]
    assert told["plan"]["source"]["paths"] == sorted([str(trees.one), str(trees.two)])
    assert told["plan"]["source_bytes"] >= 300_000
    assert not trees.place.exists()
    told = trees.backup()
    assert (told["changed"], told["level"]) == (True, 2)
    known = trees.manifest()
    (snapshot,) = json.loads(trees.restic("snapshots", "--json"))
    assert known["position"]["snapshot"] == snapshot["id"]
    assert snapshot["tags"] == ["nexuscos", "system=uploads", f"stamp={known['stamp']}"]
    assert known["invariants"]["bytes"] == 300_000 + len(b"odd name") + len(b"for root alone")
    assert (known["invariants"]["files"], known["invariants"]["others"]) == (4, 3)
    assert not [line for line in trees.restic("ls", snapshot["id"]).splitlines() if "t.png" in line]
    assert PASSWORD not in json.dumps(known)
    assert far_places.SECRET not in json.dumps(known)
    (copy,) = known["copies"]
    assert (copy["repository"], copy["offsite"]) == (trees.access["repository"], True)
    assert copy["bytes"] == known["invariants"]["bytes"]
    proven = trees.verify(4)
    assert (proven["good"], proven["level"], proven["why"]) == (True, 4, None)
    assert proven["restore_seconds"] is not None
    assert list((trees.folder / "scratch").iterdir()) == []
    back = trees.folder / "back"
    trees.restic("restore", snapshot["id"], "--target", str(back))
    assert same(trees.one, back / str(trees.one)[1:])
    assert same(trees.two, back / str(trees.two)[1:])
    again = trees.backup(stamp=known["stamp"])
    assert not again["changed"]
    assert len(json.loads(trees.restic("snapshots", "--json"))) == 1
    (trees.one / "new").write_bytes(b"of today")
    told = trees.backup()
    assert told["changed"]
    assert trees.manifest()["position"]["new"] == 1
    assert trees.manifest()["position"]["added"] < 50_000


def restore(trees: Trees, check_mode: bool = False, **more: Any) -> dict[str, Any]:
    """The module files_restore, in a process of its own."""
    given = {"system": "uploads", "path": str(trees.place), "target": str(trees.folder / "back"), **trees.access}
    return module("files_restore", {**given, **more}, check_mode)


def test_restored_beside_what_is_there(trees: Trees) -> None:
    trees.backup()
    back = trees.folder / "back"
    told = restore(trees, check_mode=True)
    assert told["changed"]
    assert told["restored"]["bytes"] == trees.manifest()["invariants"]["bytes"]
    assert not back.exists()
    (trees.one / "a.bin").write_bytes(b"spoilt since")
    told = restore(trees)
    assert (told["changed"], told["restored"]["seconds"] > 0) == (True, True)
    assert (back / str(trees.one)[1:] / "a.bin").stat().st_size == 300_000
    assert same(trees.two, back / str(trees.two)[1:])
    told = restore(trees)
    assert told["failed"]
    assert "not empty" in told["msg"]
    odd = trees.one / "deep" / "er"
    told = restore(trees, target=str(trees.folder / "some"), only=[str(odd)])
    assert told["restored"]["entries"] == 2
    found = [path for path in (trees.folder / "some").rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in found] == [b"odd name"]
    assert not list(trees.folder.glob(".writing-*"))


def operator(trees: Trees, name: str, **given: Any) -> list[str]:
    """The command of a playbook with one task."""
    options = {"path": str(trees.place), **trees.access, **given}
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": [{f"nexuscos.ops.{name}": options}]}]
    book = trees.folder / "book.yml"
    book.write_text(yaml.safe_dump(plays), encoding="utf-8")
    python = f"ansible_python_interpreter={sys.executable}"
    program = str(Path(sys.executable).parent / "ansible-playbook")
    return [program, "-i", "localhost,", "-c", "local", "-e", python, str(book)]


def controller(trees: Trees) -> dict[str, str]:
    """Its environment."""
    temporary = ("ANSIBLE_ASYNC_DIR", "ANSIBLE_LOCAL_TEMP", "ANSIBLE_REMOTE_TEMP")
    named = {name: str(trees.folder / name) for name in temporary}
    return {**os.environ, **named, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}


def gated(trees: Trees, verb: str) -> str:
    """A restic that ends a command only when a file is gone."""
    (trees.folder / "gate").touch()
    folder = trees.folder / "gated"
    folder.mkdir()
    (folder / "restic").write_text(
        f'#!/bin/sh\nrestic "$@" || exit\ncase " $* " in *" {verb} "*)\n'
        f"while [ -e {trees.folder}/gate ]; do sleep 0.05; done;; esac\n"
    )
    (folder / "restic").chmod(0o755)
    return str(folder)


def test_a_restore_shows_on_a_terminal_how_far_it_is(near: Trees) -> None:
    near.backup()
    size = near.manifest()["invariants"]["bytes"]
    target = str(near.folder / "back")
    command = operator(near, "files_restore", system="uploads", target=target, bin_dir=gated(near, "restore"))
    with terminal(command, ROOT, controller(near)) as shown:
        # All of it is there, and restic has not ended.
        shown.wait_for("localhost: uploads restore 300.0 kB of about 300.0 kB (100 %)")
        (now,) = module("backup_sets", {"path": str(near.place), "systems": ["uploads"]})["systems"]
        assert now["verifying"]["what"] == f"restore to {target}"
        assert (now["verifying"]["bytes"], now["verifying"]["expected_bytes"]) == (size, size)
        assert now["verifying"]["item"] == "what restic writes"
        assert not Path(target).exists(), "it is nothing before it is whole"
        (near.folder / "gate").unlink()
        assert shown.wait() == 0, shown.text
    assert same(near.two, Path(target + str(near.two)))
    assert PASSWORD not in shown.text
    assert not list(near.place.glob(".progress-*"))


def test_a_backup_tells_what_restic_says_while_it_sends(near: Trees) -> None:
    (near.one / "large").write_bytes(os.urandom(20_000_000))
    folder = near.folder / "slow"
    folder.mkdir()
    # It has read all of it at once, and would send it for five minutes.
    (folder / "restic").write_text(
        '#!/bin/sh\ncase " $* " in *" backup "*) exec restic --limit-upload 64 "$@";; esac\nexec restic "$@"\n'
    )
    (folder / "restic").chmod(0o755)
    given = {"system": "uploads", "path": str(near.place), "paths": [str(near.one)], "bin_dir": str(folder)}
    process = start_module("files_backup", {**given, **near.access}, near.folder)

    def far() -> dict[str, Any] | None:
        # At first there is no folder, and restic has not looked at all of the tree.
        rows = module("backup_sets", {"path": str(near.place), "systems": ["uploads"]}).get("systems", [])
        found: dict[str, Any] | None = rows[0]["writing"] if rows else None
        return found if found and found["bytes"] and (found["expected_bytes"] or 0) >= 20_300_000 else None

    now = wait_for(far, "it tells how far it is", process)
    assert now is not None
    assert (now["what"], now["item"]) == ("backup", str(near.one))
    assert 0 < now["bytes"] <= now["expected_bytes"] <= 20_400_000
    process.terminate()
    assert "ended by SIGTERM" in answer_of(process)["msg"]
    assert not list(near.place.glob("2*/*uploads"))


def test_a_restore_that_is_refused_or_fails_leaves_nothing(near: Trees) -> None:
    (near.one / "st*r [1]").write_bytes(b"a name that is no pattern")
    (near.one / "stxr 1").write_bytes(b"not wanted")
    near.backup()
    for given, words in (
        ({"only": [str(near.one / "gone")]}, "has no"),
        ({"target": str(near.folder / "nowhere" / "back")}, "in one that is there"),
        ({"target": str(near.one)}, "not empty"),
        ({"password": "another"}, "wrong password"),
        ({"set": "2020-01-01T000000Z"}, "holds no set"),
    ):
        told = restore(near, **given)
        assert told["failed"]
        assert words in told["msg"]
    told = restore(near, only=[str(near.one / "st*r [1]")])
    assert told["restored"]["entries"] == 1
    found = [path.read_bytes() for path in (near.folder / "back").rglob("*") if path.is_file()]
    assert found == [b"a name that is no pattern"]
    packs = [path for path in Path(near.access["repository"], "data").rglob("*") if path.is_file()]
    max(packs, key=lambda path: path.stat().st_size).unlink()
    told = restore(near, target=str(near.folder / "again"))
    assert told["failed"]
    assert not (near.folder / "again").exists()
    assert not list(near.folder.glob(".writing-*"))


def test_a_repository_that_rotted(near: Trees) -> None:
    near.backup()
    packs = [path for path in Path(near.access["repository"], "data").rglob("*") if path.is_file()]
    largest = max(packs, key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 1
    largest.chmod(0o600)
    largest.write_bytes(data)
    told = near.verify(2)
    assert (told["good"], told["level"]) == (False, 1)
    largest.unlink()
    shutil.rmtree(near.folder / "cache", ignore_errors=True)
    told = near.verify(4)
    assert not told["good"]
    assert list((near.folder / "scratch").iterdir()) == []
    with pytest.raises(AssertionError):
        near.restic("check")


@pytest.mark.parametrize("level", [2, 4])
@pytest.mark.parametrize("which", [min, max], ids=["the lists", "the contents"])
def test_a_file_of_the_repository_that_is_gone(near: Trees, which: Callable[..., Path], level: int) -> None:
    """restic itself would try for a quarter of an hour."""
    near.backup()
    packs = [path for path in Path(near.access["repository"], "data").rglob("*") if path.is_file()]
    assert len(packs) > 1
    which(packs, key=lambda path: path.stat().st_size).unlink()
    shutil.rmtree(near.folder / "cache", ignore_errors=True)
    told = near.verify(level, deadline=600.0)
    assert not told["good"]
    assert "does not exist" in told["why"] or "contains errors" in told["why"]
    assert list((near.folder / "scratch").iterdir()) == []


def test_a_snapshot_that_somebody_has_forgotten(near: Trees) -> None:
    near.backup()
    near.restic("forget", near.manifest()["position"]["snapshot"])
    told = near.verify(2)
    assert not told["good"]
    assert "not in" in told["why"]


def test_a_list_of_another_snapshot(near: Trees) -> None:
    near.backup()
    first = near.manifest()["position"]["snapshot"]
    (near.one / "new").write_bytes(b"of today")
    near.backup()
    path = max(near.place.glob("*/uploads/manifest.json"))
    known = near.manifest()
    path.write_text(json.dumps({**known, "position": {**known["position"], "snapshot": first}}), encoding="utf-8")
    told = near.verify(2)
    assert not told["good"]
    assert "its list has" in told["why"]


def test_what_cannot_be_looked_at_refutes_nothing(near: Trees) -> None:
    near.backup()
    told = near.verify(4, restic={**near.access, "password": "another"})
    assert told["failed"]
    assert "wrong password" in told["msg"]
    told = near.verify(4, restic={**near.access, "repository": str(near.folder / "elsewhere")})
    assert told["failed"]
    assert "is no repository" in told["msg"]
    told = near.verify(4, restic=None)
    assert told["failed"]
    assert "restic" in told["msg"]
    assert [proof["good"] for proof in near.manifest()["proofs"]] == [True]


def test_a_restore_for_a_test_that_was_killed_leaves_nothing_for_ever(near: Trees) -> None:
    near.backup()
    near.verify(2)
    scratch = near.folder / "scratch"
    assert near.verify(4)["good"]
    names: list[str] = []
    bin_dir = near.folder / "bin"
    bin_dir.mkdir()
    (bin_dir / "restic").write_text(f'#!/bin/sh\ncase "$*" in *restore*) ls {scratch} > {near.folder}/seen;; esac\n'
                                    'exec restic "$@"\n')  # fmt: skip
    (bin_dir / "restic").chmod(0o755)
    assert near.verify(3, bin_dir=str(bin_dir))["good"]
    names = (near.folder / "seen").read_text().split()
    assert len(names) == 1
    (scratch / names[0] / "left").mkdir(parents=True)
    assert near.verify(4)["good"]
    assert list(scratch.iterdir()) == []
    (scratch / names[0]).symlink_to(near.one)
    told = near.verify(4)
    assert told["failed"]
    assert "somebody else's" in told["msg"]
    assert (near.one / "a.bin").exists()


def test_a_tree_that_is_not_there_and_other_mistakes(near: Trees) -> None:
    for given, words in (
        ({"paths": [str(near.folder / "gone")]}, "is it mounted"),
        ({"paths": ["relative"]}, "absolute"),
        ({"read_percent": 0.0}, "read_percent"),
        ({"init": False}, "no repository yet"),
        ({"repository": "rclone:far,pass=x:sets"}, "by environment"),
        ({"password": None}, "password"),
    ):
        told = near.backup(**given)
        assert told["failed"]
        assert words in told["msg"]
    assert not near.place.exists() or not list(near.place.glob("20*/*"))


def test_a_full_repository_leaves_no_set(tmp_path: Path) -> None:
    with far_places.small_disk(tmp_path / "disk", "8m") as disk:
        trees = Trees(tmp_path, {"repository": str(disk / "far"), "password": PASSWORD})
        assert trees.backup()["level"] == 2
        (trees.one / "large").write_bytes(os.urandom(12_000_000))
        told = trees.backup(deadline=90.0)
        assert told["failed"]
        assert len(list(trees.place.glob("20*/uploads/manifest.json"))) == 1
        assert not list(trees.place.glob("20*/.writing-*"))
        (trees.one / "large").unlink()
        (trees.one / "small").write_bytes(b"x")
        assert trees.verify(4)["good"]

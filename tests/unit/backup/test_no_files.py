# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pipes, devices, links and halves of copies in the place of a file, a manifest or a link to the newest set."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from backups import dump, judged, look, named, stamp
from damage import DB, ROWS, dumped, put, verified
from set_maker import DAY, HOUR

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import (
    plain_file,
    sets,
)


def to_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def to_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("/no/such/file")


def to_circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def to_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def to_link(path: Path) -> None:
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to("../elsewhere")


@pytest.mark.parametrize("change", [to_pipe, to_folder, to_nowhere, to_circle, to_device, to_link])
def test_a_set_whose_file_is_none(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """Nobody waits for the writer of a pipe, reads a device without end, or passes over the set to an older one."""
    dumped(tmp_path, age=5 * HOUR)
    folder = dumped(tmp_path)
    change(folder / "nexusdb.dump")
    observation = look(tmp_path, DB)
    assert observation["systems"]["nexusdb"]["sets"][0]["path"] == f"{folder.parent.name}/nexusdb"
    assert ("set", "b/nexusdb", "critical") in named(judged(observation))
    answer = verified(tmp_path)
    assert not answer["good"]
    assert "nexusdb.dump" in answer["why"] or "empty or gone" in answer["why"]


@pytest.mark.parametrize("change", [to_pipe, to_nowhere, to_circle, to_device])
def test_a_backup_of_another_layout_that_is_no_file(tmp_path: Path, change: Callable[[Path], None]) -> None:
    folder = tmp_path / stamp() / "db"
    folder.mkdir(parents=True)
    change(put(folder, "x.dump", dump(*ROWS)))
    result = judged(look(tmp_path, {"name": "db", "paths": "*/db/*.dump", "every": "6h"}))
    assert ("readable", "b/db", "critical") in named(result)


@pytest.mark.parametrize("change", [to_pipe, to_folder, to_nowhere, to_device])
def test_a_manifest_that_is_no_file(tmp_path: Path, change: Callable[[Path], None]) -> None:
    dumped(tmp_path, age=5 * HOUR)
    folder = dumped(tmp_path)
    change(folder / "manifest.json")
    assert ("set", "b/nexusdb", "critical") in named(judged(look(tmp_path, DB)))
    answer = verified(tmp_path)
    assert answer["set"]["stamp"] != folder.parent.name
    assert f"{folder.parent.name}/nexusdb is younger and has no manifest" in answer["warnings"][0]
    system = {"name": "db", "paths": "*/nexusdb/*.dump", "every": "6h"}
    assert ("exists", "b/db", "critical") not in named(judged(look(tmp_path, system)))


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x")
    with pytest.raises(plain_file.NoFile, match="a pipe and no file"):
        plain_file.opened(str(tmp_path / "x"))
    with plain_file.opened(str(put(tmp_path, "y", b"abc"))) as opened:
        assert opened.read() == b"abc"


def test_what_rsync_is_writing_is_none_of_the_set_and_no_damage_of_it(tmp_path: Path) -> None:
    folder = dumped(tmp_path)
    put(folder, ".nexusdb.dump.Xk3fQ0", dump(*ROWS)[:500])
    assert judged(look(tmp_path, DB))["findings"] == []
    then = time.time() - DAY
    os.utime(folder / ".nexusdb.dump.Xk3fQ0", (then, then))
    assert named(judged(look(tmp_path, DB))) == {("leftovers", "b/leftovers", "warning")}


@pytest.mark.parametrize(
    ("name", "half"),
    [
        (".x.dump.Ab3dEf", True), (".bashrc.backup", False), ("x.dump.filepart", True), (".x.Ab3dEfg", False),
        ("a.b.Ab3dEf", False),
    ],
)  # fmt: skip
def test_names_of_what_is_half_copied(name: str, half: bool) -> None:
    assert sets.is_half(f"/b/{name}") is half


def test_a_file_beside_the_set_does_not_make_it_unreadable(tmp_path: Path) -> None:
    put(dumped(tmp_path), "old.dump", b"PGDMP")
    assert named(judged(look(tmp_path, DB))) == {("set", "b/nexusdb", "warning")}


def lead_to(place: Path, target: str) -> None:
    link = place / "latest" / "nexusdb"
    link.unlink()
    link.symlink_to(target)


def test_latest_leads_to_what_is_no_set_of_the_system(tmp_path: Path) -> None:
    place = tmp_path / "place"
    folder = dumped(place)
    run = folder.parent.name
    away = shutil.copytree(folder, tmp_path / "away" / run / "nexusdb")
    (folder.parent / "redis").mkdir()
    (folder.parent / ".writing-nexusdb").mkdir()
    for target in (
        str(away),
        f"../../away/{run}/nexusdb",
        f"../{run}/redis",
        f"../{run}",
        f"../{run}/.writing-nexusdb",
    ):
        lead_to(place, target)
        assert ("latest", "b/latest/nexusdb", "critical") in named(judged(look(place, DB))), target
    for target in ("nexusdb", "../2020-01-01T000000Z/nexusdb"):
        lead_to(place, target)
        assert ("latest", "b/latest/nexusdb", "critical") in named(judged(look(place, DB))), target
    lead_to(place, f"../{run}/nexusdb")
    assert "latest" not in {check for check, _object, _status in named(judged(look(place, DB)))}


def test_latest_that_is_no_link(tmp_path: Path) -> None:
    folder = dumped(tmp_path)
    (tmp_path / "latest" / "nexusdb").unlink()
    shutil.copytree(folder, tmp_path / "latest" / "nexusdb")
    assert named(judged(look(tmp_path, DB))) == {("latest", "b/latest/nexusdb", "critical")}
    shutil.rmtree(tmp_path / "latest")
    put(tmp_path, "latest", b"x")
    assert named(judged(look(tmp_path, DB))) == {("latest", "b/latest", "critical")}

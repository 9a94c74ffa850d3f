# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a set is read back as it was written, or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from set_maker import make_set

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import manifest
from ansible_collections.nexuscos.ops.plugins.module_utils._backup.manifest import File, Manifest, ManifestError, Proof

RUN = "2026-11-29T060000Z"


def made(**more: Any) -> Manifest:
    given: dict[str, Any] = {
        "system": "nexusdb",
        "stamp": RUN,
        "engine": "pg_dump",
        "format": "pg_custom",
        "source": {"host": "db1", "port": 5432},
        "server": "15.18",
        "began": "2026-11-29T06:00:00Z",
        "ended": "2026-11-29T06:00:02Z",
        "seconds": 1.25,
        "files": [File("nexusdb.dump", 1000, "0" * 64), File("globals.sql", 17, "1" * 64)],
    }
    return Manifest(**{**given, **more})


def folder(tmp_path: Path, system: str = "nexusdb", run: str = RUN) -> str:
    path = tmp_path / run / system
    path.mkdir(parents=True)
    return str(path)


names = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1).filter(
    lambda name: name not in ("..", ".", "manifest.json")
)
sums = st.text("0123456789abcdef", min_size=64, max_size=64)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
proofs = st.builds(
    Proof,
    level=st.integers(0, 5),
    wanted=st.integers(0, 5),
    at=names,
    seconds=st.floats(0, 1e6),
    good=st.booleans(),
    why=st.none() | names,
    restore_seconds=st.none() | st.floats(0, 1e6),
    details=st.dictionaries(names, values, max_size=2),
)


@given(
    files=st.lists(st.builds(File, names, st.integers(0, 1 << 60), sums), max_size=4, unique_by=lambda file: file.path),
    invariants=st.dictionaries(names, values, max_size=3),
    proofs=st.lists(proofs, max_size=3),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, files: list[File], invariants: dict[str, Any], proofs: list[Proof]
) -> None:
    path = tmp_path_factory.getbasetemp() / "manifests" / RUN / "nexusdb"
    path.mkdir(parents=True, exist_ok=True)
    one = made(files=files, invariants=invariants, proofs=proofs)
    manifest.write(str(path), one)
    assert manifest.read(str(path)) == one
    assert os.listdir(path) == ["manifest.json"]
    assert json.loads((path / "manifest.json").read_text())["bytes"] == sum(file.bytes for file in files)


def test_a_manifest_that_breaks_off_is_none(tmp_path: Path) -> None:
    path = folder(tmp_path)
    manifest.write(path, made())
    whole = Path(path, "manifest.json").read_bytes()
    for length in range(len(whole) - 1):  # without its last line feed it is whole
        Path(path, "manifest.json").write_bytes(whole[:length])
        with pytest.raises(ManifestError):
            manifest.read(path)


@given(data=st.binary(max_size=300) | values.map(lambda value: json.dumps(value).encode()))
def test_nonsense_is_no_manifest(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "nonsense" / RUN / "nexusdb"
    path.mkdir(parents=True, exist_ok=True)
    (path / "manifest.json").write_bytes(data)
    with pytest.raises(ManifestError, match=r"manifest\.json"):
        manifest.read(str(path))


@given(key=st.sampled_from([one.name for one in dataclasses.fields(Manifest)]), value=values)
def test_a_manifest_with_nonsense_in_it_is_read_or_refused(key: str, value: Any) -> None:
    data = {**made(proofs=[Proof(2, 2, "x", 1.0, True)]).to_json(), key: value}
    with contextlib.suppress(ManifestError):
        one = manifest.parse(data, f"/b/{RUN}/nexusdb/manifest.json")
        assert (one.bytes, f"{one.seconds:.1f}", one.proven is None) == (1017, "1.2", key == "proofs") or key == "files"


def test_no_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="No such file"):
        manifest.read(str(tmp_path))


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_version_is_refused(version: Any) -> None:
    with pytest.raises(ManifestError, match="version"):
        manifest.parse({**made().to_json(), "version": version}, "m")


@pytest.mark.parametrize(("system", "run"), [("redis", RUN), ("nexusdb", "2026-11-28T060000Z")])
def test_a_manifest_of_another_set_is_refused(tmp_path: Path, system: str, run: str) -> None:
    path = folder(tmp_path, system, run)
    manifest.write(path, made())
    with pytest.raises(ManifestError, match="of another set"):
        manifest.read(path)


@pytest.mark.parametrize("path", ["/etc/passwd", "../redis/x", "a/../../x", ".."])
def test_a_file_outside_of_the_set_is_refused(path: str) -> None:
    with pytest.raises(ManifestError, match="leads out of the set"):
        manifest.parse(made(files=[File(path, 1, "0" * 64)]).to_json(), "m")


def test_what_a_later_look_has_refuted_is_no_proof() -> None:
    good, bad = Proof(3, 3, "2026-11-29T07:00:00Z", 2.0, True), Proof(0, 3, "2026-11-30T07:00:00Z", 2.0, False, "cut")
    assert made().proven is None
    assert made(proofs=[bad, good]).proven == good
    assert made(proofs=[good, bad]).proven is None


def test_proofs_are_filed_and_the_oldest_go(tmp_path: Path) -> None:
    path = folder(tmp_path)
    manifest.write(path, made())
    for number in range(53):
        manifest.add_proof(path, Proof(1, 1, str(number), 0.0, True))
    kept = manifest.read(path).proofs
    assert [one.at for one in kept] == [str(number) for number in range(3, 53)]


def test_what_a_later_version_adds_is_passed_over(tmp_path: Path) -> None:
    data = made(proofs=[Proof(2, 2, "x", 1.0, True)]).to_json()
    data["news"] = 1
    data["proofs"][0]["news"] = 1
    data["files"][0]["news"] = 1
    assert manifest.parse(data, "m").proofs[0].level == 2


def test_a_manifest_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = folder(tmp_path)
    manifest.write(path, made())
    Path(path, ".writing-manifest.json").mkdir()
    with pytest.raises(OSError, match="directory"):
        manifest.write(path, made(server="16.1"))
    assert manifest.read(path).server == "15.18"


def test_a_copy_is_noted_and_a_newer_one_of_the_same_place_replaces_it(tmp_path: Path) -> None:
    folder = str(make_set(tmp_path, "redis", 1_795_950_000.0))
    first = manifest.Copy("/far", "aaaa", "2026-11-29T06:00:00Z", 10, 5, 0.1)
    other, newer = dataclasses.replace(first, repository="/farther"), dataclasses.replace(first, snapshot="bbbb")
    for one in (first, other, newer):
        manifest.add_copy(folder, one)
    assert manifest.read(folder).copies == [other, newer]


@pytest.mark.parametrize("copies", [{"a": 1}, [1], [{}], [{"repository": "/far"}], "x", [{"bytes": "many"}]])
def test_copies_that_are_garbage_are_refused(tmp_path: Path, copies: Any) -> None:
    path = make_set(tmp_path, "redis", 1_795_950_000.0) / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), "copies": copies}), encoding="utf-8")
    with pytest.raises(manifest.ManifestError):
        manifest.read(str(path.parent))

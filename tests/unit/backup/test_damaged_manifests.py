# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests in which something else stands; and what a manifest proves when its files are gone."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from backups import dump, judged, look, named, stamp
from damage import DB, ROWS, dumped, put, verified
from set_maker import DAY, iso, proof

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import (
    manifest,
    prune,
)


def changed(folder: Path, **more: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **more}), encoding="utf-8")


FILE = {"path": "nexusdb.dump", "bytes": 5, "sha256": "0" * 64}
NONSENSE: list[dict[str, Any]] = [
    {"files": [{**FILE, "bytes": value}]} for value in (-1, 1.5, True, "5", None)
] + [
    {"files": [{**FILE, "path": value}]} for value in ("", ".", "a\0b", "\ud800", "manifest.json", 5, "x/..")
] + [
    {"files": [{**FILE, "sha256": value}]} for value in ("", "zz", None, "0" * 63)
] + [
    {"files": [FILE, {**FILE, "path": "./nexusdb.dump"}]}, {"files": {"a": FILE}}, {"proofs": {}}, {"copies": {}},
    {"source": []}, {"source": {"bytes": "many"}}, {"source": {"bytes": -1}}, {"source": {"database": ["nexusdb"]}},
    {"options": []}, {"position": "x"}, {"encryption": None}, {"encryption": 5}, {"seconds": float("nan")},
    {"seconds": float("inf")}, {"invariants": {"tables": [1]}}, {"invariants": {"tables": {"public.t1": "b"}}},
    {"invariants": {"tables": {"public.t1": -1}}}, {"invariants": {"counts": {"views": "x"}}},
    {"invariants": {"extensions": [[1]]}}, {"invariants": {"sequences": [1]}}, {"invariants": {"queries": {"a": 1}}},
    {"invariants": {"queries": [1]}}, {"invariants": {"databases": {"x": {"keys": 1}}}},
    {"invariants": {"databases": {"0": {"types": ["a"]}}}}, {"invariants": {"collections": [1]}},
    {"invariants": {"objects": {"default": 1}}}, {"invariants": {"bytes": "x"}}, {"invariants": {"files": -1}},
]  # fmt: skip


@pytest.mark.parametrize("more", NONSENSE, ids=[json.dumps(one)[:60] for one in NONSENSE])
def test_a_manifest_in_which_something_else_stands(tmp_path: Path, more: dict[str, Any]) -> None:
    """That the task crashes at level 4, for one, is no answer."""
    changed(dumped(tmp_path), **more)
    assert ("set", "b/nexusdb", "critical") in named(judged(look(tmp_path, DB)))
    answer = verified(tmp_path, 4)
    assert (answer["good"], answer["filed"]) == (False, False)
    assert "manifest.json" in answer["why"]


def test_a_manifest_in_which_a_key_stands_twice(tmp_path: Path) -> None:
    path = dumped(tmp_path) / "manifest.json"
    path.write_text(
        '{"source": {"database": "other"},' + path.read_text(encoding="utf-8").lstrip()[1:], encoding="utf-8"
    )
    assert "'source' stands there twice" in verified(tmp_path)["why"]


def test_a_sum_in_capitals_is_the_same_sum(tmp_path: Path) -> None:
    folder = dumped(tmp_path)
    files = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    changed(folder, files=[{**one, "sha256": one["sha256"].upper()} for one in files])
    assert verified(tmp_path)["good"]


@pytest.mark.parametrize("text", ["[" * 200_000, '{"files": [{"path": ["a"], "sha256": "%s"}]}' % ("0" * 64)])
def test_a_manifest_of_somebody_else_that_is_garbage(tmp_path: Path, text: str) -> None:
    folder = tmp_path / stamp() / "db"
    folder.mkdir(parents=True)
    put(folder, "x.dump", dump(*ROWS))
    put(folder, "manifest.json", text.encode())
    result = judged(look(tmp_path, {"name": "db", "paths": "*/db/*.dump", "every": "6h"}))
    assert named(result) == {("manifest", "b/db", "warning")}


def test_what_was_proven_and_is_gone_is_no_reason_to_remove_another(tmp_path: Path) -> None:
    now = time.time()
    old = dumped(tmp_path, age=9 * DAY, proofs=[proof(4, now - 9 * DAY)])
    new = dumped(tmp_path, age=DAY, proofs=[proof(4, now - DAY)])
    params = {"path": str(tmp_path), "systems": [], "keep": {"last": 1}, "level": 3, "lock_wait": 0.0}
    assert prune.run(params, True)["removed"] == [str(old)]
    os.truncate(new / "nexusdb.dump", 100)
    told = prune.run(params, True)
    assert told["removed"] == []
    (new / "nexusdb.dump").unlink()
    assert prune.run(params, True)["removed"] == []


def test_sums_are_lower_case_in_what_is_written(tmp_path: Path) -> None:
    folder = dumped(tmp_path)
    (file,) = manifest.read(str(folder)).files
    assert file.sha256 == hashlib.sha256((folder / "nexusdb.dump").read_bytes()).hexdigest()
    assert iso(0) == "1970-01-01T00:00:00Z"

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports are whole or not there, and `latest` leads to a whole one."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nexuscos.ops.plugins.module_utils._report import store

FILES = {"report.json": "{}\n", "report.md": "# x\n"}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_files_and_latest(tmp_path: Path) -> None:
    path = store.write(str(tmp_path / "a/b"), "daily_morning", store.stamp("2026-11-22T06:00:00Z"), FILES)
    base = tmp_path / "a/b/daily_morning"
    assert Path(path) == base / "2026-11-22T06-00-00Z"
    assert names(base) == ["2026-11-22T06-00-00Z", "latest"]
    assert os.readlink(base / "latest") == "2026-11-22T06-00-00Z"
    assert (base / "latest/report.md").read_text(encoding="utf-8") == "# x\n"


def test_two_runs_of_one_second_keep_both(tmp_path: Path) -> None:
    first = store.write(str(tmp_path), "p", "2026-11-22T06-00-00Z", FILES)
    second = store.write(str(tmp_path), "p", "2026-11-22T06-00-00Z", FILES)
    assert first != second
    assert os.path.realpath(tmp_path / "p/latest") == second


def test_old_reports_go_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    (tmp_path / "p/keep-me").mkdir(parents=True)
    for day in range(1, 6):
        store.write(str(tmp_path), "p", "2026-11-%02dT06-00-00Z" % day, FILES, keep=2)
    assert names(tmp_path / "p") == ["2026-11-04T06-00-00Z", "2026-11-05T06-00-00Z", "keep-me", "latest"]


def test_a_clock_set_back_does_not_remove_the_report_just_written(tmp_path: Path) -> None:
    for day in (20, 21, 22, 1):
        path = store.write(str(tmp_path), "p", "2026-11-%02dT06-00-00Z" % day, FILES, keep=2)
    assert os.path.realpath(tmp_path / "p/latest") == path
    assert os.path.exists(path)


@pytest.mark.parametrize("call", ["write", "fsync", "rename", "symlink", "replace"])
def test_a_full_disk_leaves_latest_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    store.write(str(tmp_path), "p", "2026-11-21T06-00-00Z", FILES)

    def full(*_args: Any, **_more: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        if call == "write":
            patch.setattr(store, "_write_file", full)
        else:
            patch.setattr(os, call, full)
        with pytest.raises(store.StoreError, match="No space left on device"):
            store.write(str(tmp_path), "p", "2026-11-22T06-00-00Z", FILES)
    assert os.readlink(tmp_path / "p/latest") == "2026-11-21T06-00-00Z"
    assert not [name for name in names(tmp_path / "p") if name.startswith(".")]


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("", encoding="utf-8")
    with pytest.raises(store.StoreError, match="nexuscos_report_dir"):
        store.write(str(tmp_path / "reports"), "p", "2026-11-22T06-00-00Z", FILES)


def test_a_file_is_replaced_in_one_step_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "numbers.prom"
    store.replace(str(path), "old 1\n")
    store.replace(str(path), "new 1\n")
    assert path.read_text(encoding="utf-8") == "new 1\n"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(store.StoreError, match="cannot write"):
        store.replace(str(tmp_path / "no" / "such.prom"), "x 1\n")

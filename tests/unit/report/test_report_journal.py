# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an interrupted run leaves is told by the next one; what goes on, or is somebody else's, is left alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nexuscos.ops.plugins.module_utils._report import journal

RUN = {"procedure": "backup", "id": "backup-2026-11-29T06-00-00Z-00ff", "started": "2026-11-29T06:00:00Z", "clock": 1.5}


def dead() -> int:
    """The number of a process that has ended and was waited for."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait(60)
    return done.pid


def interrupted(folder: Path) -> str:
    path = journal.begin(str(folder), RUN, dead())
    journal.note(path, "b1", "2026-11-29T06:00:01Z", ["nexusdb", "redis"])
    answer = {"set": {"stamp": "x"}, "msg": "made", "level": 2, "invocation": {"module_args": {"secret": "geheim"}}}
    journal.note(path, "b1", "2026-11-29T06:00:41Z", None, nexusdb=answer)
    return path


def test_what_was_done_is_told_once(tmp_path: Path) -> None:
    path = interrupted(tmp_path)
    assert "geheim" not in Path(path).read_text(encoding="utf-8")
    (one,) = journal.left(str(tmp_path), "backup")
    assert one["run"] == RUN
    assert one["ended"] == "2026-11-29T06:00:41Z"
    assert one["places"] == {
        "b1": {
            "wanted": ["nexusdb", "redis"],
            "done": {"nexusdb": {"set": {"stamp": "x"}, "msg": "made", "level": 2}},
        }
    }
    assert journal.left(str(tmp_path), "backup") == []
    assert journal.left(str(tmp_path), "restore") == []


def test_a_run_that_goes_on_or_is_another_hosts_is_left_alone(tmp_path: Path) -> None:
    path = journal.begin(str(tmp_path), RUN, os.getpid())
    assert journal.left(str(tmp_path), "backup") == []
    about = json.loads(Path(path).read_text(encoding="utf-8"))
    # The same number, of a process that began at another time: the run is over.
    Path(path).write_text(json.dumps({**about, "since": "1"}) + "\n", encoding="utf-8")
    assert len(journal.left(str(tmp_path), "backup")) == 1
    Path(path).write_text(json.dumps({**about, "since": "1", "host": "elsewhere"}) + "\n", encoding="utf-8")
    assert journal.left(str(tmp_path), "backup") == []
    assert os.path.exists(path)


@pytest.mark.parametrize(
    "more", ["", "{", '{"place": "b1"}\n', "[]\n", '{"place": "b1", "at": "", "done": {"x": 5}}\n']
)
def test_half_a_line_and_garbage_take_nothing_else_with_them(tmp_path: Path, more: str) -> None:
    path = interrupted(tmp_path)
    with open(path, "a", encoding="utf-8") as stream:
        stream.write(more)
    (one,) = journal.left(str(tmp_path), "backup")
    assert one["places"]["b1"]["done"]["nexusdb"]["msg"] == "made"


@pytest.mark.parametrize("text", ["", "{}", "[1]", "\x00", '{"run": 5, "host": 1, "process": "x"}'])
def test_a_file_that_is_no_journal_fails_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / ".running-x.jsonl").write_text(text, encoding="utf-8")
    assert journal.left(str(tmp_path), "backup") == []


def test_where_nothing_can_be_written_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert journal.begin(str(tmp_path / "file"), RUN, os.getpid()) == ""
    journal.note("", "b1", "", ["x"])
    journal.end("")
    path = journal.begin(str(tmp_path), RUN, os.getpid())
    journal.end(path)
    odd: Any = object()
    journal.note(path, "b1", "", None, x={"msg": odd})
    assert not os.path.exists(path)

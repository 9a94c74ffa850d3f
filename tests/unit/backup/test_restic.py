# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far restic is: from what it says while it backs up, and from what is there while it restores."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import at_work, stream
from ansible_collections.nexuscos.ops.plugins.module_utils._backup.restic import Restic

# It says what restic says, with a line that is cut in two where a pipe would cut it.
PLAYED = """#!/bin/sh
echo "$RESTIC_PROGRESS_FPS" > {folder}/rate
case "$*" in
*backup*)
  printf '{{"message_type":"status","percent_done":0.1,"total_bytes":1000,"bytes_done":1'
  sleep 0.1
  printf '00}}\\n{{"message_type":"status","percent_done":1,"total_bytes":4000}}\\nno json\\n'
  while [ -e {folder}/gate ]; do sleep 0.02; done
  echo '{{"message_type":"summary","snapshot_id":"abc","data_added":7}}' ;;
*restore*)
  mkdir -p {folder}/back && head -c 5000 /dev/zero > {folder}/back/file
  while [ -e {folder}/gate ]; do sleep 0.02; done ;;
esac
"""


@pytest.fixture
def restic(tmp_path: Path) -> Restic:
    program = tmp_path / "restic"
    program.write_text(PLAYED.format(folder=tmp_path), encoding="utf-8")
    program.chmod(0o755)
    given = {
        "repository": "/far", "password": "x", "environment": None, "options": None, "bin_dir": str(tmp_path),
        "lock_wait": 0.0,
    }  # fmt: skip
    return Restic(given, time.monotonic() + 120)


class Heard(stream.Progress):
    """What was told; it opens the gate when there is enough of it."""

    def __init__(self, folder: Path, enough: int) -> None:
        super().__init__(str(folder), "uploads")
        self.gate, self.enough, self.heard = folder / "gate", enough, list[tuple[int, int]]()
        self.gate.touch()

    def at(self, total: int) -> None:
        super().at(total)
        self.heard.append((total, self._expected))
        if total >= self.enough or len(self.heard) > 200:
            self.gate.unlink(missing_ok=True)


def test_a_backup_tells_what_restic_says_and_keeps_none_of_it(restic: Restic, tmp_path: Path) -> None:
    progress = Heard(tmp_path, 100)
    assert restic.backup(["/x"], ("t",), "h", progress)["snapshot_id"] == "abc"
    assert progress.heard == [(100, 1000), (0, 4000)]
    assert (tmp_path / "rate").read_text() == "1\n", "sixty lines a second would be read for hours"
    told = json.loads((tmp_path / stream.PROGRESS).read_text())
    assert (told["bytes"], told["expected"]) == (100, 1000)


def test_a_restore_tells_what_is_there(restic: Restic, tmp_path: Path) -> None:
    progress = Heard(tmp_path, 5000)
    restic.restore("abc", str(tmp_path / "back"), progress=progress)
    assert progress.heard[-1][0] == 5000


def test_a_large_tree_is_not_measured_all_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, walks = [100.0], []

    def walk(_folder: str) -> int:
        walks.append(clock[0])
        clock[0] += 3.0
        return len(walks)

    monkeypatch.setattr(at_work.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(at_work, "_files_below", walk)
    look = at_work.measure(str(tmp_path), stream.Progress(str(tmp_path), "uploads"))
    for _second in range(200):
        look()
        clock[0] += 1.0
    assert walks == [100.0, 163.0, 226.0, 289.0]

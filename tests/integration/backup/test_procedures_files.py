# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks of backups with file trees, and with another place that rclone copies to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from running import LIMIT, said, watched
from scratch import ROOT

sys.path.insert(0, str(ROOT / "tests" / "unit" / "backup"))

from set_maker import make_set, proof

PASSWORD = "geheim-of-the-files"
TOOLS = Path(sys.executable).parent
NOW = 1_795_950_000.0


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RESTIC_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "uploads" / "deep").mkdir(parents=True)
    (tmp_path / "uploads" / "deep" / "file").write_bytes(os.urandom(100_000))
    (tmp_path / "scratch").mkdir()
    return tmp_path / "place"


def play(folder: Path, playbook: str, **variables: Any) -> str:
    """What a playbook says."""
    here = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "nexuscos_backups_path": str(folder / "place"),
        "nexuscos_backups_become": False,
        "nexuscos_report_dir": str(folder / "reports"),
        "nexuscos_backup_deadline": LIMIT,
        "nexuscos_backup_verify_scratch_dir": str(folder / "scratch"),
        "nexuscos_backup_offsite": {"engine": "rclone", "repository": str(folder / "far"), "offsite": True},
        "nexuscos_backup_systems": [
            {
                "name": "uploads", "engine": "files", "every": "6h", "level": 4, "paths": [str(folder / "uploads")],
                "repository": str(folder / "files"), "password": PASSWORD, "read_percent": 100, "copies": 2,
            },
        ],
    }  # fmt: skip
    inventory = folder / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"backups": {"hosts": {"b1": here}}}), encoding="utf-8")
    environment = {
        **os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_ASYNC_DIR": str(folder / "async"), "ANSIBLE_LOCAL_TEMP": str(folder / "local"),
        "ANSIBLE_REMOTE_TEMP": str(folder / "remote"),
    }  # fmt: skip
    command = [str(TOOLS / "ansible-playbook"), "-i", str(inventory), f"nexuscos.ops.{playbook}"]
    process = watched(
        subprocess.Popen(
            [*command, "-e", json.dumps(variables)], cwd=ROOT, env=environment, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )
    )  # fmt: skip
    text = said(process)
    assert process.returncode == 0, text
    assert PASSWORD not in text
    return text


def test_file_trees_from_the_backup_to_the_proof(tmp_path: Path, place: Path) -> None:
    play(tmp_path, "backup")
    assert not list((tmp_path / "far").iterdir()), "a list is no copy"
    (known,) = place.glob("20*Z/uploads/manifest.json")
    told = json.loads(known.read_text(encoding="utf-8"))
    assert (told["engine"], told["proofs"][-1]["level"]) == ("files", 2)
    assert [copy["repository"] for copy in told["copies"]] == [str(tmp_path / "files")]
    play(tmp_path, "backup_verify", nexuscos_backup_verify_level=4)
    told = json.loads(known.read_text(encoding="utf-8"))
    assert (told["proofs"][-1]["level"], told["proofs"][-1]["good"]) == (4, True)
    assert list((tmp_path / "scratch").iterdir()) == []
    wanted = str(tmp_path / "uploads" / "deep")
    back = tmp_path / "back"
    play(
        tmp_path, "restore", nexuscos_restore_system="uploads", nexuscos_restore_data_dir=str(back),
        nexuscos_restore_only=wanted,
    )  # fmt: skip
    assert Path(f"{back}{wanted}/file").read_bytes() == (tmp_path / "uploads" / "deep" / "file").read_bytes()
    text = play(tmp_path, "backup_sets")
    assert "4 invariants" in text
    assert f"{tmp_path}/files (restic, 1 set)" in text


def test_other_sets_go_to_a_remote_of_rclone(tmp_path: Path, place: Path) -> None:
    # The set of this very run, made by hand: no server is wanted here.
    one = make_set(place, "uploads", NOW, [proof(2, NOW)], {"dump.rdb": b"of another engine"})
    play(tmp_path, "backup", nexuscos_backup_stamp=one.parent.name, nexuscos_backup_prune=False)
    (there,) = (tmp_path / "far").glob("*/uploads/manifest.json")
    assert (there.parent / "dump.rdb").read_bytes() == b"of another engine"
    here = json.loads((place / there.relative_to(tmp_path / "far")).read_text(encoding="utf-8"))
    assert [(copy["engine"], copy["offsite"]) for copy in here["copies"]] == [("rclone", True)]

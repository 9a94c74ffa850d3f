# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks of backups with a server that pgBackRest backs up: back up, prove, look, and go back to a moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml
from pgbackrest_repo import STANZA, Archive, archive
from running import LIMIT, said, wait_for, watched
from scratch import PASSWORD, ROOT, module

TOOLS = Path(sys.executable).parent


def play(of: Archive, folder: Path, playbook: str, *arguments: str, **variables: str) -> str:
    """What a playbook says."""
    here = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "nexuscos_backups_path": str(folder / "place"),
        "nexuscos_backups_become": False,
        "nexuscos_report_dir": str(folder / "reports"),
        "nexuscos_backup_deadline": LIMIT,
        "nexuscos_backup_systems": [
            {
                "name": "db1", "engine": "postgres", "method": "pgbackrest", "stanza": STANZA, "every": "6h",
                "pgbackrest_config": str(of.config), "login_password": PASSWORD, "level": 4, "full_every": "7d",
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
    command = [str(TOOLS / "ansible-playbook"), "-i", str(inventory), f"nexuscos.ops.{playbook}", *arguments]
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


def test_backed_up_proven_and_taken_back_to_a_moment(tmp_path: Path) -> None:
    with archive() as of:
        play(of, tmp_path, "backup")
        play(of, tmp_path, "weekly_restore_test")
        (path,) = (tmp_path / "place").glob("20*Z/db1/manifest.json")
        told = json.loads(path.read_text())
        assert told["position"]["type"] == "full"
        assert [(one["level"], one["good"]) for one in told["proofs"]] == [(2, True), (4, True)]

        looked = {"target": "b1", "path": str(tmp_path / "place"), "systems": [{"name": "db1", "every": "6h"}]}
        seen = module("backup_health", looked)["observation"]["systems"]["db1"]
        assert (seen["manifest"]["error"], seen["proof"]["changed"], seen["proof"]["read"]["status"]) == (
            None,
            [],
            "ok",
        )
        assert max(one["level"] for one in seen["proofs"]) == 4

        sql = of.server.psql
        moment = sql("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
        sql("DELETE FROM billing.orders")
        last = sql("SELECT pg_walfile_name(pg_switch_wal())")
        wait_for(lambda: last in [wal.name[:24] for wal in of.wal()], "the last WAL file in the archive")
        asked = {"nexuscos_restore_system": "db1", "nexuscos_restore_point_in_time": moment}
        plan = play(of, tmp_path, "restore", "--check", **asked)
        assert "reachable is" in plan
        assert path.parent.parent.name in plan
        done = play(of, tmp_path, "restore", nexuscos_restore_database="nexusdb", **asked)
        assert "recovered to" in done
        assert "3,605 rows" in done

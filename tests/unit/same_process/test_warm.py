# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible's forks need is there before the first of them; a library that cannot be loaded is nobody's failure."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.nexuscos.ops.plugins.plugin_utils import warm

ROOT = Path(__file__).resolve().parents[3]
ACTIONS = ROOT / "plugins" / "action"
NAMED = re.compile(r"LIBRARIES = \((.*?),?\)\n")
WITH_LIBRARIES = {
    path.stem: re.findall(r'"([^"]+)"', found.group(1))
    for path in sorted(ACTIONS.glob("*.py"))
    if (found := NAMED.search(path.read_text(encoding="utf-8")))
}
PREFIX = "ansible_collections.nexuscos.ops.plugins"


def loaded_by(action: str) -> set[str]:
    """Which modules Ansible's main process has when it has loaded this action, and has not forked yet."""
    code = f"""
import json, sys
from ansible.plugins.loader import action_loader, init_plugin_loader
init_plugin_loader()
assert action_loader.get("nexuscos.ops.{action}", class_only=True)
json.dump(sorted(sys.modules), sys.stdout)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(done.stdout))


def test_the_looks_that_name_a_client_library_are_found() -> None:
    assert set(WITH_LIBRARIES) == {"certificate_health", "mongodb_health", "postgres_health", "redis_health"}


@pytest.mark.parametrize("name", sorted(WITH_LIBRARIES))
def test_an_action_brings_its_libraries_and_all_filters(name: str) -> None:
    there = loaded_by(name)
    assert set(WITH_LIBRARIES[name]) <= there
    assert f"{PREFIX}.filter.recording_path" in there
    # Ansible puts a number into the name, the oldest before it and the newest behind it.
    for kind in (r"filter\.(\d+_)?core", r"test\.(\d+_)?files"):
        assert any(re.match(rf"ansible\.plugins\.{kind}(_\d+)?$", module) for module in there)


def test_the_beginning_of_a_run_brings_the_filters_and_no_client_library() -> None:
    there = loaded_by("run_start")
    assert f"{PREFIX}.filter.recording_path" in there
    assert not there & {"psycopg", "redis", "pymongo", "sqlalchemy", "kubernetes"}


@pytest.mark.parametrize("body", ["raise RuntimeError('half installed')", "import not_there_4711", "1 +"])
def test_a_broken_library_is_left_to_the_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    (tmp_path / "broken_4711.py").write_text(body, encoding="utf-8")
    (tmp_path / "sound_4711.py").write_text("there = True", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "sound_4711", raising=False)
    warm.libraries("broken_4711", "not_there_4711", "sound_4711")
    assert "broken_4711" not in sys.modules
    assert sys.modules.pop("sound_4711").there

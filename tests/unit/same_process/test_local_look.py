# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look in Ansible's own process returns what the module of its own returns, and is taken only where that is so."""

from __future__ import annotations

import importlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml

from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._report.looks import CRASHED, OPTIONS, kind_of
from ansible_collections.nexuscos.ops.plugins.plugin_utils.local_look import LocalLook

ROOT = Path(__file__).resolve().parents[3]
PLUGINS = ROOT / "plugins"
LOCAL = sorted(path.stem for path in (PLUGINS / "action").glob("*.py") if "LocalLook" in path.read_text())
SECRET = "hush-4711-hush"


def action(module: Any = None, **differs: Any) -> LocalLook:
    """An action plugin on this machine; what differs is set on the task and the connection."""
    task, connection, templar = mock.MagicMock(), mock.MagicMock(), mock.MagicMock()
    task.args, task.async_val, task.check_mode, task.diff = {"target": "a"}, 0, False, False
    task.delegate_to, task.environment = differs.get("delegate_to"), differs.get("environment", [])
    task.async_val = differs.get("async_val", 0)
    connection.transport, connection.become = differs.get("transport", "local"), differs.get("become")
    templar.template = lambda value, **_more: value
    plugin = LocalLook(task, connection, mock.MagicMock(), mock.MagicMock(), templar, mock.MagicMock())
    plugin._load_name = "nexuscos.ops.some"
    plugin.MODULE = module or some({"findings": []})
    return plugin


def some(answer: Any) -> Any:
    """A module that answers so, or fails so."""
    module = mock.MagicMock()
    module.NAME = "some"
    module.spec.return_value.to_kwargs.return_value = {
        "argument_spec": {"target": {"type": "str"}, "login_password": {"type": "str", "no_log": True}}
    }
    module.run.side_effect = answer if isinstance(answer, Exception) else None
    module.run.return_value = answer
    return module


def run(plugin: LocalLook, **task_vars: Any) -> dict[str, Any]:
    """What the plugin returns; ``sent`` is true where the module was sent."""
    task_vars = {"ansible_python_interpreter": sys.executable, **task_vars}
    with mock.patch.object(plugin, "_execute_module", return_value={"sent": True}) as execute:
        result = plugin.run(task_vars=task_vars)
    return {"sent": execute.called, **result}


def test_every_module_that_can_look_from_anywhere_is_one_of_these() -> None:
    assert len(LOCAL) == 11
    for name in LOCAL:
        module = importlib.import_module(f"ansible_collections.nexuscos.ops.plugins.modules.{name}")
        plugin = importlib.import_module(f"ansible_collections.nexuscos.ops.plugins.action.{name}").ActionModule
        assert plugin.MODULE is module
        assert name == module.NAME
        documented = yaml.safe_load(module.DOCUMENTATION)["options"]
        assert set(documented) <= set(module.spec().options)


def test_at_home_nothing_is_sent() -> None:
    assert not run(action())["sent"]


@pytest.mark.parametrize(
    "differs",
    [
        {"transport": "ssh"},
        {"become": mock.MagicMock()},
        {"async_val": 60},
        {"environment": [{"PGSSLMODE": "require"}]},
        # The variables of the host that it is delegated to count.
        {"delegate_to": "other"},
    ],
)
def test_what_differs_is_sent(differs: dict[str, Any]) -> None:
    assert run(action(**differs))["sent"]


@pytest.mark.parametrize(
    "task_vars",
    [
        {"nexuscos_own_process": True},
        {"nexuscos_own_process": "yes"},
        {"ansible_python_interpreter": "/usr/bin/python-of-another-place"},
        {"ansible_python_interpreter": ""},
    ],
)
def test_variables_that_differ(task_vars: dict[str, Any]) -> None:
    assert run(action(), **task_vars)["sent"]


def test_the_interpreter_of_the_host_that_it_is_delegated_to() -> None:
    of_hosts = {"other": {"ansible_python_interpreter": sys.executable}}
    result = run(action(delegate_to="other"), ansible_python_interpreter="/other", ansible_delegated_vars=of_hosts)
    assert not result["sent"]


def test_a_wrong_option_is_the_task_s_failure() -> None:
    result = run(action(some(OptionError("deadline: want more"))))
    assert (result["failed"], result["msg"]) == (True, "deadline: want more")
    assert kind_of(result) == OPTIONS


def test_a_mistake_of_ours_is_told_with_its_place() -> None:
    result = run(action(some(ZeroDivisionError("by zero"))))
    assert result["failed"]
    assert result["msg"] == "some went wrong: ZeroDivisionError: by zero"
    assert "Traceback" in result["exception"]
    assert kind_of(result) == CRASHED, "the report must not call it a wrong option"


def test_a_time_out_of_the_task_gets_through() -> None:
    class TaskTimeout(BaseException):
        """Ansible's own is such a one, so that no module swallows it."""

    module = some({})
    module.run.side_effect = TaskTimeout
    with pytest.raises(TaskTimeout):
        run(action(module))


def test_secrets_are_taken_out_of_all_that_is_returned() -> None:
    plugin = action(some({"findings": [{"title": f"said {SECRET}"}]}))
    plugin._task.args["login_password"] = SECRET
    result = run(plugin)
    assert SECRET not in json.dumps(result)
    assert result["invocation"]["module_args"]["target"] == "a"


PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  vars:
    marked: "{{ lookup('ansible.builtin.env', 'SECRET') }}"
  tasks:
    - nexuscos.ops.redis_health:
        target: "{{ 'redis' ~ 1 }}"
        login_host: 127.0.0.1
        login_port: PORT
        login_user: monitor
        login_password: "{{ marked }}"
        connect_timeout: 2
        thresholds: {redis.memory: {target: 75, alert: 90}}
        include_ok: true
      register: found
    - nexuscos.ops.redis_health:
        target: redis1
        login_host: 127.0.0.1
        thresholds: {redis.memori: {target: 1}}
      register: typo
      ignore_errors: true
    - nexuscos.ops.redis_health:
        target: redis1
        login_host: 127.0.0.1
        login_hots: 127.0.0.1
      register: unknown
      ignore_errors: true
    - ansible.builtin.copy:
        content: "{{ {'found': found, 'typo': typo, 'unknown': unknown} | to_json }}"
        dest: RESULT
        mode: "0600"
"""


def test_with_ansible_itself_it_is_the_same_both_ways(tmp_path: Path) -> None:
    results = {}
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        for way in (True, False):
            result = tmp_path / f"{way}.json"
            playbook = tmp_path / f"{way}.yml"
            text = PLAYBOOK.replace("PORT", str(closed.getsockname()[1])).replace("RESULT", str(result))
            playbook.write_text(text, encoding="utf-8")
            command = [sys.executable, "-m", "ansible", "playbook", str(playbook), "-vvv"]
            command += ["-e", json.dumps({"nexuscos_own_process": way})]
            done = subprocess.run(
                command,
                cwd=ROOT, env={**os.environ, "SECRET": SECRET, "ANSIBLE_STDOUT_CALLBACK": "default"},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
            assert SECRET not in done.stdout + done.stderr
            assert ("is sent as a module" in done.stdout) is way
            results[way] = json.loads(result.read_text(encoding="utf-8"))
    sent, here = results[True], results[False]
    for answer in (*sent.values(), *here.values()):
        for key in ("facts", "invocation", "exception"):
            answer.pop(key, None)
    assert here["found"] == sent["found"]
    assert here["found"]["findings"][0]["status"] == "critical"
    assert here["typo"]["msg"] == sent["typo"]["msg"]
    assert "redis.memory" in here["typo"]["msg"]
    for one in (here["unknown"], sent["unknown"]):
        assert "login_hots" in one["msg"]

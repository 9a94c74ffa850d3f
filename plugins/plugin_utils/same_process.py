# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a look can be taken in Ansible's own worker process instead of in a module that is sent.

For a module Ansible packs the code and all that it imports into an archive, starts an interpreter, and unpacks and
compiles it again, for every system: half of what a morning costs. A worker of Ansible is a process of its own already.
Where it has the same interpreter, user and environment as the module would have, the look is taken in it.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

SWITCH = "nexuscos_own_process"
"""Variable; when it is true, every look is a module of its own."""

INTERPRETER = "ansible_python_interpreter"


def why_not(action: ActionBase, task_vars: dict[str, Any]) -> str:
    """What would be different from a module of its own, in a few words; empty where nothing would."""
    task, connection, template = action._task, action._connection, action._templar.template  # noqa: SLF001
    if boolean(template(task_vars.get(SWITCH, False)), strict=False):
        return f"{SWITCH} is set"
    if connection.transport != "local":
        return f"connection {connection.transport}"
    if connection.become is not None:
        return "become"
    if task.async_val:
        return "async"
    environment: dict[str, Any] = {}
    action._compute_environment_string(environment)  # noqa: SLF001
    if environment:
        return "environment"
    of_host = task_vars.get("ansible_delegated_vars", {}).get(task.delegate_to, {}) if task.delegate_to else task_vars
    interpreter = str(template(of_host.get(INTERPRETER, "")) or "is discovered")
    if os.path.abspath(interpreter) != os.path.abspath(sys.executable):
        return f"interpreter {interpreter}"
    return ""


def plain(params: dict[str, Any]) -> dict[str, Any]:
    """Options as a module gets them. A library need not know the marks that Ansible puts on its own strings."""
    found: dict[str, Any] = json.loads(json.dumps(params))
    return found

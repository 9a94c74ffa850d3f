# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: where the recording of one system and module is."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: recording_path
short_description: The file of a bundle that holds one system's recording
version_added: 0.1.0
author: Nexus COS operations (@nexuscos)
description:
  - A bundle is a folder with one file for each system and module, C(<folder>/<host>/<module>.json.gz).
  - A relative folder is meant from where the playbook is started, not from where a module happens to run.
positional: host, module
options:
  _input:
    description: The folder of the bundle.
    type: str
    required: true
  host:
    description: Inventory name of the system.
    type: str
    required: true
  module:
    description: Short name of the observing module.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Where is it?
  ansible.builtin.debug:
    msg: "{{ 'bundle' | nexuscos.ops.recording_path('db1', 'postgres_health') }}"
"""

RETURN = r"""
_value:
  description: The absolute path.
  type: str
"""


def recording_path(folder: str, host: str, module: str) -> str:
    """See DOCUMENTATION."""
    for name in (host, module):
        if not name or "/" in name or name in (".", ".."):
            raise AnsibleFilterError("recording_path: %r cannot be the name of a folder or file" % name)
    return os.path.join(os.path.abspath(os.path.expanduser(folder)), host, "%s.json.gz" % module)


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"recording_path": recording_path}

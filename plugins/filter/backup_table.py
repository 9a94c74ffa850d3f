# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: the rows of a run of backups as lines to read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import outcome

DOCUMENTATION = r"""
name: backup_table
short_description: The rows of a run of backups or verifications as lines to read
version_added: 0.1.0
author: Nexus COS operations
description:
  - System, set, size, time, level, last proof and outcome, one beneath the other. With the place before them where
    there are several.
options:
  _input:
    description: What P(nexuscos.ops.backup_rows#filter) returns, also of several hosts together.
    type: list
    elements: dict
    required: true
seealso:
  - plugin: nexuscos.ops.backup_rows
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Tell what came of it
  ansible.builtin.debug:
    msg: "{{ backups.results | nexuscos.ops.backup_rows(['nexusdb', 'redis']) | nexuscos.ops.backup_table }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""


def backup_table(rows: Any) -> list[str]:
    """See DOCUMENTATION."""
    if isinstance(rows, (str, Mapping)) or not hasattr(rows, "__iter__"):
        raise AnsibleFilterError("backup_table: want the rows of backup_rows, got %s" % type(rows).__name__)
    try:
        return outcome.table(list(rows))
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError("backup_table: want the rows of backup_rows: %r" % error) from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names and functions."""
        return {"backup_table": backup_table}

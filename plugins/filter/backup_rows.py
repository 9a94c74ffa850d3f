# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: a row for each system of a run, whatever happened to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import outcome

DOCUMENTATION = r"""
name: backup_rows
short_description: A row for each system of a run of backups or verifications
version_added: 0.1.0
author: Nexus COS operations
description:
  - Makes rows of what M(nexuscos.ops.postgres_backup), M(nexuscos.ops.redis_backup), M(nexuscos.ops.mongodb_backup) or
    M(nexuscos.ops.backup_verify) answered in a loop. A system without an answer has a row, too, that says so.
  - P(nexuscos.ops.backup_table#filter) makes lines of them.
positional: systems
options:
  _input:
    description: The results of a loop over names of systems, or of a loop over such results (C(async_status)).
    type: list
    elements: dict
    required: true
  systems:
    description: Names of the systems that were to be done.
    type: list
    elements: str
    required: true
  listed:
    description: RV(nexuscos.ops.backup_sets#module:systems), for the proofs.
    type: list
    elements: dict
    default: []
  place:
    description: Name of the host that keeps the sets.
    type: str
    default: ''
seealso:
  - plugin: nexuscos.ops.backup_table
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Name the systems that failed
  ansible.builtin.debug:
    msg: "{{ rows | rejectattr('good') | map(attribute='system') }}"
  vars:
    rows: "{{ backups.results | nexuscos.ops.backup_rows(['nexusdb', 'redis']) }}"
"""

RETURN = r"""
_value:
  description: >-
    Mappings with C(place), C(system), C(good), C(msg), C(stamp), C(bytes), C(seconds), C(level), C(restore_seconds),
    C(proven_level), C(proven_age_s), C(proven_restore_seconds) and C(exposure_s).
  type: list
  elements: dict
"""


def backup_rows(results: Any, systems: Any, listed: Any = (), place: str = "") -> list[dict[str, Any]]:
    """See DOCUMENTATION."""
    for what, value in (("the input", results), ("systems", systems), ("listed", listed)):
        if isinstance(value, (str, Mapping)) or not hasattr(value, "__iter__"):
            raise AnsibleFilterError("backup_rows: %s is a list, got %s" % (what, type(value).__name__))
    return outcome.rows(results, list(systems), listed, place)


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names and functions."""
        return {"backup_rows": backup_rows}

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: what has to be found of the systems that are backed up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils._backup import remote

DOCUMENTATION = r"""
name: backup_expected
short_description: What backup_health has to find of the systems that are backed up
version_added: 0.1.0
author: Nexus COS operations
description:
  - Makes the option O(nexuscos.ops.backup_health#module:systems) of the systems that P(nexuscos.ops.backup#role) backs
    up, so that they are described once. Names, schedule and proof are taken, and no password.
  - Where there is another place that the sets are copied to, three copies of each are wanted.
positional: judged, offsite
options:
  _input:
    description: The systems, as C(nexuscos_backup_systems) has them.
    type: list
    elements: dict
    required: true
  judged:
    description:
      - Systems that are described for M(nexuscos.ops.backup_health) already. They come first, and stay as they are.
    type: list
    elements: dict
    default: []
  offsite:
    description:
      - The other place, as C(nexuscos_backup_offsite) has it, a mapping with C(repository), or a list of them.
    type: raw
    default: {}
"""

EXAMPLES = r"""
- name: Judge what is backed up
  nexuscos.ops.backup_health:
    target: "{{ inventory_hostname }}"
    systems: "{{ nexuscos_backup_systems | nexuscos.ops.backup_expected }}"
"""

RETURN = r"""
_value:
  description:
    - Mappings with C(name), and C(every), C(level) and C(verify) where the system has them, and C(copies) and
      C(offsite) where there is another place.
  type: list
  elements: dict
"""

_TAKEN = ("name", "every", "level", "verify", "copies", "offsite")


def backup_expected(systems: Any, judged: Any = (), offsite: Any = None) -> list[dict[str, Any]]:
    """See DOCUMENTATION."""
    for what, value in (("the systems", systems), ("judged", judged)):
        if not isinstance(value, (list, tuple)) or not all(isinstance(one, Mapping) for one in value):
            raise AnsibleFilterError("backup_expected: %s are a list of mappings" % what)
    known = {one.get("name") for one in judged}
    wanted = _wanted(offsite)
    found = [
        {**wanted, **{key: one[key] for key in _TAKEN if key in one}} for one in systems if one.get("name") not in known
    ]
    return [*(dict(one) for one in judged), *found]


def _wanted(offsite: Any) -> dict[str, Any]:
    """How many copies there have to be, by the places that sets are copied to."""
    places = [offsite] if isinstance(offsite, Mapping) else offsite or []
    if not isinstance(places, (list, tuple)) or not all(isinstance(one, Mapping) for one in places):
        raise AnsibleFilterError("backup_expected: offsite is a mapping with repository, or a list of them")
    places = [one for one in places if one.get("repository")]
    if not places:
        return {}
    away = any(
        bool(one["offsite"])
        if one.get("offsite") is not None
        else remote.is_elsewhere(str(one.get("engine", "restic")), str(one["repository"]))
        for one in places
    )
    return {"copies": 2 + len(places), "offsite": away}


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names and functions."""
        return {"backup_expected": backup_expected}

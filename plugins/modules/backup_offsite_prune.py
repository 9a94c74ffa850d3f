#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thin: options, documentation, and the call of module_utils/_backup/offsite_prune.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_offsite_prune
short_description: Remove old copies of sets in another place, and say why each other one stays
version_added: 0.1.0
author:
  - Nexus COS operations (@nexuscos)
description:
  - Thins out what M(nexuscos.ops.backup_offsite) has copied to a repository of restic or a remote of rclone, by the
    same rules as M(nexuscos.ops.backup_prune) thins out the sets here.
  - >-
    Whatever the rules say, these stay: the newest copy of each system; the newest one that is proven to O(level), to
    any higher one, and every copy that is younger than that; copies from the future; those whose manifest cannot be
    read; those whose set here was refuted, as they may be the whole ones; all copies of a system of which there is no
    set here, or that somebody verifies or copies at this moment.
  - What is proven of a set stands in its manifest here. Of one that is gone here, the manifest counts that was sent
    with it.
  - From a repository of restic the snapshots are forgotten, and then it is pruned, once. From a remote of rclone the
    manifest goes first, so that half a copy is never taken for one; what a removal that broke off has left goes the
    next time. Nothing else in that place is touched.
  - The account that O(environment) names has to be one that may remove.
options:
  systems:
    description: Names of systems. Without any, all of which there is a copy.
    type: list
    elements: str
    default: []
  keep:
    description:
      - What stays of a system that is not in O(keep_of), as O(nexuscos.ops.backup_prune#module:keep) has it. Empty
        keeps all of it.
    type: dict
    default: {}
  keep_of:
    description: What stays of single systems, by name, each as O(keep).
    type: dict
    default: {}
  level:
    description: The proof that is wanted of a younger copy before older ones may go.
    type: int
    choices: [1, 2, 3, 4, 5]
    default: 3
extends_documentation_fragment:
  - nexuscos.ops.other_place
attributes:
  check_mode:
    description: Asks the repository, says what would go and why each other copy stays, and writes nothing.
    support: full
  diff_mode:
    description: Returns the copies before and after.
    support: full
  idempotent:
    description: Running it again at once removes nothing further.
    support: full
  platform:
    description: Where it runs.
    platforms: posix
    support: full
seealso:
  - module: nexuscos.ops.backup_offsite
  - module: nexuscos.ops.backup_prune
"""

EXAMPLES = r"""
- name: Keep a year of copies in the other building
  nexuscos.ops.backup_offsite_prune:
    repository: sftp:backup@far.example.com:/sets
    password_file: /etc/nexuscos/restic.password
    keep: {within: 7d, weekly: 8, monthly: 12}
  become: true

- name: See what would go of the plain copies in a bucket, and why the others stay
  nexuscos.ops.backup_offsite_prune:
    engine: rclone
    repository: far:nexus-sets
    environment: {RCLONE_CONFIG: /etc/nexuscos/rclone.conf}
    keep_of:
      nexusdb: {daily: 14, monthly: 12}
  check_mode: true
  become: true
  register: plan

- name: Show it
  ansible.builtin.debug:
    var: plan.lines
"""

RETURN = r"""
msg:
  description: What was removed, in one line.
  returned: success
  type: str
  sample: 'sftp:backup@far.example.com:/sets: removed 3 copies; 24 stay'
repository:
  description: The repository, without passwords.
  returned: success
  type: str
systems:
  description: The systems that have copies there, and rules.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The system.
      returned: success
      type: str
      sample: nexusdb
    busy:
      description: Who is at work on it, so that all of its copies stay. C(null) where nobody is.
      returned: success
      type: str
    leftovers:
      description: Stamps of half copies that were removed, or would be.
      returned: success
      type: list
      elements: str
    sets:
      description: Its copies, the newest first.
      returned: success
      type: list
      elements: dict
      contains:
        stamp:
          description: Name of its run's folder.
          returned: success
          type: str
          sample: 2026-11-29T060000Z
        here:
          description: Whether the set is here as well.
          returned: success
          type: bool
        stays:
          description: Whether the copy stays.
          returned: success
          type: bool
        why:
          description: The reasons, all of them.
          returned: success
          type: list
          elements: str
          sample: [it is the newest, daily 1 of 7 (2026-11-29)]
        ahead:
          description: Whether it is from the future.
          returned: success
          type: bool
removed:
  description: The copies that were removed, or would be, as C(<stamp>/<system>).
  returned: success
  type: list
  elements: str
busy:
  description: Systems that somebody is at work on, so that nothing of them was removed.
  returned: success
  type: list
  elements: str
future:
  description: Copies from the future, as C(<stamp>/<system>).
  returned: success
  type: list
  elements: str
lines:
  description: All copies with their reasons, as lines to read.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._backup import offsite_prune
from ..module_utils._core.errors import OpsError


def main() -> None:
    """Remove copies, or say which would go."""
    module = AnsibleModule(supports_check_mode=True, **offsite_prune.spec().to_kwargs())
    try:
        module.exit_json(**offsite_prune.run(module.params, module.check_mode))
    except OpsError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove the sets of backups that no rule keeps."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_prune
short_description: Remove old sets of backups, and say why each other one stays
version_added: 0.1.0
author:
  - Nexus COS operations (@nexuscos)
description:
  - Thins out the sets of each system by O(keep). The newest set of each of the last so many hours, days, weeks, months
    and years stays, by the time in the name of its run's folder, in UTC.
  - >-
    Whatever the rules say, these stay: the newest set; the newest set that is proven to O(level), to any higher one,
    and every set that is younger than that; the set that C(latest) leads to; sets from the future; sets whose manifest
    cannot be read; and all sets of a system that somebody backs up, restores or verifies at this moment.
  - A set whose newest verification failed takes no place of another one in the rules, and one of which a file is gone
    or has another size than its manifest says is no proof any more, whatever was proven of it.
  - A set goes by a rename first, so that a removal that is broken off leaves no half set under a good name. What runs
    that were killed have left goes as well.
options:
  path:
    description: Folder of the backups, on the host where the module runs.
    type: path
    default: /backups/nexus-cos
  systems:
    description: Names of systems. Without any, all systems of which there is a set.
    type: list
    elements: str
    default: []
  keep:
    description:
      - What stays. At least one of these has to be there.
      - C(last), the newest so many sets. C(hourly), C(daily), C(weekly), C(monthly) and C(yearly), the newest set of
        each of the newest so many of these periods in which there is a set.
      - C(within), all sets that are younger, such as C(48h), C(7d) or C(2w).
    type: dict
    required: true
  level:
    description:
      - The proof that is wanted of a younger set before older ones may go, V(3) is restored into an isolated instance.
      - Where no set of a system has reached it, the highest level that one has reached stands in. Where no set was ever
        verified, none goes.
    type: int
    choices: [1, 2, 3, 4, 5]
    default: 3
  lock_wait:
    description:
      - Seconds to wait for another one to end who backs up, restores or verifies a system. After that its sets stay.
    type: float
    default: 0.0
attributes:
  check_mode:
    description: Can run in check mode and say what would go, and why each other set stays. Writes nothing.
    support: full
  diff_mode:
    description: Returns the sets before and after.
    support: full
  idempotent:
    description: Running it again at once removes nothing further.
    support: full
  platform:
    description: Where it runs.
    platforms: posix
    support: full
seealso:
  - module: nexuscos.ops.backup_sets
  - module: nexuscos.ops.backup_verify
"""

EXAMPLES = r"""
- name: Keep a day of sets, then one a day for a week, one a week for a month, one a month for a year
  nexuscos.ops.backup_prune:
    path: /backups/nexus-cos
    keep: {within: 24h, daily: 7, weekly: 5, monthly: 12}
  become: true

- name: See what would go of one system, and why the others stay
  nexuscos.ops.backup_prune:
    systems: [nexusdb]
    keep: {last: 4, daily: 7}
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
  sample: removed 22 sets, 1.1 GB; 31 stay
systems:
  description: The systems, by name.
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
      description: Who is at work on it, so that all of its sets stay. C(null) where nobody is.
      returned: success
      type: str
    leftovers:
      description: Half sets of runs that were killed, which were removed.
      returned: success
      type: list
      elements: str
    sets:
      description: Its sets, the newest first.
      returned: success
      type: list
      elements: dict
      contains:
        stamp:
          description: Name of its run's folder.
          returned: success
          type: str
          sample: 2026-11-29T060000Z
        path:
          description: Its folder.
          returned: success
          type: str
        bytes:
          description: Its size.
          returned: success
          type: int
        stays:
          description: Whether it stays.
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
  description: Folders of the sets that were removed, or would be.
  returned: success
  type: list
  elements: str
bytes:
  description: Size of these.
  returned: success
  type: int
busy:
  description: Systems that somebody is at work on, so that nothing of them was removed.
  returned: success
  type: list
  elements: str
future:
  description: >-
    Sets from the future, as C(<stamp>/<system>). A clock was wrong when they were made, or is now. Move them away when
    it is right.
  returned: success
  type: list
  elements: str
lines:
  description: All sets with their reasons, as lines to read.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._backup import prune
from ..module_utils._core.errors import OpsError


def main() -> None:
    """Remove sets, or say which would go."""
    module = AnsibleModule(supports_check_mode=True, **prune.spec().to_kwargs())
    try:
        module.exit_json(**prune.run(module.params, module.check_mode))
    except OpsError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()

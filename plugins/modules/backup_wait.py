#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done on the controller, in plugins/action."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_wait
short_description: Wait for backups, and show how far they are
version_added: 0.1.0
author: Nexus COS operations (@nexuscos)
description:
  - Waits for modules such as M(nexuscos.ops.postgres_backup) that a loop has begun in the background (C(async) with
    C(poll=0)), and takes what came of each.
  - Shows while it waits how much of each is written, how fast, at which table it is, and when it will be done if it
    takes as many bytes as the last set. On a terminal this is one line that is rewritten, in a log a line a minute.
    That it cannot be had fails nothing.
  - Does not fail where a backup has failed. Look at RV(results).
options:
  jobs:
    description: RV(ignore:results) of the loop over names of systems that began them.
    type: list
    elements: dict
    required: true
  path:
    description: Folder of the sets.
    type: path
    default: /backups/nexus-cos
  deadline:
    description: Seconds to wait. What is not done by then goes on, and is told as not done in time.
    type: float
    default: 18000
attributes:
  action:
    description: Has an action plugin of the same name, and asks the host only how far it is.
    support: full
  check_mode:
    description: Can run in check mode and say what it would do.
    support: full
    details: The same as without; there is nothing in the background then.
  diff_mode:
    description: Returns details on what has changed, or would change.
    support: none
  idempotent:
    description: Running it again with the same options changes nothing further.
    support: none
    details: The host forgets a job when its outcome was taken.
seealso:
  - module: nexuscos.ops.backup_sets
  - plugin: nexuscos.ops.backup_rows
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Begin
  nexuscos.ops.redis_backup:
    system: "{{ item }}"
    login_host: "{{ item }}.example.com"
  loop: [sessions, cache]
  async: 3600
  poll: 0
  register: begun

- name: Wait until both are done
  nexuscos.ops.backup_wait:
    jobs: "{{ begun.results }}"
    deadline: 3600
  register: waited
"""

RETURN = r"""
results:
  description:
    - What came of each job, as its module returned it, and C(item), which P(nexuscos.ops.backup_rows#filter) knows.
      C(finished) is false where it was not done in time.
  returned: success
  type: list
  elements: dict
late:
  description: Systems that were not done in time.
  returned: success
  type: list
  elements: str
  sample: []
bad:
  description: Systems that failed.
  returned: success
  type: list
  elements: str
  sample: [cache]
msg:
  description: How many were done.
  returned: success
  type: str
  sample: '1 of 2 done; failed: cache'
"""

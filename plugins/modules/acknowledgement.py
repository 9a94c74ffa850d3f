#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done on the controller, in plugins/action."""

from __future__ import annotations

DOCUMENTATION = r"""
module: acknowledgement
short_description: Acknowledge a finding, or take that back
version_added: 0.1.0
author: Nexus COS operations (@nexuscos)
description:
  - Says that somebody knows of a finding, why it may stay, and until when. From the next run on it does not fail the
    job, and the report folds it into one line.
  - What an acknowledged cause explains goes with it.
  - It ends when it expires, when a run sees the finding worse than it was when it was acknowledged, and when a run has
    looked for the finding in vain. The report says so, and the finding counts again.
  - It is kept in the history (O(history_url)) of a platform, and holds for all procedures and all controllers that
    share it.
requirements:
  - SQLAlchemy >= 2.0 (on the controller)
options:
  state:
    description: Whether the finding should be acknowledged.
    type: str
    choices: [present, absent]
    default: present
  fingerprint:
    description:
      - The finding, as the report shows it; its first characters are enough, at least six.
      - It has to be a finding of the last runs. Without it, O(check) and O(object) say which is meant.
    type: str
    default: ''
  check:
    description: Its check, such as V(postgres.size).
    type: str
    default: ''
  object:
    description: Its object, exactly as the report shows it.
    type: str
    default: ''
  by:
    description: Who acknowledges. Empty is the user who runs Ansible.
    type: str
    default: ''
  reason:
    description: Why it may stay. Wanted where O(state=present).
    type: str
    default: ''
  expires:
    description:
      - When it ends by itself, wanted where O(state=present). A duration from now (V(36h), V(7d), V(2w)), or a
        time or date as in ISO 8601. A time without a zone is UTC, a date means its end.
      - A duration is counted from the first time it is asked for, not anew by every run of the task.
    type: str
    default: ''
    aliases: [until]
  platform:
    description: Name of the platform, as in its reports (C(nexuscos_platform)).
    type: str
    default: platform
  dir:
    description: Where reports are kept, and C(history.sqlite) with them.
    type: str
    default: reports
  history_url:
    description: Where runs are kept. See O(nexuscos.ops.run_report#module:history_url).
    type: str
    default: ''
attributes:
  action:
    description: Has an action plugin of the same name, and does all of its work on the controller.
    support: full
  check_mode:
    description: Can run in check mode and say what it would do.
    support: full
  diff_mode:
    description: Returns details on what has changed, or would change.
    support: full
  idempotent:
    description: Running it again with the same options changes nothing further.
    support: full
seealso:
  - module: nexuscos.ops.run_report
"""

EXAMPLES = r"""
- name: Know of the full disk until the new one is there
  nexuscos.ops.acknowledgement:
    fingerprint: 3fa2c1d09b7e
    reason: new disk on Monday
    expires: 3d
    platform: "{{ nexuscos_platform }}"
  delegate_to: localhost
  run_once: true

- name: Count it again
  nexuscos.ops.acknowledgement:
    check: postgres.size
    object: db1/nexusdb
    state: absent
    platform: "{{ nexuscos_platform }}"
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
acknowledgement:
  description: What holds now. C(null) where the finding is not acknowledged.
  returned: success
  type: dict
  contains:
    fingerprint:
      description: The finding.
      returned: success
      type: str
    check:
      description: Its check.
      returned: success
      type: str
    object:
      description: Its object.
      returned: success
      type: str
    by:
      description: Who acknowledged it.
      returned: success
      type: str
    reason:
      description: Why it may stay.
      returned: success
      type: str
    status:
      description: How bad the finding was then. When it gets worse, the acknowledgement ends.
      returned: success
      type: str
    created:
      description: When it was acknowledged, in UTC.
      returned: success
      type: str
    until:
      description: When that ends by itself, in UTC.
      returned: success
      type: str
  sample:
    fingerprint: 3fa2c1d09b7e4f1f0a5f6f0e9d8c7b6a5f4e3d2c1b0a99887766554433221100
    check: postgres.size
    object: db1/nexusdb
    by: ops
    reason: new disk on Monday
    status: warning
    created: "2026-11-22T06:10:00Z"
    until: "2026-11-25T06:10:00Z"
finding:
  description: The finding that is meant, as it was last seen.
  returned: success
  type: dict
  sample:
    fingerprint: 3fa2c1d09b7e4f1f0a5f6f0e9d8c7b6a5f4e3d2c1b0a99887766554433221100
    check: postgres.size
    object: db1/nexusdb
    status: warning
    title: nexusdb has 81 GB
msg:
  description: How it is now.
  returned: always
  type: str
"""

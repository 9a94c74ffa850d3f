#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done on the controller, in plugins/action."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_render
short_description: Tell a run that is kept in the history, or compare two
version_added: 0.1.0
author: Nexus COS operations (@nexuscos)
description:
  - Prints the report of an earlier run as it was told then, and writes its files where O(dest) says so.
  - With O(compare_with) it says what changed between two runs, whatever lies between them.
  - Reads the history and never writes to it. The platform is not contacted.
requirements:
  - SQLAlchemy >= 2.0 (on the controller)
options:
  run:
    description:
      - Id of the run, or any part of it that no other has.
      - V(latest) is the newest; V(list) prints the newest runs and no report.
    type: str
    default: latest
  compare_with:
    description: The run that is taken for the last one before it, as in O(run); V(previous) for the one before it.
    type: str
    default: ''
  procedure:
    description: The procedure of which V(latest), V(previous) and V(list) speak.
    type: str
    default: daily_morning
  platform:
    description: The platform of which they speak (C(nexuscos_platform)).
    type: str
    default: platform
  dest:
    description: Folder for C(report.json), C(report.md) and C(report.html). Empty writes none.
    type: str
    default: ''
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
    details: Prints the report and writes no file.
  diff_mode:
    description: Returns details on what has changed, or would change.
    support: none
  idempotent:
    description: Running it again with the same options changes nothing further.
    support: full
seealso:
  - module: nexuscos.ops.run_report
  - module: nexuscos.ops.acknowledgement
"""

EXAMPLES = r"""
- name: What has changed since the release
  nexuscos.ops.run_render:
    run: latest
    compare_with: daily_morning-2026-11-18
    dest: since-the-release
    platform: "{{ nexuscos_platform }}"
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
report:
  description: The report, as C(report.json) has it. C(null) for a list.
  returned: success
  type: dict
runs:
  description: The newest runs of the procedure on the platform, newest first.
  returned: success
  type: list
  elements: dict
path:
  description: Where the files are. C(null) where none were written.
  returned: success
  type: str
msg:
  description: Which run was told.
  returned: always
  type: str
"""

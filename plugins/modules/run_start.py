#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done on the controller, in plugins/action."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_start
short_description: Begin a run of a procedure
version_added: 0.1.0
author: Nexus COS operations (@nexuscos)
description:
  - Notes when the run began and gives it an id, for M(nexuscos.ops.run_report) at its end.
  - Refuses at once what would otherwise only be noticed after everything has been looked at.
options:
  procedure:
    description: The procedure whose checklist is walked through.
    type: str
    required: true
    choices: [backup, backup_verify, daily_end_of_day, daily_morning, daily_watch, restore, weekly_restore_test]
  fail_on:
    description: What will fail the job. Only checked here; M(nexuscos.ops.run_report) acts on it.
    type: str
    choices: [never, unknown, warning, critical]
    default: critical
  dir:
    description:
      - Where reports are kept. A journal of the run is written there, so that the next M(nexuscos.ops.run_report) tells
        what a run has done that was interrupted or killed. Empty writes none.
    type: str
    default: ''
attributes:
  action:
    description: Has an action plugin of the same name, and does all of its work on the controller.
    support: full
  check_mode:
    description: Can run in check mode and say what it would do.
    support: full
    details: The same as without.
  diff_mode:
    description: Returns details on what has changed, or would change.
    support: none
  idempotent:
    description: Running it again with the same options changes nothing further.
    support: full
seealso:
  - module: nexuscos.ops.run_report
"""

EXAMPLES = r"""
- name: Note when the morning began
  nexuscos.ops.run_start:
    procedure: daily_morning
  run_once: true
  register: nexuscos_run
"""

RETURN = r"""
run:
  description: The run, for O(nexuscos.ops.run_report#module:run).
  returned: success
  type: dict
  contains:
    id:
      description: Unique name of the run.
      returned: success
      type: str
    procedure:
      description: The procedure.
      returned: success
      type: str
    journal:
      description: Path of its journal, empty where there is none.
      returned: success
      type: str
    started:
      description: When it began, in UTC.
      returned: success
      type: str
    clock:
      description: Seconds of a clock that is never set, to measure the duration with.
      returned: success
      type: float
  sample:
    id: daily_morning-2026-11-22T06-00-00Z-3fa2
    procedure: daily_morning
    started: "2026-11-22T06:00:00Z"
    clock: 81234.5
"""

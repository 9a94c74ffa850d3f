#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done on the controller, in plugins/action."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_report
short_description: End a run of a procedure with its report
version_added: 0.1.0
author: Nexus COS operations (@nexuscos)
description:
  - Gathers what the observing roles kept for every host of the play, finds causes, and prints the report.
  - Writes C(report.json), C(report.md), C(report.html), C(report.junit.xml) and C(report.prom) under
    C(<dir>/<procedure>/<UTC time>/), and lets C(<dir>/<procedure>/latest) lead there.
  - Fails after that where O(fail_on) says so, where the files could not be written, and, whatever O(fail_on) says,
    where a system was not looked at because of a wrong option.
  - Run it once, in a play over the same hosts as the looks, with the C(linear) strategy.
options:
  procedure:
    description: The procedure whose checklist was walked through.
    type: str
    required: true
    choices: [backup, backup_verify, daily_end_of_day, daily_morning, daily_watch, restore, weekly_restore_test]
  run:
    description: RV(nexuscos.ops.run_start#module:run). Without it the report knows no duration.
    type: dict
    default: {}
  fail_on:
    description:
      - The mildest finding that fails the job. From mild to severe, V(warning), V(unknown), V(critical).
      - V(unknown) fails for what is critical or could not be seen, V(warning) for any finding, V(never) for none.
    type: str
    choices: [never, unknown, warning, critical]
    default: critical
  dir:
    description: Where reports are kept, relative to where the playbook was started.
    type: str
    default: reports
  keep:
    description: How many reports of this procedure stay; older ones are removed. V(0) keeps all.
    type: int
    default: 0
  textfile:
    description:
      - File, in a folder that a node exporter's textfile collector reads, for the run's numbers in Prometheus' format,
        such as C(/var/lib/prometheus/node-exporter/nexuscos.prom). Empty writes none. That it cannot be written is a
        warning.
      - The same text lies beside every report as C(report.prom).
    type: str
    default: ''
  tell:
    description:
      - V(all) prints the whole report, V(changes) only what changed since the last run of the procedure, as a round of
        the watch does. The files are the same.
    type: str
    choices: [all, changes]
    default: all
  maintenance:
    description:
      - Planned maintenance windows, each with C(title), C(start), C(end) (ISO 8601 with a zone), and perhaps C(systems)
        (inventory names) and C(owner). The end of day tells those that are open or begin within a week, and what is
        wrong with one.
    type: list
    elements: raw
    default: []
  handoff_note:
    description: A person's words for the next one, put on the handoff page C(handoff.md) of the end of day.
    type: str
    default: ''
  history_url:
    description:
      - Where runs are kept, so that a report can tell what changed since the last one. C(sqlite:///FILE), or
        C(postgresql+psycopg://USER@HOST/DATABASE) with the password in E(PGPASSWORD) or the password file of libpq.
      - Empty is C(history.sqlite) in O(dir). V(none) keeps no history.
      - A history that cannot be read or written, and a missing library, are a line of the report and never fail the
        run.
    type: str
    default: ''
  history_keep_runs:
    description: How many runs of this procedure on this platform stay in the history. V(0) keeps all.
    type: int
    default: 400
  history_keep_days:
    description: How many days a run of this procedure stays in the history. V(0) keeps all.
    type: int
    default: 400
  platform:
    description: Name of the platform in the report.
    type: str
    default: ''
  services:
    description: The services and what each depends on, as a mapping of name to C(namespace) and C(depends_on).
    type: dict
    default: {}
  systems:
    description: Systems that services depend on and that are no services, as a mapping of name to C(title).
    type: dict
    default: {}
attributes:
  action:
    description: Has an action plugin of the same name, and does all of its work on the controller.
    support: full
  check_mode:
    description: Can run in check mode and say what it would do.
    support: full
    details: Prints the report and decides about the job; writes no file.
  diff_mode:
    description: Returns details on what has changed, or would change.
    support: none
  idempotent:
    description: Running it again with the same options changes nothing further.
    support: N/A
seealso:
  - module: nexuscos.ops.run_start
"""

EXAMPLES = r"""
- name: Tell what was found
  nexuscos.ops.run_report:
    procedure: daily_morning
    run: "{{ nexuscos_run.run }}"
    fail_on: unknown
    services: "{{ nexuscos_services }}"
  run_once: true
"""

RETURN = r"""
msg:
  description: Why the job fails, or how the run ended.
  returned: always
  type: str
fails:
  description: Whether the job fails; the same as C(failed), for a task that says C(failed_when).
  returned: always
  type: bool
path:
  description: Folder of the report that was written. C(null) in check mode and where writing failed.
  returned: always
  type: str
  sample: /srv/ops/reports/daily_morning/latest
summary:
  description: Counts by status, and the worst status.
  returned: always
  type: dict
  sample: {ok: 5210, warning: 3, critical: 1, unknown: 0, total: 5214, worst: critical}
checklist:
  description: The items of the checklist, with state, status and headline of each item.
  returned: always
  type: list
  elements: dict
delta:
  description:
    - What changed since the last run of this procedure on this platform. C(null) where nothing is known of before.
  returned: always
  type: dict
  sample:
    since: {run: daily_morning-2026-11-21T06-00-00Z-4af1, started: "2026-11-21T06:00:00Z"}
    new: 2
    worse: 1
    unchanged: 3
    better: 0
    resolved: []
    not_seen: []
history:
  description:
    - Whether the run is in the history, where that is, what went wrong with it, and which acknowledgements ended.
  returned: always
  type: dict
  sample: {kept: true, error: null, url: "sqlite:////srv/ops/reports/history.sqlite", ended: []}
coverage:
  description: How much of the checklist was really seen.
  returned: always
  type: dict
  sample: {seen: 96, expected: 99, share: 96.9, items_covered: 4, items_total: 8}
"""

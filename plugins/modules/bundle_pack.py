#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done on the controller, in plugins/action."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle_pack
short_description: Put the recordings of a run into a support bundle
version_added: 0.1.0
author: Nexus COS operations (@nexuscos)
description:
  - Makes one file of the recordings that a run wrote (C(nexuscos_record_dir)). The playbook C(nexuscos.ops.report)
    tells the report from it anywhere, with no access to the platform and without its inventory.
  - Recordings are redacted when they are written. Beside them the bundle holds names of systems and their groups, the
    dependency map, the thresholds and what else the inventory expects of a system, and what could not be recorded and
    why. How a system is reached, and as whom, is left out, and so is any variable that no role of this collection
    reads.
  - Run it after the looks, in the same playbook run, so that it can say what was not recorded.
options:
  recordings:
    description: The folder of the recordings, C(<folder>/<host>/<module>.json.gz).
    type: str
    required: true
  dest:
    description: The bundle, a C(.tar.gz) that only its owner may read. One that is there is replaced.
    type: str
    required: true
  platform:
    description: Name of the platform in the report.
    type: str
    default: platform
  services:
    description: The services and what each depends on (C(nexuscos_services)).
    type: dict
    default: {}
  systems:
    description: Systems that services depend on and that are no services (C(nexuscos_systems)).
    type: dict
    default: {}
attributes:
  action:
    description: Has an action plugin of the same name, and does all of its work on the controller.
    support: full
  check_mode:
    description: Can run in check mode and say what it would do.
    support: full
  diff_mode:
    description: Returns details on what has changed, or would change.
    support: none
  idempotent:
    description: Running it again with the same options changes nothing further.
    support: N/A
seealso:
  - module: nexuscos.ops.bundle_open
"""

EXAMPLES = r"""
- name: Pack what was recorded
  nexuscos.ops.bundle_pack:
    recordings: "{{ nexuscos_record_dir }}"
    dest: support.tar.gz
    platform: "{{ nexuscos_platform }}"
    services: "{{ nexuscos_services }}"
    systems: "{{ nexuscos_systems }}"
  run_once: true
"""

RETURN = r"""
dest:
  description: The absolute path of the bundle.
  returned: success
  type: str
recordings:
  description: What it holds.
  returned: success
  type: list
  elements: dict
  sample:
    - system: db1
      module: postgres_health
      recorded_at: "2026-11-22T06:00:03Z"
      bytes: 18231
      sha256: 3fa2c1d09b7e4f1f0a5f6f0e9d8c7b6a5f4e3d2c1b0a99887766554433221100
missing:
  description: What could not be recorded, and why.
  returned: success
  type: list
  elements: dict
  sample:
    - {system: db3, module: postgres_health, reason: "unreachable: no route to host"}
"""

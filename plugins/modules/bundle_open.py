#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done on the controller, in plugins/action."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle_open
short_description: Open a support bundle
version_added: 0.1.0
author: Nexus COS operations (@nexuscos)
description:
  - Checks a bundle that M(nexuscos.ops.bundle_pack) made, takes its recordings out into a temporary folder, and says
    which systems it speaks of.
  - A bundle may come from anybody. Only plain files with the names of recordings are taken out, and every checksum is
    compared.
options:
  path:
    description:
      - The bundle, or a folder of recordings as C(nexuscos_record_dir) makes it. A folder without a manifest knows no
        dependency map and no thresholds.
    type: str
    required: true
attributes:
  action:
    description: Has an action plugin of the same name, and does all of its work on the controller.
    support: full
  check_mode:
    description: Can run in check mode and say what it would do.
    support: full
    details: Takes the recordings out into the temporary folder, too, because what follows reads them there.
  diff_mode:
    description: Returns details on what has changed, or would change.
    support: none
  idempotent:
    description: Running it again with the same options changes nothing further.
    support: full
seealso:
  - module: nexuscos.ops.bundle_pack
"""

EXAMPLES = r"""
- name: Open it
  nexuscos.ops.bundle_open:
    path: support.tar.gz
  delegate_to: localhost
  register: opened
"""

RETURN = r"""
folder:
  description: Where the recordings are, for C(nexuscos_replay_dir).
  returned: success
  type: str
temporary:
  description:
    - The temporary folder, to be removed when all is done. In it is a file of variables for each system,
      C(variables/<system>.yml), of which nothing is templated.
  returned: success
  type: str
made:
  description: When the bundle was made. C(null) where it has no manifest.
  returned: success
  type: str
common:
  description: Variables of the whole platform.
  returned: success
  type: dict
systems:
  description:
    - Each system with C(name), C(groups), C(variables), C(missing) (what of it was not recorded and why), and
      C(unrecorded), the groups of which nothing was recorded.
  returned: success
  type: list
  elements: dict
missing:
  description: What was not recorded, and why.
  returned: success
  type: list
  elements: dict
"""

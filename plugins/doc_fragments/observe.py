# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options and attributes of every module that observes (`module_utils/_core/argspec.observe_spec`)."""

from __future__ import annotations


class ModuleDocFragment:
    """Modules extend this and set their own default of ``deadline``."""

    DOCUMENTATION = r"""
options:
  target:
    description:
      - Name of the system in the objects of findings, usually the inventory name.
    type: str
    required: true
  thresholds:
    description:
      - What good is (C(target)) and what is not acceptable (C(alert)), check by check, over the catalogue's defaults.
      - 'Each entry is C({target, alert, enabled, overrides}); C(overrides) is a list of
        C({match, target, alert, enabled}), where C(match) is a pattern for finding objects such as C(*/nexus-ai/*).'
      - Thresholds of checks of other modules are allowed, so that one inventory file serves all. An unknown check or
        key is an error that names the nearest known one.
    type: dict
    default: {}
  checks:
    description:
      - Ids or globs of the checks to answer. An empty list answers all checks of this module.
    type: list
    elements: str
    default: []
  deadline:
    description:
      - Seconds that the whole look may take. What was not seen by then is reported as not seen, never as healthy.
    type: float
  include_ok:
    description:
      - Whether RV(findings) also lists what is healthy, after what is not.
    type: bool
    default: false
  record_to:
    description:
      - File to write what was seen to, redacted, so that O(replay_from) can judge it again later and elsewhere.
        A name that ends in C(.gz) is compressed.
      - Mutually exclusive with O(replay_from).
    type: path
  replay_from:
    description:
      - A recording, written by O(record_to) of the same module, to judge instead of the live system.
        Nothing is contacted.
    type: path
attributes:
  check_mode:
    description: Can run in check mode and return what it would return without it.
    support: full
    details: The module changes nothing; with O(record_to) it writes the recording in check mode, too.
  diff_mode:
    description: Returns details on what has changed, or would change.
    support: none
    details: The module changes nothing.
  idempotent:
    description: Running it again with the same options changes nothing further.
    support: full
"""

#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: lab_state
short_description: Merge one component's part into the lab's state file
description:
  - C(lab.json) tells everybody what runs where. Components come up side by side, so each merges its own part under a
    lock.
options:
  change: {type: dict, required: true, description: Merged deeply into the file; a value of null removes its key.}
  lab_dir: {type: path, description: The lab's folder, default from E(NEXUSCOS_LAB_DIR).}
author: [Nexus COS operations (@nexuscos)]
"""

EXAMPLES = r"""
- name: Say that the cluster is there
  lab_state:
    change: {clusters: {us-east-1: {ready: true}}}
"""

RETURN = r"""
lab: {description: The state file afterwards., type: dict, returned: always}
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, env_fallback
from ansible.module_utils.nexuslab import state


def main() -> None:
    """Read the options, merge, answer with the whole."""
    module = AnsibleModule(
        argument_spec={
            "change": {"type": "dict", "required": True},
            "lab_dir": {"type": "path", "fallback": (env_fallback, ["NEXUSCOS_LAB_DIR"]), "required": True},
        },
        supports_check_mode=True,
    )
    path = Path(module.params["lab_dir"]) / "lab.json"
    if module.check_mode:
        before = state.read(path)
        after = state.merge(before, module.params["change"])
        module.exit_json(changed=before != after, lab=after)
    try:
        changed = state.update(path, module.params["change"])
    except OSError as error:
        module.fail_json(msg="%s cannot be written: %s" % (path, error))
    module.exit_json(changed=changed, lab=state.read(path))


if __name__ == "__main__":
    main()

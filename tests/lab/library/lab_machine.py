#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: lab_machine
short_description: Make or remove the machines of the lab
description:
  - A machine is a network namespace with one interface on the instance's bridge, an address and routes. The bridge is
    made first and,
    with O(bridge_state=absent), removed last.
options:
  machines:
    type: dict
    required: true
    description: Machines by name; each with C(netns), C(address) and C(routes) (a list of C(to), C(via)).
  bridge: {type: str, required: true, description: Name of the instance's bridge.}
  gateway: {type: str, required: true, description: Address of the bridge.}
  routes:
    type: list
    elements: dict
    default: []
    description: Routes of the machine that the lab runs on (C(to), C(via)).
  state: {type: str, choices: [present, absent], default: present, description: What is wanted.}
  bridge_state: {type: str, choices: [present, absent], description: What is wanted of the bridge, default as O(state).}
author: [Nexus COS operations (@nexuscos)]
"""

EXAMPLES = r"""
- name: Make the machines
  lab_machine:
    bridge: nx0
    gateway: 198.18.0.1
    machines: {db1: {netns: nx0-db1, address: 198.18.0.21, routes: [{to: 198.18.1.0/24, via: 198.18.0.13}]}}
"""

RETURN = r"""
machines: {description: Names of the machines that were made or removed., type: list, elements: str, returned: always}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nexuslab import network


def main() -> None:
    """Read the options, make or remove one machine after the other."""
    module = AnsibleModule(
        argument_spec={
            "machines": {"type": "dict", "required": True},
            "bridge": {"type": "str", "required": True},
            "gateway": {"type": "str", "required": True},
            "routes": {"type": "list", "elements": "dict", "default": []},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "bridge_state": {"type": "str", "choices": ["present", "absent"]},
        },
        supports_check_mode=True,
    )
    options, check = module.params, module.check_mode
    bridge_state = options["bridge_state"] or options["state"]
    changed, touched = False, []
    try:
        if bridge_state == "present":
            changed = network.ensure_bridge(options["bridge"], options["gateway"], options["routes"], check)
        for name, machine in options["machines"].items():
            if options["state"] == "absent":
                done = network.remove_machine(machine["netns"], check)
            else:
                done = network.ensure_machine(
                    options["bridge"],
                    machine["netns"],
                    options["gateway"],
                    machine["address"],
                    machine.get("routes") or [],
                    check,
                )
            if done:
                touched.append(name)
        if bridge_state == "absent":
            changed = network.remove_bridge(options["bridge"], check)
    except (network.NetworkError, KeyError, OSError) as error:
        module.fail_json(msg=str(error), machines=touched)
    module.exit_json(changed=changed or bool(touched), machines=touched)


if __name__ == "__main__":
    main()

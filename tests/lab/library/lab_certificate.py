#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: lab_certificate
short_description: Certificates of the lab
description:
  - Makes the authority when it is not there, and the wanted certificates in C(pki/<name>.crt) and C(pki/<name>.key)
    of the lab's folder.
    One that has the wanted names, is signed by the authority and is good for 60 more days stays.
options:
  certificates:
    type: list
    elements: dict
    default: []
    description: Wanted certificates, for servers and clients alike.
    suboptions:
      name: {type: str, required: true, description: File name without its ending.}
      ca: {type: str, default: ca, description: Name of the authority.}
      common_name: {type: str, description: Common name, default O(certificates[].name).}
      organization: {type: str, description: Organization; the group of a Kubernetes client.}
      dns: {type: list, elements: str, default: [], description: Host names.}
      ips: {type: list, elements: str, default: [], description: Addresses.}
      days: {type: int, default: 397, description: Days that it is good for.}
      owner: {type: str, description: User who owns the key, default the caller.}
      mode: {type: str, default: "0600", description: Mode of the key's file.}
  authorities: {type: list, elements: str, default: [ca], description: Names of the authorities to have.}
  lab_dir: {type: path, description: The lab's folder, default from E(NEXUSCOS_LAB_DIR).}
author: [Nexus COS operations (@nexuscos)]
"""

EXAMPLES = r"""
- name: A certificate for the edge
  lab_certificate:
    certificates: [{name: edge1, dns: [nexuscos.example.com], ips: [198.18.0.61]}]
"""

RETURN = r"""
issued: {description: Names of the certificates that were made., type: list, elements: str, returned: always}
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, env_fallback
from ansible.module_utils.nexuslab import pki, state

CERTIFICATE = {
    "name": {"type": "str", "required": True},
    "ca": {"type": "str", "default": "ca"},
    "common_name": {"type": "str"},
    "organization": {"type": "str"},
    "dns": {"type": "list", "elements": "str", "default": []},
    "ips": {"type": "list", "elements": "str", "default": []},
    "days": {"type": "int", "default": 397},
    "owner": {"type": "str"},
    "mode": {"type": "str", "default": "0600"},
}


def main() -> None:
    """Read the options, make what is not there."""
    module = AnsibleModule(
        argument_spec={
            "certificates": {"type": "list", "elements": "dict", "default": [], "options": CERTIFICATE},
            "authorities": {"type": "list", "elements": "str", "default": ["ca"]},
            "lab_dir": {"type": "path", "fallback": (env_fallback, ["NEXUSCOS_LAB_DIR"]), "required": True},
        },
        supports_check_mode=True,
    )
    folder = Path(module.params["lab_dir"]) / "pki"
    folder.mkdir(parents=True, exist_ok=True)
    issued = []
    try:
        with state.locked(folder / "pki"):
            issued += [
                name
                for name in module.params["authorities"]
                if pki.ensure_ca(folder, name, "Nexus COS lab %s" % name.upper(), module.check_mode)
            ]
            issued += [
                wanted["name"]
                for wanted in module.params["certificates"]
                if pki.ensure_certificate(folder, wanted, module.check_mode)
            ]
    except (OSError, ValueError, KeyError) as error:
        module.fail_json(msg="%s: %s" % (type(error).__name__, error), issued=issued)
    module.exit_json(changed=bool(issued), issued=issued)


if __name__ == "__main__":
    main()

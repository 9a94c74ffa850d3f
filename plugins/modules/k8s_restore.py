#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore objects of a Kubernetes cluster from a set."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_restore
short_description: Restore objects of a Kubernetes cluster from a set, by server-side apply
version_added: 0.1.0
author:
  - Nexus COS operations (@nexuscos)
description:
  - Gives objects of a set that M(nexuscos.ops.k8s_backup) made back to a cluster, all or chosen ones, by server-side
    apply with the field manager C(nexuscos-ops). Namespaces come first, then definitions of kinds, then the rest in the
    order in which they depend on each other.
  - Before anything is changed, every object is sent as a dry run, and the API server says what would become of it. An
    object that it does not take, or a field that another manager looks after and has set to something else, refuses the
    whole restore. The message names the object, the field and the manager.
  - Nothing is deleted. An object that has come since stays, and so do fields of a live object that the set does not
    have, such as a key that was added to a ConfigMap later. RV(objects) names them.
  - An object that is there already as it would be is not touched. So a restore that broke off is run again, and goes on
    where it was.
  - Over live objects only with the API server's name in O(confirm).
  - Works in the background of its host, and shows while it does how many objects are compared and applied, at which it
    is, and when all will be. On a terminal this is one line that is rewritten, in a log a line a minute.
options:
  system:
    description:
      - Name of the system whose set is restored.
    type: str
    required: true
  path:
    description:
      - Folder of the backups, on the host where the module runs.
    type: path
    default: /backups/nexus-cos
  set:
    description:
      - Stamp of the set, such as V(2026-11-29T060000Z). Left out, the newest of O(system) that
        no verification has refuted.
    type: str
    default: ''
  namespaces:
    description:
      - Names or globs of the namespaces whose objects are restored. An empty list restores those of all, and those that
        are in none.
    type: list
    elements: str
    default: []
  kinds:
    description:
      - Only objects of these kinds, V(v1/ConfigMap) or V(ConfigMap).
    type: list
    elements: str
    default: []
  names:
    description:
      - Only objects of these names, or globs of them.
    type: list
    elements: str
    default: []
  force:
    description:
      - Whether fields that another manager looks after are taken over. Without it such a field refuses the restore.
    type: bool
    default: false
  confirm:
    description:
      - The API server whose live objects may be changed, as V(host:port). Not wanted where none would be.
    type: str
    default: ''
  lock_wait:
    description:
      - Seconds to wait for a backup or another restore of O(system) to end. With V(0) the task fails at once, and says
        who is at work.
    type: float
    default: 0
  deadline:
    description:
      - Seconds after which the restore is given up.
    type: float
    default: 3600
extends_documentation_fragment:
  - nexuscos.ops.kubernetes
  - nexuscos.ops.vault
attributes:
  check_mode:
    description: Sends every object as a dry run, says what would become of it, and changes nothing.
    support: full
  diff_mode:
    description: Each object that changes, before and after, as the API server says. Values of Secrets are hidden; which
      of them change is shown.
    support: full
  idempotent:
    description: What is there already as it would be is not touched.
    support: full
  platform:
    description: Runs on this platform.
    support: full
    platforms: posix
notes:
  - 'Rights: C(get), C(patch) and C(create) of the kinds that are restored.'
  - An object whose namespace or kind is still to be made cannot be tried before. It is told so in the diff, and in
    RV(objects).
  - Of the objects, only what somebody once asked for is in the set. A Service gets a new address, a claim a new volume
    unless it is given one. The data of volumes are not in it.
seealso:
  - module: nexuscos.ops.k8s_backup
"""

EXAMPLES = r"""
- name: See what a restore would change (with --check --diff)
  nexuscos.ops.k8s_restore:
    system: cluster
    context: us-east-1
    vault_password: "{{ vault_nexuscos_backup_kubernetes_vault_password }}"
  check_mode: true
  diff: true

- name: Bring the settings of one namespace back
  nexuscos.ops.k8s_restore:
    system: cluster
    set: 2026-11-29T060000Z
    context: us-east-1
    namespaces: [nexus-auth]
    kinds: [ConfigMap]
    names: [auth-*]
    confirm: 203.0.113.10:6443
    force: true
"""

RETURN = r"""
set:
  description: The set that was restored.
  returned: success
  type: dict
  contains:
    system:
      description: Name of the system.
      type: str
      returned: always
    stamp:
      description: Name of the run's folder.
      type: str
      returned: always
    path:
      description: Folder of the set.
      type: str
      returned: always
    bytes:
      description: Bytes of its files.
      type: int
      returned: always
    level:
      description: Level that it is proven to.
      type: int
      returned: always
  sample:
    system: cluster
    stamp: 2026-11-29T060000Z
    path: /backups/nexus-cos/2026-11-29T060000Z/cluster
    bytes: 481210
    level: 4
objects:
  description: What was changed, or would be, in the order in which it is; and unchanged objects that keep fields which
    the set has not.
  returned: success
  type: list
  elements: dict
  contains:
    object:
      description: Namespace, kind and name.
      type: str
      returned: always
    action:
      description: V(create), V(change) or V(unchanged).
      type: str
      returned: always
    tried:
      description: Whether the API server has answered for it before anything was changed.
      type: bool
      returned: always
    keeps:
      description: Fields that the live object has and the set has not. They stay.
      type: list
      elements: str
      returned: always
    taken_over:
      description: Fields that other managers look after, C(manager field). Taken over with O(force); without it they
        refuse the restore.
      type: list
      elements: str
      returned: always
  sample: [{object: nexus-auth/ConfigMap/auth-settings, action: change, tried: true, keeps: [], taken_over: []}]
counts:
  description: Objects by action.
  returned: success
  type: dict
  sample: {create: 2, change: 1, unchanged: 41}
seconds:
  description: How long it took.
  returned: success, not in check mode
  type: float
  sample: 1.2
plan:
  description: What stands against it.
  returned: in check mode
  type: dict
  contains:
    unconfirmed:
      description: The API server's name where O(confirm) would have to tell it, else empty. With it, the restore would
        be refused.
      type: str
      returned: always
    conflicts:
      description: Whose fields would be taken over. With any, the restore would be refused without O(force).
      type: str
      returned: always
    refused:
      description: What the API server does not take. With any, the restore would be refused.
      type: str
      returned: always
msg:
  description: What was done, in one line.
  returned: always
  type: str
  sample: 'cluster: of 44 objects of 2026-11-29T060000Z 2 created, 1 changed at 203.0.113.10:6443, 41 were as they are'
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._backup import k8s_api, k8s_restore, k8s_vault
from ..module_utils._core.argspec import ArgSpec
from ..module_utils._core.errors import OpsError


def spec() -> ArgSpec:
    """The options of this module."""
    own = ArgSpec(
        {
            "system": {"type": "str", "required": True},
            "path": {"type": "path", "default": "/backups/nexus-cos"},
            "set": {"type": "str", "default": ""},
            "kinds": {"type": "list", "elements": "str", "default": []},
            "names": {"type": "list", "elements": "str", "default": []},
            "force": {"type": "bool", "default": False},
            "confirm": {"type": "str", "default": ""},
            "lock_wait": {"type": "float", "default": 0.0},
            "deadline": {"type": "float", "default": k8s_restore.DEADLINE},
        }
    )
    return k8s_api.connection_spec().merge(k8s_vault.vault_spec()).merge(own)


def run(params: Mapping[str, Any], check_mode: bool, diff: bool = False) -> dict[str, Any]:
    """Restore a set, or say what would become of each object."""
    return k8s_restore.run(params, check_mode, diff)


def main() -> None:
    """Wire options and restore."""
    module = AnsibleModule(supports_check_mode=True, **spec().to_kwargs())
    try:
        module.exit_json(**run(module.params, module.check_mode, module._diff))  # noqa: SLF001
    except OpsError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Back up objects of a Kubernetes cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_backup
short_description: Back up objects of a Kubernetes cluster, Secrets in an ansible-vault
version_added: 0.1.0
author:
  - Nexus COS operations (@nexuscos)
description:
  - Makes a set with ConfigMaps, Secrets and any other kinds of chosen namespaces, as YAML that C(kubectl) reads, too,
    in the folder of the backups. It is read back to its last byte before anything leads to it.
  - Objects are cleaned of what the server and its controllers write, such as C(status), C(managedFields), C(uid),
    C(resourceVersion), C(ownerReferences), finalizers, the annotation of C(kubectl apply), addresses of Services and
    volumes of claims. What is left is what somebody once asked for, and can go into another cluster.
  - Secrets are only ever written into a file of ansible-vault, one for each namespace. They are encrypted in memory, by
    ansible-core's own code. Without a password the task fails before anything is written.
  - The Namespace of everything that is taken is in the set, with its labels.
  - The manifest tells the objects by namespace and kind, how many were left out and why, and the owners of those that
    have some.
options:
  kinds:
    description:
      - What is backed up, apiVersion and kind each, such as V(v1/ConfigMap) or V(apps/v1/Deployment). Where a kind is
        served and whether it lives in a namespace is discovered. One that is not served fails the task.
    type: list
    elements: str
    default: [v1/ConfigMap, v1/Secret]
  namespaces:
    description:
      - Namespaces whose objects are backed up, each asked for by itself, so that rights in these namespaces are enough.
        One that does not exist fails the task. An empty list takes all namespaces.
    type: list
    elements: str
    default: []
  label_selector:
    description:
      - Only objects with these labels, such as V(app.kubernetes.io/part-of=nexus-cos).
    type: str
    default: ''
  owned:
    description:
      - Whether objects that a controller owns are backed up as well. It makes them again by itself, such as the
        ReplicaSets of a Deployment, so they are left out.
    type: bool
    default: false
  helm_releases:
    description:
      - Whether the Secrets in which helm notes its releases (C(helm.sh/release.v1)) are backed up. Without them helm
        does not know, after a restore, what it has installed. They hold the whole history of each release.
    type: bool
    default: true
extends_documentation_fragment:
  - nexuscos.ops.backup
  - nexuscos.ops.kubernetes
  - nexuscos.ops.vault
notes:
  - 'Left out in any case, and counted in the manifest: tokens of service accounts and bootstrap tokens, which are of no
    use with another uid or at another time and are made again; C(kube-root-ca.crt), which every namespace gets by
    itself; objects that are being deleted.'
  - 'Rights: C(list) of the kinds, in the namespaces that are named or in the cluster; C(get) of the namespaces.'
  - A list is consistent in itself. Of two lists, the second is of a moment later. Where a list took so long that the
    server forgot its moment (a few minutes), it goes on with the present state, and C(options.inconsistent) of the
    manifest names it.
  - The password of the vault is a parameter of a module. Ansible sends parameters to the host where the module runs,
    and there, without pipelining and for tasks with C(async), in a file that its account alone can read and that goes
    with the task. O(vault_password_file) is a file that lies there already, and is named only.
seealso:
  - module: nexuscos.ops.k8s_restore
  - module: nexuscos.ops.backup_verify
  - module: nexuscos.ops.backup_health
"""

EXAMPLES = r"""
- name: Back up the configuration of two namespaces
  nexuscos.ops.k8s_backup:
    system: cluster
    kubeconfig: ~/.kube/config
    context: us-east-1
    namespaces: [nexus-auth, nexus-billing]
    vault_password: "{{ vault_nexuscos_backup_kubernetes_vault_password }}"

- name: What else is somebody's work, without Secrets
  nexuscos.ops.k8s_backup:
    system: workloads
    context: us-east-1
    kinds:
      - v1/ConfigMap
      - v1/Service
      - v1/ServiceAccount
      - apps/v1/Deployment
      - apps/v1/StatefulSet
      - networking.k8s.io/v1/Ingress
    exclude_namespaces: [kube-*]
    label_selector: app.kubernetes.io/part-of=nexus-cos

- name: With the password that ansible-playbook --vault-id prod@prompt has asked for
  nexuscos.ops.k8s_backup:
    system: cluster
    context: us-east-1
    vault_id: prod
  delegate_to: localhost
"""

RETURN = r"""
set:
  description: The set that was made, or was there already. Not there in check mode.
  returned: success, not in check mode
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
    seconds:
      description: How long writing took.
      type: float
      returned: always
    engine:
      description: What made it, C(kubernetes).
      type: str
      returned: always
    format:
      description: C(kubernetes_yaml).
      type: str
      returned: always
    files:
      description: Number of its files.
      type: int
      returned: always
  sample:
    system: cluster
    stamp: 2026-11-29T060000Z
    path: /backups/nexus-cos/2026-11-29T060000Z/cluster
    bytes: 481210
    seconds: 1.9
    engine: kubernetes
    format: kubernetes_yaml
    files: 24
level:
  description: Level of proof that the set has, V(2) for one that was just made and read to its end.
  returned: success, not in check mode
  type: int
  sample: 2
plan:
  description: What would be made.
  returned: in check mode, where no set is there already
  type: dict
  contains:
    system:
      description: Name of the system.
      type: str
      returned: always
    stamp:
      description: Name of the run's folder, as it would be now.
      type: str
      returned: always
    path:
      description: Folder of the backups.
      type: str
      returned: always
    engine:
      description: What would make it.
      type: str
      returned: always
    server:
      description: Version of the API server.
      type: str
      returned: always
    source:
      description: Address of the API server, what is chosen, and about how many objects of each kind there are.
      type: dict
      returned: always
    source_bytes:
      description: Not known before they are read, V(0).
      type: int
      returned: always
    expected_bytes:
      description: Size of the last set, V(0) where there is none.
      type: int
      returned: always
    expected_seconds:
      description: How long the last set took, null where there is none.
      type: float
      returned: always
    free_bytes:
      description: What is free in O(path).
      type: int
      returned: always
    leftovers:
      description: Folders of runs that were killed, which would be removed.
      type: list
      elements: str
      returned: always
msg:
  description: What was made, in one line.
  returned: always
  type: str
  sample: 'cluster: 481.2 kB in 1.9 s to 2026-11-29T060000Z, read to the end'
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._backup import k8s_api, k8s_dump, k8s_vault, run_backup
from ..module_utils._core.argspec import ArgSpec
from ..module_utils._core.errors import OpsError


def spec() -> ArgSpec:
    """The options of this module."""
    own = ArgSpec(
        {
            "kinds": {"type": "list", "elements": "str", "default": list(k8s_dump.KINDS)},
            "label_selector": {"type": "str", "default": ""},
            "owned": {"type": "bool", "default": False},
            "helm_releases": {"type": "bool", "default": True},
        }
    )
    return run_backup.backup_spec().merge(k8s_api.connection_spec()).merge(k8s_vault.vault_spec()).merge(own)


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Make a set, or say what would be made."""
    with k8s_dump.Engine(params) as engine:
        return run_backup.run(params, check_mode, engine)


def main() -> None:
    """Wire options and engine."""
    module = AnsibleModule(supports_check_mode=True, **spec().to_kwargs())
    try:
        module.exit_json(**run(module.params, module.check_mode))
    except OpsError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()

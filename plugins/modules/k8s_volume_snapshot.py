#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take snapshots of volumes of a Kubernetes cluster, and make claims from them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_volume_snapshot
short_description: Take snapshots of volumes of a Kubernetes cluster, wait until they are ready, thin out old ones
version_added: 0.1.0
author:
  - Nexus COS operations (@nexuscos)
description:
  - Makes a VolumeSnapshot (C(snapshot.storage.k8s.io/v1)) of each chosen volume claim and waits, side by side, until
    each is ready to use. The driver of the volume takes it, within the storage, so no data pass through here.
  - What does not get ready is removed again, and the task fails with the reason of each; what is ready stays. What a
    run that was killed has left is taken over by a run with the same O(stamp), and is removed by any later one when
    nobody waits for it any more.
  - With O(keep), old snapshots of the claims that have a new one are thinned out. The newest that is ready stays
    whatever the rules say.
  - With O(state=restored), makes a new claim from a snapshot, beside the one that it was taken of and never over it.
options:
  state:
    description:
      - V(present) takes snapshots.
      - V(restored) makes a claim of the newest snapshot of each chosen claim that is ready, or of that of O(stamp),
        with the name of the claim and O(suffix). It does not wait for its volume, as many classes of storage make that
        only when a pod wants it.
    type: str
    choices: [present, restored]
    default: present
  system:
    description:
      - Name of what the snapshots are of. With the stamp, it is in their labels (C(nexuscos-ops/system)) and names.
        Only snapshots with this label are ever removed.
    type: str
    required: true
  claims:
    description:
      - Volume claims as V(namespace/name), or their names where O(namespaces) has one. Each has to be there and bound.
    type: list
    elements: str
    default: []
  label_selector:
    description:
      - Claims with these labels, in O(namespaces) or in the whole cluster. Not with O(claims).
    type: str
    default: ''
  snapshot_class:
    description:
      - VolumeSnapshotClass of the snapshots, of the driver of every chosen volume.
      - Left out, it is the default class of each driver (C(snapshot.storage.kubernetes.io/is-default-class)). A driver
        with none, or with two, fails the task.
    type: str
    default: ''
  skip_unable:
    description:
      - Whether claims of which no snapshot can be taken (by their driver, or for want of a class) are left out, and
        told in RV(skipped). Otherwise they fail the task before anything is made.
    type: bool
    default: false
  stamp:
    description:
      - Time of the run in UTC, such as V(2026-11-29T060000Z). Left out, it is now. Where a snapshot of this stamp is
        there already, none is made; where it is not ready, it is waited for.
    type: str
    default: ''
  labels:
    description:
      - Further labels of the snapshots.
    type: dict
    default: {}
  annotations:
    description:
      - Further annotations of the snapshots.
    type: dict
    default: {}
  keep:
    description:
      - Which snapshots stay, as in O(nexuscos.ops.backup_prune#module:keep), C(last), C(hourly), C(daily), C(weekly),
        C(monthly), C(yearly) and C(within). Empty keeps all.
      - Whatever it says, these stay, the newest that is ready, all that is younger, what is from the future, and what a
        claim is being made from at this moment. A snapshot that is not ready takes the place of no other.
    type: dict
    default: {}
  suffix:
    description:
      - What the name of a claim that is made from a snapshot has more than that of the old one.
    type: str
    default: -restored
  deadline:
    description:
      - Seconds after which what is not ready is given up. Drivers that copy a snapshot to another place take long.
    type: float
    default: 600
extends_documentation_fragment:
  - nexuscos.ops.kubernetes
attributes:
  check_mode:
    description: Says what would be made and removed, and has the API server try it (a dry run). Writes nothing.
    support: full
  diff_mode:
    description: Returns the snapshots of the system, or the new claims, before and after.
    support: full
  idempotent:
    description: Every run takes new snapshots, but one with a O(stamp) that has some.
    support: partial
  platform:
    description: Runs on this platform.
    support: full
    platforms: posix
notes:
  - A snapshot lies where the volume lies, and goes with that storage. It is consistent as after a loss of power, and
    that of one claim is taken a moment after that of another. It is no replacement of a set of the database in it.
  - 'Tested with the real API server, definitions and snapshot controller of external-snapshotter 8.7. The CSI driver
    is played there: the objects and their states are real, the copy of data is not.'
  - 'Rights, in the namespaces: C(get) of claims named in O(claims), else C(list), which O(keep) wants as well;
    C(create), C(get), C(list) and C(delete) of volumesnapshots; for O(state=restored) also C(get) and C(create) of
    claims. In the cluster, C(list) of volumesnapshotclasses, unless O(snapshot_class) names one. Without C(get) of
    persistentvolumes, the driver is that which the claim names; without C(get) of volumesnapshotcontents,
    RV(snapshots[].handle) is not known.'
  - An error that a snapshot tells is believed when it has lasted for eight seconds, as controllers try again.
  - Where the class of a snapshot says C(deletionPolicy=Retain), its content and the snapshot in the storage stay when
    it is removed.
seealso:
  - module: nexuscos.ops.k8s_backup
  - module: nexuscos.ops.backup_prune
"""

EXAMPLES = r"""
- name: Take snapshots of the volumes of the databases, keep two days of them and one a day for a week
  nexuscos.ops.k8s_volume_snapshot:
    system: volumes
    context: us-east-1
    namespaces: [nexus-databases]
    keep: {within: 48h, daily: 7}
    deadline: 1800

- name: What would be made, and why each old one stays or goes (with --check)
  nexuscos.ops.k8s_volume_snapshot:
    system: volumes
    context: us-east-1
    label_selector: app.kubernetes.io/part-of=nexus-cos
    keep: {last: 4}
  check_mode: true
  register: plan

- name: One claim, before a dangerous change
  nexuscos.ops.k8s_volume_snapshot:
    system: before-upgrade
    context: us-east-1
    claims: [nexus-databases/data-postgres-0]
    snapshot_class: fast
    annotations: {change: CHG-4711}

- name: A claim beside the old one, with what was in it at six
  nexuscos.ops.k8s_volume_snapshot:
    state: restored
    system: volumes
    context: us-east-1
    claims: [nexus-databases/data-postgres-0]
    stamp: 2026-11-29T060000Z
"""

RETURN = r"""
msg:
  description: What came of it, in one line.
  returned: always
  type: str
  sample: 'volumes: 2 snapshots are ready, of 20.0 GB, 2 of them new, the longest took 3.1 s; removed 2 old'
stamp:
  description: Stamp of the snapshots.
  returned: with O(state=present), also when some did not get ready
  type: str
  sample: 2026-11-29T060000Z
snapshots:
  description: A snapshot for each chosen claim, by namespace and name.
  returned: with O(state=present), also when some did not get ready
  type: list
  elements: dict
  contains:
    namespace:
      description: Namespace of the claim and of the snapshot.
      returned: always
      type: str
    pvc:
      description: Name of the claim.
      returned: always
      type: str
    name:
      description: Name of the snapshot.
      returned: always
      type: str
      sample: data-postgres-0-volumes-2026-11-29t060000z
    class:
      description: Its VolumeSnapshotClass.
      returned: always
      type: str
    driver:
      description: The driver of the volume, null where nobody says.
      returned: always
      type: str
    content:
      description: Name of the VolumeSnapshotContent that it is bound to, null before.
      returned: always
      type: str
    handle:
      description: What the driver calls it, null where that is not known.
      returned: always
      type: str
    ready:
      description: Whether it is ready to use.
      returned: always
      type: bool
    restore_size:
      description: Bytes that a claim made from it needs, null where the driver does not say.
      returned: always
      type: int
    creation_time:
      description: When the driver has taken it, null where it does not say.
      returned: always
      type: str
    seconds:
      description: How long it was waited for, null for one that was ready before.
      returned: always
      type: float
    made:
      description: Whether this run has made it.
      returned: always
      type: bool
    why:
      description: Why it is not ready, or would not be made, and what has become of it. Null where all is well.
      returned: always
      type: str
skipped:
  description: Claims that were left out, as they are not bound or, with O(skip_unable), as no snapshot can be taken.
  returned: with O(state=present), also when some did not get ready
  type: list
  elements: dict
  contains:
    namespace:
      description: Namespace of the claim.
      returned: always
      type: str
    pvc:
      description: Name of the claim.
      returned: always
      type: str
    why:
      description: The reason.
      returned: always
      type: str
leftovers:
  description: Snapshots that an earlier run has left before they were ready, which are removed, or would be.
  returned: with O(state=present), also when some did not get ready
  type: list
  elements: str
stuck:
  description: Snapshots that are being deleted, and stay until their driver has answered.
  returned: with O(state=present), also when some did not get ready
  type: list
  elements: str
retention:
  description: All snapshots of the claims that have a new one, the newest first. Empty without O(keep).
  returned: with O(state=present), also when some did not get ready
  type: list
  elements: dict
  contains:
    namespace:
      description: Its namespace.
      returned: always
      type: str
    pvc:
      description: The claim that it was taken of.
      returned: always
      type: str
    name:
      description: Its name.
      returned: always
      type: str
    stamp:
      description: Stamp of its run.
      returned: always
      type: str
    ready:
      description: Whether it is ready to use.
      returned: always
      type: bool
    stays:
      description: Whether it stays.
      returned: always
      type: bool
    why:
      description: The reasons, all of them.
      returned: always
      type: list
      elements: str
      sample: [it is the newest that is ready, daily 1 of 7 (2026-11-29)]
removed:
  description: Snapshots that no rule keeps, which were removed, or would be.
  returned: with O(state=present), also when some did not get ready
  type: list
  elements: str
claims:
  description: The claims that were made, or are there already.
  returned: with O(state=restored)
  type: list
  elements: dict
  contains:
    namespace:
      description: Its namespace.
      returned: always
      type: str
    name:
      description: Its name.
      returned: always
      type: str
    pvc:
      description: Name of the claim that the snapshot was taken of.
      returned: always
      type: str
    snapshot:
      description: The snapshot that it is made from.
      returned: always
      type: str
    stamp:
      description: Stamp of the snapshot.
      returned: always
      type: str
    storage:
      description: The size that it asks for.
      returned: always
      type: str
    storage_class:
      description: Its class of storage, null for the default.
      returned: always
      type: str
    there:
      description: Whether it was there already.
      returned: always
      type: bool
    made:
      description: Whether this run has made it.
      returned: always
      type: bool
    phase:
      description: Its phase, C(Pending) until its volume is made. Null in check mode, where it is not there.
      returned: always
      type: str
lines:
  description: All of that as lines to read.
  returned: always
  type: list
  elements: str
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._backup import k8s_api, volume_restore, volume_snapshots
from ..module_utils._core.argspec import ArgSpec
from ..module_utils._core.errors import OpsError


def spec() -> ArgSpec:
    """The options of this module."""
    return k8s_api.connection_spec().merge(volume_snapshots.spec())


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Take snapshots, or make claims from them."""
    if params["state"] == "restored":
        return volume_restore.run(params, check_mode)
    return volume_snapshots.run(params, check_mode)


def main() -> None:
    """Wire options and snapshots."""
    module = AnsibleModule(supports_check_mode=True, **spec().to_kwargs())
    try:
        module.exit_json(**run(module.params, module.check_mode))
    except volume_snapshots.NotAll as error:
        module.fail_json(**error.result)
    except OpsError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()

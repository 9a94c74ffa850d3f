#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thin: options, documentation, and the call of module_utils/_backup/offsite.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_offsite
short_description: Copy sets of backups to another place, or fetch one from there
version_added: 0.1.0
author:
  - Nexus COS operations (@nexuscos)
description:
  - Copies the newest sets of each system to a repository of restic, which encrypts what it gets, and stores no block
    twice. Where that is can be anything that restic knows, such as another disk, an SFTP server, S3, or a remote of
    rclone.
  - Or, with O(engine=rclone), to a remote of rclone, as plain folders that anybody can read who has the key to that
    place; a remote of the type C(crypt) encrypts them.
  - Only sets that were read to their end and not refuted since are copied. A set that is there already is not sent
    again. A copy that was broken off is none, and the next run sends what is missing of it.
  - Where a set was copied to stands in its manifest, and M(nexuscos.ops.backup_sets) shows it.
  - With O(state=fetched) a set comes back into the place, whole and as it was written, or not at all. Every file is
    compared with the checksum of the manifest.
  - With restic a copy is whole when its snapshot is there. With rclone the files of a set are compared with those
    there, by a checksum that both sides know or else by reading them back, and its manifest goes last; a folder
    without one is no set, and one with it is never written over.
  - Works in the background of its host, and shows while it does which set it is at, and with restic how much of it is
    there, how fast, and when it will be.
  - Secrets reach the engine by its environment or a file, never by its arguments.
  - A lock of restic that a killed run has left behind is removed, when restic itself says that nobody holds it.
  - Nothing else is ever removed from the repository. Old copies are by M(nexuscos.ops.backup_offsite_prune), or by
    C(restic forget) from elsewhere, with an account that may do that and that this host need not know.
options:
  state:
    description: Whether sets are copied to the repository, or one is fetched from it.
    type: str
    choices: [copied, fetched]
    default: copied
  systems:
    description: Names of systems. Without any, all of which there is a set. With O(state=fetched) exactly one.
    type: list
    elements: str
    default: []
  newest:
    description: How many sets of each system are copied, from the newest.
    type: int
    default: 1
  set:
    description: Stamp of the only set that is copied or fetched. Empty fetches the newest of the repository.
    type: str
    default: ''
  offsite:
    description:
      - Whether the repository is in another building. Without it, whether its address leads away from this machine;
        a folder that is mounted from elsewhere has to be named by V(true).
    type: bool
  init:
    description: Whether a repository that is not there is made.
    type: bool
    default: true
  read_percent:
    description:
      - Share of all data of the repository that is read and compared after copying, V(0) to V(100).
      - restic reads packs, and rclone whole sets, another part of them each time.
    type: float
    default: 0
extends_documentation_fragment:
  - nexuscos.ops.other_place
attributes:
  check_mode:
    description: Asks the repository what is there, says what would be copied or fetched, and writes nothing.
    support: full
  diff_mode:
    description: Returns what has changed.
    support: none
    details: RV(sets) has a row for each set.
  idempotent:
    description: What is there already is neither sent nor fetched again.
    support: full
  platform:
    description: Where it runs.
    platforms: posix
    support: full
seealso:
  - module: nexuscos.ops.backup_offsite_prune
  - module: nexuscos.ops.backup_sets
  - module: nexuscos.ops.backup_verify
"""

EXAMPLES = r"""
- name: Keep the newest set of everything in another building, and read a twentieth of what is there
  nexuscos.ops.backup_offsite:
    repository: sftp:backup@far.example.com:/sets
    password_file: /etc/nexuscos/restic.password
    read_percent: 5

- name: See what would be sent to a bucket
  nexuscos.ops.backup_offsite:
    systems: [nexusdb]
    repository: s3:https://s3.example.com/nexuscos
    password: "{{ vault_nexuscos_restic_password }}"
    environment:
      AWS_ACCESS_KEY_ID: "{{ vault_nexuscos_s3_key }}"
      AWS_SECRET_ACCESS_KEY: "{{ vault_nexuscos_s3_secret }}"
  check_mode: true

- name: Keep plain copies in a bucket, too
  nexuscos.ops.backup_offsite:
    engine: rclone
    repository: far:nexus-sets
    environment:
      RCLONE_CONFIG_FAR_TYPE: s3
      RCLONE_CONFIG_FAR_PROVIDER: Other
      RCLONE_CONFIG_FAR_ENDPOINT: https://s3.example.com
      RCLONE_CONFIG_FAR_ACCESS_KEY_ID: "{{ vault_nexuscos_s3_key }}"
      RCLONE_CONFIG_FAR_SECRET_ACCESS_KEY: "{{ vault_nexuscos_s3_secret }}"

- name: Bring the newest set of the database back, because the disk is gone
  nexuscos.ops.backup_offsite:
    state: fetched
    systems: [nexusdb]
    repository: sftp:backup@far.example.com:/sets
    password_file: /etc/nexuscos/restic.password
"""

RETURN = r"""
msg:
  description: What was done, in one line.
  returned: success
  type: str
  sample: '/mnt/offsite: 2 copied, 1 there; 5 % of the repository read'
repository:
  description: The repository, without passwords.
  returned: success
  type: str
made:
  description: Whether the repository, folder or bucket was made, or would be.
  returned: success
  type: bool
sets:
  description: The sets that were looked at.
  returned: success
  type: list
  elements: dict
  contains:
    system:
      description: The system.
      returned: success
      type: str
      sample: nexusdb
    stamp:
      description: Name of the run's folder.
      returned: success
      type: str
      sample: 2026-11-29T060000Z
    state:
      description:
        - V(copied), V(fetched), V(there) or V(left out); in check mode V(would be copied) or V(would be fetched).
        - V(gone) for an older set whose copy was removed there; it is noted no more.
      returned: success
      type: str
      sample: copied
    why:
      description: Why it was left out, else null.
      returned: success
      type: str
    snapshot:
      description: Its name in the repository.
      returned: where there is one
      type: str
    bytes:
      description: Its size.
      returned: where it was copied or fetched, or would be copied
      type: int
    added:
      description: Bytes that were new in the repository; of restic, packed.
      returned: where it was copied
      type: int
    seconds:
      description: How long it took.
      returned: where it was copied or fetched
      type: float
read_percent:
  description: Share of the repository that was read, null where none was.
  returned: success
  type: float
lines:
  description: The sets as lines to read.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._backup import offsite
from ..module_utils._core.errors import OpsError


def main() -> None:
    """Copy, fetch, or say what would be."""
    module = AnsibleModule(supports_check_mode=True, **offsite.spec().to_kwargs())
    try:
        module.exit_json(**offsite.run(module.params, module.check_mode))
    except OpsError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()

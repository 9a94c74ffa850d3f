#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Back up file trees."""

from __future__ import annotations

DOCUMENTATION = r"""
module: files_backup
short_description: Back up file trees into a repository of restic
version_added: 0.1.0
author:
  - Nexus COS operations (@nexuscos)
description:
  - Makes a snapshot of one or several file trees of the host where the module runs, in a repository of restic, which
    encrypts what it gets, and stores no block twice.
  - The set in the folder of the backups is what belongs to the snapshot, its name, the list of every entry in it, and
    how many there are. M(nexuscos.ops.backup_verify) proves it by that.
  - A snapshot that lacks a file, because it could not be read, is taken back, and the task fails.
  - After each snapshot the structure of the repository is checked, and a share of all its data is read.
options:
  paths:
    description: The trees, as absolute paths. One that is not there fails the task.
    type: list
    elements: path
    required: true
  exclude:
    description: Patterns of what is left out, as C(restic backup --exclude) has them.
    type: list
    elements: str
    default: []
  one_file_system:
    description: Whether other file systems that are mounted below a tree are left out.
    type: bool
    default: true
  repository:
    description:
      - The repository, as restic writes it, such as C(/mnt/offsite), C(sftp:backup@far:/files) or
        C(s3:https://s3.example.com/files).
      - An address with a secret in it is refused, because it would stand in the list of processes.
    type: str
    required: true
  password:
    description:
      - The repository's password. Without it nobody can read what is there, you neither.
      - Exactly one of this and O(password_file) is wanted.
    type: str
  password_file:
    description: File with the password, on the host where the module runs.
    type: path
  environment:
    description:
      - What the way to the repository wants besides, such as C(AWS_ACCESS_KEY_ID) and C(AWS_SECRET_ACCESS_KEY).
    type: dict
  options:
    description: Extended options of restic (C(-o)), such as C(sftp.command). They are no place for secrets.
    type: dict
  init:
    description: Whether a repository that is not there is made.
    type: bool
    default: true
  read_percent:
    description: Share of all data of the repository that is read after the snapshot, another one each time.
    type: float
    default: 5
  bin_dir:
    description: Folder with C(restic), where it is not in the C(PATH).
    type: path
    default: ''
extends_documentation_fragment:
  - nexuscos.ops.backup
requirements:
  - restic >= 0.14 on the host where the module runs
notes:
  - 'Restoring: C(restic restore) with the snapshot that the manifest names, C(--target) with a folder beside, and what
    is wanted is moved from there.'
  - Files that change while they are read are in the snapshot as they were read. Databases have modules of their own.
seealso:
  - module: nexuscos.ops.backup_verify
  - module: nexuscos.ops.backup_offsite
"""

EXAMPLES = r"""
- name: Keep what people have uploaded, and no thumbnails
  nexuscos.ops.files_backup:
    system: uploads
    paths: [/srv/nexus/uploads]
    exclude: [/srv/nexus/uploads/thumbnails]
    repository: sftp:backup@far.example.com:/files
    password_file: /etc/nexuscos/restic.password

- name: Restore the newest snapshot for a test, and compare every file
  nexuscos.ops.backup_verify:
    system: uploads
    level: 4
    restic:
      repository: sftp:backup@far.example.com:/files
      password_file: /etc/nexuscos/restic.password
"""

RETURN = r"""
set:
  description: The set that was made, or that was there with this O(stamp).
  returned: success, but in check mode where none is there
  type: dict
  contains:
    system:
      description: Name of the system.
      returned: success
      type: str
      sample: uploads
    stamp:
      description: Name of the run's folder.
      returned: success
      type: str
      sample: 2026-11-29T060000Z
    path:
      description: Folder of the set.
      returned: success
      type: str
      sample: /backups/nexus-cos/2026-11-29T060000Z/uploads
    bytes:
      description: Size of the list. The data are in the repository.
      returned: success
      type: int
    seconds:
      description: How long the snapshot took.
      returned: success
      type: float
    engine:
      description: Always V(files).
      returned: success
      type: str
      sample: files
    format:
      description: Always V(restic).
      returned: success
      type: str
      sample: restic
    files:
      description: Number of files of the set, which is the list alone.
      returned: success
      type: int
level:
  description: Level of proof. V(2) for a set that was just made.
  returned: success, but in check mode where none is there
  type: int
  sample: 2
plan:
  description: What would be made.
  returned: in check mode where no set is there
  type: dict
  contains:
    system:
      description: Name of the system.
      returned: success
      type: str
    stamp:
      description: Name of the run's folder.
      returned: success
      type: str
    path:
      description: Folder of the backups.
      returned: success
      type: str
    engine:
      description: Always V(files).
      returned: success
      type: str
    server:
      description: Version of restic.
      returned: success
      type: str
      sample: restic 0.14.0
    source:
      description: The trees, what is left out, and the repository.
      returned: success
      type: dict
    source_bytes:
      description: Size of the trees, with what is excluded.
      returned: success
      type: int
    expected_bytes:
      description: Size of the last list.
      returned: success
      type: int
    expected_seconds:
      description: How long the last snapshot took, null where there is none.
      returned: success
      type: float
    free_bytes:
      description: What is free in the folder of the backups.
      returned: success
      type: int
    leftovers:
      description: What a run that was killed has left, and would be removed.
      returned: success
      type: list
      elements: str
msg:
  description: What was made, in one line.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._backup import files_dump
from ..module_utils._core.errors import OpsError


def main() -> None:
    """Make a set, or say what would be made."""
    module = AnsibleModule(supports_check_mode=True, **files_dump.spec().to_kwargs())
    try:
        module.exit_json(**files_dump.run(module.params, module.check_mode))
    except OpsError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()

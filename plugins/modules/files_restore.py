#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore file trees."""

from __future__ import annotations

DOCUMENTATION = r"""
module: files_restore
short_description: Restore file trees from a repository of restic, beside what is there
version_added: 0.1.0
author:
  - Nexus COS operations (@nexuscos)
description:
  - Restores a set of M(nexuscos.ops.files_backup) into a new folder, with the paths that the files had below it. Each
    block is compared by restic, and every entry with the list that was written with the set.
  - All of it is there at the end, or nothing. Files that are in use are never written over. Move what is wanted from
    the folder to its place.
  - Works in the background of its host, and shows while it does how many bytes are there, how fast they come, and when
    all will be. On a terminal this is one line that is rewritten, in a log a line a minute.
options:
  path:
    description: Folder of the backups, on the host where the module runs.
    type: path
    default: /backups/nexus-cos
  system:
    description: Name of the system.
    type: str
    required: true
  set:
    description: Stamp of the set, such as V(2026-11-29T060000Z). Empty restores the newest that no verification has
      refuted.
    type: str
    default: ''
  target:
    description: The folder to restore to. It must not be there, or be empty; the one above it must be there.
    type: path
    required: true
  only:
    description: Files and folders to restore, as absolute paths that they had. Without any, all of them.
    type: list
    elements: path
    default: []
  repository:
    description: The repository, as O(nexuscos.ops.files_backup#module:repository).
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
  bin_dir:
    description: Folder with C(restic), where it is not in the C(PATH).
    type: path
    default: ''
  lock_wait:
    description: Seconds to wait for one who verifies the sets of the system.
    type: float
    default: 0
  deadline:
    description: Seconds after which it is given up, and what was restored is removed.
    type: float
    default: 21600
requirements:
  - restic >= 0.14 on the host where the module runs
attributes:
  check_mode:
    description: Looks whether the snapshot is there and has room, says what would be restored, and writes nothing.
    support: full
  diff_mode:
    description: Has nothing to compare, the folder is new.
    support: none
  idempotent:
    description: A second run is refused, because the folder is there.
    support: none
  platform:
    description: Where it runs.
    platforms: posix
    support: full
notes:
  - Owners are restored where the module runs as root.
seealso:
  - module: nexuscos.ops.files_backup
  - module: nexuscos.ops.backup_verify
"""

EXAMPLES = r"""
- name: Get the uploads of this year back, beside the live ones
  nexuscos.ops.files_restore:
    system: uploads
    target: /srv/nexus/restored
    only: [/srv/nexus/uploads/2026]
    repository: sftp:backup@far.example.com:/files
    password_file: /etc/nexuscos/restic.password
"""

RETURN = r"""
restored:
  description: What was restored, or would be.
  returned: success
  type: dict
  contains:
    system:
      description: The system.
      returned: success
      type: str
      sample: uploads
    stamp:
      description: Name of the set's run.
      returned: success
      type: str
      sample: 2026-11-29T060000Z
    snapshot:
      description: Name of the snapshot.
      returned: success
      type: str
    target:
      description: The folder.
      returned: success
      type: str
      sample: /srv/nexus/restored
    entries:
      description: Number of files, folders and others.
      returned: success
      type: int
    bytes:
      description: Bytes of all files.
      returned: success
      type: int
    expected_seconds:
      description: How long the last restore of all for a test took, null where there was none.
      returned: success
      type: float
    seconds:
      description: How long it took, null in check mode.
      returned: success
      type: float
msg:
  description: What was done, in one line.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._backup import files_load
from ..module_utils._core.errors import OpsError


def main() -> None:
    """Restore, or say what would be restored."""
    module = AnsibleModule(supports_check_mode=True, **files_load.spec().to_kwargs())
    try:
        module.exit_json(**files_load.run(module.params, module.check_mode))
    except OpsError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()

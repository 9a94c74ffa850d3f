# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to another place that has copies of sets (`module_utils/_backup/remote.py`)."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of all modules that copy sets to another place, or remove them there."""

    DOCUMENTATION = r"""
options:
  path:
    description: Folder of the backups, on the host where the module runs.
    type: path
    default: /backups/nexus-cos
  engine:
    description: What leads to the other place.
    type: str
    choices: [restic, rclone]
    default: restic
  repository:
    description:
      - The repository, as restic writes it, such as C(/mnt/offsite), C(sftp:backup@far:/sets) or
        C(s3:https://s3.example.com/sets); or a remote with a folder, as rclone writes it, such as C(far:sets).
      - An address with a secret in it is refused, because it would stand in the list of processes.
    type: str
    required: true
  password:
    description:
      - The password of a repository of restic. Without it nobody can read what is there, you neither.
      - Exactly one of this and O(password_file) is wanted with O(engine=restic), and none with O(engine=rclone).
    type: str
  password_file:
    description: File with the password, on the host where the module runs.
    type: path
  environment:
    description:
      - What the way to the repository wants besides, such as C(AWS_ACCESS_KEY_ID) and C(AWS_SECRET_ACCESS_KEY).
      - A remote of rclone is one of its configuration (C(RCLONE_CONFIG) names another file), or is described here,
        such as by C(RCLONE_CONFIG_FAR_TYPE) and so on for the remote C(far).
    type: dict
  options:
    description: Extended options of restic (C(-o)), such as C(sftp.command). They are no place for secrets.
    type: dict
  bin_dir:
    description: Folder with C(restic) or C(rclone), where it is not in the C(PATH).
    type: path
    default: ''
  lock_wait:
    description: Seconds to wait for one who is at work on the sets of a system here, or holds the lock of restic.
    type: float
    default: 0
  deadline:
    description: Seconds after which it is given up.
    type: float
    default: 21600
requirements:
  - restic >= 0.14, or rclone >= 1.60, on the host where the module runs
"""

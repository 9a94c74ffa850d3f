# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all modules that make backups have in common (`module_utils/_backup/run_backup.py`)."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of every backup module."""

    DOCUMENTATION = r"""
options:
  system:
    description:
      - Name of what is backed up. It names the set's folder, C(<path>/<stamp>/<system>/).
    type: str
    required: true
  path:
    description:
      - Folder of the backups, on the host where the module runs. It is made where it is missing.
    type: path
    default: /backups/nexus-cos
  stamp:
    description:
      - Name of the run's folder, its time in UTC such as V(2026-11-29T060000Z). Sets of several systems with one stamp
        lie beside each other.
      - Left out, it is now. Where it is given and its set is there already, nothing is made.
    type: str
  lock_wait:
    description:
      - Seconds to wait for another backup or restore of O(system) to end. With V(0) the task fails at once, and says
        who is at work.
    type: float
    default: 0
  deadline:
    description:
      - Seconds after which the backup is given up and what was written is removed. The default is the time between two
        backups.
    type: float
    default: 21600
attributes:
  check_mode:
    description: Looks at the source and at the free space, says what would be made, and writes nothing.
    support: full
  diff_mode:
    description: Has nothing to compare, a set is made anew.
    support: none
  idempotent:
    description: Every run makes a set, but one with a O(stamp) whose set is there.
    support: partial
  platform:
    description: Runs on this platform.
    support: full
    platforms: posix
notes:
  - A set is written under another name, flushed to the disk, read to its last byte by its own engine, and then
    renamed. Only then C(latest/<system>) leads to it. When anything fails, the task fails, and the earlier sets and
    C(latest) are as they were.
  - What a run that was killed has left, the next run of the same O(system) removes.
  - Where less is free than the last set took, nothing is begun.
  - While it runs, C(<path>/<stamp>/.writing-<system>/.writing-progress.json) tells bytes, expected bytes and what it is
    at.
"""

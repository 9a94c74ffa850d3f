#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List the sets of backups in a folder."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_sets
short_description: List sets of backups, and who is making one
version_added: 0.1.0
author:
  - Nexus COS operations (@nexuscos)
description:
  - Lists the finished sets in a folder of backups, with age, size and what has been proven of each, as their manifests
    say. No file of a set is read; pgBackRest is asked how far WAL is archived. M(nexuscos.ops.backup_health) reads and
    judges, M(nexuscos.ops.backup_verify) proves.
  - Tells who is at work on a system now, and how far a set that is being written has come.
  - Changes nothing, in check mode and without it.
options:
  path:
    description: Folder of the backups, on the host where the module runs.
    type: path
    default: /backups/nexus-cos
  systems:
    description: Names of systems. Without any, all of which there is a set, a link or somebody at work.
    type: list
    elements: str
    default: []
  newest:
    description: How many sets of each system to list, the newest first. V(0) lists all.
    type: int
    default: 0
attributes:
  check_mode:
    description: Changes nothing, so that check mode is no different.
    support: full
  diff_mode:
    description: Has nothing to compare.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
  platform:
    description: Where it runs.
    platforms: posix
    support: full
seealso:
  - module: nexuscos.ops.backup_health
  - module: nexuscos.ops.backup_prune
  - module: nexuscos.ops.backup_verify
"""

EXAMPLES = r"""
- name: List the newest sets of all systems
  nexuscos.ops.backup_sets:
    path: /backups/nexus-cos
    newest: 4
  become: true
  register: listed

- name: Show them
  ansible.builtin.debug:
    var: listed.lines
"""

RETURN = r"""
systems:
  description: The systems, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The system.
      returned: success
      type: str
      sample: nexusdb
    sets:
      description: How many sets there are.
      returned: success
      type: int
    bytes:
      description: Size of all of them.
      returned: success
      type: int
    newest:
      description: Name of the newest set that is not from the future, C(null) where there is none.
      returned: success
      type: str
      sample: 2026-11-29T060000Z
    oldest:
      description: Name of the oldest.
      returned: success
      type: str
    latest:
      description: The set that C(latest) leads to, C(null) where it leads to none.
      returned: success
      type: str
    latest_trouble:
      description: What is wrong with that link, C(null) where it leads to the newest set that was read to its end.
      returned: success
      type: str
    proven:
      description:
        - The newest of the sets with the highest proof, with C(stamp), C(level), C(level_at), C(level_age_s) and
          C(restore_seconds). C(null) where none is proven.
      returned: success
      type: dict
    exposure_s:
      description:
        - How much would be lost now at most, in seconds. The age of the newest set that was read to its end and not
          refuted since, or of what archived WAL leads to from there, C(null) where there is none.
      returned: success
      type: int
      sample: 2280
    archive:
      description: The WAL archive of a system that pgBackRest backs up, C(null) of any other one.
      returned: success
      type: dict
      contains:
        stanza:
          description: Name of the stanza.
          returned: success
          type: str
          sample: main
        wal:
          description: The last archived WAL file that leads on from the newest set without a gap.
          returned: success
          type: str
          sample: 00000001000000000000007A
        age_s:
          description: How long ago it came into the archive.
          returned: success
          type: int
        within_s:
          description:
            - In how many seconds the server archives what it writes, however long it has written nothing. C(null) where
              it was not asked, has no C(archive_timeout), or does not archive.
          returned: success
          type: int
        trouble:
          description: What is wrong with the archive or the archiver, C(null) where nothing is.
          returned: success
          type: str
    here:
      description: V(here), or nothing where the data lie elsewhere, as those of file trees and of pgBackRest do.
      returned: success
      type: list
      elements: str
    copies:
      description:
        - The other places where sets of the system lie, as far as their manifests say. Of pgBackRest the repositories
          that have a backup of the stanza.
      returned: success
      type: list
      elements: dict
      contains:
        repository:
          description: The place, without passwords.
          returned: success
          type: str
          sample: sftp:backup@far:/sets
        engine:
          description: V(restic), V(rclone) or V(pgbackrest).
          returned: success
          type: str
        offsite:
          description: Whether it is away from the host that keeps the sets.
          returned: success
          type: bool
        newest:
          description: Name of the newest set that is there, and was not refuted; or label of pgBackRest's own.
          returned: success
          type: str
          sample: 2026-11-29T060000Z
        age_s:
          description: Its age in seconds, or that of the WAL that is archived there.
          returned: success
          type: int
        at:
          description: When it was copied, ISO time.
          returned: success
          type: str
        sets:
          description: How many sets are there, of those that are here.
          returned: success
          type: int
    verified_in:
      description: Seconds that the last good verification to each level took, by level.
      returned: success
      type: dict
      sample: {"2": 1.2, "4": 252.0}
    writing:
      description: Who is at work on the system, C(null) where nobody is.
      returned: success
      type: dict
      contains:
        user:
          description: The account.
          returned: success
          type: str
        host:
          description: Its host.
          returned: success
          type: str
        pid:
          description: The process.
          returned: success
          type: str
        since:
          description: ISO time.
          returned: success
          type: str
        what:
          description: What it does.
          returned: success
          type: str
          sample: backup
        stamp:
          description: The set that is being written, C(null) where none is.
          returned: success
          type: str
        bytes:
          description: What has been written so far, C(null) where nothing is told.
          returned: success
          type: int
        expected_bytes:
          description: Size of the last set, or of what is restored.
          returned: success
          type: int
        objects:
          description: Objects so far, where these are counted and not bytes, such as those of Kubernetes.
          returned: success
          type: int
        expected_objects:
          description: How many there will be.
          returned: success
          type: int
        rate:
          description: Bytes or objects a second.
          returned: success
          type: float
        item:
          description: What is being written, such as a table.
          returned: success
          type: str
        seconds_left:
          description: Until as much is written as is expected, C(null) past that or where nothing is known.
          returned: success
          type: float
        ends:
          description: When that is, ISO time.
          returned: success
          type: str
        stalled_s:
          description: Seconds since anything was written, C(null) where that is less than half a minute.
          returned: success
          type: int
    verifying:
      description:
        - Who verifies a set of it, copies it to another place or restores file trees from it, with the keys of
          RV(systems[].writing), among which the bytes are null for a verification. C(null) where nobody does.
      returned: success
      type: dict
sets:
  description: The sets, by system, the newest first.
  returned: success
  type: list
  elements: dict
  contains:
    system:
      description: The system.
      returned: success
      type: str
    stamp:
      description: Name of its run's folder.
      returned: success
      type: str
      sample: 2026-11-29T060000Z
    path:
      description: Its folder.
      returned: success
      type: str
    age_s:
      description: Seconds since it was begun, below 0 for one from the future.
      returned: success
      type: int
    latest:
      description: Whether C(latest) leads to it.
      returned: success
      type: bool
    trouble:
      description: Why its manifest cannot be read. What follows is C(null) then.
      returned: success
      type: str
    bytes:
      description: Its size.
      returned: success
      type: int
    files:
      description: Number of its files.
      returned: success
      type: int
    seconds:
      description: How long it took.
      returned: success
      type: float
    engine:
      description: What made it.
      returned: success
      type: str
      sample: pg_dump
    format:
      description: Its format.
      returned: success
      type: str
      sample: pg_custom
    server:
      description: Version of the server.
      returned: success
      type: str
    source:
      description: Where it is from.
      returned: success
      type: dict
      sample: {host: db1, port: 5432, database: nexusdb}
    encryption:
      description: What its files are encrypted with.
      returned: success
      type: str
      sample: none
    copies:
      description: The other places that it was copied to.
      returned: success
      type: list
      elements: str
      sample: ['sftp:backup@far.example.com:/sets']
    level:
      description: The highest level that is proven of it, C(null) where none is or a verification has refuted it.
      returned: success
      type: int
      sample: 4
    level_at:
      description: When that was last, or when it was refuted, ISO time.
      returned: success
      type: str
    level_age_s:
      description: Seconds since then.
      returned: success
      type: int
    refuted:
      description: Why a verification failed that no better one has taken back, C(null) where none did.
      returned: success
      type: str
    restore_seconds:
      description: How long it took to restore it when that was last tried.
      returned: success
      type: float
lines:
  description: The sets, how much would be lost now, what is wrong with a link, and who is at work, as lines to read.
  returned: success
  type: list
  elements: str
  sample:
    - system   set                    age     size  made in  proof               proven
    - nexusdb  2026-11-29T060000Z  38 min  51.3 MB    1.2 s  4 invariants, 12 s  20 min ago  latest
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._backup import listing
from ..module_utils._core.argspec import ArgSpec
from ..module_utils._core.errors import OpsError


def spec() -> ArgSpec:
    """The options of this module."""
    return ArgSpec(
        {
            "path": {"type": "path", "default": "/backups/nexus-cos"},
            "systems": {"type": "list", "elements": "str", "default": []},
            "newest": {"type": "int", "default": 0},
        }
    )


def main() -> None:
    """List the sets."""
    module = AnsibleModule(supports_check_mode=True, **spec().to_kwargs())
    try:
        listed = listing.look(module.params["path"], module.params["systems"], max(module.params["newest"], 0))
        module.exit_json(changed=False, lines=listing.table(listed), **listed)
    except OpsError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()

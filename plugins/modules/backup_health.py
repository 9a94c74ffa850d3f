#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge the backups that lie on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_health
short_description: Judge the backups that lie on a host
version_added: 0.1.0
author:
  - Nexus COS operations (@nexuscos)
description:
  - Looks at the newest backup of every system in a folder and answers with findings. What is missing, too old, damaged
    or from the future is data, never a failed task.
  - Runs where the backups lie, with nothing but Python. The newest set of each system is summed and read to its last
    byte, by the engine's own tool where it is there (C(pg_restore), C(redis-check-rdb)), and by a reader of the format
    in any case. A listing of a dump's table of contents, as the runbook has it, proves nothing about its data.
  - Knows the sets that the modules of this collection make, C(<date>T<time>Z/<system>/) with a C(manifest.json), by the
    name of the system alone. Every file is compared with the manifest, the dump inside with the database that it should
    be of, and the proofs that M(nexuscos.ops.backup_verify) has filed are judged by level and age.
  - Knows C(<date>/…) with C(SHA256SUMS), and any other layout whose file names tell the date, or whose files tell it by
    their modification time, by patterns.
  - What is half finished by its name (C(.tmp), C(.part), C(.partial), C(.filepart), C(.writing), C(.incomplete), and
    C(.name.Ab12Cd) as rsync writes) is no backup.
  - Damage that leaves the end of a file in its place is looked for as well, such as zeros, messages of programs and
    second dumps in plain SQL, bytes behind the end of a dump or of an archive, and a page of an error under the name of
    a packed file. A dump that makes tables and holds rows of none (C(pg_dump --schema-only)) is no backup; where one is
    kept on purpose, V(checksum) as its C(verify) sums it alone.
  - A set of pgBackRest leads on as far as WAL is archived. C(backup.archive_age) asks the repository of the newest set,
    by C(pgbackrest) on this host and as the account that made the set, and the server where it is on the same host. An
    idle server archives nothing, and only it can say that it is; where it is not asked, the title says so, and its line
    of the thresholds has to allow for it.
  - A dump tells when it began. C(backup.renamed) compares that with the date in the name, and allows twelve hours.
  - The files of O(record_to) and O(replay_from) are files of the controller, where the judgement is made.
options:
  deadline:
    default: 60.0
  path:
    description: Folder of the backups, on the host.
    type: str
    default: /backups/nexus-cos
  systems:
    description:
      - What has to be there. Without any, only the folder and the timer are judged, and the other checks are not seen.
      - Each is a mapping with C(name), the name of the system in finding objects.
      - C(paths), one or several patterns below O(path), such as C(*/nexusdb/*.dump). C(**) is any number of folders.
        Left out, the sets of this collection are meant, C(<date>T<time>Z/<name>/).
      - C(every), how often one is made, as C(6h), C(30min) or C(1d); V(24h) where it is left out.
      - C(format), one of C(auto), C(pg_custom), C(pg_directory), C(sql), C(rdb), C(tar), C(json) and C(any); C(auto)
        goes by the first bytes, then by the name. C(any) reads and unpacks, and knows nothing of what is inside.
      - C(verify), V(read) (the default) sums and reads the newest set, V(checksum) sums it, V(none) looks at name,
        size and age alone.
      - >-
        C(level), the proof that one set of the system should have: 0 it exists, 1 its checksums match, 2 it was read to
        its end, 3 it was restored, 4 its invariants held there, 5 the application worked with it. Left out, it is 3 in
        sets of this collection, and 2 for an engine whose sets M(nexuscos.ops.backup_verify) cannot restore. Sets of
        other layouts are asked for none then.
      - C(unchanging), whether a backup may well be the one before byte by byte, as archives of configuration are. Else
        C(backup.renamed) takes it for an older one under a new name. Sets of this collection need no such word.
      - C(copies), how many there should be, the system itself and its set here among them; 3, where each set is copied
        to one other place. C(offsite), whether one copy has to be away from the host. Of file trees and of pgBackRest
        a set here is but a list; each repository of pgBackRest that has a backup is a copy. Without these two, only a
        system that ever had a copy off-site is asked whether that is young enough.
    type: list
    elements: dict
    default: []
  timer:
    description: The systemd timer that makes the backups, such as C(nexus-cos-backup.timer). Empty asks about none.
    type: str
    default: ''
  tools:
    description: Whether the engines' own tools are used where they are installed.
    type: bool
    default: true
extends_documentation_fragment:
  - nexuscos.ops.observe
attributes:
  platform:
    description: Where it runs.
    platforms: linux
    support: full
notes:
  - Blocks packed by LZ4 or Zstandard are walked and not unpacked, unless C(pg_restore) is there and can.
  - A dump tells the local time of the machine that made it. It is taken as the zone of the host that keeps it.
seealso:
  - module: nexuscos.ops.backup_sets
  - module: nexuscos.ops.backup_verify
  - module: nexuscos.ops.host_health
"""

EXAMPLES = r"""
- name: Look at the backups of the platform
  nexuscos.ops.backup_health:
    target: "{{ inventory_hostname }}"
    path: /backups/nexus-cos
    timer: nexus-cos-backup.timer
    systems:
      - name: nexusdb
        every: 6h
        level: 4
      - name: redis
        every: 6h
      - name: configuration
        paths: ['*/config-*.tar.gz']
        every: 1d
  become: true
  register: backups

- name: Ask only whether the nightly dumps of the old runbook are there and whole
  nexuscos.ops.backup_health:
    target: backup1
    path: /backups/nexus-cos
    systems:
      - {name: postgres, paths: '20*/postgres.dump', every: 24h}
    checks: [backup.place, backup.exists, backup.age, backup.readable]
    deadline: 600

- name: Judge what was recorded last night
  nexuscos.ops.backup_health:
    target: backup1
    replay_from: evidence/backup1-2026-11-22.json.gz
"""

RETURN = r"""
findings:
  description:
    - What is not as it should be, worst first. An empty list when all is well, and no check was left out.
    - With O(include_ok) the healthy ones follow.
  returned: success
  type: list
  elements: dict
  contains:
    check:
      description: Id of the check.
      type: str
      returned: success
      sample: backup.readable
    object:
      description: O(target), and the system, timer or link.
      type: str
      returned: success
      sample: backup1/nexusdb
    status:
      description: V(warning), V(critical) or V(unknown), with O(include_ok) also V(ok).
      type: str
      returned: success
      sample: warning
    title:
      description: One sentence.
      type: str
      returned: success
      sample: 'the newest backup of nexusdb cannot be restored: block 9 of 13: it breaks off at byte 3757965'
    value:
      description: What was measured, null where there is no number.
      type: float
      returned: success
      sample: 2.4
    unit:
      description: Unit of RV(findings[].value).
      type: str
      returned: success
      sample: intervals
    target:
      description: What good is.
      type: float
      returned: success
      sample: 1.25
    alert:
      description: What is not acceptable.
      type: float
      returned: success
      sample: 2
    evidence:
      description: The file, its bytes, from when it is, what was written and what was found.
      type: dict
      returned: success
      sample: {file: 2026-11-22T060000Z/nexusdb/nexusdb.dump, bytes: 6263275, sets: 4}
    remedy:
      description: The next step.
      type: str
      returned: success
    runbook:
      description: File and heading of the runbook line.
      type: str
      returned: success
      sample: daily:daily-backup-check
    fingerprint:
      description: SHA-256 of check and object, the same today and tomorrow.
      type: str
      returned: success
    caused_by:
      description: Fingerprint of the finding that explains this one, null here; the report finds causes.
      type: str
      returned: success
    recorded_at:
      description: As RV(recorded_at).
      type: str
      returned: success
summary:
  description: Number of objects by status, and the worst status.
  returned: success
  type: dict
  contains:
    ok:
      description: Healthy objects, counted over all checks.
      type: int
      returned: success
    warning:
      description: Findings with this status.
      type: int
      returned: success
    critical:
      description: Findings with this status.
      type: int
      returned: success
    unknown:
      description: Findings with this status.
      type: int
      returned: success
    total:
      description: All of them.
      type: int
      returned: success
    worst:
      description: The worst status, V(unknown) also where a check was not seen.
      type: str
      returned: success
  sample: {ok: 61, warning: 1, critical: 0, unknown: 0, total: 62, worst: warning}
coverage:
  description: One row a check, so that nothing is silently left out.
  returned: success
  type: list
  elements: dict
  contains:
    check:
      description: Id of the check.
      type: str
      returned: success
    objects:
      description: Number of objects that were judged by it.
      type: int
      returned: success
    status:
      description: The worst status among them.
      type: str
      returned: success
    seen:
      description: Whether the check could be answered.
      type: bool
      returned: success
    reason:
      description: Why it could not, else null.
      type: str
      returned: success
facts:
  description: Headline numbers. Empty where the folder was not seen.
  returned: success
  type: dict
  contains:
    backups:
      description:
        - By system, the newest C(file), its C(bytes) and C(age_s), how many C(sets) there are, how it C(read).
        - C(looked_level), what this look has proven of the newest set, and the highest proof that is filed with any, as
          C(proven_level), C(proven_age_s), C(proven_set) and C(restore_seconds).
        - C(exposure_s), how much would be lost now, at most. The age of the newest set that can be restored as far as
          is known, or of what archived WAL leads to from there; null where there is none.
        - C(archive_wal), the last WAL file in the archive that leads on from the newest set without a gap, and
          C(archive_age_s), how long ago it came there. C(archive_within_s), in how many seconds the server archives
          what it writes (its C(archive_timeout)), where its archiver works. All null where WAL is not archived by
          pgBackRest.
      type: dict
      returned: when seen
      sample:
        nexusdb:
          file: 2026-11-22T060000Z/nexusdb
          bytes: 6263275
          age_s: 2280
          sets: 4
          read: ok
          looked_level: 2
          proven_level: 4
          proven_age_s: 108000
          proven_set: 2026-11-21T000000Z/nexusdb
          restore_seconds: 252.0
          exposure_s: 2280
          archive_wal: null
          archive_age_s: null
          archive_within_s: null
    systems_total:
      description: Systems that have to be there.
      type: int
      returned: when seen
      sample: 4
    systems_backed_up:
      description: Systems of which there is a backup.
      type: int
      returned: when seen
      sample: 4
    systems_readable:
      description: Systems whose newest backup was read to its last byte.
      type: int
      returned: when seen
      sample: 4
    systems_proven:
      description: Systems of which a set was restored and found right, level 3 or higher.
      type: int
      returned: when seen
      sample: 4
    exposure_s:
      description: The largest C(exposure_s) of all systems, null where it is null for one of them.
      type: int
      returned: when seen
      sample: 2280
    oldest_newest_s:
      description: Age in seconds of the oldest of the newest backups, null where there is none.
      type: int
      returned: when seen
      sample: 1260
recorded_at:
  description: When the judged recording was made (ISO 8601, UTC), null for a live look.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._backup import collect, options
from ..module_utils._core.errors import OpsError
from ..module_utils._core.remote import hand_over


def main() -> None:
    """Look; the action plugin of the same name judges what was seen, and returns what is documented."""
    module = AnsibleModule(supports_check_mode=True, **options.spec().to_kwargs())
    try:
        options.check(module.params)
        module.exit_json(changed=False, **hand_over(collect.collect(module.params)))
    except OpsError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()

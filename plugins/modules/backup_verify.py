#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove that a set can be restored."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_verify
short_description: Prove that a set can be restored
version_added: 0.1.0
author:
  - Nexus COS operations (@nexuscos)
description:
  - Takes a set of backups through levels of proof, one after the other, and stops at the first that does not hold. The
    outcome is filed with the set, in its C(manifest.json), and tells the next reader when and how far it was proven.
  - Level 0, it exists, is not from the future, and its files are not empty. Its size against those before it is told in
    a warning, and refutes nothing.
  - Level 1, every file has the SHA-256 of the manifest; what is missing, changed, or was added is named.
  - Level 2, every file is read to its last byte by its own engine. A dump also has to be of the database, of
    the time and of the version of the server that the manifest says, and to hold rows of every table that had some; a
    snapshot of Redis has as many keys as were counted.
  - Plain SQL is whole at level 2 where its last line is there, no rows break off, and no zeros, messages of programs or
    second dump stand in it. One whose line ends were changed on the way, or that holds tables and no rows, is refuted,
    although M(nexuscos.ops.postgres_restore) would restore it, with a warning.
  - Level 3, it is restored into a scratch instance. The first error of the restore refutes it.
  - Level 4, what is restored there is what was saved. Rows of every table, sequences, numbers of objects and the
    queries of the manifest are compared; no index is invalid, every constraint holds, no sequence is behind its column.
    Tables and indexes of a whole server are read by C(pg_amcheck).
  - Level 5, the queries of O(smoke) answer as they should.
  - Sets of PostgreSQL, dumps as well as copies of a server, are proven to level 5, those of Redis and MongoDB to level
    4, where the programs of their servers are installed. Sets of other engines are proven to level 2.
  - Sets of file trees are proven to level 4. Level 2 checks the repository of restic and reads a share of it, level 3
    restores the snapshot into a scratch folder, where restic compares each block, and level 4 compares every entry
    with the list that was written with the set.
  - Sets of objects of Kubernetes are proven to level 4, in scratch namespaces of O(kubernetes). Level 4 compares what
    the API server has made of each object with what was saved. Their Secrets are decrypted where the password of their
    vault is given; a warning says that they were not, at level 2. Higher levels want it.
  - The scratch instance of PostgreSQL is a server of its own, of the same version as the set where it is installed, in
    a folder of its own and under an account of its own (C(postgres) or C(nobody), where the module is root). It listens
    on a socket that nobody else may enter, has no network, archives and replicates nothing, and is gone afterwards,
    also after an error or a signal. What a killed run has left is removed by the next one.
options:
  path:
    description: Folder of the backups.
    type: path
    default: /backups/nexus-cos
  system:
    description: Whose set.
    type: str
    required: true
  set:
    description:
      - Its stamp, such as V(2026-11-29T060000Z). Left out, the newest set of O(system).
      - A warning then tells of a younger folder of the system that has no manifest, and so is no set.
    type: str
    default: ''
  level:
    description: How far to go.
    type: int
    choices: [0, 1, 2, 3, 4, 5]
    default: 2
  smoke:
    description:
      - What the application depends on, asked of the restored copy at level 5, in a transaction that only reads.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What it is called where it does not hold.
        type: str
      query:
        description: A query with one row of one value.
        type: str
        required: true
      answer:
        description: The value. Numbers and truth values may be written as texts.
        type: raw
        required: true
      database:
        description: Where to ask, in a copy of a whole server. Left out, the database that the set was made from.
        type: str
  accept:
    description:
      - Names or globs of what is known to be as it is at the source, such as V(billing.legacy_id_seq). Sequences that
        are behind, constraints (V(schema.table.name)) that do not hold, and invalid indexes of these names refute
        nothing.
    type: list
    elements: str
    default: []
  fail:
    description:
      - Whether a set that was refuted fails the task. The proof is filed and all values are returned in both cases.
      - With V(false) the task is good and RV(good) is false, for playbooks that look at all systems first. What could
        not be looked at (no room, no programs of the right version, no time, somebody else at work) fails the task
        always, and files nothing, because it says nothing about the set.
    type: bool
    default: true
  jobs:
    description: Connections that restore at once.
    type: int
    default: 2
  bin_dir:
    description:
      - Folder of PostgreSQL's programs, or one above the folders of several versions, such as V(/usr/lib/postgresql).
        Left out, the usual places are looked into.
    type: path
    default: ''
  scratch_dir:
    description:
      - Folder for the scratch instance. It needs as much room as the source has, and the account of the instance has to
        be able to reach it. Left out, it is C(/var/tmp).
    type: path
    default: ''
  kubernetes:
    description:
      - The API server that sets of M(nexuscos.ops.k8s_backup) are restored to from level 3 on. Scratch namespaces are
        made there (C(nexuscos-verify-*)), and are gone afterwards.
      - ConfigMaps and Secrets are made in them and read back. Everything else is sent as a dry run, which the API
        server checks, defaults and admits as in earnest; no pod starts, no volume is asked for.
      - 'Rights: C(create), C(get), C(list), C(patch) and C(delete) of namespaces, and C(create), C(get) and C(patch) of
        the kinds.'
    type: dict
    suboptions:
      kubeconfig:
        description: File with clusters, users and contexts, as O(nexuscos.ops.k8s_backup#module:kubeconfig).
        type: path
      context:
        description: Context of the kubeconfig.
        type: str
      host:
        description: URL of the API server.
        type: str
      token:
        description: Bearer token.
        type: str
      ca_file:
        description: File with the certificate authorities that the API server's certificate is checked against.
        type: path
      validate_certs:
        description: Whether that is checked.
        type: bool
  restic:
    description: The repository with the snapshots of M(nexuscos.ops.files_backup), from level 2 on.
    type: dict
    suboptions:
      repository:
        description: The repository, as O(nexuscos.ops.files_backup#module:repository).
        type: str
        required: true
      password:
        description: Its password. One of this and O(restic.password_file) is wanted.
        type: str
      password_file:
        description: File with the password, on the host where the module runs.
        type: path
      environment:
        description: What the way to the repository wants besides.
        type: dict
      options:
        description: Extended options of restic.
        type: dict
      read_percent:
        description: Share of all data of the repository that is read at level 2, another one each time.
        type: float
        default: 5
  lock_wait:
    description:
      - Seconds to wait for another verification of O(system) to end. A backup that is being made is not waited for,
        and does not wait for a verification.
    type: float
    default: 0
  deadline:
    description: Seconds for all of it.
    type: float
    default: 7200
extends_documentation_fragment:
  - nexuscos.ops.vault
attributes:
  check_mode:
    description: Says what would be proven and how long that took the last time, and files nothing.
    support: full
  diff_mode:
    description: Has nothing to compare.
    support: none
  idempotent:
    description: Every run is a proof of its own, with a time of its own.
    support: none
  platform:
    description: Runs on this platform.
    support: full
    platforms: posix
seealso:
  - module: nexuscos.ops.backup_health
  - module: nexuscos.ops.postgres_restore
"""

EXAMPLES = r"""
- name: Restore the newest set into a scratch server, and compare every row count
  nexuscos.ops.backup_verify:
    system: nexusdb
    level: 4
  become: true

- name: Ask the copy what the application asks, and go on if it is wrong
  nexuscos.ops.backup_verify:
    system: nexusdb
    level: 5
    fail: false
    smoke:
      - name: nobody is without a plan
        query: SELECT count(*) FROM billing.users WHERE plan IS NULL
        answer: 0
      - name: the schema is the one of this release
        query: SELECT max(version) FROM schema_migrations
        answer: "20261120"
  become: true
  register: proof

- name: Is the set of the morning still what it was?
  nexuscos.ops.backup_verify:
    system: redis
    set: 2026-11-29T060000Z
    level: 1
  become: true
"""

RETURN = r"""
set:
  description: What was looked at.
  returned: when it was verified
  type: dict
  contains:
    system:
      description: Whose it is.
      returned: always
      type: str
      sample: nexusdb
    stamp:
      description: When it was begun.
      returned: always
      type: str
      sample: 2026-11-29T060000Z
    path:
      description: Its folder.
      returned: always
      type: str
      sample: /backups/nexus-cos/2026-11-29T060000Z/nexusdb
    bytes:
      description: Of all its files, as its manifest says. Null where the manifest is of another set.
      returned: always
      type: int
      sample: 51300000
    engine:
      description: What made it.
      returned: always
      type: str
      sample: pg_dump
    format:
      description: Of its files.
      returned: always
      type: str
      sample: pg_custom
    files:
      description: How many files it has.
      returned: always
      type: int
      sample: 2
level:
  description: The highest level that held. V(0) also where not even that did; RV(good) is false then.
  returned: when it was verified
  type: int
  sample: 4
wanted:
  description: The level that was asked for.
  returned: when it was verified
  type: int
  sample: 4
good:
  description: Whether all that was asked for held.
  returned: when it was verified
  type: bool
  sample: true
why:
  description: What did not, or null.
  returned: when it was verified
  type: str
  sample: 'nexusdb.dump was changed: its sum is not that of the manifest'
at:
  description: When it was verified, in UTC.
  returned: when it was verified
  type: str
  sample: '2026-11-29T06:15:00Z'
seconds:
  description: How long it took.
  returned: when it was verified
  type: float
  sample: 9.2
restore_seconds:
  description: Of that, the restore. Null below level 3.
  returned: when it was verified
  type: float
  sample: 3.2
levels:
  description: The levels that were tried.
  returned: when it was verified
  type: list
  elements: dict
  contains:
    level:
      description: The level.
      returned: always
      type: int
      sample: 4
    name:
      description: Its name.
      returned: always
      type: str
      sample: invariants
    good:
      description: Whether it held.
      returned: always
      type: bool
      sample: true
    why:
      description: What did not, or null.
      returned: always
      type: str
      sample: null
    seconds:
      description: How long it took. Levels 1 and 2 read the files at the same time.
      returned: always
      type: float
      sample: 1.4
    details:
      description: What was found, by level.
      returned: always
      type: dict
      sample: {tables: 23, rows: 48112, compared: 23}
filed:
  description: Whether the proof was filed with the set. Not where its manifest is another set's.
  returned: when it was verified
  type: bool
  sample: true
plan:
  description: What would be done.
  returned: in check mode
  type: dict
  contains:
    system:
      description: Whose set.
      returned: always
      type: str
      sample: nexusdb
    stamp:
      description: Which.
      returned: always
      type: str
      sample: 2026-11-29T060000Z
    path:
      description: Its folder.
      returned: always
      type: str
      sample: /backups/nexus-cos/2026-11-29T060000Z/nexusdb
    bytes:
      description: Of its files.
      returned: always
      type: int
      sample: 51300000
    files:
      description: How many files it has.
      returned: always
      type: int
      sample: 2
    format:
      description: Of its files.
      returned: always
      type: str
      sample: pg_custom
    wanted:
      description: The level.
      returned: always
      type: int
      sample: 4
    expected_seconds:
      description: How long that took the last time, for this set or one before it. Null where it was never done.
      returned: always
      type: float
      sample: 9.2
    expected_restore_seconds:
      description: Of that, the restore.
      returned: always
      type: float
      sample: 3.2
msg:
  description: The outcome in a sentence.
  returned: always
  type: str
  sample: 'nexusdb 2026-11-29T060000Z: level 4 of 4 proven; restores in 3.2 s; 23 tables, 48,112 rows'
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._backup import files_access, k8s_vault, verify
from ..module_utils._core.argspec import ArgSpec
from ..module_utils._core.errors import OpsError


def spec() -> ArgSpec:
    """The options of this module."""
    own = ArgSpec(
        {
            "path": {"type": "path", "default": "/backups/nexus-cos"},
            "system": {"type": "str", "required": True},
            "set": {"type": "str", "default": ""},
            "level": {"type": "int", "default": 2, "choices": [0, 1, 2, 3, 4, 5]},
            "smoke": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str"},
                    "query": {"type": "str", "required": True},
                    "answer": {"type": "raw", "required": True},
                    "database": {"type": "str"},
                },
            },
            "accept": {"type": "list", "elements": "str", "default": []},
            "fail": {"type": "bool", "default": True},
            "jobs": {"type": "int", "default": 2},
            "bin_dir": {"type": "path", "default": ""},
            "scratch_dir": {"type": "path", "default": ""},
            "kubernetes": {
                "type": "dict",
                "options": {
                    "kubeconfig": {"type": "path"},
                    "context": {"type": "str"},
                    "host": {"type": "str"},
                    "token": {"type": "str", "no_log": True},
                    "ca_file": {"type": "path"},
                    "validate_certs": {"type": "bool"},
                },
            },
            "restic": {
                "type": "dict",
                "options": {"repository": {"type": "str", "required": True}, **files_access.access_options()},
            },
            "lock_wait": {"type": "float", "default": 0.0},
            "deadline": {"type": "float", "default": verify.DEADLINE},
        }
    )
    return own.merge(k8s_vault.vault_spec())


def main() -> None:
    """Wire options and verification."""
    module = AnsibleModule(supports_check_mode=True, **spec().to_kwargs())
    try:
        result = run(module.params, module.check_mode)
    except OpsError as error:
        module.fail_json(msg=str(error))
    for text in result.pop("warnings"):
        module.warn(text)
    if not result.get("good", True) and module.params["fail"]:
        module.fail_json(**result)
    module.exit_json(**result)


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Verify a set."""
    return verify.run(params, check_mode)


if __name__ == "__main__":
    main()

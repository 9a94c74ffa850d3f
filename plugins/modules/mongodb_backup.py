#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Back up the databases of a MongoDB server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mongodb_backup
short_description: Back up the databases of a MongoDB server, and prove that the dump is whole
version_added: 0.1.0
author:
  - Nexus COS operations (@nexuscos)
description:
  - Makes a set with a dump of one MongoDB server in the folder of the backups, and walks over every document of it
    before anything leads to it.
  - The dump has the folders and files that C(mongodump) writes, whoever wrote it. M(nexuscos.ops.mongodb_restore) and
    C(mongorestore) restore it.
  - All databases but C(local) and C(config) are dumped, with options and indexes of their collections, definitions of
    views, buckets of time series, and users and roles where the user may read them.
  - On a member of a replica set (MongoDB 5.0 or newer) all collections are read as they were at one moment. Elsewhere
    each collection is as it was while it was read. The manifest tells which it was, where the oplog was before and
    after, and how many documents of each collection were written.
  - Documents go from the server to the file without being unpacked. The memory that is needed does not grow with them.
options:
  include:
    description:
      - What is dumped, as names or globs of databases (V(nexus)) or collections (V(nexus.*_events)). Left out, all.
      - One that means nothing is an error.
    type: list
    elements: str
    default: []
  exclude:
    description:
      - What is not, as in O(include).
    type: list
    elements: str
    default: []
  gzip:
    description:
      - Whether files are packed.
    type: bool
    default: false
  consistency:
    description:
      - V(snapshot) reads all collections at one moment, and fails where the server cannot.
      - V(collection) reads each as it comes.
      - V(auto) does the former where the server can, else the latter, and says so in the manifest.
    type: str
    choices: [auto, snapshot, collection]
    default: auto
  tool:
    description:
      - V(mongodump) starts it, V(pymongo) reads by the library.
      - V(auto) starts C(mongodump) where it is installed, no snapshot is to be had and no patterns are given.
    type: str
    choices: [auto, mongodump, pymongo]
    default: auto
extends_documentation_fragment:
  - nexuscos.ops.backup
  - nexuscos.ops.mongodb
notes:
  - 'Rights: a user with the role C(backup) on C(admin).'
  - The password goes to C(mongodump) by a file that nobody else may read, never by its arguments.
  - Of a sharded cluster, each shard is backed up by itself, with the balancer stopped.
  - A snapshot lasts as long as the server keeps it (C(minSnapshotHistoryWindowInSeconds), 5 minutes unless it is set).
    With O(consistency=auto), a dump that takes longer is made anew, each collection as it comes.
seealso:
  - module: nexuscos.ops.mongodb_restore
  - module: nexuscos.ops.mongodb_health
  - module: nexuscos.ops.backup_health
"""

EXAMPLES = r"""
- name: Back up all databases from a secondary
  nexuscos.ops.mongodb_backup:
    system: mongodb
    login_host: mongo2.example.com
    login_user: backup
    login_password: "{{ vault_mongodb_backup_password }}"
    ca_cert: /etc/ssl/certs/platform-ca.pem
    gzip: true

- name: Only the profiles, without what is made anew every hour
  nexuscos.ops.mongodb_backup:
    system: profiles
    login_host: mongo1.example.com
    include: [nexus]
    exclude: ['nexus.cache_*']
"""

RETURN = r"""
set:
  description: The set that was made, or was there already.
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
      description: Folder of the set. The dump is in C(dump) below it.
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
      description: What made it, C(mongodb).
      type: str
      returned: always
    format:
      description: C(mongodump).
      type: str
      returned: always
    files:
      description: Number of its files.
      type: int
      returned: always
  sample:
    system: mongodb
    stamp: 2026-11-29T060000Z
    path: /backups/nexus-cos/2026-11-29T060000Z/mongodb
    bytes: 411873
    seconds: 0.42
    engine: mongodb
    format: mongodump
    files: 6
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
      description: Version of the server.
      type: str
      returned: always
    source:
      description: Address, replica set and role of the server, bytes by database, number of collections.
      type: dict
      returned: always
    source_bytes:
      description: Bytes of the documents in the databases.
      type: int
      returned: always
    expected_bytes:
      description: Size of the last set, or a guess at the least where there is none.
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
  sample: 'mongodb: 411.9 kB in 0.4 s to 2026-11-29T060000Z, read to the end'
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._backup import mongodb_dump, run_backup
from ..module_utils._core.argspec import ArgSpec
from ..module_utils._core.deps import need
from ..module_utils._core.errors import OpsError, OptionError
from ..module_utils._mongodb import options


def spec() -> ArgSpec:
    """The options of this module."""
    own = ArgSpec(
        {
            "include": {"type": "list", "elements": "str", "default": []},
            "exclude": {"type": "list", "elements": "str", "default": []},
            "gzip": {"type": "bool", "default": False},
            "consistency": {"type": "str", "choices": ["auto", "snapshot", "collection"], "default": "auto"},
            "tool": {"type": "str", "choices": ["auto", "mongodump", "pymongo"], "default": "auto"},
        }
    )
    return run_backup.backup_spec().merge(options.connection_spec()).merge(own)


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Make a set, or say what would be made."""
    if not params["login_host"]:
        raise OptionError("login_host: name the server")
    engine = mongodb_dump.Engine(
        need("pymongo", "4.6"),
        options.connection(params),
        params["include"],
        params["exclude"],
        params["gzip"],
        params["consistency"],
        params["tool"],
    )
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

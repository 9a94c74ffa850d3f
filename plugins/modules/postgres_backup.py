#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Back up PostgreSQL."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_backup
short_description: Back up a database or a whole server of PostgreSQL
version_added: 0.1.0
author:
  - Nexus COS operations (@nexuscos)
description:
  - Makes one set of backups, whole or not at all, with a manifest that says where it is from, how large it is, the
    SHA-256 of each file, where the server was, and what a restore must show again.
  - O(engine=pg_dump) dumps one database, with the roles of its server. Rows are counted in the very snapshot that is
    dumped, by the server, while it is dumped. The checksum is computed while the dump is written.
  - O(engine=pg_basebackup) copies a whole server, with the WAL that makes the copy one moment.
  - O(engine=pgbackrest) lets pgBackRest back a whole server up into its own repository, all of it (full) or what has
    changed (differential, incremental), beside an archive of the WAL, so that any moment can be restored by
    M(nexuscos.ops.postgres_restore). The set refers to the backup in the repository. Before each backup it is proven
    that WAL comes into the archive, and after it the repository is read to its end.
  - A primary and a standby do as a source, of PostgreSQL 13 to 18. A standby exports snapshots as a primary does; the
    rows of its unlogged tables are not there, and neither in the set.
  - Runs on the host where the backups lie, with PostgreSQL's own client commands, and no library.
options:
  engine:
    description: What makes the set.
    type: str
    choices: [pg_dump, pg_basebackup, pgbackrest]
    default: pg_dump
  stanza:
    description:
      - Stanza of pgBackRest that is backed up. Wanted with O(engine=pgbackrest), which takes where the server and the
        repository are from pgBackRest's own configuration.
      - Of the options of a login it takes O(login_password) alone, where pgBackRest logs in with one.
    type: str
  backup_type:
    description:
      - What O(engine=pgbackrest) makes, all (V(full)), what has changed since the last full one (V(diff)), or since the
        last one (V(incr)). Where there is nothing to build on it is a full one; the set says what it was.
    type: str
    choices: [full, diff, incr]
    default: incr
  full_every:
    description:
      - A time such as V(7d). Where the newest full backup in the repository is older, another one is made in place of
        O(backup_type), since what builds on it keeps it and all that lies between. An empty text makes none.
    type: str
    default: 7d
  pgbackrest_config:
    description: Configuration of pgBackRest. Left out, its own (C(/etc/pgbackrest/pgbackrest.conf)).
    type: path
  pgbackrest_repo:
    description: Number of the repository, where the configuration has several.
    type: int
    default: 1
  pgbackrest_account:
    description:
      - Account of this host that pgBackRest runs as, where the module runs as root. It owns the repository and may read
        the server's files.
    type: str
    default: postgres
  archive_timeout:
    description: Seconds that a WAL file may take into the archive of O(engine=pgbackrest).
    type: float
    default: 60
  login_db:
    description:
      - The database that is dumped. Wanted with O(engine=pg_dump).
      - With O(engine=pg_basebackup), the one to log in to before, V(postgres) where it is left out.
    default: null
  format:
    description:
      - V(custom), one file, or V(directory), a file for each table, by O(engine=pg_dump).
      - V(tar), an archive for each tablespace, or V(plain), the server's folders, by O(engine=pg_basebackup).
      - Left out, V(custom) or V(tar). A server with tablespaces is copied as V(tar) alone.
    type: str
    choices: [custom, directory, tar, plain]
  jobs:
    description: How many tables are dumped at once, with O(format=directory); processes of O(engine=pgbackrest).
    type: int
    default: 1
  compress:
    description:
      - Level of gzip, V(0) for none, V(9) for the smallest. Left out, what pg_dump takes by itself, and none of
        O(engine=pg_basebackup).
    type: int
  globals:
    description:
      - Whether the roles and tablespaces of the server go into the set of O(engine=pg_dump), as C(globals.sql). It
        holds the roles' passwords, as the server keeps them, where the role may read those.
    type: bool
    default: true
  invariants:
    description:
      - What a restore of O(engine=pg_dump) must show again. V(rows) are the rows of all tables, last values of
        sequences, numbers of constraints, indexes, functions, triggers and views, and names of extensions. V(none) is
        nothing but O(queries).
    type: str
    choices: [rows, none]
    default: rows
  queries:
    description: Queries of your own, answered in the snapshot that is dumped. A restore must answer the same.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the query in the manifest.
        type: str
        required: true
      query:
        description: A query that answers one row with one value.
        type: str
        required: true
  checkpoint:
    description:
      - How O(engine=pg_basebackup) begins, with a checkpoint at once (V(fast)), or with one that is spread over minutes
        and is easier on the server's disk (V(spread)).
    type: str
    choices: [fast, spread]
    default: fast
  max_rate:
    description: The most that O(engine=pg_basebackup) takes from the server in a second, such as V(50M).
    type: str
  bin_dir:
    description:
      - Folder of pg_dump, psql and so on, with O(pod) and O(command_prefix) over there.
      - Left out, the commands of the server's version are looked for where Debian and Red Hat keep them, then in
        E(PATH). A newer pg_dump than the server is taken only where this option leads to it; an older one never is.
    type: path
  pod:
    description:
      - Run each command of O(engine=pg_dump) in a container of Kubernetes, by C(kubectl exec), where O(login_host) and
        the others are those of that container. The dump comes through its output, O(format=custom) only.
      - Such a stream can break off early and end with status 0. The set is whole when the archive itself is, whatever
        the status says.
      - The container needs C(sh), C(env), C(sleep) and PostgreSQL's commands; the account needs C(get) on C(pods), and
        C(create) on C(pods/exec), as C(playbooks/files/nexuscos-ops-pod-backup.yml) of this collection gives them.
      - Not together with O(command_prefix).
    type: dict
    suboptions:
      name:
        description:
          - Name of the pod. V(statefulset/postgres) or V(deployment/postgres) where there is one pod of it; each
            command would go to another one of several.
        type: str
        required: true
      namespace:
        description: Its namespace. Left out, that of the kubeconfig's context.
        type: str
      container:
        description: Container of the pod. Left out, its default one.
        type: str
      kubeconfig:
        description: File with the way to the cluster. Left out, kubectl decides (E(KUBECONFIG), C(~/.kube/config)).
        type: path
      context:
        description: Context of the kubeconfig. Left out, its current one.
        type: str
      kubectl:
        description: Where kubectl is.
        type: path
        default: kubectl
  command_prefix:
    description:
      - Words before each command of O(engine=pg_dump), to run it in a container, or on another host, where
        O(login_host) and the others are those of that place. The dump comes through its output, O(format=custom) only.
      - Such a stream can break off early and end with status 0. The set is whole when the archive itself is, whatever
        the status says.
      - Commands get their input through it; C(-i) is added to C(kubectl exec), C(docker exec) and C(podman exec).
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - nexuscos.ops.backup
  - nexuscos.ops.postgres
requirements:
  - psql, pg_dump, pg_dumpall and pg_restore, or pg_basebackup, of the server's version; or pgbackrest 2.41 or newer
notes:
  - 'Rights for O(engine=pg_dump): C(GRANT pg_read_all_data), C(BYPASSRLS) where tables have policies, and SELECT on
    large objects. For O(engine=pg_basebackup): C(REPLICATION), and a line for replication in C(pg_hba.conf).'
  - While it is dumped, tables can be read and written, and not truncated, dropped or changed in their structure, as
    with every pg_dump.
  - The set is read to its end by pg_restore, or pg_verifybackup. Where they are not there, or the copy is in archives,
    it is read by the module itself, against the sums that are in it.
  - With O(engine=pgbackrest) run the module where pgBackRest backs up, on the database's host or on that of the
    repository. The stanza has to be there (C(pgbackrest stanza-create)). How many backups stay is said by
    C(repo1-retention-full) in its configuration. A set whose backup has expired is removed after the next backup, and
    is told in RV(expired). M(nexuscos.ops.backup_prune) removes what refers to a backup, and never the backup.
  - A copy of such a set in another place is a copy of what refers to the backup. For a second copy of the data, give
    pgBackRest a second repository.
seealso:
  - module: nexuscos.ops.backup_health
  - module: community.postgresql.postgresql_db
"""

EXAMPLES = r"""
- name: Dump the platform's database
  nexuscos.ops.postgres_backup:
    system: nexusdb
    login_host: db1.example.com
    login_user: backup
    login_password: "{{ vault_backup_password }}"
    login_db: nexusdb
    ssl_mode: verify-full
    ca_cert: /etc/ssl/certs/platform-ca.pem

- name: Dump a large one by four at once, from a standby, and keep what it must show again
  nexuscos.ops.postgres_backup:
    system: analytics
    login_host: db2.example.com
    login_user: backup
    login_password: "{{ vault_backup_password }}"
    login_db: analytics
    format: directory
    jobs: 4
    lock_wait: 600
    queries:
      - name: paid orders
        query: SELECT count(*) FROM orders WHERE paid
      - name: revenue
        query: SELECT sum(amount) FROM payments

- name: Dump a database in a pod
  nexuscos.ops.postgres_backup:
    system: nexusdb-pod
    login_host: /var/run/postgresql
    login_user: backup
    login_password: "{{ vault_backup_password }}"
    login_db: nexus_db
    pod:
      namespace: nexus-databases
      name: postgres-0
      kubeconfig: /etc/nexuscos/backup.kubeconfig

- name: Dump a database by the commands of its own host
  nexuscos.ops.postgres_backup:
    system: crm
    login_host: /var/run/postgresql
    login_user: backup
    login_password: "{{ vault_backup_password }}"
    login_db: crm
    command_prefix: [ssh, -o, BatchMode=yes, -i, /etc/nexuscos/backup.key, backup@db3.example.com]

- name: Copy a whole server
  nexuscos.ops.postgres_backup:
    system: db1
    engine: pg_basebackup
    login_host: db1.example.com
    login_user: replicator
    login_password: "{{ vault_replicator_password }}"
    compress: 1

- name: Back up by pgBackRest what has changed since the last time
  nexuscos.ops.postgres_backup:
    system: db1
    engine: pgbackrest
    stanza: main

- name: Make a full one now, by four processes
  nexuscos.ops.postgres_backup:
    system: db1
    engine: pgbackrest
    stanza: main
    backup_type: full
    jobs: 4
"""

RETURN = r"""
set:
  description: The set that was made, or that was there already.
  returned: success, but not in check mode where it would be made
  type: dict
  contains:
    system:
      description: Name of the system.
      returned: always
      type: str
    stamp:
      description: When it was begun, in UTC; name of the run's folder.
      returned: always
      type: str
    path:
      description: Its folder, with C(manifest.json) in it.
      returned: always
      type: str
    bytes:
      description: Size of all its files.
      returned: always
      type: int
    seconds:
      description: How long writing took, without reading it again.
      returned: always
      type: float
    engine:
      description: What made it.
      returned: always
      type: str
    format:
      description: V(pg_custom), V(pg_directory), V(pg_base_tar), V(pg_base_plain) or V(pgbackrest).
      returned: always
      type: str
    files:
      description: How many files it has.
      returned: always
      type: int
  sample:
    system: nexusdb
    stamp: 2026-11-29T060000Z
    path: /backups/nexus-cos/2026-11-29T060000Z/nexusdb
    bytes: 51300123
    seconds: 1.2
    engine: pg_dump
    format: pg_custom
    files: 2
level:
  description: Level of proof that it has. 2 is read to its last byte by its own engine.
  returned: success, but not in check mode where it would be made
  type: int
  sample: 2
plan:
  description: What would be made.
  returned: in check mode, where a set would be made
  type: dict
  contains:
    system:
      description: Name of the system.
      returned: always
      type: str
    stamp:
      description: Name of the run's folder, if it began now.
      returned: always
      type: str
    path:
      description: Folder of the backups.
      returned: always
      type: str
    engine:
      description: What would make it.
      returned: always
      type: str
    server:
      description: Version of the server.
      returned: always
      type: str
    source:
      description: Where it would be from.
      returned: always
      type: dict
    source_bytes:
      description: Size of the database, or of all of them.
      returned: always
      type: int
    expected_bytes:
      description: Size of the last set of this engine; without one, the least that is to be expected, or 0.
      returned: always
      type: int
    expected_seconds:
      description: How long the last set took, or null.
      returned: always
      type: float
    free_bytes:
      description: What is free where it would be written.
      returned: always
      type: int
    leftovers:
      description: Folders of runs that were killed, which would be removed.
      returned: always
      type: list
      elements: str
  sample:
    system: nexusdb
    stamp: 2026-11-29T060000Z
    path: /backups/nexus-cos
    engine: pg_dump
    server: "15.18"
    source: {host: db1.example.com, port: 5432, database: nexusdb, standby: false}
    source_bytes: 734003200
    expected_bytes: 51300123
    expected_seconds: 1.2
    free_bytes: 75608514560
    leftovers: []
expired:
  description: Stamps of the sets that were removed, because pgBackRest has expired their backups.
  returned: with O(engine=pgbackrest)
  type: list
  elements: str
  sample: [2026-10-29T060000Z]
msg:
  description: What was made, in a line; in check mode what would be.
  returned: always
  type: str
  sample: "nexusdb: 51.3 MB in 1.2 s to 2026-11-29T060000Z, read to the end"
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._backup import pgbackrest_backup, pod, postgres_base, postgres_dump, run_backup
from ..module_utils._backup.postgres_tools import postgres_spec
from ..module_utils._core.argspec import ArgSpec
from ..module_utils._core.errors import OpsError, OptionError

ENGINES: dict[str, tuple[str, ...]] = {
    "pg_dump": ("custom", "directory"),
    "pg_basebackup": ("tar", "plain"),
    "pgbackrest": (),
}


def spec() -> ArgSpec:
    """The options of this module."""
    own = ArgSpec(
        {
            "engine": {"type": "str", "choices": list(ENGINES), "default": "pg_dump"},
            "format": {"type": "str", "choices": [one for formats in ENGINES.values() for one in formats]},
            "jobs": {"type": "int", "default": 1},
            "compress": {"type": "int"},
            "globals": {"type": "bool", "default": True},
            "invariants": {"type": "str", "choices": ["rows", "none"], "default": "rows"},
            "queries": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "query": {"type": "str", "required": True},
                },
            },
            "checkpoint": {"type": "str", "choices": ["fast", "spread"], "default": "fast"},
            "max_rate": {"type": "str"},
            "stanza": {"type": "str"},
            "backup_type": {"type": "str", "choices": list(pgbackrest_backup.TYPES), "default": "incr"},
            "full_every": {"type": "str", "default": "7d"},
            "pgbackrest_config": {"type": "path"},
            "pgbackrest_repo": {"type": "int", "default": 1},
            "pgbackrest_account": {"type": "str", "default": "postgres"},
            "archive_timeout": {"type": "float", "default": 60},
            "pod": pod.option(),
            "command_prefix": {"type": "list", "elements": "str", "default": []},
        },
        required_if=[("engine", "pg_dump", ["login_db"]), ("engine", "pgbackrest", ["stanza"])],
    )
    return run_backup.backup_spec().merge(postgres_spec()).merge(own)


def main() -> None:
    """Wire options and engine."""
    module = AnsibleModule(supports_check_mode=True, **spec().to_kwargs())
    try:
        result = run(module.params, module.check_mode)
    except OpsError as error:
        module.fail_json(msg=f"{module.params['system']}: {error}")
    for text in result.pop("warnings", []):
        module.warn(text)
    module.exit_json(**result)


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Make a set, or say what would be made."""
    if params["engine"] == "pgbackrest":
        return pgbackrest_backup.run(params, check_mode)
    formats = ENGINES[params["engine"]]
    given = {**params, "format": params["format"] or formats[0]}
    if given["format"] not in formats:
        raise OptionError(f"format: {params['engine']} writes {' or '.join(formats)}, not {given['format']}")
    engine: run_backup.Engine
    engine = postgres_dump.engine(given) if params["engine"] == "pg_dump" else postgres_base.engine(given)
    return run_backup.run(given, check_mode, engine)


if __name__ == "__main__":
    main()

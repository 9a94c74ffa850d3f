#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore a database of PostgreSQL."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_restore
short_description: Restore a database of PostgreSQL, and take that back
version_added: 0.1.0
author:
  - Nexus COS operations (@nexuscos)
description:
  - Restores a set that M(nexuscos.ops.postgres_backup) has made with pg_dump, or a file of somebody else (custom or
    directory format, or plain SQL, also packed by gzip, bzip2 or xz), into a database of a server.
  - Without O(confirm), into a new database only.
  - With O(confirm), over a live one. First a safety backup of it is made. Then the dump is restored into a database
    beside it and proven there, by the row counts and all else that its manifest holds. Only then the names change, both
    in one transaction. The old database stays as C(<database>_before_<stamp>), and O(state=undone) takes it back.
  - Up to the change of names the live database serves as it did. During the change its connections are ended and new
    ones wait; a client that connects again finds what was restored. When anything fails before or in it, also when this
    process is killed, the live database is as it was and lets everybody in. What was restored so far is removed, by the
    next restore at the latest.
  - Owner, encoding, locale, settings, rights and connection limit of a live database are those of the new one. A new
    database gets them from the dump.
  - Plain SQL is read to its end first, and refused where its last line is missing, or where it holds commands of psql
    (C(\connect), C(\!)) that would leave the database. It is restored in one transaction, and its first error takes all
    of it back.
  - With O(point_in_time) a whole server is restored from pgBackRest and taken to a moment, by a set that
    M(nexuscos.ops.postgres_backup) has made with C(engine=pgbackrest) and the WAL that was archived since. It is
    recovered beside the live server, in a scratch server that tells what was in it and is gone afterwards, or in
    O(data_dir). The live server, its archive and its tablespaces are not touched.
options:
  state:
    description:
      - V(restored) restores.
      - V(undone) gives O(database) back to the database that had the name before the last restore. What was restored
        stays as C(<database>_undone_<stamp>). Wants O(confirm) as well.
    type: str
    choices: [restored, undone]
    default: restored
  database:
    description:
      - Name of the database to restore into. Wanted without O(point_in_time).
      - With O(point_in_time), the one whose tables and rows are told; all databases where it is left out.
    type: str
    default: ''
  point_in_time:
    description:
      - The moment to which a server is taken. A time with its zone (V(2026-11-29T14:05:00Z)), an LSN (V(0/3000060)),
        the name of a restore point that C(pg_create_restore_point) has made, or V(latest) for all that is archived.
      - Transactions that were committed up to a time are in it, and none that were later.
      - Begins with the newest backup of O(system) that was over by then, or with O(set).
    type: str
    default: ''
  data_dir:
    description:
      - Folder, empty or not there, that the server of O(point_in_time) is left in, shut down and ready to be started.
        It archives nothing. Tablespaces are beside it, in C(<data_dir>.tablespaces).
      - Left out, the server is a scratch one, and is gone with its data afterwards.
    type: path
    default: ''
  scratch_dir:
    description: Folder for the scratch server of O(point_in_time). Left out, V(/var/tmp).
    type: path
    default: ''
  queries:
    description: What the server of O(point_in_time) is asked when it is there, such as whether the rows are there.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the answer in RV(recovered.answers).
        type: str
        required: true
      query:
        description: A query that answers one row with one value.
        type: str
        required: true
      database:
        description: The database that is asked. Left out, V(postgres).
        type: str
        default: ''
  confirm:
    description:
      - The name of O(database) again, to say that a live database may be replaced and its connections ended.
      - In check mode it is not needed, and the plan says whether it would be.
    type: str
    default: ''
  path:
    description: Folder of the backups.
    type: path
    default: /backups/nexus-cos
  system:
    description:
      - Whose set. Wanted without O(file). It also names the safety backup, C(<system>-before-restore); with O(file)
        that is named for O(database) where this is left out.
    type: str
    default: ''
  set:
    description: Its stamp, such as V(2026-11-29T060000Z). Left out, the newest set of O(system) that no
      verification has refuted.
    type: str
    default: ''
  file:
    description: A dump that is no set, on the host where the module runs.
    type: path
    default: ''
  from_database:
    description:
      - The database that the dump is of, where that is another one than O(database) and would replace it. Without it
        such a dump is refused.
    type: str
    default: ''
  tables:
    description:
      - Tables whose rows are restored, as C(schema.table) or globs of such, into a new database. All definitions are
        restored, other tables are empty. Keys that do not hold without the rows of others are in RV(left_out).
    type: list
    elements: str
    default: []
  safety_backup:
    description: Whether a live database is dumped before it is replaced.
    type: bool
    default: true
  roles:
    description:
      - Whether roles of the set that the server does not have are made (V(missing)). Roles that are there keep their
        passwords and settings in any case.
    type: str
    choices: [missing, none]
    default: missing
  owners:
    description: Whether owners and rights are restored. With V(false) all belongs to O(login_user).
    type: bool
    default: true
  accept:
    description: See O(nexuscos.ops.backup_verify#module:accept).
    type: list
    elements: str
    default: []
  jobs:
    description: Connections that restore at once. Plain SQL takes one.
    type: int
    default: 2
  drain:
    description: Seconds to try to end the connections of a live database, before it is left as it is.
    type: float
    default: 30
  lock_wait:
    description: Seconds to wait for a backup or restore of O(system) to end.
    type: float
    default: 0
  deadline:
    description: Seconds for all of it.
    type: float
    default: 14400
  login_db:
    description: Database to log in to, never O(database) itself. Left out, V(postgres).
    default: null
  bin_dir:
    description:
      - Folder of psql, pg_restore and pg_dump. Left out, the commands of the server's version are looked for where
        Debian and Red Hat keep them, then in E(PATH).
    type: path
extends_documentation_fragment:
  - nexuscos.ops.postgres
attributes:
  check_mode:
    description: Says what would be restored, what it would replace, and whose connections would be ended.
    support: full
  diff_mode:
    description: Has nothing to compare.
    support: none
  idempotent:
    description: Every restore makes a database anew. O(state=undone) changes nothing where nothing is to take back.
    support: partial
  platform:
    description: Runs on this platform.
    support: full
    platforms: posix
requirements:
  - psql, pg_restore and pg_dump, of the server's version or newer; no library
  - 'For O(point_in_time): pgbackrest, and the server of the version that was backed up'
notes:
  - The role has to own O(database) and be allowed to make databases and to end connections, or be a superuser. A dump
    with objects of several owners wants a superuser, or O(owners=false).
  - The server needs room for the old and the new database. Where it is this host, that is looked at first.
  - Sessions that are ended get C(FATAL 57P01), as at a restart of the server. Services have to connect again by
    themselves; stop those that write where no write may be lost between the safety backup and the change.
  - Logical replication slots and subscriptions belong to the old database. The plan names the slots.
  - To take a live database back to a moment, restore the moment into O(data_dir), start that, dump the database from
    it, and restore the dump by O(file) and O(confirm). The live one stays as ever, under its other name.
  - Drop C(<database>_before_<stamp>) when it is not needed any more. This module never drops a database that it has not
    made itself in the same run, or that it has not marked.
seealso:
  - module: nexuscos.ops.backup_verify
  - module: nexuscos.ops.postgres_backup
"""

EXAMPLES = r"""
- name: Look into the data of yesterday, beside the live ones
  nexuscos.ops.postgres_restore:
    system: nexusdb
    set: 2026-11-28T180000Z
    database: nexusdb_yesterday
    login_host: db1.example.com
    login_user: postgres
    login_password: "{{ vault_postgres_password }}"

- name: Replace the live database by the newest set (look at the plan with --check first)
  nexuscos.ops.postgres_restore:
    system: nexusdb
    database: nexusdb
    confirm: nexusdb
    jobs: 4
    login_host: db1.example.com
    login_user: postgres
    login_password: "{{ vault_postgres_password }}"

- name: Take that back
  nexuscos.ops.postgres_restore:
    state: undone
    system: nexusdb
    database: nexusdb
    confirm: nexusdb
    login_host: db1.example.com
    login_user: postgres
    login_password: "{{ vault_postgres_password }}"

- name: Restore what the old runbook has written
  nexuscos.ops.postgres_restore:
    file: /backups/nexus-cos/2025-11-01/nexus_db.sql.gz
    database: nexus_db_of_november
    login_host: /var/run/postgresql

- name: Get the rows of two tables back
  nexuscos.ops.postgres_restore:
    system: nexusdb
    database: nexusdb_rescue
    tables: [billing.invoices, "billing.invoice_*"]
    login_host: /var/run/postgresql

- name: See which moments can be reached (with --check), and whether the invoices were there at 14:05
  nexuscos.ops.postgres_restore:
    system: db1
    point_in_time: "2026-11-29T14:05:00Z"
    database: nexusdb
    queries:
      - name: invoices
        database: nexusdb
        query: SELECT count(*) FROM billing.invoices

- name: Lay the server out as it was then
  nexuscos.ops.postgres_restore:
    system: db1
    point_in_time: "2026-11-29T14:05:00Z"
    data_dir: /var/lib/postgresql/at_1405
    jobs: 4
"""

RETURN = r"""
database:
  description: The database that was restored.
  returned: success without O(point_in_time), but not in check mode of O(state=restored)
  type: str
  sample: nexusdb
source:
  description: What was restored.
  returned: when it was restored
  type: dict
  contains:
    path:
      description: The file or folder.
      returned: always
      type: str
      sample: /backups/nexus-cos/2026-11-29T060000Z/nexusdb/nexusdb.dump
    system:
      description: Whose set, null of a file by itself.
      returned: always
      type: str
      sample: nexusdb
    stamp:
      description: Of the set, null of a file by itself.
      returned: always
      type: str
      sample: 2026-11-29T060000Z
    format:
      description: V(pg_custom), V(pg_directory), V(sql) or V(pgbackrest).
      returned: always
      type: str
      sample: pg_custom
    bytes:
      description: Its size.
      returned: always
      type: int
      sample: 51300000
before:
  description: The name that the old database has now. With O(state=undone), the one that took its name back. Null where
    there was none.
  returned: success, but not in check mode of O(state=restored)
  type: str
  sample: nexusdb_before_20261129t071500z
undone:
  description: The name that what had been restored has now.
  returned: with O(state=undone)
  type: str
  sample: nexusdb_undone_20261129t080000z
safety_backup:
  description: The set that was made of the live database, as in RV(nexuscos.ops.postgres_backup#module:set). Null where
    none was made.
  returned: when a database was restored
  type: dict
  sample: {system: nexusdb-before-restore, stamp: 2026-11-29T071400Z}
connections_ended:
  description: How many connections were ended, or would be with O(state=undone) in check mode.
  returned: success, but not in check mode of O(state=restored)
  type: int
  sample: 12
roles:
  description: Roles that were made.
  returned: when a database was restored
  type: list
  elements: str
  sample: [reader]
left_out:
  description: Keys that do not hold without the rows of tables that O(tables) does not name.
  returned: when a database was restored
  type: list
  elements: dict
  contains:
    what:
      description: The key, as the dump's table of contents has it.
      returned: always
      type: str
      sample: FK CONSTRAINT billing orders orders_user_id_fkey app
    why:
      description: What the server said.
      returned: always
      type: str
      sample: Key (user_id)=(…) is not present in table "users".
tables:
  description: How many tables are in it.
  returned: when a database was restored
  type: int
  sample: 23
rows:
  description: How many rows they have.
  returned: when a database was restored
  type: int
  sample: 48112
compared:
  description: How many tables were compared with the manifest.
  returned: when a database was restored
  type: int
  sample: 23
recovered:
  description: The server as it was at the moment.
  returned: when it was restored with O(point_in_time)
  type: dict
  contains:
    target:
      description: The moment that was asked for.
      returned: always
      type: str
      sample: "2026-11-29T14:05:00Z"
    last_transaction_at:
      description: When the last transaction in it was committed, null where the backup itself was the last.
      returned: always
      type: str
      sample: "2026-11-29T14:04:58.120466Z"
    lsn:
      description: Position up to which WAL was replayed.
      returned: always
      type: str
      sample: 0/7A000158
    timeline:
      description: Number of its own timeline.
      returned: always
      type: int
      sample: 2
    said:
      description: What the server said of where it stopped, null where it came to the end of the archive.
      returned: always
      type: str
      sample: recovery stopping before commit of transaction 751, time 2026-11-29 14:05:03.98+00
    data_dir:
      description: The folder that it lies in, null of a scratch server.
      returned: always
      type: str
      sample: /var/lib/postgresql/at_1405
    start:
      description: The command that starts it where no other server listens, null of a scratch server.
      returned: always
      type: str
      sample: sudo -u postgres /usr/lib/postgresql/15/bin/pg_ctl -D /var/lib/postgresql/at_1405 -o '-p 5499 …' start
    databases:
      description: Tables and rows of each database, or of O(database); null where what is in it is not consistent.
      returned: always
      type: dict
      sample: {nexusdb: {tables: 23, rows: 48112}}
    answers:
      description: What O(queries) were answered, as texts; null of one that could not be answered then.
      returned: always
      type: dict
      sample: {invoices: "4711"}
restore_seconds:
  description: How long the restore itself took.
  returned: when it was restored
  type: float
  sample: 3.2
seconds:
  description: How long all of it took.
  returned: when it was restored
  type: float
  sample: 9.4
plan:
  description: What would be done.
  returned: in check mode of O(state=restored)
  type: dict
  contains:
    source:
      description: What would be restored, as RV(source). C(database) and C(major) say of which database and version it
        is, C(level) and C(proven_at) how far it was proven.
      returned: always
      type: dict
      sample: {system: nexusdb, stamp: 2026-11-29T060000Z, level: 4}
    database:
      description: The database.
      returned: without O(point_in_time)
      type: str
      sample: nexusdb
    exists:
      description: Whether there is one of that name.
      returned: without O(point_in_time)
      type: bool
      sample: true
    confirmed:
      description: Whether nothing is missing to replace it.
      returned: without O(point_in_time)
      type: bool
      sample: false
    replaces_bytes:
      description: Its size, null where there is none.
      returned: without O(point_in_time)
      type: int
      sample: 221000000
    connections:
      description: Whose connections would be ended, with C(user), C(application), C(client) and C(count).
      returned: without O(point_in_time)
      type: list
      elements: dict
      sample: [{user: app, application: billing-service, client: 10.1.2.3, count: 10}]
    keeps_as:
      description: The name that the old database would have.
      returned: without O(point_in_time)
      type: str
      sample: nexusdb_before_20261129t071500z
    safety_backup:
      description: The system of the safety backup, null where none would be made.
      returned: without O(point_in_time)
      type: str
      sample: nexusdb-before-restore
    target:
      description: C(kind) and C(value) of the moment.
      returned: with O(point_in_time)
      type: dict
      sample: {kind: time, value: "2026-11-29T14:05:00Z"}
    earliest:
      description: C(at), the first moment that can be reached, with C(label) and C(stamp) of the backup that begins it.
      returned: with O(point_in_time)
      type: dict
      sample: {at: "2026-11-22T06:01:12Z", label: 20261122-060003F, stamp: 2026-11-22T060000Z}
    latest:
      description:
        - C(at), when the last WAL file (C(wal)) was archived that leads there without a gap, and the position (C(lsn))
          at its end. The last transaction in it may be older.
      returned: with O(point_in_time)
      type: dict
      sample: {at: "2026-11-29T14:12:40Z", wal: 00000001000000000000007A, lsn: 0/7B000000}
    wal:
      description:
        - The WAL files from the backup on, C(first) to C(last) without a gap. C(missing) are the first ones that are
          lost, C(beyond) is the newest behind them.
      returned: with O(point_in_time)
      type: dict
      sample: {first: 000000010000000000000061, last: 00000001000000000000007A, missing: [], beyond: null}
    data_dir:
      description: See O(data_dir), null of a scratch server.
      returned: with O(point_in_time)
      type: str
      sample: /var/lib/postgresql/at_1405
    needed_bytes:
      description: What the restore takes on the server's disk, about.
      returned: always
      type: int
      sample: 221000000
    free_bytes:
      description: What is free there, null where the server is elsewhere.
      returned: always
      type: int
      sample: 80000000000
    expected_seconds:
      description: How long the restore took when it was proven last. Null where it never was.
      returned: always
      type: float
      sample: 3.2
    warnings:
      description: What to know before.
      returned: always
      type: list
      elements: str
      sample: []
msg:
  description: What was done, or would be, in a sentence.
  returned: always
  type: str
  sample: 'nexusdb: restored from 2026-11-29T060000Z in 3.2 s; 23 tables, 48,112 rows, 23 as in the manifest. 12
    connections were ended; the old database is nexusdb_before_20261129t071500z, state: undone takes it back'
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._backup import postgres_restore
from ..module_utils._core.argspec import ArgSpec
from ..module_utils._core.errors import OpsError


def spec() -> ArgSpec:
    """The options of this module."""
    return postgres_restore.spec()


def main() -> None:
    """Wire options and restore."""
    module = AnsibleModule(supports_check_mode=True, **spec().to_kwargs())
    try:
        result = run(module.params, module.check_mode)
    except OpsError as error:
        module.fail_json(msg=str(error))
    for text in result.pop("warnings"):
        module.warn(text)
    module.exit_json(**result)


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Restore a database, or take a restore back."""
    return postgres_restore.run(params, check_mode)


if __name__ == "__main__":
    main()

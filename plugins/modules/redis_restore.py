#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore databases of Redis from a set, into a server that runs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_restore
short_description: Restore databases of Redis from a set, into a server that runs
version_added: 0.1.0
author:
  - Nexus COS operations (@nexuscos)
description:
  - Restores the snapshot of a set that M(nexuscos.ops.redis_backup) made into a server that goes on serving. Nothing is
    stopped, and no file of the server is touched.
  - A scratch server on the host where the module runs loads the snapshot. Its keys go into databases of the server that
    are empty, and are counted there. Then each is exchanged with the one it is meant for (C(SWAPDB)), all in one
    transaction that takes no time. When anything fails before, what was there is as it was.
  - Over a database that has keys only with the server's name in O(confirm).
  - What was there lies in the other database afterwards, with O(keep_old). RV(undo) are the commands that give it back.
options:
  login_unix_socket:
    description:
      - Path of the server's Unix socket. Mutually exclusive with O(login_host); one of them is wanted.
    type: path
  system:
    description:
      - Name of the system whose set is restored.
    type: str
    required: true
  path:
    description:
      - Folder of the backups, on the host where the module runs.
    type: path
    default: /backups/nexus-cos
  set:
    description:
      - Stamp of the set, such as V(2026-11-29T060000Z). Left out, the newest of O(system) that
        no verification has refuted.
    type: str
    default: ''
  databases:
    description:
      - Numbers of the databases that are restored. Left out, all of the snapshot. Others stay as they are.
    type: list
    elements: int
    default: []
  functions:
    description:
      - Whether the snapshot's libraries of functions replace those of the same names, too.
    type: bool
    default: false
  confirm:
    description:
      - The server whose keys may be replaced, as V(host:port) or the path of its socket.
    type: str
    default: ''
  keep_old:
    description:
      - Whether what was replaced is kept in another database. It takes memory until somebody flushes it.
    type: bool
    default: true
  bin_dir:
    description:
      - Folder with C(redis-server), where it is not in the C(PATH).
    type: path
    default: ''
  scratch_dir:
    description:
      - Folder for the scratch server's socket and log. Left out, it is C(/var/tmp).
    type: path
    default: ''
  lock_wait:
    description:
      - Seconds to wait for a backup or another restore of O(system) to end. With V(0) the task fails at once, and says
        who is at work.
    type: float
    default: 0
  deadline:
    description:
      - Seconds after which the restore is given up.
    type: float
    default: 21600
extends_documentation_fragment:
  - nexuscos.ops.redis
requirements:
  - redis-cli and redis-server, on the host where the module runs
attributes:
  check_mode:
    description: Reads the set's manifest and looks at the server, says what would be restored over what, and writes
      nothing.
    support: full
  diff_mode:
    description: The plan of check mode says what would change; keys are not compared.
    support: none
  idempotent:
    description: Every run restores anew.
    support: none
  platform:
    description: Runs on this platform.
    support: full
    platforms: posix
notes:
  - 'Rights: C(+info +select +get +set +del +flushdb +restore +dbsize +swapdb +multi +exec +echo +config|get ~*), and
    C(+function) for O(functions).'
  - Keys whose time was over when the restore ran are not restored.
  - The server has to have as many empty databases as are restored, and the memory for both. With a C(maxmemory) that is
    too small the restore is refused, because it would evict what is there.
  - Primaries of a cluster have one database each and cannot exchange it. There, and where the server is not to run, put
    C(dump.rdb) of the set where C(dir) and C(dbfilename) say, set C(appendonly no), and start it.
seealso:
  - module: nexuscos.ops.redis_backup
"""

EXAMPLES = r"""
- name: See what a restore would do
  nexuscos.ops.redis_restore:
    system: redis
    login_host: redis1.example.com
    login_password: "{{ vault_redis_password }}"
  check_mode: true

- name: Bring the sessions of six o'clock back
  nexuscos.ops.redis_restore:
    system: redis
    set: 2026-11-29T060000Z
    databases: [0]
    confirm: redis1.example.com:6379
    login_host: redis1.example.com
    login_password: "{{ vault_redis_password }}"
"""

RETURN = r"""
set:
  description: The set that was restored.
  returned: success
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
      description: Folder of the set.
      type: str
      returned: always
    bytes:
      description: Bytes of its files.
      type: int
      returned: always
    level:
      description: Level that it is proven to.
      type: int
      returned: always
  sample:
    system: redis
    stamp: 2026-11-29T060000Z
    path: /backups/nexus-cos/2026-11-29T060000Z/redis
    bytes: 6297699
    level: 4
restored:
  description: What was restored.
  returned: success, not in check mode
  type: list
  elements: dict
  contains:
    database:
      description: Number of the database.
      type: int
      returned: always
    key_count:
      description: Keys that it has now, counted by the server.
      type: int
      returned: always
    replaced:
      description: Keys that it had before.
      type: int
      returned: always
    kept_in:
      description: Number of the database that has what was there, null where there was nothing or it was not kept.
      type: int
      returned: always
  sample: [{database: 0, key_count: 102510, replaced: 98112, kept_in: 1}]
undo:
  description: Commands of C(redis-cli) that give back what was there.
  returned: success, not in check mode
  type: list
  elements: str
  sample: [SWAPDB 0 1]
seconds:
  description: How long it took.
  returned: success, not in check mode
  type: float
  sample: 1.4
plan:
  description: What would be restored.
  returned: in check mode
  type: dict
  contains:
    databases:
      description: C(database), C(key_count) and C(expires) in the snapshot, C(replaces), keys that are there, and
        C(aside), the empty database that it would be loaded into.
      type: list
      elements: dict
      returned: always
    unconfirmed:
      description: The server's name where O(confirm) would have to tell it, else empty. With it, the restore would be
        refused.
      type: str
      returned: always
msg:
  description: What was done, in one line.
  returned: always
  type: str
  sample: 'redis: 102511 keys of 2 databases of 2026-11-29T060000Z restored into redis1:6379 in 1.4 s'
"""

import time
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._backup import layout, lock, manifest, redis_dump, redis_load, run_backup, stream, verify
from ..module_utils._core.argspec import ArgSpec
from ..module_utils._core.errors import OpsError, OptionError
from ..module_utils._redis import options


def spec() -> ArgSpec:
    """The options of this module."""
    own = ArgSpec(
        {
            "login_unix_socket": {"type": "path"},
            "system": {"type": "str", "required": True},
            "path": {"type": "path", "default": "/backups/nexus-cos"},
            "set": {"type": "str", "default": ""},
            "databases": {"type": "list", "elements": "int", "default": []},
            "functions": {"type": "bool", "default": False},
            "confirm": {"type": "str", "default": ""},
            "keep_old": {"type": "bool", "default": True},
            "bin_dir": {"type": "path", "default": ""},
            "scratch_dir": {"type": "path", "default": ""},
            "lock_wait": {"type": "float", "default": 0.0},
            "deadline": {"type": "float", "default": run_backup.DEADLINE},
        },
        mutually_exclusive=[("login_host", "login_unix_socket")],
        required_one_of=[("login_host", "login_unix_socket")],
    )
    return options.login_spec().merge(own)


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Restore a set, or say what would be restored over what."""
    for name, least in (("deadline", 0.001), ("lock_wait", 0.0)):
        if params[name] < least:
            raise OptionError(f"{name}: want more seconds, got {params[name]:g}")
    where = redis_dump.address(params)
    one = verify.choose_good(params["path"], params["system"], params["set"])
    known = manifest.read(one.path)
    clock = time.monotonic()
    until = clock + params["deadline"]
    snapshot = _snapshot(one, known)
    wanted = _databases(known, snapshot, params["databases"], until)
    memory = known.source.get("memory_bytes")
    memory = memory if isinstance(memory, int) else 0
    loader = redis_load.Loader(where, one.system, until)
    proven = known.proven
    told: dict[str, Any] = {
        "changed": True,
        "set": {
            "system": one.system,
            "stamp": one.stamp,
            "path": one.path,
            "bytes": known.bytes,
            "level": proven.level if proven else 0,
        },
    }
    if check_mode:
        return {**told, **_plan(loader.plan(wanted, memory), one, where, params["confirm"])}
    with lock.held(
        params["path"], one.system, f"restore into {where.place}", min(params["lock_wait"], params["deadline"])
    ):
        rows = loader.plan(wanted, memory)
        if unconfirmed := _unconfirmed(rows, where, params["confirm"]):
            raise OptionError(
                f"{unconfirmed} has {sum(row.replaces for row in rows)} keys that would be replaced: name it in "
                f"confirm ({unconfirmed}), or restore into a server that is empty"
            )
        if stream.sum_file(snapshot, one.path) != known.files[0]:
            raise OpsError(f"{snapshot}: its sum is not that of the manifest. Nothing was replaced")
        result = loader.load(
            rows,
            snapshot,
            memory,
            params["keep_old"],
            params["functions"],
            parent=params["scratch_dir"],
            bin_dir=params["bin_dir"],
        )
    seconds = time.monotonic() - clock
    keys = sum(result.rows.values())
    msg = f"{one.system}: {keys} keys of {len(rows)} databases of {one.stamp} restored into {where.place}"
    msg += f" in {seconds:.1f} s"
    restored = [
        {
            "database": row.database,
            "key_count": result.rows[row.database],
            "replaced": row.replaces,
            "kept_in": result.kept.get(row.database),
        }
        for row in rows
    ]
    return {**told, "restored": restored, "undo": result.undo(), "seconds": round(seconds, 3), "msg": msg}


def _snapshot(one: layout.Set, known: manifest.Manifest) -> str:
    if known.format != "rdb" or len(known.files) != 1:
        raise OptionError(f"{one.path} is a set of {known.engine} in the format {known.format}, none of Redis")
    return f"{one.path}/{known.files[0].path}"


def _databases(known: manifest.Manifest, snapshot: str, chosen: list[int], until: float) -> dict[int, dict[str, int]]:
    """What is in the snapshot and is chosen."""
    _how, held = redis_dump.read(snapshot, until)
    if held is None:
        raise OpsError(f"{snapshot} is of a later Redis than is known here: let a server load it when it starts")
    found = {number: {"keys": row.keys, "expires": row.expires} for number, row in held.databases.items()}
    missing = [number for number in chosen if number not in found]
    if missing:
        there = ", ".join(map(str, sorted(found))) or "none"
        raise OptionError(f"databases: the snapshot of {known.stamp} has no keys in {missing[0]}; it has {there}")
    found = {number: row for number, row in found.items() if not chosen or number in chosen}
    if not found:
        raise OptionError(f"the snapshot of {known.stamp} has no keys")
    return found


def _plan(rows: list[redis_load.Row], one: layout.Set, where: redis_dump.Address, confirm: str) -> dict[str, Any]:
    unconfirmed = _unconfirmed(rows, where, confirm)
    replaced = sum(row.replaces for row in rows)
    msg = "{}: would restore {} keys of {} databases of {} into {}, {}".format(
        one.system,
        sum(row.keys for row in rows),
        len(rows),
        one.stamp,
        where.place,
        f"over {replaced} keys that are there" if replaced else "where none is",
    )
    if unconfirmed:
        msg += f"; it would be refused until confirm names {unconfirmed}"
    databases = [
        {
            "database": row.database,
            "key_count": row.keys,
            "expires": row.expires,
            "replaces": row.replaces,
            "aside": row.aside,
        }
        for row in rows
    ]
    plan = {"databases": databases, "unconfirmed": unconfirmed}
    return {"plan": plan, "msg": msg}


def _unconfirmed(rows: list[redis_load.Row], where: redis_dump.Address, confirm: str) -> str:
    return where.place if any(row.replaces for row in rows) and confirm != where.place else ""


def main() -> None:
    """Wire options and restore."""
    module = AnsibleModule(supports_check_mode=True, **spec().to_kwargs())
    try:
        module.exit_json(**run(module.params, module.check_mode))
    except OpsError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()

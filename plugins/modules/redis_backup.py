#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Back up a Redis server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_backup
short_description: Back up a Redis server, and prove that the snapshot is whole
version_added: 0.1.0
author:
  - Nexus COS operations (@nexuscos)
description:
  - Makes a set with a snapshot (RDB) of one Redis server in the folder of the backups, and reads it to its last byte
    before anything leads to it.
  - With O(method=stream), the server sends the snapshot as it would to a replica (C(redis-cli --rdb)), so that the
    module can run on any host that reaches the server. The snapshot is summed while it comes.
  - With O(method=bgsave), the server saves by itself. The very save that was asked for is awaited, by the server's own
    word for it, and the file is fetched where the module runs.
  - That a snapshot is whole is never believed of an exit status. It is proven by its own sum, by a walk over every
    value in it, and by C(redis-check-rdb) where that is installed.
  - The manifest tells the version, the memory that was used, the replication id and offset at which the snapshot was
    taken, and the keys in it, by database and type. They are counted in the snapshot, not asked of a server that goes
    on.
options:
  login_unix_socket:
    description:
      - Path of the server's Unix socket. Mutually exclusive with O(login_host); one of them is wanted.
    type: path
  method:
    description:
      - How the snapshot is had.
    type: str
    choices: [stream, bgsave]
    default: stream
  rdb_file:
    description:
      - The server's file on the host where the module runs, with O(method=bgsave), such as a volume of a container.
        Left out, the server is asked (C(CONFIG GET dir)).
    type: path
extends_documentation_fragment:
  - nexuscos.ops.backup
  - nexuscos.ops.redis
requirements:
  - redis-cli, on the host where the module runs
notes:
  - 'Rights: O(method=stream) wants C(+info +sync +psync +replconf), O(method=bgsave) wants
    C(+info +bgsave +lastsave +time), and C(+config|get) without O(rdb_file).'
  - The password goes to C(redis-cli) by the environment, never by its arguments.
  - Of a cluster, each primary holds a part of the keys and is backed up by itself.
  - 'Restoring: a snapshot is a file that Redis loads when it starts. Stop the server, put C(dump.rdb) of the set where
    C(dir) and C(dbfilename) of its configuration say, set C(appendonly no), and start it. A server with
    C(appendonly yes) loads its log instead; C(CONFIG SET appendonly yes) makes it a new one afterwards.'
seealso:
  - module: nexuscos.ops.redis_restore
  - module: nexuscos.ops.redis_health
  - module: nexuscos.ops.backup_health
"""

EXAMPLES = r"""
- name: Back up the cache and the sessions
  nexuscos.ops.redis_backup:
    system: redis
    login_host: redis1.example.com
    login_user: backup
    login_password: "{{ vault_redis_backup_password }}"
    tls: true
    ca_cert: /etc/ssl/certs/platform-ca.pem

- name: On the server's own host, let the server write it
  nexuscos.ops.redis_backup:
    system: redis
    login_unix_socket: /run/redis/redis.sock
    method: bgsave
  become: true

- name: See what would be made, and whether there is room for it
  nexuscos.ops.redis_backup:
    system: redis
    login_host: redis1.example.com
  check_mode: true
"""

RETURN = r"""
set:
  description: The set that was made, or was there already. Not there in check mode.
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
      description: Folder of the set.
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
      description: What made it, C(redis).
      type: str
      returned: always
    format:
      description: C(rdb).
      type: str
      returned: always
    files:
      description: Number of its files.
      type: int
      returned: always
  sample:
    system: redis
    stamp: 2026-11-29T060000Z
    path: /backups/nexus-cos/2026-11-29T060000Z/redis
    bytes: 6297699
    seconds: 0.31
    engine: redis
    format: rdb
    files: 1
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
      description: Address, role, memory and keys by database of the server.
      type: dict
      returned: always
    source_bytes:
      description: Memory that the server uses.
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
  sample: 'redis: 6.3 MB in 0.3 s to 2026-11-29T060000Z, read to the end'
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._backup import redis_dump, run_backup
from ..module_utils._core.argspec import ArgSpec
from ..module_utils._core.errors import OpsError, OptionError
from ..module_utils._redis import options


def spec() -> ArgSpec:
    """The options of this module."""
    own = ArgSpec(
        {
            "login_unix_socket": {"type": "path"},
            "method": {"type": "str", "choices": [redis_dump.STREAM, redis_dump.BGSAVE], "default": redis_dump.STREAM},
            "rdb_file": {"type": "path"},
        },
        mutually_exclusive=[("login_host", "login_unix_socket")],
        required_one_of=[("login_host", "login_unix_socket")],
    )
    return run_backup.backup_spec().merge(options.login_spec()).merge(own)


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Make a set, or say what would be made."""
    if params["rdb_file"] and params["method"] != redis_dump.BGSAVE:
        raise OptionError("rdb_file is read with method: bgsave only")
    engine = redis_dump.Engine(redis_dump.address(params), params["method"], params["rdb_file"])
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

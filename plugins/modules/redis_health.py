#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge a Redis server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_health
short_description: Judge the health of a Redis server, its replicas and its Sentinels
version_added: 0.1.0
author:
  - Nexus COS operations (@nexuscos)
description:
  - Looks at one Redis server (6.2 or newer, Valkey too) and answers with findings. An unhealthy, unreachable or dead
    server is data, never a failed task.
  - One connection. A sample of the keys is taken by small SCANs with small pipelines of C(MEMORY USAGE) and C(TTL),
    never by KEYS, so that no other client waits for it; a million keys are looked at without a pause of 10 ms.
  - A primary is asked about its replicas, so that a replica that is not there is missed; a replica about its link.
    Keys are not sampled on a replica, since they are the primary's.
  - Counters that the server keeps since it was started (evictions, connections that were turned away, hits and misses)
    are judged as rates, since the earlier look that O(previous) names or since the start. What was mended does not stay
    red.
  - Sentinels are asked beside it, each on a connection of its own, whether the server answers or not.
  - A server that refuses, hangs, loads its data or is busy with a script is dead for everybody, and C(redis.reachable)
    is critical. Where nothing comes back at all (time-out, no route, no name), a dead machine and a cut link look the
    same from here, and C(redis.reachable) is unknown. A server that answers and does not let the user in is reachable,
    and C(redis.access) is unknown. A server whose connections are used up is a finding of C(redis.clients).
requirements:
  - redis >= 5.0
options:
  deadline:
    default: 15.0
  expected_role:
    description:
      - What the server has to be. Left out, either will do, as where Sentinels move the primary and clients ask them.
    type: str
    choices: [primary, replica]
  expected_replicas:
    description:
      - The replicas that must be connected to this server while it is a primary. Without them only those that are
        connected are judged, and one that is gone is not missed.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the replica in objects, best its inventory name.
        type: str
        required: true
      host:
        description:
          - Name or address by which the primary knows it (C(replica-announce-ip), or where it connects from). The name
            of the replica by default.
        type: str
      port:
        description: Port that it listens on.
        type: int
        default: 6379
  sentinels:
    description:
      - The Sentinels that watch this server. Name them at one server of a primary and its replicas, so that their
        findings come once. Without them nobody asks.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the Sentinel in objects.
        type: str
        required: true
      host:
        description: Name or address of the Sentinel; its name by default.
        type: str
      port:
        description: Port that it listens on.
        type: int
        default: 26379
  sentinel_master:
    description:
      - Name under which the Sentinels know the primary and its replicas.
    type: str
    default: mymaster
  sentinel_user:
    description:
      - User to log in to the Sentinels as. Left out, O(sentinel_password) is that of their default user.
    type: str
  sentinel_password:
    description:
      - Password for the Sentinels. Left out, nobody logs in.
    type: str
  key_budget:
    description:
      - How many keys may be looked at, over all databases. V(0) looks at none.
      - C(redis.big_keys) and C(redis.ttl_leak) judge this sample.
    type: int
    default: 5000
  key_seconds:
    description:
      - How many seconds the sample may take. What was seen by then is judged.
    type: float
    default: 5.0
  previous:
    description:
      - An earlier recording of the same server, written by O(record_to). Rates are then those since that look.
      - Without this option, where the file is not there yet, and after a restart they are those since the start.
    type: path
extends_documentation_fragment:
  - nexuscos.ops.observe
  - nexuscos.ops.redis
notes:
  - 'Rights on the server (C(users.acl), or C(ACL SETUSER) without the first word): C(user monitor on >password
    resetkeys resetchannels -@all +ping +info +config|get +slowlog|get +latency|latest +client|list +client|setname
    +cluster|info +select +scan +memory|usage +ttl %R~*). Redis 6 knows no C(%R~*) and no subcommands of commands that
    are not containers there: write C(~*). Values of keys can not be read with it.'
  - 'Rights on a Sentinel: C(user monitor on >password resetchannels -@all +client|setname +sentinel|master
    +sentinel|ckquorum).'
  - Names of keys are shown without the parts that look like identifiers, since tokens of sessions are names of keys.
    Arguments of slow commands are neither shown nor kept.
  - The sample asks for keys that are there, which counts as hits in C(INFO stats).
seealso:
  - module: community.general.redis_info
  - module: community.general.redis_data_info
"""

EXAMPLES = r"""
- name: Look at the primary, and miss a replica that is gone
  nexuscos.ops.redis_health:
    target: "{{ inventory_hostname }}"
    login_host: redis1.example.com
    login_user: monitor
    login_password: "{{ vault_redis_monitor_password }}"
    tls: true
    ca_cert: /etc/ssl/certs/platform-ca.pem
    expected_role: primary
    expected_replicas:
      - {name: redis2, host: 10.0.0.32}
  delegate_to: localhost
  register: redis

- name: Ask the Sentinels, too
  nexuscos.ops.redis_health:
    target: redis1
    login_host: redis1.example.com
    login_user: monitor
    login_password: "{{ vault_redis_monitor_password }}"
    sentinels:
      - {name: redis1, host: redis1.example.com}
      - {name: redis2, host: redis2.example.com}
      - {name: mon1, host: mon1.example.com}
    sentinel_master: nexus
    sentinel_user: monitor
    sentinel_password: "{{ vault_redis_sentinel_password }}"

- name: Look at a million keys, and compare the counters with yesterday's look
  nexuscos.ops.redis_health:
    target: redis1
    login_host: redis1.example.com
    login_user: monitor
    login_password: "{{ vault_redis_monitor_password }}"
    key_budget: 1000000
    key_seconds: 90
    deadline: 100
    previous: /var/lib/nexuscos/redis1-yesterday.json.gz
    record_to: /var/lib/nexuscos/redis1.json.gz

- name: Judge what was recorded during the incident, by stricter lines
  nexuscos.ops.redis_health:
    target: redis1
    replay_from: evidence/redis1-2026-11-22.json.gz
    checks: [redis.reachable, "redis.replic*", redis.memory]
    thresholds:
      redis.replication_lag: {target: 2, alert: 10}
"""

RETURN = r"""
findings:
  description: What is not well, worst first. With O(include_ok), what is well after it.
  returned: always
  type: list
  elements: dict
  contains:
    check:
      description: Id of the check.
      type: str
      returned: always
      sample: redis.replicas
    object:
      description: What it is about.
      type: str
      returned: always
      sample: redis1/redis2
    status:
      description: V(ok), V(warning), V(critical) or V(unknown).
      type: str
      returned: always
      sample: critical
    title:
      description: The finding in a sentence.
      type: str
      returned: always
      sample: replica redis2 is not connected to redis1
    value:
      description: The number that was judged, or null.
      type: float
      returned: always
      sample: 95.1
    unit:
      description: Its unit, or null.
      type: str
      returned: always
      sample: "%"
    target:
      description: What good is, or null.
      type: float
      returned: always
      sample: 80
    alert:
      description: What is not acceptable, or null.
      type: float
      returned: always
      sample: 90
    evidence:
      description: 'Enough to act on: addresses, sizes, settings.'
      type: dict
      returned: always
      sample: {address: 10.0.0.32:6379}
    remedy:
      description: The next step.
      type: str
      returned: always
      sample: 'redis-cli CLIENT KILL ID 4711'
    runbook:
      description: File and heading of the runbook.
      type: str
      returned: always
      sample: 'daily:database-health'
    fingerprint:
      description: SHA-256 of check and object.
      type: str
      returned: always
      sample: 9f86d081884c7d659a2feaa0c55ad015
    caused_by:
      description: Fingerprint of the finding that explains this one, or null.
      type: str
      returned: always
      sample: null
    recorded_at:
      description: Time of the recording that was judged; null of a live look.
      type: str
      returned: always
      sample: null
summary:
  description: Counts of objects by status, and the worst status. A check that was not seen counts as V(unknown) there.
  returned: always
  type: dict
  contains:
    ok:
      description: Objects that are well.
      type: int
      returned: always
      sample: 31
    warning:
      description: Findings with this status.
      type: int
      returned: always
      sample: 1
    critical:
      description: Findings with this status.
      type: int
      returned: always
      sample: 0
    unknown:
      description: Findings with this status.
      type: int
      returned: always
      sample: 0
    total:
      description: All of these.
      type: int
      returned: always
      sample: 32
    worst:
      description: The worst status.
      type: str
      returned: always
      sample: warning
coverage:
  description: One row for each check.
  returned: always
  type: list
  elements: dict
  contains:
    check:
      description: Id of the check.
      type: str
      returned: always
      sample: redis.slow_commands
    objects:
      description: How many objects were looked at.
      type: int
      returned: always
      sample: 1
    status:
      description: The worst status among them.
      type: str
      returned: always
      sample: unknown
    seen:
      description: Whether the check could be answered.
      type: bool
      returned: always
      sample: false
    reason:
      description: Why not, or null.
      type: str
      returned: always
      sample: User monitor has no permissions to run the 'slowlog|get' command
facts:
  description: Headline numbers. Empty where the server was not seen.
  returned: always
  type: dict
  contains:
    version:
      description: Version of the server.
      type: str
      returned: when seen
      sample: '7.0.15'
    role:
      description: V(primary) or V(replica).
      type: str
      returned: when seen
      sample: primary
    mode:
      description: V(standalone) or V(cluster).
      type: str
      returned: when seen
      sample: standalone
    uptime_s:
      description: Seconds since the server was started.
      type: int
      returned: when seen
      sample: 864000
    connect_ms:
      description: Milliseconds that connecting and logging in took.
      type: float
      returned: when seen
      sample: 1.2
    took_ms:
      description: Milliseconds that the whole look took.
      type: float
      returned: when seen
      sample: 61.5
    ops_per_s:
      description: Commands a second.
      type: float
      returned: when seen
      sample: 812.0
    latency_ms:
      description: Median of some PINGs in milliseconds.
      type: float
      returned: when seen
      sample: 0.2
    clients:
      description: Connected clients.
      type: int
      returned: when seen
      sample: 41
    clients_max:
      description: How many it takes.
      type: int
      returned: when seen
      sample: 10000
    memory_used_bytes:
      description: Memory that counts against the limit.
      type: int
      returned: when seen
      sample: 3784432
    memory_max_bytes:
      description: The limit (C(maxmemory)), V(0) without one.
      type: int
      returned: when seen
      sample: 268435456
    keys_total:
      description: Keys in all databases.
      type: int
      returned: on a primary
      sample: 6505
    keys_looked_at:
      description: How many of them the sample has.
      type: int
      returned: on a primary
      sample: 5000
    hit_percent:
      description: Share of the keys that were asked for and were there.
      type: float
      returned: where there were any
      sample: 98.4
    replicas:
      description: How many replicas are online, V(n of m).
      type: str
      returned: on a primary with replicas
      sample: 1 of 1
    replication_lag_s:
      description: Seconds since the slowest replica confirmed what it has.
      type: float
      returned: on a primary with replicas
      sample: 1.0
recorded_at:
  description: Time of the recording that was judged, in UTC; null of a live look.
  returned: always
  type: str
  sample: '2026-11-22T06:00:00Z'
"""

import dataclasses
import datetime
import fnmatch
import os
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _catalogue
from ..module_utils._core import recording
from ..module_utils._core.argspec import ArgSpec, observe_spec
from ..module_utils._core.deps import need
from ..module_utils._core.errors import OpsError, OptionError
from ..module_utils._core.observe import observe
from ..module_utils._redis import checks, collect, evaluate, options
from ..module_utils._redis.case import Expect, Place
from ..module_utils._redis.link import Address

NAME = "redis_health"
DEADLINE = 15.0
REPLICA_PORT = 6379


def spec() -> ArgSpec:
    """The options of this module."""
    own = ArgSpec(
        {
            "expected_role": {"type": "str", "choices": ["primary", "replica"]},
            "expected_replicas": options.place_spec(REPLICA_PORT),
            "sentinels": options.place_spec(options.SENTINEL_PORT),
            "sentinel_master": {"type": "str", "default": "mymaster"},
            "sentinel_user": {"type": "str"},
            "sentinel_password": {"type": "str", "no_log": True},
            "key_budget": {"type": "int", "default": 5000, "no_log": False},
            "key_seconds": {"type": "float", "default": 5.0, "no_log": False},
            "previous": {"type": "path"},
        },
        required_one_of=[("login_host", "replay_from")],
    )
    return observe_spec(DEADLINE).merge(options.login_spec()).merge(own)


def main() -> None:
    """Wire options, look and judgement."""
    module = AnsibleModule(supports_check_mode=True, **spec().to_kwargs())
    try:
        module.exit_json(changed=False, **run(module.params))
    except OpsError as error:
        module.fail_json(msg=str(error))


def run(params: Mapping[str, Any]) -> dict[str, Any]:
    """Look and judge."""
    replicas = options.places("expected_replicas", params["expected_replicas"])
    sentinels = options.places("sentinels", params["sentinels"])
    if params["key_budget"] < 0:
        raise OptionError("key_budget: want 0 or more keys, got %d" % params["key_budget"])
    if params["key_seconds"] <= 0:
        raise OptionError("key_seconds: want more than 0 seconds, got {:g}".format(params["key_seconds"]))
    earlier = _earlier(params["previous"])

    def look() -> dict[str, Any]:
        address = options.address(params)
        redis = need("redis", "5.0")
        need("redis.connection", "0", "redis")
        return collect.collect(redis, _options(params, address, replicas, sentinels))

    return observe(
        NAME,
        params,
        checks.CHECKS,
        _catalogue.BY_ID,
        look,
        lambda observation, judge: evaluate.evaluate(
            observation, judge, _expect(params, replicas, bool(sentinels), earlier, judge.recorded_at)
        ),
    )


def _options(
    params: Mapping[str, Any], address: Address, replicas: tuple[Place, ...], sentinels: tuple[Place, ...]
) -> collect.Options:
    watchers = tuple(
        (
            one.name,
            dataclasses.replace(
                address,
                host=one.host,
                port=one.port,
                user=params["sentinel_user"],
                password=params["sentinel_password"],
            ),
        )
        for one in sentinels
    )
    return collect.Options(
        address=address,
        wanted=_wanted(params["checks"]),
        replicas=replicas,
        sentinels=watchers,
        master_name=params["sentinel_master"],
        key_budget=params["key_budget"],
        key_seconds=params["key_seconds"],
        deadline=params["deadline"],
        connect_timeout=params["connect_timeout"],
    )


def _wanted(patterns: Any) -> tuple[str, ...]:
    """Ids without the system's name; a question that answers none of them is not asked."""
    known = [check.id for check in checks.CHECKS]
    asked = [check for check in known if not patterns or any(fnmatch.fnmatchcase(check, one) for one in patterns)]
    return tuple(check.split(".", 1)[1] for check in asked)


def _earlier(path: str | None) -> recording.Recording | None:
    return recording.read(path, NAME) if path and os.path.exists(path) else None


def _expect(
    params: Mapping[str, Any],
    replicas: tuple[Place, ...],
    sentinels: bool,
    earlier: recording.Recording | None,
    recorded_at: str | None,
) -> Expect:
    return evaluate.expectation(
        role=params["expected_role"] or "",
        replicas=replicas,
        sentinels=sentinels,
        earlier=earlier,
        now=recorded_at or datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


if __name__ == "__main__":
    main()

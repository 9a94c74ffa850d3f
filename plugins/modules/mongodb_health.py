#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge a MongoDB server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mongodb_health
short_description: Judge the health of a MongoDB server
version_added: 0.1.0
author:
  - Nexus COS operations (@nexuscos)
description:
  - Looks at one MongoDB server over one direct connection, and answers with findings. An unhealthy, unreachable or dead
    server is data, never a failed task. Nothing is written, and no document of the data is read.
  - The primary of a replica set answers for all members (state, lag, elections), any other member for itself, so that
    a member that is down is one finding and not one for each that misses it.
  - A server that refuses, hangs, or answers with something else is dead for everybody, and C(mongodb.reachable) is
    critical. Where nothing comes back at all (time-out, no route, no name), a dead machine and a cut link look the same
    from here, and C(mongodb.reachable) is unknown. A server that answers and does not let the user in is reachable, and
    C(mongodb.access) is unknown.
  - A server that only speaks MongoDB's protocol (its C(serverStatus.process) is neither C(mongod) nor C(mongos)) has no
    WiredTiger cache and no queues; these checks have nothing to look at there. What a real server does not answer is
    not seen, with the reason.
options:
  deadline:
    default: 15.0
  replica_set:
    description:
      - Name of the replica set that the server belongs to. Without it, a server that has lost its replica set is taken
        for one that stands alone.
    type: str
  ignore_applications:
    description:
      - Names or globs of application names (C(appName)) whose operations may take as long as they like.
    type: list
    elements: str
    default: [mongodump, mongorestore]
extends_documentation_fragment:
  - nexuscos.ops.observe
  - nexuscos.ops.mongodb
notes:
  - 'Rights: a user with the role C(clusterMonitor) on C(admin). What it may not see is reported as not seen.'
  - An oplog that is not full yet is judged by what it will hold when it is.
  - Of running operations, only name, collection, client and age are kept, never their values.
seealso:
  - module: community.mongodb.mongodb_status
  - module: community.mongodb.mongodb_info
"""

EXAMPLES = r"""
- name: Look at a member of a replica set
  nexuscos.ops.mongodb_health:
    target: "{{ inventory_hostname }}"
    login_host: mongo1.example.com
    login_user: monitor
    login_password: "{{ vault_monitor_password }}"
    ca_cert: /etc/ssl/certs/platform-ca.pem
    replica_set: rs0
  delegate_to: localhost
  register: mongodb

- name: Ask only about replication, and be stricter than the platform
  nexuscos.ops.mongodb_health:
    target: mongo1
    login_host: mongo1.example.com
    login_user: monitor
    login_password: "{{ vault_monitor_password }}"
    checks: [mongodb.reachable, mongodb.access, mongodb.member, mongodb.primary, mongodb.replication_lag]
    thresholds:
      mongodb.replication_lag: {target: 2, alert: 10}
      mongodb.size: {target: 400, alert: 500}

- name: Judge what was recorded during the incident
  nexuscos.ops.mongodb_health:
    target: mongo1
    replay_from: evidence/mongo1-2026-11-22.json.gz
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
      sample: mongodb.member
    object:
      description: What it is about.
      type: str
      returned: always
      sample: mongo1/mongo2:27017
    status:
      description: V(ok), V(warning), V(critical) or V(unknown).
      type: str
      returned: always
      sample: critical
    title:
      description: The finding in a sentence.
      type: str
      returned: always
      sample: "member mongo2:27017 of rs0 cannot be reached"
    value:
      description: The number that was judged, or null.
      type: float
      returned: always
      sample: 31.5
    unit:
      description: Its unit, or null.
      type: str
      returned: always
      sample: "s"
    target:
      description: What good is, or null.
      type: float
      returned: always
      sample: 10
    alert:
      description: What is not acceptable, or null.
      type: float
      returned: always
      sample: 30
    evidence:
      description: 'Enough to act on: members, positions, operations, sizes.'
      type: dict
      returned: always
      sample: {state: (not reachable/healthy), health: 0}
    remedy:
      description: The next step.
      type: str
      returned: always
      sample: "on mongo2:27017: systemctl status mongod"
    runbook:
      description: File and heading of the runbook.
      type: str
      returned: always
      sample: "daily:morning-start-of-business-day"
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
      sample: 21
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
      sample: 22
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
      sample: mongodb.member
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
      sample: "not allowed: grant the role clusterMonitor"
facts:
  description: Headline numbers.
  returned: always
  type: dict
  contains:
    role:
      description: C(primary), C(secondary), C(arbiter), C(other), C(standalone) or C(router).
      type: str
      returned: when seen
      sample: primary
    replica_set:
      description: Name of the replica set, or null.
      type: str
      returned: when seen
      sample: rs0
    version:
      description: Version of the server.
      type: str
      returned: when seen
      sample: 7.0.14
    process:
      description: Name of the program that answers.
      type: str
      returned: when seen
      sample: mongod
    members:
      description: Members of the replica set.
      type: int
      returned: when seen
      sample: 3
    members_healthy:
      description: Those that are up and primary, secondary or arbiter.
      type: int
      returned: when seen
      sample: 3
    connections_used:
      description: Connections that are taken.
      type: int
      returned: when seen
      sample: 41
    connections_usable:
      description: Connections that the server allows.
      type: int
      returned: when seen
      sample: 51200
    databases:
      description: Databases whose sizes were read.
      type: int
      returned: when seen
      sample: 4
    size_bytes:
      description: What data and indexes take on the disk.
      type: int
      returned: when seen
      sample: 7340032
    index_bytes:
      description: What the indexes take of that.
      type: int
      returned: when seen
      sample: 1048576
recorded_at:
  description: Time of the recording that was judged, in UTC; null of a live look.
  returned: always
  type: str
  sample: '2026-11-22T06:00:00Z'
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import _catalogue
from ..module_utils._core.argspec import ArgSpec, observe_spec
from ..module_utils._core.deps import need
from ..module_utils._core.errors import OpsError
from ..module_utils._core.observe import observe
from ..module_utils._mongodb import checks, collect, evaluate, options

NAME = "mongodb_health"
DEADLINE = 15.0


def spec() -> ArgSpec:
    """The options of this module."""
    own = ArgSpec(
        {
            "replica_set": {"type": "str"},
            "ignore_applications": {"type": "list", "elements": "str", "default": ["mongodump", "mongorestore"]},
        },
        required_one_of=[("login_host", "replay_from")],
    )
    return observe_spec(DEADLINE).merge(options.connection_spec()).merge(own)


def main() -> None:
    """Wire options, look and judgement."""
    module = AnsibleModule(supports_check_mode=True, **spec().to_kwargs())
    try:
        module.exit_json(changed=False, **run(module.params))
    except OpsError as error:
        module.fail_json(msg=str(error))


def run(params: Mapping[str, Any]) -> dict[str, Any]:
    """Look and judge."""

    def look() -> dict[str, Any]:
        how = options.connection(params)
        return collect.collect(need("pymongo", "4.6"), how)

    expect = evaluate.Expect(params["replica_set"] or "", tuple(params["ignore_applications"]))
    return observe(
        NAME,
        params,
        checks.CHECKS,
        _catalogue.BY_ID,
        look,
        lambda observation, judge: evaluate.evaluate(observation, judge, expect),
    )


if __name__ == "__main__":
    main()

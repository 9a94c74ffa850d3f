#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge a PostgreSQL server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_health
short_description: Judge the health of a PostgreSQL server
version_added: 0.1.0
author:
  - Nexus COS operations (@nexuscos)
description:
  - Looks at one PostgreSQL server, version 13 to 18, and answers with findings. An unhealthy, unreachable or dead
    server is data, never a failed task.
  - One connection, one read-only transaction, all questions in one pipeline, a tenth of a second. Nothing waits for a
    lock on a table. Settings of the session (time-outs) end with the transaction, so that a pooler is no obstacle.
  - A primary is asked about its standbys, so that a standby that is not there is missed; a standby about what it
    receives and replays. What only a primary can answer is not asked of a standby.
  - Counters that the server keeps since the statistics began (deadlocks, temporary files, checkpoints) are judged as
    rates by the hour, the archiver by its last failure against its last success, broken pages by the age of the last
    one. What was mended does not stay red.
  - A server that refuses, hangs, starts or stops is dead for everybody, and C(postgres.reachable) is critical. Where
    nothing comes back at all (time-out, no route, no name), a dead machine and a cut link look the same from here, and
    C(postgres.reachable) is unknown. A server that answers and does not let the role in is reachable, and
    C(postgres.access) is unknown. A server whose connections are used up is a finding of C(postgres.connections).
options:
  deadline:
    default: 15.0
  expected_standbys:
    description:
      - Names of the standbys (C(application_name), by default their C(cluster_name)) that must be connected to this
        server. Without them only those that are connected are judged, and one that is gone is not missed.
    type: list
    elements: str
    default: []
  databases:
    description:
      - Names or globs of the databases whose tables, indexes and sequences are read. Those catalogues live in each
        database and want one short connection more for each but the login database.
      - An empty list reads the login database. The others are named in RV(facts.databases_not_read).
    type: list
    elements: str
    default: []
  ignore_applications:
    description:
      - Names or globs of application names whose sessions may take as long as they like. C(postgres.blocked) and
        C(postgres.xmin_horizon) still name them.
    type: list
    elements: str
    default: [pg_dump, pg_restore, vacuumdb, reindexdb]
  previous:
    description:
      - An earlier recording of the same server, written by O(record_to). C(postgres.growth) compares the sizes of the
        databases with it.
      - Without this option nobody asks for growth, and sizes alone are judged. A file that is not there yet makes
        C(postgres.growth) unknown.
    type: path
requirements:
  - psycopg >= 3.2
extends_documentation_fragment:
  - nexuscos.ops.observe
  - nexuscos.ops.postgres
notes:
  - 'Rights: C(CREATE ROLE monitor LOGIN IN ROLE pg_monitor). Three questions want a grant more, in each database that
    is read; without it they are not seen, and the coverage names the grant.'
  - 'C(postgres.hba_errors): C(GRANT SELECT ON pg_hba_file_rules) and C(GRANT EXECUTE ON FUNCTION pg_hba_file_rules()).'
  - 'C(postgres.bloat): C(GRANT SELECT (starelid, stainherit, staattnum, stanullfrac, stawidth) ON pg_statistic): widths
    only, no values of the data.'
  - 'C(postgres.sequence): C(GRANT SELECT ON ALL SEQUENCES IN SCHEMA ...) and the same by C(ALTER DEFAULT PRIVILEGES).'
  - C(postgres.standby_reply) compares the clocks of primary and standby. Both need NTP, as all servers do.
  - Values in statements are taken out before anybody sees them. C(evidence) shows the statement with gaps.
seealso:
  - module: community.postgresql.postgresql_ping
  - module: community.postgresql.postgresql_info
"""

EXAMPLES = r"""
- name: Look at the primary, and miss a standby that is gone
  nexuscos.ops.postgres_health:
    target: "{{ inventory_hostname }}"
    login_host: db1.example.com
    login_user: monitor
    login_password: "{{ vault_monitor_password }}"
    login_db: nexusdb
    ssl_mode: verify-full
    ca_cert: /etc/ssl/certs/platform-ca.pem
    expected_standbys: [db2, db3]
  delegate_to: localhost
  register: postgres

- name: Look at the tables of all databases, and compare the sizes with yesterday's look
  nexuscos.ops.postgres_health:
    target: analytics
    login_host: analytics.example.com
    login_user: monitor
    login_password: "{{ vault_monitor_password }}"
    databases: ["*"]
    previous: /var/lib/nexuscos/analytics-yesterday.json.gz
    record_to: /var/lib/nexuscos/analytics.json.gz
    deadline: 30

- name: Ask only about replication, and be stricter than the platform
  nexuscos.ops.postgres_health:
    target: db1
    login_host: db1.example.com
    login_user: monitor
    login_password: "{{ vault_monitor_password }}"
    expected_standbys: [db2, db3]
    checks: [postgres.reachable, postgres.access, "postgres.standby*", "postgres.replication_*", "postgres.slot*"]
    thresholds:
      postgres.replication_lag: {target: 1, alert: 5}

- name: Judge what was recorded during the incident
  nexuscos.ops.postgres_health:
    target: db1
    replay_from: evidence/db1-2026-11-22.json.gz
    expected_standbys: [db2, db3]
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
      sample: postgres.standby
    object:
      description: What it is about.
      type: str
      returned: always
      sample: db1/db3
    status:
      description: V(ok), V(warning), V(critical) or V(unknown).
      type: str
      returned: always
      sample: critical
    title:
      description: The finding in a sentence.
      type: str
      returned: always
      sample: standby db3 is not connected to db1
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
      description: 'Enough to act on: sessions, positions, settings.'
      type: dict
      returned: always
      sample: {used: 92, usable: 97}
    remedy:
      description: The next step.
      type: str
      returned: always
      sample: 'psql -h db1 -c "SELECT pg_terminate_backend(4711)"'
    runbook:
      description: File and heading of the runbook.
      type: str
      returned: always
      sample: 'daily:database-maintenance'
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
      sample: 214
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
      sample: 215
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
      sample: postgres.hba_errors
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
      sample: permission denied for view pg_hba_file_rules
facts:
  description: Headline numbers. Empty where the server was not seen.
  returned: always
  type: dict
  contains:
    version:
      description: Version of the server.
      type: str
      returned: when seen
      sample: '15.14'
    role:
      description: V(primary) or V(standby).
      type: str
      returned: when seen
      sample: primary
    uptime_s:
      description: Seconds since the server was started.
      type: int
      returned: when seen
      sample: 864000
    connect_ms:
      description: Milliseconds that connecting and logging in took.
      type: float
      returned: when seen
      sample: 9.1
    took_ms:
      description: Milliseconds that the whole look took.
      type: float
      returned: when seen
      sample: 87.5
    connections_used:
      description: Client connections.
      type: int
      returned: when seen
      sample: 41
    connections_usable:
      description: Connections that are not reserved.
      type: int
      returned: when seen
      sample: 97
    database_bytes:
      description: Size of all databases.
      type: int
      returned: when seen
      sample: 734003200
    databases:
      description: Size in bytes by database.
      type: dict
      returned: when seen
      sample: {nexusdb: 726663168, postgres: 7340032}
    databases_read:
      description: Databases whose own catalogues were read.
      type: list
      elements: str
      returned: when seen
      sample: [nexusdb]
    databases_not_read:
      description: Databases that O(databases) does not ask for.
      type: list
      elements: str
      returned: when seen
      sample: [postgres]
    standbys:
      description: How many standbys stream, V(n of m) where O(expected_standbys) says how many there should be.
      type: raw
      returned: when seen
      sample: 2 of 2
    replication_lag_s:
      description: Lag of the slowest standby in seconds.
      type: float
      returned: where there is replication
      sample: 0.0
    wal_bytes:
      description: Size of the WAL on the disk.
      type: int
      returned: when seen
      sample: 1073741824
    xmin_age:
      description: Transactions that vacuum cannot clean up after.
      type: int
      returned: on a primary
      sample: 2
recorded_at:
  description: Time of the recording that was judged, in UTC; null of a live look.
  returned: always
  type: str
  sample: '2026-11-22T06:00:00Z'
"""

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
from ..module_utils._core.errors import OpsError
from ..module_utils._core.observe import observe
from ..module_utils._postgres import checks, collect, evaluate, options
from ..module_utils._postgres.case import Expect

NAME = "postgres_health"
DEADLINE = 15.0


def spec() -> ArgSpec:
    """The options of this module."""
    own = ArgSpec(
        {
            "expected_standbys": {"type": "list", "elements": "str", "default": []},
            "databases": {"type": "list", "elements": "str", "default": []},
            "ignore_applications": {
                "type": "list",
                "elements": "str",
                "default": ["pg_dump", "pg_restore", "vacuumdb", "reindexdb"],
            },
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
    earlier = _earlier(params["previous"])

    def look() -> dict[str, Any]:
        psycopg = need("psycopg", "3.2")
        need("psycopg.rows", "0", "psycopg")
        return collect.collect(psycopg, options.connection(params, _wanted(params["checks"])))

    return observe(
        NAME,
        params,
        checks.CHECKS,
        _catalogue.BY_ID,
        look,
        lambda observation, judge: evaluate.evaluate(observation, judge, _expect(params, earlier, judge.recorded_at)),
    )


def _wanted(patterns: Any) -> tuple[str, ...]:
    """Ids without the system's name; a statement that answers none of them is not sent."""
    known = [check.id for check in checks.CHECKS]
    asked = [check for check in known if not patterns or any(fnmatch.fnmatchcase(check, one) for one in patterns)]
    return tuple(check.split(".", 1)[1] for check in asked)


def _earlier(path: str | None) -> recording.Recording | None:
    return recording.read(path, NAME) if path and os.path.exists(path) else None


def _expect(params: Mapping[str, Any], earlier: recording.Recording | None, recorded_at: str | None) -> Expect:
    return evaluate.expectation(
        standbys=params["expected_standbys"],
        ignore_applications=params["ignore_applications"],
        growth=bool(params["previous"]),
        earlier=earlier,
        now=recorded_at or datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


if __name__ == "__main__":
    main()

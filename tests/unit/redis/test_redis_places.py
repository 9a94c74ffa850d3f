# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where findings about Redis belong on the map: a dead primary takes its services away, a dead replica none."""

from __future__ import annotations

from typing import Any

from ansible_collections.nexuscos.ops.plugins.module_utils._catalogue import BY_ID
from ansible_collections.nexuscos.ops.plugins.module_utils._core.finding import Finding, fingerprint
from ansible_collections.nexuscos.ops.plugins.module_utils._report.looks import CAPABILITIES, Look
from ansible_collections.nexuscos.ops.plugins.module_utils._report.places import Map

REDIS = next(one for one in CAPABILITIES if one.engine == "redis")
SERVICES = {"session-mgr": {"namespace": "nexus-auth", "depends_on": ["redis"]}}


def finding(check: str, obj: str) -> dict[str, Any]:
    return Finding(check, obj, "critical", check, fingerprint=fingerprint(check, obj)).to_dict()


def places(**facts: Any) -> Map:
    looks = [
        Look(name="redis1", capability=REDIS, component="redis", standbys=("redis2",)),
        Look(name="redis2", capability=REDIS, component="redis"),
        Look(name="redis4", capability=REDIS, component="redis", facts=facts),
    ]
    return Map(looks, SERVICES, BY_ID)


def test_a_dead_primary_is_an_outage_of_the_system() -> None:
    mark = places().mark(finding("redis.reachable", "redis1"))
    assert (mark.component, mark.outage) == ("redis", True)


def test_a_replica_is_a_part_that_no_service_needs() -> None:
    found = places(role="replica")
    for obj, check in (
        ("redis2", "redis.reachable"),
        ("redis4", "redis.reachable"),
        ("redis1/redis2", "redis.replicas"),
    ):
        name = obj.rpartition("/")[2]
        assert found.mark(finding(check, obj)).component == f"redis/{name}"
        assert found.depends_on[f"redis/{name}"] == ["redis"]
    assert found.mark(finding("redis.replication_link", "redis2")).symptom


def test_what_is_bad_for_the_server_alone_takes_nothing_away() -> None:
    for check in ("redis.rdb", "redis.aof", "redis.no_ttl", "redis.fragmentation", "redis.sentinel_quorum"):
        assert not places().mark(finding(check, "redis1")).outage

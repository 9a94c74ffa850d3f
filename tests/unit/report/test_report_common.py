# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Causes that no check sees as an object of their own: what ill things have in common."""

from __future__ import annotations

from typing import Any

import pytest
from fake import SERVICES, finding, look, report, workload
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._core.causes import Causes
from ansible_collections.nexuscos.ops.plugins.module_utils._report.common import COMMON, find_common


def common(made: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in made["findings"] if one["check"] == COMMON]


def members(made: dict[str, Any], cause: dict[str, Any]) -> set[str]:
    return {one["object"] for one in made["findings"] if one["caused_by"] == cause["fingerprint"]}


def test_two_endpoints_behind_one_dead_proxy_have_one_cause() -> None:
    urls = [
        finding("endpoint.reachable", "edge/%s" % name, evidence={"address": "192.0.2.61:443"}) for name in ("a", "b")
    ]
    other = finding("endpoint.reachable", "edge/c", evidence={"address": "192.0.2.62:443"})
    made = report(look("edge", "endpoints", *urls, other))
    (cause,) = common(made)
    assert cause["object"] == "address/192.0.2.61:443"
    assert members(made, cause) == {"edge/a", "edge/b"}
    assert made["findings"][0] == cause, "it leads"
    assert "a, b are behind it" in cause["title"]


def test_an_image_that_all_its_users_fail_with_is_the_cause_and_one_that_others_run_is_not() -> None:
    def ill(users: int) -> dict[str, Any]:
        pods = [
            workload(name, "k8s.crash_loop", evidence={"image": "registry/x:2", "image_users": users})
            for name in ("kei-ai", "glitch", "pv-keys")
        ]
        return report(look("us-east-1", "clusters", *pods))

    (cause,) = common(ill(3))
    assert cause["object"] == "image/registry/x:2"
    assert len(members(ill(3), cause)) == 3
    assert common(ill(43)) == []


@pytest.mark.parametrize(
    ("reason", "images", "kind"),
    [
        ("not found", ("registry.example.com/a:1", "registry.example.com/a:1"), "image"),
        ("unreachable", ("registry.example.com/a:1", "registry.example.com/b:1"), "registry"),
        ("authentication", ("a/a:1", "a/b:1"), "registry"),
        ("not found", ("registry.example.com/a:1", "registry.example.com/b:1"), None),
    ],
)
def test_images_that_cannot_be_pulled(reason: str, images: tuple[str, str], kind: str | None) -> None:
    pods = [
        workload(name, "k8s.image_pull", evidence={"image": image, "cause": reason})
        for name, image in zip(("glitch", "pv-keys"), images)
    ]
    found = common(report(look("us-east-1", "clusters", *pods)))
    assert [one["object"].split("/", 1)[0] for one in found] == ([kind] if kind else [])


def test_a_lost_zone_explains_its_nodes_and_what_they_explain() -> None:
    nodes = [
        finding("k8s.node_ready", "us-east-1/Node/%s" % name, evidence={"zone": "us-east-1c", "nodes_in_zone": 2})
        for name in ("c1", "c2")
    ]
    pod = workload("glitch", "k8s.container_start", caused_by=nodes[0]["fingerprint"])
    made = report(look("us-east-1", "clusters", *nodes, pod))
    (cause,) = common(made)
    assert cause["object"] == "zone/us-east-1/us-east-1c"
    assert set(made["causes"][0]["explains"]) == {nodes[0]["fingerprint"], nodes[1]["fingerprint"], pod["fingerprint"]}
    # One node of two is a node, not a zone.
    assert common(report(look("us-east-1", "clusters", nodes[0]))) == []


def test_a_secret_that_two_services_miss() -> None:
    pods = [
        workload(name, "k8s.missing_config", title="%s cannot start container x: Secret stripe is missing" % name)
        for name in ("billing-service", "ledger-mgr")
    ]
    (cause,) = common(report(look("us-east-1", "clusters", *pods)))
    assert cause["object"] == "config/us-east-1/nexus-business/Secret/stripe"


def test_a_rollout_breaks_several_at_one_time() -> None:
    def pods(*minutes: int) -> dict[str, Any]:
        names = ("glitch", "pv-keys", "metatwin", "kei-ai")
        return report(
            look(
                "us-east-1",
                "clusters",
                *(
                    workload(
                        name,
                        "k8s.readiness",
                        evidence={"rollout": {"at": "2026-11-22T05:%02d:00Z" % minute, "generation": 2}},
                    )
                    for name, minute in zip(names, minutes)
                ),
            )
        )

    (cause,) = common(pods(1, 2, 4, 50))
    assert cause["object"] == "rollout/us-east-1/2026-11-22T05:01:00Z"
    assert len(members(pods(1, 2, 4, 50), cause)) == 3
    assert common(pods(1, 20, 40, 59)) == []


def test_a_dependency_that_nobody_saw_failing_is_suspected() -> None:
    down = [name for name, one in SERVICES.items() if "postgresql" in one["depends_on"]]
    made = report(look("us-east-1", "clusters", *(workload(name) for name in down)))
    (cause,) = common(made)
    assert cause["object"] == "dependency/postgresql"
    assert cause["title"].startswith("postgresql is suspected")
    assert made["findings"][0] == cause
    # With the database seen to be down nobody needs to suspect it.
    primary = finding("postgres.reachable", "db1")
    seen = report(
        look("us-east-1", "clusters", *(workload(name) for name in down)),
        look("db1", "databases", primary, component="postgresql"),
    )
    assert common(seen) == []
    assert seen["findings"][0]["object"] == "db1"


def test_a_dependency_is_suspected_though_some_of_its_users_explain_others() -> None:
    """invoice-gen and billing-service need ledger-mgr, and all of them need PostgreSQL, which answers whoever asks."""
    down = [name for name, one in SERVICES.items() if "postgresql" in one["depends_on"]]
    behind = ["invoice-gen", "billing-service", "creator-hub-v2"]
    made = report(look("us-east-1", "clusters", *(workload(name) for name in dict.fromkeys([*down, *behind]))))
    assert made["findings"][0]["object"] == "dependency/postgresql"
    assert len(made["causes"][0]["explains"]) >= len(down)


def test_one_certificate_on_two_names() -> None:
    urls = [
        finding("certificate.expiry", "edge/%s" % name, evidence={"fingerprint_sha256": "ab12"}) for name in ("a", "b")
    ]
    (cause,) = common(report(look("edge", "endpoints", *urls)))
    assert cause["object"] == "certificate/ab12"


def test_a_full_host_explains_the_database_on_it_and_what_needs_that() -> None:
    full = finding("host.filesystem", "host1/var")
    gone = finding("postgres.reachable", "db1")
    services = [workload(name) for name in ("glitch", "user-auth")]
    made = report(
        look("host1", "hosts", full),
        look("db1", "databases", gone, component="postgresql", needs=("host/host1",)),
        look("us-east-1", "clusters", *services),
    )
    assert made["findings"][0]["object"] == "host1/var"
    assert set(made["causes"][0]["explains"]) == {gone["fingerprint"], *(one["fingerprint"] for one in services)}


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "check": st.sampled_from(["k8s.image_pull", "k8s.crash_loop", "endpoint.reachable", "k8s.node_ready"]),
                "object": st.text(max_size=8),
                "status": st.sampled_from(["critical", "warning"]),
                "title": st.text(max_size=12),
                "evidence": st.one_of(
                    st.none(),
                    st.dictionaries(
                        st.sampled_from(["image", "cause", "address", "zone", "nodes_in_zone", "rollout"]),
                        st.one_of(st.none(), st.text(max_size=4), st.integers(), st.dictionaries(st.text(), st.text())),
                    ),
                ),
            }
        ),
        max_size=8,
    )
)
def test_garbage_never_makes_a_circle(findings: list[dict[str, Any]]) -> None:
    for number, one in enumerate(findings):
        one["fingerprint"] = "f%d" % number
        one["recorded_at"] = None
    causes = Causes()
    found = find_common(findings, causes, lambda _one: None, {})
    for one in found:
        assert one.finding["fingerprint"] not in causes.caused_by
        assert all(causes.root(name) == one.finding["fingerprint"] for name in one.members)

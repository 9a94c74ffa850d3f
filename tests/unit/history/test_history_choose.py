# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which finding is meant, and what changing its acknowledgement comes to."""

from __future__ import annotations

import datetime

import pytest
from fake import finding

from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._history import choose

KNOWN = [
    finding("postgres.size", "db1/nexusdb", "warning"),
    finding("postgres.size", "db1/other", "warning"),
    finding("k8s.readiness", "us-east-1/n/Deployment/kei-ai"),
]
AT = datetime.datetime(2026, 11, 22, 6, tzinfo=datetime.timezone.utc)
NOW = "2026-11-22T06:00:00Z"


def test_a_finding_by_its_fingerprint_or_by_check_and_object() -> None:
    name = KNOWN[0]["fingerprint"]
    assert choose.pick(KNOWN, name, "", "") is KNOWN[0]
    assert choose.pick(KNOWN, "#" + name[:12].upper(), "", "") is KNOWN[0]
    assert choose.pick(KNOWN, "", "postgres.size", "db1/other") is KNOWN[1]


@pytest.mark.parametrize(
    ("name", "check", "obj", "text"),
    [
        ("abc", "", "", "at least its first 6"),
        ("abcdef0123", "", "", "no finding of the last runs is abcdef0123"),
        ("", "postgres.size", "db1/nexusd", "did you mean postgres.size db1/nexusdb"),
    ],
)
def test_a_finding_that_is_not_known(name: str, check: str, obj: str, text: str) -> None:
    with pytest.raises(OptionError, match=text):
        choose.pick(KNOWN, name, check, obj)


def test_a_beginning_that_several_have() -> None:
    twins = [{**KNOWN[0], "fingerprint": "a" * 64}, {**KNOWN[1], "fingerprint": "a" * 63 + "b"}]
    with pytest.raises(OptionError, match="the beginning of several"):
        choose.pick(twins, "aaaaaaaa", "", "")


def test_asking_twice_changes_nothing() -> None:
    first = choose.wanted(None, KNOWN[0], "p", "ops", "why", "7d", AT, NOW)
    later = AT + datetime.timedelta(days=2)
    assert choose.wanted(first, KNOWN[0], "p", "ops", "why", "7d", later, NOW) is first
    assert choose.wanted(first, KNOWN[0], "p", "ops", "why", "2026-11-29T06:00:00Z", later, NOW) is first
    for by, reason, until in (("me", "why", "7d"), ("ops", "because", "7d"), ("ops", "why", "8d")):
        assert choose.wanted(first, KNOWN[0], "p", by, reason, until, later, NOW) is not first


def test_what_has_expired_does_not_hold() -> None:
    one = choose.wanted(None, KNOWN[0], "p", "ops", "why", "1h", AT, NOW)
    assert choose.current([one], KNOWN[0]["fingerprint"], NOW) is one
    assert choose.current([one], KNOWN[0]["fingerprint"], one.until) is None
    assert choose.current([one], KNOWN[1]["fingerprint"], NOW) is None
    assert choose.shown(None) == {}

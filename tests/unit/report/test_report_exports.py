# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report for machines: JUnit XML and Prometheus' text format."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from fake import dead_primary, finding, look, report

from ansible_collections.nexuscos.ops.plugins.module_utils._report import junit, prometheus

SAMPLE = re.compile(r'nexuscos_[a-z_]+\{([a-z_]+="(?:[^"\\\n]|\\.)*",?)+\} -?\d+(\.\d+)?(e[+-]?\d+)?')


def suites(made: dict[str, Any]) -> Any:
    return ElementTree.fromstring(junit.render(made))


def test_an_item_is_a_suite_and_its_counts_add_up() -> None:
    root = suites(dead_primary())
    assert [suite.get("name") for suite in root][:3] == [
        "Check system health dashboard",
        "Review overnight alerts and incidents",
        "Verify all services are running",
    ]
    for name in ("tests", "failures", "errors", "skipped"):
        assert int(root.get(name)) == sum(int(suite.get(name)) for suite in root)
    for suite in root:
        assert int(suite.get("tests")) == len(suite.findall("testcase"))
        assert int(suite.get("failures")) == len(suite.findall("testcase/failure"))
        assert int(suite.get("errors")) == len(suite.findall("testcase/error"))
        assert int(suite.get("skipped")) == len(suite.findall("testcase/skipped"))
    failure = root.find(".//testcase[@classname='db1'][@name='postgres.reachable']/failure")
    assert failure.get("message") == "PostgreSQL at db1:5432 refuses connections"
    assert "next: look at the server" in failure.text


def test_what_was_not_seen_is_an_error_and_never_green() -> None:
    dead = look("db9", "databases", error=("unreachable", "no route"))
    root = suites(report(dead))
    cases = root.findall(".//testcase[@classname='db9']")
    assert cases
    assert all(case.find("error") is not None for case in cases)


def test_hostile_text_stays_well_formed() -> None:
    bad = finding("k8s.readiness", "us-east-1/ns/Deployment/x", title='<b a="1">]]>\x00\x1b[2J & \ud800')
    made = report(look("us-east-1", "clusters", bad), run={"platform": 'a"\\\nb'})
    assert suites(made).findall(".//failure")
    assert all(SAMPLE.fullmatch(line) for line in prometheus.render(made).splitlines() if not line.startswith("#"))


def test_metrics_are_of_the_text_format_and_tell_the_run() -> None:
    text = prometheus.render(dead_primary())
    lines = text.splitlines()
    assert all(SAMPLE.fullmatch(line) for line in lines if not line.startswith("#"))
    assert len(lines) == len(set(lines)), "a series stands once"
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
    assert re.search(r'^nexuscos_run_item_status\{.*item="morning.services",status="critical"\} 1.0$', text, re.M)
    assert re.search(r'^nexuscos_run_system_seen\{.*system="us-west-2",module="k8s_health"\} 0.0$', text, re.M)

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in two places says the same in both: roles, inventories, pages."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake import ROOT
from jinja2.nativetypes import NativeEnvironment

from ansible_collections.nexuscos.ops.plugins.filter.merge_thresholds import merge_thresholds
from ansible_collections.nexuscos.ops.plugins.module_utils._catalogue import BY_ID, CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._core.threshold import Thresholds
from ansible_collections.nexuscos.ops.plugins.module_utils._report.looks import CAPABILITIES, GROUPS
from ansible_collections.nexuscos.ops.plugins.module_utils._version import VERSION

EXAMPLE = ROOT / "inventories" / "example"
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def templated(text: Any) -> Any:
    """What Ansible makes of a default in an inventory that sets nothing."""
    environment = NativeEnvironment()
    environment.filters["nexuscos.ops.merge_thresholds"] = merge_thresholds
    return environment.from_string(text).render(inventory_hostname="here") if isinstance(text, str) else text


@pytest.mark.parametrize("role", ROLES)
def test_argument_specs_and_defaults_name_the_same_variables(role: str) -> None:
    spec = load(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    defaults = load(ROOT / "roles" / role / "defaults" / "main.yml")
    assert set(spec) == set(defaults)
    assert all(name.startswith(role + "_") for name in defaults)


@pytest.mark.parametrize("role", ROLES)
def test_argument_specs_and_defaults_give_the_same_values(role: str) -> None:
    spec = load(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    defaults = load(ROOT / "roles" / role / "defaults" / "main.yml")
    for name, option in spec.items():
        got, wanted = templated(defaults[name]), templated(option["default"])
        # A native template of nothing is None.
        assert (got or type(wanted)()) == wanted, name


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_of_a_role_is_explained_in_its_readme(role: str) -> None:
    readme = (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")
    for name in load(ROOT / "roles" / role / "defaults" / "main.yml"):
        assert "`%s`" % name in readme


def test_every_capability_has_its_role_and_module() -> None:
    for one in CAPABILITIES:
        name = "%s.yml" % (one.engine or "main")
        tasks = (ROOT / "roles" / one.group / "tasks" / name).read_text(encoding="utf-8")
        assert "nexuscos.ops.%s:" % one.module in tasks
        assert "register: %s" % one.variable in tasks
    playbook = (ROOT / "playbooks" / "look.yml").read_text(encoding="utf-8")
    plays = yaml.safe_load(playbook)
    # A pattern and lists that YAML cannot share: they name all groups, in one order.
    assert [play["hosts"] for play in plays[1:]] == ["~^(%s)$" % "|".join(ordered(plays))] * 3
    assert set(ordered(plays)) == set(GROUPS)
    watch = yaml.safe_load((ROOT / "playbooks" / "daily_watch.yml").read_text(encoding="utf-8"))
    assert watch[0]["hosts"] == plays[1]["hosts"]
    assert watch[0]["vars"]["nexuscos_capabilities"] == ordered(plays)
    assert all("'%s'" % group in plays[0]["tasks"][0]["ansible.builtin.assert"]["that"] for group in GROUPS)


def ordered(plays: Any) -> list[str]:
    """The groups as the playbook looks at them."""
    found: list[str] = plays[2]["vars"]["nexuscos_capabilities"]
    return found


def test_collection_wide_variables_of_the_roles_are_in_the_example() -> None:
    used = set()
    for role in ROLES:
        used |= set(
            re.findall(r"nexuscos_\w+", (ROOT / "roles" / role / "defaults" / "main.yml").read_text(encoding="utf-8"))
        )
    texts = "\n".join(path.read_text(encoding="utf-8") for path in EXAMPLE.rglob("*.yml"))
    missing = [name for name in sorted(used) if not re.search(r"\b%s\b" % name, texts)]
    assert missing == []


def test_the_thresholds_of_the_example_are_right() -> None:
    given = load(EXAMPLE / "group_vars" / "all" / "thresholds.yml")["nexuscos_thresholds"]
    assert Thresholds.parse(given, BY_ID).get("endpoint.latency", "x/y").alert == 500


def test_the_thresholds_of_the_example_hold_the_runbooks_table() -> None:
    runbook = (ROOT / "docs/runbooks/daily-operations-runbook.md").read_text(encoding="utf-8")
    given = load(EXAMPLE / "group_vars" / "all" / "thresholds.yml")["nexuscos_thresholds"]
    table = re.findall(r"\d\. \*\*(.+?)\*\*\n\s+- Target: < ([\d.]+).*\n\s+- Alert: > ([\d.]+)", runbook)
    assert len(table) == 5
    checks = {
        "API Response Time": ["endpoint.latency"],
        "CPU Usage": ["k8s.node_cpu", "k8s.cpu_usage"],
        "Memory Usage": ["k8s.node_memory", "k8s.memory_usage"],
        "Database Connections": ["postgres.connections"],
    }
    for title, target, alert in table:
        for check in checks.get(title, ()):
            assert (given[check]["target"], given[check]["alert"]) == (float(target), float(alert)), title
            assert (BY_ID[check].target, BY_ID[check].alert) == (float(target), float(alert)), title


def test_a_typo_in_a_threshold_names_the_nearest_check() -> None:
    with pytest.raises(OptionError, match=r"did you mean 'endpoint.latency'"):
        Thresholds.parse({"endpoint.latenc": {"target": 1}}, BY_ID)


def test_the_page_of_checks_is_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/generate_checks_doc.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_check_names_a_heading_of_a_runbook_and_an_item() -> None:
    headings: dict[str, set[str]] = {}
    for name in ("daily", "operations"):
        file = "daily-operations-runbook.md" if name == "daily" else "operations-runbook.md"
        lines = re.findall(r"^#+ (.+)$", (ROOT / "docs/runbooks" / file).read_text(encoding="utf-8"), re.M)
        headings[name] = {re.sub(r"[^a-z0-9 -]", "", line.lower()).replace(" ", "-") for line in lines}
    for check in CHECKS:
        document, heading = check.runbook.split(":", 1)
        assert heading in headings[document], check.id
        assert check.items, check.id


def test_the_version_is_that_of_the_collection() -> None:
    assert load(ROOT / "galaxy.yml")["version"] == VERSION

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights that ship with the collection: what the module asks for, nothing else, and nothing that reads a secret."""

from __future__ import annotations

from pathlib import Path

import yaml

from ansible_collections.nexuscos.ops.plugins.module_utils._k8s.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._k8s.evaluate import QUESTIONS
from ansible_collections.nexuscos.ops.plugins.module_utils._k8s.kinds import BY_NAME, KINDS

MANIFEST = Path(__file__).parents[3] / "playbooks" / "files" / "nexuscos-ops-viewer.yml"
OBJECTS = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))["items"]


def test_rights_are_those_that_are_used():
    """Each kind may be listed; beyond that events, logs and single ReplicaSets."""
    role = OBJECTS[0]
    granted = {
        (verb, f"{resource}.{group}".rstrip("."))
        for rule in role["rules"]
        for group in rule.get("apiGroups", [])
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    used = {("list", kind.name) for kind in KINDS} | {
        ("list", "events"),
        ("get", "pods/log"),
        ("get", "replicasets.apps"),
    }
    assert granted == used
    assert [rule["nonResourceURLs"] for rule in role["rules"] if "nonResourceURLs" in rule] == [["/version", "/readyz"]]


def test_the_right_on_secrets_is_bound_nowhere():
    """It is there for who wants it."""
    bound = [one["roleRef"]["name"] for one in OBJECTS if one["kind"].endswith("Binding")]
    assert bound == ["nexuscos-ops-viewer"]


def test_every_check_has_one_evaluator_and_every_need_is_a_kind():
    """A check without an evaluator would be a row that nobody comes to."""
    answered = [check for question in QUESTIONS for check in question.checks]
    assert sorted([*answered, "k8s.api", "k8s.access", "k8s.metrics_api"]) == sorted(check.id for check in CHECKS)
    assert {kind for question in QUESTIONS for kind in question.needs} <= set(BY_NAME)

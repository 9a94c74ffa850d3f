"""Every check has a fault in the lab that trips it, exactly it, and a healthy lab that does not.

Batches that touch nothing of each other may be tried side by side: there is a class for each group of
:func:`faults.groups`, and each of the three workers of `make fault-matrix` takes a class at a time.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))

import faults  # noqa: E402

from ansible_collections.nexuscos.ops.plugins.module_utils import _catalogue  # noqa: E402

FAULTS = faults.every()
BATCHES = faults.batches(FAULTS)
GROUPS = faults.groups(BATCHES)
RESULTS = ROOT / ".cache" / "fault-matrix"


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """The lab's environment. What is wrong before a fault, or left by another, fails each batch that sees it."""
    prefix = faults.lab_prefix()
    found = faults.lab_environment() | {"NEXUSCOS_LAB_PREFIX": prefix, "PREFIX": prefix, "LAB": str(ROOT / ".lab")}
    # What is in force while nobody tries anything was left by a run that was ended.
    with faults.alone():
        for name in faults.applied():
            faults.heal(faults.named(name), found)
    return found


def test_the_healthy_lab_shows_nothing(environment: dict[str, str]) -> None:
    hosts = tuple(sorted({host for fault in FAULTS.values() for host in fault.observe}))
    with faults.alone():
        left, waited = faults._until(set(), hosts, {}, 120)
    assert not left, f"after {waited:.0f} s"


def _class_of(group: str) -> type:
    """A class of tests: all batches of a group."""

    class OneAfterAnother:
        @pytest.mark.parametrize("name", [name for name in BATCHES if GROUPS[name] == group])
        def test_faults_cause_exactly_their_findings(self, name: str, environment: dict[str, str]) -> None:
            verdict = faults.trial(BATCHES[name], environment)
            _keep(name, verdict)
            assert not verdict.missing, "findings that the faults must cause"
            assert not verdict.uninvited, "findings that no fault of the batch names"
            assert not verdict.left, "findings that stay after healing"

    return OneAfterAnother


for _group in dict.fromkeys(GROUPS.values()):
    globals()[f"TestWith_{_group.replace('-', '_')}"] = _class_of(_group)


def _keep(name: str, verdict: faults.Verdict) -> None:
    """Keep the figures for docs."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    figures = {
        "faults": [fault.name for fault in BATCHES[name]],
        "findings": sum(len(fault.expect) for fault in BATCHES[name]),
        "passed": bool(verdict),
        "seen_after_s": round(verdict.seen_after, 1),
        "healed_after_s": round(verdict.healed_after, 1),
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def test_every_check_has_a_fault() -> None:
    tripped = {one["check"] for fault in FAULTS.values() for one in fault.expect}
    assert tripped - set(_catalogue.BY_ID) == set(), "faults that name no registered check"
    assert set(_catalogue.BY_ID) - tripped == set(), "checks that no fault trips"

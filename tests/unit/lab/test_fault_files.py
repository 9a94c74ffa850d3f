"""The fault files are sound, and the page that lists them is current."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "lab"))

import faults  # noqa: E402

from ansible_collections.nexuscos.ops.plugins.module_utils import _catalogue  # noqa: E402

FAULTS = faults.every()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_names_registered_checks_and_valid_scripts(name: str) -> None:
    fault = FAULTS[name]
    for one in fault.expect:
        assert one["check"] in _catalogue.BY_ID
        assert one["status"] in ("warning", "critical", "unknown")
        assert one["object"].split("/")[0] in fault.observe
    for script in (fault.apply, fault.heal):
        done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


def test_faults_of_a_batch_do_not_name_the_same_finding() -> None:
    for name, together in faults.batches(FAULTS).items():
        named = [(one["check"], one["object"]) for fault in together for one in fault.expect]
        assert len(named) == len(set(named)), name


def test_batches_of_different_groups_touch_nothing_of_each_other() -> None:
    batches = faults.batches(FAULTS)
    groups = faults.groups(batches)
    assert set(groups) == set(batches)
    assert len(set(groups.values())) > 3, "nothing may be tried side by side"
    for one, first in batches.items():
        for other, second in batches.items():
            # What is tried on mon1 waits until the others are over.
            if groups[one] != groups[other] and "mon1" not in (groups[one], groups[other]):
                assert not set(faults.touched(first)) & set(faults.touched(second)), (one, other)


def test_who_shows_others_and_whom_are_hosts_of_the_lab() -> None:
    observed = {host for fault in FAULTS.values() for host in fault.observe}
    assert {*faults.SHOWS, *(host for shown in faults.SHOWS.values() for host in shown)} <= observed


def test_pauses_grow_and_end_somewhere() -> None:
    pauses = [faults.pause(waited) for waited in (0, 6, 30, 600)]
    assert pauses == [1, 2, 6, 10]


def test_the_list_of_faults_is_current() -> None:
    assert faults.DOCUMENT.read_text(encoding="utf-8") == faults.document(FAULTS), "make docs"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[]", "want a mapping"),
        ("{name: x, what: w, system: s, observe: [], apply: a, heal: h, expect: []}", "proves nothing"),
        ("{name: y, what: w, system: s, observe: [], apply: a, heal: h, expect: [{}]}", "the file says"),
        (
            "{name: x, what: w, system: s, observe: [], apply: a, heal: h, expect: [{check: c}]}",
            "wants check, object, status",
        ),
        ("{name: x, whta: w}", "whta"),
    ],
)
def test_a_wrong_fault_file_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "x.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(faults.FaultError, match=complaint):
        faults.load(path)

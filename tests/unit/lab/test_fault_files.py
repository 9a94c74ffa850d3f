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

"""The bundle can be made again from the lab, holds no secret, and is judged as the live lab was."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))

import bundle  # noqa: E402
import faults  # noqa: E402

FAULT = "k8s-crash-loop"


def _verdicts(report: dict[str, Any]) -> list[tuple[Any, ...]]:
    return sorted(
        (one["check"], one["object"], one["status"], one["title"], one["value"], one["caused_by"])
        for one in report["findings"]
    )


def _looked_at(report: dict[str, Any]) -> list[tuple[Any, ...]]:
    return sorted((row["system"], row["check"], row["objects"], row["seen"]) for row in report["coverage"]["rows"])


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A look at the lab with a fault in it, so that there is something to judge, and its recording."""
    folder = tmp_path_factory.mktemp("bundle")
    known = faults.every()[FAULT]
    prefix = faults.lab_prefix()
    environment = faults.lab_environment() | {
        "NEXUSCOS_LAB_PREFIX": prefix,
        "PREFIX": prefix,
        "LAB": str(ROOT / ".lab"),
    }
    faults.apply(known, environment)
    try:
        faults._until(faults.expected([known]), known.observe, known.thresholds, known.settle)
        live = bundle.morning({"nexuscos_record_dir": str(folder)})
    finally:
        faults.heal(known, environment)
    return folder, live


def test_a_recording_is_judged_as_the_live_lab_was(recorded: tuple[Path, dict[str, Any]]) -> None:
    folder, live = recorded
    replayed = bundle.morning({"nexuscos_replay_dir": str(folder)})
    assert any(one["check"] == "k8s.crash_loop" for one in live["findings"])
    assert _verdicts(replayed) == _verdicts(live)
    assert _looked_at(replayed) == _looked_at(live)
    assert all(one["recorded_at"] is None for one in live["findings"])
    assert all(one["recorded_at"] for one in replayed["findings"])


def test_a_recording_holds_no_secret_of_the_lab(recorded: tuple[Path, dict[str, Any]]) -> None:
    folder, _live = recorded
    assert len(list(folder.rglob("*.json.gz"))) >= 6
    assert bundle.leaks(folder, bundle.secrets()) == []


def test_the_repository_carries_a_bundle_of_every_system(recorded: tuple[Path, dict[str, Any]]) -> None:
    folder, _live = recorded
    fresh = {str(path.relative_to(folder)) for path in folder.rglob("*.json.gz")}
    carried = {str(path.relative_to(bundle.BUNDLE)) for path in bundle.BUNDLE.rglob("*.json.gz")}
    assert carried == fresh, "make bundle records the lab anew"


def test_the_repository_s_bundle_is_healthy() -> None:
    report = bundle.morning({}, inventory="inventories/demo")
    assert report["findings"] == []
    assert report["summary"]["worst"] in ("ok", "unknown")

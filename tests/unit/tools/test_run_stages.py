# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make test` turns red for every reason that a stage can have, and only then."""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]

MAKEFILE = """
good: ; @echo fine
bad: ; @echo something broke; exit 3
hang: ; @sleep 60
tests: ; @echo '=== 7 passed in 0.1s ==='
failing: ; @echo 'FAILED tests/a.py::test_x - no'; echo '=== 1 failed, 6 passed in 0.1s ==='; exit 1
skipping: ; @echo '=== 6 passed, 1 skipped in 0.1s ==='
wait-for-it: ; @while [ ! -e it ]; do sleep 0.02; done; sleep 0.2
make-it: ; @touch it
nothing: ; @echo 'no summary here'
"""


@pytest.fixture
def stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The stage runner, playing in a folder of its own."""
    spec = importlib.util.spec_from_file_location("run_stages", ROOT / "tests" / "run_stages.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "run_stages", module)
    spec.loader.exec_module(module)
    (tmp_path / "Makefile").write_text(MAKEFILE, encoding="utf-8")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "LOGS", tmp_path)
    monkeypatch.setattr(module, "TIMES", tmp_path / "seconds.json")
    return module


def test_good_stages_are_counted(stages: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    run = stages.play([stages.Stage("a", "good", "", 1), stages.Stage("b", "tests", "", 1, pytest=True)])
    assert (run.passed, run.failed, run.names) == (8, 0, [])
    assert "FAILED" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("target", "is_pytest", "counted", "says"),
    [
        ("bad", False, (0, 1), "something broke"),
        ("failing", True, (6, 1), "status 2"),
        ("skipping", True, (6, 1), "1 tests were skipped"),
        ("nothing", True, (0, 1), "no test ran"),
        ("no-such-target", False, (0, 1), "No rule to make target"),
    ],
)
def test_a_stage_turns_red(
    stages: ModuleType,
    capsys: pytest.CaptureFixture[str],
    target: str,
    is_pytest: bool,
    counted: tuple[int, int],
    says: str,
) -> None:
    alone = stages.Stage("alone", "tests", "", 1, pytest=True)
    needing = stages.Stage("needing", "tests", "", 1, pytest=True, needs=("a",))
    passed, failed = counted
    # What does not need it is played all the same; what needs it counts as failed.
    run = stages.play([stages.Stage("a", target, "", 1, pytest=is_pytest), alone, needing])
    assert (run.passed, run.failed) == (passed + 7, failed + 1)
    assert run.names == (["FAILED tests/a.py::test_x - no"] if target == "failing" else [f"a: {run.names[0][3:]}"])
    output = capsys.readouterr().out
    assert "FAILED" in output
    assert says in output
    assert "left out: it needs a" in output


def test_every_stage_needs_an_earlier_one(stages: ModuleType) -> None:
    before: set[str] = set()
    for stage in stages.STAGES:
        assert set(stage.needs) <= before, stage
        before.add(stage.name)


def test_a_log_that_cannot_be_written_turns_the_stage_red_and_holds_up_nobody(
    stages: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.log").mkdir()
    (tmp_path / "seconds.json").mkdir()
    made = [
        stages.Stage("a", "good", "", 1, lane="x", needs=()),
        stages.Stage("after", "good", "", 1, lane="y", needs=("a",)),
        stages.Stage("other", "good", "", 1, lane="y", needs=()),
    ]
    run = stages.play(made)
    assert (run.passed, run.failed) == (1, 2)
    assert "a.log" in run.names[0]
    assert "left out: it needs a" in capsys.readouterr().out


def test_what_a_chosen_stage_needs_is_played_first(stages: ModuleType) -> None:
    assert stages.chosen([]) == list(stages.STAGES)
    names = [stage.name for stage in stages.chosen(["faults", "sanity-oldest"])]
    assert names == ["setup", "lab-start", "lab-ready", "faults", "setup-oldest", "sanity-oldest"]


def test_lanes_go_side_by_side_after_what_has_no_lane(stages: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    made = [
        stages.Stage("waits", "wait-for-it", "", 1, lane="a"),
        stages.Stage("after", "tests", "", 1, pytest=True, lane="a"),
        stages.Stage("makes", "make-it", "", 1, lane="b"),
        stages.Stage("first", "good", "", 1, lane=""),
    ]
    run = stages.play(made)
    assert (run.passed, run.failed) == (10, 0)
    output = [line.split("]")[1].split()[0] for line in capsys.readouterr().out.splitlines() if " ok " in line]
    assert output[0] == "first"
    assert output.index("makes") < output.index("waits") < output.index("after")


def test_a_stage_waits_for_what_it_needs_of_another_lane(
    stages: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    made = [
        stages.Stage("waits", "wait-for-it", "", 1, lane="a", needs=()),
        stages.Stage("breaks", "bad", "", 1, lane="a", needs=()),
        stages.Stage("after", "tests", "", 1, pytest=True, lane="b", needs=("waits", "not-played")),
        stages.Stage("never", "tests", "", 1, pytest=True, lane="b", needs=("breaks",)),
        stages.Stage("makes", "make-it", "", 1, lane="c", needs=()),
    ]
    run = stages.play(made)
    assert (run.passed, run.failed) == (9, 2)
    output = [line.split("]")[1].split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("[")]
    assert output.index("waits") < output.index("after")
    assert output.index("breaks") < output.index("never")


def test_what_ends_the_run_ends_those_that_wait_for_another_lane(stages: ModuleType) -> None:
    run = stages.Run(
        [stages.Stage("a", "hang", "", 5, lane="a", needs=()), stages.Stage("b", "tests", "", 1, lane="b")]
    )
    run._over["setup"] = threading.Event()
    run.processes.stop()
    run.play()
    assert (run.passed, run.failed) == (0, 0)


def test_what_ends_the_run_ends_all_lanes(stages: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    run = stages.Run([stages.Stage("a", "hang", "", 5, lane="a"), stages.Stage("b", "hang", "", 5, lane="b")])
    seen: list[int] = []

    def interrupted(thread: threading.Thread, timeout: float | None = None) -> None:
        if not seen:
            while len(run.processes._running) < 2:
                time.sleep(0.01)
            seen.extend(process.pid for process in run.processes._running)
            raise KeyboardInterrupt
        join(thread, timeout)

    join = threading.Thread.join
    monkeypatch.setattr(threading.Thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.play()
    for pid in seen:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_stage_that_hangs_is_ended(stages: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    run = stages.play([stages.Stage("a", "hang", "", 0)])
    assert (run.passed, run.failed) == (0, 1)
    assert "not done after 0 minutes" in capsys.readouterr().out


def test_every_stage_names_a_target_of_the_makefile(stages: ModuleType) -> None:
    files = [ROOT / "Makefile", *sorted((ROOT / "tests").glob("*/*.mk"))]
    targets = {
        line.split(":")[0] for path in files for line in path.read_text(encoding="utf-8").splitlines() if ":" in line
    }
    assert {stage.target for stage in (*stages.STAGES, stages.LAB_DOWN)} <= targets

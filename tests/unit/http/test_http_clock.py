# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller had no CPU for is no latency of an endpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.nexuscos.ops.plugins.module_utils._http import clock


@pytest.mark.parametrize("text", [None, "", "0", "a b c", "1 x 2"])
def test_a_kernel_that_does_not_say_takes_nothing_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    path = tmp_path / "schedstat"
    if text is not None:
        path.write_text(text, encoding="ascii")
    monkeypatch.setattr(clock, "_SCHEDULER", str(path))
    assert clock.kept_waiting() == 0
    assert clock.Watch().ms()[1] == 0


@pytest.mark.parametrize(
    ("wall", "waited", "expected"),
    [(3.0, 1.0, (2000, 1000)), (3.0, 0.0, (3000, 0)), (1.0, 5.0, (0, 1000)), (2.0, -1.0, (2000, 0))],
)
def test_the_wait_for_a_cpu_is_taken_off(
    monkeypatch: pytest.MonkeyPatch, wall: float, waited: float, expected: tuple[float, float]
) -> None:
    times, waits = iter([100.0, 100.0 + wall]), iter([7.0, 7.0 + waited])
    monkeypatch.setattr(clock.time, "monotonic", lambda: next(times))
    monkeypatch.setattr(clock, "kept_waiting", lambda: next(waits))
    assert clock.Watch().ms() == expected


def test_this_kernel_says_so() -> None:
    assert clock.kept_waiting() >= 0

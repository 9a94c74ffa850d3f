# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the helpers beside the tests importable, and ends what a test has left running."""

from __future__ import annotations

import sys
from collections.abc import Generator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None]:
    try:
        yield
    except BaseException:
        running.end_all()
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """Before its servers and folders go, and so that a test that fails is told by its own words and by no others."""
    try:
        yield
    except BaseException:
        running.end_all()
        raise
    assert not (left := running.end_all()), f"still running: {left}"

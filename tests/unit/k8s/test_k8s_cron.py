# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedules of CronJobs."""

from __future__ import annotations

import datetime

import pytest

from ansible_collections.nexuscos.ops.plugins.module_utils._k8s.cron import last_due

# a Sunday
NOW = datetime.datetime(2026, 11, 22, 6, 0, 30, tzinfo=datetime.timezone.utc)
CASES = [
    ("* * * * *", "", "2026-11-22T06:00"),
    ("*/15 * * * *", "", "2026-11-22T06:00"),
    ("5 * * * *", "", "2026-11-22T05:05"),
    ("0 7 * * *", "", "2026-11-21T07:00"),
    ("@daily", "", "2026-11-22T00:00"),
    ("@hourly", "", "2026-11-22T06:00"),
    ("@weekly", "", "2026-11-22T00:00"),
    ("@monthly", "", "2026-11-01T00:00"),
    ("@yearly", "", "2026-01-01T00:00"),
    ("0 0 29 2 *", "", "2024-02-29T00:00"),
    ("30 4 1,15 * *", "", "2026-11-15T04:30"),
    ("30 4 1 * fri", "", "2026-11-20T04:30"),
    ("0 12 * * mon-fri", "", "2026-11-20T12:00"),
    ("0 12 * * 7", "", "2026-11-15T12:00"),
    ("10-20/5 3 * NOV sun", "", "2026-11-22T03:20"),
    ("50/5 3 * * ?", "", "2026-11-22T03:55"),
    ("0 1 * * *", "America/New_York", "2026-11-21T06:00"),
    ("0 9 * * *", "Asia/Tokyo", "2026-11-22T00:00"),
]


@pytest.mark.parametrize(("schedule", "zone", "due"), CASES)
def test_last_due(schedule, zone, due):
    """The latest time at or before now."""
    found = last_due(schedule, zone, NOW.timestamp())
    expected = datetime.datetime.fromisoformat(due).replace(tzinfo=datetime.timezone.utc)
    if (schedule, zone) == ("0 1 * * *", "America/New_York"):
        expected += datetime.timedelta(days=1)  # 01:00 there is 06:00 here, just now
    assert found == expected.timestamp()


WRONG = ["", "* * * *", "61 * * * *", "* 24 * * *", "* * 0 * *", "a * * * *", "*/0 * * * *", "5-3 * * * *", "@every 1h"]


@pytest.mark.parametrize("schedule", [*WRONG, "0 0 31 2 *", "-1 * * * *"])
def test_what_cannot_be_told(schedule):
    """A wrong schedule is no answer, and no exception."""
    assert last_due(schedule, "", NOW.timestamp()) is None


def test_unknown_zone():
    """Neither is a wrong zone."""
    assert last_due("* * * * *", "Mars/Olympus", NOW.timestamp()) is None
    assert last_due("* * * * *", "../../etc/passwd", NOW.timestamp()) is None

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times as an engine writes them."""

from __future__ import annotations

import datetime
from typing import Any

RECENT = 600.0
"""Seconds that a container must have run for its restarts to be history."""


def moment(value: Any) -> datetime.datetime | None:
    """``2026-11-29T08:27:56.18950618Z``, with nanoseconds, which Python 3.9 does not read; None for all else."""
    if not isinstance(value, str):
        return None
    try:
        return datetime.datetime.strptime(value[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return None


def seconds_between(earlier: Any, later: Any) -> float | None:
    """Seconds between two such times, None where one of them is none."""
    began, ended = moment(earlier), moment(later)
    return None if began is None or ended is None else (ended - began).total_seconds()


def iso(seconds: float) -> str:
    """Seconds since the epoch as ``2026-11-29T08:27:56Z``."""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

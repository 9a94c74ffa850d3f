# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words for people: ages, sizes and shares as one would say them."""

from __future__ import annotations

_SIZES = (("TiB", 1024.0**4), ("GiB", 1024.0**3), ("MiB", 1024.0**2), ("KiB", 1024.0))
_AGES = (("d", 86400.0), ("h", 3600.0), ("min", 60.0))


def size(amount: float) -> str:
    """``1.4 GiB``, from bytes."""
    for unit, factor in _SIZES:
        if abs(amount) >= factor:
            return f"{_short(amount / factor)} {unit}"
    return "%d bytes" % amount


def age(seconds: float) -> str:
    """``12 min``, from seconds."""
    for unit, factor in _AGES:
        if seconds >= 2 * factor:
            return f"{_short(seconds / factor)} {unit}"
    return f"{_short(seconds)} s"


def count(amount: float, one: str, many: str = "") -> str:
    """``1 session``, ``2 sessions``, ``1,200,000 transactions``."""
    return "{} {}".format(f"{amount:,.0f}", one if amount == 1 else many or one + "s")


def percent(part: float, whole: float) -> float:
    """Share in per cent, to one digit; 0 of nothing."""
    return round(100.0 * part / whole, 1) if whole > 0 else 0.0


def _short(amount: float) -> str:
    return f"{amount:.0f}" if amount >= 10 else (f"{amount:.1f}").replace(".0", "")

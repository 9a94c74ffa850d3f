# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers as people read them, and observations read without trust."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_SIZES = (("TiB", 1024.0**4), ("GiB", 1024.0**3), ("MiB", 1024.0**2), ("KiB", 1024.0))
_AGES = (("days", 86400.0), ("h", 3600.0), ("min", 60.0))


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
    """``1 kill``, ``2 kills``."""
    return "{} {}".format(f"{amount:,.0f}", one if amount == 1 else many or one + "s")


def _short(amount: float) -> str:
    return f"{amount:.0f}" if abs(amount) >= 10 else f"{amount:.1f}".replace(".0", "")


def number(row: Any, key: str) -> float | None:
    """A finite number of a row, or None."""
    value = row.get(key) if isinstance(row, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        value = float(value)
    except OverflowError:
        return None
    # What is beyond this is no measure of anything, and breaks sums and formats.
    return value if math.isfinite(value) and abs(value) < 1e21 else None


def amount(row: Any, key: str) -> float:
    """A number of a row that is not negative; 0 where there is none."""
    return max(number(row, key) or 0.0, 0.0)


def text(row: Any, key: str) -> str:
    """A text of a row, or an empty one."""
    value = row.get(key) if isinstance(row, Mapping) else None
    return value if isinstance(value, str) else ""


def flag(row: Any, key: str) -> bool:
    """Whether a value of a row is true."""
    return isinstance(row, Mapping) and row.get(key) is True


def mapping(value: Any) -> Mapping[str, Any]:
    """A mapping, or an empty one."""
    return value if isinstance(value, Mapping) else {}


def rows(value: Any, key: str) -> list[Mapping[str, Any]]:
    """The mappings of a list in a mapping."""
    found = value.get(key) if isinstance(value, Mapping) else None
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, (list, tuple)) else []


def texts(value: Any, key: str) -> list[str]:
    """The texts of a list in a mapping."""
    found = value.get(key) if isinstance(value, Mapping) else None
    return [one for one in found if isinstance(one, str)] if isinstance(found, (list, tuple)) else []

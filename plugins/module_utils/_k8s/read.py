# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read API documents without trust: whatever a server sends, these return the wanted type, or an empty one."""

from __future__ import annotations

import datetime
import re
from typing import Any

Doc = dict[str, Any]

_QUANTITY = re.compile(r"^([+-]?[0-9]*\.?[0-9]+)(?:[eE]([+-]?[0-9]{1,3})|([numkKMGTPE]i?))?$")
_SCALE = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60, "ki": 2.0**10,
}  # fmt: skip


def dig(doc: Any, *path: str) -> Any:
    """The value under a path of keys, None where the path breaks off."""
    for key in path:
        if not isinstance(doc, dict):
            return None
        doc = doc.get(key)
    return doc


def text(doc: Any, *path: str) -> str:
    """A text under a path; empty where there is none."""
    value = dig(doc, *path)
    return value if isinstance(value, str) else ""


def whole(doc: Any, *path: str) -> int | None:
    """An integer under a path; None where there is none."""
    value = dig(doc, *path)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def count(doc: Any, *path: str) -> int:
    """A non-negative integer under a path; 0 where there is none, as the API leaves zeros out."""
    return max(whole(doc, *path) or 0, 0)


def flag(doc: Any, *path: str) -> bool:
    """True only where the document says true."""
    return dig(doc, *path) is True


def mapping(doc: Any, *path: str) -> Doc:
    """A mapping under a path; empty where there is none."""
    value = dig(doc, *path)
    return value if isinstance(value, dict) else {}


def docs(doc: Any, *path: str) -> list[Doc]:
    """The mappings of a list under a path; empty where there is none."""
    value = dig(doc, *path)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def texts(doc: Any, *path: str) -> list[str]:
    """The texts of a list under a path; empty where there is none."""
    value = dig(doc, *path)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def labels(doc: Any, *path: str) -> dict[str, str]:
    """A mapping of text to text under a path, without what is no text."""
    return {key: value for key, value in mapping(doc, *path).items() if isinstance(value, str)}


def condition(doc: Any, kind: str) -> Doc:
    """The condition of a type in ``status.conditions``; empty where there is none."""
    for one in docs(doc, "status", "conditions"):
        if one.get("type") == kind:
            return one
    return {}


def moment(value: Any) -> float | None:
    """Seconds since 1970 of an RFC 3339 time such as ``2026-11-22T06:00:00.5Z``; None where it is none."""
    if not isinstance(value, str) or not 20 <= len(value) <= 40:
        return None
    try:
        if value.endswith("Z"):
            whole_part, _dot, fraction = value[:-1].partition(".")
            parsed = datetime.datetime.strptime(whole_part, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
            return parsed.timestamp() + (float("0." + fraction) if fraction.isdigit() else 0.0)
        parsed = datetime.datetime.fromisoformat(value)
        return parsed.timestamp() if parsed.tzinfo else None
    except (ValueError, OverflowError):
        return None


def quantity(value: Any) -> float | None:
    """A Kubernetes quantity (``250m``, ``1Gi``, ``3``) in its base unit: cores, bytes; None where it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value) if abs(value) < 1e30 else None
    if not isinstance(value, str) or len(value) > 64:
        return None
    match = _QUANTITY.match(value)
    if match is None:
        return None
    number, exponent, suffix = match.groups()
    try:
        power = 10.0 ** int(exponent) if exponent else 1.0
    except OverflowError:
        return None
    scaled = float(number) * power * (_SCALE.get(suffix, 1.0) if suffix else 1.0)
    return scaled if abs(scaled) < 1e30 else None


def span(seconds: float) -> str:
    """A duration for people: ``45 s``, ``12 min``, ``5 h``, ``3 d``."""
    if seconds < 120:
        return "%d s" % seconds
    if seconds < 7200:
        return "%d min" % (seconds // 60)
    if seconds < 172800:
        return "%d h" % (seconds // 3600)
    return "%d d" % (seconds // 86400)


def size(value: float) -> str:
    """Bytes for people: ``512 MiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return f"{value:.4g} {unit}"
        value /= 1024
    return f"{value:.4g} TiB"


def listing(names: list[str], most: int = 3) -> str:
    """Names for a title: ``a, b, c (+4)``."""
    shown = ", ".join(names[:most])
    return "%s (+%d)" % (shown, len(names) - most) if len(names) > most else shown

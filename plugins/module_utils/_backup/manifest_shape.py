# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands where in a manifest: whoever compares a restored copy with it need not ask what it finds there.

Damage of a manifest is rarely a syntax error alone. Keys that nobody here knows may hold anything.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

NAME = "manifest.json"
_SUM = re.compile(r"[0-9a-fA-F]{64}")

Check = Callable[[Any], bool]


def check(data: Mapping[str, Any]) -> None:
    """Compare the parts of a manifest with what they are.

    :raises ValueError: one is another; the text names it.
    """
    for key in ("source", "options", "position", "invariants"):
        if not isinstance(data.get(key, {}), Mapping):
            raise ValueError(f"{key} is no mapping")
    for key in ("files", "proofs", "copies"):
        if not isinstance(data.get(key, []), list):
            raise ValueError(f"{key} is no list")
    if not isinstance(data.get("encryption", "none"), str):
        raise ValueError(f"encryption is no text: {data['encryption']!r}")
    for part, known in (("source", _SOURCE), ("invariants", _INVARIANTS)):
        for key, is_right in known.items():
            value = data.get(part, {}).get(key)
            if value is not None and not is_right(value):
                raise ValueError(f"{part}: {key} is not what it should be: {str(value)[:80]!r}")


def file_of(one: Mapping[str, Any]) -> tuple[str, int, str]:
    """Path, bytes and SHA-256 of a file.

    :raises ValueError: one of them is none.
    """
    path, size, digest = one["path"], one["bytes"], one["sha256"]
    if not isinstance(path, str) or "\0" in path or os.path.normpath(path or ".") in (".", NAME):
        raise ValueError(f"files: {path!r} is no path of a file")
    try:
        path.encode()
    except UnicodeEncodeError:
        raise ValueError(f"files: {path!r} is no path of a file") from None
    if not _count(size):
        raise ValueError(f"files: {size!r} is no number of bytes")
    if not isinstance(digest, str) or not _SUM.fullmatch(digest):
        raise ValueError(f"files: {digest!r} is no SHA-256")
    return path, size, digest.lower()


def no_double(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A mapping of JSON, in which no key stands twice: which of both is true nobody knows.

    :raises ValueError: one does.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _value in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands there twice")
    return found


def no_constant(name: str) -> float:
    """NaN and Infinity, which Python reads and JSON has not.

    :raises ValueError: always.
    """
    raise ValueError(f"{name} is no number")


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _amount(value: Any) -> bool:
    """Bytes that a server has told, some of them as a fraction."""
    return _count(value) or (isinstance(value, float) and 0 <= value < float("inf"))


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _whole(value: Any) -> bool:
    return value is None or isinstance(value, int)


def _each(is_right: Check) -> Check:
    return lambda value: isinstance(value, Mapping) and all(is_right(one) for one in value.values())


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _query(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("query"), str) and "value" in value


def _keyspace(value: Any) -> bool:
    """Keys of a database of Redis, by its number."""
    return isinstance(value, Mapping) and all(
        number.isdigit()
        and isinstance(one, Mapping)
        and all(_count(one.get(key, 0)) for key in ("keys", "expires"))
        and _each(_count)(one.get("types", {}))
        for number, one in value.items()
    )


_SOURCE: dict[str, Check] = {"bytes": _amount, "memory_bytes": _amount, "database": _text}
_INVARIANTS: dict[str, Check] = {
    "tables": _each(_count),
    "counts": _each(_count),
    "extensions": _names,
    "sequences": _each(_whole),
    "queries": _each(_query),
    "databases": lambda value: _names(value) or _keyspace(value),
    "collections": _each(_count),
    "objects": _each(_each(_count)),
    "files": _count,
    "folders": _count,
    "others": _count,
    "bytes": _amount,
}

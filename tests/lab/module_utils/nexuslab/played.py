# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the systems that the lab plays have in common: healthy documents, and faults that change them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable


def with_faults(found: dict[str, Any], faults: Path, value_of: Callable[[Any], Any]) -> dict[str, Any]:
    """Documents by name, changed by the faults that are in force.

    A fault is a JSON file in the folder: a list of [document, path, value]. The path has dots, a number is a place in a
    list, an empty one the whole document; null takes away what is there.

    :param value_of: turns a value of a fault into one of the documents, such as {"ago": seconds} into a date.
    """
    for file in sorted(faults.glob("*.json")):
        for name, path, value in json.loads(file.read_text(encoding="utf-8")):
            found[name] = changed(found[name], path.split(".") if path else [], value_of(value))
    return found


def changed(document: Any, path: list[str], value: Any) -> Any:
    """The document with another value at a path."""
    if not path:
        return value
    step: Any = int(path[0]) if isinstance(document, list) else path[0]
    if isinstance(document, list) and step == len(document):
        document.append(None)
    if value is None and len(path) == 1:
        if isinstance(document, list):
            del document[step]
        else:
            document.pop(step, None)
    else:
        below = document[step] if isinstance(document, list) else document.get(step, {})
        document[step] = changed(below, path[1:], value)
    return document

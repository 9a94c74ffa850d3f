# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Redis answers in text, as plain values. Pure."""

from __future__ import annotations

import re
from typing import Any

_HIDDEN = ("executable", "config_file")
_NUMBER = re.compile(r"-?\d{1,18}\Z")
_SPLIT = re.compile(r"([:/|.])")
_DIGIT = re.compile(r"\d")

OTHER = "(other kinds)"


def parse_info(raw: str) -> dict[str, Any]:
    """INFO or CLUSTER INFO as one mapping. Whole numbers are numbers; paths of the server's machine are left out."""
    found: dict[str, Any] = {}
    for line in raw.splitlines():
        if not line or line.startswith("#") or ":" not in line:
            continue
        key, _colon, value = line.partition(":")
        if key not in _HIDDEN:
            found[key] = int(value) if _NUMBER.match(value) else value
    return found


def parse_clients(raw: str) -> list[dict[str, Any]]:
    """CLIENT LIST: one mapping a client, with what is asked of it."""
    found = []
    for line in raw.splitlines():
        row = dict(part.split("=", 1) for part in line.split(" ") if "=" in part)
        client: dict[str, Any] = {key: row.get(key, "") for key in ("id", "addr", "name", "user", "cmd", "flags")}
        for key in ("age", "idle", "omem", "tot-mem"):
            value = row.get(key, "0")
            client[key.replace("-", "_")] = int(value) if _NUMBER.match(value) else 0
        found.append(client)
    return found


def kind(key: str) -> str:
    """The kind of a key: its name with what differs from key to key taken out, ``session:*``."""
    parts = _SPLIT.split(key[:200])
    if len(parts) == 1:
        at = _DIGIT.search(key)
        return key[:40] if at is None and len(key) <= 40 else key[: min(at.start() if at else 40, 40)] + "*"
    words = ["*" if _DIGIT.search(part) or len(part) > 24 else part for part in parts[:-1][:6]]
    return "".join(words) + "*"


def masked(key: str) -> str:
    """A key's name for people: parts that look like an identifier are cut, since session tokens are names of keys."""
    parts = _SPLIT.split(key[:200])
    return "".join(
        part[:4] + "…" if len(part) >= 16 and (_DIGIT.search(part) or len(part) > 24) else part for part in parts
    )

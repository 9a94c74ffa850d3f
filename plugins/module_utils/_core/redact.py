# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take secrets out of what people and files get to see: titles, evidence, recordings."""

from __future__ import annotations

import re
from re import Pattern
from typing import Any

MARK = "[redacted]"

# Names that end like this, however they begin: PGPASSWORD, clientSecret, x-api-key.
_WORDS = r"password|passwd|passphrase|secret|token|(?:api|access|private|secret)[_-]?key"
_SECRET_KEY = re.compile(
    rf"(?i)(?:{_WORDS}|(?:^|[_\-.])pwd|credential|authorization|cookie|client[_-]?key[_-]?data)s?$"
)
# Under such a name a number is a secret, too; a number of tokens is a count.
_PASSWORD_KEY = re.compile(r"(?i)(?:password|passwd|passphrase|(?:^|[_\-.])pwd)$")
_TEXT: list[tuple[Pattern[str], str]] = [
    # scheme://user:password@host; the last @ ends the password, so that one with an @ in it does not leak its end
    (re.compile(r"(?i)\b([a-z][a-z0-9+.\-]{0,30}://[^\s:/@]*):([^\s/\"',]+)@"), rf"\1:{MARK}@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/\-]{8,}=*"), rf"\1 {MARK}"),
    (re.compile(r"\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]*"), MARK),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S), MARK),
    (
        re.compile(
            rf"""(?ix)((?:{_WORDS})["']?\s*(?:=>|=|:)\s*)(?!\[redacted\])
            (?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[^\s,;&"'}}\])]+)"""
        ),
        rf"\1{MARK}",
    ),
    (re.compile(r"\bA(?:KIA|SIA)[A-Z0-9]{16}\b"), MARK),
    (re.compile(r"\b[\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+\b"), "[email]"),
]


def redact_text(text: str) -> str:
    """A text without passwords in URLs, bearer tokens, JWTs, private keys, ``password=…`` and e-mail addresses."""
    for pattern, replacement in _TEXT:
        text = pattern.sub(replacement, text)
    return text


def redact(data: Any) -> Any:
    """The same structure with every text redacted, and every value under a secret's name replaced."""
    if isinstance(data, str):
        return redact_text(data)
    if isinstance(data, dict):
        clean = {key: _redact_value(key, value) for key, value in data.items()}
        if isinstance(data.get("name"), str) and "value" in data:
            # How Kubernetes writes environment variables, and others write headers.
            clean["value"] = _redact_value(data["name"], data["value"])
        return clean
    if isinstance(data, (list, tuple)):
        return [redact(value) for value in data]
    return data


def _redact_value(key: Any, value: Any) -> Any:
    if not isinstance(key, str) or not value or isinstance(value, bool):
        return redact(value)
    if isinstance(value, (str, bytes)) and _SECRET_KEY.search(key):
        return MARK
    if isinstance(value, (int, float)) and _PASSWORD_KEY.search(key):
        return MARK
    if isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value) and _SECRET_KEY.search(key):
        return [MARK] * len(value)
    return redact(value)

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with one request: one exception, and the names that observations and evaluators agree on."""

from __future__ import annotations

import errno
import socket
from typing import Any

# phase -> kinds. The evaluator has a sentence for each.
PHASES: dict[str, tuple[str, ...]] = {
    "dns": ("not_found", "temporary", "timeout", "other"),
    "connect": ("refused", "timeout", "unreachable", "reset", "other"),
    "tls": (
        "expired",
        "not_yet_valid",
        "hostname",
        "untrusted",
        "revoked",
        "certificate",
        "not_tls",
        "closed",
        "reset",
        "timeout",
        "handshake",
    ),
    "answer": ("timeout", "closed", "reset", "garbage", "headers", "other"),
    "body": ("timeout", "truncated", "length", "surplus", "chunks", "encoding", "reset", "other"),
    "redirect": ("loop", "too_many", "elsewhere", "downgrade", "location"),
}


class Failure(Exception):
    """One request failed.

    :ivar phase: ``dns``, ``connect``, ``tls``, ``answer`` (up to the headers), ``body`` or ``redirect``.
    :ivar kind: one of :data:`PHASES`.
    :ivar text: what was seen, for people.
    :ivar more: further evidence.
    """

    def __init__(self, phase: str, kind: str, text: str, more: dict[str, Any] | None = None) -> None:
        super().__init__(text)
        self.phase, self.kind, self.text = phase, kind, text
        self.more = more or {}

    def to_dict(self) -> dict[str, Any]:
        """As an observation keeps it."""
        return {"phase": self.phase, "kind": self.kind, "text": self.text, "more": self.more}


def is_timeout(error: BaseException) -> bool:
    """socket.timeout became TimeoutError only in Python 3.10; the kernel's own time-out (ETIMEDOUT) counts, too."""
    return isinstance(error, (socket.timeout, TimeoutError)) or getattr(error, "errno", None) == errno.ETIMEDOUT


def of_connection(error: OSError) -> str:
    """Kind of a failed connect."""
    if is_timeout(error):
        return "timeout"
    if error.errno == errno.ECONNREFUSED:
        return "refused"
    if error.errno in (errno.ECONNRESET, errno.ECONNABORTED):
        return "reset"
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EADDRNOTAVAIL):
        return "unreachable"
    return "other"

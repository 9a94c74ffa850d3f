# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a connection did not come about, told apart: dead, cut off, hanging, full, or not for us."""

from __future__ import annotations

import re
from re import Pattern
from typing import Callable

from .probe import Answer

REFUSED = "refused"
STARTING = "starting"
STOPPING = "stopping"
SILENT = "silent"
CLOSED = "closed"
GARBAGE = "garbage"
UNREACHABLE = "unreachable"
TIMEOUT = "timeout"
DNS = "dns"
FULL = "full"
FULL_ROLE = "full_role"
FULL_DATABASE = "full_database"
PASSWORD = "password"  # noqa: S105 - a reason, no password
HBA = "hba"
ROLE = "role"
DATABASE = "database"
LOGIN = "login"
TLS = "tls"
VERSION = "version"
OTHER = "other"

DEAD = (REFUSED, STARTING, STOPPING, SILENT, CLOSED, GARBAGE)
"""The machine (or the server itself) was reached, and the server does not serve: nobody else gets in either."""
AWAY = (UNREACHABLE, TIMEOUT, DNS)
"""Nothing was reached: a dead machine and a cut link look the same from here."""
NOT_FOR_US = (PASSWORD, HBA, ROLE, DATABASE, LOGIN, TLS, FULL_ROLE)
"""The server answers, and lets us not in."""

_TEXTS: list[tuple[str, Pattern[str]]] = [
    (name, re.compile(pattern, re.I))
    for name, pattern in (
        # An entry that is missing is reported with "SSL encryption" in its text: before everything about TLS.
        (HBA, r"no pg_hba\.conf entry|pg_hba\.conf rejects"),
        (
            PASSWORD,
            r"password authentication failed|no password supplied|authentication failed for user|empty password",
        ),
        (ROLE, r'role "[^"]*" does not exist|is not permitted to log in'),
        (FULL_ROLE, r"too many connections for role"),
        (FULL_DATABASE, r"too many connections for database"),
        (FULL, r"too many clients|remaining connection slots are reserved|number of requested standby connections"),
        (
            DATABASE,
            r'database "[^"]*" does not exist|permission denied for database|not currently accepting connections',
        ),
        (STOPPING, r"is shutting down"),
        (STARTING, r"is starting up|not yet accepting connections|in recovery mode|not accepting connections"),
        (REFUSED, r"connection refused|no such file or directory\s+is the server running"),
        (UNREACHABLE, r"no route to host|network is unreachable|host is down|host is unreachable"),
        (DNS, r"could not translate host name|failed to resolve host|name or service not known|no address associated"),
        (TIMEOUT, r"time(d)? ?out"),
        (
            GARBAGE,
            r"invalid response|unexpected response|unsupported frontend protocol|expected authentication request",
        ),
        (TLS, r"\bSSL\b|\bTLS\b|certificate"),
        (CLOSED, r"closed the connection|connection reset|broken pipe"),
    )
]

# What the server's own code says where its words are in another language (lc_messages).
_CODES: dict[str, str] = {
    "57P03": STARTING,
    "53300": FULL,
    "28000": HBA,
    "28P01": PASSWORD,
    "3D000": DATABASE,
    "55000": DATABASE,
}
_STAGES: dict[str, str] = {
    "dns": DNS,
    "refused": REFUSED,
    "unreachable": UNREACHABLE,
    "timeout": TIMEOUT,
    "silent": SILENT,
    "closed": CLOSED,
    "garbage": GARBAGE,
    "login": LOGIN,
}

_KINDS: dict[str, str] = {
    **dict.fromkeys((REFUSED, STARTING, STOPPING, CLOSED), "refused"),
    **dict.fromkeys((SILENT, UNREACHABLE, TIMEOUT), "timeout"),
    **dict.fromkeys((PASSWORD, HBA, ROLE, DATABASE, LOGIN, FULL, FULL_ROLE, FULL_DATABASE), "denied"),
    DNS: "dns",
    TLS: "tls",
    GARBAGE: "garbage",
}


def classify(text: str, ask: Callable[[], Answer]) -> dict[str, str]:
    """Sort an error of the connection.

    :param text: what libpq says: neither errno nor SQLSTATE, and the server's part is in the server's language.
    :param ask: a raw look at the server, made only where the words do not tell.
    :returns: ``reason`` (a constant of this file), ``kind`` (of :class:`LookError`) and ``text``.
    """
    reason = next((name for name, pattern in _TEXTS if pattern.search(text)), OTHER)
    if reason in (OTHER, TIMEOUT, CLOSED):
        answer = ask()
        if answer.stage == "error":
            reason = _CODES.get(answer.sqlstate, reason)
        elif reason != CLOSED or answer.stage != "login":
            reason = _STAGES.get(answer.stage, reason)
        if answer.text and answer.text not in text:
            text = f"{text} ({answer.text})"
    return entry(reason, text)


def entry(reason: str, text: str) -> dict[str, str]:
    """An ``error`` entry of an observation."""
    return {"reason": reason, "kind": _KINDS.get(reason, "other"), "text": " ".join(text.split())}

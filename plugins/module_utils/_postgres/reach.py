# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does it answer, and does it let us in?"""

from __future__ import annotations

from .._core.finding import CRITICAL, UNKNOWN
from . import failure
from .case import Case, number, text

_DEAD: dict[str, str] = {
    failure.REFUSED: "refuses connections: nothing listens there",
    failure.STARTING: "is starting up or recovering and takes no connections yet",
    failure.STOPPING: "is shutting down",
    failure.SILENT: "hangs: its machine takes connections, PostgreSQL does not answer",
    failure.CLOSED: "drops every connection",
    failure.GARBAGE: "is no PostgreSQL: something else answers there",
}
_AWAY: dict[str, str] = {
    failure.UNREACHABLE: "cannot be reached from here: no route",
    failure.TIMEOUT: "cannot be reached from here: no answer (its machine is down, or the way there is cut)",
    failure.DNS: "cannot be reached from here: its name does not resolve",
}
_NOT_FOR_US: dict[str, tuple[str, str]] = {
    failure.PASSWORD: ("does not take our password", "set login_password, or: ALTER ROLE … PASSWORD …"),
    failure.HBA: (
        "has no pg_hba.conf entry for us",
        "add a line to pg_hba.conf for this role, database and address, then SELECT pg_reload_conf()",
    ),
    failure.ROLE: ("does not know our role, or does not let it log in", "CREATE ROLE … LOGIN IN ROLE pg_monitor"),
    failure.DATABASE: ("does not let us into the login database", "check login_db: GRANT CONNECT ON DATABASE … TO …"),
    failure.LOGIN: ("does not let us log in", "read the server's log: it names the reason"),
    failure.TLS: ("and we do not agree on TLS", "check ssl_mode and ca_cert against the server's certificate"),
    failure.FULL_ROLE: (
        "has no connection left for our role",
        "ALTER ROLE … CONNECTION LIMIT …, or end its other sessions",
    ),
}


def judge_failure(case: Case) -> str | None:
    """File what kept us out.

    A server that refuses, hangs or goes down is dead for everybody: critical. Where nothing at all comes back, a dead
    machine and a cut link look the same from here: unknown, because the services may still reach it. A server that
    answers and does not let us in is reachable; what it would say is unknown.

    :returns: why nothing else was seen; None where the look took place.
    """
    error = case.observation.get("error")
    if not error and number(case.server, "version_num") is not None:
        case.looked("reachable")
        case.looked("access")
        return None
    reason, said = text(error, "reason"), text(error, "text") or "no reason given"
    place = "{}:{}".format(text(case.server, "host") or "?", case.server.get("port") or "?")
    evidence = {"address": place, "error": said, "reason": reason}
    if reason in _DEAD:
        case.report("reachable", case.target, f"PostgreSQL at {place} {_DEAD[reason]}", CRITICAL, evidence=evidence)
    elif reason in (failure.FULL, failure.FULL_DATABASE):
        case.looked("reachable")
        where = case.name(text(case.server, "database")) if reason == failure.FULL_DATABASE else case.target
        title = "PostgreSQL at {} takes no more connections: {}".format(place, said.rsplit("FATAL:", 1)[-1].strip())
        # Every slot is taken; the number is known although nobody could be asked.
        case.value("connections", where, 100.0, title, evidence)
    elif reason in _NOT_FOR_US:
        case.looked("reachable")
        words, remedy = _NOT_FOR_US[reason]
        case.report("access", case.target, f"PostgreSQL at {place} {words}", UNKNOWN, evidence=evidence, remedy=remedy)
    elif reason == failure.VERSION:
        case.looked("reachable")
        case.report(
            "access", case.target, f"PostgreSQL at {place} is older than this module knows: {said}", UNKNOWN,
            evidence=evidence, remedy="upgrade to a supported major version (13 or newer)",
        )  # fmt: skip
    else:
        words = _AWAY.get(reason, f"could not be looked at: {said}")
        remedy = "ping %s; from a machine beside it: pg_isready -h %s" % (
            (text(case.server, "host") or case.target,) * 2
        )
        case.report(
            "reachable", case.target, f"PostgreSQL at {place} {words}", UNKNOWN, evidence=evidence, remedy=remedy
        )
    return f"no look at the server: {said}"

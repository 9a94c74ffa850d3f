# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does it answer, and does it let us in?"""

from __future__ import annotations

from .._core.finding import CRITICAL, UNKNOWN
from . import link
from .case import Case, mapping, text

_DEAD: dict[str, str] = {
    link.REFUSED: "refuses connections: nothing listens there",
    link.SILENT: "hangs: its machine takes connections, Redis does not answer",
    link.LOADING: "is loading its data and serves nobody yet",
    link.BUSY: "is busy with a script and serves nobody",
    link.CLOSED: "drops every connection",
    link.GARBAGE: "is no Redis: something else answers there",
}
_AWAY: dict[str, str] = {
    link.UNREACHABLE: "cannot be reached from here: no route",
    link.TIMEOUT: "cannot be reached from here: no answer (its machine is down, or the way there is cut)",
    link.DNS: "cannot be reached from here: its name does not resolve",
}
_NOT_FOR_US: dict[str, tuple[str, str]] = {
    link.LOGIN: ("does not take our user or password", "set login_user and login_password; redis-cli ACL GETUSER …"),
    link.RIGHTS: (
        "lets us in, and does not let us ask",
        "give the user the rights that the notes of redis_health list: ACL SETUSER …",
    ),
    link.PROTECTED: ("is in protected mode and takes no remote clients", "set a password or an ACL, and bind"),
    link.TLS: ("and we do not agree on TLS", "check tls, ca_cert and validate_certs against the server's certificate"),
}
_REMEDIES: dict[str, str] = {
    link.LOADING: "wait: redis-cli INFO persistence shows how far it is; the size of the files says how long it takes",
    link.BUSY: "redis-cli SCRIPT KILL (FUNCTION KILL); where it has written already only SHUTDOWN NOSAVE ends it",
}


def judge_failure(case: Case) -> str | None:
    """File what kept us out.

    A server that refuses, hangs or is not ready is dead for everybody: critical. Where nothing at all comes back, a
    dead machine and a cut link look the same from here: unknown, because the services may still reach it. A server
    that answers and does not let us in is reachable; what it would say is unknown.

    :returns: why nothing else was seen; None where the look took place.
    """
    error = case.observation.get("error")
    if not error and text(case.info, "redis_version"):
        case.looked("reachable")
        case.looked("access")
        return None
    error = mapping(case.observation, "error")
    reason, said = text(error, "reason"), text(error, "text") or "no reason given"
    host, port = text(case.server, "host") or "?", case.server.get("port") or "?"
    place = f"{host}:{port}"
    evidence = {"address": place, "error": said, "reason": reason}
    if text(error, "percent"):
        evidence["loaded_percent"] = text(error, "percent")
    if reason in _DEAD:
        case.report(
            "reachable", case.target, f"Redis at {place} {_DEAD[reason]}", CRITICAL, evidence=evidence,
            remedy=_REMEDIES.get(reason),
        )  # fmt: skip
    elif reason == link.FULL:
        case.looked("reachable")
        # Every place is taken; the number is known although nobody could be asked.
        case.value("clients", case.target, 100.0, f"Redis at {place} takes no more connections: {said}", evidence)
    elif reason in _NOT_FOR_US:
        case.looked("reachable")
        words, remedy = _NOT_FOR_US[reason]
        case.report("access", case.target, f"Redis at {place} {words}", UNKNOWN, evidence=evidence, remedy=remedy)
    else:
        words = _AWAY.get(reason, f"could not be looked at: {said}")
        remedy = f"ping {host}; from a machine beside it: redis-cli -h {host} -p {port} ping"
        case.report("reachable", case.target, f"Redis at {place} {words}", UNKNOWN, evidence=evidence, remedy=remedy)
    return f"no look at the server: {said}"

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Up to which moment nothing is lost of a server whose WAL is archived, and whether that is late. Pure.

A server that writes nothing archives nothing: how old the last WAL file in the archive is says how much would be lost
at most. Less can be said where the server itself was asked: one whose archiver works switches to the next file
``archive_timeout`` after anything was written, so what is not archived is younger than that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .._core.judge import Judge
from . import retention

CHECK = "backup.archive_age"
# How long a file may wait for an archiver that works.
_WAITS_S = 120.0
_WAL = re.compile(r"[0-9A-F]{24}")


def safe_until(archive: Mapping[str, Any], name: Any, when: float, now: float) -> float | None:
    """Up to when all that was written can be restored from a set; None where it cannot be at all.

    :param name: of the set in ``sets``; when: it was begun, which it leads to in any case.
    """
    one = _set_of(archive, name)
    if one.get("gone"):
        return None
    at = one.get("at")
    if not isinstance(at, (int, float)):
        return when
    server = _mapping(archive.get("server"))
    written = server.get("written_at")
    if isinstance(written, (int, float)) and not server.get("standby") and server.get("archived_wal") == one.get("wal"):
        at = min(at, written)
    within = within_s(archive, name, now)
    return max(at, when) if within is None else max(at, when, now - within)


def within_s(archive: Mapping[str, Any], name: Any, now: float) -> float | None:
    """In how many seconds a server archives what it writes; None where that is not known, or not so."""
    one, server = _set_of(archive, name), _mapping(archive.get("server"))
    timeout = server.get("timeout_s")
    if not one or one.get("beyond") or not server or server.get("error") or server.get("standby"):
        return None
    if trouble(archive, name, now) or not isinstance(timeout, (int, float)) or timeout <= 0:
        return None
    since = _number(server.get("waiting_since"))
    return float(timeout) + (max(now - since, 0.0) if since else 0.0)


def trouble(archive: Mapping[str, Any], name: Any, now: float) -> str | None:
    """What the server says of its archiver that is not as it should be, in words."""
    one, server = _set_of(archive, name), _mapping(archive.get("server"))
    if not server or server.get("error") or server.get("standby"):
        return None
    if server.get("mode") not in ("on", "always"):
        return "archive_mode of the server is %s" % server.get("mode")
    failed, archived = _number(server.get("failed_at")), _number(server.get("archived_at"))
    if failed > archived:
        return "the archiver of the server fails at %s" % server.get("failed_wal")
    since = _number(server.get("waiting_since"))
    waiting = _number(server.get("waiting"))
    if waiting and since and now - since > _WAITS_S:
        return "%d files of WAL wait to be archived, the first for %s" % (waiting, retention.span(now - since))
    told, last = str(server.get("archived_wal") or ""), str(one.get("wal") or "")
    if _WAL.fullmatch(told) and _WAL.fullmatch(last) and told[8:] > last[8:] and not one.get("beyond"):
        return "the server says that it has archived %s, and that is not in the repository" % told
    return None


def evaluate(judge: Judge, obj: str, name: str, system: Mapping[str, Any], now: float) -> None:
    """The check ``backup.archive_age``, of a system whose newest set is of pgBackRest."""
    archive = _mapping(system.get("archive"))
    newest = newest_of(system)
    if not archive or not newest:
        judge.looked(CHECK, 0)
        return
    one, server = _set_of(archive, newest.get("path")), _mapping(archive.get("server"))
    evidence: dict[str, Any] = {
        "stanza": archive.get("stanza"),
        "repository": archive.get("repo"),
        "wal": one.get("wal"),
        "server": server,
    }
    if archive.get("error") or not one:
        said = archive.get("error") or "the newest set is of another stanza"
        judge.unknown(CHECK, obj, "the archive of %s was not seen: %s" % (name, said), evidence=evidence)
        return
    if one.get("gone"):
        title = "the newest set of %s leads nowhere: backup %s is not in the repository any more"
        judge.report(CHECK, obj, title % (name, one.get("label")), status="critical", evidence=evidence)
        return
    if one.get("beyond"):
        given = one.get("missing")
        missing = list(given) if isinstance(given, (list, tuple)) and given else ["a file"]
        title = "WAL of %s is missing in the archive, and nothing behind it can be restored: %s"
        evidence.update(missing=missing, beyond=one["beyond"])
        judge.report(CHECK, obj, title % (name, missing[0]), status="critical", evidence=evidence)
        return
    _age(judge, obj, name, archive, newest, now, evidence)


def _age(
    judge: Judge, obj: str, name: str, archive: Mapping[str, Any], newest: Mapping[str, Any], now: float,
    evidence: dict[str, Any],
) -> None:  # fmt: skip
    path, server = newest.get("path"), _mapping(archive.get("server"))
    safe = safe_until(archive, path, _number(newest.get("when")), now)
    age = max(now - (safe or 0.0), 0.0)
    minutes = round(age / 60, 2)
    title = "what %s has written for %s is not in the archive" % (name, retention.span(age))
    why = trouble(archive, path, now)
    if why:
        title += ": " + why
    elif server.get("error"):
        title += ", or it is idle: the server was not asked, because %s" % server["error"]
    elif within_s(archive, path, now) is None:
        title += ", or it is idle: it archives nothing before a file is full (archive_timeout)"
    if why and judge.thresholds.get(CHECK, obj).status(minutes) == "ok":
        judge.report(CHECK, obj, title, status="warning", value=minutes, evidence=evidence)
    else:
        judge.value(CHECK, obj, minutes, title, evidence=evidence)


def facts(system: Mapping[str, Any], now: float) -> dict[str, Any]:
    """The last WAL file in the archive, how old it is, and in how many seconds a server archives what it writes."""
    archive = _mapping(system.get("archive"))
    path = newest_of(system).get("path")
    one = _set_of(archive, path)
    return told(archive, path, now) if one else {"archive_wal": None, "archive_age_s": None, "archive_within_s": None}


def told(archive: Mapping[str, Any], name: Any, now: float) -> dict[str, Any]:
    """:func:`facts` of a set."""
    one = _set_of(archive, name)
    at, within = one.get("at"), within_s(archive, name, now)
    return {
        "archive_wal": one.get("wal"),
        "archive_age_s": round(max(now - at, 0.0)) if isinstance(at, (int, float)) else None,
        "archive_within_s": round(within) if within is not None else None,
    }


def repositories(archive: Mapping[str, Any], name: Any, now: float) -> list[dict[str, Any]]:
    """The repositories that have a backup: each with the moment up to which it can be restored from there.

    :param name: of the newest set in ``sets``. Where another repository has the same WAL, an idle server loses no more
        by that one.
    """
    given = archive.get("repositories")
    within, own = within_s(archive, name, now), _set_of(archive, name).get("wal")
    found = []
    for one in (_mapping(each) for each in (given if isinstance(given, (list, tuple)) else ())):
        when = one.get("when")
        if not isinstance(when, (int, float)) or isinstance(when, bool):
            continue
        if within is not None and own and one.get("wal") == own:
            when = max(when, now - within)
        found.append(
            {
                "set": one.get("newest"),
                "when": when,
                "repository": str(one.get("name")),
                "offsite": one.get("offsite") is True,
                "at": None,
                "backups": one.get("backups"),
            }
        )
    return found


def newest_of(system: Mapping[str, Any]) -> dict[str, Any]:
    """The newest set that was looked at."""
    sets = system.get("sets")
    return _mapping(sets[0]) if isinstance(sets, (list, tuple)) and sets else {}


def _set_of(archive: Mapping[str, Any], name: Any) -> dict[str, Any]:
    return _mapping(_mapping(archive.get("sets")).get(str(name)))


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0

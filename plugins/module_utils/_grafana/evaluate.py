# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge an observation of Grafana. Pure: plain values in, findings out; an odd answer is no answer."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from .._core import web
from .._core.finding import CRITICAL, OK, UNKNOWN
from .._core.judge import Judge
from .._postgres.case import number, text

_NO_CHECK = (404, 405, 501)
"""What Grafana answers for a data source whose plugin cannot be asked."""


@dataclass(frozen=True)
class Expect:
    """What the inventory says.

    :ivar dashboards: titles or uids of dashboards that must exist and open.
    :ivar datasources: names or uids of data sources that must exist.
    :ivar ignore: patterns of names of data sources that need not answer.
    """

    dashboards: tuple[str, ...] = ()
    datasources: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


class Links:
    """Links that open Grafana where people can see it, over the time that was asked about."""

    def __init__(self, observation: Mapping[str, Any]) -> None:
        links = _mapping(observation.get("links"))
        self.base = (text(links, "url") or text(observation, "url")).rstrip("/")
        hours = number(links, "hours")
        until = max(number(observation, "now") or 0.0, 0.0)
        self.until = int(min(until, 1e11) * 1000)
        self.since = self.until - int(min(max(hours or 12.0, 0.0), 1e6) * 3_600_000)

    def to(self, path: str, **params: Any) -> str:
        """A page, with the time range as Grafana takes it."""
        return f"{self.base}{path}?{urlencode({'orgId': 1, **params, 'from': self.since, 'to': self.until})}"

    def dashboard(self, row: Mapping[str, Any]) -> str:
        """A dashboard."""
        path = text(row, "url").split("?", 1)[0]
        if not path.startswith("/"):
            # What Grafana says must not lead to another host.
            path = f"/d/{quote(text(row, 'uid'), safe='')}"
        # Grafana names the path that it is served under, and so does its address.
        under = "/" + self.base.partition("://")[2].partition("/")[2]
        return self.to(path[len(under) :] if under != "/" and path.startswith(under + "/") else path)

    def explore(self, row: Mapping[str, Any]) -> str:
        """A data source, as one explores it."""
        import json

        uid = text(row, "uid")
        pane = {"datasource": uid, "queries": [], "range": {"from": str(self.since), "to": str(self.until)}}
        return f"{self.base}/explore?{urlencode({'orgId': 1, 'schemaVersion': 1, 'panes': json.dumps({'ops': pane})})}"


def evaluate(observation: Mapping[str, Any], judge: Judge, expect: Expect) -> None:
    """Judge a Grafana."""
    observation = _mapping(observation)
    links = Links(observation)
    reason = _reach(observation, judge, links)
    if reason is not None:
        judge.unseen_rest(reason)
        return
    sources = _list(observation, "datasources", judge, ("datasource",))
    boards = _list(observation, "dashboards", judge, ("dashboard",))
    judge.facts.update(
        version=text(_mapping(_mapping(observation.get("health")).get("data")), "version") or None,
        datasources=len(sources) if sources is not None else None,
        dashboards=len(boards) if boards is not None else None,
    )
    if sources is not None:
        _sources(observation, judge, expect, links, sources)
    if boards is not None:
        _dashboards(observation, judge, expect, links, sources, boards)
    judge.unseen_rest("Grafana did not answer this")


def _reach(observation: Mapping[str, Any], judge: Judge, links: Links) -> str | None:
    """Judge what Grafana says of itself, and whether we are let in.

    :returns: why the rest was not seen; None where it was.
    """
    health = _mapping(observation.get("health"))
    data = _mapping(health.get("data"))
    error = _mapping(health.get("error"))
    said = text(error, "text") or "it says nothing of its health"
    address = text(observation, "url") or "?"
    evidence: dict[str, Any] = {"url": address, "error": said, "status": health.get("status")}
    # A Grafana that has lost its database answers 503, as a proxy does whose Grafana is gone; only it knows the word.
    if not text(data, "database"):
        verdict = web.outage(health.get("status"), error) if error else (CRITICAL, "is not what answers there")
        if text(error, "kind") == web.TLS:
            judge.looked("grafana.reachable")
            judge.report(
                "grafana.access", judge.target, f"Grafana at {address} and we do not agree on TLS", UNKNOWN,
                evidence=evidence, remedy="check url and ca_path against the server's certificate",
            )  # fmt: skip
            return f"no look at Grafana: {said}"
        status, words = verdict or (CRITICAL, f"answers {health.get('status')} to the question for its health")
        judge.report(
            "grafana.reachable", judge.target, f"Grafana at {address} {words}", status,
            evidence={**evidence, "link": links.to("/")},
        )  # fmt: skip
        return f"no look at Grafana: {said}"
    judge.looked("grafana.reachable")
    if text(data, "database") != "ok":
        judge.report(
            "grafana.database",
            judge.target,
            "Grafana does not reach its database ({})".format(text(data, "database")),
            evidence={"url": address, "database": text(data, "database"), "link": links.to("/")},
        )
    else:
        judge.looked("grafana.database")
    return _access(observation, judge, links)


def _access(observation: Mapping[str, Any], judge: Judge, links: Links) -> str | None:
    refused = {}
    for name in ("datasources", "dashboards"):
        error = _mapping(_mapping(observation.get(name)).get("error"))
        if text(error, "kind") == web.DENIED:
            refused[name] = text(error, "text")
    if not refused:
        judge.looked("grafana.access")
        return None
    what = " and ".join(sorted(refused))
    judge.report(
        "grafana.access", judge.target, f"Grafana refuses us its {what}: {next(iter(refused.values()))}", UNKNOWN,
        evidence={"refused": refused, "link": links.to("/org/serviceaccounts")},
    )  # fmt: skip
    return next(iter(refused.values())) if len(refused) == 2 else None


def _list(
    observation: Mapping[str, Any], name: str, judge: Judge, checks: tuple[str, ...]
) -> list[Mapping[str, Any]] | None:
    answer = _mapping(observation.get(name))
    rows = answer.get("data")
    if not answer.get("error") and isinstance(rows, list):
        return [one for one in rows if isinstance(one, Mapping) and text(one, "uid")]
    for check in checks:
        said = text(_mapping(answer.get("error")), "text") or "no answer"
        judge.unseen(f"grafana.{check}", f"Grafana did not list its {name}: {said}")
    return None


def _sources(
    observation: Mapping[str, Any], judge: Judge, expect: Expect, links: Links, sources: list[Mapping[str, Any]]
) -> None:
    judge.looked("grafana.datasource", 0)
    for name in expect.datasources:
        if not any(name in (text(one, "uid"), text(one, "name")) for one in sources):
            judge.report(
                "grafana.datasource", f"{judge.target}/{name}", f"the data source {name} does not exist", CRITICAL,
                evidence={"link": links.to("/connections/datasources", search=name),
                          "there_are": [text(one, "name") for one in sources[:20]]},
            )  # fmt: skip
    answers = _mapping(observation.get("source_health"))
    late = 0
    for one in sources:
        name = text(one, "name") or text(one, "uid")
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in expect.ignore):
            continue
        answer = _mapping(answers.get(text(one, "uid")))
        data, error = _mapping(answer.get("data")), _mapping(answer.get("error"))
        obj = f"{judge.target}/{name}"
        said = text(data, "message") or text(error, "text")
        settings = f"{links.base}/connections/datasources/edit/{quote(text(one, 'uid'), safe='')}"
        evidence = {
            "type": text(one, "type"),
            "uid": text(one, "uid"),
            "said": said or None,
            "ms": number(answer, "ms"),
            "link": links.explore(one),
            "settings": settings,
        }
        if answer.get("status") == 200 and text(data, "status").upper() in ("OK", "SUCCESS"):
            judge.report("grafana.datasource", obj, f"the data source {name} answers", OK, evidence=evidence)
        elif answer.get("status") in _NO_CHECK and not text(data, "status"):
            # Its plugin has no health check: there is nothing to ask.
            continue
        elif text(error, "kind") in (web.DENIED, web.TIMEOUT, web.SILENT) or not answer:
            late += 1
            title = f"whether the data source {name} answers is not known: {said or 'it was not asked'}"
            judge.unknown("grafana.datasource", obj, title, evidence)
        else:
            shown = said or "no reason given"
            judge.report(
                "grafana.datasource", obj, f"the data source {name} does not answer: {shown}", CRITICAL,
                evidence=evidence,
            )  # fmt: skip
    judge.facts["datasources_unknown"] = late


def _dashboards(
    observation: Mapping[str, Any],
    judge: Judge,
    expect: Expect,
    links: Links,
    sources: list[Mapping[str, Any]] | None,
    boards: list[Mapping[str, Any]],
) -> None:
    judge.looked("grafana.dashboard", 0 if expect.dashboards else len(boards))
    opened = _mapping(observation.get("opened"))
    known = {text(one, "uid") for one in sources} if sources is not None else None
    for name in expect.dashboards:
        found = [one for one in boards if name in (text(one, "uid"), text(one, "title"))]
        obj = f"{judge.target}/{name}"
        if not found:
            judge.report(
                "grafana.dashboard", obj, f"the dashboard {name} does not exist",
                evidence={"link": links.to("/dashboards", query=name), "there_are": len(boards)},
            )  # fmt: skip
            continue
        one = found[0]
        answer = _mapping(opened.get(text(one, "uid")))
        data, error = _mapping(answer.get("data")), _mapping(answer.get("error"))
        evidence: dict[str, Any] = {
            "uid": text(one, "uid"), "title": text(one, "title"), "folder": text(one, "folderTitle") or None,
            "link": links.dashboard(one),
        }  # fmt: skip
        used = data.get("sources")
        gone = sorted(
            {uid for uid in used if isinstance(uid, str)} - known
            if isinstance(used, list) and known is not None
            else ()
        )
        if not answer or text(error, "kind") in (web.TIMEOUT, web.SILENT):
            said = text(error, "text") or "it was not asked"
            judge.unknown(
                "grafana.dashboard", obj, f"whether the dashboard {name} opens is not known: {said}", evidence
            )
        elif error:
            said = text(error, "text")
            judge.report("grafana.dashboard", obj, f"the dashboard {name} does not open: {said}", evidence=evidence)
        elif gone:
            judge.report(
                "grafana.dashboard", obj,
                f"the dashboard {name} asks data sources that do not exist: {', '.join(gone[:5])}",
                evidence={**evidence, "missing": gone[:20]},
                remedy="point its panels to a data source that exists, or restore the one with this uid",
            )  # fmt: skip
        else:
            judge.report("grafana.dashboard", obj, f"the dashboard {name} opens", OK, evidence=evidence)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

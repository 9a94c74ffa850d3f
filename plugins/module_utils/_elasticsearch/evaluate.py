# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge an observation of Elasticsearch and Kibana. Pure: plain values in, findings out; an odd answer is no answer."""

from __future__ import annotations

import datetime
import fnmatch
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from .._core import web
from .._core.finding import CRITICAL, OK, UNKNOWN, WARNING, fingerprint
from .._core.judge import Judge
from .._postgres import words
from .._postgres.case import amount, number, text

_RISON = "(),:!'@*_-."
_NAMES = {"green": OK, "yellow": WARNING, "red": CRITICAL}
_KIBANA = {
    "available": OK, "degraded": WARNING, "unavailable": CRITICAL, "critical": CRITICAL,
    "green": OK, "yellow": WARNING, "red": CRITICAL,
}  # fmt: skip


class Links:
    """Links that open Kibana where people can see it, over the time that was asked about."""

    def __init__(self, observation: Mapping[str, Any]) -> None:
        links = _mapping(observation.get("links"))
        self.base = text(links, "url").rstrip("/")
        hours = number(links, "hours")
        until = min(max(number(observation, "now") or 0.0, 0.0), 1e11)
        self.until = _iso(until)
        self.since = _iso(max(until - min(max(hours or 12.0, 0.0), 1e6) * 3600, 0.0))

    def _time(self) -> str:
        return f"_g=(time:(from:'{self.since}',to:'{self.until}'))"

    def discover(self, index: Mapping[str, Any]) -> str | None:
        """The documents of an index pattern."""
        if not self.base:
            return None
        view = (text(index, "data_view") or text(index, "pattern")).replace("!", "!!").replace("'", "!'")
        field = text(index, "timestamp") or "@timestamp"
        state = f"(index:'{view}',query:(language:kuery,query:''),sort:!(!('{field}',desc)))"
        return f"{self.base}/app/discover#/?{self._time()}&_a={quote(state, safe=_RISON)}"

    def app(self, path: str) -> str | None:
        """A page of Kibana."""
        return f"{self.base}/app/{path}?{self._time()}" if self.base else None


def evaluate(observation: Mapping[str, Any], judge: Judge) -> None:
    """Judge a cluster and its Kibana."""
    observation = _mapping(observation)
    links = Links(observation)
    dead = _reach(observation, judge, links)
    _kibana(observation, judge, links, dead)
    if dead is not None:
        judge.unseen_rest(dead)
        return
    judge.facts.update(
        version=text(_data(observation, "root"), "version") or None,
        cluster=text(_data(observation, "health"), "cluster_name") or text(_data(observation, "root"), "cluster_name"),
        nodes=_whole(number(_data(observation, "health"), "number_of_nodes")),
    )
    _cluster(observation, judge, links)
    _nodes(observation, judge, links)
    _blocks(observation, judge, links)
    _ingestion(observation, judge, links)
    judge.unseen_rest("Elasticsearch did not answer this")


def _reach(observation: Mapping[str, Any], judge: Judge, links: Links) -> str | None:
    """File what kept us out.

    :returns: why nothing else was seen; None where the look took place.
    """
    root = _mapping(observation.get("root"))
    error, data = _mapping(root.get("error")), _data(observation, "root")
    said = text(error, "text") or "it does not say what it is"
    address = text(observation, "url") or "?"
    evidence: dict[str, Any] = {
        "url": address,
        "error": said,
        "status": root.get("status"),
        "link": links.app("monitoring#/"),
    }
    kind = text(error, "kind")
    if kind in (web.DENIED, web.TLS):
        judge.looked("elasticsearch.reachable")
        way = "refuses our account" if kind == web.DENIED else "and we do not agree on TLS"
        judge.report(
            "elasticsearch.access", judge.target, f"Elasticsearch at {address} {way}", UNKNOWN, evidence=evidence,
            remedy="check url and ca_path against the server's certificate" if kind == web.TLS else None,
        )  # fmt: skip
        return f"no look at Elasticsearch: {said}"
    is_one = bool(text(data, "cluster_name") or text(data, "version"))
    if error or not is_one:
        verdict = web.outage(root.get("status"), error) if error else (CRITICAL, "is not what answers there")
        status, way = verdict or (CRITICAL, f"answers {root.get('status')} to the question what it is")
        judge.report(
            "elasticsearch.reachable", judge.target, f"Elasticsearch at {address} {way}", status, evidence=evidence
        )
        return f"no look at Elasticsearch: {said}"
    judge.looked("elasticsearch.reachable")
    refused = {}
    answers = {name: observation.get(name) for name in ("health", "nodes", "blocks")}
    answers.update({f"index {name}": one for name, one in _mapping(observation.get("indices")).items()})
    for name, answer in answers.items():
        why = _mapping(_mapping(answer).get("error"))
        if text(why, "kind") == web.DENIED:
            refused[str(name)] = text(why, "text")
    if refused:
        judge.report(
            "elasticsearch.access", judge.target,
            f"Elasticsearch refuses us {words.count(len(refused), 'answer')}: {next(iter(refused.values()))}", UNKNOWN,
            evidence={**evidence, "error": None, "refused": refused},
        )  # fmt: skip
    else:
        judge.looked("elasticsearch.access")
    return None


def _cluster(observation: Mapping[str, Any], judge: Judge, links: Links) -> None:
    row, answer = _data(observation, "health"), _mapping(observation.get("health"))
    colour = text(row, "status")
    evidence: dict[str, Any] = {
        key: number(row, key)
        for key in ("unassigned_shards", "initializing_shards", "number_of_data_nodes", "number_of_pending_tasks",
                    "active_shards_percent_as_number")
    }  # fmt: skip
    evidence["link"] = links.app("management/data/index_management/indices")
    if colour in _NAMES:
        missing = number(row, "unassigned_shards") or 0.0
        lost = {"red": ": data cannot be read", "yellow": ": some data have no copy"}.get(colour, "")
        title = f"the cluster {text(row, 'cluster_name')} is {colour}, {words.count(missing, 'shard')} unassigned{lost}"
        judge.report("elasticsearch.cluster", judge.target, title, _NAMES[colour], value=missing, evidence=evidence)
        return
    said = text(_mapping(answer.get("error")), "text")
    if "master" in said:
        judge.report(
            "elasticsearch.cluster", judge.target, f"the cluster has no master: {said}", CRITICAL,
            evidence={**evidence, "error": said},
        )  # fmt: skip
        return
    _unseen(judge, "cluster", answer)


def _nodes(observation: Mapping[str, Any], judge: Judge, links: Links) -> None:
    answer = _mapping(observation.get("nodes"))
    rows = answer.get("data")
    if not isinstance(rows, list):
        for check in ("disk", "heap", "rejections"):
            _unseen(judge, check, answer)
        return
    link = links.app("monitoring#/elasticsearch/nodes")
    for check in ("disk", "heap", "rejections"):
        judge.looked(f"elasticsearch.{check}", 0)
    for row in (one for one in rows if isinstance(one, Mapping)):
        name = text(row, "name") or "?"
        obj = f"{judge.target}/{name}"
        size, free = number(row, "disk_bytes"), number(row, "free_bytes")
        if size is not None and free is not None and size > 0:
            share = words.percent(min(max(size - free, 0.0), size), size)
            judge.value(
                "elasticsearch.disk", obj, share,
                f"the disk of node {name} is {share:g} % full, {words.size(max(free, 0.0))} are left",
                {"size": size, "free": free, "link": link},
            )  # fmt: skip
        heap = number(row, "heap_percent")
        if heap is not None:
            judge.value("elasticsearch.heap", obj, heap, f"the heap of node {name} is {heap:g} % full", {"link": link})
        rejected, uptime = number(row, "rejected"), number(row, "uptime_ms")
        if rejected is not None and uptime is not None:
            # A node that was started a moment ago is judged as if it had run for an hour.
            hours = max(uptime / 3_600_000, 1.0)
            rate = round(max(rejected, 0.0) / hours, 1)
            judge.value(
                "elasticsearch.rejections", obj, rate,
                f"node {name} has refused {rejected:,.0f} writes since its start, {rate:g} an hour",
                {"rejected": rejected, "queue": number(row, "queue"), "uptime_h": round(hours, 1), "link": link},
            )  # fmt: skip


def _blocks(observation: Mapping[str, Any], judge: Judge, links: Links) -> None:
    answer = _mapping(observation.get("blocks"))
    data = answer.get("data")
    names = _mapping(data).get("names")
    if not isinstance(names, list):
        _unseen(judge, "read_only", answer)
        return
    if not names:
        judge.looked("elasticsearch.read_only")
        return
    shown = [str(name) for name in names]
    count = max(number(data, "count") or 0.0, float(len(shown)))
    judge.report(
        "elasticsearch.read_only",
        judge.target,
        f"{words.count(count, 'index is', 'indices are')} read-only since the disk ran full: {', '.join(shown[:3])}",
        value=count,
        evidence={"indices": shown[:20], "link": links.app("management/data/index_management/indices")},
    )


def _ingestion(observation: Mapping[str, Any], judge: Judge, links: Links) -> None:
    now = number(observation, "now")
    oldest: float | None = None
    judge.looked("elasticsearch.ingestion", 0)
    for name, given in _mapping(observation.get("indices")).items():
        index = _mapping(given)
        obj, pattern = f"{judge.target}/{name}", text(index, "pattern") or str(name)
        row = _mapping(index.get("data"))
        newest = number(row, "time")
        evidence: dict[str, Any] = {
            "pattern": pattern, "index": text(row, "index") or None, "link": links.discover(index),
            "from": links.since, "to": links.until,
        }  # fmt: skip
        error = _mapping(index.get("error"))
        if error or not row or now is None:
            said = text(error, "text") or "no answer"
            judge.unknown(
                "elasticsearch.ingestion", obj, f"the newest document of {pattern} is not known: {said}",
                {**evidence, "error": said},
            )  # fmt: skip
            continue
        if newest is None:
            if amount(row, "failed"):
                title = (
                    f"the newest document of {pattern} is not known: {row.get('failed')} shards could not be searched"
                )
                judge.unknown("elasticsearch.ingestion", obj, title, evidence)
                continue
            empty = "no document is in" if amount(row, "shards") else "no index matches"
            judge.report(
                "elasticsearch.ingestion", obj, f"{empty} {pattern}", CRITICAL, evidence=evidence,
                caused_by=_stopped(judge, pattern, ""),
            )  # fmt: skip
            continue
        age = round(max(now - newest, 0.0), 1)
        oldest = max(age, oldest or 0.0)
        judge.value(
            "elasticsearch.ingestion",
            obj,
            age,
            f"the newest document of {pattern} is {words.age(age)} old",
            {**evidence, "newest": _iso(min(max(newest, 0.0), 1e11))},
            caused_by=_stopped(judge, pattern, text(row, "index")),
        )
    judge.facts["newest_document_s"] = oldest


def _stopped(judge: Judge, pattern: str, index: str) -> str | None:
    """What this very look found that keeps documents out: a read-only index, else a red cluster."""
    for one in judge.result()["findings"]:
        if one["check"] == "elasticsearch.read_only":
            names = one["evidence"].get("indices") or []
            if any(
                name == index or any(fnmatch.fnmatchcase(name, part) for part in pattern.split(",")) for name in names
            ):
                return fingerprint(one["check"], one["object"])
    for one in judge.result()["findings"]:
        if one["check"] == "elasticsearch.cluster" and one["status"] == CRITICAL:
            return fingerprint(one["check"], one["object"])
    return None


def _kibana(observation: Mapping[str, Any], judge: Judge, links: Links, dead: str | None) -> None:
    address = text(observation, "kibana_url")
    if not address:
        # Nobody asks where the inventory names none.
        judge.looked("elasticsearch.kibana", 0)
        return
    answer = _mapping(observation.get("kibana"))
    error, data = _mapping(answer.get("error")), _mapping(answer.get("data"))
    obj = f"{judge.target}/kibana"
    level = text(data, "level")
    evidence: dict[str, Any] = {"url": address, "link": links.app("home#/"), "status": answer.get("status")}
    # A Kibana that calls itself unavailable answers 503, and says so in the same document.
    if level in _KIBANA:
        bad = _mapping(data.get("bad"))
        summary = text(data, "summary")
        title = f"Kibana is {level}" + (f": {summary}" if summary and level not in ("available", "green") else "")
        cause = None
        if dead is not None and "elasticsearch" in bad and judge.active("elasticsearch.reachable"):
            cause = next(
                (one["fingerprint"] for one in judge.result()["findings"] if one["check"] == "elasticsearch.reachable"),
                None,
            )
        judge.report(
            "elasticsearch.kibana", obj, title, _KIBANA[level], evidence={**evidence, "not_available": dict(bad)},
            caused_by=cause,
        )  # fmt: skip
        return
    said = text(error, "text") or "it does not say how it is"
    evidence["error"] = said
    verdict = web.outage(answer.get("status"), error) if error else (CRITICAL, "is not what answers there")
    if text(error, "kind") in (web.DENIED, web.TLS):
        verdict = (UNKNOWN, "does not let us look")
    status, way = verdict or (CRITICAL, f"answers {answer.get('status')} to the question for its state")
    judge.report("elasticsearch.kibana", obj, f"Kibana at {address} {way}", status, evidence=evidence)


def _unseen(judge: Judge, check: str, answer: Mapping[str, Any]) -> None:
    judge.unseen(f"elasticsearch.{check}", text(_mapping(answer.get("error")), "text") or "no answer to this")


def _data(observation: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return _mapping(_mapping(observation.get(name)).get("data"))


def _iso(seconds: float) -> str:
    moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(seconds=int(seconds))
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

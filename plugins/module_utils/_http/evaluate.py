# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge an observation of endpoints. Pure: plain values in, findings out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .._core.finding import OK
from .._core.judge import Judge
from . import checks
from .collect import expected

Endpoint = Mapping[str, Any]
Sample = Mapping[str, Any]

# The stages of a request in their order; an endpoint is reported by the first that fails.
_STAGES = (checks.REACHABLE, checks.TLS, checks.ANSWER, checks.REDIRECT, checks.STATUS, checks.CONTENT)
_STAGE_OF_PHASE = {
    "dns": checks.REACHABLE,
    "connect": checks.REACHABLE,
    "tls": checks.TLS,
    "answer": checks.ANSWER,
    "body": checks.ANSWER,
    "redirect": checks.REDIRECT,
}
# No byte of an answer: for who asks, the endpoint is as dead as one that refuses.
_SILENT = {"tls": ("timeout",), "answer": ("timeout", "closed", "reset")}

_SENTENCES = {
    ("dns", "not_found"): "%s cannot be reached: its name is not in the DNS",
    ("dns", "temporary"): "%s cannot be reached: the name servers fail",
    ("dns", "timeout"): "%s cannot be reached: no name server answers",
    ("dns", "other"): "%s cannot be reached: its name cannot be resolved",
    ("connect", "refused"): "%s refuses connections",
    ("connect", "timeout"): "%s does not take connections (TCP time-out)",
    ("connect", "unreachable"): "%s cannot be reached: no route to its address",
    ("connect", "reset"): "%s resets connections",
    ("connect", "other"): "%s cannot be connected to",
    ("tls", "expired"): "%s shows an expired certificate",
    ("tls", "not_yet_valid"): "%s shows a certificate that is not yet valid",
    ("tls", "hostname"): "%s shows a certificate for another name",
    ("tls", "untrusted"): "%s shows a certificate that is not trusted",
    ("tls", "revoked"): "%s shows a revoked certificate",
    ("tls", "certificate"): "%s shows a certificate that does not verify",
    ("tls", "not_tls"): "%s does not speak TLS on its TLS port",
    ("tls", "closed"): "%s hangs up during the TLS handshake",
    ("tls", "reset"): "%s resets the connection during the TLS handshake",
    ("tls", "timeout"): "%s does not finish the TLS handshake",
    ("tls", "handshake"): "%s fails the TLS handshake",
    ("answer", "timeout"): "%s takes connections and does not answer",
    ("answer", "closed"): "%s hangs up without an answer",
    ("answer", "reset"): "%s resets the connection instead of answering",
    ("answer", "garbage"): "%s answers, and not in HTTP",
    ("answer", "headers"): "%s answers with malformed headers",
    ("answer", "other"): "%s answers with an error",
    ("body", "timeout"): "%s sends its body too slowly",
    ("body", "truncated"): "%s breaks off its body",
    ("body", "length"): "%s sends a wrong Content-Length",
    ("body", "surplus"): "%s sends more than its Content-Length says",
    ("body", "chunks"): "%s sends broken chunks",
    ("body", "encoding"): "%s sends a body that cannot be decoded",
    ("body", "reset"): "%s resets the connection in its body",
    ("body", "other"): "%s fails in its body",
    ("redirect", "loop"): "%s redirects in a circle",
    ("redirect", "too_many"): "%s redirects without end",
    ("redirect", "elsewhere"): "%s redirects to another host",
    ("redirect", "downgrade"): "%s redirects from https to http",
    ("redirect", "location"): "%s redirects to nowhere",
}

_REMEDIES = {
    ("dns", "not_found"): "getent ahosts {host}; correct the DNS record or the url of this endpoint",
    ("dns", "temporary"): "cat /etc/resolv.conf; dig {host} at each name server",
    ("dns", "timeout"): "cat /etc/resolv.conf; dig {host} at each name server",
    (
        "connect",
        "refused",
    ): "nothing listens at {address}: is the server started, has the Service ready endpoints? {look}",
    ("connect", "timeout"): "packets to {address} are lost: firewall, NetworkPolicy, or the machine is down; {look}",
    ("connect", "unreachable"): "ip route get the address in {address}; is the node or machine behind it up? {look}",
    (
        "tls",
        "expired",
    ): "renew the certificate and reload the server; when it was renewed, the server still has the old one loaded",
    (
        "tls",
        "not_yet_valid",
    ): "compare the clocks (timedatectl) here and where the certificate was made; else it was installed too early",
    (
        "tls",
        "hostname",
    ): "openssl s_client -connect {address} -servername {host}: the server picked another one, or it lacks this name",
    (
        "tls",
        "untrusted",
    ): "openssl s_client -connect {address} -servername {host} -showcerts: a chain cut short? else set ca_path",
    (
        "tls",
        "not_tls",
    ): "the server behind {address} speaks plain text there: correct its configuration or the url (http://, port)",
    (
        "tls",
        "handshake",
    ): "openssl s_client -connect {address} -servername {host}: compare protocol versions and ciphers of both sides",
    ("tls", "timeout"): "it takes connections and says nothing: does it speak TLS there, is it overloaded? {look}",
    ("answer", "timeout"): "it accepts and is stuck: its threads, its pool, what it waits for. {look}",
    ("answer", "garbage"): "another server listens on this port: compare the url with what listens at {address}",
    ("body", "timeout"): "the server, or the proxy before it, stalls while sending: {look}",
    (
        "redirect",
        "loop",
    ): "curl -sIL {url}: two rules send to each other, often http and https behind a proxy that ends TLS",
    (
        "redirect",
        "elsewhere",
    ): "if that is right, set follow_redirects: all, or expect the status (status: [302]); else correct the server",
    ("redirect", "downgrade"): "the application does not know that it is behind TLS: X-Forwarded-Proto, base URL",
}


def evaluate(observation: Mapping[str, Any], judge: Judge) -> None:
    """Judge every endpoint of an observation."""
    endpoints: Sequence[Endpoint] = observation["endpoints"]
    fine = 0
    slowest: tuple[float, str] | None = None
    for endpoint in endpoints:
        good, p95 = _one(endpoint, observation, judge)
        fine += good
        if p95 is not None and (slowest is None or p95 > slowest[0]):
            slowest = (p95, str(endpoint["name"]))
    for check in judge.checks:
        # Seen even where nothing applies: services without TLS have no TLS that could be wrong.
        if not any(_applies(endpoint, check) for endpoint in endpoints):
            judge.looked(check, 0)
    judge.unseen_rest("no endpoint came as far as this")
    judge.facts = {
        "endpoints_ok": fine,
        "endpoints_total": len(endpoints),
        "requests": sum(len(one["samples_taken"]) for one in endpoints),
        "slowest": {"name": slowest[1], "p95_ms": round(slowest[0], 1)} if slowest else None,
    }


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile: a value that was measured. Of fewer than 20 values the 95th is the largest."""
    ordered = sorted(values)
    return ordered[max(math.ceil(percent / 100 * len(ordered)), 1) - 1]


def _one(endpoint: Endpoint, observation: Mapping[str, Any], judge: Judge) -> tuple[bool, float | None]:
    """Judge one endpoint; returns whether all is well with it, and its p95 in ms where it answered."""
    obj = "{}/{}".format(judge.target, endpoint["name"])
    samples: list[Sample] = list(endpoint["samples_taken"])
    known = [one for one in samples if not one.get("cut_short")]
    if not known:
        what = "gave no answer" if samples else "was not reached"
        title = "{} {} before the deadline of {:g} s for all endpoints".format(
            endpoint["name"], what, observation["deadline"]
        )
        evidence = {"url": endpoint["url"], "timeout_s": endpoint["timeout"], "service": endpoint["service"]}
        judge.unknown(
            checks.REACHABLE,
            obj,
            title,
            evidence,
            remedy="raise deadline (now {:g} s), or lower timeout".format(observation["deadline"]),
        )
        return False, None
    verdicts = [_verdict(endpoint, one) for one in known]
    good = [one for one, stage in zip(known, verdicts) if stage is None]
    bad = [(one, stage) for one, stage in zip(known, verdicts) if stage is not None]
    if not good:
        _broken(endpoint, obj, bad, judge)
        return False, None
    for stage in _STAGES:
        if _applies(endpoint, stage) and stage != checks.STATUS:
            judge.looked(stage)
    judge.report(
        checks.STATUS,
        obj,
        "{} answers {}".format(endpoint["name"], good[0]["status"]),
        OK,
        evidence=_evidence(endpoint, good[0], len(known)),
    )
    steady = _steady(endpoint, obj, known, bad, judge)
    slow, p95 = _latency(endpoint, obj, good, judge)
    return steady == OK and slow == OK, p95


def _applies(endpoint: Endpoint, stage: str) -> bool:
    if stage == checks.TLS:
        return bool(endpoint["tls"])
    return stage != checks.CONTENT or bool(endpoint["content"])


def _verdict(endpoint: Endpoint, sample: Sample) -> str | None:
    """The check that a sample fails, None for a good one."""
    error = sample["error"]
    if error is not None:
        if error["kind"] in _SILENT.get(error["phase"], ()) and not error["more"].get("first_bytes"):
            return checks.REACHABLE
        return _STAGE_OF_PHASE[error["phase"]]
    if not expected(endpoint["status"], sample["status"] or 0):
        return checks.STATUS
    return checks.CONTENT if sample.get("wrong") else None


def _broken(endpoint: Endpoint, obj: str, bad: Sequence[tuple[Sample, str]], judge: Judge) -> None:
    """No sample was good: report the stage that failed most often, of those the earliest."""
    counts = Counter(stage for _sample, stage in bad)
    check = max(counts, key=lambda one: (counts[one], -_STAGES.index(one)))
    sample = next(one for one, stage in bad if stage == check)
    for stage in _STAGES[: _STAGES.index(check)]:
        if _applies(endpoint, stage):
            judge.looked(stage)
    evidence = _evidence(endpoint, sample, len(bad))
    if len(counts) > 1:
        evidence["also"] = sorted(_says(endpoint, one, stage) for one, stage in bad if stage != check)[:3]
    judge.report(check, obj, _says(endpoint, sample, check), evidence=evidence, remedy=_remedy(endpoint, sample, check))


def _steady(
    endpoint: Endpoint, obj: str, known: Sequence[Sample], bad: Sequence[tuple[Sample, str]], judge: Judge
) -> str:
    share = round(100.0 * len(bad) / len(known), 1)
    title = "%s failed %d of %d requests" % (endpoint["name"], len(bad), len(known))
    evidence: dict[str, Any] = {}
    if bad:
        sample, stage = bad[0]
        evidence = {
            **_evidence(endpoint, sample, len(known)),
            "failed": sorted({_says(endpoint, one, where) for one, where in bad})[:3],
        }
        title += ": " + _says(endpoint, sample, stage)
    return judge.value(checks.STEADY, obj, share, title, evidence)


def _latency(endpoint: Endpoint, obj: str, good: Sequence[Sample], judge: Judge) -> tuple[str, float]:
    times = [float(one["ms"]) for one in good]
    p50, p95 = percentile(times, 50), percentile(times, 95)
    sample = next(one for one in good if one["ms"] == p95)
    phase = max(sample["phases"], key=lambda one: sample["phases"][one], default="")
    count = "%d sample%s" % (len(times), "" if len(times) == 1 else "s")
    title = "{} answers in {:.0f} ms at p95 of {}".format(endpoint["name"], p95, count)
    if phase:
        title += f", most of it {_PHASE_WORDS[phase]}"
    evidence = _evidence(endpoint, sample, len(times))
    evidence.update({"p50_ms": p50, "p95_ms": p95, "max_ms": max(times)})
    if len(times) < 20:
        evidence["note"] = "of fewer than 20 samples the 95th percentile is the slowest"
    return judge.value(
        checks.LATENCY, obj, round(p95, 1), title, evidence, remedy=_remedy(endpoint, sample, checks.LATENCY)
    ), p95


_PHASE_WORDS = {
    "dns": "resolving the name",
    "connect": "connecting",
    "tls": "the TLS handshake",
    "first_byte": "waiting for the first byte",
    "body": "reading the body",
}


def _says(endpoint: Endpoint, sample: Sample, check: str) -> str:
    """One sentence about a bad sample."""
    name = str(endpoint["name"])
    error = sample["error"]
    if error is not None:
        said = _SENTENCES[(error["phase"], error["kind"])] % name
        if (
            error["phase"] == "tls"
            and error["kind"] == "expired"
            and (error["more"].get("certificate") or {}).get("not_after")
        ):
            return "{} (valid until {})".format(said, error["more"]["certificate"]["not_after"])
        if error["phase"] == "redirect" or error["kind"] in ("truncated", "surplus", "length"):
            return "{}: {}".format(said, error["text"])
        if error["kind"] == "timeout":
            return "{} within {:g} s".format(said, endpoint["timeout"])
        return said
    if check == checks.STATUS:
        said = "{} answers {}{}".format(name, sample["status"], _wanted(endpoint))
    else:
        said = "{} answers {} with the wrong content: {}".format(name, sample["status"], "; ".join(sample["wrong"][:3]))
    failing = (sample.get("health") or {}).get("failing")
    if failing:
        said += "; failing: {}".format(", ".join(sorted(failing)))
    return said


def _wanted(endpoint: Endpoint) -> str:
    ranges = [tuple(pair) for pair in endpoint["status"]]
    if ranges == [(200, 299)]:
        return ""
    return ", want {}".format(", ".join(str(low) if low == high else "%d-%d" % (low, high) for low, high in ranges))


def _evidence(endpoint: Endpoint, sample: Sample, count: int) -> dict[str, Any]:
    """What was seen, small enough to read."""
    found: dict[str, Any] = {
        "url": endpoint["url"],
        "service": endpoint["service"],
        "address": sample["address"],
        "samples": count,
    }
    error = sample["error"]
    if error is not None:
        found.update({"phase": error["phase"], "kind": error["kind"], "error": error["text"], **error["more"]})
    found["status"] = sample["status"]
    found["ms"] = {**sample["phases"], "total": sample["ms"]}
    if sample.get("waited_ms"):
        # It is in the phases, and not in the total.
        found["ms"]["without_cpu"] = sample["waited_ms"]
    for key in ("tried", "hops", "tls", "wrong", "health", "headers", "excerpt"):
        if sample.get(key):
            found[key] = sample[key]
    return {key: value for key, value in found.items() if value is not None}


def _remedy(endpoint: Endpoint, sample: Sample, check: str) -> str | None:
    service = endpoint["service"]
    look = (
        f"kubectl get pods,endpointslices -A | grep {service}"
        if service
        else "look at the server behind {}".format(endpoint["url"])
    )
    text: str | None = None
    error = sample["error"]
    if error is not None:
        text = _REMEDIES.get((error["phase"], error["kind"]))
    failing = (sample.get("health") or {}).get("failing")
    if text is None and failing and check in (checks.STATUS, checks.CONTENT):
        text = "look first at what it depends on: {}; then kubectl get pods -A | grep {{service}}".format(
            ", ".join(sorted(failing))
        )
    if text is None and check == checks.TLS:
        text = "openssl s_client -connect {address} -servername {host}"
    if text is None and not service:
        text = {
            checks.REACHABLE: "{look}",
            checks.STATUS: "curl -v {url}; {look}",
            checks.LATENCY: "{look}: its load, and the services that it calls",
        }.get(check)
    if text is None:
        return None
    words = {
        "look": look,
        "host": str(endpoint["url"]).split("/")[2].rsplit(":", 1)[0],
        "address": str(sample["address"]),
        "url": str(endpoint["url"]),
        "service": str(service or endpoint["name"]),
    }
    for word, value in words.items():
        text = text.replace(f"{{{word}}}", value)
    return text

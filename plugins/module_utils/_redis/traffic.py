# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients, what they wait for, and how often they find what they ask for."""

from __future__ import annotations

import statistics

from .._core.finding import OK
from .._postgres import words
from .case import Case, amount, mapping, number, rows, text

HOUR = 3600.0
# A rate of fewer misses says nothing about a cache.
LEAST_MISSES = 10_000


def judge_clients(case: Case) -> None:
    """Connections against maxclients, and those that were turned away."""
    used = number(case.info, "connected_clients")
    limit = number(case.info, "maxclients") or number(
        mapping(mapping(case.observation, "config"), "values"), "maxclients"
    )
    if used is None or not limit:
        case.unseen(
            "clients", "neither INFO nor CONFIG GET tells maxclients" if used is not None else "INFO has no clients"
        )
    else:
        share = words.percent(used, limit)
        case.judge.facts.update(clients=int(used), clients_max=int(limit))
        evidence = {"clients": int(used), "maxclients": int(limit), "blocked": case.info.get("blocked_clients")}
        case.value(
            "clients", case.target, share, f"{used:.0f} of {limit:.0f} connections are taken ({share:g} %)", evidence
        )
    found = case.hourly("rejected_connections")
    if found is None:
        case.unseen("rejected_connections", "INFO does not tell rejected_connections")
        return
    rate, since = found
    evidence = {"rejected": case.info.get("rejected_connections"), "maxclients": limit}
    case.value(
        "rejected_connections", case.target, rate,
        f"{words.count(rate, 'connection')} an hour {'is' if rate == 1 else 'are'} turned away {since}", evidence,
        caused_by=case.cause("clients", case.target),
    )  # fmt: skip


def judge_buffers(case: Case) -> None:
    """What the server keeps for a client that does not read."""
    answer, trouble = case.answer("clients")
    if trouble and answer:
        case.unseen("client_buffers", trouble)
        return
    if trouble:
        most = number(case.info, "client_recent_max_output_buffer")
        if most is None:
            case.unseen("client_buffers", trouble)
            return
        title = f"up to {words.size(most)} wait for one client"
        case.value("client_buffers", case.target, most, title, {"clients": case.info.get("connected_clients")})
        return
    case.looked("client_buffers", 0)
    worst = max(rows(answer, "rows"), key=lambda row: amount(row, "omem"), default=None)
    if worst is None:
        case.looked("client_buffers")
        return
    size = amount(worst, "omem")
    who = text(worst, "name") or text(worst, "user") or "a client"
    title = f"{words.size(size)} wait for {who} at {text(worst, 'addr') or '?'}, which does not read them"
    evidence = {key: worst.get(key) for key in ("id", "addr", "name", "user", "cmd", "age", "idle", "omem")}
    remedy = "redis-cli CLIENT KILL ID %s; CONFIG GET client-output-buffer-limit" % (text(worst, "id") or "<id>")
    case.value("client_buffers", case.target, size, title, evidence, remedy)


def judge_latency(case: Case) -> None:
    """The median of some PINGs: one that came late is chance."""
    answer, trouble = case.answer("pings")
    taken = answer.get("ms")
    good = [float(one) for one in taken if number({"ms": one}, "ms") is not None] if isinstance(taken, list) else []
    if not good:
        case.unseen("latency", trouble or "no PING was answered")
        return
    median = round(statistics.median(good), 2)
    case.judge.facts["latency_ms"] = median
    events = [
        {"event": text(one, "event"), "latest_ms": one.get("latest_ms"), "longest_ms": one.get("longest_ms")}
        for one in rows(mapping(case.observation, "latency"), "events")[:8]
    ]
    evidence = {"pings_ms": good, "fork_ms": round(amount(case.info, "latest_fork_usec") / 1000, 1), "events": events}
    case.value("latency", case.target, median, f"a PING takes {median:g} ms", evidence)


def judge_slow(case: Case) -> None:
    """The slowest command of the last hour: what is older was judged by an earlier look."""
    answer, trouble = case.answer("slowlog")
    now = case.now
    if trouble or now is None:
        case.unseen("slow_commands", trouble or "INFO does not tell the server's clock")
        return
    recent = [row for row in rows(answer, "entries") if now - HOUR <= amount(row, "at") <= now + 60]
    if not recent:
        case.looked("slow_commands")
        return
    worst = max(recent, key=lambda row: amount(row, "micros"))
    took = round(amount(worst, "micros") / 1000, 1)
    counts: dict[str, int] = {}
    for row in recent:
        counts[text(row, "command")] = counts.get(text(row, "command"), 0) + 1
    who = text(worst, "client_name") or text(worst, "client") or "a client"
    title = f"{text(worst, 'command') or 'a command'} of {who} took {took:g} ms, and everybody waited"
    evidence = {
        "in_the_last_hour": dict(sorted(counts.items(), key=lambda one: -one[1])[:8]),
        "arguments": worst.get("arguments"),
        "ago_s": round(max(now - amount(worst, "at"), 0)),
        "client": text(worst, "client"),
    }
    case.value("slow_commands", case.target, took, title, evidence)


def judge_hits(case: Case) -> None:
    """Hits against misses, where there is enough of it to speak of a rate."""
    hits, misses = case.since("keyspace_hits"), case.since("keyspace_misses")
    if hits is None or misses is None:
        case.unseen("hit_rate", "INFO does not tell keyspace_hits and keyspace_misses")
        return
    share = words.percent(hits[0], hits[0] + misses[0])
    if hits[0] + misses[0]:
        case.judge.facts["hit_percent"] = share
    # Our own sample of the keys asks for keys that are there, so that it can only make the rate look better.
    ceiling = OK if misses[0] < LEAST_MISSES else None
    evidence = {"hits": int(hits[0]), "misses": int(misses[0]), "expired": case.info.get("expired_keys")}
    title = f"{share:g} % of the keys that were asked for were there, {misses[2]}"
    case.value(
        "hit_rate", case.target, share, title, evidence, ceiling=ceiling, caused_by=case.cause("evictions", case.target)
    )

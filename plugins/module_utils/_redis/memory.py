# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory, what is thrown out for want of it, and what lies in it."""

from __future__ import annotations

from typing import Any

from .._core.finding import OK, WARNING
from .._postgres import words
from .case import Case, amount, fields, number, rows, text

MIB = 1024.0**2
# Below this a ratio says nothing: a process of its own takes some megabytes, too.
FRAGMENTED = 100 * MIB
# A kind of keys is known as one that expires when so many of at least so many have a TTL.
LEAST_KEYS, MOSTLY = 50, 80.0


def judge_memory(case: Case) -> None:
    """Against maxmemory; without one against the machine."""
    info = case.info
    limit, policy = amount(info, "maxmemory"), text(info, "maxmemory_policy") or "noeviction"
    used = max(amount(info, "used_memory") - amount(info, "mem_not_counted_for_evict"), 0.0)
    if number(info, "used_memory") is None:
        case.unseen("memory", "INFO does not tell used_memory")
        return
    case.judge.facts.update(memory_used_bytes=int(used), memory_max_bytes=int(limit))
    evidence: dict[str, Any] = {
        "used_bytes": int(used),
        "maxmemory": int(limit),
        "policy": policy,
        "peak_bytes": info.get("used_memory_peak"),
        "clients_bytes": info.get("mem_clients_normal"),
    }
    if limit:
        share = words.percent(used, limit)
        title = f"{words.size(used)} of maxmemory {words.size(limit)} are used ({share:g} %), policy {policy}"
        # Under allkeys-* being full is how a cache works: redis.evictions judges it. Under volatile-* what has a TTL
        # goes first; whether enough has one is the question of redis.no_ttl.
        ceiling = OK if policy.startswith("allkeys") else WARNING if policy.startswith("volatile") else None
        case.value("memory", case.target, share, title, evidence, ceiling=ceiling)
        return
    rss, machine = amount(info, "used_memory_rss"), amount(info, "total_system_memory")
    if not machine:
        case.unseen("memory", "there is no maxmemory, and INFO does not tell the machine's memory")
        return
    share = words.percent(max(rss, used), machine)
    title = f"without a maxmemory it holds {words.size(max(rss, used))}, {share:g} % of the machine's memory"
    case.value("memory", case.target, share, title, {**evidence, "rss_bytes": int(rss), "machine_bytes": int(machine)})


def judge_fragmentation(case: Case) -> None:
    """Memory that is held and not used; and what was swapped out."""
    info = case.info
    used, rss = number(info, "used_memory"), number(info, "used_memory_rss")
    if used is None or rss is None or used <= 0:
        case.unseen("fragmentation", "INFO does not tell used_memory and used_memory_rss")
        return
    ratio = round(rss / used, 2)
    evidence = {
        "used_bytes": int(used),
        "rss_bytes": int(rss),
        "allocator_frag_ratio": info.get("allocator_frag_ratio"),
        "activedefrag_running": info.get("active_defrag_running"),
    }
    if used > FRAGMENTED and ratio < 0.7:
        title = f"only {words.size(rss)} of {words.size(used)} are in memory: the rest was swapped out"
        remedy = "free memory on its machine, or lower maxmemory; what is in the swap answers a thousand times slower"
        case.report("fragmentation", case.target, title, WARNING, ratio, evidence, remedy)
        return
    ceiling = OK if rss - used < FRAGMENTED else None
    title = f"it holds {words.size(rss)} of memory for {words.size(used)} of data ({ratio:g} times)"
    case.value("fragmentation", case.target, ratio, title, evidence, ceiling=ceiling)


def judge_evictions(case: Case) -> None:
    """Keys thrown out, by the hour."""
    found = case.hourly("evicted_keys")
    if found is None:
        case.unseen("evictions", "INFO does not tell evicted_keys")
        return
    rate, since = found
    policy = text(case.info, "maxmemory_policy")
    evidence = {
        "evicted_keys": case.info.get("evicted_keys"),
        "policy": policy,
        "maxmemory": case.info.get("maxmemory"),
    }
    title = f"{words.count(rate, 'key')} an hour are evicted {since}, policy {policy or 'unknown'}"
    # Throwing out is what a pure cache is there for: worth a look, not a call at night.
    ceiling = WARNING if policy.startswith("allkeys") else None
    case.value(
        "evictions", case.target, rate, title, evidence, ceiling=ceiling, caused_by=case.cause("memory", case.target)
    )


def judge_keys(case: Case) -> None:
    """What a sample of the keys shows; and how many keys have no TTL, which the server counts itself."""
    counted = {key: fields(value) for key, value in case.info.items() if _database(key) and isinstance(value, str)}
    keys = sum(amount(one, "keys") for one in counted.values())
    without = sum(max(amount(one, "keys") - amount(one, "expires"), 0.0) for one in counted.values())
    case.judge.facts["keys_total"] = int(keys)
    sample, trouble = case.answer("keys")
    if trouble and not rows(sample, "databases"):
        if keys:
            for check in ("big_keys", "ttl_leak"):
                case.unseen(check, trouble)
        else:
            for check in ("big_keys", "ttl_leak"):
                case.looked(check, 0)
    else:
        looked_at = int(sum(amount(one, "looked_at") for one in rows(sample, "databases")))
        case.judge.facts["keys_looked_at"] = looked_at
        if trouble:
            for check in ("big_keys", "ttl_leak"):
                case.unseen(check, trouble)
        _big(case, rows(sample, "largest"), looked_at, keys)
        _leaks(case, rows(sample, "kinds"), looked_at, keys)
    _without_ttl(case, keys, without, rows(sample, "kinds"))


def _big(case: Case, largest: list[Any], looked_at: int, keys: float) -> None:
    case.looked("big_keys", 0)
    for row in largest:
        size, name = amount(row, "bytes"), text(row, "key") or "?"
        place = "db%d" % amount(row, "db")
        title = f"key {name} in {place} takes {words.size(size)}"
        evidence = {"ttl_s": number(row, "ttl_s"), "sample": f"{looked_at} of {keys:.0f} keys"}
        case.value("big_keys", case.name(place, name), size, title, evidence)


def _leaks(case: Case, kinds: list[Any], looked_at: int, keys: float) -> None:
    case.looked("ttl_leak", 0)
    for row in kinds:
        name, total, without = text(row, "kind"), amount(row, "keys"), amount(row, "without_ttl")
        share = words.percent(without, total)
        if total < LEAST_KEYS or "*" not in name or 100.0 - share < MOSTLY:
            continue
        place = "db%d" % amount(row, "db")
        title = f"{without:.0f} of {words.count(total, 'key')} {name} in {place} have no TTL, the others do"
        evidence = {"sample": f"{looked_at} of {keys:.0f} keys", "without_ttl": int(without), "sampled": int(total)}
        case.value("ttl_leak", case.name(place, name), share, title, evidence)


def _without_ttl(case: Case, keys: float, without: float, kinds: list[Any]) -> None:
    policy, limit = text(case.info, "maxmemory_policy"), amount(case.info, "maxmemory")
    share = words.percent(without, keys)
    most = sorted(kinds, key=lambda row: -amount(row, "without_ttl"))[:5]
    evidence = {
        "keys": int(keys),
        "without_ttl": int(without),
        "policy": policy,
        "most_in_the_sample": {text(row, "kind"): int(amount(row, "without_ttl")) for row in most},
    }
    if not policy.startswith("volatile") or not limit or amount(case.info, "used_memory") < limit / 2:
        # Nothing needs to be evicted, or all of it may be.
        case.looked("no_ttl")
        return
    title = f"{without:,.0f} of {words.count(keys, 'key')} have no TTL ({share:g} %), and {policy} can never evict them"
    case.value("no_ttl", case.target, share, title, evidence)


def _database(key: str) -> bool:
    return key.startswith("db") and key[2:].isdigit()

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role, replicas, link and lag; the Sentinels; the slots of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.finding import CRITICAL, WARNING
from .._postgres import words
from .case import PRIMARY, REPLICA, Case, Place, amount, fields, mapping, number, rows, text

SLOTS = 16384


def judge_role(case: Case) -> None:
    """Primary or replica, as the inventory says."""
    expected = case.expect.role
    if expected and case.role != expected:
        primary = "{}:{}".format(case.info.get("master_host"), case.info.get("master_port"))
        title = f"{case.target} is a {case.role}, and should be the {expected}"
        if expected == REPLICA:
            title = f"{case.target} is a {case.role}, and should be a replica"
        elif case.role == REPLICA:
            title += f": it follows {primary}"
        case.report("role", case.target, title, evidence={"role": case.role, "expected": expected})
        return
    case.looked("role")


def judge_replicas(case: Case) -> None:
    """What a primary says about those that follow it."""
    if case.role != PRIMARY:
        return
    info, unclaimed = case.info, []
    for key, value in info.items():
        if key.startswith("slave") and key[5:].isdigit() and isinstance(value, str):
            unclaimed.append(fields(value))
    online = expected = 0
    lags: list[float] = []
    for place in case.expect.replicas:
        expected += 1
        known = _addresses(case, place)
        row = next((one for one in unclaimed if one.get("ip") in known and one.get("port") == str(place.port)), None)
        if row is None:
            case.report(
                "replicas", case.name(place.name), f"replica {place.name} is not connected to {case.target}", CRITICAL,
                evidence={"address": place.address, "connected": [_said(one) for one in unclaimed]},
            )  # fmt: skip
            continue
        unclaimed.remove(row)
        online += _replica(case, place.name, row, lags)
    for row in unclaimed:
        expected += 1
        online += _replica(case, _said(row), row, lags)
    case.looked("replicas", 0)
    case.looked("replication_lag", 0)
    case.looked("replication_lag_bytes", 0)
    if expected:
        case.judge.facts["replicas"] = "%d of %d" % (online, expected)
    if lags:
        case.judge.facts["replication_lag_s"] = max(lags)


def _addresses(case: Case, place: Place) -> list[str]:
    found = mapping(case.observation, "resolved").get(place.host)
    return [place.host, *(one for one in found if isinstance(one, str))] if isinstance(found, list) else [place.host]


def _said(row: Mapping[str, str]) -> str:
    return "{}:{}".format(row.get("ip", "?"), row.get("port", "?"))


def _replica(case: Case, name: str, row: Mapping[str, str], lags: list[float]) -> int:
    obj, state = case.name(name), row.get("state", "")
    evidence: dict[str, Any] = {
        "address": _said(row),
        "state": state,
        "lag_s": row.get("lag"),
        "offset": row.get("offset"),
    }
    if state != "online":
        title = f"replica {name} is connected to {case.target} and still copies ({state or 'no state'})"
        case.report("replicas", obj, title, WARNING, evidence=evidence)
        return 0
    case.looked("replicas")
    lag, have, made = number(row, "lag"), number(row, "offset"), number(case.info, "master_repl_offset")
    if lag is not None and lag >= 0:
        lags.append(lag)
        case.value(
            "replication_lag", obj, lag, f"replica {name} last confirmed {words.age(lag)} ago what it has", evidence
        )
    if have is not None and made is not None:
        behind = max(made - have, 0.0)
        evidence = {**evidence, "primary_offset": made, "backlog_bytes": number(case.info, "repl_backlog_size")}
        case.value(
            "replication_lag_bytes", obj, behind, f"replica {name} is {words.size(behind)} behind", evidence,
            caused_by=case.cause("replication_lag", obj),
        )  # fmt: skip
    return 1


def judge_link(case: Case) -> None:
    """What a replica says about the primary that it follows."""
    if case.role != REPLICA:
        return
    info = case.info
    primary = "{}:{}".format(info.get("master_host"), info.get("master_port"))
    syncing = amount(info, "master_sync_in_progress") > 0
    down, heard = number(info, "master_link_down_since_seconds"), number(info, "master_last_io_seconds_ago")
    evidence = {
        "primary": primary,
        "link": text(info, "master_link_status"),
        "down_s": down,
        "last_heard_s": heard,
        "copies": syncing,
    }
    if text(info, "master_link_status") == "up":
        ago = max(heard or 0.0, 0.0)
        title = f"{case.target} last heard from its primary {primary} {words.age(ago)} ago"
        case.value("replication_link", case.target, ago, title, evidence)
    elif syncing:
        left = amount(info, "master_sync_left_bytes")
        title = f"{case.target} copies everything anew from {primary}" + (f", {words.size(left)} left" if left else "")
        case.report("replication_link", case.target, title, WARNING, evidence=evidence)
    else:
        since = f" for {words.age(down)}" if down is not None and down >= 0 else ""
        title = f"{case.target} has no link to its primary {primary}{since}"
        value = down if down is not None and down >= 0 else None
        case.report("replication_link", case.target, title, CRITICAL, value, evidence)


def judge_sentinels(case: Case, alive: bool) -> None:
    """What the Sentinels say, whether the server answers or not.

    :param alive: whether the server answered, so that what it says can be compared.
    """
    if not case.expect.sentinels:
        for check in ("sentinel", "sentinel_quorum", "sentinel_primary"):
            case.looked(check, 0)
        return
    answered = []
    for one in rows(case.observation, "sentinels"):
        name = text(one, "name") or "?"
        place = "{}:{}".format(one.get("host"), one.get("port"))
        error = mapping(one, "error")
        if one.get("error"):
            said = text(error, "text") or "no answer"
            title = f"Sentinel {name} ({place}) does not answer: {said}"
            if said.startswith("No such master"):
                title = f"Sentinel {name} ({place}) does not know this primary"
            evidence = {"address": place, "error": said, "reason": text(error, "reason")}
            case.report("sentinel", case.name("sentinel", name), title, evidence=evidence)
        else:
            case.looked("sentinel")
            answered.append(one)
    if not answered:
        for check in ("sentinel_quorum", "sentinel_primary"):
            case.unseen(check, "no Sentinel answers")
        case.unseen("sentinel", "no Sentinel is named" if not rows(case.observation, "sentinels") else "none answers")
        return
    _quorum(case, answered)
    _primary(case, answered, alive)


def _quorum(case: Case, answered: list[Mapping[str, Any]]) -> None:
    against = {}
    for one in answered:
        quorum = mapping(one, "quorum")
        if quorum.get("refused") is True:
            case.unseen("sentinel_quorum", "Sentinel {}: {}".format(text(one, "name"), text(quorum, "text")))
        elif quorum.get("ok") is not True:
            against[text(one, "name") or "?"] = text(quorum, "text") or "no reason given"
    if against:
        title = f"the Sentinels could not fail over: {next(iter(against.values()))}"
        case.report("sentinel_quorum", case.target, title, evidence={"say_so": against})
    else:
        case.looked("sentinel_quorum")


def _primary(case: Case, answered: list[Mapping[str, Any]], alive: bool) -> None:
    seen = {text(one, "name") or "?": mapping(one, "primary") for one in answered}
    places = {name: "{}:{}".format(one.get("ip"), one.get("port")) for name, one in seen.items()}
    down = sorted(name for name, one in seen.items() if "_down" in text(one, "flags"))
    evidence: dict[str, Any] = {"primary": places, "flags": {name: text(one, "flags") for name, one in seen.items()}}
    dead = case.cause("reachable", case.target)
    if len(set(places.values())) > 1:
        title = "the Sentinels disagree on the primary: {}".format(
            "; ".join("%s says %s" % (name, place) for name, place in places.items())
        )
        case.report("sentinel_primary", case.target, title, evidence=evidence)
        return
    place = next(iter(places.values()))
    if down:
        title = "{} of {} hold the primary {} for down".format(len(down), words.count(len(seen), "Sentinel"), place)
        case.report("sentinel_primary", case.target, title, evidence=evidence, caused_by=dead)
        return
    if alive:
        trouble = _against_server(case, place, [text(one, "runid") for one in seen.values()])
        if trouble:
            evidence["server"] = {"role": case.role, "follows": case.info.get("master_host")}
            case.report("sentinel_primary", case.target, trouble, evidence=evidence)
            return
    case.looked("sentinel_primary")


def _against_server(case: Case, place: str, runs: list[str]) -> str:
    info = case.info
    own = "{}:{}".format(text(case.server, "host"), case.server.get("port"))
    if case.role == REPLICA:
        follows = "{}:{}".format(info.get("master_host"), info.get("master_port"))
        # A name and its address are the same place; a run id settles it where the Sentinels hold the replica itself.
        if text(info, "run_id") in runs or (
            follows != place and follows.rpartition(":")[2] != place.rpartition(":")[2]
        ):
            return f"{case.target} follows {follows}, and the Sentinels hold {place} for the primary"
        if _address(follows) and _address(place) and follows != place:
            return f"{case.target} follows {follows}, and the Sentinels hold {place} for the primary"
    elif case.role == PRIMARY and text(info, "run_id") not in runs and own != place:
        # Sentinels learn of a restart within ten seconds; until then the run id alone says nothing.
        return f"{case.target} thinks that it is the primary, and the Sentinels hold {place} for it"
    return ""


def _address(place: str) -> bool:
    host = place.rpartition(":")[0]
    return bool(host) and (host.replace(".", "").isdigit() or ":" in host)


def judge_cluster(case: Case) -> None:
    """The slots, where it is a cluster."""
    if amount(case.info, "cluster_enabled") != 1:
        case.looked("cluster_slots", 0)
        return
    answer, trouble = case.answer("cluster")
    if trouble:
        case.unseen("cluster_slots", trouble)
        return
    ok, assigned = number(answer, "cluster_slots_ok"), number(answer, "cluster_slots_assigned")
    if ok is None or assigned is None:
        case.unseen("cluster_slots", "CLUSTER INFO does not tell the slots")
        return
    lost = max(SLOTS - ok, 0.0)
    state = text(answer, "cluster_state")
    evidence = {
        key: answer.get("cluster_" + key)
        for key in ("state", "slots_assigned", "slots_ok", "slots_pfail", "slots_fail", "known_nodes", "size")
    }
    title = "%d of %d slots are not served" % (lost, SLOTS)
    if assigned < SLOTS:
        title += " (%d belong to no node)" % (SLOTS - assigned)
    if state != "ok":
        title += f"; the cluster is in state {state or 'unknown'}"
    if state != "ok" and not lost:
        case.report("cluster_slots", case.target, f"the cluster is in state {state or 'unknown'}", value=0.0,
                    evidence=evidence)  # fmt: skip
        return
    case.value("cluster_slots", case.target, lost, title, evidence)

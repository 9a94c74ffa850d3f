# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""File systems: how full, since when, until when; what deleted files and a container engine hold."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from . import words
from .case import Case

_KEPT = 30
_SHORTEST = 3600.0
_FURTHEST = 10.0
"""A forecast reaches no further than so many times the span that it rests on."""
_GIB = 1024.0**3
_SEEN = ("host.filesystem", "host.inodes", "host.read_only")


def judge_mounts(case: Case) -> None:
    """Space, inodes, and what became read-only."""
    seen = case.part("mounts", *_SEEN, "host.filesystem_forecast")
    if seen is None:
        return
    mounts = [row for row in words.rows({"rows": seen}, "rows") if words.text(row, "mount")]
    mounts = [row for row in mounts if not case.ignored(row["mount"])]
    for check in _SEEN:
        case.judge.looked(check, 0)
    fullest = 0.0
    for row in mounts:
        obj = case.mount(row["mount"])
        error = words.text(row, "error")
        if error:
            case.judge.unknown("host.filesystem", obj, f"{row['mount']} cannot be looked at: {error}", _about(row))
            continue
        percent = _percent(row)
        if percent is None:
            continue
        fullest = max(fullest, percent)
        _space(case, row, obj, percent)
        _inodes(case, row, obj)
        if words.flag(row, "read_only") and not words.flag(row, "meant_read_only"):
            title = f"{row['mount']} has become read-only"
            case.judge.report("host.read_only", obj, title, evidence=_about(row))
        else:
            case.judge.looked("host.read_only")
    case.judge.facts["fullest_percent"] = fullest
    case.judge.facts["filesystems"] = {
        row["mount"]: int(words.amount(row, "used")) for row in mounts if words.number(row, "used") is not None
    }
    _forecast(case, mounts)


def _percent(row: Mapping[str, Any]) -> float | None:
    used, available = words.number(row, "used"), words.number(row, "available")
    if used is None or available is None or used < 0 or available < 0 or used + available <= 0:
        return None
    return round(used / (used + available) * 100, 1)


def _about(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: words.text(row, key) for key in ("mount", "type", "device")}


def _space(case: Case, row: Mapping[str, Any], obj: str, percent: float) -> None:
    available, mount = words.amount(row, "available"), row["mount"]
    evidence: dict[str, Any] = {**_about(row), "used": words.amount(row, "used"), "available": available}
    largest = _largest(case, mount)
    if largest:
        evidence["largest_folders"] = largest
    title = f"{mount} is {percent:g} % full, {words.size(available)} left"
    remedy = case.remedy("host.filesystem", mount)
    case.judge.value("host.filesystem", obj, percent, title, evidence, remedy)


def _largest(case: Case, mount: str) -> list[dict[str, Any]]:
    """The largest folders below a mount point, where they were looked for."""
    found = []
    for row in words.rows(words.mapping(case.observation.get("folders")), "data"):
        root = words.text(row, "root")
        if root == mount or root.startswith(mount.rstrip("/") + "/"):
            found += [
                {"folder": words.text(one, "folder"), "size": words.size(words.amount(one, "bytes"))}
                for one in words.rows(row, "largest")[:5]
            ]
            if not words.flag(row, "complete"):
                found.append({"folder": root, "size": "not read to the end in its time"})
    return found


def _inodes(case: Case, row: Mapping[str, Any], obj: str) -> None:
    every, free = words.amount(row, "inodes"), words.number(row, "inodes_free")
    if not every or free is None:
        # Some file systems (btrfs, most of the network) make inodes as they need them.
        case.judge.looked("host.inodes")
        return
    used = max(every - free, 0.0)
    percent = round(used / every * 100, 1)
    title = f"{row['mount']} has used {percent:g} % of its inodes, {free:,.0f} left"
    evidence = {**_about(row), "used": used, "inodes": every}
    case.judge.value("host.inodes", obj, percent, title, evidence, case.remedy("host.inodes", row["mount"]))


def past(observation: Mapping[str, Any], at: str) -> list[dict[str, Any]]:
    """What a later look wants to know of this one and of those before it, oldest first."""
    history = observation.get("history")
    points = [dict(one) for one in history if isinstance(one, Mapping)] if isinstance(history, list) else []
    mounts = words.rows(words.mapping(observation.get("mounts")), "data")
    sizes = {
        row["mount"]: row["used"]
        for row in mounts
        if words.text(row, "mount") and words.number(row, "used") is not None
    }
    oom = words.mapping(words.mapping(observation.get("oom")).get("data"))
    host = words.mapping(observation.get("host"))
    points.append(
        {"at": at, "filesystems": sizes, "oom_kills": words.number(oom, "kills"), "now": words.number(host, "now")}
    )
    return points[-_KEPT:]


def _forecast(case: Case, mounts: Sequence[Mapping[str, Any]]) -> None:
    """When each file system is full, by what earlier looks saw."""
    check = "host.filesystem_forecast"
    points = words.rows(case.observation, "history")
    at = moment(words.text(case.observation, "at"))
    if not words.flag(case.observation, "history_asked") and not points:
        # A forecast is a question about several looks: without the option nobody asked it.
        case.judge.looked(check, 0)
        return
    if at is None or not points:
        case.judge.unseen(check, "there is no earlier look to compare with")
        return
    times = [(moment(words.text(point, "at")), words.mapping(point.get("filesystems"))) for point in points]
    known = [(then, sizes) for then, sizes in times if then is not None and then < at]
    if not known or at - known[0][0] < _SHORTEST:
        case.judge.unseen(check, "the earlier looks are less than an hour old: too short to tell a rate")
        return
    case.judge.looked(check, 0)
    for row in mounts:
        used, available = words.number(row, "used"), words.number(row, "available")
        if used is None or available is None or available < 0:
            continue
        series = [
            (then, size) for then, sizes in known for size in [words.number(sizes, row["mount"])] if size is not None
        ]
        series.append((at, used))
        span = at - series[0][0]
        rate = slope(series)
        if span < _SHORTEST or rate <= 0:
            case.judge.looked(check)
            continue
        hours = available / rate / 3600.0
        if hours * 3600.0 > _FURTHEST * span:
            case.judge.looked(check)
            continue
        percent = _percent(row) or 0.0
        title = "{} is full in {} ({:g} %, {} more an hour)".format(
            row["mount"], words.age(hours * 3600.0), percent, words.size(rate * 3600.0)
        )
        evidence = {
            **_about(row),
            "available": available,
            "bytes_per_hour": round(rate * 3600.0),
            "looks": len(series),
            "over": words.age(span),
            "used_then": series[0][1],
            "used_now": used,
        }
        case.judge.value(
            check, case.mount(row["mount"]), round(hours, 1), title, evidence, case.remedy(check, row["mount"])
        )


def slope(series: Sequence[tuple[float, float]]) -> float:
    """Bytes a second: the median of the slopes between all pairs, which one deleted file does not turn round."""
    slopes = sorted(
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for place, earlier in enumerate(series)
        for later in series[place + 1 :]
        if later[0] > earlier[0]
    )
    if not slopes:
        return 0.0
    middle = len(slopes) // 2
    return slopes[middle] if len(slopes) % 2 else (slopes[middle - 1] + slopes[middle]) / 2


def moment(text: str) -> float | None:
    """``2026-11-22T06:00:00Z`` -> seconds since the epoch."""
    try:
        found = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return None
    return found.timestamp()


def judge_deleted(case: Case) -> None:
    """Deleted files that are held open, by file system."""
    seen = case.part("deleted", "host.deleted_files")
    if seen is None:
        return
    reason = words.text(seen, "reason")
    if reason:
        case.judge.unseen("host.deleted_files", reason)
    case.judge.looked("host.deleted_files", 0 if words.rows(seen, "mounts") else 1)
    for row in words.rows(seen, "mounts"):
        mount, size, held = words.text(row, "mount"), words.amount(row, "size"), words.amount(row, "bytes")
        if not mount or not size or case.ignored(mount):
            case.judge.looked("host.deleted_files")
            continue
        percent = round(min(held / size, 1.0) * 100, 1)
        files = words.rows(row, "files")
        who = ""
        if files:
            who = f", most by {words.text(files[0], 'command') or '?'} (pid {words.amount(files[0], 'pid'):.0f})"
        title = f"deleted files that are still open take {words.size(held)} ({percent:g} %) of {mount}{who}"
        case.judge.value(
            "host.deleted_files",
            case.mount(mount),
            percent,
            title,
            {"mount": mount, "count": words.amount(row, "count"), "files": [dict(one) for one in files[:5]]},
        )


def judge_docker(case: Case) -> None:
    """What a container engine could give back."""
    part = words.mapping(case.observation.get("docker"))
    seen = case.part("docker", "host.docker_disk")
    if seen is None:
        if part.get("error") is None and "data" in part:
            # No engine here.
            case.judge.looked("host.docker_disk", 0)
        return
    reclaimable, whole = words.amount(seen, "reclaimable"), words.amount(seen, "bytes")
    case.judge.facts["docker_bytes"] = int(whole)
    evidence = {
        "root": words.text(seen, "root"),
        "kinds": dict(words.mapping(words.mapping(seen).get("kinds"))),
        "largest_unused": [dict(one) for one in words.rows(seen, "largest_unused")],
    }
    title = f"{words.size(reclaimable)} of the {words.size(whole)} that the container engine holds are used by nothing"
    case.judge.value("host.docker_disk", case.target, round(reclaimable / _GIB, 3), title, evidence)

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look at a Compose project: its containers, images and volumes on the engine, and what its file says.

The containers are told by the labels that Compose gives them, so that one call finds them whoever started them.
"""

from __future__ import annotations

import glob
import os
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from .._core.errors import LookError
from .._core.redact import redact_text
from . import file
from .client import Engine, NotThere
from .moments import RECENT, iso, seconds_between

LABEL = "com.docker.compose."
MOST_CONTAINERS = 500
MOST_LOGS = 30
"""Containers in trouble whose last lines are read."""
_LINE = 500


@dataclass(frozen=True)
class Options:
    """What a look wants to know.

    :ivar log_lines: last lines of the log of a container in trouble.
    :ivar volume_sizes: whether the engine is to add them up.
    """

    project: str
    source: file.Source
    log_lines: int = 10
    volume_sizes: bool = False


def collect(engine: Engine, options: Options) -> dict[str, Any]:
    """Look at the project. Never raises for what engine or project do; ``error`` entries say what was not seen."""
    seen: dict[str, Any] = {
        "project": options.project,
        "engine": {"address": engine.where.text, "version": "", "now": None, "error": None},
        "file": file.nothing(options.source),
        "containers": {"error": None, "found": []},
        "images": {"error": None, "found": {}},
        "volumes": {"error": None, "found": [], "sized": options.volume_sizes, "size_error": None},
    }
    try:
        told = engine.version()
        seen["engine"]["version"] = str(told.get("Version") or "")
    except LookError as error:
        seen["engine"]["error"] = _error(error)
        return seen
    # Compose needs some tenths of a second for its file: in the meantime the engine is asked.
    read: list[dict[str, Any]] = []
    reader = threading.Thread(target=lambda: read.append(file.read(options.source, engine.end)), daemon=True)
    reader.start()
    try:
        _containers(engine, options, seen["containers"])
        now = iso(engine.clock if engine.clock is not None else time.time())
        seen["engine"]["now"] = now
        _logs(engine, options, seen["containers"]["found"], now)
        reader.join(max(engine.end - time.monotonic(), 0.0) + 1.0)
        if read:
            seen["file"] = read[0]
        elif options.source.folder:
            seen["file"]["error"] = {"kind": "timeout", "text": "the file was not read before the deadline"}
        _images(engine, seen)
        _volumes(engine, options, seen)
    finally:
        engine.close()
    return seen


def _containers(engine: Engine, options: Options, place: dict[str, Any]) -> None:
    try:
        listed = engine.get("/containers/json", all=1, filters={"label": [f"{LABEL}project={options.project}"]})
        ids = [str(one["Id"]) for one in listed if isinstance(one, dict) and one.get("Id")]
        for each in ids[:MOST_CONTAINERS]:
            try:
                place["found"].append(container(engine.get(f"/containers/{quote(each, safe='')}/json"), _here(engine)))
            except NotThere:
                continue  # it went away since it was listed
        if len(ids) > MOST_CONTAINERS:
            place["error"] = {"kind": "other", "text": f"only {MOST_CONTAINERS} of {len(ids)} containers are looked at"}
    except LookError as error:
        place["error"] = _error(error)
    except TypeError:
        place["error"] = {"kind": "garbage", "text": "the engine's list of containers is none"}
    place["found"].sort(key=lambda one: (one["service"], one["number"], one["name"]))


def container(data: Any, here: bool) -> dict[str, Any]:
    """What is kept of one container: no environment, no command, no label but Compose's own.

    :param here: whether the engine's files are those of this machine.
    """
    data = _mapping(data)
    state, config, host = _mapping(data.get("State")), _mapping(data.get("Config")), _mapping(data.get("HostConfig"))
    labels = {str(key): str(value) for key, value in _mapping(config.get("Labels")).items()}
    policy, log = _mapping(host.get("RestartPolicy")), _mapping(host.get("LogConfig"))
    number = labels.get(LABEL + "container-number", "")
    return {
        "id": str(data.get("Id") or "")[:12],
        "name": str(data.get("Name") or "").lstrip("/"),
        "service": labels.get(LABEL + "service", ""),
        "number": int(number) if number.isdigit() else 0,
        "oneoff": labels.get(LABEL + "oneoff", "").lower() == "true",
        "after": _after(labels.get(LABEL + "depends_on", "")),
        "hash": labels.get(LABEL + "config-hash", ""),
        "compose": labels.get(LABEL + "version", ""),
        "status": str(state.get("Status") or ""),
        "restarting": bool(state.get("Restarting")),
        "exit_code": _number(state.get("ExitCode")),
        "oom_killed": bool(state.get("OOMKilled")),
        "error": str(state.get("Error") or "")[:_LINE],
        "started": _time(state.get("StartedAt")),
        "finished": _time(state.get("FinishedAt")),
        "restarts": _number(data.get("RestartCount")),
        "policy": str(policy.get("Name") or "no"),
        "health": _health(state.get("Health"), _mapping(config.get("Healthcheck"))),
        "image": {"name": str(config.get("Image") or ""), "id": str(data.get("Image") or "")},
        "memory": _number(host.get("Memory")),
        "volumes": sorted(
            str(one["Name"])
            for one in _list(data.get("Mounts"))
            if isinstance(one, dict) and one.get("Type") == "volume" and one.get("Name")
        ),
        "tty": bool(config.get("Tty")),
        "log": {
            "driver": str(log.get("Type") or ""),
            "max_size": str(_mapping(log.get("Config")).get("max-size") or ""),
            **_log_size(str(data.get("LogPath") or ""), str(log.get("Type") or ""), here),
        },
        "last_lines": [],
    }


def _log_size(path: str, driver: str, here: bool) -> dict[str, Any]:
    """Bytes of a container's log with its rotated files; None where nobody can say."""
    if driver != "json-file" or not path:
        return {"bytes": None, "error": None}
    if not here:
        return {"bytes": None, "error": "the engine runs on another machine than the look"}
    try:
        total = os.stat(path).st_size
        for rotated in glob.glob(glob.escape(path) + ".*"):
            total += os.stat(rotated).st_size
    except OSError as error:
        return {"bytes": None, "error": f"{path}: {error.strerror}"}
    return {"bytes": total, "error": None}


def _logs(engine: Engine, options: Options, found: Iterable[dict[str, Any]], now: str) -> None:
    """The last lines of what is in trouble."""
    asked = 0
    for one in found:
        health = _mapping(one["health"])
        ended = one["status"] in ("exited", "dead") and (one["exit_code"] != 0 or one["oom_killed"])
        age = seconds_between(one["started"], now)
        again = one["restarts"] > 0 and age is not None and age < RECENT
        if not (ended or one["restarting"] or again or health.get("status") == "unhealthy"):
            continue
        asked += 1
        if options.log_lines <= 0 or asked > MOST_LOGS:
            return
        try:
            # Redacted before it is cut: half a secret would not be known for one.
            one["last_lines"] = [
                redact_text(line.text)[:_LINE]
                for line in engine.logs(one["id"], tail=options.log_lines, tty=one["tty"])
            ][-options.log_lines :]
        except LookError as error:
            one["last_lines"] = [f"(the log cannot be read: {error.text})"]


def _images(engine: Engine, seen: dict[str, Any]) -> None:
    """The ids that the names of images have now."""
    place = seen["images"]
    names = {one["image"]["name"] for one in seen["containers"]["found"]}
    names.update(one["image"] for one in seen["file"]["services"].values())
    try:
        for name in sorted(names - {""}):
            try:
                place["found"][name] = str(
                    _mapping(engine.get(f"/images/{quote(name, safe='/:@')}/json")).get("Id") or ""
                )
            except NotThere:
                place["found"][name] = ""
    except LookError as error:
        place["error"] = _error(error)


def _volumes(engine: Engine, options: Options, seen: dict[str, Any]) -> None:
    place = seen["volumes"]
    try:
        listed = _mapping(engine.get("/volumes", filters={"label": [f"{LABEL}project={options.project}"]}))
        found = {str(one["Name"]): _volume(one) for one in _list(listed.get("Volumes")) if isinstance(one, dict)}
        # An external volume carries no label of the project.
        for one in seen["file"]["volumes"].values():
            if one["name"] not in found:
                try:
                    found[one["name"]] = _volume(engine.get(f"/volumes/{quote(one['name'], safe='')}"))
                except NotThere:
                    continue
        if options.volume_sizes:
            place["size_error"] = _sizes(engine, found)
        place["found"] = [found[name] for name in sorted(found)]
    except LookError as error:
        place["error"] = _error(error)
    except (TypeError, KeyError):
        place["error"] = {"kind": "garbage", "text": "the engine's list of volumes is none"}


def _volume(data: Any) -> dict[str, Any]:
    data = _mapping(data)
    labels = _mapping(data.get("Labels"))
    return {
        "name": str(data.get("Name") or ""),
        "driver": str(data.get("Driver") or ""),
        "key": str(labels.get(LABEL + "volume") or ""),
        "created": _time(data.get("CreatedAt")),
        "bytes": None,
    }


def _sizes(engine: Engine, found: Mapping[str, dict[str, Any]]) -> dict[str, str] | None:
    """Fill the sizes in; returns why they could not be had."""
    # The engine is silent for as long as it adds up: it may take all the time that is left.
    patience, engine.timeout = engine.timeout, float("inf")
    try:
        # Before API 1.42 it takes no notice of the type, and adds up images as well.
        told = _mapping(engine.get("/system/df", type="volume"))
    except LookError as error:
        return _error(error)
    finally:
        engine.timeout = patience
    for one in _list(told.get("Volumes")):
        if isinstance(one, dict) and one.get("Name") in found:
            size = _mapping(one.get("UsageData")).get("Size")
            if isinstance(size, int) and size >= 0:
                found[one["Name"]]["bytes"] = size
    return None


def _health(data: Any, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    health = _mapping(data)
    if not health.get("Status") or health["Status"] == "none":
        return None
    probes = health.get("Log")
    last = _mapping(probes[-1]) if isinstance(probes, list) and probes else {}
    return {
        "status": str(health["Status"]),
        "failures": _number(health.get("FailingStreak")),
        "probed": _time(last.get("End")),
        "interval_s": _seconds(wanted.get("Interval"), 30.0),
        "timeout_s": _seconds(wanted.get("Timeout"), 30.0),
        "start_period_s": _seconds(wanted.get("StartPeriod"), 0.0),
        "exit_code": _number(last.get("ExitCode")),
        "output": redact_text(str(last.get("Output") or "")).strip()[:_LINE],
    }


def _seconds(nanoseconds: Any, default: float) -> float:
    """The engine's own default stands for 0."""
    return round(_number(nanoseconds) / 1e9, 3) or default


def _after(label: str) -> list[str]:
    """``migrate:service_completed_successfully:false,…``: the services that are meant to end."""
    parts = [entry.split(":") for entry in label.split(",")]
    return sorted(part[0] for part in parts if len(part) > 1 and part[1] == "service_completed_successfully")


def _here(engine: Engine) -> bool:
    return bool(engine.where.path)


def _error(error: LookError) -> dict[str, str]:
    return {"kind": error.kind, "text": error.text}


def _time(value: Any) -> str | None:
    """Go's zero time means never."""
    text = str(value or "")
    return None if not text or text.startswith("0001-") else text


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

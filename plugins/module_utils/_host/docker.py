# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container engine's images, containers, volumes and build cache take, asked over its socket."""

from __future__ import annotations

import http.client
import json
import os
import socket
import stat
from collections.abc import Mapping
from typing import Any

from .._core.errors import LookError
from .files import Clock

_LARGEST = 32 * 1024 * 1024
_SHOWN = 8


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def look(path: str, clock: Clock, seconds: float = 8.0) -> dict[str, Any] | None:
    """Ask for ``/info`` and ``/system/df``; None: no engine listens here.

    :raises LookError: it does not answer, or not with what an engine says.
    """
    try:
        if not path or not stat.S_ISSOCK(os.stat(path).st_mode):
            return None
    except OSError:
        return None
    info = _get(path, "/info", clock.left(seconds))
    used = _get(path, "/system/df", clock.left(seconds))
    return {"root": str(info.get("DockerRootDir") or ""), "version": str(info.get("ServerVersion") or ""), **sums(used)}


def _get(path: str, resource: str, seconds: float) -> Mapping[str, Any]:
    if seconds <= 0:
        raise LookError("timeout", "no time left for the container engine")
    connection = _Connection(path, seconds)
    try:
        connection.request("GET", resource, headers={"Host": "localhost"})
        answer = connection.getresponse()
        body = answer.read(_LARGEST)
        data = json.loads(body.decode("utf-8"))
    except socket.timeout as error:
        raise LookError("timeout", f"{path}{resource}: no answer within {seconds:.0f} s") from error
    except PermissionError as error:
        raise LookError("denied", f"{path}: only root and the group docker may ask (become)") from error
    except OSError as error:
        raise LookError("refused", f"{path}: {error.strerror or error}") from error
    except (ValueError, http.client.HTTPException) as error:
        raise LookError("garbage", f"{path}{resource}: {type(error).__name__}: {error}") from error
    finally:
        connection.close()
    if answer.status != 200 or not isinstance(data, Mapping):
        raise LookError("other", f"{path}{resource}: HTTP {answer.status}")
    return data


def sums(used: Mapping[str, Any]) -> dict[str, Any]:
    """Bytes by kind, used and reclaimable (as ``docker system df`` counts), and the largest that nobody uses."""
    images, containers = _rows(used, "Images"), _rows(used, "Containers")
    volumes, cache = _rows(used, "Volumes"), _rows(used, "BuildCache")
    layers = _bytes(used, "LayersSize") or sum(_bytes(row, "Size") for row in images)
    unused = [row for row in images if not _bytes(row, "Containers")]
    loose = [row for row in volumes if not _bytes(_usage(row), "RefCount")]
    stopped = [row for row in containers if str(row.get("State", "")).lower() in ("exited", "created", "dead")]
    idle = [row for row in cache if row.get("InUse") is False]
    rows: list[dict[str, Any]] = [
        *(
            {"kind": "image", "name": _name(row), "bytes": max(_bytes(row, "Size") - _bytes(row, "SharedSize"), 0)}
            for row in unused
        ),
        *({"kind": "volume", "name": str(row.get("Name"))[:80], "bytes": _bytes(_usage(row), "Size")} for row in loose),
        *({"kind": "container", "name": _name(row), "bytes": _bytes(row, "SizeRw")} for row in stopped),
    ]
    kinds = {
        "images": {"bytes": layers, "reclaimable": sum(row["bytes"] for row in rows if row["kind"] == "image")},
        "containers": {
            "bytes": sum(_bytes(row, "SizeRw") for row in containers),
            "reclaimable": sum(row["bytes"] for row in rows if row["kind"] == "container"),
        },
        "volumes": {
            "bytes": sum(_bytes(_usage(row), "Size") for row in volumes),
            "reclaimable": sum(row["bytes"] for row in rows if row["kind"] == "volume"),
        },
        "build_cache": {
            "bytes": sum(_bytes(row, "Size") for row in cache),
            "reclaimable": sum(_bytes(row, "Size") for row in idle),
        },
    }
    return {
        "kinds": kinds,
        "bytes": sum(kind["bytes"] for kind in kinds.values()),
        "reclaimable": sum(kind["reclaimable"] for kind in kinds.values()),
        "largest_unused": sorted(rows, key=lambda row: (-row["bytes"], row["name"]))[:_SHOWN],
    }


def _rows(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = data.get(key)
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def _usage(row: Mapping[str, Any]) -> Mapping[str, Any]:
    value = row.get("UsageData")
    return value if isinstance(value, Mapping) else {}


def _bytes(row: Mapping[str, Any], key: str) -> int:
    """A whole number that is not negative: the engine writes -1 for what it did not count."""
    value = row.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _name(row: Mapping[str, Any]) -> str:
    for key in ("RepoTags", "Names"):
        names = row.get(key)
        if isinstance(names, list) and names:
            return str(names[0])[:80]
    return str(row.get("Id") or row.get("ID") or "?")[:19]

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the project's file says, as Compose itself reads it: merging, variables and profiles are its business, not ours.

Of the file nothing is kept that may hold a secret: no environment, no command, no label.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_OLDEST = (2, 3)


@dataclass(frozen=True)
class Source:
    """Where the file is and how it is read.

    :ivar command: the program with its first arguments, ``docker compose``.
    :ivar folder: folder of the project; empty: nobody asks for the file.
    """

    command: tuple[str, ...]
    folder: str
    files: tuple[str, ...]
    env_files: tuple[str, ...]
    project: str


class _Failed(Exception):
    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind, self.text = kind, text


def nothing(source: Source) -> dict[str, Any]:
    """What is known before the file is read."""
    return {"asked": bool(source.folder), "error": None, "version": "", "services": {}, "volumes": {}}


def read(source: Source, end: float) -> dict[str, Any]:
    """The services and volumes of the file; ``error`` says why there are none.

    :param end: monotonic time after which nothing is waited for.
    """
    seen = nothing(source)
    if not source.folder:
        return seen
    try:
        seen["version"] = _version(source, end)
        base = [*source.command, "--project-directory", source.folder, "--project-name", source.project]
        for name in source.files:
            base += ["--file", name]
        for name in source.env_files:
            base += ["--env-file", name]
        base += ["--profile", "*", "config"]
        try:
            data = json.loads(_run([*base, "--format", "json"], end))
        except ValueError as error:
            raise _Failed("cli", f"docker compose config does not write JSON: {error}") from error
        hashes = dict(_pairs(_run([*base, "--hash", "*"], end)))
        if isinstance(data, dict):
            seen["services"] = {
                str(name): {**_service(one), "hash": hashes.get(str(name))}
                for name, one in _mapping(data.get("services")).items()
            }
            seen["volumes"] = {
                str(key): {
                    "name": str(_mapping(one).get("name") or f"{source.project}_{key}"),
                    "external": bool(_mapping(one).get("external")),
                }
                for key, one in _mapping(data.get("volumes")).items()
            }
    except _Failed as failed:
        seen["error"] = {"kind": failed.kind, "text": failed.text}
    return seen


def _version(source: Source, end: float) -> str:
    try:
        said = _run([*source.command, "version", "--short"], end).strip().lstrip("v")
    except _Failed as failed:
        if failed.kind == "timeout":
            raise
        raise _Failed("cli", f"{' '.join(source.command)} cannot be run: {failed.text}") from failed
    numbers = re.match(r"(\d+)\.(\d+)", said)
    if not numbers or (int(numbers.group(1)), int(numbers.group(2))) < _OLDEST:
        raise _Failed("cli", f"{' '.join(source.command)} is of version {said[:40] or '?'}; 2.3 or newer is needed")
    return said.split()[0]


def _run(argv: Sequence[str], end: float) -> str:
    left = end - time.monotonic()
    if left <= 0:
        raise _Failed("timeout", "the deadline passed before the file was read")
    try:
        done = subprocess.run(  # noqa: S603 (the user's own option, and no shell)  # pylint: disable=ansible-bad-function
            list(argv), cwd="/", stdin=subprocess.DEVNULL, capture_output=True, timeout=left, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _Failed("timeout", "docker compose did not end before the deadline") from error
    except (OSError, ValueError) as error:
        raise _Failed("cli", str(getattr(error, "strerror", None) or error)) from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip() or done.stdout.decode("utf-8", "replace").strip()
        lines = [line for line in said.splitlines() if "level=warning" not in line]
        raise _Failed("invalid", " ".join(" ".join(lines[-3:]).split())[:600] or f"status {done.returncode}")
    return done.stdout.decode("utf-8", "replace")


def _pairs(text: str) -> list[tuple[str, str]]:
    found = []
    for line in text.splitlines():
        name, _space, value = line.strip().rpartition(" ")
        if name:
            found.append((name, value))
    return found


def _service(data: Any) -> dict[str, Any]:
    one = _mapping(data)
    deploy = _mapping(one.get("deploy"))
    replicas = deploy.get("replicas", one.get("scale", 1))
    return {
        "image": str(one.get("image") or ""),
        "replicas": replicas if isinstance(replicas, int) and not isinstance(replicas, bool) else 1,
        "profiles": [str(name) for name in _list(one.get("profiles"))],
        "volumes": [
            str(entry["source"])
            for entry in _list(one.get("volumes"))
            if isinstance(entry, dict) and entry.get("type") == "volume" and entry.get("source")
        ],
        # services that must have ended well before this one starts: they are meant to end
        "after": sorted(
            str(name)
            for name, how in _mapping(one.get("depends_on")).items()
            if _mapping(how).get("condition") == "service_completed_successfully"
        ),
    }


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs of the containers of a Compose project, over the engine's API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._compose.client import Engine, NotThere, address
from .._core.errors import LookError
from .book import Book
from .look import Look
from .scan import scan_bytes

_PROJECT = "com.docker.compose.project"
_SERVICE = "com.docker.compose.service"


def look_at_compose(
    given: Mapping[str, Any], book: Book, look: Look, until: float, lines: int, most_bytes: int
) -> None:
    """Count the errors in the logs of a project's containers, stopped ones included.

    :param given: the options of the source: `docker_host`, `project`, `services`.
    :raises OptionError: `docker_host` is no address.
    """
    engine = Engine(address(str(given.get("docker_host") or "unix:///var/run/docker.sock")), until)
    try:
        engine.version()
        project = str(given["project"])
        containers = engine.get("/containers/json", all=1, filters={"label": [f"{_PROJECT}={project}"]})
        wanted = [str(one) for one in given.get("services") or []]
        for one in containers if isinstance(containers, list) else []:
            told = one.get("Labels") if isinstance(one, dict) else None
            service = str((told or {}).get(_SERVICE) or "")
            if service and (not wanted or service in wanted):
                _container(engine, str(one.get("Id") or ""), service, book, look, lines, most_bytes)
    except LookError as error:
        look.failed(error.kind, error.text)
    finally:
        engine.close()


def _container(
    engine: Engine, container: str, service: str, book: Book, look: Look, lines: int, most_bytes: int
) -> None:
    owner = book.owner(service, "compose", service)
    texts: dict[str, list[str]] = {}
    size = count = 0
    try:
        detail = engine.get(f"/containers/{container}/json")
        config = detail.get("Config") if isinstance(detail, dict) else None
        tty = isinstance(config, dict) and config.get("Tty") is True
        for line in engine.logs(container, since=book.start, tail=lines, tty=tty):
            # The streams apart, so that a trace on one is not torn by lines of the other.
            texts.setdefault(line.stream, []).append(line.text)
            size += len(line.text) + 1
            count += 1
            if size > most_bytes:
                look.bounded(f"{service}: more than {most_bytes >> 10} KiB of log")
                break
        if count >= lines:
            look.bounded(f"{service}: more than {lines} lines of log")
    except NotThere:
        return
    except LookError as error:
        look.failed(error.kind, f"{service}: {error.text}")
    look.took(size, 1)
    for text in texts.values():
        raw = ("\n".join(text) + "\n").encode("utf-8", "replace")
        scan_bytes(raw, lambda event: book.line(owner, event, container[:12]))

# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names to addresses within a deadline: the system's resolver knows none of its own, so it is asked on the side."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

from .failure import Failure

Address = tuple[int, tuple[Any, ...]]

_KINDS = {socket.EAI_NONAME: "not_found", socket.EAI_AGAIN: "temporary"}
if hasattr(socket, "EAI_NODATA"):
    _KINDS[socket.EAI_NODATA] = "not_found"


class _Answer:
    def __init__(self) -> None:
        self.done = threading.Event()
        self.addresses: list[Address] = []
        self.error: Any = None


class Resolver:
    """Asks each name once, however many endpoints and samples want it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, int], _Answer] = {}

    def resolve(self, host: str, port: int, deadline: float) -> list[Address]:
        """Addresses in the order in which to try them.

        :param deadline: monotonic time until which to wait.
        :raises Failure: no such name, resolver trouble, or no answer in time.
        """
        literal = _literal(host, port)
        if literal:
            return literal
        with self._lock:
            answer = self._answers.get((host, port))
            if answer is None:
                answer = self._answers[(host, port)] = _Answer()
                # A daemon, because getaddrinfo cannot be stopped: one that hangs must not hold the module.
                threading.Thread(target=_ask, args=(host, port, answer), daemon=True).start()
        if not answer.done.wait(max(deadline - time.monotonic(), 0)):
            raise Failure("dns", "timeout", f"no name server answered for {host} in time")
        if answer.error is not None:
            kind = _KINDS.get(int(getattr(answer.error, "errno", None) or 0), "other")
            raise Failure("dns", kind, "{}: {}".format(host, getattr(answer.error, "strerror", None) or answer.error))
        if not answer.addresses:
            raise Failure("dns", "not_found", f"{host} has no address")
        return answer.addresses


def _literal(host: str, port: int) -> list[Address]:
    for family, address in ((socket.AF_INET, (host, port)), (socket.AF_INET6, (host, port, 0, 0))):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return [(family, address)]
    return []


def _ask(host: str, port: int, answer: _Answer) -> None:
    try:
        for family, _kind, _protocol, _name, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            if (int(family), address) not in answer.addresses:
                answer.addresses.append((int(family), address))
    except (OSError, UnicodeError) as error:
        answer.error = error
    finally:
        answer.done.set()
